use std::time::Duration;

use catga::prelude::*;
use catga::{ENGINE_VERSION, FaultCode, ReadLevel};
use catga_host::{Host, timeout};
use catga_journal::Journal;
use order_cluster::messages::GetCustomerOrders;

use super::builds::Builds;
use super::site::Site;
use super::visit::Visit;
use super::{NODES, Trio};
use crate::client::Reach;
use crate::history::judge_history;
use crate::invariants::{
    Evaluations, SERVE_WAIT, is_bounded, is_kept, is_replayed, is_settled, is_shown_once, must,
};
use crate::{Invariant, Violation};

/// What must hold when nothing is wrong any more.
impl Trio {
    /// Nothing is wrong any more, so the cluster has to serve, and every doubt has an end.
    pub(super) async fn settle(&mut self) -> Result<(), Violation> {
        self.ledger.close();
        self.all_serve().await?;
        for (number, client) in self.clients.iter().enumerate() {
            let site = &self.sites[number % NODES];
            let Some(visit) = site.visit(&self.host) else {
                return Err(Invariant::Liveness.broken(format!("{} has ended", site.name())));
            };
            let mut client = client.lock().await;
            client.settle(&visit, &*self.host).await?;
        }
        self.tuning.forgets_keys(&*self.host).await;
        self.unruly.lock().await.settle(&self.visits(), &*self.host).await
    }

    /// All nodes that serve, as a client reaches them.
    fn visits(&self) -> Vec<Visit<'_>> {
        self.sites.iter().filter_map(|site| site.visit(&self.host)).collect()
    }

    /// Every node shows everything that was acknowledged, once, and all tell one story.
    pub(super) async fn audit(&self) -> Result<(), Violation> {
        self.all_serve().await?;
        for site in &*self.sites {
            let Some(visit) = site.visit(&self.host) else { continue };
            for client in &self.clients {
                let name = client.lock().await.name().to_owned();
                let acknowledged = self.ledger.lock().acknowledged(&name);
                let query = GetCustomerOrders { customer_id: name.clone() };
                let ask =
                    async move |node: Node| node.ask(query).level(ReadLevel::Linearizable).await;
                let shown = match visit.call(ask).await {
                    Some(Ok(shown)) => shown.orders,
                    Some(Err(Failure::Domain(_))) => Vec::new(),
                    Some(Err(Failure::Fault(fault))) => {
                        let what = format!("{} does not answer: {fault}", site.name());
                        return Err(Invariant::Liveness.broken(what));
                    }
                    None => {
                        let what = format!("{} does not answer", site.name());
                        return Err(Invariant::Liveness.broken(what));
                    }
                };
                let known = &mut self.ledger.lock();
                is_shown_once(known, &shown)?;
                is_kept(known, &acknowledged, &shown)?;
            }
            self.unruly.lock().await.audit(&visit, &*self.host).await?;
        }
        self.same_everywhere().await
    }

    /// All nodes come to hold the same, to the last byte of what the engine hashes (I3).
    async fn same_everywhere(&self) -> Result<(), Violation> {
        let same = async {
            loop {
                let hashes: Vec<_> = self.sites.iter().filter_map(Site::rolling_hash).collect();
                if hashes.len() == NODES && hashes.iter().all(|hash| *hash == hashes[0]) {
                    return;
                }
                self.host.sleep(Duration::from_millis(10)).await;
            }
        };
        self.ledger.lock().exercised.evaluated.count(Invariant::OneOrder);
        if timeout(&*self.host, SERVE_WAIT, same).await.is_err() {
            let what = format!("they come to hold different things: {}", self.describe());
            return Err(Invariant::OneOrder.broken(what));
        }
        for site in &*self.sites {
            if let Some(journal) = site.journal() {
                self.judge_history(&*journal).await?;
            }
        }
        Ok(())
    }

    /// Judges the history of a node, once what its disk lost is mended.
    async fn judge_history(&self, journal: &dyn Journal) -> Result<(), Violation> {
        let judged = async {
            loop {
                let evaluated = &mut Evaluations::default();
                match judge_history(journal, evaluated).await {
                    Ok(judged) => {
                        self.ledger.lock().exercised.evaluated += *evaluated;
                        return judged;
                    }
                    Err(fault) if fault.code() == FaultCode::HistoryDamaged => {
                        self.host.sleep(Duration::from_millis(10)).await;
                    }
                    Err(fault) => return Err(Invariant::OneOrder.broken(fault.to_string())),
                }
            }
        };
        let why = || "its history is not mended".to_owned();
        must(&*self.host, &self.ledger, judged, why).await
    }

    /// All decide by the newest rules that every build knows, and by no newer ones.
    pub(super) async fn goes_over(&self, builds: &Builds) -> Result<(), Violation> {
        let common = builds.common();
        let engines = || self.sites.iter().map(Site::engine).collect::<Vec<_>>();
        let same = async {
            while engines().iter().any(|engine| *engine != Some(common)) {
                self.host.sleep(Duration::from_millis(10)).await;
            }
            Ok(())
        };
        let why = || format!("all know version {common} of the rules, and have {:?}", engines());
        must(&*self.host, &self.ledger, same, why).await?;
        let cluster = &mut self.ledger.lock().exercised.cluster;
        cluster.upgrades += builds.upgrades;
        cluster.downgrades += builds.downgrades;
        cluster.mixed += u64::from(common < ENGINE_VERSION);
        cluster.gone_over += u64::from(builds.upgrades > 0 && common == ENGINE_VERSION);
        Ok(())
    }

    /// Nothing is under way any more: the members are settled, and nobody holds more than it should.
    pub(super) async fn rests(&self) -> Result<(), Violation> {
        let settled = async {
            loop {
                let seen: Vec<_> = self.sites.iter().filter_map(Site::members).collect();
                let is_settled = {
                    let evaluated = &mut self.ledger.lock().exercised.evaluated;
                    seen.len() == NODES && is_settled(&seen, evaluated)
                };
                if is_settled {
                    return;
                }
                self.host.sleep(Duration::from_millis(10)).await;
            }
        };
        if timeout(&*self.host, SERVE_WAIT, settled).await.is_err() {
            let seen: Vec<_> = self.sites.iter().filter_map(Site::members).collect();
            let what = format!("a change of the members is not finished: {seen:?}");
            return Err(Invariant::Members.broken(what));
        }
        if let Some(visit) = self.visits().first() {
            let bytes = self.tuning.turnover_bytes();
            self.unruly.lock().await.fill(visit, &*self.host, bytes).await?;
        }
        let grounds = self.sites.iter().filter_map(|site| site.ground(&self.network, &self.tuning));
        let grounds: Vec<_> = grounds.collect();
        is_bounded(&grounds, &*self.host, &self.ledger).await
    }

    /// All stop in order, which writes the last checkpoints: they are what a replay gives.
    pub(super) async fn stops(&self) -> Result<(), Violation> {
        let engine = self.watch.replay()?;
        for site in &*self.sites {
            if let Some(journal) = site.journal() {
                let evaluated = &mut Evaluations::default();
                let replayed = is_replayed(&site.name(), &*journal, &engine, evaluated).await;
                self.ledger.lock().exercised.evaluated += *evaluated;
                replayed?;
            }
        }
        for site in &*self.sites {
            let why = || format!("{} does not stop", site.name());
            let stopped = async {
                site.stop().await;
                Ok(())
            };
            must(&*self.host, &self.ledger, stopped, why).await?;
        }
        self.watch.replay().map(drop)
    }
}
