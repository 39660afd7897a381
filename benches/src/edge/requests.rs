use std::collections::BTreeMap;

use anyhow::{Context, Result, ensure};

use super::Subject;
use super::child::Child;
use super::connection::{Answer, Connection};
use crate::orders::CreateOrder;

/// The requests of a load, ready to be sent, and what their answers look like.
pub(super) struct Requests {
    pub(super) post: Vec<u8>,
    pub(super) get: Vec<u8>,
    shapes: [Shape; 2],
}

/// The status, the names of the headers, and the fields of the body.
type Shape = (String, Vec<String>, Vec<String>);

impl Requests {
    /// Makes the requests, with one order to get.
    pub(super) async fn of(server: &Child) -> Result<Self> {
        let mut connection = Connection::open(server.address).await?;
        let create = post("/orders", &CreateOrder::sample(7), None);
        let posted = connection.call(&create).await?;
        let mut location = posted.header("location").map(str::to_owned);
        let posted = shape(&posted)?;
        if let Subject::Axum = server.subject {
            let first = post("/orders/first", &CreateOrder::sample(7), None);
            location = connection.call(&first).await?.header("location").map(str::to_owned);
        }
        let location = location.context("an order was created without a location")?;
        let read = get(&location);
        let got = shape(&connection.call(&read).await?)?;
        Ok(Self { post: create, get: read, shapes: [posted, got] })
    }
}

/// Both servers have to answer alike: one that says less would have less to do.
pub(super) fn check_alike(one: &Requests, other: &Requests) -> Result<()> {
    ensure!(
        one.shapes == other.shapes,
        "the servers do not answer alike: {:?} and {:?}",
        one.shapes,
        other.shapes
    );
    Ok(())
}

/// A request to create an order, under a key if there is one: however often that is sent, it counts
/// once.
pub(crate) fn post(path: &str, command: &CreateOrder, key: Option<&str>) -> Vec<u8> {
    let body = serde_json::to_string(command).expect("a plain struct");
    let key = key.map(|key| format!("idempotency-key: {key}\r\n")).unwrap_or_default();
    format!(
        "POST {path} HTTP/1.1\r\nhost: localhost\r\ncontent-type: application/json\r\n{key}\
         content-length: {}\r\n\r\n{body}",
        body.len()
    )
    .into_bytes()
}

/// A request for what is at `path`.
pub(crate) fn get(path: &str) -> Vec<u8> {
    format!("GET {path} HTTP/1.1\r\nhost: localhost\r\n\r\n").into_bytes()
}

fn shape(answer: &Answer<'_>) -> Result<Shape> {
    let mut lines = answer.head.lines();
    let status = lines.next().unwrap_or_default().to_owned();
    let names = lines.filter_map(|line| line.split_once(':'));
    let mut names: Vec<_> = names.map(|(name, _)| name.to_ascii_lowercase()).collect();
    names.sort_unstable();
    let body: BTreeMap<String, serde_json::Value> = serde_json::from_slice(answer.body)?;
    Ok((status, names, body.into_keys().collect()))
}
