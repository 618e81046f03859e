//! An object of a review, without what no rule looks at: most of what is sent.
//!
//! It is left out before as after the write, so no patch speaks of it.

use std::fmt;

use serde::Deserialize as _;
use serde::de::value::SeqAccessDeserializer;
use serde::de::{DeserializeSeed, Deserializer, IgnoredAny, MapAccess, SeqAccess, Visitor};
use serde_json::{Map, Value};

/// Who wrote which field, of every kind; and every object that an Application has deployed, which is for everybody to write.
const LEFT_OUT: [(&str, &str); 2] = [("metadata", "managedFields"), ("status", "resources")];

/// Nothing where it is null, as for any optional field.
pub(super) fn read<'de, D: Deserializer<'de>>(deserializer: D) -> Result<Option<Value>, D::Error> {
    let object = Trimmed::Object.deserialize(deserializer)?;
    Ok(Some(object).filter(|object| !object.is_null()))
}

#[derive(Clone, Copy)]
enum Trimmed {
    Object,
    /// A part of it, without this field.
    Part(&'static str),
}

impl<'de> DeserializeSeed<'de> for Trimmed {
    type Value = Value;

    fn deserialize<D: Deserializer<'de>>(self, deserializer: D) -> Result<Value, D::Error> {
        deserializer.deserialize_any(self)
    }
}

impl<'de> Visitor<'de> for Trimmed {
    type Value = Value;

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("JSON")
    }

    fn visit_map<M: MapAccess<'de>>(self, mut map: M) -> Result<Value, M::Error> {
        let mut fields = Map::new();
        while let Some(name) = map.next_key::<String>()? {
            let part = LEFT_OUT.iter().find(|(part, _)| *part == name);
            let value = match (self, part) {
                (Self::Part(left_out), _) if left_out == name => {
                    map.next_value::<IgnoredAny>()?;
                    continue;
                }
                (Self::Object, Some((_, left_out))) => map.next_value_seed(Self::Part(left_out))?,
                _ => map.next_value()?,
            };
            fields.insert(name, value);
        }
        Ok(Value::Object(fields))
    }

    // Anything else is no object of Kubernetes. The rules say so.

    fn visit_seq<S: SeqAccess<'de>>(self, items: S) -> Result<Value, S::Error> {
        Value::deserialize(SeqAccessDeserializer::new(items))
    }

    fn visit_bool<E>(self, value: bool) -> Result<Value, E> {
        Ok(value.into())
    }

    fn visit_i64<E>(self, value: i64) -> Result<Value, E> {
        Ok(value.into())
    }

    fn visit_u64<E>(self, value: u64) -> Result<Value, E> {
        Ok(value.into())
    }

    fn visit_f64<E>(self, value: f64) -> Result<Value, E> {
        Ok(value.into())
    }

    fn visit_str<E>(self, value: &str) -> Result<Value, E> {
        Ok(value.into())
    }

    fn visit_unit<E>(self) -> Result<Value, E> {
        Ok(Value::Null)
    }
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    #[test]
    fn what_no_rule_looks_at_is_left_out_and_nothing_else() {
        let check = |sent: serde_json::Value, expected: Option<serde_json::Value>| {
            let read = super::read(&mut serde_json::Deserializer::from_str(&sent.to_string()));
            assert_eq!(read.unwrap(), expected, "{sent}");
        };
        let app = json!({
            "metadata": { "name": "a", "managedFields": [{ "manager": "x" }], "annotations": { "managedFields": "1" } },
            "spec": { "resources": [1, -1, 1.5, null, true, "x", { "managedFields": [] }] },
            "status": { "resources": [{}], "sync": { "resources": [{}] } },
            "resources": [], "managedFields": [],
        });
        let mut left = app.clone();
        left["metadata"].as_object_mut().unwrap().shift_remove("managedFields");
        left["status"].as_object_mut().unwrap().shift_remove("resources");
        check(app, Some(left));
        check(json!(null), None);
        for odd in [
            json!([{ "metadata": { "managedFields": 1 } }]),
            json!("x"),
            json!(1),
            json!(-1),
            json!(1.5),
            json!(true),
            json!({ "metadata": [], "status": null }),
        ] {
            check(odd.clone(), Some(odd));
        }
    }
}
