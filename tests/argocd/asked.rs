//! What a Promotion is made of, on the real API server: by origin, with tasks, by hand where promotion is automatic, and asked
//! to end.

use anyhow::{Context as _, Result, ensure};
use serde_json::{Value, json};
use wharfinger_cluster::shared;
use wharfinger_tests::{App, Kind, Project, refused};

const HOLD: &str = "kargo.akuity.io/auto-promotion-hold";

#[test]
fn who_names_an_origin_gets_its_candidate() -> Result<()> {
    let cluster = shared()?.use_it()?;
    let project = Project::new(&cluster, "by-origin")?;
    project.stage("dev")?;
    project.stage_after("prod", &json!({ "stages": ["dev"] }))?;
    App::new(&project, "web", "dev", Kind::Bare)?.create()?;
    let none = refused(by_origin(&project, "dev"), "freight")?;
    ensure!(none.contains("there is no Freight of it"), "{none}");
    let (v1, v2) = (project.freight("v1")?, project.freight("v2")?);
    let none = refused(by_origin(&project, "prod"), "verified")?;
    ensure!(none.contains("has no candidate of Warehouse/main"), "{none}");
    // Whoever may not promote is told that, and nothing of what there is.
    let stranger = project.person("stranger")?;
    stranger.may(&["create"], "promotion", &project.name)?;
    for stage in ["prod", "dev", "none"] {
        let wanted = of_origin(stage);
        let text = refused(stranger.api.create("promotion", &project.name, wanted), "permission")?;
        ensure!(!text.contains("Freight") && !text.contains("there is no"), "{text}");
    }

    let promotion = by_origin(&project, "dev")?;
    ensure!(promotion["spec"].get("origin").is_none(), "{promotion:#}");
    let chosen = promotion["spec"]["freight"].as_str().context("Freight must be chosen")?;
    ensure!([&v1, &v2].iter().any(|name| *name == chosen), "{chosen}");
    let name = promotion["metadata"]["name"].as_str().unwrap_or_default();
    ensure!(project.ended(name)?["status"]["phase"] == "Succeeded");
    project.cluster.until("the event", || {
        let events = project.admin.list("event", &project.name)?;
        let told = |e: &Value| {
            e["reason"] == "PromotionCreated"
                && e["type"] == "Normal"
                && e["involvedObject"]["name"] == name
                && e["metadata"]["annotations"]["event.kargo.akuity.io/freight-name"] == chosen
        };
        ensure!(events.iter().any(told), "{events:#?}");
        Ok(())
    })
}

#[test]
fn a_task_assigns() -> Result<()> {
    let cluster = shared()?.use_it()?;
    let project = Project::new(&cluster, "tasks")?;
    let vars = json!([{ "name": "why", "value": "because" }]);
    project.stage_with("dev", &json!([{ "task": { "name": "roll" }, "vars": vars }]))?;
    let app = App::new(&project, "web", "dev", Kind::Bare)?;
    app.create()?;
    let v1 = project.freight("v1")?;
    let missing = refused(project.promote("dev", &v1).map(Value::from), "step")?;
    ensure!(missing.contains("PromotionTask roll, which does not exist"), "{missing}");
    let spec = json!({ "vars": [{ "name": "why" }], "steps": [{ "uses": "assign", "as": "it" }] });
    project.admin.create(
        "promotiontask",
        &project.name,
        json!({ "metadata": { "name": "roll" }, "spec": spec }),
    )?;
    let promotion = project.promoted("dev", &v1)?;
    app.runs("v1")?;
    let expected = json!([{ "uses": "assign", "as": "task-1::it", "vars": vars }]);
    ensure!(promotion["spec"]["steps"] == expected, "{promotion:#}");
    project.stage_with("bare", &json!([{ "task": { "name": "roll" } }]))?;
    let unset = refused(project.promote("bare", &v1).map(Value::from), "step")?;
    ensure!(unset.contains("a value for why"), "{unset}");
    Ok(())
}

#[test]
fn both_forms_of_a_request_to_abort_end_it() -> Result<()> {
    let cluster = shared()?.use_it()?;
    let project = Project::new(&cluster, "abort-forms")?;
    project.stage("dev")?;
    let app = App::new(&project, "web", "dev", Kind::Plain)?;
    app.commit_hook(true)?;
    app.create()?;
    let running = project.promote("dev", &project.freight("v1")?)?;
    app.wait("have an operation running", |a| {
        (a["status"]["operationState"]["phase"] == "Running").then_some(())
    })?;
    let waiting = project.promote("dev", &project.freight("v2")?)?;
    let abort = |promotion: &str, text: &str| {
        let patch = json!({ "metadata": { "annotations": { "kargo.akuity.io/abort": text } } });
        project.admin.merge("promotion", &project.name, promotion, &patch)
    };
    let refusal = refused(abort(&running, "true"), "step")?;
    ensure!(refusal.contains("kargo.akuity.io/abort=terminate"), "{refusal}");
    let object = r#"{"action":"terminate","actor":"email:eve","controlPlane":true}"#;
    for (promotion, text) in [(&waiting, "terminate"), (&running, object)] {
        let asked = abort(promotion, text)?;
        let signed = asked["metadata"]["annotations"]["kargo.akuity.io/abort"].as_str();
        let signed: Value = serde_json::from_str(signed.context("the request must stay")?)?;
        ensure!(
            signed["action"] == "terminate" && signed.get("controlPlane").is_none(),
            "{signed}"
        );
        let actor = signed["actor"].as_str().context("it must say who")?;
        ensure!(actor.starts_with("kubernetes:"), "{signed}");
        let ended = project.ended(promotion)?;
        ensure!(ended["status"]["phase"] == "Aborted", "{ended:#}");
        ensure!(ended["status"]["message"] == format!("aborted by {actor}"), "{ended:#}");
    }
    Ok(())
}

#[test]
fn a_promotion_by_hand_holds_automatic_promotion_back() -> Result<()> {
    let cluster = shared()?.use_it()?;
    let project = Project::new(&cluster, "held")?;
    project.stage("dev")?;
    App::new(&project, "web", "dev", Kind::Bare)?.create()?;
    let spec = json!({ "promotionPolicies": [{ "stageSelector": { "name": "regex:^d" }, "autoPromotionEnabled": true }] });
    project.admin.create(
        "projectconfig",
        &project.name,
        json!({ "metadata": { "name": project.name }, "spec": spec }),
    )?;
    let status = |what: &str, wanted: &dyn Fn(&Value) -> bool| {
        project.admin.wait("stage", &project.name, "dev", what, |stage| {
            wanted(&stage["status"]).then_some(())
        })
    };
    status("be promoted to automatically", &|s| s["autoPromotionEnabled"] == true)?;
    let (v1, v2) = (project.freight("v1")?, project.freight("v2")?);
    // The candidate is known to whoever asks for it.
    let candidate = by_origin(&project, "dev")?;
    let name = candidate["metadata"]["name"].as_str().unwrap_or_default();
    ensure!(project.ended(name)?["status"]["phase"] == "Succeeded");
    let other = if candidate["spec"]["freight"] == v1.as_str() { &v2 } else { &v1 };

    let by_hand = project.promoted("dev", other)?;
    let annotations = &by_hand["metadata"]["annotations"];
    ensure!(annotations[HOLD] == "Warehouse/main", "{by_hand:#}");
    let name = by_hand["metadata"]["name"].as_str().unwrap_or_default();
    status("be held", &|s| s["autoPromotionHolds"]["Warehouse/main"]["promotionName"] == name)?;
    // Who writes it without what was put in takes nothing away.
    let actor = "kargo.akuity.io/create-actor";
    let without = json!({ "metadata": { "annotations": { HOLD: null, actor: "email:eve" } } });
    let kept = project.admin.merge("promotion", &project.name, name, &without)?;
    ensure!(kept["metadata"]["annotations"][HOLD] == "Warehouse/main", "{kept:#}");
    ensure!(kept["metadata"]["annotations"][actor] == annotations[actor], "{kept:#}");

    let resumed = by_origin(&project, "dev")?;
    let annotations = &resumed["metadata"]["annotations"];
    ensure!(
        annotations["kargo.akuity.io/auto-promotion-resume"] == "Warehouse/main",
        "{resumed:#}"
    );
    status("be free again", &|s| s.get("autoPromotionHolds").is_none())
}

fn by_origin(project: &Project<'_>, stage: &str) -> Result<Value> {
    project.admin.create("promotion", &project.name, of_origin(stage))
}

fn of_origin(stage: &str) -> Value {
    let origin = json!({ "kind": "Warehouse", "name": "main" });
    let spec = json!({ "stage": stage, "origin": origin });
    json!({ "metadata": { "generateName": "promo-" }, "spec": spec })
}
