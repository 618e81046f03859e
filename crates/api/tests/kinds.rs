//! The examples in `tests/fixtures/kinds` set every field of every kind, and the types keep all of it.

use std::{collections::BTreeSet, fmt::Debug, fs, path::PathBuf};

use serde::{Serialize, de::DeserializeOwned};
use serde_json::Value;
use wharfinger_api::v1alpha1;

#[test]
fn the_examples_set_every_field_of_every_kind() {
    let mut missing = vec![];
    for crd in v1alpha1::crds() {
        let schema = crd.spec.versions[0].schema.as_ref().unwrap();
        let schema = serde_json::to_value(&schema.open_api_v3_schema).unwrap();
        let mut set = BTreeSet::new();
        for example in examples(&crd.spec.names.plural) {
            assert_eq!(example["kind"], crd.spec.names.kind.as_str());
            fields(&example, "", &mut set);
        }
        each_property(&schema, "", &mut |path, _| {
            // What the server puts there itself, and a status that has no field yet.
            let own = ["apiVersion", "kind", "metadata"].contains(&path);
            let empty = crd.spec.names.kind == "Target" && path == "status";
            if !own && !empty && !is_set(&set, path) {
                missing.push(format!("{} {path}", crd.spec.names.kind));
            }
        });
    }
    assert!(missing.is_empty(), "no example sets\n{}", missing.join("\n"));
}

#[test]
fn the_types_keep_what_the_examples_hold() {
    round_trip::<v1alpha1::ClusterConfig>("clusterconfigs");
    round_trip::<v1alpha1::ClusterPromotionTask>("clusterpromotiontasks");
    round_trip::<v1alpha1::Freight>("freights");
    round_trip::<v1alpha1::Project>("projects");
    round_trip::<v1alpha1::ProjectConfig>("projectconfigs");
    round_trip::<v1alpha1::Promotion>("promotions");
    round_trip::<v1alpha1::PromotionRequest>("promotionrequests");
    round_trip::<v1alpha1::PromotionTask>("promotiontasks");
    round_trip::<v1alpha1::Stage>("stages");
    round_trip::<v1alpha1::Target>("targets");
    round_trip::<v1alpha1::Warehouse>("warehouses");
}

#[test]
fn every_field_is_described() {
    let mut silent = vec![];
    for crd in v1alpha1::crds() {
        let schema = crd.spec.versions[0].schema.as_ref().unwrap();
        let schema = serde_json::to_value(&schema.open_api_v3_schema).unwrap();
        let described =
            |schema: &Value| schema["description"].as_str().is_some_and(|d| d.ends_with('.'));
        let kind = &crd.spec.names.kind;
        if !described(&schema) {
            silent.push(format!("{kind} itself"));
        }
        each_property(&schema, "", &mut |path, schema| {
            if !described(schema) {
                silent.push(format!("{kind} {path}"));
            }
        });
    }
    assert!(
        silent.is_empty(),
        "kubectl explain says nothing, or no sentence, about\n{}",
        silent.join("\n")
    );
}

fn round_trip<T: Serialize + DeserializeOwned + Debug>(plural: &str) {
    for example in examples(plural) {
        let kept: T =
            serde_json::from_value(example.clone()).expect("an example must be of its kind");
        let kept = serde_json::to_value(&kept).expect("an object is JSON");
        assert!(kept == example, "sent\n{example:#}\nkept\n{kept:#}");
    }
}

fn examples(plural: &str) -> Vec<Value> {
    let name = format!("../../tests/fixtures/kinds/{plural}.yaml");
    let path = PathBuf::from(env!("CARGO_MANIFEST_DIR")).join(name);
    let text = fs::read_to_string(&path).expect("every kind must have a file of examples");
    serde_saphyr::from_multiple(&text).expect("examples are YAML")
}

/// Every property of a schema that may be set, by its path: `[]` stands for the items of a list, `*` for the keys of a map.
fn each_property(schema: &Value, path: &str, visit: &mut impl FnMut(&str, &Value)) {
    let forbidden = |name: &str| {
        let mut rules = schema["x-kubernetes-validations"].as_array().into_iter().flatten();
        rules.any(|rule| rule["rule"] == format!("!has(self.{name})"))
    };
    for (name, property) in schema["properties"].as_object().into_iter().flatten() {
        if forbidden(name) {
            continue;
        }
        let path = if path.is_empty() { name.clone() } else { format!("{path}.{name}") };
        visit(&path, property);
        each_property(property, &path, visit);
    }
    if let Some(items) = schema.get("items") {
        each_property(items, &format!("{path}[]"), visit);
    }
    if let Some(values) = schema.get("additionalProperties") {
        each_property(values, &format!("{path}.*"), visit);
    }
}

/// The paths of everything that is set, with the keys of maps as they are.
fn fields(value: &Value, path: &str, set: &mut BTreeSet<String>) {
    match value {
        Value::Object(map) => {
            for (name, value) in map {
                let path = if path.is_empty() { name.clone() } else { format!("{path}\n{name}") };
                set.insert(path.clone());
                fields(value, &path, set);
            }
        }
        Value::Array(list) => {
            list.iter().for_each(|item| fields(item, &format!("{path}\n[]"), set));
        }
        _ => {}
    }
}

fn is_set(set: &BTreeSet<String>, property: &str) -> bool {
    let wanted: Vec<&str> = property.split('.').collect();
    let wanted: Vec<&str> = wanted
        .iter()
        .flat_map(|part| match part.strip_suffix("[]") {
            Some(name) => vec![name, "[]"],
            None => vec![*part],
        })
        .collect();
    set.iter().any(|path| {
        let parts: Vec<&str> = path.split('\n').collect();
        parts.len() == wanted.len()
            && parts.iter().zip(&wanted).all(|(part, wanted)| *wanted == "*" || part == wanted)
    })
}
