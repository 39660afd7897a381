use std::fmt;
use std::io;
use std::path::Path;
use std::sync::Arc;

use crate::BoxFuture;

/// The files of a machine: real, or a simulated disk's.
///
/// Calls block as those of the operating system do, so they belong on a task of
/// [`Host::spawn_thread`](crate::Host::spawn_thread), apart from short reads. Only syncing is
/// asynchronous: on a real machine it blocks where it is awaited, in a simulation it takes
/// simulated time, during which others go on writing.
///
/// # Contract
/// 1. What was written can be read at once, by everybody, and survives the end of the process.
/// 2. It survives the loss of power once a [`sync`](File::sync) that began after the write has
///    ended well. Before that, any part of it may be there or not, in any order, also a part of
///    one write.
/// 3. That a file exists under a name survives the loss of power once a
///    [`sync_dir`](Self::sync_dir) of its directory that began afterwards has ended well. Before
///    that a file that was created, renamed or removed may be found as before or as after.
/// 4. After a sync that failed, nobody knows what of the writes before it survives: whoever
///    promised their survival has to stop.
/// 5. A rename puts one file in the place of another in one step.
pub trait Files: fmt::Debug + Send + Sync + 'static {
    /// Opens a file.
    ///
    /// # Errors
    /// As the operating system's: `NotFound`, `AlreadyExists`, `PermissionDenied`,
    /// `ReadOnlyFilesystem`, and so on.
    fn open(&self, path: &Path, open: Open) -> io::Result<Arc<dyn File>>;

    /// Makes a directory and those above it, where they are missing. Durable when it returns.
    ///
    /// # Errors
    /// As the operating system's.
    fn create_dir(&self, path: &Path) -> BoxFuture<'_, io::Result<()>>;

    /// The names in a directory, in order.
    ///
    /// # Errors
    /// As the operating system's.
    fn list(&self, dir: &Path) -> io::Result<Vec<String>>;

    /// Gives a file another name; one that had that name before is gone.
    ///
    /// # Errors
    /// As the operating system's.
    fn rename(&self, from: &Path, to: &Path) -> io::Result<()>;

    /// Removes a file.
    ///
    /// # Errors
    /// As the operating system's.
    fn remove(&self, path: &Path) -> io::Result<()>;

    /// Makes the names in a directory durable.
    ///
    /// # Errors
    /// As the operating system's; see the contract, 4.
    fn sync_dir(&self, dir: &Path) -> BoxFuture<'_, io::Result<()>>;

    /// Takes a lock that one holder in all processes of the machine can have: on the file at
    /// `path`, which is made if it is missing. Dropping it, or the end of the process, gives it
    /// back.
    ///
    /// # Errors
    /// `WouldBlock` when somebody has it.
    fn lock(&self, path: &Path) -> io::Result<Lock>;

    /// How many bytes can still be written to the file system of `dir`.
    ///
    /// # Errors
    /// As the operating system's.
    fn space(&self, dir: &Path) -> io::Result<u64>;
}

/// An open file. Several tasks may use it at once; each call says where.
pub trait File: fmt::Debug + Send + Sync + 'static {
    /// How long it is.
    ///
    /// # Errors
    /// As the operating system's.
    fn len(&self) -> io::Result<u64>;

    /// True if it is zero bytes long.
    ///
    /// # Errors
    /// As the operating system's.
    fn is_empty(&self) -> io::Result<bool> {
        Ok(self.len()? == 0)
    }

    /// Fills `buffer` with what stands from `offset` on.
    ///
    /// # Errors
    /// As the operating system's; `UnexpectedEof` when the file ends before.
    fn read_at(&self, buffer: &mut [u8], offset: u64) -> io::Result<()>;

    /// Writes all of `data` from `offset` on; the file grows where it must.
    ///
    /// # Errors
    /// As the operating system's: `StorageFull`; a part may have been written.
    fn write_at(&self, data: &[u8], offset: u64) -> io::Result<()>;

    /// Makes the file `len` bytes long and reserves room for all of it, so that writing within it
    /// cannot fail for want of room. What was not written reads as zero. Never makes it shorter.
    ///
    /// # Errors
    /// As the operating system's: `StorageFull`.
    fn allocate(&self, len: u64) -> io::Result<()>;

    /// Cuts or lengthens the file to `len` bytes.
    ///
    /// # Errors
    /// As the operating system's.
    fn set_len(&self, len: u64) -> io::Result<()>;

    /// Makes everything durable that was written before the call: content and length.
    ///
    /// # Errors
    /// As the operating system's; see the contract of [`Files`], 4.
    fn sync(&self) -> BoxFuture<'_, io::Result<()>>;
}

/// What a file is opened for.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
#[non_exhaustive]
pub enum Open {
    /// To be read; it must be there.
    Read,
    /// To be read and written; it must be there.
    Write,
    /// To be read and written; it must not be there yet.
    Create,
}

/// An exclusive lock, until it is dropped.
pub struct Lock(#[expect(dead_code, reason = "it is held, not used")] Box<dyn Send + Sync>);

impl Lock {
    /// A lock that ends when `held` is dropped.
    pub fn new(held: impl Send + Sync + 'static) -> Self {
        Self(Box::new(held))
    }
}

impl fmt::Debug for Lock {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Lock").finish_non_exhaustive()
    }
}
