use std::fmt;
use std::io;
use std::path::Path;
use std::sync::Arc;

/// What is asked of a disk, as far as it can be made to fail.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
#[non_exhaustive]
pub enum Call {
    /// Opening or making a file.
    Open,
    /// Reading from a file.
    Read,
    /// Writing to a file. What was to be written may be there in part.
    Write,
    /// Reserving room, or changing the length.
    Resize,
    /// Syncing a file. What it was to make durable is lost with the next loss of power, whatever
    /// is synced later.
    Sync,
    /// Syncing the names of a directory. What it was to make durable is lost likewise.
    SyncDir,
    /// Making a directory.
    CreateDir,
    /// Listing a directory.
    List,
    /// Giving a file another name; asked with the one that it has.
    Rename,
    /// Removing a file.
    Remove,
}

/// Which calls fail, and how: the next one of its kind, unless something else is said.
///
/// ```
/// use catga_testkit::disk::{Call, Fault, SimDisk};
///
/// let disk = SimDisk::new(7);
/// disk.fail(Fault::of(Call::Sync).nth(3).on(|path| path.ends_with("wal")));
/// disk.fail(Fault::of(Call::Read).every());
/// disk.heal();
/// ```
#[derive(Clone)]
pub struct Fault {
    call: Call,
    turn: Turn,
    kind: Option<io::ErrorKind>,
    code: Option<i32>,
    matches: Arc<dyn Fn(&Path) -> bool + Send + Sync>,
}

#[derive(Clone, Copy, Debug)]
enum Turn {
    /// How many calls until it is the one.
    In(u64),
    Every,
}

impl Fault {
    /// The next such call fails, on whatever file, as a broken disk's would.
    pub fn of(call: Call) -> Self {
        Self { call, turn: Turn::In(1), kind: None, code: None, matches: Arc::new(|_| true) }
    }

    /// Not the next call fails but the `n`-th from now on, counted from 1.
    #[must_use]
    pub fn nth(self, n: u64) -> Self {
        Self { turn: Turn::In(n.max(1)), ..self }
    }

    /// Every call fails until the disk is [healed](super::SimDisk::heal).
    #[must_use]
    pub fn every(self) -> Self {
        Self { turn: Turn::Every, ..self }
    }

    /// Only calls on these files or directories count and fail. A path is given from the root on,
    /// as the file was opened under it.
    #[must_use]
    pub fn on(self, matches: impl Fn(&Path) -> bool + Send + Sync + 'static) -> Self {
        Self { matches: Arc::new(matches), ..self }
    }

    /// The error is that of the machine with this number, such as 5 (EIO) for a sector that cannot be
    /// read.
    #[must_use]
    pub fn os_error(self, code: i32) -> Self {
        Self { code: Some(code), ..self }
    }

    /// The error is of this kind.
    #[must_use]
    pub fn error(self, kind: io::ErrorKind) -> Self {
        Self { kind: Some(kind), ..self }
    }
}

impl fmt::Debug for Fault {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Fault")
            .field("call", &self.call)
            .field("turn", &self.turn)
            .finish_non_exhaustive()
    }
}

/// The faults that wait for their calls.
#[derive(Debug, Default)]
pub(super) struct Faults(Vec<Fault>);

impl Faults {
    pub(super) fn add(&mut self, fault: Fault) {
        self.0.push(fault);
    }

    pub(super) fn clear(&mut self) {
        self.0.clear();
    }

    /// The error that this call is to fail with.
    pub(super) fn check(&mut self, call: Call, path: &Path) -> Option<io::Error> {
        let mut error = None;
        self.0.retain_mut(|fault| {
            // Each counts for itself, also those behind the one that fails this call.
            if fault.call != call || !(fault.matches)(path) {
                return true;
            }
            match &mut fault.turn {
                Turn::In(calls) if *calls > 1 => {
                    *calls -= 1;
                    return true;
                }
                Turn::In(_) | Turn::Every => {}
            }
            let kind = fault.kind.unwrap_or(io::ErrorKind::Other);
            let what = format!("simulated fault: {call:?} of {}", path.display());
            error.get_or_insert_with(|| match fault.code {
                Some(code) => io::Error::from_raw_os_error(code),
                None => io::Error::new(kind, what),
            });
            matches!(fault.turn, Turn::Every)
        });
        error
    }
}
