//! What expressions compute with.

use std::collections::BTreeMap;
use std::sync::Arc;

use jiff::Zoned;
use jiff::tz::TimeZone;
use serde_json::Value as Json;

use super::budget::Budget;
use super::version::Version;

/// How deep lists and maps may lie in each other. Whatever walks over values calls itself once a level.
pub(super) const DEEPEST: u16 = 128;

/// Why something can't be computed. Where is added by whoever knows it. It tells no value: one may be a secret.
pub(super) type Fault = String;

/// A value. Cloning one is cheap.
#[derive(Clone, Debug)]
pub(super) enum Value {
    Nil,
    Bool(bool),
    Int(i64),
    Float(f64),
    Text(Arc<str>),
    Bytes(Arc<[u8]>),
    List(Arc<List>),
    Map(Arc<Map>),
    /// What `groupBy` and `fromPairs` make. It has no JSON.
    AnyMap(Arc<AnyMap>),
    Record(Arc<Record>),
    Version(Arc<Version>),
    Time(Arc<Zoned>),
    /// In nanoseconds.
    Duration(i64),
    Zone(TimeZone),
    Month(i8),
    /// Sunday is 0.
    Weekday(i8),
}

#[derive(Debug, Default)]
pub(super) struct List {
    pub(super) items: Vec<Value>,
    /// Go's nil slice: its JSON is null.
    pub(super) is_nil: bool,
    depth: u16,
}

#[derive(Debug, Default)]
pub(super) struct Map {
    pub(super) entries: BTreeMap<String, Value>,
    depth: u16,
}

#[derive(Debug, Default)]
pub(super) struct AnyMap {
    pub(super) entries: Vec<(Value, Value)>,
    depth: u16,
}

/// A structure of Go, as Freight's artifacts are: fields have Go's names in an expression, and others in JSON.
#[derive(Debug)]
pub(super) struct Record {
    pub(super) kind: &'static str,
    pub(super) fields: Vec<Field>,
}

#[derive(Debug)]
pub(super) struct Field {
    pub(super) name: &'static str,
    pub(super) json: &'static str,
    /// Left out of the JSON when it is empty.
    pub(super) omitted: bool,
    pub(super) value: Value,
}

impl Value {
    pub(super) fn text(text: impl Into<Arc<str>>) -> Self {
        Self::Text(text.into())
    }

    /// Bytes as text. What is not UTF-8 is replaced, byte by byte, as Go does when it writes JSON.
    pub(super) fn of_bytes(bytes: &[u8]) -> Self {
        let mut text = String::with_capacity(bytes.len());
        for chunk in bytes.utf8_chunks() {
            text.push_str(chunk.valid());
            text.extend(chunk.invalid().iter().map(|_| char::REPLACEMENT_CHARACTER));
        }
        Self::text(text)
    }

    pub(super) fn list(items: Vec<Self>) -> Result<Self, Fault> {
        let depth = above(items.iter())?;
        Ok(Self::List(Arc::new(List { items, is_nil: false, depth })))
    }

    pub(super) fn nil_list() -> Self {
        Self::List(Arc::new(List { is_nil: true, ..List::default() }))
    }

    /// A list of values without any depth of their own.
    pub(super) fn flat(items: impl IntoIterator<Item = Self>) -> Self {
        let items = items.into_iter().collect();
        Self::List(Arc::new(List { items, is_nil: false, depth: 1 }))
    }

    pub(super) fn map(entries: BTreeMap<String, Self>) -> Result<Self, Fault> {
        let depth = above(entries.values())?;
        Ok(Self::Map(Arc::new(Map { entries, depth })))
    }

    pub(super) fn any_map(entries: Vec<(Self, Self)>) -> Result<Self, Fault> {
        let depth = above(entries.iter().flat_map(|(key, value)| [key, value]))?;
        Ok(Self::AnyMap(Arc::new(AnyMap { entries, depth })))
    }

    /// Numbers are floats, as they are wherever Go reads JSON.
    pub(super) fn of_json(json: &Json, budget: &mut Budget) -> Result<Self, Fault> {
        budget.spend(1)?;
        Self::of_json_within(json, DEEPEST, budget)
    }

    fn of_json_within(json: &Json, left: u16, budget: &mut Budget) -> Result<Self, Fault> {
        let left = left.checked_sub(1).ok_or_else(too_deep)?;
        Ok(match json {
            Json::Null => Self::Nil,
            Json::Bool(bool) => Self::Bool(*bool),
            Json::Number(number) => Self::Float(number.as_f64().unwrap_or(f64::NAN)),
            Json::String(text) => Self::text(text.as_str()),
            Json::Array(items) => {
                budget.spend(items.len())?;
                let items = items.iter().map(|item| Self::of_json_within(item, left, budget));
                Self::list(items.collect::<Result<_, _>>()?)?
            }
            Json::Object(entries) => {
                budget.spend(entries.len())?;
                let entries = entries.iter().map(|(key, value)| {
                    Ok((key.clone(), Self::of_json_within(value, left, budget)?))
                });
                Self::map(entries.collect::<Result<_, Fault>>()?)?
            }
        })
    }

    fn depth(&self) -> u16 {
        match self {
            Self::List(list) => list.depth,
            Self::Map(map) => map.depth,
            Self::AnyMap(map) => map.depth,
            Self::Record(record) => {
                1 + record.fields.iter().map(|f| f.value.depth()).max().unwrap_or_default()
            }
            _ => 0,
        }
    }

    pub(super) fn is_nil(&self) -> bool {
        match self {
            Self::Nil => true,
            Self::List(list) => list.is_nil,
            _ => false,
        }
    }

    /// The name of its type in a fault.
    pub(super) fn kind(&self) -> &'static str {
        match self {
            Self::Nil => "nil",
            Self::Bool(_) => "a boolean",
            Self::Int(_) => "an integer",
            Self::Float(_) => "a float",
            Self::Text(_) => "text",
            Self::Bytes(_) => "bytes",
            Self::List(_) => "a list",
            Self::Map(_) | Self::AnyMap(_) => "a map",
            Self::Record(record) => record.kind,
            Self::Version(_) => "a version",
            Self::Time(_) => "a time",
            Self::Duration(_) => "a duration",
            Self::Zone(_) => "a time zone",
            Self::Month(_) => "a month",
            Self::Weekday(_) => "a weekday",
        }
    }

    pub(super) fn as_text(&self) -> Result<&str, Fault> {
        match self {
            Self::Text(text) => Ok(text),
            other => Err(format!("takes text, and got {}", other.kind())),
        }
    }

    pub(super) fn as_bool(&self) -> Result<bool, Fault> {
        match self {
            Self::Bool(bool) => Ok(*bool),
            other => Err(format!("takes true or false, and got {}", other.kind())),
        }
    }

    pub(super) fn as_list(&self) -> Result<&List, Fault> {
        match self {
            Self::List(list) => Ok(list),
            other => Err(format!("takes a list, and got {}", other.kind())),
        }
    }

    /// As Go converts: towards zero, and to the least of all where it does not fit.
    pub(super) fn to_int(&self) -> Result<i64, Fault> {
        match self {
            Self::Int(int) => Ok(*int),
            #[expect(clippy::cast_possible_truncation, reason = "towards zero, within the range")]
            Self::Float(float) if float.abs() < 9_223_372_036_854_775_808.0 => Ok(*float as i64),
            Self::Float(_) => Ok(i64::MIN),
            other => Err(format!("takes an integer, and got {}", other.kind())),
        }
    }

    pub(super) fn to_float(&self) -> Result<f64, Fault> {
        match self {
            #[expect(clippy::cast_precision_loss, reason = "as Go converts")]
            Self::Int(int) => Ok(*int as f64),
            Self::Float(float) => Ok(*float),
            other => Err(format!("takes a number, and got {}", other.kind())),
        }
    }
}

impl AnyMap {
    /// Pays for looking for a key.
    pub(super) fn spend_on(&self, key: &Value, budget: &mut Budget) -> Result<(), Fault> {
        spend_on_keys(self.entries.len(), key, budget)
    }

    /// Keys are the same only if their types are.
    pub(super) fn position(&self, key: &Value) -> Option<usize> {
        self.entries.iter().position(|(other, _)| is_same_key(other, key))
    }
}

/// Pays for comparing a key with as many others.
pub(super) fn spend_on_keys(others: usize, key: &Value, budget: &mut Budget) -> Result<(), Fault> {
    if let Value::Text(text) = key {
        budget.read(text.len().saturating_mul(others))?;
    }
    budget.spend(others)
}

pub(super) fn is_same_key(a: &Value, b: &Value) -> bool {
    match (a, b) {
        (Value::Nil, Value::Nil) => true,
        (Value::Bool(a), Value::Bool(b)) => a == b,
        (Value::Int(a), Value::Int(b)) | (Value::Duration(a), Value::Duration(b)) => a == b,
        (Value::Float(a), Value::Float(b)) => a == b,
        (Value::Text(a), Value::Text(b)) => a == b,
        (Value::Month(a), Value::Month(b)) | (Value::Weekday(a), Value::Weekday(b)) => a == b,
        _ => false,
    }
}

fn above<'a>(values: impl Iterator<Item = &'a Value>) -> Result<u16, Fault> {
    let depth = values.map(Value::depth).max().unwrap_or_default() + 1;
    if depth > DEEPEST { Err(too_deep()) } else { Ok(depth) }
}

fn too_deep() -> Fault {
    format!("lists and maps lie in each other more than {DEEPEST} levels deep")
}
