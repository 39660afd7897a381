//! Every message is read as it was written, and whatever else comes is an error.

use std::collections::BTreeMap;
use std::fmt::Debug;

use bytes::Bytes;
use catga_core::NodeName;
use catga_journal::{HistoryPart, HistorySegment, LogIndex, LogSnapshot, PiecePlace};
use openraft::alias::EntryOf;
use openraft::raft::{
    AppendEntriesRequest, AppendEntriesResponse, TransferLeaderError, TransferLeaderRequest,
    VoteRequest, VoteResponse,
};
use openraft::{EntryPayload, Membership as Members, SnapshotMeta};
use proptest::collection::{btree_set, vec};
use proptest::prelude::*;

use super::*;
use crate::records::id_of;
use crate::{Entry, LogId, Membership, Node, StoreId, TypeConfig, Vote};

fn votes(committed: bool) -> impl Strategy<Value = Vote> {
    (0..u64::MAX, any::<u64>()).prop_map(move |(term, node)| match committed {
        true => Vote::new_committed(term, node),
        false => Vote::new(term, node),
    })
}

fn log_ids() -> impl Strategy<Value = Option<LogId>> {
    let ids = (any::<u64>(), any::<u64>(), 0..u64::MAX / 2);
    prop::option::of(ids.prop_map(|(term, node, index)| id_of(term, node, index)))
}

fn members() -> impl Strategy<Value = Members<u64, Node>> {
    let sets = vec(btree_set(0..9_u64, 1..4), 1..3);
    (sets, any::<u128>(), "[a-z]{0,9}", any::<u32>()).prop_map(|(sets, store, text, version)| {
        let node = |id: &u64| {
            let node = Node::new(NodeName::new(text.clone()), text.clone(), StoreId(store));
            (*id, node.with_version(version))
        };
        let nodes: BTreeMap<_, _> = sets.iter().flatten().map(node).collect();
        Members::new(sets, nodes).expect("each voter is a node")
    })
}

fn payloads() -> impl Strategy<Value = EntryPayload<Entry, u64, Node>> {
    prop_oneof![
        Just(EntryPayload::Blank),
        vec(any::<u8>(), 0..40).prop_map(|bytes| EntryPayload::Normal(Entry(bytes.into()))),
        members().prop_map(EntryPayload::Membership),
    ]
}

fn appends() -> impl Strategy<Value = AppendEntriesRequest<TypeConfig>> {
    let entries = vec((0..3_u64, payloads()), 0..6);
    (votes(true), log_ids(), log_ids(), entries).prop_map(|(vote, prev, commit, entries)| {
        let prev = prev.map(|prev| id_of(prev.leader_id.term / 2, 7, prev.index));
        let mut before = prev;
        let next = |(later, payload)| {
            let term = before.map_or(0, |before: LogId| before.leader_id.term) + later;
            let log_id = id_of(term, 7, before.map_or(0, |before| before.index + 1));
            before = Some(log_id);
            EntryOf::<TypeConfig> { log_id, payload }
        };
        let entries = entries.into_iter().map(next).collect();
        AppendEntriesRequest { vote, prev_log_id: prev, entries, leader_commit: commit }
    })
}

fn append_answers() -> impl Strategy<Value = Appended> {
    let said = prop_oneof![
        Just(AppendEntriesResponse::Success),
        Just(AppendEntriesResponse::Conflict),
        log_ids().prop_map(AppendEntriesResponse::PartialSuccess),
        votes(false).prop_map(AppendEntriesResponse::HigherVote),
        votes(true).prop_map(AppendEntriesResponse::HigherVote),
    ];
    prop_oneof![said.prop_map(Appended::Said), Just(Appended::NoRoom)]
}

fn vote_requests() -> impl Strategy<Value = VoteRequest<TypeConfig>> {
    (votes(false), log_ids(), any::<bool>()).prop_map(|(vote, last, transfer)| {
        let mut request = VoteRequest::new(vote, last);
        request.leadership_transfer = transfer;
        request
    })
}

fn vote_answers() -> impl Strategy<Value = VoteResponse<TypeConfig>> {
    let votes = prop_oneof![votes(false), votes(true)];
    (votes, log_ids(), any::<bool>())
        .prop_map(|(vote, last, granted)| VoteResponse::new(vote, last, granted))
}

fn transfers() -> impl Strategy<Value = TransferLeaderRequest<TypeConfig>> {
    (votes(true), any::<u64>(), log_ids())
        .prop_map(|(vote, to, last)| TransferLeaderRequest::new(vote, to, last))
}

fn parts() -> impl Strategy<Value = Part> {
    let upto = prop::option::of((any::<u64>(), any::<u64>()));
    let bytes = (0..1_u64 << 40, vec(any::<u8>(), 0..40), 0..1_u64 << 40);
    (votes(true), log_ids(), log_ids(), members(), upto, any::<u32>(), bytes).prop_map(
        |(vote, last, at, members, upto, checksum, (offset, bytes, after))| Part {
            vote,
            meta: SnapshotMeta { last_log_id: last, last_membership: Membership::new(at, members) },
            upto: upto.map(|(term, index)| LogIndex { term, index }),
            total: offset + bytes.len() as u64 + after,
            checksum,
            offset,
            bytes: bytes.into(),
        },
    )
}

fn offers() -> impl Strategy<Value = Offer> {
    parts().prop_map(|Part { vote, meta, upto, bytes, .. }| Offer {
        vote,
        meta,
        snapshot: LogSnapshot { upto, data: bytes },
    })
}

fn piece_parts() -> impl Strategy<Value = PiecePart> {
    (parts(), any::<u64>(), any::<u32>()).prop_map(|(part, of, piece)| {
        let Part { vote, checksum, offset, bytes, .. } = part;
        PiecePart { vote, of, at: PiecePlace { piece, offset }, checksum, bytes }
    })
}

fn piece_answers() -> impl Strategy<Value = PieceAnswer> {
    prop_oneof![
        Just(PieceAnswer::Busy),
        Just(PieceAnswer::Unknown),
        votes(true).prop_map(PieceAnswer::Done),
        (any::<u32>(), any::<u64>())
            .prop_map(|(piece, offset)| PieceAnswer::Wanted(PiecePlace { piece, offset })),
    ]
}

fn history_asks() -> impl Strategy<Value = HistoryAsk> {
    let offsets = (any::<u64>(), any::<u64>(), any::<u64>());
    (offsets, any::<u64>(), any::<bool>(), any::<u32>()).prop_map(
        |((first, last, offset), hash, is_sealed, bytes)| {
            let segment = HistorySegment { first, last, hash, is_sealed };
            HistoryAsk { segment, offset, bytes }
        },
    )
}

fn history_parts() -> impl Strategy<Value = Option<HistoryPart>> {
    prop::option::of((any::<u64>(), vec(any::<u8>(), 0..90)))
        .prop_map(|part| part.map(|(length, bytes)| HistoryPart { length, bytes: bytes.into() }))
}

pub(super) fn joined(pieces: &[Bytes]) -> Bytes {
    pieces.concat().into()
}

/// What is read of `bytes` by each decoder, so that none is left out: an error, or what it is.
pub(super) fn read_by_all(bytes: &Bytes) -> Vec<Result<String, WireError>> {
    fn shown(value: impl Debug) -> String {
        format!("{value:?}")
    }
    let of = |bytes: &Bytes| bytes.clone();
    vec![
        read_append(of(bytes)).map(shown),
        read_append_answer(of(bytes)).map(shown),
        read_vote(of(bytes)).map(shown),
        read_pre_vote(of(bytes)).map(shown),
        read_vote_answer(of(bytes)).map(shown),
        read_transfer(of(bytes)).map(shown),
        read_transfer_answer(of(bytes)).map(shown),
        read_read_index(of(bytes)).map(shown),
        read_read_index_answer(of(bytes)).map(shown),
        read_leader_lost(of(bytes)).map(shown),
        read_lost_answer(of(bytes)).map(shown),
        read_snapshot_part(of(bytes)).map(shown),
        read_snapshot_part_answer(of(bytes)).map(shown),
        read_snapshot_offer(of(bytes)).map(shown),
        read_snapshot_piece(of(bytes)).map(shown),
        read_snapshot_piece_answer(of(bytes)).map(shown),
        read_history_ask(of(bytes)).map(shown),
        read_history_part(of(bytes)).map(shown),
    ]
}

/// A message as bytes, and as it was before.
pub(super) fn messages() -> impl Strategy<Value = (Bytes, String)> {
    let shown = |value: &dyn Debug| format!("{value:?}");
    prop_oneof![
        appends().prop_map(move |it| (joined(&append(&it).expect("dense")), shown(&it))),
        append_answers().prop_map(move |it| (append_answer(&it), shown(&it))),
        vote_requests().prop_map(move |it| (vote(&it), shown(&it))),
        vote_requests().prop_map(move |it| (pre_vote(&it), shown(&it))),
        vote_answers().prop_map(move |it| (vote_answer(&it), shown(&it))),
        transfers().prop_map(move |it| (transfer(&it), shown(&it))),
        Just((transfer_answer(&Ok(())), "Ok(())".to_owned())),
        (votes(true), votes(false)).prop_map(move |(expected, actual)| {
            let it = Err(TransferLeaderError::VoteChanged { expected, actual });
            (transfer_answer(&it), shown(&it))
        }),
        (log_ids(), log_ids()).prop_map(move |(expected, actual)| {
            let it = Err(TransferLeaderError::LogNotFlushed { expected, actual });
            (transfer_answer(&it), shown(&it))
        }),
        votes(true).prop_map(move |it| (read_index(&it), shown(&it))),
        (votes(true), log_ids()).prop_map(move |(leader, index)| {
            let it = (leader, index.unwrap_or(id_of(1, 1, 1)));
            (read_index_answer(&it.0, &it.1), shown(&it))
        }),
        (votes(true), log_ids()).prop_map(move |(vote, last)| {
            let it = LeaderLost { vote, last };
            (leader_lost(&it), shown(&it))
        }),
        (any::<bool>(), log_ids()).prop_map(move |(lost, last)| {
            let it = LostAnswer { lost, last };
            (lost_answer(&it), shown(&it))
        }),
        parts().prop_map(move |it| (joined(&snapshot_part(&it)), shown(&it))),
        any::<u64>().prop_map(move |has| {
            let it = PartAnswer::Has(has);
            (snapshot_part_answer(&it), shown(&it))
        }),
        votes(true).prop_map(move |vote| {
            let it = PartAnswer::Done(vote);
            (snapshot_part_answer(&it), shown(&it))
        }),
        offers().prop_map(move |it| (joined(&snapshot_offer(&it)), shown(&it))),
        piece_parts().prop_map(move |it| (joined(&snapshot_piece(&it)), shown(&it))),
        piece_answers().prop_map(move |it| (snapshot_piece_answer(&it), shown(&it))),
        history_asks().prop_map(move |it| (history_ask(&it), shown(&it))),
        history_parts().prop_map(move |it| (history_part(&it), shown(&it))),
    ]
}

proptest! {
    #[test]
    fn what_is_written_is_read_by_its_own_decoder_alone((bytes, written) in messages()) {
        let read = read_by_all(&bytes);
        let taken: Vec<_> = read.iter().flatten().collect();
        prop_assert_eq!(taken, vec![&written], "{:?}", read);
        let kind = Kind::of(&bytes).expect("it says what it is");
        let others = read.iter().filter_map(|read| read.as_ref().err());
        for error in others {
            let unexpected = matches!(error, WireError::Unexpected(_, found) if *found == kind);
            prop_assert!(unexpected, "{}", error);
        }
    }

    #[test]
    fn bodies_are_not_copied(request in appends()) {
        let pieces = append(&request).expect("dense");
        let sent: Vec<_> = pieces.iter().map(|piece| piece.as_ptr_range()).collect();
        for entry in &request.entries {
            if let EntryPayload::Normal(body) = &entry.payload && !body.0.is_empty() {
                prop_assert!(sent.contains(&body.0.as_ptr_range()));
            }
        }
        let bytes = joined(&pieces);
        for entry in read_append(bytes.clone()).expect("as written").entries {
            if let EntryPayload::Normal(body) = &entry.payload && !body.0.is_empty() {
                let body = body.0.as_ptr_range();
                let whole = bytes.as_ptr_range();
                prop_assert!(whole.start <= body.start && body.end <= whole.end);
            }
        }
    }

    #[test]
    fn whatever_comes_is_read_or_refused(
        kind in 0..20_u8,
        version in 0..3_u8,
        rest in vec(any::<u8>(), 0..200),
    ) {
        let bytes: Bytes = [vec![kind, version], rest].concat().into();
        let read = read_by_all(&bytes);
        let known = (1..=16).contains(&kind) && version == 1;
        prop_assert!(known || read.iter().all(Result::is_err));
        prop_assert!(read.iter().flatten().count() <= 1);
    }

    #[test]
    fn a_message_that_was_changed_is_read_or_refused(
        (bytes, _) in messages(),
        cut in any::<prop::sample::Index>(),
        flips in vec((any::<prop::sample::Index>(), any::<u8>()), 0..4),
    ) {
        let mut bytes = bytes.to_vec();
        for (at, with) in flips {
            let at = at.index(bytes.len());
            bytes[at] ^= with;
        }
        bytes.truncate(cut.index(bytes.len()) + 1);
        prop_assert!(read_by_all(&bytes.into()).iter().flatten().count() <= 1);
    }
}

fn refused(bytes: &'static [u8]) -> String {
    let read = read_append(Bytes::from_static(bytes));
    read.expect_err("it is no append").to_string()
}

#[test]
fn what_is_wrong_is_named() {
    assert_eq!(refused(b""), "a message of 0 bytes is too short to say what it is");
    assert_eq!(refused(b"\x63\x01"), "messages of kind 99 are not known to this build");
    assert_eq!(refused(b"\x01\x02"), "an append in version 2 is not known to this build");
    assert_eq!(refused(b"\x03\x01"), "an append was expected and a vote request came");
    let malformed = "an append is malformed: it ends before its fields do";
    assert_eq!(refused(b"\x01\x01\xff\xff\xff\xff"), malformed);
    assert_eq!(
        refused(b"\x01\x01\x00\x00\x00\x00"),
        "an append is malformed: it is from no leader"
    );
}

#[test]
fn a_table_of_more_entries_than_were_sent_reserves_nothing() {
    let request = AppendEntriesRequest::<TypeConfig> {
        vote: Vote::new_committed(1, 1),
        prev_log_id: None,
        entries: Vec::new(),
        leader_commit: None,
    };
    let mut bytes = joined(&append(&request).expect("dense")).to_vec();
    // One more field, of which there are to be four thousand million.
    let claimed = [0x20, 0xff, 0xff, 0xff, 0xff, 0x0f];
    bytes[2] += claimed.len() as u8;
    bytes.extend(claimed);
    let error = read_append(bytes.into()).expect_err("there are none");
    assert_eq!(error.to_string(), "an append is malformed: it ends before its entries");
}

#[test]
fn fields_that_would_grow_a_hundredfold_are_bounded() {
    // A member of two bytes, over and over.
    let nodes = |bytes: usize| [0x12, 0].repeat(bytes / 2);
    let offer = |bytes: usize| -> Bytes {
        let members = nodes(bytes);
        let length = prost::encoding::encoded_len_varint(members.len() as u64);
        let mut fields = vec![0x1a];
        prost::encoding::encode_varint(members.len() as u64, &mut fields);
        assert_eq!(fields.len(), 1 + length);
        fields.extend(members);
        let head = (fields.len() as u32).to_le_bytes();
        [&[14, VERSION], &head[..], &fields].concat().into()
    };
    let refused = |bytes| read_snapshot_offer(offer(bytes)).expect_err("no members").to_string();
    assert!(refused(4 << 20).ends_with("its fields are too long"));
    assert!(refused(4 << 10).ends_with("it is from no leader"));
    // An append of one blank entry, which is made one about members.
    let request = AppendEntriesRequest::<TypeConfig> {
        vote: Vote::new_committed(1, 1),
        prev_log_id: None,
        entries: vec![EntryOf::<TypeConfig> {
            log_id: id_of(1, 1, 0),
            payload: EntryPayload::Blank,
        }],
        leader_commit: None,
    };
    let mut first = joined(&append(&request).expect("dense")).to_vec();
    let (row, members) = (first.len() - 21, nodes(4 << 20));
    first[row] = 2;
    first[row + 1..row + 5].copy_from_slice(&(members.len() as u32).to_le_bytes());
    let bytes = [&first[..], &members].concat().into();
    let error = read_append(bytes).expect_err("no members").to_string();
    assert!(error.ends_with("its members are too long"), "{error}");
}

#[test]
fn a_log_with_a_hole_is_not_sent() {
    let entry =
        |index| EntryOf::<TypeConfig> { log_id: id_of(1, 1, index), payload: EntryPayload::Blank };
    for (prev, entries) in
        [(None, vec![entry(1)]), (Some(id_of(1, 1, 4)), vec![entry(5), entry(7)])]
    {
        let request = AppendEntriesRequest::<TypeConfig> {
            vote: Vote::new_committed(1, 1),
            prev_log_id: prev,
            entries,
            leader_commit: None,
        };
        let error = append(&request).expect_err("there is a hole").to_string();
        assert!(error.ends_with("its entries do not follow one another"), "{error}");
    }
}
