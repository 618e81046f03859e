//! An expression, a template, or a document with templates in it: each text is read as all three.
#![no_main]

use std::sync::LazyLock;

use jiff::Timestamp;
use libfuzzer_sys::fuzz_target;
use serde_json::json;
use wharfinger_api::v1alpha1::FreightCollection;
use wharfinger_core::expression::{self, Environment, Functions};

fuzz_target!(|text: &str| {
    let environment = environment(text);
    if let Ok(program) = expression::compile(text, &functions()) {
        assert_eq!(program.evaluate(&environment), program.evaluate(&environment));
        let _ = program.holds(&environment);
    }
    let _ = expression::document(text, &environment);
    let coerced = expression::template(text, &environment);
    if !text.contains("${{") && !text.contains("${%") && text.len() < 1 << 16 {
        assert_eq!(coerced, Ok(expression::Coerced::Json(text.into())), "without expressions");
        let variable = expression::template("${{ text }}", &environment).expect("a variable");
        let behind = expression::template(&format!("{text}${{{{ '' }}}}"), &environment);
        // What is no number is not the same as itself.
        assert_eq!(format!("{variable:?}"), format!("{:?}", behind.expect("text")));
    }
});

fn environment(text: &str) -> Environment<'static> {
    let mut environment = Environment::new(functions(), Timestamp::UNIX_EPOCH);
    let vars = json!({
        "n": 3, "f": 2.5, "s": "hello", "list": [3, 1, 2], "m": { "a": 1, "b": { "c": "deep" } },
        "objs": [{ "name": "x", "v": 1 }, { "name": "y", "v": 2 }], "nul": null, "b": true,
    });
    for (name, value) in [("vars", vars), ("text", text.into())] {
        environment.insert(name, &value).expect("a variable");
    }
    environment
}

fn functions() -> Functions<'static> {
    static COLLECTION: LazyLock<FreightCollection> = LazyLock::new(|| {
        let origin = json!({ "kind": "Warehouse", "name": "w" });
        let freight = json!({
            "name": "f", "origin": origin,
            "commits": [{ "repoURL": "https://git/a", "id": "0123456" }],
            "images": [{ "repoURL": "nginx", "tag": "1.27", "annotations": { "a": "b" } }],
            "charts": [{ "repoURL": "oci://charts/a", "version": "1.0.0" }],
            "artifacts": [{ "artifactType": "t", "subscriptionName": "s", "version": "1", "metadata": { "k": [1] } }],
        });
        serde_json::from_value(json!({ "id": "c", "items": { "Warehouse/w": freight } }))
            .expect("a collection")
    });
    Functions::default().with_utilities().with_freight(&COLLECTION)
}
