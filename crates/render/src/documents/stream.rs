//! Text → documents, as Kubernetes splits it: JSON objects one after the other, or YAML documents with `---` between them.

use std::borrow::Cow;

use serde_json::Value;

/// Which document it is, counted from nought or one as the caller counts, and what is wrong with it.
type Failed = (usize, String);

/// The JSON that `text` begins with, and what is left, which is YAML.
///
/// Text that begins with a brace may be either. After two objects it is taken for JSON, and the rest has to be.
pub(super) fn json(text: &str) -> Result<(Vec<Value>, &str), Failed> {
    let mut found = Vec::new();
    if !text.trim_start().starts_with('{') {
        return Ok((found, text));
    }
    let mut values = serde_json::Deserializer::from_str(text).into_iter();
    let mut end = 0;
    while let Some(value) = values.next() {
        match value {
            Ok(value) => found.push(value),
            Err(e) if found.len() > 1 => return Err((found.len() + 1, format!("not JSON: {e}"))),
            Err(_) => return Ok((found, without_blanks(&text[end..]))),
        }
        end = values.byte_offset();
    }
    Ok((found, ""))
}

/// Without blanks at the start, to the end of the line.
fn without_blanks(text: &str) -> &str {
    let text = text.trim_start_matches(|c: char| c != '\n' && c.is_whitespace());
    text.strip_prefix('\n').unwrap_or(text)
}

/// Splits at lines of `---` with nothing but space or a comment after it. Lines end as on Unix, the last one does end, and
/// what holds nothing but comments is left out.
pub(super) fn yaml(text: &str) -> Result<Vec<Cow<'_, str>>, Failed> {
    let mut documents = Vec::new();
    let (mut start, mut at) = (0, 0);
    for line in text.split_inclusive('\n') {
        if let Some(rest) = line.strip_prefix("---") {
            let rest = rest.trim();
            push(&mut documents, &text[start..at]);
            if !rest.is_empty() && !rest.starts_with('#') {
                return Err((documents.len(), format!("a line of --- goes on with {rest:?}")));
            }
            start = at + line.len();
        }
        at += line.len();
    }
    push(&mut documents, &text[start..]);
    Ok(documents)
}

fn push<'t>(documents: &mut Vec<Cow<'t, str>>, document: &'t str) {
    let mut lines = document.lines().map(str::trim_start);
    if lines.all(|line| line.is_empty() || line.starts_with('#')) {
        return;
    }
    let mut document = Cow::Borrowed(document);
    if document.contains("\r\n") {
        document = document.replace("\r\n", "\n").into();
    }
    if !document.ends_with('\n') {
        document.to_mut().push('\n');
    }
    documents.push(document);
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    #[test]
    fn json_may_follow_json_and_yaml_one_of_them() {
        let check = |text: &str, expected: &[&Value], rest: &str| {
            let expected = expected.iter().copied().cloned().collect();
            assert_eq!(json(text), Ok((expected, rest)), "{text}");
        };
        let (a, b) = (json!({ "a": 1 }), json!({ "b": 2 }));
        check("a: 1", &[], "a: 1");
        check("[{}]", &[], "[{}]");
        check("\n {\"a\":\t1}", &[&a], "");
        check("{\"a\": 1}{\"b\": 2}\r\n", &[&a, &b], "");
        check("{\"a\": 1}\nnull\n", &[&a, &Value::Null], "");
        check("{\"a\": 1} \n---\nb: 2", &[&a], "---\nb: 2");
        check("{\"a\": 1} # and\n", &[&a], "# and\n");
        check("{a: 1}\n", &[], "{a: 1}\n");
        let (number, what) = json("{\"a\": 1}{\"b\": 2}\n---\nb: 2").unwrap_err();
        assert!(number == 3 && what.starts_with("not JSON: "), "{number} {what}");
    }

    #[test]
    fn documents_of_yaml_are_whole_lines() {
        let check = |text: &str, expected: &[&str]| {
            let found = yaml(text).unwrap();
            assert_eq!(found, expected, "{text:?}");
        };
        check("", &[]);
        check("# nothing\n\n---\n  # here\n", &[]);
        check("---\na\n---  # and\nb", &["a\n", "b\n"]);
        check("a\r\n---\r\nb\r\n\r\nc\r", &["a\n", "b\n\nc\r\n"]);
        check("a: |\n  --- b\n", &["a: |\n  --- b\n"]);
        let (at, what) = yaml("a\n--- b\nc").unwrap_err();
        assert!(at == 1 && what.contains("\"b\""), "{at} {what}");
        assert!(yaml("# a\n----\n").is_err());
    }
}
