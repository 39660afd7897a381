//! Disks that are full, broken or read-only.

use std::io::ErrorKind;
use std::path::Path;

use catga::host::{Files, Open};
use catga_testkit::disk::{Call, Fault, Lost, SimDisk};

const BLOCK: u64 = 4096;

fn at(text: &str) -> &Path {
    Path::new(text)
}

#[test]
fn a_full_disk_takes_what_was_reserved_and_nothing_else() {
    let disk = SimDisk::new(1);
    disk.set_capacity(4 * BLOCK);
    let reserved = disk.open(at("/reserved"), Open::Create).expect("new");
    reserved.allocate(2 * BLOCK).expect("room");
    let other = disk.open(at("/other"), Open::Create).expect("new");
    assert_eq!(disk.space(at("/")).expect("a number"), 2 * BLOCK);
    let full = other.allocate(2 * BLOCK + 1).expect_err("no room");
    assert_eq!((full.kind(), other.len().expect("a length")), (ErrorKind::StorageFull, 0));
    let full = other.write_at(&[1; 3 * BLOCK as usize], 0).expect_err("no room");
    assert_eq!(full.kind(), ErrorKind::StorageFull);
    assert_eq!(other.len().expect("a length"), 2 * BLOCK, "what had room was written");
    assert_eq!(disk.space(at("/")).expect("a number"), 0);
    let full = disk.open(at("/third"), Open::Create).expect_err("no room");
    assert_eq!(full.kind(), ErrorKind::StorageFull);
    reserved.write_at(&[2; 2 * BLOCK as usize], 0).expect("its room is its own");
    assert_eq!(disk.counts().full, 3);

    disk.remove(at("/other")).expect("removed");
    assert_eq!(disk.space(at("/")).expect("a number"), 0, "somebody still has it open");
    drop(other);
    assert_eq!(disk.space(at("/")).expect("a number"), 2 * BLOCK);
    disk.set_capacity(BLOCK);
    assert_eq!(disk.space(at("/")).expect("a number"), 0, "it may be less than is taken");
    disk.set_capacity(3 * BLOCK);
    reserved.write_at(&[3], 2 * BLOCK).expect("room again");
    assert_eq!((disk.used_bytes(), disk.space(at("/")).expect("a number")), (3 * BLOCK, 0));
}

#[test]
fn a_fault_comes_when_and_where_it_was_asked_for() {
    catga_testkit::block_on(async {
        let disk = SimDisk::new(1);
        let wal = disk.open(at("/wal"), Open::Create).expect("new");
        let other = disk.open(at("/other"), Open::Create).expect("new");
        disk.fail(Fault::of(Call::Sync).nth(2).on(|path| path.ends_with("wal")));
        disk.fail(Fault::of(Call::Read).every().error(ErrorKind::InvalidData));
        let results = [
            wal.sync().await.is_ok(),
            other.sync().await.is_ok(),
            wal.sync().await.is_ok(),
            wal.sync().await.is_ok(),
        ];
        assert_eq!(results, [true, true, false, true]);
        for _ in 0..3 {
            let error = wal.read_at(&mut [], 0).expect_err("every one fails");
            assert_eq!(error.to_string(), "simulated fault: Read of /wal");
            assert_eq!(error.kind(), ErrorKind::InvalidData);
        }
        disk.fail(Fault::of(Call::CreateDir).nth(2));
        disk.create_dir(at("/a")).await.expect("the first");
        disk.create_dir(at("/b")).await.expect_err("the second fails");
        assert_eq!(disk.list(at("/b")).expect_err("not made").kind(), ErrorKind::NotFound);
        disk.heal();
        wal.read_at(&mut [], 0).expect("read");
        assert_eq!((disk.counts().faults, disk.counts().failed_syncs), (5, 1));
    });
}

#[test]
fn a_write_that_fails_may_have_written_a_part() {
    let mut lengths = std::collections::BTreeSet::new();
    for seed in 0..50 {
        let disk = SimDisk::new(seed);
        let file = disk.open(at("/f"), Open::Create).expect("new");
        disk.fail(Fault::of(Call::Write));
        file.write_at(&[1; 1024], 0).expect_err("it fails");
        lengths.insert(file.len().expect("a length"));
    }
    assert_eq!(Vec::from_iter(lengths), [0, 512]);
}

#[test]
fn a_read_only_disk_is_read() {
    catga_testkit::block_on(async {
        let disk = SimDisk::new(1);
        let file = disk.open(at("/f"), Open::Create).expect("new");
        file.write_at(b"there", 0).expect("written");
        disk.set_read_only(true);
        let errors = [
            file.write_at(b"a", 0).err(),
            file.set_len(1).err(),
            file.allocate(9).err(),
            disk.open(at("/f"), Open::Write).err(),
            disk.open(at("/g"), Open::Create).err(),
            disk.rename(at("/f"), at("/g")).err(),
            disk.remove(at("/f")).err(),
            disk.create_dir(at("/d")).await.err(),
            disk.lock(at("/f")).err(),
        ];
        for error in errors {
            assert_eq!(error.expect("read-only").kind(), ErrorKind::ReadOnlyFilesystem);
        }
        disk.open(at("/f"), Open::Read).expect("there").read_at(&mut [0; 5], 0).expect("read");
        disk.create_dir(at("/")).await.expect("is there already");
        disk.set_read_only(false);
        disk.remove(at("/f")).expect("removed");
    });
}

#[test]
fn a_flipped_bit_stays_flipped() {
    catga_testkit::block_on(async {
        let disk = SimDisk::new(1);
        let file = disk.open(at("/f"), Open::Create).expect("new");
        file.write_at(&[0; 8], 0).expect("written");
        file.sync().await.expect("durable");
        disk.sync_dir(at("/")).await.expect("durable");
        disk.flip_bit("/f", 2).expect("there");
        assert_eq!(disk.contents("/f").expect("there"), [0, 0, 4, 0, 0, 0, 0, 0]);
        disk.crash_losing(Lost::All);
        assert_eq!(disk.contents("/f").expect("there"), [0, 0, 4, 0, 0, 0, 0, 0]);
        disk.flip_bit("/f", 2).expect("there");
        assert_eq!(disk.contents("/f").expect("there"), [0; 8]);
        let beyond = disk.flip_bit("/f", 8).expect_err("it ends");
        assert_eq!(beyond.kind(), ErrorKind::UnexpectedEof);
        assert_eq!(disk.flip_bit("/no", 0).expect_err("missing").kind(), ErrorKind::NotFound);
    });
}
