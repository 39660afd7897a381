use bytes::Bytes;
use catga_fuzz::Choices;
use openraft::SnapshotMeta;

use super::assembly::{Assembly, Step};
use crate::records::id_of;
use crate::wire::{Part, read_snapshot_part, snapshot_part};
use crate::{Membership, Vote};

const MAX: u64 = 500;

/// Parts in whatever order, of whatever leaders: a snapshot is whole only where its bytes are those of
/// its checksum, and no more is kept than came.
#[test]
fn a_snapshot_that_comes_in_parts_is_what_its_checksum_says() {
    catga_fuzz::target!(5_000, 1024, |input: &[u8]| {
        let mut choices = Choices::new(input);
        let data: [Bytes; 2] = [choices.bytes(200), choices.bytes(9)].map(Bytes::copy_from_slice);
        let mut assembly = Assembly::new(MAX);
        let mut came = 0;
        while !choices.is_over() {
            let which = choices.below(2);
            let whole = &data[which];
            let offset = choices.below(whole.len() + 1);
            let length = choices.below(whole.len() - offset + 1);
            let mut part = Part {
                vote: Vote::new_committed(choices.below(3) as u64, 1),
                meta: SnapshotMeta {
                    last_log_id: Some(id_of(1, 1, which as u64)),
                    last_membership: Membership::default(),
                },
                upto: None,
                total: whole.len() as u64,
                checksum: crc32c::crc32c(whole),
                offset: offset as u64,
                bytes: whole.slice(offset..offset + length),
            };
            match choices.byte() {
                0 => part.total = choices.number(),
                1 => part.checksum = choices.number() as u32,
                2 => part.offset = choices.number(),
                3 => part.bytes = Bytes::copy_from_slice(choices.bytes(40)),
                _ => {}
            }
            // As it comes from a peer.
            let sent = snapshot_part(&part).concat().into();
            let Ok(part) = read_snapshot_part(sent) else { continue };
            came += part.bytes.len() as u64;
            match assembly.take(&part) {
                Ok(Step::Has(has)) => assert!(has <= came && has < part.total),
                Ok(Step::Whole(arrived)) => {
                    let data = arrived.snapshot.snapshot.data;
                    assert_eq!(crc32c::crc32c(&data), part.checksum);
                    assert_eq!(arrived.snapshot.meta, part.meta);
                    assert_eq!(data.len() as u64, part.total);
                }
                Err(why) => assert!(why.contains("snapshot"), "{why}"),
            }
        }
    });
}
