//! The order service as its users meet it: a process with a port.

mod process {
    pub(crate) mod client;
    pub(crate) mod program;
}

use std::fs::File;
use std::path::Path;
use std::process::{Command, Stdio};

use process::client::{Answer, get, post};
use process::program::{Program, wait_until};
use serde_json::{Value, json};

fn order_of(answer: &Answer) -> Value {
    assert_eq!(answer.status, 201, "{answer:?}");
    answer.body.clone()
}

#[test]
fn an_order_is_placed_once_read_and_cancelled_once() {
    let program = Program::start();
    let port = program.port;
    let new = json!({"productId": "PROD-001", "quantity": 2, "customerId": "ann"});
    let first = post(port, "/orders", &[("Idempotency-Key", "a-1")], &new);
    let order = order_of(&first);
    let path = format!("/orders/{}", order["orderId"].as_str().expect("an id"));
    assert_eq!(first.header("location"), Some(&*path));
    assert_eq!(order["status"], "created");
    assert!(order["createdAt"].as_str().is_some_and(|at| at.ends_with('Z')), "{order}");

    let again = post(port, "/orders", &[("Idempotency-Key", "a-1")], &new);
    assert_eq!(order_of(&again), order, "the same key is the same order");
    let other = json!({"productId": "PROD-002", "quantity": 2, "customerId": "ann"});
    assert_eq!(post(port, "/orders", &[("Idempotency-Key", "a-1")], &other).status, 422);
    let newest = order_of(&post(port, "/orders", &[], &other));

    assert_eq!(get(port, &path, &[]).body, order);
    let of_ann = get(port, "/orders/customer/ann", &[]).body;
    assert_eq!(of_ann, json!({"customerId": "ann", "orders": [order, newest]}));
    assert_eq!(get(port, "/orders/customer/bob", &[]).status, 404);

    let cancel = format!("{path}/cancel");
    let cancelled = post(port, &cancel, &[], &json!({"reason": "ordered twice"}));
    assert_eq!((cancelled.status, &cancelled.body["status"]), (200, &json!("cancelled")));
    let position = cancelled.header("catga-position").expect("a position").to_owned();
    let read = get(port, &path, &[("Catga-Position", &position)]);
    assert_eq!(read.body["status"], "cancelled");
    let twice = post(port, &cancel, &[], &json!({"reason": "ordered twice"}));
    assert_eq!((twice.status, &twice.body["code"]), (409, &json!("order.cancelled")));
}

#[test]
fn what_is_wrong_with_an_order_is_said_at_once() {
    let program = Program::start();
    let bad = json!({"productId": " ", "quantity": 0, "customerId": "ann", "colour": "red"});
    let answer = post(program.port, "/orders", &[("Prefer", "wait=soon")], &bad);
    assert_eq!(answer.status, 400);
    assert_eq!(answer.header("content-type"), Some("application/problem+json"));
    let errors = answer.body["errors"].as_array().expect("a list of errors").clone();
    let about =
        |name: &str| errors.iter().any(|error| error["field"] == name || error["header"] == name);
    for name in ["Prefer", "colour", "productId", "quantity"] {
        assert!(about(name), "nothing about {name} in {errors:?}");
    }
    let missing = get(program.port, "/orders/00000000-0000-0000-0000-000000000000", &[]);
    assert_eq!((missing.status, &missing.body["code"]), (404, &json!("order.not-found")));
    assert_eq!(get(program.port, "/orders/not-an-id", &[]).status, 400);
}

/// The names of all that is in the OpenAPI document, sorted.
fn operations(port: u16) -> Vec<String> {
    let document = get(port, "/openapi.json", &[]).body;
    let paths = document["paths"].as_object().expect("paths").values();
    let operations = paths.flat_map(|path| path.as_object().expect("operations").values());
    let name = |operation: &Value| operation["operationId"].as_str().expect("a name").to_owned();
    let mut names: Vec<_> = operations.map(name).collect();
    names.sort_unstable();
    names
}

#[test]
fn the_service_describes_itself() {
    let program = Program::start();
    let port = program.port;
    let service = ["CancelOrder", "ClusterStatus", "CreateOrder", "GetCustomerOrders", "GetOrder"];
    assert_eq!(operations(port), service);
    let token = [("ADMIN_TOKEN", "0123456789abcdef")];
    let with_operators = Program::start_with(&["--nodes", "1"], &token);
    let for_operators = ["MakeBackup", "MoveLeadership", "PromoteMember", "RemoveMember"];
    let mut all = [&service[..], &for_operators].concat();
    all.sort_unstable();
    assert_eq!(operations(with_operators.port), all);
    assert_eq!(get(port, "/swagger-ui/", &[]).status, 200);
    let status = get(port, "/cluster/status", &[]).body;
    let endpoint = format!("http://localhost:{port}");
    let member = json!({
        "id": "node1", "endpoint": endpoint, "status": "available", "isLeader": true,
        "hasVote": true, "engineVersion": catga::ENGINE_VERSION,
    });
    assert_eq!(status["members"], json!([member]));
    assert_eq!(status["leaderId"], "node1");
    assert_eq!(get(port, "/health", &[]).body["status"], "Healthy");
    for probe in ["/livez", "/readyz", "/startupz", "/metrics"] {
        assert_eq!(get(port, probe, &[]).status, 200, "{probe}");
    }
}

#[test]
fn a_signal_drains_the_process() {
    let program = Program::start();
    let new = json!({"productId": "PROD-001", "quantity": 1, "customerId": "ann"});
    assert_eq!(post(program.port, "/orders", &[], &new).status, 201);
    let (status, log) = program.terminate();
    assert!(status.success(), "{status} {log}");
    assert!(log.contains("draining") && log.contains("stopped"), "{log}");
}

#[test]
fn a_port_in_use_and_bad_options_are_named() {
    let program = Program::start();
    let port = program.port.to_string();
    let (status, said) = Program::run_to_end(&[], &[("PORT", &port)]);
    assert!(!status.success());
    assert!(said.contains(&port) && said.contains("PORT"), "{said}");
    let (status, said) = Program::run_to_end(&[], &[("PORT", "99999")]);
    assert!(!status.success() && said.contains("99999"), "{said}");
    for options in [&["--nodes", "4"][..], &["--node", "1"], &["--nodes"]] {
        let (status, said) = Program::run_to_end(options, &[]);
        assert_eq!(status.code(), Some(2), "{options:?}");
        assert!(said.contains("--nodes"), "{said}");
    }
}

#[test]
fn it_says_where_its_data_is_and_what_survives() {
    let (status, log) = Program::start_with(&["--memory"], &[]).terminate();
    assert!(status.success() && log.contains("nothing is kept"), "{log}");
    let (_, log) = Program::start().terminate();
    assert!(log.contains("node1") && log.contains("power-loss"), "{log}");
}

fn demo(data: &Path) -> Command {
    let mut command = Command::new(env!("CARGO_BIN_EXE_order-cluster"));
    command.args(["--nodes", "1", "--demo", "--kills", "2"]);
    command.env("DATA_DIR", data).env_remove("RUST_LOG").stdin(Stdio::null());
    command
}

#[test]
fn the_demo_kills_and_counts() {
    let dir = tempfile::tempdir().expect("a directory");
    let mut demo = demo(&dir.path().join("node1"));
    let shown = demo.args(["--orders", "400"]).output().expect("the demo runs");
    let (report, said) =
        (String::from_utf8_lossy(&shown.stdout), String::from_utf8_lossy(&shown.stderr));
    assert!(shown.status.success(), "{report} {said}");
    let rows: Vec<Vec<&str>> =
        report.lines().map(|line| line.split_whitespace().collect()).collect();
    for row in [&["kills", "(SIGKILL)", "2"][..], &["lost", "0"], &["doubled", "0"]] {
        assert!(rows.iter().any(|found| found.starts_with(row)), "{row:?}: {report}");
    }
}

#[test]
fn a_killed_demo_leaves_no_process_behind() {
    let dir = tempfile::tempdir().expect("a directory");
    let data = dir.path().join("node1");
    let mut runner = demo(&data);
    let runner = runner.args(["--orders", "80000"]).stdout(Stdio::null()).stderr(Stdio::null());
    let mut runner = runner.spawn().expect("the demo runs");
    let is_free = || File::open(data.join("lock")).is_ok_and(|lock| lock.try_lock().is_ok());
    wait_until("the service has its directory", || data.join("identity").exists() && !is_free());
    runner.kill().expect("killed");
    runner.wait().expect("ended");
    wait_until("nobody has the directory", is_free);
}
