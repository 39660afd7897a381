use std::cell::Cell;
use std::sync::Arc;
use std::time::{Duration, Instant};

use super::agreement::agree;
use super::audit::audit_with;
use super::error::Error;
use super::load::Load;
use super::tally::Tally;
use super::{Kill, Ledger, Moment, Plan, Verdict, Whom};
use crate::fleet::Servers;

/// How often it looks whether the moment has come.
const LOOK: Duration = Duration::from_millis(1);
/// How long clients may get nowhere while the service runs.
const STALL: Duration = Duration::from_secs(60);
/// How long the service is left alone before a burst, so that it has nothing left to write.
const REST: Duration = Duration::from_millis(250);

/// How long a node that is started again may take until it receives what it lacks, if it lacks
/// anything that is not in the log.
const CATCH_UP: Duration = Duration::from_secs(10);

/// How far a trial is.
#[derive(Clone, Copy, Debug)]
#[non_exhaustive]
pub struct Progress {
    /// How many orders were acknowledged.
    pub acknowledged: usize,
    /// How often the service was killed.
    pub kills: usize,
    /// All orders are placed; they are read back.
    pub reads_back: bool,
}

/// Follows `plan` with the service that `servers` are, which are ready, and reads everything back
/// from each of them. `watch` is told now and then how far it is.
///
/// # Errors
/// When it cannot be carried out, such as when the service does not start again.
///
/// # Cancel safety
/// Dropping the future ends all clients; the service runs on.
pub async fn run(
    servers: &mut Servers,
    plan: &Plan,
    watch: impl FnMut(Progress),
) -> Result<(Arc<Ledger>, Verdict), Error> {
    let tally = Arc::new(Tally::default());
    let addresses = servers.addresses();
    let (_, first_term) = servers.leader().await?;
    let load = Load::start(&addresses, plan.clients, plan.seed, &tally);
    let mut trial = Trial { servers, load: &load, tally: &tally, watch, start: Duration::ZERO };
    for kill in &plan.kills {
        trial.strike(*kill).await?;
    }
    trial.until_acknowledged(plan.orders).await?;
    trial.show(true);
    let ledger = Arc::new(load.finish().await?);
    audit_with(&addresses, &ledger, &tally).await?;
    let findings = agree(servers).await;
    let (_, last_term) = servers.leader().await?;
    let mut counts = tally.lock();
    counts.findings.extend(findings);
    counts.elections = last_term - first_term;
    drop(counts);
    let verdict = Verdict::new(&tally);
    Ok((ledger, verdict))
}

struct Trial<'a, W> {
    servers: &'a mut Servers,
    load: &'a Load,
    tally: &'a Tally,
    watch: W,
    /// How long the last start took.
    start: Duration,
}

impl<W: FnMut(Progress)> Trial<'_, W> {
    /// Waits for the moment, kills, and starts again.
    async fn strike(&mut self, kill: Kill) -> Result<(), Error> {
        self.until_acknowledged(self.tally.acknowledged() + kill.orders).await?;
        if let Moment::InBurst(_) = kill.at {
            self.load.hold();
            self.until(|trial| trial.tally.under_way() == 0).await?;
            tokio::time::sleep(REST).await;
        }
        let struck: Vec<usize> = match kill.whom {
            Whom::Leader => vec![self.servers.leader().await?.0],
            Whom::Follower => vec![(self.servers.leader().await?.0 + 1) % self.servers.all().len()],
            Whom::All => (0..self.servers.all().len()).collect(),
        };
        if let Moment::InBurst(after) = kill.at {
            self.load.release();
            self.until(|trial| trial.tally.under_way() > 0).await?;
            tokio::time::sleep(after).await;
        }
        // A kill that hits nobody at work shows nothing.
        let at_work = Cell::new(false);
        self.until(|trial| {
            at_work.set(trial.tally.under_way() > 0);
            at_work.get()
        })
        .await?;
        self.tally.lock().kills_under_load += usize::from(at_work.get());
        self.kill(&struck)?;
        if let Moment::Behind(orders) | Moment::BehindAgain(orders, _) = kill.at {
            self.until_acknowledged(self.tally.acknowledged() + orders).await?;
        }
        self.spawn(&struck)?;
        match kill.at {
            Moment::WhileStarting(part) => {
                tokio::time::sleep(self.start.mul_f64(part)).await;
                self.tally.lock().kills_while_starting += usize::from(self.tally.under_way() > 0);
                self.kill(&struck)?;
                self.spawn(&struck)?;
            }
            Moment::BehindAgain(_, times) => {
                for _ in 0..times {
                    self.interrupt(&struck).await?;
                }
            }
            _ => {}
        }
        for number in struck {
            self.start = self.servers.one(number).until_ready().await?;
        }
        let mut counts = self.tally.lock();
        counts.longest_restart = counts.longest_restart.max(self.start);
        drop(counts);
        self.show(false);
        Ok(())
    }

    /// Kills the processes as soon as one of them has received a part of what the others have, and
    /// starts them again.
    async fn interrupt(&mut self, struck: &[usize]) -> Result<(), Error> {
        let since = Instant::now();
        let receives = |trial: &Self| {
            let servers = trial.servers.all();
            since.elapsed() > CATCH_UP || struck.iter().any(|number| servers[*number].receives())
        };
        self.until(receives).await?;
        let received = since.elapsed() <= CATCH_UP;
        self.kill(struck)?;
        self.tally.lock().interrupted += usize::from(received);
        self.spawn(struck)
    }

    fn spawn(&mut self, numbers: &[usize]) -> Result<(), Error> {
        for number in numbers {
            self.servers.one(*number).spawn()?;
        }
        Ok(())
    }

    /// Kills the processes, which start or serve.
    fn kill(&mut self, struck: &[usize]) -> Result<(), Error> {
        let since = Instant::now();
        self.servers.kill(struck)?;
        let gone = Instant::now();
        let mut counts = self.tally.lock();
        counts.pauses.begin(since, gone);
        counts.kills += 1;
        drop(counts);
        self.show(false);
        Ok(())
    }

    async fn until_acknowledged(&mut self, orders: usize) -> Result<(), Error> {
        self.until(|trial| trial.tally.acknowledged() >= orders).await
    }

    /// Waits until `holds`, unless something is wrong: then the trial goes on to say so.
    async fn until(&mut self, holds: impl Fn(&Self) -> bool) -> Result<(), Error> {
        let (mut seen, mut since) = (self.tally.acknowledged(), Instant::now());
        while !holds(self) && self.tally.lock().findings.is_empty() {
            self.servers.check()?;
            let now = self.tally.acknowledged();
            if now != seen {
                (seen, since) = (now, Instant::now());
            }
            if since.elapsed() > STALL {
                return Err(Error::Stalled(STALL));
            }
            self.show(false);
            tokio::time::sleep(LOOK).await;
        }
        Ok(())
    }

    fn show(&mut self, reads_back: bool) {
        let (acknowledged, kills) = (self.tally.acknowledged(), self.tally.lock().kills);
        (self.watch)(Progress { acknowledged, kills, reads_back });
    }
}
