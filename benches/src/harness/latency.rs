use std::mem;
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use hdrhistogram::Histogram;

/// Latencies, to three figures.
#[derive(Clone, Debug)]
pub(crate) struct Latency(Histogram<u64>);

impl Latency {
    pub(crate) fn new() -> Self {
        // Up to a minute; whatever takes longer counts as that.
        let histogram = Histogram::new_with_bounds(1, 60_000_000_000, 3);
        Self(histogram.expect("the bounds are written here"))
    }

    pub(crate) fn record(&mut self, took: Duration) {
        self.0.saturating_record(u64::try_from(took.as_nanos()).unwrap_or(u64::MAX));
    }

    pub(crate) fn len(&self) -> u64 {
        self.0.len()
    }

    /// The quantile in microseconds.
    pub(crate) fn us(&self, quantile: f64) -> f64 {
        self.0.value_at_quantile(quantile) as f64 / 1e3
    }
}

/// Latencies of many clients at once, in one histogram: it is large, and one for each client would
/// cost more than what they measure.
#[derive(Clone, Debug)]
pub(crate) struct Shared(Arc<Mutex<Latency>>);

/// One client's part: what it noted lately.
#[derive(Debug)]
pub(crate) struct Recorder {
    shared: Shared,
    noted: Vec<Duration>,
}

/// How many latencies a client notes before it takes the lock, so that nobody waits for it.
const NOTED_MAX: usize = 256;

impl Shared {
    pub(crate) fn new() -> Self {
        Self(Arc::new(Mutex::new(Latency::new())))
    }

    pub(crate) fn recorder(&self) -> Recorder {
        Recorder { shared: self.clone(), noted: Vec::with_capacity(NOTED_MAX) }
    }

    /// What the clients have recorded, all of which have ended.
    pub(crate) fn take(&self) -> Latency {
        mem::replace(&mut self.0.lock().unwrap_or_else(PoisonError::into_inner), Latency::new())
    }
}

impl Recorder {
    pub(crate) fn record(&mut self, took: Duration) {
        self.noted.push(took);
        if self.noted.len() == NOTED_MAX {
            self.flush();
        }
    }

    fn flush(&mut self) {
        let mut latency = self.shared.0.lock().unwrap_or_else(PoisonError::into_inner);
        self.noted.drain(..).for_each(|took| latency.record(took));
    }
}

impl Drop for Recorder {
    fn drop(&mut self) {
        self.flush();
    }
}
