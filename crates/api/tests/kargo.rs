//! What Kargo's CustomResourceDefinitions say about each field, ours say too: whatever Kargo takes is taken, and what it
//! refuses is refused. Where we differ on purpose, [`EXCEPTIONS`] says so and why.
//!
//! `kargo.crds` beside this file has the facts, a line a field: types, patterns, enums, what is required, how lists and
//! maps merge; of a rule in CEL that there is one, since the same can be said in other words. It was made of
//! `charts/kargo/resources/crds` at commit 1c764767ae of Kargo. To make it of newer ones:
//!
//!     KARGO_CRDS=<that folder> cargo test -p wharfinger-api --test kargo

use std::{collections::BTreeMap, fs, path::Path};

use k8s_openapi::apiextensions_apiserver::pkg::apis::apiextensions::v1::CustomResourceDefinition;
use serde_json::{Map, Value, json};
use wharfinger_api::v1alpha1;

/// Where we differ: a field (`*` in front stands for any beginning) with all that is below it, what differs there, and why.
/// `field` is the field itself: the other side has none of that name.
const EXCEPTIONS: &[(&str, &[&str], &str)] = &[
    ("projectconfigs.spec.wharfinger", &["field"], "our addition"),
    ("stages.status.assignment", &["field"], "our addition"),
    (
        "stages.spec.subscriptions",
        &["field"],
        "Stages of before v1.0 are taken, and admission puts requestedFreight in its place",
    ),
    (
        "stages.spec.promotionMechanisms",
        &["field"],
        "Stages of before v1.0 are taken, and admission puts promotionTemplate in its place",
    ),
    ("clusterconfigs.spec", &["default"], "none is an empty one, and whoever reads finds it there"),
    ("projectconfigs.spec", &["default"], "none is an empty one, and whoever reads finds it there"),
    ("targets.spec", &["default"], "none is an empty one, and whoever reads finds it there"),
    ("*.secretRef.name", &["default"], "an absent name and an empty one name nothing alike"),
    ("*.signingKeySecret.name", &["default"], "an absent name and an empty one name nothing alike"),
    (
        "*.autoRollback.onPromotion",
        &["rule", "enum"],
        "Kargo's rules look at each of two items; an enum says the same",
    ),
    (
        "*.autoRollback.onVerification",
        &["rule", "enum"],
        "Kargo's rules look at each of two items; an enum says the same",
    ),
];

type Facts = BTreeMap<String, Map<String, Value>>;

#[test]
fn every_field_is_as_kargo_has_it() {
    let list = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/kargo.crds");
    if let Some(folder) = std::env::var_os("KARGO_CRDS") {
        fs::write(&list, written(&kargos(Path::new(&folder)))).expect("must write");
    }
    let kargo = read(&fs::read_to_string(&list).expect("the list must be there"));
    assert!(kargo.len() > 1000, "the list has {} fields and lacks most", kargo.len());
    let mut ours = Facts::new();
    v1alpha1::crds().iter().for_each(|crd| kind(crd, &mut ours));

    let differences = differences(&kargo, &ours);
    let excepted = |at: &str, what: &str, exception: &(&str, &[&str], &str)| {
        let (place, facts, _) = exception;
        facts.contains(&what) && is_at_or_below(at, place)
    };
    let told: Vec<_> = differences
        .iter()
        .filter(|(at, what, _)| !EXCEPTIONS.iter().any(|e| excepted(at, what, e)))
        .map(|(at, what, text)| format!("{at}: {what}: {text}"))
        .collect();
    assert!(told.is_empty(), "otherwise than Kargo's:\n{}", told.join("\n"));
    for exception in EXCEPTIONS {
        let needed = differences.iter().any(|(at, what, _)| excepted(at, what, exception));
        assert!(needed, "{} is no exception any more", exception.0);
    }
}

/// Where the two differ: the field, the fact, and what either says.
fn differences(kargo: &Facts, ours: &Facts) -> Vec<(String, String, String)> {
    let mut found = vec![];
    for at in ours.keys().filter(|at| !kargo.contains_key(*at)) {
        found.push((at.clone(), "field".to_owned(), "Kargo has none".to_owned()));
    }
    for (at, theirs) in kargo {
        let Some(own) = ours.get(at) else {
            found.push((at.clone(), "field".to_owned(), "we have none".to_owned()));
            continue;
        };
        let mut names: Vec<_> = theirs.keys().chain(own.keys()).collect();
        names.sort();
        names.dedup();
        for name in names.into_iter().filter(|name| theirs.get(*name) != own.get(*name)) {
            let side = |facts: &Map<String, Value>| {
                facts.get(name).map_or_else(|| "nothing".to_owned(), Value::to_string)
            };
            let text = format!("Kargo has {}, we have {}", side(theirs), side(own));
            found.push((at.clone(), name.clone(), text));
        }
    }
    found
}

fn is_at_or_below(at: &str, place: &str) -> bool {
    let rest = match place.strip_prefix('*') {
        Some(end) => at.rfind(end).and_then(|start| at.get(start + end.len()..)),
        None => at.strip_prefix(place),
    };
    rest.is_some_and(|rest| rest.is_empty() || rest.starts_with(['.', '[']))
}

/// The facts about a kind and all its fields.
fn kind(crd: &CustomResourceDefinition, facts: &mut Facts) {
    assert_eq!(crd.spec.versions.len(), 1, "{:?}", crd.metadata.name);
    let version = crd.spec.versions.first().expect("there is one");
    let names = &crd.spec.names;
    let columns: Vec<Value> = version
        .additional_printer_columns
        .iter()
        .flatten()
        .map(|c| json!([c.name, c.json_path, c.type_, c.priority.unwrap_or_default()]))
        .collect();
    let status = version.subresources.as_ref().is_some_and(|s| s.status.is_some());
    let schema = version.schema.as_ref().and_then(|s| s.open_api_v3_schema.as_ref());
    let schema = serde_json::to_value(schema.expect("a schema")).expect("a schema is JSON");
    field(&names.plural, &schema, facts);
    let whole = facts.get_mut(&names.plural).expect("the kind itself is there");
    for (name, fact) in [
        ("kind", json!(names.kind)),
        ("singular", json!(names.singular)),
        ("shortNames", json!(names.short_names)),
        ("scope", json!(crd.spec.scope)),
        ("version", json!([version.name, version.served, version.storage])),
        ("columns", json!(columns)),
        ("hasStatus", json!(status)),
    ] {
        whole.insert(name.to_owned(), fact);
    }
    // The API server has its own idea of these three.
    for own in ["apiVersion", "kind", "metadata"] {
        facts.remove(&format!("{}.{own}", names.plural));
    }
}

/// `[]` stands for the items of a list, `{}` for the values of a map.
fn field(at: &str, schema: &Value, facts: &mut Facts) {
    let mut own = Map::new();
    for (name, value) in schema.as_object().expect("a schema is an object") {
        match name.as_str() {
            // For people.
            "description" | "title" => {}
            "properties" => value.as_object().into_iter().flatten().for_each(|(name, property)| {
                field(&format!("{at}.{name}"), property, facts);
            }),
            "items" => field(&format!("{at}[]"), value, facts),
            "additionalProperties" if value.is_object() => {
                field(&format!("{at}{{}}"), value, facts);
            }
            "x-kubernetes-validations" => drop(own.insert("rule".to_owned(), json!(true))),
            "enum" | "required" => {
                let mut values = value.as_array().cloned().unwrap_or_default();
                values.sort_by_key(Value::to_string);
                own.insert(name.clone(), values.into());
            }
            _ => drop(own.insert(name.clone(), value.clone())),
        }
    }
    own.sort_keys();
    facts.insert(at.to_owned(), own);
}

fn kargos(folder: &Path) -> Facts {
    let mut facts = Facts::new();
    for file in fs::read_dir(folder).expect("the folder must be there") {
        let path = file.expect("the folder must be readable").path();
        if path.extension().is_some_and(|e| e == "yaml") {
            let text = fs::read_to_string(&path).expect("the file must be readable");
            let crd = serde_saphyr::from_str(&text).expect("the file must be a definition");
            kind(&crd, &mut facts);
        }
    }
    facts
}

fn written(facts: &Facts) -> String {
    facts.iter().map(|(at, facts)| format!("{at} {}\n", Value::Object(facts.clone()))).collect()
}

fn read(list: &str) -> Facts {
    let line = |line: &str| {
        let (at, facts) = line.split_once(' ').expect("a field and its facts");
        (at.to_owned(), serde_json::from_str(facts).expect("facts are JSON"))
    };
    list.lines().map(line).collect()
}
