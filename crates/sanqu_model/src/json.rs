use serde::Serialize;
use serde_json::{Map, Value};

/// Pretty-printed JSON with sorted keys and a newline at the end: the same value always gives the same bytes,
/// whatever features other crates have switched on in `serde_json`.
///
/// # Errors
/// Those of `serde_json` (a map key that is not text).
pub fn canonical_json<T: Serialize>(value: &T) -> Result<String, serde_json::Error> {
    let mut text = serde_json::to_string_pretty(&sorted(serde_json::to_value(value)?))?;
    text.push('\n');
    Ok(text)
}

fn sorted(value: Value) -> Value {
    match value {
        Value::Object(map) => {
            let mut pairs: Vec<(String, Value)> = map.into_iter().map(|(key, value)| (key, sorted(value))).collect();
            pairs.sort_by(|a, b| a.0.cmp(&b.0));
            Value::Object(pairs.into_iter().collect::<Map<_, _>>())
        }
        Value::Array(items) => Value::Array(items.into_iter().map(sorted).collect()),
        other => other,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn keys_are_sorted_at_every_depth() {
        let text = canonical_json(&serde_json::json!({"b": [{"z": 1, "a": 2}], "a": 0})).unwrap();
        assert_eq!(text, "{\n  \"a\": 0,\n  \"b\": [\n    {\n      \"a\": 2,\n      \"z\": 1\n    }\n  ]\n}\n");
    }
}
