use std::ops::AddAssign;

use catga_testkit::disk::Counts;
use serde::{Deserialize, Serialize};

use crate::nemesis::End;

/// What a run went through, so that one that tested nothing is known for it.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default)]
#[non_exhaustive]
pub struct Exercised {
    /// Runs.
    pub runs: u64,
    /// Simulated milliseconds.
    pub ticks: u64,
    /// Commands that were acknowledged.
    pub acknowledged: u64,
    /// Commands that were sent again after their outcome was unknown, and then answered.
    pub settled: u64,
    /// Commands that were sent again although they had been answered.
    pub repeated: u64,
    /// Reads that were checked.
    pub reads: u64,
    /// Faults that proved that nothing was executed.
    pub not_executed: u64,
    /// Faults that left the outcome unknown.
    pub unknown: u64,
    /// Losses of power.
    pub power_cuts: u64,
    /// Deaths of the process alone.
    pub kills: u64,
    /// Orderly stops.
    pub stops: u64,
    /// Elections that were forced while commands were under way.
    pub elections: u64,
    /// Times when the disk was full.
    pub full_disks: u64,
    /// Times when a sync failed.
    pub failed_syncs: u64,
    /// Times when the disk was slow.
    pub slow_disks: u64,
    /// Starts from a checkpoint.
    pub from_checkpoint: u64,
    /// Starts on a log whose beginning was gone.
    pub from_purged_log: u64,
    /// Writes that a loss of power took in part.
    pub torn_writes: u64,
    /// Writes that it took whole.
    pub lost_writes: u64,
    /// Names that it took.
    pub lost_names: u64,
}

impl Exercised {
    /// Everything by name, for a table.
    pub fn rows(&self) -> [(&'static str, u64); 20] {
        [
            ("runs", self.runs),
            ("ticks", self.ticks),
            ("acknowledged", self.acknowledged),
            ("settled after a doubt", self.settled),
            ("repeated", self.repeated),
            ("reads", self.reads),
            ("not executed", self.not_executed),
            ("unknown", self.unknown),
            ("power cuts", self.power_cuts),
            ("kills", self.kills),
            ("orderly stops", self.stops),
            ("elections", self.elections),
            ("full disks", self.full_disks),
            ("failed syncs", self.failed_syncs),
            ("slow disks", self.slow_disks),
            ("starts from a checkpoint", self.from_checkpoint),
            ("starts on a purged log", self.from_purged_log),
            ("torn writes", self.torn_writes),
            ("lost writes", self.lost_writes),
            ("lost names", self.lost_names),
        ]
    }

    /// The names of what never happened.
    pub fn missing(&self) -> Vec<&'static str> {
        self.rows().into_iter().filter(|(_, count)| *count == 0).map(|(name, _)| name).collect()
    }

    pub(crate) fn count(&mut self, end: End) {
        match end {
            End::PowerCut => self.power_cuts += 1,
            End::Kill => self.kills += 1,
            End::Stop => self.stops += 1,
        }
    }

    pub(crate) fn take(&mut self, counts: &Counts) {
        self.torn_writes += counts.torn_writes;
        self.lost_writes += counts.lost_writes;
        self.lost_names += counts.lost_names;
        self.failed_syncs += counts.failed_syncs;
    }
}

impl AddAssign for Exercised {
    fn add_assign(&mut self, other: Self) {
        let Self {
            runs,
            ticks,
            acknowledged,
            settled,
            repeated,
            reads,
            not_executed,
            unknown,
            power_cuts,
            kills,
            stops,
            elections,
            full_disks,
            failed_syncs,
            slow_disks,
            from_checkpoint,
            from_purged_log,
            torn_writes,
            lost_writes,
            lost_names,
        } = other;
        self.runs += runs;
        self.ticks += ticks;
        self.acknowledged += acknowledged;
        self.settled += settled;
        self.repeated += repeated;
        self.reads += reads;
        self.not_executed += not_executed;
        self.unknown += unknown;
        self.power_cuts += power_cuts;
        self.kills += kills;
        self.stops += stops;
        self.elections += elections;
        self.full_disks += full_disks;
        self.failed_syncs += failed_syncs;
        self.slow_disks += slow_disks;
        self.from_checkpoint += from_checkpoint;
        self.from_purged_log += from_purged_log;
        self.torn_writes += torn_writes;
        self.lost_writes += lost_writes;
        self.lost_names += lost_names;
    }
}
