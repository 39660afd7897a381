//! Other replicated stores, as Debian ships them: three servers of each, with private directories
//! and ports, from the start of the benchmark to its end.

mod etcd;
mod etcd_api;
mod jetstream;
mod load;
mod server;

use std::time::Duration;

use anyhow::{Context, Result};
use tokio::runtime::Runtime;

use self::etcd::Etcd;
use self::jetstream::JetStream;
use self::server::program;
use super::WRITE_LEADER;
use crate::harness::{Lane, Options};

/// Those that are here.
pub(super) struct Rivals {
    etcd: Option<Etcd>,
    jetstream: Option<JetStream>,
    missing: Vec<String>,
}

impl Rivals {
    pub(super) fn start(runtime: &Runtime, options: &Options) -> Result<Self> {
        let mut rivals = Self { etcd: None, jetstream: None, missing: Vec::new() };
        let mut find = |subject: &str, name: &str| {
            let found = options.wants(subject).then(|| program(name))?;
            if found.is_none() {
                let what = format!("MISSING: {subject}, since the program {name} is not here.");
                rivals.missing.push(what);
            }
            found
        };
        let (etcd, nats) = (find("etcd", "etcd"), find("jetstream", "nats-server"));
        if let Some(program) = etcd {
            let started = runtime.block_on(Etcd::start(&program));
            rivals.etcd = Some(started.context("etcd does not start")?);
        }
        if let Some(program) = nats {
            let started = runtime.block_on(JetStream::start(&program));
            rivals.jetstream = Some(started.context("nats-server does not start")?);
        }
        Ok(rivals)
    }

    /// Which subjects are missing, and why.
    pub(super) fn missing(&self) -> &[String] {
        &self.missing
    }

    pub(super) fn lanes<'a>(
        &'a self,
        runtime: &'a Runtime,
        clients: usize,
        time: Duration,
    ) -> Vec<Lane<'a>> {
        let mut lanes = Vec::new();
        let mut lane = |subject, settings, round| {
            let (case, clients) = (WRITE_LEADER.to_owned(), Some(clients));
            lanes.push(Lane { case, subject, settings, clients, round });
        };
        if let Some(etcd) = &self.etcd {
            let round = move || runtime.block_on(etcd.put(clients, time));
            lane("etcd", "put, as it comes", Box::new(round));
        }
        if let Some(jetstream) = &self.jetstream {
            let round = move || runtime.block_on(jetstream.publish(clients, time));
            lane("jetstream", "R3, file, no fsync", Box::new(round));
        }
        lanes
    }
}
