//! An object of a review: its text, understood as far as somebody asks.
//!
//! To understand all of it takes several times as long as to judge it, and most of it is as it was before the write.

use std::collections::BTreeMap;
use std::fmt;
use std::ops::Range;
use std::sync::OnceLock;

use serde::Serialize;
use serde::de::{
    Deserialize, DeserializeOwned, DeserializeSeed, Deserializer, Error, IgnoredAny, MapAccess,
    SeqAccess, Visitor,
};
use serde_json::value::RawValue;
use serde_json::{Map, Value};
use wharfinger_api::argocd::{ApplicationSpec, ApplicationStatus, Operation};

/// The parts that are told apart field by field, each with what is left out of it because no rule looks at it: who wrote which
/// field, of every kind; and every object that an Application has deployed, which is for everybody to write.
///
/// It is left out before as after the write, so no patch speaks of it.
const PARTS: [(&str, Option<&str>); 3] =
    [("metadata", Some("managedFields")), ("spec", None), ("status", Some("resources"))];

/// An object as it was sent, without what no rule looks at.
#[derive(Debug)]
pub struct Object {
    text: String,
    fields: Vec<Field>,
    whole: Lazy<Value>,
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
    value: Lazy<Value>,
}

/// Read when it is asked for, and once. What is wrong with it, where it can't be read.
type Lazy<T> = OnceLock<Result<T, String>>;

impl Object {
    /// All of it.
    pub fn value(&self) -> Result<&Value, String> {
        once(&self.whole, &self.text)
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
        let found = rest.iter().try_fold(value, |value, key| value.get(key));
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
        match (self.known(path), other.known(path)) {
            (None, None) => true,
            (Some((here, [])), Some((there, []))) => {
                self.text[here.at.clone()] == other.text[there.at.clone()]
            }
            _ => false,
        }
    }

    /// The fields of a part that another object does not have, or has otherwise.
    pub(super) fn unlike(&self, other: &Self, part: &str) -> Result<Map<String, Value>, String> {
        let mut unlike = Map::new();
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
                unlike.insert(read(&format!("\"{name}\""))?, value.clone());
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
    serde_json::from_str(text).map_err(|e| {
        // Line and column are of a text that nobody has.
        let text = e.to_string();
        text.rsplit_once(" at line ").map_or(text.clone(), |(what, _)| what.to_owned())
    })
}

impl<'de> Deserialize<'de> for Object {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        // As much as most objects take.
        let mut text = Vec::with_capacity(4096);
        let fields = deserializer.deserialize_map(Copied::new(&mut text, &PARTS, None))?;
        let text = String::from_utf8(text).map_err(D::Error::custom)?;
        Ok(Self { text, fields, whole: Lazy::new(), application: Application::default() })
    }
}

/// Copies an object, or a part of one, and says where its fields are.
struct Copied<'t> {
    text: &'t mut Vec<u8>,
    parts: &'static [(&'static str, Option<&'static str>)],
    left_out: Option<&'static str>,
}

impl<'t> Copied<'t> {
    fn new(
        text: &'t mut Vec<u8>,
        parts: &'static [(&'static str, Option<&'static str>)],
        left_out: Option<&'static str>,
    ) -> Self {
        Self { text, parts, left_out }
    }

    /// A part that is no object, and so has no fields.
    fn other<E: Error>(self, value: &impl Serialize) -> Result<Vec<Field>, E> {
        json(self.text, value).map(|()| vec![])
    }
}

fn json<E: Error>(text: &mut Vec<u8>, value: &impl Serialize) -> Result<(), E> {
    serde_json::to_writer(text, value).map_err(E::custom)
}

/// Copies the name of a field, and says where it is.
struct Name<'t>(&'t mut Vec<u8>);

impl<'de> DeserializeSeed<'de> for Name<'_> {
    type Value = Range<usize>;

    fn deserialize<D: Deserializer<'de>>(self, deserializer: D) -> Result<Self::Value, D::Error> {
        deserializer.deserialize_str(self)
    }
}

impl Visitor<'_> for Name<'_> {
    type Value = Range<usize>;

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("the name of a field")
    }

    fn visit_str<E: Error>(self, name: &str) -> Result<Self::Value, E> {
        let start = self.0.len() + 1;
        json(self.0, &name)?;
        Ok(start..self.0.len() - 1)
    }
}

impl<'de> DeserializeSeed<'de> for Copied<'_> {
    type Value = Vec<Field>;

    fn deserialize<D: Deserializer<'de>>(self, deserializer: D) -> Result<Self::Value, D::Error> {
        deserializer.deserialize_any(self)
    }
}

impl<'de> Visitor<'de> for Copied<'_> {
    type Value = Vec<Field>;

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("an object")
    }

    fn visit_map<M: MapAccess<'de>>(self, mut map: M) -> Result<Self::Value, M::Error> {
        let mut fields = Vec::<Field>::with_capacity(16);
        self.text.push(b'{');
        loop {
            let end = self.text.len();
            if !fields.is_empty() {
                self.text.push(b',');
            }
            let Some(name) = map.next_key_seed(Name(self.text))? else {
                self.text.truncate(end);
                break;
            };
            let is = |known: &str| self.text[name.clone()] == *known.as_bytes();
            if self.left_out.is_some_and(is) {
                map.next_value::<IgnoredAny>()?;
                self.text.truncate(end);
                continue;
            }
            // Whoever reads it elsewhere might take the other one.
            let twice = |field: &Field| self.text[field.name.clone()] == self.text[name.clone()];
            if fields.iter().any(twice) {
                let name = String::from_utf8_lossy(&self.text[name]);
                return Err(M::Error::custom(format_args!("field \"{name}\" is there twice")));
            }
            let part = self.parts.iter().find(|(part, _)| is(part));
            self.text.push(b':');
            let start = self.text.len();
            let below = match part {
                Some((_, left_out)) => {
                    map.next_value_seed(Copied::new(&mut *self.text, &[], *left_out))?
                }
                None => {
                    let value: &RawValue = map.next_value()?;
                    self.text.extend_from_slice(value.get().as_bytes());
                    vec![]
                }
            };
            let at = start..self.text.len();
            fields.push(Field { name, at, fields: below, value: Lazy::new() });
        }
        self.text.push(b'}');
        Ok(fields)
    }

    // Before a schema has seen it, a part may be anything.

    fn visit_seq<S: SeqAccess<'de>>(self, mut items: S) -> Result<Self::Value, S::Error> {
        let mut all = Vec::<&RawValue>::new();
        while let Some(item) = items.next_element()? {
            all.push(item);
        }
        self.other(&all)
    }

    fn visit_bool<E: Error>(self, value: bool) -> Result<Self::Value, E> {
        self.other(&value)
    }

    fn visit_i64<E: Error>(self, value: i64) -> Result<Self::Value, E> {
        self.other(&value)
    }

    fn visit_u64<E: Error>(self, value: u64) -> Result<Self::Value, E> {
        self.other(&value)
    }

    fn visit_f64<E: Error>(self, value: f64) -> Result<Self::Value, E> {
        self.other(&value)
    }

    fn visit_str<E: Error>(self, value: &str) -> Result<Self::Value, E> {
        self.other(&value)
    }

    fn visit_unit<E: Error>(self) -> Result<Self::Value, E> {
        self.other(&())
    }
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    fn object(sent: &Value) -> Object {
        serde_json::from_str(&sent.to_string()).unwrap()
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
    fn what_is_no_object_or_says_something_twice_is_refused() {
        let check = |sent: &str, part: &str| {
            let error = serde_json::from_str::<Object>(sent).unwrap_err().to_string();
            assert!(error.contains(part), "{sent}: {error}");
        };
        check("[]", "expected an object");
        check("1", "expected an object");
        check("{", "EOF");
        check("{\"spec\": {\"a\": }}", "expected value");
        check("{\"spec\": {\"a\": \"\u{1}\"}}", "control character");
        check("{\"spec\": 1, \"spec\": 2}", "field \"spec\" is there twice");
        check("{\"spec\": {\"a\": 1, \"\\u0061\": 2}}", "field \"a\" is there twice");
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
            let object: Object = serde_json::from_str(&sent).unwrap();
            assert_eq!(object.at(&["spec", "good"]), Ok(Some(&json!(1))), "{bad}");
            let errors =
                [object.at(&["spec", "bad", "x"]), object.at(&["spec"]), object.value().map(Some)];
            for error in errors.map(Result::unwrap_err) {
                assert!(error.contains(what) && !error.contains("line"), "{bad}: {error}");
            }
            // In the same words they are the same, whatever they mean.
            let other: Object = serde_json::from_str(&sent).unwrap();
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
        let other: Object = serde_json::from_str(
            "{\"spec\": {\"e\": 2, \"a\": {\"c\": null, \"b\": [1]}}, \"x\": {\"y\": {}}}",
        )
        .unwrap();
        let same = |path: &[&str]| Object::same(Some(&one), Some(&other), path).unwrap();
        for path in [&["spec", "a"][..], &["spec", "a", "b"], &["spec", "d"], &["nothing"]] {
            assert!(same(path), "{path:?}");
        }
        for path in [&["spec", "e"][..], &["spec"], &["x"], &["x", "y", "z"]] {
            assert!(!same(path), "{path:?}");
        }
        let unlike = |one: &Object, other, part| Value::Object(one.unlike(other, part).unwrap());
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
