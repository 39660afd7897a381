use super::incident::Incident;
use super::phase::{Phase, WRITERS};
use crate::harness::Bar;

/// What has to hold after a phase.
pub(super) fn of(phase: &Phase) -> Vec<Bar> {
    let figures = &phase.row.figures;
    let mut limits = match phase.incident {
        Incident::Kill => {
            vec![("ms p50", figures.p50_us, 25.0), ("ms p99", figures.p99_us, 100.0)]
        }
        Incident::Stop => vec![("ms p50", figures.p50_us, 250.0)],
        Incident::Drain => vec![("ms at most", figures.max_us, 30.0)],
    };
    for (_, us, _) in &mut limits {
        *us = us.map(|us| us / 1e3);
    }
    let count = |count: Option<u64>| count.map(|count| count as f64);
    limits.push(("lost", count(figures.lost), 0.0));
    limits.push(("doubled", count(figures.doubled), 0.0));
    if phase.incident == Incident::Drain {
        limits.push(("requests failed", Some(phase.failed as f64), 0.0));
    }
    limits.push(("MB resident", figures.rss_mb, 200.0));
    let bar = |(what, value, limit): (&str, Option<f64>, f64)| {
        let bar = Bar::at_most(&phase.row.case, phase.row.subject, what, value?, limit);
        Some(bar.clients(WRITERS))
    };
    limits.into_iter().filter_map(bar).collect()
}
