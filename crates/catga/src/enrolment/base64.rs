use std::borrow::Cow;
use std::fmt;
use std::str::FromStr;

use base64::Engine;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use serde::de::Error;
use serde::{Deserialize, Deserializer, Serialize, Serializer};

use crate::StreamKey;

/// So many bytes, such as those of a key, which are written as base64url without padding.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Base64<const N: usize>(pub [u8; N]);

/// The text is not base64url of as many bytes as there must be.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct ParseBase64Error {
    bytes: usize,
}

impl fmt::Display for ParseBase64Error {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "it must be {} bytes as base64url without padding", self.bytes)
    }
}

impl std::error::Error for ParseBase64Error {}

impl<const N: usize> FromStr for Base64<N> {
    type Err = ParseBase64Error;

    fn from_str(text: &str) -> Result<Self, ParseBase64Error> {
        let mut bytes = [0; N];
        match URL_SAFE_NO_PAD.decode_slice(text, &mut bytes) {
            Ok(length) if length == N => Ok(Self(bytes)),
            _ => Err(ParseBase64Error { bytes: N }),
        }
    }
}

impl<const N: usize> fmt::Display for Base64<N> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&URL_SAFE_NO_PAD.encode(self.0))
    }
}

impl<const N: usize> fmt::Debug for Base64<N> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        fmt::Display::fmt(self, f)
    }
}

impl<const N: usize> Serialize for Base64<N> {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.collect_str(self)
    }
}

impl<'de, const N: usize> Deserialize<'de> for Base64<N> {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        let text = Cow::<str>::deserialize(deserializer)?;
        text.parse().map_err(D::Error::custom)
    }
}

impl<const N: usize> StreamKey for Base64<N> {
    fn parts(&self, part: &mut dyn FnMut(&str)) {
        part(&self.to_string());
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn bytes_have_one_text_and_no_other() {
        let bytes = Base64([0xff; 32]);
        let text = bytes.to_string();
        assert_eq!((text.len(), text.parse()), (43, Ok(bytes)));
        // The last character has two bits that count for nothing: they must be 0.
        let spare = format!("{}9", &text[..42]);
        let long = format!("{text}A");
        for other in [&text[..42], &long, &spare, &text.replace('_', "/"), &format!("{text}="), ""]
        {
            assert!(other.parse::<Base64<32>>().is_err(), "{other}");
        }
    }
}
