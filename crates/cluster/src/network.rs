//! Raft's way to its peers: openraft's requests over [`Peers`].

use std::sync::Arc;
use std::time::Duration;

use bytes::Bytes;
use catga_journal::LogSnapshot;
use catga_journal::planted::Planted;
use openraft::async_runtime::Select2;
use openraft::errors::{
    NetworkError, RPCError, ReplicationClosed, StreamingError, Timeout, Unreachable,
};
use openraft::network::{RPCOption, RPCTypes, RaftNetworkFactory, RaftNetworkV2};
use openraft::raft::{
    AppendEntriesRequest, AppendEntriesResponse, SnapshotResponse, TransferLeaderRequest,
    TransferLeaderResponse, VoteRequest, VoteResponse,
};
use openraft::{AsyncRuntime, OptionalSend};

use crate::lacking::Lacking;
use crate::shipping::{ShipError, SnapshotShipping};
use crate::wire::{self, Appended, WireError};
use crate::{
    CallError, LogId, Node, NodeId, Peers, Recipient, Rt, Snapshot, Topic, TypeConfig, Vote,
};

/// Makes the ways from one node to its peers.
pub(crate) struct PeerNetwork {
    pub(crate) me: NodeId,
    pub(crate) peers: Arc<dyn Peers>,
    pub(crate) shipping: Arc<dyn SnapshotShipping>,
    /// How long a peer may take to make entries durable, at the least, before it is asked again.
    pub(crate) patience: Duration,
    pub(crate) lacking: Lacking,
}

impl PeerNetwork {
    fn way(&self, to: NodeId, node: &Node, lane: Topic) -> PeerClient {
        PeerClient {
            me: self.me,
            id: to,
            to: Recipient { address: node.address.as_str().into(), id: Some(to) },
            lane,
            peers: Arc::clone(&self.peers),
            shipping: Arc::clone(&self.shipping),
            patience: self.patience,
            lacking: self.lacking.clone(),
        }
    }
}

impl RaftNetworkFactory<TypeConfig> for PeerNetwork {
    type Network = PeerClient;

    async fn new_client(&mut self, to: NodeId, node: &Node) -> PeerClient {
        self.way(to, node, Topic::Append)
    }

    /// Heartbeats must not wait behind entries.
    async fn new_heartbeat_client(&mut self, to: NodeId, node: &Node) -> PeerClient {
        self.way(to, node, Topic::Raft)
    }
}

/// The way from one node to another.
pub(crate) struct PeerClient {
    me: NodeId,
    id: NodeId,
    to: Recipient,
    /// The lane of appends.
    lane: Topic,
    peers: Arc<dyn Peers>,
    shipping: Arc<dyn SnapshotShipping>,
    patience: Duration,
    lacking: Lacking,
}

impl PeerClient {
    async fn call<T>(
        &self,
        action: RPCTypes,
        topic: Topic,
        request: Vec<Bytes>,
        within: Duration,
        read: fn(Bytes) -> Result<T, WireError>,
    ) -> Result<T, RPCError<TypeConfig>> {
        let answer = self.peers.call(&self.to, topic, request, within).await;
        let answer = answer.map_err(|error| self.failed(action, within, error))?;
        read(answer).map_err(|error| senseless(&error))
    }

    fn failed(
        &self,
        action: RPCTypes,
        timeout: Duration,
        error: CallError,
    ) -> RPCError<TypeConfig> {
        match error {
            // Nobody listens, or it was refused: that takes a while to change.
            CallError::NotSent(why) => Unreachable::from_string(why).into(),
            CallError::Lost(why) => NetworkError::from_string(why).into(),
            CallError::TimedOut => Timeout { action, id: self.me, target: self.id, timeout }.into(),
        }
    }

    /// How long entries may take: the follower answers when they are durable, which openraft's own
    /// limit of one heartbeat leaves no time for.
    fn append_within(&self, option: &RPCOption) -> Duration {
        match self.lane {
            // Its caller gives up after this time.
            Topic::Raft => option.hard_ttl(),
            _ => option.hard_ttl().max(self.patience),
        }
    }
}

/// A peer that answers what makes no sense will do so again.
fn senseless(error: &WireError) -> RPCError<TypeConfig> {
    Unreachable::new(error).into()
}

/// An answer that openraft would take for impossible, and end for.
fn impossible(
    answer: &AppendEntriesResponse<TypeConfig>,
    prev: Option<LogId>,
    last: Option<LogId>,
) -> Option<&'static str> {
    match answer {
        AppendEntriesResponse::Conflict if prev.is_none() => {
            Some("the peer has a conflict before the first entry")
        }
        AppendEntriesResponse::PartialSuccess(upto) if *upto < prev || *upto > last => {
            Some("the peer has taken entries that it was not sent")
        }
        _ => None,
    }
}

impl RaftNetworkV2<TypeConfig> for PeerClient {
    type SnapshotData = LogSnapshot;

    async fn append_entries(
        &mut self,
        request: AppendEntriesRequest<TypeConfig>,
        option: RPCOption,
    ) -> Result<AppendEntriesResponse<TypeConfig>, RPCError<TypeConfig>> {
        let pieces = wire::append(&request).map_err(|error| senseless(&error))?;
        let within = self.append_within(&option);
        if Planted::AckBeforeQuorum.is_here() && !request.entries.is_empty() {
            // What was sent passes for what a follower holds.
            drop(Rt::spawn(self.peers.call(&self.to, self.lane, pieces, within)));
            return Ok(AppendEntriesResponse::Success);
        }
        let prev = request.prev_log_id;
        let last = request.entries.last().map(|last| last.log_id).or(prev);
        let read = wire::read_append_answer;
        let answer = self.call(RPCTypes::AppendEntries, self.lane, pieces, within, read).await?;
        let Appended::Said(answer) = answer else {
            self.lacking.add(self.id);
            return Err(Unreachable::from_string("the peer has no room for entries").into());
        };
        if !request.entries.is_empty() && answer.is_success() {
            self.lacking.remove(self.id);
        }
        match impossible(&answer, prev, last) {
            Some(why) => Err(Unreachable::from_string(why).into()),
            None => Ok(answer),
        }
    }

    async fn vote(
        &mut self,
        request: VoteRequest<TypeConfig>,
        option: RPCOption,
    ) -> Result<VoteResponse<TypeConfig>, RPCError<TypeConfig>> {
        let (pieces, within) = (vec![wire::vote(&request)], option.hard_ttl());
        self.call(RPCTypes::Vote, Topic::Raft, pieces, within, wire::read_vote_answer).await
    }

    /// The default would grant it.
    async fn pre_vote(
        &mut self,
        request: VoteRequest<TypeConfig>,
        option: RPCOption,
    ) -> Result<VoteResponse<TypeConfig>, RPCError<TypeConfig>> {
        let (pieces, within) = (vec![wire::pre_vote(&request)], option.hard_ttl());
        self.call(RPCTypes::Vote, Topic::Raft, pieces, within, wire::read_vote_answer).await
    }

    async fn full_snapshot(
        &mut self,
        vote: Vote,
        snapshot: Snapshot,
        cancel: impl Future<Output = ReplicationClosed> + OptionalSend + 'static,
        option: RPCOption,
    ) -> Result<SnapshotResponse<TypeConfig>, StreamingError<TypeConfig>> {
        let (peers, within) = (Arc::clone(&self.peers), option.hard_ttl());
        let send = self.shipping.send(peers, self.to.clone(), vote, snapshot, within);
        match Rt::select2(cancel, send).await {
            Select2::First(closed) => Err(closed.into()),
            Select2::Second(Ok(vote)) => Ok(SnapshotResponse::new(vote)),
            Select2::Second(Err(ShipError::Call(error))) => {
                Err(self.failed(RPCTypes::InstallSnapshot, within, error).into())
            }
            Select2::Second(Err(error)) => Err(Unreachable::new(&error).into()),
        }
    }

    async fn transfer_leader(
        &mut self,
        request: TransferLeaderRequest<TypeConfig>,
        option: RPCOption,
    ) -> Result<TransferLeaderResponse<TypeConfig>, RPCError<TypeConfig>> {
        let (pieces, within) = (vec![wire::transfer(&request)], option.hard_ttl());
        let read = wire::read_transfer_answer;
        self.call(RPCTypes::TransferLeader, Topic::Raft, pieces, within, read).await
    }
}
