//! The suites that show that a log or a journal keeps the numbered promises of its trait.
//!
//! The author of a log writes a [`LogHarness`] and runs [`log_suite`] over it, and
//! [`log_faults`] with as many seeds as there is time for; the author of a journal runs
//! [`journal_suite`]. Every check is also a function of its own, named after the promise.

mod random;
mod report;

mod harness;
mod ledger;
mod recorder;
mod rig;

mod log;
mod log_answers;
mod log_faults;
mod log_order;
mod log_snapshots;

pub(crate) mod effects;
mod journal;
mod journal_answers;
mod journal_history;

pub use harness::{Abilities, LogHarness};
pub use journal::{JournalHarness, journal_suite};
pub use journal_answers::{
    journal_1_one_effect_per_id_counts, journal_3_a_verdict_comes_after_own_apply,
    journal_5_a_commit_without_a_verdict_says_what_is_known,
    journal_6_a_commit_waits_a_bounded_time,
};
#[cfg(test)]
pub(crate) use journal_history::read_all;
pub use journal_history::{
    journal_2_what_was_acknowledged_survives, journal_4_offsets_and_versions_have_no_gaps,
};
pub use log::log_suite;
pub use log_answers::{
    log_4_what_was_refused_is_never_delivered, log_5_doubt_is_told_in_bounded_time,
    log_6_delivery_precedes_the_answer, log_7_a_read_index_covers_what_was_acknowledged,
};
pub use log_faults::log_faults;
pub use log_order::{
    log_1_every_node_gets_the_same_entries_in_the_same_order,
    log_2_what_is_delivered_was_appended_unchanged, log_3_what_was_acknowledged_survives,
};
pub use log_snapshots::{
    log_8_an_installed_snapshot_is_followed_by_what_is_above_it,
    log_9_trimming_drops_only_what_restarts_can_do_without,
};
#[cfg(test)]
pub(crate) use random::Random;
pub use recorder::{Recorder, RecordingApplier};
pub use report::{Check, Finding, Report, Violation};
