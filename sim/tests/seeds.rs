//! A fixed share of the seeds; `cargo xtask sim` runs as many as one likes.

use catga_sim::{Exercised, Nodes, Plan, run};

fn plan(seed: u64, ticks: u64) -> Plan {
    Plan { seed, nodes: Nodes::One, ticks, bug: None, lines: false }
}

#[test]
fn no_acknowledged_order_is_lost_or_doubled() {
    let mut total = Exercised::default();
    for seed in 1..=60 {
        let run = run(plan(seed, 3_000));
        assert_eq!(
            run.violation, None,
            "again: cargo xtask sim --nodes 1 --seed {seed} --ticks 3000 --lines"
        );
        total += run.exercised;
    }
    assert_eq!(total.missing(), [""; 0], "what never happened was not tested: {total:?}");
    assert!(total.acknowledged > 5_000, "{total:?}");
}

#[test]
fn one_seed_decides_everything() {
    for seed in [7, 8, 9] {
        let [first, second] = [0, 1].map(|_| run(plan(seed, 3_000)));
        assert_eq!(first.trace, second.trace, "seed {seed} gave two runs");
        assert_eq!(first.exercised, second.exercised);
    }
}
