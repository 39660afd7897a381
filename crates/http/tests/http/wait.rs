//! Waiting for what another task does.

use std::time::Duration;

/// Returns once `condition` holds.
pub(crate) async fn wait_until(what: &str, condition: impl Fn() -> bool) {
    for _ in 0..1000 {
        if condition() {
            return;
        }
        tokio::time::sleep(Duration::from_millis(5)).await;
    }
    panic!("{what} did not come about within 5 s");
}
