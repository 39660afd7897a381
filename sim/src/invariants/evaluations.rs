use std::collections::BTreeMap;
use std::ops::AddAssign;

use serde::{Deserialize, Deserializer, Serialize, Serializer};

use super::Invariant;

/// How often each promise was looked at.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Evaluations([u64; Invariant::ALL.len()]);

impl Evaluations {
    /// One more of `invariant`.
    pub(crate) fn count(&mut self, invariant: Invariant) {
        self.0[invariant as usize] += 1;
    }

    /// Each with how often it was looked at.
    pub fn rows(&self) -> impl Iterator<Item = (Invariant, u64)> {
        Invariant::ALL.into_iter().zip(self.0)
    }
}

impl AddAssign for Evaluations {
    fn add_assign(&mut self, other: Self) {
        for (mine, others) in self.0.iter_mut().zip(other.0) {
            *mine += others;
        }
    }
}

impl Serialize for Evaluations {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.collect_map(self.rows().map(|(invariant, count)| (invariant.title(), count)))
    }
}

/// What is not known any more, or not yet, counts for nothing.
impl<'de> Deserialize<'de> for Evaluations {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        let counts = BTreeMap::<String, u64>::deserialize(deserializer)?;
        let count = |invariant: Invariant| counts.get(invariant.title()).copied();
        Ok(Self(Invariant::ALL.map(|invariant| count(invariant).unwrap_or_default())))
    }
}
