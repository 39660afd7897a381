use catga_core::Offset;

use super::History;
use crate::{Filter, Page};

/// How many events or effects one call looks at, at most, when hardly any passes the filter: the
/// reader holds a lock against which entries are applied. About a millisecond.
pub(crate) const LOOKED_AT_MAX: usize = 16 * 1024;

impl History {
    /// See [`Journal::page`](crate::Journal::page); `after` is not below the base.
    pub(crate) fn page(&self, after: Offset, filter: &Filter, limit: usize) -> Page {
        let mut start = self.events_end(after);
        let first = start;
        let mut page = Page {
            // Room for all: readers mostly want nearly everything, or are nearly at the end.
            events: Vec::with_capacity((self.events.len() - start).min(limit)),
            // A reader that is ahead of this node stays where it is.
            upto: after,
        };
        let mut events = self.events.iter_from(start);
        let place = usize::try_from(after.0.saturating_sub(self.base.0)).unwrap_or(usize::MAX);
        for (recorded, looked_at) in self.effects.iter_from(place).zip(1..) {
            let own = events.by_ref().take(recorded.events_end - start);
            let wanted = own.filter(|chained| filter.wants(&chained.name));
            page.events.extend(wanted.map(|chained| self.whole(chained, recorded)));
            page.upto = page.upto.next();
            start = recorded.events_end;
            let looked_at = (start - first).max(looked_at);
            if page.events.len() >= limit || looked_at >= LOOKED_AT_MAX {
                break;
            }
        }
        page
    }
}
