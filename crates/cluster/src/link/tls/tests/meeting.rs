use std::time::Duration;

use bytes::BytesMut;
use catga_host::{Connection, timeout};
use catga_testkit::VirtualHost;

use super::authority::{Authority, CLUSTER, credentials, ground, ground_as, on};
use crate::link::ground::Ground;
use crate::link::handshake::{MAGIC, Unmet};
use crate::link::tests::{SECOND, options};
use crate::link::{LinkOptions, Secret, accepted, dial};

/// Lets a node dial another; whom each of them has met, or why not.
async fn meet(dialler: &Ground, acceptor: &Ground) -> [Result<String, String>; 2] {
    let (here, there) = tokio::io::duplex(64 << 10);
    let dial = dial::meet(dialler, Connection::new(here), "node2:1");
    let accept = accepted::meet(acceptor, Connection::new(there), false);
    let (dialled, accepted) = tokio::join!(dial, accept);
    [dialled, accepted].map(|met| match met {
        Ok((met, _)) => Ok(met.peer.name.to_string()),
        Err(Unmet::Refused(why)) => Err(why),
        Err(other) => panic!("{other:?}"),
    })
}

/// Lets each dial the other. What the one with the fault hears must contain `told`, and what the
/// other one says `said`.
async fn refused(faulty: &Ground, other: &Ground, told: &str, said: &str) {
    let [here, there] = meet(faulty, other).await;
    let [back, again] = meet(other, faulty).await;
    for (faulty, other) in [(here, there), (again, back)] {
        let (faulty, other) = (faulty.expect_err("refused"), other.expect_err("refused"));
        assert!(faulty.contains(told), "`{told}` is not in `{faulty}` / {other}");
        assert!(other.contains(said), "`{said}` is not in `{other}` / {faulty}");
    }
}

#[tokio::test(start_paused = true)]
async fn nodes_of_one_ca_meet_and_their_secret_counts_as_well() {
    let ca = Authority::new();
    let (one, two) = (ground(1, &[&ca], &ca).await, ground(2, &[&ca], &ca).await);
    assert_eq!(meet(&one, &two).await, [Ok("n2".to_owned()), Ok("n1".to_owned())]);
    let with = |ground: Ground, secret: &str| Ground {
        options: LinkOptions {
            secret: Some(Secret::new(secret).expect("it is long enough")),
            ..ground.options
        },
        ..ground
    };
    let (one, two) = (with(one, "the secret of the shop"), with(two, "the secret of the shop"));
    assert_eq!(meet(&one, &two).await, [Ok("n2".to_owned()), Ok("n1".to_owned())]);
    let two = with(two, "the secret of the shed");
    refused(&one, &two, "secret", "secret").await;
}

#[tokio::test(start_paused = true)]
async fn who_has_another_ca_is_refused() {
    let ours = Authority::new();
    for theirs in [Authority::new(), Authority::called("another CA")] {
        let one = ground(1, &[&ours, &theirs], &theirs).await;
        let two = ground(2, &[&ours], &ours).await;
        refused(&one, &two, "it does not know the CA", "none of the CAs here has signed it").await;
    }
}

#[tokio::test(start_paused = true)]
async fn who_says_that_it_is_another_node_or_of_another_cluster_is_refused() {
    let ca = Authority::new();
    let two = ground(2, &[&ca], &ca).await;
    for (cluster, name) in [(CLUSTER, "n3"), ("shed", "n1"), ("shop/node/n1", "x")] {
        let uri = crate::certificate_name(cluster, name);
        let issued = ca.issue_as(&[&uri], None);
        let one = ground_as(1, &[&ca], &issued, (cluster, name)).await;
        let why = format!("it names {uri}, and not catga://shop/node/n1");
        refused(&one, &two, &why, &why).await;
    }
    // Other names in it neither help nor harm.
    let own = crate::certificate_name(CLUSTER, "n1");
    let issued = ca.issue_as(&["spiffe://shop/n3", &own], None);
    let one = ground_as(1, &[&ca], &issued, (CLUSTER, "n1")).await;
    assert_eq!(meet(&one, &two).await, [Ok("n2".to_owned()), Ok("n1".to_owned())]);
}

#[tokio::test(start_paused = true)]
async fn whose_certificate_has_expired_is_refused() {
    let ca = Authority::new();
    let (own, two) = (VirtualHost::new(1), ground(2, &[&ca], &ca).await);
    let not_after = Duration::from_secs(two.host.wall_ms() / 1000 + 60);
    let issued = ca.issue_as(&[&crate::certificate_name(CLUSTER, "n1")], Some(not_after));
    let loaded = credentials(&own, &[&ca], &issued, (CLUSTER, "n1")).await;
    let one = on(own, options(1).with_tls(loaded.expect("it is still valid")));
    assert_eq!(meet(&one, &two).await, [Ok("n2".to_owned()), Ok("n1".to_owned())]);
    one.host.sleep(Duration::from_secs(61)).await;
    refused(&one, &two, "this node's certificate has expired", "it has expired, 1 s ago").await;
}

#[tokio::test(start_paused = true)]
async fn nodes_with_tls_and_without_tell_each_other_apart() {
    let ca = Authority::new();
    let with = ground(1, &[&ca], &ca).await;
    let without = on(VirtualHost::new(2), options(2));
    let [dialled, accepted] = meet(&with, &without).await;
    let dialled = dialled.expect_err("refused");
    assert!(dialled.contains("it does not speak TLS"), "{dialled}");
    assert_eq!(accepted, Err("it speaks TLS: TLS is set there, and not here".to_owned()));
    // Where the answer comes with that to the upgrade.
    let (here, _there) = tokio::io::duplex(64 << 10);
    let tls = with.options.tls.as_ref().expect("it is set");
    let (stream, came) = (Connection::new(here), BytesMut::from(&MAGIC[..]));
    let dialled = timeout(&*with.host, SECOND, tls.dial(stream, &came)).await.expect("at once");
    let refused = |why: &str| Unmet::Refused(why.to_owned());
    let why = "it does not speak TLS: TLS is set here, and not there";
    assert_eq!(dialled.map(|_| ()), Err(refused(why)));
    let [dialled, accepted] = meet(&without, &with).await;
    assert_eq!(dialled, Err("it speaks TLS: TLS is set there, and not here".to_owned()));
    let accepted = accepted.expect_err("refused");
    assert!(accepted.contains("it does not speak TLS"), "{accepted}");
}
