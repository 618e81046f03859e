//! `asYAML`, as Kargo's library writes it: four blanks a level, keys in a natural order, and quotes around what an old reader
//! could take for something else.

use std::cmp::Ordering;
use std::fmt::Write as _;
use std::sync::LazyLock;

use ::regex::Regex;

use super::budget::Budget;
use super::evaluate::merge_sort;
use super::print;
use super::time;
use super::value::{Fault, Value};

pub(super) fn yaml(value: &Value, budget: &mut Budget) -> Result<String, Fault> {
    let mut writer = Writer { text: String::new(), paid: 0, budget };
    writer.node(value, Within::Nothing)?;
    if !writer.text.ends_with('\n') {
        writer.text.push('\n');
    }
    Ok(writer.text)
}

struct Writer<'b> {
    text: String,
    paid: usize,
    budget: &'b mut Budget,
}

/// What a node stands in, and how far that is indented.
#[derive(Clone, Copy)]
enum Within {
    Nothing,
    Map(usize),
    List(usize),
}

impl Within {
    /// How far what is in the node is indented.
    fn indent(self) -> usize {
        match self {
            Self::Nothing => 0,
            Self::Map(indent) => indent / 4 * 4 + 4,
            // Only past the dash.
            Self::List(indent) => indent + 2,
        }
    }
}

impl Writer<'_> {
    fn node(&mut self, value: &Value, within: Within) -> Result<(), Fault> {
        self.budget.spend(1)?;
        self.budget.write(self.text.len() - self.paid)?;
        self.paid = self.text.len();
        match value {
            Value::List(list) if !list.items.is_empty() => self.list(&list.items, within),
            Value::Map(map) if !map.entries.is_empty() => {
                let entries: Vec<_> = map.entries.iter().collect();
                let budget = &mut *self.budget;
                let entries = merge_sort(entries, &mut |(a, _), (b, _)| {
                    budget.spend(1 + a.len().min(b.len()))?;
                    Ok(natural(b, a) == Ordering::Less)
                })?;
                self.map(entries.into_iter().map(|(key, value)| (key.clone(), value)), within)
            }
            Value::Record(record) => {
                let fields = record.fields.iter();
                self.map(fields.map(|field| (field.name.to_lowercase(), &field.value)), within)
            }
            scalar => {
                if !matches!(within, Within::Nothing) {
                    self.text.push(' ');
                }
                self.scalar(scalar, within)
            }
        }
    }

    fn list(&mut self, items: &[Value], within: Within) -> Result<(), Fault> {
        let indent = within.indent();
        for (index, item) in items.iter().enumerate() {
            self.begin(index == 0, indent, within);
            self.text.push('-');
            self.node(item, Within::List(indent))?;
        }
        Ok(())
    }

    fn map<'v>(
        &mut self,
        entries: impl Iterator<Item = (String, &'v Value)>,
        within: Within,
    ) -> Result<(), Fault> {
        let indent = within.indent();
        for (index, (key, value)) in entries.enumerate() {
            self.begin(index == 0, indent, within);
            self.text.push_str(&one_line(&key));
            self.text.push(':');
            self.node(value, Within::Map(indent))?;
        }
        Ok(())
    }

    /// The first entry in a list stands behind its dash, every other on a line of its own.
    fn begin(&mut self, is_first: bool, indent: usize, within: Within) {
        match within {
            Within::List(_) if is_first => self.text.push(' '),
            _ => {
                if !self.text.is_empty() && !self.text.ends_with('\n') {
                    self.text.push('\n');
                }
                self.text.extend(std::iter::repeat_n(' ', indent));
            }
        }
    }

    fn scalar(&mut self, value: &Value, within: Within) -> Result<(), Fault> {
        match value {
            Value::Text(text) if text.contains('\n') && may_be_block(text) => {
                // Even alone it is indented.
                let indent = match within {
                    Within::Nothing => 4,
                    within => within.indent(),
                };
                self.block(text, indent);
            }
            Value::Text(text) => self.text.push_str(&one_line(text)),
            Value::Float(float) if float.is_nan() => self.text.push_str(".nan"),
            Value::Float(float) if float.is_infinite() => {
                self.text.push_str(if *float > 0.0 { ".inf" } else { "-.inf" });
            }
            Value::Nil => self.text.push_str("null"),
            Value::List(_) => self.text.push_str("[]"),
            Value::Map(_) => self.text.push_str("{}"),
            Value::Time(time) => self.text.push_str(&time::rfc3339(time)),
            Value::Bytes(_) | Value::AnyMap(_) | Value::Zone(_) => {
                return Err(format!("does not take {}", value.kind()));
            }
            Value::Month(int) | Value::Weekday(int) => _ = write!(self.text, "{int}"),
            other => self.text.push_str(&print::plain(other, self.budget)?),
        }
        Ok(())
    }

    fn block(&mut self, text: &str, indent: usize) {
        self.text.push('|');
        if text.starts_with([' ', '\n']) {
            self.text.push('4');
        }
        let body = match text.strip_suffix('\n') {
            None => {
                self.text.push('-');
                text
            }
            Some(body) => {
                if body.is_empty() || body.ends_with('\n') {
                    self.text.push('+');
                }
                body
            }
        };
        for line in body.split('\n') {
            self.text.push('\n');
            if !line.is_empty() {
                self.text.extend(std::iter::repeat_n(' ', indent));
                self.text.push_str(line);
            }
        }
        self.text.push('\n');
    }
}

fn one_line(text: &str) -> String {
    let needs_escapes = text.contains('\n') || !text.chars().all(is_plain_character);
    if needs_escapes || is_something_else(text) {
        escaped(text)
    } else if may_be_plain(text) {
        text.to_owned()
    } else {
        format!("'{}'", text.replace('\'', "''"))
    }
}

fn is_plain_character(c: char) -> bool {
    matches!(c, ' '..='~' | '\u{a0}'..='\u{d7ff}' | '\u{e000}'..='\u{fefe}' | '\u{ff00}'..='\u{fffd}')
        && !matches!(c, '\u{2028}' | '\u{2029}')
}

fn may_be_block(text: &str) -> bool {
    let is_fine = text.chars().all(|c| c == '\n' || c == '\t' || is_plain_character(c));
    is_fine && !text.contains(" \n") && !text.ends_with(' ')
}

fn may_be_plain(text: &str) -> bool {
    let is_indicator = |c: char| "#,[]{}&*!|>'\"%@`".contains(c);
    let begins =
        |sign: char| text.strip_prefix(sign).is_some_and(|r| r.is_empty() || r.starts_with(' '));
    !text.starts_with(is_indicator)
        && !text.starts_with(' ')
        && !text.ends_with(' ')
        && !text.starts_with("---")
        && !text.starts_with("...")
        && !['?', ':', '-'].into_iter().any(begins)
        && !text.contains(": ")
        && !text.ends_with(':')
        && !text.contains(" #")
}

/// Whether a reader would take the text, without quotes, for a number, a boolean, a time or nothing.
fn is_something_else(text: &str) -> bool {
    const WORDS: [&str; 37] = [
        "", "~", "null", "Null", "NULL", "true", "True", "TRUE", "false", "False", "FALSE", "y",
        "Y", "yes", "Yes", "YES", "on", "On", "ON", "n", "N", "no", "No", "NO", "off", "Off",
        "OFF", ".nan", ".NaN", ".NAN", ".inf", ".Inf", ".INF", "+.inf", "+.Inf", "+.INF", "-.inf",
    ];
    static NUMBER: LazyLock<Option<Regex>> = LazyLock::new(|| {
        Regex::new(concat!(
            r"(?x) ^[-+]?(?: 0[xX][0-9a-fA-F_]+ | 0[oO]?[0-7_]+ | 0[bB][01_]+ ",
            r"| (?:\.[0-9_]+ | [0-9][0-9_]*(?:\.[0-9_]*)?)(?:[eE][-+]?[0-9]+)? ",
            r"| [0-9][0-9_]*(?::[0-5]?[0-9])+(?:\.[0-9_]*)? | \.(?:inf|Inf|INF) )$ ",
            r"| ^[0-9]{4}-[0-9]{1,2}-[0-9]{1,2}(?:(?:[Tt]|\x20)[0-9]{1,2}:[0-9]{1,2}:[0-9]{1,2}(?:\.[0-9]+)?",
            r"(?:Z|[-+][0-9]{2}:[0-9]{2})?)?$",
        ))
        .ok()
    });
    WORDS.contains(&text) || NUMBER.as_ref().is_some_and(|number| number.is_match(text))
}

fn escaped(text: &str) -> String {
    let mut escaped = String::from('"');
    for c in text.chars() {
        match c {
            '"' | '\\' => escaped.extend(['\\', c]),
            '\0' => escaped.push_str("\\0"),
            '\u{7}' => escaped.push_str("\\a"),
            '\u{8}' => escaped.push_str("\\b"),
            '\t' => escaped.push_str("\\t"),
            '\n' => escaped.push_str("\\n"),
            '\u{b}' => escaped.push_str("\\v"),
            '\u{c}' => escaped.push_str("\\f"),
            '\r' => escaped.push_str("\\r"),
            '\u{1b}' => escaped.push_str("\\e"),
            '\u{85}' => escaped.push_str("\\N"),
            '\u{2028}' => escaped.push_str("\\L"),
            '\u{2029}' => escaped.push_str("\\P"),
            _ if is_plain_character(c) => escaped.push(c),
            _ => {
                let code = u32::from(c);
                _ = match code {
                    0..0x100 => write!(escaped, "\\x{code:02X}"),
                    0x100..0x1_0000 => write!(escaped, "\\u{code:04X}"),
                    _ => write!(escaped, "\\U{code:08X}"),
                };
            }
        }
    }
    escaped.push('"');
    escaped
}

/// `a2` comes before `a10`, and signs before letters.
fn natural(a: &str, b: &str) -> Ordering {
    let (a, b): (Vec<char>, Vec<char>) = (a.chars().collect(), b.chars().collect());
    let Some(at) = a.iter().zip(&b).position(|(a, b)| a != b) else { return a.len().cmp(&b.len()) };
    match (a[at].is_alphabetic(), b[at].is_alphabetic()) {
        (true, true) => return a[at].cmp(&b[at]),
        (false, false) => {}
        (a_letter, b_letter) => {
            let digits = at > 0 && a[at - 1].is_ascii_digit();
            return if digits { b_letter.cmp(&a_letter) } else { a_letter.cmp(&b_letter) };
        }
    }
    let before = a[..at].iter().rev().take_while(|c| c.is_ascii_digit());
    let zero = a[at] == '0' || b[at] == '0';
    let start = u128::from(zero && before.into_iter().any(|c| *c != '0'));
    let (a_number, a_end) = number(&a[at..], start);
    let (b_number, b_end) = number(&b[at..], start);
    a_number.cmp(&b_number).then(a_end.cmp(&b_end)).then(a[at].cmp(&b[at]))
}

fn number(chars: &[char], start: u128) -> (u128, usize) {
    let digits = chars.iter().map_while(|c| c.to_digit(10));
    let count = digits.clone().count();
    (digits.fold(start, |number, d| number.saturating_mul(10).saturating_add(d.into())), count)
}
