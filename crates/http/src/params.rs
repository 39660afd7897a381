use std::borrow::Cow;

use serde::de::value::MapDeserializer;
use serde::de::{self, IntoDeserializer, Unexpected, Visitor};
use serde::{Deserializer, forward_to_deserialize_any};
use serde_json::Error;

/// The fields of a message that stand in the path and the query string: names and texts.
pub(crate) type Params<'a> = Vec<(Cow<'a, str>, Cow<'a, str>)>;

/// Reads a message from fields that are texts: their names and what they hold.
pub(crate) struct FromTexts<I>(pub(crate) I);

/// One text, read as whatever its field is.
#[derive(Clone, Copy)]
pub(crate) struct Text<'p>(pub(crate) &'p str);

impl<'de, 'p, I> Deserializer<'de> for FromTexts<I>
where
    I: Iterator<Item = (&'p str, &'p str)>,
{
    type Error = Error;

    fn deserialize_any<V: Visitor<'de>>(self, visitor: V) -> Result<V::Value, Error> {
        let fields = self.0.map(|(name, text)| (name, Text(text)));
        visitor.visit_map(MapDeserializer::new(fields))
    }

    fn deserialize_unit_struct<V: Visitor<'de>>(
        self,
        _: &'static str,
        visitor: V,
    ) -> Result<V::Value, Error> {
        visitor.visit_unit()
    }

    fn deserialize_newtype_struct<V: Visitor<'de>>(
        self,
        _: &'static str,
        visitor: V,
    ) -> Result<V::Value, Error> {
        visitor.visit_newtype_struct(self)
    }

    forward_to_deserialize_any! {
        bool i8 i16 i32 i64 i128 u8 u16 u32 u64 u128 f32 f64 char str string bytes byte_buf option
        unit seq tuple tuple_struct map struct enum identifier ignored_any
    }
}

impl<'de> IntoDeserializer<'de, Error> for Text<'_> {
    type Deserializer = Self;

    fn into_deserializer(self) -> Self {
        self
    }
}

macro_rules! parsed {
    ($($method:ident => $visit:ident, $what:literal;)*) => {
        $(fn $method<V: Visitor<'de>>(self, visitor: V) -> Result<V::Value, Error> {
            match self.0.parse() {
                Ok(value) => visitor.$visit(value),
                Err(_) => Err(de::Error::invalid_type(Unexpected::Str(self.0), &$what)),
            }
        })*
    };
}

impl<'de> Deserializer<'de> for Text<'_> {
    type Error = Error;

    fn deserialize_any<V: Visitor<'de>>(self, visitor: V) -> Result<V::Value, Error> {
        visitor.visit_str(self.0)
    }

    parsed! {
        deserialize_bool => visit_bool, "`true` or `false`";
        deserialize_i8 => visit_i8, "a whole number from -128 to 127";
        deserialize_i16 => visit_i16, "a whole number from -32768 to 32767";
        deserialize_i32 => visit_i32, "a whole number of 32 bits";
        deserialize_i64 => visit_i64, "a whole number of 64 bits";
        deserialize_i128 => visit_i128, "a whole number of 128 bits";
        deserialize_u8 => visit_u8, "a whole number from 0 to 255";
        deserialize_u16 => visit_u16, "a whole number from 0 to 65535";
        deserialize_u32 => visit_u32, "a whole number of 32 bits, not negative";
        deserialize_u64 => visit_u64, "a whole number of 64 bits, not negative";
        deserialize_u128 => visit_u128, "a whole number of 128 bits, not negative";
        deserialize_f32 => visit_f32, "a number";
        deserialize_f64 => visit_f64, "a number";
        deserialize_char => visit_char, "one character";
    }

    fn deserialize_option<V: Visitor<'de>>(self, visitor: V) -> Result<V::Value, Error> {
        visitor.visit_some(self)
    }

    fn deserialize_newtype_struct<V: Visitor<'de>>(
        self,
        _: &'static str,
        visitor: V,
    ) -> Result<V::Value, Error> {
        visitor.visit_newtype_struct(self)
    }

    fn deserialize_enum<V: Visitor<'de>>(
        self,
        _: &'static str,
        _: &'static [&'static str],
        visitor: V,
    ) -> Result<V::Value, Error> {
        visitor.visit_enum(IntoDeserializer::<Error>::into_deserializer(self.0))
    }

    forward_to_deserialize_any! {
        str string bytes byte_buf unit unit_struct seq tuple tuple_struct map struct identifier
        ignored_any
    }
}

#[cfg(test)]
mod tests {
    use serde::Deserialize;

    use super::*;

    #[derive(Debug, PartialEq, Deserialize)]
    #[serde(rename_all = "camelCase")]
    struct Page {
        customer_id: Id,
        limit: Option<u32>,
        newest_first: bool,
        sort: Sort,
    }

    #[derive(Debug, PartialEq, Deserialize)]
    struct Id(String);

    #[derive(Debug, PartialEq, Deserialize)]
    #[serde(rename_all = "lowercase")]
    enum Sort {
        Price,
    }

    #[derive(Debug, PartialEq, Deserialize)]
    struct Ping;

    fn read<T: de::DeserializeOwned>(params: &[(&'static str, &'static str)]) -> Result<T, String> {
        T::deserialize(FromTexts(params.iter().copied())).map_err(|error| error.to_string())
    }

    #[test]
    fn texts_are_read_as_what_their_fields_are() {
        let page =
            [("customerId", "7"), ("newestFirst", "true"), ("sort", "price"), ("limit", "5")];
        let expected = Page {
            customer_id: Id("7".to_owned()),
            limit: Some(5),
            newest_first: true,
            sort: Sort::Price,
        };
        assert_eq!(read::<Page>(&page), Ok(expected));
        assert_eq!(read::<Ping>(&[]), Ok(Ping));
        assert_eq!(
            read::<Page>(&[("limit", "-1")]),
            Err("invalid type: string \"-1\", expected a whole number of 32 bits, not negative"
                .to_owned())
        );
        assert_eq!(read::<Page>(&[]), Err("missing field `customerId`".to_owned()));
    }
}
