//! Events on which a subscriber gave up.

use std::time::Duration;

use catga::FaultCode;
use catga_host::Host;

use crate::rig::Rig;

#[test]
fn later_events_of_its_stream_wait_behind_a_dead_letter_until_it_is_retried() {
    catga_testkit::run(9, async |host| {
        host.set_wall(catga_testkit::time("2027-03-04T05:06:07Z"));
        let rig = Rig::start(&host, &["ship"]).await;
        rig.world.break_only([1]);
        for (parcel, number) in [("a", 1), ("a", 2), ("b", 3), ("a", 4)] {
            rig.order(0, parcel, number).await;
        }
        assert_eq!(rig.shipped_in_the_end(&host, 1).await, [3]);
        rig.wait_until_held("ship", 1, 2).await;
        let letter = rig.letters("ship").await.remove(0);
        assert_eq!((letter.event.as_str(), letter.stream.as_str()), ("parcel.ordered", "parcel/a"));
        assert_eq!((letter.attempts, letter.parked, letter.index), (3, 2, 0));
        assert_eq!(letter.error, "1 cannot be handled");
        assert!(letter.at.to_string().starts_with("2027-03-04T05:06:0"), "{}", letter.at);
        let degraded = rig.nodes[0].health().degraded;
        assert!(degraded[0].contains("`ship` has 1 dead letters"), "{degraded:?}");
        let metrics = rig.nodes[0].metrics_text();
        for line in [
            "catga_subscriber_dead_letters{name=\"ship\"} 1",
            "catga_subscriber_parked{name=\"ship\"} 2",
            "catga_subscriber_owned{name=\"ship\"} 1",
        ] {
            assert!(metrics.contains(line), "{line}");
        }
        assert!(rig.nodes[1].metrics_text().contains("subscriber_owned{name=\"ship\"} 0"));
        // In vain.
        rig.retry("ship", &letter).await;
        let tried = || rig.world.deliveries("ship").last().map(|it| it.attempt) == Some(6);
        rig.world.wait_until("it is tried again", tried).await;
        host.sleep(Duration::from_secs(2)).await;
        assert_eq!(rig.letters("ship").await[0].attempts, 6);
        // It was asked for once, whoever owns it now.
        rig.cluster.log.elect(Some(1));
        host.sleep(Duration::from_secs(5)).await;
        assert_eq!(rig.letters("ship").await[0].attempts, 6);
        rig.cluster.log.elect(Some(0));
        // With success; what comes meanwhile is last.
        rig.world.break_only([]);
        rig.retry("ship", &letter).await;
        rig.order(1, "a", 5).await;
        assert_eq!(rig.shipped_in_the_end(&host, 5).await, [3, 1, 2, 4, 5]);
        assert_eq!(rig.letters("ship").await, []);
        assert_eq!(rig.world.derived_max(), 1, "a retry derives the same, too");
        assert_eq!(rig.nodes[0].health().degraded, [""; 0]);
    });
}

#[test]
fn a_retry_that_was_asked_for_outlives_the_owner() {
    catga_testkit::run(10, async |host| {
        let rig = Rig::start(&host, &["ship"]).await;
        rig.world.break_only([1, 2]);
        for number in 1..=3 {
            rig.order(0, "a", number).await;
        }
        rig.wait_until_held("ship", 1, 2).await;
        host.sleep(Duration::from_secs(2)).await;
        let letter = rig.letters("ship").await.remove(0);
        rig.retry("ship", &letter).await;
        let tried = || rig.world.deliveries("ship").last().map(|it| it.attempt) == Some(4);
        rig.world.wait_until("it is tried again", tried).await;
        // Its owner is deposed between two tries. What waits behind fails next.
        rig.cluster.log.elect(Some(1));
        rig.world.break_only([2]);
        assert_eq!(rig.shipped_in_the_end(&host, 1).await, [1]);
        rig.wait_until_held("ship", 1, 1).await;
        let letter = rig.letters("ship").await.remove(0);
        assert_eq!((letter.error.as_str(), letter.parked), ("2 cannot be handled", 1));
        // Nobody leads when it is to be discarded, and asking twice harms nothing.
        let discard = || rig.nodes[0].discard_dead_letter("ship", letter.position, letter.index);
        discard().await.expect("asked for");
        rig.cluster.log.elect(Some(2));
        assert_eq!(rig.shipped_in_the_end(&host, 2).await, [1, 3]);
        let gone = discard().await.expect_err("it is none any more");
        assert_eq!(gone.code(), FaultCode::InvalidMessage);
        let unknown = rig.nodes[0].dead_letters("no-such").await.expect_err("no such subscriber");
        assert_eq!(unknown.code(), FaultCode::InvalidMessage);
    });
}

#[test]
fn where_the_policy_says_so_events_pass_a_dead_letter() {
    catga_testkit::run(11, async |host| {
        let rig = Rig::start(&host, &["notify"]).await;
        rig.world.break_only([1]);
        for number in 1..=3 {
            rig.order(0, "a", number).await;
        }
        rig.world.wait_until("all came", || rig.world.numbers("notify") == [1, 1, 1, 2, 3]).await;
        rig.wait_until_held("notify", 1, 0).await;
        rig.world.break_only([]);
        let letter = rig.letters("notify").await.remove(0);
        rig.retry("notify", &letter).await;
        rig.wait_until_held("notify", 0, 0).await;
        assert_eq!(rig.world.numbers("notify"), [1, 1, 1, 2, 3, 1]);
        assert_eq!(rig.letters("notify").await, [], "which is recorded at once");
    });
}
