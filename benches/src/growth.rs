//! A journal with a counting projection, as it grows: what it takes to append, to read a stream and
//! a single event, to restart, and how much is in memory.

mod counter;

use std::fs;
use std::path::Path;
use std::sync::Arc;
use std::time::{Duration, Instant};

use anyhow::{Context, Result};
use catga::journal::{Filter, Journal};
use catga::{Node, Offset, StreamName};
use tokio::runtime::Runtime;

use self::counter::{Add, EVENTS_PER_STREAM, start_on, stream_of};
use crate::harness::{Bar, Figures, Latency, Options, Report, Row, Shared, folder};
use crate::journal::load::runtime;

const CLIENTS: u64 = 64;

/// How many reads of each kind are timed.
const READS: u64 = 2000;

/// Runs the benchmark.
pub(crate) fn run(options: &Options) -> Result<()> {
    options.ensure_whole()?;
    let sizes: &[u64] = options.pick(&[1_000, 100_000, 1_000_000], &[1_000, 100_000, 10_000_000]);
    let time = Duration::from_millis(options.pick(1500, 5000));
    let dir = tempfile::Builder::new().prefix("growth-").tempdir_in(folder()?)?;
    let mut rows = Vec::new();
    let mut grown = Grown::start(dir.path())?;
    let bar = crate::harness::progress(*sizes.last().unwrap_or(&0));
    for events in sizes {
        bar.set_message(format!("growing to {events} events"));
        grown.grow_to(*events, |now| bar.set_position(now))?;
        bar.set_message(format!("measuring at {events} events"));
        let mut row = |case: &str, figures: Figures, clients| {
            rows.push(Row {
                case: case.to_owned(),
                subject: "catga",
                clients,
                figures: Figures { events: Some(*events), ..figures },
                rounds: 1,
                spread: 0.0,
                settings: "",
            });
        };
        row("append", grown.append(time)?, Some(CLIENTS as usize));
        row("read-stream", grown.read_streams()?, None);
        row("read-by-id", grown.read_events()?, None);
        row("restart", grown.restart()?, None);
    }
    bar.finish_and_clear();
    let report = Report {
        bench: "growth",
        payload_bytes: Some(counter::PAYLOAD_BYTES),
        bars: bars(&rows),
        rows,
        notes: vec![
            format!("Streams of {EVENTS_PER_STREAM} events; an event by id is found by position."),
            "A restart follows an end without a last checkpoint, as a kill is one.".to_owned(),
            "Bars compare the largest journal with the smallest.".to_owned(),
        ],
    };
    report.publish()
}

/// A node and its journal.
struct Grown {
    runtime: Runtime,
    node: Option<(Node, Arc<dyn Journal>)>,
    dir: std::path::PathBuf,
    /// How many commands each client has sent.
    sent: [u64; CLIENTS as usize],
}

impl Grown {
    fn start(dir: &Path) -> Result<Self> {
        let runtime = runtime(2)?;
        let node = runtime.block_on(start_on(dir)).context("the node does not start")?;
        let (dir, sent) = (dir.to_owned(), [0; CLIENTS as usize]);
        Ok(Self { runtime, node: Some(node), dir, sent })
    }

    fn node(&self) -> Result<&(Node, Arc<dyn Journal>)> {
        self.node.as_ref().context("the node runs")
    }

    fn events(&self) -> u64 {
        self.sent.iter().sum()
    }

    fn grow_to(&mut self, events: u64, progress: impl Fn(u64)) -> Result<()> {
        const STEP: u64 = 50_000;
        while self.events() < events {
            let each = (events - self.events()).min(STEP).div_ceil(CLIENTS);
            self.send(move |sent| sent < each, &Shared::new())?;
            progress(self.events());
        }
        Ok(())
    }

    /// Has every client send for as long as `more` of what it has sent says.
    fn send(
        &mut self,
        more: impl Fn(u64) -> bool + Clone + Send + 'static,
        latency: &Shared,
    ) -> Result<()> {
        let node = self.node()?.0.clone();
        let sent = self.sent;
        self.sent = self.runtime.block_on(async {
            let clients = sent.iter().zip(0_u64..).map(|(before, client)| {
                let (node, more, mut latency) = (node.clone(), more.clone(), latency.recorder());
                let before = *before;
                tokio::spawn(async move {
                    let mut sent = 0;
                    while more(sent) {
                        let start = Instant::now();
                        node.send(Add::sample(client, before + sent)).await?;
                        latency.record(start.elapsed());
                        sent += 1;
                    }
                    anyhow::Ok(before + sent)
                })
            });
            let clients: Vec<_> = clients.collect();
            let mut sent = sent;
            for (sent, client) in sent.iter_mut().zip(clients) {
                *sent = client.await??;
            }
            anyhow::Ok(sent)
        })?;
        Ok(())
    }

    fn append(&mut self, time: Duration) -> Result<Figures> {
        let (latency, before) = (Shared::new(), self.events());
        let start = Instant::now();
        let until = start + time;
        self.send(move |_| Instant::now() < until, &latency)?;
        let took = start.elapsed().as_secs_f64();
        let mut figures = Figures::of(self.events() - before, took, &latency.take());
        figures.rss_mb = Some(rss_mb()?);
        Ok(figures)
    }

    fn read_streams(&self) -> Result<Figures> {
        let journal = &self.node()?.1;
        // Of those that are full.
        let full = self.sent.iter().min().map_or(0, |sent| sent / EVENTS_PER_STREAM);
        self.timed(async |read| {
            let (client, number) = (read % CLIENTS, fastrand::u64(0..full.max(1)));
            let stream: StreamName = stream_of(client, number * EVENTS_PER_STREAM);
            let slice = journal.stream(&stream).await?;
            let expected = if full == 0 { 1 } else { EVENTS_PER_STREAM };
            anyhow::ensure!(slice.events.len() as u64 >= expected, "{stream:?} is not whole");
            Ok(())
        })
    }

    fn read_events(&self) -> Result<Figures> {
        let journal = &self.node()?.1;
        let last = journal.applied().get().0;
        self.timed(async |_| {
            let before = Offset(fastrand::u64(1..last));
            let page = journal.page(before, &Filter::All, 1).await?;
            anyhow::ensure!(page.events.len() == 1, "no event after {before}");
            Ok(())
        })
    }

    fn timed(&self, read: impl AsyncFn(u64) -> Result<()>) -> Result<Figures> {
        let mut latency = Latency::new();
        let start = Instant::now();
        self.runtime.block_on(async {
            for number in 0..READS {
                let start = Instant::now();
                read(number).await?;
                latency.record(start.elapsed());
            }
            anyhow::Ok(())
        })?;
        Ok(Figures::of(READS, start.elapsed().as_secs_f64(), &latency))
    }

    /// Ends the node where it is, and starts it again.
    fn restart(&mut self) -> Result<Figures> {
        self.node = None;
        // Its tasks end on their own; the directory is free when they have.
        let waited = Instant::now();
        let (node, took) = loop {
            let start = Instant::now();
            match self.runtime.block_on(start_on(&self.dir)) {
                Ok(node) => break (node, start.elapsed()),
                Err(error) if waited.elapsed() > Duration::from_secs(20) => {
                    return Err(error).context("the node does not start again");
                }
                Err(_) => std::thread::sleep(Duration::from_millis(5)),
            }
        };
        self.node = Some(node);
        Ok(Figures { ms: Some(took.as_secs_f64() * 1e3), ..Figures::default() })
    }
}

/// What is resident of this process.
fn rss_mb() -> Result<f64> {
    let status = fs::read_to_string("/proc/self/status")?;
    let resident = status.lines().find_map(|line| line.strip_prefix("VmRSS:"));
    let kib = resident.and_then(|text| text.trim().strip_suffix("kB"));
    let kib: f64 = kib.context("no resident size in the status")?.trim().parse()?;
    Ok(kib * 1024.0 / 1e6)
}

/// Append within 15 %, a stream of 100 within half as much again, an event within 50 µs.
fn bars(rows: &[Row]) -> Vec<Bar> {
    let of = |case: &str| rows.iter().filter(|row| row.case == case).collect::<Vec<_>>();
    let mut bars = Vec::new();
    if let (Some(small), Some(large)) = (of("append").first(), of("append").last())
        && let (Some(small), Some(large)) = (small.figures.ops_per_s, large.figures.ops_per_s)
    {
        let bar = Bar::at_least("append", "catga", "of the smallest", large / small, 0.85);
        bars.push(bar.clients(CLIENTS as usize));
    }
    // The smallest journal has no full stream.
    if let [_, small, .., large] = &*of("read-stream")
        && let (Some(small), Some(large)) = (small.figures.p50_us, large.figures.p50_us)
    {
        bars.push(Bar::at_most("read-stream", "catga", "times", large / small, 1.5));
    }
    if let Some(p50) = of("read-by-id").last().and_then(|row| row.figures.p50_us) {
        bars.push(Bar::at_most("read-by-id", "catga", "µs p50", p50, 50.0));
    }
    bars
}
