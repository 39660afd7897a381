//! A signal drains the process; a second one ends it at once. In a process of its own, since
//! signals go to all of one.

#![cfg(unix)]

use std::process::Command;
use std::time::Duration;

use catga::Catga;
use catga_http::{Routes, ServeError, Server};

fn signal(name: &str) {
    let own = std::process::id().to_string();
    let sent = Command::new("kill").args([name, &own]).status().expect("kill is there");
    assert!(sent.success());
}

async fn wait_until_serving(node: &catga::Node) {
    while node.endpoint().is_none() {
        tokio::time::sleep(Duration::from_millis(5)).await;
    }
}

#[tokio::test]
async fn sigterm_drains_and_a_second_signal_ends_at_once() {
    let address = "127.0.0.1:0".parse().expect("an address");
    let node = Catga::builder().start().await.expect("it starts");
    let server = Server::new(node.clone(), Routes::new("Nothing")).listen(address);
    let ended = tokio::spawn(server.grace(Duration::ZERO).run());
    wait_until_serving(&node).await;
    signal("-TERM");
    ended.await.expect("no panic").expect("it drains");
    assert!(!node.is_running());

    let node = Catga::builder().start().await.expect("it starts");
    let server = Server::new(node.clone(), Routes::new("Nothing")).listen(address);
    let ended = tokio::spawn(server.grace(Duration::from_secs(3600)).run());
    wait_until_serving(&node).await;
    signal("-INT");
    // Only the second signal ends the long grace; both may arrive as one if sent at once.
    while !ended.is_finished() {
        tokio::time::sleep(Duration::from_millis(20)).await;
        signal("-INT");
    }
    let error = ended.await.expect("no panic").expect_err("it was forced");
    assert!(matches!(error, ServeError::Forced));
    assert!(node.is_running(), "it did not wait for the node");
}
