//! Asks `core` what Kargo was asked, and compares the answers.
//!
//! A family of vectors is one file of the folder, one JSON object a line: `{"input": …, "output": …}`.
//! The folder is `tests/vectors` of this repository, or the one in `VECTORS`; any folder of the same
//! form will do. For each family one line goes to stdout, `vectors <family> <passed>/<total>`, with
//! the first misses before it. Any miss fails the run; a family that is absent or empty does too.

use std::collections::BTreeMap;
use std::io::{self, Write};
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::path::{Path, PathBuf};
use std::process::ExitCode;

use serde::Deserialize;
use serde::de::DeserializeOwned;
use serde_json::{Map, Value, json};
use wharfinger_api::v1alpha1::{Freight, FreightCollection, FreightReference};
use wharfinger_core::semver::{Constraint, Version};
use wharfinger_core::{freight, url};

/// The families that the code answers so far. A new one is a line here, a function below and a file
/// in `tests/vectors`.
const FAMILIES: [Family; 4] = [
    Family { name: "freight-names", answer: freight_name, optional: &["preimage"] },
    Family { name: "collection-ids", answer: collection_ids, optional: &[] },
    Family { name: "url-normalisation", answer: normalised_url, optional: &[] },
    Family { name: "semver", answer: satisfied, optional: &[] },
];

/// How many misses of a family are shown.
const SHOWN: usize = 5;

fn main() -> io::Result<ExitCode> {
    let folder = folder();
    let mut out = io::stdout().lock();
    let mut all_passed = true;
    for family in &FAMILIES {
        all_passed &= run(family, &folder, &mut out)?;
    }
    Ok(if all_passed { ExitCode::SUCCESS } else { ExitCode::FAILURE })
}

struct Family {
    name: &'static str,
    answer: fn(Value) -> Result<Answer, Malformed>,
    /// What we always answer, and a line may leave out.
    optional: &'static [&'static str],
}

/// Our side of a line: a value, or why we refuse the input. Where Kargo says which part of the input is
/// wrong, the reason begins with that word.
type Answer = Result<Value, String>;

/// An input that is not of the family's form. That is a fault of the line, or of this file.
type Malformed = String;

/// Relative paths begin at the repository's root, because cargo starts tests elsewhere than make.
fn folder() -> PathBuf {
    let root = Path::new(env!("CARGO_MANIFEST_DIR")).join("../..");
    match std::env::var_os("VECTORS") {
        Some(folder) if !folder.is_empty() => root.join(folder),
        _ => root.join("tests/vectors"),
    }
}

fn run(family: &Family, folder: &Path, out: &mut impl Write) -> io::Result<bool> {
    let name = family.name;
    let path = folder.join(format!("{name}.jsonl"));
    let text = match read(&path) {
        Ok(text) => text,
        Err(error) => {
            writeln!(out, "vectors {name}: cannot read {}: {error}", path.display())?;
            writeln!(out, "vectors {name} 0/0")?;
            return Ok(false);
        }
    };
    let lines: Vec<&[u8]> =
        text.strip_suffix(b"\n").unwrap_or(&text).split(|b| *b == b'\n').collect();
    let mut misses = 0;
    for (index, line) in lines.iter().enumerate() {
        if let Err(miss) = check(family, line) {
            misses += 1;
            if misses <= SHOWN {
                writeln!(out, "vectors {name} line {}: {miss}", index + 1)?;
            }
        }
    }
    if misses > SHOWN {
        writeln!(out, "vectors {name}: {} more misses not shown", misses - SHOWN)?;
    }
    writeln!(out, "vectors {name} {}/{}", lines.len() - misses, lines.len())?;
    Ok(misses == 0)
}

#[expect(clippy::disallowed_methods, reason = "core itself touches no disk; its vectors lie there")]
fn read(path: &Path) -> io::Result<Vec<u8>> {
    std::fs::read(path)
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct Line {
    input: Value,
    output: Value,
}

fn check(family: &Family, line: &[u8]) -> Result<(), String> {
    let Line { input, output } =
        serde_json::from_slice(line).map_err(|error| format!("not a vector: {error}"))?;
    let expected = Expected::try_from(output)?;
    let answer = catch_unwind(AssertUnwindSafe(|| (family.answer)(input)))
        .map_err(|_| "our code panicked, see stderr".to_owned())?
        .map_err(|error| format!("not an input of this family: {error}"))?;
    expected.compare(answer, family.optional)
}

/// Kargo's side of a line.
enum Expected {
    Value(Value),
    /// With the part of the input that is wrong, where the line names one.
    Refusal(Option<String>),
    /// Kargo crashed: it is enough not to do the same.
    Anything,
}

impl TryFrom<Value> for Expected {
    type Error = String;

    fn try_from(output: Value) -> Result<Self, String> {
        let flag = |name| match output.get(name) {
            None => Ok(false),
            Some(Value::Bool(flag)) => Ok(*flag),
            Some(other) => Err(format!("not a vector: output.{name} is {other}, not a boolean")),
        };
        Ok(match (flag("panic")?, flag("error")?) {
            (true, _) => Self::Anything,
            (false, true) => {
                Self::Refusal(output.get("which").and_then(Value::as_str).map(str::to_owned))
            }
            (false, false) => Self::Value(output),
        })
    }
}

impl Expected {
    fn compare(&self, answer: Answer, optional: &[&str]) -> Result<(), String> {
        match (self, answer) {
            (Self::Refusal(Some(which)), Err(why)) if !why.starts_with(which) => {
                Err(format!("expected an error of: {which}, got: {why}"))
            }
            (Self::Anything, _) | (Self::Refusal(_), Err(_)) => Ok(()),
            (Self::Refusal(_), Ok(got)) => Err(format!("expected an error, got {got}")),
            (Self::Value(expected), Err(why)) => {
                Err(format!("expected {expected}, got an error: {why}"))
            }
            (Self::Value(expected), Ok(mut got)) => {
                if let Some(got) = got.as_object_mut() {
                    got.retain(|key, _| !optional.contains(&&**key) || expected.get(key).is_some());
                }
                if is_same(expected, &got) {
                    return Ok(());
                }
                Err(format!("expected {expected}, got {got}"))
            }
        }
    }
}

/// Numbers are compared as floats, and objects without regard to the order of their keys.
fn is_same(a: &Value, b: &Value) -> bool {
    match (a, b) {
        (Value::Number(a), Value::Number(b)) => a.as_f64() == b.as_f64(),
        (Value::Array(a), Value::Array(b)) => {
            a.len() == b.len() && a.iter().zip(b).all(|(a, b)| is_same(a, b))
        }
        (Value::Object(a), Value::Object(b)) => {
            let has = |b: &Map<String, Value>, key, a| b.get(key).is_some_and(|b| is_same(a, b));
            a.len() == b.len() && a.iter().all(|(key, a)| has(b, key, a))
        }
        (a, b) => a == b,
    }
}

fn input<T: DeserializeOwned>(input: Value) -> Result<T, Malformed> {
    serde_json::from_value(input).map_err(|error| error.to_string())
}

fn freight_name(value: Value) -> Result<Answer, Malformed> {
    let freight: Freight = input(value)?;
    Ok(Ok(json!({ "name": freight::name(&freight), "preimage": freight::preimage(&freight) })))
}

fn collection_ids(value: Value) -> Result<Answer, Malformed> {
    #[derive(Deserialize)]
    #[serde(deny_unknown_fields)]
    struct Input {
        #[serde(default)]
        existing: BTreeMap<String, FreightReference>,
        #[serde(default)]
        calls: Vec<Vec<FreightReference>>,
    }
    let Input { existing, calls } = input(value)?;
    let mut collection = FreightCollection { items: existing, ..Default::default() };
    let mut ids = Vec::new();
    for call in calls {
        freight::push(&mut collection, call);
        ids.push(collection.id.clone());
    }
    let items: Vec<_> =
        collection.items.iter().map(|(key, freight)| (key, &freight.name)).collect();
    Ok(Ok(json!({ "ids": ids, "items": items })))
}

fn normalised_url(value: Value) -> Result<Answer, Malformed> {
    #[derive(Deserialize)]
    #[serde(deny_unknown_fields)]
    struct Input {
        kind: Kind,
        #[serde(default)]
        url: String,
    }
    #[derive(Deserialize)]
    #[serde(rename_all = "lowercase")]
    enum Kind {
        Git,
        Image,
        Chart,
        Sanitize,
    }
    let Input { kind, url } = input(value)?;
    let normalised = match kind {
        Kind::Git => url::normalise_git(&url),
        Kind::Image => url::normalise_image(&url),
        Kind::Chart => url::normalise_chart(&url),
        Kind::Sanitize => url::sanitise(&url),
    };
    Ok(Ok(json!({ "normalized": normalised })))
}

fn satisfied(value: Value) -> Result<Answer, Malformed> {
    #[derive(Deserialize)]
    #[serde(deny_unknown_fields)]
    struct Input {
        #[serde(default)]
        constraint: String,
        #[serde(default)]
        version: String,
    }
    let Input { constraint, version } = input(value)?;
    Ok(match (constraint.parse::<Constraint>(), version.parse::<Version>()) {
        (Ok(constraint), Ok(version)) => Ok(json!({
            "satisfied": constraint.accepts(&version),
            "strict": version.is_strict(),
            "canonical": version.to_string(),
        })),
        (Err(constraint), Err(version)) => Err(format!("both: {constraint}; {version}")),
        (Err(error), Ok(_)) => Err(format!("constraint: {error}")),
        (Ok(_), Err(error)) => Err(format!("version: {error}")),
    })
}
