#[cfg(test)]
mod fuzz;

use std::fmt::Write as _;
use std::io;
use std::path::PathBuf;
use std::sync::Arc;

use bytes::{Buf, BufMut, Bytes};
use catga_core::{Offset, payload_hash};
use catga_host::Files;
use catga_journal::segment::{FileKind, PAYLOAD_MAX, SegmentError, read_whole, write_whole};

/// The layout of a checkpoint within its file.
const LAYOUT: u32 = 1;

/// How the names of checkpoints end.
const EXTENSION: &str = ".view";

/// No file system in use takes names of more than 255 bytes.
const STEM_MAX: usize = 200;

/// Where a node keeps the checkpoints of its projections: a directory of its own, in which each
/// projection has one file.
///
/// A node that stops in order writes what was folded since the last checkpoint, and the next start
/// folds nothing again. After a crash it folds again at most the most of: 10,000 effects or events,
/// as many bytes of events as the checkpoint is large, and what came within 10 s; after a disk that
/// was full, what came since. A checkpoint is not used, and everything is folded again, when it
/// cannot be read or is of another version or incarnation. A state of more than 256 MiB has none.
#[derive(Clone, Debug)]
pub struct ViewStore {
    files: Arc<dyn Files>,
    dir: PathBuf,
}

/// What a checkpoint is of.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Identity {
    /// The projection's written name.
    pub(crate) name: &'static str,
    /// The version of its folds.
    pub(crate) version: u32,
    /// The life of the journal that it was folded from.
    pub(crate) incarnation: u64,
}

/// Why a checkpoint is not used.
#[derive(Debug, thiserror::Error)]
pub(crate) enum Unusable {
    #[error(transparent)]
    File(#[from] SegmentError),
    #[error("it has layout {0}, and this build reads layout {LAYOUT}")]
    Layout(u32),
    #[error("it ends too early")]
    CutOff,
    #[error("it is of the projection `{0}`")]
    OtherName(String),
    #[error("it is of version {0}")]
    OtherVersion(u32),
    #[error("it is of another incarnation of the journal, {0:x}")]
    OtherIncarnation(u64),
}

impl Unusable {
    /// True for what is no reason to worry: the program or the journal changed.
    pub(crate) fn is_expected(&self) -> bool {
        matches!(self, Self::OtherVersion(_) | Self::OtherIncarnation(_))
    }
}

/// Why a checkpoint was not written.
#[derive(Debug, thiserror::Error)]
pub(crate) enum Unwritten {
    #[error("{}: {source}", dir.display())]
    Dir { dir: PathBuf, source: io::Error },
    #[error(transparent)]
    File(#[from] SegmentError),
    #[error("its {0} bytes are more than the {PAYLOAD_MAX} that a checkpoint may have")]
    TooLarge(usize),
}

impl ViewStore {
    /// A store in the directory `dir`, which is made when it is first needed.
    pub fn new(files: Arc<dyn Files>, dir: impl Into<PathBuf>) -> Self {
        Self { files, dir: dir.into() }
    }

    /// How far the last checkpoint of a projection was folded, and its state. Blocks.
    pub(crate) fn read(&self, of: &Identity) -> Result<Option<(Offset, Bytes)>, Unusable> {
        let found = read_whole(&*self.files, &self.path(of.name), FileKind::View)?;
        let Some((offset, payload)) = found else { return Ok(None) };
        Ok(Some((Offset(offset), state(payload, of)?)))
    }

    /// Puts `state`, folded up to `offset`, in the place of the last checkpoint: it is durable when
    /// this returns, and until then the one before it is whole. Blocks.
    pub(crate) async fn write(
        &self,
        of: &Identity,
        offset: Offset,
        state: &[u8],
    ) -> Result<(), Unwritten> {
        let payload = payload(of, state);
        if payload.len() > PAYLOAD_MAX {
            return Err(Unwritten::TooLarge(payload.len()));
        }
        // Each time: nobody may have made it yet, or somebody has removed it.
        if let Err(source) = self.files.create_dir(&self.dir).await {
            return Err(Unwritten::Dir { dir: self.dir.clone(), source });
        }
        let path = self.path(of.name);
        write_whole(&*self.files, &path, FileKind::View, offset.0, &payload).await?;
        Ok(())
    }

    /// The checkpoints of projections that are not among `names`. Blocks.
    pub(crate) fn others(&self, names: &[&str]) -> Vec<String> {
        let known: Vec<_> = names.iter().map(|name| file_name(name)).collect();
        // It is for a line in the log; that the directory cannot be read shows elsewhere.
        let mut found = self.files.list(&self.dir).unwrap_or_default();
        found.retain(|file| file.ends_with(EXTENSION) && !known.contains(file));
        found
    }

    pub(crate) fn path(&self, name: &str) -> PathBuf {
        self.dir.join(file_name(name))
    }
}

/// Layout, version and the name's length, 32-bit; the incarnation, 64-bit, all little-endian; the
/// name; the state.
fn payload(of: &Identity, state: &[u8]) -> Vec<u8> {
    let name = of.name.as_bytes();
    let mut payload = Vec::with_capacity(20 + name.len() + state.len());
    payload.put_u32_le(LAYOUT);
    payload.put_u32_le(of.version);
    payload.put_u32_le(u32::try_from(name.len()).expect("a name is a few bytes"));
    payload.put_u64_le(of.incarnation);
    payload.put_slice(name);
    payload.put_slice(state);
    payload
}

/// The state in a payload, if it is what `of` says.
fn state(mut payload: Bytes, of: &Identity) -> Result<Bytes, Unusable> {
    let cut_off = |_| Unusable::CutOff;
    let layout = payload.try_get_u32_le().map_err(cut_off)?;
    if layout != LAYOUT {
        return Err(Unusable::Layout(layout));
    }
    let version = payload.try_get_u32_le().map_err(cut_off)?;
    let name_len = payload.try_get_u32_le().map_err(cut_off)? as usize;
    let incarnation = payload.try_get_u64_le().map_err(cut_off)?;
    if name_len > payload.len() {
        return Err(Unusable::CutOff);
    }
    let name = payload.split_to(name_len);
    if name != of.name.as_bytes() {
        return Err(Unusable::OtherName(String::from_utf8_lossy(&name).into_owned()));
    }
    if version != of.version {
        return Err(Unusable::OtherVersion(version));
    }
    if incarnation != of.incarnation {
        return Err(Unusable::OtherIncarnation(incarnation));
    }
    Ok(payload)
}

/// The file of a projection. Everything but small letters, digits, `-` and `_` is percent-encoded:
/// some file systems take capital letters for small ones, and a dot means something to most.
fn file_name(name: &str) -> String {
    let mut file = String::with_capacity(name.len() + EXTENSION.len());
    for byte in name.bytes() {
        match byte {
            b'a'..=b'z' | b'0'..=b'9' | b'-' | b'_' => file.push(char::from(byte)),
            _ => write!(file, "%{byte:02X}").expect("a String takes any text"),
        }
    }
    if file.len() > STEM_MAX {
        // A `~` is in no other name. Should two names meet all the same, the file says whose it is.
        file.truncate(STEM_MAX);
        write!(file, "~{:016x}", payload_hash(name.as_bytes())).expect("a String takes any text");
    }
    file + EXTENSION
}

#[cfg(test)]
mod tests {
    use catga_host::Disk;

    use super::*;

    const BOOK: Identity = Identity { name: "orders/Böok", version: 2, incarnation: 7 };

    fn store(dir: &tempfile::TempDir) -> ViewStore {
        ViewStore::new(Arc::new(Disk), dir.path().join("views"))
    }

    #[tokio::test]
    async fn a_checkpoint_is_read_only_as_what_it_is() {
        let dir = tempfile::tempdir().expect("a directory");
        let store = store(&dir);
        assert!(store.read(&BOOK).expect("no error").is_none(), "there is none yet");
        for (offset, state) in [(Offset(3), "three"), (Offset(4), "four")] {
            store.write(&BOOK, offset, state.as_bytes()).await.expect("written");
            let read = store.read(&BOOK).expect("readable").expect("there");
            assert_eq!(read, (offset, Bytes::from(state)));
        }
        let other = store.read(&Identity { version: 3, ..BOOK }).expect_err("of another version");
        assert!(matches!(other, Unusable::OtherVersion(2)) && other.is_expected(), "{other}");
        let other = store.read(&Identity { incarnation: 8, ..BOOK }).expect_err("of another life");
        assert!(matches!(other, Unusable::OtherIncarnation(7)) && other.is_expected(), "{other}");
        let paths = [store.path(BOOK.name), store.path("x")];
        std::fs::rename(&paths[0], &paths[1]).expect("renamed");
        let other = store.read(&Identity { name: "x", ..BOOK }).expect_err("of another projection");
        assert!(matches!(other, Unusable::OtherName(_)) && !other.is_expected(), "{other}");
        assert_eq!(store.others(&["y"]), ["x.view"]);
        assert_eq!(store.others(&["x"]), [""; 0]);
    }

    #[tokio::test]
    async fn every_bit_of_a_checkpoint_counts() {
        let dir = tempfile::tempdir().expect("a directory");
        let store = store(&dir);
        store.write(&BOOK, Offset(3), b"a state").await.expect("written");
        let path = store.path(BOOK.name);
        let whole = std::fs::read(&path).expect("there");
        for at in 0..whole.len() {
            let mut damaged = whole.clone();
            damaged[at] ^= 1;
            std::fs::write(&path, damaged).expect("written");
            // What fills the last frame up holds nothing.
            let read = store.read(&BOOK).ok().flatten();
            assert!(read.is_none() || at + 8 > whole.len(), "byte {at}: {read:?}");
        }
        std::fs::write(&path, &whole[..whole.len() - 8]).expect("written");
        assert!(store.read(&BOOK).is_err(), "it is cut off");
    }

    #[test]
    fn a_file_is_named_safely_after_its_projection_and_no_two_meet() {
        let long = "x".repeat(400);
        let names = [
            "orders",
            "Orders",
            "../orders",
            ".",
            "..",
            "a/b",
            "a%2Fb",
            "a.b",
            "ö",
            &long,
            "~",
            "",
        ];
        let files: Vec<_> = names.iter().map(|name| file_name(name)).collect();
        assert_eq!(files[..3], ["orders.view", "%4Frders.view", "%2E%2E%2Forders.view"]);
        for (i, file) in files.iter().enumerate() {
            assert!(!files[i + 1..].contains(file), "{file}");
            assert!(file.len() < 250 && !file.contains('/'), "{file}");
        }
        assert_ne!(file_name(&long), file_name(&format!("{long}x")));
    }
}
