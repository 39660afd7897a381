use bytes::Bytes;
use catga_core::NodeName;
use catga_fuzz::{Choices, allocated};

use super::Change;
use super::messages::{Stepped, change, read_change};

fn stepped(choices: &mut Choices<'_>) -> Stepped {
    match choices.byte() % 5 {
        0 => Stepped::NotLeader,
        1 => Stepped::Again { why: choices.text(40) },
        2 => Stepped::Done,
        3 => {
            let members = (0..choices.below(6)).map(|_| choices.text(9)).collect();
            Stepped::NoSuchMember { members }
        }
        _ => Stepped::Refused { why: choices.text(40) },
    }
}

#[test]
fn a_change_and_its_steps_are_read_as_they_were_said_or_refused() {
    catga_fuzz::target!(5_000, 512, |input: &[u8]| {
        let mut choices = Choices::new(input);
        let mut bytes = if choices.flip() {
            let stepped = stepped(&mut choices);
            assert_eq!(Stepped::read(stepped.clone().encode()), Ok(stepped.clone()));
            stepped.encode()
        } else {
            let whom = NodeName::new(choices.text(20));
            let kinds = [Change::Promote, Change::Remove, Change::Lead];
            change(&choices.one_of(&kinds)(whom))
        }
        .to_vec();
        choices.change(&mut bytes);
        let bytes = Bytes::from(bytes);
        let (read, took) = allocated(|| (read_change(bytes.clone()), Stepped::read(bytes.clone())));
        assert!(took.largest <= 48 * bytes.len() + 256, "{took:?} of {} bytes", bytes.len());
        match read {
            (Ok(_), Ok(_)) => panic!("it is two messages"),
            (Ok(read), Err(_)) => assert_eq!(read_change(change(&read)), Ok(read)),
            (Err(_), Ok(read)) => assert_eq!(Stepped::read(read.clone().encode()), Ok(read)),
            (Err(error), Err(_)) => assert!(!error.to_string().is_empty()),
        }
    });
}
