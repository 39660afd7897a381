use std::time::{Duration, Instant};

use super::findings::{Findings, Wrong};
use crate::fleet::Servers;

/// How long nodes at rest may take until all have applied the same.
const PATIENCE: Duration = Duration::from_secs(30);
/// How often they are asked meanwhile.
const LOOK: Duration = Duration::from_millis(20);

/// Waits until all nodes have applied the same effects, and looks whether that has brought them to
/// the same hash. Nobody may send commands meanwhile.
///
/// # Cancel safety
/// Nothing is lost: ask again.
pub async fn agree(servers: &Servers) -> Findings {
    let mut findings = Findings::default();
    let since = Instant::now();
    loop {
        let journals: Vec<_> =
            servers.statuses().await.into_iter().map(|(_, status)| status.journal).collect();
        let whole = journals.len() == servers.all().len();
        if whole && journals.iter().all(|journal| journal.position == journals[0].position) {
            if journals.iter().any(|journal| journal.hash != journals[0].hash) {
                findings.add(Wrong::Differs, format!("the journals differ: {journals:?}"));
            }
            return findings;
        }
        if since.elapsed() > PATIENCE {
            let what = format!("the journals are not at one position: {journals:?}");
            findings.add(Wrong::Unexpected, what);
            return findings;
        }
        tokio::time::sleep(LOOK).await;
    }
}
