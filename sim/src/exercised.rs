use std::ops::AddAssign;

use catga::{Position, ReadLevel};
use catga_testkit::disk::Counts;
use serde::{Deserialize, Serialize};

use crate::invariants::Evaluations;
use crate::nemesis::End;
use crate::unruly::Deeds;

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
    /// Commands that nobody answered, as when the node died.
    pub unanswered: u64,
    /// Commands that were refused, as what was cancelled already.
    pub refused: u64,
    /// Reads of everything that was acknowledged.
    pub linearizable_reads: u64,
    /// Reads of what the client had seen at another node.
    pub session_reads: u64,
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
    /// Starts of a lone node on a log whose beginning was gone.
    pub from_purged_log: u64,
    /// Writes that a loss of power took in part.
    pub torn_writes: u64,
    /// Writes that it took whole.
    pub lost_writes: u64,
    /// Names that it took.
    pub lost_names: u64,
    /// Handlers that panicked on purpose.
    pub panics: u64,
    /// Handlers that never ended.
    pub endless: u64,
    /// Nodes that went on although a fold of theirs had panicked.
    pub broken_folds: u64,
    /// Deliveries that did.
    pub broken_deliveries: u64,
    /// Events on which a subscriber gave up.
    pub dead_letters: u64,
    /// Keys that counted again after they had been forgotten.
    pub keys_used_again: u64,
    /// Commands under a new key when there was no room for one.
    pub no_room: u64,
    /// How often each promise was looked at.
    pub evaluated: Evaluations,
    /// What only several nodes go through.
    pub cluster: ClusterExercised,
}

/// What only several nodes go through.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default)]
#[non_exhaustive]
pub struct ClusterExercised {
    /// Commands that were acknowledged by another node than the leader.
    pub forwarded: u64,
    /// Terms in which somebody led.
    pub leaders: u64,
    /// Leaders whose process or machine ended.
    pub leader_ends: u64,
    /// Times when all lost their power at once.
    pub all_ended: u64,
    /// Processes that stood still.
    pub pauses: u64,
    /// Nodes that were cut off.
    pub isolations: u64,
    /// Links that were cut one way.
    pub one_way_cuts: u64,
    /// Links that were broken.
    pub resets: u64,
    /// Wall clocks that were set.
    pub clock_steps: u64,
    /// Links that became slow.
    pub late_links: u64,
    /// Nodes that the log reached no more, so that they took over the state of another.
    pub taken_over: u64,
    /// Bits that a disk lost of a node's history.
    pub flipped_bits: u64,
    /// Bits that it lost of the entries of its log.
    pub rotten_logs: u64,
    /// Bits of a vote that it had written down.
    pub rotten_votes: u64,
    /// Bits of a checkpoint.
    pub rotten_checkpoints: u64,
    /// Nodes that did not start for such a bit, said where, and were replaced.
    pub refused_starts: u64,
    /// Reads that a disk failed.
    pub failed_reads: u64,
    /// Writes that it failed.
    pub failed_writes: u64,
    /// Parts of a history that another node mended.
    pub mended: u64,
    /// Times when all links were cut one after the other, and healed in another order.
    pub swizzles: u64,
    /// Links that came and went.
    pub flaps: u64,
    /// Times when two nodes had to serve while nobody helped the third.
    pub cores: u64,
    /// Members that were taken out and came back with an empty disk.
    pub replaced: u64,
    /// Processes of a newer build than the one before on their machine.
    pub upgrades: u64,
    /// Processes of an older one.
    pub downgrades: u64,
    /// Runs that ended with builds of two engine versions.
    pub mixed: u64,
    /// Clusters that went over to newer rules once all their nodes knew them.
    pub gone_over: u64,
}

impl Exercised {
    /// Everything by name, for a table.
    pub fn rows(&self) -> Vec<(&'static str, u64)> {
        let one = [
            ("runs", self.runs),
            ("ticks", self.ticks),
            ("acknowledged", self.acknowledged),
            ("settled after a doubt", self.settled),
            ("repeated", self.repeated),
            ("reads", self.reads),
            ("not executed", self.not_executed),
            ("unknown", self.unknown),
            ("unanswered", self.unanswered),
            ("refused", self.refused),
            ("linearizable reads", self.linearizable_reads),
            ("session reads", self.session_reads),
            ("power cuts", self.power_cuts),
            ("kills", self.kills),
            ("orderly stops", self.stops),
            ("elections", self.elections),
            ("full disks", self.full_disks),
            ("failed syncs", self.failed_syncs),
            ("slow disks", self.slow_disks),
            ("starts from a checkpoint", self.from_checkpoint),
            ("torn writes", self.torn_writes),
            ("lost writes", self.lost_writes),
            ("lost names", self.lost_names),
            ("handlers that panicked", self.panics),
            ("handlers without an end", self.endless),
            ("folds that panicked", self.broken_folds),
            ("deliveries that panicked", self.broken_deliveries),
            ("dead letters", self.dead_letters),
            ("forgotten keys", self.keys_used_again),
            ("no room for a key", self.no_room),
        ];
        let cluster = self.cluster;
        // A lone node goes through none of them.
        let several = [
            ("forwarded", cluster.forwarded),
            ("leaders", cluster.leaders),
            ("ends of a leader", cluster.leader_ends),
            ("ends of all", cluster.all_ended),
            ("pauses", cluster.pauses),
            ("isolated nodes", cluster.isolations),
            ("one-way cuts", cluster.one_way_cuts),
            ("broken links", cluster.resets),
            ("clock steps", cluster.clock_steps),
            ("slow links", cluster.late_links),
            ("states taken over", cluster.taken_over),
            ("flipped bits", cluster.flipped_bits),
            ("mended histories", cluster.mended),
            ("rotten logs", cluster.rotten_logs),
            ("rotten votes", cluster.rotten_votes),
            ("rotten checkpoints", cluster.rotten_checkpoints),
            ("refused starts", cluster.refused_starts),
            ("failed reads", cluster.failed_reads),
            ("failed writes", cluster.failed_writes),
            ("swizzled links", cluster.swizzles),
            ("flapping links", cluster.flaps),
            ("cores that served", cluster.cores),
            ("replaced members", cluster.replaced),
            ("newer builds", cluster.upgrades),
            ("former builds", cluster.downgrades),
            ("ends with two builds", cluster.mixed),
            ("gone over to newer rules", cluster.gone_over),
        ];
        let alone = [("starts on a purged log", self.from_purged_log)];
        let is_cluster = cluster != ClusterExercised::default();
        let rest = if is_cluster { &several[..] } else { &alone };
        one.iter().chain(rest).copied().collect()
    }

    /// The names of what never happened, and of what was never looked at.
    pub fn missing(&self) -> Vec<&'static str> {
        let promises = self.evaluated.rows().map(|(invariant, count)| (invariant.title(), count));
        let all = self.rows().into_iter().chain(promises);
        all.filter(|(_, count)| *count == 0).map(|(name, _)| name).collect()
    }

    pub(crate) fn read(&mut self, level: ReadLevel, seen: Option<Position>) {
        self.reads += 1;
        self.linearizable_reads += u64::from(level == ReadLevel::Linearizable);
        self.session_reads += u64::from(seen.is_some());
    }

    pub(crate) fn count(&mut self, end: End) {
        match end {
            End::PowerCut => self.power_cuts += 1,
            End::Kill => self.kills += 1,
            End::Stop => self.stops += 1,
        }
    }

    /// What the code of the service that misbehaves did.
    pub(crate) fn misdeeds(&mut self, deeds: &Deeds) {
        self.panics += deeds.panics;
        self.endless += deeds.stays;
        self.broken_deliveries += deeds.broken_deliveries;
    }

    pub(crate) fn take(&mut self, counts: &Counts) {
        self.torn_writes += counts.torn_writes;
        self.lost_writes += counts.lost_writes;
        self.lost_names += counts.lost_names;
        self.failed_syncs += counts.failed_syncs;
        self.cluster.failed_reads += counts.failed_reads;
        self.cluster.failed_writes += counts.failed_writes;
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
            unanswered,
            refused,
            linearizable_reads,
            session_reads,
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
            panics,
            endless,
            broken_folds,
            broken_deliveries,
            dead_letters,
            keys_used_again,
            no_room,
            evaluated,
            cluster,
        } = other;
        self.runs += runs;
        self.ticks += ticks;
        self.acknowledged += acknowledged;
        self.settled += settled;
        self.repeated += repeated;
        self.reads += reads;
        self.not_executed += not_executed;
        self.unknown += unknown;
        self.unanswered += unanswered;
        self.refused += refused;
        self.linearizable_reads += linearizable_reads;
        self.session_reads += session_reads;
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
        self.panics += panics;
        self.endless += endless;
        self.broken_folds += broken_folds;
        self.broken_deliveries += broken_deliveries;
        self.dead_letters += dead_letters;
        self.keys_used_again += keys_used_again;
        self.no_room += no_room;
        self.evaluated += evaluated;
        self.cluster += cluster;
    }
}

impl AddAssign for ClusterExercised {
    fn add_assign(&mut self, other: Self) {
        let Self {
            forwarded,
            leaders,
            leader_ends,
            all_ended,
            pauses,
            isolations,
            one_way_cuts,
            resets,
            clock_steps,
            late_links,
            taken_over,
            flipped_bits,
            rotten_logs,
            rotten_votes,
            rotten_checkpoints,
            refused_starts,
            failed_reads,
            failed_writes,
            mended,
            swizzles,
            flaps,
            cores,
            replaced,
            upgrades,
            downgrades,
            mixed,
            gone_over,
        } = other;
        self.forwarded += forwarded;
        self.leaders += leaders;
        self.leader_ends += leader_ends;
        self.all_ended += all_ended;
        self.pauses += pauses;
        self.isolations += isolations;
        self.one_way_cuts += one_way_cuts;
        self.resets += resets;
        self.clock_steps += clock_steps;
        self.late_links += late_links;
        self.taken_over += taken_over;
        self.flipped_bits += flipped_bits;
        self.rotten_logs += rotten_logs;
        self.rotten_votes += rotten_votes;
        self.rotten_checkpoints += rotten_checkpoints;
        self.refused_starts += refused_starts;
        self.failed_reads += failed_reads;
        self.failed_writes += failed_writes;
        self.mended += mended;
        self.swizzles += swizzles;
        self.flaps += flaps;
        self.cores += cores;
        self.replaced += replaced;
        self.upgrades += upgrades;
        self.downgrades += downgrades;
        self.mixed += mixed;
        self.gone_over += gone_over;
    }
}
