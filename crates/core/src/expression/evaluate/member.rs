//! Members, elements and slices.

use crate::expression::budget::Budget;
use crate::expression::builtin::Moment;
use crate::expression::value::{Fault, Map, Value};

/// What a member stands for: an element, a field, or what lies at a place of a list.
pub(super) fn fetch(of: &Value, property: &Value, moment: &mut Moment<'_>) -> Result<Value, Fault> {
    let nothing = || Err(format!("{} has no such member", of.kind()));
    match of {
        Value::List(list) => {
            let index = index(property.to_int()?, list.items.len())?;
            Ok(list.items[index].clone())
        }
        Value::Text(text) => byte(text.as_bytes(), property),
        Value::Bytes(bytes) => byte(bytes, property),
        Value::Map(map) => {
            Ok(element(map, property, moment.budget)?.cloned().unwrap_or(Value::Nil))
        }
        Value::AnyMap(map) => {
            map.spend_on(property, moment.budget)?;
            Ok(map.position(property).map_or(Value::Nil, |index| map.entries[index].1.clone()))
        }
        Value::Record(record) => {
            let name = property.as_text()?;
            match record.fields.iter().find(|field| field.name == name) {
                Some(field) => Ok(field.value.clone()),
                None => nothing(),
            }
        }
        _ => nothing(),
    }
}

pub(in crate::expression) fn element<'m>(
    map: &'m Map,
    key: &Value,
    budget: &mut Budget,
) -> Result<Option<&'m Value>, Fault> {
    let key = if key.is_nil() { "" } else { key.as_text()? };
    budget.read(key.len())?;
    Ok(map.entries.get(key))
}

fn byte(bytes: &[u8], property: &Value) -> Result<Value, Fault> {
    Ok(Value::Int(i64::from(bytes[index(property.to_int()?, bytes.len())?])))
}

/// A place in a list; a negative one counts from the end.
pub(in crate::expression) fn index(index: i64, length: usize) -> Result<usize, Fault> {
    let fault = || format!("there is no place {index} in {length}");
    let length = i64::try_from(length).map_err(|_| fault())?;
    let from_start = if index < 0 { index.saturating_add(length) } else { index };
    if from_start >= length {
        return Err(fault());
    }
    usize::try_from(from_start).map_err(|_| fault())
}

pub(super) fn slice(
    of: &Value,
    from: Option<&Value>,
    to: Option<&Value>,
    moment: &mut Moment<'_>,
) -> Result<Value, Fault> {
    let bounds = |length: usize| {
        let whole = i64::try_from(length).unwrap_or(i64::MAX);
        let clamp = |end: i64| {
            let end = if end < 0 { end.saturating_add(whole) } else { end };
            usize::try_from(end.clamp(0, whole)).unwrap_or_default()
        };
        let to = to.map(Value::to_int).transpose()?.map_or(length, clamp);
        let from = from.map(Value::to_int).transpose()?.map_or(0, clamp);
        Ok::<_, Fault>(from.min(to)..to)
    };
    match of {
        Value::Text(text) => {
            let bytes = &text.as_bytes()[bounds(text.len())?];
            moment.budget.write(bytes.len())?;
            Ok(Value::of_bytes(bytes))
        }
        Value::Bytes(bytes) => {
            let bytes = &bytes[bounds(bytes.len())?];
            moment.budget.write(bytes.len())?;
            Ok(Value::Bytes(bytes.into()))
        }
        Value::List(list) if list.is_nil => Ok(of.clone()),
        Value::List(list) => {
            let items = &list.items[bounds(list.items.len())?];
            moment.budget.spend(items.len())?;
            Value::list(items.to_vec())
        }
        other => Err(format!("{} has no slices", other.kind())),
    }
}
