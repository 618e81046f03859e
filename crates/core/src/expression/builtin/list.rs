//! Built-ins about lists and maps.

use super::{Builtin, Moment, list_of, one, unfit, wrong};
use crate::expression::evaluate::{element, index, is_descending, sort};
use crate::expression::operator;
use crate::expression::types::Type;
use crate::expression::value::{AnyMap, Fault, Value};

pub(super) const ALL: &[Builtin] = &[
    Builtin { name: "len", check: len_form, call: len },
    Builtin { name: "first", check: end_form, call: |v, _| Ok(end(v, 0)) },
    Builtin { name: "last", check: end_form, call: |v, _| Ok(end(v, -1)) },
    Builtin { name: "get", check: get_form, call: get },
    Builtin { name: "take", check: take_form, call: take },
    Builtin { name: "keys", check: |t| map_of(t).map(|_| Type::list(Type::Any)), call: keys },
    Builtin { name: "values", check: |t| map_of(t).map(|_| Type::list(Type::Any)), call: elements },
    Builtin {
        name: "toPairs",
        check: |t| map_of(t).map(|_| Type::list(Type::Any)),
        call: to_pairs,
    },
    Builtin { name: "fromPairs", check: |t| list_of(t).map(|_| Type::AnyMap), call: from_pairs },
    Builtin { name: "reverse", check: some_list, call: reverse },
    Builtin { name: "uniq", check: some_list, call: uniq },
    Builtin { name: "concat", check: concat_form, call: concat },
    Builtin { name: "flatten", check: some_list, call: flatten },
    Builtin { name: "sort", check: sort_form, call: sorted },
];

fn some_list(given: &[Type]) -> Result<Type, String> {
    list_of(given).map(|_| Type::list(Type::Any))
}

fn map_of(given: &[Type]) -> Result<&Type, String> {
    let of = one(given)?;
    if of.is_map() || of.is_unknown() { Ok(of) } else { Err(unfit(of, "a map")) }
}

fn len_form(given: &[Type]) -> Result<Type, String> {
    let of = one(given)?;
    let has = of.is_list() || of.is_map() || *of == Type::Text || of.is_unknown();
    if has { Ok(Type::Int) } else { Err(unfit(of, "text, a list or a map")) }
}

fn end_form(given: &[Type]) -> Result<Type, String> {
    let of = list_of(given)?;
    Ok(match of.element() {
        Type::Text => Type::Text,
        _ => Type::Any,
    })
}

fn get_form(given: &[Type]) -> Result<Type, String> {
    let [of, key] = given else {
        return Err(format!("takes 2 arguments, and gets {}", given.len()));
    };
    match of {
        _ if of.is_unknown() => Ok(Type::Unknown),
        _ if of.is_list() && (key.is_integer() || key.is_unknown()) => Ok(of.element()),
        Type::Map if *key == Type::Text || key.is_unknown() => Ok(Type::Any),
        Type::AnyMap => Ok(Type::Any),
        _ => Err(format!("does not take {} and {}", of.name(), key.name())),
    }
}

fn take_form(given: &[Type]) -> Result<Type, String> {
    let [of, count] = given else {
        return Err(format!("takes 2 arguments, and gets {}", given.len()));
    };
    list_of(&given[..1])?;
    if count.is_integer() || count.is_unknown() {
        Ok(if of.is_unknown() { Type::Any } else { Type::list(Type::Any) })
    } else {
        Err(unfit(count, "an integer"))
    }
}

fn concat_form(given: &[Type]) -> Result<Type, String> {
    for (index, _) in given.iter().enumerate() {
        list_of(&given[index..=index])?;
    }
    if given.is_empty() {
        Err("takes at least 1 argument".into())
    } else {
        Ok(Type::list(Type::Any))
    }
}

fn sort_form(given: &[Type]) -> Result<Type, String> {
    match given {
        [of] | [of, Type::Text | Type::Unknown | Type::Any] => some_list(std::slice::from_ref(of)),
        _ => Err("takes a list, and perhaps \"asc\" or \"desc\"".into()),
    }
}

fn len(values: &[Value], moment: &mut Moment<'_>) -> Result<Value, Fault> {
    let [value] = values else { return Err(wrong()) };
    let length = match value {
        Value::Text(text) => {
            moment.budget.read(text.len())?;
            text.chars().count()
        }
        Value::Bytes(bytes) => bytes.len(),
        Value::List(list) => list.items.len(),
        Value::Map(map) => map.entries.len(),
        Value::AnyMap(map) => map.entries.len(),
        other => return Err(format!("takes text, a list or a map, and got {}", other.kind())),
    };
    Ok(Value::Int(i64::try_from(length).unwrap_or(i64::MAX)))
}

/// Nil where there is nothing.
fn end(values: &[Value], at: i64) -> Value {
    match values {
        [Value::List(list)] => {
            index(at, list.items.len()).map_or(Value::Nil, |index| list.items[index].clone())
        }
        [Value::Text(text)] => byte(text.as_bytes(), at),
        [Value::Bytes(bytes)] => byte(bytes, at),
        _ => Value::Nil,
    }
}

fn byte(bytes: &[u8], at: i64) -> Value {
    index(at, bytes.len()).map_or(Value::Nil, |index| Value::Int(i64::from(bytes[index])))
}

fn get(values: &[Value], moment: &mut Moment<'_>) -> Result<Value, Fault> {
    let [of, key] = values else { return Err(wrong()) };
    Ok(match of {
        Value::List(_) | Value::Text(_) | Value::Bytes(_) => {
            end(std::slice::from_ref(of), key.to_int()?)
        }
        Value::Map(map) => element(map, key, moment.budget)?.cloned().unwrap_or(Value::Nil),
        Value::AnyMap(map) => {
            map.spend_on(key, moment.budget)?;
            map.position(key).map_or(Value::Nil, |index| map.entries[index].1.clone())
        }
        Value::Record(record) => {
            let name = key.as_text()?;
            let field = record.fields.iter().find(|field| field.name == name);
            field.map_or(Value::Nil, |field| field.value.clone())
        }
        _ => Value::Nil,
    })
}

fn take(values: &[Value], moment: &mut Moment<'_>) -> Result<Value, Fault> {
    let [of, count] = values else { return Err(wrong()) };
    let Value::Int(count) = count else {
        return Err(format!("takes an integer, and got {}", count.kind()));
    };
    let list = of.as_list()?;
    if list.is_nil {
        return Ok(of.clone());
    }
    let count = usize::try_from(*count).map_err(|_| "takes no negative number".to_owned())?;
    let count = count.min(list.items.len());
    moment.budget.spend(count)?;
    Value::list(list.items[..count].to_vec())
}

fn entries(values: &[Value], moment: &mut Moment<'_>) -> Result<Vec<(Value, Value)>, Fault> {
    match values {
        [Value::Map(map)] => {
            moment.budget.spend(map.entries.len())?;
            let mut entries = vec![];
            for (key, value) in &map.entries {
                moment.budget.write(key.len())?;
                entries.push((Value::text(key.as_str()), value.clone()));
            }
            Ok(entries)
        }
        [Value::AnyMap(map)] => {
            moment.budget.spend(map.entries.len())?;
            Ok(map.entries.clone())
        }
        [other] => Err(format!("takes a map, and got {}", other.kind())),
        _ => Err(wrong()),
    }
}

fn keys(values: &[Value], moment: &mut Moment<'_>) -> Result<Value, Fault> {
    Value::list(entries(values, moment)?.into_iter().map(|(key, _)| key).collect())
}

fn elements(values: &[Value], moment: &mut Moment<'_>) -> Result<Value, Fault> {
    Value::list(entries(values, moment)?.into_iter().map(|(_, value)| value).collect())
}

fn to_pairs(values: &[Value], moment: &mut Moment<'_>) -> Result<Value, Fault> {
    let pairs = entries(values, moment)?.into_iter();
    Value::list(pairs.map(|(key, value)| Value::list(vec![key, value])).collect::<Result<_, _>>()?)
}

fn from_pairs(values: &[Value], moment: &mut Moment<'_>) -> Result<Value, Fault> {
    let mut map = AnyMap::default();
    for pair in &values.first().ok_or_else(wrong)?.as_list()?.items {
        let [key, value] = pair.as_list()?.items.as_slice() else {
            return Err("takes a list of pairs".into());
        };
        if matches!(key, Value::List(_) | Value::Map(_) | Value::AnyMap(_) | Value::Bytes(_)) {
            return Err(format!("can't have {} as a key", key.kind()));
        }
        map.spend_on(key, moment.budget)?;
        match map.position(key) {
            Some(index) => map.entries[index].1 = value.clone(),
            None => map.entries.push((key.clone(), value.clone())),
        }
    }
    Value::any_map(map.entries)
}

fn reverse(values: &[Value], moment: &mut Moment<'_>) -> Result<Value, Fault> {
    let list = values.first().ok_or_else(wrong)?.as_list()?;
    moment.budget.hold(list.items.len())?;
    Value::list(list.items.iter().rev().cloned().collect())
}

fn uniq(values: &[Value], moment: &mut Moment<'_>) -> Result<Value, Fault> {
    let list = values.first().ok_or_else(wrong)?.as_list()?;
    let mut kept: Vec<Value> = vec![];
    'items: for item in &list.items {
        for other in &kept {
            moment.budget.spend(1)?;
            if operator::is_equal(item, other, moment.budget)? {
                continue 'items;
            }
        }
        kept.push(item.clone());
    }
    Value::list(kept)
}

fn concat(values: &[Value], moment: &mut Moment<'_>) -> Result<Value, Fault> {
    let mut items = vec![];
    for value in values {
        let list = value.as_list()?;
        moment.budget.hold(list.items.len())?;
        items.extend_from_slice(&list.items);
    }
    if items.is_empty() { Ok(Value::nil_list()) } else { Value::list(items) }
}

fn flatten(values: &[Value], moment: &mut Moment<'_>) -> Result<Value, Fault> {
    fn flatten(
        items: &[Value],
        into: &mut Vec<Value>,
        moment: &mut Moment<'_>,
    ) -> Result<(), Fault> {
        for item in items {
            moment.budget.hold(1)?;
            match item {
                Value::List(list) => flatten(&list.items, into, moment)?,
                other => into.push(other.clone()),
            }
        }
        Ok(())
    }
    let mut flat = vec![];
    flatten(&values.first().ok_or_else(wrong)?.as_list()?.items, &mut flat, moment)?;
    Value::list(flat)
}

fn sorted(values: &[Value], moment: &mut Moment<'_>) -> Result<Value, Fault> {
    let descending = is_descending(values.get(1))?;
    // Of what is no list, Go's engine makes an empty one.
    let Some(Value::List(list)) = values.first() else { return Ok(Value::nil_list()) };
    moment.budget.hold(list.items.len())?;
    Value::list(sort(list.items.clone(), |item| item, descending, moment.budget)?)
}
