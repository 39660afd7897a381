use bytes::Bytes;
use catga_fuzz::{Choices, allocated};
use catga_journal::segment::{Frame, FrameKind};
use openraft::EntryPayload;
use openraft::alias::EntryOf;

use super::super::records::{
    BLANK, MEMBERS, NORMAL, STATE, State, TRUNCATE, VOTE, decode_entry, decode_state, decode_vote,
    encode_entry, encode_state, encode_vote,
};
use crate::records::id_of;
use crate::{Entry, TypeConfig, Vote};

fn frame(kind: FrameKind, position: u64, payload: Vec<u8>) -> Frame {
    Frame { kind, position, at: 64, payload: payload.into() }
}

fn entry_frame(entry: &EntryOf<TypeConfig>) -> Frame {
    let (kind, head, bytes) = encode_entry(entry);
    frame(kind, entry.log_id.index, [&head[..], &bytes].concat())
}

fn good(choices: &mut Choices<'_>) -> Frame {
    let vote = Vote::new(choices.number(), choices.number());
    let log_id = id_of(choices.number(), choices.number(), choices.number());
    match choices.byte() % 4 {
        0 => frame(VOTE, 0, encode_vote(&vote)),
        1 => {
            let state = State { vote: Some(vote), purged: choices.flip().then_some(log_id) };
            frame(STATE, 0, encode_state(&state))
        }
        2 => entry_frame(&EntryOf::<TypeConfig> { log_id, payload: EntryPayload::Blank }),
        _ => {
            let bytes = Entry(Bytes::copy_from_slice(choices.bytes(90)));
            entry_frame(&EntryOf::<TypeConfig> { log_id, payload: EntryPayload::Normal(bytes) })
        }
    }
}

#[test]
fn a_record_of_the_log_is_read_as_it_was_written_or_not_at_all() {
    const KINDS: [FrameKind; 6] = [BLANK, NORMAL, MEMBERS, VOTE, TRUNCATE, STATE];
    catga_fuzz::target!(6_000, 512, |input: &[u8]| {
        let mut choices = Choices::new(input);
        let mut frame = good(&mut choices);
        let mut payload = frame.payload.to_vec();
        choices.change(&mut payload);
        frame.payload = payload.into();
        if choices.flip() {
            frame.kind = *choices.one_of(&KINDS);
            frame.position = choices.number();
        }
        let len = frame.payload.len();
        let (entry, took) = allocated(|| decode_entry(&frame));
        assert!(took.largest <= 120 * len + 512, "{took:?} of {len} bytes");
        if let Some(entry) = entry {
            assert!([BLANK, NORMAL, MEMBERS].contains(&frame.kind));
            assert_eq!(entry.log_id.index, frame.position);
            assert_eq!(decode_entry(&entry_frame(&entry)), Some(entry));
        }
        let ((vote, state), took) = allocated(|| (decode_vote(&frame), decode_state(&frame)));
        // They are numbers; what is wrong with them is told.
        assert!(took.total <= 1024, "{took:?} of {len} bytes");
        let read = |bytes| Frame { payload: Bytes::from(bytes), ..frame.clone() };
        if let Some(vote) = vote {
            assert_eq!(decode_vote(&read(encode_vote(&vote))), Some(vote));
        }
        if let Some(state) = state {
            assert_eq!(decode_state(&read(encode_state(&state))), Some(state));
        }
    });
}
