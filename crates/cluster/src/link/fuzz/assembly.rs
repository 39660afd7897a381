use bytes::Bytes;
use catga_fuzz::{Choices, allocated};

use super::super::assembly::Assembly;
use super::super::frame::{Frame, Header, Kind};
use super::super::lane::Lane;
use super::frames::TOPICS;

/// The longest message that is taken here.
const MAX: usize = 300;

fn frame(choices: &mut Choices<'_>) -> Frame {
    let kind = *choices.one_of(&[Kind::Request, Kind::Answer, Kind::Failure, Kind::Ping]);
    let topic = (kind != Kind::Ping).then(|| *choices.one_of(&TOPICS));
    let (last, doubt, number) = (choices.flip(), choices.byte() > 240, choices.below(3) as u64);
    let payload = Bytes::copy_from_slice(choices.bytes(120));
    Frame { header: Header { kind, topic, last, doubt, number }, payload }
}

/// Whatever order fragments come in: a message is the fragments of one request, in their order and
/// all of them, and no more is held than one message of each lane.
#[test]
fn no_message_is_made_of_parts_of_several() {
    catga_fuzz::target!(6_000, 2048, |input: &[u8]| {
        let mut choices = Choices::new(input);
        let mut assembly = Assembly::new(MAX);
        let mut lanes: [Vec<Frame>; 3] = Default::default();
        while !choices.is_over() {
            let frame = frame(&mut choices);
            let (added, took) = allocated(|| assembly.add(frame.clone()));
            // A buffer grows to twice what it holds.
            assert!(took.largest <= 3 * MAX, "{took:?}");
            let whole = match added {
                Ok(whole) => whole,
                Err(why) => {
                    let number = frame.header.number.to_string();
                    assert!(why.contains(&number) || frame.header.topic.is_none(), "{why}");
                    // The link ends with it.
                    return;
                }
            };
            let topic = frame.header.topic.expect("a ping is refused");
            let lane = &mut lanes[Lane::of(topic).index()];
            lane.push(frame);
            let Some(whole) = whole else { continue };
            let parts = std::mem::take(lane);
            let payloads: Vec<_> = parts.iter().map(|part| part.payload.clone()).collect();
            assert_eq!(whole.payload, payloads.concat());
            assert!(whole.payload.len() <= MAX);
            let (last, before) = parts.split_last().expect("the one that came");
            assert!(last.header.last && last.header == whole.header && whole.topic == topic);
            let begun = Header { last: false, ..whole.header };
            assert!(before.iter().all(|part| part.header == begun && !part.payload.is_empty()));
        }
        assert!(lanes.iter().flatten().all(|part| !part.header.last));
    });
}
