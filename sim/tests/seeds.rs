//! A fixed share of the seeds; `cargo xtask sim` runs as many as one likes.

use catga_sim::{Exercised, Nodes, Plan, run};

/// Runs the seeds, and gives what all of them went through together.
fn exercise(nodes: Nodes, seeds: std::ops::RangeInclusive<u64>, ticks: u64) -> Exercised {
    let flag = match nodes {
        Nodes::One => 1,
        Nodes::Three => 3,
    };
    let mut total = Exercised::default();
    for seed in seeds {
        let run = run(Plan { seed, nodes, ticks, bug: None, lines: false });
        assert_eq!(
            run.violation, None,
            "again: cargo xtask sim --nodes {flag} --seed {seed} --ticks {ticks} --lines"
        );
        total += run.exercised;
    }
    assert_eq!(total.missing(), [""; 0], "what never happened was not tested: {total:?}");
    total
}

/// One seed, run twice, is one run.
fn repeat(nodes: Nodes, seeds: [u64; 3]) {
    for seed in seeds {
        let plan = Plan { seed, nodes, ticks: 3_000, bug: None, lines: false };
        let [first, second] = [0, 1].map(|_| run(plan));
        assert_eq!(first.trace, second.trace, "seed {seed} gave two runs");
        assert_eq!(first.exercised, second.exercised);
    }
}

#[test]
fn no_acknowledged_order_is_lost_or_doubled() {
    let total = exercise(Nodes::One, 1..=60, 3_000);
    assert!(total.acknowledged > 5_000, "{total:?}");
}

#[test]
fn no_acknowledged_order_is_lost_or_doubled_by_three_nodes() {
    let total = exercise(Nodes::Three, 1..=36, 6_000);
    assert!(total.acknowledged > 15_000, "{total:?}");
}

#[test]
fn one_seed_decides_everything() {
    repeat(Nodes::One, [7, 8, 9]);
}

#[test]
fn one_seed_decides_everything_of_three_nodes() {
    repeat(Nodes::Three, [7, 8, 9]);
}

/// What each has shown once is in `reliability/found.json`.
#[test]
fn seeds_that_have_failed_fail_no_more() {
    for seed in [61_493, 70_591, 600_166] {
        let plan = Plan { seed, nodes: Nodes::Three, ticks: 10_000, bug: None, lines: false };
        assert_eq!(run(plan).violation, None, "again: cargo xtask sim --seed {seed} --lines");
    }
}
