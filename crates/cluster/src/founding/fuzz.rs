use std::path::Path;

use catga_fuzz::{Choices, allocated, write_checksums};
use catga_host::{Files, Open};
use catga_testkit::disk::SimDisk;
use tokio::runtime::Builder;

use super::messages::{Introduction, adopt, adopted, read_adopt, read_adopted};
use super::{Charter, Founding};
use crate::StoreId;
use bytes::Bytes;
use catga_core::NodeName;

const ITERATIONS: usize = 3_000;
const BYTES: usize = 1024;
const PATH: &str = "/charter";

/// What is read of a file at once.
const READ_BYTES: usize = 80 << 10;

/// A founder is a name, an address and a store, each of which may be empty.
const TIMES: usize = 120;

fn charter(choices: &mut Choices<'_>) -> Charter {
    let member = |choices: &mut Choices<'_>| {
        let founding = Founding {
            id: choices.number(),
            store: StoreId(choices.number().into()),
            address: choices.text(20),
            version: u32::from(choices.byte()),
        };
        (NodeName::new(choices.text(9)), founding)
    };
    let members = (0..=choices.below(4)).map(|_| member(choices)).collect();
    Charter { cluster: choices.text(9), incarnation: choices.number(), members }
}

fn disk(bytes: &[u8]) -> SimDisk {
    let disk = SimDisk::new(1);
    let file = disk.open(Path::new(PATH), Open::Create).expect("a file");
    file.write_at(bytes, 0).expect("written");
    disk
}

/// A charter on a disk that lost something is not read as another one.
#[test]
fn a_charter_on_disk_is_the_one_that_was_written() {
    let runtime =
        Builder::new_current_thread().enable_time().start_paused(true).build().expect("a runtime");
    catga_fuzz::target!(ITERATIONS, BYTES, |input: &[u8]| {
        let mut choices = Choices::new(input);
        let mends = choices.flip();
        let charter = charter(&mut choices);
        let written = SimDisk::new(1);
        let write = |charter: &Charter, to: &SimDisk| {
            runtime.block_on(charter.write(to, Path::new(PATH))).expect("written");
        };
        write(&charter, &written);
        let mut bytes = written.contents(PATH).expect("it is there");
        let good = bytes.clone();
        choices.change(&mut bytes);
        if mends {
            write_checksums(&mut bytes);
        }
        let there = disk(&bytes);
        let (read, took) = allocated(|| Charter::read(&there, Path::new(PATH)));
        assert!(
            took.largest <= TIMES * bytes.len() + READ_BYTES,
            "{took:?} of {} bytes",
            bytes.len()
        );
        match read {
            Ok(Some(read)) if mends => {
                let written = SimDisk::new(1);
                write(&read, &written);
                assert_eq!(Charter::read(&written, Path::new(PATH)).expect("whole"), Some(read));
            }
            Ok(read) => assert_eq!(read, Some(charter)),
            Err(error) => {
                assert_ne!(bytes, good, "{error}");
                assert!(error.to_string().contains(PATH), "{error}");
            }
        }
    });
}

fn try_message(message: &Bytes) {
    let (introduction, took) = allocated(|| Introduction::read(message.clone()));
    assert!(took.largest <= TIMES * message.len() + 512, "{took:?} of {} bytes", message.len());
    if let Ok(introduction) = introduction {
        assert_eq!(Introduction::read(introduction.encode()), Ok(introduction));
    }
    let (charter, took) = allocated(|| read_adopt(message.clone()));
    assert!(took.largest <= TIMES * message.len() + 512, "{took:?} of {} bytes", message.len());
    if let Ok(charter) = charter {
        assert!(!charter.members.is_empty());
        assert_eq!(read_adopt(adopt(&charter)), Ok(charter));
    }
    let _ = read_adopted(message.clone());
}

#[test]
fn what_founders_say_is_read_as_it_was_said_or_refused() {
    catga_fuzz::target!(ITERATIONS, BYTES, |input: &[u8]| {
        let mut choices = Choices::new(input);
        let how = choices.byte() % 4;
        let mut bytes = match how {
            0 => {
                let charter = choices.flip().then(|| charter(&mut choices));
                let members = (0..choices.below(5)).map(|_| choices.text(20)).collect();
                let version = u32::from(choices.byte());
                let introduction = Introduction { members, charter, version };
                assert_eq!(Introduction::read(introduction.encode()), Ok(introduction.clone()));
                introduction.encode()
            }
            1 => adopt(&charter(&mut choices)),
            2 => adopted(),
            _ => Bytes::copy_from_slice(&[17 + choices.byte() % 3, 1]),
        }
        .to_vec();
        choices.change(&mut bytes);
        if how == 3 {
            bytes.extend_from_slice(choices.rest());
        }
        try_message(&bytes.into());
    });
}
