use std::sync::Arc;
use std::time::Duration;

use catga::prelude::*;
use catga::{FaultCode, ReadLevel};
use catga_host::{Host, timeout};
use fastrand::Rng;

use super::{Act, Deed, GetBrittle, GetNoted, Panic, World};
use crate::client::Reach;
use crate::invariants::{Misdeed, SERVE_WAIT, is_certain, is_isolated, must};
use crate::ledger::Ledger;
use crate::{Invariant, Violation};

/// How many bytes one command fills.
pub(crate) const FILLING_BYTES: usize = 8 << 10;

/// How many events that a projection cannot fold there are at most, and as many that the subscriber
/// cannot take: a few say it all.
const BREAKS_MAX: u64 = 3;

/// How often in a row a request may be lost on its way when nothing is wrong any more: connections are
/// made anew for a while.
const TRIES_MAX: u32 = 4;

/// Whoever has the service misbehave, and what it must show for it.
#[derive(Debug)]
pub(crate) struct Unruly {
    ledger: Arc<Ledger>,
    world: Arc<World>,
    dice: Rng,
    /// How many commands there were.
    acts: u64,
    /// Those that have to be answered in the end.
    pending: Vec<Act>,
    /// Those that were.
    done: Vec<Act>,
    broken_folds: u64,
    broken_deliveries: u64,
}

impl Unruly {
    pub(crate) fn new(ledger: Arc<Ledger>, world: Arc<World>, seed: u64) -> Self {
        Self {
            ledger,
            world,
            dice: Rng::with_seed(seed),
            acts: 0,
            pending: Vec::new(),
            done: Vec::new(),
            broken_folds: 0,
            broken_deliveries: 0,
        }
    }

    /// Waits: it is few among many.
    pub(crate) async fn pause(&mut self, host: &dyn Host) {
        host.sleep(Duration::from_millis(self.dice.u64(50..400))).await;
    }

    /// Has the service do something, or asks again for what is not answered.
    pub(crate) async fn step(&mut self, node: &impl Reach) -> Result<(), Violation> {
        if !self.pending.is_empty() && self.dice.bool() {
            let act = self.pending.swap_remove(self.dice.usize(..self.pending.len()));
            return self.act(node, act, false).await.map(drop);
        }
        match self.dice.u8(0..12) {
            0 => return self.ask(node).await,
            1..=2 => self.begin(node, Deed::Panic).await,
            3..=4 => self.begin(node, Deed::PanicOnce).await,
            5 => self.begin(node, Deed::Stay).await,
            6 => self.begin(node, Deed::BreakDeliveryOnce).await,
            7 if self.broken_folds < BREAKS_MAX => {
                self.broken_folds += 1;
                self.begin(node, Deed::BreakFold).await
            }
            8 if self.broken_deliveries < BREAKS_MAX => {
                self.broken_deliveries += 1;
                self.begin(node, Deed::BreakDelivery).await
            }
            _ => self.begin(node, Deed::Behave).await,
        }
    }

    async fn begin(&mut self, node: &impl Reach, deed: Deed) -> Result<(), Violation> {
        let act = self.new_act(deed);
        self.act(node, act, false).await.map(drop)
    }

    fn new_act(&mut self, deed: Deed) -> Act {
        self.acts += 1;
        Act { nonce: format!("u{}", self.acts), deed }
    }

    /// Sends a command. With `is_calm` nothing is wrong but its own code. True if the answer leaves
    /// nothing open.
    async fn act(&mut self, node: &impl Reach, act: Act, is_calm: bool) -> Result<bool, Violation> {
        let ends = !matches!(act.deed, Deed::Panic | Deed::Stay);
        if ends {
            // In doubt until it is answered, also if this task ends before that.
            self.pending.push(act.clone());
        }
        let deadline = match act.deed {
            Deed::Stay => Duration::from_millis(self.dice.u64(50..500)),
            _ => Duration::from_secs(2),
        };
        let command = act.clone();
        let answer = node
            .call(async move |node: Node| {
                let key = command.nonce.clone();
                node.send(command).key(key).deadline(deadline).await
            })
            .await;
        let Some(answer) = answer else { return Ok(false) };
        let misdeed = Misdeed { act: &act, answer: &answer, is_calm };
        is_isolated(&mut self.ledger.lock(), &misdeed)?;
        if ends && answer.is_ok() {
            self.pending.pop();
            self.done.push(act);
        }
        Ok(is_certain(&answer))
    }

    /// A query that panics does so to whoever asked.
    async fn ask(&mut self, node: &impl Reach) -> Result<(), Violation> {
        let answer = node.call(async move |node: Node| node.ask(Panic).await).await;
        let Some(answer) = answer else { return Ok(()) };
        self.ledger.lock().exercised.evaluated.count(Invariant::Isolation);
        match answer {
            Err(Failure::Fault(fault))
                if matches!(fault.code(), FaultCode::Panicked | FaultCode::ShuttingDown) =>
            {
                Ok(())
            }
            other => Err(Invariant::Isolation.broken(format!("{Panic:?} was answered {other:?}"))),
        }
    }

    /// Nothing is wrong any more: each of what is not answered yet is, and at every node each kind of
    /// misdeed has the end that is documented.
    pub(crate) async fn settle(
        &mut self,
        nodes: &[impl Reach],
        host: &dyn Host,
    ) -> Result<(), Violation> {
        let ledger = Arc::clone(&self.ledger);
        let settled = async {
            while let Some(act) = self.pending.pop() {
                self.act(&nodes[0], act, false).await?;
                host.sleep(Duration::from_millis(5)).await;
            }
            Ok(())
        };
        must(host, &ledger, settled, || "what misbehaves is not answered".to_owned()).await?;
        for node in nodes {
            for deed in [Deed::Panic, Deed::PanicOnce, Deed::Stay, Deed::Behave] {
                self.begin_calmly(node, deed).await?;
            }
        }
        Ok(())
    }

    async fn begin_calmly(&mut self, node: &impl Reach, deed: Deed) -> Result<(), Violation> {
        let mut tries = 0;
        loop {
            let act = self.new_act(deed);
            // One that may yet be carried out is asked for again below.
            if self.act(node, act, true).await? || !self.pending.is_empty() {
                break;
            }
            tries += 1;
            if tries == TRIES_MAX {
                let what = format!("of {tries} that panicked none was known to have done nothing");
                return Err(Invariant::Isolation.broken(what));
            }
        }
        // What panicked the first time runs when it is asked for again.
        let Some(act) = self.pending.pop() else { return Ok(()) };
        self.act(node, act, true).await?;
        match self.pending.pop() {
            Some(act) => {
                let what = format!("{act:?} is not carried out although it would not panic again");
                Err(Invariant::Isolation.broken(what))
            }
            None => Ok(()),
        }
    }

    /// Fills the journal with `bytes`, so that every node has to write checkpoints and trim its log.
    pub(crate) async fn fill(
        &mut self,
        node: &impl Reach,
        host: &dyn Host,
        bytes: usize,
    ) -> Result<(), Violation> {
        for _ in 0..bytes.div_ceil(FILLING_BYTES) {
            self.begin(node, Deed::Fill(FILLING_BYTES)).await?;
            // In several checkpoints, not in one.
            host.sleep(Duration::from_millis(5)).await;
        }
        // What came while a checkpoint was written has one of its own.
        for _ in 0..3 {
            self.begin(node, Deed::Fill(FILLING_BYTES)).await?;
            host.sleep(Duration::from_millis(100)).await;
        }
        Ok(())
    }

    /// A node shows what was done, whatever else was, and says what it cannot.
    pub(crate) async fn audit(&self, node: &impl Reach, host: &dyn Host) -> Result<(), Violation> {
        let broken = |what: String| Err(Invariant::Isolation.broken(what));
        self.ledger.lock().exercised.evaluated.count(Invariant::Isolation);
        let noted = node
            .call(async move |node: Node| node.ask(GetNoted).level(ReadLevel::Linearizable).await);
        match noted.await {
            Some(Ok(noted)) => {
                if let Some(lost) = self.done.iter().find(|act| !noted.contains(&act.nonce)) {
                    return broken(format!("{lost:?} was acknowledged, and is not there"));
                }
            }
            other => return broken(format!("a sound projection answers {other:?}")),
        }
        let brittle = node.call(async move |node: Node| node.ask(GetBrittle).await).await;
        let is_quarantined = matches!(
            &brittle,
            Some(Err(Failure::Fault(fault))) if fault.code() == FaultCode::ProjectionQuarantined
        );
        let breaks = self.done.iter().any(|act| act.deed == Deed::BreakFold);
        if is_quarantined != breaks {
            return broken(format!("a projection that {breaks} broke answers {brittle:?}"));
        }
        self.ledger.lock().exercised.broken_folds += u64::from(is_quarantined);
        self.is_delivered(node, host).await
    }

    /// What the subscriber can take it has taken, and the rest are dead letters or behind one.
    async fn is_delivered(&self, node: &impl Reach, host: &dyn Host) -> Result<(), Violation> {
        let goes = |act: &&Act| act.deed != Deed::BreakDelivery;
        let breaks = self.done.iter().filter(|act| act.deed == Deed::BreakDelivery).count();
        let mut last = String::new();
        let delivered = async {
            loop {
                let missing = {
                    let world = self.world.lock();
                    let mut going = self.done.iter().filter(goes);
                    going.find(|act| !world.taken.contains_key(&act.nonce)).cloned()
                };
                let letters =
                    node.call(async move |node: Node| node.dead_letters("unruly").await).await;
                last = format!("{missing:?} is missing, there are {letters:?}");
                let held = match &letters {
                    Some(Ok(letters)) => letters.iter().map(|letter| 1 + letter.parked).sum(),
                    _ => 0,
                };
                // One that was sent again after its key was forgotten is there twice.
                if missing.is_none() && held >= breaks && (held > 0) == (breaks > 0) {
                    return letters;
                }
                host.sleep(Duration::from_millis(20)).await;
            }
        };
        let letters = timeout(host, SERVE_WAIT, delivered).await;
        self.ledger.lock().exercised.evaluated.count(Invariant::Isolation);
        match letters {
            Ok(letters) => {
                let count = letters.and_then(Result::ok).map_or(0, |letters| letters.len() as u64);
                let exercised = &mut self.ledger.lock().exercised;
                exercised.dead_letters = exercised.dead_letters.max(count);
                Ok(())
            }
            Err(_) => Err(Invariant::Isolation.broken(last)),
        }
    }
}
