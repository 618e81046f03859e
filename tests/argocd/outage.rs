//! What goes on while a part of us, or the API server, is away.

use anyhow::{Context as _, Result, ensure};
use serde_json::{Value, json};
use wharfinger_cluster::{Cluster, Instance, Role, shared};
use wharfinger_tests::{App, IMAGE, Kind, Project};

use crate::owners::{native, refresh};

#[test]
fn the_webhook_is_away() -> Result<()> {
    let cluster = shared()?.alone()?;
    let project = Project::new(&cluster, "webhook-away")?;
    project.stage("dev")?;
    let app = App::new(&project, "web", "dev", Kind::Plain)?.auto_sync();
    app.create()?;
    let (v1, v2) = (project.freight("v1")?, project.freight("v2")?);
    project.promoted("dev", &v1)?;
    app.runs("v1")?;
    let theirs = App::new(&project, "theirs", "dev", Kind::Plain)?.auto_sync().with(native);
    theirs.create()?;
    theirs.runs("in-git")?;

    let webhook = cluster.process(Role::Webhook)?;
    webhook.kill()?;
    // Argo CD goes on with ours: it writes what it sees.
    let looked = |a: &Value| a["status"]["reconciledAt"].as_str().unwrap_or_default().to_owned();
    let before = looked(&app.get()?);
    app.merge(&refresh())?;
    app.wait("be reconciled", |a| (looked(a) > before).then_some(()))?;
    // Whoever would change which Freight it deploys waits for us.
    for (row, patch) in [
        ("the spec", json!({ "spec": { "source": { "plugin": { "env": [] } } } })),
        ("an operation", json!({ "operation": { "sync": {} } })),
        (
            "the annotation",
            json!({ "metadata": { "annotations": { "kargo.akuity.io/authorized-stage": null } } }),
        ),
        ("the plugin", json!({ "spec": { "source": { "plugin": null } } })),
        (
            "break-glass",
            json!({ "metadata": { "annotations": { "wharfinger.dev/break-glass": "now" } } }),
        ),
        (
            "the record of an operation",
            json!({ "status": { "operationState": { "phase": "Running" } } }),
        ),
    ] {
        away(app.merge(&patch)).context(row)?;
    }
    away(project.promote("dev", &v2).map(Value::from))?;
    away(project.admin.merge_status(
        "stage",
        &project.name,
        "dev",
        &json!({ "status": { "freightSummary": "x" } }),
    ))?;
    away(App::new(&project, "late", "dev", Kind::Plain)?.create().map(Value::from))?;
    // Other teams work: they create, change, sync and delete.
    let more = App::new(&project, "more", "dev", Kind::Plain)?.auto_sync().with(native);
    more.create()?;
    more.runs("in-git")?;
    theirs.merge(&json!({ "spec": { "info": [{ "name": "team", "value": "b" }] } }))?;
    let revision = project.commit(&[(
        &format!("{}/more.yaml", theirs.name),
        "kind: ConfigMap\napiVersion: v1\nmetadata: {name: more}\n",
    )])?;
    theirs.merge(&json!({ "operation": { "sync": { "revision": revision } } }))?;
    theirs.wait("be synced", |a| {
        let state = &a["status"]["operationState"];
        (state["phase"] == "Succeeded" && state["syncResult"]["revision"] == revision.as_str())
            .then_some(())
    })?;
    project.admin.delete("application", "argocd", &theirs.name)?;
    ensure!(app.image()? == format!("{IMAGE}:v1"));

    webhook.start()?;
    app.merge(&json!({ "spec": { "info": [{ "name": "team", "value": "a" }] } }))?;
    project.promoted("dev", &v2)?;
    app.runs("v2")
}

#[test]
fn the_api_server_is_restarted_under_everybody() -> Result<()> {
    let cluster = shared()?.alone()?;
    let project = Project::new(&cluster, "api-restarted")?;
    project.stage("dev")?;
    let app = App::new(&project, "web", "dev", Kind::Plain)?.auto_sync();
    app.create()?;
    let (v1, v2) = (project.freight("v1")?, project.freight("v2")?);
    project.promoted("dev", &v1)?;
    let before = ours(&cluster)?;
    let api = cluster.process(Role::KubeApiserver)?;
    api.kill()?;
    api.start()?;
    project.promoted("dev", &v2)?;
    app.runs("v2")?;
    ensure!(ours(&cluster)? == before, "none of us had to be started again");
    Ok(())
}

#[test]
fn the_api_server_dies_in_mid_promotion() -> Result<()> {
    let cluster = shared()?.alone()?;
    let project = Project::new(&cluster, "api-dies")?;
    project.stage("dev")?;
    let app = App::new(&project, "web", "dev", Kind::Plain)?.auto_sync();
    app.create()?;
    let (v1, v2) = (project.freight("v1")?, project.freight("v2")?);
    project.promoted("dev", &v1)?;
    let before = ours(&cluster)?;
    let promotion = project.promote("dev", &v2)?;
    let api = cluster.process(Role::KubeApiserver)?;
    api.kill()?;
    api.start()?;
    let promotion = project.ended(&promotion)?;
    ensure!(promotion["status"]["phase"] == "Succeeded", "{promotion:#}");
    app.runs("v2")?;
    ensure!(ours(&cluster)? == before, "none of us had to be started again");
    Ok(())
}

/// The API server could not ask us, and took that for a no.
fn away(done: Result<Value>) -> Result<()> {
    let text = format!("{:#}", done.err().context("it must be refused while the webhook is away")?);
    ensure!(text.contains("failed calling webhook"), "{text}");
    Ok(())
}

fn ours(cluster: &Cluster) -> Result<Vec<Option<u32>>> {
    let roles = [Role::Webhook, Role::Controller, Role::Sidecar(Instance::First)];
    roles.into_iter().map(|role| Ok(cluster.process(role)?.pid())).collect()
}
