//! When all is over: the backups are verified, and some of them restored into new clusters, which
//! say what they have. Whether that is everything, the checkers judge.

use std::collections::BTreeMap;
use std::net::SocketAddr;
use std::path::{Path, PathBuf};
use std::time::Duration;

use anyhow::{Context, Result};
use catga_check::{Action, Backup, History, Operation, Recorder, Restored};
use order_cluster::client::Client as Connection;
use order_cluster::fleet::{ServerError, ServerOptions, Servers, free_port};

use crate::aftermath::read_back;
use crate::backups::{self, KEPT};
use crate::command::call;
use crate::plan::Plan;
use crate::witnessed::{self, until_answered};

/// So many keys are asked again, the last ones before a backup.
const AGAIN: usize = 300;
/// How long one is asked for, again and again.
const PATIENCE: Duration = Duration::from_secs(30);

/// Where new clusters have their data.
pub(crate) fn dir(run: &Path) -> PathBuf {
    run.join("restored")
}

/// Verifies the backups that nodes said they made, and restores some. How many, and what is wrong.
///
/// # Errors
/// When the harness cannot go on.
pub(crate) async fn restore(
    plan: &Plan,
    asked: &[Backup],
    history: &History,
) -> Result<(u64, Vec<String>)> {
    let (from, mut wrong) = (backups::dir(&plan.dir), Vec::new());
    let made: Vec<_> = asked.iter().filter_map(|backup| Some((backup.number?, backup))).collect();
    if made.is_empty() {
        return Ok((0, wrong));
    }
    if let Err(why) = call(&plan.program, ["verify".as_ref(), from.as_os_str()]) {
        let lines = why.lines().filter(|line| !line.starts_with("ok "));
        wrong.push(lines.collect::<Vec<_>>().join("; "));
    }
    let mut restores = 0;
    // One comes back as the cluster that it was, and one alone, to be looked at.
    for ((number, backup), nodes) in chosen(&made, newest(&from)).into_iter().zip([3, 1]) {
        match restored(plan, number, nodes, backup, history).await? {
            Ok(silent) => {
                restores += 1;
                wrong.extend(silent);
            }
            Err(why) => wrong.push(format!("backup {number}: {why}")),
        }
    }
    Ok((restores, wrong))
}

/// The newest number in the directory: of a backup whose asker had given up, maybe.
fn newest(dir: &Path) -> u64 {
    let names = std::fs::read_dir(dir).into_iter().flatten().flatten();
    let names = names.filter_map(|entry| entry.file_name().into_string().ok());
    let numbers = names.filter_map(|name| name.strip_suffix(".backup")?.parse().ok());
    numbers.max().unwrap_or_default()
}

/// Of those that must still be there the last one, and the one in the middle.
fn chosen<'a>(made: &[(u64, &'a Backup)], newest: u64) -> Vec<(u64, &'a Backup)> {
    let kept: Vec<_> = made.iter().copied().filter(|(number, _)| number + KEPT > newest).collect();
    let Some((last, earlier)) = kept.split_last() else { return Vec::new() };
    [Some(last), earlier.get(earlier.len() / 2)].into_iter().flatten().copied().collect()
}

/// Restores a backup into a cluster of so many nodes, and asks what it has. What it does not answer;
/// or why there is no such cluster.
async fn restored(
    plan: &Plan,
    number: u64,
    nodes: usize,
    backup: &Backup,
    history: &History,
) -> Result<Result<Vec<String>, String>> {
    let (from, dir) = (backups::dir(&plan.dir), dir(&plan.dir).join(number.to_string()));
    let options = ServerOptions::cluster_of(nodes, &plan.program, &dir);
    let (which, into) = (number.to_string(), &options[0].dir);
    let words = ["restore".as_ref(), from.as_os_str(), "--which".as_ref(), which.as_ref()];
    let rest = ["--into".as_ref(), into.as_os_str(), "--name".as_ref(), "node1".as_ref()];
    if let Err(why) = call(&plan.program, words.into_iter().chain(rest)) {
        return Ok(Err(why));
    }
    let mut servers = Servers::new(options, free_port(nodes));
    match begin(&mut servers).await {
        Err(error @ ServerError::Machine { .. }) => return Err(error.into()),
        Err(error) if error.is_port_taken() => return Err(error.into()),
        Err(why) => return Ok(Err(why.to_string())),
        Ok(()) => {}
    }
    let addresses = servers.addresses();
    let path = plan.dir.join(Restored::file_name(number));
    let recorder = Recorder::create(&path).context("begin a history of what was restored")?;
    let mut silent = read_back(&addresses, &recorder, history).await?;
    silent.extend(ask_again(&addresses, &recorder, backup, history).await?);
    silent.extend(order_more(&addresses).await);
    let named = |what| format!("restored of backup {number}: {what}");
    let mut wrong: Vec<_> = silent.into_iter().map(named).collect();
    wrong.extend(servers.stop().await.err().map(|why| named(why.to_string())));
    Ok(Ok(wrong))
}

/// Starts the first node, and then the others, which take over what it has.
async fn begin(servers: &mut Servers) -> Result<(), ServerError> {
    for number in 0..servers.all().len() {
        servers.one(number).spawn()?;
        servers.one(number).until_ready().await?;
    }
    Ok(())
}

/// Sends commands again under their keys that were answered before the backup. What stays
/// unanswered.
async fn ask_again(
    nodes: &[SocketAddr],
    recorder: &Recorder,
    backup: &Backup,
    history: &History,
) -> Result<Vec<String>> {
    let before = history.operations().filter(|it| it.is_command() && it.is_answered());
    let before = before.filter(|it| it.returned < backup.from);
    let keyed: BTreeMap<&str, &Operation> =
        before.filter_map(|it| Some((it.key.as_deref()?, it))).collect();
    let mut last: Vec<_> = keyed.into_iter().collect();
    last.sort_by_key(|(_, it)| std::cmp::Reverse(it.returned));
    let mut nodes: Vec<_> = nodes.iter().map(|node| Connection::new(vec![*node])).collect();
    let mut silent = Vec::new();
    for (number, (key, first)) in last.into_iter().take(AGAIN).enumerate() {
        let at = number % nodes.len();
        let node = u32::try_from(at).unwrap_or(u32::MAX);
        let again = Operation { client: u32::MAX, node, ..first.clone() };
        let request = witnessed::call(&first.order, &first.action).keyed(key);
        if !until_answered(recorder, &mut nodes[at], again, &request, PATIENCE).await? {
            silent.push(format!("key {key} has no answer within {PATIENCE:?}"));
        }
    }
    Ok(silent)
}

/// Has each node take an order. Which does not.
///
/// It is not written down: its id may be that of an order which was placed after the backup.
async fn order_more(nodes: &[SocketAddr]) -> Vec<String> {
    let mut silent = Vec::new();
    for (number, address) in nodes.iter().enumerate() {
        let action = Action::Create { customer: "restored".to_owned(), quantity: 1 };
        let order = format!("restored-{number}");
        let request = witnessed::call(&order, &action).keyed(format!("create-{order}"));
        let mut node = Connection::new(vec![*address]);
        let taken = tokio::time::timeout(PATIENCE, async {
            while !node.send(&request).await.is_ok_and(|answer| answer.status == 201) {
                tokio::time::sleep(Duration::from_millis(20)).await;
            }
        });
        if taken.await.is_err() {
            silent.push(format!("{address} takes no order within {PATIENCE:?}"));
        }
    }
    silent
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_last_backup_that_must_be_there_is_restored_and_one_from_the_middle() {
        let backup = Backup { number: None, node: 0, from: 0, to: 0, said: String::new() };
        let numbers = |made: &[u64], newest| {
            let made: Vec<_> = made.iter().map(|number| (*number, &backup)).collect();
            let chosen = chosen(&made, newest).into_iter().map(|(number, _)| number);
            chosen.collect::<Vec<_>>()
        };
        assert_eq!(numbers(&[], 3), [0; 0]);
        assert_eq!(numbers(&[4], 4), [4]);
        assert_eq!(numbers(&[1, 2], 2), [2, 1]);
        assert_eq!(numbers(&[1, 2, 4, 5], 5), [5, 2]);
        assert_eq!(numbers(&[1, 2, 3, 4, 5, 6, 7, 8, 9], 10), [9, 6], "1 and 2 are gone");
        assert_eq!(numbers(&[1, 2], 9), [2], "the others nobody has heard of");
        assert_eq!(numbers(&[1, 2], 10), [0; 0]);
    }
}
