use std::borrow::Cow;
use std::cell::RefCell;
use std::fmt;

use serde::de::value::{BorrowedStrDeserializer, StrDeserializer};
use serde::de::{DeserializeSeed, MapAccess, Visitor};
use serde::{Deserializer, forward_to_deserialize_any};
use serde_json::{Error, Value};

use crate::invalid::Invalid;
use crate::params::{Params, Text};

/// A JSON object with the fields of the path in front, as if they stood in it.
///
/// A field that the path gives may be in the body too, if it says the same.
pub(crate) struct Joined<'p, D> {
    pub(crate) json: D,
    pub(crate) params: &'p Params<'p>,
    pub(crate) contradictions: &'p RefCell<Vec<Invalid>>,
}

impl<'de, D: Deserializer<'de, Error = Error>> Deserializer<'de> for Joined<'_, D> {
    type Error = Error;

    fn deserialize_any<V: Visitor<'de>>(self, visitor: V) -> Result<V::Value, Error> {
        let Self { json, params, contradictions } = self;
        json.deserialize_map(Joining { visitor, params, contradictions })
    }

    forward_to_deserialize_any! {
        bool i8 i16 i32 i64 i128 u8 u16 u32 u64 u128 f32 f64 char str string bytes byte_buf option
        unit unit_struct newtype_struct seq tuple tuple_struct map struct enum identifier
        ignored_any
    }
}

struct Joining<'p, V> {
    visitor: V,
    params: &'p Params<'p>,
    contradictions: &'p RefCell<Vec<Invalid>>,
}

impl<'de, V: Visitor<'de>> Visitor<'de> for Joining<'_, V> {
    type Value = V::Value;

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.visitor.expecting(f)
    }

    fn visit_map<A: MapAccess<'de>>(self, json: A) -> Result<V::Value, A::Error> {
        let Self { visitor, params, contradictions } = self;
        visitor.visit_map(Fields { json, params, next: 0, text: None, contradictions })
    }
}

struct Fields<'p, A> {
    json: A,
    params: &'p Params<'p>,
    next: usize,
    /// The value of the parameter whose name was read last.
    text: Option<Text<'p>>,
    contradictions: &'p RefCell<Vec<Invalid>>,
}

impl<'de, A: MapAccess<'de>> MapAccess<'de> for Fields<'_, A> {
    type Error = A::Error;

    fn next_key_seed<K: DeserializeSeed<'de>>(
        &mut self,
        seed: K,
    ) -> Result<Option<K::Value>, A::Error> {
        if let Some((name, text)) = self.params.get(self.next) {
            self.next += 1;
            self.text = Some(Text(text));
            return seed.deserialize(StrDeserializer::new(name)).map(Some);
        }
        self.text = None;
        while let Some(key) = self.json.next_key_seed(KeySeed)? {
            let Some((name, text)) = self.params.iter().find(|(name, _)| *name == key) else {
                return match &key {
                    Cow::Borrowed(key) => seed.deserialize(BorrowedStrDeserializer::new(key)),
                    Cow::Owned(key) => seed.deserialize(StrDeserializer::new(key)),
                }
                .map(Some);
            };
            let value: Value = self.json.next_value()?;
            if !says(&value, text) {
                let detail = format!("the path says `{text}`, and the body says `{value}`");
                self.contradictions.borrow_mut().push(Invalid::field(&**name, detail));
            }
        }
        Ok(None)
    }

    fn next_value_seed<T: DeserializeSeed<'de>>(&mut self, seed: T) -> Result<T::Value, A::Error> {
        match self.text.take() {
            // An error of a text is of the same kind as one of JSON, but the map hides that.
            Some(text) => seed.deserialize(text).map_err(serde::de::Error::custom),
            None => self.json.next_value_seed(seed),
        }
    }
}

fn says(value: &Value, text: &str) -> bool {
    match value {
        Value::String(value) => value == text,
        Value::Number(number) => number.to_string() == text,
        Value::Bool(value) => text == if *value { "true" } else { "false" },
        _ => false,
    }
}

/// Reads a key, borrowed from the body where that is possible.
struct KeySeed;

impl<'de> DeserializeSeed<'de> for KeySeed {
    type Value = Cow<'de, str>;

    fn deserialize<D: Deserializer<'de>>(self, json: D) -> Result<Self::Value, D::Error> {
        json.deserialize_str(self)
    }
}

impl<'de> Visitor<'de> for KeySeed {
    type Value = Cow<'de, str>;

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("a field's name")
    }

    fn visit_borrowed_str<E>(self, key: &'de str) -> Result<Self::Value, E> {
        Ok(Cow::Borrowed(key))
    }

    fn visit_str<E>(self, key: &str) -> Result<Self::Value, E> {
        Ok(Cow::Owned(key.to_owned()))
    }
}
