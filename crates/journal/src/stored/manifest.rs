//! A checkpoint as another node needs it to have the same: which pieces it consists of.
//!
//! All numbers are 64-bit little-endian: the magic and the format's version; incarnation; term and
//! index of the last entry; length and hash of the engine; how many tables the index has, and of
//! each its name, length and hash; the archive's manifest; and the XXH3 of all that.

use bytes::{Buf, BufMut, Bytes, BytesMut};
use catga_core::{Offset, payload_hash};

use super::Stored;
use crate::LogIndex;
use crate::archive::{self, Sealed, TailEnd};
use crate::index::{TableMark, TableName};

/// Names the format: a manifest of a replica on disk.
const MAGIC: &[u8; 8] = b"catgaman";

/// The version of the layout.
const FORMAT: u64 = 1;

/// A checkpoint, by its pieces.
///
/// The engine is a piece however small it is. It holds the sessions and keys of all callers, so it
/// may have hundreds of megabytes, and what takes the place of a manifest must be small: it is kept
/// with the log's snapshot, and every attempt to send begins with it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Manifest {
    /// Which life of the journal it is of.
    pub(crate) incarnation: u64,
    /// The last entry of the log that it holds.
    pub(crate) index: LogIndex,
    pub(crate) engine: EngineMark,
    pub(crate) archive: archive::Manifest,
    /// Newest first.
    pub(crate) tables: Vec<TableMark>,
}

/// What the engine's own checkpoint is.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct EngineMark {
    pub(crate) length: u64,
    pub(crate) hash: u64,
}

/// What one piece is. Its length is known; all else says whether another is the same.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Piece {
    /// A history segment that gets no more records.
    Sealed(Sealed),
    /// The records so far of the last one.
    Tail(TailEnd),
    /// A table of the index.
    Table(TableMark),
    /// The engine without its heads.
    Engine(EngineMark),
}

impl EngineMark {
    pub(crate) fn of(engine: &[u8]) -> Self {
        Self { length: engine.len() as u64, hash: payload_hash(engine) }
    }
}

impl Piece {
    /// How many bytes it has.
    pub(crate) fn length(&self) -> u64 {
        match self {
            Self::Sealed(sealed) => sealed.length,
            Self::Tail(tail) => tail.end,
            Self::Table(table) => table.length,
            Self::Engine(engine) => engine.length,
        }
    }

    /// The same in a file of `length` bytes: one that came from another node may have its records in
    /// other batches, and so be of another length.
    pub(crate) fn in_a_file_of(self, length: u64) -> Self {
        match self {
            Self::Sealed(sealed) => Self::Sealed(Sealed { length, ..sealed }),
            Self::Tail(tail) => Self::Tail(TailEnd { end: length, ..tail }),
            other => other,
        }
    }

    /// What it is called while it is kept for a snapshot that is not complete: equal pieces have
    /// equal names, whichever node they came from.
    pub(crate) fn name(&self) -> String {
        match self {
            Self::Sealed(Sealed { first, last, hash, .. }) => {
                format!("{first:016x}-{last:016x}-{hash:016x}.history")
            }
            Self::Tail(TailEnd { first, last, hash, .. }) => {
                format!("{first:016x}-{last:016x}-{hash:016x}.tail")
            }
            Self::Table(TableMark { length, hash, .. }) => {
                format!("{hash:016x}-{length:016x}.index")
            }
            Self::Engine(EngineMark { length, hash }) => {
                format!("{hash:016x}-{length:016x}.engine")
            }
        }
    }

    /// What it is called until it has come to its end. The same for all that begin with the same
    /// bytes on the node that sends them: a history segment grows, and what is there of it stays.
    pub(crate) fn part_name(&self, source: u64) -> String {
        match self {
            Self::Sealed(Sealed { first, .. }) | Self::Tail(TailEnd { first, .. }) => {
                format!("{first:016x}.history.{source:016x}.part")
            }
            _ => format!("{}.{source:016x}.part", self.name()),
        }
    }
}

impl Manifest {
    pub(crate) fn of(incarnation: u64, index: LogIndex, engine: &[u8], stored: &Stored) -> Self {
        Self {
            incarnation,
            index,
            engine: EngineMark::of(engine),
            archive: stored.archive.segments(),
            tables: stored.index.marks(),
        }
    }

    /// The last effect that it holds.
    pub(crate) fn offset(&self) -> Offset {
        Offset(self.archive.tail.last)
    }

    /// The pieces, in the order in which they are numbered: what changes least comes first, so that
    /// a newer manifest makes as little as possible of what has come useless.
    pub(crate) fn pieces(&self) -> Vec<Piece> {
        let sealed = self.archive.sealed.iter().copied().map(Piece::Sealed);
        let tables = self.tables.iter().rev().copied().map(Piece::Table);
        let tail = (self.archive.tail.end > 0).then_some(Piece::Tail(self.archive.tail));
        let engine = Piece::Engine(self.engine);
        sealed.chain(tables).chain(tail).chain([engine]).collect()
    }

    pub(crate) fn encode(&self) -> Bytes {
        let mut bytes = BytesMut::new();
        bytes.put_slice(MAGIC);
        let LogIndex { term, index } = self.index;
        let EngineMark { length, hash } = self.engine;
        let head = [FORMAT, self.incarnation, term, index, length, hash];
        let tables = self.tables.iter();
        let tables = tables.flat_map(|table| [table.name.0, table.length, table.hash]);
        let numbers = head.into_iter().chain([self.tables.len() as u64]).chain(tables);
        numbers.for_each(|number| bytes.put_u64_le(number));
        bytes.put_slice(&self.archive.encode());
        let hash = payload_hash(&bytes);
        bytes.put_u64_le(hash);
        bytes.freeze()
    }

    /// None if the bytes are no manifest that this build reads, or are damaged.
    pub(crate) fn decode(data: &Bytes) -> Option<Self> {
        let body = data.len().checked_sub(8)?;
        let mut bytes = data.slice(..body);
        if (&data[body..]).get_u64_le() != payload_hash(&bytes) || !bytes.starts_with(MAGIC) {
            return None;
        }
        bytes.advance(MAGIC.len());
        let mut head = [0; 7];
        for number in &mut head {
            *number = bytes.try_get_u64_le().ok()?;
        }
        let [format, incarnation, term, index, length, hash, count] = head;
        let count = usize::try_from(count).ok().filter(|count| *count <= bytes.len() / 24)?;
        if format != FORMAT {
            return None;
        }
        let table = |_| TableMark {
            name: TableName(bytes.get_u64_le()),
            length: bytes.get_u64_le(),
            hash: bytes.get_u64_le(),
        };
        let tables = (0..count).map(table).collect();
        let archive = archive::Manifest::decode(bytes)?;
        let index = LogIndex { term, index };
        let engine = EngineMark { length, hash };
        Some(Self { incarnation, index, engine, archive, tables })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn manifest() -> Manifest {
        let sealed = [(1, 40), (41, 70)].map(|(first, last)| Sealed {
            first,
            last,
            length: 4096 + first,
            hash: last * 7,
        });
        let tables = [9, 4, 1].map(|name| TableMark {
            name: TableName(name),
            length: name * 100,
            hash: name * 3,
        });
        Manifest {
            incarnation: 7,
            index: LogIndex { term: 3, index: 99 },
            engine: EngineMark::of(b"an engine"),
            archive: archive::Manifest {
                sealed: sealed.to_vec(),
                tail: TailEnd { first: 71, last: 75, end: 512, hash: 5 },
            },
            tables: tables.to_vec(),
        }
    }

    #[test]
    fn it_is_read_as_it_was_written_and_not_where_it_was_changed() {
        let manifest = manifest();
        let bytes = manifest.encode();
        assert_eq!(Manifest::decode(&bytes), Some(manifest.clone()));
        assert_eq!(manifest.offset(), Offset(75));
        for place in 0..bytes.len() {
            assert_eq!(Manifest::decode(&bytes.slice(..place)), None, "cut at {place}");
            let mut changed = bytes.to_vec();
            changed[place] ^= 1 << (place % 8);
            assert_eq!(Manifest::decode(&changed.into()), None, "changed at {place}");
        }
    }

    #[test]
    fn equal_pieces_of_other_nodes_have_equal_names_and_no_two_share_one() {
        let one = manifest();
        let mut other = one.clone();
        other.archive.sealed[0].length += 8;
        other.tables[0].name = TableName(77);
        let names = |manifest: &Manifest| -> Vec<String> {
            manifest.pieces().iter().map(Piece::name).collect()
        };
        assert_eq!(names(&one), names(&other));
        let mut distinct = names(&one);
        distinct.sort();
        distinct.dedup();
        assert_eq!(distinct.len(), 2 + 3 + 1 + 1);
    }
}
