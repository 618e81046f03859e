//! Asks `core` what Kargo was asked, and compares the answers.
//!
//! A family of vectors is one file of the folder, one JSON object a line: `{"input": …, "output": …}`.
//! The folder is `tests/vectors` of this repository, or the one in `VECTORS`; any folder of the same
//! form will do. For each family one line goes to stdout, `vectors <family> <passed>/<total>`, with
//! the first misses before it. Any miss fails the run; a family that is absent or empty does too.
//!
//! `tests/vectors/exceptions.jsonl` has the lines on which we differ on purpose: what we answer, and why. One that is no
//! exception any more is a miss, and so is one that makes Freight available which is not to Kargo.

use std::collections::BTreeMap;
use std::io::{self, Write};
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::path::{Path, PathBuf};
use std::process::ExitCode;

use jiff::{SignedDuration, Timestamp};
use serde::Deserialize;
use serde::de::DeserializeOwned;
use serde_json::{Map, Value, json};
use sha1::{Digest as _, Sha1};
use wharfinger_api::v1alpha1::{
    ArtifactReference, ChartDiscoveryResult, DiscoveredArtifacts, DiscoveredImageReference,
    DiscoveryResult, Freight, FreightCollection, FreightCreationCriteria, FreightReference,
    GitDiscoveryResult, ImageDiscoveryResult, PromotionPolicy, Stage,
};
use wharfinger_core::availability::{self, Upstream};
use wharfinger_core::check::State;
use wharfinger_core::expression::{self, Coerced, Environment, Functions};
use wharfinger_core::semver::{Constraint, Version};
use wharfinger_core::{criteria, duration, freight, policy, url};

/// The families that the code answers so far. A new one is a line here, a function below and a file
/// in `tests/vectors`.
const FAMILIES: [Family; 9] = [
    Family { name: "freight-names", answer: freight_name, optional: &["preimage"] },
    Family { name: "collection-ids", answer: collection_ids, optional: &[] },
    Family { name: "url-normalisation", answer: normalised_url, optional: &[] },
    Family { name: "semver", answer: satisfied, optional: &[] },
    Family { name: "freight-availability", answer: availability, optional: &["longestSoak"] },
    Family { name: "auto-promotion-candidates", answer: candidates, optional: &[] },
    Family { name: "auto-promotion-policies", answer: policies, optional: &[] },
    Family { name: "expressions", answer: expression, optional: &["lossy"] },
    Family { name: "freight-creation-criteria", answer: creation_criteria, optional: &[] },
];

/// How many misses of a family are shown.
const SHOWN: usize = 5;

fn main() -> io::Result<ExitCode> {
    let folder = folder();
    let exceptions = exceptions()?;
    let mut out = io::stdout().lock();
    let mut all_passed = true;
    for family in &FAMILIES {
        all_passed &= run(family, &folder, &exceptions, &mut out)?;
    }
    Ok(if all_passed { ExitCode::SUCCESS } else { ExitCode::FAILURE })
}

struct Family {
    name: &'static str,
    answer: fn(Value) -> Result<Answer, Malformed>,
    /// What we always answer, and a line may leave out.
    optional: &'static [&'static str],
}

/// A line on which we differ on purpose.
#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct Exception {
    family: String,
    /// Where it is in this repository's file, for people.
    #[serde(rename = "line")]
    _line: usize,
    /// The hash of the input: the line is recognised in any folder.
    input: String,
    /// What we answer.
    output: Value,
    #[serde(rename = "reason")]
    _reason: String,
}

/// They are this repository's, whichever folder the questions come from.
fn exceptions() -> io::Result<Vec<Exception>> {
    let path = Path::new(env!("CARGO_MANIFEST_DIR")).join("../../tests/vectors/exceptions.jsonl");
    let text = read(&path)?;
    let lines = serde_json::Deserializer::from_slice(&text).into_iter();
    Ok(lines.collect::<Result<_, _>>()?)
}

fn digest(input: &Value) -> String {
    Sha1::digest(input.to_string()).iter().map(|byte| format!("{byte:02x}")).collect()
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

fn run(
    family: &Family,
    folder: &Path,
    exceptions: &[Exception],
    out: &mut impl Write,
) -> io::Result<bool> {
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
    let (mut misses, mut otherwise) = (0, 0);
    for (index, line) in lines.iter().enumerate() {
        match check(family, exceptions, line) {
            Ok(As::Kargo) => {}
            Ok(As::Excepted) => otherwise += 1,
            Err(miss) => {
                misses += 1;
                if misses <= SHOWN {
                    writeln!(out, "vectors {name} line {}: {miss}", index + 1)?;
                }
            }
        }
    }
    if otherwise > 0 {
        writeln!(out, "vectors {name}: {otherwise} otherwise than Kargo, on purpose")?;
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

/// How an answer is right.
enum As {
    Kargo,
    Excepted,
}

fn check(family: &Family, exceptions: &[Exception], line: &[u8]) -> Result<As, String> {
    let Line { input, output } =
        serde_json::from_slice(line).map_err(|error| format!("not a vector: {error}"))?;
    let digest = digest(&input);
    let exception = exceptions.iter().find(|e| e.family == family.name && e.input == digest);
    let expected = Expected::try_from(output)?;
    let answer = catch_unwind(AssertUnwindSafe(|| (family.answer)(input)))
        .map_err(|_| "our code panicked, see stderr".to_owned())?
        .map_err(|error| format!("not an input of this family: {error}"))?;
    let Some(exception) = exception else {
        return expected.compare(answer, family.optional).map(|()| As::Kargo);
    };
    if expected.compare(answer.clone(), family.optional).is_ok() {
        return Err("it is no exception any more".into());
    }
    if family.name == "freight-availability" && !expected.allows_more(&exception.output) {
        return Err(format!("an exception must be stricter than Kargo, not {}", exception.output));
    }
    Expected::Value(exception.output.clone())
        .compare(answer, family.optional)
        .map(|()| As::Excepted)
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
    /// Whether all Freight is available to Kargo that is in our answer, and more.
    fn allows_more(&self, ours: &Value) -> bool {
        let Self::Value(kargo) = self else { return false };
        match (&kargo["available"], &ours["available"]) {
            (Value::Bool(kargo), Value::Bool(ours)) => *kargo && !ours,
            (Value::Array(kargo), Value::Array(ours)) => {
                ours.len() < kargo.len() && ours.iter().all(|name| kargo.contains(name))
            }
            _ => false,
        }
    }

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
        // A part of the answer on which Kargo crashed.
        (Value::String(a), _) if a == "panic" => true,
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

fn availability(value: Value) -> Result<Answer, Malformed> {
    #[derive(Deserialize)]
    #[serde(deny_unknown_fields)]
    struct Input {
        mode: Mode,
        now: Timestamp,
        stage: Flat,
        /// Who asks for Freight of a Warehouse that is gone has none to list.
        #[serde(default, rename = "warehouses")]
        _warehouses: Vec<String>,
        #[serde(default)]
        freight: Option<Vec<Flat>>,
    }
    #[derive(Deserialize)]
    #[serde(rename_all = "lowercase")]
    enum Mode {
        One,
        List,
    }
    let Input { mode, now, stage, freight, .. } = input(value)?;
    let stage: Stage = stage.stage()?;
    let freights: Vec<Freight> =
        freight.into_iter().flatten().map(Flat::freight).collect::<Result<_, _>>()?;
    let available = availability::available(&stage, &freights, now);
    if let Mode::List = mode {
        let mut names: Vec<_> = available.iter().map(|f| name(f)).collect();
        names.sort_unstable();
        return Ok(Ok(json!({ "available": names })));
    }
    let [freight] = freights.as_slice() else { return Err("not one Freight".into()) };
    let checks = availability::availability(&stage, freight, &Upstream::new(), now);
    let soaks = freight.status.iter().flat_map(|status| {
        let soaked = |stage: &String| availability::soaked(status, stage, now);
        status.verified_in.keys().map(move |stage| (stage, go(soaked(stage))))
    });
    let soaks: BTreeMap<_, _> = soaks.collect();
    let passed = checks.iter().all(|c| c.state == State::Passed);
    Ok(Ok(json!({ "available": passed, "longestSoak": soaks })))
}

fn candidates(value: Value) -> Result<Answer, Malformed> {
    #[derive(Deserialize)]
    #[serde(deny_unknown_fields)]
    struct Input {
        #[serde(rename = "mode")]
        _mode: String,
        #[serde(rename = "now")]
        _now: Timestamp,
        stage: Flat,
        freight: Option<Vec<Flat>>,
    }
    let Input { stage, freight, .. } = input(value)?;
    let stage = stage.stage()?;
    let freights: Vec<Freight> =
        freight.into_iter().flatten().map(Flat::freight).collect::<Result<_, _>>()?;
    let available: Vec<_> = freights.iter().collect();
    let origins = stage.spec.requested_freight.iter().map(|r| &r.origin);
    let candidates: BTreeMap<_, _> = origins
        .filter_map(|o| Some((o.to_string(), name(availability::newest(&stage, o, &available)?))))
        .collect();
    Ok(Ok(json!({ "candidates": candidates })))
}

fn policies(value: Value) -> Result<Answer, Malformed> {
    #[derive(Deserialize)]
    #[serde(deny_unknown_fields, rename_all = "camelCase")]
    struct Input {
        #[serde(default)]
        promotion_policies: Option<Vec<PromotionPolicy>>,
        #[serde(default)]
        stage: String,
        #[serde(default)]
        labels: BTreeMap<String, String>,
    }
    let Input { promotion_policies, stage, labels } = input(value)?;
    let policies = promotion_policies.unwrap_or_default();
    Ok(policy::decisive(&policies, &stage, &labels).map_err(|e| e.to_string()).map(|found| {
        let enabled = found.is_some_and(|index| policies[index].auto_promotion_enabled);
        json!({ "enabled": enabled, "matchedPolicy": found.map_or(json!(-1), |index| json!(index)) })
    }))
}

fn expression(value: Value) -> Result<Answer, Malformed> {
    #[derive(Deserialize)]
    #[serde(deny_unknown_fields)]
    struct Input {
        function: Kind,
        #[serde(default)]
        template: String,
        #[serde(default)]
        env: Map<String, Value>,
    }
    #[derive(Deserialize)]
    #[serde(rename_all = "lowercase")]
    enum Kind {
        Template,
        Json,
    }
    let Input { function, template, env } = input(value)?;
    let mut environment = Environment::new(Functions::default().with_utilities(), NOW);
    for (name, value) in &env {
        environment.insert(name, value).map_err(|error| error.to_string())?;
    }
    if let Kind::Json = function {
        let document = expression::document(&template, &environment);
        return Ok(document.map(|json| json!({ "json": json })).map_err(|e| e.to_string()));
    }
    let coerced = expression::template(&template, &environment).map_err(|e| e.to_string());
    Ok(coerced.map(|coerced| match coerced {
        Coerced::NotFinite(float) if float.is_nan() => json!({ "type": "nan", "value": null }),
        Coerced::NotFinite(float) if float > 0.0 => json!({ "type": "+inf", "value": null }),
        Coerced::NotFinite(_) => json!({ "type": "-inf", "value": null }),
        Coerced::Json(json) => {
            let kind = match &json {
                Value::Null => "null",
                Value::Bool(_) => "bool",
                Value::Number(_) => "number",
                Value::String(_) => "string",
                Value::Array(_) => "array",
                Value::Object(_) => "object",
            };
            // What is no UTF-8 is repaired on both sides.
            json!({ "type": kind, "value": json, "lossy": true })
        }
    }))
}

fn creation_criteria(value: Value) -> Result<Answer, Malformed> {
    #[derive(Deserialize)]
    #[serde(deny_unknown_fields)]
    struct Input {
        #[serde(default)]
        expression: String,
        #[serde(default)]
        git: Vec<GitDiscoveryResult>,
        #[serde(default)]
        images: Vec<Found>,
        #[serde(default)]
        charts: Vec<ChartDiscoveryResult>,
        #[serde(default)]
        results: Vec<Results>,
    }
    /// The vectors leave out what is empty.
    #[derive(Deserialize)]
    #[serde(deny_unknown_fields, rename_all = "camelCase")]
    struct Found {
        #[serde(rename = "repoURL", default)]
        repo_url: String,
        #[serde(default)]
        references: Vec<FoundImage>,
    }
    #[derive(Deserialize)]
    #[serde(deny_unknown_fields)]
    struct FoundImage {
        #[serde(default)]
        tag: String,
        #[serde(default)]
        digest: String,
    }
    #[derive(Deserialize)]
    #[serde(deny_unknown_fields, rename_all = "camelCase")]
    struct Results {
        #[serde(default)]
        subscription_name: String,
        #[serde(default)]
        references: Vec<ArtifactReference>,
    }
    let Input { expression, git, images, charts, results } = input(value)?;
    let images = images.into_iter().map(|Found { repo_url, references }| {
        let references = references.into_iter().map(|FoundImage { tag, digest }| {
            DiscoveredImageReference { tag, digest, ..Default::default() }
        });
        ImageDiscoveryResult { repo_url, references: references.collect(), ..Default::default() }
    });
    let results = results.into_iter().map(|Results { subscription_name, references }| {
        DiscoveryResult { name: subscription_name, artifact_references: references }
    });
    let artifacts = DiscoveredArtifacts {
        git,
        images: images.collect(),
        charts,
        results: results.collect(),
        ..Default::default()
    };
    let criteria = FreightCreationCriteria { expression };
    let held = criteria::hold(Some(&criteria), &artifacts, NOW).map_err(|e| e.to_string());
    Ok(held.map(|held| json!({ "satisfied": held })))
}

/// When expressions are evaluated.
const NOW: Timestamp = Timestamp::constant(1_700_000_000, 0);

/// An object as the vectors write it: metadata, spec and status side by side.
#[derive(Deserialize)]
#[serde(transparent)]
struct Flat(Map<String, Value>);

impl Flat {
    fn stage(self) -> Result<Stage, Malformed> {
        let mut object = self.nested();
        let spec = json!({ "requestedFreight": object.remove("requestedFreight").filter(|r| !r.is_null()).unwrap_or(json!([])) });
        object.insert("spec".into(), spec);
        object.insert("apiVersion".into(), "kargo.akuity.io/v1alpha1".into());
        object.insert("kind".into(), "Stage".into());
        input(object.into())
    }

    fn freight(self) -> Result<Freight, Malformed> {
        input(self.nested().into())
    }

    fn nested(self) -> Map<String, Value> {
        let Self(mut object) = self;
        let keys = ["name", "namespace", "creationTimestamp"];
        let metadata = keys.into_iter().filter_map(|key| Some((key.into(), object.remove(key)?)));
        let metadata = Value::Object(metadata.collect());
        object.insert("metadata".into(), metadata);
        object
    }
}

fn name(freight: &Freight) -> &str {
    freight.metadata.name.as_deref().unwrap_or_default()
}

/// A duration as Go writes it, to the nanosecond.
fn go(duration: SignedDuration) -> String {
    let whole = duration::write(duration);
    match duration.subsec_nanos() {
        0 => whole,
        nanos => {
            let nanos = format!("{nanos:09}");
            format!("{}.{}s", whole.trim_end_matches('s'), nanos.trim_end_matches('0'))
        }
    }
}
