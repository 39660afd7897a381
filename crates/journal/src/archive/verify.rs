//! Every byte of a history's segments, for tools.

use std::collections::BTreeMap;
use std::path::PathBuf;
use std::sync::Arc;

use bytes::Bytes;
use catga_host::Files;

use super::manifest::Manifest;
use super::places::{PLACES_MAX, Places};
use super::sealed::record;
use super::shared::Shared;
use super::{ArchiveOptions, PLACES, RECORD, rolled};
use crate::segment::{Scan, SegmentError, SegmentReader, Tail as FileEnd, frame_bytes};

/// What checkpoints say of the segments in one directory.
#[derive(Debug)]
pub(crate) struct Claims {
    shared: Shared,
    /// By the first offset of the segment.
    segments: BTreeMap<u64, Vec<Claim>>,
}

/// What one checkpoint says of one segment.
#[derive(Clone, Copy, Debug)]
struct Claim {
    last: u64,
    /// Where its last record ends, or for a sealed one how long the file is.
    end: u64,
    hash: u64,
    is_sealed: bool,
}

/// How far the records of a segment were read.
struct Read {
    places: Places,
    hash: u64,
    /// Where the last record ends.
    end: u64,
}

impl Claims {
    pub(crate) fn new(files: Arc<dyn Files>, dir: PathBuf) -> Self {
        let shared = Shared::new(files, dir, ArchiveOptions::default());
        Self { shared, segments: BTreeMap::new() }
    }

    /// Adds what a checkpoint's manifest says; gives the offset of the last record, or none if it
    /// is no manifest.
    pub(crate) fn add(&mut self, manifest: &Bytes) -> Option<u64> {
        let Manifest { sealed, tail } = Manifest::decode(manifest.clone())?;
        for sealed in sealed {
            let (last, end, hash) = (sealed.last, sealed.length, sealed.hash);
            let claim = Claim { last, end, hash, is_sealed: true };
            self.segments.entry(sealed.first).or_default().push(claim);
        }
        if tail.end > 0 {
            let claim = Claim { last: tail.last, end: tail.end, hash: tail.hash, is_sealed: false };
            self.segments.entry(tail.first).or_default().push(claim);
        }
        Some(tail.last)
    }

    /// Reads each segment that is in the directory or in a manifest, and gives what it holds or
    /// what is wrong with it.
    pub(crate) fn verify(&self) -> Vec<(PathBuf, Result<String, SegmentError>)> {
        let mut firsts: Vec<u64> = self.segments.keys().copied().collect();
        // A directory that cannot be listed shows in the files that cannot be opened.
        firsts.extend(self.shared.segments().unwrap_or_default());
        firsts.sort_unstable();
        firsts.dedup();
        let report = |first| (self.shared.path(first), self.segment(first));
        firsts.into_iter().map(report).collect()
    }

    fn segment(&self, first: u64) -> Result<String, SegmentError> {
        let Some(claims) = self.segments.get(&first) else {
            return Ok("no checkpoint has it".to_owned());
        };
        let mut claims = claims.clone();
        claims.sort_unstable_by_key(|claim| claim.last);
        let reader = self.shared.open(first)?;
        let mut scan = reader.scan();
        let mut read = Read { places: Places::default(), hash: 0, end: 0 };
        for claim in &claims {
            read.records(&reader, &mut scan, first, claim)?;
        }
        let last = claims.last().map_or(first, |claim| claim.last);
        let mut found = format!("{} records, offsets {first} to {last}", read.places.len());
        match claims.iter().find(|claim| claim.is_sealed) {
            Some(sealed) => {
                read.rest(&reader, scan, first, sealed.end)?;
                found.push_str(", sealed");
            }
            None if reader.len()? > read.end => {
                found.push_str(&format!("; what is behind byte {} no checkpoint has", read.end));
            }
            None => {}
        }
        Ok(found)
    }
}

impl Read {
    /// Reads the records that a claim has, and those before.
    fn records(
        &mut self,
        reader: &SegmentReader,
        scan: &mut Scan,
        first: u64,
        claim: &Claim,
    ) -> Result<(), SegmentError> {
        while first + self.places.len() <= claim.last {
            let Some(frame) = scan.next()? else { return Err(scan.missing()) };
            let at = frame.at;
            let bytes = record(reader, frame, first + self.places.len())?;
            self.places.push(at);
            self.hash = rolled(self.hash, &bytes);
            self.end = at + frame_bytes(bytes.len());
        }
        if self.hash != claim.hash || !claim.is_sealed && self.end != claim.end {
            return Err(reader.damaged(self.end, "its records are not those of the checkpoint"));
        }
        Ok(())
    }

    /// Reads what is behind the records of a sealed segment.
    fn rest(
        &self,
        reader: &SegmentReader,
        mut scan: Scan,
        first: u64,
        length: u64,
    ) -> Result<(), SegmentError> {
        let mut next = first;
        for expected in self.places.frames(self.end) {
            let Some(frame) = scan.next()? else { return Err(scan.missing()) };
            let is_it = frame.kind == PLACES && frame.position == next;
            if !is_it || frame.payload != expected {
                return Err(reader.damaged(frame.at, "the places of records are wrong"));
            }
            next += PLACES_MAX;
        }
        let behind = scan.at();
        if let Some(frame) = scan.next()? {
            let what = if frame.kind == RECORD { "a record too many" } else { "a frame too many" };
            return Err(reader.damaged(frame.at, what));
        }
        match scan.tail()? {
            FileEnd::Sealed { end } if end == length && reader.len()? == length => Ok(()),
            FileEnd::Sealed { end } => {
                Err(reader.damaged(end.min(length), "it ends elsewhere than when it was sealed"))
            }
            _ => Err(reader.damaged(behind, "its seal is gone")),
        }
    }
}
