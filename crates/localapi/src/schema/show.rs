//! Values in messages: kube-apiserver prints them as Go does, and clients compare the text.

use serde_json::{Number, Value};

/// A value as a message about it shows it.
pub(super) fn value(value: &Value) -> String {
    match value {
        Value::String(text) => quoted(text),
        other => json(other),
    }
}

/// Go's `%q`.
pub(super) fn quoted(text: &str) -> String {
    let mut out = String::with_capacity(text.len() + 2);
    out.push('"');
    for c in text.chars() {
        match c {
            '"' => out.push_str("\\\""),
            '\\' => out.push_str("\\\\"),
            '\x07' => out.push_str("\\a"),
            '\x08' => out.push_str("\\b"),
            '\x0c' => out.push_str("\\f"),
            '\n' => out.push_str("\\n"),
            '\r' => out.push_str("\\r"),
            '\t' => out.push_str("\\t"),
            '\x0b' => out.push_str("\\v"),
            c if c.is_ascii_control() => out.push_str(&format!("\\x{:02x}", u32::from(c))),
            c if c.is_control() => out.push_str(&format!("\\u{:04x}", u32::from(c))),
            c => out.push(c),
        }
    }
    out.push('"');
    out
}

/// Go's JSON: keys sorted, what HTML cares for escaped.
pub(super) fn json(value: &Value) -> String {
    match value {
        Value::Number(n) => number(n),
        Value::String(text) => {
            Value::from(text.as_str()).to_string().chars().fold(String::new(), |mut out, c| {
                match c {
                    '<' => out.push_str("\\u003c"),
                    '>' => out.push_str("\\u003e"),
                    '&' => out.push_str("\\u0026"),
                    c => out.push(c),
                }
                out
            })
        }
        Value::Array(items) => {
            format!("[{}]", items.iter().map(json).collect::<Vec<_>>().join(","))
        }
        Value::Object(map) => {
            let mut keys: Vec<_> = map.iter().collect();
            keys.sort_by_key(|(key, _)| *key);
            let fields: Vec<_> = keys
                .into_iter()
                .map(|(key, v)| format!("{}:{}", json(&Value::from(key.as_str())), json(v)))
                .collect();
            format!("{{{}}}", fields.join(","))
        }
        Value::Null | Value::Bool(_) => value.to_string(),
    }
}

/// Go's `%v` of a number: whole floats without a fraction, far ones with an exponent.
pub(super) fn number(number: &Number) -> String {
    if let Some(whole) = number.as_i64() {
        return whole.to_string();
    }
    float(number.as_f64().unwrap_or(f64::NAN))
}

pub(super) fn float(number: f64) -> String {
    let far = number != 0.0 && !(1e-4..1e21).contains(&number.abs());
    if !far {
        return number.to_string();
    }
    let text = format!("{number:e}");
    match text.split_once('e') {
        Some((digits, exponent)) => {
            let (sign, exponent) =
                exponent.strip_prefix('-').map_or(('+', exponent), |rest| ('-', rest));
            format!("{digits}e{sign}{exponent:0>2}")
        }
        None => text,
    }
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    #[test]
    fn values_show_as_in_go() {
        for (given, shown) in [
            (json!("a\n\u{1}\"é"), r#""a\n\x01\"é""#),
            (json!(1.0), "1"),
            (json!(-0.5), "-0.5"),
            (json!(1e21), "1e+21"),
            (json!(0.000_01), "1e-05"),
            (json!({"b": "<", "a": [null, true]}), r#"{"a":[null,true],"b":"\u003c"}"#),
        ] {
            assert_eq!(value(&given), shown);
        }
    }
}
