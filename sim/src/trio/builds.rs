use std::time::Duration;

use catga::ENGINE_VERSION;
use fastrand::Rng;

use super::NODES;

/// The engine version that an older build knows.
const OLDER: u32 = ENGINE_VERSION - 1;

/// Which build of the program each machine runs: the newest, or one that knows older rules of the
/// engine alone.
///
/// In half of the runs all begin with the older one, and whenever a process is started again it may
/// be of the other, to and fro. One machine keeps the older one until all others run the newer for
/// good: so the cluster has not gone over to newer rules while one of them could still come back
/// older, which its operators must not let happen either.
#[derive(Clone, Debug)]
pub(super) struct Builds {
    older: [bool; NODES],
    /// The machine that keeps the older build; none once there is no way back.
    anchor: Option<usize>,
    /// Until when machines may go back.
    back_until: Duration,
    /// Whether all are replaced in the end.
    pub(super) finishes: bool,
    /// How many processes were of a newer build than the one before, and of an older.
    pub(super) upgrades: u64,
    pub(super) downgrades: u64,
}

impl Builds {
    pub(super) fn draw(dice: &mut Rng, ticks: Duration) -> Self {
        let mixed = dice.bool();
        let anchor = dice.usize(..NODES);
        Self {
            older: [mixed; NODES],
            anchor: mixed.then_some(anchor),
            back_until: ticks.mul_f64(dice.f64()),
            finishes: dice.u8(0..4) > 0,
            upgrades: 0,
            downgrades: 0,
        }
    }

    /// The newest engine version that the build on machine `number` goes along with.
    pub(super) fn version(&self, number: usize) -> u32 {
        if self.older[number] { OLDER } else { ENGINE_VERSION }
    }

    /// The version of the rules that all come to decide by.
    pub(super) fn common(&self) -> u32 {
        if self.older.contains(&true) { OLDER } else { ENGINE_VERSION }
    }

    /// The process on machine `number` is started again at `now`, maybe as another build.
    pub(super) fn restarts(&mut self, number: usize, now: Duration, dice: &mut Rng) {
        let Some(anchor) = self.anchor.filter(|_| dice.u8(0..3) == 0) else { return };
        if number == anchor {
            if now >= self.back_until && self.others_are_newer(number) {
                self.upgrade(number);
            }
        } else if self.older[number] {
            self.upgrade(number);
        } else if now < self.back_until {
            self.older[number] = true;
            self.downgrades += 1;
        }
    }

    /// True if the machine may come back with an empty disk: it does so with the newer build, and
    /// while it is no member nobody holds up newer rules for its sake.
    pub(super) fn may_be_replaced(&self, number: usize) -> bool {
        self.anchor != Some(number) || self.others_are_newer(number)
    }

    /// The machine comes back with an empty disk.
    pub(super) fn replaced(&mut self, number: usize) {
        if self.older[number] {
            self.upgrade(number);
        }
    }

    /// Those that are to be replaced in the end, in an order in which they may be.
    pub(super) fn rest(&self) -> Vec<usize> {
        let mut rest: Vec<_> = (0..NODES).filter(|number| self.older[*number]).collect();
        rest.sort_by_key(|number| self.anchor == Some(*number));
        rest
    }

    pub(super) fn upgrade(&mut self, number: usize) {
        self.older[number] = false;
        self.upgrades += 1;
        self.anchor = self.anchor.filter(|anchor| *anchor != number);
    }

    /// True if the machine keeps the older build until no other goes back.
    pub(super) fn is_anchor(&self, number: usize) -> bool {
        self.anchor == Some(number)
    }

    fn others_are_newer(&self, number: usize) -> bool {
        (0..NODES).all(|other| other == number || !self.older[other])
    }
}
