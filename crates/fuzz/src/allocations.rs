use std::alloc::{GlobalAlloc, Layout, System};
use std::cell::Cell;
use std::hint::black_box;

/// The system's allocator, which notes what each thread allocates. A test program that measures has
/// it as its `#[global_allocator]`.
#[derive(Clone, Copy, Debug)]
pub struct Counting;

/// What a thread has allocated meanwhile.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Allocated {
    /// The largest piece, in bytes: what a length that was believed shows in.
    pub largest: usize,
    /// All pieces together, those that were given back as well.
    pub total: usize,
}

thread_local! {
    static ALLOCATED: Cell<Allocated> = const { Cell::new(Allocated { largest: 0, total: 0 }) };
}

/// What `run` gives, and what this thread has allocated for it.
///
/// # Panics
/// If the program has another allocator than [`Counting`]: what is measured then is nothing.
pub fn allocated<T>(run: impl FnOnce() -> T) -> (T, Allocated) {
    ALLOCATED.set(Allocated::default());
    drop(black_box(Box::new([0_u8; 2])));
    assert_eq!(
        ALLOCATED.get().largest,
        2,
        "the test program must have `Counting` as its allocator"
    );
    ALLOCATED.set(Allocated::default());
    let given = run();
    (given, ALLOCATED.get())
}

fn note(bytes: usize) {
    // A thread that ends may still allocate.
    let _ = ALLOCATED.try_with(|allocated| {
        let Allocated { largest, total } = allocated.get();
        allocated.set(Allocated { largest: largest.max(bytes), total: total + bytes });
    });
}

// SAFETY: every call goes on to the system's allocator unchanged.
#[allow(unsafe_code, reason = "an allocator cannot be counted without being one")]
unsafe impl GlobalAlloc for Counting {
    unsafe fn alloc(&self, layout: Layout) -> *mut u8 {
        note(layout.size());
        unsafe { System.alloc(layout) }
    }

    unsafe fn alloc_zeroed(&self, layout: Layout) -> *mut u8 {
        note(layout.size());
        unsafe { System.alloc_zeroed(layout) }
    }

    unsafe fn realloc(&self, pointer: *mut u8, layout: Layout, bytes: usize) -> *mut u8 {
        note(bytes);
        unsafe { System.realloc(pointer, layout, bytes) }
    }

    unsafe fn dealloc(&self, pointer: *mut u8, layout: Layout) {
        unsafe { System.dealloc(pointer, layout) }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[global_allocator]
    static ALLOCATOR: Counting = Counting;

    #[test]
    fn the_largest_piece_and_all_of_them_are_noted() {
        let ((), none) = allocated(|| ());
        assert_eq!(none, Allocated::default());
        let (_, some) = allocated(|| {
            let small = black_box(vec![1_u8; 100]);
            let reserved = black_box(Vec::<u64>::with_capacity(1000));
            let mut grows = black_box(vec![0_u8; 10]);
            grows.reserve_exact(20);
            (small, reserved, grows)
        });
        assert_eq!(some, Allocated { largest: 8000, total: 100 + 8000 + 10 + 30 });
    }
}
