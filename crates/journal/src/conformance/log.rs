use super::{
    Finding, LogHarness, Report, Violation,
    log_1_every_node_gets_the_same_entries_in_the_same_order,
    log_2_what_is_delivered_was_appended_unchanged, log_3_what_was_acknowledged_survives,
    log_4_what_was_refused_is_never_delivered, log_5_doubt_is_told_in_bounded_time,
    log_6_delivery_precedes_the_answer, log_7_a_read_index_covers_what_was_acknowledged,
    log_8_an_installed_snapshot_is_followed_by_what_is_above_it,
    log_9_trimming_drops_only_what_restarts_can_do_without, log_faults,
};

/// Runs every check of the log suite, each on a harness that `make` has just made.
///
/// [`log_faults`] is run with one seed; run it with more on its own.
pub async fn log_suite<H: LogHarness>(mut make: impl FnMut() -> H) -> Report {
    let mut report = Report::default();
    macro_rules! run {
        ($($check:ident),* $(,)?) => {
            $(report.add(stringify!($check), $check(make()).await);)*
        };
    }
    run!(
        log_1_every_node_gets_the_same_entries_in_the_same_order,
        log_2_what_is_delivered_was_appended_unchanged,
        log_3_what_was_acknowledged_survives,
        log_4_what_was_refused_is_never_delivered,
        log_5_doubt_is_told_in_bounded_time,
        log_6_delivery_precedes_the_answer,
        log_7_a_read_index_covers_what_was_acknowledged,
        log_8_an_installed_snapshot_is_followed_by_what_is_above_it,
        log_9_trimming_drops_only_what_restarts_can_do_without,
    );
    report.add("log_faults", log_faults(make(), 1).await);
    report
}

/// Kept, unless the check found something on the way.
pub(super) const KEPT: Result<Finding, Violation> = Ok(Finding::Kept);
