//! Documents as nearly all are: read from the parser's events, which is less work than by way of serde.
//!
//! Whatever is not plain is left alone, and read in full: anchors, tags, merged keys, keys that are no texts, and what is
//! wrong. A scalar that may be something else than the text it looks like is handed to the same reader. So this decides
//! nothing of its own.

use serde_json::{Map, Value};
use serde_saphyr::granit_parser::{Event, Parser, ScalarStyle, options};

/// Deeper ones, and longer ones, may be more than is allowed.
const DEPTH: usize = 100;
const LENGTH: usize = 4 << 20;

/// A collection that is being read.
enum Open {
    Items(Vec<Value>),
    /// With the key whose value comes next.
    Fields(Map<String, Value>, Option<String>),
}

/// The value of a document, if it is plain. `scalar` reads one that stands alone.
pub(super) fn value(text: &str, scalar: impl Fn(&str) -> Option<Value>) -> Option<Value> {
    if text.len() > LENGTH {
        return None;
    }
    let mut open = Vec::<Open>::new();
    let mut document = None;
    for event in Parser::new_from_str_with_options(text, options! { emit_comments: false }) {
        let value = match event.ok()?.0 {
            Event::StreamStart
            | Event::DocumentStart(_, None)
            | Event::DocumentEnd
            | Event::StreamEnd => continue,
            Event::Scalar(text, style, 0, None) => {
                if let Some(Open::Fields(_, key @ None)) = open.last_mut() {
                    *key = Some(name(&text, style)?);
                    continue;
                }
                match style {
                    ScalarStyle::Plain => plain(&text, &scalar)?,
                    _ => Value::String(text.into_owned()),
                }
            }
            Event::SequenceStart(_, 0, None) if takes_a_value(&open) => {
                open.push(Open::Items(vec![]));
                continue;
            }
            Event::MappingStart(_, 0, None) if takes_a_value(&open) => {
                open.push(Open::Fields(Map::new(), None));
                continue;
            }
            Event::SequenceEnd | Event::MappingEnd => match open.pop()? {
                Open::Items(items) => items.into(),
                Open::Fields(fields, _) => fields.into(),
            },
            _ => return None,
        };
        match open.last_mut() {
            Some(Open::Items(items)) => items.push(value),
            Some(Open::Fields(fields, key)) => {
                fields.insert(key.take()?, value);
            }
            None if document.is_none() => document = Some(value),
            // One document after the other.
            None => return None,
        }
    }
    document
}

fn takes_a_value(open: &[Open]) -> bool {
    open.len() < DEPTH && !matches!(open.last(), Some(Open::Fields(_, None)))
}

fn name(key: &str, style: ScalarStyle) -> Option<String> {
    let sure = !matches!(style, ScalarStyle::Plain) || is_text(key);
    Some(key.to_owned()).filter(|key| sure && key != "<<")
}

fn plain(text: &str, scalar: &impl Fn(&str) -> Option<Value>) -> Option<Value> {
    match text {
        "" | "~" | "null" => Some(Value::Null),
        "true" => Some(true.into()),
        "false" => Some(false.into()),
        _ if is_text(text) => Some(text.into()),
        _ if is_number(text) => Some(text.parse::<u64>().ok()?.into()),
        _ if stands_alone(text) => scalar(text),
        _ => None,
    }
}

/// Whether a scalar without all around it is the same scalar: no mark of YAML's is in it, and it is none itself.
fn stands_alone(text: &str) -> bool {
    let rest = text.strip_prefix(['-', '+', '.']).unwrap_or(text);
    let mut bytes = rest.bytes();
    bytes.next().is_some_and(|b| b.is_ascii_alphanumeric())
        && bytes.all(|b| b.is_ascii_alphanumeric() || b"._+-".contains(&b))
}

/// One that nobody writes otherwise.
fn is_number(text: &str) -> bool {
    let digits = text.len() < 18 && text.bytes().all(|b| b.is_ascii_digit());
    digits && (!text.starts_with('0') || text == "0")
}

/// What begins like a word is a text unless it is a word for something, and what has a letter that no number has is one.
fn is_text(text: &str) -> bool {
    const WORDS: [&str; 12] =
        ["y", "n", "yes", "no", "on", "off", "true", "false", "null", "nan", "inf", "infinity"];
    let number = |b: u8| !b.is_ascii_alphabetic() || b"abcdefoxABCDEFOX".contains(&b);
    match text.bytes().next() {
        Some(b'a'..=b'z' | b'A'..=b'Z') => {
            !WORDS.iter().any(|word| text.eq_ignore_ascii_case(word))
        }
        Some(b'0'..=b'9') => !text.bytes().all(number),
        Some(b'/') => true,
        _ => false,
    }
}

#[cfg(test)]
mod tests {
    use std::path::Path;

    use super::super::{in_full, stream};
    use super::*;
    use crate::files::{Files, Limits};

    fn plainly(text: &str) -> Option<Value> {
        value(text, |scalar| in_full(scalar).ok())
    }

    /// What is read plainly is what would be read in full. Says whether it was.
    fn agree(text: &str) -> bool {
        let found = plainly(text);
        if let Some(found) = &found {
            // As text: the order of the fields is part of it.
            assert_eq!(
                Ok(found.to_string()),
                in_full(text).map(|v| v.to_string()).map_err(drop),
                "{text}"
            );
        }
        found.is_some()
    }

    #[test]
    fn every_scalar_is_what_it_is_in_full() {
        let words = "y Y n yes Yes YES yEs no on On off OFF true True TRUE false null Null NULL nan NaN inf Inf infinity nil \
            none ~ a z abc Always TCP 0 1 42 -1 +1 -0 00 007 0644 08 0o17 0x1F 0xfg 0b11 0b12 1_000 1__0 _1 1e3 1E3 1e 1e400 .5 5. -.5 \
            1.0 1.10 1.2.3 .inf -.inf +.INF .nan .NaN 12345678901234567 123456789012345678 9223372036854775807 \
            9223372036854775808 18446744073709551615 18446744073709551616 99999999999999999999999 100m 128Mi 1Gi 0.5Gi 1d 1f 12e03 \
            2020-01-01 2020-01-01T00:00:00Z 12:30 12:30:45 1:2 10.0.0.1 10.0.0.0/8 /healthz / . .. ... .a -- --- -a -x1 - + ++ +a = <<  \
            a:b a#b a,b a-b http://x:80/y *.x x* ä é1 1é 0x 0o 1L 1u8 1i 0xe 0e1 1o7 7o 1x 1a 1F deadbeef 1dead e5 E5 x1 o1 \
            yes1 off. true_ \u{feff}a !x &x *x %x @x `x |x >x ? ?x : :x [ ] { } \u{85}a a\u{2028}b \u{7f} \u{a0}";
        let mut plain = 0;
        for word in words
            .split_whitespace()
            .chain(["a b", "1 2", "a: b", "a #b", "a\n  b", "1\n  2", "yes no"])
        {
            for text in [
                format!("a: {word}\n"),
                format!("a: {word}"),
                format!("- {word}\n"),
                format!("{word}: 1\n"),
                format!("[{word}, 1]\n"),
                format!("{{a: {word}}}\n"),
                format!("{{{word}: 1, b: 2}}\n"),
                format!("{word}\n"),
                format!("a: \"{word}\"\n"),
                format!("a: '{word}'\n'{word}': \"{word}\"\n"),
                format!("a: |\n  {word}\n  {word}\nb: >-\n  {word}\n\n  {word}\n"),
                format!("a: 1\n{word}: 2\na: 3 # {word}\n"),
                format!("a:\n- {word}\n-\n  b:\n  c: [{word}]\n"),
            ] {
                plain += usize::from(agree(&text));
            }
        }
        assert!(plain > 1000, "{plain}");
    }

    #[test]
    fn what_is_not_plain_is_left_alone() {
        for text in [
            "a: &x 1\nb: *x\n",
            "a: !!str 1\n",
            "a: ! 1\n",
            "<<: {a: 1}\n",
            "\"<<\": {a: 1}\n",
            "? [a]\n: 1\n",
            "? {a: 1}\n: 1\n",
            "on: 1\n",
            "1: 1\n",
            "~: 1\n",
            "a: [",
            "a: 1\n---\nb: 2\n",
            "%YAML 1.1\n---\na: 1\n",
            "# nothing\n",
            "",
        ] {
            assert_eq!(plainly(text), None, "{text}");
        }
        let deep = |depth| format!("{}{}", "[".repeat(depth), "]".repeat(depth));
        assert!(plainly(&deep(DEPTH)).is_some() && plainly(&deep(DEPTH + 1)).is_none());
        assert_eq!(plainly(&format!("a: {}", "b".repeat(LENGTH))), None);
    }

    #[test]
    fn the_manifests_of_the_tests_are_plain() {
        let root = Path::new(env!("CARGO_MANIFEST_DIR")).join("../../");
        let (mut plain, mut all) = (0, 0);
        for folder in ["tests", "manifests", "docs", "crates/standalone/src"] {
            let files = Files::read(&root.join(folder), "", Limits::default()).unwrap();
            let yaml =
                files.iter().filter(|(name, _)| name.ends_with(".yaml") || name.ends_with(".yml"));
            for (name, content) in yaml {
                let text = std::str::from_utf8(content).expect(name);
                for document in stream::yaml(text).unwrap_or_default() {
                    plain += u32::from(agree(&document));
                    all += 1;
                }
            }
        }
        assert!(all > 150 && plain * 4 > all * 3, "{plain} of {all}");
    }
}
