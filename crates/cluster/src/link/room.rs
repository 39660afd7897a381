use std::pin::Pin;
use std::sync::Arc;
use std::task::{Context, Poll, Waker};

use catga_host::BoxFuture;
use tokio::sync::{OwnedSemaphorePermit, Semaphore};
use tokio::task::unconstrained;

use super::lane::{LANES, Lane};

/// What a request costs beside its bytes: so that the number of requests is bounded too.
const OVERHEAD_BYTES: usize = 256;

/// Room is counted in such parts, since a semaphore gives out less than 4 Gi of them at once.
const PART_BYTES: usize = 64;

/// Room for a request, until the last clone is dropped.
pub(super) type Place = Arc<OwnedSemaphorePermit>;

/// Room for the requests of each lane to one peer.
#[derive(Debug)]
pub(super) struct Rooms([Room; LANES]);

/// Room of one lane. Whoever finds none waits, and those after him wait behind him, however little
/// they need: the order is kept.
#[derive(Debug)]
struct Room {
    /// Taken by whoever enters.
    turn: Arc<Semaphore>,
    parts: Arc<Semaphore>,
    parts_max: u32,
}

/// What [`Rooms::enter`] found.
pub(super) enum Entered {
    Now(Place),
    /// His turn is kept until the permit is dropped; he should have entered his request by then.
    Later(BoxFuture<'static, (Place, OwnedSemaphorePermit)>),
}

impl Rooms {
    /// Room for `bytes` in all.
    pub(super) fn new(bytes: usize) -> Self {
        let (urgent, bulk) = (bytes / 8, bytes / 4);
        Self([urgent, bytes - urgent - bulk, bulk].map(Room::new))
    }

    /// Takes room for a request of `bytes`, or a place in the queue. The future has to be polled:
    /// those behind wait for it.
    pub(super) fn enter(&self, lane: Lane, bytes: usize) -> Entered {
        let room = &self.0[lane.index()];
        let parts = u32::try_from((bytes + OVERHEAD_BYTES).div_ceil(PART_BYTES));
        let parts = parts.unwrap_or(u32::MAX).min(room.parts_max);
        if let Ok(_turn) = room.turn.try_acquire()
            && let Ok(place) = Arc::clone(&room.parts).try_acquire_many_owned(parts)
        {
            return Entered::Now(Arc::new(place));
        }
        let (turn, room) = (Arc::clone(&room.turn), Arc::clone(&room.parts));
        // Not constrained: a poll takes a place in the queue, whatever else the task has done.
        let mut later = Box::pin(unconstrained(async move {
            let turn = turn.acquire_owned().await.expect("it is never closed");
            let place = room.acquire_many_owned(parts).await.expect("it is never closed");
            (Arc::new(place), turn)
        }));
        match Pin::new(&mut later).poll(&mut Context::from_waker(Waker::noop())) {
            Poll::Ready(entered) => Entered::Later(Box::pin(std::future::ready(entered))),
            Poll::Pending => Entered::Later(later),
        }
    }
}

impl Room {
    fn new(bytes: usize) -> Self {
        let parts_max = u32::try_from((bytes / PART_BYTES).max(1)).unwrap_or(u32::MAX);
        let parts = Arc::new(Semaphore::new(parts_max as usize));
        Self { turn: Arc::new(Semaphore::new(1)), parts, parts_max }
    }
}

#[cfg(test)]
mod tests {
    use futures_util::FutureExt;

    use super::*;

    fn later(entered: Entered) -> BoxFuture<'static, (Place, OwnedSemaphorePermit)> {
        match entered {
            Entered::Now(_) => panic!("there is room"),
            Entered::Later(later) => later,
        }
    }

    #[test]
    fn whoever_came_first_enters_first_however_much_he_needs() {
        let rooms = Rooms::new(64 << 10);
        let Entered::Now(first) = rooms.enter(Lane::Main, 39 << 10) else { panic!("no room") };
        let mut large = later(rooms.enter(Lane::Main, 30 << 10));
        let mut small = later(rooms.enter(Lane::Main, 1));
        assert!(matches!(rooms.enter(Lane::Urgent, 1), Entered::Now(_)));
        assert!((&mut small).now_or_never().is_none() && (&mut large).now_or_never().is_none());
        drop(first);
        // Not before the large one has entered its request.
        assert!((&mut small).now_or_never().is_none());
        let (_large, turn) = large.now_or_never().expect("there is room");
        assert!((&mut small).now_or_never().is_none());
        let third = later(rooms.enter(Lane::Main, 1));
        drop(turn);
        let (_small, turn) = small.now_or_never().expect("it is its turn");
        drop((turn, third));
        assert!(matches!(rooms.enter(Lane::Main, 1), Entered::Now(_)));
    }

    #[test]
    fn one_that_gives_up_lets_the_next_go_and_the_longest_goes_alone() {
        let rooms = Rooms::new(64 << 10);
        let Entered::Now(huge) = rooms.enter(Lane::Main, 1 << 30) else { panic!("no room") };
        let first = later(rooms.enter(Lane::Main, 1));
        let second = later(rooms.enter(Lane::Main, 1));
        drop((first, huge));
        assert!(second.now_or_never().is_some());
    }
}
