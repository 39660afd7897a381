use std::fmt;
use std::pin::Pin;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::task::{Context, Poll, Waker};
use std::time::Duration;

use crate::{BoxFuture, Elapsed, Host};

/// The shortest time between two looks at all that wait, however dense their deadlines are.
const GRANULARITY: Duration = Duration::from_millis(1);

/// Deadlines of many waits, watched by one task with one timer.
///
/// Nearly every wait ends long before its deadline, so that a timer for each is made and taken
/// back for nothing. Here a wait takes a place in a list; the watcher sleeps until the earliest
/// deadline that it was told of and then looks at the whole list, which is rarely.
///
/// Waits need not fear that the watcher ends, as it does with its node: from then on each has a
/// timer of its own.
pub struct Deadlines {
    host: Arc<dyn Host>,
    watched: Mutex<Watched>,
}

#[derive(Default)]
struct Watched {
    /// As many as have ever waited at a time; its users bound that.
    places: Vec<Place>,
    free: Vec<usize>,
    /// No wait ends before this; perhaps none ends then either, since waits are not looked at
    /// when they leave.
    next: Option<Duration>,
    watcher: Option<Waker>,
    /// Nobody watches any more.
    closed: bool,
}

enum Place {
    Free,
    Waiting {
        until: Duration,
        waker: Waker,
    },
    /// The time is up.
    Due,
}

impl Deadlines {
    /// Deadlines on the clock of `host`. Somebody has to run [`watch`](Self::watch).
    pub fn new(host: Arc<dyn Host>) -> Arc<Self> {
        Arc::new(Self { host, watched: Mutex::default() })
    }

    /// Ends with `future`, or with [`Elapsed`] soon after the host's clock has reached `until`.
    ///
    /// As with [`timeout`](crate::timeout), what is ready counts even when the time is up as well.
    pub fn by<F: Future>(&self, until: Duration, future: F) -> ByDeadline<'_, F> {
        ByDeadline { future, wait: Wait { deadlines: self, until, state: WaitState::New } }
    }

    /// Watches until it is dropped.
    pub fn watch(self: Arc<Self>) -> impl Future<Output = ()> + Send + 'static {
        Watch { deadlines: self, timer: None, not_before: Duration::ZERO }
    }

    /// Wakes everybody whose time is up.
    fn sweep(&self, now: Duration) {
        let mut due = Vec::new();
        let mut watched = self.lock();
        let mut next = None;
        for place in &mut watched.places {
            match place {
                Place::Waiting { until, .. } if *until <= now => {
                    if let Place::Waiting { until, waker } = std::mem::replace(place, Place::Due) {
                        due.push((until, waker));
                    }
                }
                Place::Waiting { until, .. } => {
                    next = Some(next.map_or(*until, |next: Duration| next.min(*until)));
                }
                Place::Free | Place::Due => {}
            }
        }
        watched.next = next;
        drop(watched);
        // As timers of their own would have ended.
        due.sort_by_key(|(until, _)| *until);
        due.into_iter().for_each(|(_, waker)| waker.wake());
    }

    fn close(&self) {
        let mut watched = self.lock();
        watched.closed = true;
        let wakers: Vec<_> = watched.places.iter().filter_map(Place::waker).cloned().collect();
        drop(watched);
        wakers.into_iter().for_each(Waker::wake);
    }

    fn lock(&self) -> MutexGuard<'_, Watched> {
        self.watched.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Place {
    fn waker(&self) -> Option<&Waker> {
        match self {
            Self::Waiting { waker, .. } => Some(waker),
            Self::Free | Self::Due => None,
        }
    }
}

impl Watched {
    /// Takes a place for a wait; none if nobody watches.
    fn enter(&mut self, until: Duration, waker: &Waker) -> Option<(usize, Option<Waker>)> {
        if self.closed {
            return None;
        }
        let waiting = Place::Waiting { until, waker: waker.clone() };
        let place = match self.free.pop() {
            Some(place) => {
                self.places[place] = waiting;
                place
            }
            None => {
                self.places.push(waiting);
                self.places.len() - 1
            }
        };
        if self.next.is_some_and(|next| next <= until) {
            return Some((place, None));
        }
        self.next = Some(until);
        Some((place, self.watcher.take()))
    }

    fn leave(&mut self, place: usize) {
        self.places[place] = Place::Free;
        self.free.push(place);
    }
}

impl fmt::Debug for Deadlines {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let watched = self.lock();
        f.debug_struct("Deadlines")
            .field("waiting", &(watched.places.len() - watched.free.len()))
            .field("next", &watched.next)
            .finish_non_exhaustive()
    }
}

/// The task behind [`Deadlines`].
struct Watch {
    deadlines: Arc<Deadlines>,
    /// What it sleeps for, and until when.
    timer: Option<(Duration, BoxFuture<'static, ()>)>,
    not_before: Duration,
}

impl Future for Watch {
    type Output = ();

    fn poll(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<()> {
        let this = &mut *self;
        loop {
            let mut watched = this.deadlines.lock();
            watched.watcher = Some(cx.waker().clone());
            let next = watched.next;
            drop(watched);
            let Some(next) = next else {
                this.timer = None;
                return Poll::Pending;
            };
            let host = &this.deadlines.host;
            let next = next.max(this.not_before);
            let timer = match &mut this.timer {
                Some((until, timer)) if *until == next => timer,
                timer => {
                    let sleep = host.sleep(next.saturating_sub(host.now()));
                    &mut timer.insert((next, sleep)).1
                }
            };
            if timer.as_mut().poll(cx).is_pending() {
                return Poll::Pending;
            }
            this.timer = None;
            let now = host.now();
            this.not_before = now + GRANULARITY;
            this.deadlines.sweep(now);
        }
    }
}

impl Drop for Watch {
    fn drop(&mut self) {
        self.deadlines.close();
    }
}

pin_project_lite::pin_project! {
    /// The future of [`Deadlines::by`].
    #[must_use = "futures do nothing unless polled"]
    pub struct ByDeadline<'d, F> {
        #[pin]
        future: F,
        wait: Wait<'d>,
    }
}

struct Wait<'d> {
    deadlines: &'d Deadlines,
    until: Duration,
    state: WaitState,
}

enum WaitState {
    New,
    Watched(usize),
    /// Nobody watches.
    Alone(BoxFuture<'static, ()>),
}

impl<F: Future> Future for ByDeadline<'_, F> {
    type Output = Result<F::Output, Elapsed>;

    fn poll(self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<Self::Output> {
        let this = self.project();
        match this.future.poll(cx) {
            Poll::Ready(output) => Poll::Ready(Ok(output)),
            Poll::Pending => this.wait.poll(cx).map(|()| Err(Elapsed)),
        }
    }
}

impl Wait<'_> {
    fn poll(&mut self, cx: &mut Context<'_>) -> Poll<()> {
        match &mut self.state {
            WaitState::New => {
                let mut watched = self.deadlines.lock();
                let Some((place, watcher)) = watched.enter(self.until, cx.waker()) else {
                    drop(watched);
                    return self.go_alone(cx);
                };
                drop(watched);
                self.state = WaitState::Watched(place);
                watcher.into_iter().for_each(Waker::wake);
                Poll::Pending
            }
            WaitState::Watched(place) => {
                let mut watched = self.deadlines.lock();
                let closed = watched.closed;
                match &mut watched.places[*place] {
                    Place::Waiting { .. } if closed => {}
                    Place::Waiting { waker, .. } => {
                        waker.clone_from(cx.waker());
                        return Poll::Pending;
                    }
                    Place::Due | Place::Free => return Poll::Ready(()),
                }
                watched.leave(*place);
                drop(watched);
                self.go_alone(cx)
            }
            WaitState::Alone(sleep) => sleep.as_mut().poll(cx),
        }
    }

    #[cold]
    fn go_alone(&mut self, cx: &mut Context<'_>) -> Poll<()> {
        let host = &self.deadlines.host;
        let mut sleep = host.sleep(self.until.saturating_sub(host.now()));
        let poll = sleep.as_mut().poll(cx);
        self.state = WaitState::Alone(sleep);
        poll
    }
}

impl Drop for Wait<'_> {
    fn drop(&mut self) {
        if let WaitState::Watched(place) = self.state {
            self.deadlines.lock().leave(place);
        }
    }
}

impl<F> fmt::Debug for ByDeadline<'_, F> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("ByDeadline").field("until", &self.wait.until).finish_non_exhaustive()
    }
}

#[cfg(test)]
mod tests {
    use std::future::{pending, ready};

    use super::*;
    use crate::TokioHost;

    fn ms(ms: u64) -> Duration {
        Duration::from_millis(ms)
    }

    fn start() -> (Arc<dyn Host>, Arc<Deadlines>, crate::Task) {
        let host: Arc<dyn Host> = Arc::new(TokioHost::current());
        let deadlines = Deadlines::new(host.clone());
        let task = host.spawn("deadlines", Box::pin(deadlines.clone().watch()));
        (host, deadlines, task)
    }

    #[tokio::test(start_paused = true)]
    async fn each_wait_ends_at_its_own_deadline_and_what_is_ready_counts() {
        let (host, deadlines, _task) = start();
        assert_eq!(deadlines.by(Duration::ZERO, ready(7)).await, Ok(7));
        let wait = async |until| {
            assert!(deadlines.by(until, pending::<()>()).await.is_err());
            host.now()
        };
        let (late, soon, middle) = tokio::join!(wait(ms(70)), wait(ms(10)), wait(ms(30)));
        for (ended, until) in [(soon, ms(10)), (middle, ms(30)), (late, ms(70))] {
            assert!(ended >= until && ended <= until + ms(3), "{until:?} ended at {ended:?}");
        }
        let watched = deadlines.lock();
        assert_eq!(watched.free.len(), watched.places.len());
    }

    #[tokio::test(start_paused = true)]
    async fn an_earlier_deadline_than_the_watcher_sleeps_for_wakes_it() {
        let (host, deadlines, _task) = start();
        {
            let far = std::pin::pin!(deadlines.by(ms(10_000), pending::<()>()));
            let mut far = far;
            assert!(poll_once(far.as_mut()).await.is_pending());
            tokio::task::yield_now().await;
            assert!(deadlines.by(ms(5), pending::<()>()).await.is_err());
            assert!(host.now() < ms(10), "{:?}", host.now());
        }
        // Nobody waits for what the watcher still sleeps for; the next one is on time again.
        let until = host.now() + ms(5);
        assert!(deadlines.by(until, pending::<()>()).await.is_err());
        assert!(host.now() < until + ms(3));
    }

    #[tokio::test(start_paused = true)]
    async fn a_wait_outlives_the_watcher() {
        let (host, deadlines, task) = start();
        let end = async {
            tokio::task::yield_now().await;
            task.abort();
            task.await
        };
        let (waited, _) = tokio::join!(deadlines.by(ms(20), pending::<()>()), end);
        assert!(waited.is_err());
        assert!(deadlines.by(ms(40), pending::<()>()).await.is_err());
        assert!(host.now() >= ms(40));
    }

    async fn poll_once<F: Future>(mut future: Pin<&mut F>) -> Poll<F::Output> {
        std::future::poll_fn(|cx| Poll::Ready(future.as_mut().poll(cx))).await
    }
}
