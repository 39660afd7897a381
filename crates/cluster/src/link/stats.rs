use std::sync::atomic::{AtomicU64, Ordering};
use std::time::Duration;

use crate::{Address, LinkState};

use super::Protocol;

/// What went through the links with one other node since this node has known it, both ways and on
/// all connections.
#[derive(Clone, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub struct LinkStats {
    /// Where the other node is.
    pub address: Address,
    /// How the links are.
    pub state: LinkState,
    /// What was agreed to be spoken on the connection dialled last.
    pub protocol: Option<Protocol>,
    /// Bytes that were sent.
    pub sent_bytes: u64,
    /// Frames that were sent.
    pub sent_frames: u64,
    /// Bytes that were received.
    pub received_bytes: u64,
    /// Frames that were received.
    pub received_frames: u64,
    /// Requests that wait to be sent.
    pub waiting: usize,
    /// Requests that are sent, at least in part, and not answered.
    pub unanswered: usize,
    /// How often a connection that was dialled was followed by another.
    pub reconnects: u64,
    /// How long the last ping and its answer took.
    pub round_trip: Option<Duration>,
}

/// Counts for [`LinkStats`]. Relaxed, because nothing is ordered by them.
#[derive(Debug, Default)]
pub(super) struct Traffic {
    sent_bytes: AtomicU64,
    sent_frames: AtomicU64,
    received_bytes: AtomicU64,
    received_frames: AtomicU64,
    connections: AtomicU64,
    /// In microseconds, plus one; zero while there is none.
    round_trip_us: AtomicU64,
}

impl Traffic {
    pub(super) fn sent(&self, bytes: usize) {
        self.sent_bytes.fetch_add(bytes as u64, Ordering::Relaxed);
    }

    pub(super) fn sent_frames(&self, frames: u64) {
        self.sent_frames.fetch_add(frames, Ordering::Relaxed);
    }

    pub(super) fn received(&self, bytes: usize) {
        self.received_bytes.fetch_add(bytes as u64, Ordering::Relaxed);
    }

    pub(super) fn received_frame(&self) {
        self.received_frames.fetch_add(1, Ordering::Relaxed);
    }

    pub(super) fn connected(&self) {
        self.connections.fetch_add(1, Ordering::Relaxed);
    }

    pub(super) fn round_trip(&self, took: Duration) {
        let us = u64::try_from(took.as_micros()).unwrap_or(u64::MAX - 1);
        self.round_trip_us.store(us + 1, Ordering::Relaxed);
    }

    /// What was counted, beside what `stats` has already.
    pub(super) fn fill(&self, stats: LinkStats) -> LinkStats {
        let of = |count: &AtomicU64| count.load(Ordering::Relaxed);
        LinkStats {
            sent_bytes: of(&self.sent_bytes),
            sent_frames: of(&self.sent_frames),
            received_bytes: of(&self.received_bytes),
            received_frames: of(&self.received_frames),
            reconnects: of(&self.connections).saturating_sub(1),
            round_trip: of(&self.round_trip_us).checked_sub(1).map(Duration::from_micros),
            ..stats
        }
    }
}
