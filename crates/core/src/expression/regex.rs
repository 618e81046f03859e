//! `matches`: regular expressions of Go, found by a library that writes some of them otherwise.

use ::regex::{Regex, RegexBuilder};

use super::budget::Budget;
use super::value::{Fault, Value};
use crate::pattern::fault;

/// How much memory a compiled one may take. In the worst case each character of a text is held against all of it, so this
/// bounds what a step may cost.
const SIZE: usize = 1 << 17;

/// Steps that compiling one is worth.
const COMPILING: usize = 20_000;

pub(super) fn compile(pattern: &str) -> Result<Regex, Fault> {
    let translated = translate(pattern)?;
    RegexBuilder::new(&translated).size_limit(SIZE).build().map_err(|error| match error {
        ::regex::Error::CompiledTooBig(_) => "the regular expression is too large".into(),
        error => format!("no regular expression: {}", fault(&error)),
    })
}

pub(super) fn is_match(text: &Value, regex: &Regex, budget: &mut Budget) -> Result<bool, Fault> {
    match text {
        _ if text.is_nil() => Ok(false),
        Value::Bytes(bytes) => {
            budget.write(bytes.len())?;
            Ok(regex.is_match(&String::from_utf8_lossy(bytes)))
        }
        text => {
            let text = text.as_text()?;
            // A large expression looks at each character more than once.
            budget.spend(text.len())?;
            Ok(regex.is_match(text))
        }
    }
}

/// With a pattern that was not known before.
pub(super) fn matches(text: &Value, pattern: &Value, budget: &mut Budget) -> Result<bool, Fault> {
    if text.is_nil() || pattern.is_nil() {
        return Ok(false);
    }
    let pattern = pattern.as_text()?;
    budget.spend(COMPILING.saturating_add(pattern.len()))?;
    is_match(text, &compile(pattern)?, budget)
}

/// Go's `\d`, `\w`, `\s` and `\b` are about ASCII, a brace that counts nothing stands for itself, as does a bracket or a
/// doubled sign in a class, and repetitions can't be repeated.
fn translate(pattern: &str) -> Result<String, Fault> {
    let mut translated = String::with_capacity(pattern.len());
    let mut rest = pattern;
    let (mut in_class, mut repeats) = (false, false);
    while let Some(c) = rest.chars().next() {
        let after = &rest[c.len_utf8()..];
        let mut is_repetition = false;
        rest = match c {
            '\\' => escape(after, in_class, &mut translated)?,
            '[' if in_class && !after.starts_with(':') => push(&mut translated, "\\[", after),
            '&' | '~' | '-' if in_class && after.starts_with(c) => {
                translated.push('\\');
                push(&mut translated, c.encode_utf8(&mut [0; 4]), after)
            }
            '[' if in_class => {
                let end = after.find(":]").map_or(0, |end| end + 2);
                translated.push('[');
                push(&mut translated, &after[..end], &after[end..])
            }
            '[' => {
                in_class = true;
                translated.push('[');
                let inside = after.strip_prefix('^').unwrap_or(after);
                translated.push_str(&after[..after.len() - inside.len()]);
                // The first bracket that closes stands for itself.
                match inside.strip_prefix(']') {
                    Some(inside) => push(&mut translated, "\\]", inside),
                    None => inside,
                }
            }
            ']' if in_class => {
                in_class = false;
                push(&mut translated, "]", after)
            }
            '{' if !in_class => match repetition(after) {
                None => push(&mut translated, "\\{", after),
                Some(end) => {
                    is_repetition = true;
                    translated.push('{');
                    push(&mut translated, &after[..end], &after[end..])
                }
            },
            '(' if !in_class && is_extended(after) => {
                return Err("no regular expression: the flag x is not known".into());
            }
            _ => {
                is_repetition = !in_class && matches!(c, '*' | '+' | '?');
                push(&mut translated, c.encode_utf8(&mut [0; 4]), after)
            }
        };
        if is_repetition {
            if repeats {
                return Err("no regular expression: a repetition can't be repeated".into());
            }
            // One that takes as little as it can.
            if let Some(lazy) = rest.strip_prefix('?') {
                translated.push('?');
                rest = lazy;
            }
        }
        repeats = is_repetition;
    }
    Ok(translated)
}

fn push<'r>(translated: &mut String, text: &str, rest: &'r str) -> &'r str {
    translated.push_str(text);
    rest
}

/// What follows a backslash; returns what follows that.
fn escape<'r>(after: &'r str, in_class: bool, translated: &mut String) -> Result<&'r str, Fault> {
    let Some(c) = after.chars().next() else {
        return Err("no regular expression: it ends with a backslash".into());
    };
    let rest = &after[c.len_utf8()..];
    let class = |set: &str| if in_class { set.to_owned() } else { format!("[{set}]") };
    let text = match c {
        'd' => class("0-9"),
        'w' => class("0-9A-Za-z_"),
        's' => class("\\t\\n\\x0c\\r "),
        'D' => "[^0-9]".into(),
        'W' => "[^0-9A-Za-z_]".into(),
        'S' => "[^\\t\\n\\x0c\\r ]".into(),
        'b' if !in_class => "(?-u:\\b)".into(),
        'B' if !in_class => "(?-u:\\B)".into(),
        'Q' => {
            let (quoted, rest) = rest.split_once("\\E").unwrap_or((rest, ""));
            translated.push_str(&::regex::escape(quoted));
            return Ok(rest);
        }
        '0'..='7' => {
            let digits = after.bytes().take(3).take_while(|b| (b'0'..=b'7').contains(b)).count();
            if c != '0' && digits < 3 {
                return Err("no regular expression: it can't refer back".into());
            }
            let code = u32::from_str_radix(&after[..digits], 8).unwrap_or_default();
            translated.push_str(&format!("\\x{{{code:x}}}"));
            return Ok(&after[digits..]);
        }
        'u' | 'U' | 'e' | 'h' | 'Z' => {
            return Err(format!("no regular expression: \\{c} means nothing"));
        }
        // Signs stand for themselves; some words begin with one elsewhere.
        _ if c.is_ascii_punctuation() => ::regex::escape(c.encode_utf8(&mut [0; 4])),
        _ => format!("\\{c}"),
    };
    translated.push_str(&text);
    Ok(rest)
}

/// How long `3}`, `3,}` or `3,5}` is, if it counts.
fn repetition(after: &str) -> Option<usize> {
    let end = after.find('}')?;
    let inside = &after[..end];
    let (least, most) = inside.split_once(',').unwrap_or((inside, ""));
    let is_number = |text: &str| text.bytes().all(|b| b.is_ascii_digit());
    (!least.is_empty() && is_number(least) && is_number(most)).then_some(end + 1)
}

/// Whether a group has the flag that Go does not know.
fn is_extended(after: &str) -> bool {
    let flags = after.strip_prefix('?').unwrap_or_default();
    let flags = flags.split([':', ')', '<', 'P']).next().unwrap_or_default();
    flags.contains(['x', 'u', 'R', '#'])
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_regular_expression_is_read_as_go_reads_it() {
        for (pattern, text, expected) in [
            ("^\\w$", "é", false),
            ("^[\\w]$", "_", true),
            ("^[\\W]$", "é", true),
            ("^\\D$", "٣", true),
            ("a\\b", "aé", true),
            ("(?i)ß", "ẞ", true),
            ("\\<a", "<a", true),
            ("a{", "a{", true),
            ("a{,5}", "a{,5}", true),
            ("^a{2,3}$", "aa", true),
            ("^a{2}?$", "aa", true),
            ("^[a&&b]$", "&", true),
            ("^[[]$", "[", true),
            ("^[]a]$", "]", true),
            ("^[^]a]$", "b", true),
            ("^[[:alpha:]]$", "a", true),
            ("^\\Qa.b\\E$", "a.b", true),
            ("\\101", "A", true),
            ("^a*?$", "aa", true),
        ] {
            assert_eq!(compile(pattern).unwrap().is_match(text), expected, "{pattern} {text}");
        }
    }

    #[test]
    fn what_go_does_not_know_is_refused() {
        for pattern in [
            "[",
            "(",
            "a**",
            "a++",
            "a{2}{3}",
            "(?x)a",
            "(?=a)",
            "(a)\\1",
            "\\u00e9",
            "\\",
            "a{2000000}",
        ] {
            compile(pattern).unwrap_err();
        }
    }
}
