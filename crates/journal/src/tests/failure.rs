use bytes::Bytes;
use catga_core::{FaultCode, MessageId, Offset, Outcome, ReadLevel, StreamName};
use catga_engine::Lookup;

use super::replica::options;
use super::scripted::scripted;
use crate::conformance::effects::{append, open_session};
use crate::{Filter, Journal};

#[tokio::test]
async fn an_entry_that_cannot_be_read_stops_the_journal() {
    let journal = scripted(options()).await;
    let session = open_session(&*journal, 1).await.unwrap();
    journal.log().set_open(false);
    let in_flight = journal.commit(append(session, 1, "a"));
    tokio::task::yield_now().await;
    let failed = journal.log().deliver(Bytes::from_static(b"\xffjunk"));
    assert_eq!(failed.unwrap_err().code(), FaultCode::Unreadable);

    let fault = in_flight.await.unwrap_err();
    assert_eq!(fault.outcome(), Outcome::Unknown);
    let fault = journal.commit(append(session, 2, "a")).await.unwrap_err();
    assert_eq!(fault.outcome(), Outcome::NotExecuted);
    let stream = StreamName::from_stored("a");
    assert!(journal.stream(&stream).await.is_err());
    assert!(journal.page(Offset::ZERO, &Filter::All, 1).await.is_err());
    assert!(journal.outcome(Offset(1)).await.is_err());
    assert!(journal.head(ReadLevel::Linearizable).await.is_err());
    let id = MessageId::new(session, 2);
    assert_eq!(journal.lookup(id, None, 2), Lookup::Expired);
    assert!(!journal.applied().reach(Offset(9)).await, "nobody waits on");
    journal.shutdown().await;
}

#[tokio::test]
async fn an_entry_that_is_delivered_again_stops_the_journal() {
    let journal = scripted(options()).await;
    open_session(&*journal, 1).await.unwrap();
    let delivered = journal.log().delivered();
    let fault = journal.log().apply(&delivered).unwrap_err();
    assert_eq!(fault.code(), FaultCode::Internal);
}

#[tokio::test]
async fn dropping_a_replica_lets_go_of_its_log() {
    let journal = scripted(options()).await;
    let session = open_session(&*journal, 1).await.unwrap();
    let log = std::sync::Arc::downgrade(journal.log());
    let pending = journal.commit(append(session, 1, "a"));
    drop(journal);
    pending.await.unwrap();
    while log.strong_count() > 0 {
        tokio::task::yield_now().await;
    }
}
