use catga_core::{Fault, FaultCode, NodeName};
use catga_journal::{AppendError, Leadership, Refusal, Role};
use openraft::ServerState;
use openraft::errors::{
    ClientWriteError, ForwardReason, ForwardToLeader, LinearizableReadError, RaftError,
};
use openraft::metrics::RaftServerMetrics;

use crate::{LogId, TypeConfig};

/// What to do about a call that openraft did not take.
pub(crate) enum Next<E> {
    /// This node leads but has not heard from a quorum just now: soon again, here.
    Retry(E),
    /// That is the answer.
    Answer(E),
}

/// What became of an entry that was not acknowledged.
///
/// Only `ForwardToLeader` itself proves that the entry was not taken: openraft answers so before
/// it gives the entry a place. Its helper `forward_to_leader()` must not be used here, since it
/// finds the same inside `LogEntryDiscarded`, where the entry may be committed elsewhere.
pub(crate) fn append_error(
    error: RaftError<TypeConfig, ClientWriteError<TypeConfig>>,
    term: u64,
) -> Next<AppendError> {
    match error {
        RaftError::APIError(ClientWriteError::ForwardToLeader(forward)) => {
            forwarded(&forward, AppendError::Refused(not_leader(&forward, term)))
        }
        RaftError::APIError(ClientWriteError::LogEntryDiscarded(_)) => Next::Answer(
            AppendError::InDoubt("another leader's entry took its place here".to_owned()),
        ),
        error => Next::Answer(AppendError::InDoubt(error.to_string())),
    }
}

/// Why there is no read index.
pub(crate) fn read_error(
    error: RaftError<TypeConfig, LinearizableReadError<TypeConfig>>,
) -> Next<Fault> {
    let fault = unconfirmed(&error);
    match error {
        RaftError::APIError(LinearizableReadError::ForwardToLeader(forward)) => {
            forwarded(&forward, fault)
        }
        _ => Next::Answer(fault),
    }
}

/// The fault of a read index that no quorum confirmed.
pub(crate) fn unconfirmed(why: impl std::fmt::Display) -> Fault {
    Fault::new(
        FaultCode::LogUnavailable,
        format!("leadership of this node could not be confirmed; ask the leader: {why}"),
    )
}

/// The fault of a read index that did not come from the leader.
pub(crate) fn unasked(why: impl std::fmt::Display) -> Fault {
    Fault::new(FaultCode::LogUnavailable, format!("the leader gave no read index: {why}"))
}

fn forwarded<E>(forward: &ForwardToLeader<TypeConfig>, error: E) -> Next<E> {
    match forward.reason {
        ForwardReason::LeaseExpired => Next::Retry(error),
        _ => Next::Answer(error),
    }
}

fn not_leader(forward: &ForwardToLeader<TypeConfig>, term: u64) -> Refusal {
    let leader = forward.leader_node.as_ref().map(|node| node.name.clone());
    Refusal::NotLeader { term, leader }
}

/// Who leads, by what openraft shows. A node that was elected is a candidate until it has `applied`
/// an entry of its own term: before that it cannot know all that others have acknowledged.
pub(crate) fn leadership(
    metrics: &RaftServerMetrics<TypeConfig>,
    applied: Option<LogId>,
) -> Leadership {
    let name = |id| -> Option<NodeName> {
        let node = metrics.membership_config.get_node(&id)?;
        Some(node.name.clone())
    };
    let own = applied.is_some_and(|applied| applied.leader_id == metrics.vote.leader_id);
    Leadership {
        term: metrics.vote.leader_id.term,
        role: match metrics.state {
            ServerState::Leader if own => Role::Leader,
            ServerState::Leader | ServerState::Candidate => Role::Candidate,
            ServerState::Follower => Role::Follower,
            // One that has stopped only has what it has heard so far.
            ServerState::Learner | ServerState::Shutdown => Role::Learner,
        },
        leader: metrics.current_leader.and_then(name),
    }
}
