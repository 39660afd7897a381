use std::collections::BTreeSet;

use bytes::Bytes;
use catga_host::Host;
use futures_util::FutureExt;
use futures_util::future::join_all;

use super::super::LinkOptions;
use super::net::Net;
use super::node::{Node, SECOND, address, go, me, ms, options, two};
use crate::{CallError, LinkState, Peers, Recipient, Topic};

#[tokio::test(start_paused = true)]
async fn calls_go_both_ways_and_each_gets_its_own_answer() {
    let (one, two) = two(&Net::default()).await;
    let there = (0..200).map(|n| one.call(&two, Topic::Application, format!("to {n}")));
    let back = (0..200).map(|n| two.call(&one, Topic::Append, format!("back {n}")));
    let (there, back) = tokio::join!(join_all(there), join_all(back));
    for n in 0..200 {
        assert_eq!(there[n], Ok(format!("to {n}").into()));
        assert_eq!(back[n], Ok(format!("back {n}").into()));
    }
    assert_eq!(one.call(&two, Topic::Log, "who").await, Ok("n1".into()));
    assert_eq!(two.call(&one, Topic::Log, "who").await, Ok("n2".into()));
    let stats = &one.links.stats()[0];
    assert_eq!((stats.waiting, stats.unanswered, stats.reconnects), (0, 0, 0));
    assert!(stats.sent_frames >= 400 && stats.received_frames >= 400, "{stats:?}");
}

#[tokio::test(start_paused = true)]
async fn requests_of_a_lane_are_handed_over_in_the_order_in_which_they_were_made() {
    let net = Net::default();
    // Room for a few of them: most wait, and some are long.
    let options = LinkOptions { in_flight_bytes: 256 << 10, ..options(1) };
    let (one, two) = (Node::with(&net, options), Node::start(&net, 2));
    let made = (0..1000_usize).map(|n| {
        let topic = [Topic::Append, Topic::Log, Topic::Raft, Topic::Application][n % 4];
        let mut request = format!("{n:04}").into_bytes();
        request.resize(4 + n * n % 90_000, b'.');
        one.call_within(&two.address, topic, request, SECOND * 60)
    });
    // Whoever is polled first gains nothing.
    let mut made: Vec<_> = made.collect();
    made.reverse();
    for answer in join_all(made).await {
        answer.expect("it is answered");
    }
    let number = |request: &Bytes| String::from_utf8_lossy(&request[..4]).into_owned();
    let seen = two.desk.seen();
    assert_eq!(seen.len(), 1000);
    for urgent in [true, false] {
        let lane = seen.iter().filter(|(topic, _)| (*topic == Topic::Raft) == urgent);
        assert!(lane.map(|(_, request)| number(request)).is_sorted());
    }
}

#[tokio::test(start_paused = true)]
async fn an_urgent_request_does_not_wait_behind_a_long_one() {
    let net = Net::default();
    // A mebibyte takes a second.
    net.slow("node2:1", 1 << 10);
    let (one, two) = two(&net).await;
    let part = one.call_within(&two.address, Topic::Snapshot, vec![1; 4 << 20], SECOND * 60);
    let mut part = part;
    assert!((&mut part).now_or_never().is_none());
    one.machine.sleep(ms(500)).await;
    let began = one.machine.now();
    let vote = one.call(&two, Topic::Raft, "vote");
    let entries = one.call(&two, Topic::Append, vec![2; 100]);
    let (vote, entries) = tokio::join!(vote, entries);
    assert!(vote.is_ok() && entries.is_ok());
    // Behind one fragment of the part, and the buffers of the stream.
    let waited = one.machine.now() - began;
    assert!(waited < ms(200), "{waited:?}");
    assert_eq!(part.await.map(|answer| answer.len()), Ok(4 << 20));
    assert!(one.machine.now() - began > ms(3000));
}

#[tokio::test(start_paused = true)]
async fn messages_of_any_length_come_unchanged() {
    let net = Net::default();
    let (one, two) = two(&net).await;
    for length in [0, 1, (64 << 10) - 1, 64 << 10, (64 << 10) + 1, (3 << 20) + 7] {
        let whole: Bytes = (0..length).map(|n| (n * 7 + n / 251) as u8).collect();
        let mut pieces = vec![Bytes::new()];
        let mut left = whole.clone();
        while !left.is_empty() {
            pieces.push(left.split_to(left.len().min(50_001)));
        }
        let to = Recipient { address: two.address.clone(), id: Some(2) };
        let answer = one.links.call(&to, Topic::Snapshot, pieces, SECOND).await;
        assert!(answer == Ok(whole), "{length} bytes");
    }
}

#[tokio::test(start_paused = true)]
async fn an_error_says_whether_the_request_may_have_had_an_effect() {
    let net = Net::default();
    let strict = LinkOptions { max_request: 1 << 20, ..options(2) };
    let (one, two) = (Node::start(&net, 1), Node::with(&net, strict));
    let ask = |request: &'static str| one.call(&two, Topic::Application, request);
    assert_eq!(ask("fail").await, Err(CallError::NotSent("it will not".to_owned())));
    assert!(matches!(ask("panic").await, Err(CallError::Lost(_))));
    assert!(matches!(ask("panic now").await, Err(CallError::Lost(_))));
    let Err(CallError::Lost(why)) = ask("much").await else { panic!("it is too long") };
    assert!(why.contains("3145728 bytes"), "{why}");
    assert_eq!(ask("hello").await, Ok("hello".into()));
    assert!(matches!(ask("hold").await, Err(CallError::TimedOut)));

    let seen = two.desk.seen().len();
    let long = two.call(&one, Topic::Application, vec![0; (1 << 20) + 1]).await;
    assert!(matches!(long, Err(CallError::NotSent(_))));
    let other = Recipient { address: two.address.clone(), id: Some(7) };
    let other = one.links.call(&other, Topic::Raft, vec!["x".into()], SECOND).await;
    let Err(CallError::NotSent(why)) = other else { panic!("it was for another node") };
    assert!(why.contains("node n2 (2), not number 7"), "{why}");
    let own = one.call_within(&one.address, Topic::Raft, "x", SECOND).await;
    assert!(matches!(own, Err(CallError::NotSent(_))));
    let nobody = one.call_within(&address(9), Topic::Raft, "x", SECOND).await;
    assert!(matches!(nobody, Err(CallError::NotSent(_))));
    assert_eq!((two.desk.seen().len(), one.desk.seen().len()), (seen, 0));
}

#[tokio::test(start_paused = true)]
async fn what_is_about_votes_or_members_is_never_long() {
    const MAX: usize = 1 << 20;
    let net = Net::default();
    let (one, two) = two(&net).await;
    for topic in [Topic::Raft, Topic::Succession, Topic::Membership] {
        assert!(one.call(&two, topic, vec![0; MAX]).await.is_ok(), "{topic:?}");
        let long = one.call(&two, topic, vec![0; MAX + 1]).await;
        let Err(CallError::NotSent(why)) = long else { panic!("{topic:?} is too long") };
        assert_eq!(why, "it has 1048577 bytes, and at most 1048576 are taken");
        let Err(CallError::Lost(why)) = one.call(&two, topic, "much").await else {
            panic!("the answer about {topic:?} is too long")
        };
        assert_eq!(why, "the answer has 3145728 bytes, and at most 1048576 are taken");
    }
    assert!(two.desk.seen().iter().all(|(_, request)| request.len() <= MAX));
    assert!(one.call(&two, Topic::Log, vec![0; MAX + 1]).await.is_ok());
    assert!(one.call(&two, Topic::Log, "much").await.is_ok());
}

#[tokio::test(start_paused = true)]
async fn a_node_that_is_starting_refuses() {
    let net = Net::default();
    let one = Node::start(&net, 1);
    let links = super::super::Links::new(one.machine.clone(), options(2));
    let (listener, listening) = (net.listen("node2:1"), links.clone());
    drop(one.machine.spawn("listen", Box::pin(async move { listening.listen(listener).await })));
    let early = one.call_within(&address(2), Topic::Membership, "x", SECOND).await;
    assert_eq!(early, Err(CallError::NotSent("this node is starting".to_owned())));
    links.serve(one.desk.clone());
    assert!(one.call_within(&address(2), Topic::Membership, "x", SECOND).await.is_ok());
}

#[tokio::test(start_paused = true)]
async fn what_is_given_up_before_its_turn_is_never_seen() {
    let net = Net::default();
    let (one, two) = two(&net).await;
    net.freeze("node2:1");
    // More than the stream holds: those that follow do not begin.
    let long = one.call_within(&two.address, Topic::Append, vec![0; 1 << 20], ms(60));
    let queued = one.call_within(&two.address, Topic::Append, "queued", ms(40));
    let dropped = one.call_within(&two.address, Topic::Append, "dropped", SECOND);
    let keeps = one.call_within(&two.address, Topic::Append, "kept", SECOND);
    one.machine.sleep(ms(10)).await;
    drop(dropped);
    let (long, queued) = tokio::join!(long, queued);
    assert_eq!(long, Err(CallError::TimedOut));
    assert!(matches!(queued, Err(CallError::NotSent(_))));
    net.thaw("node2:1");
    assert_eq!(keeps.await, Ok("kept".into()));
    let seen: BTreeSet<_> = two.desk.seen().into_iter().map(|(_, request)| request).collect();
    assert!(!seen.contains("queued".as_bytes()) && !seen.contains("dropped".as_bytes()));
}

#[tokio::test(start_paused = true)]
async fn urgent_requests_pass_those_that_wait_for_a_handler() {
    let net = Net::default();
    let (one, two) = two(&net).await;
    let held: Vec<_> = (0..1500)
        .map(|_| one.call_within(&two.address, Topic::Application, "hold", SECOND * 60))
        .collect();
    let held = go(held);
    one.machine.sleep(ms(500)).await;
    assert_eq!(two.desk.seen().len(), 1024);
    for _ in 0..10 {
        assert_eq!(one.call(&two, Topic::Raft, "vote").await, Ok("vote".into()));
    }
    // Nobody was taken for silent meanwhile.
    assert_eq!(one.links.stats()[0].reconnects, 0);
    two.desk.gate.add_permits(1);
    assert_eq!(held.await.into_iter().filter(Result::is_ok).count(), 1500);
}

#[tokio::test(start_paused = true)]
async fn what_a_peer_does_not_take_is_bounded() {
    let net = Net::default();
    let small = LinkOptions { in_flight_bytes: 1 << 20, ..options(1) };
    let (one, two) = (Node::with(&net, small), Node::start(&net, 2));
    one.wait_until_up(&two).await;
    let long = [&b"hold"[..], &[0; 16 << 10]].concat();
    let requests = (0..400).map(|n| if n < 200 { b"hold".to_vec() } else { long.clone() });
    let call = |request| one.call_within(&two.address, Topic::Application, request, SECOND);
    let calls = go(requests.map(call).collect());
    one.machine.sleep(ms(10)).await;
    let stats = one.links.stats();
    let open = stats[0].waiting + stats[0].unanswered;
    // Five eighths of the room: 200 short ones, and of the long ones what is left of it.
    assert!(open > 200 && open < 240, "{stats:?}");
    assert!(net.written("node2:1") < 640 << 10, "{}", net.written("node2:1"));
    // The urgent lane has room of its own.
    assert!(one.call(&two, Topic::Succession, "is it gone?").await.is_ok());
    let ends = calls.await;
    assert!(ends.iter().any(|end| matches!(end, Err(CallError::NotSent(_)))));
    assert!(ends.iter().any(|end| matches!(end, Err(CallError::TimedOut))));
    assert_eq!(one.call(&two, Topic::Application, "after").await, Ok("after".into()));
}

#[tokio::test(start_paused = true)]
async fn a_peer_that_sends_more_than_is_handled_is_not_read_any_further() {
    let net = Net::default();
    let small = LinkOptions { in_flight_bytes: 64 << 10, ..options(2) };
    let (one, two) = (Node::start(&net, 1), Node::with(&net, small));
    one.wait_until_up(&two).await;
    let hold = (0..1024).map(|_| one.call_within(&two.address, Topic::Log, "hold", SECOND * 9));
    let more =
        (0..400).map(|_| one.call_within(&two.address, Topic::Log, vec![0; 16 << 10], SECOND * 9));
    let calls: Vec<_> = hold.chain(more).collect();
    one.machine.sleep(SECOND).await;
    // The room of the peer, one read, and what the stream holds.
    let taken = net.written("node2:1");
    assert!(taken < 512 << 10, "{taken}");
    // It goes on living all that time, for both.
    assert_eq!(one.links.stats()[0].reconnects, 0);
    two.desk.gate.add_permits(1);
    assert!(join_all(calls).await.iter().all(Result::is_ok));
    assert_eq!(one.state(&two.address), LinkState::Up(me(2)));
}
