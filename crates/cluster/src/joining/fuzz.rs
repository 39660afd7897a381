use bytes::Bytes;
use catga_fuzz::{Choices, allocated};

use crate::records::id_of;

use super::messages::{JoinAnswer, Saying, join, read_join};

fn answer(choices: &mut Choices<'_>) -> JoinAnswer {
    match choices.byte() % 10 {
        0 => JoinAnswer::NotLeader { leader: choices.text(30) },
        1 => JoinAnswer::Step,
        2 => JoinAnswer::CatchingUp { has: choices.number(), last: choices.number() },
        3 => JoinAnswer::Learner,
        4 => JoinAnswer::Member,
        5 => JoinAnswer::LostItsData,
        6 => JoinAnswer::Removed,
        8 => JoinAnswer::AddressTaken { by: choices.text(30) },
        7 => JoinAnswer::TooOld { needs: u32::from(choices.byte()) },
        _ => JoinAnswer::Foreign,
    }
}

#[test]
fn what_joiners_say_and_hear_is_read_as_it_was_said_or_refused() {
    catga_fuzz::target!(5_000, 512, |input: &[u8]| {
        let mut choices = Choices::new(input);
        let mut bytes = if choices.flip() {
            let answer = answer(&mut choices);
            assert_eq!(JoinAnswer::read(answer.clone().encode()), Ok(answer.clone()));
            answer.encode()
        } else {
            let (address, incarnation) = (choices.text(30), choices.number());
            let (belonged, full) = (choices.flip(), choices.flip());
            let version = u32::from(choices.byte());
            let by = choices.flip().then(|| {
                let leader = (choices.number(), choices.number());
                id_of(leader.0, leader.1, choices.number())
            });
            join(&Saying { address, incarnation, belonged, by, version, full })
        }
        .to_vec();
        choices.change(&mut bytes);
        let bytes = Bytes::from(bytes);
        let (read, took) =
            allocated(|| (read_join(bytes.clone()), JoinAnswer::read(bytes.clone())));
        assert!(took.total <= 4 * bytes.len() + 256, "{took:?} of {} bytes", bytes.len());
        match read {
            (Ok(_), Ok(_)) => panic!("it is two messages"),
            (Ok(saying), Err(_)) => {
                assert!(!saying.address.is_empty());
                assert!(!saying.address.chars().any(char::is_control));
                assert_eq!(read_join(join(&saying)), Ok(saying));
            }
            (Err(_), Ok(answer)) => {
                assert_eq!(JoinAnswer::read(answer.clone().encode()), Ok(answer))
            }
            (Err(error), Err(_)) => assert!(!error.to_string().is_empty()),
        }
    });
}
