use super::RestoreError;

/// Writes numbers and texts one after the other.
#[derive(Default)]
pub(super) struct Writer(pub(super) Vec<u8>);

impl Writer {
    pub(super) fn number(&mut self, number: u64) {
        self.0.extend_from_slice(&number.to_le_bytes());
    }

    pub(super) fn count(&mut self, count: usize) {
        self.number(count as u64);
    }

    pub(super) fn bytes(&mut self, bytes: &[u8]) {
        self.count(bytes.len());
        self.0.extend_from_slice(bytes);
    }
}

/// Reads them again and trusts nothing.
pub(super) struct Reader<'a>(pub(super) &'a [u8]);

impl<'a> Reader<'a> {
    pub(super) fn number(&mut self, what: &'static str) -> Result<u64, RestoreError> {
        let (number, rest) = self.0.split_first_chunk().ok_or(RestoreError::Corrupt { what })?;
        self.0 = rest;
        Ok(u64::from_le_bytes(*number))
    }

    /// A number that is at most `max`.
    pub(super) fn number_to(&mut self, max: u64, what: &'static str) -> Result<u64, RestoreError> {
        let number = self.number(what)?;
        if number > max {
            return Err(RestoreError::Corrupt { what });
        }
        Ok(number)
    }

    /// How many items of at least `item_bytes` follow: never more than the bytes that are left can
    /// hold, so that memory may be reserved for them.
    pub(super) fn count(
        &mut self,
        item_bytes: usize,
        what: &'static str,
    ) -> Result<usize, RestoreError> {
        let count = self.number(what)?;
        match usize::try_from(count) {
            Ok(count) if count <= self.0.len() / item_bytes => Ok(count),
            _ => Err(RestoreError::Corrupt { what }),
        }
    }

    pub(super) fn bytes(&mut self, what: &'static str) -> Result<&'a [u8], RestoreError> {
        let bytes = self.count(1, what)?;
        let (bytes, rest) = self.0.split_at(bytes);
        self.0 = rest;
        Ok(bytes)
    }

    pub(super) fn text(&mut self, what: &'static str) -> Result<&'a str, RestoreError> {
        str::from_utf8(self.bytes(what)?).map_err(|_| RestoreError::Corrupt { what })
    }
}
