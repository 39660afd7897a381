use std::fs;
use std::path::Path;
use std::process::Command;
use std::time::Duration;

use anyhow::{Context, Result};
use async_nats::jetstream;
use async_nats::jetstream::stream::{Config, StorageType};
use prost::bytes::Bytes;
use tempfile::TempDir;

use super::load::{self, Writer};
use super::server::{Server, wait_until};
use crate::harness::{Figures, folder};
use crate::orders::PAYLOAD_BYTES;
use crate::trio::{NODES, free_ports};

/// Three servers of NATS with a stream on all of them.
pub(super) struct JetStream {
    /// Where the one listens that leads the stream.
    leader: String,
    _servers: Vec<Server>,
    _dir: TempDir,
}

const SUBJECT: &str = "orders.created";

/// Clients share connections, as they do within a program.
const CLIENTS_PER_CONNECTION: usize = 8;

impl JetStream {
    pub(super) async fn start(program: &Path) -> Result<Self> {
        let dir = tempfile::Builder::new().prefix("jetstream-").tempdir_in(folder()?)?;
        let ports = free_ports::<{ 2 * NODES }>()?;
        let (for_peers, for_clients) = ports.split_at(NODES);
        let routes: Vec<_> =
            for_peers.iter().map(|port| format!("nats://127.0.0.1:{port}")).collect();
        let mut servers = Vec::new();
        for number in 0..NODES {
            let store = dir.path().join(format!("n{number}"));
            let settings = format!(
                "server_name: n{number}\nlisten: \"127.0.0.1:{}\"\n\
                 jetstream {{ store_dir: {store:?} }}\n\
                 cluster {{ name: bench, listen: \"127.0.0.1:{}\", routes: {routes:?} }}\n",
                for_clients[number], for_peers[number]
            );
            let file = store.with_extension("conf");
            fs::write(&file, settings)?;
            let mut command = Command::new(program);
            command.arg("--config").arg(file);
            servers.push(Server::start(&mut command, &store.with_extension("log"))?);
        }
        let urls: Vec<_> =
            for_clients.iter().map(|port| format!("nats://127.0.0.1:{port}")).collect();
        let made = wait_until(&servers, "the stream is there", async || stream(&urls[0]).await);
        let number = made.await?;
        let leader = urls.into_iter().nth(number).context("the leader is one of the three")?;
        Ok(Self { leader, _servers: servers, _dir: dir })
    }

    /// What so many clients can publish, each waiting for its acknowledgement.
    pub(super) async fn publish(&self, clients: usize, time: Duration) -> Result<Figures> {
        let mut writers = Vec::new();
        let mut client = None;
        for number in 0..clients {
            let shared = match client.take() {
                Some(client) if !number.is_multiple_of(CLIENTS_PER_CONNECTION) => client,
                _ => jetstream::new(async_nats::connect(&*self.leader).await?),
            };
            client = Some(shared.clone());
            writers.push(Publish { client: shared, payload: vec![b'x'; PAYLOAD_BYTES].into() });
        }
        load::run(&writers, time).await
    }
}

/// Makes the stream if it is not there. The number of the server that leads it.
async fn stream(url: &str) -> Result<usize> {
    let client = jetstream::new(async_nats::connect(url).await?);
    let config = Config {
        name: "orders".to_owned(),
        subjects: vec![SUBJECT.to_owned()],
        num_replicas: NODES,
        storage: StorageType::File,
        ..Config::default()
    };
    let mut stream = client.get_or_create_stream(config).await?;
    let cluster = stream.info().await?.cluster.clone().context("the stream has no cluster")?;
    let leader = cluster.leader.context("the stream has no leader")?;
    let number = leader.strip_prefix('n').context("the leader has another name")?;
    Ok(number.parse()?)
}

#[derive(Clone)]
struct Publish {
    client: jetstream::Context,
    payload: Bytes,
}

impl Writer for Publish {
    async fn write(&mut self) -> Result<()> {
        self.client.publish(SUBJECT, self.payload.clone()).await?.await?;
        Ok(())
    }
}
