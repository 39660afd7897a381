use bytes::Bytes;
use catga_core::{Offset, StreamName};
use xxhash_rust::xxh3::{xxh3_64, xxh3_64_with_seed};

use crate::{Rejection, Verdict};

/// One hash over everything that was applied, so that two nodes can compare what they hold.
///
/// It covers, chained over the entries in which something counted: the entry's bytes as they stood
/// in the log, the verdict on each effect, the version that each event got, and what each record
/// became. The bytes alone would only show that two nodes read the same; the rest is what came out
/// of their states, so a head or an id that differs is seen as soon as something is decided by it.
///
/// An entry in which nothing counts changes nothing: so there is one hash for each offset.
#[derive(Clone, Debug)]
pub(crate) struct Rolling {
    hash: u64,
    /// What the hash will be, without the outcome, if something of the current entry counts.
    begun: u64,
    /// What the current entry gave so far; kept to be used again.
    outcome: Vec<u8>,
}

impl Rolling {
    pub(crate) fn new(hash: u64) -> Self {
        Self { hash, begun: hash, outcome: Vec::new() }
    }

    pub(crate) fn hash(&self) -> u64 {
        self.hash
    }

    pub(crate) fn begin(&mut self, raw: &[u8]) {
        self.begun = xxh3_64_with_seed(raw, self.hash);
        self.outcome.clear();
    }

    pub(crate) fn version(&mut self, version: u64) {
        self.outcome.extend_from_slice(&version.to_le_bytes());
    }

    pub(crate) fn record(&mut self, key: &StreamName, value: Option<&Bytes>, offset: Offset) {
        self.tagged(0x10 | u8::from(value.is_some()), offset.0, xxh3_64(key.as_str().as_bytes()));
        if let Some(value) = value {
            self.outcome.extend_from_slice(&xxh3_64(value).to_le_bytes());
        }
    }

    pub(crate) fn verdict(&mut self, verdict: Verdict) {
        match verdict {
            Verdict::Counted { offset } => self.tagged(1, offset.0, 0),
            Verdict::Duplicate { of } => self.tagged(2, of.0, 0),
            Verdict::Conflict { condition, at } => self.tagged(3, at.0, u64::from(condition)),
            Verdict::Rejected(rejection) => self.tagged(4, number(rejection), 0),
        }
    }

    /// The entry is decided; whether anything of it counted.
    pub(crate) fn end(&mut self, counted: bool) {
        if counted {
            self.hash = xxh3_64_with_seed(&self.outcome, self.begun);
        }
    }

    fn tagged(&mut self, tag: u8, first: u64, second: u64) {
        let mut bytes = [tag; 17];
        bytes[1..9].copy_from_slice(&first.to_le_bytes());
        bytes[9..].copy_from_slice(&second.to_le_bytes());
        self.outcome.extend_from_slice(&bytes);
    }
}

/// Written out, because the hash must not change with the order of the variants.
fn number(rejection: Rejection) -> u64 {
    match rejection {
        Rejection::Expired => 1,
        Rejection::PayloadMismatch => 2,
        Rejection::EngineVersion => 4,
    }
}
