use std::vec;

use fastrand::Rng;

use super::change::Change;
use super::counts::Counts;
use super::crash::Lost;
use super::recording::Recording;
use super::sim_disk::SimDisk;
use super::state::State;

/// Every moment of a [`Recording`] at which the power could have gone, and what could have been
/// found then: before the first change, and after each.
///
/// At each moment all that was not durable is once lost and once kept, and then some random part of
/// it is, as often as was asked for. Where everything was durable there is one state only.
///
/// The images share what they hold with the recording, so that thousands of them, also of large
/// files, cost little.
///
/// ```
/// use std::path::Path;
///
/// use catga_host::{Files, Open};
/// use catga_testkit::disk::{CrashStates, SimDisk};
///
/// catga_testkit::block_on(async {
///     let disk = SimDisk::new(7);
///     disk.record();
///     let file = disk.open(Path::new("/wal"), Open::Create)?;
///     file.write_at(b"safe", 0)?;
///     file.sync().await?;
///     disk.sync_dir(Path::new("/")).await?;
///     let promised = disk.recorded();
///     file.write_at(b"not yet", 4)?;
///
///     let recording = disk.recording().expect("it records");
///     for state in CrashStates::new(recording, 7).random(6) {
///         if state.after >= promised {
///             assert_eq!(&state.disk.contents("/wal")?[..4], b"safe");
///         }
///     }
///     std::io::Result::Ok(())
/// })
/// # .expect("a disk in order");
/// ```
#[derive(Debug)]
pub struct CrashStates {
    state: State,
    changes: vec::IntoIter<Change>,
    /// How many changes were played.
    after: usize,
    /// The next of the states at this moment.
    next: usize,
    randoms: usize,
    random: Rng,
    counts: Counts,
}

/// A disk as it could be found.
#[derive(Debug)]
#[non_exhaustive]
pub struct CrashState {
    /// How many of the recorded changes had happened. A promise that was made when the disk said
    /// that it had [recorded](SimDisk::recorded) as many or fewer has to be kept.
    pub after: usize,
    /// What was lost of what was not durable.
    pub lost: Lost,
    /// The disk, after the crash; its syncs take no time.
    pub disk: SimDisk,
}

impl CrashStates {
    /// The states of a recording; what chance decides follows from `seed`.
    pub fn new(recording: Recording, seed: u64) -> Self {
        Self {
            state: recording.base,
            changes: recording.changes.into_iter(),
            after: 0,
            next: 0,
            randoms: 0,
            random: Rng::with_seed(seed),
            counts: Counts::default(),
        }
    }

    /// Tries so many random states at each moment too, besides the one where all that was not
    /// durable is lost and the one where all of it is kept.
    #[must_use]
    pub fn random(self, states: usize) -> Self {
        Self { randoms: states, ..self }
    }

    /// What was lost, kept and torn in the states so far; all else is zero.
    pub fn counts(&self) -> Counts {
        self.counts
    }

    fn here(&mut self, lost: Lost) -> CrashState {
        let found = self.state.after_crash(lost, &mut self.random, &mut self.counts);
        self.counts.crashes += 1;
        let disk = SimDisk::holding(found, self.random.u64(..));
        CrashState { after: self.after, lost, disk }
    }
}

impl Iterator for CrashStates {
    type Item = CrashState;

    fn next(&mut self) -> Option<CrashState> {
        let states = if self.state.is_durable() { 1 } else { 2 + self.randoms };
        if self.next == states {
            self.state.apply(&self.changes.next()?);
            self.after += 1;
            self.next = 0;
        }
        self.next += 1;
        Some(self.here(match self.next {
            1 => Lost::All,
            2 => Lost::None,
            _ => Lost::Some,
        }))
    }
}
