use bytes::Bytes;
use catga_core::{Fault, FaultCode, FieldFault, MessageId, NodeName, Offset, Outcome};
use catga_journal::{Leadership, RecordedOutcome};
use prost::Message;

use super::wire::{self, Said, VERSION};

/// What a node says to a request of another.
#[derive(Clone, Debug, PartialEq)]
pub(crate) enum ForwardAnswer {
    /// The command has this answer.
    Answered(Answered),
    /// It failed.
    Failed {
        fault: Fault,
        /// The origin may go on with the same id at another leader.
        again: bool,
    },
    /// It still runs; asked alone, the node answers when it has ended.
    Runs,
    /// The node does not lead.
    NotLeader { term: u64, leader: Option<NodeName> },
}

/// An answer, encoded.
#[derive(Clone, Debug, PartialEq)]
pub(crate) struct Answered {
    pub(crate) outcome: RecordedOutcome,
    /// Where it stands; none for an answer of a kind that is not recorded.
    pub(crate) offset: Option<Offset>,
}

impl ForwardAnswer {
    /// The last word on a command.
    pub(crate) fn failed(fault: Fault) -> Self {
        Self::Failed { fault, again: false }
    }

    /// The node cannot go on, and another may.
    pub(crate) fn again(fault: Fault) -> Self {
        Self::Failed { fault, again: true }
    }

    pub(crate) fn not_leader(leadership: Leadership) -> Self {
        Self::NotLeader { term: leadership.term, leader: leadership.leader }
    }

    pub(crate) fn encode(self) -> Bytes {
        let said = match self {
            Self::Answered(Answered { outcome, offset }) => Said::Answered(wire::Answered {
                refused: outcome.refused,
                payload: outcome.payload,
                id: Some(outcome.message_id.into()),
                offset: offset.map(|offset| offset.0),
            }),
            Self::Failed { fault, again } => Said::Failed(wire::Failed {
                code: fault.code().as_str().to_owned(),
                unknown: fault.outcome() == Outcome::Unknown,
                message: fault.message().to_owned(),
                fields: fault.fields().iter().cloned().map(Into::into).collect(),
                again,
            }),
            Self::Runs => Said::Runs(wire::Runs {}),
            Self::NotLeader { term, leader } => Said::NotLeader(wire::NotLeader {
                term,
                leader: leader.map(|leader| leader.as_str().to_owned()),
            }),
        };
        encode(said)
    }

    /// Reads an answer.
    ///
    /// # Errors
    /// What is wrong with it; the outcome is unknown then.
    pub(crate) fn decode(bytes: Bytes) -> Result<Self, String> {
        Ok(match decode(bytes)? {
            Said::Answered(said) => Self::Answered(Answered {
                outcome: RecordedOutcome {
                    message_id: MessageId::from(said.id.ok_or("it has no id")?),
                    refused: said.refused,
                    payload: said.payload,
                },
                offset: said.offset.map(Offset),
            }),
            Said::Failed(said) => Self::Failed { again: said.again, fault: fault(said) },
            Said::NotLeader(said) => Self::NotLeader {
                term: said.term,
                leader: said.leader.map(|leader| NodeName::new(&*leader)),
            },
            Said::Runs(wire::Runs {}) => Self::Runs,
            Said::Batch(_) => return Err("it answers several requests, and one was made".into()),
        })
    }
}

/// The answers to the requests of a batch, in their order.
pub(super) fn batch_answer(answers: Vec<Bytes>) -> Bytes {
    encode(Said::Batch(wire::Batch { parts: answers }))
}

/// Reads the answers to a batch of `count` requests.
///
/// # Errors
/// What is wrong with them; the outcome is unknown then.
pub(super) fn answers_of(bytes: Bytes, count: usize) -> Result<Vec<Bytes>, String> {
    match decode(bytes.clone())? {
        Said::Batch(wire::Batch { parts }) if parts.len() == count => Ok(parts),
        Said::Batch(wire::Batch { parts }) => {
            Err(format!("there are {} answers to {count} requests", parts.len()))
        }
        // It was said of the batch as a whole.
        _ => Ok(vec![bytes; count]),
    }
}

fn encode(said: Said) -> Bytes {
    wire::Answer { version: VERSION, said: Some(said) }.encode_to_vec().into()
}

fn decode(bytes: Bytes) -> Result<Said, String> {
    let answer = wire::Answer::decode(bytes).map_err(|error| error.to_string())?;
    if answer.version > VERSION {
        return Err(format!(
            "it needs version {} of the answers between nodes, and this node knows {VERSION}",
            answer.version
        ));
    }
    answer.said.ok_or_else(|| "it says nothing that this node knows".to_owned())
}

fn fault(said: wire::Failed) -> Fault {
    let (code, message) = match FaultCode::parse(&said.code) {
        Some(code) => (code, said.message),
        // A newer build has more of them.
        None => (FaultCode::Internal, format!("{}: {}", said.code, said.message)),
    };
    let outcome = if said.unknown { Outcome::Unknown } else { Outcome::NotExecuted };
    let fields = said.fields.into_iter().map(|it| FieldFault { field: it.field, what: it.what });
    Fault::new(code, message).with_outcome(outcome).with_fields(fields.collect())
}

impl From<FieldFault> for wire::Field {
    fn from(fault: FieldFault) -> Self {
        Self { field: fault.field, what: fault.what }
    }
}
