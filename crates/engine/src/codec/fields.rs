use super::message::{BYTES, FIXED32, FIXED64, VARINT};
use crate::DecodeEntryError;

type Result<T> = std::result::Result<T, DecodeEntryError>;

/// Reads the fields of a message one after the other, and trusts nothing.
#[derive(Clone, Copy)]
pub(super) struct Fields<'a>(&'a [u8]);

/// One field as it stands in the message.
pub(super) struct Field<'a> {
    pub(super) number: u32,
    value: Value<'a>,
}

enum Value<'a> {
    Varint(u64),
    Fixed(u64),
    Bytes(&'a [u8]),
    /// Of a width that no known field has.
    Other,
}

#[cold]
fn malformed(reason: &'static str) -> DecodeEntryError {
    DecodeEntryError::Malformed { reason }
}

impl<'a> Fields<'a> {
    pub(super) fn new(message: &'a [u8]) -> Self {
        Self(message)
    }

    /// The next field; none at the end of the message.
    pub(super) fn next(&mut self) -> Result<Option<Field<'a>>> {
        if self.0.is_empty() {
            return Ok(None);
        }
        let key = u32::try_from(self.varint()?).map_err(|_| malformed("a field number"))?;
        let value = match key & 7 {
            VARINT => Value::Varint(self.varint()?),
            FIXED64 => Value::Fixed(u64::from_le_bytes(self.chunk()?)),
            BYTES => Value::Bytes(self.bytes()?),
            FIXED32 => {
                self.chunk::<4>()?;
                Value::Other
            }
            _ => return Err(malformed("a wire type")),
        };
        match key >> 3 {
            0 => Err(malformed("a field number")),
            number => Ok(Some(Field { number, value })),
        }
    }

    fn varint(&mut self) -> Result<u64> {
        let mut number = 0;
        for (at, byte) in self.0.iter().take(10).enumerate() {
            number |= u64::from(byte & 0x7F) << (7 * at);
            if byte & 0x80 == 0 {
                if at == 9 && *byte > 1 {
                    return Err(malformed("a number over 64 bits"));
                }
                self.0 = &self.0[at + 1..];
                return Ok(number);
            }
        }
        Err(malformed("a number that does not end"))
    }

    fn chunk<const BYTES: usize>(&mut self) -> Result<[u8; BYTES]> {
        let (chunk, rest) = self.0.split_first_chunk().ok_or(malformed("a cut number"))?;
        self.0 = rest;
        Ok(*chunk)
    }

    fn bytes(&mut self) -> Result<&'a [u8]> {
        let length = usize::try_from(self.varint()?).unwrap_or(usize::MAX);
        let (bytes, rest) = self.0.split_at_checked(length).ok_or(malformed("a cut field"))?;
        self.0 = rest;
        Ok(bytes)
    }
}

impl<'a> Field<'a> {
    pub(super) fn number(&self) -> Result<u64> {
        match self.value {
            Value::Varint(number) => Ok(number),
            _ => Err(malformed("a field that must be a number")),
        }
    }

    pub(super) fn number_32(&self) -> Result<u32> {
        u32::try_from(self.number()?).map_err(|_| malformed("a number over 32 bits"))
    }

    pub(super) fn fixed(&self) -> Result<u64> {
        match self.value {
            Value::Fixed(number) => Ok(number),
            _ => Err(malformed("a field that must be a fixed number")),
        }
    }

    pub(super) fn bytes(&self) -> Result<&'a [u8]> {
        match self.value {
            Value::Bytes(bytes) => Ok(bytes),
            _ => Err(malformed("a field that must be bytes")),
        }
    }

    pub(super) fn text(&self, field: &'static str) -> Result<&'a str> {
        str::from_utf8(self.bytes()?).map_err(|_| DecodeEntryError::Invalid { field })
    }

    pub(super) fn fields(&self) -> Result<Fields<'a>> {
        self.bytes().map(Fields)
    }

    /// Adds the field's numbers, packed or single: a protobuf reader takes both.
    pub(super) fn numbers(&self, into: &mut Vec<u64>) -> Result<()> {
        if let Value::Varint(number) = self.value {
            into.push(number);
            return Ok(());
        }
        let mut packed = self.fields()?;
        while !packed.0.is_empty() {
            into.push(packed.varint()?);
        }
        Ok(())
    }
}
