use std::collections::{HashMap, HashSet};
use std::net::SocketAddr;
use std::sync::Arc;

use hyper::StatusCode;
use tokio::task::JoinSet;

use super::error::Error;
use super::findings::{Findings, Wrong};
use super::ledger::{Account, Ledger};
use super::settle::settle;
use super::shopper::{repeat, shown};
use super::tally::Tally;
use crate::client::{Call, Client};
use crate::messages::CustomerOrders;
use crate::order::Order;

/// So many keys of each client are asked again at each node, spread over all that it was told.
const REPEATS: usize = 16;

/// Looks on each of `servers` for everything that `ledger` holds: each order by its id and by its
/// customer, and for a part of the keys whether they get the same answer again.
///
/// # Errors
/// Only if the audit itself breaks off.
pub async fn audit(servers: &[SocketAddr], ledger: &Arc<Ledger>) -> Result<Findings, Error> {
    let tally = Arc::new(Tally::default());
    audit_with(servers, ledger, &tally).await?;
    let findings = tally.lock().findings.clone();
    Ok(findings)
}

/// The same, where somebody counts already.
pub(super) async fn audit_with(
    servers: &[SocketAddr],
    ledger: &Arc<Ledger>,
    tally: &Arc<Tally>,
) -> Result<(), Error> {
    let mut tasks = JoinSet::new();
    for number in 0..ledger.accounts.len() {
        let (servers, ledger, tally) = (servers.to_vec(), Arc::clone(ledger), Arc::clone(tally));
        tasks.spawn(async move {
            let account = &ledger.accounts[number];
            for server in servers {
                let mut client = Client::new(vec![server]);
                if read_back(&mut client, account, &tally).await.is_none() {
                    let what = format!("{} was not read back from {server}", account.customer);
                    tally.unexpected(what);
                }
            }
        });
    }
    while let Some(done) = tasks.join_next().await {
        done?;
    }
    Ok(())
}

/// Reads back one account from one node. None if it does not answer any more.
async fn read_back(client: &mut Client, account: &Account, tally: &Tally) -> Option<()> {
    let missing = check_customer(client, account, tally).await?;
    for placed in &account.placed {
        let call = Call::get(format!("/orders/{}", placed.id()));
        let answer = settle(client, &call, tally).await?.answer;
        let key = &placed.key;
        match answer.json::<Order>() {
            Some(order) if order == *placed.expected() => {}
            // One that its customer's list lacks too is lost once.
            _ if answer.status == StatusCode::NOT_FOUND && missing.contains(&**key) => {}
            _ if answer.status == StatusCode::NOT_FOUND => {
                tally.lock().findings.add(Wrong::Lost, format!("{key}: {:?}", placed.expected()));
            }
            _ => {
                let what = format!("{key} is {:?}, read {}", placed.expected(), shown(&answer));
                tally.lock().findings.add(Wrong::Differs, what);
            }
        }
    }
    let step = account.placed.len().div_ceil(REPEATS).max(1);
    for placed in account.placed.iter().step_by(step) {
        repeat(client, placed, &account.customer, tally).await?;
    }
    Some(())
}

/// Looks at the list of a customer's orders: one for each key, in the order of acknowledgement.
/// Gives the keys that it lacks, or nothing if nobody answers.
async fn check_customer<'a>(
    client: &mut Client,
    account: &'a Account,
    tally: &Tally,
) -> Option<HashSet<&'a str>> {
    if account.placed.is_empty() {
        return Some(HashSet::new());
    }
    // What this node has not applied yet must be there too; later reads need not ask for it again.
    let call = Call::get(format!("/orders/customer/{}", account.customer));
    let call = call.header("catga-read", "linearizable");
    let answer = settle(client, &call, tally).await?.answer;
    let orders = match answer.json() {
        Some(CustomerOrders { orders, .. }) => orders,
        None if answer.status == StatusCode::NOT_FOUND => Vec::new(),
        None => {
            let what = format!("the orders of {}: {}", account.customer, shown(&answer));
            tally.unexpected(what);
            return Some(HashSet::new());
        }
    };
    let (missing, findings) = compare(account, &orders);
    tally.lock().findings.extend(findings);
    Some(missing)
}

fn compare<'a>(account: &'a Account, orders: &[Order]) -> (HashSet<&'a str>, Findings) {
    let (mut missing, mut findings) = (HashSet::new(), Findings::default());
    let mut found: HashMap<&str, usize> = HashMap::new();
    for order in orders {
        *found.entry(&order.product_id).or_default() += 1;
    }
    for placed in &account.placed {
        match found.remove(&*placed.key) {
            Some(1) => {}
            Some(times) => findings.add(Wrong::Doubled, format!("{}: {times} times", placed.key)),
            None => {
                missing.insert(&*placed.key);
                findings.add(Wrong::Lost, format!("{} is not in its list", placed.key));
            }
        }
    }
    for (key, times) in found {
        findings.add(Wrong::Doubled, format!("{times} of {key}, which was never acknowledged"));
    }
    let as_told = account.placed.iter().map(|placed| placed.expected());
    if findings.is_empty() && !orders.iter().eq(as_told) {
        findings.add(Wrong::Differs, format!("the list of {} is not as told", account.customer));
    }
    (missing, findings)
}

#[cfg(test)]
mod tests {
    use bytes::Bytes;
    use catga::{Timestamp, Uuid};

    use super::super::ledger::{Answered, Placed};
    use super::*;
    use crate::order::Status;

    fn order(key: &str) -> Order {
        Order {
            order_id: Uuid::from_u128(key.len() as u128).into(),
            status: Status::Created,
            product_id: key.to_owned(),
            quantity: 1,
            customer_id: "ann".to_owned(),
            created_at: Timestamp::from_millis(0),
        }
    }

    fn found(orders: &[&str]) -> String {
        let placed = ["a", "bb"].map(|key| Placed {
            key: key.to_owned(),
            quantity: 1,
            kills: 0,
            created: Answered {
                body: Bytes::new(),
                by: ([127, 0, 0, 1], 1).into(),
                order: order(key),
            },
            cancelled: None,
        });
        let account = Account { customer: "ann".to_owned(), placed: placed.into() };
        let orders: Vec<_> = orders.iter().map(|key| order(key)).collect();
        let (_, findings) = compare(&account, &orders);
        findings.to_string().lines().next().unwrap_or_default().to_owned()
    }

    #[test]
    fn what_is_lost_doubled_or_in_another_order_is_found() {
        assert_eq!(found(&["a", "bb"]), "0 lost, 0 doubled, 0 differing, 0 unexpected");
        assert_eq!(found(&["a"]), "1 lost, 0 doubled, 0 differing, 0 unexpected");
        assert_eq!(found(&["a", "bb", "bb"]), "0 lost, 1 doubled, 0 differing, 0 unexpected");
        assert_eq!(found(&["a", "bb", "ccc"]), "0 lost, 1 doubled, 0 differing, 0 unexpected");
        assert_eq!(found(&["bb", "a"]), "0 lost, 0 doubled, 1 differing, 0 unexpected");
    }
}
