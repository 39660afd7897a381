use std::time::Duration;

use anyhow::Result;

use super::Told;
use super::stop::stop;
use crate::cluster::Cluster;

/// How long one is waited for before the next is stopped, as whoever rolls does; with other faults
/// about, it may not become ready.
const WAIT: Duration = Duration::from_secs(3);

/// Stops and starts each node, one after the other.
pub(super) async fn strike(cluster: &Cluster) -> Result<Told> {
    let mut ready = 0;
    for number in 0..cluster.len() {
        let mut site = cluster.hold(number).await;
        stop(cluster, &mut site).await?;
        site.server.spawn()?;
        let waited = tokio::time::timeout(WAIT, site.server.until_ready()).await;
        ready += usize::from(matches!(waited, Ok(Ok(_))));
    }
    let count = cluster.len();
    Ok(Told::Installed(format!("all {count} were stopped, {ready} were ready before the next")))
}
