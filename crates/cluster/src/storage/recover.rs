use std::collections::BTreeMap;
use std::io;
use std::path::Path;
use std::sync::Arc;
use std::time::Duration;

use catga_host::{Files, Host, Open};
use catga_journal::segment::{FileKind, Frame, SegmentError, SegmentReader, SegmentWriter, Tail};
use catga_journal::{Delivered, FileReport};
use openraft::EntryPayload;

use super::entries::{Entries, Place};
use super::flush::Flush;
use super::records::{
    BLANK, MEMBERS, NORMAL, STATE, State, TRUNCATE, VOTE, decode_entry, decode_state, decode_vote,
};
use super::{StorageError, StorageOptions, segments};
use crate::batch::log_index;

/// Where what follows a head begins.
const HEAD_BYTES: u64 = 64;

/// A log as it was found, ready to go on.
pub(super) struct Recovered {
    pub(super) entries: Entries,
    pub(super) flush: Flush,
}

/// Looks at every file of the log in `dir` and changes nothing.
pub fn verify_log(files: &dyn Files, dir: &Path) -> Vec<FileReport> {
    let numbers = match numbers(files, dir) {
        Ok(numbers) => numbers,
        Err(error) => {
            return vec![FileReport::new(dir.to_owned(), Err(error))];
        }
    };
    let mut replay = Replay::new(0);
    let mut reports: Vec<FileReport> = Vec::new();
    // Where the file before ends, if it does not end with a seal.
    let mut open: Option<u64> = None;
    let begin = first_of_the_last_run(&numbers);
    for (place, number) in numbers.iter().enumerate() {
        let path = segments::segment_path(dir, *number);
        if place < begin {
            let found = Ok::<_, String>("purged; the next start removes it".to_owned());
            reports.push(FileReport::new(path, found));
            continue;
        }
        let read = replay.segment(files, dir, *number);
        let newest = place + 1 == numbers.len();
        let found = match is_unused(files, &path, read.as_ref()) {
            Ok(true) if newest => Ok("made ready, and not used yet".to_owned()),
            Err(error) => Err(error.to_string()),
            Ok(_) => {
                if let (Some(end), Some(before)) = (open, reports.last_mut())
                    && before.found.is_ok()
                {
                    before.found = Err(format!("its end is gone, at byte {end}"));
                }
                let read = read.map_err(|error| error.to_string());
                open = read.as_ref().ok().and_then(Read::open_end);
                read.and_then(|read| read.verdict())
            }
        };
        reports.push(FileReport::new(path, found));
    }
    if let (Some((from, to)), Some(report)) = (replay.missing(), reports.get_mut(begin)) {
        report.found = Err(format!("before it the entries {from} to {to} are missing"));
    }
    reports
}

pub(super) async fn recover(
    host: &Arc<dyn Host>,
    files: Arc<dyn Files>,
    dir: &Path,
    options: &StorageOptions,
) -> Result<Recovered, StorageError> {
    let mut replay = Replay::new(options.cached_bytes);
    let Found { purged, used, unused } = find(&*files, dir, &mut replay)?;
    // From here on it is known that nothing is wrong, and something may be changed. What was made
    // ready is made again: its name or its head may be on no disk.
    for number in purged.into_iter().chain(unused) {
        let path = segments::segment_path(dir, number);
        files.remove(&path).map_err(|source| SegmentError::Io { path, source })?;
    }
    let mut former: BTreeMap<u64, Option<u64>> =
        used.iter().map(|(number, read)| (*number, read.last)).collect();
    let mut last = None;
    let written_last = match used.last() {
        Some((number, read)) => Some((*number, read, resume(&*files, read).await?)),
        None => None,
    };
    let (number, writer) = match written_last {
        Some((number, read, writer)) if !matches!(read.tail, Tail::Sealed { .. }) => {
            last = former.remove(&number).flatten();
            (number, writer)
        }
        sealed => {
            let number = sealed.map_or(1, |(number, ..)| number + 1);
            let writer = segments::create(&**host, &*files, dir, number, 0, options).await?;
            (number, writer)
        }
    };
    replay.entries.add_segment(number, writer.reader().clone());
    replay.entries.evict();
    let flush = Flush {
        host: Arc::clone(host),
        files,
        dir: dir.to_owned(),
        options: *options,
        state: replay.state,
        writer,
        number,
        spare: None,
        former,
        last,
        looked: Duration::ZERO,
    };
    Ok(Recovered { entries: replay.entries, flush })
}

/// Goes on writing where the good records end.
async fn resume(files: &dyn Files, read: &Read) -> Result<SegmentWriter, SegmentError> {
    let (end, torn) = (read.end(), matches!(read.tail, Tail::Torn { .. }));
    let mut writer = SegmentWriter::resume(files, &read.reader, end)?;
    if torn {
        let path = read.reader.path().display();
        tracing::warn!(%path, end, "what was written there and never acknowledged is cut");
        writer.cut()?;
    }
    // It was read from the machine's memory; that need not be on disk.
    writer.write_again(read.synced.max(read.reader.start()))?;
    writer.sync().await?;
    Ok(writer)
}

/// The segments of a log, by what they are to it.
#[derive(Default)]
struct Found {
    /// They were removed, and were found again after a loss of power.
    purged: Vec<u64>,
    used: Vec<(u64, Read)>,
    /// One that was made ready, or was being made.
    unused: Option<u64>,
}

/// Reads all segments and does again what they say. Fails if entries are missing that were not purged.
fn find(files: &dyn Files, dir: &Path, replay: &mut Replay) -> Result<Found, StorageError> {
    let numbers = numbers(files, dir)?;
    let begin = first_of_the_last_run(&numbers);
    let mut found = Found { purged: numbers[..begin].to_vec(), ..Found::default() };
    for number in &numbers[begin..] {
        let newest = numbers.last() == Some(number);
        let open = found.used.last();
        let open = open.filter(|(_, before)| !matches!(before.tail, Tail::Sealed { .. }));
        let read = replay.segment(files, dir, *number);
        let path = segments::segment_path(dir, *number);
        if newest && is_unused(files, &path, read.as_ref())? {
            found.unused = Some(*number);
            break;
        }
        if let Some((former, before)) = open {
            return Err(StorageError::Damaged {
                path: segments::segment_path(dir, *former),
                at: before.end(),
                what: "it was ended, and its end is gone".to_owned(),
            });
        }
        let read = read?;
        if let Tail::Damaged { at } = read.tail {
            let what = "what was durable there is not as it was written".to_owned();
            return Err(StorageError::Damaged { path, at, what });
        }
        found.used.push((*number, read));
    }
    match (replay.missing(), found.used.first()) {
        (Some((from, to)), Some((number, _))) => Err(StorageError::Damaged {
            path: segments::segment_path(dir, *number),
            at: 0,
            what: format!("the segments before it are missing, with the entries {from} to {to}"),
        }),
        _ => Ok(found),
    }
}

/// Where the segments begin that have no gap behind them. Segments are purged from the oldest on,
/// and any of them may be found again after a loss of power.
fn first_of_the_last_run(numbers: &[u64]) -> usize {
    let gap = numbers.windows(2).rposition(|pair| pair[0] + 1 != pair[1]);
    gap.map_or(0, |gap| gap + 1)
}

/// True if the newest segment holds no record: it was made ready, or was being made, when its head
/// may be anything, but behind it is nothing. It tells nothing of the segment before it either,
/// which may still be open, or have a seal that was never synced.
fn is_unused(
    files: &dyn Files,
    path: &Path,
    read: Result<&Read, &StorageError>,
) -> Result<bool, StorageError> {
    match read {
        Ok(read) => Ok(read.frames == 0 && !matches!(read.tail, Tail::Damaged { .. })),
        Err(StorageError::File(SegmentError::Damaged { at: 0, .. })) => {
            Ok(is_blank(files, path)
                .map_err(|source| SegmentError::Io { path: path.to_owned(), source })?)
        }
        Err(_) => Ok(false),
    }
}

/// True if nothing stands in the file behind its head.
fn is_blank(files: &dyn Files, path: &Path) -> io::Result<bool> {
    const PIECE: u64 = 256 << 10;
    let file = files.open(path, Open::Read)?;
    let len = file.len()?;
    let mut at = HEAD_BYTES;
    while at < len {
        let mut piece = vec![0; usize::try_from((len - at).min(PIECE)).unwrap_or_default()];
        file.read_at(&mut piece, at)?;
        if piece.iter().any(|byte| *byte != 0) {
            return Ok(false);
        }
        at += piece.len() as u64;
    }
    Ok(true)
}

/// The numbers of all segments, in order.
fn numbers(files: &dyn Files, dir: &Path) -> Result<Vec<u64>, StorageError> {
    let names = files.list(dir);
    let names = names.map_err(|source| StorageError::Directory { path: dir.to_owned(), source })?;
    let number = |name: &String| u64::from_str_radix(name.strip_suffix(".log")?, 16).ok();
    Ok(names.iter().filter_map(number).collect())
}

/// One segment as it was read.
struct Read {
    reader: SegmentReader,
    tail: Tail,
    /// How far its good records say that it was synced.
    synced: u64,
    frames: u64,
    first: Option<u64>,
    last: Option<u64>,
}

impl Read {
    /// Where its good records end.
    fn end(&self) -> u64 {
        match self.tail {
            Tail::Sealed { end } | Tail::Clean { end } | Tail::Torn { end } => end,
            Tail::Damaged { at } => at,
            _ => self.reader.start(),
        }
    }

    /// Where it ends, if it does not end with a seal.
    fn open_end(&self) -> Option<u64> {
        (!matches!(self.tail, Tail::Sealed { .. })).then(|| self.end())
    }

    fn verdict(&self) -> Result<String, String> {
        let summary = self.summary();
        match self.tail {
            Tail::Damaged { at } => Err(format!("damaged at byte {at}")),
            Tail::Torn { end } => {
                Ok(format!("{summary}; behind byte {end} stands what was never acknowledged"))
            }
            _ => Ok(summary),
        }
    }

    fn summary(&self) -> String {
        match (self.first, self.last) {
            (Some(first), Some(last)) => {
                format!("{} records, entries {first} to {last}", self.frames)
            }
            _ => format!("{} records, no entries", self.frames),
        }
    }
}

/// Does again what the records say, in order.
struct Replay {
    entries: Entries,
    state: State,
}

impl Replay {
    fn new(cached_bytes: usize) -> Self {
        Self { entries: Entries::new(cached_bytes), state: State::default() }
    }

    /// The entries that should be there and are not. Takes what was purged out of the rest.
    fn missing(&mut self) -> Option<(u64, u64)> {
        self.entries.vote = self.state.vote;
        if let Some(purged) = self.state.purged {
            self.entries.purge(purged);
        }
        let from = self.state.purged.map_or(0, |purged| purged.index + 1);
        let (first, end) = (self.entries.first(), self.entries.end());
        (first > from && first < end).then(|| (from, first - 1))
    }

    fn segment(
        &mut self,
        files: &dyn Files,
        dir: &Path,
        number: u64,
    ) -> Result<Read, StorageError> {
        let path = segments::segment_path(dir, number);
        let reader = SegmentReader::open(files, &path, FileKind::Log)?;
        if reader.head().note != number {
            let what = "it was written as another segment";
            return Err(SegmentError::Foreign { path, what }.into());
        }
        self.entries.add_segment(number, reader.clone());
        let (mut frames, mut first, mut last) = (0, None, None);
        let mut scan = reader.scan();
        while let Some(frame) = scan.next()? {
            frames += 1;
            let at = frame.at;
            let wrong = |what: &str| StorageError::Damaged {
                path: path.clone(),
                at,
                what: what.to_owned(),
            };
            match self.record(&frame, number) {
                Ok(Some(index)) => {
                    first = first.or(Some(index));
                    last = last.max(Some(index));
                }
                Ok(None) => {}
                Err(what) => return Err(wrong(&what)),
            }
            self.entries.evict();
        }
        let synced = scan.synced();
        let tail = scan.tail()?;
        Ok(Read { reader, tail, synced, frames, first, last })
    }

    /// The index of the entry, if the record is one.
    fn record(&mut self, frame: &Frame, segment: u64) -> Result<Option<u64>, String> {
        let unreadable = || "a record cannot be read by this build".to_owned();
        match frame.kind {
            BLANK | NORMAL | MEMBERS => {
                let entry = decode_entry(frame).ok_or_else(unreadable)?;
                let id = entry.log_id;
                // What lies below the purged entry is of no use, and may begin anywhere.
                if self.state.purged.is_some_and(|purged| id.index <= purged.index) {
                    return Ok(Some(id.index));
                }
                self.entries.begin_at(id.index);
                let appended = self.entries.append(std::slice::from_ref(&entry));
                appended.map_err(|error| error.to_string())?;
                self.entries.written(id, Place { segment, at: frame.at });
                return Ok(Some(id.index));
            }
            TRUNCATE => {
                self.entries.truncate_after(frame.position.checked_sub(1));
                let purged = self.state.purged.map_or(0, |purged| purged.index + 1);
                self.entries.begin_below(frame.position.max(purged));
            }
            VOTE => self.state.vote = Some(decode_vote(frame).ok_or_else(unreadable)?),
            STATE => {
                let state = decode_state(frame).ok_or_else(unreadable)?;
                if let Some(purged) = state.purged {
                    self.entries.purge(purged);
                }
                self.state = state;
            }
            _ => return Err(unreadable()),
        }
        Ok(None)
    }
}

/// The entries of the application in the log in `dir`, in order; changes nothing.
///
/// # Errors
/// When the log is damaged or cannot be read.
pub(crate) fn read_entries(files: &dyn Files, dir: &Path) -> Result<Vec<Delivered>, StorageError> {
    let mut replay = Replay::new(usize::MAX);
    find(files, dir, &mut replay)?;
    let entries = &mut replay.entries;
    let (first, end) = (entries.first(), entries.end());
    let found = if first < end { entries.read(first, end, usize::MAX) } else { Ok(Vec::new()) };
    let found = found.map_err(|source| StorageError::Directory { path: dir.to_owned(), source })?;
    let delivered = found.into_iter().filter_map(|entry| match entry.payload {
        EntryPayload::Normal(bytes) => {
            Some(Delivered { index: log_index(&entry.log_id), entry: bytes.0 })
        }
        _ => None,
    });
    Ok(delivered.collect())
}
