use std::fmt;
use std::sync::Arc;

use fastrand::Rng;
use order_cluster::fleet::{ServerOptions, Servers};
use order_cluster::trial::{Ledger, Moment, Plan, Verdict, Whom, audit, run};
use tempfile::TempDir;

/// A service after its trial.
pub(crate) struct Tried {
    _dir: TempDir,
    servers: Servers,
    ledger: Arc<Ledger>,
    pub(crate) verdict: Verdict,
    seed: u64,
}

/// How much a service has to go through.
pub(crate) struct Trial {
    pub(crate) clients: usize,
    pub(crate) orders: usize,
    pub(crate) kills: usize,
}

impl Trial {
    /// Tries out one process.
    pub(crate) async fn alone(self, mut moment: impl FnMut(&mut Rng) -> Moment) -> Tried {
        let dir = tempfile::tempdir().expect("a directory");
        let options = vec![ServerOptions::new(PROGRAM, dir.path().join("node1"))];
        self.out(dir, options, |rng| (Whom::Leader, moment(rng))).await
    }

    /// Tries out three nodes.
    pub(crate) async fn cluster(self, strike: impl FnMut(&mut Rng) -> (Whom, Moment)) -> Tried {
        let dir = tempfile::tempdir().expect("a directory");
        let options = ServerOptions::cluster(PROGRAM, dir.path());
        let tried = self.out(dir, options, strike).await;
        let (verdict, seed) = (&tried.verdict, tried.seed);
        assert!(verdict.repeated_elsewhere > 0, "seed {seed}: {verdict}");
        assert!(verdict.elections > 0, "seed {seed}: {verdict}");
        tried
    }

    /// Tries out three nodes that keep little of their logs.
    pub(crate) async fn short_log(self, strike: impl FnMut(&mut Rng) -> (Whom, Moment)) -> Tried {
        let dir = tempfile::tempdir().expect("a directory");
        let options = ServerOptions::cluster(PROGRAM, dir.path());
        let options = options.into_iter().map(ServerOptions::short_log).collect();
        self.out(dir, options, strike).await
    }

    async fn out(
        self,
        dir: TempDir,
        options: Vec<ServerOptions>,
        strike: impl FnMut(&mut Rng) -> (Whom, Moment),
    ) -> Tried {
        let Self { clients, orders, kills } = self;
        let seed = fastrand::u64(..);
        let mut servers = Servers::start(options).await.expect("it starts");
        let plan = Plan::spread(clients, orders, kills, seed, strike);
        let (ledger, verdict) = run(&mut servers, &plan, |_| {})
            .await
            .unwrap_or_else(|error| panic!("seed {seed}: {error}\n{}", said(&servers)));
        assert!(verdict.is_good(), "seed {seed}: {verdict}\n{}", said(&servers));
        assert!(ledger.orders() >= orders && ledger.orders() == verdict.acknowledged, "{verdict}");
        assert_eq!(verdict.kills_under_load, kills, "seed {seed}: {verdict}");
        assert!(verdict.cut_off > 0 && verdict.retried > 0, "seed {seed}: {verdict}");
        assert!(verdict.cancelled > 0 && verdict.repeated_after_kill > 0, "seed {seed}: {verdict}");
        Tried { _dir: dir, servers, ledger, verdict, seed }
    }
}

impl Tried {
    /// How often a node took over the state of another.
    pub(crate) fn taken_over(&self) -> usize {
        let count = |said: String| said.matches("the state of another node was taken over").count();
        self.servers.all().iter().map(|server| count(server.ever_said())).sum()
    }

    /// Stops it in order, starts it again, and looks for everything once more.
    pub(crate) async fn expect_all_after_a_stop(mut self) {
        let seed = self.seed;
        self.servers.stop().await.unwrap_or_else(|error| panic!("seed {seed}: {error}"));
        self.servers.spawn().expect("it starts");
        self.servers.until_ready().await.unwrap_or_else(|error| panic!("seed {seed}: {error}"));
        let findings = audit(&self.servers.addresses(), &self.ledger).await.expect("an audit");
        assert!(findings.is_empty(), "after an orderly stop, seed {seed}: {findings}");
    }
}

impl fmt::Display for Tried {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "seed {}: {}", self.seed, self.verdict)
    }
}

const PROGRAM: &str = env!("CARGO_BIN_EXE_order-cluster");

/// What the processes have said since they started last.
fn said(servers: &Servers) -> String {
    servers
        .all()
        .iter()
        .map(|server| format!("{}:\n{}", server.options().node, server.said()))
        .collect()
}
