//! What a loss of power takes, over many seeds: as much as the contract allows, and no more.

use std::collections::BTreeSet;
use std::io::ErrorKind;
use std::path::Path;

use catga::host::{Files, Open};
use catga_testkit::VirtualHost;
use catga_testkit::disk::{Lost, SimDisk};

const SEEDS: u64 = 300;

fn at(text: &str) -> &Path {
    Path::new(text)
}

#[test]
fn writes_are_lost_torn_and_reordered_by_sectors_and_what_was_synced_never_is() {
    catga_testkit::block_on(async {
        let (mut lost, mut kept, mut torn, mut reordered, mut all_or_nothing) = (0, 0, 0, 0, 0);
        for seed in 0..SEEDS {
            let disk = SimDisk::new(seed);
            let file = disk.open(at("/f"), Open::Create).expect("new");
            file.write_at(&[b'-'; 16 << 10], 0).expect("written");
            file.sync().await.expect("durable");
            disk.sync_dir(at("/")).await.expect("durable");
            // The last quarter is synced and not written again.
            for (name, from) in (b'a'..).zip([100, 4196, 8292]) {
                file.write_at(&[name; 3000], from).expect("written");
            }
            disk.crash();
            let found = disk.contents("/f").expect("there");
            assert_eq!(found.len(), 16 << 10);
            assert!(found[12 << 10..].iter().all(|byte| *byte == b'-'), "seed {seed}");
            let whole = |name, from: usize| found[from..from + 3000].iter().all(|b| *b == name);
            for (name, from) in (b'a'..).zip([100, 4196, 8292]) {
                for sector in by_sector(&found[from..from + 3000], from) {
                    let one = sector.iter().all(|byte| *byte == sector[0]);
                    assert!(one && [name, b'-'].contains(&sector[0]), "seed {seed}");
                }
            }
            reordered += u64::from(whole(b'-', 100) && whole(b'c', 8292));
            let counts = disk.counts();
            lost += counts.lost_writes;
            kept += counts.kept_writes;
            torn += counts.torn_writes;
            all_or_nothing += u64::from(counts.lost_writes == 3 || counts.kept_writes == 3);
            assert_eq!(counts.lost_writes + counts.kept_writes + counts.torn_writes, 3);
        }
        let seen = [lost, kept, torn, reordered, all_or_nothing];
        assert!(seen.iter().all(|times| *times >= 10), "{seen:?}");
    });
}

/// The parts of bytes that stand at `from` which lie in one sector each.
fn by_sector(bytes: &[u8], from: usize) -> impl Iterator<Item = &[u8]> {
    let (head, rest) = bytes.split_at((512 - from % 512) % 512);
    std::iter::once(head).chain(rest.chunks(512)).filter(|part| !part.is_empty())
}

#[test]
fn a_length_survives_or_not_and_what_was_not_written_reads_as_zero() {
    catga_testkit::block_on(async {
        let mut lengths = BTreeSet::new();
        let mut zeros = 0;
        for seed in 0..SEEDS {
            let disk = SimDisk::new(seed);
            let file = disk.open(at("/f"), Open::Create).expect("new");
            file.write_at(&[b'-'; 1000], 0).expect("written");
            file.sync().await.expect("durable");
            disk.sync_dir(at("/")).await.expect("durable");
            file.write_at(&[b'a'; 1000], 1000).expect("written");
            file.allocate(10_000).expect("room");
            disk.crash();
            let found = disk.contents("/f").expect("there");
            assert!(found.len() >= 1000 && found[..1000] == [b'-'; 1000], "seed {seed}");
            assert!(found[1000..].iter().all(|byte| [0, b'a'].contains(byte)), "seed {seed}");
            zeros += u64::from(found.len() == 2000 && found[1000..] == [0; 1000]);
            lengths.insert(found.len());
        }
        assert!([1000, 2000, 10_000].iter().all(|len| lengths.contains(len)), "{lengths:?}");
        assert!(zeros > 0, "a length without what was written there");
    });
}

#[test]
fn each_name_is_found_as_before_or_as_after_and_a_rename_is_one_step() {
    catga_testkit::block_on(async {
        let mut seen = BTreeSet::new();
        for seed in 0..SEEDS {
            let disk = SimDisk::new(seed);
            for path in ["/old", "/gone", "/tmp"] {
                let file = disk.open(at(path), Open::Create).expect("new");
                file.write_at(path.as_bytes(), 0).expect("written");
                file.sync().await.expect("durable");
            }
            disk.sync_dir(at("/")).await.expect("durable");
            disk.rename(at("/tmp"), at("/old")).expect("renamed");
            disk.remove(at("/gone")).expect("removed");
            disk.open(at("/new"), Open::Create).expect("new");
            disk.crash();
            let names = disk.list(at("/")).expect("names");
            let renamed = !names.contains(&"tmp".to_owned());
            let expected: &[u8] = if renamed { b"/tmp" } else { b"/old" };
            assert_eq!(disk.contents("/old").expect("always there"), expected, "seed {seed}");
            seen.insert(names);
        }
        assert_eq!(seen.len(), 8, "each on its own: {seen:?}");
    });
}

#[test]
fn what_stands_in_a_directory_that_is_lost_is_lost() {
    catga_testkit::block_on(async {
        let mut dirs = BTreeSet::new();
        for seed in 0..SEEDS {
            let disk = SimDisk::new(seed);
            let making = tokio::join!(disk.create_dir(at("/a/b")), async {
                tokio::task::yield_now().await;
                drop(disk.open(at("/a/b/f"), Open::Create).expect("new"));
                disk.crash();
            });
            making.0.expect_err("the machine stopped meanwhile");
            let a = disk.list(at("/")).expect("names");
            let b = disk.list(at("/a")).unwrap_or_default();
            let f = disk.list(at("/a/b")).unwrap_or_default();
            dirs.insert((a, b, f));
        }
        assert_eq!(dirs.len(), 4, "nothing, /a, /a/b, /a/b/f: {dirs:?}");
    });
}

#[test]
fn what_was_open_is_dead_and_locks_are_free() {
    catga_testkit::block_on(async {
        for lost in [Lost::All, Lost::Some, Lost::None] {
            let disk = SimDisk::new(1);
            let file = disk.open(at("/f"), Open::Create).expect("new");
            disk.sync_dir(at("/")).await.expect("durable");
            let former = disk.lock(at("/lock")).expect("free");
            disk.crash_losing(lost);
            let errors = [
                file.len().err(),
                file.read_at(&mut [], 0).err(),
                file.write_at(b"a", 0).err(),
                file.allocate(1).err(),
                file.set_len(1).err(),
                file.sync().await.err(),
            ];
            for error in errors {
                let said = error.expect("it is dead").to_string();
                assert_eq!(said, "/f was opened before the machine or process stopped");
            }
            let held = disk.lock(at("/lock")).expect("free");
            drop(former);
            assert_eq!(disk.lock(at("/lock")).expect_err("held").kind(), ErrorKind::WouldBlock);
            drop(held);
            let again = disk.open(at("/f"), Open::Write).expect("there");
            drop(file);
            again.write_at(b"a", 0).expect("the former handle's end does not end it");
        }
    });
}

#[test]
fn a_machine_finds_after_a_power_cut_what_was_durable_and_after_a_crash_everything() {
    catga_testkit::run(3, async |host| {
        let files = catga::host::Host::files(&*host);
        let file = files.open(at("/f"), Open::Create).expect("new");
        files.sync_dir(at("/")).await.expect("durable");
        let task = async move {
            for byte in 0.. {
                file.write_at(&[byte], u64::from(byte)).expect("written");
                file.sync().await.expect("durable");
            }
        };
        drop(catga::host::Host::spawn(&*host, "writes", Box::pin(task)));
        host.advance(std::time::Duration::from_millis(50)).await;
        host.crash().await;
        assert_eq!(host.tasks(), [""; 0]);
        let before = host.disk().contents("/f").expect("there");
        assert!(before.len() > 10, "{before:?}");
        host.power_cut().await;
        let host = VirtualHost::with_disk(4, host.disk().clone());
        let after = host.disk().contents("/f").expect("there");
        assert!(after.len() >= before.len() - 1 && before.starts_with(&after), "{after:?}");
        assert_eq!((host.disk().counts().restarts, host.disk().counts().crashes), (1, 1));
    });
}
