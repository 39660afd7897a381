use bolero::{Driver, ValueGenerator};

/// The longest file that a corpus may have.
pub const FILE_MAX: usize = 1 << 20;

/// What a target is tried on: each file of its corpus as it is, and random inputs of any length up to
/// a bound. Of those that bolero makes of itself none has more than 64 bytes.
#[derive(Clone, Copy, Debug)]
pub struct Inputs {
    /// The longest random input.
    pub bytes_max: usize,
}

impl ValueGenerator for Inputs {
    type Output = Vec<u8>;

    fn generate<D: Driver>(&self, driver: &mut D) -> Option<Vec<u8>> {
        // A file is given whole, whatever is asked for.
        let lengths = || (0, Some(self.bytes_max));
        driver.gen_from_bytes(lengths, |bytes| Some((bytes.len(), bytes.to_vec())))
    }
}
