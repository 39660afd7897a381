use std::collections::BTreeMap;
use std::sync::Arc;
use std::time::Duration;

use bytes::Bytes;
use catga_host::BoxFuture;
use futures_util::StreamExt;
use futures_util::stream::FuturesUnordered;
use openraft::AsyncRuntime;
use openraft::async_runtime::{Instant, WatchReceiver};
use openraft::metrics::RaftServerMetrics;
use openraft::raft::TransferLeaderRequest;
use tokio::sync::{mpsc, watch};

use super::agreement::{Agreement, Step, Tenure};
use super::{Asked, followed, is_down, last};
use crate::wire::{self, LeaderLost, LostAnswer};
use crate::{
    Address, LinkState, NodeId, Peers, Raft, Receiver, Recipient, Rt, Topic, TypeConfig, Vote,
};

/// How long another may take to say whether it has lost the leader. It is asked again long before,
/// so this bounds how many questions are under way.
const ANSWER_WITHIN: Duration = Duration::from_millis(30);

/// Watches the links of `me` to all members, as long as Raft runs: entries are sent again at once
/// to a node whose link is back, and who has lost the leader looks for others who have.
pub(crate) async fn watch(
    raft: Raft,
    me: NodeId,
    peers: Arc<dyn Peers>,
    mut asked: mpsc::Receiver<Asked>,
    transfer_within: Duration,
) {
    let mut metrics = raft.server_metrics();
    let mut this = Watching {
        raft,
        me,
        peers,
        transfer_within,
        start: <Rt as AsyncRuntime>::Instant::now(),
        links: BTreeMap::new(),
        changes: FuturesUnordered::new(),
        answers: FuturesUnordered::new(),
        agreement: Agreement::new(me),
    };
    loop {
        this.follow_members(&mut metrics);
        let wake = this.act(&mut metrics).await;
        tokio::select! {
            biased;
            changed = metrics.changed() => if changed.is_err() { return },
            Some((node, link)) = this.changes.next() => this.link_changed(node, link).await,
            Some((from, vote, answer)) = this.answers.next() => {
                // No answer says nothing.
                if let Some(LostAnswer { lost, last }) = answer {
                    this.agreement.answer(from, vote, lost, last);
                }
            }
            Some(Asked { from, lost }) = asked.recv() => {
                this.agreement.answer(from, lost.vote, true, lost.last);
            }
            () = until(wake) => {}
        }
    }
}

async fn until(wake: Option<<Rt as AsyncRuntime>::Instant>) {
    match wake {
        Some(at) => Rt::sleep_until(at).await,
        None => std::future::pending().await,
    }
}

/// A link that has changed, ready to be waited for again.
type Changed = (NodeId, watch::Receiver<LinkState>);

struct Watching {
    raft: Raft,
    me: NodeId,
    peers: Arc<dyn Peers>,
    transfer_within: Duration,
    start: <Rt as AsyncRuntime>::Instant,
    /// Where each other member is.
    links: BTreeMap<NodeId, Address>,
    changes: FuturesUnordered<BoxFuture<'static, Changed>>,
    answers: FuturesUnordered<BoxFuture<'static, (NodeId, Vote, Option<LostAnswer>)>>,
    agreement: Agreement,
}

impl Watching {
    fn now(&self) -> Duration {
        self.start.elapsed()
    }

    /// Watches the links to those who are members now.
    fn follow_members(&mut self, metrics: &mut Receiver<RaftServerMetrics<TypeConfig>>) {
        let members: BTreeMap<NodeId, Address> = {
            let metrics = metrics.borrow_and_update();
            let others = metrics.membership_config.nodes().filter(|(id, _)| **id != self.me);
            others.map(|(id, node)| (*id, node.address.as_str().into())).collect()
        };
        if members == self.links {
            return;
        }
        self.links = members;
        self.changes = FuturesUnordered::new();
        for (id, address) in &self.links {
            let mut link = self.peers.link(address);
            // What it is already counts as news.
            link.mark_changed();
            self.changes.push(changed(*id, link));
        }
    }

    async fn link_changed(&mut self, node: NodeId, mut link: watch::Receiver<LinkState>) {
        let up = matches!(*link.borrow_and_update(), LinkState::Up(_));
        self.changes.push(changed(node, link));
        if up {
            // If Raft has stopped, its metrics say so next.
            let _ = self.raft.trigger().reset_backoff([node]).await;
        }
    }

    /// Does what follows from all that is known; when there is something to do next.
    async fn act(
        &mut self,
        metrics: &mut Receiver<RaftServerMetrics<TypeConfig>>,
    ) -> Option<<Rt as AsyncRuntime>::Instant> {
        loop {
            self.observe(&metrics.borrow_watched());
            let due = self.agreement.wake()?;
            // After the link was seen down: what the leader still sent has come by then.
            let last = last(&self.raft).await.ok()?;
            // And the link may have come back meanwhile.
            self.observe(&metrics.borrow_watched());
            match self.agreement.step(self.now(), last) {
                Some(Step::Ask { vote, of }) => {
                    of.into_iter().for_each(|node| self.ask(node, LeaderLost { vote, last }));
                }
                Some(Step::Transfer { vote, successor }) => self.transfer(vote, successor),
                None if self.agreement.wake() == Some(due) => return Some(self.start + due),
                None => {}
            }
        }
    }

    fn observe(&mut self, metrics: &RaftServerMetrics<TypeConfig>) {
        let leader = followed(metrics);
        let down = leader.as_ref().is_some_and(|leader| is_down(&self.peers.link(leader).borrow()));
        let tenure = leader.map(|_| Tenure {
            vote: metrics.vote,
            voters: metrics.membership_config.membership().get_joint_config().clone(),
        });
        self.agreement.observe(tenure, down, self.now());
    }

    /// The way to a member.
    fn way(&self, node: NodeId) -> Option<Recipient> {
        Some(Recipient { address: Arc::clone(self.links.get(&node)?), id: Some(node) })
    }

    fn ask(&mut self, node: NodeId, lost: LeaderLost) {
        let Some(to) = self.way(node) else {
            return;
        };
        let request = vec![wire::leader_lost(&lost)];
        let call = self.peers.call(&to, Topic::Succession, request, ANSWER_WITHIN);
        self.answers.push(Box::pin(async move {
            let answer = call.await.ok().and_then(|answer| wire::read_lost_answer(answer).ok());
            (node, lost.vote, answer)
        }));
    }

    /// Has `successor` campaign, and lets go of the old leader's lease here.
    fn transfer(&self, vote: Vote, successor: NodeId) {
        tracing::info!(%vote, successor, "the leader is gone, as a quorum has seen");
        let request = TransferLeaderRequest::new(vote, successor, None);
        let sent = (successor != self.me).then(|| self.way(successor)).flatten().map(|to| {
            let pieces: Vec<Bytes> = vec![wire::transfer(&request)];
            self.peers.call(&to, Topic::Raft, pieces, self.transfer_within)
        });
        let raft = self.raft.clone();
        drop(Rt::spawn(async move {
            // Whether it could: the next round finds out.
            let _ = raft.handle_transfer_leader(request).await;
            if let Some(sent) = sent {
                let _ = sent.await;
            }
        }));
    }
}

/// The next change of a link; none ever if nobody makes links any more.
fn changed(node: NodeId, mut link: watch::Receiver<LinkState>) -> BoxFuture<'static, Changed> {
    Box::pin(async move {
        match link.changed().await {
            Ok(()) => (node, link),
            Err(_) => std::future::pending().await,
        }
    })
}
