use bytes::{Buf, BufMut, Bytes, BytesMut};
use openraft::raft::{AppendEntriesRequest, AppendEntriesResponse};
use prost::Message;

use super::{FIELDS_MAX, Kind, WireError, head, message, put_head, record};
use crate::records::{
    ENTRY_HEAD, EntryKind, LogIdRecord, VoteRecord, entry, entry_record, log_id, log_id_record,
    vote, vote_record,
};
use crate::{LogId, TypeConfig};

#[derive(Clone, PartialEq, Message)]
struct AppendHead {
    #[prost(message, optional, tag = "1")]
    vote: Option<VoteRecord>,
    #[prost(message, optional, tag = "2")]
    prev: Option<LogIdRecord>,
    #[prost(message, optional, tag = "3")]
    committed: Option<LogIdRecord>,
    #[prost(uint32, tag = "4")]
    entries: u32,
}

#[derive(Clone, PartialEq, Message)]
struct AnswerRecord {
    #[prost(uint32, tag = "1")]
    outcome: u32,
    #[prost(message, optional, tag = "2")]
    upto: Option<LogIdRecord>,
    #[prost(message, optional, tag = "3")]
    vote: Option<VoteRecord>,
}

const SUCCESS: u32 = 1;
const PARTIAL: u32 = 2;
const CONFLICT: u32 = 3;
const HIGHER_VOTE: u32 = 4;
const NO_ROOM: u32 = 5;

const BLANK: u8 = 0;
const NORMAL: u8 = 1;
const MEMBERS: u8 = 2;

/// What stands in the table for each entry: its kind, the length of its bytes, and its head.
const ROW: usize = 1 + 4 + ENTRY_HEAD;

/// Entries for a follower: the fields, a table with a row for each entry, and then the bytes of
/// each, which are not copied. Indexes are not sent, since one follows the other.
pub(crate) fn append(request: &AppendEntriesRequest<TypeConfig>) -> Result<Vec<Bytes>, WireError> {
    let unsendable = |what| WireError::Unsendable(Kind::Append, what);
    let mut before = request.prev_log_id;
    let entries = request.entries.len();
    let fields = AppendHead {
        vote: Some(vote_record(&request.vote)),
        prev: before.as_ref().map(log_id_record),
        committed: request.leader_commit.as_ref().map(log_id_record),
        entries: u32::try_from(entries).map_err(|_| unsendable("too many entries"))?,
    };
    let mut first = BytesMut::with_capacity(6 + fields.encoded_len() + entries * ROW);
    put_head(&mut first, Kind::Append, &fields);
    let mut bodies = Vec::with_capacity(entries);
    for entry in &request.entries {
        // A log that was read with a hole must not become one with wrong numbers.
        if Some(entry.log_id.index) != next(before.as_ref()) {
            return Err(unsendable("its entries do not follow one another"));
        }
        before = Some(entry.log_id);
        let (kind, row, bytes) = entry_record(entry);
        first.put_u8(match kind {
            EntryKind::Blank => BLANK,
            EntryKind::Normal => NORMAL,
            EntryKind::Members => MEMBERS,
        });
        let length = u32::try_from(bytes.len()).map_err(|_| unsendable("an entry is too large"))?;
        first.put_u32_le(length);
        first.put_slice(&row);
        if !bytes.is_empty() {
            bodies.push(bytes);
        }
    }
    let mut pieces = Vec::with_capacity(1 + bodies.len());
    pieces.push(first.freeze());
    pieces.append(&mut bodies);
    Ok(pieces)
}

/// Entries from a leader.
pub(crate) fn read_append(bytes: Bytes) -> Result<AppendEntriesRequest<TypeConfig>, WireError> {
    let malformed = |what| WireError::Malformed(Kind::Append, what);
    let (fields, mut rest) = head::<AppendHead>(Kind::Append, bytes)?;
    let given = fields.vote.as_ref().map(vote).filter(|vote| vote.committed);
    let given = given.ok_or_else(|| malformed("it is from no leader"))?;
    let prev = fields.prev.as_ref().map(log_id);
    let table = (fields.entries as usize).checked_mul(ROW).filter(|table| *table <= rest.len());
    let mut table = rest.split_to(table.ok_or_else(|| malformed("it ends before its entries"))?);
    let mut entries = Vec::with_capacity(fields.entries as usize);
    let mut before = prev;
    while table.has_remaining() {
        let kind = match table.get_u8() {
            BLANK => EntryKind::Blank,
            NORMAL => EntryKind::Normal,
            MEMBERS => EntryKind::Members,
            _ => return Err(malformed("an entry is of no known kind")),
        };
        let length = table.get_u32_le() as usize;
        let leader = (table.get_u64_le(), table.get_u64_le());
        if length > rest.len() {
            return Err(malformed("it ends before an entry does"));
        }
        if kind == EntryKind::Members && length > FIELDS_MAX {
            return Err(malformed("its members are too long"));
        }
        let index = next(before.as_ref()).ok_or_else(|| malformed("an index has no next"))?;
        let entry = entry(kind, leader, index, rest.split_to(length));
        let entry = entry.ok_or_else(|| malformed("an entry does not hold what it should"))?;
        if Some(entry.log_id) <= before {
            return Err(malformed("an entry is of an earlier leader than the one before"));
        }
        before = Some(entry.log_id);
        entries.push(entry);
    }
    if rest.has_remaining() {
        return Err(malformed("something follows its entries"));
    }
    let leader_commit = fields.committed.as_ref().map(log_id);
    Ok(AppendEntriesRequest { vote: given, prev_log_id: prev, entries, leader_commit })
}

/// The index that follows; none if there is none.
fn next(before: Option<&LogId>) -> Option<u64> {
    before.map_or(Some(0), |before| before.index.checked_add(1))
}

/// What became of entries at a follower.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) enum Appended {
    /// What openraft says of them there.
    Said(AppendEntriesResponse<TypeConfig>),
    /// They would have been taken, and its disk has no room for them.
    NoRoom,
}

/// What became of entries.
pub(crate) fn append_answer(answer: &Appended) -> Bytes {
    let (outcome, upto, higher) = match answer {
        Appended::Said(AppendEntriesResponse::Success) => (SUCCESS, None, None),
        Appended::Said(AppendEntriesResponse::PartialSuccess(upto)) => {
            (PARTIAL, upto.as_ref(), None)
        }
        Appended::Said(AppendEntriesResponse::Conflict) => (CONFLICT, None, None),
        Appended::Said(AppendEntriesResponse::HigherVote(vote)) => (HIGHER_VOTE, None, Some(vote)),
        Appended::NoRoom => (NO_ROOM, None, None),
    };
    let (upto, vote) = (upto.map(log_id_record), higher.map(vote_record));
    message(Kind::AppendAnswer, &AnswerRecord { outcome, upto, vote })
}

/// What became of entries at a follower.
pub(crate) fn read_append_answer(bytes: Bytes) -> Result<Appended, WireError> {
    let malformed = |what| WireError::Malformed(Kind::AppendAnswer, what);
    let answer: AnswerRecord = record(Kind::AppendAnswer, bytes)?;
    Ok(Appended::Said(match answer.outcome {
        NO_ROOM => return Ok(Appended::NoRoom),
        SUCCESS => AppendEntriesResponse::Success,
        PARTIAL => AppendEntriesResponse::PartialSuccess(answer.upto.as_ref().map(log_id)),
        CONFLICT => AppendEntriesResponse::Conflict,
        HIGHER_VOTE => {
            let higher = answer.vote.as_ref().ok_or_else(|| malformed("the vote is missing"))?;
            AppendEntriesResponse::HigherVote(vote(higher))
        }
        _ => return Err(malformed("its outcome is not known")),
    }))
}
