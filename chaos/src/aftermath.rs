//! When the faults are over: the cluster serves again, everything is read back, and all nodes have
//! the same.

use std::collections::{BTreeSet, HashSet};
use std::fs::File;
use std::path::Path;
use std::process::{Command, Stdio};
use std::time::{Duration, Instant};

use anyhow::{Context, Result, bail};
use catga_check::{Action, History, JOURNAL, Operation, Outcome, Recorder};
use order_cluster::client::Client as Connection;
use order_cluster::fleet::Servers;
use order_cluster::trial::agree;

use crate::cluster::Cluster;
use crate::witnessed::{call, sent, until_answered};

/// How soon after the last fault a command must be acknowledged (I14).
const RECOVERS: Duration = Duration::from_secs(15);
/// How long healed nodes may take until each is ready (I14).
const READY: Duration = Duration::from_secs(60);
/// How long they may take then until each has acknowledged a command.
const SERVES: Duration = Duration::from_secs(15);
/// How long a list is asked for, again and again.
const PATIENCE: Duration = Duration::from_secs(30);

/// Waits until every node has acknowledged an order; how long that took, or what does not serve.
///
/// # Errors
/// When the harness cannot go on.
pub(crate) async fn serves(
    cluster: &Cluster,
    recorder: &Recorder,
) -> Result<Result<Duration, String>> {
    let since = Instant::now();
    if let Err(late) = cluster.until_ready(READY).await? {
        return Ok(Err(format!("after {READY:?} not ready: {late}")));
    }
    let ready = Instant::now();
    for (number, address) in cluster.addresses().iter().enumerate() {
        let mut node = Connection::new(vec![*address]);
        let order = format!("last-{}", number + 1);
        let action = Action::Create { customer: "last".to_owned(), quantity: 1 };
        let mut asked = operation(number, &order, action);
        asked.key = Some(format!("create-{order}"));
        let request = call(&order, &asked.action).keyed(format!("create-{order}"));
        loop {
            let (heard, _) = sent(recorder, &mut node, asked.clone(), &request, SERVES).await?;
            if heard.is_answered() {
                break;
            }
            if ready.elapsed() > SERVES {
                return Ok(Err(format!(
                    "{SERVES:?} after it was ready {address} acknowledges none"
                )));
            }
            asked.attempt += 1;
            tokio::time::sleep(Duration::from_millis(50)).await;
        }
    }
    Ok(Ok(since.elapsed()))
}

/// How long it took from `since` on until a command was acknowledged that had not been before; none if
/// none ever was.
pub(crate) fn recovery(history: &History, since: u64) -> Option<Duration> {
    let commands = history.operations().filter(|it| it.is_command());
    let (before, after): (Vec<_>, Vec<_>) = commands
        .filter(|it| matches!(it.outcome, Outcome::Ok(_)))
        .partition(|it| it.returned < since);
    let known: HashSet<_> = before.iter().filter_map(|it| it.key.as_deref()).collect();
    let is_new = |it: &&Operation| it.key.as_deref().is_none_or(|key| !known.contains(key));
    let first = after.into_iter().filter(is_new).map(|it| it.returned).min();
    first.map(|first| Duration::from_nanos(first - since))
}

/// What is wrong with a recovery that took so long, if anything is.
pub(crate) fn too_late(recovery: Option<Duration>) -> Option<String> {
    match recovery {
        Some(took) if took <= RECOVERS => None,
        Some(took) => {
            Some(format!("a command was acknowledged only {took:?} after the last fault"))
        }
        None => Some("no command was acknowledged after the last fault".to_owned()),
    }
}

/// Has every node list the orders of every customer. What does not answer.
///
/// # Errors
/// When the harness cannot go on.
pub(crate) async fn read_back(
    addresses: &[std::net::SocketAddr],
    recorder: &Recorder,
    history: &History,
) -> Result<Vec<String>> {
    let customers: BTreeSet<_> = history
        .operations()
        .filter_map(|operation| match &operation.action {
            Action::Create { customer, .. } => Some(customer.clone()),
            _ => None,
        })
        .collect();
    let mut silent = Vec::new();
    for (number, address) in addresses.iter().enumerate() {
        let mut node = Connection::new(vec![*address]);
        for customer in &customers {
            let action = Action::List { customer: customer.clone() };
            let asked = operation(number, "", action);
            let request = call("", &asked.action);
            if !until_answered(recorder, &mut node, asked, &request, PATIENCE).await? {
                silent.push(format!("{address} does not list the orders of {customer}"));
            }
        }
    }
    Ok(silent)
}

fn operation(node: usize, order: &str, action: Action) -> Operation {
    Operation {
        number: 0,
        client: u32::MAX,
        node: u32::try_from(node).unwrap_or(u32::MAX),
        invoked: 0,
        returned: 0,
        order: order.to_owned(),
        action,
        key: None,
        attempt: 1,
        outcome: Outcome::Unknown,
        position: None,
        visible: true,
    }
}

/// Waits until all nodes are at the same place with the same hash, stops them, reads every byte of
/// their data, and writes their journals to `dir`. What is wrong with them.
///
/// # Errors
/// When the harness cannot go on.
pub(crate) async fn close(
    servers: &mut Servers,
    program: &Path,
    dir: &Path,
) -> Result<Vec<String>> {
    let mut wrong = Vec::new();
    let findings = agree(servers).await;
    if !findings.is_empty() {
        wrong.push(findings.to_string());
    }
    if let Err(why) = servers.stop().await {
        wrong.push(format!("they did not stop in order: {why}"));
    }
    for server in servers.all() {
        let (node, data) = (&server.options().node, &server.options().dir);
        let path = dir.join(format!("{JOURNAL}{node}.jsonl"));
        let dump = File::create(&path).with_context(|| format!("make {}", path.display()))?;
        for (tool, out) in [("verify", Stdio::null()), ("dump", dump.into())] {
            let mut command = Command::new(program);
            command.arg(tool).arg(data).stdin(Stdio::null()).stdout(out);
            let output = command.stderr(Stdio::piped()).spawn()?.wait_with_output()?;
            if !output.status.success() {
                let said = String::from_utf8_lossy(&output.stderr);
                wrong.push(format!("{tool} of {node}: {}", said.trim()));
            }
        }
    }
    if servers.all().is_empty() {
        bail!("there are no nodes");
    }
    Ok(wrong)
}

#[cfg(test)]
mod tests {
    use catga_check::{Refusal, Reply, Shown, Status};

    use super::*;

    fn create(number: u64, key: &str, returned: u64, outcome: Outcome) -> Operation {
        Operation {
            number,
            client: 1,
            node: 1,
            invoked: 0,
            returned,
            order: "p".to_owned(),
            action: Action::Create { customer: "c".to_owned(), quantity: 1 },
            key: Some(key.to_owned()),
            attempt: 1,
            outcome,
            position: None,
            visible: true,
        }
    }

    #[test]
    fn a_cluster_has_recovered_once_it_acknowledges_something_new() {
        let done = || {
            Outcome::Ok(Reply::Order(Shown {
                order_id: "1".to_owned(),
                status: Status::Created,
                product_id: "p".to_owned(),
                quantity: 1,
                customer_id: "c".to_owned(),
                created_at: String::new(),
            }))
        };
        let refused = Refusal { code: Refusal::CANCELLED.to_owned(), detail: String::new() };
        let mut history: History = [
            create(1, "old", 90, done()),
            create(2, "old", 110, done()),
            create(3, "refused", 120, Outcome::Refused(refused)),
            create(4, "unknown", 130, Outcome::Unknown),
        ]
        .into_iter()
        .collect();
        assert_eq!(recovery(&history, 100), None);
        history.push(create(5, "new", 160, done()));
        history.push(create(6, "newer", 150, done()));
        assert_eq!(recovery(&history, 100), Some(Duration::from_nanos(50)));
    }

    #[test]
    fn a_cluster_that_recovers_late_or_never_is_accused() {
        assert_eq!(too_late(Some(RECOVERS)), None);
        assert!(too_late(Some(RECOVERS + Duration::from_millis(1))).is_some());
        assert!(too_late(None).is_some());
    }
}
