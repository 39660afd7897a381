use catga_core::{Offset, StreamName, Timestamp};
use catga_fuzz::{Choices, allocated};

use super::held::{Entry, Held, Letter};
use super::place::{Cursor, Place};
use super::records::{Keys, cursor_value, held_value, place_payload, read_place};

fn place(choices: &mut Choices<'_>) -> Place {
    Place { offset: Offset(choices.number()), index: choices.number() as u32 }
}

fn entry(choices: &mut Choices<'_>) -> Entry {
    Entry {
        stream: StreamName::new("order", &*choices.text(20)),
        parks: choices.flip(),
        letter: choices.flip().then(|| Letter {
            place: place(choices),
            event: choices.text(20),
            attempts: choices.number() as u32,
            error: choices.text(40),
            at: Timestamp::from_millis(choices.number()),
        }),
        parked: (0..choices.below(5)).map(|_| place(choices)).collect(),
    }
}

#[test]
fn cursors_and_dead_letters_are_read_as_they_were_written_or_refused() {
    let keys = Keys::of("ship");
    catga_fuzz::target!(5_000, 1024, |input: &[u8]| {
        let mut choices = Choices::new(input);
        let cursor = Cursor { upto: Offset(choices.number()), done: choices.number() as u32 };
        let followed = Offset(choices.number());
        assert_eq!(keys.read_cursor(&cursor_value(cursor, followed)), Ok((cursor, followed)));
        let held = Held { entries: (0..choices.below(4)).map(|_| entry(&mut choices)).collect() };
        if let Some(value) = held_value(&held) {
            assert_eq!(keys.read_held(&value), Ok(held.clone()));
        }
        let mut bytes = match choices.byte() % 4 {
            0 => cursor_value(cursor, followed).to_vec(),
            1 => place_payload(place(&mut choices)).to_vec(),
            2 => choices.bytes(200).to_vec(),
            _ => held_value(&held).unwrap_or_default().to_vec(),
        };
        choices.change(&mut bytes);
        match keys.read_cursor(&bytes) {
            Ok((cursor, followed)) => {
                let value = cursor_value(cursor, followed);
                assert_eq!(keys.read_cursor(&value), Ok((cursor, followed)));
                let next = place(&mut choices);
                assert!(cursor.is_past(next) || next.offset > cursor.upto);
            }
            Err(why) => assert!(why.to_string().contains(keys.cursor.as_str()), "{why}"),
        }
        let (held, took) = allocated(|| keys.read_held(&bytes));
        assert!(took.largest <= 256 * bytes.len() + 1024, "{took:?} of {} bytes", bytes.len());
        match held {
            Ok(held) if held.is_empty() => assert_eq!(held_value(&held), None),
            Ok(held) => {
                assert!(held.letters() <= held.entries.len());
                let value = held_value(&held).expect("something is held");
                assert_eq!(keys.read_held(&value), Ok(held));
            }
            Err(why) => assert!(why.to_string().contains(keys.held.as_str()), "{why}"),
        }
        if let Some(place) = read_place(&bytes) {
            assert_eq!(read_place(&place_payload(place)), Some(place));
        }
    });
}
