use super::{
    BY_TLS, CLIENTS, READ_LINEARIZABLE, READ_LOCAL, READERS, WRITE_FOLLOWER, WRITE_HTTP,
    WRITE_LEADER, WRITE_LEADER_TLS,
};
use crate::harness::{Bar, Figures, Report};

/// How many times as much as etcd, by clients.
const OVER_ETCD: [(usize, f64); 4] = [(1, 2.0), (16, 5.0), (64, 8.0), (256, 10.0)];
/// The same over HTTP.
const OVER_ETCD_BY_HTTP: [(usize, f64); 2] = [(1, 1.6), (64, 3.0)];

/// A row that may be missing, since subjects may be.
struct Figure<'a>(&'a Report);

impl Figure<'_> {
    fn of(
        &self,
        case: &str,
        subject: &str,
        clients: usize,
        figure: fn(&Figures) -> Option<f64>,
    ) -> Option<f64> {
        figure(&self.0.row(case, subject, Some(clients))?.figures)
    }

    fn ops(&self, case: &str, subject: &str, clients: usize) -> Option<f64> {
        self.of(case, subject, clients, |figures| figures.ops_per_s)
    }

    fn p50(&self, case: &str, clients: usize) -> Option<f64> {
        self.of(case, "catga", clients, |figures| figures.p50_us)
    }
}

pub(super) fn bars(report: &Report) -> Vec<Bar> {
    let figure = Figure(report);
    let mut bars = writes(&figure);
    bars.extend(others(&figure));
    bars
}

/// Writes on the leader and over HTTP, beside other stores.
fn writes(figure: &Figure<'_>) -> Vec<Bar> {
    let times = |case, rival, what, clients, least| {
        let ours = figure.ops(case, "catga", clients)?;
        let theirs = figure.ops(WRITE_LEADER, rival, clients)?;
        Some(Bar::at_least(case, "catga", what, ours / theirs, least).clients(clients))
    };
    let mut bars = Vec::new();
    for (clients, least) in OVER_ETCD {
        bars.extend(times(WRITE_LEADER, "etcd", "of etcd", clients, least));
        if clients >= 16 {
            bars.extend(times(WRITE_LEADER, "jetstream", "of JetStream", clients, 1.0));
        }
    }
    for (clients, least) in OVER_ETCD_BY_HTTP {
        bars.extend(times(WRITE_HTTP, "etcd", "of etcd", clients, least));
    }
    bars
}

/// Writes on a follower, and reads.
fn others(figure: &Figure<'_>) -> Vec<Bar> {
    let mut bars = Vec::new();
    let mut push = |clients, bar: Option<Bar>| bars.extend(bar.map(|bar| bar.clients(clients)));
    let share = |case, clients| {
        Some(figure.ops(case, "catga", clients)? / figure.ops(WRITE_LEADER, "catga", clients)?)
    };
    let later = |case| Some(figure.p50(case, 1)? - figure.p50(WRITE_LEADER, 1)?);
    let at_least = |case, what, value: f64, least| Bar::at_least(case, "catga", what, value, least);
    let at_most = |case, what, value: f64, most| Bar::at_most(case, "catga", what, value, most);
    push(1, later(WRITE_FOLLOWER).map(|more| at_most(WRITE_FOLLOWER, "µs more", more, 100.0)));
    for clients in CLIENTS.into_iter().filter(|clients| *clients >= 64) {
        let share = share(WRITE_FOLLOWER, clients);
        push(clients, share.map(|share| at_least(WRITE_FOLLOWER, "of the leader", share, 0.7)));
    }
    let by_tls = figure.ops(WRITE_LEADER_TLS, "catga", BY_TLS).zip(figure.ops(
        WRITE_LEADER,
        "catga",
        BY_TLS,
    ));
    let by_tls = by_tls.map(|(with, without)| with / without);
    push(BY_TLS, by_tls.map(|it| at_least(WRITE_LEADER_TLS, "of the writes without", it, 0.85)));
    for clients in READERS {
        let took = figure.of(READ_LOCAL, "catga", clients, |figures| figures.ns_per_op);
        push(clients, took.map(|ns| at_most(READ_LOCAL, "µs", ns / 1e3, 1.0)));
    }
    let more = later(READ_LINEARIZABLE);
    push(1, more.map(|more| at_most(READ_LINEARIZABLE, "µs more than a write", more, 0.0)));
    let times = share(READ_LINEARIZABLE, 64);
    push(64, times.map(|times| at_least(READ_LINEARIZABLE, "of the writes", times, 3.0)));
    bars
}
