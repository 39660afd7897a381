use std::fs::{File, OpenOptions};
use std::io::{self, Write};
use std::path::Path;
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Mutex, PoisonError};
use std::time::Instant;

use crate::{Operation, Outcome};

/// Writes a history while clients work, so that it survives whoever runs them.
#[derive(Debug)]
pub struct Recorder {
    file: Mutex<File>,
    begun: Instant,
    next: AtomicU64,
}

impl Recorder {
    /// Begins a history in a file that does not exist yet.
    ///
    /// # Errors
    /// When it does, or cannot be made.
    pub fn create(path: &Path) -> io::Result<Self> {
        let file = OpenOptions::new().append(true).create_new(true).open(path)?;
        Ok(Self { file: Mutex::new(file), begun: Instant::now(), next: AtomicU64::new(1) })
    }

    /// The time of the history, in nanoseconds.
    pub fn now(&self) -> u64 {
        u64::try_from(self.begun.elapsed().as_nanos()).unwrap_or(u64::MAX)
    }

    /// Notes an operation that is sent now, and gives it its number and its time. Until more is
    /// known of it, its outcome is unknown.
    ///
    /// # Errors
    /// When the file takes no more.
    pub fn invoke(&self, mut operation: Operation) -> io::Result<Operation> {
        operation.number = self.next.fetch_add(1, Ordering::Relaxed);
        operation.outcome = Outcome::Unknown;
        operation.position = None;
        operation.returned = u64::MAX;
        // The line is written before the request, so the time that it begins is not too late.
        operation.invoked = self.now();
        self.write(&operation)?;
        Ok(operation)
    }

    /// Notes what came of an operation, which its client hears now.
    ///
    /// # Errors
    /// When the file takes no more.
    pub fn returned(&self, operation: &mut Operation) -> io::Result<()> {
        operation.returned = self.now();
        self.write(operation)
    }

    fn write(&self, operation: &Operation) -> io::Result<()> {
        let mut line = serde_json::to_vec(operation)?;
        line.push(b'\n');
        // One write for a line: of a process that is killed a line is there or is not.
        self.file.lock().unwrap_or_else(PoisonError::into_inner).write_all(&line)
    }
}
