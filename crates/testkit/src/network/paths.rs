use std::collections::BTreeMap;
use std::ops::RangeInclusive;
use std::time::Duration;

use fastrand::Rng;

use super::machine::MachineId;

/// How long bytes take unless something else is said: within one data centre.
const LATENCY: RangeInclusive<Duration> = Duration::from_micros(100)..=Duration::from_millis(2);

/// How long after a heal a sender may take until it sends again: the least that Linux waits for an
/// acknowledgement.
const RETRANSMISSION: RangeInclusive<Duration> = Duration::ZERO..=Duration::from_millis(200);

/// What lies between machines.
pub(super) struct Paths {
    random: Rng,
    pub(super) latency: RangeInclusive<Duration>,
    /// Of the directed pairs about which something was said.
    between: BTreeMap<(MachineId, MachineId), Path>,
}

#[derive(Default)]
struct Path {
    latency: Option<RangeInclusive<Duration>>,
    cut: bool,
}

impl Paths {
    pub(super) fn new(random: Rng) -> Self {
        Self { random, latency: LATENCY, between: BTreeMap::new() }
    }

    pub(super) fn set_latency(
        &mut self,
        from: MachineId,
        to: MachineId,
        range: RangeInclusive<Duration>,
    ) {
        self.between.entry((from, to)).or_default().latency = Some(range);
    }

    /// True if that changes something.
    pub(super) fn set_cut(&mut self, from: MachineId, to: MachineId, cut: bool) -> bool {
        let path = self.between.entry((from, to)).or_default();
        from != to && std::mem::replace(&mut path.cut, cut) != cut
    }

    pub(super) fn is_cut(&self, from: MachineId, to: MachineId) -> bool {
        self.between.get(&(from, to)).is_some_and(|path| path.cut)
    }

    /// The directions that are cut, in order.
    pub(super) fn cuts(&self) -> Vec<(MachineId, MachineId)> {
        let cut = self.between.iter().filter(|(_, path)| path.cut);
        cut.map(|(direction, _)| *direction).collect()
    }

    /// How long the next thing takes. Within one machine it takes no time.
    pub(super) fn draw_latency(&mut self, from: MachineId, to: MachineId) -> Duration {
        if from == to {
            return Duration::ZERO;
        }
        let own = self.between.get(&(from, to)).and_then(|path| path.latency.clone());
        let range = own.unwrap_or_else(|| self.latency.clone());
        self.draw(&range)
    }

    /// How long until what was lost is there after all.
    pub(super) fn draw_retransmission(&mut self, from: MachineId, to: MachineId) -> Duration {
        self.draw(&RETRANSMISSION) + self.draw_latency(from, to)
    }

    /// Where a write of so many bytes is cut in two, if it is.
    pub(super) fn draw_split(&mut self, bytes: usize) -> Option<usize> {
        let splits = bytes > 1 && self.random.u8(0..8) == 0;
        splits.then(|| self.random.usize(1..bytes))
    }

    fn draw(&mut self, range: &RangeInclusive<Duration>) -> Duration {
        let nanos = |time: &Duration| u64::try_from(time.as_nanos()).unwrap_or(u64::MAX);
        let (least, most) = (nanos(range.start()), nanos(range.end()));
        Duration::from_nanos(self.random.u64(least..=most.max(least)))
    }
}
