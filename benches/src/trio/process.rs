//! The side of the parent: one node's process.

use std::fs::{self, File};
use std::io::{BufRead, BufReader, Write};
use std::path::PathBuf;
use std::process::{Child, ChildStdin, ChildStdout, Command, Stdio};
use std::{env, process};

use anyhow::{Context, Result, ensure};
use rustix::process::{Pid, Signal, kill_process};
use serde::de::DeserializeOwned;

use super::asked::Ask;
use super::node::NodeArgs;
use crate::harness::resident_mb;

/// A node in a process of its own; it goes with this.
#[derive(Debug)]
pub(crate) struct NodeProcess {
    name: String,
    process: Child,
    asks: ChildStdin,
    answers: BufReader<ChildStdout>,
    /// What it logs.
    log: PathBuf,
}

impl NodeProcess {
    pub(super) fn spawn(args: &NodeArgs) -> Result<Self> {
        fs::create_dir_all(&args.dir)?;
        let log = args.dir.with_extension("log");
        let errors = File::options().create(true).append(true).open(&log)?;
        let ports: Vec<_> = args.ports.iter().map(u16::to_string).collect();
        let mut command = Command::new(env::current_exe()?);
        command.args(["node", "--number", &args.number.to_string(), "--ports", &ports.join(",")]);
        command.arg("--dir").arg(&args.dir);
        if args.short {
            command.arg("--short");
        }
        if let Some(dir) = &args.tls {
            command.arg("--tls").arg(dir);
        }
        command.stdin(Stdio::piped()).stdout(Stdio::piped()).stderr(errors);
        let mut process = command.spawn().context("cannot start a node")?;
        let asks = process.stdin.take().context("its input is a pipe")?;
        let answers = BufReader::new(process.stdout.take().context("its output is a pipe")?);
        Ok(Self { name: args.name(), process, asks, answers, log })
    }

    /// Asks the node, and waits for its answer: it gives none before it has started.
    pub(crate) fn ask<T: DeserializeOwned>(&mut self, ask: &Ask) -> Result<T> {
        let mut line = serde_json::to_string(ask)?;
        line.push('\n');
        let mut answer = String::new();
        let asked = self.asks.write_all(line.as_bytes());
        let read = asked.and_then(|()| self.answers.read_line(&mut answer));
        ensure!(
            read.as_ref().is_ok_and(|read| *read > 0),
            "{} has ended; it said:\n{}",
            self.name,
            fs::read_to_string(&self.log).unwrap_or_default()
        );
        serde_json::from_str(&answer).with_context(|| format!("{} said {answer}", self.name))
    }

    /// The name of the node that leads, as far as this one knows.
    pub(super) fn leader(&mut self) -> Result<Option<String>> {
        self.ask(&Ask::Leader)
    }

    /// What it has in memory.
    pub(crate) fn resident_mb(&self) -> Result<f64> {
        resident_mb(self.process.id())
    }

    /// Sends it a signal, at once.
    pub(crate) fn signal(&self, signal: Signal) -> Result<()> {
        let process = Pid::from_child(&self.process);
        kill_process(process, signal).with_context(|| format!("cannot signal {}", self.name))
    }

    /// Waits until it has ended by itself.
    pub(crate) fn ended(&mut self) -> Result<process::ExitStatus> {
        Ok(self.process.wait()?)
    }

    /// Ends it, if it has not ended.
    pub(super) fn end(&mut self) {
        // Already gone is as good.
        let _ = self.process.kill();
        let _ = self.process.wait();
    }
}

impl Drop for NodeProcess {
    fn drop(&mut self) {
        self.end();
    }
}
