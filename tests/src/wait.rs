use std::time::{Duration, Instant};

/// Looks again and again until `holds` is true.
///
/// # Panics
/// If that has not come after ten seconds, with `what` was waited for.
pub async fn wait_until(what: &str, mut holds: impl FnMut() -> bool) {
    let start = Instant::now();
    while !holds() {
        assert!(start.elapsed() < Duration::from_secs(10), "waited in vain until {what}");
        tokio::time::sleep(Duration::from_millis(1)).await;
    }
}
