//! What users do, from end to end in one process: the real controller, webhook and sidecar, an API server in memory, a plain
//! stand-in for Argo CD, and a clock that jumps ahead whenever nothing else is left to do.
//!
//! Run on every save. Where the real Argo CD or the real API server matter, `tests/argocd` says so too.

mod articles;
mod asked;
mod commands;
mod deleting;
mod demo;
mod kinds;
mod story;

use std::time::Duration;

use anyhow::{Result, ensure};
use serde_json::{Value, json};
use story::{Story, refused};

const STAGE: &str = "kargo.akuity.io/authorized-stage";

#[tokio::test(start_paused = true)]
async fn an_application_follows_its_stage() -> Result<()> {
    let story = Story::begin().await?;
    story.stage("dev", json!({ "direct": true })).await?;
    let app = story.application("web", "dev").await?;
    let head = story.world.repository.head()?;
    for version in ["v1", "v2"] {
        let promotion = story.promoted("dev", version).await?;
        ensure!(promotion["status"]["phase"] == "Succeeded", "{promotion:#}");
        ensure!(story.image("web").await? == format!("ghcr.io/acme/web:{version}"));
    }
    let rollback = json!({ "kargo.akuity.io/rollback": "true" });
    let promotion = story.promote("dev", "v1", rollback).await?;
    story.ended(&promotion).await?;
    ensure!(story.image("web").await? == "ghcr.io/acme/web:v1");
    ensure!(story.world.repository.head()? == head, "Git is left alone");
    ensure!(story.claim(&app).await? == story.held("dev").await?);
    story.end().await
}

#[tokio::test(start_paused = true)]
async fn one_stage_after_the_other_and_not_before() -> Result<()> {
    let story = Story::begin().await?;
    story.stage("dev", json!({ "direct": true })).await?;
    story.stage("prod", json!({ "stages": ["dev"], "requiredSoakTime": "30m" })).await?;
    for (app, stage) in [("web-dev", "dev"), ("web-prod", "prod")] {
        story.application(app, stage).await?;
    }
    let early = refused(story.promote("prod", "v1", json!({})).await, "verified")?;
    ensure!(early.contains("dev"), "{early}");
    story.promoted("dev", "v1").await?;
    story.verified("v1", "dev").await?;
    refused(story.promote("prod", "v1", json!({})).await, "soak")?;
    tokio::time::sleep(Duration::from_secs(30 * 60)).await;
    story.promoted("prod", "v1").await?;
    ensure!(story.image("web-prod").await? == "ghcr.io/acme/web:v1");
    story.end().await
}

#[tokio::test(start_paused = true)]
async fn promotions_of_one_stage_run_in_order() -> Result<()> {
    let story = Story::begin().await?;
    story.stage("dev", json!({ "direct": true })).await?;
    story.application("web", "dev").await?;
    let mut names = vec![];
    for version in ["v1", "v2", "v1", "v2"] {
        names.push(story.promote("dev", version, json!({})).await?);
    }
    let mut finished = vec![];
    for name in &names {
        let ended = story.ended(name).await?;
        ensure!(ended["status"]["phase"] == "Succeeded", "{ended:#}");
        finished.push(ended["status"]["finishedAt"].to_string());
    }
    ensure!(names.is_sorted() && finished.is_sorted(), "{names:?} {finished:?}");
    ensure!(story.held("dev").await?.starts_with("4-"), "each was assigned");
    ensure!(story.image("web").await? == "ghcr.io/acme/web:v2");
    story.end().await
}

#[tokio::test(start_paused = true)]
async fn an_application_that_joins_later_and_one_that_lost_its_claim() -> Result<()> {
    let story = Story::begin().await?;
    story.stage("dev", json!({ "direct": true })).await?;
    story.application("web", "dev").await?;
    story.promoted("dev", "v2").await?;
    let late = story.application("late", "dev").await?;
    ensure!(
        story.claim(&late).await? == story.held("dev").await?,
        "it has it from its creation on"
    );
    // As when a backup is put back over what is there.
    let lost = json!({ "spec": { "source": { "plugin": { "env": null } } } });
    story.admin.merge("applications", "argocd", "late", &lost).await?;
    ensure!(story.claim(&late).await? == story.held("dev").await?);
    story.end().await
}

#[tokio::test(start_paused = true)]
async fn nobody_changes_what_an_application_deploys_without_a_promotion() -> Result<()> {
    let story = Story::begin().await?;
    story.stage("dev", json!({ "direct": true })).await?;
    story.stage("prod", json!({ "direct": true })).await?;
    let app = story.application("web", "dev").await?;
    story.promoted("dev", "v1").await?;
    let bo = story.editor("bo").await?;
    let edit = async |patch: Value| bo.merge("applications", "argocd", "web", &patch).await;

    let annotation = |stage: Value| json!({ "metadata": { "annotations": { STAGE: stage } } });
    for (row, patch) in [
        ("leaving", annotation(Value::Null)),
        ("another Stage", annotation("shop:prod".into())),
        ("without the plugin", json!({ "spec": { "source": { "plugin": null } } })),
    ] {
        refused(edit(patch).await, "permission").map_err(|e| e.context(row))?;
    }
    let manifests = json!({ "operation": { "sync": { "manifests": ["{}"] } } });
    refused(edit(manifests).await, "operation-source")?;
    let state = json!({ "status": { "operationState": { "phase": "Running", "operation": {} } } });
    refused(edit(state).await, "operation-state")?;
    refused(story.promote_as(&bo, "dev", "v2").await, "permission")?;
    // The claim is put back, and the rest is the team's business.
    let env = json!([{ "name": "WHARFINGER_FREIGHT", "value": "9-0" }, { "name": "COLOUR", "value": "red" }]);
    edit(json!({ "spec": { "source": { "plugin": { "env": env } } } })).await?;
    ensure!(story.claim(&app).await? == story.held("dev").await?);
    ensure!(story.image("web").await? == "ghcr.io/acme/web:v1");
    story.end().await
}

#[tokio::test(start_paused = true)]
async fn break_glass_takes_the_verb_bypass_and_is_told() -> Result<()> {
    let story = Story::begin().await?;
    story.stage("dev", json!({ "direct": true })).await?;
    story.application("web", "dev").await?;
    story.promoted("dev", "v1").await?;
    let old = story.admin.get("applications", "argocd", "web").await?["spec"]["source"].clone();
    story.promoted("dev", "v2").await?;
    let bo = story.editor("bo").await?;
    let glass =
        json!({ "metadata": { "annotations": { "wharfinger.dev/break-glass": "prod is down" } } });
    refused(bo.merge("applications", "argocd", "web", &glass).await, "permission")?;
    story.may("bo", "bypass").await?;
    bo.merge("applications", "argocd", "web", &glass).await?;
    bo.merge("applications", "argocd", "web", &json!({ "spec": { "source": old } })).await?;
    story.event("argocd", "BreakGlass", "prod is down").await?;
    let mended = json!({ "metadata": { "annotations": { "wharfinger.dev/break-glass": null } } });
    let mended = bo.merge("applications", "argocd", "web", &mended).await?;
    ensure!(story.claim(&mended).await? == story.held("dev").await?);
    story.end().await
}

#[tokio::test(start_paused = true)]
async fn what_can_not_be_carried_out_says_why() -> Result<()> {
    let story = Story::begin().await?;
    story.stage("dev", json!({ "direct": true })).await?;
    let nobody = story.promoted_to_an_end("dev", "v1").await?;
    ensure!(nobody["status"]["phase"] != "Succeeded", "{nobody:#}");
    ensure!(
        nobody["status"].to_string().contains("no-applications")
            || nobody["status"]["message"].to_string().contains("no Application"),
        "{nobody:#}"
    );

    // What is in Git can't be rendered, until it can.
    story.application("web", "dev").await?;
    story.world.repository.commit(&[("web/deployment.yaml", "kind: [")], "broken")?;
    let promotion = story.promote("dev", "v2", json!({})).await?;
    let waiting = story
        .until("promotions", "shop", &promotion, |p| p.to_string().contains("deployment.yaml"))
        .await?;
    ensure!(waiting["status"]["phase"] != "Succeeded", "{waiting:#}");
    story.world.repository.commit(&[("web/deployment.yaml", story::DEPLOYMENT)], "mended")?;
    let refresh =
        json!({ "metadata": { "annotations": { "argocd.argoproj.io/refresh": "normal" } } });
    story.admin.merge("applications", "argocd", "web", &refresh).await?;
    story
        .until("applications", "argocd", "web", |app| app["status"]["sync"]["status"] != "Unknown")
        .await?;
    let again = story.promoted("dev", "v2").await?;
    ensure!(again["status"]["phase"] == "Succeeded", "{again:#}");
    story.end().await
}

#[tokio::test(start_paused = true)]
async fn an_aborted_promotion_makes_way_and_what_it_assigned_stays() -> Result<()> {
    let story = Story::begin().await?;
    story.stage("dev", json!({ "direct": true })).await?;
    story.application("web", "dev").await?;
    story.promoted("dev", "v1").await?;
    let repository = |url: &str| json!({ "spec": { "source": { "repoURL": url } } });
    let away = repository("https://git.example.com/away.git");
    story.admin.merge("applications", "argocd", "web", &away).await?;
    let stuck = story.promote("dev", "v2", json!({})).await?;
    let queued = story.promote("dev", "v1", json!({})).await?;
    story.until("promotions", "shop", &stuck, |p| p["status"]["phase"] == "Running").await?;
    let abort = json!({ "metadata": { "annotations": { "kargo.akuity.io/abort": "terminate" } } });
    for promotion in [&queued, &stuck] {
        story.admin.merge("promotions", "shop", promotion, &abort).await?;
        ensure!(story.ended(promotion).await?["status"]["phase"] == "Aborted");
    }
    ensure!(story.held("dev").await?.starts_with("2-"), "what was queued has assigned nothing");
    let back = repository(&story.world.repository.url());
    let app = story.admin.merge("applications", "argocd", "web", &back).await?;
    ensure!(story.claim(&app).await? == story.held("dev").await?, "what was assigned stays");
    story.promoted("dev", "v2").await?;
    ensure!(story.image("web").await? == "ghcr.io/acme/web:v2");
    story.end().await
}

#[tokio::test(start_paused = true)]
async fn all_begins_anew_from_what_is_there() -> Result<()> {
    let story = Story::begin().await?;
    story.stage("dev", json!({ "direct": true })).await?;
    story.application("web", "dev").await?;
    story.promoted("dev", "v1").await?;
    // Every watch has expired, as after a long partition.
    story.world.api.forget();
    story.promoted("dev", "v2").await?;
    ensure!(story.image("web").await? == "ghcr.io/acme/web:v2");
    story.end().await
}
