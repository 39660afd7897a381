//! The state of one replica on disk becomes another's, by its pieces, on simulated disks.

use std::collections::BTreeSet;
use std::path::PathBuf;
use std::sync::Arc;
use std::time::Duration;

use catga_core::{Fault, FaultCode, Offset, SessionId};
use catga_host::{Files, Host};
use catga_testkit::VirtualHost;
use catga_testkit::disk::{CrashStates, Recording};

use super::random_effects::random_effect;
use super::replica::options;
use super::scripted::{Scripted, scripted, scripted_on};
use super::snapshots::seen;
use crate::conformance::Random;
use crate::conformance::effects::open_session;
use crate::{
    Delivered, DiskOptions, Incoming, Journal, LogIndex, LogSnapshot, PiecePlace, Replica,
    ReplicaOptions, verify_history,
};

/// Small parts, so that a piece has several.
const PART: usize = 300;

fn options_on(host: &Arc<VirtualHost>) -> ReplicaOptions {
    // A few effects to a segment.
    let disk = DiskOptions::new(host.files(), "/data".into()).with_segment_bytes(800);
    options().with_incarnation(7).with_disk(disk)
}

async fn open(host: &Arc<VirtualHost>) -> Result<Arc<Replica<Scripted>>, Fault> {
    scripted_on(Arc::clone(host) as Arc<dyn Host>, options_on(host)).await
}

/// A replica on a machine, which leads.
struct Leader {
    host: Arc<VirtualHost>,
    replica: Arc<Replica<Scripted>>,
    random: Random,
    snapshot: LogSnapshot,
}

impl Leader {
    /// One with some checkpoints.
    async fn new(seed: u64, checkpoints: usize) -> Self {
        let host = VirtualHost::new(seed + 1000);
        host.disk().set_sync_time(Duration::ZERO..=Duration::ZERO);
        let replica = open(&host).await.expect("a new disk");
        open_session(&*replica, 1).await.expect("a session");
        let snapshot = LogSnapshot { upto: None, data: bytes::Bytes::new() };
        let mut this = Self { host, replica, random: Random::new(seed), snapshot };
        for _ in 0..checkpoints {
            this.checkpoint(30).await;
        }
        this
    }

    async fn commit(&mut self, count: usize) {
        for _ in 0..count {
            let effect = random_effect(&mut self.random, SessionId(1));
            self.replica.commit(effect).await.expect("a verdict");
        }
    }

    /// Commits some effects and makes a checkpoint.
    async fn checkpoint(&mut self, count: usize) {
        self.commit(count).await;
        self.snapshot = self.replica.log().checkpoint().await.expect("a checkpoint");
    }

    fn entries(&self) -> Vec<Delivered> {
        self.replica.log().delivered()
    }

    /// The entries that the newest snapshot holds, and those after it.
    fn split(&self) -> (Vec<Delivered>, Vec<Delivered>) {
        let entries = self.entries().into_iter();
        entries.partition(|entry| Some(entry.index) <= self.snapshot.upto)
    }

    /// A replica in memory as of the newest snapshot.
    async fn model(&self) -> Arc<Replica<Scripted>> {
        in_memory(&self.split().0).await
    }
}

async fn in_memory(entries: &[Delivered]) -> Arc<Replica<Scripted>> {
    let model = scripted(options().with_incarnation(7)).await;
    model.log().apply(entries).expect("applied");
    model
}

fn machine(seed: u64) -> Arc<VirtualHost> {
    let host = VirtualHost::new(seed + 2000);
    host.disk().set_sync_time(Duration::ZERO..=Duration::ZERO);
    host
}

/// What went over, by place.
type Sent = Vec<(PiecePlace, usize)>;

fn bytes(sent: &Sent) -> usize {
    sent.iter().map(|(_, len)| len).sum()
}

/// The snapshot as it is sent, and the pieces on their way, changed by `change`, until it says
/// false.
async fn ship(
    leader: &Leader,
    follower: &Replica<Scripted>,
    source: u64,
    mut change: impl FnMut(PiecePlace, &mut Vec<u8>) -> bool,
) -> Result<(LogSnapshot, Sent), Fault> {
    let mut outgoing = leader.replica.log().pieces().open(&leader.snapshot)?;
    let snapshot = outgoing.snapshot().clone();
    let mut incoming = follower.log().pieces().receive(snapshot.clone(), source).await?;
    let mut sent = Vec::new();
    while let Some(at) = incoming.wanted() {
        let mut part = outgoing.read(at, PART)?.to_vec();
        if !change(at, &mut part) {
            break;
        }
        incoming.take(at, &part).await?;
        sent.push((at, part.len()));
    }
    Ok((snapshot, sent))
}

async fn ship_all(leader: &Leader, follower: &Replica<Scripted>) -> Sent {
    let shipped = ship(leader, follower, 1, |_, _| true).await;
    let (snapshot, sent) = shipped.expect("every piece");
    follower.log().take_over(snapshot).await.expect("installed");
    sent
}

/// That the follower is as the leader's newest snapshot, and goes on as the leader has, also after
/// a restart.
async fn check(leader: &Leader, host: &Arc<VirtualHost>, follower: &Replica<Scripted>) {
    assert_eq!(follower.log().applied(), leader.snapshot.upto);
    assert_eq!(seen(follower).await, seen(&*leader.model().await).await);
    let files: Arc<dyn Files> = host.files();
    let damage = || {
        let reports = verify_history(&files, "/data".as_ref()).into_iter();
        reports.filter(|report| report.found.is_err()).collect::<Vec<_>>()
    };
    assert_eq!(damage(), []);
    let restarted = open(host).await.expect("a checkpoint");
    assert_eq!(restarted.log().applied(), leader.snapshot.upto);
    restarted.log().apply(&leader.split().1).expect("applied");
    let model = in_memory(&leader.entries()).await;
    assert_eq!(seen(&*restarted).await, seen(&*model).await);
    restarted.log().checkpoint().await.expect("a checkpoint");
    assert_eq!(seen(&*restarted).await, seen(&*model).await);
    assert_eq!(damage(), []);
}

fn staged(host: &Arc<VirtualHost>) -> Vec<PathBuf> {
    let paths = host.disk().paths().into_iter();
    paths.filter(|path| path.starts_with("/data/incoming/")).collect()
}

#[test]
fn an_empty_replica_takes_over_the_state_of_another() {
    for seed in 0..6 {
        catga_testkit::run(seed, async |_| {
            let mut leader = Leader::new(seed, 1 + seed as usize).await;
            leader.commit(20).await;
            let host = machine(seed);
            let follower = open(&host).await.expect("a new disk");
            let sent = ship_all(&leader, &follower).await;
            assert!(sent.iter().any(|(at, _)| at.offset > 0));
            assert!(staged(&host).is_empty());
            follower.log().apply(&leader.split().1).expect("applied");
            let leader_seen = seen(&*leader.replica).await;
            assert_eq!(seen(&*follower).await, leader_seen);
            let restarted = open(&host).await.expect("a checkpoint");
            check(&leader, &host, &restarted).await;
        });
    }
}

#[test]
fn a_lagging_replica_gets_only_what_it_does_not_have() {
    for seed in 0..6 {
        catga_testkit::run(seed, async |_| {
            let mut leader = Leader::new(seed, 4).await;
            let host = machine(seed);
            let follower = open(&host).await.expect("a new disk");
            let whole = ship_all(&leader, &follower).await;
            leader.checkpoint(10).await;
            let manifest = crate::stored::Manifest::decode(&leader.snapshot.data);
            let sealed = manifest.expect("a manifest").archive.sealed.len();
            let less = ship_all(&leader, &follower).await;
            assert!(sealed > 2, "{sealed} segments");
            let again = less.iter().filter(|(at, _)| (at.piece as usize) + 1 < sealed).count();
            assert_eq!(again, 0, "no segment that it had comes again: {less:?}");
            assert!(bytes(&less) * 2 < bytes(&whole), "{} of {}", bytes(&less), bytes(&whole));
            check(&leader, &host, &follower).await;

            // One that made its own history knows the segments too, though its files differ.
            let host = machine(seed + 1);
            let other = open(&host).await.expect("a new disk");
            let (held, _) = leader.split();
            for some in held[..held.len() * 3 / 4].chunks(17) {
                other.log().apply(some).expect("applied");
                other.log().checkpoint().await.expect("a checkpoint");
            }
            let less = ship_all(&leader, &other).await;
            let segments: Vec<u32> = less.iter().map(|(at, _)| at.piece).collect();
            assert!(!segments.contains(&0) && !segments.contains(&1), "{segments:?}");
            check(&leader, &host, &other).await;
        });
    }
}

#[test]
fn what_was_interrupted_is_not_sent_again() {
    for seed in 0..6 {
        catga_testkit::run(seed, async |_| {
            let leader = Leader::new(seed, 3).await;
            let host = machine(seed);
            let follower = open(&host).await.expect("a new disk");
            let whole = bytes(&ship_all(&leader, &open(&machine(99)).await.expect("new")).await);
            let mut sum = 0;
            for stop in [3, 5, 4, 9] {
                let mut parts = 0;
                let until = |_, _: &mut Vec<u8>| {
                    parts += 1;
                    parts <= stop
                };
                let (_, sent) = ship(&leader, &follower, 1, until).await.expect("pieces");
                sum += bytes(&sent);
            }
            // The process ends, and finds what had come.
            host.crash().await;
            let follower = open(&host).await.expect("as it was");
            sum += bytes(&ship_all(&leader, &follower).await);
            // A frame that was cut comes again.
            assert!((whole..whole + 5 * 2 * PART).contains(&sum), "{sum} of {whole}");
            check(&leader, &host, &follower).await;
        });
    }
}

#[test]
fn another_leader_with_a_newer_snapshot_goes_on_with_what_is_there() {
    for seed in 0..6 {
        catga_testkit::run(seed, async |_| {
            let leader = Leader::new(seed, 4).await;
            // Another node with the same history, in other batches, and some more.
            let mut other = Leader::new(seed, 0).await;
            for some in leader.entries()[1..].chunks(7) {
                other.replica.log().apply(some).expect("applied");
                other.snapshot = other.replica.log().checkpoint().await.expect("a checkpoint");
            }
            other.checkpoint(5).await;
            let host = machine(seed);
            let follower = open(&host).await.expect("a new disk");
            let until = |at: PiecePlace, _: &mut Vec<u8>| at.piece < 3;
            let (_, sent) = ship(&leader, &follower, 1, until).await.expect("pieces");
            assert!(sent.iter().any(|(at, _)| at.piece == 2));
            let sent = ship_all_from(&other, &follower, 2).await;
            assert!(sent.iter().all(|(at, _)| at.piece > 2), "{sent:?}");
            check(&other, &host, &follower).await;
        });
    }
}

async fn ship_all_from(leader: &Leader, follower: &Replica<Scripted>, source: u64) -> Sent {
    let (snapshot, sent) = ship(leader, follower, source, |_, _| true).await.expect("every piece");
    follower.log().take_over(snapshot).await.expect("installed");
    sent
}

#[test]
fn damaged_bytes_are_found_and_come_again() {
    for seed in 0..10 {
        catga_testkit::run(seed, async |_| {
            let leader = Leader::new(seed, 3).await;
            let host = machine(seed);
            let follower = open(&host).await.expect("a new disk");
            let mut random = Random::new(seed);
            // Each piece once, somewhere.
            let mut damaged = BTreeSet::new();
            let change = |at: PiecePlace, part: &mut Vec<u8>| {
                if random.below(3) == 0 && damaged.insert(at.piece) {
                    let place = random.below(part.len());
                    part[place] ^= 1 << random.below(8);
                }
                true
            };
            let (snapshot, _) = ship(&leader, &follower, 1, change).await.expect("every piece");
            assert!(damaged.len() > 2);
            follower.log().take_over(snapshot).await.expect("installed");
            check(&leader, &host, &follower).await;
        });
    }
}

#[test]
fn a_piece_that_is_always_damaged_is_given_up_with_an_error() {
    catga_testkit::run(1, async |_| {
        let leader = Leader::new(1, 3).await;
        let host = machine(1);
        let follower = open(&host).await.expect("a new disk");
        let flip = |at: PiecePlace, part: &mut Vec<u8>| {
            if at.piece == 1 && at.offset <= 500 && at.offset + part.len() as u64 > 500 {
                part[(500 - at.offset) as usize] ^= 4;
            }
            true
        };
        let error = ship(&leader, &follower, 1, flip).await.expect_err("it stays damaged");
        assert_eq!(error.code(), FaultCode::Unreadable, "{error}");
        // Once it comes as it should, all is well.
        ship_all(&leader, &follower).await;
        check(&leader, &host, &follower).await;
    });
}

#[test]
fn whatever_the_power_takes_the_former_state_or_the_new_one_is_found() {
    let mut found = [0; 2];
    for seed in 0..2 {
        let Recorded { recording, entries: leader_entries, lagging, snapshot, installed } =
            recorded(seed);
        let states = CrashStates::new(recording, seed).random(2);
        for state in states {
            catga_testkit::run(seed, async |_| {
                let host = VirtualHost::with_disk(seed, state.disk);
                host.disk().set_sync_time(Duration::ZERO..=Duration::ZERO);
                let after = (state.after, state.lost);
                let follower = open(&host).await.unwrap_or_else(|fault| {
                    panic!("seed {seed}, {after:?}: {fault}");
                });
                let applied = follower.log().applied();
                let entries = leader_entries.iter();
                let entries: Vec<_> =
                    entries.filter(|entry| Some(entry.index) <= applied).cloned().collect();
                let is_new = applied == snapshot;
                assert!(is_new || applied <= lagging, "{after:?}: {applied:?}");
                // Once it is installed, the log below may be gone.
                assert!(is_new || state.after < installed, "{after:?}: {applied:?}");
                found[usize::from(is_new)] += 1;
                let model = in_memory(&entries).await;
                assert_eq!(seen(&*follower).await, seen(&*model).await, "{after:?}");
                if !is_new && state.after.is_multiple_of(7) {
                    let leader = leader(seed).await;
                    ship_all(&leader, &follower).await;
                    check(&leader, &host, &follower).await;
                }
                host.crash().await;
            });
        }
    }
    assert!(found.iter().all(|found| *found > 20), "{found:?}");
}

/// A leader that is the same each time.
async fn leader(seed: u64) -> Leader {
    Leader::new(seed, 4).await
}

/// What a lagging follower's disk goes through while it takes over a state.
struct Recorded {
    recording: Recording,
    entries: Vec<Delivered>,
    lagging: Option<LogIndex>,
    snapshot: Option<LogIndex>,
    /// How many operations there were when it was installed.
    installed: usize,
}

fn recorded(seed: u64) -> Recorded {
    catga_testkit::run(seed, async |_| {
        let leader = leader(seed).await;
        let host = machine(seed);
        let follower = open(&host).await.expect("a new disk");
        let (held, _) = leader.split();
        for some in held[..held.len() / 2].chunks(20) {
            follower.log().apply(some).expect("applied");
            follower.log().checkpoint().await.expect("a checkpoint");
        }
        follower.log().apply(&held[held.len() / 2..][..1]).expect("applied");
        let lagging = follower.log().applied();
        host.disk().record();
        ship_all(&leader, &follower).await;
        let installed = host.disk().recorded();
        let recording = host.disk().recording().expect("it records");
        let (entries, snapshot) = (leader.entries(), leader.snapshot.upto);
        Recorded { recording, entries, lagging, snapshot, installed }
    })
}

#[test]
fn readers_go_on_over_an_install_that_jumped_ahead() {
    catga_testkit::run(1, async |_| {
        let leader = Leader::new(1, 4).await;
        let host = machine(1);
        let follower = open(&host).await.expect("a new disk");
        let (held, _) = leader.split();
        follower.log().apply(&held[..40]).expect("applied");
        let before = follower.applied().get();
        // One who waits for what it does not hold yet is told.
        let upto = leader.replica.applied().get();
        let filter = crate::Filter::default();
        let page = follower.page(Offset::ZERO, &filter, 1000).await.expect("a page");
        assert_eq!(page.upto, before);
        let mut after = page.upto;
        let mut events = page.events;
        ship_all(&leader, &follower).await;
        follower.applied().reach(upto).await;
        while after < upto {
            let page = follower.page(after, &filter, 10).await.expect("a page");
            assert!(page.upto > after, "{page:?}");
            events.extend(page.events);
            after = page.upto;
        }
        let all = crate::conformance::read_all(&*leader.replica, 50).await.expect("events");
        assert_eq!(events, all);
    });
}

#[test]
fn a_checkpoint_that_an_install_overtook_takes_nothing_back() {
    for seed in 0..5 {
        catga_testkit::run(seed, async |_| {
            let leader = Leader::new(seed, 3).await;
            let host = machine(seed);
            let follower = open(&host).await.expect("a new disk");
            let (held, _) = leader.split();
            follower.log().apply(&held[..30]).expect("applied");
            let (snapshot, _) =
                ship(&leader, &follower, 1, |_, _| true).await.expect("every piece");
            host.disk().set_sync_time(Duration::from_millis(1)..=Duration::from_millis(5));
            let checkpoint = follower.log().checkpoint();
            let install = follower.log().take_over(snapshot);
            let (begun, installed) = futures_util::join!(checkpoint, install);
            begun.expect("it ends well");
            installed.expect("installed");
            check(&leader, &host, &follower).await;
        });
    }
}

#[test]
fn what_it_had_stays_until_it_is_installed_whatever_is_merged_meanwhile() {
    catga_testkit::run(1, async |_| {
        let mut leader = Leader::new(1, 2).await;
        let host = machine(1);
        let follower = open(&host).await.expect("a new disk");
        ship_all(&leader, &follower).await;
        let before = leader.entries().len();
        leader.commit(120).await;
        leader.snapshot = leader.replica.log().checkpoint().await.expect("a checkpoint");
        let (snapshot, sent) = ship(&leader, &follower, 1, |_, _| true).await.expect("every piece");
        let manifest = crate::stored::Manifest::decode(&snapshot.data).expect("a manifest");
        let sealed = manifest.archive.sealed.len();
        let tables = sealed..sealed + manifest.tables.len();
        let came: BTreeSet<_> = sent.iter().map(|(at, _)| at.piece as usize).collect();
        assert!(!tables.clone().all(|table| came.contains(&table)), "one is its own: {tables:?}");
        let rest = leader.entries()[before..].to_vec();
        for some in rest[..60].chunks(6) {
            follower.log().apply(some).expect("applied");
            follower.log().checkpoint().await.expect("a checkpoint");
        }
        follower.log().take_over(snapshot).await.expect("installed");
        check(&leader, &host, &follower).await;
    });
}

#[test]
fn a_snapshot_that_does_not_belong_here_is_refused_and_changes_nothing() {
    catga_testkit::run(1, async |_| {
        let leader = Leader::new(1, 3).await;
        // Another life of the journal.
        let host = machine(1);
        let options = options_on(&host).with_incarnation(8);
        let other = scripted_on(Arc::clone(&host) as Arc<dyn Host>, options).await.expect("new");
        let refused = ship(&leader, &other, 1, |_, _| true).await.expect_err("refused");
        assert!(refused.message().contains("another life"), "{refused}");
        // The same life with another history.
        let host = machine(2);
        let other = open(&host).await.expect("a new disk");
        let strange = Leader::new(77, 2).await;
        other.log().apply(&strange.entries()).expect("applied");
        other.log().checkpoint().await.expect("a checkpoint");
        let before = seen(&*other).await;
        let refused = ship(&leader, &other, 1, |_, _| true).await.expect_err("refused");
        assert_eq!(refused.code(), FaultCode::Unreadable, "{refused}");
        assert_eq!(seen(&*other).await, before);
    });
}

#[test]
fn what_was_taken_over_can_be_sent_on() {
    catga_testkit::run(1, async |_| {
        let first = Leader::new(1, 4).await;
        let host = machine(1);
        let second = open(&host).await.expect("a new disk");
        let (held, _) = first.split();
        second.log().apply(&held[..50]).expect("applied");
        second.log().checkpoint().await.expect("a checkpoint");
        ship_all(&first, &second).await;
        // Its snapshot is the one that it was given, whose files are called otherwise here.
        for restart in [false, true] {
            let replica = if restart { open(&host).await.expect("again") } else { second.clone() };
            let (snapshot, random) = (first.snapshot.clone(), Random::new(5));
            let sender = Leader { host: host.clone(), replica, random, snapshot };
            let third = machine(7);
            let follower = open(&third).await.expect("a new disk");
            ship_all(&sender, &follower).await;
            assert_eq!(seen(&*follower).await, seen(&*first.model().await).await);
        }
    });
}

#[test]
fn what_is_sent_stays_readable_while_checkpoints_go_on() {
    catga_testkit::run(1, async |_| {
        let mut leader = Leader::new(1, 3).await;
        let (model, upto) = (leader.model().await, leader.snapshot.upto);
        let mut outgoing = leader.replica.log().pieces().open(&leader.snapshot).expect("open");
        let host = machine(1);
        let follower = open(&host).await.expect("a new disk");
        let snapshot = outgoing.snapshot().clone();
        let pieces = follower.log().pieces();
        let mut incoming: Box<dyn Incoming> =
            pieces.receive(snapshot.clone(), 1).await.expect("begun");
        let before = leader.host.disk().paths();
        let mut parts = 0;
        while let Some(at) = incoming.wanted() {
            // Tables are merged, and the checkpoint itself is long gone.
            if parts < 12 {
                leader.checkpoint(20).await;
            }
            parts += 1;
            let part = outgoing.read(at, PART * 4).expect("readable");
            incoming.take(at, &part).await.expect("taken");
        }
        let after = leader.host.disk().paths();
        assert!(before.iter().any(|path| path.extension().is_some_and(|it| it == "index")));
        assert!(before.iter().filter(|path| !after.contains(path)).count() > 2);
        follower.log().take_over(snapshot).await.expect("installed");
        assert_eq!(follower.log().applied(), upto);
        assert_eq!(seen(&*follower).await, seen(&*model).await);
    });
}
