use std::sync::Arc;
use std::time::Duration;

use catga_core::{FaultCode, MessageId, NodeName, Offset, Outcome};
use catga_engine::{Lookup, Verdict};
use catga_host::{Host, TokioHost};

use super::scripted::{Scripted, scripted};
use crate::conformance::effects::{append, counted, open_session};
use crate::conformance::{JournalHarness, journal_suite};
use crate::{Journal, LogLimits, MemoryLog, Replica, ReplicaOptions};

pub(crate) fn options() -> ReplicaOptions {
    ReplicaOptions::new(NodeName::new("n1"))
}

pub(crate) async fn memory(options: ReplicaOptions) -> Arc<Replica<MemoryLog>> {
    let host = Arc::new(TokioHost::current());
    let node = options.node.clone();
    let open = async |applier| Ok(MemoryLog::open(node, applier, LogLimits::default()));
    Replica::open(host, options, open).await.unwrap()
}

struct Memory;

impl JournalHarness for Memory {
    fn host(&self) -> Arc<dyn Host> {
        Arc::new(TokioHost::current())
    }

    async fn open(&mut self) -> Arc<dyn Journal> {
        memory(options()).await
    }
}

/// The same over a log that can be held up.
#[derive(Default)]
struct Holdable(Option<Arc<Replica<Scripted>>>);

impl JournalHarness for Holdable {
    fn host(&self) -> Arc<dyn Host> {
        Arc::new(TokioHost::current())
    }

    async fn open(&mut self) -> Arc<dyn Journal> {
        let journal = scripted(options().with_queue(100, Duration::from_millis(5))).await;
        self.0 = Some(Arc::clone(&journal));
        journal
    }

    fn stall(&mut self) -> bool {
        let journal = self.0.as_ref();
        journal.is_some_and(|journal| {
            journal.log().set_open(false);
            true
        })
    }

    fn resume(&mut self) {
        if let Some(journal) = &self.0 {
            journal.log().set_open(true);
        }
    }
}

#[tokio::test(start_paused = true)]
async fn a_replica_keeps_the_promises_of_a_journal() {
    let report = journal_suite(|| Memory).await;
    report.assert_kept();
    let cannot: Vec<_> = report.not_applicable().collect();
    let expected =
        ["journal_2_what_was_acknowledged_survives", "journal_6_a_commit_waits_a_bounded_time"];
    assert_eq!(cannot, expected, "{report}");
    let report = journal_suite(Holdable::default).await;
    report.assert_kept();
    assert_eq!(report.not_applicable().count(), 1, "{report}");
}

#[tokio::test(start_paused = true)]
async fn a_full_queue_refuses_after_a_bounded_wait() {
    let journal = scripted(options().with_queue(2, Duration::from_millis(50))).await;
    let session = open_session(&*journal, 1).await.unwrap();
    journal.log().set_open(false);
    // Four entries of one effect in flight, two effects in the queue.
    let mut held = Vec::new();
    for sequence in 1..=6 {
        held.push(journal.commit(append(session, sequence, "a")));
        tokio::task::yield_now().await;
    }
    let started = tokio::time::Instant::now();
    let fault = journal.commit(append(session, 7, "a")).await.unwrap_err();
    assert_eq!(fault.code(), FaultCode::Overloaded);
    assert_eq!(fault.outcome(), Outcome::NotExecuted);
    assert!(started.elapsed() >= Duration::from_millis(50));
    let waits = journal.commit(append(session, 8, "a"));
    journal.log().set_open(true);
    assert_eq!(counted(&waits.await.unwrap()), Ok(Offset(8)));
    for pending in held {
        counted(&pending.await.unwrap()).unwrap();
    }
    let id = MessageId::new(session, 7);
    assert_eq!(journal.lookup(id, None, 7), Lookup::New);
}

#[tokio::test]
async fn dropping_a_commit_does_not_cancel_it() {
    let journal = memory(options()).await;
    let session = open_session(&*journal, 1).await.unwrap();
    drop(journal.commit(append(session, 1, "a")));
    assert!(journal.applied().reach(Offset(2)).await);
    let again = journal.commit(append(session, 1, "a")).await.unwrap();
    assert_eq!(again.verdict, Verdict::Duplicate { of: Offset(2) });
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn of_many_callers_at_once_with_one_id_one_counts() {
    let journal = memory(options()).await;
    let session = open_session(&*journal, 1).await.unwrap();
    for sequence in 1..=50 {
        let callers = (0..16).map(|_| {
            let journal = Arc::clone(&journal);
            tokio::spawn(async move { journal.commit(append(session, sequence, "a")).await })
        });
        let callers: Vec<_> = callers.collect();
        let mut offsets = Vec::new();
        for caller in callers {
            match caller.await.unwrap().unwrap().verdict {
                Verdict::Counted { offset } => offsets.push(offset),
                Verdict::Duplicate { of } => assert_eq!(of, Offset(sequence + 1)),
                other => panic!("{other:?}"),
            }
        }
        assert_eq!(offsets, [Offset(sequence + 1)]);
    }
}

#[tokio::test]
async fn large_effects_go_alone_and_too_large_ones_are_refused() {
    let journal = memory(options()).await;
    let session = open_session(&*journal, 1).await.unwrap();
    let pending: Vec<_> = (1..=6)
        .map(|sequence| {
            let mut effect = append(session, sequence, "a");
            let bytes = if sequence == 4 { 17 << 20 } else { 200_000 };
            effect.events[0].payload = vec![0; bytes].into();
            journal.commit(effect)
        })
        .collect();
    for (pending, sequence) in pending.into_iter().zip(1..) {
        let answer = pending.await;
        match sequence {
            4 => assert_eq!(answer.unwrap_err().code(), FaultCode::CommandTooLarge),
            _ => drop(counted(&answer.unwrap()).unwrap()),
        }
    }
}
