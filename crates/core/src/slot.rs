#![allow(
    unsafe_code,
    reason = "a future of any type in room of its caller's, polled where it stands; the crates for \
              it move the room with every call, which costs more than the call"
)]

use std::fmt;
use std::marker::{PhantomData, PhantomPinned};
use std::mem::{self, MaybeUninit};
use std::pin::Pin;
use std::task::{Context, Poll};

/// How large a handler's future may be and still be kept in place. A larger one is boxed: it works
/// the same and costs one allocation.
pub const IN_PLACE_BYTES: usize = 256;

/// Room for one future of any type with the output `T`, so that dispatch through a trait object
/// allocates nothing.
///
/// The future is made, polled and dropped where it stands; nothing of it is ever moved. The room
/// is not initialised before, so an empty slot costs nothing to make.
pub struct Slot<'a, T: 'static> {
    room: Room,
    /// What is in the room, if anything is. Whoever sets it has written the future before, and
    /// whoever drops the future clears it before.
    held: Option<&'static Held<T>>,
    /// The future may borrow for `'a` and is sent with the slot.
    future: PhantomData<Pin<Box<dyn Future<Output = T> + Send + 'a>>>,
    /// The future is pinned by the slot being pinned.
    _pinned: PhantomPinned,
}

#[repr(C, align(16))]
struct Room([MaybeUninit<u8>; IN_PLACE_BYTES]);

/// How to go on with a future whose type is forgotten.
///
/// Both functions are for a pointer to a room that holds a future of the type that they were made
/// for, pinned there.
struct Held<T> {
    poll: unsafe fn(*mut u8, &mut Context<'_>) -> Poll<T>,
    drop: unsafe fn(*mut u8),
}

impl<'a, T: 'static> Slot<'a, T> {
    /// A slot with nothing in it.
    #[inline]
    pub const fn new() -> Self {
        Self {
            room: Room([const { MaybeUninit::uninit() }; IN_PLACE_BYTES]),
            held: None,
            future: PhantomData,
            _pinned: PhantomPinned,
        }
    }

    /// Puts the future that `make` makes into the slot, in place of what was there, and polls it
    /// once. If it is ready, the slot is empty again.
    #[inline]
    pub fn start<F>(
        mut self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        make: impl FnOnce() -> F,
    ) -> Poll<T>
    where
        F: Future<Output = T> + Send + 'a,
    {
        const {
            assert!(size_of::<Pin<Box<F>>>() <= IN_PLACE_BYTES);
        }
        if self.held.is_some() {
            self.as_mut().clear();
        }
        if size_of::<F>() <= IN_PLACE_BYTES && align_of::<F>() <= align_of::<Room>() {
            self.put(cx, make())
        } else {
            self.put(cx, Box::pin(make()))
        }
    }

    /// Goes on with the future in the slot; `None` if there is none.
    #[inline]
    pub fn poll(self: Pin<&mut Self>, cx: &mut Context<'_>) -> Option<Poll<T>> {
        let held = self.held?;
        // SAFETY: nothing is moved out of the slot; the reference is only used to find the room
        // and to clear the slot.
        let this = unsafe { self.get_unchecked_mut() };
        // SAFETY: `held` says that the room holds a future of its type, which `put` has pinned
        // there: the slot is pinned, and the future is dropped before the room is used again.
        let poll = unsafe { (held.poll)(this.room.0.as_mut_ptr().cast(), cx) };
        if poll.is_ready() {
            this.drop_held();
        }
        Some(poll)
    }

    /// Writes `future`, which fits, into the empty room and polls it.
    #[inline]
    fn put<F>(self: Pin<&mut Self>, cx: &mut Context<'_>, future: F) -> Poll<T>
    where
        F: Future<Output = T> + Send + 'a,
    {
        assert!(size_of::<F>() <= IN_PLACE_BYTES && align_of::<F>() <= align_of::<Room>());
        // SAFETY: nothing is moved out of the slot.
        let this = unsafe { self.get_unchecked_mut() };
        let place: *mut F = this.room.0.as_mut_ptr().cast();
        // SAFETY: the room is large enough and aligned, as was asserted, and it is empty, so
        // nothing is overwritten that had to be dropped.
        unsafe { place.write(future) };
        // Most calls end here, at their first poll; only one that does not has its type forgotten.
        let dropped_here = DropAs(place);
        // SAFETY: `place` holds an initialised `F`. It is pinned: the slot is, and `F` stays
        // there until it is dropped, by the guard here or, once `held` is set, with the slot.
        let poll = unsafe { Pin::new_unchecked(&mut *place) }.poll(cx);
        if poll.is_pending() {
            mem::forget(dropped_here);
            this.held = Some(const { &Held { poll: poll_as::<F>, drop: drop_as::<F> } });
        }
        poll
    }

    fn clear(self: Pin<&mut Self>) {
        // SAFETY: the future is dropped where it stands; nothing is moved.
        unsafe { self.get_unchecked_mut() }.drop_held();
    }

    /// Drops what is in the room, if anything is.
    #[inline]
    fn drop_held(&mut self) {
        // Cleared first: if dropping unwinds, it is not tried again.
        if let Some(held) = self.held.take() {
            // SAFETY: `held` said that the room holds a future of its type, and no longer says so.
            unsafe { (held.drop)(self.room.0.as_mut_ptr().cast()) };
        }
    }
}

/// Drops the future that a room holds; also when its first poll unwinds.
struct DropAs<F>(*mut F);

impl<F> Drop for DropAs<F> {
    #[inline]
    fn drop(&mut self) {
        // SAFETY: only `put` makes one, for a future that it has just written and that nothing
        // else will drop unless this guard is forgotten.
        unsafe { self.0.drop_in_place() };
    }
}

/// # Safety
/// `room` points to an `F` that is pinned there.
unsafe fn poll_as<F: Future>(room: *mut u8, cx: &mut Context<'_>) -> Poll<F::Output> {
    // SAFETY: the caller says so.
    unsafe { Pin::new_unchecked(&mut *room.cast::<F>()) }.poll(cx)
}

/// # Safety
/// `room` points to an `F` that is pinned there and is not used again.
unsafe fn drop_as<F>(room: *mut u8) {
    // SAFETY: the caller says so.
    unsafe { room.cast::<F>().drop_in_place() };
}

impl<T: 'static> Drop for Slot<'_, T> {
    #[inline]
    fn drop(&mut self) {
        self.drop_held();
    }
}

impl<T: 'static> Default for Slot<'_, T> {
    fn default() -> Self {
        Self::new()
    }
}

impl<T: 'static> fmt::Debug for Slot<'_, T> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Slot").field("holds_a_future", &self.held.is_some()).finish()
    }
}

#[cfg(test)]
mod tests {
    use std::cell::Cell;
    use std::future::{pending, poll_fn, ready};
    use std::panic::{AssertUnwindSafe, catch_unwind};
    use std::pin::pin;
    use std::sync::Arc;
    use std::task::Waker;

    use super::*;

    fn cx() -> Context<'static> {
        Context::from_waker(Waker::noop())
    }

    /// Ready with what it holds at the second poll; holds more than its room would, if asked to.
    async fn at_second_poll<const BYTES: usize>(value: Arc<String>) -> usize {
        let ballast = [1u8; BYTES];
        let borrowed = &ballast;
        let mut polled = false;
        poll_fn(|_| if mem::replace(&mut polled, true) { Poll::Ready(()) } else { Poll::Pending })
            .await;
        value.len() + borrowed.iter().map(|byte| usize::from(*byte)).sum::<usize>()
    }

    #[test]
    fn a_future_runs_to_its_end_in_the_slot_and_is_dropped_there() {
        fn run<const BYTES: usize>() {
            let value = Arc::new("text".to_owned());
            let mut slot = pin!(Slot::new());
            let start = slot.as_mut().start(&mut cx(), || at_second_poll::<BYTES>(value.clone()));
            assert_eq!((start, Arc::strong_count(&value)), (Poll::Pending, 2));
            assert_eq!(slot.as_mut().poll(&mut cx()), Some(Poll::Ready(4 + BYTES)));
            assert_eq!(Arc::strong_count(&value), 1);
            assert_eq!(slot.as_mut().poll(&mut cx()), None, "the slot is empty");
        }
        run::<8>();
        run::<{ 4 * IN_PLACE_BYTES }>();
    }

    #[test]
    fn a_slot_takes_one_future_after_another() {
        let value = Arc::new(String::new());
        let mut slot = pin!(Slot::new());
        assert_eq!(slot.as_mut().start(&mut cx(), || ready(1)), Poll::Ready(1));
        let held = value.clone();
        let waiting = slot.as_mut().start(&mut cx(), || async move {
            let _held = held;
            pending().await
        });
        assert!(waiting.is_pending());
        assert_eq!(slot.as_mut().start(&mut cx(), || ready(2)), Poll::Ready(2));
        assert_eq!(Arc::strong_count(&value), 1, "the one before was dropped");
    }

    #[test]
    fn a_slot_drops_what_it_holds() {
        let value = Arc::new(String::new());
        {
            let mut slot = pin!(Slot::new());
            let start = slot.as_mut().start(&mut cx(), || at_second_poll::<8>(value.clone()));
            assert!(start.is_pending());
        }
        assert_eq!(Arc::strong_count(&value), 1);
    }

    #[test]
    fn a_panic_while_making_or_polling_leaves_nothing_behind() {
        let value = Arc::new(String::new());
        {
            let mut slot = pin!(Slot::new());
            let making = catch_unwind(AssertUnwindSafe(|| {
                let make = || -> std::future::Ready<()> { panic!("while making") };
                slot.as_mut().start(&mut cx(), make)
            }));
            assert!(making.is_err());
            let held = value.clone();
            let polling = catch_unwind(AssertUnwindSafe(|| {
                slot.as_mut().start(&mut cx(), || async move {
                    let _held = held;
                    panic!("while polling")
                })
            }));
            assert!(polling.is_err());
        }
        assert_eq!(Arc::strong_count(&value), 1);
    }

    #[test]
    fn a_future_may_borrow_and_be_strictly_aligned() {
        #[repr(align(64))]
        struct Aligned(u64);
        let seen = Cell::new(0);
        let number = 7u64;
        let borrowed = &number;
        let mut slot = pin!(Slot::new());
        let poll = slot.as_mut().start(&mut cx(), || async {
            let aligned = Aligned(*borrowed);
            assert_eq!(&raw const aligned as usize % 64, 0);
            ready(()).await;
            aligned.0
        });
        if let Poll::Ready(number) = poll {
            seen.set(number);
        }
        assert_eq!(seen.get(), 7);
    }
}
