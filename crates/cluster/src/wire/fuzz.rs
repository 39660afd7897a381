use bytes::Bytes;
use catga_fuzz::{Choices, allocated};
use proptest::strategy::{Strategy, ValueTree};
use proptest::test_runner::{Config, RngAlgorithm, TestRng, TestRunner};

use super::tests::{joined, messages, read_by_all};
use super::*;

const ITERATIONS: usize = 3_000;
const BYTES: usize = 512;

/// How much larger than its bytes a message may be when it is read: a member has names and an address,
/// each of which may be empty, and a vector grows to twice what it holds.
const TIMES: usize = 120;

/// A message as some node may send it, and what it says.
fn message(choices: &mut Choices<'_>) -> (Bytes, String) {
    let seed: [u8; 32] = std::array::from_fn(|_| choices.byte());
    let random = TestRng::from_seed(RngAlgorithm::ChaCha, &seed);
    let mut runner = TestRunner::new_with_rng(Config::default(), random);
    let tree = messages().new_tree(&mut runner).expect("nothing is rejected");
    tree.current()
}

/// What is read of `message`, written again.
fn again(message: &Bytes) -> Result<Bytes, WireError> {
    let of = || message.clone();
    Ok(match Kind::of(message)? {
        Kind::Append => joined(&append(&read_append(of())?)?),
        Kind::AppendAnswer => append_answer(&read_append_answer(of())?),
        Kind::Vote => vote(&read_vote(of())?),
        Kind::PreVote => pre_vote(&read_pre_vote(of())?),
        Kind::VoteAnswer => vote_answer(&read_vote_answer(of())?),
        Kind::Transfer => transfer(&read_transfer(of())?),
        Kind::TransferAnswer => transfer_answer(&read_transfer_answer(of())?),
        Kind::ReadIndex => read_index(&read_read_index(of())?),
        Kind::ReadIndexAnswer => {
            let (leader, index) = read_read_index_answer(of())?;
            read_index_answer(&leader, &index)
        }
        Kind::LeaderLost => leader_lost(&read_leader_lost(of())?),
        Kind::LostAnswer => lost_answer(&read_lost_answer(of())?),
        Kind::SnapshotPart => joined(&snapshot_part(&read_snapshot_part(of())?)),
        Kind::SnapshotPartAnswer => snapshot_part_answer(&read_snapshot_part_answer(of())?),
        Kind::SnapshotOffer => joined(&snapshot_offer(&read_snapshot_offer(of())?)),
        Kind::SnapshotPiece => joined(&snapshot_piece(&read_snapshot_piece(of())?)),
        Kind::SnapshotPieceAnswer => snapshot_piece_answer(&read_snapshot_piece_answer(of())?),
        Kind::HistoryAsk => history_ask(&read_history_ask(of())?),
        Kind::HistoryPart => history_part(&read_history_part(of())?),
        // Their own modules read these.
        other @ (Kind::Introduction
        | Kind::Adopt
        | Kind::Adopted
        | Kind::Join
        | Kind::JoinAnswer
        | Kind::Change
        | Kind::ChangeAnswer) => return Err(WireError::Malformed(other, "it is not read here")),
    })
}

fn try_message(message: Bytes) {
    let (written, took) = allocated(|| again(&message));
    assert!(took.largest <= TIMES * message.len() + 512, "{took:?} of {} bytes", message.len());
    let shown = |message: &Bytes| -> Vec<String> {
        read_by_all(message).into_iter().filter_map(Result::ok).collect()
    };
    match written {
        Ok(written) => {
            assert_eq!(again(&written).as_ref(), Ok(&written));
            let (read, read_again) = (shown(&message), shown(&written));
            assert_eq!(read.len(), 1, "no other decoder takes it");
            assert_eq!(read, read_again);
        }
        Err(error) => {
            assert_eq!(shown(&message), [""; 0], "{error}");
            assert!(!error.to_string().is_empty());
        }
    }
}

#[test]
fn arbitrary_messages() {
    catga_fuzz::target!(ITERATIONS, BYTES, |input: &[u8]| {
        try_message(Bytes::copy_from_slice(input));
        // One that begins as one does.
        if let [kind, rest @ ..] = input {
            try_message([&[kind % 28, VERSION], rest].concat().into());
        }
    });
}

#[test]
fn nearly_good_messages() {
    catga_fuzz::target!(ITERATIONS, BYTES, |input: &[u8]| {
        let mut choices = Choices::new(input);
        let (message, says) = message(&mut choices);
        let read: Vec<_> = read_by_all(&message).into_iter().flatten().collect();
        assert_eq!(read, [says]);
        let mut bytes = message.to_vec();
        choices.change(&mut bytes);
        try_message(bytes.into());
    });
}
