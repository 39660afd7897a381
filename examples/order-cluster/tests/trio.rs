//! Three nodes of the order service, as whoever starts them meets them.

#[path = "process/client.rs"]
mod http;
#[path = "trio/runner.rs"]
mod runner;

use std::fs;
use std::io::{Read, Write};
use std::net::{Ipv4Addr, TcpListener, TcpStream};
use std::process::Command;
use std::time::Duration;

use catga::{Catga, Cluster, InCluster};
use order_cluster::client::{Answer, Call, Client};
use order_cluster::fleet::{ServerOptions, Servers};
use serde_json::{Value, json};
use tokio::task::JoinSet;

use self::http::{get, post};
use self::runner::{Runner, free_ports, program, run, wait_until};

fn order(port: u16, key: &str) -> Value {
    let new = json!({"productId": "PROD-001", "quantity": 2, "customerId": "ann"});
    let answer = post(port, "/orders", &[("Idempotency-Key", key)], &new);
    assert_eq!(answer.status, 201, "{answer:?}");
    answer.body
}

/// The orders of ann, as the node at `port` knows them when it has heard of all.
fn orders(port: u16) -> Value {
    get(port, "/orders/customer/ann", &[("Catga-Read", "linearizable")]).body["orders"].clone()
}

#[test]
fn three_nodes_serve_one_service_and_drain_and_come_back() {
    let dir = tempfile::tempdir().expect("a directory");
    let (mut runner, said) = Runner::start(&dir);
    let ports = [1, 2, 3].map(|number| runner.port_of(number));
    for line in ports.map(|port| format!("http://localhost:{port}")) {
        assert!(said.contains(&line), "{said}");
    }
    for part in ["leads", "/swagger-ui", "node1.log", "curl"] {
        assert!(said.contains(part), "no {part}: {said}");
    }
    let placed: Vec<_> = ports.iter().map(|port| order(*port, &format!("a-{port}"))).collect();
    let new = json!({"productId": "PROD-002", "quantity": 1, "customerId": "bob"});
    let answer = post(ports[0], "/orders", &[], &new);
    let token = answer.header("catga-position").expect("a session token");
    for port in ports {
        let read = get(port, "/orders/customer/bob", &[("Catga-Position", token)]);
        assert_eq!(read.body["orders"], json!([answer.body]), "it waits until it has the order");
        assert_eq!(orders(port), json!(placed));
        assert_eq!(order(port, &format!("a-{}", ports[0])), placed[0], "a key is known everywhere");
        let status = get(port, "/cluster/status", &[]).body;
        let members = status["members"].as_array().expect("members").clone();
        assert_eq!(members.len(), 3, "{status}");
        let leaders = members.iter().filter(|member| member["isLeader"] == true);
        assert_eq!(leaders.count(), 1, "{status}");
        assert_eq!(status["durability"]["survives"], "failover");
    }
    runner.signal("-TERM");
    let (status, said) = runner.end();
    assert!(status.success() && said.contains("All of them have stopped"), "{status}: {said}");
    for number in 1..=3 {
        let log = runner.log_of(number);
        assert!(log.contains("draining") && log.contains("stopped"), "node{number}: {log}");
    }

    // Elsewhere they find their data, and each other.
    let (mut runner, _) = Runner::start(&dir);
    assert_eq!(orders(runner.port_of(3)), json!(placed));
    order(runner.port_of(2), "a-new");
    runner.signal("-INT");
    let (status, said) = runner.end();
    assert!(status.success(), "{status}: {said}");
}

/// Each needs the others for what it finishes, and no signal comes to all at the same moment.
#[tokio::test(flavor = "multi_thread")]
async fn drained_at_work_they_answer_what_they_took() {
    let dir = tempfile::tempdir().expect("a directory");
    let first = free_ports();
    let options = ServerOptions::cluster(env!("CARGO_BIN_EXE_order-cluster"), dir.path());
    let [one, two, three] = &mut *Servers::new(options, first).into_all() else {
        panic!("a cluster has three nodes");
    };
    for server in [&mut *one, &mut *two, &mut *three] {
        server.spawn().expect("it starts");
    }
    for server in [&mut *one, &mut *two, &mut *three] {
        server.until_ready().await.expect("it is ready");
    }
    let at_work: JoinSet<_> = (0..4).map(|_| order_until_nobody_listens(first + 2)).collect();
    let late = async {
        tokio::time::sleep(Duration::from_millis(200)).await;
        three.stop().await
    };
    let (one, two, three) = tokio::join!(one.stop(), two.stop(), late);
    one.and(two).and(three).expect("all stop in order");
    let other = at_work.join_all().await.concat();
    assert!(other.is_empty(), "neither an order nor a closed door: {other:?}");
}

/// Places one order after the other; all answers that were none, nor sent it elsewhere.
async fn order_until_nobody_listens(port: u16) -> Vec<Answer> {
    let new = json!({"productId": "PROD-001", "quantity": 2, "customerId": "ann"});
    let (call, mut other) = (Call::post("/orders", &new), Vec::new());
    // A new connection each time: it may come when nothing else does any more.
    let client = || Client::new(vec![(Ipv4Addr::LOCALHOST, port).into()]);
    while let Ok(answer) = client().send(&call).await {
        let is_sent_away = |answer: &Answer| {
            let problem = answer.json::<Value>().unwrap_or_default();
            problem["code"] == "shutting-down" && problem["outcome"] == "not-executed"
        };
        if answer.status != 201 && !is_sent_away(&answer) {
            other.push(answer);
        }
    }
    other
}

#[test]
fn a_node_that_ends_is_named_and_the_others_go_on() {
    let dir = tempfile::tempdir().expect("a directory");
    let (mut runner, welcome) = Runner::start(&dir);
    order(runner.port_of(1), "a-1");
    fs::remove_dir_all(dir.path().join("node2")).expect("removed");
    // It notices while it has something to record.
    let (two, mut number) = (runner.port_of(2), 1);
    while TcpStream::connect((Ipv4Addr::LOCALHOST, two)).is_ok() {
        number += 1;
        order(runner.port_of(1), &format!("a-{number}"));
    }
    let said = runner.until_it_says("; the others go on");
    for part in ["node2 ended", "was removed", "node2.log"] {
        assert!(said.contains(part), "no {part}: {said}");
    }
    order(runner.port_of(3), "b-1");

    // Of two that are left one can be killed: it is needed, and started again.
    kill(&welcome, "node1");
    runner.until_it_says("node1 is back");
    order(runner.port_of(3), "b-2");
    runner.signal("-TERM");
    let (status, said) = runner.end();
    assert!(status.success() && !said.contains("node2"), "{status}: {said}");
    for number in [1, 3] {
        let log = runner.log_of(number);
        assert!(log.contains("draining") && log.contains("stopped"), "node{number}: {log}");
    }
}

#[test]
fn nodes_that_are_removed_end_and_without_a_majority_the_last_is_drained() {
    let dir = tempfile::tempdir().expect("a directory");
    let (mut runner, _) = Runner::start(&dir);
    order(runner.port_of(1), "a-1");
    let at = format!("http://localhost:{}", runner.port_of(1));
    let remove = |name| run(&["members", "--at", &at, "remove", name], &[], dir.path());
    let (code, said) = remove("node2");
    assert_eq!(code, 0, "{said}");
    let said = runner.until_it_says("; the others go on");
    assert!(said.contains("node2 ended"), "{said}");
    order(runner.port_of(1), "a-2");
    let (code, said) = remove("node3");
    assert_eq!(code, 0, "{said}");
    runner.until_it_says("No majority");
    // Whoever does not wait until it is drained hears the reasons too.
    runner.signal("-TERM");
    let (status, said) = runner.end();
    assert_eq!(status.code(), Some(1), "{said}");
    for part in ["node2 ended", "node3 ended", "was removed from the cluster", "node3.log"] {
        assert!(said.contains(part), "no {part}: {said}");
    }
    runner.until_all_are_gone();
}

/// Kills a node, whose process the welcome names.
fn kill(welcome: &str, node: &str) {
    let line = welcome.lines().find(|line| line.trim_start().starts_with(node));
    let mut words = line.expect("it is named").split_whitespace();
    let pid = words.find(|word| *word == "process").and_then(|_| words.next());
    let killed = Command::new("kill").args(["-9", pid.expect("a number")]).status();
    assert!(killed.expect("it runs").success());
}

#[test]
fn a_node_that_is_killed_is_started_again_and_the_others_go_on() {
    let dir = tempfile::tempdir().expect("a directory");
    let (mut runner, welcome) = Runner::start(&dir);
    let first = order(runner.port_of(2), "a-1");
    let leads = welcome.lines().find(|line| line.ends_with("leads")).expect("one leads");
    let leader = leads.split_whitespace().next().expect("its name");
    kill(&welcome, leader);
    let number: u16 = leader.trim_start_matches("node").parse().expect("a number");
    let (dead, other) = (runner.port_of(number), runner.port_of(number % 3 + 1));
    let said = runner.until_it_says("was killed");
    assert!(said.contains(&format!("{leader} was killed")), "{said}");
    let second = order(other, "a-2");
    assert_ne!(first, second);
    let said = runner.until_it_says("is back");
    assert!(said.contains(&format!("{leader} is started again")), "{said}");
    assert!(!said.contains(&format!("{leader} leads")), "another one does: {said}");
    assert_eq!(orders(dead), json!([first, second]), "it has what was ordered meanwhile");
    let logs: String = [1, 2, 3].map(|number| runner.log_of(number)).concat();
    assert!(!logs.contains("heartbeat"), "a line for each that was not taken: {logs}");
    runner.signal("-INT");
    let (status, said) = runner.end();
    assert!(status.success(), "{status}: {said}");
}

/// Sends what a node without TLS would to the one at `port`; what that answers.
fn speak_plainly(port: u16) -> Vec<u8> {
    let mut stream = TcpStream::connect((Ipv4Addr::LOCALHOST, port)).expect("it listens");
    let ask =
        "GET /catga/peer HTTP/1.1\r\nhost: x\r\nconnection: upgrade\r\nupgrade: catga/1\r\n\r\n";
    let magic = b"\xcaTGA\r\n1\n";
    stream.write_all(&[ask.as_bytes(), magic].concat()).expect("it takes bytes");
    let mut answer = Vec::new();
    stream.read_to_end(&mut answer).expect("it ends");
    let head = answer.windows(4).position(|end| end == b"\r\n\r\n").expect("a head") + 4;
    assert!(answer.starts_with(b"HTTP/1.1 101 "), "{}", String::from_utf8_lossy(&answer));
    answer.split_off(head)
}

#[test]
fn three_nodes_meet_by_tls_on_the_port_of_their_clients() {
    let dir = tempfile::tempdir().expect("a directory");
    let certificates = dir.path().join("tls");
    let certificates = certificates.to_str().expect("text");
    let (code, said) = run(&["certificates", certificates], &[], dir.path());
    assert_eq!(code, 0, "{said}");
    let (code, said) = run(&["certificates", certificates], &[], dir.path());
    assert_eq!(code, 1, "nothing is written over: {said}");
    assert!(said.contains("ca.pem"), "{said}");

    let mut runner = Runner::spawn_with(&dir, free_ports(), &["--tls", certificates]);
    runner.until_it_says("Ctrl-C drains");
    let ports = [1, 2, 3].map(|number| runner.port_of(number));
    let placed: Vec<_> = ports.iter().map(|port| order(*port, &format!("a-{port}"))).collect();
    for port in ports {
        assert_eq!(orders(port), json!(placed));
        let status = get(port, "/cluster/status", &[]).body;
        let expires = status["certificate"]["expiresInS"].as_u64().expect("when it expires");
        assert!((2_591_000..=2_592_000).contains(&expires), "{status}");
        assert!(!status.to_string().contains("unreachable"), "{status}");
    }
    // Whoever comes without it gets an alert of TLS, and the operator hears why.
    let answer = speak_plainly(ports[0]);
    assert_eq!(answer[..3], [0x15, 3, 3], "{answer:?}");
    wait_until("it is said why", || runner.log_of(1).contains("it does not speak TLS"));

    // A node with another one's certificate, or without some of the files, does not start.
    let file = |name: &str| format!("{certificates}/{name}");
    let [ca, two, key] = ["ca.pem", "node2.pem", "node2.key"].map(file);
    let (ca, two, key) =
        (("CLUSTER_TLS_CA", &*ca), ("CLUSTER_TLS_CERT", &*two), ("CLUSTER_TLS_KEY", &*key));
    let one = ("NODE_ID", "node1");
    let new = tempfile::tempdir().expect("a directory");
    for (variables, parts) in [
        (&[one, ca, two, key][..], &["catga://order-cluster/node/node2", "node/node1"][..]),
        (&[one, ca, key], &["CLUSTER_TLS_CERT is not set"]),
        (
            &[one, ("CLUSTER_TLS_CA", "a"), ("CLUSTER_TLS_CERT", "b"), ("CLUSTER_TLS_KEY", "c")],
            &["a cannot be read", "b cannot be read", "c cannot be read"],
        ),
    ] {
        let (code, said) = run(&[], variables, new.path());
        assert_eq!(code, 1, "{variables:?}: {said}");
        for part in parts {
            assert!(said.contains(part), "{variables:?}: no {part}: {said}");
        }
        assert!(!new.path().join("identity").exists(), "{variables:?} has made a directory");
    }
    runner.signal("-TERM");
    let (status, said) = runner.end();
    assert!(status.success(), "{status}: {said}");
}

#[test]
fn nodes_do_not_outlive_who_started_them() {
    let dir = tempfile::tempdir().expect("a directory");
    let (mut runner, _) = Runner::start(&dir);
    runner.signal("-KILL");
    runner.end();
    runner.until_all_are_gone();
    // A signal before they serve ends them as well.
    let dir = tempfile::tempdir().expect("a directory");
    let mut runner = Runner::spawn(&dir, free_ports());
    wait_until("a node has begun to start", || dir.path().join("node3.log").exists());
    runner.signal("-TERM");
    let (status, said) = runner.end();
    assert!(status.success(), "{status}: {said}");
    runner.until_all_are_gone();
}

#[test]
fn a_port_that_is_taken_is_named() {
    let dir = tempfile::tempdir().expect("a directory");
    let first = free_ports();
    let taken = first + 1;
    let _listener = TcpListener::bind((Ipv4Addr::LOCALHOST, taken)).expect("a port");
    let (code, said) = run(&["--port", &first.to_string()], &[], dir.path());
    assert_eq!(code, 1, "{said}");
    for part in ["node2 ended", &taken.to_string(), "--port", "node2.log"] {
        assert!(said.contains(part), "no {part}: {said}");
    }
    let (first, taken) = (first.to_string(), taken.to_string());
    let node = dir.path().join("alone");
    let (code, said) = run(&["--port", &first], &[("PORT", &taken)], &node);
    assert_eq!(code, 1, "{said}");
    assert!(said.contains(&taken) && said.contains("another program listens there"), "{said}");
}

#[test]
fn who_is_no_member_is_told_what_to_set() {
    let dir = tempfile::tempdir().expect("a directory");
    for (variables, parts) in [
        (&[("NODE_ID", "node4")][..], &["NODE_ID", "`node4`", "node3", "--nodes 1"][..]),
        (&[("PORT", "http")], &["PORT", "`http`", "a port number"]),
        (&[("PORT", "99999")], &["PORT", "`99999`", "a port number"]),
        (&[("PORT", "5004")], &["PORT", "5004", "5001, 5002 and 5003", "--port"]),
        (&[("NODE_ID", "node1"), ("PORT", "5002")], &["NODE_ID", "`node1`", "PORT", "node2"]),
        (&[("CLUSTER_MEMBERS", "http://here")], &["CLUSTER_MEMBERS", "`http://here`", "a port"]),
        (&[("CLUSTER_MEMBERS", "http://10.0.0.1:65535,http://10.0.0.2:65535")], &["set NODE_ID"]),
        (&[("BIND", "0.0.0.0")], &["BIND", "NODE_ID", "127.0.0.1"]),
        (&[("NODE_ID", "node1"), ("BIND", "here")], &["BIND", "`here`", "an IP address"]),
        (&[("NODE_ID", "node1"), ("BIND", "0.0.0.0")], &["CLUSTER_SECRET"]),
        (&[("NODE_ID", "node1"), ("CLUSTER_SECRET", "short")], &["secret", "16 bytes"]),
    ] {
        let (code, said) = run(&[], variables, dir.path());
        assert_eq!(code, 1, "{variables:?}: {said}");
        for part in parts {
            assert!(said.contains(part), "{variables:?}: no {part}: {said}");
        }
        assert!(!dir.path().join("identity").exists(), "{variables:?} has made a directory");
    }
    for options in [&["--nodes", "2"][..], &["--nodes", "3", "--memory"], &["--port", "0"]] {
        let (code, said) = run(options, &[], dir.path());
        assert_eq!(code, 2, "{options:?}: {said}");
        assert!(said.contains(options[0]), "{options:?}: {said}");
    }
}

#[test]
fn what_is_for_nodes_with_peers_is_refused_by_a_process_alone() {
    let dir = tempfile::tempdir().expect("a directory");
    let node = dir.path().join("node");
    for name in [
        "CLUSTER_ADDRESS",
        "CLUSTER_MEMBERS",
        "CLUSTER_SECRET",
        "CLUSTER_TLS_CA",
        "CLUSTER_TLS_CA_KEY",
        "CLUSTER_TLS_CERT",
        "CLUSTER_TLS_KEY",
        "ENGINE_VERSION_MAX",
    ] {
        for alone in [&["--nodes", "1"][..], &["--memory"], &["--nodes", "1", "--demo"]] {
            let (code, said) = run(alone, &[(name, "http://localhost:5001")], &node);
            assert!(code == 1 && said.contains(name), "{name}: {said}");
            assert!(said.contains("peers") && said.contains("--nodes 1"), "{name}: {said}");
        }
    }
    for option in [&["--join"][..], &["--tls", "certificates"]] {
        let options = [&["--nodes", "1"], option].concat();
        let variables = [("NODE_ID", "node4"), ("PORT", "5004")];
        let (code, said) = run(&options, &variables, &node);
        assert!(code == 2 && said.contains(option[0]) && said.contains("peers"), "{said}");
    }
    let missing = dir.path().join("none");
    let (code, said) = run(&["--tls", missing.to_str().expect("a text")], &[], &node);
    assert!(code == 1 && said.contains("order-cluster certificates"), "{said}");
    assert!(!node.exists(), "nothing was made");
}

#[test]
fn what_operators_cannot_use_is_said_before_anything_is_opened() {
    let dir = tempfile::tempdir().expect("a directory");
    let (node, file) = (dir.path().join("node"), dir.path().join("file"));
    fs::write(&file, "no directory").expect("written");
    let below = file.join("backups");
    for backups in [&file, &below] {
        let variables = [
            ("NODE_ID", "node1"),
            ("ADMIN_TOKEN", "short"),
            ("BACKUP_KEEP", "some"),
            ("BACKUP_DIR", backups.to_str().expect("a text")),
        ];
        for options in [&["--nodes", "1"][..], &[]] {
            let (code, said) = run(options, &variables, &node);
            assert_eq!(code, 1, "{said}");
            for part in ["ADMIN_TOKEN", "16", "BACKUP_KEEP", "`some`", "BACKUP_DIR", "file"] {
                assert!(said.contains(part), "{options:?}: no {part}: {said}");
            }
            assert!(!node.exists(), "it has opened its data: {said}");
        }
    }
    let (code, said) = run(&["--nodes", "1"], &[("ADMIN_TOKEN", "0123456789abcdef\u{e4}")], &node);
    assert!(code == 1 && said.contains("header") && !node.exists(), "{said}");
}

#[test]
fn data_of_another_node_or_another_cluster_is_not_touched() {
    let dir = tempfile::tempdir().expect("a directory");
    let (mut runner, _) = Runner::start(&dir);
    order(runner.port_of(1), "a-1");
    runner.signal("-TERM");
    assert!(runner.end().0.success());
    let first = runner.port.to_string();
    let refused = |options: &[&str], variables: &[(&str, &str)], dir: &std::path::Path| {
        let (code, said) = run(&[&["--port", &*first], options].concat(), variables, dir);
        assert_eq!(code, 1, "{variables:?}: {said}");
        said
    };

    let said = refused(&[], &[("NODE_ID", "node1")], &dir.path().join("node2"));
    assert!(said.contains("`node1`") && said.contains("`node2`"), "another node: {said}");
    let said = refused(&["--nodes", "1"], &[], &dir.path().join("node1"));
    assert!(said.contains("that of a node in a cluster"), "alone: {said}");

    let other = tempfile::tempdir().expect("a directory");
    let node = other.path().join("node1");
    found_another(&node);
    let said = refused(&[], &[("NODE_ID", "node1")], &node);
    assert!(said.contains("`other`") && said.contains("`order-cluster`"), "{said}");
    // The runner says it of the one that it is about.
    let mut command = program(&["--port", &first], &[], other.path());
    let ended = command.output().expect("the program runs");
    let said = String::from_utf8_lossy(&ended.stderr);
    assert_eq!(ended.status.code(), Some(1), "{said}");
    for part in ["node1 ended", "`other`", "a directory of its own"] {
        assert!(said.contains(part), "no {part}: {said}");
    }
}

/// Leaves a node of another cluster in `dir`.
fn found_another(dir: &std::path::Path) {
    let found = async {
        let member = format!("http://localhost:{}", free_ports());
        let cluster = Cluster::new("other", [member]).name("node1").data_dir(dir);
        let node = Catga::builder().cluster(cluster).start().await.expect("it starts");
        node.shutdown().await;
    };
    let runtime = tokio::runtime::Runtime::new().expect("a runtime");
    runtime.block_on(found);
}
