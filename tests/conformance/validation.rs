//! Custom resources are pruned, defaulted and checked by their schemas: ours, and one made for what ours don't have.

use anyhow::{Result, ensure};
use serde_json::{Value, json};

use crate::{
    answer::text,
    objects::{RULES_NOT_CHECKED, STAGES, stage},
    server::Server,
};

const PROMOTIONS: &str = "/apis/kargo.akuity.io/v1alpha1/namespaces/{ns}/promotions";
const WAREHOUSES: &str = "/apis/kargo.akuity.io/v1alpha1/namespaces/{ns}/warehouses";
const CRDS: &str = "/apis/apiextensions.k8s.io/v1/customresourcedefinitions";

fn with(path: &str, value: Value) -> Value {
    let mut stage = stage("a");
    if let Some(place) = stage.pointer_mut(path) {
        *place = value;
    }
    stage
}

fn step(step: &Value) -> Value {
    let mut stage = stage("a");
    stage["spec"]["promotionTemplate"] = json!({ "spec": { "steps": [step] } });
    stage
}

pub(crate) async fn stages_are_checked(s: Server) -> Result<()> {
    const STEP: &str = "spec.promotionTemplate.spec.steps[0]";
    let name = r#"Stage.kargo.akuity.io "a""#;
    for (stage, causes) in [
        (
            with("/spec", json!({})),
            vec!["spec.requestedFreight: Required value", RULES_NOT_CHECKED],
        ),
        (
            json!({ "apiVersion": "kargo.akuity.io/v1alpha1", "kind": "Stage", "metadata": { "name": "a" } }),
            vec!["spec: Required value", RULES_NOT_CHECKED],
        ),
        (
            with("/spec", json!([])),
            vec![
                r#"spec: Invalid value: "array": spec in body must be of type object: "array""#,
                RULES_NOT_CHECKED,
            ],
        ),
        (
            with("/spec/requestedFreight", json!([])),
            vec![
                "spec.requestedFreight: Invalid value: 0: spec.requestedFreight in body should have at least 1 items",
            ],
        ),
        (
            with("/spec/requestedFreight/0/origin/kind", json!("Depot")),
            vec![
                r#"spec.requestedFreight[0].origin.kind: Unsupported value: "Depot": supported values: "Warehouse""#,
                RULES_NOT_CHECKED,
            ],
        ),
        (
            with("/spec/requestedFreight/0/sources", json!({ "requiredSoakTime": "soon" })),
            vec![
                r#"spec.requestedFreight[0].sources.requiredSoakTime: Invalid value: "soon": spec.requestedFreight[0].sources.requiredSoakTime in body should match '^([0-9]+(\.[0-9]+)?(s|m|h))+$'"#,
            ],
        ),
        (
            with("/spec/requestedFreight/0/sources/direct", json!("yes")),
            vec![
                r#"spec.requestedFreight[0].sources.direct: Invalid value: "string": spec.requestedFreight[0].sources.direct in body must be of type boolean: "string""#,
                RULES_NOT_CHECKED,
            ],
        ),
        (
            step(&json!({})),
            vec![&format!("{STEP}: Invalid value: exactly one of uses and task must be set")],
        ),
        (
            step(&json!({ "uses": "a", "task": { "name": "b" }, "continueOnError": true })),
            vec![
                &format!("{STEP}: Invalid value: exactly one of uses and task must be set"),
                &format!(
                    "{STEP}: Invalid value: continueOnError can't be set on a step that names a task"
                ),
            ],
        ),
        (
            step(&json!({ "uses": "" })),
            vec![&format!(
                r#"{STEP}.uses: Invalid value: "": {STEP}.uses in body should be at least 1 chars long"#
            )],
        ),
    ] {
        s.post(STAGES, stage).await?.invalid(name, &causes)?;
    }
    Ok(())
}

pub(crate) async fn promotions_are_checked(s: Server) -> Result<()> {
    let promotion = |spec: Value| {
        json!({
            "apiVersion": "kargo.akuity.io/v1alpha1", "kind": "Promotion",
            "metadata": { "name": "a" }, "spec": spec,
        })
    };
    let name = r#"Promotion.kargo.akuity.io "a""#;
    let steps = json!([{ "uses": "assign" }]);
    for spec in [
        json!({ "stage": "x", "steps": steps }),
        json!({ "stage": "x", "freight": "f", "origin": { "kind": "Warehouse", "name": "w" }, "steps": steps }),
    ] {
        let causes = ["spec: Invalid value: exactly one of freight and origin must be set"];
        s.post(PROMOTIONS, promotion(spec)).await?.invalid(name, &causes)?;
    }
    s.post(PROMOTIONS, promotion(json!({ "stage": "x", "freight": "f", "steps": steps })))
        .await?
        .done()?;
    Ok(())
}

pub(crate) async fn absent_fields_get_their_defaults(s: Server) -> Result<()> {
    let warehouse = json!({
        "apiVersion": "kargo.akuity.io/v1alpha1", "kind": "Warehouse", "metadata": { "name": "a" },
        "spec": { "interval": null, "subscriptions": [{ "image": { "repoURL": "ghcr.io/acme/web" } }] },
    });
    let made = s.post(WAREHOUSES, warehouse).await?.done()?;
    ensure!(made["spec"]["interval"] == "5m0s", "{made:#}");
    ensure!(made["spec"]["freightCreationPolicy"] == "Automatic", "{made:#}");
    Ok(())
}

pub(crate) async fn unknown_fields_are_dropped_and_told(s: Server) -> Result<()> {
    let mut object = with(
        "/spec/requestedFreight/0/origin",
        json!({
            "kind": "Warehouse", "name": "main", "colour": "red",
        }),
    );
    object["spec"]["flavour"] = json!({ "a": 1 });
    object["top"] = json!(1);
    let unknown = [
        r#"unknown field "spec.flavour""#,
        r#"unknown field "spec.requestedFreight[0].origin.colour""#,
        r#"unknown field "top""#,
    ];
    let strict = s.post(&format!("{STAGES}?fieldValidation=Strict"), object.clone()).await?;
    let message =
        "Stage in version \"v1alpha1\" cannot be handled as a Stage: strict decoding error: ";
    let message = format!("{message}{}", unknown.join(", "));
    strict.refused(400, "BadRequest", &message)?;
    for (validation, warnings) in
        [("?fieldValidation=Ignore", &[][..]), ("", &unknown), ("?fieldValidation=Warn", &unknown)]
    {
        let answer = s.post(&format!("{STAGES}{validation}"), object.clone()).await?;
        ensure!(answer.warnings == warnings, "{validation}: {:#?}", answer.warnings);
        let made = answer.done()?;
        ensure!(made["spec"] == stage("a")["spec"] && made["top"].is_null(), "{made:#}");
        s.delete(&format!("{STAGES}/a")).await?.done()?;
    }
    // A patch is checked in the same way.
    s.post(STAGES, stage("a")).await?.done()?;
    let patch = json!({ "spec": { "flavour": 1 } });
    let strict = s.merge(&format!("{STAGES}/a?fieldValidation=Strict"), patch.clone()).await?;
    ensure!(strict.code == 422 || strict.code == 400, "{strict:#?}");
    let answer = s.merge(&format!("{STAGES}/a"), patch).await?;
    ensure!(answer.warnings == [unknown[0]], "{answer:#?}");
    Ok(())
}

pub(crate) async fn what_was_stored_wrong_may_stay_so(s: Server) -> Result<()> {
    let (crd, path) = probe(
        &s,
        &json!({ "type": "object", "properties": {
        "text": { "type": "string" },
        "list": { "type": "array", "items": { "type": "string" } },
    } }),
    );
    let (name, path) = (text(&crd, "/metadata/name")?.to_owned(), path.as_str());
    served(&s, &crd, path).await?;
    s.post(path, object(&crd, &json!({ "text": "long", "list": ["long"] }))).await?.done()?;
    // The schema grows stricter than what is there.
    let stricter = json!([
        { "op": "add", "path": "/spec/versions/0/schema/openAPIV3Schema/properties/spec/properties/text/maxLength", "value": 2 },
        { "op": "add", "path": "/spec/versions/0/schema/openAPIV3Schema/properties/spec/properties/list/items/maxLength", "value": 2 },
    ]);
    s.json_patch(&format!("{CRDS}/{name}"), stricter).await?.done()?;
    s.until(|| async {
        let probe = object(&crd, &json!({ "text": "long" }));
        let answer = s.post(&format!("{path}?dryRun=All"), named(probe, "b")).await?;
        ensure!(answer.code == 422, "{answer:#?}");
        Ok(())
    })
    .await?;
    let one = format!("{path}/a");
    s.merge(&one, json!({ "metadata": { "labels": { "a": "b" } } })).await?.done()?;
    let kind = text(&crd, "/spec/names/kind")?;
    let what = format!("{kind}.conformance.example.com \"a\"");
    s.merge(&one, json!({ "spec": { "text": "longer" } }))
        .await?
        .invalid(&what, &["spec.text: Too long: may not be more than 2 bytes"])?;
    s.merge(&one, json!({ "spec": { "list": ["long", "b"] } }))
        .await?
        .invalid(&what, &["spec.list[0]: Too long: may not be more than 2 bytes"])?;
    Ok(())
}

/// What ours don't have, others may: here is every kind of check that localapi knows.
pub(crate) async fn every_kind_of_check(s: Server) -> Result<()> {
    let (crd, path) = probe(
        &s,
        &json!({ "type": "object", "properties": {
        "int32": { "type": "integer", "format": "int32", "minimum": 1, "exclusiveMinimum": true, "multipleOf": 2 },
        "number": { "type": "number", "maximum": 2.5 },
        "date": { "type": "string", "format": "date-time" },
        "duration": { "type": "string", "format": "duration" },
        "word": { "type": "string", "pattern": "^\\w+$" },
        "either": { "x-kubernetes-int-or-string": true },
        "set": { "type": "array", "x-kubernetes-list-type": "set", "items": { "type": "string" }, "maxItems": 3 },
        "map": { "type": "object", "additionalProperties": { "type": "integer" }, "maxProperties": 1 },
        "any": { "type": "object", "additionalProperties": true },
        "nullable": { "type": "string", "nullable": true },
        "some": { "type": "object",
            "properties": { "a": { "type": "string" }, "b": { "type": "string" } },
            "oneOf": [{ "required": ["a"] }, { "required": ["b"] }],
            "not": { "required": ["a"], "properties": { "a": { "enum": ["never"] } } } },
        "alternatives": { "type": "string", "anyOf": [{ "minLength": 4 }, { "enum": ["a", "b"] }] },
        "all": { "type": "string", "allOf": [{ "minLength": 2 }, { "pattern": "^a" }] },
        "whole": { "type": "object", "x-kubernetes-embedded-resource": true, "x-kubernetes-preserve-unknown-fields": true },
        "part": { "type": "object", "default": { "a": "set" }, "properties": {
            "a": { "type": "string", "default": "new" }, "b": { "type": "integer", "default": 3 } } },
    } }),
    );
    let path = path.as_str();
    served(&s, &crd, path).await?;
    let kind = text(&crd, "/spec/names/kind")?;
    let what = format!("{kind}.conformance.example.com \"a\"");
    for (spec, causes) in [
        (
            json!({ "int32": 3_000_000_000_u64 }),
            &[
                r#"<nil>: Invalid value: "": Checked value must be of type integer with format int32 in spec.int32"#,
            ][..],
        ),
        (
            json!({ "int32": 1 }),
            &[
                "spec.int32: Invalid value: 1: spec.int32 in body should be a multiple of 2",
                "spec.int32: Invalid value: 1: spec.int32 in body should be greater than 1",
            ],
        ),
        (
            json!({ "int32": 2.5 }),
            &[
                r#"spec.int32: Invalid value: "float64": spec.int32 in body must be of type int32: "float64""#,
                r#"<nil>: Invalid value: "": Checked value must be of type integer with format int32 in spec.int32"#,
                "spec.int32: Invalid value: 2.5: spec.int32 in body should be a multiple of 2",
            ],
        ),
        (
            json!({ "number": 2.75 }),
            &[
                "spec.number: Invalid value: 2.75: spec.number in body should be less than or equal to 2.5",
            ],
        ),
        (
            json!({ "date": "tomorrow" }),
            &[
                r#"spec.date: Invalid value: "tomorrow": spec.date in body must be of type date-time: "tomorrow""#,
            ],
        ),
        (
            json!({ "date": 1 }),
            &[
                r#"spec.date: Invalid value: "int64": spec.date in body must be of type date-time: "int64""#,
            ],
        ),
        (
            json!({ "duration": "soon" }),
            &[
                r#"spec.duration: Invalid value: "soon": spec.duration in body must be of type duration: "soon""#,
            ],
        ),
        (
            json!({ "word": "é" }),
            &[r#"spec.word: Invalid value: "é": spec.word in body should match '^\w+$'"#],
        ),
        (
            json!({ "either": true }),
            &[
                r#"spec.either: Invalid value: "boolean": spec.either in body must be of type integer,string: "boolean""#,
            ],
        ),
        (json!({ "set": ["a", "b", "a"] }), &[r#"spec.set[2]: Duplicate value: "a""#]),
        (
            json!({ "set": ["a", "b", "c", "d"] }),
            &["spec.set: Too many: 4: must have at most 3 items"],
        ),
        (
            json!({ "set": [null] }),
            &[
                r#"spec.set[0]: Invalid value: "null": spec.set[0] in body must be of type string: "null""#,
            ],
        ),
        (
            json!({ "map": { "a": "x" } }),
            &[
                r#"spec.map.a: Invalid value: "string": spec.map.a in body must be of type integer: "string""#,
            ],
        ),
        (
            json!({ "map": { "a": 1, "b": 2 } }),
            &["spec.map: Too many: 2: must have at most 1 item"],
        ),
        (
            json!({ "some": {} }),
            &[
                r#"<nil>: Invalid value: "": "spec.some" must validate one and only one schema (oneOf). Found none valid"#,
                "spec.some.a: Required value",
            ],
        ),
        (
            json!({ "some": { "a": "x", "b": "x" } }),
            &[
                r#"<nil>: Invalid value: "": "spec.some" must validate one and only one schema (oneOf). Found 2 valid alternatives"#,
            ],
        ),
        (
            json!({ "some": { "a": "never" } }),
            &[r#"<nil>: Invalid value: "": "spec.some" must not validate the schema (not)"#],
        ),
        (
            json!({ "alternatives": "x" }),
            &[
                r#"<nil>: Invalid value: "": "spec.alternatives" must validate at least one schema (anyOf)"#,
                r#"spec.alternatives: Invalid value: "x": spec.alternatives in body should be at least 4 chars long"#,
            ],
        ),
        (
            json!({ "all": "b" }),
            &[
                r#"spec.all: Invalid value: "b": spec.all in body should be at least 2 chars long"#,
                r#"spec.all: Invalid value: "b": spec.all in body should match '^a'"#,
                r#"<nil>: Invalid value: "": "spec.all" must validate all the schemas (allOf). None validated"#,
            ],
        ),
        (
            json!({ "all": "ba" }),
            &[
                r#"spec.all: Invalid value: "ba": spec.all in body should match '^a'"#,
                r#"<nil>: Invalid value: "": "spec.all" must validate all the schemas (allOf)"#,
            ],
        ),
        (json!({ "whole": { "apiVersion": "v1" } }), &["spec.whole.kind: Required value"]),
    ] {
        s.post(path, object(&crd, &spec)).await?.invalid(&what, causes)?;
    }
    let given = json!({
        "int32": 2.0, "date": "2026-11-21T12:00:00.5+01:00", "duration": "2 days", "either": "x", "nullable": null,
        "any": { "a": { "b": 1 }, "c": 1 }, "part": { "b": null }, "word": null, "alternatives": "a", "all": "ab",
        "whole": { "apiVersion": "v1", "kind": "X", "metadata": { "name": "x" }, "more": { "a": 1 } },
    });
    let made = s.post(path, object(&crd, &given)).await?.done()?;
    let stored = json!({
        "int32": 2, "date": "2026-11-21T12:00:00.5+01:00", "duration": "2 days", "either": "x", "nullable": null,
        "any": { "a": {}, "c": 1 }, "part": { "a": "new", "b": 3 }, "alternatives": "a", "all": "ab",
        "whole": { "apiVersion": "v1", "kind": "X", "metadata": { "name": "x" }, "more": { "a": 1 } },
    });
    ensure!(made["spec"] == stored, "{:#}\nmust be\n{stored:#}", made["spec"]);
    Ok(())
}

pub(crate) async fn a_kind_comes_and_goes_with_its_definition(s: Server) -> Result<()> {
    let (crd, path) = probe(&s, &json!({ "type": "object" }));
    let path = path.as_str();
    let answer = s.get(path).await?;
    ensure!(answer.code == 404, "{answer:#?}");
    served(&s, &crd, path).await?;
    s.post(path, object(&crd, &json!({}))).await?.done()?;
    let one = format!("{CRDS}/{}", text(&crd, "/metadata/name")?);
    s.delete(&one).await?.done()?;
    s.until(|| async {
        let answer = s.get(path).await?;
        ensure!(answer.code == 404, "{answer:#?}");
        Ok(())
    })
    .await?;
    Ok(())
}

pub(crate) async fn a_definition_has_to_make_sense(s: Server) -> Result<()> {
    let (mut crd, _) = probe(&s, &json!({ "type": "object", "properties": { "a": {} } }));
    let name = text(&crd, "/metadata/name")?.to_owned();
    let answer = s.post(CRDS, crd.clone()).await?;
    ensure!(answer.code == 422 && answer.body["reason"] == "Invalid", "{answer:#?}");
    let message = text(&answer.body, "/message")?;
    ensure!(message.contains("must not be empty for specified object fields"), "{message}");
    crd["metadata"]["name"] = json!("other.conformance.example.com");
    let answer = s.post(CRDS, crd).await?;
    let message = text(&answer.body, "/message")?;
    ensure!(message.contains(r#"must be spec.names.plural+"."+spec.group"#), "{name}: {message}");
    Ok(())
}

/// A definition of a kind that this case alone has, with that schema for `spec`; and where its objects are.
pub(crate) fn probe(s: &Server, spec: &Value) -> (Value, String) {
    let singular = s.ns.replace('-', "");
    let plural = format!("{singular}s");
    let kind = format!("K{singular}");
    let crd = json!({
        "apiVersion": "apiextensions.k8s.io/v1", "kind": "CustomResourceDefinition",
        "metadata": { "name": format!("{plural}.conformance.example.com") },
        "spec": {
            "group": "conformance.example.com", "scope": "Namespaced",
            "names": { "kind": kind, "plural": plural, "singular": singular },
            "versions": [{
                "name": "v1", "served": true, "storage": true,
                "schema": { "openAPIV3Schema": { "type": "object", "properties": { "spec": spec } } },
            }],
        },
    });
    (crd, format!("/apis/conformance.example.com/v1/namespaces/{{ns}}/{plural}"))
}

/// Creates a definition and waits until its kind is served.
pub(crate) async fn served(s: &Server, crd: &Value, path: &str) -> Result<()> {
    s.post(CRDS, crd.clone()).await?.done()?;
    let name = text(crd, "/metadata/name")?;
    s.until(|| async {
        let crd = s.get(&format!("{CRDS}/{name}")).await?.done()?;
        let conditions = crd["status"]["conditions"].as_array().cloned().unwrap_or_default();
        let holds =
            |kind: &str| conditions.iter().any(|c| c["type"] == kind && c["status"] == "True");
        ensure!(holds("Established") && holds("NamesAccepted"), "{crd:#}");
        s.get(path).await?.done()
    })
    .await?;
    Ok(())
}

pub(crate) fn object(crd: &Value, spec: &Value) -> Value {
    json!({
        "apiVersion": "conformance.example.com/v1", "kind": crd["spec"]["names"]["kind"],
        "metadata": { "name": "a" }, "spec": spec,
    })
}

fn named(mut object: Value, name: &str) -> Value {
    object["metadata"]["name"] = json!(name);
    object
}
