//! What has a subscriber pause.

use std::time::Duration;

use catga::prelude::*;
use catga::{Limits, SubscriberState};
use catga_host::Host;
use catga_tests::parcels::Parcel;

use crate::rig::Rig;

#[test]
fn one_that_holds_as_much_as_it_may_pauses_and_says_so() {
    catga_testkit::run(12, async |host| {
        let mut limits = Limits::default();
        (limits.delivery_attempts, limits.parked) = (1, 2);
        let rig = Rig::start_with(&host, limits.clone(), &["ship"]).await;
        rig.world.break_only([1]);
        for (parcel, number) in [("a", 1), ("a", 2), ("a", 3), ("b", 4), ("a", 5)] {
            rig.order(0, parcel, number).await;
        }
        let is_paused = |rig: &Rig, node: usize| match &rig.nodes[node].subscribers()[0].state {
            SubscriberState::Paused { error } => error.contains("retry or discard"),
            _ => false,
        };
        rig.world.wait_until("it pauses", || is_paused(&rig, 0)).await;
        host.sleep(Duration::from_secs(5)).await;
        assert_eq!(rig.world.numbers("ship"), [1], "nothing passes");
        let degraded = rig.nodes[0].health().degraded;
        assert!(degraded[0].contains("2 events wait behind"), "{degraded:?}");
        // The next owner is no better off, and to resume it changes nothing.
        rig.cluster.log.elect(Some(1));
        rig.world.wait_until("it pauses", || is_paused(&rig, 1)).await;
        assert!(rig.nodes[1].resume_subscriber("ship"));
        host.sleep(Duration::from_secs(5)).await;
        assert!(is_paused(&rig, 1) && !is_paused(&rig, 0));
        rig.world.break_only([]);
        let letter = rig.letters("ship").await.remove(0);
        rig.retry("ship", &letter).await;
        assert_eq!(rig.shipped_in_the_end(&host, 5).await, [1, 2, 3, 4, 5]);
        assert_eq!(rig.owner("ship").expect("owned").state, SubscriberState::Running);

        (limits.parked, limits.dead_letters) = (100, 2);
        let rig = Rig::start_with(&host, limits, &["notify"]).await;
        rig.world.break_only([1, 2, 3]);
        for number in 1..=4 {
            rig.order(0, "a", number).await;
        }
        rig.world.wait_until("it pauses", || is_paused(&rig, 0)).await;
        assert_eq!(rig.world.numbers("notify"), [1, 2]);
        let letter = rig.letters("notify").await.remove(1);
        let discarded = rig.nodes[0].discard_dead_letter("notify", letter.position, letter.index);
        discarded.await.expect("asked for");
        rig.world.wait_until("it goes on", || rig.world.numbers("notify") == [1, 2, 3]).await;
        rig.world.wait_until("it pauses", || is_paused(&rig, 0)).await;
    });
}

/// The same event as a build wrote it that is newer, or older.
#[derive(Event, Serialize, Deserialize)]
#[event(name = "parcel.ordered", stream = Parcel, key = parcel)]
struct OrderedOtherwise {
    parcel: String,
}

#[test]
fn an_event_that_cannot_be_read_pauses_it_and_a_failover_changes_nothing() {
    catga_testkit::run(13, async |host| {
        let rig = Rig::start(&host, &["notify"]).await;
        rig.order(0, "a", 1).await;
        let otherwise = OrderedOtherwise { parcel: "a".to_owned() };
        rig.nodes[0].publish(otherwise).await.expect("published");
        let is_paused = || match rig.owner("notify").map(|it| it.state) {
            Some(SubscriberState::Paused { error }) => error.contains("parcel.ordered"),
            _ => false,
        };
        rig.world.wait_until("it pauses", is_paused).await;
        assert_eq!(rig.letters("notify").await, []);
        rig.cluster.log.elect(Some(1));
        let next = || rig.nodes[1].subscribers()[0].is_owner && is_paused();
        rig.world.wait_until("the next owner pauses", next).await;
        assert!(!rig.nodes[2].resume_subscriber("notify"), "it is paused elsewhere");
        let told = |node: &Node| node.health().degraded.iter().any(|it| it.contains("`notify`"));
        assert_eq!(rig.nodes.each_ref().map(told), [false, true, false], "the owner tells it");
        rig.order(2, "a", 2).await;
        host.sleep(Duration::from_secs(5)).await;
        assert_eq!(rig.world.numbers("notify"), [1], "it was recorded before it paused");
    });
}
