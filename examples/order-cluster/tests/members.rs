//! Members come and go by the command line of the service, while it serves.

mod operator;

use std::net::SocketAddr;
use std::path::Path;
use std::time::Duration;

use operator::{PROGRAM, run, run_at};
use order_cluster::client::{Call, Client};
use order_cluster::fleet::{Server, ServerOptions, Servers, Status, free_port};
use order_cluster::messages::CreateOrder;
use order_cluster::trial::agree;

/// What `members` says with `words`, asked of a node with its own token; an error if it fails.
fn members(server: &Server, words: &[&str]) -> Result<String, String> {
    run_at(server, &["members"], words)
}

async fn order(server: &Server, key: &str) {
    let (product_id, customer_id) = ("PROD-001".to_owned(), "ann".to_owned());
    let order = CreateOrder { product_id, quantity: 1, customer_id };
    let call = Call::post("/orders", &order).keyed(key);
    let answer = Client::new(vec![server.address()]).send(&call).await.expect("it answers");
    assert_eq!(answer.status, 201, "{answer:?}");
}

/// Waits until the node says of the cluster what is wanted.
async fn wait_until(server: &Server, what: &str, holds: impl Fn(&Status) -> bool) {
    let waited = tokio::time::timeout(Duration::from_secs(60), async {
        while !server.status().await.as_ref().is_some_and(&holds) {
            tokio::time::sleep(Duration::from_millis(20)).await;
        }
    });
    waited.await.unwrap_or_else(|_| panic!("waited in vain until {what}"));
}

fn voters(status: &Status) -> usize {
    status.members.iter().filter(|member| member.has_vote).count()
}

#[tokio::test(flavor = "multi_thread")]
async fn a_node_that_lost_its_disk_is_replaced_by_the_command_line() {
    let dir = tempfile::tempdir().expect("a directory");
    let mut servers =
        Servers::start(ServerOptions::cluster(PROGRAM, dir.path())).await.expect("it starts");
    order(&servers.all()[0], "a-1").await;
    let (leader, _) = servers.leader().await.expect("one leads");
    let other = (leader + 1) % 3;

    let said = members(&servers.all()[0], &[]).expect("they are listed");
    assert_eq!(said.matches("available").count(), 3, "{said}");
    assert_eq!((said.matches("leader").count(), said.matches("voter").count()), (1, 2), "{said}");

    // The leader's disk is lost, all of it.
    let name = format!("node{}", leader + 1);
    servers.one(leader).kill().expect("it is killed");
    std::fs::remove_dir_all(&servers.all()[leader].options().dir).expect("it is removed");
    order(&servers.all()[other], "a-2").await;
    servers.one(leader).spawn().expect("it starts");
    let (status, log) = servers.one(leader).until_ended().await.expect("it ends");
    assert!(!status.success() && log.contains("may not vote again"), "{log}");

    let said = members(&servers.all()[other], &["remove", &name]).expect("it is removed");
    assert!(!said.contains(&name), "{said}");
    order(&servers.all()[other], "a-3").await;
    std::fs::remove_dir_all(&servers.all()[leader].options().dir).expect("it is removed");
    servers.one(leader).spawn().expect("it starts");
    servers.one(leader).until_ready().await.expect("it joins");
    wait_until(&servers.all()[other], "it votes", |status| voters(status) == 3).await;

    // It is one of them: it can lead, and has what it had not seen.
    members(&servers.all()[other], &["lead", &name]).expect("it leads");
    wait_until(&servers.all()[other], "it leads", |status| {
        status.leader_id.as_ref() == Some(&name)
    })
    .await;
    order(&servers.all()[leader], "a-4").await;
    let findings = agree(&servers).await;
    assert!(findings.is_empty(), "{findings}");

    // A node that runs ends when it is removed, and says why.
    members(&servers.all()[other], &["remove", &name]).expect("it is removed");
    let (status, log) = servers.one(leader).until_ended().await.expect("it ends");
    assert!(!status.success() && log.contains("was removed from the cluster"), "{log}");
    order(&servers.all()[other], "a-5").await;

    // Also when it is asked itself; then it is no voter in a list, and says who is left.
    let said = members(&servers.all()[other], &["remove", &format!("node{}", other + 1)]);
    let said = said.expect("it is removed");
    assert!(said.contains("is no member any more") && !said.contains("voter"), "{said}");
    let (_, at) = said.trim().rsplit_once(' ').expect("an address");
    let left = run(&["members", "--at", at], &[]).expect("it is asked");
    assert!(left.contains("leader") && !left.contains("voter"), "{left}");
    let (status, _) = servers.one(other).until_ended().await.expect("it ends");
    assert!(!status.success());
}

#[tokio::test(flavor = "multi_thread")]
async fn a_cluster_grows_by_the_command_line_and_shrinks() {
    let dir = tempfile::tempdir().expect("a directory");
    let servers =
        Servers::start(ServerOptions::cluster(PROGRAM, dir.path())).await.expect("it starts");
    let first = &servers.all()[0];
    order(first, "a-1").await;
    let mut joined = Vec::new();
    for name in ["node4", "node5"] {
        let options = ServerOptions::new(PROGRAM, dir.path().join(name)).node(name).joins();
        let mut server = Server::member(options, free_port(1), servers.addresses());
        server.spawn().expect("it starts");
        server.until_ready().await.expect("it joins");
        let said = members(&server, &[]).expect("they are listed");
        assert!(said.contains("learner"), "{said}");
        members(first, &["promote", name]).expect("it gets a vote");
        joined.push(server);
    }
    wait_until(first, "five vote", |status| voters(status) == 5).await;
    order(&joined[1], "a-2").await;
    // Down to three, of which two came later.
    for name in ["node2", "node3"] {
        members(&joined[0], &["remove", name]).expect("it is removed");
    }
    for server in [first, &joined[0], &joined[1]] {
        wait_until(server, "three vote", |status| voters(status) == 3).await;
    }
    order(first, "a-3").await;
    let answer = Call::get("/orders/customer/ann").header("catga-read", "linearizable");
    let answer = Client::new(vec![joined[1].address()]).send(&answer).await.expect("it answers");
    let shown: serde_json::Value = answer.json().expect("it is JSON");
    assert_eq!(shown["orders"].as_array().map(Vec::len), Some(3), "{shown}");
}

/// As on machines of their own: each has an address, and all have the same port.
#[tokio::test(flavor = "multi_thread")]
async fn a_node_joins_from_another_machine_than_the_others() {
    let dir = tempfile::tempdir().expect("a directory");
    let port = free_port(1);
    let all: Vec<SocketAddr> = (1..=3).map(|machine| ([127, 0, 0, machine], port).into()).collect();
    let options = ServerOptions::cluster(PROGRAM, dir.path()).into_iter().zip(&all);
    let servers =
        options.map(|(options, at)| Server::member(options.host(at.ip()), port, all.clone()));
    let mut servers = Servers::of(servers.collect());
    servers.spawn().expect("they start");
    servers.until_ready().await.expect("they are one cluster");

    // One says where it is reached, and the other listens at that address alone.
    let mut joined = Vec::new();
    for (name, machine, says_where) in [("node4", 4, true), ("node5", 5, false)] {
        let host = [127, 0, 0, machine];
        let options = ServerOptions::new(PROGRAM, dir.path().join(name)).node(name).joins();
        let options = match says_where {
            true => options.variable("CLUSTER_ADDRESS", format!("http://127.0.0.{machine}:{port}")),
            false => options,
        };
        let mut server = Server::member(options.host(host), port, all.clone());
        server.spawn().expect("it starts");
        server.until_ready().await.expect("it joins");
        let said = members(&servers.all()[0], &["promote", name]).expect("it gets a vote");
        assert!(said.contains(&format!("http://127.0.0.{machine}:{port}")), "{said}");
        joined.push(server);
    }
    order(&joined[0], "a-1").await;
    wait_until(&joined[1], "five vote", |status| voters(status) == 5).await;

    let elsewhere = all.iter().map(|at| format!("http://{at}")).collect::<Vec<_>>().join(",");
    let data = dir.path().join("node6");
    let variables = [
        ("NODE_ID", "node6"),
        ("PORT", "5006"),
        ("BIND", "0.0.0.0"),
        ("CLUSTER_MEMBERS", &elsewhere),
        ("DATA_DIR", data.to_str().expect("a text")),
    ];
    let why = run(&["--join"], &variables).expect_err("nobody would reach it");
    assert!(why.contains("set CLUSTER_ADDRESS"), "{why}");
}

#[tokio::test(flavor = "multi_thread")]
async fn any_node_of_this_machine_is_asked_with_its_own_token() {
    let dir = tempfile::tempdir().expect("a directory");
    let servers =
        Servers::start(ServerOptions::cluster(PROGRAM, dir.path())).await.expect("it starts");
    let above = dir.path().to_str().expect("a text");
    for server in servers.all() {
        let (at, name) = (format!("http://{}", server.address()), &*server.options().node);
        let words = ["members", "--at", &at, "lead", name];
        run(&words, &[("DATA_DIR", above)]).expect("it leads");
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn what_cannot_be_done_is_said_with_what_to_do() {
    let dir = tempfile::tempdir().expect("a directory");
    let servers =
        Servers::start(ServerOptions::cluster(PROGRAM, dir.path())).await.expect("it starts");
    let [one, two, _] = servers.all() else { panic!("three were started") };

    let why = members(one, &["remove", "node9"]).expect_err("there is none");
    assert!(why.contains("node9") && why.contains("node1, node2, node3"), "{why}");

    // Nothing of a name is left out, and what no node is called is asked of nobody.
    let why = members(one, &["remove", "node2?x"]).expect_err("there is none");
    assert!(why.contains("node2?x") && why.contains("node1, node2, node3"), "{why}");
    let why = members(one, &["lead", "no node/.."]).expect_err("there is none");
    assert!(why.contains("no node/.."), "{why}");
    let why = members(one, &["remove", ""]).expect_err("it is no name");
    assert!(why.contains("the name of a node"), "{why}");
    let url = format!("http://{}", one.address());
    let words = ["members", "--at", &url, "remove", "node2"];
    let why = run(&words, &[("ADMIN_TOKEN", "0123456789\nabcdef")]).expect_err("it is no token");
    assert!(why.contains("ADMIN_TOKEN") && why.contains("header"), "{why}");

    // The token of another node is none of this one's.
    let at = format!("http://{}", one.address());
    let said = |words: &[&str], dir: &Path| {
        let words = [&["members", "--at", &at], words].concat();
        run(&words, &[("DATA_DIR", dir.to_str().expect("a text"))]).expect_err("it is refused")
    };
    let why = said(&["remove", "node3"], &two.options().dir);
    assert!(why.contains("not the token of this node"), "{why}");
    let why = said(&["promote", "node3"], &dir.path().join("none"));
    assert!(why.contains("none/node1/admin-token") && why.contains("ADMIN_TOKEN"), "{why}");
    wait_until(one, "all are there", |status| voters(status) == 3).await;
}
