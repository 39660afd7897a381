use rmpv::Value as Packed;
use serde_json::{Map, Number, Value};

/// A payload as people read it: what it says of itself, be it MessagePack or JSON; else its bytes
/// as hexadecimal digits.
pub(super) fn of_payload(payload: &[u8]) -> Value {
    if payload.is_empty() {
        return Value::Null;
    }
    // No object or list of MessagePack begins as JSON's do.
    if matches!(payload[0], b'{' | b'[')
        && let Ok(value) = serde_json::from_slice(payload)
    {
        return value;
    }
    let mut rest = payload;
    match rmpv::decode::read_value(&mut rest) {
        Ok(value) if rest.is_empty() => of_packed(value),
        _ => hex(payload),
    }
}

fn of_packed(value: Packed) -> Value {
    match value {
        Packed::Nil => Value::Null,
        Packed::Boolean(value) => value.into(),
        Packed::Integer(value) => match (value.as_u64(), value.as_i64()) {
            (Some(value), _) => value.into(),
            (_, Some(value)) => value.into(),
            _ => Value::Null,
        },
        Packed::F32(value) => of_float(value.into()),
        Packed::F64(value) => of_float(value),
        Packed::String(value) => String::from_utf8_lossy(value.as_bytes()).into(),
        Packed::Binary(bytes) => hex(&bytes),
        Packed::Array(values) => values.into_iter().map(of_packed).collect(),
        Packed::Map(pairs) => {
            let pairs = pairs.into_iter().map(|(key, value)| {
                let key = match of_packed(key) {
                    Value::String(key) => key,
                    other => other.to_string(),
                };
                (key, of_packed(value))
            });
            Value::Object(pairs.collect::<Map<_, _>>())
        }
        Packed::Ext(kind, bytes) => serde_json::json!({ "ext": kind, "bytes": hex(&bytes) }),
    }
}

/// JSON has no infinities.
fn of_float(value: f64) -> Value {
    Number::from_f64(value).map_or_else(|| value.to_string().into(), Value::Number)
}

fn hex(bytes: &[u8]) -> Value {
    bytes.iter().map(|byte| format!("{byte:02x}")).collect::<String>().into()
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;
    use crate::Uuid;

    #[test]
    fn a_payload_is_shown_by_what_it_says_of_itself() {
        let id = Uuid::from_u128(0x0102_0304);
        let packed = rmp_serde::to_vec_named(&(id, Some(1.5), "a", u64::MAX)).expect("packed");
        let expected = json!(["00000000000000000000000001020304", 1.5, "a", u64::MAX]);
        assert_eq!(of_payload(&packed), expected);
        assert_eq!(of_payload(br#"{"a": [1, -2]}"#), json!({"a": [1, -2]}));
        assert_eq!(of_payload(b""), Value::Null);
        assert_eq!(of_payload(&[0xc1, 2]), json!("c102"), "0xc1 is never used");
        let mut map = Vec::new();
        let value = Packed::Map(vec![(7.into(), Packed::Nil), ("b".into(), true.into())]);
        rmpv::encode::write_value(&mut map, &value).expect("packed");
        assert_eq!(of_payload(&map), json!({"7": null, "b": true}));
    }
}
