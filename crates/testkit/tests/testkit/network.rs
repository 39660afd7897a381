//! Connections between simulated machines, while nothing is broken.

use std::io::ErrorKind;
use std::sync::Arc;
use std::time::Duration;

use catga::host::Host;
use catga_testkit::VirtualHost;
use catga_testkit::disk::SimDisk;
use tokio::io::{AsyncReadExt, AsyncWriteExt};

use crate::machines::*;

#[tokio::test(start_paused = true)]
async fn bytes_arrive_in_order_and_complete_both_ways() {
    for seed in 0..20 {
        let it = Two::new(seed);
        let (mut caller, mut accepted, _listener) = it.joined().await;
        let machine = it.one.clone();
        let sends = async move {
            for number in 0..2000_u32 {
                caller.write_all(&number.to_be_bytes()).await.expect("written");
                if machine.random().is_multiple_of(8) {
                    machine.sleep(Duration::from_millis(machine.random() % 4)).await;
                }
            }
            caller.shutdown().await.expect("told");
            read_all(&mut caller).await.expect("the way back is open")
        };
        let echoes = async move {
            let bytes = read_all(&mut accepted).await.expect("read");
            accepted.write_all(&bytes).await.expect("half closed is not closed");
        };
        let (echoed, ()) = tokio::join!(sends, echoes);
        let expected: Vec<u8> = (0..2000_u32).flat_map(u32::to_be_bytes).collect();
        assert_eq!(echoed, expected);
        let counts = it.network.counts();
        assert!(counts.splits > 10 && counts.chunks > 100, "{counts:?}");
        assert_eq!((counts.bytes, counts.connects, counts.resets), (16_000, 1, 0));
    }
}

#[tokio::test(start_paused = true)]
async fn a_latency_is_drawn_from_the_range_of_the_direction() {
    let it = Two::new(1);
    let ms = Duration::from_millis;
    it.network.set_latency_between("node2", "node1", ms(500)..=ms(600));
    let start = it.one.now();
    let (mut caller, mut accepted, _listener) = it.joined().await;
    let connected = it.one.now() - start;
    assert!(connected >= ms(502) && connected <= ms(630), "{connected:?}");
    let mut there = Vec::new();
    for _ in 0..50 {
        let start = it.one.now();
        caller.write_all(b"a").await.expect("written");
        accepted.read_exact(&mut [0]).await.expect("read");
        there.push(it.one.now() - start);
    }
    assert!(there.iter().all(|took| (ms(1)..=ms(11)).contains(took)), "{there:?}");
    assert!(there.iter().min() != there.iter().max(), "{there:?}");
    let start = it.one.now();
    accepted.write_all(b"b").await.expect("written");
    caller.read_exact(&mut [0]).await.expect("read");
    let back = it.one.now() - start;
    assert!(back >= ms(500) && back <= ms(601), "{back:?}");
}

#[tokio::test(start_paused = true)]
async fn a_writer_waits_for_its_reader_beyond_256_kib() {
    let it = Two::new(1);
    let (mut caller, mut accepted, _listener) = it.joined().await;
    let data = vec![7; 600_000];
    let mut written = 0;
    let fill = async {
        loop {
            written += caller.write(&data[written..]).await.expect("written");
        }
    };
    within(&it.one, 60 * SECOND, fill).await.expect_err("nobody reads");
    assert_eq!(written, 256 * 1024);
    assert!(it.network.counts().waits > 0);
    let mut some = vec![0; 100_000];
    accepted.read_exact(&mut some).await.expect("read");
    it.one.advance(SECOND).await;
    let more = caller.write(&data[written..]).await.expect("room");
    assert_eq!(more, 100_000, "as much as was read");
    let rest = async { caller.write_all(&data[written + more..]).await.map(|()| drop(caller)) };
    let (rest, read) = tokio::join!(rest, read_all(&mut accepted));
    rest.expect("written");
    assert_eq!(some.len() + read.expect("read").len(), data.len());
}

#[tokio::test(start_paused = true)]
async fn an_acknowledgement_needs_the_way_back() {
    let it = Two::new(1);
    let (mut caller, mut accepted, _listener) = it.joined().await;
    caller.write_all(&vec![1; 256 * 1024]).await.expect("room");
    it.network.cut("node2", "node1");
    accepted.read_exact(&mut vec![0; 256 * 1024]).await.expect("this way is open");
    let more = within(&it.one, 60 * SECOND, caller.write_all(b"more")).await;
    more.expect_err("the writer does not know of the room");
    it.network.heal("node2", "node1");
    within(&it.one, SECOND, caller.write_all(b"more")).await.expect("told").expect("written");
    accepted.read_exact(&mut [0; 4]).await.expect("read");
}

#[tokio::test(start_paused = true)]
async fn nobody_listening_refuses_after_a_round_trip() {
    let it = Two::new(1);
    let start = it.one.now();
    let error = it.one.connect("node2:5001").await.expect_err("nobody listens");
    assert_eq!(error.kind(), ErrorKind::ConnectionRefused);
    assert!(error.to_string().contains("node2:5001"), "{error}");
    let took = it.one.now() - start;
    assert!(took >= Duration::from_millis(2) && took <= 2 * LATENCY + LATENCY, "{took:?}");
    assert_eq!(it.network.counts().refused, 1);
    drop(it.listen().await);
    let error = it.one.connect("node2:5001").await.expect_err("not any more");
    assert_eq!(error.kind(), ErrorKind::ConnectionRefused);
}

#[tokio::test(start_paused = true)]
async fn names_numbers_and_the_machine_itself_are_addresses() {
    let it = Two::new(1);
    let listener = it.two.listen("127.0.0.1:0".parse().unwrap()).await.expect("a port");
    let address = listener.local_addr().expect("an address");
    assert!(address.ip().is_loopback() && address.port() >= 32_768, "{address}");
    let port = address.port();
    for (host, name) in
        [(&it.one, "node2"), (&it.one, "10.0.0.2"), (&it.two, "localhost"), (&it.two, "[::1]")]
    {
        let caller = host.connect(&format!("{name}:{port}")).await.expect("connected");
        let (_, peer) = listener.accept().await.expect("accepted");
        let last = if Arc::ptr_eq(host, &it.one) { "10.0.0.1" } else { "10.0.0.2" };
        assert_eq!(peer.ip().to_string(), last);
        drop(caller);
    }
    let taken = it.two.listen(address).await.expect_err("taken");
    assert_eq!(taken.kind(), ErrorKind::AddrInUse);
    for (wrong, kind) in [
        ("node3:1", ErrorKind::NotFound),
        ("node2", ErrorKind::InvalidInput),
        ("node2:70000", ErrorKind::InvalidInput),
        ("10.0.0.9:1", ErrorKind::NotFound),
    ] {
        let error = it.one.connect(wrong).await.expect_err(wrong);
        assert_eq!(error.kind(), kind, "{wrong}: {error}");
    }
    assert_eq!(it.two.name(), Some("node2"));
}

#[tokio::test(start_paused = true)]
async fn what_was_read_counts_before_the_end_and_a_write_after_it_breaks() {
    let it = Two::new(1);
    let (mut caller, mut accepted, _listener) = it.joined().await;
    accepted.write_all(b"last").await.expect("written");
    drop(accepted);
    assert_eq!(read_all(&mut caller).await.expect("an end"), b"last");
    caller.write_all(b"?").await.expect("nobody has said that it is in vain");
    it.one.advance(SECOND).await;
    let error = caller.write_all(b"?").await.expect_err("now it is known");
    assert_eq!(error.kind(), ErrorKind::BrokenPipe);
}

#[tokio::test(start_paused = true)]
async fn dropping_with_bytes_unread_resets() {
    let it = Two::new(1);
    let (mut caller, accepted, _listener) = it.joined().await;
    caller.write_all(b"unread").await.expect("written");
    it.one.advance(SECOND).await;
    drop(accepted);
    let error = read_all(&mut caller).await.expect_err("no end was told");
    assert_eq!(error.kind(), ErrorKind::ConnectionReset);
    let error = caller.write_all(b"?").await.expect_err("it is reset");
    assert_eq!(error.kind(), ErrorKind::ConnectionReset);
    assert_eq!(it.network.counts().resets, 1);
}

#[tokio::test(start_paused = true)]
async fn a_full_backlog_lets_callers_wait() {
    let it = Two::new(1);
    let listener = it.listen().await;
    let mut callers = Vec::new();
    for _ in 0..1024 {
        callers.push(it.one.connect("node2:5001").await.expect("room"));
    }
    it.one.advance(SECOND).await;
    let late = it.one.connect("node2:5001");
    tokio::pin!(late);
    within(&it.one, 60 * SECOND, &mut late).await.expect_err("no room");
    let accepted = listener.accept().await.expect("one of them");
    within(&it.one, 2 * SECOND, &mut late).await.expect("room").expect("connected");
    drop((accepted, callers));
}

/// Everything that is left when all that was opened is closed: nothing.
#[tokio::test(start_paused = true)]
async fn ports_come_back_when_connections_end() {
    let it = Two::new(1);
    it.network.set_latency(Duration::ZERO..=Duration::ZERO);
    let listener = it.listen().await;
    // More than there are ports.
    for _ in 0..30_000 {
        let caller = it.one.connect("node2:5001").await.expect("a port");
        let (accepted, _) = listener.accept().await.expect("accepted");
        drop((caller, accepted));
    }
    for _ in 0..30_000 {
        it.one.connect("node2:5002").await.expect_err("refused");
    }
    assert_eq!(it.network.counts().connects, 30_000);
}

#[tokio::test(start_paused = true)]
async fn an_abandoned_connect_leaves_nothing_behind() {
    let it = Two::new(1);
    let listener = it.listen().await;
    it.network.cut("node2", "node1");
    let connect = it.one.connect("node2:5001");
    within(&it.one, SECOND, connect).await.expect_err("no answer");
    it.network.heal_all();
    let accepted = within(&it.one, 10 * SECOND, listener.accept()).await;
    assert!(accepted.is_err(), "its caller has gone");
    assert_eq!(it.network.counts().connects, 0);
}

#[tokio::test(start_paused = true)]
#[should_panic(expected = "no machine of this network is called \"node9\"")]
async fn a_cut_names_machines_that_are_there() {
    Two::new(1).network.cut("node1", "node9");
}

#[tokio::test(start_paused = true)]
async fn a_machine_takes_the_place_of_a_former_one_of_its_name() {
    let it = Two::new(1);
    let (mut caller, _accepted, listener) = it.joined().await;
    let disk: SimDisk = it.two.disk().clone();
    let again = VirtualHost::in_network(9, disk, &it.network, "node2");
    assert_eq!(listener.accept().await.expect_err("replaced").kind(), ErrorKind::NotConnected);
    it.two.connect("node1:1").await.expect_err("replaced");
    // It has no say any more.
    it.two.power_cut().await;
    caller.write_all(b"who?").await.expect("written");
    let error = read_all(&mut caller).await.expect_err("the new one knows nothing of it");
    assert_eq!(error.kind(), ErrorKind::ConnectionReset);
    let _listener = listen(&again).await;
    it.one.connect("node2:5001").await.expect("it listens");
}
