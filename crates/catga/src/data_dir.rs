use std::path::PathBuf;
use std::sync::Arc;
use std::time::Duration;

use catga_cluster::{DataOptions, open_alone};
use catga_core::{Fault, Layer, NodeName};
use catga_host::Host;
use catga_runtime::{Backend, Builder, Parts, StartFault};

/// One process on disk: what was acknowledged survives the loss of power.
///
/// It is a Raft cluster of one node, so that it can grow later without moving its data. The
/// directory belongs to one node, under one name, and to one process at a time.
///
/// ```no_run
/// # use std::time::Duration;
/// use catga::DataDir;
///
/// let data = DataDir::new("data/node1").checkpoint_bytes(8 << 20);
/// ```
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct DataDir {
    dir: PathBuf,
    checkpoint_bytes: usize,
    checkpoint_interval: Duration,
    log_kept_bytes: usize,
    segment_bytes: u64,
    key_retention: Option<Duration>,
}

/// The smallest segment of the log.
const SEGMENT_MIN: u64 = 4096;
/// The largest: frames know their place in a file up to 32 GiB, and a segment is reserved at once.
const SEGMENT_MAX: u64 = 1 << 30;

impl DataDir {
    /// The directory `dir`, which is made if it is missing.
    pub fn new(dir: impl Into<PathBuf>) -> Self {
        let DataOptions { pace, storage, .. } = DataOptions::new(NodeName::new(""), "");
        Self {
            dir: dir.into(),
            checkpoint_bytes: pace.bytes,
            checkpoint_interval: pace.interval,
            log_kept_bytes: pace.log_kept_bytes,
            segment_bytes: storage.segment_bytes,
            key_retention: None,
        }
    }

    /// How many bytes of the log are applied before a checkpoint begins (32 MiB): a restart applies
    /// about twice as much again, and as much is in memory.
    #[must_use]
    pub fn checkpoint_bytes(mut self, bytes: usize) -> Self {
        self.checkpoint_bytes = bytes;
        self
    }

    /// The time from the beginning of one checkpoint to that of the next, at least (1 s).
    #[must_use]
    pub fn checkpoint_interval(mut self, interval: Duration) -> Self {
        self.checkpoint_interval = interval;
        self
    }

    /// How many bytes the log keeps behind the last checkpoint but one (64 MiB).
    #[must_use]
    pub fn log_kept_bytes(mut self, bytes: usize) -> Self {
        self.log_kept_bytes = bytes;
        self
    }

    /// How long a file of the log is, in bytes (16 MiB). The next one is reserved before it is
    /// needed; while the disk has no room for it, commands are refused.
    #[must_use]
    pub fn segment_bytes(mut self, bytes: u64) -> Self {
        self.segment_bytes = bytes;
        self
    }

    /// How long a key from outside is remembered (24 h), for simulations: it takes part in verdicts,
    /// so nothing may ever change it for a journal that is there.
    #[doc(hidden)]
    #[must_use]
    pub fn key_retention(mut self, retention: Duration) -> Self {
        self.key_retention = Some(retention);
        self
    }
}

impl DataDir {
    /// The same in another directory.
    pub(crate) fn at(self, dir: impl Into<PathBuf>) -> Self {
        Self { dir: dir.into(), ..self }
    }

    /// What the node called `node` keeps in it, and how.
    pub(crate) fn options(self, node: NodeName) -> DataOptions {
        let mut options = DataOptions::new(node, self.dir);
        options.pace.bytes = self.checkpoint_bytes;
        options.pace.interval = self.checkpoint_interval;
        options.pace.log_kept_bytes = self.log_kept_bytes;
        options.storage.segment_bytes = self.segment_bytes;
        if let Some(retention) = self.key_retention {
            options.replica.limits.key_retention_ms = retention.as_millis() as u64;
        }
        options
    }
}

impl<P: Into<PathBuf>> From<P> for DataDir {
    fn from(dir: P) -> Self {
        Self::new(dir)
    }
}

impl Backend for DataDir {
    fn check(&self, faults: &mut Vec<StartFault>) {
        let mut bad = |option, value: String, why: &str| {
            faults.push(StartFault::BadOption { option, value, why: why.to_owned() });
        };
        if self.dir.as_os_str().is_empty() {
            bad("data_dir", "\"\"".to_owned(), "it must name a directory");
        }
        if self.checkpoint_bytes == 0 {
            bad("checkpoint_bytes", "0".to_owned(), "each entry would be a checkpoint");
        }
        if !(SEGMENT_MIN..=SEGMENT_MAX).contains(&self.segment_bytes) {
            let why = format!("it must be from {SEGMENT_MIN} to {SEGMENT_MAX} bytes");
            bad("segment_bytes", self.segment_bytes.to_string(), &why);
        }
    }

    async fn open(self, host: Arc<dyn Host>, node: NodeName) -> Result<Parts, Fault> {
        let (replica, dir) = open_alone(host, self.options(node)).await?;
        Ok(Parts::new(replica).with_views(dir.files(), dir.views()))
    }
}

/// Puts a node on disk.
pub trait OnDisk {
    /// The builder with its backend in place of the former one.
    type Builder;

    /// Keeps what the node records in the directory `dir`: what was acknowledged survives the loss
    /// of power.
    #[must_use]
    fn data_dir(self, dir: impl Into<DataDir>) -> Self::Builder;
}

impl<B: Backend, E: Layer, H: Layer> OnDisk for Builder<B, E, H> {
    type Builder = Builder<DataDir, E, H>;

    fn data_dir(self, dir: impl Into<DataDir>) -> Self::Builder {
        self.backend(dir.into())
    }
}
