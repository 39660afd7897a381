//! The contract of `Files`, on the simulated disk and, where no power has to go, on the real one.

use std::io::ErrorKind::{
    AlreadyExists, IsADirectory, NotADirectory, NotFound, UnexpectedEof, WouldBlock,
};
use std::path::Path;
use std::time::Duration;

use catga::host::{Disk, File, Files, Open};
use catga_testkit::disk::{Call, Fault, Lost, SimDisk};

fn at(text: &str) -> &Path {
    Path::new(text)
}

/// The tests of one check: on both disks, each in a directory of its own.
fn on_both(check: impl AsyncFn(&dyn Files, &Path)) {
    catga_testkit::block_on(async {
        check(&SimDisk::new(1), at("/data/n1")).await;
        let dir = tempfile::tempdir().expect("a directory");
        check(&Disk, &dir.path().join("data/n1")).await;
    });
}

#[test]
fn item_1_what_was_written_is_read_at_once_by_everybody() {
    on_both(async |files, dir| {
        files.create_dir(dir).await.expect("made");
        files.create_dir(dir).await.expect("is there already");
        let path = dir.join("a");
        let file = files.open(&path, Open::Create).expect("new");
        let reader = files.open(&path, Open::Read).expect("there");
        assert!(reader.is_empty().expect("a length"));
        file.write_at(b"there", 5000).expect("written");
        let mut read = [1; 6];
        reader.read_at(&mut read, 4999).expect("read");
        assert_eq!((&read, reader.len().expect("a length")), (b"\0there", 5005));
        let beyond = reader.read_at(&mut read, 5000).expect_err("it ends");
        assert_eq!(beyond.kind(), UnexpectedEof);
        reader.write_at(b"no", 0).expect_err("it was opened to be read");

        file.set_len(5002).expect("cut");
        file.allocate(100).expect("never makes it shorter");
        assert_eq!(reader.len().expect("a length"), 5002);
        file.allocate(9000).expect("room");
        reader.read_at(&mut read, 4999).expect("read");
        assert_eq!((&read, reader.len().expect("a length")), (b"\0th\0\0\0", 9000));
        file.sync().await.expect("durable");
        files.sync_dir(dir).await.expect("durable");
        assert!(files.space(dir).expect("a number") > 0);

        files.remove(&path).expect("removed");
        reader.read_at(&mut read, 4999).expect("whoever has it open still reads it");
        file.write_at(b"unseen", 0).expect("and writes it");
    });
}

#[test]
fn item_5_a_rename_puts_one_file_in_the_place_of_another() {
    on_both(async |files, dir| {
        files.create_dir(dir).await.expect("made");
        let (old, new) = (dir.join("file"), dir.join("file.new"));
        for (path, text) in [(&old, b"old"), (&new, b"new")] {
            let file = files.open(path, Open::Create).expect("new");
            file.write_at(text, 0).expect("written");
        }
        let before = files.open(&old, Open::Read).expect("there");
        files.rename(&new, &old).expect("renamed");
        let mut read = [0; 3];
        let after = files.open(&old, Open::Read).expect("there");
        after.read_at(&mut read, 0).expect("read");
        assert_eq!(&read, b"new");
        before.read_at(&mut read, 0).expect("whoever had it open still reads it");
        assert_eq!(&read, b"old");
        assert_eq!(files.list(dir).expect("names"), ["file"]);
        files.rename(&old, &old).expect("to itself");
        assert_eq!(files.list(dir).expect("names"), ["file"]);
    });
}

#[test]
fn what_cannot_be_done_fails_alike() {
    on_both(async |files, dir| {
        let (file, sub) = (dir.join("file"), dir.join("sub"));
        assert_eq!(files.list(dir).expect_err("missing").kind(), NotFound);
        files.create_dir(&sub).await.expect("made");
        drop(files.open(&file, Open::Create).expect("new"));
        let kinds = [
            files.open(&dir.join("no"), Open::Read).err(),
            files.open(&dir.join("no"), Open::Write).err(),
            files.open(&dir.join("no/no"), Open::Create).err(),
            files.open(&file, Open::Create).err(),
            files.rename(&dir.join("no"), &file).err(),
            files.rename(&file, &dir.join("no/no")).err(),
            files.rename(&file, &sub).err(),
            files.remove(&dir.join("no")).err(),
            files.remove(&sub).err(),
            files.list(&file).err(),
            files.create_dir(&file).await.err(),
            files.create_dir(&file.join("below")).await.err(),
            files.sync_dir(&dir.join("no")).await.err(),
        ];
        let expected = [
            NotFound,
            NotFound,
            NotFound,
            AlreadyExists,
            NotFound,
            NotFound,
            IsADirectory,
            NotFound,
            IsADirectory,
            NotADirectory,
            AlreadyExists,
            NotADirectory,
            NotFound,
        ];
        assert_eq!(kinds.map(|error| error.expect("it fails").kind()), expected);
        assert_eq!(files.list(dir).expect("names"), ["file", "sub"]);
    });
}

#[test]
fn a_lock_has_one_holder() {
    on_both(async |files, dir| {
        files.create_dir(dir).await.expect("made");
        let path = dir.join("lock");
        let held = files.lock(&path).expect("free");
        assert_eq!(files.lock(&path).expect_err("held").kind(), WouldBlock);
        drop(held);
        drop(files.lock(&path).expect("free again"));
        assert_eq!(files.list(dir).expect("names"), ["lock"]);
    });
}

async fn synced_file(disk: &SimDisk, path: &str, data: &[u8]) -> std::sync::Arc<dyn File> {
    let file = disk.open(at(path), Open::Create).expect("new");
    file.write_at(data, 0).expect("written");
    file.sync().await.expect("durable");
    disk.sync_dir(at("/")).await.expect("durable");
    file
}

#[test]
fn item_1_what_was_written_survives_the_process_but_is_no_more_durable_for_it() {
    catga_testkit::block_on(async {
        let disk = SimDisk::new(1);
        let file = synced_file(&disk, "/f", b"safe").await;
        file.write_at(b"lost", 4).expect("written");
        disk.crash_losing(Lost::None);
        assert_eq!(disk.contents("/f").expect("there"), b"safelost");
        assert!(!disk.is_durable());
        disk.crash_losing(Lost::All);
        assert_eq!(disk.contents("/f").expect("there"), b"safe");
        assert_eq!((disk.counts().restarts, disk.counts().crashes), (1, 1));
    });
}

#[test]
fn item_2_a_sync_covers_what_began_before_it_and_nothing_else() {
    catga_testkit::block_on(async {
        let disk = SimDisk::new(1);
        let file = synced_file(&disk, "/f", b"....").await;
        let ten_ms = Duration::from_millis(10);
        disk.set_sync_time(ten_ms..=ten_ms);
        file.write_at(b"a", 0).expect("written");
        let start = tokio::time::Instant::now();
        let write_meanwhile = async {
            tokio::time::sleep(ten_ms / 2).await;
            file.write_at(b"b", 1).expect("written while the sync is under way");
        };
        let (synced, ()) = tokio::join!(file.sync(), write_meanwhile);
        synced.expect("durable");
        assert_eq!(start.elapsed(), ten_ms);
        disk.crash_losing(Lost::All);
        assert_eq!(disk.contents("/f").expect("there"), b"a...");
    });
}

#[test]
fn item_2_a_sync_that_is_dropped_or_crashed_covers_nothing() {
    catga_testkit::block_on(async {
        let disk = SimDisk::new(1);
        let file = synced_file(&disk, "/f", b"....").await;
        let ten_ms = Duration::from_millis(10);
        disk.set_sync_time(ten_ms..=ten_ms);
        file.write_at(b"a", 0).expect("written");
        tokio::time::timeout(ten_ms / 2, file.sync()).await.expect_err("it takes longer");
        let crash_meanwhile = async {
            tokio::time::sleep(ten_ms / 2).await;
            disk.crash_losing(Lost::All);
        };
        let (synced, ()) = tokio::join!(file.sync(), crash_meanwhile);
        synced.expect_err("the machine stopped meanwhile");
        assert_eq!(disk.contents("/f").expect("there"), b"....");
    });
}

#[test]
fn item_3_a_name_is_durable_with_its_directory_not_with_its_file() {
    catga_testkit::block_on(async {
        let disk = SimDisk::new(1);
        disk.create_dir(at("a/b")).await.expect("durable when it returns");
        drop(synced_file(&disk, "/kept", b"1").await);
        let file = disk.open(at("/a/b/lost"), Open::Create).expect("new");
        file.sync().await.expect("durable");
        disk.remove(at("/kept")).expect("removed");
        disk.crash_losing(Lost::All);
        assert_eq!(disk.list(at("/a/b")).expect("the directories are there"), [""; 0]);
        assert_eq!(disk.paths(), [at("/kept")], "the removal was not durable");

        disk.remove(at("/kept")).expect("removed");
        disk.open(at("/a/b/found"), Open::Create).expect("new");
        disk.sync_dir(at("/")).await.expect("durable");
        disk.crash_losing(Lost::All);
        assert_eq!(disk.paths(), [""; 0].map(at), "another directory was synced");
        assert_eq!(disk.used_bytes(), 0);
    });
}

#[test]
fn item_3_a_later_name_does_not_give_way_to_an_earlier_one_of_another_directory() {
    catga_testkit::block_on(async {
        for seed in 0..50 {
            let disk = SimDisk::new(seed);
            disk.create_dir(at("/a")).await.expect("made");
            disk.create_dir(at("/b")).await.expect("made");
            disk.open(at("/a/x"), Open::Create).expect("new");
            disk.open(at("/b/x"), Open::Create).expect("new").set_len(7).expect("longer");
            disk.open(at("/b/x"), Open::Write).expect("there").sync().await.expect("durable");
            disk.rename(at("/b/x"), at("/a/x")).expect("renamed");
            disk.sync_dir(at("/b")).await.expect("durable");
            disk.crash();
            assert_eq!(disk.list(at("/b")).expect("names"), [""; 0]);
            assert_eq!(disk.contents("/a/x").expect("moved in one step").len(), 7);
        }
    });
}

#[test]
fn item_4_what_a_failed_sync_covered_is_gone_whatever_is_synced_later() {
    catga_testkit::block_on(async {
        let disk = SimDisk::new(1);
        let file = synced_file(&disk, "/f", b"....").await;
        disk.fail(Fault::of(Call::Sync));
        file.write_at(b"a", 0).expect("written");
        file.sync().await.expect_err("it fails");
        file.write_at(b"b", 1).expect("written");
        file.sync().await.expect("only the one failed");
        disk.crash_losing(Lost::None);
        assert_eq!(disk.contents("/f").expect("there"), b"ab..", "it can still be read");
        disk.crash();
        assert_eq!(disk.contents("/f").expect("there"), b".b..");
        assert_eq!(disk.counts().failed_syncs, 1);

        disk.fail(Fault::of(Call::SyncDir));
        disk.open(at("/g"), Open::Create).expect("new");
        disk.sync_dir(at("/")).await.expect_err("it fails");
        disk.sync_dir(at("/")).await.expect("only the one failed");
        disk.crash();
        assert_eq!(disk.paths(), [at("/f")]);
    });
}
