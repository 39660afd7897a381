use std::future::poll_fn;
use std::sync::Arc;
use std::task::Poll;

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

    /// True if every view is folded up to `offset`. A quarantined one may be not.
    pub(crate) fn are_at(&self, offset: Offset) -> bool {
        self.0.iter().all(|mark| mark.get() >= offset)
    }

    /// True if every view is folded up to `offset`, or is once whoever is ready to run has run.
    /// Folds were woken before whoever asks this, and are mostly through by then: to step back
    /// for them costs less than to be woken by them.
    pub(crate) async fn are_nearly_at(&self, offset: Offset) -> bool {
        if self.are_at(offset) {
            return true;
        }
        let mut stepped_back = false;
        poll_fn(|cx| {
            if std::mem::replace(&mut stepped_back, true) {
                return Poll::Ready(());
            }
            cx.waker().wake_by_ref();
            Poll::Pending
        })
        .await;
        self.are_at(offset)
    }

    /// What a handler that starts now decides from: the view that is furthest behind, or
    /// `applied` if the service has none.
    pub(crate) fn offset(&self, applied: Offset) -> Offset {
        self.0.iter().map(|mark| mark.get()).min().unwrap_or(applied)
    }
}
