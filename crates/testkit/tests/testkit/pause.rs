//! Processes that stand still.

use std::future::pending;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::Duration;

use catga::host::{Host, Open, TaskEnd};
use catga_testkit::VirtualHost;
use catga_testkit::disk::Lost;
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::sync::Notify;

use crate::machines::*;

/// Counts seconds.
async fn count(host: Arc<VirtualHost>, counted: Arc<AtomicU64>) {
    loop {
        host.sleep(SECOND).await;
        counted.fetch_add(1, Ordering::Relaxed);
    }
}

fn counted(counter: &AtomicU64) -> u64 {
    counter.load(Ordering::Relaxed)
}

#[test]
fn no_task_runs_while_the_process_stands_still() {
    catga_testkit::run(1, async |host| {
        let (spawned, adopted) = (Arc::default(), Arc::default());
        drop(host.spawn("counts", Box::pin(count(host.clone(), Arc::clone(&spawned)))));
        let task = host.adopt(Box::pin(count(host.clone(), Arc::clone(&adopted))));
        drop(tokio::spawn(task));
        host.advance(10 * SECOND + SECOND / 2).await;
        host.pause();
        let late = Arc::<AtomicU64>::default();
        drop(host.spawn("late", Box::pin(count(host.clone(), Arc::clone(&late)))));
        host.advance(100 * SECOND).await;
        assert_eq!((counted(&spawned), counted(&adopted), counted(&late)), (10, 10, 0));
        host.resume();
        host.advance(SECOND / 4).await;
        assert_eq!((counted(&spawned), counted(&adopted)), (11, 11), "the timer that had ended");
        host.advance(10 * SECOND).await;
        assert_eq!((counted(&spawned), counted(&adopted), counted(&late)), (21, 21, 10));
    });
}

#[test]
fn wake_ups_are_kept_and_a_task_that_nothing_woke_waits_on() {
    catga_testkit::run(1, async |host| {
        let (notify, other) = (Arc::new(Notify::new()), Arc::new(Notify::new()));
        let woken = Arc::<AtomicU64>::default();
        for notify in [&notify, &other] {
            let (notify, woken) = (Arc::clone(notify), Arc::clone(&woken));
            let waits = async move {
                notify.notified().await;
                woken.fetch_add(1, Ordering::Relaxed);
            };
            drop(host.spawn("waits", Box::pin(waits)));
        }
        host.advance(SECOND).await;
        host.pause();
        notify.notify_one();
        host.advance(SECOND).await;
        assert_eq!(counted(&woken), 0);
        host.resume();
        host.advance(SECOND).await;
        assert_eq!(counted(&woken), 1);
        other.notify_one();
        host.advance(SECOND).await;
        assert_eq!(counted(&woken), 2);
    });
}

#[test]
fn a_crash_ends_adopted_tasks_also_while_they_stand_still_or_never_ran() {
    catga_testkit::run(1, async |host| {
        for pause in [false, true] {
            let held = Arc::new(());
            let hold = || {
                let held = Arc::clone(&held);
                host.adopt(Box::pin(async move {
                    let _held = held;
                    pending::<()>().await;
                }))
            };
            let ran = tokio::spawn(hold());
            host.advance(SECOND).await;
            if pause {
                host.pause();
            }
            let spawned = host.spawn("holds", hold());
            let never_polled = hold();
            host.crash().await;
            assert_eq!(Arc::strong_count(&held), 1, "what they held is dropped");
            ran.await.expect("an adopted task ends by itself");
            assert_eq!(spawned.await, TaskEnd::Aborted);
            never_polled.await;
            // The next process runs.
            assert_eq!(host.spawn("runs", Box::pin(async {})).await, TaskEnd::Finished);
            tokio::spawn(host.adopt(Box::pin(async {}))).await.expect("it runs");
        }
    });
}

#[test]
fn a_sync_that_was_under_way_ends_although_the_process_stands_still() {
    catga_testkit::run(1, async |host| {
        host.disk().set_sync_time(SECOND..=SECOND);
        let machine = host.clone();
        let writes = async move {
            let files = machine.files();
            let file = files.open("/f".as_ref(), Open::Create).expect("new");
            file.write_at(b"safe", 0).expect("written");
            files.sync_dir("/".as_ref()).await.expect("durable");
            file.sync().await.expect("durable");
            file.write_at(b"lost", 4).expect("written");
        };
        drop(host.spawn("writes", Box::pin(writes)));
        host.advance(SECOND + SECOND / 2).await;
        host.pause();
        host.advance(SECOND).await;
        assert_eq!(host.disk().contents("/f").expect("there"), b"safe", "nothing else happens");
        let disk = host.disk().clone();
        disk.crash_losing(Lost::All);
        assert_eq!(disk.contents("/f").expect("its name and its bytes are durable"), b"safe");
        assert_eq!(disk.counts().syncs, 1);
    });
}

#[tokio::test(start_paused = true)]
async fn the_network_goes_on_for_a_process_that_stands_still() {
    let it = Two::new(1);
    let listener = it.listen().await;
    let echoes = async move {
        loop {
            let (mut connection, _) = listener.accept().await.expect("accepted");
            let mut byte = [0];
            while connection.read_exact(&mut byte).await.is_ok() {
                connection.write_all(&byte).await.expect("written");
            }
        }
    };
    drop(it.two.spawn("echo", Box::pin(echoes)));
    it.two.pause();
    let mut caller = it.one.connect("node2:5001").await.expect("the kernel answers");
    caller.write_all(b"a").await.expect("the kernel takes it");
    within(&it.one, 600 * SECOND, caller.read_u8()).await.expect_err("nobody is at home");
    it.two.resume();
    let start = it.one.now();
    assert_eq!(caller.read_u8().await.expect("echoed"), b'a');
    assert!(it.one.now() - start <= Duration::from_millis(11));
    let lines = it.trace.lines();
    for word in ["node2 pause", "node2 resume", "net connect"] {
        assert!(lines.iter().any(|line| line.contains(word)), "{word}: {lines:?}");
    }
}
