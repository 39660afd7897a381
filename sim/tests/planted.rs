//! Each bug on purpose is caught within 200 seeds, or nobody should trust the seeds that pass.
//!
//! A vote that overtakes pending entries harms nobody while a node votes alone: it commits them
//! only with an entry of its own, which comes behind them. The log's own test catches it.

#![allow(clippy::print_stdout, reason = "which seed caught it is worth reading")]

use catga_sim::{Nodes, Plan, Planted, run};

fn is_caught(bug: Planted, nodes: Nodes, ticks: u64) {
    is_caught_from(1, bug, nodes, ticks);
}

/// The same with the 200 seeds from `first` on: the test command need not wait for the others.
fn is_caught_from(first: u64, bug: Planted, nodes: Nodes, ticks: u64) {
    let caught = (first..first + 200).find_map(|seed| {
        // A bug may well end in a panic, which is told as well as any other way.
        let plan = Plan { seed, nodes, ticks, bug: Some(bug), lines: false };
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
    is_caught(Planted::AckBeforeSync, Nodes::One, 3_000);
}

#[test]
fn a_torn_tail_that_is_accepted_is_caught() {
    is_caught(Planted::TornTailAccepted, Nodes::One, 3_000);
}

#[test]
fn a_checkpoint_that_is_not_synced_is_caught() {
    is_caught(Planted::CheckpointNotSynced, Nodes::One, 3_000);
}

#[test]
fn acknowledging_before_a_quorum_is_caught() {
    is_caught(Planted::AckBeforeQuorum, Nodes::Three, 6_000);
}

#[test]
fn a_read_index_without_a_quorum_is_caught() {
    is_caught_from(10, Planted::ReadIndexUnconfirmed, Nodes::Three, 6_000);
}

#[test]
fn leading_on_in_the_old_term_after_a_restart_is_caught() {
    is_caught(Planted::LeaderRestore, Nodes::Three, 6_000);
}

#[test]
fn a_snapshot_that_forgets_what_counted_is_caught() {
    is_caught(Planted::DedupNotInSnapshot, Nodes::Three, 6_000);
}

#[test]
fn a_vote_that_is_not_written_down_is_caught() {
    is_caught(Planted::VoteNotPersisted, Nodes::Three, 6_000);
}

#[test]
fn an_entry_that_a_start_passes_over_is_caught() {
    is_caught(Planted::EntrySkippedAtStart, Nodes::One, 3_000);
}

#[test]
fn a_read_index_that_is_given_twice_is_caught() {
    is_caught_from(2, Planted::ReadIndexReused, Nodes::Three, 6_000);
}

#[test]
fn answers_that_go_to_each_other_are_caught() {
    is_caught(Planted::AnswersSwapped, Nodes::Three, 6_000);
}

#[test]
fn effects_without_their_conditions_are_caught() {
    is_caught_from(2, Planted::ConditionsDropped, Nodes::Three, 6_000);
}

#[test]
fn a_snapshot_that_forgets_the_wall_time_is_caught() {
    is_caught(Planted::WallNotInSnapshot, Nodes::Three, 6_000);
}

#[test]
fn a_wait_that_stays_is_caught() {
    is_caught(Planted::WaitKept, Nodes::Three, 6_000);
}

#[test]
fn a_task_that_stays_of_a_lost_link_is_caught() {
    is_caught(Planted::LinkTaskKept, Nodes::Three, 6_000);
}

#[test]
fn a_command_that_stays_under_way_after_a_panic_is_caught() {
    is_caught(Planted::PanicStaysUnderWay, Nodes::Three, 6_000);
}

#[test]
fn a_removed_member_that_goes_on_is_caught() {
    is_caught_from(10, Planted::RemovedBelongs, Nodes::Three, 6_000);
}

#[test]
fn newer_rules_that_begin_too_early_are_caught() {
    is_caught_from(35, Planted::RulesTooEarly, Nodes::Three, 6_000);
}

#[test]
fn what_counted_by_client_alone_is_caught() {
    is_caught(Planted::DedupByClient, Nodes::Three, 6_000);
}

#[test]
fn expiry_by_the_wall_clock_is_caught() {
    is_caught(Planted::ExpiryByWallClock, Nodes::Three, 6_000);
}

#[test]
fn a_dead_letter_recorded_after_the_cursor_is_caught() {
    is_caught_from(8, Planted::LetterAfterCursor, Nodes::Three, 6_000);
}

#[test]
fn a_cursor_recorded_before_the_delivery_is_caught() {
    is_caught(Planted::CursorBeforeDelivery, Nodes::Three, 6_000);
}
