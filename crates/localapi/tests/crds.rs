//! Wharfinger's own CustomResourceDefinitions are understood whole, their rules included.

use std::{fs, path::Path};

use serde_json::{Value, json};
use wharfinger_localapi::{
    discovery, openapi,
    resource::Resource,
    schema::Problem,
    table::{Include, table},
};

#[test]
fn every_crd_is_served() {
    for crd in crds() {
        let name = crd["metadata"]["name"].as_str().unwrap_or_default();
        let resources = Resource::of_crd(&crd).unwrap_or_else(|p| panic!("{name}: {p:?}"));
        let resources: Vec<&Resource> = resources.iter().collect();
        assert_eq!(resources.len(), 1, "{name}");
        let version = resources[0].api_version();
        assert!(discovery::resource_list(&resources, &version).is_some(), "{name}");
        let document = openapi::group_version(&resources, &version).unwrap();
        let schemas = document["components"]["schemas"].as_object().unwrap();
        assert!(schemas.contains_key(&format!("io.akuity.kargo.v1alpha1.{}", resources[0].kind)));
    }
}

#[test]
fn a_stage_is_checked_as_a_whole() {
    let stage = resource("stages.kargo.akuity.io");
    let schema = stage.schema.as_ref().unwrap();
    let object = json!({
        "apiVersion": "kargo.akuity.io/v1alpha1", "kind": "Stage", "metadata": { "name": "test" },
        "spec": {
            "requestedFreight": [],
            "promotionTemplate": { "spec": { "steps": [
                { "uses": "assign", "task": { "name": "t" }, "retry": {} },
            ] } },
        },
    });
    assert_eq!(
        Problem::line(&schema.validate(None, &object)),
        "[spec.requestedFreight: Invalid value: 0: spec.requestedFreight in body should have at least 1 items, \
         spec.promotionTemplate.spec.steps[0]: Invalid value: exactly one of uses and task must be set, \
         spec.promotionTemplate.spec.steps[0]: Invalid value: retry can't be set on a step that names a task]",
    );
}

#[test]
fn a_promotion_shows_as_a_row() {
    let promotion = resource("promotions.kargo.akuity.io");
    let object = json!({
        "metadata": { "name": "p", "creationTimestamp": "2026-11-21T11:59:00Z", "labels": { "kargo.akuity.io/shard": "a" } },
        "spec": { "stage": "test", "freight": "f" },
        "status": { "phase": "Running" },
    });
    let list = json!({ "metadata": { "resourceVersion": "7" } });
    let now = "2026-11-21T12:00:00Z".parse().unwrap();
    let table = table(&promotion, &list, &[object], Include::Nothing, now);
    assert_eq!(table["metadata"], json!({ "resourceVersion": "7" }));
    assert_eq!(table["rows"][0]["cells"], json!(["p", "a", "test", "f", "Running", "60s"]));
    let names: Vec<_> =
        table["columnDefinitions"].as_array().unwrap().iter().map(|c| &c["name"]).collect();
    assert_eq!(names, ["Name", "Shard", "Stage", "Freight", "Phase", "Age"]);
}

#[test]
fn what_a_crd_lacks_is_told_with_its_place() {
    let mut crd = crds().remove(0);
    crd["metadata"]["name"] = json!("other");
    crd["spec"]["scope"] = json!("World");
    crd["spec"]["versions"][0]["schema"]["openAPIV3Schema"]["colour"] = json!("red");
    crd["spec"]["versions"][0]["additionalPrinterColumns"][0]["jsonPath"] = json!("{}");
    let problems = Resource::of_crd(&crd).unwrap_err();
    let places: Vec<_> = problems.iter().map(|problem| problem.path.as_str()).collect();
    assert_eq!(
        places,
        [
            "metadata.name",
            "spec.scope",
            "spec.versions[0].schema.openAPIV3Schema.colour",
            "spec.versions[0].additionalPrinterColumns[0].jsonPath",
        ],
    );
    assert!(Resource::of_crd(&Value::Null).is_err());
}

fn resource(name: &str) -> Resource {
    let crd = crds()
        .into_iter()
        .find(|crd| crd["metadata"]["name"] == name)
        .expect("the CRD must be there");
    Resource::of_crd(&crd).expect("the CRD must be understood").remove(0)
}

fn crds() -> Vec<Value> {
    let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("../../manifests/crds");
    let mut files: Vec<_> = fs::read_dir(folder)
        .expect("the folder must be there")
        .map(|f| f.expect("the folder must be readable").path())
        .collect();
    files.sort();
    let objects = files.iter().map(|file| {
        let text = fs::read_to_string(file).expect("the file must be readable");
        serde_saphyr::from_str::<Value>(&text).expect("the file must be YAML")
    });
    objects.filter(|object| object["kind"] == "CustomResourceDefinition").collect()
}
