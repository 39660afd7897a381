use std::fs;
use std::path::{Path, PathBuf};

/// The frames of a file as they stand in it, good or not.
pub(crate) struct Frames {
    pub(crate) path: PathBuf,
    pub(crate) frames: Vec<Frame>,
    /// Where the last one ends.
    pub(crate) end: usize,
}

/// One frame: 24 bytes of head, the payload, and zeros up to a multiple of 8.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Frame {
    pub(crate) at: usize,
    pub(crate) kind: u32,
    pub(crate) len: usize,
}

/// Says how far the file is synced.
const MARK: u32 = 2;
/// From here on the kinds are the log's own.
const RECORD: u32 = 16;

impl Frames {
    /// Those of the log's first segment in the data directory `data`.
    pub(crate) fn of_log(data: &Path) -> Self {
        Self::of(data.join("log/0000000000000001.log"))
    }

    /// Those of a segment. Behind the file's end are zeros, as in one that has room.
    pub(crate) fn of(path: PathBuf) -> Self {
        let bytes = fs::read(&path).expect("a segment");
        let u32_at = |at: usize| {
            let four = bytes.get(at..at + 4).unwrap_or(&[0; 4]);
            u32::from_le_bytes(four.try_into().expect("four bytes"))
        };
        let (mut frames, mut at) = (Vec::new(), 64);
        while u32_at(at + 16) != 0 && u32_at(at + 20) as usize * 8 == at {
            let (len, kind) = (u32_at(at + 4) as usize, u32_at(at + 16));
            frames.push(Frame { at, kind, len });
            at = (at + 24 + len).next_multiple_of(8);
        }
        Self { path, frames, end: at }
    }

    /// True if the last frame says how far the file is synced: then nothing waits to be written.
    pub(crate) fn is_at_rest(&self) -> bool {
        self.frames.last().is_some_and(|frame| frame.kind == MARK)
    }

    /// All records.
    pub(crate) fn records(&self) -> Vec<Frame> {
        self.frames.iter().copied().filter(|frame| frame.kind >= RECORD).collect()
    }
}

/// Turns one bit round at `at`.
pub(crate) fn flip(path: &Path, at: usize) {
    let mut bytes = fs::read(path).expect("a file");
    bytes[at] ^= 0b100;
    fs::write(path, bytes).expect("written");
}
