use std::sync::Arc;

use tokio::runtime::Handle;

use crate::VirtualHost;
use crate::blocking::paused_runtime;

/// Runs `test` on a machine of its own with virtual clocks, whose randomness follows from `seed`.
///
/// The same seed gives the same run, as far as everything goes through the
/// [`Host`](catga_host::Host): ids, incarnations, waits, the order of timers and the disk do. What a program
/// takes past it (the iteration order of a `HashMap`, the branch that `tokio::select!` tries
/// first) may differ from run to run. The [`trace`](VirtualHost::trace) shows it: two runs of one
/// seed whose [hashes](crate::Trace::hash) differ are not the same.
///
/// ```
/// use std::time::Duration;
///
/// use catga::prelude::*;
/// # #[derive(Command, Serialize, Deserialize)]
/// # #[command(name = "bell.ring", reply = Timestamp)]
/// # struct Ring;
/// # struct Bells;
/// # #[service]
/// # impl Bells {
/// #     async fn ring(&self, _cmd: Ring, tx: &mut Tx) -> Answer<Timestamp> { Ok(tx.now()) }
/// # }
/// use catga_testkit::time;
///
/// catga_testkit::run(7, async |host| {
///     let node = Catga::builder().host(host.clone()).service(|_| Bells).start().await?;
///     host.set_wall(time("2026-12-31T23:59:59Z"));
///     host.advance(Duration::from_secs(86_401)).await; // at once
///     assert_eq!(node.send(Ring).await, Ok(time("2027-01-02T00:00:00Z")));
///     Ok::<_, catga::Error>(())
/// })
/// # .expect("a bell that rings");
/// ```
///
/// # Panics
/// If `test` panics; the seed is then written to stderr. Or in a test that is asynchronous.
#[track_caller]
pub fn run<T>(seed: u64, test: impl AsyncFnOnce(Arc<VirtualHost>) -> T) -> T {
    assert!(
        Handle::try_current().is_err(),
        "`run` makes a runtime of its own: call it in a plain `#[test]`, or use \
         `VirtualHost::new` in a `#[tokio::test(start_paused = true)]`"
    );
    let _on_panic = TellSeed(seed);
    paused_runtime().block_on(async { test(VirtualHost::new(seed)).await })
}

/// Says in a panic how to see it again.
struct TellSeed(u64);

impl Drop for TellSeed {
    #[allow(clippy::print_stderr, reason = "a failed test is read there")]
    fn drop(&mut self) {
        if std::thread::panicking() {
            eprintln!("this run had the seed {}", self.0);
        }
    }
}
