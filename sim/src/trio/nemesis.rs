use std::sync::Arc;
use std::time::Duration;

use catga_core::Offset;
use catga_testkit::disk::{Call, Fault};
use catga_testkit::network::SimNetwork;
use fastrand::Rng;

use super::NODES;
use super::builds::Builds;
use super::replacing::Replacing;
use super::rot::Rot;
use super::site::Site;
use crate::tuning::Tuning;
use crate::{Exercised, Violation};

/// What happens to the nodes.
pub(super) struct Nemesis<'a> {
    sites: Arc<[Site]>,
    network: &'a SimNetwork,
    tuning: &'a Tuning,
    dice: Rng,
    /// How many milliseconds it leaves everybody alone, at most.
    calm: u64,
    /// Whose disk loses bits: only one, as the others must have what it lost.
    rotten: usize,
    /// Who is being replaced, if somebody is.
    replacing: Option<Replacing>,
    /// Who was replaced last, if anybody was: it may have no vote yet.
    replaced: Option<usize>,
    /// It has lost some.
    flipped: bool,
    /// One of them, if it is not known yet what the node makes of that.
    rot: Option<Rot>,
    /// Who runs which build.
    pub(super) builds: Builds,
    /// What is made good again, and when.
    mending: Vec<(Duration, Mend)>,
}

/// What makes good again what was done, or goes on with it.
#[derive(Clone, Debug)]
enum Mend {
    Start(usize),
    Resume(usize),
    Cut(usize, usize),
    Heal(usize, usize),
    Latency,
    Disk(usize),
}

/// The way from one machine to another when nothing is wrong.
const LATENCY: std::ops::RangeInclusive<Duration> =
    Duration::from_micros(100)..=Duration::from_millis(2);

impl<'a> Nemesis<'a> {
    pub(super) fn new(
        sites: &Arc<[Site]>,
        network: &'a SimNetwork,
        tuning: &'a Tuning,
        builds: Builds,
        seed: u64,
    ) -> Self {
        network.set_latency(LATENCY);
        let mut dice = Rng::with_seed(seed);
        let (calm, rotten) = (dice.u64(100..1_000), dice.usize(..NODES));
        Self {
            sites: Arc::clone(sites),
            network,
            tuning,
            dice,
            calm,
            rotten,
            replacing: None,
            replaced: None,
            flipped: false,
            rot: None,
            builds,
            mending: Vec::new(),
        }
    }

    /// How long it leaves everybody alone.
    pub(super) fn pause(&mut self) -> Duration {
        Duration::from_millis(self.dice.u64(1..self.calm))
    }

    /// Makes good what is due, and does the next thing.
    pub(super) async fn strike(&mut self, now: Duration) -> Result<Exercised, Violation> {
        let mut exercised = Exercised::default();
        let due: Vec<_> = self.mending.extract_if(.., |(when, _)| *when <= now).collect();
        for (_, mend) in due {
            if let Mend::Start(number) = mend {
                self.builds.restarts(number, now, &mut self.dice);
                self.sites[number].build(self.builds.version(number));
            }
            self.mend(mend).await;
        }
        self.replace(now, &mut exercised).await?;
        for number in 0..NODES {
            if let Some(why) = self.sites[number].ended()? {
                // As whoever runs it would: the process has ended, and is started again.
                self.sites[number].host.trace().note(format_args!("ended: {why}"));
                self.sites[number].end(false).await;
                self.later(now, 1..100, Mend::Start(number));
            }
        }
        self.rot(now, &mut exercised).await;
        let victim = self.victim();
        let other = (victim + 1 + self.dice.usize(..NODES - 1)) % NODES;
        let site = &self.sites[victim];
        let led = site.leads().is_some();
        let cluster = &mut exercised.cluster;
        match self.dice.u8(0..40) {
            0..=2 if self.runs(victim) => {
                exercised.kills += 1;
                cluster.leader_ends += u64::from(led);
                site.end(false).await;
                self.later(now, 1..600, Mend::Start(victim));
            }
            3..=5 if self.runs(victim) => {
                exercised.power_cuts += 1;
                cluster.leader_ends += u64::from(led);
                site.end(true).await;
                self.later(now, 1..600, Mend::Start(victim));
            }
            6 if (0..NODES).all(|number| self.runs(number)) => {
                cluster.all_ended += 1;
                for number in 0..NODES {
                    exercised.power_cuts += 1;
                    self.sites[number].end(true).await;
                    self.later(now, 1..200, Mend::Start(number));
                }
            }
            7..=8 if self.runs(victim) => {
                exercised.stops += 1;
                cluster.leader_ends += u64::from(led);
                site.drain().await;
                self.later(now, 1..300, Mend::Start(victim));
            }
            9..=12 if self.runs(victim) => {
                cluster.pauses += 1;
                site.host.pause();
                self.later(now, 1..900, Mend::Resume(victim));
            }
            13..=15 => {
                cluster.isolations += 1;
                for number in (0..NODES).filter(|number| *number != victim) {
                    self.cut(victim, number);
                    self.cut(number, victim);
                    self.later(now, 1..1_200, Mend::Heal(victim, number));
                }
            }
            16..=18 => {
                cluster.one_way_cuts += 1;
                self.cut(victim, other);
                self.later(now, 1..1_200, Mend::Heal(victim, other));
            }
            19..=20 => {
                cluster.resets += 1;
                self.network.reset(&site.name(), &self.sites[other].name());
            }
            21..=22 => {
                cluster.clock_steps += 1;
                let step = Duration::from_secs(self.dice.u64(1..3_600));
                match self.dice.bool() {
                    true => site.host.step_wall(step),
                    false => site.host.step_wall_back(step),
                }
            }
            23..=24 => {
                cluster.late_links += 1;
                let late = Duration::from_millis(self.dice.u64(5..80));
                self.network.set_latency(late / 4..=late);
                self.later(now, 1..500, Mend::Latency);
            }
            25..=26 => {
                exercised.slow_disks += 1;
                let slow = Duration::from_millis(self.dice.u64(20..200));
                site.host.disk().set_sync_time(slow / 2..=slow);
                self.later(now, 1..400, Mend::Disk(victim));
            }
            27 => {
                exercised.full_disks += 1;
                site.set_troubled(true);
                let disk = site.host.disk();
                disk.set_capacity(disk.used_bytes() + self.dice.u64(0..8192));
                self.later(now, 1..300, Mend::Disk(victim));
            }
            28 if self.dice.bool() => {
                // Fatal for the node, whenever it comes.
                site.set_troubled(true);
                site.host.disk().fail(Fault::of(Call::Sync).nth(self.dice.u64(1..20)));
                self.later(now, 1..300, Mend::Disk(victim));
            }
            29..=30 => {
                exercised.elections += 1;
                // Leadership moves although nothing is wrong.
                if let Some(leader) =
                    (0..NODES).find(|number| self.sites[*number].leads().is_some())
                {
                    self.network.set_latency(Duration::ZERO..=Duration::from_millis(1));
                    self.sites[leader].host.pause();
                    self.later(now, 150..400, Mend::Resume(leader));
                    self.later(now, 1..50, Mend::Latency);
                }
            }
            31 if self.replacing.is_none() || self.is_replaced(self.rotten) => {
                let flipped = self.sites[self.rotten].flip_a_bit(&mut self.dice);
                cluster.flipped_bits += u64::from(flipped);
                self.flipped |= flipped;
            }
            33 => {
                cluster.swizzles += 1;
                for from in 0..NODES {
                    for to in (0..NODES).filter(|to| *to != from) {
                        self.later(now, 1..400, Mend::Cut(from, to));
                        self.later(now, 400..1_200, Mend::Heal(from, to));
                    }
                }
            }
            34 => {
                cluster.flaps += 1;
                for time in 0..self.dice.u64(2..8) {
                    let at = time * 200;
                    self.later(now, at..at + 50, Mend::Cut(victim, other));
                    self.later(now, at..at + 50, Mend::Cut(other, victim));
                    self.later(now, at + 100..at + 150, Mend::Heal(victim, other));
                }
            }
            35..=37 if self.tuning.rots && self.runs(victim) => {
                // Wherever it meets the node, also while it starts.
                site.set_troubled(true);
                let call = if self.dice.bool() { Call::Read } else { Call::Write };
                site.host.disk().fail(Fault::of(call).nth(self.dice.u64(1..30)));
                if self.dice.bool() {
                    exercised.kills += 1;
                    site.end(false).await;
                    self.later(now, 1..50, Mend::Start(victim));
                }
                self.later(now, 50..400, Mend::Disk(victim));
            }
            32 if self.may_be_replaced(victim) => {
                // It is taken out alive, or dead, or dies meanwhile.
                site.set_troubled(true);
                if self.dice.bool() {
                    cluster.leader_ends += u64::from(led);
                    exercised.power_cuts += 1;
                    site.end(true).await;
                }
                self.replacing = Some(Replacing::new(victim));
                self.replaced = Some(victim);
            }
            _ => {}
        }
        Ok(exercised)
    }

    /// Goes on with the replacement of a node, if there is one; true if there is none any more.
    ///
    /// # Errors
    /// When the node goes on although it was taken out.
    pub(super) async fn replace(
        &mut self,
        now: Duration,
        exercised: &mut Exercised,
    ) -> Result<bool, Violation> {
        self.judge_rot(exercised)?;
        let by = self.dice.usize(..NODES);
        let Some(replacing) = &mut self.replacing else { return Ok(self.rot.is_none()) };
        if !replacing.is_done(&self.sites, by, now, &mut exercised.evaluated)? {
            return Ok(false);
        }
        let number = replacing.number;
        self.replacing = None;
        if number == self.rotten {
            self.rot = None;
        }
        let site = &self.sites[number];
        site.wipe().await;
        self.builds.replaced(number);
        site.build(self.builds.version(number));
        site.set_troubled(false);
        site.start(self.tuning);
        Ok(true)
    }

    /// Has the rotten disk lose something that its node needs to start, now and then.
    async fn rot(&mut self, now: Duration, exercised: &mut Exercised) {
        if !self.may_rot() || self.dice.u8(0..6) > 0 {
            return;
        }
        let site = &self.sites[self.rotten];
        let Some(rot) = Rot::of(site, &mut self.dice) else { return };
        rot.count(exercised);
        site.set_troubled(true);
        (self.rot, self.flipped) = (Some(rot), true);
        // Mostly it shows soon.
        if self.dice.u8(0..4) > 0 {
            exercised.power_cuts += 1;
            site.end(true).await;
            self.later(now, 1..100, Mend::Start(self.rotten));
        }
    }

    /// What the rotten disk has lost keeps its node from starting, so that it is replaced; or it starts
    /// because it can do without.
    ///
    /// # Errors
    /// When it must not have started.
    fn judge_rot(&mut self, exercised: &mut Exercised) -> Result<(), Violation> {
        let Some(rot) = &self.rot else { return Ok(()) };
        let (number, site) = (self.rotten, &self.sites[self.rotten]);
        if site.refuses() && self.replacing.is_none() {
            site.host.trace().note("refused");
            exercised.cluster.refused_starts += 1;
            (self.replacing, self.replaced) = (Some(Replacing::new(number)), Some(number));
            self.rot = None;
        } else if site.serves() && !rot.is_unseen(site) {
            rot.is_borne(site)?;
            self.rot = None;
            site.set_troubled(self.is_mended_later(number));
        }
        Ok(())
    }

    /// Has the node start on what its disk has lost, if it has not yet.
    pub(super) async fn show_rot(&mut self) {
        let site = &self.sites[self.rotten];
        if self.rot.as_ref().is_some_and(|rot| rot.is_unseen(site)) {
            site.end(true).await;
            site.start(self.tuning);
        }
    }

    /// Makes everything good again for all but one, which stays dead, or cut off; who that is. None
    /// if two could not do without the third.
    pub(super) async fn heal_core(&mut self) -> Option<usize> {
        // A cluster begins with all of its members.
        if !self
            .sites
            .iter()
            .any(|site| site.rolling_hash().is_some_and(|(at, _)| at > Offset::ZERO))
        {
            return None;
        }
        let outsider = match (self.replaced, self.flipped) {
            // One may have no vote yet, and the other one lack what only the third has.
            (Some(replaced), true) if replaced != self.rotten => return None,
            (Some(replaced), _) => replaced,
            (None, true) => self.rotten,
            (None, false) => self.dice.usize(..NODES),
        };
        self.network.heal_all();
        self.network.set_latency(LATENCY);
        if self.replacing.is_none() && self.dice.bool() {
            self.sites[outsider].end(true).await;
        }
        for number in (0..NODES).filter(|number| *number != outsider) {
            self.cut(outsider, number);
            self.cut(number, outsider);
        }
        let mending = std::mem::take(&mut self.mending);
        for (when, mend) in mending {
            match mend {
                Mend::Start(number) | Mend::Resume(number) | Mend::Disk(number)
                    if number == outsider =>
                {
                    self.mending.push((when, mend));
                }
                Mend::Start(_) | Mend::Resume(_) | Mend::Disk(_) => self.mend(mend).await,
                Mend::Cut(..) | Mend::Heal(..) | Mend::Latency => {}
            }
        }
        for number in (0..NODES).filter(|number| *number != outsider) {
            self.restore(number).await;
        }
        Some(outsider)
    }

    /// Makes everything good again.
    pub(super) async fn end(&mut self) {
        self.network.heal_all();
        let mending = std::mem::take(&mut self.mending);
        for (_, mend) in mending.into_iter().filter(|(_, mend)| !matches!(mend, Mend::Cut(..))) {
            self.mend(mend).await;
        }
        for number in 0..NODES {
            self.restore(number).await;
        }
    }

    /// Has all run the newest build, one after the other.
    pub(super) async fn upgrade_rest(&mut self) {
        for number in self.builds.rest() {
            self.builds.upgrade(number);
            let site = &self.sites[number];
            site.build(self.builds.version(number));
            // One that is being replaced comes back with it.
            if !self.is_replaced(number) {
                site.drain().await;
                site.start(self.tuning);
            }
        }
    }

    /// Makes a machine good again, and has its node run.
    async fn restore(&mut self, number: usize) {
        self.mend(Mend::Resume(number)).await;
        self.mend(Mend::Disk(number)).await;
        let site = &self.sites[number];
        let ended = !matches!(site.ended(), Ok(None)) || !site.runs();
        if ended && !self.is_replaced(number) {
            site.end(false).await;
            site.start(self.tuning);
        }
    }

    async fn mend(&mut self, mend: Mend) {
        match mend {
            // Its data is of no use any more, or will not be in a moment.
            Mend::Start(number) if self.is_replaced(number) => {}
            Mend::Start(number) => self.sites[number].start(self.tuning),
            Mend::Resume(number) => self.sites[number].host.resume(),
            Mend::Cut(from, to) => self.cut(from, to),
            Mend::Heal(from, to) => {
                let (from, to) = (self.sites[from].name(), self.sites[to].name());
                self.network.heal(&from, &to);
                self.network.heal(&to, &from);
            }
            Mend::Latency => self.network.set_latency(LATENCY),
            Mend::Disk(number) => {
                let site = &self.sites[number];
                let disk = site.host.disk();
                disk.heal();
                disk.set_capacity(u64::MAX >> 16);
                disk.set_sync_time(self.tuning.sync_time.clone());
                // What it did to a node that runs or starts shows now, or never.
                let is_well =
                    site.serves() && !site.is_doomed() && matches!(site.ended(), Ok(None));
                if site.runs() && (!is_well || self.stands_still(number)) {
                    site.end(false).await;
                    site.start(self.tuning);
                }
                let is_rotten = self.rot.is_some() && number == self.rotten;
                site.set_troubled(self.is_replaced(number) || is_rotten);
            }
        }
    }

    /// True if the others can do without it for good: of what a disk has lost, one of them must have
    /// the rest.
    fn may_be_replaced(&self, number: usize) -> bool {
        self.replacing.is_none()
            && self.builds.may_be_replaced(number)
            && (!self.flipped || number == self.rotten)
            && self.sites.iter().all(Site::serves)
    }

    /// True if the disk that rots may lose something that its node cannot do without: the others
    /// have votes and all that was acknowledged, and take it out.
    fn may_rot(&self) -> bool {
        self.tuning.rots
            && self.rot.is_none()
            && self.replaced.is_none_or(|replaced| replaced == self.rotten)
            && !self.builds.is_anchor(self.rotten)
            && self.may_be_replaced(self.rotten)
    }

    fn is_replaced(&self, number: usize) -> bool {
        self.replacing.as_ref().is_some_and(|replacing| replacing.number == number)
    }

    /// Somebody; half of the time the leader.
    fn victim(&mut self) -> usize {
        let leader = (0..NODES).find(|number| self.sites[*number].leads().is_some());
        match leader {
            Some(leader) if self.dice.bool() => leader,
            _ => self.dice.usize(..NODES),
        }
    }

    /// True if its process runs and does not stand still.
    fn runs(&self, number: usize) -> bool {
        self.sites[number].runs() && !self.stands_still(number)
    }

    /// True if its disk is not what it should be for a while.
    fn is_mended_later(&self, number: usize) -> bool {
        self.mending.iter().any(|(_, mend)| matches!(mend, Mend::Disk(of) if *of == number))
    }

    fn stands_still(&self, number: usize) -> bool {
        self.mending.iter().any(|(_, mend)| matches!(mend, Mend::Resume(of) if *of == number))
    }

    fn cut(&self, from: usize, to: usize) {
        self.network.cut(&self.sites[from].name(), &self.sites[to].name());
    }

    fn later(&mut self, now: Duration, wait: std::ops::Range<u64>, mend: Mend) {
        let when = now + Duration::from_millis(self.dice.u64(wait));
        self.mending.push((when, mend));
    }
}
