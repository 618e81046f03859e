//! Values as text, as Go writes them.

use std::fmt::Write as _;

use super::budget::Budget;
use super::time;
use super::value::{Fault, Value};

/// JSON without blanks.
pub(super) fn json(value: &Value, budget: &mut Budget) -> Result<String, Fault> {
    let mut writer = Writer { text: String::new(), paid: 0, indent: None, budget };
    writer.json(value, 0)?;
    Ok(writer.text)
}

/// JSON on several lines, indented by two blanks.
pub(super) fn indented_json(value: &Value, budget: &mut Budget) -> Result<String, Fault> {
    let mut writer = Writer { text: String::new(), paid: 0, indent: Some("  "), budget };
    writer.json(value, 0)?;
    Ok(writer.text)
}

/// What `string` gives.
pub(super) fn plain(value: &Value, budget: &mut Budget) -> Result<String, Fault> {
    let mut writer = Writer { text: String::new(), paid: 0, indent: None, budget };
    writer.plain(value)?;
    writer.pay()?;
    Ok(writer.text)
}

struct Writer<'b> {
    text: String,
    /// How much of it the budget knows.
    paid: usize,
    indent: Option<&'static str>,
    budget: &'b mut Budget,
}

impl Writer<'_> {
    fn pay(&mut self) -> Result<(), Fault> {
        self.budget.spend(1)?;
        self.budget.write(self.text.len() - self.paid)?;
        self.paid = self.text.len();
        Ok(())
    }

    fn json(&mut self, value: &Value, level: usize) -> Result<(), Fault> {
        self.pay()?;
        match value {
            Value::Nil => self.text.push_str("null"),
            Value::Bool(bool) => self.text.push_str(if *bool { "true" } else { "false" }),
            Value::Int(int) | Value::Duration(int) => _ = write!(self.text, "{int}"),
            Value::Month(int) | Value::Weekday(int) => _ = write!(self.text, "{int}"),
            Value::Float(float) if float.is_finite() => self.text.push_str(&json_number(*float)),
            Value::Float(_) => return Err("is no finite number, which has no JSON".into()),
            Value::Text(text) => quote(&mut self.text, text),
            Value::Bytes(bytes) => quote(&mut self.text, &base64(bytes)),
            Value::List(list) if list.is_nil => self.text.push_str("null"),
            Value::List(list) => {
                self.enclosed('[', ']', list.items.iter(), level, |writer, item| {
                    writer.json(item, level + 1)
                })?;
            }
            Value::Map(map) => {
                self.enclosed('{', '}', map.entries.iter(), level, |writer, (key, value)| {
                    writer.entry(key, value, level)
                })?;
            }
            Value::Record(record) => {
                let fields =
                    record.fields.iter().filter(|field| !field.omitted || !is_empty(&field.value));
                self.enclosed('{', '}', fields, level, |writer, field| {
                    writer.entry(field.json, &field.value, level)
                })?;
            }
            Value::Version(version) => quote(&mut self.text, &version.to_string()),
            Value::Time(time) => quote(&mut self.text, &time::rfc3339(time)),
            Value::Zone(_) => self.text.push_str("{}"),
            Value::AnyMap(_) => {
                return Err("is a map whose keys may be anything, which has no JSON".into());
            }
        }
        self.pay()
    }

    fn entry(&mut self, key: &str, value: &Value, level: usize) -> Result<(), Fault> {
        quote(&mut self.text, key);
        self.text.push_str(if self.indent.is_some() { ": " } else { ":" });
        self.json(value, level + 1)
    }

    fn enclosed<T>(
        &mut self,
        open: char,
        close: char,
        items: impl Iterator<Item = T>,
        level: usize,
        mut one: impl FnMut(&mut Self, T) -> Result<(), Fault>,
    ) -> Result<(), Fault> {
        self.text.push(open);
        let mut is_first = true;
        for item in items {
            if !is_first {
                self.text.push(',');
            }
            is_first = false;
            self.line(level + 1);
            one(self, item)?;
        }
        if !is_first {
            self.line(level);
        }
        self.text.push(close);
        Ok(())
    }

    fn line(&mut self, level: usize) {
        if let Some(indent) = self.indent {
            self.text.push('\n');
            self.text.extend(std::iter::repeat_n(indent, level));
        }
    }

    fn plain(&mut self, value: &Value) -> Result<(), Fault> {
        self.pay()?;
        match value {
            Value::Nil => self.text.push_str("<nil>"),
            Value::Bool(bool) => self.text.push_str(if *bool { "true" } else { "false" }),
            Value::Int(int) => _ = write!(self.text, "{int}"),
            Value::Float(float) => self.text.push_str(&plain_number(*float)),
            Value::Text(text) => self.text.push_str(text),
            Value::Bytes(bytes) => {
                let bytes: Vec<_> = bytes.iter().map(u8::to_string).collect();
                _ = write!(self.text, "[{}]", bytes.join(" "));
            }
            Value::List(list) => {
                self.text.push('[');
                for (index, item) in list.items.iter().enumerate() {
                    if index > 0 {
                        self.text.push(' ');
                    }
                    self.plain(item)?;
                }
                self.text.push(']');
            }
            Value::Map(map) => {
                let entries =
                    map.entries.iter().map(|(key, value)| (Value::text(key.as_str()), value));
                self.plain_map(entries)?;
            }
            Value::AnyMap(map) => {
                self.plain_map(map.entries.iter().map(|(k, v)| (k.clone(), v)))?;
            }
            Value::Record(record) => {
                self.text.push('{');
                for (index, field) in record.fields.iter().enumerate() {
                    if index > 0 {
                        self.text.push(' ');
                    }
                    self.plain(&field.value)?;
                }
                self.text.push('}');
            }
            Value::Version(version) => _ = write!(self.text, "{version}"),
            Value::Time(_)
            | Value::Duration(_)
            | Value::Zone(_)
            | Value::Month(_)
            | Value::Weekday(_) => {
                self.text.push_str(&time::plain(value));
            }
        }
        Ok(())
    }

    fn plain_map<'v>(
        &mut self,
        entries: impl Iterator<Item = (Value, &'v Value)>,
    ) -> Result<(), Fault> {
        self.text.push_str("map[");
        for (index, (key, value)) in entries.enumerate() {
            if index > 0 {
                self.text.push(' ');
            }
            self.plain(&key)?;
            self.text.push(':');
            self.plain(value)?;
        }
        self.text.push(']');
        Ok(())
    }
}

fn is_empty(value: &Value) -> bool {
    match value {
        Value::Text(text) => text.is_empty(),
        Value::Map(map) => map.entries.is_empty(),
        other => other.is_nil(),
    }
}

pub(super) fn json_number(float: f64) -> String {
    let size = float.abs();
    if size != 0.0 && !(1e-6..1e21).contains(&size) {
        exponent(float, 1)
    } else {
        format!("{float}")
    }
}

/// As `%v`: with an exponent of two digits from seven digits on.
pub(super) fn plain_number(float: f64) -> String {
    let size = float.abs();
    if float.is_nan() {
        "NaN".into()
    } else if float.is_infinite() {
        if float > 0.0 { "+Inf" } else { "-Inf" }.into()
    } else if size != 0.0 && !(1e-4..1e6).contains(&size) {
        exponent(float, 2)
    } else {
        format!("{float}")
    }
}

/// With at least so many digits in the exponent: `1e+21`, `1e-07`.
fn exponent(float: f64, digits: usize) -> String {
    let text = format!("{float:e}");
    let (mantissa, exponent) = text.split_once('e').unwrap_or((&text, "0"));
    let (sign, exponent) = match exponent.strip_prefix('-') {
        Some(exponent) => ('-', exponent),
        None => ('+', exponent),
    };
    format!("{mantissa}e{sign}{exponent:0>digits$}")
}

/// Text in quotes, as Go's JSON has it: also safe within HTML.
pub(super) fn quote(into: &mut String, text: &str) {
    into.push('"');
    for c in text.chars() {
        match c {
            '"' | '\\' => into.extend(['\\', c]),
            '\u{8}' => into.push_str("\\b"),
            '\u{c}' => into.push_str("\\f"),
            '\n' => into.push_str("\\n"),
            '\r' => into.push_str("\\r"),
            '\t' => into.push_str("\\t"),
            '<' | '>' | '&' | '\u{2028}' | '\u{2029}' | '\0'..='\u{1f}' => {
                _ = write!(into, "\\u{:04x}", u32::from(c));
            }
            _ => into.push(c),
        }
    }
    into.push('"');
}

/// Text as a literal of Go.
pub(super) fn literal(text: &str) -> String {
    let mut literal = String::from('"');
    for c in text.chars() {
        match c {
            '"' | '\\' => literal.extend(['\\', c]),
            '\u{7}' => literal.push_str("\\a"),
            '\u{8}' => literal.push_str("\\b"),
            '\u{c}' => literal.push_str("\\f"),
            '\n' => literal.push_str("\\n"),
            '\r' => literal.push_str("\\r"),
            '\t' => literal.push_str("\\t"),
            '\u{b}' => literal.push_str("\\v"),
            _ if crate::url::is_printable(c) => literal.push(c),
            _ => {
                let code = u32::from(c);
                _ = match code {
                    0..0x80 => write!(literal, "\\x{code:02x}"),
                    0x80..0x1_0000 => write!(literal, "\\u{code:04x}"),
                    _ => write!(literal, "\\U{code:08x}"),
                };
            }
        }
    }
    literal.push('"');
    literal
}

pub(super) fn base64(bytes: &[u8]) -> String {
    use base64::Engine as _;
    base64::engine::general_purpose::STANDARD.encode(bytes)
}
