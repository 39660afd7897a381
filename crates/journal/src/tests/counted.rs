use std::sync::Arc;

use catga_core::{FaultCode, MessageId, Offset};
use catga_engine::OutsideKey;
use futures_util::FutureExt;

use super::replica::options;
use super::scripted::{Scripted, Step, scripted};
use crate::conformance::effects::{append, counted, open_session};
use crate::{Journal, Replica};

/// Gives `to` what `from` has had delivered.
fn follow(to: &Replica<Scripted>, from: &Replica<Scripted>) {
    let have = to.log().delivered().len();
    to.log().apply(&from.log().delivered()[have..]).unwrap();
}

/// Two nodes of one journal: the first decides, the second is told.
async fn two() -> (Arc<Replica<Scripted>>, Arc<Replica<Scripted>>) {
    let first = scripted(options()).await;
    let second = scripted(options().with_incarnation(first.incarnation())).await;
    (first, second)
}

#[tokio::test(start_paused = true)]
async fn an_effect_of_another_node_ends_the_wait_for_its_id() {
    let (first, second) = two().await;
    let session = open_session(&*first, 1).await.unwrap();
    follow(&second, &first);
    let effect = append(session, 1, "a");
    let id = MessageId::new(session, 1);
    let mut wait = second.counted(id, None, effect.payload_hash);
    let mut other_payload = second.counted(id, None, effect.payload_hash + 1);
    let mut other_id = second.counted(MessageId::new(session, 2), None, effect.payload_hash);
    let given_up = second.counted(id, None, effect.payload_hash);
    assert!((&mut wait).now_or_never().is_none());
    drop(given_up);
    counted(&first.commit(effect.clone()).await.unwrap()).unwrap();
    follow(&second, &first);
    assert_eq!(wait.now_or_never(), Some(Offset(2)));
    assert_eq!(second.applied().get(), Offset(2));
    assert!((&mut other_payload).now_or_never().is_none());
    assert!((&mut other_id).now_or_never().is_none());
    let late = second.counted(id, None, effect.payload_hash);
    assert_eq!(late.now_or_never(), Some(Offset(2)), "it has counted already");
}

#[tokio::test(start_paused = true)]
async fn a_wait_ends_by_the_key_of_a_command_of_another_id() {
    let (first, second) = two().await;
    let session = open_session(&*first, 1).await.unwrap();
    let key = OutsideKey { scope: "s".to_owned(), key: "k".to_owned() };
    let mut effect = append(session, 1, "a");
    effect.key = Some(key.clone());
    let other = MessageId::new(session, 9);
    let mut wait = second.counted(other, Some(&key), effect.payload_hash);
    let mut other_payload = second.counted(other, Some(&key), effect.payload_hash + 1);
    counted(&first.commit(effect).await.unwrap()).unwrap();
    follow(&second, &first);
    assert_eq!((&mut wait).now_or_never(), Some(Offset(2)));
    assert!((&mut other_payload).now_or_never().is_none());
}

#[tokio::test(start_paused = true)]
async fn a_snapshot_that_holds_the_effect_ends_the_wait() {
    let (first, second) = two().await;
    let session = open_session(&*first, 1).await.unwrap();
    let effect = append(session, 1, "a");
    let mut wait = second.counted(effect.id, None, effect.payload_hash);
    let mut lost = second.counted(MessageId::new(session, 2), None, effect.payload_hash);
    counted(&first.commit(effect).await.unwrap()).unwrap();
    second.log().install(first.log().snapshot()).unwrap();
    assert_eq!((&mut wait).now_or_never(), Some(Offset(2)));
    assert!((&mut lost).now_or_never().is_none());
}

#[tokio::test(start_paused = true)]
async fn a_replica_that_keeps_no_doubt_tells_it_at_once() {
    let journal = scripted(options().with_doubtful_max(0)).await;
    let session = open_session(&*journal, 1).await.unwrap();
    journal.log().script([Step::DoubtWithheld]);
    let effect = append(session, 1, "a");
    let wait = journal.counted(effect.id, None, effect.payload_hash);
    let fault = journal.commit(effect).await.unwrap_err();
    assert_eq!(fault.code(), FaultCode::InDoubt);
    journal.log().deliver_withheld();
    assert_eq!(wait.await, Offset(2), "and its own apply settles it");
}

#[tokio::test(start_paused = true)]
async fn every_change_of_leadership_raises_the_mark() {
    let journal = scripted(options()).await;
    let changes = journal.leadership_changes();
    assert_eq!(changes.get(), Offset(0));
    journal.log().set_term(2);
    assert!(changes.reach(Offset(1)).await);
    journal.log().set_term(3);
    assert!(changes.reach(Offset(2)).await);
    assert_eq!(journal.leadership().term, 3);
}
