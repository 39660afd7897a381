//! The log on a simulated disk that loses power: what it promised is there, and nothing else is
//! made up. The same runs catch a vote that overtakes the entries before it.

use std::path::Path;
use std::sync::Arc;
use std::time::Duration;

use catga_cluster::{Entry, LogId, LogStorage, StorageOptions, TypeConfig, Vote};
use catga_host::Host;
use catga_journal::planted::{Planted, plant};
use catga_testkit::VirtualHost;
use fastrand::Rng;
use openraft::alias::EntryOf;
use openraft::storage::{IOFlushed, RaftLogStorage, RaftLogStorageExt};
use openraft::vote::RaftLeaderId;
use openraft::{EntryPayload, RaftLogReader};

fn id(term: u64, index: u64) -> LogId {
    let leader = openraft::alias::LeaderIdOf::<TypeConfig>::new(term, 1);
    LogId::new(leader.to_committed(), index)
}

/// What the log was told, and what of it was promised.
struct Model {
    /// The terms of the entries from `first` on.
    terms: Vec<u64>,
    first: u64,
    /// All below this index is durable.
    durable: u64,
    vote: u64,
    durable_vote: u64,
    dice: Rng,
}

impl Model {
    fn end(&self) -> u64 {
        self.first + self.terms.len() as u64
    }

    fn entries(&mut self) -> Vec<EntryOf<TypeConfig>> {
        let entries = (0..self.dice.u64(1..6)).map(|_| {
            let (term, index) = (self.vote.max(1), self.end());
            self.terms.push(term);
            let bytes = vec![(index + term) as u8; self.dice.usize(0..400)];
            let payload = EntryPayload::Normal(Entry(bytes.into()));
            EntryOf::<TypeConfig> { log_id: id(term, index), payload }
        });
        entries.collect()
    }

    /// One call, and what it promises.
    async fn step(&mut self, log: &mut LogStorage) {
        match self.dice.u8(0..11) {
            0..=3 => {
                let entries = self.entries();
                log.blocking_append(entries).await.expect("durable");
                self.durable = self.end();
            }
            4..=6 => {
                let entries = self.entries();
                log.append(entries, IOFlushed::<TypeConfig>::noop()).await.expect("queued");
            }
            10 => {
                log.flushed().await.expect("durable");
                self.durable = self.end();
            }
            7 => {
                self.vote += 1;
                log.save_vote(&Vote::new(self.vote, 1)).await.expect("durable");
                // Everything before a vote is durable with it.
                (self.durable, self.durable_vote) = (self.end(), self.vote);
            }
            8 if self.end() > self.first + 1 => {
                let kept = self.dice.u64(self.first..self.end());
                let term = self.terms[(kept - self.first) as usize];
                log.truncate_after(Some(id(term, kept))).await.expect("queued");
                self.terms.truncate((kept - self.first) as usize + 1);
                self.durable = self.durable.min(self.end());
            }
            9 if self.durable > self.first => {
                let upto = self.dice.u64(self.first..self.durable);
                let term = self.terms[(upto - self.first) as usize];
                log.purge(id(term, upto)).await.expect("queued");
                self.terms.drain(..=(upto - self.first) as usize);
                self.first = upto + 1;
            }
            _ => tokio::time::sleep(Duration::from_millis(self.dice.u64(0..4))).await,
        }
    }

    /// Compares a log that was opened after a crash, and goes on from what it has.
    async fn check(&mut self, log: &mut LogStorage) -> Result<(), String> {
        let vote = log.read_vote().await.expect("readable").map_or(0, |vote| vote.leader_id.term);
        if vote < self.durable_vote || vote > self.vote {
            return Err(format!("vote {vote}, promised {}", self.durable_vote));
        }
        let entries = log.try_get_log_entries(..).await.expect("readable");
        let state = log.get_log_state().await.expect("readable");
        let end = state.last_log_id.map_or(0, |last| last.index + 1);
        if end < self.durable && self.durable > self.first {
            return Err(format!("entries end at {end}, promised {}", self.durable));
        }
        for entry in &entries {
            let index = entry.log_id.index;
            let Some(place) = index.checked_sub(self.first) else { continue };
            let term = self.terms.get(place as usize);
            // A truncation that was not durable leaves what it would have taken.
            if index < self.durable && term != Some(&entry.log_id.leader_id.term) {
                return Err(format!("entry {index} is of another term than {term:?}"));
            }
        }
        let first = entries.first().map_or(end, |entry| entry.log_id.index);
        self.terms = entries.iter().map(|entry| entry.log_id.leader_id.term).collect();
        (self.first, self.durable, self.vote, self.durable_vote) = (first, end, vote, vote);
        Ok(())
    }
}

async fn lives(host: Arc<VirtualHost>, seed: u64) -> Result<(), String> {
    let mut dice = Rng::with_seed(seed);
    let mut options = StorageOptions::default();
    options.segment_bytes = 4096 << dice.u32(0..3);
    options.cached_bytes = if dice.bool() { 0 } else { 4096 };
    let (vote, durable_vote) = (0, 0);
    let mut model = Model { terms: Vec::new(), first: 0, durable: 0, vote, durable_vote, dice };
    for _ in 0..12 {
        let machine: Arc<dyn Host> = host.clone();
        let log = LogStorage::open(&machine, host.files(), Path::new("/data/log"), options).await;
        let mut log = log.map_err(|error| error.to_string())?;
        model.check(&mut log).await?;
        for _ in 0..model.dice.u64(1..80) {
            model.step(&mut log).await;
        }
        match model.dice.u8(0..4) {
            0 => host.crash().await,
            1 => log.shutdown().await,
            _ => host.power_cut().await,
        }
    }
    Ok(())
}

fn run(seed: u64) -> Result<(), String> {
    catga_testkit::run(seed, async |host| lives(host, seed).await)
}

#[test]
fn what_the_log_promised_survives_the_loss_of_power() {
    for seed in 1..=200 {
        assert_eq!(run(seed), Ok(()), "seed {seed}");
    }
}

#[test]
fn a_vote_that_overtakes_the_entries_before_it_is_caught() {
    plant(Some(Planted::VoteAroundAppends));
    let caught = (1..=200).find_map(|seed| run(seed).err().map(|what| (seed, what)));
    plant(None);
    let (seed, what) = caught.expect("200 seeds find it");
    println!("caught by seed {seed}: {what}");
}
