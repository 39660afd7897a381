//! Each bug on purpose is caught within 200 seeds, or nobody should trust the seeds that pass.
//!
//! A vote that overtakes pending entries harms nobody while a node votes alone: it commits them
//! only with an entry of its own, which comes behind them. The log's own test catches it.

#![allow(clippy::print_stdout, reason = "which seed caught it is worth reading")]

use catga_sim::{Nodes, Plan, Planted, run};

fn is_caught(bug: Planted) {
    let caught = (1..=200).find_map(|seed| {
        // A bug may well end in a panic, which is told as well as any other way.
        let plan = Plan { seed, nodes: Nodes::One, ticks: 3_000, bug: Some(bug), lines: false };
        let run = std::panic::catch_unwind(|| run(plan));
        match run {
            Ok(run) => run.violation.map(|violation| (seed, violation.to_string())),
            Err(_) => Some((seed, "it panicked".to_owned())),
        }
    });
    let (seed, violation) = caught.unwrap_or_else(|| panic!("{bug:?} was not caught"));
    println!("{bug:?} was caught by seed {seed}: {violation}");
}

#[test]
fn acknowledging_before_the_sync_is_caught() {
    is_caught(Planted::AckBeforeSync);
}

#[test]
fn a_torn_tail_that_is_accepted_is_caught() {
    is_caught(Planted::TornTailAccepted);
}

#[test]
fn a_checkpoint_that_is_not_synced_is_caught() {
    is_caught(Planted::CheckpointNotSynced);
}
