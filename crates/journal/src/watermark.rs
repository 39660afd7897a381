use std::collections::BTreeMap;
use std::fmt;
use std::pin::Pin;
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Mutex, MutexGuard, PoisonError};
use std::task::{Context, Poll, Waker};

use catga_core::Offset;

/// An offset that only rises, and that tasks can wait for.
///
/// Waiters are woken in the order of what they wait for and then of their arrival, so that a
/// simulation sees the same order each time.
#[derive(Default)]
pub struct Watermark {
    /// Read without the lock; written under it, so that no waiter sleeps through a rise.
    reached: AtomicU64,
    waiting: Mutex<Waiting>,
}

#[derive(Default)]
struct Waiting {
    /// By (offset waited for, ticket).
    wakers: BTreeMap<(u64, u64), Waker>,
    next_ticket: u64,
    closed: bool,
}

impl Watermark {
    /// A mark at `reached`.
    pub fn new(reached: Offset) -> Self {
        Self { reached: AtomicU64::new(reached.0), waiting: Mutex::default() }
    }

    /// How far it is.
    #[inline]
    pub fn get(&self) -> Offset {
        Offset(self.reached.load(Ordering::Acquire))
    }

    /// Raises the mark to `offset` and wakes whoever waited for it; never lowers it.
    pub fn advance(&self, offset: Offset) {
        let mut due = Vec::new();
        {
            let mut waiting = self.lock();
            if offset.0 <= self.reached.load(Ordering::Relaxed) {
                return;
            }
            self.reached.store(offset.0, Ordering::Release);
            while let Some(first) = waiting.wakers.first_entry() {
                if first.key().0 > offset.0 {
                    break;
                }
                due.push(first.remove());
            }
        }
        due.into_iter().for_each(Waker::wake);
    }

    /// Ends every wait, now and later, that is not satisfied.
    pub fn close(&self) {
        let wakers = {
            let mut waiting = self.lock();
            waiting.closed = true;
            std::mem::take(&mut waiting.wakers)
        };
        wakers.into_values().for_each(Waker::wake);
    }

    /// True if it was closed.
    pub fn is_closed(&self) -> bool {
        self.lock().closed
    }

    /// Ready once the mark is at or above `offset`: true, or false if it was closed before.
    ///
    /// # Cancel safety
    /// Dropping the future only stops waiting.
    pub fn reach(&self, offset: Offset) -> Reached<'_> {
        Reached { mark: self, offset: offset.0, ticket: None }
    }

    fn lock(&self) -> MutexGuard<'_, Waiting> {
        self.waiting.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl fmt::Debug for Watermark {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_tuple("Watermark").field(&self.get()).finish()
    }
}

/// The future of [`Watermark::reach`].
#[derive(Debug)]
#[must_use = "futures do nothing unless polled"]
pub struct Reached<'a> {
    mark: &'a Watermark,
    offset: u64,
    ticket: Option<u64>,
}

impl Future for Reached<'_> {
    type Output = bool;

    fn poll(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<bool> {
        if self.mark.get().0 >= self.offset {
            return Poll::Ready(true);
        }
        let mut waiting = self.mark.lock();
        // Again under the lock: a rise between the two looks would not wake us.
        if self.mark.get().0 >= self.offset {
            return Poll::Ready(true);
        }
        if waiting.closed {
            return Poll::Ready(false);
        }
        let ticket = *self.ticket.get_or_insert_with(|| {
            waiting.next_ticket += 1;
            waiting.next_ticket
        });
        waiting.wakers.insert((self.offset, ticket), cx.waker().clone());
        Poll::Pending
    }
}

impl Drop for Reached<'_> {
    fn drop(&mut self) {
        if let Some(ticket) = self.ticket {
            self.mark.lock().wakers.remove(&(self.offset, ticket));
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[tokio::test]
    async fn a_waiter_sleeps_until_its_offset_is_reached() {
        let mark = Watermark::new(Offset(1));
        assert!(mark.reach(Offset(1)).await);
        let advance = async {
            tokio::task::yield_now().await;
            mark.advance(Offset(2));
            tokio::task::yield_now().await;
            mark.advance(Offset(3));
        };
        let (reached, ()) = tokio::join!(mark.reach(Offset(3)), advance);
        assert!(reached);
        mark.advance(Offset(2));
        assert_eq!(mark.get(), Offset(3), "a mark never falls");
    }

    #[tokio::test]
    async fn closing_ends_the_waits_and_dropping_a_wait_leaves_nothing() {
        let mark = Watermark::default();
        let close = async {
            tokio::task::yield_now().await;
            mark.close();
        };
        let (reached, ()) = tokio::join!(mark.reach(Offset(1)), close);
        assert!(!reached);
        let mark = Watermark::default();
        {
            let mut wait = std::pin::pin!(mark.reach(Offset(5)));
            assert!(futures_util::poll!(&mut wait).is_pending());
        }
        assert!(mark.lock().wakers.is_empty());
    }
}
