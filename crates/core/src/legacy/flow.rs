//! YAML on one line.

use std::fmt::Write as _;

use serde_json::Value;

pub(super) fn flow(value: &Value) -> String {
    let mut out = String::new();
    write(value, &mut out);
    out
}

fn write(value: &Value, out: &mut String) {
    match value {
        Value::Object(map) => {
            out.push('{');
            for (index, (key, value)) in map.iter().enumerate() {
                out.push_str(if index == 0 { "" } else { ", " });
                text(key, out);
                out.push_str(": ");
                write(value, out);
            }
            out.push('}');
        }
        Value::Array(list) => {
            out.push('[');
            for (index, value) in list.iter().enumerate() {
                out.push_str(if index == 0 { "" } else { ", " });
                write(value, out);
            }
            out.push(']');
        }
        Value::String(string) => text(string, out),
        scalar => out.push_str(&scalar.to_string()),
    }
}

/// Plain where no reader of YAML could take it for anything but this text; else as JSON, which is YAML too.
fn text(text: &str, out: &mut String) {
    if is_plain(text) {
        out.push_str(text);
        return;
    }
    for c in Value::from(text).to_string().chars() {
        // JSON leaves some of them as they are; a warning that has one is dropped by the API server.
        if c.is_control() {
            let _ = write!(out, "\\u{:04x}", u32::from(c));
        } else {
            out.push(c);
        }
    }
}

fn is_plain(text: &str) -> bool {
    let begins = text.starts_with(|c: char| c.is_ascii_alphabetic()) || text.starts_with("./");
    let safe = |c: char| c.is_ascii_alphanumeric() || "-_./".contains(c);
    // A colon is safe in the middle of a URL.
    let rest = text.replacen("://", "", 1);
    begins && rest.chars().all(safe) && !WORDS.iter().any(|word| text.eq_ignore_ascii_case(word))
}

/// What some reader of YAML takes for something else than a text.
const WORDS: [&str; 9] = ["true", "false", "null", "yes", "no", "on", "off", "y", "n"];

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    #[test]
    fn what_is_written_is_read_as_it_was() {
        let texts = [
            "",
            " ",
            "a",
            "a b",
            "a: b",
            "a:b",
            "a #b",
            "yes",
            "No",
            "null",
            "~",
            "1",
            "1.5",
            "0x1F",
            "1e3",
            "-",
            "./out",
            ".inf",
            "2026-11-21",
            "https://git.example.com/a.git",
            "http:// x",
            "oci://h:5000/a",
            "${{ a[\"b\"] }}",
            "{",
            "[",
            "]",
            "a,b",
            "'",
            "\"",
            "\\",
            "a\nb",
            "\u{7f}",
            "\u{85}",
            "é",
            "*a",
            "&a",
            "!a",
            "%a",
            "@a",
            "`a",
            "|",
            ">",
            "?",
            "? a",
            ":",
            "a:",
        ];
        for text in texts {
            let value = json!({ text: [text, { "a": text }, 1, true, null] });
            let yaml = flow(&value);
            assert!(!yaml.chars().any(char::is_control), "{yaml:?}");
            assert_eq!(serde_saphyr::from_str::<Value>(&yaml).unwrap(), value, "{yaml}");
        }
    }

    #[test]
    fn what_is_plain_stays_plain() {
        let value = json!({ "uses": "git-clone", "config": { "repoURL": "https://git.example.com/a.git", "path": "./out" } });
        assert_eq!(
            flow(&value),
            "{uses: git-clone, config: {repoURL: https://git.example.com/a.git, path: ./out}}"
        );
    }
}
