use std::sync::Arc;

use catga_core::Offset;
use catga_journal::Watermark;

/// The projections that one service reads, as marks to wait for.
///
/// The mark of a quarantined projection is closed: nobody waits for it.
#[derive(Clone, Debug, Default)]
pub(crate) struct Views(Arc<[Arc<Watermark>]>);

impl Views {
    pub(crate) fn new(marks: Vec<Arc<Watermark>>) -> Self {
        Self(marks.into())
    }

    /// Ready once every view is folded up to `offset`, or quarantined.
    pub(crate) async fn reach(&self, offset: Offset) {
        for mark in &*self.0 {
            mark.reach(offset).await;
        }
    }

    /// What a handler that starts now decides from: the view that is furthest behind, or
    /// `applied` if the service has none.
    pub(crate) fn offset(&self, applied: Offset) -> Offset {
        self.0.iter().map(|mark| mark.get()).min().unwrap_or(applied)
    }
}
