//! Every byte of a history's segments, for tools.

use std::collections::BTreeMap;
use std::path::PathBuf;
use std::sync::Arc;

use bytes::Bytes;
use catga_host::Files;

use super::read::Read;
use super::shared::Shared;
use super::{ArchiveOptions, Manifest, Sealed};
use crate::amount::amount;
use crate::segment::SegmentError;

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
    hash: u64,
    is_sealed: bool,
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
            let Sealed { last, hash, .. } = sealed;
            let claim = Claim { last, hash, is_sealed: true };
            self.segments.entry(sealed.first).or_default().push(claim);
        }
        if tail.end > 0 {
            let claim = Claim { last: tail.last, hash: tail.hash, is_sealed: false };
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
        let mut read = Read::new(first);
        for claim in &claims {
            read.records(&reader, &mut scan, claim.last)?;
            read.compare(&reader, claim.hash)?;
        }
        let last = claims.last().map_or(first, |claim| claim.last);
        let mut found = format!("{}, offsets {first} to {last}", amount(read.count(), "record"));
        if claims.iter().any(|claim| claim.is_sealed) {
            // Not the length that the checkpoint says: one from another node may stand there.
            read.rest(&reader, scan, reader.len()?)?;
            found.push_str(", sealed");
        } else if reader.len()? > read.end() {
            found.push_str(&format!("; what is behind byte {} no checkpoint has", read.end()));
        }
        Ok(found)
    }
}
