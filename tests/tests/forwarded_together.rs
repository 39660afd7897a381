//! Commands that are sent at the same time go to the leader together, and none pays for another.

use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::Duration;

use catga::Failure;
use catga::prelude::*;
use catga_host::Host;
use catga_testkit::VirtualHost;
use catga_tests::shared_cluster::SharedCluster;
use catga_tests::switchboard::Loss;
use futures_util::FutureExt;
use futures_util::future::join_all;

/// Rings a bell, after a while.
#[derive(Command, Clone, Debug, Serialize, Deserialize)]
#[command(name = "bell.ring", reply = u64, error = BellError)]
struct Ring {
    after_ms: u64,
    /// Or says that it cannot now, which nobody records.
    busy: bool,
}

#[derive(Query, Clone, Debug, Serialize, Deserialize)]
#[query(name = "bell.rung", reply = u64)]
struct Rung;

#[derive(Event, Clone, Debug, Serialize, Deserialize)]
#[event(name = "bell.rang", stream = Bell, key = bell)]
struct Rang {
    bell: Uuid,
}

#[derive(DomainError, Clone, Debug, PartialEq, thiserror::Error, Serialize, Deserialize)]
enum BellError {
    #[error("it is being cleaned")]
    #[refusal(transient)]
    Busy,
}

#[derive(Clone, Debug, Default)]
struct Bell;

#[aggregate(name = "bell")]
impl Bell {
    fn rang(&mut self, _event: &Rang) {}
}

#[derive(Debug, Default, Serialize, Deserialize)]
struct Count(u64);

#[projection(name = "rung", version = 1)]
impl Count {
    fn rang(&mut self, _event: &Rang) {
        self.0 += 1;
    }
}

struct Bells {
    count: View<Count>,
    host: Arc<VirtualHost>,
    runs: Arc<AtomicU64>,
}

#[service]
impl Bells {
    async fn ring(&self, cmd: Ring, tx: &mut Tx) -> Answer<u64, BellError> {
        let run = self.runs.fetch_add(1, Ordering::Relaxed);
        if cmd.after_ms > 0 {
            self.host.sleep(Duration::from_millis(cmd.after_ms)).await;
        }
        if cmd.busy {
            return Err(BellError::Busy.into());
        }
        tx.emit(Rang { bell: tx.new_id() });
        Ok(run)
    }

    async fn rung(&self, _query: Rung) -> Answer<u64> {
        Ok(self.count.read(|count| count.0)?)
    }
}

struct Belfry {
    cluster: SharedCluster,
    nodes: [Node; 3],
    runs: Arc<AtomicU64>,
}

impl Belfry {
    async fn new(host: &Arc<VirtualHost>) -> Self {
        let (cluster, runs) = (SharedCluster::new(host), Arc::<AtomicU64>::default());
        let nodes = cluster.start(async |name, backend| {
            let (host, runs) = (host.clone(), runs.clone());
            let builder = Catga::builder().name(name).host(host.clone()).backend(backend);
            let builder = builder.service(|n| Bells { count: n.projection(), host, runs });
            builder.start().await.expect("a node of a cluster starts")
        });
        Self { nodes: nodes.await, cluster, runs }
    }

    fn follower(&self) -> &Node {
        &self.nodes[1]
    }

    fn runs(&self) -> u64 {
        self.runs.load(Ordering::Relaxed)
    }
}

const RING: Ring = Ring { after_ms: 0, busy: false };

#[test]
fn what_is_sent_at_once_goes_to_the_leader_in_few_requests() {
    catga_testkit::run(1, async |host| {
        let belfry = Belfry::new(&host).await;
        let before = belfry.cluster.board.calls();
        let answers = join_all((0..50).map(|_| belfry.follower().send(RING).into_future())).await;
        let mut runs: Vec<u64> = answers.into_iter().map(|it| it.expect("rung")).collect();
        runs.sort_unstable();
        assert_eq!(runs, Vec::from_iter(0..50), "each has the answer of its own run");
        assert_eq!(belfry.cluster.board.calls() - before, 1);
        let many = (0..200).map(|_| belfry.follower().send(RING).into_future());
        assert!(join_all(many).await.iter().all(Result::is_ok));
        assert_eq!(belfry.cluster.board.calls() - before, 1 + 4, "at most 64 go together");
        assert_eq!(belfry.follower().ask(Rung).await, Ok(250));
    });
}

#[test]
fn a_slow_one_keeps_none_waiting_and_runs_once() {
    catga_testkit::run(2, async |host| {
        let belfry = Belfry::new(&host).await;
        let began = host.now();
        let took = async |ring: Ring| {
            let answer = belfry.follower().send(ring).await;
            (answer, (host.now() - began).as_millis())
        };
        let slow = Ring { after_ms: 400, busy: false };
        let busy = Ring { after_ms: 0, busy: true };
        let (slow, quick, busy) = futures_util::join!(took(slow), took(RING), took(busy));
        assert!(matches!(slow, (Ok(0), 400..=410)), "{slow:?}");
        assert!(matches!(quick, (Ok(1), 0..=5)), "its own node has applied it: {quick:?}");
        assert!(matches!(busy, (Err(Failure::Domain(BellError::Busy)), 0..=30)), "{busy:?}");
        assert_eq!(belfry.runs(), 3);
        assert_eq!(belfry.follower().ask(Rung).await, Ok(2));
    });
}

#[test]
fn what_is_lost_together_is_asked_again_and_counts_once() {
    for loss in [Loss::NotSent, Loss::Request, Loss::Answer, Loss::Late(700)] {
        catga_testkit::run(3, async move |host| {
            let belfry = Belfry::new(&host).await;
            belfry.cluster.board.lose([loss]);
            let many = (0..20).map(|_| belfry.follower().send(RING).into_future());
            assert!(join_all(many).await.iter().all(Result::is_ok), "after {loss:?}");
            assert_eq!(belfry.follower().ask(Rung).await, Ok(20), "after {loss:?}");
            host.sleep(Duration::from_secs(1)).await;
            assert_eq!(belfry.follower().ask(Rung).await, Ok(20), "after {loss:?}");
        });
    }
}

#[test]
fn what_nobody_waits_for_any_more_is_not_sent() {
    catga_testkit::run(4, async |host| {
        let belfry = Belfry::new(&host).await;
        let before = belfry.cluster.board.calls();
        let mut given_up = Box::pin(belfry.follower().send(RING).into_future());
        assert!((&mut given_up).now_or_never().is_none());
        drop(given_up);
        host.sleep(Duration::from_secs(1)).await;
        assert_eq!((belfry.cluster.board.calls() - before, belfry.runs()), (0, 0));
    });
}
