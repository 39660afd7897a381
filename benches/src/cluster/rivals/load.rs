use std::time::{Duration, Instant};

use anyhow::Result;
use tokio::task::JoinSet;

use crate::harness::{Figures, Recorder, Shared};

/// Writes as many bytes as one of our commands has, and waits until that is acknowledged.
pub(super) trait Writer: Clone + Send + 'static {
    fn write(&mut self) -> impl Future<Output = Result<()>> + Send;
}

/// Lets the writers work for `time`, after a fifth of that to warm up.
pub(super) async fn run<W: Writer>(writers: &[W], time: Duration) -> Result<Figures> {
    let latency = Shared::new();
    work(writers, time / 5, &latency).await?;
    latency.take();
    let start = Instant::now();
    work(writers, time, &latency).await?;
    let took = start.elapsed();
    let latency = latency.take();
    Ok(Figures::of(latency.len(), took.as_secs_f64(), &latency))
}

async fn work<W: Writer>(writers: &[W], time: Duration, latency: &Shared) -> Result<()> {
    let until = Instant::now() + time;
    let mut clients = JoinSet::new();
    for writer in writers {
        clients.spawn(client(writer.clone(), until, latency.recorder()));
    }
    while let Some(ended) = clients.join_next().await {
        ended??;
    }
    Ok(())
}

async fn client(mut writer: impl Writer, until: Instant, mut latency: Recorder) -> Result<()> {
    let mut start = Instant::now();
    while start < until {
        writer.write().await?;
        let end = Instant::now();
        latency.record(end - start);
        start = end;
    }
    Ok(())
}
