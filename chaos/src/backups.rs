//! What an operator does whatever else happens: asks for backups, of any node.

use std::fs::OpenOptions;
use std::io::Write;
use std::path::{Path, PathBuf};
use std::time::{Duration, Instant};

use anyhow::{Context, Result};
use catga_check::{BACKUPS, Backup, Recorder};
use fastrand::Rng;
use hyper::StatusCode;
use order_cluster::client::{Answer, Call, Client, NoAnswer};
use serde::Deserialize;

use crate::cluster::{Cluster, OPERATORS_TOKEN};

/// So many of the newest the nodes keep.
pub(crate) const KEPT: u64 = 8;

/// Where the backups of a run are, outside of every disk that is filled or loses its power.
pub(crate) fn dir(run: &Path) -> PathBuf {
    run.join("backups")
}

/// Asks now and then for a backup until the time is over, and writes down what came of it. All that
/// were asked for.
///
/// # Errors
/// When it cannot be written down.
pub(crate) async fn ask(
    cluster: &Cluster,
    until: Instant,
    recorder: &Recorder,
    run: &Path,
    mut dice: Rng,
) -> Result<Vec<Backup>> {
    let path = run.join(BACKUPS);
    let file = OpenOptions::new().append(true).create_new(true).open(&path);
    let mut file = file.with_context(|| format!("make {}", path.display()))?;
    let mut asked = Vec::new();
    loop {
        let pause = Duration::from_millis(dice.u64(1_000..8_000));
        let node = dice.usize(..cluster.len());
        if Instant::now() + pause >= until {
            return Ok(asked);
        }
        tokio::time::sleep(pause).await;
        let backup = back_up(cluster, node, recorder).await;
        writeln!(file, "{}", serde_json::to_string(&backup)?).context("write down a backup")?;
        asked.push(backup);
    }
}

/// Has a node make a backup. One that says of itself that it cannot, or nothing at all, may be struck
/// just now; whatever else it says in place of making one, it is accused of.
async fn back_up(cluster: &Cluster, node: usize, recorder: &Recorder) -> Backup {
    let from = recorder.now();
    let answer = request(cluster, node).await;
    let to = recorder.now();
    let (number, said) = (made(&answer), told(&answer));
    if let (None, Ok(answer)) = (number, &answer)
        && !is_excused(answer)
    {
        cluster.accuse(format!("node{} was asked for a backup: {said}", node + 1));
    }
    Backup { number, node: u32::try_from(node).unwrap_or(u32::MAX), from, to, said }
}

/// Asks a node for a backup, as its operator.
pub(crate) async fn request(cluster: &Cluster, node: usize) -> Result<Answer, NoAnswer> {
    let call = Call::post("/cluster/backup", &());
    let call = call.header("authorization", format!("Bearer {OPERATORS_TOKEN}"));
    Client::new(vec![cluster.addresses()[node]]).send(&call).await
}

/// The number of the backup that the answer claims.
fn made(answer: &Result<Answer, NoAnswer>) -> Option<u64> {
    #[derive(Deserialize)]
    struct Made {
        number: u64,
    }
    let answer = answer.as_ref().ok().filter(|answer| answer.status == StatusCode::CREATED)?;
    answer.json().map(|Made { number }| number)
}

fn told(answer: &Result<Answer, NoAnswer>) -> String {
    match answer {
        Ok(answer) => format!("{} {}", answer.status, String::from_utf8_lossy(&answer.body)),
        Err(why) => why.to_string(),
    }
}

/// Whether faults explain why there is none: the node has no quorum, no room or is about to end, or an
/// earlier backup for which nobody waits any more is still being made.
fn is_excused(answer: &Answer) -> bool {
    let is_in_use = || String::from_utf8_lossy(&answer.body).contains("are in use");
    answer.is_put_off() || (answer.status == StatusCode::CONFLICT && is_in_use())
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::stand_in::stand_in;

    /// The backup that a node makes who answers so, and of how much it is accused.
    async fn asked(status: StatusCode, body: &'static str) -> (Backup, usize) {
        let node = stand_in(move || (status, body.to_owned())).await;
        let cluster = Cluster::of(Vec::new(), vec![node]);
        let dir = tempfile::tempdir().expect("a directory");
        let recorder = Recorder::create(&dir.path().join("history")).expect("a history");
        let backup = back_up(&cluster, 0, &recorder).await;
        (backup, cluster.accused().len())
    }

    #[tokio::test]
    async fn who_makes_no_backup_is_accused_unless_faults_explain_it() {
        let (backup, accused) = asked(StatusCode::CREATED, r#"{"number": 7}"#).await;
        assert_eq!((backup.number, accused), (Some(7), 0), "{backup:?}");
        assert!(backup.from < backup.to, "{backup:?}");
        for (status, body, accused) in [
            (StatusCode::SERVICE_UNAVAILABLE, "no leader", 0),
            (StatusCode::INSUFFICIENT_STORAGE, "no room", 0),
            (StatusCode::CONFLICT, "the backups in b are in use", 0),
            (StatusCode::CONFLICT, "the backups in b are of cluster c", 1),
            (StatusCode::INTERNAL_SERVER_ERROR, "it is damaged", 1),
            (StatusCode::CREATED, "nothing to be read", 1),
        ] {
            let (backup, found) = asked(status, body).await;
            assert_eq!((backup.number, found), (None, accused), "{backup:?}");
        }
    }
}
