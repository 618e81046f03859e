//! `claim(app) == assignment(stage)`, for ever and however it came to differ.

use anyhow::{Result, ensure};
use serde_json::json;
use wharfinger_cluster::{Cluster, Options, shared};
use wharfinger_tests::{App, IMAGE, Kind, Project};

#[test]
fn an_application_created_after_the_assignment() -> Result<()> {
    let cluster = shared()?.use_it()?;
    let project = Project::new(&cluster, "created-later")?;
    project.stage_with("dev", &json!([{ "uses": "assign", "config": { "allowNone": true } }]))?;
    project.promoted("dev", &project.freight("v1")?)?;
    let app = App::new(&project, "web", "dev", Kind::Kustomize)?.auto_sync();
    app.create()?;
    app.carries(&project.claim("dev")?)?;
    app.runs("v1")
}

#[test]
fn a_restored_backup_without_claims() -> Result<()> {
    let cluster = shared()?.use_it()?;
    let project = Project::new(&cluster, "restored")?;
    project.stage("dev")?;
    let app = App::new(&project, "web", "dev", Kind::Plain)?.auto_sync();
    app.create()?;
    project.promoted("dev", &project.freight("v1")?)?;
    app.runs("v1")?;
    // The backup was made before the first promotion; objects in the cluster stay while the Application is replaced.
    project.admin.delete("application", "argocd", &app.name)?;
    app.create()?;
    app.carries(&project.claim("dev")?)?;
    app.wait("be synced again", |a| (a["status"]["sync"]["status"] == "Synced").then_some(()))?;
    ensure!(app.image()? == format!("{IMAGE}:v1"));
    Ok(())
}

#[test]
fn an_application_deleted_in_mid_promotion_drops_out() -> Result<()> {
    let cluster = shared()?.use_it()?;
    let project = Project::new(&cluster, "deleted")?;
    project.stage("dev")?;
    let stays = App::new(&project, "stays", "dev", Kind::Plain)?;
    stays.create()?;
    let goes = App::new(&project, "goes", "dev", Kind::Plain)?;
    goes.commit_hook(true)?;
    goes.create()?;
    let promotion = project.promote("dev", &project.freight("v1")?)?;
    goes.wait("wait for its hook", |a| {
        (a["status"]["operationState"]["phase"] == "Running").then_some(())
    })?;
    stays.runs("v1")?;
    project.admin.delete("application", "argocd", &goes.name)?;
    let promotion = project.ended(&promotion)?;
    ensure!(promotion["status"]["phase"] == "Succeeded", "{promotion:#}");
    let apps = promotion["status"]["state"]["step-1"]["applications"]
        .as_array()
        .cloned()
        .unwrap_or_default();
    ensure!(apps.len() == 1 && apps[0]["name"] == stays.name.as_str(), "{promotion:#}");
    Ok(())
}

#[test]
fn prune_off_and_a_hashed_configmap_are_a_warning_and_not_a_wait() -> Result<()> {
    let cluster = shared()?.use_it()?;
    let project = Project::new(&cluster, "hashed")?;
    project.stage("dev")?;
    let app = App::new(&project, "web", "dev", Kind::Kustomize)?;
    app.create()?;
    let kustomization = |value: &str| {
        format!(
            "resources: [web.yaml]\nconfigMapGenerator:\n- name: settings\n  literals: [colour={value}]\n"
        )
    };
    let file = format!("{}/kustomization.yaml", app.name);
    project.commit(&[(&file, &kustomization("blue"))])?;
    project.promoted("dev", &project.freight("v1")?)?;
    project.commit(&[(&file, &kustomization("red"))])?;
    let promotion = project.promoted("dev", &project.freight("v2")?)?;
    let check = &promotion["status"]["state"]["step-1"]["applications"][0]["check"];
    ensure!(check["code"] == "out-of-sync" && check["state"] == "Warning", "{promotion:#}");
    app.runs("v2")
}

#[test]
fn an_operation_stuck_in_a_hook_then_a_rollback() -> Result<()> {
    let cluster = shared()?.use_it()?;
    let project = Project::new(&cluster, "stuck")?;
    project.stage("dev")?;
    let app = App::new(&project, "web", "dev", Kind::Plain)?;
    app.create()?;
    let (v1, v2) = (project.freight("v1")?, project.freight("v2")?);
    project.promoted("dev", &v1)?;
    app.commit_hook(true)?;
    let stuck = project.promote("dev", &v2)?;
    app.wait("wait for the hook", |a| {
        let state = &a["status"]["operationState"];
        let hooks = state["syncResult"]["resources"].as_array()?;
        (state["phase"] == "Running" && hooks.iter().any(|r| r["hookPhase"] == "Running"))
            .then_some(())
    })?;
    app.commit_hook(false)?;
    let back = project.promote_with("dev", &v1, json!({ "kargo.akuity.io/rollback": "true" }))?;
    let back = project.ended(&back)?;
    ensure!(back["status"]["phase"] == "Succeeded", "{back:#}");
    let stuck = project.ended(&stuck)?;
    ensure!(stuck["status"]["phase"] == "Aborted", "{stuck:#}");
    app.runs("v1")
}

#[test]
fn auto_sync_racing_the_patch() -> Result<()> {
    let cluster = shared()?.use_it()?;
    let project = Project::new(&cluster, "racing")?;
    project.stage("dev")?;
    let app = App::new(&project, "web", "dev", Kind::Plain)?.auto_sync();
    app.create()?;
    let freight = [project.freight("v1")?, project.freight("v2")?];
    for round in 0..10 {
        // A commit and a refresh make auto-sync start an operation of its own at about the time of the patch.
        let file = format!("{}/more.yaml", app.name);
        project.commit(&[(&file, &configmap(round))])?;
        let refresh =
            json!({ "metadata": { "annotations": { "argocd.argoproj.io/refresh": "normal" } } });
        app.merge(&refresh)?;
        project.promoted("dev", &freight[round % 2])?;
        ensure!(app.history()?.contains(&project.claim("dev")?), "round {round}");
    }
    app.runs("v2")
}

fn configmap(round: usize) -> String {
    format!(
        "apiVersion: v1\nkind: ConfigMap\nmetadata: {{name: more}}\ndata: {{round: \"{round}\"}}\n"
    )
}

#[test]
fn a_stage_nobody_names_fails_unless_the_step_allows_it() -> Result<()> {
    let cluster = shared()?.use_it()?;
    let project = Project::new(&cluster, "nobody")?;
    project.stage("strict")?;
    project
        .stage_with("lenient", &json!([{ "uses": "assign", "config": { "allowNone": true } }]))?;
    let freight = project.freight("v1")?;
    let strict = project.ended(&project.promote("strict", &freight)?)?;
    ensure!(strict["status"]["phase"] == "Failed", "{strict:#}");
    ensure!(
        strict["status"]["message"].as_str().is_some_and(|m| m.contains("[no-applications]")),
        "{strict:#}"
    );
    project.promoted("lenient", &freight)?;
    Ok(())
}

#[test]
fn freight_with_a_commit_pins_the_revision() -> Result<()> {
    let cluster = shared()?.use_it()?;
    let project = Project::new(&cluster, "pinned")?;
    project.stage("dev")?;
    let app = App::new(&project, "web", "dev", Kind::Plain)?;
    let first = project.head()?;
    app.create()?;
    let repository = cluster.git().url(&project.name);
    let freight = project.freight_with("v1", &json!([{ "repoURL": repository, "id": first }]))?;
    // A later commit is not part of the Freight.
    project.commit(&[(&format!("{}/more.yaml", app.name), &configmap(1))])?;
    project.promoted("dev", &freight)?;
    let seen = app.get()?;
    ensure!(seen["spec"]["source"]["targetRevision"] == first.as_str(), "{seen:#}");
    ensure!(seen["status"]["sync"]["revision"] == first.as_str(), "{seen:#}");
    ensure!(
        project.admin.get("configmap", &project.name, "more").is_err(),
        "the later commit is not deployed"
    );
    app.runs("v1")
}

#[test]
fn an_application_annotated_before_the_install() -> Result<()> {
    let cluster = Cluster::start(Options { fault_points: true, ..Options::default() })?;
    let early = Project::unfounded(&cluster, "early")?;
    let app = App::new(&early, "web", "dev", Kind::Kustomize)?.auto_sync();
    app.create()?;
    cluster.install_wharfinger()?;
    early.found()?;
    early.stage("dev")?;
    early.promoted("dev", &early.freight("v1")?)?;
    app.carries(&early.claim("dev")?)?;
    app.runs("v1")
}
