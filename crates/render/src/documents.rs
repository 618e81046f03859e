//! YAML and JSON text → Kubernetes objects, read as Kubernetes reads them.

mod node;
mod plain;
mod stream;

use serde_json::{Number, Value};
use serde_saphyr::options::DuplicateKeyPolicy;

use crate::RenderError;
use crate::blocking::each;
use node::Node;

/// The objects in `text`, lists taken apart. `name` tells a person where the text comes from.
pub fn objects(name: &str, text: &str) -> Result<Vec<Value>, RenderError> {
    let mut objects = Vec::new();
    let failed = |number: usize, what: &str| {
        RenderError::input(format!("{name}, document {number}: {what}"))
    };
    let (json, rest) = stream::json(text).map_err(|(number, what)| failed(number, &what))?;
    let first = json.len() + 1;
    for (at, value) in json.into_iter().enumerate().filter(|(_, value)| !value.is_null()) {
        take_apart(whole(value), 0, &mut objects).map_err(|what| failed(at + 1, &what))?;
    }
    let documents = stream::yaml(rest).map_err(|(at, what)| failed(first + at, &what))?;
    // Nearly all of the time that we take for the output of a tool.
    let parsed = each(&documents, |document| parse(document));
    for (at, (document, parsed)) in documents.iter().zip(parsed).enumerate() {
        let number = first + at;
        let failed =
            |what: &str| RenderError::input(format!("{}: {what}", place(name, number, document)));
        let Some(value) = parsed.map_err(|e| failed(&format!("not YAML: {e}")))? else {
            continue;
        };
        take_apart(value, 0, &mut objects).map_err(|what| failed(&what))?;
    }
    Ok(objects)
}

/// One JSON object, as a `.json` file holds it.
pub(crate) fn object(name: &str, text: &str) -> Result<Vec<Value>, RenderError> {
    let value = serde_json::from_str(text)
        .map_err(|e| RenderError::input(format!("{name}: not JSON: {e}")))?;
    let mut objects = Vec::new();
    take_apart(whole(value), 0, &mut objects)
        .map_err(|e| RenderError::input(format!("{name}: {e}")))?;
    Ok(objects)
}

/// The first document of `text`, which is YAML alone; nothing where it is empty.
pub(crate) fn first(text: &str) -> Result<Option<Value>, String> {
    let documents = stream::yaml(text).map_err(|(_, what)| what)?;
    let Some(document) = documents.first() else { return Ok(None) };
    parse(document).map_err(|e| e.to_string())
}

/// A single YAML document as a value; nothing where it is empty.
pub(crate) fn parse(text: &str) -> Result<Option<Value>, serde_saphyr::Error> {
    let mut value = match plain::value(text, |scalar| in_full(scalar).ok()) {
        Some(value) => value,
        None => in_full(text)?,
    };
    end_as_written(text, &mut value);
    Ok(Some(value).filter(|v| !v.is_null()))
}

/// A document with everything that YAML has.
fn in_full(text: &str) -> Result<Value, serde_saphyr::Error> {
    let options = serde_saphyr::options! {
        // YAML 1.1, as Go reads it: `0644` is 420, of equal keys the last one counts.
        legacy_octal_numbers: true,
        duplicate_keys: DuplicateKeyPolicy::LastWins,
        with_snippet: false,
        // Far above any manifest (CRDs of a megabyte have some 50,000 nodes), far below what hurts.
        budget: serde_saphyr::budget! {
            max_events: 8_000_000,
            max_nodes: 4_000_000,
            max_depth: 200,
        },
    };
    let Node(value) = serde_saphyr::from_str_with_options(text, options)?;
    Ok(whole(value))
}

/// A block scalar at the very end of a text without a last line break has none either. The parser thinks it has; Go, and
/// so Argo CD, does not.
fn end_as_written(text: &str, value: &mut Value) {
    fn last(value: &mut Value) -> Option<&mut String> {
        match value {
            Value::String(text) => Some(text),
            Value::Array(items) => last(items.last_mut()?),
            Value::Object(fields) => last(fields.values_mut().next_back()?),
            Value::Null | Value::Bool(_) | Value::Number(_) => None,
        }
    }
    if let Some(end) = text.chars().next_back().filter(|c| *c != '\n')
        && let Some(scalar) = last(value)
        // A quoted scalar ends with its quotation mark.
        && scalar.strip_suffix('\n').is_some_and(|s| s.ends_with(end))
    {
        scalar.pop();
    }
}

/// Where a document is. Helm says in a comment which template it comes from; that is worth more than its number.
fn place(name: &str, number: usize, document: &str) -> String {
    match document.lines().find_map(|line| line.strip_prefix("# Source: ")) {
        Some(template) => format!("{name}, {}", template.trim()),
        None => format!("{name}, document {number}"),
    }
}

fn take_apart(value: Value, depth: usize, objects: &mut Vec<Value>) -> Result<(), String> {
    let Value::Object(mut object) = value else {
        return Err("not an object".into());
    };
    for field in ["apiVersion", "kind"] {
        if object.get(field).and_then(Value::as_str).is_none_or(str::is_empty) {
            return Err(format!("the object has no {field}"));
        }
    }
    match object.get_mut("items").map(Value::take) {
        // What is in the innermost would go unseen.
        Some(Value::Array(_)) if depth == 4 => Err("lists are nested more than four deep".into()),
        Some(Value::Array(items)) => {
            items.into_iter().try_for_each(|item| take_apart(item, depth + 1, objects))
        }
        // As Argo CD: a list without items, whatever its kind is called.
        Some(Value::Null) if !object.contains_key("spec") && !object.contains_key("status") => {
            Ok(())
        }
        Some(items) => {
            object["items"] = items;
            objects.push(Value::Object(object));
            Ok(())
        }
        None => {
            objects.push(Value::Object(object));
            Ok(())
        }
    }
}

/// Writes `1.0` as `1`, as Go does: an integer field does not take the former.
fn whole(mut value: Value) -> Value {
    fn walk(value: &mut Value) {
        match value {
            Value::Number(number) => {
                if let Some(float) = number.as_f64().filter(|_| number.is_f64())
                    && float.fract() == 0.0
                    && float.abs() < 9_007_199_254_740_992.0
                {
                    #[expect(clippy::cast_possible_truncation, reason = "whole, and below 2^53")]
                    let integer = float as i64;
                    *number = Number::from(integer);
                }
            }
            Value::Array(items) => items.iter_mut().for_each(walk),
            Value::Object(fields) => fields.values_mut().for_each(walk),
            Value::Null | Value::Bool(_) | Value::String(_) => {}
        }
    }
    walk(&mut value);
    value
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    fn data(yaml: &str) -> Value {
        let text = format!("apiVersion: v1\nkind: X\n{yaml}");
        let mut objects = objects("x.yaml", &text).unwrap();
        assert_eq!(objects.len(), 1);
        objects.remove(0)["data"].take()
    }

    #[test]
    fn scalars_are_what_kubernetes_takes_them_for() {
        let check = |yaml: &str, expected: Value| {
            assert_eq!(data(&format!("data: {yaml}")), expected, "{yaml}");
        };
        check("0644", json!(420));
        check("yes", json!(true));
        check("off", json!(false));
        check("\"yes\"", json!("yes"));
        check("1.0", json!(1));
        check("-3.0", json!(-3));
        check("1.5", json!(1.5));
        check("9223372036854775807", json!(9_223_372_036_854_775_807_i64));
        check("1e3", json!(1000));
        check("1.2.3", json!("1.2.3"));
        check("~", json!(null));
        check("{1: a, b: c}", json!({"1": "a", "b": "c"}));
        check("{on: a, \"off\": b, n: c}", json!({"true": "a", "off": "b", "false": "c"}));
        check(
            "{1.10: a, 2.0: b, 0644: c, 1.2.3: d}",
            json!({"1.1": "a", "2": "b", "420": "c", "1.2.3": "d"}),
        );
        check("{yes: a, true: b}", json!({"true": "b"}));
        check("{a: 1, a: 2}", json!({"a": 2}));
        check("{<<: {a: 1}, b: 2}", json!({"a": 1, "b": 2}));
        check("[&x {a: 1}, *x]", json!([{"a": 1}, {"a": 1}]));
        check("2020-01-01", json!("2020-01-01"));
        check("|\n  a\n  --- b\n  c", json!("a\n--- b\nc\n"));
        check("|\n  a\n  b\n", json!("a\nb\n"));
        check("|-\n  a\n", json!("a"));
        check(">\n  a\n  b", json!("a b\n"));
        check("\"a\\n\"", json!("a\n"));
        check("|\r\n  a\r\n  b\r\n", json!("a\nb\n"));
    }

    #[test]
    fn a_single_document_ends_as_it_is_written() {
        let check = |yaml: &str, expected: Value| {
            assert_eq!(parse(yaml).unwrap(), Some(expected), "{yaml}");
        };
        check("a: |\n  b\n  c", json!({ "a": "b\nc" }));
        check("a: |\n  b\n  c\n", json!({ "a": "b\nc\n" }));
        check("a: >\n  b\n  c", json!({ "a": "b c" }));
        check("a: \"b\\n\"", json!({ "a": "b\n" }));
    }

    #[test]
    fn documents_are_split_and_lists_taken_apart() {
        let names = |text: &str| -> Vec<String> {
            let objects = objects("x.yaml", text).unwrap();
            objects.iter().map(|o| o["kind"].as_str().unwrap().to_owned()).collect()
        };
        let object = |kind: &str| format!("apiVersion: v1\nkind: {kind}\n");
        let (a, b) = (object("A"), object("B"));
        assert_eq!(names(&format!("---\n{a}--- # and\n{b}---\n# nothing\n---\n\n")), ["A", "B"]);
        assert_eq!(names(&format!("\u{feff}{a}")), ["A"]);
        assert_eq!(names(&format!("{a}---\r\n{b}")), ["A", "B"]);
        assert_eq!(names(""), [""; 0]);
        let item = "{apiVersion: v1, kind: A}";
        assert_eq!(
            names(&format!("apiVersion: v1\nkind: List\nitems: [{item}, {item}]")),
            ["A", "A"]
        );
        let list =
            |item: &str, kind: &str| format!("{{apiVersion: v1, kind: {kind}, items: [{item}]}}");
        let two = list(&format!("{}, {item}", list(item, "DeploymentList")), "List");
        assert_eq!(names(&two), ["A", "A"]);
        assert_eq!(names(&list(&list(&two, "List"), "List")), ["A", "A"]);
        assert_eq!(names("apiVersion: v1\nkind: ConfigMapList\nitems:"), [""; 0]);
        assert_eq!(names("apiVersion: v1\nkind: Menu\nitems: null"), [""; 0]);
        assert_eq!(names("apiVersion: v1\nkind: Menu\nitems:\nspec: {}"), ["Menu"]);
        assert_eq!(names("apiVersion: v1\nkind: Menu\nitems: {a: 1}"), ["Menu"]);
        let json = |kind: &str| format!("{{\"apiVersion\": \"v1\", \"kind\": \"{kind}\"}}");
        assert_eq!(names(&[json("A"), json("B"), json("C")].concat()), ["A", "B", "C"]);
        assert_eq!(names(&format!("{}\n---\n{b}", json("A"))), ["A", "B"]);
    }

    #[test]
    fn what_is_not_an_object_is_told_by_file_and_document() {
        let check = |text: &str, part: &str| {
            let error = objects("dir/x.yaml", text).unwrap_err().to_string();
            assert!(error.starts_with("dir/x.yaml, ") && error.contains(part), "{text}: {error}");
        };
        check(
            "apiVersion: v1\nkind: A\n---\nkind: B\n",
            "document 2: the object has no apiVersion",
        );
        check("apiVersion: v1\n", "document 1: the object has no kind");
        check("- 1\n", "document 1: not an object");
        check("just text", "document 1: not an object");
        check("a: [", "document 1: not YAML");
        let json = "{\"apiVersion\": \"v1\", \"kind\": \"A\"}";
        check(&format!("{json}\n---\nkind: B\n"), "document 2: the object has no apiVersion");
        check(&format!("{json}\n{{\"kind\": \"B\"}}"), "document 2: the object has no apiVersion");
        check(&format!("{json}\n{json}\n---\nkind: B\n"), "document 3: not JSON");
        check("apiVersion: v1\nkind: A\n--- b\n", "document 2: a line of --- goes on");
        check("apiVersion: v1\nkind: List\nitems: [1]", "not an object");
        let deep = "{apiVersion: v1, kind: List, items: [".repeat(5) + &"]}".repeat(5);
        check(&deep, "more than four deep");
        check("---\n# Source: web/templates/a.yaml\nkind: {{\n", "web/templates/a.yaml: not YAML");
    }

    #[test]
    fn hostile_text_is_refused() {
        let deep =
            format!("apiVersion: v1\nkind: A\ndata: {}{}", "[".repeat(5000), "]".repeat(5000));
        assert!(objects("x", &deep).is_err());
        let mut bomb = "apiVersion: v1\nkind: A\na0: &a0 [x,x,x,x,x,x,x,x,x]\n".to_owned();
        for n in 1..12 {
            let last = format!("*a{}", n - 1);
            bomb += &format!("a{n}: &a{n} [{}]\n", [last.as_str(); 9].join(","));
        }
        assert!(objects("x", &bomb).is_err());
    }

    #[test]
    fn what_is_as_deep_as_allowed_fits_the_stack() {
        const D: usize = 190;
        let deep = format!("apiVersion: v1\nkind: A\ndata: {}{}", "[".repeat(D), "]".repeat(D));
        std::thread::Builder::new()
            .stack_size(16 << 20) // as `blocking` has
            .spawn(move || assert_eq!(objects("x", &deep).unwrap().len(), 1))
            .unwrap()
            .join()
            .unwrap();
    }
}
