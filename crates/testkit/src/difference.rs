use crate::value::Value;

/// One line for each place where two values differ, named by its path.
pub(crate) fn differences(expected: &Value, recorded: &Value) -> Vec<String> {
    let mut lines = Vec::new();
    compare("", Some(expected), Some(recorded), &mut lines);
    lines
}

fn compare(
    path: &str,
    expected: Option<&Value>,
    recorded: Option<&Value>,
    lines: &mut Vec<String>,
) {
    match (expected, recorded) {
        (Some(expected), Some(recorded)) if expected == recorded => {}
        (Some(Value::Map(expected)), Some(Value::Map(recorded))) => {
            let new = recorded.iter().filter(|(name, _)| field(expected, name).is_none());
            for (name, _) in expected.iter().chain(new) {
                let (expected, recorded) = (field(expected, name), field(recorded, name));
                compare(&below(path, name), expected, recorded, lines);
            }
        }
        (Some(Value::List(expected)), Some(Value::List(recorded))) => {
            for place in 0..expected.len().max(recorded.len()) {
                let path = format!("{path}[{place}]");
                compare(&path, expected.get(place), recorded.get(place), lines);
            }
        }
        (expected, recorded) => lines.push(format!(
            "{}: expected {}, recorded {}",
            if path.is_empty() { "the payload" } else { path },
            shown(expected),
            shown(recorded)
        )),
    }
}

fn field<'a>(fields: &'a [(String, Value)], wanted: &str) -> Option<&'a Value> {
    fields.iter().find(|(name, _)| name == wanted).map(|(_, value)| value)
}

fn below(path: &str, name: &str) -> String {
    if path.is_empty() { name.to_owned() } else { format!("{path}.{name}") }
}

fn shown(value: Option<&Value>) -> String {
    value.map_or_else(|| "nothing".to_owned(), ToString::to_string)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn map(fields: &[(&str, Value)]) -> Value {
        Value::Map(fields.iter().map(|(name, value)| ((*name).to_owned(), value.clone())).collect())
    }

    #[test]
    fn each_difference_has_its_path() {
        let expected = map(&[
            ("a", Value::Integer(1)),
            ("b", map(&[("c", Value::List(vec![Value::Bool(true), Value::Nothing]))])),
        ]);
        let recorded = map(&[
            ("b", map(&[("c", Value::List(vec![Value::Bool(false)]))])),
            ("d", Value::Bytes(vec![1, 0xff])),
        ]);
        assert_eq!(
            differences(&expected, &recorded),
            [
                "a: expected 1, recorded nothing",
                "b.c[0]: expected true, recorded false",
                "b.c[1]: expected null, recorded nothing",
                "d: expected nothing, recorded 0x01ff",
            ]
        );
        assert_eq!(differences(&expected, &expected), [""; 0]);
        assert_eq!(
            differences(&Value::Nothing, &Value::Float(1.0)),
            ["the payload: expected null, recorded 1.0"]
        );
    }
}
