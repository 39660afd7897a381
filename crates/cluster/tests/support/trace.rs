use std::fmt;
use std::sync::{Arc, Mutex};

use tokio::time::Instant;

/// What happened in a run, and when: two runs of one seed must not differ.
#[derive(Clone, Debug)]
pub struct Trace {
    start: Instant,
    lines: Arc<Mutex<Vec<String>>>,
}

impl Trace {
    pub fn new() -> Self {
        Self { start: Instant::now(), lines: Arc::default() }
    }

    pub fn note(&self, what: impl fmt::Display) {
        let at = self.start.elapsed().as_micros();
        self.lines.lock().expect("no holder panics").push(format!("{at:>10} {what}"));
    }

    pub fn lines(&self) -> Vec<String> {
        self.lines.lock().expect("no holder panics").clone()
    }
}
