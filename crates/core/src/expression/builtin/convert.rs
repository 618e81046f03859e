//! Built-ins that make one type of another, and those about time.

use jiff::tz::TimeZone;

use super::{Builtin, Moment, TEXT, form, list_of, one, unfit, wrong};
use crate::expression::coerce;
use crate::expression::print;
use crate::expression::time;
use crate::expression::types::{Signature, Type};
use crate::expression::value::{Fault, Value};

pub(super) const ALL: &[Builtin] = &[
    Builtin { name: "type", check: |t| form(t, &[ANY]), call: |v, _| kind(v) },
    Builtin { name: "int", check: |t| scalar(t).map(|()| Type::Int), call: int },
    Builtin { name: "float", check: |t| scalar(t).map(|()| Type::Float), call: float },
    Builtin { name: "string", check: |t| form(t, &[ANY]), call: string },
    Builtin { name: "toJSON", check: |t| form(t, &[ANY]), call: to_json },
    Builtin {
        name: "fromJSON",
        check: |t| form(t, &[Signature { takes: &[TEXT], gives: Type::Any }]),
        call: from_json,
    },
    Builtin { name: "toBase64", check: |t| form(t, &[TEXTS]), call: to_base64 },
    Builtin { name: "fromBase64", check: |t| form(t, &[TEXTS]), call: from_base64 },
    Builtin {
        name: "now",
        check: |t| match t {
            [] | [Type::Zone] => Ok(Type::Time),
            _ => Err("takes no argument, or a time zone".into()),
        },
        call: |v, moment| {
            let now =
                moment.now.ok_or("is not to be had here: the result would depend on the time")?;
            Ok(match v {
                [Value::Zone(zone)] => time::in_zone(now, zone.clone()),
                _ => time::in_zone(now, TimeZone::UTC),
            })
        },
    },
    Builtin {
        name: "duration",
        check: |t| form(t, &[Signature { takes: &[TEXT], gives: Type::Duration }]),
        call: |v, _| time::duration(v.first().ok_or_else(wrong)?.as_text()?),
    },
    Builtin { name: "date", check: date_form, call: |v, _| date(v) },
    Builtin {
        name: "timezone",
        check: |t| form(t, &[Signature { takes: &[TEXT], gives: Type::Zone }]),
        call: |v, _| time::zone(v.first().ok_or_else(wrong)?.as_text()?).map(Value::Zone),
    },
];

const ANY: Signature = Signature { takes: &[Type::Unknown], gives: TEXT };
const TEXTS: Signature = Signature { takes: &[TEXT], gives: TEXT };

/// A number, or text that may hold one.
fn scalar(given: &[Type]) -> Result<(), String> {
    let of = one(given)?;
    let is_named = matches!(of, Type::Month | Type::Weekday);
    let fits = of.is_number() || is_named || *of == Type::Text || of.is_unknown();
    if fits { Ok(()) } else { Err(unfit(of, "a number or text")) }
}

fn date_form(given: &[Type]) -> Result<Type, String> {
    let rest = match given {
        [Type::Zone, rest @ ..] => rest,
        all => all,
    };
    if given.is_empty() || rest.len() > 3 || list_of(&given[..1]).is_ok_and(Type::is_list) {
        return Err("takes text, and perhaps a layout and a time zone".into());
    }
    Ok(Type::Time)
}

fn kind(values: &[Value]) -> Result<Value, Fault> {
    let [value] = values else { return Err(wrong()) };
    Ok(Value::text(match value {
        Value::Nil => "nil",
        Value::Bool(_) => "bool",
        Value::Int(_) => "int",
        Value::Float(_) => "float",
        Value::Text(_) => "string",
        Value::Bytes(_) | Value::List(_) => "array",
        Value::Map(_) | Value::AnyMap(_) => "map",
        Value::Record(_) => "struct",
        Value::Version(_) | Value::Zone(_) => "unknown",
        Value::Time(_) => "time.Time",
        Value::Duration(_) => "time.Duration",
        Value::Month(_) => "time.Month",
        Value::Weekday(_) => "time.Weekday",
    }))
}

fn int(values: &[Value], _: &mut Moment<'_>) -> Result<Value, Fault> {
    let [value] = values else { return Err(wrong()) };
    match value {
        Value::Text(text) => {
            let int = text.parse().map_err(|_| "takes text that is an integer".to_owned());
            int.map(Value::Int)
        }
        Value::Duration(int) => Ok(Value::Int(*int)),
        Value::Month(int) | Value::Weekday(int) => Ok(Value::Int(i64::from(*int))),
        other => other.to_int().map(Value::Int),
    }
}

fn float(values: &[Value], _: &mut Moment<'_>) -> Result<Value, Fault> {
    let [value] = values else { return Err(wrong()) };
    match value {
        Value::Text(text) => {
            let float = coerce::float(text).ok_or("takes text that is a number")?;
            Ok(Value::Float(float))
        }
        other => other.to_float().map(Value::Float),
    }
}

fn string(values: &[Value], moment: &mut Moment<'_>) -> Result<Value, Fault> {
    let [value] = values else { return Err(wrong()) };
    print::plain(value, moment.budget).map(Value::text)
}

fn to_json(values: &[Value], moment: &mut Moment<'_>) -> Result<Value, Fault> {
    let [value] = values else { return Err(wrong()) };
    print::indented_json(value, moment.budget).map(Value::text)
}

fn from_json(values: &[Value], moment: &mut Moment<'_>) -> Result<Value, Fault> {
    let text = values.first().ok_or_else(wrong)?.as_text()?;
    moment.budget.write(text.len())?;
    let json = serde_json::from_str(text).map_err(|_| "takes JSON".to_owned())?;
    Value::of_json(&json, moment.budget)
}

fn to_base64(values: &[Value], moment: &mut Moment<'_>) -> Result<Value, Fault> {
    let text = values.first().ok_or_else(wrong)?.as_text()?;
    moment.budget.write(2 * text.len())?;
    Ok(Value::text(print::base64(text.as_bytes())))
}

fn from_base64(values: &[Value], moment: &mut Moment<'_>) -> Result<Value, Fault> {
    use base64::Engine as _;
    let text = values.first().ok_or_else(wrong)?.as_text()?;
    moment.budget.write(text.len())?;
    // Go reads over the ends of lines.
    let text = text.replace(['\r', '\n'], "");
    let bytes = base64::engine::general_purpose::STANDARD.decode(text);
    bytes.map(|bytes| Value::of_bytes(&bytes)).map_err(|_| "takes base64".to_owned())
}

fn date(values: &[Value]) -> Result<Value, Fault> {
    let (zone, rest) = match values {
        [Value::Zone(zone), rest @ ..] => (zone.clone(), rest),
        all => (TimeZone::UTC, all),
    };
    let read = match rest {
        [date] => time::parse_any(date.as_text()?, &zone),
        [date, layout] => time::parse(date.as_text()?, layout.as_text()?, &zone),
        [date, layout, zone] => {
            time::parse(date.as_text()?, layout.as_text()?, &time::zone(zone.as_text()?)?)
        }
        _ => Err(wrong()),
    };
    Ok(Value::Time(read?.into()))
}
