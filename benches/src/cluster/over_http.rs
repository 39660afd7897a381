//! Clients of the leader from another process, by HTTP.

use std::net::SocketAddr;
use std::time::Duration;

use anyhow::{Context, Result};
use tokio::runtime::Runtime;

use crate::edge::connection::Connection;
use crate::edge::{load, requests};
use crate::harness::Figures;
use crate::orders::CreateOrder;

/// Orders, one request under way on each connection.
pub(super) fn write(
    runtime: &Runtime,
    leader: SocketAddr,
    clients: usize,
    time: Duration,
) -> Result<Figures> {
    let request = requests::post("/orders", &CreateOrder::sample(7), None);
    runtime.block_on(load::run(leader, &request, clients, time))
}

/// Reads an order.
pub(super) fn read(
    runtime: &Runtime,
    leader: SocketAddr,
    clients: usize,
    time: Duration,
) -> Result<Figures> {
    runtime.block_on(async {
        let mut connection = Connection::open(leader).await?;
        let request = requests::post("/orders", &CreateOrder::sample(7), None);
        let posted = connection.call(&request).await?;
        let location = posted.header("location").context("an order without a location")?;
        load::run(leader, &requests::get(location), clients, time).await
    })
}
