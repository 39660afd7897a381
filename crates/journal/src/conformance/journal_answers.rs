use std::collections::BTreeMap;

use catga_core::{FaultCode, MessageId, Offset, Outcome, StreamName};
use catga_engine::{Effect, Lookup, Rejection, Verdict};
use catga_host::timeout;

use super::effects::{append, attempt, counted, create, open_session};
use super::journal_history::read_all;
use super::log::KEPT;
use super::report::ensure;
use super::{Check, Finding, JournalHarness, Violation};
use crate::Journal;

/// Of many effects of one id one counts, and the others name it; a conflict leaves no trace; the
/// same id with another payload is rejected.
pub async fn journal_1_one_effect_per_id_counts<H: JournalHarness>(mut harness: H) -> Check {
    let journal = harness.open().await;
    let session = open_session(&*journal, 1).await?;
    let attempts = (1..=8).map(|number| {
        let mut effect = append(session, 1, "a");
        effect.attempt = attempt(effect.id, number);
        journal.commit(effect)
    });
    let attempts: Vec<_> = attempts.collect();
    let (mut first, mut duplicates) = (Vec::new(), Vec::new());
    for pending in attempts {
        match pending.await.map_err(|fault| Violation::new(1, fault))?.verdict {
            Verdict::Counted { offset } => first.push(offset),
            Verdict::Duplicate { of } => duplicates.push(of),
            other => return Err(Violation::new(1, format_args!("an attempt is {other:?}"))),
        }
    }
    ensure!(1, first.len() == 1, "the effect counted at {first:?}");
    let same = duplicates.iter().all(|of| *of == first[0]);
    ensure!(1, same, "it counted at {first:?}, duplicates name {duplicates:?}");

    let conflict = verdict(&*journal, create(session, 2, "a")).await?;
    let at_first = matches!(conflict, Verdict::Conflict { condition: 0, at } if at == first[0]);
    ensure!(1, at_first, "creating a stream that exists is {conflict:?}");
    let known = journal.lookup(MessageId::new(session, 2), None, 2);
    ensure!(1, known == Lookup::New, "after a conflict the id is {known:?}");
    let again = verdict(&*journal, create(session, 2, "b")).await?;
    let next = Verdict::Counted { offset: first[0].next() };
    ensure!(1, again == next, "after a conflict the next try is {again:?}");

    let mut other = append(session, 2, "b");
    other.payload_hash = 99;
    let mismatch = verdict(&*journal, other).await?;
    let rejected = Verdict::Rejected(Rejection::PayloadMismatch);
    ensure!(1, mismatch == rejected, "another payload under one id is {mismatch:?}");
    KEPT
}

/// At every verdict the applied mark is at its offset, and what it names can be read.
pub async fn journal_3_a_verdict_comes_after_own_apply<H: JournalHarness>(mut harness: H) -> Check {
    let journal = harness.open().await;
    let session = open_session(&*journal, 1).await?;
    let fault = |fault| Violation::new(3, fault);
    for sequence in 1..=100 {
        let committed = journal.commit(append(session, sequence, "a")).await;
        let committed = committed.map_err(fault)?;
        let offset = counted(&committed)?;
        let applied = journal.applied().get();
        ensure!(
            3,
            applied >= offset && applied >= committed.applied && committed.applied >= offset,
            "{committed:?} came when {applied} was applied"
        );
        let known = journal.lookup(MessageId::new(session, sequence), None, sequence);
        ensure!(3, known == Lookup::Known { offset }, "its id is {known:?}");
        let outcome = journal.outcome(offset).await.map_err(fault)?;
        let reply = format!("reply {sequence}");
        ensure!(
            3,
            !outcome.refused && outcome.payload == reply,
            "at {offset} {outcome:?} is recorded and not {reply}"
        );
        let slice = journal.stream(&StreamName::from_stored("a")).await;
        let events = slice.map_err(fault)?.events;
        let last = events.last().map(|event| event.meta.position.offset);
        ensure!(3, last == Some(offset), "its stream ends at {last:?}");
    }
    let head = journal.head(catga_core::ReadLevel::Linearizable).await;
    let head = head.map_err(fault)?;
    ensure!(3, head.offset == Offset(101), "the head is {head} after 101 effects");
    ensure!(
        3,
        head.incarnation == journal.incarnation(),
        "the head {head} is of another incarnation"
    );
    KEPT
}

/// Commits that race with a shutdown all end; one that says *not executed* left nothing.
pub async fn journal_5_a_commit_without_a_verdict_says_what_is_known<H: JournalHarness>(
    mut harness: H,
) -> Check {
    let (host, patience) = (harness.host(), harness.patience());
    let journal = harness.open().await;
    let session = open_session(&*journal, 1).await?;
    let before: Vec<_> = (1..=500)
        .map(|sequence| (sequence, journal.commit(append(session, sequence, "a"))))
        .collect();
    journal.shutdown().await;
    let after = journal.commit(append(session, 501, "a"));
    let mut answers = BTreeMap::new();
    for (sequence, pending) in before.into_iter().chain([(501, after)]) {
        let answer = timeout(&*host, patience, pending).await;
        let answer = answer.map_err(|_| {
            let what = format_args!("commit {sequence} is not answered after a shutdown");
            Violation::new(5, what)
        })?;
        answers.insert(MessageId::new(session, sequence), answer);
    }
    let refused = answers.values().next_back().and_then(|answer| answer.as_ref().err());
    let refused = refused.is_some_and(|fault| fault.outcome() == Outcome::NotExecuted);
    ensure!(5, refused, "a journal that was shut down does not refuse a commit");
    let journal = harness.reopen().await.unwrap_or(journal);
    let Ok(events) = read_all(&*journal, 100).await else {
        return Ok(Finding::NotApplicable("nothing can be read after a shutdown"));
    };
    for (id, answer) in answers {
        let mut found = events.iter().filter(|event| event.meta.message_id == id);
        match (answer, found.next(), found.next()) {
            (Ok(committed), Some(event), None) => {
                let offset = counted(&committed)?;
                let at = event.meta.position.offset;
                ensure!(5, at == offset, "{id} counted at {offset} and is at {at}");
            }
            (Err(fault), Some(_), None) => ensure!(
                5,
                fault.outcome() == Outcome::Unknown,
                "{id} is recorded, and its caller heard {fault}"
            ),
            (Err(_), None, None) => {}
            (answer, one, two) => {
                let what = format_args!("{id}: {answer:?}, but {one:?} and {two:?} are recorded");
                return Err(Violation::new(5, what));
            }
        }
    }
    KEPT
}

/// A journal whose backend takes nothing holds a bounded number of commits and refuses the rest
/// in bounded time; once the backend goes on, all others count.
pub async fn journal_6_a_commit_waits_a_bounded_time<H: JournalHarness>(mut harness: H) -> Check {
    /// More than any journal holds.
    const COMMITS_MAX: u64 = 1_000_000;
    let (host, patience) = (harness.host(), harness.patience());
    let journal = harness.open().await;
    let session = open_session(&*journal, 1).await?;
    if !harness.stall() {
        return Ok(Finding::NotApplicable("the harness cannot stall the backend"));
    }
    let mut held = Vec::new();
    let mut refused = None;
    for sequence in 1..=COMMITS_MAX {
        let mut pending = journal.commit(append(session, sequence, "a"));
        // Those that found room are left alone; one that did not would end within the patience.
        if sequence % 64 == 0 {
            match timeout(&*host, patience, &mut pending).await {
                Ok(Err(fault)) => {
                    refused = Some(fault);
                    break;
                }
                Ok(Ok(committed)) => {
                    let what = format_args!("a stalled backend gave {committed:?}");
                    return Err(Violation::new(6, what));
                }
                Err(_) => {}
            }
        }
        held.push(pending);
    }
    let Some(fault) = refused else {
        return Err(Violation::new(6, format_args!("{COMMITS_MAX} commits wait")));
    };
    ensure!(
        6,
        fault.code() == FaultCode::Overloaded && fault.outcome() == Outcome::NotExecuted,
        "a commit that found no room heard {fault}"
    );
    harness.resume();
    for pending in held {
        let answer = timeout(&*host, patience, pending).await;
        let answer = answer.map_err(|_| Violation::new(6, "a commit is not answered"))?;
        match answer {
            Ok(committed) => drop(counted(&committed)?),
            Err(fault) => ensure!(
                6,
                fault.code() == FaultCode::Overloaded,
                "a commit that waited heard {fault}"
            ),
        }
    }
    KEPT
}

async fn verdict(journal: &dyn Journal, effect: Effect) -> Result<Verdict, Violation> {
    let committed = journal.commit(effect).await;
    Ok(committed.map_err(|fault| Violation::new(1, fault))?.verdict)
}
