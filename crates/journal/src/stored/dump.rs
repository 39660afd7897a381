use std::path::Path;
use std::sync::Arc;

use catga_core::{Fault, FaultCode, MessageId, Offset, Position, RecordedEvent, Timestamp};
use catga_engine::{Applied, Engine, Entry, Limits, MemoryState, RecordedAnswer, Verdict};
use catga_host::Files;

use super::checkpoint::{Checkpoint, Checkpoints};
use super::storage_fault;
use crate::archive::Archive;
use crate::heads::Heads;
use crate::record::{Place, Record};
use crate::segment::SegmentError;
use crate::{Delivered, LogIndex};

/// One effect of a history, for tools.
#[derive(Clone, Debug)]
#[non_exhaustive]
pub struct DumpedEffect {
    /// Its place in the history.
    pub offset: Offset,
    /// The command that it is of.
    pub message_id: MessageId,
    /// When it was decided, by the clock of the node that did.
    pub at: Timestamp,
    /// What the command was answered.
    pub answer: RecordedAnswer,
    /// Its events.
    pub events: Vec<RecordedEvent>,
}

/// Gives `each` every effect that the replica in `dir` counted, in order, until it says false:
/// those of the newest readable checkpoint, and those of the `entries` of its log that come after.
/// Changes nothing.
///
/// # Errors
/// When something is damaged, or there are checkpoints and none of them can be read; then why the
/// newest cannot.
pub fn dump_history(
    files: &Arc<dyn Files>,
    dir: &Path,
    incarnation: u64,
    entries: impl Iterator<Item = Result<Delivered, Fault>>,
    mut each: impl FnMut(DumpedEffect) -> bool,
) -> Result<(), Fault> {
    let checkpoints = Checkpoints::new(Arc::clone(files), dir.to_owned());
    let newest = newest(&checkpoints).map_err(storage_fault)?;
    let mut decided = Decided::after(&checkpoints, newest.as_ref().map(|(read, _)| read))?;
    let position = |offset| Position { incarnation, partition: 0, offset };
    for next in newest.iter().flat_map(|(_, archive)| archive.records_after(Offset::ZERO)) {
        let (offset, bytes) = next.map_err(storage_fault)?;
        let record = Record::decode(bytes).ok_or_else(|| {
            let what = format!("the record at offset {offset} is none that this build reads");
            Fault::new(FaultCode::Unreadable, what)
        })?;
        if !each(dumped(record, position(offset))) {
            return Ok(());
        }
    }
    for delivered in entries {
        for (offset, record) in decided.by(&delivered?)? {
            if !each(dumped(record, position(offset))) {
                return Ok(());
            }
        }
    }
    Ok(())
}

/// The newest checkpoint that can be read, with its archive.
fn newest(checkpoints: &Checkpoints) -> Result<Option<(Checkpoint, Archive)>, SegmentError> {
    let mut first_error = None;
    for path in checkpoints.newest_first()? {
        match checkpoints.read_archive(&path) {
            Ok(read) => return Ok(Some(read)),
            Err(error) => _ = first_error.get_or_insert(error),
        }
    }
    first_error.map_or(Ok(None), Err)
}

/// What the log goes on with after a checkpoint, as the engine decides it.
struct Decided {
    engine: Engine<Heads>,
    index: Option<LogIndex>,
    outcome: Applied,
}

impl Decided {
    fn after(checkpoints: &Checkpoints, checkpoint: Option<&Checkpoint>) -> Result<Self, Fault> {
        let limits = Limits::default();
        let (engine, index) = match checkpoint {
            None => (Engine::new(MemoryState::new(), limits).with_state(Heads::of), None),
            Some(checkpoint) => {
                let index = checkpoints.read_index(checkpoint).map_err(storage_fault)?;
                let engine = Engine::restore(&checkpoint.engine, limits).map_err(|error| {
                    Fault::new(FaultCode::Unreadable, format!("its engine: {error}"))
                })?;
                (engine.with_state(|_| Heads::over(index)), Some(checkpoint.index))
            }
        };
        Ok(Self { engine, index, outcome: Applied::default() })
    }

    /// The effects of the entry that count. Where events before them stand is not looked for.
    fn by(&mut self, delivered: &Delivered) -> Result<Vec<(Offset, Record)>, Fault> {
        if Some(delivered.index) <= self.index {
            return Ok(Vec::new());
        }
        self.index = Some(delivered.index);
        let unreadable = |what: String| Fault::new(FaultCode::Unreadable, what);
        let entry = Entry::decode(&delivered.entry).map_err(|error| {
            unreadable(format!("cannot read the entry at {:?}: {error}", delivered.index))
        })?;
        self.engine.state_mut().fetch(&entry).map_err(storage_fault)?;
        let decided = self.engine.apply(&entry, &delivered.entry, &mut self.outcome);
        decided.map_err(|error| {
            unreadable(format!("cannot apply the entry at {:?}: {error}", delivered.index))
        })?;
        let mut versions = self.outcome.versions.iter();
        let mut counted = Vec::new();
        for (effect, verdict) in entry.effects.into_iter().zip(&self.outcome.verdicts) {
            if let Verdict::Counted { offset } = verdict {
                let own = versions.by_ref().take(effect.events.len());
                let place = |version: &u64| Place { version: *version, previous: Offset::ZERO };
                let places = own.map(place).collect();
                counted.push((*offset, Record { effect, places }));
            }
        }
        Ok(counted)
    }
}

fn dumped(record: Record, position: Position) -> DumpedEffect {
    DumpedEffect {
        offset: position.offset,
        message_id: record.effect.id,
        at: record.effect.at,
        answer: record.effect.answer.clone(),
        events: record.events(position).collect(),
    }
}
