use std::sync::Arc;
use std::time::Duration;

use catga_host::Host;

use super::{
    Report, journal_1_one_effect_per_id_counts, journal_2_what_was_acknowledged_survives,
    journal_3_a_verdict_comes_after_own_apply, journal_4_offsets_and_versions_have_no_gaps,
    journal_5_a_commit_without_a_verdict_says_what_is_known,
    journal_6_a_commit_waits_a_bounded_time,
};
use crate::Journal;

/// One journal, and what can be done to it, for the journal suite.
///
/// Every check gets a fresh one, not opened yet. A method whose ability is absent says so by what
/// it returns, and the check is then reported as not applicable.
pub trait JournalHarness {
    /// The clock that the journal uses.
    fn host(&self) -> Arc<dyn Host>;

    /// How long, on the host's clock, anything may take that must happen.
    fn patience(&self) -> Duration {
        Duration::from_secs(10)
    }

    /// Opens a journal in which nothing is recorded, and which takes commits.
    fn open(&mut self) -> impl Future<Output = Arc<dyn Journal>>;

    /// Opens the same journal again, as a new start of its process does; the former one was shut
    /// down. None if it is gone with its process.
    fn reopen(&mut self) -> impl Future<Output = Option<Arc<dyn Journal>>> {
        async { None }
    }

    /// Makes what is beneath the journal take nothing until [`resume`](Self::resume), without an
    /// error; false if that cannot be done.
    fn stall(&mut self) -> bool {
        false
    }

    /// Ends a [`stall`](Self::stall): what waited goes on.
    fn resume(&mut self) {}
}

/// Runs every check of the journal suite, each on a harness that `make` has just made.
pub async fn journal_suite<H: JournalHarness>(mut make: impl FnMut() -> H) -> Report {
    let mut report = Report::default();
    macro_rules! run {
        ($($check:ident),* $(,)?) => {
            $(report.add(stringify!($check), $check(make()).await);)*
        };
    }
    run!(
        journal_1_one_effect_per_id_counts,
        journal_2_what_was_acknowledged_survives,
        journal_3_a_verdict_comes_after_own_apply,
        journal_4_offsets_and_versions_have_no_gaps,
        journal_5_a_commit_without_a_verdict_says_what_is_known,
        journal_6_a_commit_waits_a_bounded_time,
    );
    report
}
