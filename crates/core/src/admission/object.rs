//! An object of a review: its text, understood as far as somebody asks.
//!
//! To understand all of it takes several times as long as to judge it, and most of it is as it was before the write.

use std::collections::BTreeMap;
use std::ops::Range;
use std::str::FromStr;
use std::sync::OnceLock;

use serde::de::DeserializeOwned;
use serde_json::Value;
use wharfinger_api::argocd::{ApplicationSpec, ApplicationStatus, Operation};

use super::words::{Copied, Words, without_line};
use crate::claim::shown;

/// The parts that are told apart field by field, each with what is left out of it because no rule looks at it: who wrote which
/// field, of every kind; and every object that an Application has deployed, which is for everybody to write.
///
/// It is left out before as after the write, so no patch speaks of it.
const PARTS: [(&str, Option<&str>); 3] =
    [("metadata", Some("managedFields")), ("spec", None), ("status", Some("resources"))];

/// More than any kind has in an object or a part: they are compared with each other.
const FIELDS: usize = 256;

/// An object as it was sent, without what no rule looks at.
#[derive(Debug)]
pub struct Object {
    text: String,
    fields: Vec<Field>,
    whole: Lazy<Box<Value>>,
    application: Application,
}

/// What rules of Applications ask for more than once, each understood by itself.
#[derive(Debug, Default)]
struct Application {
    annotations: Lazy<Option<BTreeMap<String, String>>>,
    // An object is moved about more often than these are asked for.
    spec: Lazy<Box<ApplicationSpec>>,
    operation: Lazy<Option<Box<Operation>>>,
    status: Lazy<Box<ApplicationStatus>>,
}

#[derive(Debug)]
struct Field {
    /// Where its name is in the text, without the quotes: in the one way in which it is written as JSON.
    name: Range<usize>,
    /// Where its value is in the text.
    at: Range<usize>,
    /// Those of a part.
    fields: Vec<Self>,
    // Most are never asked for.
    value: Lazy<Box<Value>>,
}

/// Read when it is asked for, and once. What is wrong with it, where it can't be read.
type Lazy<T> = OnceLock<Result<T, String>>;

impl Object {
    /// All of it.
    pub fn value(&self) -> Result<&Value, String> {
        once(&self.whole, &self.text).map(AsRef::as_ref)
    }

    /// The annotations of an Application.
    pub(super) fn annotations(&self) -> Result<Option<&BTreeMap<String, String>>, String> {
        let annotations = self.part(&self.application.annotations, &["metadata", "annotations"])?;
        Ok(annotations.and_then(Option::as_ref))
    }

    /// The spec of an Application.
    pub(super) fn spec(&self) -> Result<Option<&ApplicationSpec>, String> {
        Ok(self.part(&self.application.spec, &["spec"])?.map(AsRef::as_ref))
    }

    /// The operation that an Application asks for.
    pub(super) fn operation(&self) -> Result<Option<&Operation>, String> {
        let operation = self.part(&self.application.operation, &["operation"])?;
        Ok(operation.and_then(Option::as_deref))
    }

    /// The status of an Application.
    pub(super) fn status(&self) -> Result<Option<&ApplicationStatus>, String> {
        Ok(self.part(&self.application.status, &["status"])?.map(AsRef::as_ref))
    }

    fn part<'l, T: DeserializeOwned>(
        &'l self,
        lazy: &'l Lazy<T>,
        path: &[&str],
    ) -> Result<Option<&'l T>, String> {
        // A part that is something else has no fields to be looked for.
        self.holds(|part| !part.starts_with('{'))?;
        let Some((field, [])) = self.known(path) else { return Ok(None) };
        let words = &self.text[field.at.clone()];
        if words.starts_with('[') {
            return Err(format!("{} is no object", path.join(".")));
        }
        once(lazy, words).map(Some)
    }

    pub(super) fn read<T: DeserializeOwned>(&self) -> Result<T, String> {
        // A list of its fields would do for a struct, and for nobody else.
        self.holds(|part| part.starts_with('['))?;
        read(&self.text)
    }

    fn holds(&self, wrong: impl Fn(&str) -> bool) -> Result<(), String> {
        let mut parts =
            PARTS.iter().filter_map(|(part, _)| Some((part, self.find(&self.fields, part)?)));
        match parts.find(|(_, field)| wrong(&self.text[field.at.clone()])) {
            Some((part, _)) => Err(format!("{part} is no object")),
            None => Ok(()),
        }
    }

    /// What it says at a place; nothing where that is null.
    pub(super) fn at(&self, path: &[&str]) -> Result<Option<&Value>, String> {
        let Some((field, rest)) = self.known(path) else { return Ok(None) };
        let value = once(&field.value, &self.text[field.at.clone()])?;
        let found = rest.iter().try_fold(&**value, |value, key| value.get(key));
        Ok(found.filter(|value| !value.is_null()))
    }

    /// Whether two objects say the same at a place: most of the time in the same words.
    pub(super) fn same(
        one: Option<&Self>,
        other: Option<&Self>,
        path: &[&str],
    ) -> Result<bool, String> {
        if one.zip(other).is_some_and(|(one, other)| one.says_as(other, path)) {
            return Ok(true);
        }
        let at = |object| Option::map_or(object, Ok(None), |object: &Self| object.at(path));
        Ok(at(one)? == at(other)?)
    }

    /// Whether a place is in neither of two objects, or is told apart in both and the same to the letter.
    pub(super) fn says_as(&self, other: &Self, path: &[&str]) -> bool {
        let neither = || self.known(path).is_none() && other.known(path).is_none();
        match (self.words(path), other.words(path)) {
            (Some(here), Some(there)) => here == there,
            _ => neither(),
        }
    }

    /// What is at a place that is told apart.
    fn words(&self, path: &[&str]) -> Option<&str> {
        let (field, rest) = self.known(path)?;
        rest.is_empty().then(|| &self.text[field.at.clone()])
    }

    /// The fields of a part that another object does not have, or has otherwise.
    pub(super) fn unlike(&self, other: &Self, part: &str) -> Result<Vec<(String, &Value)>, String> {
        let mut unlike = vec![];
        let Some(part_here) = self.find(&self.fields, part) else { return Ok(unlike) };
        if !self.text[part_here.at.clone()].starts_with('{') {
            return Err(format!("{part} is no object"));
        }
        for field in &part_here.fields {
            let name = &self.text[field.name.clone()];
            let path = [part, name];
            if !Self::same(Some(self), Some(other), &path)?
                && let Some(value) = self.at(&path)?
            {
                unlike.push((read(&format!("\"{name}\""))?, value));
            }
        }
        Ok(unlike)
    }

    /// The field that is or holds a place, and the way on from there.
    fn known<'p>(&self, path: &'p [&'p str]) -> Option<(&Field, &'p [&'p str])> {
        let (name, rest) = path.split_first()?;
        let field = self.find(&self.fields, name)?;
        match rest.split_first() {
            Some((name, rest)) if !field.fields.is_empty() => {
                Some((self.find(&field.fields, name)?, rest))
            }
            _ => Some((field, rest)),
        }
    }

    fn find<'f>(&self, fields: &'f [Field], name: &str) -> Option<&'f Field> {
        fields.iter().find(|field| self.text[field.name.clone()] == *name)
    }
}

fn once<'l, T: DeserializeOwned>(lazy: &'l Lazy<T>, text: &str) -> Result<&'l T, String> {
    lazy.get_or_init(|| read(text)).as_ref().map_err(Clone::clone)
}

fn read<T: DeserializeOwned>(text: &str) -> Result<T, String> {
    serde_json::from_str(text).map_err(|e| without_line(&e))
}

impl FromStr for Object {
    type Err = String;

    fn from_str(text: &str) -> Result<Self, String> {
        let mut words = Words::new(text);
        let told = Told::next(&mut words, None)?;
        words.end().map(|()| told.object)
    }
}

/// An object, with what its text does not have of the words in which it was sent.
#[derive(Debug)]
pub struct Told<'t> {
    pub object: Object,
    /// Of each field of the object.
    sent: Vec<&'t str>,
    /// What was left out of each part.
    left_out: [&'t str; PARTS.len()],
}

impl<'t> Told<'t> {
    /// Takes the object that is next. What it says in the words of another one, as most of what is before a write and after
    /// it, is not gone through a second time.
    pub fn next(words: &mut Words<'t>, like: Option<&Self>) -> Result<Self, String> {
        // As much as most objects take.
        let mut text = String::with_capacity(4096);
        let (mut fields, mut sent) = (Vec::with_capacity(8), Vec::with_capacity(8));
        let mut left_out = [""; PARTS.len()];
        words.copy(&mut text, |words, text, name| {
            let (start, rest) = (text.len(), words.rest());
            let known = like.and_then(|like| like.field(name));
            let part = PARTS.iter().position(|(part, _)| *part == name);
            let below =
                if let Some((known, field, _)) = known.filter(|(.., said)| words.again(said)) {
                    text.push_str(&known.text[field.at.clone()]);
                    field.fields.iter().map(|below| below.moved(field.at.start, start)).collect()
                } else if let Some(part) = part.filter(|_| words.is_object()) {
                    fields_of(part, words, text, like, &mut left_out[part])?
                } else {
                    text.push_str(words.value()?);
                    vec![]
                };
            sent.push(&rest[..rest.len() - words.rest().len()]);
            add(&mut fields, text, name, start, below)?;
            Ok(Copied::Yes)
        })?;
        let (whole, application) = (Lazy::new(), Application::default());
        Ok(Self { object: Object { text, fields, whole, application }, sent, left_out })
    }

    fn field(&self, name: &str) -> Option<(&Object, &Field, &'t str)> {
        let object = &self.object;
        let at = object.fields.iter().position(|field| object.text[field.name.clone()] == *name)?;
        Some((object, &object.fields[at], self.sent[at]))
    }
}

/// Copies a part, and says where its fields are and what was left out.
fn fields_of<'t>(
    part: usize,
    words: &mut Words<'t>,
    text: &mut String,
    like: Option<&Told<'t>>,
    left_out: &mut &'t str,
) -> Result<Vec<Field>, String> {
    let mut fields = Vec::with_capacity(8);
    let (part_name, leaves_out) = PARTS[part];
    words.copy(text, |words, text, name| {
        if leaves_out == Some(name) {
            *left_out = words.value_as(like.map(|like| like.left_out[part]))?;
            return Ok(Copied::LeftOut);
        }
        let start = text.len();
        let said = like.and_then(|like| like.object.words(&[part_name, name]));
        text.push_str(words.value_as(said)?);
        add(&mut fields, text, name, start, vec![])?;
        Ok(Copied::Yes)
    })?;
    Ok(fields)
}

/// Adds the field whose value is at the end of a text.
fn add(
    fields: &mut Vec<Field>,
    text: &str,
    name: &str,
    start: usize,
    below: Vec<Field>,
) -> Result<(), String> {
    if fields.len() == FIELDS {
        return Err(format!("there are more than {FIELDS} fields"));
    }
    // Whoever reads it elsewhere might take the other one.
    if fields.iter().any(|field| text[field.name.clone()] == *name) {
        return Err(format!("field \"{}\" is there twice", shown(name)));
    }
    // Between them are a quotation mark and a colon.
    let at = start - 2 - name.len()..start - 2;
    fields.push(Field { name: at, at: start..text.len(), fields: below, value: Lazy::new() });
    Ok(())
}

impl Field {
    /// The same in another text, which has what was at `from` at `to`.
    fn moved(&self, from: usize, to: usize) -> Self {
        let moved = |at: &Range<usize>| at.start - from + to..at.end - from + to;
        let (name, at) = (moved(&self.name), moved(&self.at));
        Self { name, at, fields: vec![], value: Lazy::new() }
    }
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    fn object(sent: &Value) -> Object {
        sent.to_string().parse().unwrap()
    }

    #[test]
    fn what_no_rule_looks_at_is_left_out_and_nothing_else() {
        let app = json!({
            "metadata": { "name": "a", "managedFields": [{ "manager": "x" }], "annotations": { "managedFields": "1" } },
            "spec": { "resources": [1, -1, 1.5, null, true, "x", { "managedFields": [] }], "\"ä": { "": 1 }, "": 1 },
            "status": { "resources": [{}], "sync": { "resources": [{}] } },
            "resources": [], "managedFields": [], "\u{1}": [],
        });
        let mut left = app.clone();
        left["metadata"].as_object_mut().unwrap().shift_remove("managedFields");
        left["status"].as_object_mut().unwrap().shift_remove("resources");
        assert_eq!(object(&app).value(), Ok(&left));
        for odd in [
            json!({ "metadata": [{ "managedFields": 1 }], "status": null, "spec": "x" }),
            json!({ "metadata": {}, "status": -1.5, "spec": true }),
            json!({}),
        ] {
            assert_eq!(object(&odd).value(), Ok(&odd));
        }
    }

    #[test]
    fn what_is_said_in_the_words_of_another_is_told_apart_alike() {
        let texts = [
            r#"{"spec":{"a":{"b":1},"c":"x"},"status":{"resources":[{}],"sync":1},"n":12}"#,
            r#"{"n":1,"metadata":{"name":"a","managedFields":[1]},"spec":{"a":{"b":1},"c":"y"},"status":{"resources":[{}],"sync":1}}"#,
            r#"{"status":{"resources":[1],"sync":1},"spec":{"a":{"b":1},"c":"x"},"metadata":{"managedFields":[1]}}"#,
            r#"{ "spec" : { "a" : { "b" : 1 } } , "status" : [ ] , "n" : "x" }"#,
            r#"{"status":[ ],"sp\u0065c":{"a":{"b":1},"c":"x"},"n":"xy","x\"":{},"metadata":{}}"#,
            r#"{"x\"":{},"metadata":{},"spec":"a","n":"x","":[]}"#,
            "{}",
        ];
        for (one, other) in texts.iter().flat_map(|one| texts.iter().map(move |two| (one, two))) {
            let text = format!("{one}{other}");
            let mut words = Words::new(&text);
            let first = Told::next(&mut words, None).unwrap();
            let second = Told::next(&mut words, Some(&first)).unwrap().object;
            words.end().unwrap();
            let alone: Object = other.parse().unwrap();
            assert_eq!(second.text, alone.text);
            assert_eq!(format!("{:?}", second.fields), format!("{:?}", alone.fields), "{one}");
        }
    }

    #[test]
    fn what_is_no_object_or_says_something_twice_or_too_much_is_refused() {
        let check = |sent: &str, part: &str| {
            let error = sent.parse::<Object>().unwrap_err();
            assert!(error.contains(part), "{sent}: {error}");
        };
        check("[]", "expected an object");
        check("1", "expected an object");
        check("{", "too early");
        check("{\"spec\": {\"a\": }}", "expected value");
        check("{\"spec\": {\"a\": \"\u{1}\"}}", "control character");
        check("{\"spec\": 1, \"spec\": 2}", "field \"spec\" is there twice");
        check("{\"spec\": {\"a\": 1, \"\\u0061\": 2}}", "field \"a\" is there twice");
        let long = "x".repeat(10_000);
        let twice = format!("{{\"{long}\": 1, \"{long}\": 2}}").parse::<Object>().unwrap_err();
        assert!(twice.contains("is there twice") && twice.len() < 1000, "{}", twice.len());
        let many = |n| (0..n).map(|n| (n.to_string(), Value::Null)).collect::<Value>();
        let (most, more) = (many(FIELDS), many(FIELDS + 1));
        for (most, more) in [
            (most.clone(), more.clone()),
            (json!({ "metadata": most }), json!({ "metadata": more })),
        ] {
            assert_eq!(object(&most).value(), Ok(&most));
            check(&more.to_string(), "more than 256 fields");
        }
    }

    #[test]
    fn a_list_of_fields_is_no_part() {
        let list = object(&json!({ "spec": ["default", { "path": "x" }], "x": [] }));
        let told = Err("spec is no object".to_owned());
        assert_eq!(list.spec().map(|_| ()), told);
        assert_eq!(list.annotations().map(|_| ()), told);
        assert_eq!(list.read::<Value>().map(|_| ()), told);
        assert_eq!(list.unlike(&object(&json!({})), "spec").map(|_| ()), told);
        assert!(object(&json!({ "spec": { "project": "x" }, "x": [] })).spec().is_ok());
    }

    #[test]
    fn what_can_not_be_understood_is_an_error_for_whoever_asks() {
        let deep = format!("{}{}", "[".repeat(200), "]".repeat(200));
        for (bad, what) in [
            (deep.as_str(), "recursion limit"),
            ("1e999", "out of range"),
            ("\"\\ud800\"", "escape"),
        ] {
            let sent = format!("{{\"spec\": {{\"bad\": {bad}, \"good\": 1}}}}");
            let object: Object = sent.parse().unwrap();
            assert_eq!(object.at(&["spec", "good"]), Ok(Some(&json!(1))), "{bad}");
            let errors =
                [object.at(&["spec", "bad", "x"]), object.at(&["spec"]), object.value().map(Some)];
            for error in errors.map(Result::unwrap_err) {
                assert!(error.contains(what) && !error.contains("line"), "{bad}: {error}");
            }
            // In the same words they are the same, whatever they mean.
            let other: Object = sent.parse().unwrap();
            assert_eq!(Object::same(Some(&object), Some(&other), &["spec"]), Ok(true));
            assert!(Object::same(Some(&object), None, &["spec"]).is_err());
        }
    }

    #[test]
    fn places_are_found_and_compared() {
        let one = object(
            &json!({ "spec": { "a": { "b": [1], "c": null }, "d": null, "e": 1 }, "x": { "y": { "z": 1 } } }),
        );
        assert_eq!(one.at(&["spec", "a", "b"]), Ok(Some(&json!([1]))));
        assert_eq!(one.at(&["x", "y", "z"]), Ok(Some(&json!(1))));
        for nothing in [
            &["spec", "a", "c"][..],
            &["spec", "a", "b", "x"],
            &["spec", "d"],
            &["spec", "f"],
            &["status", "a"],
            &["y"],
        ] {
            assert_eq!(one.at(nothing), Ok(None), "{nothing:?}");
        }
        let other: Object =
            "{\"spec\": {\"e\": 2, \"a\": {\"c\": null, \"b\": [1]}}, \"x\": {\"y\": {}}}"
                .parse()
                .unwrap();
        let same = |path: &[&str]| Object::same(Some(&one), Some(&other), path).unwrap();
        for path in [&["spec", "a"][..], &["spec", "a", "b"], &["spec", "d"], &["nothing"]] {
            assert!(same(path), "{path:?}");
        }
        for path in [&["spec", "e"][..], &["spec"], &["x"], &["x", "y", "z"]] {
            assert!(!same(path), "{path:?}");
        }
        let unlike = |one: &Object, other, part| {
            let unlike = one.unlike(other, part).unwrap().into_iter();
            Value::Object(unlike.map(|(name, value)| (name, value.clone())).collect())
        };
        assert_eq!(unlike(&one, &other, "spec"), json!({ "e": 1 }));
        let odd = |value: &str| object(&json!({ "spec": { "\"\u{1}ä\\": value, "b": 1 } }));
        let odd = [odd("x"), odd("x"), odd("y")];
        assert_eq!(unlike(&odd[0], &odd[1], "spec"), json!({}));
        assert_eq!(unlike(&odd[0], &odd[2], "spec"), json!({ "\"\u{1}ä\\": "x" }));
        assert_eq!(unlike(&other, &one, "spec"), json!({ "e": 2 }));
        assert_eq!(
            unlike(&one, &object(&json!({})), "spec"),
            json!({ "a": { "b": [1], "c": null }, "e": 1 })
        );
    }
}
