//! Equal seeds give equal runs: the trace, the images and the counts say so.

use std::path::PathBuf;
use std::time::Duration;

use catga::host::{Host, Open};
use catga_testkit::disk::{CrashStates, SimDisk};
use catga_testkit::{Trace, VirtualHost};

/// Several tasks write, sync and replace files until the power goes, three times.
async fn live_through_three_power_cuts(seed: u64, trace: &Trace) -> SimDisk {
    let disk = SimDisk::new(seed);
    disk.set_trace(trace.named("n1"));
    for life in 0..3 {
        let host = VirtualHost::with_disk(seed ^ life, disk.clone());
        for name in ["one", "two", "three"] {
            let machine = host.clone();
            let task = async move {
                let files = machine.files();
                for number in 0.. {
                    let path = PathBuf::from(format!("/{name}-{life}-{number}"));
                    let file = files.open(&path, Open::Create).expect("new");
                    let data = vec![number; (machine.random() % 5000) as usize];
                    file.write_at(&data, 0).expect("written");
                    file.sync().await.expect("durable");
                    files.rename(&path, &PathBuf::from(format!("/{name}"))).expect("renamed");
                    files.sync_dir("/".as_ref()).await.expect("durable");
                    machine.sleep(Duration::from_millis(machine.random() % 20)).await;
                }
            };
            drop(host.spawn("writer", Box::pin(task)));
        }
        host.advance(Duration::from_millis(200 + host.random() % 50)).await;
        host.power_cut().await;
    }
    disk
}

fn run(seed: u64) -> (u64, Vec<String>, u64, String) {
    let trace = Trace::new();
    trace.keep_lines();
    let disk =
        catga_testkit::run(seed, async |_| live_through_three_power_cuts(seed, &trace).await);
    (trace.hash(), trace.lines(), disk.digest(), format!("{:?}", disk.counts()))
}

#[test]
fn a_run_twice_with_one_seed_has_one_trace_and_one_disk() {
    for seed in 0..20 {
        let (first, second) = (run(seed), run(seed));
        assert_eq!(first, second);
        assert!(first.1.len() > 300, "{}", first.1.len());
        assert_ne!(first.0, run(seed + 1000).0);
        assert_ne!(first.2, run(seed + 1000).2);
    }
}

#[test]
fn the_lines_say_when_and_where_what_happened() {
    catga_testkit::run(1, async |host| {
        host.disk().set_sync_time(Duration::from_millis(7)..=Duration::from_millis(7));
        let (files, trace) = (host.files(), host.trace());
        trace.keep_lines();
        let file = files.open("/f".as_ref(), Open::Create).expect("new");
        file.write_at(b"1", 5).expect("written");
        file.sync().await.expect("durable");
        drop(host.spawn("idle", Box::pin(async {})));
        host.crash().await;
        let lines = trace.lines();
        let ends = ["create #0 /f", "write #0 5+1 ", "synced #0 2 true", "spawn idle", "ended"];
        assert_eq!(lines.len(), ends.len(), "{lines:?}");
        for (line, end) in lines.iter().zip(ends) {
            assert!(line.contains(end), "{line} {end}");
        }
        assert!(lines[1].contains(" 0.000 ") && lines[2].contains(" 7.000 "), "{lines:?}");
    });
}

#[test]
fn equal_seeds_give_equal_crash_states() {
    let states = |seed| {
        let disk = SimDisk::new(1);
        disk.record();
        catga_testkit::block_on(async {
            let files: &dyn catga::host::Files = &disk;
            let file = files.open("/f".as_ref(), Open::Create).expect("new");
            for number in 0..20 {
                file.write_at(&[number; 2000], u64::from(number) * 1500).expect("written");
            }
        });
        let recording = disk.recording().expect("it records");
        let states = CrashStates::new(recording, seed).random(4);
        Vec::from_iter(states.map(|state| (state.after, state.disk.digest())))
    };
    assert_eq!(states(5), states(5));
    assert_ne!(states(5), states(6));
}
