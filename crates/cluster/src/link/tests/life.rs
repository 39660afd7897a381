use std::io;
use std::net::SocketAddr;
use std::slice;
use std::sync::Arc;
use std::time::Duration;

use bytes::Bytes;
use catga_host::{BoxFuture, Connection, Files, Host, Listener, Task};
use catga_testkit::VirtualHost;

use super::super::connection::End;
use super::super::pulse::Pulse;
use super::super::stats::Traffic;
use super::net::Net;
use super::node::{Node, SECOND, address, go, ground, me, ms, options, two};
use crate::{CallError, LinkState, Peers, Topic};

#[tokio::test(start_paused = true)]
async fn a_process_that_dies_is_gone_at_once_and_up_again_when_it_is_back() {
    let net = Net::default();
    let (one, two) = two(&net).await;
    let asked = one.call(&two, Topic::Application, "hold");
    let asked = go(vec![asked]);
    one.machine.sleep(ms(5)).await;
    let (place, died) = (two.address.clone(), one.machine.now());
    two.kill().await;
    assert_eq!(
        one.wait_until(&place, |state| *state != LinkState::Up(me(2))).await,
        LinkState::Gone
    );
    assert!(one.machine.now() - died < ms(5), "{:?}", one.machine.now() - died);
    let answers = asked.await;
    assert!(matches!(answers[..], [Err(CallError::Lost(_))]), "{answers:?}");

    // What was not sent goes to whoever is there next.
    let later = one.call_within(&place, Topic::Application, "later", SECOND * 5);
    let later = go(vec![later]);
    one.machine.sleep(SECOND).await;
    let two = Node::start(&net, 2);
    assert_eq!(later.await, [Ok(Bytes::from("later"))]);
    assert_eq!(one.state(&place), LinkState::Up(me(2)));
    assert_eq!(two.desk.seen().len(), 1);
    assert_eq!(one.links.stats()[0].reconnects, 1);
}

/// Connections that do not last are made again with pauses; whether the process has ended is found
/// out without one.
#[tokio::test(start_paused = true)]
async fn a_process_that_dies_is_gone_at_once_after_connections_that_did_not_last() {
    let net = Net::default();
    let (one, two) = two(&net).await;
    for _ in 0..7 {
        net.sever("node2:1");
        let again = one.call_within(&two.address, Topic::Application, "x", SECOND * 3);
        assert_eq!(again.await, Ok("x".into()));
    }
    let (place, died) = (two.address.clone(), one.machine.now());
    two.kill().await;
    one.wait_until(&place, |state| *state == LinkState::Gone).await;
    assert!(one.machine.now() - died < ms(5), "{:?}", one.machine.now() - died);
}

#[tokio::test(start_paused = true)]
async fn a_connection_that_breaks_is_made_again_without_a_word() {
    let net = Net::default();
    let (one, two) = two(&net).await;
    let mut link = one.links.link(&two.address);
    link.mark_unchanged();
    let held = go(vec![one.call(&two, Topic::Log, "hold")]);
    one.machine.sleep(ms(5)).await;
    net.sever("node2:1");
    assert!(matches!(held.await[..], [Err(CallError::Lost(_))]));
    assert_eq!(one.call(&two, Topic::Log, "x").await, Ok("x".into()));
    assert_eq!(one.links.stats()[0].reconnects, 1);
    assert!(!link.has_changed().expect("it is kept"));
    // What one has dialled is not what the other has.
    assert_eq!(two.links.stats()[0].reconnects, 0);
}

#[tokio::test(start_paused = true)]
async fn what_has_not_begun_when_a_connection_breaks_goes_with_the_next() {
    let net = Net::default();
    let (one, two) = two(&net).await;
    net.freeze("node2:1");
    // More than a stream holds and a write takes: what is behind it cannot begin.
    let begun = go(vec![one.call(&two, Topic::Append, vec![0; 1 << 20])]);
    let behind = go((0..9).map(|n| one.call(&two, Topic::Append, format!("{n}"))).collect());
    one.machine.sleep(ms(10)).await;
    net.sever("node2:1");
    net.thaw("node2:1");
    assert!(matches!(begun.await[..], [Err(CallError::Lost(_))]));
    let behind: Vec<_> = behind.await.into_iter().map(|end| end.expect("it was moved")).collect();
    assert_eq!(behind, (0..9).map(|n| Bytes::from(format!("{n}"))).collect::<Vec<_>>());
    let seen = two.desk.seen().into_iter().map(|(_, request)| request);
    assert_eq!(seen.collect::<Vec<_>>(), behind);
}

#[tokio::test(start_paused = true)]
async fn a_node_that_is_not_heard_is_silent() {
    let net = Net::default();
    let (one, two) = two(&net).await;
    one.machine.sleep(ms(1010)).await;
    assert_eq!(one.state(&two.address), LinkState::Up(me(2)));
    let asked = one.call_within(&two.address, Topic::Append, "hold", SECOND * 5);
    let asked = go(vec![asked]);
    one.machine.sleep(ms(10)).await;
    let cut = one.machine.now();
    net.freeze("node2:1");
    net.hole("node2:1");
    let state = one.wait_until(&two.address, |state| *state != LinkState::Up(me(2))).await;
    assert_eq!(state, LinkState::Silent);
    let took = one.machine.now() - cut;
    assert!(took >= ms(70) && took <= ms(110), "{took:?}");
    assert!(matches!(asked.await[..], [Err(CallError::Lost(_))]));
    one.machine.sleep(SECOND * 3).await;
    assert_eq!(one.state(&two.address), LinkState::Silent);
    net.thaw("node2:1");
    one.wait_until_up(&two).await;
}

#[tokio::test(start_paused = true)]
async fn a_node_whose_machine_is_lost_with_its_connection_is_silent_not_gone() {
    let net = Net::default();
    let (one, two) = two(&net).await;
    let place = two.address.clone();
    net.hole("node2:1");
    let lost = one.machine.now();
    two.kill().await;
    let state = one.wait_until(&place, |state| *state != LinkState::Up(me(2))).await;
    assert_eq!(state, LinkState::Silent);
    let took = one.machine.now() - lost;
    assert!(took >= ms(95) && took <= ms(110), "{took:?}");
    // And gone as soon as its machine says so.
    net.thaw("node2:1");
    assert_eq!(one.wait_until(&place, |state| *state != LinkState::Silent).await, LinkState::Gone);
}

#[tokio::test(start_paused = true)]
async fn a_node_that_says_farewell_has_left_after_what_it_had_to_say() {
    let net = Net::default();
    let (one, two) = two(&net).await;
    let asked: Vec<_> =
        (0..50).map(|_| one.call(&two, Topic::Application, vec![1; 30_000])).collect();
    let asked = go(asked);
    one.machine.sleep(ms(5)).await;
    let began = one.machine.now();
    two.links.leave().await;
    assert!(one.machine.now() - began < ms(50));
    assert_eq!(one.state(&two.address), LinkState::Left);
    assert!(asked.await.iter().all(Result::is_ok));
    let late = two.call(&one, Topic::Application, "x").await;
    assert_eq!(late, Err(CallError::NotSent("this node has left".to_owned())));
    // That its process ends now says nothing new.
    let place = two.address.clone();
    two.kill().await;
    one.machine.sleep(SECOND * 2).await;
    assert_eq!(one.state(&place), LinkState::Left);
    let two = Node::start(&net, 2);
    one.wait_until_up(&two).await;
}

#[tokio::test(start_paused = true)]
async fn of_a_node_that_was_never_met_nothing_is_known() {
    let net = Net::default();
    let one = Node::start(&net, 1);
    net.hole("node3:1");
    one.links.connect_to(&[address(2), address(3), one.address.clone()]);
    one.machine.sleep(SECOND * 10).await;
    assert_eq!(one.state(&address(2)), LinkState::Connecting);
    assert_eq!(one.state(&address(3)), LinkState::Connecting);
    // Its own address is not one of a peer.
    assert_eq!(one.links.stats().len(), 2);
    // One that appears is met within the longest pause.
    let two = Node::start(&net, 2);
    let began = one.machine.now();
    one.wait_until_up(&two).await;
    assert!(one.machine.now() - began <= SECOND);
}

#[tokio::test(start_paused = true)]
async fn a_node_that_dials_is_dialled_back_at_once() {
    let net = Net::default();
    let one = Node::start(&net, 1);
    one.links.connect_to(&[address(2)]);
    one.machine.sleep(SECOND * 10).await;
    let two = Node::start(&net, 2);
    two.wait_until_up(&one).await;
    one.machine.sleep(ms(2)).await;
    assert_eq!(one.state(&two.address), LinkState::Up(me(2)));
}

#[tokio::test(start_paused = true)]
async fn a_link_that_is_given_up_ends_and_may_be_wanted_again() {
    let net = Net::default();
    let (one, two) = two(&net).await;
    let link = one.links.link(&two.address);
    let held = one.call(&two, Topic::Application, "hold");
    let held = go(vec![held]);
    one.machine.sleep(ms(5)).await;
    one.links.disconnect_from(slice::from_ref(&two.address));
    assert!(matches!(held.await[..], [Err(CallError::Lost(_))]));
    one.machine.sleep(SECOND).await;
    assert_eq!(*link.borrow(), LinkState::Connecting);
    one.wait_until_up(&two).await;
    assert_eq!(*link.borrow(), LinkState::Up(me(2)));
}

#[tokio::test(start_paused = true)]
async fn nothing_runs_on_when_the_links_are_dropped() {
    let net = Net::default();
    let (one, two) = two(&net).await;
    let (machine, place) = (one.machine.clone(), one.address.clone());
    let call = one.call(&two, Topic::Application, "hold");
    machine.sleep(ms(5)).await;
    // The listening task has a clone.
    machine.own.crash().await;
    drop(one);
    assert!(matches!(call.await, Err(CallError::Lost(_))));
    machine.sleep(SECOND).await;
    assert!(machine.own.tasks().is_empty(), "{:?}", machine.own.tasks());
    assert_eq!(two.state(&place), LinkState::Gone);
}

#[tokio::test(start_paused = true)]
async fn pings_are_timed() {
    let net = Net::default();
    let (one, _two) = two(&net).await;
    one.machine.sleep(ms(200)).await;
    let stats = &one.links.stats()[0];
    assert!(stats.round_trip.is_some_and(|took| took < ms(2)), "{stats:?}");
    // While nothing is said, one ping and one pong each way in every keepalive or so.
    assert!(stats.sent_frames < 60, "{stats:?}");
}

/// A host whose timers fire late, as when its process was stopped.
#[derive(Debug)]
struct Late(Arc<VirtualHost>, Duration);

impl Host for Late {
    fn spawn(&self, name: &'static str, task: BoxFuture<'static, ()>) -> Task {
        self.0.spawn(name, task)
    }

    fn spawn_thread(&self, name: &'static str, task: BoxFuture<'static, ()>) -> Task {
        self.0.spawn_thread(name, task)
    }

    fn now(&self) -> Duration {
        self.0.now()
    }

    fn wall_ms(&self) -> u64 {
        self.0.wall_ms()
    }

    fn sleep(&self, duration: Duration) -> BoxFuture<'static, ()> {
        self.0.sleep(if self.now() < ms(10) { duration + self.1 } else { duration })
    }

    fn random(&self) -> u64 {
        self.0.random()
    }

    fn listen(&self, address: SocketAddr) -> BoxFuture<'static, io::Result<Listener>> {
        self.0.listen(address)
    }

    fn connect(&self, address: &str) -> BoxFuture<'static, io::Result<Connection>> {
        self.0.connect(address)
    }

    fn files(&self) -> Arc<dyn Files> {
        self.0.files()
    }
}

#[tokio::test(start_paused = true)]
async fn a_process_that_was_stopped_reads_before_it_judges() {
    for heard in [true, false] {
        let own = VirtualHost::new(1);
        let mut ground = ground(options(1));
        ground.host = Arc::new(Late(own.clone(), SECOND));
        let pulse = Pulse::new(Arc::new(ground), Arc::new(Traffic::default()));
        let watched = pulse.clone();
        let (ended, mut end) = tokio::sync::oneshot::channel();
        let began = own.now();
        let watch = async move { _ = ended.send(watched.watch().await) };
        let task = own.spawn("watch", Box::pin(watch));
        // What came while it was stopped is read only a moment after its timers fire.
        own.sleep(ms(1030)).await;
        assert!(end.try_recv().is_err());
        if heard {
            pulse.heard(1);
            own.sleep(ms(90)).await;
            assert!(end.try_recv().is_err());
            task.abort();
        } else {
            assert_eq!(end.await, Ok(End::Silent));
            let took = own.now() - began;
            assert!(took >= ms(1070) && took < ms(1130), "{took:?}");
        }
    }
}

#[test]
fn one_seed_is_one_run() {
    let run = || {
        catga_testkit::run(7, async |host| {
            let net = Net::default();
            let (one, two) = two(&net).await;
            let calls: Vec<_> = (0..300)
                .map(|n| one.call(&two, Topic::Application, vec![0; n * 997 % 70_000]))
                .collect();
            let calls = go(calls);
            host.advance(ms(3)).await;
            let (place, trace) = (two.address.clone(), one.machine.own.trace());
            two.kill().await;
            let ends = calls.await;
            one.wait_until(&place, |state| *state == LinkState::Gone).await;
            host.advance(ms(700)).await;
            let two = Node::start(&net, 2);
            one.wait_until_up(&two).await;
            let at = host.now();
            (format!("{ends:?}"), at, trace.hash(), one.links.stats())
        })
    };
    assert_eq!(run(), run());
}
