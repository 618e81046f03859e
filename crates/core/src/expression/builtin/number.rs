//! Built-ins about numbers.

use std::cmp::Ordering;

use super::{Builtin, Moment, form, one, unfit, wrong};
use crate::expression::operator;
use crate::expression::types::{Signature, Type};
use crate::expression::value::{Fault, Value};

const BITS: Signature = Signature { takes: &[Type::Int, Type::Int], gives: Type::Int };

pub(super) const ALL: &[Builtin] = &[
    Builtin { name: "abs", check: |t| number(t).cloned(), call: abs },
    Builtin { name: "ceil", check: rounded, call: |v, _| round(v, f64::ceil) },
    Builtin { name: "floor", check: rounded, call: |v, _| round(v, f64::floor) },
    Builtin { name: "round", check: rounded, call: |v, _| round(v, f64::round) },
    Builtin { name: "max", check: aggregate, call: |v, m| extreme(v, m, Ordering::Less) },
    Builtin { name: "min", check: aggregate, call: |v, m| extreme(v, m, Ordering::Greater) },
    Builtin { name: "mean", check: aggregate, call: mean },
    Builtin { name: "median", check: aggregate, call: median },
    Builtin { name: "bitand", check: |t| form(t, &[BITS]), call: |v, _| bits(v, |a, b| Ok(a & b)) },
    Builtin { name: "bitor", check: |t| form(t, &[BITS]), call: |v, _| bits(v, |a, b| Ok(a | b)) },
    Builtin { name: "bitxor", check: |t| form(t, &[BITS]), call: |v, _| bits(v, |a, b| Ok(a ^ b)) },
    Builtin {
        name: "bitnand",
        check: |t| form(t, &[BITS]),
        call: |v, _| bits(v, |a, b| Ok(a & !b)),
    },
    Builtin {
        name: "bitshl",
        check: |t| form(t, &[BITS]),
        call: |v, _| bits(v, |a, b| Ok(a.checked_shl(places(b)?).unwrap_or(0))),
    },
    Builtin {
        name: "bitshr",
        check: |t| form(t, &[BITS]),
        call: |v, _| bits(v, |a, b| Ok(a >> places(b)?.min(63))),
    },
    Builtin {
        name: "bitushr",
        check: |t| form(t, &[BITS]),
        call: |v, _| {
            let shift = |a: i64, b| {
                Ok(a.cast_unsigned().checked_shr(places(b)?).unwrap_or(0).cast_signed())
            };
            bits(v, shift)
        },
    },
    Builtin {
        name: "bitnot",
        check: |t| form(t, &[Signature { takes: &[Type::Int], gives: Type::Int }]),
        call: |v, _| match v {
            [Value::Int(int)] => Ok(Value::Int(!int)),
            _ => Err("takes an integer".into()),
        },
    },
];

fn number(given: &[Type]) -> Result<&Type, String> {
    let of = one(given)?;
    if of.is_number() || of.is_unknown() { Ok(of) } else { Err(unfit(of, "a number")) }
}

fn rounded(given: &[Type]) -> Result<Type, String> {
    number(given).map(|_| Type::Float)
}

/// Numbers, up to the first list, after which nothing is known.
fn aggregate(given: &[Type]) -> Result<Type, String> {
    let first = given.first().ok_or("takes at least 1 argument")?;
    for of in given {
        if of.is_unknown() || of.is_list() {
            return Ok(Type::Any);
        }
        if !of.is_number() {
            return Err(unfit(of, "numbers, or lists of them"));
        }
    }
    Ok(first.clone())
}

fn abs(values: &[Value], _: &mut Moment<'_>) -> Result<Value, Fault> {
    match values {
        [Value::Int(int)] => Ok(Value::Int(int.wrapping_abs())),
        [Value::Float(float)] if *float < 0.0 => Ok(Value::Float(-float)),
        [Value::Float(float)] => Ok(Value::Float(*float)),
        _ => Err("takes a number".into()),
    }
}

fn round(values: &[Value], round: fn(f64) -> f64) -> Result<Value, Fault> {
    let [value] = values else { return Err(wrong()) };
    Ok(Value::Float(round(value.to_float()?)))
}

/// Replaces what it has whenever that compares as given with the next.
fn extreme(values: &[Value], moment: &mut Moment<'_>, replaced: Ordering) -> Result<Value, Fault> {
    if let [only] = values
        && !matches!(only, Value::Int(_) | Value::Float(_) | Value::List(_) | Value::Bytes(_))
    {
        return Ok(only.clone());
    }
    let mut found = Value::Nil;
    for value in numbers(values, moment)? {
        let replaces = match &found {
            Value::Nil => true,
            found => operator::order(found, &value, moment.budget)? == Some(replaced),
        };
        if replaces {
            found = value;
        }
    }
    Ok(found)
}

fn mean(values: &[Value], moment: &mut Moment<'_>) -> Result<Value, Fault> {
    let numbers = floats(values, moment)?;
    if numbers.is_empty() {
        return Ok(Value::Float(0.0));
    }
    #[expect(clippy::cast_precision_loss, reason = "a million at most")]
    let count = numbers.len() as f64;
    Ok(Value::Float(numbers.iter().fold(0.0, |sum, number| sum + number) / count))
}

fn median(values: &[Value], moment: &mut Moment<'_>) -> Result<Value, Fault> {
    let mut numbers = floats(values, moment)?;
    numbers.sort_by(f64::total_cmp);
    let middle = numbers.len() / 2;
    Ok(Value::Float(match numbers.len() {
        0 => 0.0,
        odd if odd % 2 == 1 => numbers[middle],
        _ => f64::midpoint(numbers[middle - 1], numbers[middle]),
    }))
}

fn floats(values: &[Value], moment: &mut Moment<'_>) -> Result<Vec<f64>, Fault> {
    numbers(values, moment)?.iter().map(Value::to_float).collect()
}

/// All numbers, those of lists in lists too.
fn numbers(values: &[Value], moment: &mut Moment<'_>) -> Result<Vec<Value>, Fault> {
    let mut numbers = vec![];
    for value in values {
        moment.budget.spend(1)?;
        match value {
            Value::Int(_) | Value::Float(_) => numbers.push(value.clone()),
            Value::List(list) => numbers.append(&mut self::numbers(&list.items, moment)?),
            Value::Bytes(bytes) => {
                moment.budget.spend(bytes.len())?;
                numbers.extend(bytes.iter().map(|byte| Value::Int(i64::from(*byte))));
            }
            other => return Err(format!("takes numbers, and got {}", other.kind())),
        }
    }
    Ok(numbers)
}

fn bits(values: &[Value], operation: fn(i64, i64) -> Result<i64, Fault>) -> Result<Value, Fault> {
    match values {
        [Value::Int(a), Value::Int(b)] => operation(*a, *b).map(Value::Int),
        _ => Err("takes two integers".into()),
    }
}

fn places(by: i64) -> Result<u32, Fault> {
    match u32::try_from(by) {
        Ok(by) => Ok(by),
        Err(_) if by < 0 => Err("can't shift by a negative number".into()),
        Err(_) => Ok(u32::MAX),
    }
}
