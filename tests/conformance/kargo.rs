//! Manifests at the edge of what Kargo's definitions take: ours take them too, and refuse what those refuse.

use anyhow::{Context as _, Result, ensure};
use serde_json::{Value, json};

use crate::{objects::RULES_NOT_CHECKED, server::Server};

fn all(plural: &str) -> String {
    format!("/apis/kargo.akuity.io/v1alpha1/namespaces/{{ns}}/{plural}?dryRun=All")
}

fn object(kind: &str, rest: &Value) -> Value {
    let mut object = json!({
        "apiVersion": "kargo.akuity.io/v1alpha1", "kind": kind, "metadata": { "name": "a" },
    });
    for (key, value) in rest.as_object().into_iter().flatten() {
        object[key] = value.clone();
    }
    object
}

fn stage(more: &Value) -> Value {
    let mut spec = json!({
        "requestedFreight": [{ "origin": { "kind": "Warehouse", "name": "w" }, "sources": { "direct": true } }],
    });
    for (key, value) in more.as_object().into_iter().flatten() {
        spec[key] = value.clone();
    }
    object("Stage", &json!({ "spec": spec }))
}

fn task(task: &Value) -> Value {
    stage(&json!({ "promotionTemplate": { "spec": { "steps": [{ "task": task }] } } }))
}

fn promotion(spec: &Value) -> Value {
    let mut object = object("Promotion", &json!({ "spec": spec }));
    object["spec"]["stage"] = json!("s");
    object["spec"]["steps"] = json!([{ "uses": "assign" }]);
    object
}

pub(crate) async fn what_kargo_takes_is_taken(s: Server) -> Result<()> {
    let receiver = |generic: Value| json!({ "spec": { "webhookReceivers": [{ "name": "r", "generic": generic }] } });
    for (plural, object) in [
        ("projectconfigs", object("ProjectConfig", &receiver(json!({ "secretRef": {} })))),
        (
            "projectconfigs",
            object(
                "ProjectConfig",
                &receiver(json!({ "secretRef": {}, "actions": [{ "action": "Refresh" }] })),
            ),
        ),
        (
            "projectconfigs",
            object(
                "ProjectConfig",
                &receiver(json!({ "secretRef": {}, "actions": [{ "action": "Refresh",
                    "targetSelectionCriteria": [{ "kind": "Warehouse", "indexSelector": {} }] }] })),
            ),
        ),
        (
            "warehouses",
            object("Warehouse", &json!({ "spec": { "subscriptions": ["whatever", 7] } })),
        ),
        (
            "freights",
            object(
                "Freight",
                &json!({ "origin": { "kind": "Warehouse", "name": "w" }, "artifacts": [{ "subscriptionName": "m", "version": "7" }] }),
            ),
        ),
        (
            "stages",
            stage(
                &json!({ "verification": { "analysisTemplates": [{ "name": "" }], "args": [{ "name": "", "value": "" }] } }),
            ),
        ),
        ("stages", stage(&json!({ "targets": { "selectors": [] } }))),
    ] {
        let text = object.to_string();
        s.post(&all(plural), object).await?.done().context(text)?;
    }
    for (kind, plural) in [("ProjectConfig", "projectconfigs"), ("Target", "targets")] {
        let made = s.post(&all(plural), object(kind, &json!({}))).await?.done()?;
        ensure!(made["spec"] == json!({}), "whoever reads it finds a spec: {made:#}");
    }
    Ok(())
}

pub(crate) async fn what_kargo_refuses_is_refused(s: Server) -> Result<()> {
    const NAME: &str = r"^[a-z0-9]([-a-z0-9]*[a-z0-9])?(\.[a-z0-9]([-a-z0-9]*[a-z0-9])?)*$";
    let no_name = |at: &str, value: &str| {
        format!("{at}: Invalid value: \"{value}\": {at} in body should match '{NAME}'")
    };
    let none_of = |at: &str, values: &str| {
        format!("{at}: Unsupported value: \"\": supported values: {values}")
    };
    let task_at = "spec.promotionTemplate.spec.steps[0].task";
    let not_checked = || RULES_NOT_CHECKED.to_owned();
    for (plural, kind, object, causes) in [
        (
            "promotions",
            "Promotion",
            promotion(&json!({ "freight": "F_1" })),
            vec![no_name("spec.freight", "F_1")],
        ),
        (
            "promotions",
            "Promotion",
            promotion(&json!({ "freight": "f", "target": "-" })),
            vec![no_name("spec.target", "-")],
        ),
        (
            "promotionrequests",
            "PromotionRequest",
            object(
                "PromotionRequest",
                &json!({ "spec": { "stage": "s", "freight": "f/..", "targets": [{ "name": "T" }] } }),
            ),
            vec![no_name("spec.freight", "f/.."), no_name("spec.targets[0].name", "T")],
        ),
        (
            "projectconfigs",
            "ProjectConfig",
            object(
                "ProjectConfig",
                &json!({ "spec": { "promotionPolicies": [{ "stage": "glob:*" }] } }),
            ),
            vec![no_name("spec.promotionPolicies[0].stage", "glob:*")],
        ),
        (
            "stages",
            "Stage",
            task(&json!({ "name": "a_b" })),
            vec![no_name(&format!("{task_at}.name"), "a_b")],
        ),
        (
            "stages",
            "Stage",
            task(&json!({ "name": "a", "kind": "" })),
            vec![
                none_of(&format!("{task_at}.kind"), r#""PromotionTask", "ClusterPromotionTask""#),
                not_checked(),
            ],
        ),
        (
            "stages",
            "Stage",
            stage(&json!({ "targets": {} })),
            vec!["spec.targets.selectors: Required value".to_owned(), not_checked()],
        ),
    ] {
        let causes: Vec<&str> = causes.iter().map(String::as_str).collect();
        let what = format!("{kind}.kargo.akuity.io \"a\"");
        let text = object.to_string();
        s.post(&all(plural), object).await?.invalid(&what, &causes).context(text)?;
    }
    Ok(())
}

/// What no type of a field can say.
pub(crate) async fn what_the_rules_refuse_is_refused(s: Server) -> Result<()> {
    let steps = |step: &Value| json!({ "spec": { "steps": [step] } });
    let promoted = |step: &Value| {
        let mut promotion = promotion(&json!({ "freight": "f" }));
        promotion["spec"]["steps"] = json!([step]);
        promotion
    };
    let (nothing, both) = (json!({ "as": "x" }), json!({ "uses": "a", "task": { "name": "b" } }));
    let retried = json!({ "task": { "name": "b" }, "retry": { "errorThreshold": 2 } });
    let template = json!({ "promotionTemplate": { "spec": { "steps": [retried] } } });
    let policy = |policy: Value| {
        object("ProjectConfig", &json!({ "spec": { "promotionPolicies": [policy] } }))
    };
    let selector = json!({ "name": "glob:*" });
    let one_of = "spec.promotionPolicies[0]: Invalid value: exactly one of stage and stageSelector must be set";
    for (plural, object, cause) in [
        ("promotions", promoted(&nothing), "spec.steps[0]: Invalid value: uses must be set"),
        (
            "promotions",
            promoted(&both),
            "spec.steps[0]: Invalid value: task must not be set: a Promotion's steps are taken from its Stage, tasks resolved",
        ),
        (
            "promotiontasks",
            object("PromotionTask", &steps(&nothing)),
            "spec.steps[0]: Invalid value: uses must be set",
        ),
        (
            "promotiontasks",
            object("PromotionTask", &steps(&both)),
            "spec.steps[0]: Invalid value: task must not be set: a task can't name another",
        ),
        (
            "stages",
            stage(&template),
            "spec.promotionTemplate.spec.steps[0]: Invalid value: retry can't be set on a step that names a task",
        ),
        ("projectconfigs", policy(json!({ "autoPromotionEnabled": true })), one_of),
        ("projectconfigs", policy(json!({ "stage": "s", "stageSelector": selector })), one_of),
    ] {
        let kind = object["kind"].as_str().context("a kind")?;
        let (what, text) = (format!("{kind}.kargo.akuity.io \"a\""), object.to_string());
        s.post(&all(plural), object).await?.invalid(&what, &[cause]).context(text)?;
    }

    let requests = "/apis/kargo.akuity.io/v1alpha1/namespaces/{ns}/promotionrequests";
    let spec = json!({ "stage": "s", "freight": "f", "targets": [{ "name": "t" }] });
    s.post(requests, object("PromotionRequest", &json!({ "spec": spec }))).await?.done()?;
    for field in ["stage", "freight"] {
        let cause = format!("spec.{field}: Invalid value: \"other\": {field} can't be changed");
        let change = json!({ "spec": { (field): "other" } });
        let what = "PromotionRequest.kargo.akuity.io \"a\"";
        s.merge(&format!("{requests}/a"), change).await?.invalid(what, &[&cause])?;
    }
    let targets = json!({ "spec": { "targets": [] } });
    s.merge(&format!("{requests}/a"), targets).await?.done()?;
    Ok(())
}
