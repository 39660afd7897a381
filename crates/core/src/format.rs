use std::fmt;

use serde::Serialize;
use serde::de::DeserializeOwned;

/// Turns payloads into bytes and back. Self-describing, with field names, so that messages evolve.
///
/// The facade brings `MessagePack` and `Json`; a program may bring its own.
///
/// # Contract
/// 1. `decode(encode(x))` equals `x`.
/// 2. A field that the reader does not know is skipped; a missing field takes its serde default.
/// 3. Bytes that are not of this format are an error, never a panic, however long or nested.
pub trait Format: Send + Sync + 'static {
    /// The written name, such as `msgpack`.
    const NAME: &'static str;

    /// Appends `value` to `out`.
    ///
    /// # Errors
    /// When the value cannot be expressed, such as a map with keys that are not text in JSON.
    fn encode<T: Serialize + ?Sized>(value: &T, out: &mut Vec<u8>) -> Result<(), EncodeError>;

    /// Reads one value that takes up all of `bytes`.
    ///
    /// # Errors
    /// When the bytes are not such a value.
    fn decode<T: DeserializeOwned>(bytes: &[u8]) -> Result<T, DecodeError>;
}

/// What can be written to a journal, a peer or a client: any owned type with serde's two derives.
pub trait Wire: Serialize + DeserializeOwned + Send + Sync + 'static {}

impl<T: Serialize + DeserializeOwned + Send + Sync + 'static> Wire for T {}

/// A value could not be written in its format.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct EncodeError(String);

/// Bytes could not be read as the value that was expected.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct DecodeError(String);

impl EncodeError {
    /// What the format said.
    pub fn new(reason: impl fmt::Display) -> Self {
        Self(reason.to_string())
    }
}

impl DecodeError {
    /// What the format said.
    pub fn new(reason: impl fmt::Display) -> Self {
        Self(reason.to_string())
    }
}

impl fmt::Display for EncodeError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

impl fmt::Display for DecodeError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

impl std::error::Error for EncodeError {}
impl std::error::Error for DecodeError {}
