//! The manifest of a backup as bytes: a protobuf message, so that later builds can say more, in a
//! file of one frame.

use bytes::Bytes;
use catga_core::{NodeName, Position, Timestamp};
use prost::Message;

use super::Backup;
use super::kept::{Kept, Kind};
use crate::stored::manifest::{Manifest, Piece};

/// One backup: where it comes from, the checkpoint that it is of, and where the pieces of that are.
#[derive(Clone, Debug, PartialEq)]
pub(crate) struct Record {
    pub(super) number: u64,
    pub(super) cluster: String,
    pub(super) node: NodeName,
    pub(super) at: Timestamp,
    /// How many pieces and bytes were copied for it.
    pub(super) new: (u64, u64),
    pub(super) manifest: Manifest,
    /// The files of the manifest's pieces, in its order.
    pub(super) kept: Vec<Kept>,
}

#[derive(Clone, PartialEq, Message)]
struct BackupMessage {
    #[prost(string, tag = "1")]
    cluster: String,
    #[prost(string, tag = "2")]
    node: String,
    #[prost(uint64, tag = "3")]
    at_ms: u64,
    #[prost(uint64, tag = "4")]
    new_pieces: u64,
    #[prost(uint64, tag = "5")]
    new_bytes: u64,
    #[prost(bytes = "bytes", tag = "6")]
    manifest: Bytes,
    #[prost(message, repeated, tag = "7")]
    pieces: Vec<KeptMessage>,
}

#[derive(Clone, PartialEq, Message)]
struct KeptMessage {
    #[prost(uint32, tag = "1")]
    kind: u32,
    #[prost(uint64, tag = "2")]
    length: u64,
    #[prost(bytes = "bytes", tag = "3")]
    hash: Bytes,
}

impl Record {
    /// What it says of itself.
    pub(crate) fn backup(&self) -> Backup {
        let (incarnation, offset) = (self.manifest.incarnation, self.manifest.offset());
        Backup {
            number: self.number,
            position: Position { incarnation, partition: 0, offset },
            at: self.at,
            cluster: self.cluster.clone(),
            node: self.node.clone(),
            pieces: self.kept.len() as u64,
            bytes: self.kept.iter().map(|kept| kept.length).sum(),
            new_pieces: self.new.0,
            new_bytes: self.new.1,
        }
    }

    /// Its pieces, each with the file that has it, and of the length that it has there.
    pub(super) fn pieces(&self) -> Vec<(Piece, Kept)> {
        let pieces = self.manifest.pieces().into_iter();
        pieces
            .zip(&self.kept)
            .map(|(piece, kept)| (piece.in_a_file_of(kept.length), *kept))
            .collect()
    }

    pub(super) fn encode(&self) -> Vec<u8> {
        let kept = |kept: &Kept| KeptMessage {
            kind: kept.kind.code(),
            length: kept.length,
            hash: Bytes::copy_from_slice(&kept.hash),
        };
        let message = BackupMessage {
            cluster: self.cluster.clone(),
            node: self.node.as_str().to_owned(),
            at_ms: self.at.as_millis(),
            new_pieces: self.new.0,
            new_bytes: self.new.1,
            manifest: self.manifest.encode(),
            pieces: self.kept.iter().map(kept).collect(),
        };
        message.encode_to_vec()
    }

    /// None if the bytes are no manifest of a backup that this build reads.
    pub(super) fn decode(number: u64, bytes: Bytes) -> Option<Self> {
        let message = BackupMessage::decode(bytes).ok()?;
        let manifest = Manifest::decode(&message.manifest)?;
        let kept = message.pieces.into_iter().map(|piece| {
            let (kind, length) = (Kind::of_code(piece.kind)?, piece.length);
            Some(Kept { kind, length, hash: piece.hash.as_ref().try_into().ok()? })
        });
        let kept = kept.collect::<Option<Vec<_>>>()?;
        let kinds = kept.iter().map(|kept| kept.kind);
        if !manifest.pieces().iter().map(Kind::of).eq(kinds) {
            return None;
        }
        Some(Self {
            number,
            cluster: message.cluster,
            node: NodeName::new(message.node),
            at: Timestamp::from_millis(message.at_ms),
            new: (message.new_pieces, message.new_bytes),
            manifest,
            kept,
        })
    }
}
