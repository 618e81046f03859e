//! Objects as rows: the `meta.k8s.io/v1` Table that `kubectl get` asks for.

use jiff::Timestamp;
use serde_json::{Map, Value, json};

use crate::{age, jsonpath::JsonPath, resource::Resource};

/// A Table of `objects`. `list` is the List (or the object) they are from: its metadata becomes the Table's.
pub fn table(
    resource: &Resource,
    list: &Value,
    objects: &[Value],
    include: Include,
    now: Timestamp,
) -> Value {
    let definitions: Vec<Value> = resource.columns.iter().map(Column::definition).collect();
    let rows: Vec<Value> = objects
        .iter()
        .map(|object| {
            let cells: Vec<_> = resource.columns.iter().map(|c| c.cell(object, now)).collect();
            let mut row = Map::new();
            row.insert("cells".to_owned(), Value::from(cells));
            row.insert("object".to_owned(), include.shape(object));
            Value::Object(row)
        })
        .collect();
    json!({
        "kind": "Table",
        "apiVersion": "meta.k8s.io/v1",
        "metadata": of_list(list),
        "columnDefinitions": definitions,
        "rows": rows,
    })
}

/// How much of each object comes with its row (`includeObject`).
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Include {
    #[default]
    Metadata,
    Object,
    Nothing,
}

impl Include {
    /// Nothing for a word that is none of the three.
    pub fn parse(word: &str) -> Option<Self> {
        Some(match word {
            "" | "Metadata" => Self::Metadata,
            "Object" => Self::Object,
            "None" => Self::Nothing,
            _ => return None,
        })
    }

    fn shape(self, object: &Value) -> Value {
        match self {
            Self::Object => object.clone(),
            Self::Nothing => Value::Null,
            Self::Metadata => json!({
                "kind": "PartialObjectMetadata",
                "apiVersion": "meta.k8s.io/v1",
                "metadata": object.get("metadata"),
            }),
        }
    }
}

/// One printer column.
#[derive(Clone, Debug)]
pub struct Column {
    pub(crate) name: String,
    /// `string`, `integer`, `number`, `boolean` or `date`.
    pub(crate) kind: String,
    pub(crate) format: String,
    pub(crate) description: String,
    /// Columns above 0 show only in the wide output.
    pub(crate) priority: i64,
    pub(crate) cell: Cell,
}

#[derive(Clone, Debug)]
pub(crate) enum Cell {
    At(JsonPath),
    Computed(fn(&Value, Timestamp) -> Value),
}

impl Column {
    fn definition(&self) -> Value {
        json!({
            "name": self.name,
            "type": self.kind,
            "format": self.format,
            "description": self.description,
            "priority": self.priority,
        })
    }

    fn cell(&self, object: &Value, now: Timestamp) -> Value {
        match &self.cell {
            Cell::Computed(cell) => cell(object, now),
            Cell::At(path) => path.first(object).map_or(Value::Null, |v| shown(&self.kind, v, now)),
        }
    }
}

/// A value as a column of this kind shows it; null where the kind does not fit.
fn shown(kind: &str, value: &Value, now: Timestamp) -> Value {
    match (kind, value) {
        ("string", Value::String(_))
        | ("boolean", Value::Bool(_))
        | ("number", Value::Number(_)) => value.clone(),
        ("string", Value::Null) => Value::Null,
        ("string", other) => Value::from(other.to_string()),
        ("integer", Value::Number(n)) => n
            .as_i64()
            .or_else(|| n.as_f64().map(|float| float as i64))
            .map_or(Value::Null, Value::from),
        ("date", Value::String(text)) => {
            let then = text.parse::<Timestamp>();
            then.map_or_else(|_| json!("<invalid>"), |then| json!(age::since(then, now)))
        }
        _ => Value::Null,
    }
}

/// What of a List's metadata a Table has.
fn of_list(list: &Value) -> Value {
    let names = ["resourceVersion", "continue", "remainingItemCount"];
    let fields = names.into_iter().filter_map(|name| {
        let value = list.get("metadata")?.get(name)?;
        Some((name.to_owned(), value.clone()))
    });
    Value::Object(fields.collect())
}

#[cfg(test)]
mod tests {
    use super::*;

    fn column(name: &str, kind: &str, path: &str) -> Column {
        Column {
            name: name.to_owned(),
            kind: kind.to_owned(),
            format: String::new(),
            description: String::new(),
            priority: 0,
            cell: Cell::At(JsonPath::parse(path).unwrap()),
        }
    }

    #[test]
    fn a_cell_shows_what_fits_its_column() {
        let now: Timestamp = "2026-11-21T12:00:00Z".parse().unwrap();
        let object = json!({
            "text": "a", "whole": 3, "part": 2.5, "yes": true, "map": {"b": 1},
            "then": "2026-11-21T11:57:00Z", "never": "soon",
        });
        for (kind, path, shown) in [
            ("string", ".text", json!("a")),
            ("string", ".whole", json!("3")),
            ("string", ".map", json!(r#"{"b":1}"#)),
            ("integer", ".whole", json!(3)),
            ("integer", ".part", json!(2)),
            ("integer", ".text", json!(null)),
            ("number", ".part", json!(2.5)),
            ("boolean", ".yes", json!(true)),
            ("date", ".then", json!("3m")),
            ("date", ".never", json!("<invalid>")),
            ("string", ".absent", json!(null)),
        ] {
            assert_eq!(column("x", kind, path).cell(&object, now), shown, "{kind} {path}");
        }
    }

    #[test]
    fn a_row_carries_what_was_asked_for() {
        let object = json!({ "kind": "X", "metadata": { "name": "a" }, "spec": {} });
        let kind = |include: Include| include.shape(&object)["kind"].clone();
        assert_eq!(kind(Include::Metadata), "PartialObjectMetadata");
        assert_eq!(kind(Include::Object), "X");
        assert_eq!(kind(Include::Nothing), Value::Null);
    }
}
