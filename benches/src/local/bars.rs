use crate::harness::{Bar, Row};

/// What Catga .NET published for its cases, in nanoseconds; ours is to be a fifth at most.
const PUBLISHED: &[(&str, f64)] = &[
    ("business/create", 351.0),
    ("business/get", 337.0),
    ("business/event", 352.0),
    ("business/flow", 729.0),
    ("business/shop", 923.0),
];

/// The bars of local dispatch.
pub(super) fn of(rows: &[Row]) -> Vec<Bar> {
    let figures = |case: &str, subject: &str| {
        let row = rows.iter().find(|row| row.case == case && row.subject == subject)?;
        Some((row.figures.ns_per_op?, row.figures.allocs_per_op?))
    };
    let mut bars = Vec::new();
    for case in ["core/command", "core/query"] {
        if let (Some(catga), Some(direct)) = (figures(case, "catga"), figures(case, "direct")) {
            let (ns, allocs) = (catga.0 - direct.0, catga.1 - direct.1);
            bars.push(Bar::at_most(case, "catga", "ns over direct", ns, 30.0));
            bars.push(Bar::at_most(case, "catga", "allocs", allocs, 0.0));
        }
    }
    for (case, published) in PUBLISHED {
        if let Some((ns, _)) = figures(case, "catga") {
            bars.push(Bar::at_most(case, "catga", "ns", ns, published / 5.0));
        }
    }
    if let Some((ns, _)) = figures("business/event", "catga") {
        bars.push(Bar::at_most("business/event", "catga", "ns", ns, 60.0));
    }
    bars
}
