use tokio::runtime::{Builder, Handle, Runtime};

/// Runs `future` to its end in a test that is not asynchronous.
///
/// Its clock is virtual: what sleeps or times out does so at once, in the right order.
///
/// # Panics
/// In a test that is asynchronous: await the future there.
#[track_caller]
pub fn block_on<F: Future>(future: F) -> F::Output {
    assert!(
        Handle::try_current().is_err(),
        "this blocks, but the test around it is asynchronous: await it there, with `when_async` \
         in place of `when`"
    );
    paused_runtime().block_on(future)
}

/// A runtime of one thread with a virtual clock.
pub(crate) fn paused_runtime() -> Runtime {
    let built = Builder::new_current_thread().enable_all().start_paused(true).build();
    built.expect("the machine has room for one more runtime")
}
