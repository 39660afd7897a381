//! Connections while machines die and paths are cut.

use std::io::ErrorKind;
use std::time::Duration;

use catga::host::Host;
use tokio::io::{AsyncReadExt, AsyncWriteExt};

use crate::machines::*;

/// The most that a heal takes until what was held back is there: sent again, and the latency.
const HEALED: Duration = Duration::from_millis(212);

#[tokio::test(start_paused = true)]
async fn a_crash_closes_what_the_process_held() {
    let it = Two::new(1);
    let (mut caller, mut accepted, listener) = it.joined().await;
    accepted.write_all(b"last words").await.expect("written");
    it.two.crash().await;
    let start = it.one.now();
    assert_eq!(read_all(&mut caller).await.expect("an end"), b"last words");
    assert!(it.one.now() - start <= 2 * LATENCY);
    caller.write_all(b"?").await.expect("not known yet");
    it.one.advance(SECOND).await;
    let error = caller.write_all(b"?").await.expect_err("known");
    assert_eq!(error.kind(), ErrorKind::BrokenPipe);
    let error = it.one.connect("node2:5001").await.expect_err("its listener is dead");
    assert_eq!(error.kind(), ErrorKind::ConnectionRefused);
    for error in [
        accepted.write_all(b"ghost").await.expect_err("of a dead process"),
        listener.accept().await.map(drop).expect_err("of a dead process"),
    ] {
        assert_eq!(error.kind(), ErrorKind::NotConnected, "{error}");
    }
    drop(listener);
    let _listener = it.listen().await;
    it.one.connect("node2:5001").await.expect("a new process listens");
}

#[tokio::test(start_paused = true)]
async fn a_crash_resets_what_was_not_accepted() {
    let it = Two::new(1);
    let _listener = it.listen().await;
    let mut caller = it.one.connect("node2:5001").await.expect("the kernel answers");
    it.one.advance(SECOND).await;
    it.two.crash().await;
    let error = read_all(&mut caller).await.expect_err("nobody held it");
    assert_eq!(error.kind(), ErrorKind::ConnectionReset);
}

#[tokio::test(start_paused = true)]
async fn a_power_cut_tells_nobody_until_the_machine_is_back() {
    let it = Two::new(1);
    let (mut caller, mut accepted, _listener) = it.joined().await;
    accepted.write_all(b"a").await.expect("written");
    caller.read_exact(&mut [0]).await.expect("read");
    it.two.power_cut().await;
    caller.write_all(b"anybody?").await.expect("the kernel takes it");
    let heard = within(&it.one, 3600 * SECOND, read_all(&mut caller)).await;
    heard.expect_err("silence");
    let connect = it.one.connect("node2:5001");
    tokio::pin!(connect);
    within(&it.one, 60 * SECOND, &mut connect).await.expect_err("silence");
    assert!(it.network.counts().held_back >= 2, "{:?}", it.network.counts());
    // The program starts, and with it the machine.
    let _listener = it.listen().await;
    let start = it.one.now();
    let error = read_all(&mut caller).await.expect_err("it knows of no connection");
    assert_eq!(error.kind(), ErrorKind::ConnectionReset);
    assert!(it.one.now() - start <= HEALED + LATENCY);
    connect.await.expect("sent again");
}

#[tokio::test(start_paused = true)]
async fn a_machine_that_is_back_hears_nothing_and_says_nothing_of_its_own() {
    let it = Two::new(1);
    let (mut caller, _accepted, _listener) = it.joined().await;
    it.two.power_cut().await;
    it.two.power_on();
    let heard = within(&it.one, 3600 * SECOND, read_all(&mut caller)).await;
    heard.expect_err("who says nothing is not answered");
    let refused = it.one.connect("node2:5001").await.expect_err("nobody listens");
    assert_eq!(refused.kind(), ErrorKind::ConnectionRefused);
    caller.write_all(b"?").await.expect("written");
    let error = read_all(&mut caller).await.expect_err("answered");
    assert_eq!(error.kind(), ErrorKind::ConnectionReset);
}

#[tokio::test(start_paused = true)]
async fn what_a_machine_had_sent_again_is_lost_with_its_power() {
    let it = Two::new(1);
    let (mut caller, mut accepted, _listener) = it.joined().await;
    it.network.cut("node2", "node1");
    accepted.write_all(b"held").await.expect("written");
    it.one.advance(SECOND).await;
    it.two.power_cut().await;
    it.network.heal_all();
    let heard = within(&it.one, 60 * SECOND, read_all(&mut caller)).await;
    heard.expect_err("nobody sends it again");
}

#[tokio::test(start_paused = true)]
async fn a_one_way_cut_holds_bytes_and_ends_until_it_is_healed() {
    for seed in 0..20 {
        let it = Two::new(seed);
        let (mut caller, mut accepted, _listener) = it.joined().await;
        it.network.cut("node1", "node2");
        for part in [&b"one "[..], b"two ", b"three"] {
            caller.write_all(part).await.expect("written");
            it.one.advance(SECOND).await;
        }
        accepted.write_all(b"back").await.expect("written");
        let mut back = [0; 4];
        caller.read_exact(&mut back).await.expect("the other way is open");
        caller.shutdown().await.expect("told");
        let heard = within(&it.one, 600 * SECOND, accepted.read_u8()).await;
        heard.expect_err("nothing gets through");
        assert!(it.network.counts().held_back >= 4, "{:?}", it.network.counts());
        it.network.heal("node1", "node2");
        let start = it.one.now();
        assert_eq!(read_all(&mut accepted).await.expect("an end"), b"one two three");
        let took = it.one.now() - start;
        assert!(took <= HEALED && took >= Duration::from_millis(1), "{took:?}");
        let counts = it.network.counts();
        assert_eq!((counts.cuts, counts.heals, counts.resets), (1, 1, 0));
    }
}

#[tokio::test(start_paused = true)]
async fn what_is_written_after_a_heal_waits_behind_what_was_held() {
    let it = Two::new(1);
    let (mut caller, mut accepted, _listener) = it.joined().await;
    it.network.cut("node1", "node2");
    caller.write_all(b"first ").await.expect("written");
    it.one.advance(SECOND).await;
    it.network.heal("node1", "node2");
    caller.write_all(b"second").await.expect("written");
    drop(caller);
    assert_eq!(read_all(&mut accepted).await.expect("an end"), b"first second");
}

#[tokio::test(start_paused = true)]
async fn the_end_of_a_dead_process_waits_for_the_heal_too() {
    let it = Two::new(1);
    let (mut caller, _accepted, _listener) = it.joined().await;
    it.network.isolate("node2");
    it.two.crash().await;
    let heard = within(&it.one, 60 * SECOND, read_all(&mut caller)).await;
    heard.expect_err("the end is held");
    it.network.heal_all();
    assert_eq!(read_all(&mut caller).await.expect("an end"), b"");
    assert_eq!(it.network.counts().cuts, 2);
}

#[tokio::test(start_paused = true)]
async fn a_connect_waits_for_both_ways() {
    for cut in [
        &[("node1", "node2")][..],
        &[("node2", "node1")],
        &[("node1", "node2"), ("node2", "node1")],
    ] {
        let it = Two::new(1);
        let _listener = it.listen().await;
        for (from, to) in cut {
            it.network.cut(from, to);
        }
        let connect = it.one.connect("node2:5001");
        tokio::pin!(connect);
        within(&it.one, 600 * SECOND, &mut connect).await.expect_err("it waits");
        it.network.heal_all();
        let start = it.one.now();
        connect.await.expect("connected");
        assert!(it.one.now() - start <= HEALED + LATENCY);
    }
}

#[tokio::test(start_paused = true)]
async fn a_connect_that_was_healed_finds_the_listener_of_the_day() {
    let it = Two::new(1);
    let listener = it.listen().await;
    it.network.cut("node2", "node1");
    let connect = it.one.connect("node2:5001");
    tokio::pin!(connect);
    within(&it.one, SECOND, &mut connect).await.expect_err("no answer");
    it.two.crash().await;
    drop(listener);
    it.network.heal_all();
    let error = connect.await.expect_err("its process died");
    assert_eq!(error.kind(), ErrorKind::ConnectionRefused);
}

#[tokio::test(start_paused = true)]
async fn a_reset_breaks_both_ends_and_loses_what_was_on_its_way() {
    let it = Two::new(1);
    let (mut caller, mut accepted, listener) = it.joined().await;
    caller.write_all(b"lost").await.expect("written");
    it.network.reset("node2", "node1");
    for end in [&mut caller, &mut accepted] {
        let error = read_all(end).await.expect_err("reset");
        assert_eq!(error.kind(), ErrorKind::ConnectionReset);
        let error = end.write_all(b"?").await.expect_err("reset");
        assert_eq!(error.kind(), ErrorKind::ConnectionReset);
    }
    assert_eq!(it.network.counts().resets, 2);
    let mut caller = it.one.connect("node2:5001").await.expect("a new one");
    let (mut accepted, _) = listener.accept().await.expect("a new one");
    caller.write_all(b"hello").await.expect("written");
    drop(caller);
    assert_eq!(read_all(&mut accepted).await.expect("an end"), b"hello");
}
