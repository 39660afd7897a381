/// The wire types of protobuf that are used.
pub(super) const VARINT: u32 = 0;
pub(super) const FIXED64: u32 = 1;
pub(super) const BYTES: u32 = 2;
pub(super) const FIXED32: u32 = 5;

/// Writes the fields of a message one after the other.
pub(super) struct MessageWriter(Vec<u8>);

impl MessageWriter {
    /// Writes behind `before`, with room for `bytes` more.
    pub(super) fn after(mut before: Vec<u8>, bytes: usize) -> Self {
        before.reserve(bytes);
        Self(before)
    }

    pub(super) fn into_bytes(self) -> Vec<u8> {
        self.0
    }

    /// A number; zero is what an absent one means.
    pub(super) fn number(&mut self, field: u32, number: u64) {
        if number != 0 {
            self.present(field, number);
        }
    }

    /// A number that is there, zero or not.
    pub(super) fn present(&mut self, field: u32, number: u64) {
        self.key(field, VARINT);
        self.varint(number);
    }

    /// A number of fixed width; zero is what an absent one means.
    pub(super) fn fixed(&mut self, field: u32, number: u64) {
        if number != 0 {
            self.key(field, FIXED64);
            self.0.extend_from_slice(&number.to_le_bytes());
        }
    }

    /// Bytes or text that is there, empty or not.
    pub(super) fn bytes(&mut self, field: u32, bytes: &[u8]) {
        self.key(field, BYTES);
        self.varint(bytes.len() as u64);
        self.0.extend_from_slice(bytes);
    }

    /// Numbers, one behind the other; nothing if there are none.
    pub(super) fn packed(&mut self, field: u32, numbers: &[u64]) {
        if !numbers.is_empty() {
            self.nested(field, |out| numbers.iter().for_each(|number| out.varint(*number)));
        }
    }

    /// A message within this one.
    ///
    /// Its length stands before it and is known after it. Room is left for one byte; a longer
    /// length moves what was written, which is cheaper than to measure everything beforehand.
    pub(super) fn nested(&mut self, field: u32, write: impl FnOnce(&mut Self)) {
        self.key(field, BYTES);
        let at = self.0.len();
        self.0.push(0);
        write(self);
        let end = self.0.len();
        let length = end - at - 1;
        if length < 0x80 {
            self.0[at] = length as u8;
            return;
        }
        self.varint(length as u64);
        // The length stands behind the message now, less the byte before it: swap the two.
        let (mut varint, bytes) = ([0; 10], self.0.len() - end);
        varint[..bytes].copy_from_slice(&self.0[end..]);
        self.0.truncate(end + bytes - 1);
        self.0.copy_within(at + 1..end, at + bytes);
        self.0[at..at + bytes].copy_from_slice(&varint[..bytes]);
    }

    fn key(&mut self, field: u32, wire_type: u32) {
        self.varint(u64::from(field << 3 | wire_type));
    }

    fn varint(&mut self, mut number: u64) {
        while number >= 0x80 {
            self.0.push(number as u8 | 0x80);
            number >>= 7;
        }
        self.0.push(number as u8);
    }
}
