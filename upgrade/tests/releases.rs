//! Two releases of a shop, real processes: each node is stopped in order and started again as the later
//! release, under load.

#![allow(clippy::print_stdout, reason = "what a run was like is worth reading")]

use std::path::Path;
use std::time::{Duration, Instant};

use catga::ENGINE_VERSION;
use order_cluster::client::{Answer, Call, Client};
use order_cluster::fleet::{ServerOptions, Servers, free_port};
use order_cluster::trial::{agree, upgrade};
use serde_json::{Value, json};

const FORMER: &str = env!("CARGO_BIN_EXE_shop-former");
const LATER: &str = env!("CARGO_BIN_EXE_shop-later");

/// Three nodes of the former release.
async fn former(dir: &Path) -> Servers {
    let first = free_port(3);
    let members = (0..3).map(|number| format!("http://127.0.0.1:{}", first + number));
    let members = members.collect::<Vec<_>>().join(",");
    let options = ServerOptions::cluster(FORMER, dir);
    let with_members = |options: ServerOptions| options.variable("CLUSTER_MEMBERS", &*members);
    let mut servers = Servers::new(options.into_iter().map(with_members).collect(), first);
    servers.spawn().expect("they start");
    servers.until_ready().await.expect("they are ready");
    servers
}

async fn send(servers: &Servers, call: Call) -> Answer {
    let mut client = Client::new(servers.addresses());
    client.send(&call).await.expect("an answer")
}

fn body(answer: &Answer) -> Value {
    serde_json::from_slice(&answer.body).expect("JSON")
}

async fn engines(servers: &Servers) -> Vec<u32> {
    servers.statuses().await.into_iter().map(|(_, status)| status.engine_version).collect()
}

#[tokio::test(flavor = "multi_thread")]
async fn a_rolling_upgrade_fails_no_request() {
    let dir = tempfile::tempdir().expect("a directory");
    let mut servers = former(dir.path()).await;
    let order = json!({"productId": "PROD-001", "quantity": 2, "customerId": "alice"});
    let placed = body(&send(&servers, Call::post("/orders", &order).keyed("first")).await);
    let path = format!("/orders/{}", placed["orderId"].as_str().expect("its id"));
    assert_eq!(engines(&servers).await, [1, 1, 1]);
    let no_note = send(&servers, Call::post(format!("{path}/notes"), &json!({"note": "x"}))).await;
    assert_eq!(no_note.status.as_u16(), 404, "the former release has no notes");

    let rolled = upgrade(&mut servers, 64, Path::new(LATER)).await.expect("each stops and starts");
    println!("{rolled}");
    assert!(rolled.failed.is_empty(), "{rolled}: {:?}", rolled.failed.first());
    assert_eq!(rolled.restarts, 3);
    assert!(rolled.answered > 300, "{rolled}");
    let since = Instant::now();
    while engines(&servers).await != [ENGINE_VERSION; 3] {
        assert!(since.elapsed() < Duration::from_secs(20), "{:?}", engines(&servers).await);
        tokio::time::sleep(Duration::from_millis(50)).await;
    }

    // What the former release wrote is read, and its answer is heard again.
    let read = body(&send(&servers, Call::get(&*path)).await);
    assert_eq!((&read["quantity"], &read["channel"]), (&json!(2), &Value::Null));
    let again = body(&send(&servers, Call::post("/orders", &order).keyed("first")).await);
    assert_eq!(again["orderId"], placed["orderId"], "{again}");
    let noted = send(&servers, Call::post(format!("{path}/notes"), &json!({"note": "x"}))).await;
    assert_eq!(body(&noted)["notes"], json!(["x"]));
    let cancel = Call::post(format!("{path}/cancel"), &json!({"reason": "twice"}));
    assert_eq!(body(&send(&servers, cancel).await)["reason"], "twice");
    let findings = agree(&servers).await;
    assert!(findings.is_empty(), "{findings}");

    // There is no way back now, and the former release says so.
    let one = servers.one(2);
    one.stop().await.expect("it stops");
    one.replace(FORMER);
    one.spawn().expect("it starts");
    let (status, said) = one.until_ended().await.expect("it ends");
    assert!(!status.success());
    assert!(said.contains("goes along with 1 at most"), "{said}");
    one.replace(LATER);
    one.spawn().expect("it starts");
    one.until_ready().await.expect("it is ready");
    let findings = agree(&servers).await;
    assert!(findings.is_empty(), "{findings}");
    servers.stop().await.expect("they stop in order");
}
