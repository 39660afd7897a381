//! What other nodes ask of this one's log.

use std::sync::Arc;
use std::time::Duration;

use bytes::Bytes;
use catga_host::BoxFuture;
use openraft::AsyncRuntime;
use openraft::async_runtime::WatchReceiver;
use openraft::errors::{Fatal, RaftError};
use tokio::sync::mpsc;

use crate::mending::Mender;
use crate::reads::Reads;
use crate::shipping::{Installing, SnapshotShipping};
use crate::succession::{self, Asked};
use crate::wire::{self, Appended, Kind, LostAnswer, WireError};
use crate::{Ground, NodeId, Peer, Peers, Raft, Rt, Serve, Topic, TypeConfig, Vote};

/// Answers what peers ask of a node's log.
#[derive(Clone)]
pub(crate) struct RaftServe(Arc<Parts>);

/// What it answers from.
pub(crate) struct Parts {
    pub(crate) raft: Raft,
    pub(crate) me: NodeId,
    pub(crate) peers: Arc<dyn Peers>,
    pub(crate) shipping: Arc<dyn SnapshotShipping>,
    pub(crate) ground: Arc<dyn Ground>,
    pub(crate) mender: Option<Arc<Mender>>,
    pub(crate) reads: Reads,
    /// What others say of the leader, which decides here as well.
    pub(crate) asked: mpsc::Sender<Asked>,
    /// How long entries for which there is no room wait for it before that is said: a leader sends
    /// them again at once.
    pub(crate) room_wait: Duration,
}

impl RaftServe {
    pub(crate) fn new(parts: Parts) -> Self {
        Self(Arc::new(parts))
    }
}

impl Serve for RaftServe {
    fn serve(
        &self,
        from: &Peer,
        topic: Topic,
        request: Bytes,
    ) -> BoxFuture<'static, Result<Bytes, String>> {
        let (parts, from) = (Arc::clone(&self.0), from.id);
        Box::pin(async move {
            let kind = Kind::of(&request).map_err(unread)?;
            match (topic, kind) {
                (Topic::Append | Topic::Raft, Kind::Append) => parts.append(from, request).await,
                (Topic::Raft, Kind::Vote | Kind::PreVote) => parts.vote(from, kind, request).await,
                (Topic::Raft, Kind::Transfer) => parts.transfer(from, request).await,
                (Topic::Succession, Kind::LeaderLost) => parts.leader_lost(from, request).await,
                (Topic::Log, Kind::ReadIndex) => parts.read_index(request).await,
                (
                    Topic::Snapshot,
                    Kind::SnapshotPart | Kind::SnapshotOffer | Kind::SnapshotPiece,
                ) => parts.snapshot(from, request).await,
                (Topic::Snapshot, Kind::HistoryAsk) => match &parts.mender {
                    Some(mender) => mender.serve(request).await,
                    None => Err("this node keeps no history on disk".to_owned()),
                },
                (topic, kind) => Err(format!("{kind} does not belong to the topic {topic:?}")),
            }
        })
    }
}

impl Parts {
    async fn append(&self, from: NodeId, request: Bytes) -> Result<Bytes, String> {
        let mut request = wire::read_append(request).map_err(unread)?;
        own(from, &request.vote)?;
        // What room is left is for votes. Who leads, and what is committed, is taken all the same.
        let no_room = !request.entries.is_empty() && self.ground.is_full();
        if no_room {
            request.entries.clear();
        }
        let answer = self.raft.append_entries(request).await.map_err(stopped)?;
        if no_room && answer.is_success() {
            Rt::sleep(self.room_wait).await;
            return Ok(wire::append_answer(&Appended::NoRoom));
        }
        Ok(wire::append_answer(&Appended::Said(answer)))
    }

    async fn vote(&self, from: NodeId, kind: Kind, request: Bytes) -> Result<Bytes, String> {
        let pre = kind == Kind::PreVote;
        let read = if pre { wire::read_pre_vote } else { wire::read_vote };
        let request = read(request).map_err(unread)?;
        own(from, &request.vote)?;
        let answer = match pre {
            true => self.raft.pre_vote(request).await,
            false => self.raft.vote(request).await,
        };
        Ok(wire::vote_answer(&answer.map_err(stopped)?))
    }

    async fn transfer(&self, from: NodeId, request: Bytes) -> Result<Bytes, String> {
        let request = wire::read_transfer(request).map_err(unread)?;
        let leader = request.from_leader().leader_id.node_id;
        // A leader may give its place away. For anybody else it must be gone, here as well.
        if from != leader && !succession::has_lost(&self.raft, &*self.peers, request.from_leader())
        {
            return Err(format!("node {leader} leads, and node {from} gives its place away"));
        }
        let answer = self.raft.handle_transfer_leader(request).await.map_err(fatal)?;
        Ok(wire::transfer_answer(&answer))
    }

    async fn leader_lost(&self, from: NodeId, request: Bytes) -> Result<Bytes, String> {
        let request = wire::read_leader_lost(request).map_err(unread)?;
        // If there is no room it is asked again in a moment.
        let _ = self.asked.try_send(Asked { from, lost: request });
        let lost = succession::has_lost(&self.raft, &*self.peers, &request.vote);
        // After the link was seen down: what the leader still sent has come by then.
        let last = if lost { succession::last(&self.raft).await.map_err(fatal)? } else { None };
        Ok(wire::lost_answer(&LostAnswer { lost, last }))
    }

    async fn read_index(&self, request: Bytes) -> Result<Bytes, String> {
        let asked = wire::read_read_index(request).map_err(unread)?;
        if asked.leader_id.node_id != self.me {
            return Err(format!("this is node {}, and the leader {asked} was asked", self.me));
        }
        let confirmed = self.reads.confirm().await;
        let read = confirmed.map_err(|fault| fault.to_string())?;
        Ok(wire::read_index_answer(&read.leader, &read.log_id))
    }

    async fn snapshot(&self, from: NodeId, request: Bytes) -> Result<Bytes, String> {
        let mine = self.raft.server_metrics().borrow_watched().vote;
        let into = Installing { raft: self.raft.clone(), ground: Arc::clone(&self.ground) };
        self.shipping.receive(from, mine, request, &into).await
    }
}

/// A node speaks for itself only.
fn own(from: NodeId, vote: &Vote) -> Result<(), String> {
    match vote.leader_id.node_id {
        node if node == from => Ok(()),
        node => Err(format!("node {from} speaks for node {node}")),
    }
}

fn unread(error: WireError) -> String {
    error.to_string()
}

fn stopped(error: RaftError<TypeConfig>) -> String {
    format!("the log has stopped: {error}")
}

fn fatal(error: Fatal<TypeConfig>) -> String {
    format!("the log has stopped: {error}")
}
