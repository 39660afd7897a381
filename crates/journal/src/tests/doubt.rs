use std::time::Duration;

use catga_core::{FaultCode, MessageId, NodeName, Offset, Outcome};
use catga_engine::{Lookup, Verdict};
use catga_host::{TokioHost, timeout};

use super::replica::options;
use super::scripted::{Step, scripted};
use crate::conformance::effects::{append, counted, open_session};
use crate::{Journal, Pending, Refusal};

async fn is_pending(pending: &mut Pending) -> bool {
    let host = TokioHost::current();
    timeout(&host, Duration::from_secs(60), pending).await.is_err()
}

#[tokio::test(start_paused = true)]
async fn an_entry_in_doubt_is_settled_by_own_apply() {
    let journal = scripted(options()).await;
    let session = open_session(&*journal, 1).await.unwrap();
    journal.log().script([Step::DoubtAfter, Step::DoubtWithheld]);
    let first = journal.commit(append(session, 1, "a")).await.unwrap();
    assert_eq!(counted(&first), Ok(Offset(2)));
    let mut second = journal.commit(append(session, 2, "a"));
    assert!(is_pending(&mut second).await);
    let third = journal.commit(append(session, 3, "a")).await.unwrap();
    assert_eq!(counted(&third), Ok(Offset(3)), "doubt holds up nobody else");
    assert_eq!(journal.log().deliver_withheld(), 1);
    assert_eq!(counted(&second.await.unwrap()), Ok(Offset(4)));
}

#[tokio::test(start_paused = true)]
async fn a_doubt_that_is_never_settled_ends_with_the_journal() {
    let journal = scripted(options()).await;
    let session = open_session(&*journal, 1).await.unwrap();
    journal.log().script([Step::DoubtWithheld]);
    let mut pending = journal.commit(append(session, 1, "a"));
    assert!(is_pending(&mut pending).await);
    journal.shutdown().await;
    let fault = pending.await.unwrap_err();
    assert_eq!(fault.code(), FaultCode::InDoubt);
    assert_eq!(fault.outcome(), Outcome::Unknown);
}

#[tokio::test(start_paused = true)]
async fn no_more_than_a_bounded_number_waits_in_doubt() {
    let mut options = options();
    options.doubtful_max = 2;
    let journal = scripted(options).await;
    let session = open_session(&*journal, 1).await.unwrap();
    journal.log().script(vec![Step::DoubtWithheld; 5]);
    let mut all = Vec::new();
    for sequence in 1..=5 {
        let mut pending = journal.commit(append(session, sequence, "a"));
        if sequence == 4 {
            // Its caller goes: it does not count, and the next takes its place.
            assert!(is_pending(&mut pending).await);
            drop(pending);
            continue;
        }
        tokio::task::yield_now().await;
        all.push(pending);
    }
    let code = all.remove(0).await.unwrap_err().code();
    assert_eq!(code, FaultCode::InDoubt, "the oldest gives way");
    for pending in &mut all[1..] {
        assert!(is_pending(pending).await);
    }
}

#[tokio::test]
async fn a_refused_entry_is_not_executed_and_says_why() {
    let journal = scripted(options()).await;
    let session = open_session(&*journal, 1).await.unwrap();
    let leader = Some(NodeName::new("n2"));
    for (refusal, code) in [
        (Refusal::NotLeader { term: 7, leader }, FaultCode::NotLeader),
        (Refusal::Full, FaultCode::StorageFull),
        (Refusal::PeersFull, FaultCode::StorageFull),
        (Refusal::TooLarge { limit: 5 }, FaultCode::CommandTooLarge),
        (Refusal::Stopped, FaultCode::ShuttingDown),
    ] {
        journal.log().script([Step::Refuse(refusal)]);
        let fault = journal.commit(append(session, 1, "a")).await.unwrap_err();
        assert_eq!((fault.code(), fault.outcome()), (code, Outcome::NotExecuted));
    }
    let id = MessageId::new(session, 1);
    assert_eq!(journal.lookup(id, None, 1), Lookup::New);
    let again = journal.commit(append(session, 1, "a")).await.unwrap();
    assert_eq!(counted(&again), Ok(Offset(2)));
}

#[tokio::test(start_paused = true)]
async fn a_snapshot_that_holds_an_entry_in_doubt_settles_it() {
    let journal = scripted(options()).await;
    let session = open_session(&*journal, 1).await.unwrap();
    journal.log().script([Step::DoubtWithheld, Step::DoubtWithheld]);
    let mut held = journal.commit(append(session, 1, "a"));
    assert!(is_pending(&mut held).await);
    let mut lost = journal.commit(append(session, 2, "a"));
    assert!(is_pending(&mut lost).await);

    let other = scripted(options().with_incarnation(journal.incarnation())).await;
    other.log().apply(&journal.log().delivered()).unwrap();
    let withheld = journal.log().take_withheld();
    other.log().deliver(withheld[0].clone()).unwrap();
    journal.log().install(other.log().snapshot()).unwrap();

    let verdict = held.await.unwrap().verdict;
    assert_eq!(verdict, Verdict::Duplicate { of: Offset(2) });
    assert!(is_pending(&mut lost).await);
    journal.log().deliver(withheld[1].clone()).unwrap();
    assert_eq!(counted(&lost.await.unwrap()), Ok(Offset(3)));
}
