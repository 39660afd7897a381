//! A part of the history that a disk lost is given to nobody, and fetched from another node.

use std::path::{Path, PathBuf};

use catga_core::{Fault, FaultCode, Offset};
use catga_journal::{Filter, Journal};
use catga_testkit::disk::{Call, Fault as DiskFault};

use crate::nodes::{Nodes, ms, on_nodes, on_nodes_scrubbed};

/// The segments of a node's history, oldest first: the last one still grows.
fn segments(nodes: &Nodes, node: usize) -> Vec<PathBuf> {
    let paths = nodes.machines[node].disk().paths().into_iter();
    let history = paths.filter(|path| path.starts_with("/data/journal/history/"));
    history.filter(|path| path.extension().is_some_and(|end| end == "history")).collect()
}

fn flip(nodes: &Nodes, node: usize, path: &PathBuf, at: impl Fn(u64) -> u64) {
    let disk = nodes.machines[node].disk();
    let len = disk.contents(path).expect("it is there").len() as u64;
    disk.flip_bit(path, at(len)).expect("it is so long");
}

/// A follower with a good deal of history, which `trouble` happens to while it is down.
async fn damaged(nodes: &Nodes, trouble: impl Fn(usize)) -> usize {
    nodes.commit(150).await;
    let follower = (nodes.leader().expect("one leads") + 1) % 3;
    nodes.settled(follower).await;
    // Time for a checkpoint.
    tokio::time::sleep(ms(50)).await;
    nodes.end(follower, true).await;
    trouble(follower);
    nodes.start(follower).await;
    nodes.settled(follower).await;
    follower
}

async fn read_all(journal: &dyn Journal) -> Result<(), Fault> {
    let (mut after, upto) = (Offset::ZERO, journal.applied().get());
    while after < upto {
        after = journal.page(after, &Filter::All, 512).await?.upto;
    }
    for offset in 1..=upto.0 {
        journal.outcome(Offset(offset)).await?;
    }
    Ok(())
}

/// Reads all of the history until it can be read, and gives how often it could not.
async fn read_until_whole(nodes: &Nodes, node: usize) -> u32 {
    for refused in 0..1_000 {
        let journal = nodes.at(node);
        match read_all(&*journal).await {
            Ok(()) => return refused,
            Err(fault) => assert_eq!(fault.code(), FaultCode::HistoryDamaged, "{fault}"),
        }
        tokio::time::sleep(ms(2)).await;
    }
    panic!("it is not mended")
}

#[test]
fn a_flipped_bit_in_a_sealed_segment_is_never_served_and_mended() {
    on_nodes(async |nodes| {
        let trouble = |node| {
            let segments = segments(nodes, node);
            assert!(segments.len() > 3, "{segments:?}");
            flip(nodes, node, &segments[1], |len| len / 3);
        };
        let follower = damaged(nodes, trouble).await;
        assert!(read_until_whole(nodes, follower).await > 0, "it shows when it is read");
        // It is good on disk too, and stays so.
        nodes.check().await;
        nodes.end(follower, true).await;
        nodes.start(follower).await;
    });
}

/// A disk that keeps checksums of its own says that a sector is bad, and gives nothing.
#[test]
fn a_sector_that_the_disk_cannot_read_is_fetched_from_another_node() {
    const EIO: i32 = 5;
    let bad = |path: &Path| {
        let path = path.to_owned();
        DiskFault::of(Call::Read).on(move |read| read == path).os_error(EIO)
    };
    on_nodes(async |nodes| {
        // One is read when the node opens its history, the other later.
        let trouble = |node: usize| {
            nodes.machines[node].disk().fail(bad(&segments(nodes, node)[1]));
        };
        let follower = damaged(nodes, trouble).await;
        let disk = nodes.machines[follower].disk();
        disk.fail(bad(&segments(nodes, follower)[2]));
        assert!(read_until_whole(nodes, follower).await > 0, "it shows when it is read");
        nodes.check().await;
    });
}

#[test]
fn whatever_byte_of_the_history_is_lost_it_comes_back() {
    for part in [0, 3, 7] {
        on_nodes(async |nodes| {
            let trouble = |node| {
                for segment in segments(nodes, node) {
                    flip(nodes, node, &segment, |len| (len - 1) * part / 7);
                }
            };
            let follower = damaged(nodes, trouble).await;
            nodes.commit(40).await;
            read_until_whole(nodes, follower).await;
            // What no reader needs is read all the same.
            tokio::time::sleep(ms(2_000)).await;
        });
    }
}

#[test]
fn what_a_process_that_ended_had_begun_to_fetch_is_removed() {
    on_nodes(async |nodes| {
        let left = PathBuf::from("/data/journal/history/0000000000000001.mending");
        let trouble = |node: usize| {
            let files = catga_host::Host::files(&*nodes.machines[node]);
            files.open(&left, catga_host::Open::Create).expect("it is made");
        };
        let follower = damaged(nodes, trouble).await;
        assert!(!nodes.machines[follower].disk().paths().contains(&left));
    });
}

#[test]
fn files_that_are_gone_or_too_short_come_back() {
    on_nodes(async |nodes| {
        let trouble = |node: usize| {
            let host = &nodes.machines[node];
            let files = catga_host::Host::files(&**host);
            let segments = segments(nodes, node);
            files.remove(&segments[0]).expect("it is there");
            let file = files.open(&segments[2], catga_host::Open::Write).expect("it is there");
            file.set_len(200).expect("it is longer");
            files.remove(segments.last().expect("the tail")).expect("it is there");
        };
        let follower = damaged(nodes, trouble).await;
        read_until_whole(nodes, follower).await;
    });
}

#[test]
fn it_waits_for_a_node_that_has_what_it_lost() {
    on_nodes(async |nodes| {
        let trouble = |node| {
            for segment in segments(nodes, node) {
                flip(nodes, node, &segment, |len| len / 2);
            }
        };
        nodes.commit(150).await;
        let leader = nodes.leader().expect("one leads");
        let (follower, other) = ((leader + 1) % 3, (leader + 2) % 3);
        nodes.settled(follower).await;
        tokio::time::sleep(ms(50)).await;
        for node in 0..3 {
            nodes.end(node, true).await;
        }
        trouble(follower);
        // Alone it cannot be mended, and nobody gets what is damaged.
        nodes.start(follower).await;
        for _ in 0..20 {
            let read = read_all(&*nodes.at(follower)).await;
            let fault = read.err().map(|fault| fault.code());
            assert_eq!(fault, Some(FaultCode::HistoryDamaged));
            tokio::time::sleep(ms(100)).await;
        }
        nodes.start(other).await;
        nodes.start(leader).await;
        nodes.wait_for("a leader", || nodes.leader().is_some()).await;
        read_until_whole(nodes, follower).await;
    });
}

/// Whoever sends a damaged piece hears of it, long before it would have noticed.
#[test]
fn a_leader_that_ships_what_is_damaged_is_mended_by_the_others() {
    on_nodes_scrubbed(ms(3_600_000), async |nodes| {
        let follower = nodes.lagging().await;
        nodes.commit(100).await;
        let leader = nodes.leader().expect("one leads");
        for segment in segments(nodes, leader) {
            flip(nodes, leader, &segment, |len| len / 2);
        }
        nodes.start(follower).await;
        nodes.settled(follower).await;
        read_until_whole(nodes, leader).await;
    });
}
