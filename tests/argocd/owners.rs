//! Others write Applications too: generators, parents in Git, people. The claim stays, and nobody fights over it.

use std::time::Duration;

use anyhow::{Result, ensure};
use serde_json::{Value, json};
use wharfinger_cluster::{Role, shared};
use wharfinger_tests::{App, IMAGE, Kind, Project, claims, refused};

#[test]
fn an_applicationset_that_sets_an_environment() -> Result<()> {
    let cluster = shared()?.use_it()?;
    let project = Project::new(&cluster, "appset")?;
    project.stage("dev")?;
    let app = App::new(&project, "web", "dev", Kind::Plain)?.auto_sync().with(coloured("blue"));
    let set = |app: &App<'_>| {
        let manifest = app.manifest();
        let template = json!({ "metadata": manifest["metadata"], "spec": manifest["spec"] });
        json!({ "metadata": { "name": project.name }, "spec": { "generators": [{ "list": { "elements": [{}] } }], "template": template } })
    };
    project.admin.create("applicationset", "argocd", set(&app))?;
    app.wait("be generated", |_| Some(()))?;
    let controller = cluster.process(Role::ApplicationSetController)?;
    let updates = || {
        controller
            .log_text()
            .lines()
            .filter(|l| l.contains("updated Application") && l.contains("appset-web"))
            .count()
    };

    project.promoted("dev", &project.freight("v1")?)?;
    app.runs("v1")?;
    let claim = project.claim("dev")?;
    let before = updates();
    let app = app.with(coloured("red"));
    project.admin.merge("applicationset", "argocd", &project.name, &set(&app))?;
    app.wait("have the new colour", has_colour("red"))?;
    ensure!(changes(&app, &claim)? <= 1, "Argo CD may normalise what was written, once");
    // Writes that change nothing are not seen by a watch, so they are counted where they are made.
    let settled = updates();
    ensure!(settled - before <= 3, "one change cost {} updates", settled - before);
    ensure!(changes(&app, &claim)? == 0, "the spec still changes");
    ensure!(updates() == settled, "the ApplicationSet controller still writes");
    app.runs("v1")
}

#[test]
fn a_parent_that_says_nothing_of_an_environment() -> Result<()> {
    child_of_a_parent(
        "parent",
        |_, _| (),
        |spec, _| spec["info"] = json!([{ "name": "team", "value": "a" }]),
    )
}

#[test]
fn a_parent_that_lists_an_environment_of_its_own() -> Result<()> {
    child_of_a_parent("parent-env", coloured("blue"), coloured("red"))
}

/// A parent that heals itself, and its child's manifest in Git: as it is first, and as it is changed later.
fn child_of_a_parent(
    name: &str,
    first: impl FnOnce(&mut Value, &mut Value),
    later: impl FnOnce(&mut Value, &mut Value),
) -> Result<()> {
    let cluster = shared()?.use_it()?;
    let project = Project::new(&cluster, name)?;
    project.stage("dev")?;
    let child = App::new(&project, "web", "dev", Kind::Plain)?.auto_sync().with(first);
    let commit =
        |child: &App<'_>| project.commit(&[("children/web.json", &child.manifest().to_string())]);
    commit(&child)?;
    let parent =
        App::new(&project, "parent", "dev", Kind::Plain)?.auto_sync().with(|spec, annotations| {
            native(spec, annotations);
            spec["source"]["path"] = "children".into();
        });
    parent.create()?;
    child.wait("be created by its parent", |_| Some(()))?;

    project.promoted("dev", &project.freight("v1")?)?;
    child.runs("v1")?;
    let claim = project.claim("dev")?;
    ensure!(changes(&child, &claim)? == 0, "the parent takes something back");
    let child = child.with(later);
    let revision = commit(&child)?;
    parent.merge(&refresh())?;
    let synced = parent.wait("have the commit synced", |a| {
        let state = &a["status"]["operationState"];
        let ended =
            state["phase"] == "Succeeded" && state["syncResult"]["revision"] == revision.as_str();
        (ended && a["status"]["sync"]["status"] == "Synced").then(|| state.clone())
    })?;
    ensure!(changes(&child, &claim)? <= 1, "Argo CD may normalise what was written, once");
    ensure!(changes(&child, &claim)? == 0, "the child's spec still changes");
    let now = parent.get()?;
    ensure!(now["status"]["operationState"] == synced, "the parent heals what is not ill: {now:#}");
    ensure!(now["status"]["sync"]["status"] == "Synced", "{now:#}");
    let spec = child.get()?["spec"].clone();
    let manifest = child.manifest();
    ensure!(
        spec["info"] == manifest["spec"]["info"] && colour(&spec) == colour(&manifest["spec"]),
        "the change arrived: {spec:#}"
    );
    child.runs("v1")
}

#[test]
fn a_person_at_kubectl() -> Result<()> {
    let cluster = shared()?.use_it()?;
    let project = Project::new(&cluster, "kubectl")?;
    project.stage("dev")?;
    let app = App::new(&project, "web", "dev", Kind::Plain)?.auto_sync();
    app.create()?;
    project.promoted("dev", &project.freight("v1")?)?;
    let older = project.claim("dev")?;
    project.promoted("dev", &project.freight("v2")?)?;
    let claim = project.claim("dev")?;
    app.runs("v2")?;
    let collection =
        |claim: &str| claim.split_once('-').map(|(_, id)| id.to_owned()).unwrap_or_default();

    let env = |claim: &str| json!([{ "name": "WHARFINGER_STAGE", "value": "kubectl:dev" }, { "name": "WHARFINGER_FREIGHT", "value": claim }]);
    for (row, env) in [
        ("none", json!([])),
        ("null", Value::Null),
        ("an older one", env(&older)),
        ("an older one with the collection of now", env(&format!("1-{}", collection(&claim)))),
        ("the number of now with another collection", env(&format!("2-{}", collection(&older)))),
        ("one that can't be read", env("latest")),
        (
            "one of another Stage",
            json!([{ "name": "WHARFINGER_STAGE", "value": "kubectl:prod" }, { "name": "WHARFINGER_FREIGHT", "value": claim }]),
        ),
        ("one twice", json!([env(&older)[1], env(&claim)[1], env(&claim)[0]])),
    ] {
        let stored = app.merge(&json!({ "spec": { "source": { "plugin": { "env": env } } } }))?;
        ensure!(
            claims(&stored["spec"]) == [claim.as_str()],
            "{row}: the same write must put the claim back: {stored:#}"
        );
        ensure!(app.image()? == format!("{IMAGE}:v2"), "{row}");
    }
    let mut edited = app.get()?;
    edited["spec"]["source"]["plugin"] = json!({ "name": "wharfinger" });
    edited["metadata"].as_object_mut().map(|metadata| metadata.remove("resourceVersion"));
    // As it may be older than what Argo CD has written since, it would be refused.
    edited.as_object_mut().map(|app| app.remove("status"));
    let stored = cluster
        .kubectl_with_input(&["replace", "-f", "-", "-o", "json"], &edited.to_string())?
        .ok()?;
    let stored: Value = serde_json::from_str(&stored)?;
    ensure!(claims(&stored["spec"]) == [claim.as_str()], "kubectl replace: {stored:#}");

    let newer = json!({ "spec": { "source": { "plugin": { "env": env(&format!("3-{}", collection(&older))) } } } });
    let text = refused(app.merge(&newer), "claim-unknown")?;
    ensure!(
        text.contains("wharf promote"),
        "it says how an Application gets other Freight: {text}"
    );

    app.merge(&refresh())?;
    app.wait("have been looked at", |a| {
        (a["metadata"]["annotations"].get("argocd.argoproj.io/refresh").is_none()).then_some(())
    })?;
    ensure!(app.claims()? == [claim.as_str()]);
    app.runs("v2")
}

#[test]
fn a_person_at_the_argocd_command_line() -> Result<()> {
    let cluster = shared()?.use_it()?;
    let project = Project::new(&cluster, "argocd-cli")?;
    project.stage("dev")?;
    let app = App::new(&project, "web", "dev", Kind::Plain)?;
    app.create()?;
    project.promoted("dev", &project.freight("v1")?)?;
    let claim = project.claim("dev")?;
    cluster.argocd(&["app", "set", &app.name, "--plugin-env", "COLOUR=red"])?.ok()?;
    let spec = app.get()?["spec"].clone();
    ensure!(colour(&spec) == "red" && claims(&spec) == [claim.as_str()], "{spec:#}");
    // argocd-server renders before it writes, and passes on what the sidecar says.
    let done = cluster.argocd(&[
        "app",
        "set",
        &app.name,
        "--plugin-env",
        "WHARFINGER_FREIGHT=2-da39a3ee5e6b4b0d3255bfef95601890afd80709",
    ])?;
    ensure!(
        !done.success() && done.stderr.contains("[claim-unknown]"),
        "{}{}",
        done.stdout,
        done.stderr
    );
    // Here it does not, and the webhook puts back what was taken out.
    cluster.argocd(&["app", "unset", &app.name, "--plugin-env", "WHARFINGER_FREIGHT"])?.ok()?;
    let spec = app.get()?["spec"].clone();
    ensure!(colour(&spec) == "red" && claims(&spec) == [claim.as_str()], "{spec:#}");
    app.runs("v1")
}

#[test]
fn argocd_app_rollback_says_what_to_do_instead() -> Result<()> {
    let cluster = shared()?.use_it()?;
    let project = Project::new(&cluster, "argocd-rollback")?;
    project.stage("dev")?;
    let app = App::new(&project, "web", "dev", Kind::Plain)?;
    app.create()?;
    project.promoted("dev", &project.freight("v1")?)?;
    let first = app.get()?["status"]["history"][0]["id"].as_i64().unwrap_or_default().to_string();
    project.promoted("dev", &project.freight("v2")?)?;
    let done = cluster.argocd(&["app", "rollback", &app.name, &first])?;
    ensure!(!done.success(), "{}", done.stdout);
    ensure!(
        done.stderr.contains("wharf rollback --project argocd-rollback --stage dev --to "),
        "{}",
        done.stderr
    );
    ensure!(app.get()?.get("operation").is_none(), "no operation was begun");
    app.runs("v2")
}

/// How often the spec changed within half a minute, in all of which it carried the claim.
fn changes(app: &App<'_>, claim: &str) -> Result<usize> {
    let seen = app.record(Duration::from_secs(30))?;
    for state in &seen {
        ensure!(claims(&state["spec"]) == [claim], "{:#}", state["spec"]);
    }
    Ok(seen.windows(2).filter(|pair| pair[0]["spec"] != pair[1]["spec"]).count())
}

fn coloured(colour: &'static str) -> impl Fn(&mut Value, &mut Value) {
    move |spec, _| spec["source"]["plugin"]["env"] = json!([{ "name": "COLOUR", "value": colour }])
}

fn colour(spec: &Value) -> String {
    let env = spec["source"]["plugin"]["env"].as_array().cloned().unwrap_or_default();
    let entry = env.into_iter().find(|e| e["name"] == "COLOUR").unwrap_or_default();
    entry["value"].as_str().unwrap_or_default().into()
}

fn has_colour(wanted: &'static str) -> impl Fn(&Value) -> Option<()> {
    move |app| (colour(&app["spec"]) == wanted).then_some(())
}

/// Of no business to us: Argo CD reads the folder by itself.
pub(crate) fn native(spec: &mut Value, annotations: &mut Value) {
    spec["source"].as_object_mut().map(|source| source.remove("plugin"));
    *annotations = json!({});
}

pub(crate) fn refresh() -> Value {
    json!({ "metadata": { "annotations": { "argocd.argoproj.io/refresh": "normal" } } })
}
