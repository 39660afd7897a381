use std::collections::VecDeque;

use bytes::Bytes;

/// The pieces of a message, one after another, of which the first may be taken away.
#[derive(Debug, Default)]
pub(super) struct Pieces {
    pieces: VecDeque<Bytes>,
    bytes: usize,
}

impl Pieces {
    /// How many bytes are left.
    pub(super) fn bytes(&self) -> usize {
        self.bytes
    }

    /// Adds the next `max` bytes, or what is left, to `taken`. Nothing is copied.
    pub(super) fn take(&mut self, max: usize, taken: &mut Vec<Bytes>) {
        let mut room = max;
        while room > 0
            && let Some(first) = self.pieces.front_mut()
        {
            if first.len() > room {
                taken.push(first.split_to(room));
                self.bytes -= room;
                return;
            }
            room -= first.len();
            self.bytes -= first.len();
            taken.extend(self.pieces.pop_front());
        }
    }
}

impl From<Vec<Bytes>> for Pieces {
    fn from(mut pieces: Vec<Bytes>) -> Self {
        pieces.retain(|piece| !piece.is_empty());
        let bytes = pieces.iter().map(Bytes::len).sum();
        Self { pieces: pieces.into(), bytes }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn pieces_are_cut_where_the_room_ends() {
        let parts = ["ab", "", "cdefg", "h"].map(|text| Bytes::from_static(text.as_bytes()));
        let mut pieces = Pieces::from(parts.to_vec());
        let mut cuts = Vec::new();
        while pieces.bytes() > 0 {
            let mut taken = Vec::new();
            pieces.take(3, &mut taken);
            cuts.push(taken.concat());
        }
        assert_eq!(cuts, [b"abc".to_vec(), b"def".to_vec(), b"gh".to_vec()]);
    }
}
