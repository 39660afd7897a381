use std::collections::BTreeSet;
use std::path::PathBuf;

use catga_journal::segment::{FileKind, FrameKind, SegmentReader};
use catga_testkit::disk::SimDisk;
use fastrand::Rng;

use super::site::Site;
use crate::{Exercised, Invariant, Violation};

/// How many bytes a frame has before its payload.
const FRAME_BYTES: u64 = 24;

/// The frames of a log that hold a vote: one alone, and one with what else is known.
const VOTES: [FrameKind; 2] =
    [FrameKind(FrameKind::OWNER.0 + 3), FrameKind(FrameKind::OWNER.0 + 5)];

/// A bit that a disk has lost of what its node needs to start.
///
/// With a log that is not as it was synced a node must not start. Of checkpoints there is one before
/// the newest, to start from.
#[derive(Debug)]
pub(super) struct Rot {
    what: What,
    path: PathBuf,
    at: u64,
    /// In which life of its process.
    life: u64,
    /// What the file has there now.
    byte: u8,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum What {
    Log,
    Vote,
    Checkpoint,
}

impl Rot {
    /// Has the disk of a site lose a bit; none if nothing of the kind is there yet.
    pub(super) fn of(site: &Site, dice: &mut Rng) -> Option<Self> {
        let disk = site.host.disk();
        let (what, path, at) = match dice.u8(0..3) {
            0 => {
                let path = dice.choice(paths(disk, &["checkpoint", "snapshot"]))?;
                let length = disk.contents(&path).ok()?.len() as u64;
                (What::Checkpoint, path, dice.u64(..length.max(1)))
            }
            _ => in_log(disk, dice)?,
        };
        disk.flip_bit(&path, at).ok()?;
        let byte = byte(disk, &path, at)?;
        Some(Self { what, path, at, life: site.life(), byte })
    }

    pub(super) fn count(&self, exercised: &mut Exercised) {
        let cluster = &mut exercised.cluster;
        match self.what {
            What::Log => cluster.rotten_logs += 1,
            What::Vote => cluster.rotten_votes += 1,
            What::Checkpoint => cluster.rotten_checkpoints += 1,
        }
    }

    /// True if the process of then runs on.
    pub(super) fn is_unseen(&self, site: &Site) -> bool {
        site.life() == self.life
    }

    /// The site serves although this was lost.
    ///
    /// # Errors
    /// When it must not.
    pub(super) fn is_borne(&self, site: &Site) -> Result<(), Violation> {
        let is_there = byte(site.host.disk(), &self.path, self.at) == Some(self.byte);
        match is_there && self.what != What::Checkpoint {
            true => {
                let (name, path, at) = (site.name(), self.path.display(), self.at);
                let what = format!("{name} serves although {path} lost a bit of byte {at}");
                Err(Invariant::Kept.broken(what))
            }
            false => Ok(()),
        }
    }
}

/// A byte of a record in a log that is known to have been synced: what comes behind that is told from
/// a torn write by nobody.
fn in_log(disk: &SimDisk, dice: &mut Rng) -> Option<(What, PathBuf, u64)> {
    let mut found = Vec::new();
    for path in paths(disk, &["log"]) {
        // One that was only made ready may have no head yet.
        let Ok(reader) = SegmentReader::open(disk, &path, FileKind::Log) else { continue };
        let (mut scan, mut frames) = (reader.scan(), Vec::new());
        while let Ok(Some(frame)) = scan.next() {
            frames.push(frame);
        }
        frames.retain(|frame| frame.end() <= scan.synced());
        found.extend(frames.into_iter().map(|frame| (path.clone(), frame)));
    }
    // Votes are few among entries.
    let kinds: BTreeSet<_> = found.iter().map(|(_, frame)| frame.kind).collect();
    let kind = dice.choice(kinds)?;
    found.retain(|(_, frame)| frame.kind == kind);
    let (path, frame) = dice.choice(found)?;
    let at = frame.at + dice.u64(..FRAME_BYTES + frame.payload.len() as u64);
    let what = if VOTES.contains(&kind) { What::Vote } else { What::Log };
    Some((what, path, at))
}

/// All files of a disk whose names end so.
fn paths(disk: &SimDisk, ends: &[&str]) -> Vec<PathBuf> {
    let mut paths = disk.paths();
    paths.retain(|path| path.extension().is_some_and(|end| ends.iter().any(|it| end == *it)));
    paths
}

fn byte(disk: &SimDisk, path: &PathBuf, at: u64) -> Option<u8> {
    disk.contents(path).ok()?.get(usize::try_from(at).ok()?).copied()
}
