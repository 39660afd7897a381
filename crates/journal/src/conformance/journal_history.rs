use std::collections::BTreeMap;

use catga_core::{Fault, MessageId, Offset, RecordedEvent, SessionId, StreamName};
use catga_engine::{Lookup, RecordHead};

use super::effects::{append, counted, event, open_session, write};
use super::log::KEPT;
use super::report::ensure;
use super::{Check, Finding, JournalHarness, Violation};
use crate::{Filter, Journal};

/// What was acknowledged is there after a new start, where the backend survives one: answers,
/// events and ids.
pub async fn journal_2_what_was_acknowledged_survives<H: JournalHarness>(mut harness: H) -> Check {
    let fault = |fault| Violation::new(2, fault);
    let journal = harness.open().await;
    let session = open_session(&*journal, 1).await?;
    for sequence in 1..=200 {
        let stream = format!("s/{}", sequence % 7);
        let committed = journal.commit(append(session, sequence, &stream)).await;
        counted(&committed.map_err(fault)?)?;
    }
    let committed = journal.commit(write(session, 201, "r/kept", Some("still there"))).await;
    let written = counted(&committed.map_err(fault)?)?;
    let events = read_all(&*journal, 50).await.map_err(fault)?;
    let (hash, incarnation) = (journal.rolling_hash(), journal.incarnation());
    journal.shutdown().await;
    let Some(journal) = harness.reopen().await else {
        return Ok(Finding::NotApplicable("the journal is gone with its process"));
    };
    let same = journal.incarnation() == incarnation;
    ensure!(2, same, "a new start has another incarnation");
    let read = read_all(&*journal, 50).await.map_err(fault)?;
    ensure!(2, read == events, "{} events became {}", events.len(), read.len());
    let now = journal.rolling_hash();
    ensure!(2, now == hash, "the hash was {hash:?} and is {now:?}");
    for event in &events {
        let id = event.meta.message_id;
        let offset = event.meta.position.offset;
        let known = journal.lookup(id, None, id.sequence);
        ensure!(2, known == Lookup::Known { offset }, "{id} is {known:?}");
        let outcome = journal.outcome(offset).await.map_err(fault)?;
        let reply = format!("reply {}", id.sequence);
        ensure!(2, outcome.payload == reply, "the answer of {id} is {outcome:?}");
    }
    let kept = RecordHead { offset: written, value: "still there".into() };
    let record = journal.record(&StreamName::from_stored("r/kept")).await.map_err(fault)?;
    ensure!(2, record.as_ref() == Some(&kept), "a record became {record:?}");
    KEPT
}

/// Offsets and versions go up by one; pages of any size give every event once, whole effects at a
/// time; what was read is read again.
pub async fn journal_4_offsets_and_versions_have_no_gaps<H: JournalHarness>(
    mut harness: H,
) -> Check {
    const COMMITS: u64 = 600;
    let fault = |fault| Violation::new(4, fault);
    let journal = harness.open().await;
    let session = open_session(&*journal, 1).await?;
    let pending: Vec<_> = (1..=COMMITS)
        .map(|sequence| {
            let mut effect = append(session, sequence, &format!("s/{}", sequence % 5));
            // Some effects have several events, in several streams, and some have none.
            match sequence % 4 {
                0 => effect.events.clear(),
                1 => effect.events.extend((0..3).map(|n| event("s/0", n))),
                _ => {}
            }
            journal.commit(effect)
        })
        .collect();
    let mut offsets = Vec::new();
    for pending in pending {
        offsets.push(counted(&pending.await.map_err(fault)?)?);
    }
    offsets.sort_unstable();
    let expected: Vec<_> = (2..=COMMITS + 1).map(Offset).collect();
    ensure!(4, offsets == expected, "the offsets have gaps: {offsets:?}");

    let all = read_all(&*journal, 1).await.map_err(fault)?;
    for limit in [7, 100_000] {
        let read = read_all(&*journal, limit).await.map_err(fault)?;
        ensure!(4, read == all, "pages of {limit} give other events than pages of one");
    }
    let mut streams: BTreeMap<StreamName, Vec<RecordedEvent>> = BTreeMap::new();
    for event in &all {
        let events = streams.entry(event.meta.stream.clone()).or_default();
        events.push(event.clone());
        let (version, count) = (event.meta.version, events.len() as u64);
        ensure!(4, version == count, "event {count} of its stream has version {version}");
    }
    for (name, events) in streams {
        let slice = journal.stream(&name).await.map_err(fault)?;
        ensure!(4, slice.events == events, "stream {name} is not what the pages hold");
    }
    records(&*journal, session, COMMITS).await?;
    nothing_wanted(&*journal).await
}

/// A record is what was last written to it, and knows where.
async fn records(journal: &dyn Journal, session: SessionId, after: u64) -> Check {
    let fault = |fault| Violation::new(4, fault);
    let key = StreamName::from_stored("r/one");
    for (sequence, value) in (after + 1..).zip([Some("a"), Some("b"), None, Some("c")]) {
        let committed = journal.commit(write(session, sequence, key.as_str(), value)).await;
        let offset = counted(&committed.map_err(fault)?)?;
        let expected = value.map(|value| RecordHead { offset, value: value.into() });
        let record = journal.record(&key).await.map_err(fault)?;
        ensure!(4, record == expected, "a record written at {offset} is {record:?}");
    }
    let never = journal.record(&StreamName::from_stored("r/never")).await.map_err(fault)?;
    ensure!(4, never.is_none(), "a record that was never written is {never:?}");
    KEPT
}

/// A reader that wants nothing of what there is still gets to the end.
async fn nothing_wanted(journal: &dyn Journal) -> Check {
    let filter = Filter::Names(&["never.recorded"]);
    let (mut after, end) = (Offset::ZERO, journal.applied().get());
    while after < end {
        let page = journal.page(after, &filter, 10).await;
        let page = page.map_err(|fault| Violation::new(4, fault))?;
        ensure!(4, page.events.is_empty(), "the filter let {:?} pass", page.events);
        ensure!(4, page.upto > after, "a page that is empty does not go on from {after}");
        after = page.upto;
    }
    let page = journal.page(end, &Filter::All, 10).await;
    let page = page.map_err(|fault| Violation::new(4, fault))?;
    let at_end = page.events.is_empty() && page.upto == end;
    ensure!(4, at_end, "after the end at {end} there is {page:?}");
    let message = journal.lookup(MessageId::default(), None, 0);
    ensure!(4, message == Lookup::New, "an id that was never used is {message:?}");
    KEPT
}

/// Every event, read in pages of about `limit`.
///
/// # Errors
/// When a page cannot be read, or splits an effect, or does not go on.
pub(crate) async fn read_all(
    journal: &dyn Journal,
    limit: usize,
) -> Result<Vec<RecordedEvent>, Fault> {
    let mut events: Vec<RecordedEvent> = Vec::new();
    let (mut after, end) = (Offset::ZERO, journal.applied().get());
    while after < end {
        let page = journal.page(after, &Filter::All, limit).await?;
        let inside = |event: &RecordedEvent| {
            let offset = event.meta.position.offset;
            offset > after && offset <= page.upto
        };
        if page.upto <= after || !page.events.iter().all(inside) {
            let what = format!("the page after {after} reaches to {} only", page.upto);
            return Err(Fault::internal(what));
        }
        events.extend(page.events);
        after = page.upto;
    }
    Ok(events)
}
