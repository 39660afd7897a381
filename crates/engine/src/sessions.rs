use std::collections::{BTreeMap, VecDeque};
use std::sync::Arc;

use catga_core::{Offset, SessionId};

use crate::Limits;
use crate::session::Session;

/// How many starts of a node are remembered, so that a late retry of an older start is told from
/// a new one and does not close the session of the node that runs now.
///
/// A node that restarts every second is covered for a minute, much longer than a command waits.
pub(crate) const STARTS_REMEMBERED: usize = 64;

/// An open session, for status pages and tests.
#[derive(Clone, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub struct SessionInfo {
    /// The written name of its node.
    pub node: Arc<str>,
    /// Its mark: sequences below it are forgotten, but for those kept.
    pub low_water: u64,
    /// How many ids from the mark on have counted.
    pub ids: usize,
    /// How many ids are kept below the mark.
    pub kept: usize,
}

/// One start of a node.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Start {
    pub(crate) nonce: u64,
    pub(crate) offset: Offset,
}

/// The open sessions, one for each node that ever started and was not closed.
#[derive(Clone, Debug, Default)]
pub(crate) struct Sessions {
    open: BTreeMap<SessionId, Session>,
    /// By node, oldest start first; the last one opened its session.
    starts: BTreeMap<Arc<str>, VecDeque<Start>>,
}

impl Sessions {
    pub(crate) fn get(&self, id: SessionId) -> Option<&Session> {
        self.open.get(&id)
    }

    pub(crate) fn get_mut(&mut self, id: SessionId) -> Option<&mut Session> {
        self.open.get_mut(&id)
    }

    /// The effect by which this start of the node opened its session.
    pub(crate) fn opened(&self, node: &str, nonce: u64) -> Option<Offset> {
        let starts = self.starts.get(node)?;
        let start = starts.iter().find(|start| start.nonce == nonce)?;
        Some(start.offset)
    }

    /// Opens the session of a start at `offset` and closes the node's former one.
    pub(crate) fn open(&mut self, node: &str, nonce: u64, offset: Offset) {
        let node: Arc<str> = match self.starts.get_key_value(node) {
            Some((name, _)) => Arc::clone(name),
            None => node.into(),
        };
        let starts = self.starts.entry(Arc::clone(&node)).or_default();
        if let Some(former) = starts.back() {
            self.open.remove(&SessionId(former.offset.0));
        }
        if starts.len() == STARTS_REMEMBERED {
            starts.pop_front();
        }
        starts.push_back(Start { nonce, offset });
        self.open.insert(SessionId(offset.0), Session::new(node));
    }

    /// Closes the session of the node, and forgets its starts.
    pub(crate) fn close(&mut self, node: &str) {
        let starts = self.starts.remove(node);
        if let Some(last) = starts.and_then(|starts| starts.back().copied()) {
            self.open.remove(&SessionId(last.offset.0));
        }
    }

    /// The nodes that have a session, by name.
    pub(crate) fn nodes(&self) -> impl Iterator<Item = &Arc<str>> {
        self.starts.keys()
    }

    /// Every node by name, with its starts and its session.
    pub(crate) fn iter(&self) -> impl ExactSizeIterator<Item = (&VecDeque<Start>, &Session)> {
        self.starts.values().map(|starts| {
            let last = starts.back().expect("a node is known by its starts");
            let session = self.open.get(&SessionId(last.offset.0));
            (starts, session.expect("a node's last start opened its session"))
        })
    }

    /// Puts back a node from a checkpoint; false if that contradicts what is there.
    pub(crate) fn restore(&mut self, starts: VecDeque<Start>, session: Session) -> bool {
        let Some(last) = starts.back() else {
            return false;
        };
        let id = SessionId(last.offset.0);
        let node = Arc::clone(&session.node);
        self.open.insert(id, session).is_none() && self.starts.insert(node, starts).is_none()
    }

    pub(crate) fn info(&self, id: SessionId, time_ms: u64, limits: &Limits) -> Option<SessionInfo> {
        let session = self.open.get(&id)?;
        Some(SessionInfo {
            node: Arc::clone(&session.node),
            low_water: session.low_water,
            ids: session.ids.len(),
            kept: session.kept(time_ms, limits).count(),
        })
    }
}
