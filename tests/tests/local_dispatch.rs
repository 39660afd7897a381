//! Local dispatch allocates nothing, on any thread.

use std::alloc::{GlobalAlloc, Layout, System};
use std::cell::Cell;
use std::hint::black_box;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};

use catga::prelude::*;

struct Counting;

/// Of all threads.
static ALLOCATIONS: AtomicU64 = AtomicU64::new(0);

thread_local! {
    /// Of this thread.
    static ALLOCATIONS_HERE: Cell<u64> = const { Cell::new(0) };
}

// SAFETY: every call goes on to the system's allocator unchanged.
#[allow(unsafe_code, reason = "an allocator cannot be counted without being one")]
unsafe impl GlobalAlloc for Counting {
    unsafe fn alloc(&self, layout: Layout) -> *mut u8 {
        ALLOCATIONS.fetch_add(1, Ordering::Relaxed);
        ALLOCATIONS_HERE.set(ALLOCATIONS_HERE.get() + 1);
        unsafe { System.alloc(layout) }
    }

    unsafe fn dealloc(&self, pointer: *mut u8, layout: Layout) {
        unsafe { System.dealloc(pointer, layout) }
    }
}

#[global_allocator]
static ALLOCATOR: Counting = Counting;

#[derive(Command, Serialize, Deserialize)]
#[command(name = "local.add", reply = u64)]
struct Add(u64);

#[derive(Query, Serialize, Deserialize)]
#[query(name = "local.sum", reply = u64)]
struct Sum;

#[derive(Event, Serialize, Deserialize)]
#[event(name = "local.happened", ephemeral)]
struct Happened(u64);

struct Sums(Arc<AtomicU64>);

#[service]
impl Sums {
    async fn add(&self, cmd: Add) -> Answer<u64> {
        Ok(self.0.fetch_add(cmd.0, Ordering::Relaxed))
    }

    async fn sum(&self, _query: Sum) -> Answer<u64> {
        Ok(self.0.load(Ordering::Relaxed))
    }

    #[subscriber(name = "one")]
    async fn one(&self, event: &Happened) -> Result<(), String> {
        self.0.fetch_add(event.0, Ordering::Relaxed);
        Ok(())
    }

    #[subscriber(name = "two")]
    async fn two(&self, event: &Happened) -> Result<(), String> {
        self.one(event).await
    }

    #[subscriber(name = "three")]
    async fn three(&self, event: &Happened) -> Result<(), String> {
        self.one(event).await
    }
}

/// The one test of this file: another one running beside it would be counted too.
#[tokio::test(flavor = "current_thread")]
async fn a_command_a_query_and_an_event_allocate_nothing() {
    let sum = Arc::new(AtomicU64::new(0));
    let service = Sums(sum.clone());
    let node = Catga::builder().service(|_| service).start().await.expect("starts");
    let round = async || {
        black_box(node.send(black_box(Add(1))).await).expect("added");
        black_box(node.ask(black_box(Sum)).await).expect("read");
        node.publish(black_box(Happened(1))).await.expect("published");
    };
    round().await;
    let mut fewest = u64::MAX;
    let here = ALLOCATIONS_HERE.get();
    for _ in 0..10 {
        let before = ALLOCATIONS.load(Ordering::Relaxed);
        for _ in 0..1000 {
            round().await;
        }
        fewest = fewest.min(ALLOCATIONS.load(Ordering::Relaxed) - before);
    }
    assert_eq!(ALLOCATIONS_HERE.get(), here, "on the thread that dispatched");
    // The test harness has a thread of its own that allocates now and then, though not in each of
    // ten windows of a thousand rounds.
    assert_eq!(fewest, 0, "on any thread");
    assert_eq!(sum.load(Ordering::Relaxed), 4 * 10_001, "and all of it was done");
}
