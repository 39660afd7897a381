use std::path::Path;
use std::process::Command;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::Duration;

use anyhow::{Context, Result, ensure};
use tempfile::TempDir;
use tonic::client::Grpc;
use tonic::transport::{Channel, Endpoint};

use super::etcd_api::{self, PutRequest};
use super::load::{self, Writer};
use super::server::{Server, wait_until};
use crate::harness::{Figures, folder};
use crate::orders::PAYLOAD_BYTES;
use crate::trio::{NODES, free_ports};

/// Three servers of etcd with the settings that it comes with.
pub(super) struct Etcd {
    /// Where the one listens that leads.
    leader: Endpoint,
    /// The number of the next key: as of orders, there are only new ones.
    next: Arc<AtomicU64>,
    _servers: Vec<Server>,
    _dir: TempDir,
}

/// Clients share connections: one that each had to itself would cost the server more.
const CLIENTS_PER_CONNECTION: usize = 8;

impl Etcd {
    pub(super) async fn start(program: &Path) -> Result<Self> {
        let dir = tempfile::Builder::new().prefix("etcd-").tempdir_in(folder()?)?;
        let ports = free_ports::<{ 2 * NODES }>()?;
        let (for_peers, for_clients) = ports.split_at(NODES);
        let member = |(number, port): (usize, &u16)| format!("e{number}=http://127.0.0.1:{port}");
        let members = for_peers.iter().enumerate().map(member).collect::<Vec<_>>().join(",");
        let mut servers = Vec::new();
        for number in 0..NODES {
            let name = format!("e{number}");
            let peers = format!("http://127.0.0.1:{}", for_peers[number]);
            let clients = format!("http://127.0.0.1:{}", for_clients[number]);
            let mut command = Command::new(program);
            command.args(["--name", &name, "--initial-cluster", &members]);
            command.args(["--listen-peer-urls", &peers, "--initial-advertise-peer-urls", &peers]);
            command.args(["--listen-client-urls", &clients, "--advertise-client-urls", &clients]);
            command.args(["--logger", "zap", "--log-level", "error"]);
            // More than is written here; it would refuse writes beyond 2 GB.
            command.args(["--quota-backend-bytes", "8000000000"]);
            command.arg("--data-dir").arg(dir.path().join(&name));
            // Of the environment nothing may change what is measured.
            let settings = std::env::vars_os().map(|(name, _)| name);
            for name in settings.filter(|name| name.to_string_lossy().starts_with("ETCD_")) {
                command.env_remove(name);
            }
            servers.push(Server::start(&mut command, &dir.path().join(name + ".log"))?);
        }
        let leader =
            wait_until(&servers, "etcd has a leader", async || leader(for_clients).await).await?;
        Ok(Self { leader, next: Arc::default(), _servers: servers, _dir: dir })
    }

    /// What so many clients can put.
    pub(super) async fn put(&self, clients: usize, time: Duration) -> Result<Figures> {
        let mut writers = Vec::new();
        let mut channel = None;
        for number in 0..clients {
            let shared = match channel.take() {
                Some(channel) if !number.is_multiple_of(CLIENTS_PER_CONNECTION) => channel,
                _ => self.leader.connect().await?,
            };
            channel = Some(shared.clone());
            let next = self.next.clone();
            let value = vec![b'x'; PAYLOAD_BYTES].into();
            writers.push(Put { channel: Grpc::new(shared), next, value });
        }
        load::run(&writers, time).await
    }
}

/// Where the server listens that leads.
async fn leader(ports: &[u16]) -> Result<Endpoint> {
    for port in ports {
        let endpoint = Endpoint::from_shared(format!("http://127.0.0.1:{port}"))?;
        let endpoint = endpoint.tcp_nodelay(true);
        let mut channel = Grpc::new(endpoint.connect().await?);
        let status = etcd_api::status(&mut channel).await?;
        let own = status.header.context("a status without a header")?.member_id;
        ensure!(status.leader != 0, "no leader is known at port {port}");
        if status.leader == own {
            return Ok(endpoint);
        }
    }
    anyhow::bail!("none of the servers leads")
}

#[derive(Clone)]
struct Put {
    channel: Grpc<Channel>,
    next: Arc<AtomicU64>,
    value: prost::bytes::Bytes,
}

impl Writer for Put {
    async fn write(&mut self) -> Result<()> {
        let number = self.next.fetch_add(1, Ordering::Relaxed);
        let key = format!("orders/{number:09}").into();
        etcd_api::put(&mut self.channel, PutRequest { key, value: self.value.clone() }).await?;
        Ok(())
    }
}
