use std::fs;
use std::sync::Arc;
use std::time::Duration;

use anyhow::{Context, Result, bail};
use catga_check::{Case, HISTORY, History, Recorder};
use fastrand::Rng;

use crate::aftermath;
use crate::backups;
use crate::clients::Clients;
use crate::cluster::Cluster;
use crate::counts::Counts;
use crate::disk;
use crate::lie;
use crate::plan::Plan;
use crate::report::Report;
use crate::restores;
use crate::schedule::{self, Happened};

/// Does what a plan says, and judges what came of it. Everything that was seen stays in its
/// directory; networks, mounts and processes are gone when this ends, however it ends.
///
/// # Errors
/// When the harness cannot go on, which says nothing of the nodes.
///
/// # Cancel safety
/// Dropping the future ends everything, without a verdict.
pub async fn run(plan: &Plan) -> Result<Report> {
    fs::create_dir_all(&plan.dir).with_context(|| format!("make {}", plan.dir.display()))?;
    disk::claim(&plan.dir).context("claim the directory")?;
    let mut dice = Rng::with_seed(plan.seed);
    let history = plan.dir.join(HISTORY);
    let recorder = Arc::new(Recorder::create(&history).context("begin a history")?);
    let cluster = Cluster::start(plan).await?;
    let (happened, served) = disturb(plan, &cluster, &recorder, &mut dice).await?;
    let mut accused = cluster.accused();
    let served = served.map_err(|why| accused.push(why)).ok();
    let terms = cluster.leader().await.map_or(0, |(_, term)| term);
    let machine = cluster.described();
    let addresses = cluster.addresses().to_vec();
    let (mut servers, disks, _wires) = cluster.into_parts();
    let seen = History::read(&fs::read_to_string(&history)?)?;
    if served.is_some() {
        accused.extend(aftermath::read_back(&addresses, &recorder, &seen).await?);
    }
    accused.extend(aftermath::close(&mut servers, &plan.program, &plan.dir).await?);
    drop(servers);
    let (restored, wrong) = restores::restore(plan, &happened.backups, &seen).await?;
    accused.extend(wrong);
    if plan.lie {
        lie::plant(&history)?;
    }
    let case = Case::read(std::slice::from_ref(&plan.dir))?;
    let verdicts = case.judge();
    let recovery = happened.ended.map(|at| aftermath::recovery(&case.history, at));
    accused.extend(recovery.and_then(aftermath::too_late));
    let mut counts = Counts::of(&case, &verdicts, &happened);
    counts.last(plan.faults.as_secs(), plan.nodes);
    counts.terms = terms;
    counts.restores = restored;
    counts.violations += accused.len() as u64;
    counts.longest_silence_ms = in_ms(longest_silence(&case.history, plan.faults));
    counts.longest_recovery_ms = in_ms(recovery.flatten().unwrap_or_default());
    let report = Report { verdicts, accused, counts, served, machine, happened };
    if report.is_good() {
        // The journals are beside them; of a run that failed the disks are kept as well.
        disks.into_iter().flatten().for_each(disk::Disk::discard);
        for dir in [backups::dir(&plan.dir), restores::dir(&plan.dir)] {
            // Not every run has made any.
            let _ = fs::remove_dir_all(dir);
        }
    }
    Ok(report)
}

/// Lets clients work and nemeses strike, and heals everything. What happened, and how long it took
/// until all served again, or what did not.
async fn disturb(
    plan: &Plan,
    cluster: &Cluster,
    recorder: &Arc<Recorder>,
    dice: &mut Rng,
) -> Result<(Happened, Result<Duration, String>)> {
    let mut clients = Clients::send(plan, cluster, recorder, dice);
    let struck = tokio::select! {
        struck = schedule::strike(cluster, plan.faults, recorder, &plan.dir, dice) => struck?,
        watched = cluster.watch() => {
            watched?;
            bail!("nobody watches the nodes any more");
        }
        broken = clients.broken() => {
            broken?;
            bail!("a client has gone home");
        }
    };
    cluster.heal().await?;
    // The clients are still at work: they meet the cluster as it comes back.
    let served = aftermath::serves(cluster, recorder).await?;
    clients.go_home().await?;
    Ok((struck, served))
}

/// The longest time without an acknowledgement while there were faults.
fn longest_silence(history: &History, faults: Duration) -> Duration {
    let end = u64::try_from(faults.as_nanos()).unwrap_or(u64::MAX);
    let acknowledged = history.operations().filter(|it| it.is_command() && it.is_answered());
    let mut times: Vec<_> = acknowledged.map(|it| it.returned).filter(|at| *at < end).collect();
    times.sort_unstable();
    let longest = times.windows(2).map(|pair| pair[1] - pair[0]).max();
    Duration::from_nanos(longest.unwrap_or_default())
}

fn in_ms(time: Duration) -> u64 {
    u64::try_from(time.as_millis()).unwrap_or(u64::MAX)
}
