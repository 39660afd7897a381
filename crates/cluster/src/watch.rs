use std::collections::BTreeMap;
use std::fmt;
use std::future::poll_fn;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError, RwLock, RwLockReadGuard};
use std::task::{Poll, Waker};

use openraft_rt::watch::{RecvError, SendError};
use openraft_rt::{OptionalSend, OptionalSync, Watch, WatchReceiver, WatchSender};

/// A watch channel whose waiters are woken in the order in which they began to wait.
///
/// That of tokio spreads them by chance, which no seed of ours decides.
#[derive(Debug)]
pub struct FifoWatch;

/// Sends the values of a [`FifoWatch`].
pub struct Sender<T>(Arc<Shared<T>>);

/// Sees the values of a [`FifoWatch`].
pub struct Receiver<T> {
    shared: Arc<Shared<T>>,
    /// The version that was last marked as seen.
    seen: u64,
}

struct Shared<T> {
    value: RwLock<T>,
    /// Taken after the lock on the value, and never held while a waker runs.
    state: Mutex<State>,
}

#[derive(Default)]
struct State {
    version: u64,
    senders: usize,
    receivers: usize,
    /// By ticket, which is the order of arrival.
    waiting: BTreeMap<u64, Waker>,
    next_ticket: u64,
}

impl<T> Shared<T> {
    fn state(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn read(&self) -> RwLockReadGuard<'_, T> {
        self.value.read().unwrap_or_else(PoisonError::into_inner)
    }

    /// Wakes whoever waits, once the value has changed or the last sender is gone.
    fn wake(waiting: BTreeMap<u64, Waker>) {
        waiting.into_values().for_each(Waker::wake);
    }
}

impl Watch for FifoWatch {
    type Sender<T: OptionalSend + OptionalSync> = Sender<T>;
    type Receiver<T: OptionalSend + OptionalSync> = Receiver<T>;
    type Ref<'a, T: OptionalSend + 'a> = RwLockReadGuard<'a, T>;

    fn channel<T: OptionalSend + OptionalSync>(init: T) -> (Sender<T>, Receiver<T>) {
        let shared = Arc::new(Shared {
            value: RwLock::new(init),
            state: Mutex::new(State { senders: 1, receivers: 1, ..State::default() }),
        });
        let receiver = Receiver { shared: Arc::clone(&shared), seen: 0 };
        (Sender(shared), receiver)
    }
}

impl<T: OptionalSend + OptionalSync> WatchSender<FifoWatch, T> for Sender<T> {
    fn send(&self, value: T) -> Result<(), SendError<T>> {
        if self.0.state().receivers == 0 {
            return Err(SendError(value));
        }
        self.send_if_modified(|current| {
            *current = value;
            true
        });
        Ok(())
    }

    fn send_if_modified<F>(&self, modify: F) -> bool
    where
        F: FnOnce(&mut T) -> bool,
    {
        let waiting = {
            let mut value = self.0.value.write().unwrap_or_else(PoisonError::into_inner);
            if !modify(&mut value) {
                return false;
            }
            let mut state = self.0.state();
            state.version += 1;
            std::mem::take(&mut state.waiting)
        };
        Shared::<T>::wake(waiting);
        true
    }

    fn borrow_watched(&self) -> RwLockReadGuard<'_, T> {
        self.0.read()
    }

    fn subscribe(&self) -> Receiver<T> {
        let mut state = self.0.state();
        state.receivers += 1;
        Receiver { seen: state.version, shared: Arc::clone(&self.0) }
    }
}

impl<T: OptionalSend + OptionalSync> WatchReceiver<FifoWatch, T> for Receiver<T> {
    async fn changed(&mut self) -> Result<(), RecvError> {
        let mut wait = Wait { shared: &*self.shared, ticket: None };
        let seen = self.seen;
        self.seen = poll_fn(|cx| {
            let mut state = wait.shared.state();
            if state.version != seen {
                return Poll::Ready(Ok(state.version));
            }
            if state.senders == 0 {
                return Poll::Ready(Err(RecvError(())));
            }
            let ticket = *wait.ticket.get_or_insert_with(|| {
                state.next_ticket += 1;
                state.next_ticket
            });
            state.waiting.insert(ticket, cx.waker().clone());
            Poll::Pending
        })
        .await?;
        Ok(())
    }

    fn borrow_watched(&self) -> RwLockReadGuard<'_, T> {
        self.shared.read()
    }

    fn borrow_and_update(&mut self) -> RwLockReadGuard<'_, T> {
        let value = self.shared.read();
        // Under the lock on the value: a later version cannot be marked by mistake.
        self.seen = self.shared.state().version;
        value
    }
}

/// Takes its waker back when the wait is given up.
struct Wait<'a, T> {
    shared: &'a Shared<T>,
    ticket: Option<u64>,
}

impl<T> Drop for Wait<'_, T> {
    fn drop(&mut self) {
        if let Some(ticket) = self.ticket {
            self.shared.state().waiting.remove(&ticket);
        }
    }
}

impl<T> Clone for Sender<T> {
    fn clone(&self) -> Self {
        self.0.state().senders += 1;
        Self(Arc::clone(&self.0))
    }
}

impl<T> Drop for Sender<T> {
    fn drop(&mut self) {
        let waiting = {
            let mut state = self.0.state();
            state.senders -= 1;
            if state.senders > 0 {
                return;
            }
            std::mem::take(&mut state.waiting)
        };
        Shared::<T>::wake(waiting);
    }
}

impl<T> Clone for Receiver<T> {
    fn clone(&self) -> Self {
        self.shared.state().receivers += 1;
        Self { shared: Arc::clone(&self.shared), seen: self.seen }
    }
}

impl<T> Drop for Receiver<T> {
    fn drop(&mut self) {
        self.shared.state().receivers -= 1;
    }
}

impl<T> fmt::Debug for Sender<T> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Sender").finish_non_exhaustive()
    }
}

impl<T> fmt::Debug for Receiver<T> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Receiver").finish_non_exhaustive()
    }
}

#[cfg(test)]
mod tests {
    use futures_util::FutureExt;

    use super::*;

    #[test]
    fn a_change_is_seen_once_and_a_wait_given_up_leaves_nothing() {
        let (sender, mut receiver) = FifoWatch::channel(1);
        assert!(receiver.changed().now_or_never().is_none());
        assert!(sender.0.state().waiting.is_empty());
        sender.send(2).expect("somebody watches");
        assert_eq!(receiver.changed().now_or_never(), Some(Ok(())));
        assert!(receiver.changed().now_or_never().is_none());
        assert_eq!(*receiver.borrow_watched(), 2);
        drop(sender);
        assert_eq!(receiver.changed().now_or_never(), Some(Err(RecvError(()))));
    }

    #[test]
    fn without_a_receiver_nothing_is_sent() {
        let (sender, receiver) = FifoWatch::channel(1);
        drop(receiver);
        assert!(sender.send(2).is_err());
        assert_eq!(*sender.borrow_watched(), 1);
    }
}
