use std::fmt;
use std::path::Path;

use catga_host::File;
use sha2::{Digest, Sha256};

use crate::segment::SegmentError;
use crate::stored::manifest::Piece;

/// How many bytes are read at once.
pub(super) const READ: usize = 256 << 10;

/// A piece as it stands among the backups: by its bytes, whatever it is to a replica.
///
/// The hash is SHA-256: what is in a history was chosen by whoever sent commands, and a piece must
/// not pass for another even if somebody wants it to.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(super) struct Kept {
    pub(super) kind: Kind,
    pub(super) length: u64,
    pub(super) hash: [u8; 32],
}

/// What a piece is, for those who look at its name.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(super) enum Kind {
    /// A history segment that gets no more records.
    History,
    /// The records so far of the last one.
    Tail,
    /// A table of the index.
    Index,
    /// The engine without its heads.
    Engine,
}

impl Kind {
    const ALL: [Self; 4] = [Self::History, Self::Tail, Self::Index, Self::Engine];

    pub(super) fn of(piece: &Piece) -> Self {
        match piece {
            Piece::Sealed(_) => Self::History,
            Piece::Tail(_) => Self::Tail,
            Piece::Table(_) => Self::Index,
            Piece::Engine(_) => Self::Engine,
        }
    }

    /// How it is written down in a manifest.
    pub(super) fn code(self) -> u32 {
        match self {
            Self::History => 1,
            Self::Tail => 2,
            Self::Index => 3,
            Self::Engine => 4,
        }
    }

    pub(super) fn of_code(code: u32) -> Option<Self> {
        Self::ALL.into_iter().find(|kind| kind.code() == code)
    }

    fn extension(self) -> &'static str {
        match self {
            Self::History => "history",
            Self::Tail => "tail",
            Self::Index => "index",
            Self::Engine => "engine",
        }
    }
}

impl Kept {
    /// The piece of `kind` in a file of `length` bytes, by what these are.
    pub(super) fn of_file(
        kind: Kind,
        file: &dyn File,
        path: &Path,
        length: u64,
    ) -> Result<Self, SegmentError> {
        let mut hasher = Sha256::new();
        let mut buffer = vec![0; READ];
        let mut at = 0;
        while at < length {
            let rest = usize::try_from(length - at).unwrap_or(usize::MAX);
            let part = &mut buffer[..rest.min(READ)];
            file.read_at(part, at).map_err(|error| SegmentError::io(path, error))?;
            hasher.update(&*part);
            at += part.len() as u64;
        }
        Ok(Self { kind, length, hash: hasher.finalize().into() })
    }

    /// The name of its file.
    pub(super) fn name(&self) -> String {
        self.to_string()
    }

    /// The piece whose file has this name; none if it is no name of one.
    pub(super) fn of_name(name: &str) -> Option<Self> {
        let (stem, extension) = name.rsplit_once('.')?;
        let kind = Kind::ALL.into_iter().find(|kind| kind.extension() == extension)?;
        let (hex, length) = stem.split_once('-')?;
        let length = u64::from_str_radix(length, 16).ok()?;
        let mut hash = [0; 32];
        if hex.len() != 64 || !hex.is_ascii() {
            return None;
        }
        for (byte, place) in hash.iter_mut().zip((0..).step_by(2)) {
            *byte = u8::from_str_radix(&hex[place..place + 2], 16).ok()?;
        }
        let kept = Self { kind, length, hash };
        (kept.name() == name).then_some(kept)
    }
}

impl fmt::Display for Kept {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        for byte in self.hash {
            write!(f, "{byte:02x}")?;
        }
        write!(f, "-{:016x}.{}", self.length, self.kind.extension())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_name_says_what_it_is_and_nothing_else_passes_for_one() {
        for kind in Kind::ALL {
            let kept = Kept { kind, length: 4096, hash: [0xa7; 32] };
            assert_eq!(Kept::of_name(&kept.name()), Some(kept));
            assert_eq!(Kind::of_code(kind.code()), Some(kind));
            assert_eq!(Kept::of_name(&kept.name().to_uppercase()), None);
            assert_eq!(Kept::of_name(&format!("{kept}.part")), None);
        }
        for name in ["", "lock", "x-1.history", "é-1.tail"] {
            assert_eq!(Kept::of_name(name), None, "{name}");
        }
        assert_eq!(Kind::of_code(0), None);
    }
}
