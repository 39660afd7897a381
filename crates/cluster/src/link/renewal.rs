use std::time::Duration;

use catga_host::timeout;

use super::dialled::Dialled;
use super::ground::Ground;
use super::tls::Changes;

/// How long to wait for another moment at which nothing is unanswered.
const PAUSE: Duration = Duration::from_secs(1);

/// So many moments are waited for. Then those who have asked hear that the connection is lost.
const MOMENTS: u32 = 60;

/// Ready when a connection of `link`, made now, has to be followed by another: because it is old,
/// or because of `changes` of the keys. Nothing is unanswered then, and what is asked waits for the
/// other one, unless there was no such moment for a long time.
///
/// # Cancel safety
/// Dropping the future may leave requests waiting for another connection.
pub(super) async fn due(ground: &Ground, link: &Dialled, changes: Option<Changes>) {
    let (Some(tls), Some(mut changes)) = (&ground.options.tls, changes) else {
        return std::future::pending().await;
    };
    // Not all links of a cluster at one moment.
    let of = |part: Duration| part.mul_f64((ground.host.random() % 1000) as f64 / 1000.0);
    let age = tls.link_age_max();
    let old = age - of(age / 4);
    if timeout(&*ground.host, old, changes.next()).await.is_ok() {
        ground.host.sleep(of(PAUSE)).await;
    }
    for _ in 0..MOMENTS {
        // Not so long that somebody takes this node for dead.
        if timeout(&*ground.host, ground.options.keepalive, link.drain()).await.is_ok() {
            return;
        }
        link.go_on();
        ground.host.sleep(PAUSE).await;
    }
    tracing::warn!(address = %link.address, "a link is made anew in the middle of requests");
}
