//! What answers in place of a node, in tests.

use std::net::{Ipv4Addr, SocketAddr};

use hyper::StatusCode;
use serde_json::{Value, json};
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::TcpListener;

/// Answers every request with what `answer` says, until the test is over.
pub(crate) async fn stand_in(
    mut answer: impl FnMut() -> (StatusCode, String) + Send + 'static,
) -> SocketAddr {
    let listener = TcpListener::bind((Ipv4Addr::LOCALHOST, 0)).await.expect("it listens");
    let address = listener.local_addr().expect("it has an address");
    let answering = async move {
        while let Ok((mut stream, _)) = listener.accept().await {
            let _ = stream.read(&mut [0; 1024]).await;
            let (status, body) = answer();
            let length = match status {
                StatusCode::NO_CONTENT => String::new(),
                _ => format!("content-length: {}\r\n", body.len()),
            };
            let said = format!("HTTP/1.1 {status}\r\nconnection: close\r\n{length}\r\n{body}");
            let _ = stream.write_all(said.as_bytes()).await;
        }
    };
    drop(tokio::spawn(answering));
    address
}

/// What a node says of itself, and of those who have a vote as far as it knows.
pub(crate) fn status(node: &str, leads: bool, term: u64, voters: &[&str]) -> Value {
    let member = |id: &&str| {
        json!({
            "id": id, "status": "available", "isLeader": false, "hasVote": true,
            "engineVersion": 1,
        })
    };
    let members: Vec<_> = voters.iter().map(member).collect();
    json!({
        "nodeId": node, "isLeader": leads, "term": term, "engineVersion": 1,
        "members": members, "journal": { "position": "0", "hash": "0" },
    })
}
