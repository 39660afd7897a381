use std::net::SocketAddr;
use std::time::{Duration, Instant};

use anyhow::Result;

use super::connection::Connection;
use crate::harness::{Figures, Recorder, Shared};

/// Sends the request over and over for `time`, on each of the connections.
pub(crate) async fn run(
    address: SocketAddr,
    request: &[u8],
    connections: usize,
    time: Duration,
) -> Result<Figures> {
    let latency = Shared::new();
    let start = Instant::now();
    let client =
        |_| tokio::spawn(client(address, request.to_vec(), start + time, latency.recorder()));
    let clients: Vec<_> = (0..connections).map(client).collect();
    for client in clients {
        client.await??;
    }
    let took = start.elapsed().as_secs_f64();
    let latency = latency.take();
    Ok(Figures::of(latency.len(), took, &latency))
}

async fn client(
    address: SocketAddr,
    request: Vec<u8>,
    until: Instant,
    mut latency: Recorder,
) -> Result<()> {
    let mut connection = Connection::open(address).await?;
    let mut start = Instant::now();
    while start < until {
        connection.call(&request).await?;
        let end = Instant::now();
        latency.record(end - start);
        start = end;
    }
    Ok(())
}
