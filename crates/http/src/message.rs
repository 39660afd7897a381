use std::cell::RefCell;
use std::collections::BTreeMap;

use catga_core::{FieldFaults, Message};
use serde::Deserializer;
use serde::de::IgnoredAny;
use serde_ignored::Path;
use serde_json::Error;
use serde_path_to_error::Track;

use crate::invalid::Invalid;
use crate::joined::Joined;
use crate::params::{FromTexts, Params};

/// Reads a message whose fields all stand in the path.
///
/// That the path has no other names was checked when the routes were put together. None if the
/// message cannot be read; [`read`] then says why.
pub(crate) fn of_path<'p, M: Message>(path: impl Iterator<Item = (&'p str, &'p str)>) -> Option<M> {
    M::deserialize(FromTexts(path)).ok()
}

/// Reads a message from a body and the parameters of the path or the query string.
///
/// The usual case reads straight into the message. Only when that fails is everything read again,
/// slowly, to say all that is wrong. `required` are the fields that the message cannot do without,
/// if it is an object of fields. A body that is none is refused then: serde would take the items of
/// an array for the fields in their order, which the next release may change.
pub(crate) fn read<M: Message>(
    body: &[u8],
    params: &Params<'_>,
    required: Option<&[String]>,
    invalid: &mut Vec<Invalid>,
) -> Option<M> {
    if required.is_some() && !body.is_empty() && !begins_an_object(body) {
        invalid.push(no_object(body));
        return None;
    }
    let found = RefCell::default();
    match attempt::<M>(body, params, &found, None) {
        Ok(message) => {
            invalid.append(&mut found.into_inner());
            if invalid.is_empty() {
                return Some(message);
            }
            // The call that would check the message does not take place, so it is checked here.
            let mut faults = FieldFaults::default();
            message.check(&mut faults);
            let faults = faults.into_vec();
            invalid.extend(faults.into_iter().map(|fault| Invalid::field(fault.field, fault.what)));
        }
        Err(_) => diagnose::<M>(body, params, required.unwrap_or_default(), invalid),
    }
    None
}

fn begins_an_object(body: &[u8]) -> bool {
    body.trim_ascii_start().first() == Some(&b'{')
}

/// Says what a body is that is no object.
#[cold]
fn no_object(body: &[u8]) -> Invalid {
    match serde_json::from_slice::<IgnoredAny>(body) {
        Err(error) => not_json(&error),
        Ok(_) => {
            let is = match body.trim_ascii_start().first() {
                Some(b'[') => "an array",
                Some(b'"') => "a string",
                Some(b't' | b'f') => "a boolean",
                Some(b'n') => "null",
                _ => "a number",
            };
            Invalid::body(format!(
                "the body must be an object of the message's fields, and is {is}"
            ))
        }
    }
}

fn not_json(error: &Error) -> Invalid {
    Invalid::body(format!("the body is not JSON: {error}"))
}

/// Reads once. What does not keep the message from being read goes to `found`.
fn attempt<M: Message>(
    body: &[u8],
    params: &Params<'_>,
    found: &RefCell<Vec<Invalid>>,
    track: Option<&mut Track>,
) -> Result<M, Error> {
    if body.is_empty() {
        let texts = params.iter().map(|(name, text)| (&**name, &**text));
        return decode(FromTexts(texts), found, track);
    }
    let mut json = serde_json::Deserializer::from_slice(body);
    let message = if params.is_empty() {
        decode(&mut json, found, track)
    } else {
        let joined = Joined { json: &mut json, params, contradictions: found };
        decode(joined, found, track)
    }?;
    json.end()?;
    Ok(message)
}

fn decode<'de, M: Message, D: Deserializer<'de, Error = Error>>(
    source: D,
    found: &RefCell<Vec<Invalid>>,
    track: Option<&mut Track>,
) -> Result<M, Error> {
    let mut unknown = |path: Path<'_>| {
        found.borrow_mut().push(Invalid::field(written(&path), "is not a field of this message"));
    };
    match track {
        None => M::deserialize(serde_ignored::Deserializer::new(source, &mut unknown)),
        Some(track) => {
            let source = serde_path_to_error::Deserializer::new(source, track);
            M::deserialize(serde_ignored::Deserializer::new(source, &mut unknown))
        }
    }
}

/// Says everything that is wrong with a message that cannot be read.
#[cold]
fn diagnose<M: Message>(
    body: &[u8],
    params: &Params<'_>,
    required: &[String],
    invalid: &mut Vec<Invalid>,
) {
    let found = RefCell::default();
    let mut track = Track::new();
    let Err(error) = attempt::<M>(body, params, &found, Some(&mut track)) else { return };
    invalid.append(&mut found.into_inner());
    if error.is_syntax() || error.is_eof() {
        invalid.push(not_json(&error));
        return;
    }
    // Reading stops at the first missing field; these are all of the outermost.
    let body = serde_json::from_slice(body);
    let object: BTreeMap<String, IgnoredAny> = body.unwrap_or_default();
    let is_given =
        |field: &String| object.contains_key(field) || params.iter().any(|(name, _)| name == field);
    let missing: Vec<_> = required.iter().filter(|field| !is_given(field)).collect();
    let (path, reason) = (track.path().to_string(), error.to_string());
    match (missing_field(&reason), path.as_str()) {
        (Some(field), ".") if missing.iter().any(|missing| *missing == field) => {}
        (Some(field), ".") => invalid.push(Invalid::field(field, "is required")),
        (Some(field), _) => invalid.push(Invalid::field(format!("{path}.{field}"), "is required")),
        (None, ".") => invalid.push(Invalid::body(reason)),
        (None, _) => invalid.push(Invalid::field(path, reason)),
    }
    invalid.extend(missing.into_iter().map(|field| Invalid::field(field, "is required")));
}

/// The field that serde's error is about, if it says that one is missing.
fn missing_field(reason: &str) -> Option<&str> {
    let (field, _) = reason.strip_prefix("missing field `")?.split_once('`')?;
    Some(field)
}

/// A path as `serde_path_to_error` writes it: `items[2].unitPrice`.
fn written(path: &Path<'_>) -> String {
    match path {
        Path::Root => String::new(),
        Path::Seq { parent, index } => format!("{}[{index}]", written(parent)),
        Path::Map { parent, key } => match written(parent) {
            parent if parent.is_empty() => key.clone(),
            parent => format!("{parent}.{key}"),
        },
        Path::Some { parent }
        | Path::NewtypeStruct { parent }
        | Path::NewtypeVariant { parent } => written(parent),
    }
}

#[cfg(test)]
mod tests {
    use catga_core::{DecodeError, EncodeError, Format};
    use serde::de::DeserializeOwned;
    use serde::{Deserialize, Serialize};

    use super::*;

    struct NoFormat;

    impl Format for NoFormat {
        const NAME: &'static str = "none";

        fn encode<T: Serialize + ?Sized>(_: &T, _: &mut Vec<u8>) -> Result<(), EncodeError> {
            Ok(())
        }

        fn decode<T: DeserializeOwned>(_: &[u8]) -> Result<T, DecodeError> {
            Err(DecodeError::new("nothing"))
        }
    }

    #[derive(Debug, PartialEq, Serialize, Deserialize)]
    #[serde(rename_all = "camelCase")]
    struct Order {
        order_id: String,
        #[serde(default)]
        items: Vec<Item>,
        note: Option<String>,
    }

    #[derive(Debug, PartialEq, Serialize, Deserialize)]
    #[serde(rename_all = "camelCase")]
    struct Item {
        unit_price: u32,
    }

    impl Message for Order {
        const NAME: &'static str = "order";
        type Format = NoFormat;

        fn check(&self, faults: &mut FieldFaults) {
            if self.order_id.is_empty() {
                faults.add("orderId", "must not be empty");
            }
        }
    }

    /// What is wrong with a body and a path, or the message that they make.
    fn check(body: &str, params: &[(&'static str, &'static str)]) -> Result<Order, Vec<String>> {
        let params = params.iter().map(|(name, text)| ((*name).into(), (*text).into())).collect();
        let mut invalid = Vec::new();
        let required = ["orderId".to_owned()];
        let order = read(body.as_bytes(), &params, Some(&required), &mut invalid);
        order.ok_or_else(|| invalid.iter().map(Invalid::sentence).collect())
    }

    /// A body, the path's parameters, and what is wrong.
    type Case = (&'static str, &'static [(&'static str, &'static str)], &'static [&'static str]);

    fn order(order_id: &str) -> Order {
        Order { order_id: order_id.to_owned(), items: Vec::new(), note: None }
    }

    #[test]
    fn a_message_is_made_of_body_and_path() {
        assert_eq!(check(r#"{"orderId":"7"}"#, &[]), Ok(order("7")));
        assert_eq!(check(r#"{"note":null}"#, &[("orderId", "7")]), Ok(order("7")));
        assert_eq!(check("", &[("orderId", "7")]), Ok(order("7")));
        assert_eq!(check(r#"{"orderId":"7"}"#, &[("orderId", "7")]), Ok(order("7")));
        let full = check(r#"{"items":[{"unitPrice":1}],"note":"a"}"#, &[("orderId", "7")]);
        assert_eq!(full.map(|order| order.items), Ok(vec![Item { unit_price: 1 }]));
    }

    #[test]
    fn fields_by_their_place_are_no_message() {
        for (body, is) in [
            (r#"["7",[],null]"#, "an array"),
            ("\n [\"7\",[],null]", "an array"),
            ("\"7\"", "a string"),
            ("null", "null"),
            ("false", "a boolean"),
            ("-7", "a number"),
        ] {
            for params in [&[] as &[_], &[("orderId", "7")]] {
                let expected =
                    format!("the body must be an object of the message's fields, and is {is}");
                assert_eq!(check(body, params), Err(vec![expected]), "{body}");
            }
        }
        let eof = "the body is not JSON: EOF while parsing a list at line 1 column 1";
        assert_eq!(check("[", &[]), Err(vec![eof.to_owned()]));
        assert_eq!(check("\r\n\t {\"orderId\":\"7\"}", &[]), Ok(order("7")));
        // What has no fields is what it says it is.
        let mut invalid = Vec::new();
        let read: Option<Order> = read(br#"["7",[],null]"#, &Vec::new(), None, &mut invalid);
        assert_eq!(read, Some(order("7")));
    }

    #[test]
    fn what_is_wrong_is_said_at_once() {
        let cases: &[Case] = &[
            (
                r#"{"items":[{"unitPrice":1,"x":2}],"y":{},"orderId":""}"#,
                &[],
                &[
                    "items[0].x: is not a field of this message",
                    "y: is not a field of this message",
                    "orderId: must not be empty",
                ],
            ),
            (
                r#"{"orderId":"8"}"#,
                &[("orderId", "7")],
                &["orderId: the path says `7`, and the body says `\"8\"`"],
            ),
            (
                r#"{"z":1,"items":[{"unitPrice":-1}]}"#,
                &[],
                &[
                    "z: is not a field of this message",
                    "items[0].unitPrice: invalid value: integer `-1`, expected u32 at line 1 \
                     column 31",
                    "orderId: is required",
                ],
            ),
            ("", &[], &["orderId: is required"]),
            (r#"{"items":[{}]}"#, &[("orderId", "7")], &["items[0].unitPrice: is required"]),
            ("{", &[], &["the body is not JSON: EOF while parsing an object at line 1 column 1"]),
            (
                r#"{"orderId":"7"} x"#,
                &[],
                &["the body is not JSON: trailing characters at line 1 column 17"],
            ),
        ];
        for (body, params, expected) in cases {
            let found = check(body, params).expect_err(body);
            assert_eq!(&found, expected, "{body}");
        }
    }
}
