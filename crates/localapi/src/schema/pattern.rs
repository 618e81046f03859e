//! Patterns: Kubernetes' are Go's (RE2), where `\w`, `\d`, `\s` and `\b` mean ASCII.

use regex::Regex;

/// Compiles a pattern so that it matches what it matches in Go.
pub(super) fn compile(pattern: &str) -> Result<Regex, regex::Error> {
    Regex::new(&translated(pattern))
}

fn translated(pattern: &str) -> String {
    let mut out = String::with_capacity(pattern.len());
    let mut chars = pattern.chars().peekable();
    let mut in_class = false;
    while let Some(c) = chars.next() {
        match c {
            '\\' => {
                let escaped = chars.next();
                match escaped.and_then(ascii) {
                    // A word boundary is no class: inside one Go refuses it, and so does Rust.
                    Some(text) if !(in_class && text.contains("\\b")) => out.push_str(text),
                    _ => {
                        out.push('\\');
                        out.extend(escaped);
                    }
                }
            }
            '[' if !in_class => {
                in_class = true;
                out.push(c);
                // First in a class, `]` is itself.
                if chars.peek() == Some(&'^') {
                    out.extend(chars.next());
                }
                if chars.peek() == Some(&']') {
                    chars.next();
                    out.push_str("\\]");
                }
            }
            '[' if chars.peek() == Some(&':') => {
                // [:alpha:] is the same in both.
                out.push(c);
                for c in chars.by_ref() {
                    out.push(c);
                    if c == ']' {
                        break;
                    }
                }
            }
            // Rust's classes have sets in them; Go's do not.
            '[' | '&' | '~' if in_class => {
                out.push('\\');
                out.push(c);
            }
            ']' => {
                in_class = false;
                out.push(c);
            }
            c => out.push(c),
        }
    }
    out
}

fn ascii(escaped: char) -> Option<&'static str> {
    Some(match escaped {
        'w' => "[0-9A-Za-z_]",
        'W' => "[^0-9A-Za-z_]",
        'd' => "[0-9]",
        'D' => "[^0-9]",
        's' => "[\\t\\n\\f\\r ]",
        'S' => "[^\\t\\n\\f\\r ]",
        'b' => "(?-u:\\b)",
        'B' => "(?-u:\\B)",
        _ => return None,
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn patterns_match_as_in_go() {
        for (pattern, text, matches) in [
            (r"^\w+$", "abc_1", true),
            (r"^\w+$", "é", false),
            (r"^[\w.\-\_]+$", "a.b-c_d", true),
            (r"^[\w.\-\_]+$", "ä", false),
            (r"^[^\d]$", "x", true),
            (r"^\d$", "٣", false),
            (r"^.$", "é", true),
            (r"^[[&]$", "[", true),
            (r"^[]a]$", "]", true),
            (r"^[[:alpha:]]+$", "abc", true),
            (r"\bfoo\b", "a foo b", true),
            ("b", "abc", true),
            ("^a$", "a\n", false),
        ] {
            let regex = compile(pattern).unwrap();
            assert_eq!(regex.is_match(text), matches, "{pattern} on {text:?}");
        }
        assert!(compile("(").is_err());
    }
}
