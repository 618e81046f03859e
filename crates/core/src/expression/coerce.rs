//! What the finished text of a template stands for.

use serde_json::{Number, Value as Json};

/// The value of a template.
#[derive(Clone, Debug, PartialEq)]
pub enum Coerced {
    Json(Json),
    /// `inf` and `nan`, which have no JSON.
    NotFinite(f64),
}

/// Text in quotes is text; else it is a number, a boolean, JSON, or text, whichever fits first.
pub(super) fn coerce(text: &str) -> Coerced {
    // Blocks of YAML end with one.
    let (text, end) = match text.strip_suffix('\n') {
        Some(text) => (text, "\n"),
        None => (text, ""),
    };
    if let Some(inside) = text.strip_prefix('"').and_then(|text| text.strip_suffix('"')) {
        return Coerced::Json(format!("{inside}{end}").into());
    }
    if let Some(float) = float(text) {
        return number(float).map_or(Coerced::NotFinite(float), Coerced::Json);
    }
    if let Some(bool) = boolean(text) {
        return Coerced::Json(bool.into());
    }
    Coerced::Json(match serde_json::from_str(text) {
        Ok(json) => floats(json),
        Err(_) => format!("{text}{end}").into(),
    })
}

/// What Go's `strconv.ParseBool` reads.
pub(super) fn boolean(text: &str) -> Option<bool> {
    match text {
        "1" | "t" | "T" | "true" | "TRUE" | "True" => Some(true),
        "0" | "f" | "F" | "false" | "FALSE" | "False" => Some(false),
        _ => None,
    }
}

/// A float as JSON; whole numbers are written without a point, as in Go.
pub(super) fn number(float: f64) -> Option<Json> {
    #[expect(clippy::cast_possible_truncation, reason = "whole, and within the range")]
    if float.fract() == 0.0 && float.abs() < 9e15 {
        return Some((float as i64).into());
    }
    Number::from_f64(float).map(Json::Number)
}

/// Go reads every number of JSON as a float.
pub(super) fn floats(json: Json) -> Json {
    match json {
        Json::Number(n) => n.as_f64().and_then(number).unwrap_or(Json::Number(n)),
        Json::Array(items) => items.into_iter().map(floats).collect(),
        Json::Object(entries) => {
            entries.into_iter().map(|(key, value)| (key, floats(value))).collect()
        }
        other => other,
    }
}

/// What Go's `strconv.ParseFloat` reads: nothing that is out of range, and more than one would think.
pub(super) fn float(text: &str) -> Option<f64> {
    let (sign, size) = match text.strip_prefix('-') {
        Some(size) => (-1.0, size),
        None => (1.0, text.strip_prefix('+').unwrap_or(text)),
    };
    match size.to_ascii_lowercase().as_str() {
        "inf" | "infinity" => return Some(sign * f64::INFINITY),
        "nan" if size.len() == text.len() => return Some(f64::NAN),
        _ => {}
    }
    if !size.starts_with(|c: char| c.is_ascii_digit() || c == '.') || !are_apart(size) {
        return None;
    }
    let plain = size.replace('_', "");
    let float = match plain.strip_prefix("0x").or_else(|| plain.strip_prefix("0X")) {
        Some(digits) => hexadecimal(digits)?,
        None => plain.parse().ok()?,
    };
    let float: f64 = sign * float;
    float.is_finite().then_some(float)
}

/// Whether every underscore separates digits, or follows the prefix of a hexadecimal number.
fn are_apart(text: &str) -> bool {
    let bytes = text.as_bytes();
    let is_hexadecimal = bytes.get(1).is_some_and(|b| b.eq_ignore_ascii_case(&b'x'));
    let is_digit = |at: Option<usize>| {
        at.and_then(|at| bytes.get(at))
            .is_some_and(|b| b.is_ascii_digit() || is_hexadecimal && b.is_ascii_hexdigit())
    };
    bytes.iter().enumerate().filter(|(_, byte)| **byte == b'_').all(|(at, _)| {
        let before = is_digit(at.checked_sub(1)) || is_hexadecimal && at == 2;
        before && is_digit(Some(at + 1))
    })
}

/// Digits, perhaps with a point, and an exponent of two: `1.8p3`.
fn hexadecimal(text: &str) -> Option<f64> {
    let (mantissa, exponent) = text.split_once(['p', 'P'])?;
    let exponent: i32 = exponent.parse().ok().filter(|_| !exponent.is_empty())?;
    let (whole, fraction) = mantissa.split_once('.').unwrap_or((mantissa, ""));
    if whole.is_empty() && fraction.is_empty() {
        return None;
    }
    let mut float = 0.0;
    for digit in whole.chars().chain(fraction.chars()) {
        float = float * 16.0 + f64::from(digit.to_digit(16)?);
    }
    let places = i32::try_from(fraction.len()).ok()?.checked_mul(4)?;
    Some(float * 2_f64.powi(exponent.checked_sub(places)?))
}
