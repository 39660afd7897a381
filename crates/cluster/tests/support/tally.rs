use std::collections::{BTreeMap, BTreeSet};

use bytes::Bytes;
use catga_journal::conformance::Recorder;
use catga_journal::{AppendError, Delivered, LogIndex};

/// What callers were told, and what nodes had delivered when they crashed.
#[derive(Debug, Default)]
pub struct Tally {
    pub acked: Vec<(LogIndex, Bytes)>,
    pub refused: Vec<Bytes>,
    pub doubted: Vec<Bytes>,
    crashed: Vec<(usize, Vec<Delivered>)>,
}

impl Tally {
    pub fn note(&mut self, entry: Bytes, answer: Result<LogIndex, AppendError>) {
        match answer {
            Ok(index) => self.acked.push((index, entry)),
            Err(AppendError::Refused(_)) => self.refused.push(entry),
            Err(_) => self.doubted.push(entry),
        }
    }

    /// Keeps what `node` has delivered so far, before it crashes.
    pub fn keep(&mut self, node: usize, recorder: &Recorder) {
        self.crashed.push((node, recorder.delivered(node)));
    }

    /// The greatest index that was acknowledged.
    pub fn last_acked(&self) -> Option<LogIndex> {
        self.acked.iter().map(|(index, _)| *index).max()
    }

    /// True if all of `nodes` nodes hold what was acknowledged.
    pub fn arrived(&self, nodes: usize, recorder: &Recorder) -> bool {
        let last = self.last_acked();
        // A node that holds it holds, in one order, all before it.
        (0..nodes).all(|node| recorder.applied(node) >= last)
    }

    /// Checks the promises of the log by everything that was seen, once everything
    /// [has arrived](Self::arrived).
    pub fn check(&self, nodes: usize, recorder: &Recorder) {
        assert!(self.arrived(nodes, recorder), "something is missing");
        let now: Vec<_> = (0..nodes).map(|node| recorder.delivered(node)).collect();
        let longest = now.iter().max_by_key(|delivered| delivered.len());
        let longest = longest.expect("there is a node");
        // 1: one order, and indexes only rise.
        let rising = longest.windows(2).all(|two| two[0].index < two[1].index);
        assert!(rising, "indexes fall: {longest:?}");
        let ended = self.crashed.iter().map(|(node, kept)| (*node, kept));
        for (node, delivered) in ended.chain(now.iter().enumerate()) {
            let same = longest.get(..delivered.len()) == Some(&delivered[..]);
            assert!(same, "node {node} delivered {delivered:?}, another {longest:?}");
        }
        // 1 and 2: what is delivered was appended, and comes once.
        let refused: BTreeSet<_> = self.refused.iter().collect();
        let known = self.acked.iter().map(|(_, entry)| entry);
        let known: BTreeSet<_> = known.chain(&self.doubted).collect();
        let mut places = BTreeMap::new();
        for delivered in longest {
            let entry = &delivered.entry;
            // 4: what was refused is nowhere.
            assert!(!refused.contains(entry), "{delivered:?} was refused");
            assert!(known.contains(entry), "{delivered:?} was appended by nobody");
            let before = places.insert(entry, delivered.index);
            assert!(before.is_none(), "{delivered:?} came before, at {before:?}");
        }
        // 3: what was acknowledged is there, and where the caller was told.
        for (index, entry) in &self.acked {
            assert_eq!(places.get(entry), Some(index), "{entry:?} was acknowledged");
        }
    }
}
