//! Operators between two values.

use std::cmp::Ordering;
use std::sync::Arc;

use super::budget::Budget;
use super::power;
use super::syntax::Binary;
use super::time;
use super::value::{Fault, Value, is_same_key};

/// Both sides are there; `and`, `or` and `??` never get here.
pub(super) fn apply(
    binary: Binary,
    left: &Value,
    right: &Value,
    budget: &mut Budget,
) -> Result<Value, Fault> {
    Ok(match binary {
        Binary::Equal => Value::Bool(is_equal(left, right, budget)?),
        Binary::NotEqual => Value::Bool(!is_equal(left, right, budget)?),
        Binary::Less => Value::Bool(order(left, right, budget)? == Some(Ordering::Less)),
        Binary::More => Value::Bool(order(left, right, budget)? == Some(Ordering::Greater)),
        Binary::LessOrEqual => {
            Value::Bool(order(left, right, budget)?.is_some_and(Ordering::is_le))
        }
        Binary::MoreOrEqual => {
            Value::Bool(order(left, right, budget)?.is_some_and(Ordering::is_ge))
        }
        Binary::In => Value::Bool(is_in(left, right, budget)?),
        Binary::Contains | Binary::StartsWith | Binary::EndsWith => {
            Value::Bool(holds(binary, left, right, budget)?)
        }
        Binary::Range => range(left, right, budget)?,
        Binary::Add => return add(left, right, budget),
        Binary::Subtract | Binary::Multiply => return arithmetic(binary, left, right),
        Binary::Divide => Value::Float(left.to_float()? / right.to_float()?),
        Binary::Power => Value::Float(power::power(left.to_float()?, right.to_float()?)),
        Binary::Modulo => match (left, right) {
            (Value::Int(_), Value::Int(0)) => return Err("divides by zero".into()),
            (Value::Int(left), Value::Int(right)) => Value::Int(left.wrapping_rem(*right)),
            _ => return Err(refusal(binary, left, right)),
        },
        Binary::Or | Binary::And | Binary::Coalesce => return Err(refusal(binary, left, right)),
    })
}

pub(super) fn add(left: &Value, right: &Value, budget: &mut Budget) -> Result<Value, Fault> {
    match (left, right) {
        (Value::Text(left), Value::Text(right)) => {
            budget.write(left.len() + right.len())?;
            Ok(Value::text(format!("{left}{right}")))
        }
        (Value::Time(time), Value::Duration(duration))
        | (Value::Duration(duration), Value::Time(time)) => time::after(time, *duration),
        _ => arithmetic(Binary::Add, left, right),
    }
}

fn arithmetic(binary: Binary, left: &Value, right: &Value) -> Result<Value, Fault> {
    let whole = |a: i64, b: i64| match binary {
        Binary::Add => a.wrapping_add(b),
        Binary::Subtract => a.wrapping_sub(b),
        _ => a.wrapping_mul(b),
    };
    Ok(match (left, right) {
        (Value::Int(a), Value::Int(b)) => Value::Int(whole(*a, *b)),
        (Value::Duration(a), Value::Duration(b)) => Value::Duration(whole(*a, *b)),
        (Value::Duration(a), Value::Int(b)) | (Value::Int(a), Value::Duration(b))
            if binary == Binary::Multiply =>
        {
            Value::Duration(a.wrapping_mul(*b))
        }
        (Value::Duration(_), Value::Float(_)) | (Value::Float(_), Value::Duration(_))
            if binary == Binary::Multiply =>
        {
            #[expect(
                clippy::cast_possible_truncation,
                clippy::cast_precision_loss,
                reason = "as Go"
            )]
            let scaled = |d: i64, f: f64| (d as f64 * f) as i64;
            match (left, right) {
                (Value::Duration(d), Value::Float(f)) | (Value::Float(f), Value::Duration(d)) => {
                    Value::Duration(scaled(*d, *f))
                }
                _ => return Err(refusal(binary, left, right)),
            }
        }
        (Value::Time(a), Value::Time(b)) if binary == Binary::Subtract => time::between(b, a),
        (Value::Time(a), Value::Duration(b)) if binary == Binary::Subtract => {
            return time::after(a, b.wrapping_neg());
        }
        (Value::Int(_) | Value::Float(_), Value::Int(_) | Value::Float(_)) => {
            let (a, b) = (left.to_float()?, right.to_float()?);
            Value::Float(match binary {
                Binary::Add => a + b,
                Binary::Subtract => a - b,
                _ => a * b,
            })
        }
        _ => return Err(refusal(binary, left, right)),
    })
}

fn refusal(binary: Binary, left: &Value, right: &Value) -> Fault {
    format!("{} does not take {} and {}", binary.sign(), left.kind(), right.kind())
}

/// Numbers of both kinds are compared by value, also in lists; in maps they are not.
pub(super) fn is_equal(left: &Value, right: &Value, budget: &mut Budget) -> Result<bool, Fault> {
    Ok(match (left, right) {
        (Value::Int(a), Value::Int(b)) => a == b,
        (Value::Int(_) | Value::Float(_), Value::Int(_) | Value::Float(_)) => {
            left.to_float()? == right.to_float()?
        }
        (Value::List(a), Value::List(b)) => {
            budget.spend(a.items.len())?;
            if a.items.len() != b.items.len() {
                return Ok(false);
            }
            for (a, b) in a.items.iter().zip(&b.items) {
                if !is_equal(a, b, budget)? {
                    return Ok(false);
                }
            }
            true
        }
        (Value::Time(a), Value::Time(b)) => a.timestamp() == b.timestamp(),
        _ if left.is_nil() && right.is_nil() => true,
        _ => is_identical(left, right, budget)?,
    })
}

/// Go's deep equality: types count.
fn is_identical(left: &Value, right: &Value, budget: &mut Budget) -> Result<bool, Fault> {
    Ok(match (left, right) {
        (Value::Bytes(a), Value::Bytes(b)) => a == b,
        (Value::List(a), Value::List(b)) => {
            budget.spend(a.items.len())?;
            if a.items.len() != b.items.len() || a.is_nil != b.is_nil {
                return Ok(false);
            }
            for (a, b) in a.items.iter().zip(&b.items) {
                if !is_identical(a, b, budget)? {
                    return Ok(false);
                }
            }
            true
        }
        (Value::Map(a), Value::Map(b)) => {
            budget.spend(a.entries.len())?;
            if a.entries.len() != b.entries.len() {
                return Ok(false);
            }
            for ((key, a), (other, b)) in a.entries.iter().zip(&b.entries) {
                if key != other || !is_identical(a, b, budget)? {
                    return Ok(false);
                }
            }
            true
        }
        (Value::AnyMap(a), Value::AnyMap(b)) => {
            if a.entries.len() != b.entries.len() {
                return Ok(false);
            }
            for (key, a) in &a.entries {
                b.spend_on(key, budget)?;
                let Some(other) = b.position(key) else { return Ok(false) };
                if !is_identical(a, &b.entries[other].1, budget)? {
                    return Ok(false);
                }
            }
            true
        }
        (Value::Record(a), Value::Record(b)) => {
            if a.kind != b.kind {
                return Ok(false);
            }
            for (a, b) in a.fields.iter().zip(&b.fields) {
                if !is_identical(&a.value, &b.value, budget)? {
                    return Ok(false);
                }
            }
            true
        }
        (Value::Version(a), Value::Version(b)) => a == b,
        (Value::Time(a), Value::Time(b)) => a == b,
        (Value::Zone(a), Value::Zone(b)) => a == b,
        _ => {
            if let Value::Text(text) = left {
                budget.read(text.len())?;
            }
            is_same_key(left, right)
        }
    })
}

/// Which comes first; nothing for a float that is no number.
pub(super) fn order(
    left: &Value,
    right: &Value,
    budget: &mut Budget,
) -> Result<Option<Ordering>, Fault> {
    Ok(match (left, right) {
        (Value::Int(a), Value::Int(b)) | (Value::Duration(a), Value::Duration(b)) => Some(a.cmp(b)),
        (Value::Int(_) | Value::Float(_), Value::Int(_) | Value::Float(_)) => {
            left.to_float()?.partial_cmp(&right.to_float()?)
        }
        (Value::Text(a), Value::Text(b)) => {
            budget.read(a.len().min(b.len()))?;
            Some(a.cmp(b))
        }
        (Value::Time(a), Value::Time(b)) => Some(a.timestamp().cmp(&b.timestamp())),
        _ => return Err(format!("{} and {} have no order", left.kind(), right.kind())),
    })
}

fn is_in(needle: &Value, of: &Value, budget: &mut Budget) -> Result<bool, Fault> {
    match of {
        Value::Nil => Ok(false),
        Value::List(list) => {
            for item in &list.items {
                budget.spend(1)?;
                if is_equal(item, needle, budget)? {
                    return Ok(true);
                }
            }
            Ok(false)
        }
        Value::Bytes(bytes) => {
            let item = |byte: &u8| Value::Int(i64::from(*byte));
            budget.spend(bytes.len())?;
            let mut found = false;
            for byte in bytes.iter() {
                found |= is_equal(&item(byte), needle, budget)?;
            }
            Ok(found)
        }
        Value::Map(map) => match needle {
            Value::Nil => Ok(map.entries.contains_key("")),
            key => {
                budget.read(key.as_text()?.len())?;
                Ok(map.entries.contains_key(key.as_text()?))
            }
        },
        Value::AnyMap(map) => {
            map.spend_on(needle, budget)?;
            Ok(map.position(needle).is_some())
        }
        Value::Record(record) => {
            let name = needle.as_text()?;
            Ok(record.fields.iter().any(|field| field.name == name))
        }
        other => Err(format!("nothing is in {}", other.kind())),
    }
}

fn holds(binary: Binary, left: &Value, right: &Value, budget: &mut Budget) -> Result<bool, Fault> {
    if left.is_nil() || right.is_nil() {
        return Ok(false);
    }
    let (text, part) = (left.as_text()?, right.as_text()?);
    budget.read(text.len())?;
    Ok(match binary {
        Binary::Contains => text.contains(part),
        Binary::StartsWith => text.starts_with(part),
        _ => text.ends_with(part),
    })
}

fn range(left: &Value, right: &Value, budget: &mut Budget) -> Result<Value, Fault> {
    let (from, to) = (left.to_int()?, right.to_int()?);
    let size = i128::from(to) - i128::from(from) + 1;
    budget.hold(usize::try_from(size.max(0)).unwrap_or(usize::MAX))?;
    Ok(Value::flat((from..=to).map(Value::Int)))
}

/// `x in ["a", "b"]`: Go's engine makes a set of it, which takes text only.
pub(super) fn is_in_texts(needle: &Value, texts: &[Arc<str>]) -> Result<bool, Fault> {
    match needle {
        Value::Nil => Ok(texts.iter().any(|text| text.is_empty())),
        needle => {
            let needle = needle.as_text()?;
            Ok(texts.iter().any(|text| **text == *needle))
        }
    }
}
