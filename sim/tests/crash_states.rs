//! A node on everything that a loss of power could leave, after each operation on its disk.

use catga_sim::record;

#[test]
fn every_acknowledged_order_is_found_whenever_the_power_goes() {
    let mut checked = 0;
    for seed in 1..=4 {
        let recorded = record(seed, 60);
        let (states, exercised) = match recorded.check(seed, 2) {
            Ok(done) => done,
            Err(violation) => panic!("seed {seed}: {violation}"),
        };
        assert!(states > recorded.operations(), "{states}");
        assert!(exercised.lost_writes > 0 && exercised.torn_writes > 0, "{exercised:?}");
        checked += states;
    }
    println!("{checked} states were checked");
    assert!(checked > 2_000, "{checked}");
}
