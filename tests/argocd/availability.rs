//! Freight goes from Stage to Stage as the Stages ask for it, and no other way.

use anyhow::{Context as _, Result, ensure};
use jiff::{SignedDuration, Timestamp};
use serde_json::{Value, json};
use wharfinger_cluster::shared;
use wharfinger_tests::{App, Kind, Project, refused};

const ROLLBACK: &str = "kargo.akuity.io/rollback";

#[test]
fn what_dev_has_not_verified_does_not_go_to_prod() -> Result<()> {
    let cluster = shared()?.use_it()?;
    let project = Project::new(&cluster, "verified")?;
    project.stage("dev")?;
    project.stage_after("prod", &json!({ "stages": ["dev"] }))?;
    let dev = App::new(&project, "dev", "dev", Kind::Bare)?;
    let prod = App::new(&project, "prod", "prod", Kind::Bare)?;
    dev.create()?;
    prod.create()?;
    let v1 = project.freight("v1")?;

    let text = refused(promote(&project, "prod", &v1, json!({})), "verified")?;
    ensure!(
        text.contains(&format!(
            "Freight {v1} is not available to Stage verified:prod: not verified in dev"
        )) && text.contains(&format!("wharf promote {v1} --to dev --project verified"))
            && text.contains(&format!("wharf approve {v1} --to prod --project verified")),
        "it says what is missing and what to do: {text}"
    );

    project.promoted("dev", &v1)?;
    verified(&project, &v1, "dev")?;
    dev.runs("v1")?;
    let status = project.admin.get("stage", &project.name, "dev")?["status"].clone();
    let history = &status["freightHistory"][0]["verificationHistory"];
    ensure!(history[0]["phase"] == "Successful", "{status:#}");
    let conditions = status["conditions"].as_array().cloned().unwrap_or_default();
    let verified_condition = conditions.iter().find(|c| c["type"] == "Verified");
    ensure!(verified_condition.is_some_and(|c| c["status"] == "True"), "{status:#}");

    project.promoted("prod", &v1)?;
    prod.runs("v1")?;
    verified(&project, &v1, "prod")?;
    Ok(())
}

#[test]
fn approval_takes_the_place_of_verification() -> Result<()> {
    let cluster = shared()?.use_it()?;
    let project = Project::new(&cluster, "approved")?;
    project.stage("dev")?;
    project.stage_after("prod", &json!({ "stages": ["dev"], "requiredSoakTime": "24h" }))?;
    let app = App::new(&project, "web", "prod", Kind::Bare)?;
    app.create()?;
    let v1 = project.freight("v1")?;
    refused(promote(&project, "prod", &v1, json!({})), "verified")?;

    let person = project.person("manager")?;
    person.may(&["get", "patch"], "freight/status", &project.name)?;
    person.may(&["promote"], "stage", &project.name)?;
    let approval = json!({ "status": { "approvedFor": { "prod": { "approvedAt": Timestamp::now().round(jiff::Unit::Second)? } } } });
    person.api.merge_status("freight", &project.name, &v1, &approval)?;
    project.promoted("prod", &v1)?;
    app.runs("v1")
}

#[test]
fn soak_is_waited_for_and_a_control_flow_stage_waits_by_itself() -> Result<()> {
    let cluster = shared()?.use_it()?;
    let project = Project::new(&cluster, "soak")?;
    project.stage("dev")?;
    project.stage_after("prod", &json!({ "stages": ["dev"], "requiredSoakTime": "1h" }))?;
    project.stage_after("behind", &json!({ "stages": ["gate"] }))?;
    let origin = json!({ "kind": "Warehouse", "name": "main" });
    let sources = json!({ "stages": ["dev"], "requiredSoakTime": "3s" });
    let gate = json!({ "requestedFreight": [{ "origin": origin, "sources": sources }] });
    project.admin.create(
        "stage",
        &project.name,
        json!({ "metadata": { "name": "gate" }, "spec": gate }),
    )?;
    for stage in ["dev", "prod", "behind"] {
        App::new(&project, stage, stage, Kind::Bare)?.create()?;
    }
    let v1 = project.freight("v1")?;
    let text = refused(promote(&project, "behind", &v1, json!({})), "verified")?;
    ensure!(text.contains("Stage gate passes on what is available to it"), "{text}");

    project.promoted("dev", &v1)?;
    verified(&project, &v1, "dev")?;
    let text = refused(promote(&project, "prod", &v1, json!({})), "soak")?;
    let freight = project.admin.get("freight", &project.name, &v1)?;
    let since = time(&freight["status"]["currentlyIn"]["dev"]["since"])?;
    let until = since + SignedDuration::from_hours(1);
    ensure!(text.contains(&format!("Wait until {until}")), "{text}");

    // Nothing but time passes.
    let passed = verified(&project, &v1, "gate")?;
    ensure!(
        passed.duration_since(since) >= SignedDuration::from_secs(3),
        "passed on at {passed}, and there since {since}"
    );
    project.promoted("behind", &v1)?;
    let sources =
        json!([{ "origin": origin, "sources": { "stages": ["dev"], "requiredSoakTime": "3s" } }]);
    project.admin.merge(
        "stage",
        &project.name,
        "prod",
        &json!({ "spec": { "requestedFreight": sources } }),
    )?;
    project.promoted("prod", &v1)?;
    Ok(())
}

#[test]
fn availability_is_judged_again_when_the_turn_comes() -> Result<()> {
    let cluster = shared()?.use_it()?;
    let project = Project::new(&cluster, "judged-again")?;
    project.stage("prod")?;
    let app = App::new(&project, "web", "prod", Kind::Plain)?;
    app.commit_hook(true)?;
    app.create()?;
    let running = project.promote("prod", &project.freight("v1")?)?;
    app.wait("have an operation running", |a| {
        (a["status"]["operationState"]["phase"] == "Running").then_some(())
    })?;
    let claim = project.claim("prod")?;
    let waiting = project.promote("prod", &project.freight("v2")?)?;
    takes_from_dev_alone(&project)?;
    let abort = json!({ "metadata": { "annotations": { "kargo.akuity.io/abort": "terminate" } } });
    project.admin.merge("promotion", &project.name, &running, &abort)?;
    let ended = project.ended(&waiting)?;
    ensure!(ended["status"]["phase"] == "Errored", "{ended:#}");
    ensure!(ended["status"]["state"]["step-1"]["check"]["code"] == "verified", "{ended:#}");
    let message = ended["status"]["message"].as_str().unwrap_or_default();
    ensure!(message.contains("There is no Stage dev"), "{message}");
    ensure!(project.claim("prod")? == claim, "nothing was assigned");
    Ok(())
}

#[test]
fn a_rollback_needs_nobody_upstream() -> Result<()> {
    let cluster = shared()?.use_it()?;
    let project = Project::new(&cluster, "back")?;
    project.stage("prod")?;
    let app = App::new(&project, "web", "prod", Kind::Bare)?;
    app.create()?;
    let (v1, v2) = (project.freight("v1")?, project.freight("v2")?);
    project.promoted("prod", &v1)?;
    verified(&project, &v1, "prod")?;
    let claim = project.claim("prod")?;
    let (_, first) = claim.split_once('-').context("a claim")?;
    project.promoted("prod", &v2)?;
    takes_from_dev_alone(&project)?;
    refused(promote(&project, "prod", &v1, json!({})), "verified")?;
    let never = project.freight("v3")?;
    refused(promote(&project, "prod", &never, json!({ ROLLBACK: "true" })), "verified")?;

    let back = project.promote_with("prod", &v1, json!({ ROLLBACK: "true" }))?;
    ensure!(project.ended(&back)?["status"]["phase"] == "Succeeded");
    app.runs("v1")?;
    let exactly = json!({ "wharfinger.dev/collection": first });
    refused(promote(&project, "prod", &v2, exactly.clone()), "freight")?;
    let back = project.promote_with("prod", &v1, exactly)?;
    ensure!(project.ended(&back)?["status"]["phase"] == "Succeeded");
    Ok(())
}

/// From now on nothing comes to prod straight from the Warehouse.
fn takes_from_dev_alone(project: &Project<'_>) -> Result<Value> {
    let origin = json!({ "kind": "Warehouse", "name": "main" });
    let requested = json!([{ "origin": origin, "sources": { "stages": ["dev"] } }]);
    project.admin.merge(
        "stage",
        &project.name,
        "prod",
        &json!({ "spec": { "requestedFreight": requested } }),
    )
}

fn promote(project: &Project<'_>, stage: &str, freight: &str, annotations: Value) -> Result<Value> {
    project.promote_with(stage, freight, annotations).map(Value::from)
}

/// Waits until Freight counts as verified in a Stage. Says since when.
fn verified(project: &Project<'_>, freight: &str, stage: &str) -> Result<Timestamp> {
    let what = format!("be verified in {stage}");
    project.admin.wait("freight", &project.name, freight, &what, |f| {
        time(&f["status"]["verifiedIn"][stage]["verifiedAt"]).ok()
    })
}

fn time(value: &Value) -> Result<Timestamp> {
    Ok(value.as_str().context("a time")?.parse()?)
}
