//! Commands on any node of a cluster: they run on the leader, once, and whoever called hears so.

use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::Duration;

use catga::prelude::*;
use catga::{
    Failure, FaultCode, Limits, MemberState, MessageId, NodeState, Outcome, Position, ReadLevel,
    Replied,
};
use catga_host::Host;
use catga_testkit::VirtualHost;
use catga_tests::shared_cluster::{SharedBackend, SharedCluster};
use catga_tests::shared_log::Doubt;
use catga_tests::switchboard::Loss;

/// Adds to a tally, and answers with what was there before.
#[derive(Command, Clone, Debug, Serialize, Deserialize)]
#[command(name = "tally.add", reply = Added, error = TallyError)]
struct Add {
    tally: String,
    amount: u64,
}

#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
struct Added {
    before: u64,
    id: Uuid,
    at: Timestamp,
}

#[derive(Query, Clone, Debug, Serialize, Deserialize)]
#[query(name = "tally.sum", reply = u64)]
struct Sum;

#[derive(Event, Clone, Debug, Serialize, Deserialize)]
#[event(name = "tally.grown", stream = Tally, key = tally)]
struct Grown {
    tally: String,
    amount: u64,
}

#[derive(DomainError, Clone, Debug, PartialEq, thiserror::Error, Serialize, Deserialize)]
enum TallyError {
    #[error("{0} is too much")]
    TooMuch(u64),
}

#[derive(Clone, Debug, Default)]
struct Tally(u64);

#[aggregate(name = "tally")]
impl Tally {
    fn grown(&mut self, event: &Grown) {
        self.0 += event.amount;
    }
}

#[derive(Debug, Default, Serialize, Deserialize)]
struct Total(u64);

#[projection(name = "total", version = 1)]
impl Total {
    fn grown(&mut self, event: &Grown) {
        self.0 += event.amount;
    }
}

struct Tallies {
    total: View<Total>,
    runs: Arc<AtomicU64>,
}

#[service]
impl Tallies {
    async fn add(&self, cmd: Add, tx: &mut Tx) -> Answer<Added, TallyError> {
        self.runs.fetch_add(1, Ordering::Relaxed);
        let (id, at) = (tx.new_id(), tx.now());
        let loaded = tx.load::<Tally>(&cmd.tally).await?;
        if cmd.amount > 1000 {
            return Err(TallyError::TooMuch(cmd.amount).into());
        }
        let grown = Grown { tally: cmd.tally, amount: cmd.amount };
        let before = match loaded {
            Some(mut tally) => {
                let before = tally.0;
                tally.emit(grown);
                before
            }
            None => {
                tx.emit(grown);
                0
            }
        };
        Ok(Added { before, id, at })
    }

    async fn sum(&self, _query: Sum) -> Answer<u64> {
        Ok(self.total.read(|total| total.0)?)
    }
}

fn add(tally: &str, amount: u64) -> Add {
    Add { tally: tally.to_owned(), amount }
}

/// How often handlers ran, on all nodes.
#[derive(Clone, Default)]
struct Runs(Arc<AtomicU64>);

impl Runs {
    fn get(&self) -> u64 {
        self.0.load(Ordering::Relaxed)
    }
}

async fn start_node(
    host: &Arc<VirtualHost>,
    runs: &Runs,
    limits: Limits,
    (name, backend): (&'static str, SharedBackend),
) -> Node {
    let runs = runs.0.clone();
    let started = Catga::builder()
        .name(name)
        .host(host.clone())
        .limits(limits)
        .backend(backend)
        .service(|n| Tallies { total: n.projection(), runs })
        .start();
    started.await.expect("a node of a cluster starts")
}

async fn start(host: &Arc<VirtualHost>) -> (SharedCluster, [Node; 3], Runs) {
    let (cluster, runs) = (SharedCluster::new(host), Runs::default());
    let nodes = cluster.start(async |name, backend| {
        start_node(host, &runs, Limits::default(), (name, backend)).await
    });
    let nodes = nodes.await;
    (cluster, nodes, runs)
}

/// Lets what was started run until it waits.
async fn step() {
    for _ in 0..100 {
        tokio::task::yield_now().await;
    }
}

fn position_of<R, E>(replied: &Replied<R, E>) -> Position {
    replied.report.and_then(|report| report.position).expect("it has an effect")
}

fn fault<R: std::fmt::Debug, E: std::fmt::Debug>(answer: Answer<R, E>) -> Fault {
    match answer {
        Err(Failure::Fault(fault)) => fault,
        answer => panic!("no fault: {answer:?}"),
    }
}

#[test]
fn a_follower_answers_what_the_leader_decided_and_shows_it_at_once() {
    catga_testkit::run(1, async |host| {
        let (cluster, [leader, follower, other], runs) = start(&host).await;
        host.set_wall(catga_testkit::time("2027-03-04T05:06:07Z"));
        let replied = follower.send(add("a", 3)).reported().await;
        let added = replied.answer.clone().expect("added");
        assert_eq!((added.before, runs.get()), (0, 1));
        assert_eq!(added.at.to_string(), "2027-03-04T05:06:07.000Z");
        assert!(replied.report.expect("a report").visible);
        assert_eq!(follower.ask(Sum).await, Ok(3), "it reads its own write");
        let seen = position_of(&replied);
        assert_eq!(other.ask(Sum).after(seen).await, Ok(3));
        assert_eq!(leader.send(add("a", 4)).await.expect("added").before, 3);
        assert_eq!(other.ask(Sum).level(ReadLevel::Linearizable).await, Ok(7));
        assert_eq!(cluster.board.calls(), 3, "two sessions and one command");
    });
}

#[test]
fn refusals_and_keys_are_the_same_from_every_node() {
    catga_testkit::run(2, async |host| {
        let (_cluster, nodes, runs) = start(&host).await;
        for node in &nodes {
            let refused = node.send(add("a", 1001)).key("k").await;
            assert_eq!(refused, Err(Failure::Domain(TallyError::TooMuch(1001))));
        }
        assert_eq!(runs.get(), 1, "the first refusal is recorded, and heard again");
        let first = nodes[1].send(add("a", 5)).key("five").reported().await;
        let again = nodes[2].send(add("a", 5)).key("five").reported().await;
        assert_eq!(first.answer, again.answer);
        assert_eq!(position_of(&first), position_of(&again));
        assert_eq!(first.report.map(|it| it.message_id), again.report.map(|it| it.message_id));
        let other = fault(nodes[2].send(add("a", 6)).key("five").await);
        assert_eq!(other.code(), FaultCode::PayloadMismatch);
        // An id is known everywhere, too.
        let id = first.report.expect("a report").message_id;
        assert_eq!(nodes[2].send(add("a", 5)).id(id).await, first.answer);
        assert_eq!(nodes[0].send(add("a", 5)).id(id).await, first.answer);
        assert_eq!(runs.get(), 2);
    });
}

#[test]
fn a_lost_answer_is_asked_for_again_with_the_same_id() {
    catga_testkit::run(3, async |host| {
        let (cluster, [_leader, follower, _other], runs) = start(&host).await;
        // Its own node must not be the one that knows.
        cluster.log.set_lagging(1, true);
        cluster.board.lose([Loss::Answer, Loss::Request, Loss::NotSent]);
        let replied = follower.send(add("a", 3)).reported().await;
        assert_eq!(replied.answer.clone().expect("added").before, 0);
        assert_eq!(runs.get(), 1, "the second request found the effect");
        assert!(!replied.report.expect("a report").visible, "it does not show it in time");
        cluster.log.set_lagging(1, false);
        assert_eq!(follower.ask(Sum).after(position_of(&replied)).await, Ok(3));
    });
}

#[test]
fn a_leader_that_dies_after_the_commit_is_answered_for_by_own_apply() {
    catga_testkit::run(4, async |host| {
        let (cluster, [_leader, follower, _other], runs) = start(&host).await;
        cluster.board.lose([Loss::Silence]);
        let before = host.now();
        let added = follower.send(add("a", 3)).await.expect("added");
        assert_eq!((added.before, runs.get()), (0, 1));
        assert!(host.now() - before < Duration::from_millis(50), "nobody waited for the dead");
        assert_eq!(cluster.board.calls(), 3, "and nobody was asked again");
    });
}

#[test]
fn a_change_of_the_leader_is_only_felt_as_time() {
    catga_testkit::run(5, async |host| {
        let (cluster, nodes, runs) = start(&host).await;
        // Nobody leads for a while.
        cluster.log.elect(None);
        let sent = nodes[1].send(add("a", 1));
        let log = cluster.log.clone();
        let elect = async {
            host.sleep(Duration::from_secs(2)).await;
            log.elect(Some(2));
        };
        let (added, ()) = tokio::join!(sent, elect);
        assert_eq!(added.expect("added").before, 0);
        // The one that was asked is deposed and does not answer: another leads meanwhile.
        cluster.board.lose([Loss::Request, Loss::Late(1000)]);
        let sent = nodes[1].send(add("a", 2));
        let elect = async {
            host.sleep(Duration::from_millis(200)).await;
            cluster.log.elect(Some(0));
        };
        let (added, ()) = tokio::join!(sent, elect);
        assert_eq!(added.expect("added").before, 1);
        assert_eq!(runs.get(), 2);
    });
}

#[test]
fn a_leader_that_is_overtaken_in_its_term_is_waited_for_no_longer() {
    catga_testkit::run(5, async |host| {
        let (cluster, nodes, _runs) = start(&host).await;
        cluster.board.lose([Loss::Late(8_000)]);
        let before = host.now();
        let sent = nodes[1].send(add("a", 1));
        let overtake = async {
            host.sleep(Duration::from_millis(200)).await;
            cluster.log.overtake(Some(2));
        };
        let (added, ()) = tokio::join!(sent, overtake);
        assert_eq!(added.expect("added").before, 0);
        assert!(host.now() - before < Duration::from_secs(1), "nobody waits for the first");
    });
}

#[test]
fn a_deposed_leader_goes_on_at_the_next_one_whatever_became_of_its_entry() {
    catga_testkit::run(6, async |host| {
        let (cluster, [leader, _second, _third], runs) = start(&host).await;
        cluster.log.isolate(0);
        let sent = leader.send(add("a", 1));
        let depose = async {
            host.sleep(Duration::from_millis(100)).await;
            cluster.log.elect(Some(1));
            cluster.log.heal();
        };
        let (added, ()) = tokio::join!(sent, depose);
        assert_eq!(added.expect("added").before, 0);
        assert_eq!(runs.get(), 2, "once on each");
        // In doubt while it goes on leading.
        cluster.log.elect(Some(0));
        cluster.log.doubt(0, [Doubt::Lost, Doubt::Kept]);
        assert_eq!(leader.send(add("a", 2)).await.expect("added").before, 1);
        assert_eq!(leader.send(add("a", 3)).await.expect("added").before, 3);
        assert_eq!(leader.ask(Sum).await, Ok(6));
        // The same on the way from a follower.
        cluster.log.elect(Some(2));
        cluster.log.doubt(2, [Doubt::Lost, Doubt::Kept]);
        assert_eq!(leader.send(add("a", 4)).await.expect("added").before, 6);
        assert_eq!(leader.send(add("a", 5)).await.expect("added").before, 10);
        assert_eq!(leader.ask(Sum).await, Ok(15));
    });
}

#[test]
fn not_executed_is_said_only_with_proof() {
    catga_testkit::run(7, async |host| {
        let (cluster, [_leader, follower, _other], runs) = start(&host).await;
        let second = Duration::from_secs(1);
        cluster.log.elect(None);
        let before = host.now();
        let none = fault(follower.send(add("a", 1)).deadline(second).await);
        assert_eq!(none.code(), FaultCode::DeadlineBeforeStart);
        assert_eq!(none.outcome(), Outcome::NotExecuted);
        assert!(host.now() - before < second + Duration::from_millis(10));
        // The leader is known and cannot be reached.
        cluster.log.elect(Some(0));
        cluster.log.isolate(0);
        let unreached = fault(follower.send(add("a", 1)).deadline(second).await);
        assert_eq!(unreached.outcome(), Outcome::NotExecuted);
        assert!(unreached.message().contains("node1 could not be asked"), "{unreached}");
        cluster.log.heal();
        assert_eq!(runs.get(), 0);
        // One request may have arrived; whatever is proved of the later ones.
        cluster.board.lose([Loss::Request]);
        cluster.board.lose(vec![Loss::NotSent; 1000]);
        let replied = follower.send(add("a", 1)).deadline(second).reported().await;
        let id = replied.report.expect("a report").message_id;
        let unknown = fault(replied.answer);
        assert_eq!(unknown.code(), FaultCode::DeadlineInDoubt);
        assert_eq!(unknown.outcome(), Outcome::Unknown);
        cluster.board.lose([]);
        cluster.log.elect(Some(1));
        assert_eq!(follower.send(add("a", 1)).id(id).await.expect("a retry is safe").before, 0);
        assert_eq!(runs.get(), 1);
    });
}

#[test]
fn pauses_between_attempts_are_bounded_and_there_is_no_spin() {
    catga_testkit::run(8, async |host| {
        let (cluster, [_leader, follower, _other], _) = start(&host).await;
        let before = cluster.board.calls();
        cluster.board.lose(vec![Loss::NotSent; 10_000]);
        fault(follower.send(add("a", 1)).await);
        let calls = cluster.board.calls() - before;
        assert!((100..250).contains(&calls), "{calls} calls in ten seconds");
    });
}

#[test]
fn an_id_below_the_mark_of_its_session_is_expired_at_another_leader() {
    catga_testkit::run(9, async |host| {
        let (cluster, [_leader, follower, other], runs) = start(&host).await;
        let first = follower.send(add("a", 1)).reported().await;
        let id = first.report.expect("a report").message_id;
        // Its node starts again, which closes the session.
        follower.shutdown().await;
        let limits = Limits::default();
        let again = start_node(&host, &runs, limits, ("node2", cluster.backend(1))).await;
        cluster.log.elect(Some(2));
        let expired = fault(again.send(add("a", 1)).id(id).await);
        assert_eq!((expired.code(), expired.outcome()), (FaultCode::Expired, Outcome::Unknown));
        let expired = fault(other.send(add("a", 1)).id(id).await);
        assert_eq!(expired.code(), FaultCode::Expired);
        let unknown = MessageId::new(id.session, 1 << 40);
        assert_eq!(fault(again.send(add("a", 1)).id(unknown).await).code(), FaultCode::Expired);
        assert_eq!(runs.get(), 1);
    });
}

#[test]
fn an_overloaded_leader_says_so_and_nothing_ran() {
    catga_testkit::run(10, async |host| {
        let (cluster, runs) = (SharedCluster::new(&host), Runs::default());
        let [leader, follower, _other] = cluster
            .start(async |name, backend| {
                let mut limits = Limits::default();
                if name == "node1" {
                    limits.in_flight = 1;
                }
                start_node(&host, &runs, limits, (name, backend)).await
            })
            .await;
        // The leader's one place is taken by a command that waits for its log.
        cluster.log.isolate(0);
        let mut busy = Box::pin(leader.send(add("a", 1)).into_future());
        assert!(futures_util::poll!(&mut busy).is_pending());
        step().await;
        assert!(futures_util::poll!(&mut busy).is_pending());
        let overloaded = {
            let log = cluster.log.clone();
            let heal = async {
                step().await;
                // Reached again, and the append still waits: nobody has told it.
                log.heal();
            };
            let (answer, ()) = tokio::join!(follower.send(add("a", 2)), heal);
            fault(answer)
        };
        assert_eq!(overloaded.code(), FaultCode::Overloaded);
        assert_eq!(overloaded.outcome(), Outcome::NotExecuted);
        assert!(overloaded.is_retryable());
        assert_eq!(runs.get(), 1);
    });
}

#[test]
fn a_leader_that_drains_leaves_its_commands_to_the_next() {
    catga_testkit::run(11, async |host| {
        let (cluster, [leader, follower, _other], runs) = start(&host).await;
        let (drained, added) = tokio::join!(leader.shutdown(), follower.send(add("a", 1)));
        assert!(drained);
        assert_eq!(added.expect("added").before, 0);
        assert_eq!(cluster.log.leader(), Some(1), "leadership was handed over");
        assert_eq!(runs.get(), 1);
        let late = fault(leader.send(add("a", 1)).await);
        assert_eq!(late.code(), FaultCode::ShuttingDown);
    });
}

#[test]
fn a_command_that_the_leader_does_not_know_is_refused_at_once() {
    catga_testkit::run(12, async |host| {
        let (cluster, runs) = (SharedCluster::new(&host), Runs::default());
        let older = Catga::builder().name("node1").host(host.clone()).backend(cluster.backend(0));
        let _older = older.start().await.expect("a node without services starts");
        let limits = Limits::default();
        let newer = start_node(&host, &runs, limits, ("node2", cluster.backend(1))).await;
        let unknown = fault(newer.send(add("a", 1)).await);
        assert_eq!(unknown.code(), FaultCode::NoHandler);
        assert_eq!(unknown.outcome(), Outcome::NotExecuted);
        assert!(unknown.message().contains("node1 leads"), "{unknown}");
        cluster.log.elect(Some(1));
        assert_eq!(newer.send(add("a", 1)).await.expect("added").before, 0);
    });
}

#[test]
fn an_event_from_outside_is_appended_by_the_leader() {
    catga_testkit::run(13, async |host| {
        let (cluster, [leader, follower, _other], _) = start(&host).await;
        let grown = || Grown { tally: "b".to_owned(), amount: 2 };
        follower.publish(grown()).await.expect("published");
        assert_eq!(follower.position(), leader.position(), "it shows it");
        cluster.board.lose([Loss::Answer, Loss::Request]);
        cluster.log.set_lagging(1, true);
        follower.publish(grown()).await.expect("published");
        cluster.log.set_lagging(1, false);
        cluster.log.doubt(0, [Doubt::Kept]);
        follower.publish(grown()).await.expect("published");
        leader.publish(grown()).await.expect("published");
        assert_eq!(leader.ask(Sum).level(ReadLevel::Linearizable).await, Ok(8));
    });
}

#[test]
fn a_node_waits_for_a_leader_to_start_and_says_when_there_is_none() {
    catga_testkit::run(14, async |host| {
        let (cluster, runs) = (SharedCluster::new(&host), Runs::default());
        cluster.log.elect(None);
        let mut limits = Limits::default();
        limits.start_wait = Duration::from_secs(5);
        let started = Catga::builder()
            .name("node2")
            .host(host.clone())
            .limits(limits.clone())
            .backend(cluster.backend(1))
            .start();
        let error = started.await.expect_err("nobody leads").to_string();
        assert!(error.contains("no leader took this node in within 5s"), "{error}");
        let elect = async {
            host.sleep(Duration::from_secs(3)).await;
            cluster.log.elect(Some(1));
        };
        let started = start_node(&host, &runs, limits, ("node2", cluster.backend(1)));
        let (node, ()) = tokio::join!(started, elect);
        assert_eq!(node.send(add("a", 1)).await.expect("added").before, 0);
    });
}

#[test]
fn a_node_that_starts_again_serves_nothing_older_than_what_was_acknowledged() {
    catga_testkit::run(15, async |host| {
        let (cluster, [leader, follower, _other], runs) = start(&host).await;
        follower.shutdown().await;
        leader.send(add("a", 9)).await.expect("added");
        cluster.log.set_lagging(1, true);
        let heal = async {
            host.sleep(Duration::from_secs(3)).await;
            cluster.log.set_lagging(1, false);
        };
        let before = host.now();
        let limits = Limits::default();
        let started = start_node(&host, &runs, limits, ("node2", cluster.backend(1)));
        let (node, ()) = tokio::join!(started, heal);
        assert!(host.now() - before >= Duration::from_secs(3));
        assert_eq!(node.ask(Sum).await, Ok(9), "the first local read shows it");
    });
}

#[test]
fn the_status_shows_the_members_and_when_nobody_leads() {
    catga_testkit::run(16, async |host| {
        let (cluster, [leader, follower, _other], _) = start(&host).await;
        cluster.log.isolate(2);
        let status = follower.cluster().status();
        assert_eq!(status.state, NodeState::Follower);
        let seen: Vec<_> = status.members.iter().map(|it| (it.state, it.is_leader)).collect();
        let available = MemberState::Available;
        let unreachable = MemberState::Unreachable;
        assert_eq!(seen, [(available, true), (available, false), (unreachable, false)]);
        assert_eq!(leader.cluster().status().state, NodeState::Leader);
        cluster.log.elect(None);
        assert_eq!(follower.cluster().status().state, NodeState::NoQuorum);
        assert!(!follower.health().ready);
    });
}

/// Clients on all nodes, lost calls, doubts and changing leaders: every id counts once, and all
/// that is said of it agrees.
#[test]
fn whatever_is_lost_each_command_counts_once_and_has_one_answer() {
    for seed in 0..40 {
        let first = run_at_random(seed);
        if seed == 0 {
            assert_eq!(first, run_at_random(seed), "one seed gives one run");
        }
    }
}

fn run_at_random(seed: u64) -> (usize, u64, Duration) {
    catga_testkit::run(seed, async |host| {
        let (cluster, nodes, runs) = start(&host).await;
        cluster.board.lose_by_chance(300);
        let clients = (0..9).map(|client| {
            let (node, other) = (&nodes[client % 3], &nodes[(client + 1) % 3]);
            let host = &host;
            async move {
                let mut sum = 0;
                for round in 0..8 {
                    let amount = 1 << (round % 4);
                    let command = || add(&format!("t{}", client % 2), amount);
                    let key = format!("{client}-{round}");
                    let first = match round % 2 {
                        0 => node.send(command()).reported().await,
                        _ => node.send(command()).key(key.as_str()).reported().await,
                    };
                    let id = first.report.expect("a report").message_id;
                    // Asked again elsewhere: the same answer, or the first if there was none.
                    let again = match round % 2 {
                        0 => other.send(command()).id(id).await,
                        _ => other.send(command()).key(key.as_str()).await,
                    };
                    match (first.answer, again) {
                        (Ok(first), Ok(again)) => {
                            assert_eq!(first, again, "seed {seed}");
                            sum += amount;
                        }
                        (Err(Failure::Fault(fault)), Ok(_)) => {
                            let may = fault.outcome() == Outcome::Unknown || fault.is_retryable();
                            assert!(may, "seed {seed}: {fault}");
                            sum += amount;
                        }
                        answers => panic!("seed {seed}: {answers:?}"),
                    }
                    host.sleep(Duration::from_millis(host.random() % 20)).await;
                }
                sum
            }
        });
        let nemesis = async {
            for _ in 0..30 {
                host.sleep(Duration::from_millis(host.random() % 40)).await;
                let node = (host.random() % 3) as usize;
                match host.random() % 5 {
                    0 => cluster.log.elect(None),
                    1 => cluster.log.set_lagging((node + 1) % 3, true),
                    2 => cluster.log.doubt(node, [Doubt::Lost, Doubt::Kept]),
                    _ => cluster.log.elect(Some(node)),
                }
                if host.random() % 3 == 0 {
                    cluster.log.heal();
                }
            }
            cluster.log.heal();
            cluster.log.elect(Some(1));
        };
        let (sums, ()) = tokio::join!(futures_util::future::join_all(clients), nemesis);
        let total: u64 = sums.iter().sum();
        cluster.board.lose_by_chance(0);
        for node in &nodes {
            let sum = node.ask(Sum).level(ReadLevel::Linearizable).await;
            assert_eq!(sum, Ok(total), "seed {seed}: each counts once");
        }
        assert_eq!(nodes[0].rolling_hash(), nodes[2].rolling_hash(), "seed {seed}");
        (cluster.log.entries(), runs.get(), host.now())
    })
}
