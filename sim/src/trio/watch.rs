use std::collections::BTreeMap;
use std::sync::{Mutex, PoisonError};

use catga_core::Offset;

use super::site::Site;
use crate::Violation;

/// What all nodes have been seen to say.
#[derive(Debug, Default)]
pub(super) struct Watch(Mutex<Seen>);

#[derive(Debug, Default)]
struct Seen {
    /// The rolling hash at each offset that a node was seen at, and which node that was.
    hashes: BTreeMap<Offset, (u64, String)>,
    /// Who was seen to lead in each term.
    leaders: BTreeMap<u64, String>,
}

impl Watch {
    /// Looks at all nodes.
    ///
    /// # Errors
    /// When two nodes that hold the same number of effects do not hold the same (I3), or two lead
    /// in one term.
    pub(super) fn look(&self, sites: &[Site]) -> Result<(), Violation> {
        let mut seen = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        for site in sites {
            if let Some((offset, hash)) = site.rolling_hash()
                && offset > Offset::ZERO
            {
                let (known, by) = seen.hashes.entry(offset).or_insert((hash, site.name()));
                if *known != hash {
                    let (name, known) = (site.name(), *known);
                    let what = format!("at {offset} {by} has {known:x} and {name} {hash:x}");
                    return Err(Violation::Contradiction(what));
                }
            }
            if let Some(term) = site.leads() {
                let known = seen.leaders.entry(term).or_insert_with(|| site.name());
                if *known != site.name() {
                    let what = format!("{known} and {} lead in term {term}", site.name());
                    return Err(Violation::Contradiction(what));
                }
            }
        }
        Ok(())
    }

    /// In how many terms somebody led.
    pub(super) fn leaders(&self) -> u64 {
        self.0.lock().unwrap_or_else(PoisonError::into_inner).leaders.len() as u64
    }
}
