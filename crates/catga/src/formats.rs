use catga_core::{DecodeError, EncodeError, Format};
use serde::de::{DeserializeOwned, IgnoredAny};
use serde::{Deserialize, Serialize};

/// MessagePack with field names: compact, self-describing, and open to new fields. The default.
#[derive(Clone, Copy, Debug)]
pub struct MessagePack;

/// No payload nests deeper than this: the reader is recursive, and bytes come from outside.
const DEPTH: usize = 128;

impl Format for MessagePack {
    const NAME: &'static str = "msgpack";

    fn encode<T: Serialize + ?Sized>(value: &T, out: &mut Vec<u8>) -> Result<(), EncodeError> {
        rmp_serde::encode::write_named(out, value).map_err(EncodeError::new)
    }

    fn decode<T: DeserializeOwned>(bytes: &[u8]) -> Result<T, DecodeError> {
        let mut reader = rmp_serde::Deserializer::from_read_ref(bytes);
        reader.set_max_depth(DEPTH);
        let value = T::deserialize(&mut reader).map_err(DecodeError::new)?;
        // The reader does not say where it stands, but it finds no marker where nothing is left.
        match IgnoredAny::deserialize(&mut reader) {
            Err(rmp_serde::decode::Error::InvalidMarkerRead(_)) => Ok(value),
            _ => Err(DecodeError::new("bytes follow the value")),
        }
    }
}

/// JSON, for payloads that people read.
#[cfg(feature = "json")]
#[derive(Clone, Copy, Debug)]
pub struct Json;

#[cfg(feature = "json")]
impl Format for Json {
    const NAME: &'static str = "json";

    fn encode<T: Serialize + ?Sized>(value: &T, out: &mut Vec<u8>) -> Result<(), EncodeError> {
        serde_json::to_writer(out, value).map_err(EncodeError::new)
    }

    fn decode<T: DeserializeOwned>(bytes: &[u8]) -> Result<T, DecodeError> {
        serde_json::from_slice(bytes).map_err(DecodeError::new)
    }
}

#[cfg(test)]
mod tests {

    use super::*;

    #[derive(Debug, PartialEq, Serialize, Deserialize)]
    struct Old {
        id: u64,
    }

    #[derive(Debug, PartialEq, Serialize, Deserialize)]
    struct New {
        id: u64,
        #[serde(default)]
        note: Option<String>,
    }

    fn through<F: Format, A: Serialize, B: DeserializeOwned>(value: &A) -> Result<B, DecodeError> {
        let mut bytes = Vec::new();
        F::encode(value, &mut bytes).expect("a plain struct");
        F::decode(&bytes)
    }

    #[test]
    fn a_message_can_gain_and_lose_a_field() {
        let new = New { id: 1, note: Some("x".into()) };
        assert_eq!(through::<MessagePack, _, Old>(&new), Ok(Old { id: 1 }));
        assert_eq!(through::<MessagePack, _, New>(&Old { id: 1 }), Ok(New { id: 1, note: None }));
    }

    #[test]
    fn a_read_model_may_have_maps_with_any_keys() {
        use std::collections::{BTreeMap, HashMap};

        #[derive(Debug, PartialEq, Eq, Hash, PartialOrd, Ord, Serialize, Deserialize)]
        struct Place {
            row: u8,
            column: Option<String>,
        }
        #[derive(Debug, PartialEq, Eq, Hash, Serialize, Deserialize)]
        #[serde(transparent)]
        struct OrderId(uuid::Uuid);
        #[derive(Debug, PartialEq, Eq, Hash, Serialize, Deserialize)]
        struct Customer(String);
        #[derive(Debug, PartialEq, Serialize, Deserialize)]
        struct Book {
            orders: HashMap<OrderId, Vec<Customer>>,
            customers: HashMap<Customer, u64>,
            places: BTreeMap<Place, (u8, bool)>,
            pairs: BTreeMap<(u64, String), ()>,
        }
        let place = |row| Place { row, column: Some("a".to_owned()) };
        let book = Book {
            orders: [(OrderId(uuid::Uuid::from_u128(7)), vec![Customer("ann".to_owned())])].into(),
            customers: [(Customer("ann".to_owned()), 1), (Customer(String::new()), 2)].into(),
            places: [(place(1), (1, true)), (place(2), (2, false))].into(),
            pairs: [((1, "one".to_owned()), ())].into(),
        };
        assert_eq!(through::<MessagePack, _, Book>(&book), Ok(book));
    }

    #[test]
    fn bytes_that_are_too_deep_too_long_or_torn_are_an_error() {
        // A million nested arrays.
        let deep = vec![0x91; 1 << 20];
        assert!(MessagePack::decode::<IgnoredAny>(&deep).is_err());
        // An array that says it has 2^32 - 1 elements.
        let long = [0xdd, 0xff, 0xff, 0xff, 0xff];
        assert!(MessagePack::decode::<Vec<u64>>(&long).is_err());
        let mut bytes = Vec::new();
        MessagePack::encode(&Old { id: 7 }, &mut bytes).expect("a plain struct");
        assert!(MessagePack::decode::<Old>(&bytes[..bytes.len() - 1]).is_err());
        bytes.push(0);
        assert!(MessagePack::decode::<Old>(&bytes).is_err());
    }
}
