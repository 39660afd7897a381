//! One seed gives one run of a whole network.

use std::sync::Arc;
use std::time::Duration;

use catga::host::Host;
use catga_testkit::disk::SimDisk;
use catga_testkit::network::{Counts, SimNetwork};
use catga_testkit::{Trace, VirtualHost};
use tokio::io::{AsyncReadExt, AsyncWriteExt};

const NAMES: [&str; 3] = ["node1", "node2", "node3"];

/// Echoes whatever comes.
async fn serve(host: Arc<VirtualHost>) {
    let listener = host.listen("0.0.0.0:1".parse().expect("an address")).await.expect("free");
    loop {
        let (mut connection, _) = listener.accept().await.expect("accepted");
        let echo = async move {
            let mut bytes = [0; 500];
            while let Ok(read @ 1..) = connection.read(&mut bytes).await {
                if connection.write_all(&bytes[..read]).await.is_err() {
                    break;
                }
            }
        };
        drop(host.spawn("echo", Box::pin(echo)));
    }
}

/// Calls the others, again and again.
async fn call(host: Arc<VirtualHost>) {
    loop {
        let name = NAMES[(host.random() % 3) as usize];
        let talk = async {
            let mut connection = host.connect(&format!("{name}:1")).await?;
            for _ in 0..host.random() % 20 {
                let mut bytes = vec![0; (host.random() % 2000) as usize];
                connection.write_all(&bytes).await?;
                connection.read_exact(&mut bytes).await?;
            }
            std::io::Result::Ok(())
        };
        let limit = Duration::from_millis(500);
        drop(catga::host::timeout(&*host, limit, talk).await);
        host.sleep(Duration::from_millis(host.random() % 20)).await;
    }
}

fn start(host: &Arc<VirtualHost>) {
    drop(host.spawn("serve", Box::pin(serve(host.clone()))));
    for _ in 0..3 {
        drop(host.spawn("call", Box::pin(call(host.clone()))));
    }
}

async fn break_things(seed: u64, trace: &Trace) -> Counts {
    let network = SimNetwork::new(seed, trace.clone());
    let machine = |index: usize| {
        let seed = seed * 10 + index as u64;
        VirtualHost::in_network(seed, SimDisk::new(seed), &network, NAMES[index])
    };
    let hosts: Vec<_> = (0..3).map(machine).collect();
    hosts.iter().for_each(start);
    let mut dice = fastrand::Rng::with_seed(seed);
    for _ in 0..60 {
        hosts[0].advance(Duration::from_millis(dice.u64(0..300))).await;
        let (one, other) = (dice.usize(0..3), dice.usize(0..3));
        match dice.u8(0..8) {
            0 => network.cut(NAMES[one], NAMES[other]),
            1 => network.isolate(NAMES[one]),
            2 | 3 => network.heal_all(),
            4 => network.reset(NAMES[one], NAMES[other]),
            5 => hosts[one].pause(),
            6 => hosts.iter().for_each(|host| host.resume()),
            _ => {
                if dice.bool() {
                    hosts[one].crash().await;
                } else {
                    hosts[one].power_cut().await;
                }
                hosts[other].advance(Duration::from_millis(dice.u64(0..300))).await;
                start(&hosts[one]);
            }
        }
    }
    network.counts()
}

fn run(seed: u64) -> (u64, Vec<String>, Counts) {
    let trace = Trace::new();
    trace.keep_lines();
    let counts = catga_testkit::block_on(break_things(seed, &trace));
    (trace.hash(), trace.lines(), counts)
}

#[test]
fn one_seed_gives_one_trace_and_another_gives_another() {
    let mut exercised = [0; 8];
    for seed in 1..=8 {
        let (first, second) = (run(seed), run(seed));
        let differs = first.1.iter().zip(&second.1).find(|(one, other)| one != other);
        assert_eq!(differs, None);
        assert_eq!((first.0, first.2), (second.0, second.2));
        assert_ne!(first.0, run(seed + 1000).0);
        let Counts { connects, refused, cuts, heals, resets, bytes, held_back, splits, .. } =
            first.2;
        let counts = [connects, refused, cuts, heals, resets, bytes, held_back, splits];
        exercised.iter_mut().zip(counts).for_each(|(sum, count)| *sum += count);
    }
    assert!(exercised.iter().all(|count| *count > 50), "{exercised:?}");
}
