use bytes::{Bytes, BytesMut};
use catga_journal::LogSnapshot;
use openraft::alias::SnapshotMetaOf;

use crate::shipping::Arrived;
use crate::wire::Part;
use crate::{Snapshot, TypeConfig, Vote};

/// A snapshot that comes in parts, in the order of its bytes.
#[derive(Debug)]
pub(super) struct Assembly {
    /// More bytes than this are not kept.
    bytes_max: u64,
    /// One at a time: a committed vote has one leader, and it sends one.
    kept: Option<Kept>,
}

#[derive(Debug)]
struct Kept {
    vote: Vote,
    of: Whole,
    /// It grows by what comes, never by what is announced.
    bytes: BytesMut,
    checksum: u32,
    /// All bytes, once they are there.
    whole: Option<Bytes>,
}

/// Which snapshot: parts of the same one belong together, whoever sends them.
#[derive(Clone, Debug, PartialEq)]
struct Whole {
    meta: SnapshotMetaOf<TypeConfig>,
    total: u64,
    checksum: u32,
}

/// How far the snapshot has come.
pub(super) enum Step {
    /// So many of its bytes are there, from the first.
    Has(u64),
    /// All of it.
    Whole(Box<Arrived>),
}

impl Assembly {
    pub(super) fn new(bytes_max: u64) -> Self {
        Self { bytes_max, kept: None }
    }

    /// Takes a part, if it is the next.
    ///
    /// # Errors
    /// Why it was not taken.
    pub(super) fn take(&mut self, part: &Part) -> Result<Step, String> {
        let Part { vote, total, .. } = *part;
        if total > self.bytes_max {
            return Err(format!(
                "a snapshot of {total} bytes is larger than the {} that are taken",
                self.bytes_max
            ));
        }
        let of = Whole { meta: part.meta.clone(), total, checksum: part.checksum };
        let kept = match self.kept.take() {
            Some(kept) if kept.of == of => {
                let vote = if vote > kept.vote { vote } else { kept.vote };
                Kept { vote, ..kept }
            }
            Some(kept) if kept.vote > vote => {
                let leader = kept.vote;
                self.kept = Some(kept);
                return Err(format!("a snapshot of a later leader is coming: {leader}"));
            }
            _ => Kept { vote, of, bytes: BytesMut::new(), checksum: 0, whole: None },
        };
        let kept = self.kept.insert(kept);
        kept.push(part);
        if kept.has() < total {
            return Ok(Step::Has(kept.has()));
        }
        if kept.checksum != part.checksum {
            self.kept = None;
            return Err("the snapshot came with other bytes than its checksum is of".to_owned());
        }
        let data = kept.whole();
        let snapshot =
            Snapshot { meta: part.meta.clone(), snapshot: LogSnapshot { upto: part.upto, data } };
        Ok(Step::Whole(Box::new(Arrived { vote, snapshot })))
    }

    /// Forgets the snapshot that was installed.
    pub(super) fn forget(&mut self, installed: &SnapshotMetaOf<TypeConfig>) {
        self.kept.take_if(|kept| kept.of.meta == *installed);
    }
}

impl Kept {
    fn has(&self) -> u64 {
        self.whole.as_ref().map_or(self.bytes.len(), Bytes::len) as u64
    }

    /// Anything but the next part is one that came late or twice: the answer says what is next.
    fn push(&mut self, part: &Part) {
        if part.offset == self.has() && self.whole.is_none() {
            self.bytes.extend_from_slice(&part.bytes);
            self.checksum = crc32c::crc32c_append(self.checksum, &part.bytes);
        }
    }

    fn whole(&mut self) -> Bytes {
        let bytes = &mut self.bytes;
        self.whole.get_or_insert_with(|| std::mem::take(bytes).freeze()).clone()
    }
}

#[cfg(test)]
mod tests {
    use openraft::SnapshotMeta;

    use super::*;
    use crate::Membership;
    use crate::records::id_of;

    const DATA: &[u8] = b"the state of the applier";

    fn part(term: u64, index: u64, offset: usize, length: usize) -> Part {
        Part {
            vote: Vote::new_committed(term, 1),
            meta: SnapshotMeta {
                last_log_id: Some(id_of(1, 1, index)),
                last_membership: Membership::default(),
            },
            upto: None,
            total: DATA.len() as u64,
            checksum: crc32c::crc32c(DATA),
            offset: offset as u64,
            bytes: DATA.slice(offset, length),
        }
    }

    trait Slice {
        fn slice(&self, offset: usize, length: usize) -> Bytes;
    }

    impl Slice for [u8] {
        fn slice(&self, offset: usize, length: usize) -> Bytes {
            Bytes::copy_from_slice(&self[offset..offset + length])
        }
    }

    fn has(step: Result<Step, String>) -> Option<u64> {
        match step.expect("it is taken") {
            Step::Has(has) => Some(has),
            Step::Whole(arrived) => {
                assert_eq!(arrived.snapshot.snapshot.data, DATA);
                None
            }
        }
    }

    #[test]
    fn parts_in_order_make_the_whole_and_others_change_nothing() {
        let mut assembly = Assembly::new(100);
        assert_eq!(has(assembly.take(&part(1, 5, 0, 0))), Some(0));
        assert_eq!(has(assembly.take(&part(1, 5, 0, 10))), Some(10));
        assert_eq!(has(assembly.take(&part(1, 5, 0, 10))), Some(10), "it came twice");
        assert_eq!(has(assembly.take(&part(1, 5, 15, 5))), Some(10), "one is missing");
        assert_eq!(has(assembly.take(&part(1, 5, 10, 14))), None);
        // Until it is installed it stays, for a sender that has not heard that it is whole.
        assert_eq!(has(assembly.take(&part(1, 5, 0, 0))), None);
        assembly.forget(&part(1, 5, 0, 0).meta);
        assert_eq!(has(assembly.take(&part(1, 5, 0, 0))), Some(0));
    }

    #[test]
    fn the_same_snapshot_is_resumed_by_a_later_leader_and_no_other_by_an_earlier_one() {
        let mut assembly = Assembly::new(100);
        assert_eq!(has(assembly.take(&part(1, 5, 0, 10))), Some(10));
        assert_eq!(has(assembly.take(&part(2, 5, 0, 0))), Some(10));
        assert!(assembly.take(&part(1, 6, 0, 10)).is_err());
        assert_eq!(has(assembly.take(&part(2, 6, 0, 9))), Some(9));
        assert_eq!(has(assembly.take(&part(2, 5, 0, 0))), Some(0), "another was begun meanwhile");
    }

    #[test]
    fn what_is_too_large_or_damaged_is_refused() {
        let mut assembly = Assembly::new(23);
        assert!(assembly.take(&part(1, 5, 0, 0)).is_err());
        let mut assembly = Assembly::new(100);
        let mut damaged = part(1, 5, 0, 24);
        damaged.bytes = Bytes::from_static(b"another state of that   ");
        assert!(assembly.take(&damaged).is_err());
        assert_eq!(has(assembly.take(&part(1, 5, 0, 0))), Some(0), "nothing of it is kept");
    }
}
