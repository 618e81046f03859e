//! Places of images that only their author knows: a field of one kind of object, as `KIND[.GROUP][/NAME]:PATH`.
//!
//! The kind is written as kubectl writes it, with its group and without a version; the path as kubectl's JSONPath, of
//! which it has fields and `[*]`.

use std::fmt;
use std::str::FromStr;

use serde::Serialize;
use serde_json::Value;

use crate::claim::shown;

/// Where images stand in objects of one kind.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct ImagePath {
    /// As it was written.
    text: String,
    kind: String,
    /// Empty for the core group.
    group: String,
    name: Option<Name>,
    steps: Vec<Step>,
}

#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
enum Name {
    Exactly(String),
    /// Names that Kustomize or Helm make end in what nobody knows beforehand.
    Prefix(String),
}

#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
enum Step {
    Field(String),
    /// Every item of a list, every value of a map.
    All,
}

/// Why a text names no place.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error(
    "{text:?} names no place of images: {why}. Write KIND[.GROUP][/NAME]:PATH, as in Widget.example.com:.spec.parts[*].image or ConfigMap/settings:.data['web.image']"
)]
pub struct NoPath {
    text: String,
    why: &'static str,
}

/// More than any path has, in bytes.
const LONGEST: usize = 512;

impl ImagePath {
    /// The strings of an object that stand there.
    pub fn images<'v>(&self, object: &'v Value) -> Vec<&'v Value> {
        let mut found = Vec::new();
        if self.is_for(object) {
            collect(object, &self.steps, &mut found);
        }
        found
    }

    fn is_for(&self, object: &Value) -> bool {
        let text = |path: &str| object.pointer(path).and_then(Value::as_str).unwrap_or_default();
        let group = text("/apiVersion").split_once('/').map_or("", |(group, _)| group);
        let named = match &self.name {
            None => true,
            Some(Name::Exactly(name)) => text("/metadata/name") == name,
            Some(Name::Prefix(prefix)) => text("/metadata/name").starts_with(prefix.as_str()),
        };
        named && self.kind == text("/kind") && self.group == group
    }
}

fn collect<'v>(value: &'v Value, steps: &[Step], found: &mut Vec<&'v Value>) {
    match (steps, value) {
        ([], Value::String(_)) => found.push(value),
        ([Step::Field(name), rest @ ..], Value::Object(fields)) => {
            if let Some(value) = fields.get(name) {
                collect(value, rest, found);
            }
        }
        ([Step::All, rest @ ..], Value::Object(fields)) => {
            fields.values().for_each(|value| collect(value, rest, found));
        }
        ([Step::All, rest @ ..], Value::Array(items)) => {
            items.iter().for_each(|value| collect(value, rest, found));
        }
        _ => {}
    }
}

impl fmt::Display for ImagePath {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.text)
    }
}

impl FromStr for ImagePath {
    type Err = NoPath;

    fn from_str(text: &str) -> Result<Self, NoPath> {
        let no = |why| NoPath { text: shown(text), why };
        if text.len() > LONGEST {
            return Err(no("it is too long"));
        }
        let (of, path) = text.split_once(':').ok_or_else(|| no("there is no colon in it"))?;
        let (kind, name) = of.split_once('/').map_or((of, None), |(kind, name)| (kind, Some(name)));
        let (kind, group) = kind.split_once('.').unwrap_or((kind, ""));
        let upper = kind.starts_with(|c: char| c.is_ascii_uppercase());
        if !upper || !kind.bytes().all(|b| b.is_ascii_alphanumeric()) {
            return Err(no("a kind begins with a capital letter and has letters and digits only"));
        }
        let plain = |text: &str| {
            let part = |b: u8| b.is_ascii_lowercase() || b.is_ascii_digit() || b"-.".contains(&b);
            text.bytes().all(part)
        };
        if !plain(group) {
            return Err(no("the group is not one"));
        }
        let name = name.map(|name| match name.strip_suffix('*') {
            Some(prefix) => Name::Prefix(prefix.into()),
            None => Name::Exactly(name.into()),
        });
        if let Some(Name::Exactly(name) | Name::Prefix(name)) = &name
            && (name.is_empty() || !plain(name))
        {
            return Err(no("the name is none of an object; it may end in *"));
        }
        let (kind, group) = (kind.to_owned(), group.to_owned());
        Ok(Self { text: text.into(), kind, group, name, steps: steps(path).map_err(no)? })
    }
}

fn steps(path: &str) -> Result<Vec<Step>, &'static str> {
    let (mut steps, mut rest) = (Vec::new(), path);
    while !rest.is_empty() {
        let step;
        (step, rest) = match rest.strip_prefix('[') {
            Some(inner) => in_brackets(inner)?,
            None => behind_dot(rest)?,
        };
        steps.push(step);
    }
    if steps.is_empty() { Err("the path is empty") } else { Ok(steps) }
}

fn in_brackets(inner: &str) -> Result<(Step, &str), &'static str> {
    const WRONG: &str = "in brackets stands * or a field in quotation marks";
    if let Some(rest) = inner.strip_prefix("*]") {
        return Ok((Step::All, rest));
    }
    let quote = inner.chars().next().filter(|c| matches!(c, '\'' | '"')).ok_or(WRONG)?;
    let (name, rest) = inner[1..].split_once(quote).ok_or(WRONG)?;
    Ok((Step::Field(name.into()), rest.strip_prefix(']').ok_or(WRONG)?))
}

fn behind_dot(rest: &str) -> Result<(Step, &str), &'static str> {
    let rest = rest.strip_prefix('.').ok_or("before each field of the path stands a dot")?;
    let (name, rest) = rest.split_at(rest.find(['.', '[']).unwrap_or(rest.len()));
    match name {
        "" => Err("a field of the path is empty"),
        "*" => Ok((Step::All, rest)),
        name if name.contains(['*', ']', '\'', '"', ' ', '?', '@', '{', '}']) => {
            Err("a field with such characters has to stand in ['…']")
        }
        name => Ok((Step::Field(name.into()), rest)),
    }
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    #[test]
    fn a_path_finds_the_strings_that_stand_there() {
        let widget = json!({
            "apiVersion": "example.com/v2", "kind": "Widget", "metadata": {"name": "web-7d9f"},
            "spec": {"image": "a", "parts": [{"image": "b"}, {"image": 1}, {}, "x", {"image": {"a": "y"}}, {"image": "c"}],
                "map": {"one": {"image": "d"}, "t.w/o": {"image": "e"}}},
        });
        let map = json!({"apiVersion": "v1", "kind": "ConfigMap", "metadata": {"name": "settings"},
            "data": {"image": "f", "web.image": "g"}});
        let check = |path: &str, expected: &[&str]| {
            let parsed: ImagePath = path.parse().unwrap();
            let found: Vec<_> =
                [&widget, &map].into_iter().flat_map(|o| parsed.images(o)).collect();
            assert_eq!(found, expected, "{path}");
        };
        check("Widget.example.com:.spec.image", &["a"]);
        check("Widget.example.com:.spec.parts[*].image", &["b", "c"]);
        check("Widget.example.com:.spec.parts.*.image", &["b", "c"]);
        check("Widget.example.com:.spec.parts[*]", &["x"]);
        check("Widget.example.com:.spec.map[*].image", &["d", "e"]);
        check("Widget.example.com:.spec['map'][\"t.w/o\"].image", &["e"]);
        check("Widget.example.com:.spec.*.*.image", &["b", "c", "d", "e"]);
        check("Widget.example.com/web-7d9f:.spec.image", &["a"]);
        check("Widget.example.com/web-*:.spec.image", &["a"]);
        check("Widget.example.com/web:.spec.image", &[]);
        check("Widget:.spec.image", &[]);
        check("Widget.example.org:.spec.image", &[]);
        check("Widget.example.com:.spec", &[]);
        check("Widget.example.com:.spec.parts.image", &[]);
        check("ConfigMap:.data.image", &["f"]);
        check("ConfigMap/settings:.data['web.image']", &["g"]);
        check("ConfigMap:['data'][*]", &["f", "g"]);
    }

    #[test]
    fn what_names_no_place_is_told_why() {
        for (text, part) in [
            ("", "no colon"),
            ("ConfigMap", "no colon"),
            ("ConfigMap:", "the path is empty"),
            ("configmap:.data", "a kind begins with"),
            ("example.com/Widget:.spec", "a kind begins with"),
            (":.data", "a kind begins with"),
            ("Widget.Example:.spec", "the group"),
            ("ConfigMap/:.data", "the name"),
            ("ConfigMap/*:.data", "the name"),
            ("ConfigMap/a*b:.data", "the name"),
            ("ConfigMap/A:.data", "the name"),
            ("ConfigMap:data.image", "stands a dot"),
            ("ConfigMap:$.data.image", "stands a dot"),
            ("ConfigMap:.data[*]x", "stands a dot"),
            ("ConfigMap:.data..image", "is empty"),
            ("ConfigMap:.data.", "is empty"),
            ("ConfigMap:.data.[*]", "is empty"),
            ("ConfigMap:.data[0]", "in brackets"),
            ("ConfigMap:.data['a", "in brackets"),
            ("ConfigMap:.data['a'", "in brackets"),
            ("ConfigMap:.data[", "in brackets"),
            ("ConfigMap:.data.a*", "such characters"),
            ("ConfigMap:.data[?(@.a)]", "in brackets"),
            (&format!("ConfigMap:.{}", "a".repeat(LONGEST)), "too long"),
        ] {
            let error = text.parse::<ImagePath>().unwrap_err();
            assert!(error.why.contains(part), "{text}: {error}");
            assert!(error.to_string().len() < 400, "{error}");
        }
    }
}
