//! What a replica has is backed up, and restored as another life of its journal, on simulated disks.

use std::collections::BTreeSet;
use std::path::PathBuf;
use std::sync::Arc;
use std::time::Duration;

use catga_core::{Offset, SessionId};
use catga_host::{Files, Host, Open};
use catga_testkit::VirtualHost;
use catga_testkit::disk::{Call, CrashStates, Fault, Lost, SimDisk};

use super::random_effects::random_effect;
use super::replica::{memory, options};
use super::scripted::{Scripted, scripted, scripted_on};
use super::snapshots::seen;
use crate::conformance::Random;
use crate::conformance::effects::open_session;
use crate::{
    Backup, BackupError, Backups, Delivered, DiskOptions, FileReport, Journal, LogIndex, Replica,
    ReplicaOptions, Which, verify_history,
};

const DIR: &str = "/backups";

/// The life of the journal after a restore.
const NEXT_LIFE: u64 = 8;

fn options_on(host: &Arc<VirtualHost>, incarnation: u64) -> ReplicaOptions {
    // A few effects to a segment.
    let disk = DiskOptions::new(host.files(), "/data".into()).with_segment_bytes(800);
    options().with_incarnation(incarnation).with_disk(disk.with_cluster("shop"))
}

async fn open(
    host: &Arc<VirtualHost>,
    life: u64,
) -> Result<Arc<Replica<Scripted>>, catga_core::Fault> {
    scripted_on(Arc::clone(host) as Arc<dyn Host>, options_on(host, life)).await
}

fn machine(disk: SimDisk, seed: u64) -> Arc<VirtualHost> {
    let host = VirtualHost::with_disk(seed, disk);
    host.disk().set_sync_time(Duration::ZERO..=Duration::ZERO);
    host
}

/// A node that is backed up on its own disk.
struct Rig {
    host: Arc<VirtualHost>,
    replica: Arc<Replica<Scripted>>,
    random: Random,
    /// Every entry so far.
    entries: Vec<Delivered>,
}

impl Rig {
    /// One with some checkpoints, and some effects after the last.
    async fn new(seed: u64) -> Self {
        let host = machine(SimDisk::new(seed + 1000), seed);
        let replica = open(&host, 7).await.expect("a new disk");
        open_session(&*replica, 1).await.expect("a session");
        let mut this = Self { host, replica, random: Random::new(seed), entries: Vec::new() };
        for _ in 0..3 {
            this.commit(30).await;
            this.replica.log().checkpoint().await.expect("a checkpoint");
        }
        this.commit(10).await;
        this
    }

    async fn commit(&mut self, count: usize) {
        for _ in 0..count {
            let effect = random_effect(&mut self.random, SessionId(1));
            self.replica.commit(effect).await.expect("a verdict");
        }
        self.entries = self.replica.log().delivered();
    }

    fn files(&self) -> Arc<dyn Files> {
        self.host.files()
    }

    async fn try_back_up(&self, into: Backups) -> Result<Backup, BackupError> {
        self.replica.backup(into, self.replica.applied().get()).await
    }

    async fn back_up(&self) -> Backup {
        let backup = self.try_back_up(Backups::new(DIR)).await.expect("a backup");
        assert!(backup.position.offset >= self.replica.applied().get(), "{backup:?}");
        backup
    }

    fn verify(&self) -> Vec<FileReport> {
        Backups::new(DIR).verify(&self.files()).expect("backups")
    }

    fn faults(&self) -> Vec<FileReport> {
        self.verify().into_iter().filter(|report| report.found.is_err()).collect()
    }

    fn paths(&self) -> Vec<PathBuf> {
        let paths = self.host.disk().paths().into_iter();
        paths.filter(|path| path.starts_with(DIR) && !path.ends_with("lock")).collect()
    }

    fn pieces(&self) -> BTreeSet<PathBuf> {
        self.paths().into_iter().filter(|path| path.starts_with("/backups/pieces")).collect()
    }
}

/// All backups in `files`, whose manifests are whole.
fn listed(files: &Arc<dyn Files>) -> Vec<Backup> {
    let list = Backups::new(DIR).list(files).expect("a directory of backups");
    list.into_values().collect::<Result<_, _>>().expect("whole manifests")
}

/// That the backups in `files` restore to what `entries` make, and go on from there.
async fn check_restored(files: &Arc<dyn Files>, which: Which, entries: &[Delivered]) -> Backup {
    let whole = Backups::new(DIR).whole(files, which).expect("it is whole");
    let host = machine(SimDisk::new(77), 77);
    let restored = whole.restore(&host.files(), "/data".as_ref(), NEXT_LIFE).await;
    let snapshot = restored.expect("restored");
    let damaged = |files: &Arc<dyn Files>| {
        let reports = verify_history(files, "/data".as_ref()).into_iter();
        reports.filter(|report| report.found.is_err()).collect::<Vec<_>>()
    };
    assert_eq!(damaged(&host.files()), []);
    let refused = open(&host, 7).await.expect_err("it is another life").to_string();
    assert!(refused.contains("another life"), "{refused}");

    let replica = open(&host, NEXT_LIFE).await.expect("a checkpoint");
    assert_eq!(replica.log().applied(), snapshot.upto);
    let (held, rest): (Vec<Delivered>, Vec<_>) =
        entries.iter().cloned().partition(|entry| Some(entry.index) <= snapshot.upto);
    assert_eq!(seen(&*replica).await, seen(&*in_memory(&held).await).await);
    replica.log().apply(&rest).expect("applied");
    replica.log().checkpoint().await.expect("a checkpoint");
    assert_eq!(seen(&*replica).await, seen(&*in_memory(entries).await).await);
    let again = open(&host, NEXT_LIFE).await.expect("a checkpoint");
    assert_eq!(seen(&*again).await, seen(&*in_memory(entries).await).await);
    // It sends its state on as any other does.
    let newest = again.log().checkpoint().await.expect("a checkpoint");
    again.log().pieces().open(&newest).expect("its pieces are there");
    whole.backup()
}

async fn in_memory(entries: &[Delivered]) -> Arc<Replica<Scripted>> {
    let model = scripted(options().with_incarnation(NEXT_LIFE)).await;
    model.log().apply(entries).expect("applied");
    model
}

#[test]
fn what_was_acknowledged_is_in_it_and_comes_back_as_another_life() {
    for seed in 0..6 {
        catga_testkit::run(seed, async |_| {
            let mut rig = Rig::new(seed).await;
            let backup = rig.back_up().await;
            assert_eq!((backup.number, &*backup.cluster), (1, "shop"));
            assert_eq!((backup.pieces, backup.bytes), (backup.new_pieces, backup.new_bytes));
            assert!(backup.pieces > 4 && backup.pieces == rig.pieces().len() as u64);
            rig.commit(20).await;
            assert_eq!(rig.faults(), []);
            let restored = check_restored(&rig.files(), Which::Latest, &rig.entries).await;
            assert_eq!(restored, backup);
        });
    }
}

#[test]
fn the_next_backup_copies_only_what_is_new() {
    catga_testkit::run(1, async |_| {
        let mut rig = Rig::new(1).await;
        let first = rig.back_up().await;
        let pieces = rig.pieces();
        let same = rig.back_up().await;
        assert_eq!((same.number, same.new_pieces, same.new_bytes), (2, 0, 0));
        assert_eq!((same.bytes, rig.pieces()), (first.bytes, pieces.clone()));
        rig.commit(5).await;
        let third = rig.back_up().await;
        assert!(third.new_pieces > 0 && third.new_bytes * 2 < first.bytes, "{third:?}");
        let added = rig.pieces().difference(&pieces).count();
        assert_eq!((third.new_pieces, pieces.difference(&rig.pieces()).count()), (added as u64, 0));
        assert_eq!(listed(&rig.files()), [first, same, third]);
        for number in 1..=3 {
            check_restored(&rig.files(), Which::Number(number), &rig.entries).await;
        }
    });
}

/// Nodes with the same history have their segments in other batches, and share them here.
#[test]
fn another_node_shares_what_is_there() {
    catga_testkit::run(1, async |_| {
        let rig = Rig::new(1).await;
        let first = rig.back_up().await;
        let host = machine(SimDisk::new(5), 5);
        let follower = open(&host, 7).await.expect("a new disk");
        for some in rig.entries.chunks(17) {
            follower.log().apply(some).expect("applied");
            follower.log().checkpoint().await.expect("a checkpoint");
        }
        // The directory of backups goes along, as one that is mounted on both.
        host.files().create_dir("/backups/pieces".as_ref()).await.expect("made");
        for path in rig.paths() {
            let file = host.files().open(&path, Open::Create).expect("a new file");
            file.write_at(&rig.host.disk().contents(&path).expect("there"), 0).expect("written");
        }
        let applied = follower.applied().get();
        let second = follower.backup(Backups::new(DIR), applied).await.expect("a backup");
        assert_eq!((second.number, second.position), (2, first.position));
        assert!(second.new_bytes * 2 < second.bytes, "{second:?}");
        for number in 1..=2 {
            check_restored(&host.files(), Which::Number(number), &rig.entries).await;
        }
    });
}

#[test]
fn whatever_the_power_takes_each_backup_that_is_there_is_whole() {
    let mut found = [0; 3];
    for seed in 0..3 {
        let (recording, entries, done) = catga_testkit::run(seed, async |_| {
            let mut rig = Rig::new(seed).await;
            rig.back_up().await;
            rig.commit(25).await;
            rig.host.disk().record();
            rig.back_up().await;
            let second = rig.host.disk().recorded();
            rig.commit(10).await;
            rig.try_back_up(Backups::new(DIR).keep(1)).await.expect("a backup");
            let third = rig.host.disk().recorded();
            (rig.host.disk().recording().expect("it records"), rig.entries, [second, third])
        });
        for state in CrashStates::new(recording, seed).random(2) {
            catga_testkit::run(seed, async |_| {
                let after = (state.after, state.lost);
                let host = machine(state.disk, seed);
                let files: Arc<dyn Files> = host.files();
                let reports = Backups::new(DIR).verify(&files).expect("backups");
                let wrong: Vec<_> = reports.iter().filter(|it| it.found.is_err()).collect();
                assert!(wrong.is_empty(), "seed {seed}, {after:?}: {wrong:?}");
                let newest = listed(&files).last().expect("one is always there").number;
                let promised = 1 + done.iter().filter(|done| state.after >= **done).count() as u64;
                assert!(newest >= promised, "{after:?}: {newest} of {promised}");
                found[newest as usize - 1] += 1;
                if !state.after.is_multiple_of(11) {
                    return;
                }
                check_restored(&files, Which::Latest, &entries).await;
                // The next one goes on with what is there, and leaves nothing over.
                let replica = open(&host, 7).await.expect("a checkpoint");
                let applied = replica.log().applied();
                let rest = entries.iter().filter(|entry| Some(entry.index) > applied);
                replica.log().apply(&rest.cloned().collect::<Vec<_>>()).expect("applied");
                let offset = replica.applied().get();
                let next = replica.backup(Backups::new(DIR), offset).await.expect("a backup");
                assert_eq!(next.number, newest + 1);
                let reports = Backups::new(DIR).verify(&files).expect("backups");
                let superfluous = |it: &&FileReport| {
                    it.found.as_ref().map_or(true, |found| found.contains("superfluous"))
                };
                assert_eq!(reports.iter().find(superfluous), None, "{after:?}");
            });
        }
    }
    assert!(found.iter().all(|found| *found > 20), "{found:?}");
}

#[test]
fn an_interrupted_backup_is_gone_on_with() {
    catga_testkit::run(1, async |_| {
        let rig = Rig::new(1).await;
        // Its power goes when most was copied.
        let whole = Rig::new(1).await.back_up().await;
        rig.host.disk().record();
        rig.back_up().await;
        let recording = rig.host.disk().recording().expect("it records");
        let mut states = CrashStates::new(recording, 1).random(0);
        let is_cut = |disk: &SimDisk| {
            let paths = disk.paths().into_iter();
            let pieces = paths.filter(|path| path.starts_with("/backups/pieces"));
            let copied = pieces.filter(|path| path.extension().is_some_and(|it| it != "part"));
            copied.count() as u64 + 2 == whole.pieces
        };
        let cut = states.find(|state| is_cut(&state.disk)).expect("there is such a moment");
        let host = machine(cut.disk, 1);
        assert_eq!(listed(&host.files()), []);
        let error = Backups::new(DIR).whole(&host.files(), Which::Latest).expect_err("none");
        assert!(error.to_string().contains("there is none"), "{error}");
        let replica = open(&host, 7).await.expect("as it was");
        let backup = replica.backup(Backups::new(DIR), Offset::ZERO).await.expect("a backup");
        assert!(backup.new_pieces <= 2 && backup.pieces == whole.pieces, "{backup:?}");
        check_restored(&host.files(), Which::Latest, &rig.entries).await;
    });
}

#[test]
fn a_bit_that_turned_over_is_named_and_copied_again() {
    let mut healed = 0;
    for seed in 0..24 {
        catga_testkit::run(seed, async |_| {
            let mut rig = Rig::new(3).await;
            rig.back_up().await;
            let mut random = Random::new(seed);
            let paths = rig.paths();
            let path = &paths[random.below(paths.len())];
            let length = rig.host.disk().contents(path).expect("there").len();
            rig.host.disk().flip_bit(path, random.below(length) as u64).expect("there");
            let faults = rig.faults();
            assert!(faults.len() == 1 && faults[0].path == *path, "{path:?}: {faults:?}");
            let refused = Backups::new(DIR).whole(&rig.files(), Which::Latest);
            let refused = refused.expect_err("it is damaged").to_string();
            assert!(refused.contains(&path.display().to_string()), "{refused}");

            rig.commit(5).await;
            let next = rig.back_up().await;
            assert_eq!(next.number, 2);
            check_restored(&rig.files(), Which::Latest, &rig.entries).await;
            let of_both = rig.host.disk().paths().contains(path) && rig.faults().is_empty();
            healed += usize::from(of_both);
        });
    }
    assert!(healed > 3, "{healed}");
}

#[test]
fn every_file_that_is_damaged_missing_or_of_no_use_is_named() {
    catga_testkit::run(1, async |_| {
        let rig = Rig::new(1).await;
        rig.back_up().await;
        let pieces: Vec<_> = rig.pieces().into_iter().collect();
        let all: BTreeSet<_> = rig.verify().into_iter().map(|report| report.path).collect();
        assert_eq!(all, rig.paths().into_iter().collect());
        rig.host.disk().flip_bit(&pieces[0], 9).expect("there");
        rig.host.disk().flip_bit(&pieces[2], 70).expect("there");
        rig.files().remove(&pieces[1]).expect("removed");
        for other in ["/backups/notes.txt", "/backups/pieces/other.history"] {
            rig.files().open(other.as_ref(), Open::Create).expect("made");
        }
        let reports = rig.verify();
        let about = |path: &PathBuf| {
            let mut found = reports.iter().filter(|report| report.path == *path);
            let found = found.next().expect("it is named").found.clone();
            found.unwrap_or_else(|fault| format!("WRONG: {fault}"))
        };
        assert!(about(&pieces[0]).contains("WRONG") && about(&pieces[2]).contains("WRONG"));
        assert!(about(&pieces[1]).contains("missing; backup 1 needs it"), "{reports:?}");
        assert!(about(&"/backups/notes.txt".into()).contains("superfluous"));
        assert!(about(&"/backups/pieces/other.history".into()).contains("superfluous"));
        assert_eq!(rig.faults().len(), 3);
        // Whoever shows it shows the path as well.
        assert_eq!(about(&pieces[1]), "WRONG: is missing; backup 1 needs it");
        assert!(about(&pieces[0]).starts_with("WRONG: is damaged at byte "), "{reports:?}");
        let refused = Backups::new(DIR).whole(&rig.files(), Which::Latest).expect_err("damaged");
        let told = refused.to_string();
        let first = format!("{}: is damaged at byte ", pieces[0].display());
        assert!(told.contains(&format!("nothing was restored: {first}")), "{told}");
        assert!(matches!(refused, BackupError::Damaged { faults, .. } if faults.len() == 3));
        // What is not the store's own is left alone; all else is as it should be again.
        rig.back_up().await;
        assert_eq!(rig.faults(), []);
        assert!(rig.paths().contains(&"/backups/notes.txt".into()));
    });
}

#[test]
fn a_damaged_manifest_hides_none_of_the_others() {
    catga_testkit::run(1, async |_| {
        let rig = Rig::new(1).await;
        let (first, _, third) = (rig.back_up().await, rig.back_up().await, rig.back_up().await);
        rig.host.disk().flip_bit("/backups/00000002.backup", 99).expect("there");
        let mut list = Backups::new(DIR).list(&rig.files()).expect("backups");
        let damaged = list.remove(&2).expect("it is listed").expect_err("damaged").to_string();
        assert!(damaged.starts_with("/backups/00000002.backup is damaged"), "{damaged}");
        let others = list.into_values().collect::<Result<Vec<_>, _>>().expect("whole");
        assert_eq!(others, [first, third]);
    });
}

#[test]
fn the_newest_are_kept_and_what_only_older_ones_had_goes() {
    catga_testkit::run(1, async |_| {
        let mut rig = Rig::new(1).await;
        let mut numbers = Vec::new();
        for _ in 0..5 {
            rig.commit(15).await;
            rig.try_back_up(Backups::new(DIR).keep(2)).await.expect("a backup");
            numbers = listed(&rig.files()).iter().map(|backup| backup.number).collect();
        }
        assert_eq!(numbers, [4, 5]);
        assert!(rig.verify().iter().all(|report| {
            report.found.as_ref().is_ok_and(|found| !found.contains("superfluous"))
        }));
        check_restored(&rig.files(), Which::Number(4), &rig.entries).await;
        let gone = Backups::new(DIR).whole(&rig.files(), Which::Number(3)).expect_err("gone");
        assert!(gone.to_string().contains("there are 4, 5"), "{gone}");
        // One that cannot be read counts for none, and nothing is removed that it may need.
        rig.host.disk().flip_bit("/backups/00000005.backup", 80).expect("there");
        let before = rig.pieces();
        rig.commit(15).await;
        rig.try_back_up(Backups::new(DIR).keep(1)).await.expect("a backup");
        assert!(!rig.paths().contains(&"/backups/00000005.backup".into()), "it is older");
        rig.host.disk().flip_bit("/backups/00000006.backup", 80).expect("there");
        let pieces = rig.pieces();
        assert!(before.difference(&pieces).next().is_some());
        rig.commit(15).await;
        rig.try_back_up(Backups::new(DIR).keep(2)).await.expect("a backup");
        assert_eq!(pieces.difference(&rig.pieces()).next(), None);
        check_restored(&rig.files(), Which::Latest, &rig.entries).await;
    });
}

#[test]
fn it_is_one_moment_however_the_replica_goes_on() {
    for seed in 0..6 {
        catga_testkit::run(seed, async |_| {
            let mut rig = Rig::new(seed).await;
            rig.host.disk().set_sync_time(Duration::from_millis(1)..=Duration::from_millis(4));
            let before = rig.host.disk().paths();
            let replica = Arc::clone(&rig.replica);
            let offset = replica.applied().get();
            let backup = replica.backup(Backups::new(DIR), offset);
            let work = async {
                // Tables are merged, and the checkpoint itself is long gone.
                for _ in 0..12 {
                    rig.commit(20).await;
                    rig.replica.log().checkpoint().await.expect("a checkpoint");
                }
            };
            let (backup, ()) = futures_util::join!(backup, work);
            let backup = backup.expect("a backup");
            let gone = before.iter().filter(|path| !rig.host.disk().paths().contains(path));
            assert!(gone.count() > 2);
            assert!(backup.position.offset >= offset);
            assert!(backup.position.offset < rig.replica.applied().get(), "it went on");
            assert_eq!(rig.faults(), []);
            check_restored(&rig.files(), Which::Latest, &rig.entries).await;
        });
    }
}

#[test]
fn two_at_once_and_strange_places_are_refused() {
    catga_testkit::run(1, async |_| {
        let rig = Rig::new(1).await;
        rig.host.disk().set_sync_time(Duration::from_millis(1)..=Duration::from_millis(4));
        let first = rig.try_back_up(Backups::new(DIR));
        let second = rig.try_back_up(Backups::new(DIR));
        let (first, second) = futures_util::join!(first, second);
        let refused = first.and(second).expect_err("one of them").to_string();
        assert!(refused.contains("/backups are in use"), "{refused}");
        assert_eq!(listed(&rig.files()).len(), 1);

        let refused = rig.try_back_up(Backups::new("/data")).await.expect_err("of a replica");
        assert!(matches!(refused, BackupError::NotBackups { .. }), "{refused}");
        let refused = Backups::new("/data").verify(&rig.files()).expect_err("of a replica");
        assert!(refused.to_string().contains("no directory of backups"), "{refused}");
        let disk = DiskOptions::new(rig.files(), "/other".into()).with_cluster("stock");
        let others = options().with_incarnation(9).with_disk(disk);
        let other = scripted_on(Arc::clone(&rig.host) as Arc<dyn Host>, others).await;
        let other = other.expect("a new directory");
        open_session(&*other, 1).await.expect("a session");
        let refused = other.backup(Backups::new(DIR), Offset::ZERO).await.expect_err("another's");
        let why = refused.to_string();
        assert!(why.contains("of cluster `shop`") && why.contains("of `stock`"), "{why}");
        let missing = Backups::new("/none").list(&rig.files()).expect_err("not there");
        assert!(missing.to_string().contains("/none"), "{missing}");

        let memory = memory(options()).await;
        let refused = memory.backup(Backups::new(DIR), Offset::ZERO).await.expect_err("no disk");
        assert!(matches!(refused, BackupError::NoDisk), "{refused}");
        let host = machine(SimDisk::new(3), 3);
        let empty = open(&host, 7).await.expect("a new disk");
        let refused = empty.backup(Backups::new(DIR), Offset::ZERO).await.expect_err("nothing");
        assert!(matches!(refused, BackupError::Nothing), "{refused}");
        assert_eq!(empty.log().applied(), None::<LogIndex>);
    });
}

#[test]
fn without_room_it_fails_and_goes_on_when_there_is() {
    catga_testkit::run(1, async |_| {
        let rig = Rig::new(1).await;
        rig.replica.log().checkpoint().await.expect("a checkpoint");
        let disk = rig.host.disk();
        let before = disk.used_bytes();
        disk.set_capacity(before + 24_000);
        let full = rig.try_back_up(Backups::new(DIR)).await.expect_err("no room");
        assert!(matches!(&full, BackupError::File(error) if error.is_full()), "{full}");
        assert_eq!(listed(&rig.files()), []);
        disk.set_capacity(1 << 30);
        let backup = rig.back_up().await;
        assert!(backup.new_pieces < backup.pieces, "{backup:?}");
        check_restored(&rig.files(), Which::Latest, &rig.entries).await;
    });
}

/// What a replica has damaged is not copied as if it were good.
#[test]
fn what_is_damaged_at_its_source_is_not_backed_up() {
    catga_testkit::run(1, async |_| {
        let rig = Rig::new(1).await;
        rig.replica.log().checkpoint().await.expect("a checkpoint");
        let segment = "/data/history/0000000000000001.history";
        rig.host.disk().flip_bit(segment, 300).expect("there");
        let damaged = rig.try_back_up(Backups::new(DIR)).await.expect_err("damaged").to_string();
        assert!(damaged.contains("damaged on this node"), "{damaged}");
        assert_eq!(listed(&rig.files()), []);
        rig.host.disk().flip_bit(segment, 300).expect("there");
        rig.back_up().await;
        check_restored(&rig.files(), Which::Latest, &rig.entries).await;
    });
}

/// Also such bytes as nobody reads.
#[test]
fn no_byte_of_a_piece_may_change() {
    catga_testkit::run(1, async |_| {
        let rig = Rig::new(1).await;
        rig.back_up().await;
        let is_tail = |path: &&PathBuf| path.extension().is_some_and(|it| it == "tail");
        let tail = rig.pieces().iter().find(is_tail).expect("a tail").clone();
        let length = rig.host.disk().contents(&tail).expect("there").len();
        for byte in 0..length as u64 {
            rig.host.disk().flip_bit(&tail, byte).expect("there");
            let faults = rig.faults();
            assert!(faults.len() == 1 && faults[0].path == tail, "byte {byte}: {faults:?}");
            rig.host.disk().flip_bit(&tail, byte).expect("there");
        }
        assert_eq!(rig.faults(), []);
    });
}

/// After a sync that failed nobody knows what of the writes before it is durable, whatever is synced
/// later.
#[test]
fn what_a_failed_sync_left_is_not_trusted_by_the_next_backup() {
    for call in [Call::Sync, Call::SyncDir] {
        for nth in 1..16 {
            catga_testkit::run(nth, async |_| {
                let rig = Rig::new(1).await;
                rig.replica.log().checkpoint().await.expect("a checkpoint");
                let disk = rig.host.disk();
                disk.fail(Fault::of(call).nth(nth).on(|path| path.starts_with(DIR)));
                let failed = rig.try_back_up(Backups::new(DIR)).await;
                assert!(nth > 13 || matches!(failed, Err(BackupError::File(_))), "{failed:?}");
                disk.heal();
                let backup = rig.back_up().await;
                assert!(nth < 4 || backup.new_pieces < backup.pieces, "{backup:?}");
                let disk = disk.clone();
                rig.host.crash().await;
                disk.crash_losing(Lost::All);
                let files: Arc<dyn Files> = machine(disk, 3).files();
                let reports = Backups::new(DIR).verify(&files).expect("backups");
                let wrong: Vec<_> = reports.iter().filter(|it| it.found.is_err()).collect();
                assert!(wrong.is_empty(), "after {call:?} {nth}: {wrong:?}");
                assert_eq!(listed(&files).last(), Some(&backup));
            });
        }
    }
}
