//! The states that a loss of power can leave, at every change of a recorded run.

use std::collections::BTreeSet;
use std::path::Path;

use catga::host::{Files, Open};
use catga_testkit::disk::{CrashStates, Lost, SimDisk};

fn at(text: &str) -> &Path {
    Path::new(text)
}

#[test]
fn each_moment_has_one_state_where_all_is_durable_and_all_asked_for_elsewhere() {
    catga_testkit::block_on(async {
        let disk = SimDisk::new(1);
        disk.open(at("/before"), Open::Create).expect("new");
        disk.sync_dir(at("/")).await.expect("durable");
        disk.record();
        assert_eq!(disk.recorded(), 0);
        let file = disk.open(at("/f"), Open::Create).expect("new");
        disk.sync_dir(at("/")).await.expect("durable");
        file.write_at(b"12", 0).expect("written");
        file.sync().await.expect("durable");
        disk.rename(at("/f"), at("/g")).expect("renamed");
        assert_eq!(disk.recorded(), 5);
        let recording = disk.recording().expect("it records");
        assert_eq!((recording.len(), recording.is_empty()), (5, false));
        let states = Vec::from_iter(CrashStates::new(recording, 1).random(3));
        let moments = Vec::from_iter(states.iter().map(|state| state.after));
        assert_eq!(moments, [0, 1, 1, 1, 1, 1, 2, 3, 3, 3, 3, 3, 4, 5, 5, 5, 5, 5]);
        let found = |after: usize, lost: Lost| {
            let mut states = states.iter();
            let state = states.find(|state| (state.after, state.lost) == (after, lost));
            state.expect("such a state").disk.paths()
        };
        assert_eq!(found(0, Lost::All), [at("/before")]);
        assert_eq!(found(1, Lost::All), [at("/before")]);
        assert_eq!(found(1, Lost::None), [at("/before"), at("/f")]);
        assert_eq!(found(5, Lost::All), [at("/before"), at("/f")]);
        assert_eq!(found(5, Lost::None), [at("/before"), at("/g")]);
        let random: BTreeSet<_> = states.iter().map(|state| state.disk.digest()).collect();
        assert!(random.len() >= 4, "{random:?}");
        assert_eq!(disk.contents("/g").expect("the disk itself goes on"), b"12");
    });
}

#[test]
fn a_recording_goes_on_over_crashes() {
    catga_testkit::block_on(async {
        let disk = SimDisk::new(1);
        disk.record();
        disk.open(at("/lost"), Open::Create).expect("new");
        disk.crash_losing(Lost::All);
        disk.open(at("/f"), Open::Create).expect("new");
        disk.sync_dir(at("/")).await.expect("durable");
        disk.flip_bit("/f", 0).expect_err("it is empty");
        let states = CrashStates::new(disk.recording().expect("it records"), 1);
        let last = states.last().expect("a state");
        assert_eq!((last.after, last.disk.paths()), (4, vec![at("/f").to_owned()]));
        assert_eq!(last.disk.digest(), disk.digest());
    });
}

#[test]
fn thousands_of_states_of_large_files_share_what_they_hold() {
    const SEGMENT: u64 = 16 << 20;
    catga_testkit::block_on(async {
        let disk = SimDisk::new(1);
        disk.record();
        let mut promises = vec![(0, 0)];
        let mut files = Vec::new();
        for number in 0..3 {
            let path = format!("/{number}");
            let file = disk.open(at(&path), Open::Create).expect("new");
            file.allocate(SEGMENT).expect("room");
            file.sync().await.expect("durable");
            files.push(file);
        }
        disk.sync_dir(at("/")).await.expect("durable");
        for number in 0..1000u64 {
            let file = &files[(number % 3) as usize];
            file.write_at(&number.to_le_bytes().repeat(100), number * 4000).expect("written");
            file.sync().await.expect("durable");
            promises.push((disk.recorded(), number));
        }
        let mut states = CrashStates::new(disk.recording().expect("it records"), 1).random(6);
        let (mut images, mut largest) = (0, 0);
        for state in states.by_ref() {
            images += 1;
            let kept = promises.partition_point(|(recorded, _)| *recorded <= state.after) - 1;
            let number = promises[kept].1;
            if kept > 0 {
                let path = format!("/{}", number % 3);
                let file = state.disk.open(at(&path), Open::Read).expect("it was promised");
                let mut found = [0; 8];
                file.read_at(&mut found, number * 4000 + 792).expect("it was promised");
                assert_eq!(u64::from_le_bytes(found), number, "after {}", state.after);
            }
            largest = largest.max(state.disk.used_bytes());
        }
        // Each write leaves eight states, and its sync one.
        assert!(images > 1000 * 9, "{images}");
        assert_eq!(largest, 3 * SEGMENT);
        assert!(states.counts().torn_writes > 100, "{:?}", states.counts());
    });
}
