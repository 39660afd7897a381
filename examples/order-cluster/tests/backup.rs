//! A cluster of processes is backed up by the command line, lost, and comes back.

mod operator;

use std::fs;
use std::path::{Path, PathBuf};
use std::time::Duration;

use operator::{PROGRAM, run, run_at};
use order_cluster::client::{Answer, Call, Client};
use order_cluster::fleet::{Server, ServerOptions, Servers, Status};
use order_cluster::messages::CreateOrder;
use order_cluster::trial::agree;
use serde_json::Value;

fn back_up(server: &Server) -> Result<String, String> {
    run_at(server, &["backup"], &[])
}

/// How many bytes were copied, as `backup` says.
fn copied(said: &str) -> u64 {
    let (_, rest) = said.rsplit_once("pieces of ").expect("it says so");
    rest.split_once(' ').and_then(|(bytes, _)| bytes.parse().ok()).expect("a number")
}

async fn order(server: &Server, key: &str) -> Answer {
    let (product_id, customer_id) = ("PROD-001".to_owned(), "ann".to_owned());
    let order = CreateOrder { product_id, quantity: 1, customer_id };
    let call = Call::post("/orders", &order).keyed(key);
    let answer = Client::new(vec![server.address()]).send(&call).await.expect("it answers");
    assert_eq!(answer.status, 201, "{answer:?}");
    answer
}

/// All orders, by their ids.
async fn orders(server: &Server) -> Vec<Value> {
    let call = Call::get("/orders/customer/ann").header("catga-read", "linearizable");
    let answer = Client::new(vec![server.address()]).send(&call).await.expect("it answers");
    let shown: Value = answer.json().expect("it is JSON");
    let mut orders = shown["orders"].as_array().expect("orders").clone();
    orders.sort_by_key(|order| order["orderId"].as_str().map(ToOwned::to_owned));
    orders
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

fn pieces(backups: &Path) -> Vec<PathBuf> {
    let entries = fs::read_dir(backups.join("pieces")).expect("there are some");
    entries.map(|entry| entry.expect("a name").path()).collect()
}

#[tokio::test(flavor = "multi_thread")]
async fn a_cluster_that_was_lost_comes_back_from_its_backup_by_the_command_line() {
    let dir = tempfile::tempdir().expect("a directory");
    let backups = dir.path().join("backups");
    let options = ServerOptions::cluster(PROGRAM, dir.path()).into_iter();
    let options = options.map(|it| it.variable("BACKUP_DIR", backups.display().to_string()));
    let mut servers = Servers::start(options.collect()).await.expect("it starts");
    let mut answers = Vec::new();
    for number in 0..200 {
        let server = &servers.all()[number % 3];
        answers.push(order(server, &format!("a-{number}")).await);
    }
    let (leader, _) = servers.leader().await.expect("one leads");
    let follower = (leader + 1) % 3;
    let first = back_up(&servers.all()[follower]).expect("a backup");
    for number in 200..210 {
        answers.push(order(&servers.all()[leader], &format!("a-{number}")).await);
    }
    let before = orders(&servers.all()[0]).await;
    assert_eq!(before.len(), 210);
    // By the node that made the first, whose files are shared.
    let second = back_up(&servers.all()[follower]).expect("a backup");
    assert!(copied(&second) > 0 && copied(&second) < copied(&first), "{first}{second}");
    let unchanged = back_up(&servers.all()[follower]).expect("a backup");
    assert_eq!(copied(&unchanged), 0, "{unchanged}");
    order(&servers.all()[leader], "too-late").await;

    // All is lost but the backups.
    for number in 0..3 {
        servers.one(number).kill().expect("it is killed");
        fs::remove_dir_all(&servers.all()[number].options().dir).expect("it is removed");
    }
    let own = servers.all()[0].options().dir.clone();
    let (from, into) = (backups.display().to_string(), own.display().to_string());
    let list = run(&["backups", &from], &[]).expect("they are shown");
    assert_eq!(list.matches(&format!("node{}", follower + 1)).count(), 3, "{list}");
    let said = run(&["verify", &from], &[]).expect("all is well");
    assert!(said.contains(" 0 damaged") && said.contains("of backup 1, 2, 3"), "{said}");

    let restore = |words: &[&str]| {
        run(&[&["restore", &from, "--into", &into, "--name", "node1"], words].concat(), &[])
    };
    let said = restore(&["--which", "2"]).expect("it is restored");
    assert!(said.contains("as of backup 2"), "{said}");
    let said = restore(&[]).expect_err("something is there");
    assert!(said.contains("holds") && said.contains("empty directory"), "{said}");
    servers.one(0).spawn().expect("it starts");
    servers.one(0).until_ready().await.expect("it is ready");
    assert_eq!(orders(&servers.all()[0]).await, before);
    for number in 1..3 {
        servers.one(number).spawn().expect("it starts");
        servers.one(number).until_ready().await.expect("it joins");
    }
    let voters = |status: &Status| status.members.iter().filter(|it| it.has_vote).count();
    for server in servers.all() {
        wait_until(server, "three vote", |status| voters(status) == 3).await;
        assert_eq!(orders(server).await, before);
    }
    for (number, answer) in answers.iter().enumerate() {
        let again = order(&servers.all()[number % 3], &format!("a-{number}")).await;
        assert_eq!(again.body, answer.body);
    }
    assert_eq!(orders(&servers.all()[0]).await, before);
    // It is a cluster again: any of them may fail, and be backed up.
    servers.one(0).kill().expect("it is killed");
    order(&servers.all()[1], "b-1").await;
    servers.one(0).spawn().expect("it starts");
    servers.one(0).until_ready().await.expect("it comes back");
    let findings = agree(&servers).await;
    assert!(findings.is_empty(), "{findings}");
    let fourth = back_up(&servers.all()[2]).expect("a backup");
    assert!(fourth.starts_with("backup 4 "), "{fourth}");
}

#[tokio::test(flavor = "multi_thread")]
async fn what_cannot_be_backed_up_or_restored_is_said_with_what_to_do() {
    let dir = tempfile::tempdir().expect("a directory");
    let (backups, data) = (dir.path().join("backups"), dir.path().join("data"));
    let name = |path: &Path| path.display().to_string();
    const TOKEN: &str = "0123456789abcdef0123456789abcdef";
    let alone = ServerOptions::new(PROGRAM, &data).variable("ADMIN_TOKEN", TOKEN);
    let mut none = Server::start(alone.clone()).await.expect("it starts");
    order(&none, "a-1").await;
    let at = format!("http://{}", none.address());
    let with_token = |at: &str| run(&["backup", "--at", at], &[("ADMIN_TOKEN", TOKEN)]);
    let why = with_token(&at).expect_err("it has no directory for backups");
    assert!(why.contains("BACKUP_DIR"), "{why}");
    none.kill().expect("it is killed");

    let alone = alone.variable("BACKUP_DIR", name(&backups));
    let server = Server::start(alone).await.expect("it starts");
    let why = back_up(&server).expect_err("it has no token");
    assert!(why.contains("admin-token") && why.contains("ADMIN_TOKEN"), "{why}");
    let at = format!("http://{}", server.address());
    with_token(&at).expect("a backup");
    with_token(&at).expect("another");

    let new = dir.path().join("new");
    let restore = |from: &Path, words: &[&str]| {
        let (from, into) = (name(from), name(&new));
        run(&[&["restore", &from, "--into", &into, "--name", "node1"], words].concat(), &[])
    };
    let why = restore(&dir.path().join("none"), &[]).expect_err("it is not there");
    assert!(why.contains(&name(&dir.path().join("none"))), "{why}");
    let why = restore(&data, &[]).expect_err("it is a node's");
    assert!(why.contains("no directory of backups"), "{why}");
    let why = restore(&backups, &["--which", "7"]).expect_err("there is none");
    assert!(why.contains("no backup `7`") && why.contains("there are 1, 2"), "{why}");
    let words = ["restore", &name(&backups), "--into", &name(&new), "--name", ""];
    let why = run(&words, &[]).expect_err("it is no name");
    assert!(why.contains("--name") && why.contains("the name of a node"), "{why}");
    let why = restore(&backups, &["--which", "newest"]).expect_err("it is none");
    assert!(why.contains("latest"), "{why}");

    let damaged = &pieces(&backups)[0];
    let whole = fs::read(damaged).expect("it is there");
    let mut bytes = whole.clone();
    bytes[40] ^= 1;
    fs::write(damaged, &bytes).expect("written");
    let why = restore(&backups, &[]).expect_err("it is damaged");
    assert!(why.contains(&name(damaged)) && why.contains("nothing was restored"), "{why}");
    assert!(!new.exists());
    let said = run(&["verify", &name(&backups)], &[]).expect_err("it is damaged");
    assert!(said.contains(&format!("DAMAGED  {}", name(damaged))), "{said}");
    assert!(said.contains(" 1 damaged"), "{said}");
    fs::write(damaged, whole).expect("written");
    let manifest = backups.join("00000001.backup");
    let whole = fs::read(&manifest).expect("it is there");
    fs::write(&manifest, &whole[..whole.len() - 1]).expect("written");
    let said = run(&["backups", &name(&backups)], &[]).expect_err("one is damaged");
    let mut rows = said.lines().skip_while(|line| !line.trim_start().starts_with("1 "));
    let mut row = || rows.next().expect("a row");
    let (first, second) = (row(), row());
    assert!(first.contains("DAMAGED") && first.contains(&name(&manifest)), "{said}");
    assert!(second.contains("node1") && !second.contains("DAMAGED"), "{said}");
    fs::write(&manifest, &whole).expect("written");
    restore(&backups, &[]).expect("it is restored");
    let said = run(&["verify", &name(&new)], &[]).expect("all is well");
    assert!(said.contains("node `node1`") && said.contains(" 0 damaged"), "{said}");
}
