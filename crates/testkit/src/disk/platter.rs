use std::collections::BTreeMap;
use std::io;
use std::ops::RangeInclusive;
use std::path::Path;
use std::sync::Arc;
use std::time::Duration;

use fastrand::Rng;

use super::change::{Change, ContentChange, FileId, NameChange, Node};
use super::counts::Counts;
use super::crash::{Lost, sectors};
use super::fault::{Call, Faults};
use super::paths::dir_of;
use super::recording::Recording;
use super::state::{Image, State};
use super::syncing::UnderWay;
use crate::Trace;

/// What a disk is made of, behind its lock: what it holds, and how it behaves.
pub(super) struct Platter {
    pub(super) state: State,
    pub(super) random: Rng,
    /// Which life of the process it is: handles of an earlier one are dead.
    pub(super) life: u64,
    /// How often each file is open.
    pub(super) open: BTreeMap<FileId, usize>,
    /// Who holds the lock on a path.
    pub(super) locks: BTreeMap<Arc<Path>, u64>,
    pub(super) locks_taken: u64,
    pub(super) capacity_bytes: u64,
    pub(super) read_only: bool,
    pub(super) sync_time: RangeInclusive<Duration>,
    pub(super) syncs_begun: u64,
    /// By number. As many as wait for one.
    pub(super) under_way: BTreeMap<u64, UnderWay>,
    pub(super) faults: Faults,
    pub(super) recording: Option<Recording>,
    pub(super) counts: Counts,
    pub(super) trace: Trace,
}

impl Platter {
    pub(super) fn new(state: State, seed: u64) -> Self {
        Self {
            state,
            random: Rng::with_seed(seed),
            life: 0,
            open: BTreeMap::new(),
            locks: BTreeMap::new(),
            locks_taken: 0,
            capacity_bytes: 1 << 40,
            read_only: false,
            sync_time: Duration::ZERO..=Duration::ZERO,
            syncs_begun: 0,
            under_way: BTreeMap::new(),
            faults: Faults::default(),
            recording: None,
            counts: Counts::default(),
            trace: Trace::new(),
        }
    }

    /// Everything that happens to the disk goes through here.
    pub(super) fn perform(&mut self, change: Change) {
        self.trace.note(&change);
        self.state.apply(&change);
        if let Some(recording) = &mut self.recording {
            recording.changes.push(change);
        }
    }

    pub(super) fn check_fault(&mut self, call: Call, path: &Path) -> io::Result<()> {
        match self.faults.check(call, path) {
            None => Ok(()),
            Some(error) => {
                self.counts.faults += 1;
                self.counts.failed_reads += u64::from(call == Call::Read);
                self.counts.failed_writes += u64::from(call == Call::Write);
                self.trace.note(&error);
                Err(error)
            }
        }
    }

    pub(super) fn check_writable(&self) -> io::Result<()> {
        if self.read_only {
            return Err(io::Error::new(io::ErrorKind::ReadOnlyFilesystem, "the disk is read-only"));
        }
        Ok(())
    }

    pub(super) fn check_life(&self, life: u64, path: &Path) -> io::Result<()> {
        if life == self.life {
            return Ok(());
        }
        let path = path.display();
        Err(io::Error::other(format!("{path} was opened before the machine or process stopped")))
    }

    pub(super) fn file(&self, path: &Path) -> io::Result<FileId> {
        match self.state.live.node(path) {
            Some(Node::File(file)) => Ok(file),
            Some(Node::Dir) => Err(refused(io::ErrorKind::IsADirectory, path)),
            None => Err(refused(io::ErrorKind::NotFound, path)),
        }
    }

    pub(super) fn check_dir(&self, path: &Path) -> io::Result<()> {
        match self.state.live.node(path) {
            Some(Node::Dir) => Ok(()),
            Some(Node::File(_)) => Err(refused(io::ErrorKind::NotADirectory, path)),
            None => Err(refused(io::ErrorKind::NotFound, path)),
        }
    }

    pub(super) fn free_bytes(&self) -> u64 {
        self.capacity_bytes.saturating_sub(self.state.live.used_bytes())
    }

    pub(super) fn full(&mut self, path: &Path) -> io::Error {
        self.counts.full += 1;
        self.trace.note(format_args!("full {}", path.display()));
        refused(io::ErrorKind::StorageFull, path)
    }

    pub(super) fn create(&mut self, path: &Arc<Path>) -> io::Result<FileId> {
        self.check_writable()?;
        self.check_dir(dir_of(path))?;
        if self.state.live.node(path).is_some() {
            return Err(refused(io::ErrorKind::AlreadyExists, path));
        }
        // The name itself needs room too, although none is counted for it.
        if self.free_bytes() < super::content::BLOCK {
            return Err(self.full(path));
        }
        let file = self.state.next_file;
        self.perform(Change::Name(NameChange::Create { path: Arc::clone(path), file }));
        Ok(file)
    }

    /// Writes what there is room for, or, if the write is to fail, some part from the beginning.
    pub(super) fn write(
        &mut self,
        file: FileId,
        path: &Path,
        data: &[u8],
        at: u64,
    ) -> io::Result<()> {
        self.check_writable()?;
        if at.checked_add(data.len() as u64).is_none() {
            return Err(refused(io::ErrorKind::FileTooLarge, path));
        }
        let fault = self.check_fault(Call::Write, path);
        let free = self.free_bytes();
        let content = self.state.live.files.get(&file);
        let fits = content.map_or(0, |content| content.fitting(at, data.len(), free));
        let mut written = &data[..fits];
        if fault.is_err() {
            let parts = sectors(at, written.len());
            let part = self.random.usize(..=parts.len());
            written = &written[..parts.get(part).map_or(0, |part| part.start)];
        }
        if !written.is_empty() {
            self.counts.writes += 1;
            let change = ContentChange::Write { at, data: written.into() };
            self.perform(Change::Content(file, change));
        }
        fault?;
        if fits < data.len() { Err(self.full(path)) } else { Ok(()) }
    }

    /// The process ends, and with it its handles and locks; what is lost besides is `lost`.
    pub(super) fn stop(&mut self, lost: Lost) {
        self.settle_syncs();
        self.life += 1;
        self.open.clear();
        self.locks.clear();
        if lost == Lost::None {
            self.counts.restarts += 1;
            self.trace.note("process ended");
            self.sweep();
        } else {
            self.counts.crashes += 1;
            let found = self.state.after_crash(lost, &mut self.random, &mut self.counts);
            self.perform(Change::Crashed(Box::new(found)));
        }
    }

    /// Another disk is in its place, with nothing on it.
    pub(super) fn wipe(&mut self) {
        self.settle_syncs();
        self.life += 1;
        self.open.clear();
        self.locks.clear();
        self.trace.note("wiped");
        let State { seq, next_file, .. } = self.state;
        let empty = State::at_rest(seq, next_file, Image::default());
        self.perform(Change::Crashed(Box::new(empty)));
    }

    /// Lets go of the files that have neither a name nor somebody who has them open.
    pub(super) fn sweep(&mut self) {
        let files: Vec<_> = self.state.durable.files.keys().copied().collect();
        for file in files.into_iter().filter(|file| !self.open.contains_key(file)) {
            self.state.collect(file);
        }
    }
}

/// An error as the operating system's, with the path that it is about.
pub(super) fn refused(kind: io::ErrorKind, path: &Path) -> io::Error {
    io::Error::new(kind, format!("{kind}: {}", path.display()))
}
