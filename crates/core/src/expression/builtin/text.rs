//! Built-ins about text.

use super::{Builtin, Moment, TEXT, form, wrong};
use crate::expression::types::{Signature, Type};
use crate::expression::value::{Fault, Value};

const ONE: Signature = Signature { takes: &[TEXT], gives: TEXT };
const TWO: Signature = Signature { takes: &[TEXT, TEXT], gives: TEXT };
const TEST: Signature = Signature { takes: &[TEXT, TEXT], gives: Type::Bool };
const PLACE: Signature = Signature { takes: &[TEXT, TEXT], gives: Type::Int };

pub(super) const ALL: &[Builtin] = &[
    Builtin { name: "trim", check: |t| form(t, &[ONE, TWO]), call: trim },
    Builtin {
        name: "trimPrefix",
        check: |t| form(t, &[TWO, ONE]),
        call: |v, m| cut(v, m, |text, end| text.strip_prefix(end)),
    },
    Builtin {
        name: "trimSuffix",
        check: |t| form(t, &[TWO, ONE]),
        call: |v, m| cut(v, m, |text, end| text.strip_suffix(end)),
    },
    Builtin { name: "upper", check: |t| form(t, &[ONE]), call: |v, m| each_char(v, m, upper) },
    Builtin { name: "lower", check: |t| form(t, &[ONE]), call: |v, m| each_char(v, m, lower) },
    Builtin { name: "split", check: split_form, call: |v, m| split(v, m, false) },
    Builtin { name: "splitAfter", check: split_form, call: |v, m| split(v, m, true) },
    Builtin {
        name: "replace",
        check: |t| {
            let four = Signature { takes: &[TEXT, TEXT, TEXT, Type::Int], gives: TEXT };
            form(t, &[four, Signature { takes: &[TEXT, TEXT, TEXT], gives: TEXT }])
        },
        call: replace,
    },
    Builtin {
        name: "repeat",
        check: |t| form(t, &[Signature { takes: &[TEXT, Type::Int], gives: TEXT }]),
        call: repeat,
    },
    Builtin { name: "join", check: join_form, call: join },
    Builtin {
        name: "indexOf",
        check: |t| form(t, &[PLACE]),
        call: |v, m| place(v, m, |t, p| t.find(p)),
    },
    Builtin {
        name: "lastIndexOf",
        check: |t| form(t, &[PLACE]),
        call: |v, m| place(v, m, |t, p| t.rfind(p)),
    },
    Builtin {
        name: "hasPrefix",
        check: |t| form(t, &[TEST]),
        call: |v, m| Ok(Value::Bool(pair(v, m).map(|(text, end)| text.starts_with(end))?)),
    },
    Builtin {
        name: "hasSuffix",
        check: |t| form(t, &[TEST]),
        call: |v, m| Ok(Value::Bool(pair(v, m).map(|(text, end)| text.ends_with(end))?)),
    },
];

fn split_form(given: &[Type]) -> Result<Type, String> {
    form(given, &[TWO, Signature { takes: &[TEXT, TEXT, Type::Int], gives: TEXT }])
        .map(|_| Type::list(TEXT))
}

fn join_form(given: &[Type]) -> Result<Type, String> {
    // Lists fit lists, whatever is in them.
    match given {
        [list, rest @ ..] if list.is_list() && *list != Type::Bytes || list.is_unknown() => {
            match rest {
                [] => Ok(TEXT),
                [glue] if *glue == TEXT || glue.is_unknown() => Ok(TEXT),
                _ => Err("takes text behind the list, and no more".into()),
            }
        }
        _ => Err("takes a list, and perhaps text".into()),
    }
}

fn pair<'v>(values: &'v [Value], moment: &mut Moment<'_>) -> Result<(&'v str, &'v str), Fault> {
    let [text, other] = values else { return Err(wrong()) };
    let (text, other) = (text.as_text()?, other.as_text()?);
    moment.budget.read(text.len())?;
    Ok((text, other))
}

fn trim(values: &[Value], moment: &mut Moment<'_>) -> Result<Value, Fault> {
    let text = values.first().ok_or_else(wrong)?.as_text()?;
    let trimmed = match values.get(1) {
        None => text.trim(),
        Some(of) => {
            let of = of.as_text()?;
            // Each of the ends is looked for among all of these.
            moment.budget.spend(text.len().saturating_mul(1 + of.len() / 64))?;
            text.trim_matches(|c| of.contains(c))
        }
    };
    moment.budget.write(text.len())?;
    Ok(Value::text(trimmed))
}

fn cut(
    values: &[Value],
    moment: &mut Moment<'_>,
    cut: for<'t> fn(&'t str, &str) -> Option<&'t str>,
) -> Result<Value, Fault> {
    let text = values.first().ok_or_else(wrong)?.as_text()?;
    let end = values.get(1).map_or(Ok(" "), Value::as_text)?;
    moment.budget.write(text.len())?;
    Ok(Value::text(cut(text, end).unwrap_or(text)))
}

fn each_char(
    values: &[Value],
    moment: &mut Moment<'_>,
    case: fn(char) -> char,
) -> Result<Value, Fault> {
    let text = values.first().ok_or_else(wrong)?.as_text()?;
    moment.budget.write(2 * text.len())?;
    Ok(Value::text(text.chars().map(case).collect::<String>()))
}

/// One character stays one character, as in Go.
fn upper(c: char) -> char {
    let mut upper = c.to_uppercase();
    match (upper.next(), upper.next()) {
        (Some(upper), None) => upper,
        _ => c,
    }
}

fn lower(c: char) -> char {
    match c {
        'İ' => 'i',
        _ => c.to_lowercase().next().unwrap_or(c),
    }
}

fn split(values: &[Value], moment: &mut Moment<'_>, keeps: bool) -> Result<Value, Fault> {
    let [text, separator, rest @ ..] = values else { return Err(wrong()) };
    let (text, separator) = (text.as_text()?, separator.as_text()?);
    moment.budget.write(text.len())?;
    let most = match rest.first() {
        None => usize::MAX,
        Some(most) => match most.to_int()? {
            0 => return Ok(Value::nil_list()),
            most => usize::try_from(most).unwrap_or(usize::MAX),
        },
    };
    let mut parts = vec![];
    let mut rest = text;
    while parts.len() + 1 < most {
        let end = match separator {
            // Character by character.
            "" => match rest.chars().next() {
                Some(first) if first.len_utf8() < rest.len() => Some(first.len_utf8()),
                _ => None,
            },
            separator => rest.find(separator),
        };
        let Some(end) = end else { break };
        let after = end + separator.len();
        parts.push(Value::text(&rest[..if keeps { after } else { end }]));
        rest = &rest[after..];
    }
    if !(separator.is_empty() && rest.is_empty()) {
        parts.push(Value::text(rest));
    }
    moment.budget.hold(parts.len())?;
    Value::list(parts)
}

fn replace(values: &[Value], moment: &mut Moment<'_>) -> Result<Value, Fault> {
    let [text, from, to, rest @ ..] = values else { return Err(wrong()) };
    let (text, from, to) = (text.as_text()?, from.as_text()?, to.as_text()?);
    let most = match rest.first() {
        None => usize::MAX,
        Some(most) => usize::try_from(most.to_int()?).unwrap_or(usize::MAX),
    };
    moment.budget.read(text.len())?;
    // What it will be is paid for before it is made.
    let found = text.matches(from).take(most).count();
    moment.budget.write(text.len().saturating_add(found.saturating_mul(to.len())))?;
    Ok(Value::text(text.replacen(from, to, most)))
}

fn repeat(values: &[Value], moment: &mut Moment<'_>) -> Result<Value, Fault> {
    let [text, times] = values else { return Err(wrong()) };
    let (text, times) = (text.as_text()?, times.to_int()?);
    let times = usize::try_from(times).map_err(|_| "takes no negative number".to_owned())?;
    if times > 1_000_000 {
        return Err("takes a number up to 1000000".into());
    }
    moment.budget.hold(text.len().saturating_mul(times))?;
    moment.budget.write(text.len().saturating_mul(times))?;
    Ok(Value::text(text.repeat(times)))
}

fn join(values: &[Value], moment: &mut Moment<'_>) -> Result<Value, Fault> {
    let list = values.first().ok_or_else(wrong)?.as_list()?;
    let glue = values.get(1).map_or(Ok(""), Value::as_text)?;
    let mut joined = String::new();
    for (index, item) in list.items.iter().enumerate() {
        let item = item.as_text().map_err(|_| "takes a list of texts".to_owned())?;
        let glue = if index == 0 { "" } else { glue };
        moment.budget.write(glue.len() + item.len())?;
        moment.budget.spend(1)?;
        joined.push_str(glue);
        joined.push_str(item);
    }
    Ok(Value::text(joined))
}

/// In bytes; -1 if it is not there.
fn place(
    values: &[Value],
    moment: &mut Moment<'_>,
    find: fn(&str, &str) -> Option<usize>,
) -> Result<Value, Fault> {
    let (text, part) = pair(values, moment)?;
    let found = find(text, part).map_or(-1, |at| i64::try_from(at).unwrap_or(i64::MAX));
    Ok(Value::Int(found))
}
