//! Applications come to Wharfinger and go again, and what they deploy does not notice.

use anyhow::{Context as _, Result, ensure};
use serde_json::{Value, json};
use wharfinger_cluster::{Cluster, Output, shared};
use wharfinger_tests::{App, IMAGE, Kind, Project};

#[test]
fn kustomize_comes_and_goes() -> Result<()> {
    let cluster = shared()?.use_it()?;
    let project = Project::new(&cluster, "adopt-kustomize")?;
    project.stage("dev")?;
    project.freight("in-git")?;
    let v2 = project.freight("v2")?;
    let options = json!({ "commonAnnotations": { "team": "a" }, "images": ["sidecar:1"] });
    let app = native(&project, Kind::Kustomize, "kustomize", &options)?.auto_sync();
    app.create()?;
    app.runs("in-git")?;
    let before = deployed(&app, &project)?;
    let source = app.get()?["spec"]["source"].clone();

    adopted(&cluster, &app, "adopt-kustomize:dev")?;
    let parameters = app.get()?["spec"]["source"]["plugin"]["parameters"].clone();
    ensure!(parameters[0] == json!({ "name": "images", "array": ["sidecar:1"] }), "{parameters:#}");
    app.carries(&project.claim("dev")?)?;
    ensure!(deployed(&app, &project)? == before, "a Pod was restarted by adopting");

    // What is released is what it was, while the Freight is what Git says.
    let dry = cluster.wharf(&["release", &app.name, "--dry-run"])?;
    ends(&dry, 0)?;
    ensure!(app.get()?["spec"]["source"]["plugin"]["name"] == "wharfinger", "nothing is written");
    released(&cluster, &app, &[])?;
    ensure!(app.get()?["spec"]["source"] == source, "{:#} is not {source:#}", app.get()?["spec"]);
    ensure!(deployed(&app, &project)? == before, "a Pod was restarted by releasing");

    // Once more, with other Freight: the source says then what runs.
    adopted(&cluster, &app, "adopt-kustomize:dev")?;
    project.promoted("dev", &v2)?;
    app.runs("v2")?;
    let promoted = deployed(&app, &project)?;
    released(&cluster, &app, &[])?;
    let images = app.get()?["spec"]["source"]["kustomize"]["images"].clone();
    ensure!(images == json!(["sidecar:1", format!("{IMAGE}:v2")]), "{images}");
    ensure!(deployed(&app, &project)? == promoted, "a Pod was restarted by releasing");
    Ok(())
}

#[test]
fn helm_comes_and_goes() -> Result<()> {
    let cluster = shared()?.use_it()?;
    let project = Project::new(&cluster, "adopt-helm")?;
    project.stage("dev")?;
    project.freight("v1")?;
    let v2 = project.freight("v2")?;
    let options = json!({
        "releaseName": "web",
        "parameters": [{ "name": "image.tag", "value": "v1", "forceString": true }, { "name": "replicas", "value": "3" }],
        "valuesObject": { "label": "x" },
    });
    let app = native(&project, Kind::Helm, "helm", &options)?.auto_sync();
    let template = app
        .web()
        .replace(":in-git", ":{{ .Values.image.tag }}")
        .replace("replicas: 2", "replicas: {{ .Values.replicas }}");
    let values = "image: {tag: none}\nreplicas: 1\n";
    project.commit(&[
        (&format!("{}/templates/web.yaml", app.name), &template),
        (&format!("{}/values.yaml", app.name), values),
    ])?;
    // Its hook has an image of its own, which no parameter of the chart says.
    cluster.git().remove(&project.name, &[&format!("{}/templates/hook.yaml", app.name)], "test")?;
    app.create()?;
    app.runs("v1")?;
    let before = deployed(&app, &project)?;

    adopted(&cluster, &app, "adopt-helm:dev")?;
    ensure!(deployed(&app, &project)? == before, "a Pod was restarted by adopting");
    project.promoted("dev", &v2)?;
    app.runs("v2")?;
    let promoted = deployed(&app, &project)?;

    let refused = cluster.wharf(&["release", &app.name, "--yes"])?;
    ends(&refused, 1)?;
    says(&refused.stderr, "--set image.tag=")?;
    says(&refused.stdout, &format!("-         image: {IMAGE}:v2"))?;
    released(&cluster, &app, &["--set", "image.tag=v2"])?;
    let parameters = app.get()?["spec"]["source"]["helm"]["parameters"].clone();
    ensure!(parameters[1] == json!({ "name": "image.tag", "value": "v2" }), "{parameters:#}");
    ensure!(deployed(&app, &project)? == promoted, "a Pod was restarted by releasing");
    Ok(())
}

#[test]
fn plain_files_come_and_go_only_as_git_has_them() -> Result<()> {
    let cluster = shared()?.use_it()?;
    let project = Project::new(&cluster, "adopt-plain")?;
    project.stage("dev")?;
    let old = project.freight("in-git")?;
    let v2 = project.freight("v2")?;
    // Without auto-sync: then, too, it is Argo CD that has to find that nothing changes.
    let options = json!({ "recurse": true, "exclude": "{old,older}/*" });
    let app = native(&project, Kind::Plain, "directory", &options)?;
    app.create()?;
    app.merge(&json!({ "operation": { "sync": {} } }))?;
    app.runs("in-git")?;
    let before = deployed(&app, &project)?;

    adopted(&cluster, &app, "adopt-plain:dev")?;
    ensure!(deployed(&app, &project)? == before, "a Pod was restarted by adopting");
    project.promoted("dev", &v2)?;
    app.runs("v2")?;
    let refused = cluster.wharf(&["release", &app.name, "--yes"])?;
    ends(&refused, 1)?;
    says(&refused.stderr, "Write what differs into the files in Git")?;
    ensure!(app.get()?["spec"]["source"]["plugin"]["name"] == "wharfinger", "nothing is written");

    project.promoted("dev", &old)?;
    app.runs("in-git")?;
    let before = deployed(&app, &project)?;
    released(&cluster, &app, &[])?;
    let directory = &app.get()?["spec"]["source"]["directory"];
    ensure!(*directory == options, "{directory}");
    ensure!(deployed(&app, &project)? == before, "a Pod was restarted by releasing");
    Ok(())
}

#[test]
fn several_sources_come_and_go() -> Result<()> {
    let cluster = shared()?.use_it()?;
    let project = Project::new(&cluster, "adopt-several")?;
    project.stage("dev")?;
    project.freight("in-git")?;
    let app = App::new(&project, "web", "dev", Kind::Several)?.auto_sync();
    let app = app.with(|spec, annotations| {
        *annotations = json!({});
        for source in spec["sources"].as_array_mut().into_iter().flatten() {
            source.as_object_mut().expect("a source must be an object").shift_remove("plugin");
        }
        spec["sources"][1]["kustomize"] = json!({ "nameSuffix": "-x" });
    });
    app.create()?;
    app.runs("in-git")?;
    let before = deployed(&app, &project)?;
    let sources = app.get()?["spec"]["sources"].clone();
    adopted(&cluster, &app, "adopt-several:dev")?;
    ensure!(app.claims()?.len() == 2, "{:?}", app.claims()?);
    ensure!(deployed(&app, &project)? == before, "a Pod was restarted by adopting");
    released(&cluster, &app, &[])?;
    ensure!(app.get()?["spec"]["sources"] == sources, "{:#}", app.get()?["spec"]);
    ensure!(deployed(&app, &project)? == before, "a Pod was restarted by releasing");
    Ok(())
}

#[test]
fn what_can_not_be_adopted_stays_as_it_is() -> Result<()> {
    let cluster = shared()?.use_it()?;
    let project = Project::new(&cluster, "adopt-refused")?;
    project.stage("dev")?;
    let app = native(&project, Kind::Kustomize, "kustomize", &json!({ "namePrefix": "a-" }))?;
    app.create()?;
    let spec = app.get()?["spec"].clone();
    let adopt = |args: &[&str]| {
        cluster
            .wharf(&[&["adopt", &app.name, "--stage", "adopt-refused:dev", "--yes"], args].concat())
    };

    let nothing = adopt(&[])?;
    ends(&nothing, 5)?;
    says(&nothing.stderr, &format!("no Freight of main holds what runs: {IMAGE}:in-git"))?;
    project.freight("v2")?;
    let other = adopt(&["--freight", "v2"])?;
    ends(&other, 1)?;
    says(&other.stdout, &format!("+       - image: {IMAGE}:v2"))?;
    let nowhere = cluster.wharf(&["adopt", &app.name, "--stage", "adopt-refused:prod"])?;
    ends(&nowhere, 1)?;
    says(&nowhere.stderr, "there is no Stage prod")?;

    project.freight("in-git")?;
    let asked = cluster.wharf(&["adopt", &app.name, "--stage", "adopt-refused:dev"])?;
    ends(&asked, 0)?;
    says(&asked.stderr, "nothing is written; --yes does it")?;
    ensure!(app.get()?["spec"] == spec, "nothing is written");

    // Somebody who may write Applications and not promote: nothing is half done.
    let person = project.person("ana")?;
    person.may(&["get", "update", "patch", "list"], "application", "argocd")?;
    person.may(&["get", "list"], "stage", &project.name)?;
    person.may(&["get", "list"], "freight", &project.name)?;
    person.may(&["create", "get"], "promotion", &project.name)?;
    let args = ["adopt", &app.name, "--stage", "adopt-refused:dev", "--yes"];
    let denied = cluster.wharf_as(&person.name, &args)?;
    ends(&denied, 4)?;
    ensure!(app.get()?["spec"] == spec, "nothing is written");
    adopted(&cluster, &app, "adopt-refused:dev")?;
    let denied = cluster.wharf_as(&person.name, &["release", &app.name, "--yes"])?;
    ends(&denied, 4)?;
    says(&denied.stderr, "[permission]")?;
    ensure!(app.get()?["spec"]["source"]["plugin"]["name"] == "wharfinger", "it stays");

    let versioned = json!({ "version": "v4.5.7" });
    let app = native_called(&project, "versioned", Kind::Kustomize, "kustomize", &versioned)?;
    app.create()?;
    let refused = cluster.wharf(&["adopt", &app.name, "--stage", "adopt-refused:dev", "--yes"])?;
    ends(&refused, 5)?;
    says(&refused.stderr, "spec.source.kustomize.version: the plugin does not have this option")?;
    Ok(())
}

#[test]
fn what_git_writes_is_left_to_git() -> Result<()> {
    let cluster = shared()?.use_it()?;
    let project = Project::new(&cluster, "adopt-git")?;
    project.stage("dev")?;
    project.freight("in-git")?;
    let options = json!({ "commonAnnotations": { "team": "a" } });
    let app = native(&project, Kind::Kustomize, "kustomize", &options)?;
    let id = format!("parent:argoproj.io/Application:argocd/{}", app.name);
    let app = app.with(|_, annotations| annotations["argocd.argoproj.io/tracking-id"] = id.into());
    app.create()?;
    let before = app.get()?["spec"].clone();
    let told = cluster.wharf(&["adopt", &app.name, "--stage", "adopt-git:dev", "--yes"])?;
    ends(&told, 0)?;
    says(&told.stderr, "is written by the Application parent: nothing is written here")?;
    says(&told.stdout, "kargo.akuity.io/authorized-stage: adopt-git:dev")?;
    says(&told.stdout, "name: wharfinger")?;
    ensure!(app.get()?["spec"] == before, "nothing is written");
    Ok(())
}

#[test]
fn what_would_change_is_shown_before_it_does() -> Result<()> {
    let cluster = shared()?.use_it()?;
    let project = Project::new(&cluster, "adopt-diff")?;
    project.stage("dev")?;
    project.stage("prod")?;
    let v1 = project.freight("v1")?;
    let v2 = project.freight("v2")?;
    for (name, stage, freight) in [("dev", "dev", &v2), ("prod", "prod", &v1)] {
        App::new(&project, name, stage, Kind::Kustomize)?.create()?;
        project.promoted(stage, freight)?;
    }
    let diff = |args: &[&str]| cluster.wharf(&[&["diff", "-p", "adopt-diff"], args].concat());

    let none = diff(&["v1", "--to", "prod"])?;
    ends(&none, 0)?;
    let some = diff(&["v2", "--to", "prod"])?;
    ends(&some, 1)?;
    says(&some.stdout, "v1 → v2   2 changed")?;
    says(&some.stdout, "argocd/adopt-diff-prod\n")?;
    says(&some.stdout, &format!("-       - image: {IMAGE}:v1"))?;
    says(&some.stdout, &format!("+       - image: {IMAGE}:v2"))?;
    for args in [&["v1", "v2", "--to", "prod"][..], &["--from", "dev", "--to", "prod"]] {
        let same = diff(args)?;
        ends(&same, 1)?;
        ensure!(same.stdout == some.stdout, "{same:?} is not {some:?}");
    }
    let summary = diff(&["v2", "--to", "prod", "--summary", "-o", "json"])?;
    ends(&summary, 1)?;
    let summary: Value = serde_json::from_str(&summary.stdout)?;
    ensure!(summary["schema"] == "wharf/v1" && summary["changed"] == 2, "{summary:#}");
    let change = &summary["applications"][0]["changes"][0];
    ensure!(change["change"] == "changed" && change["diff"] == json!([]), "{change:#}");
    ends(&diff(&["v9", "--to", "prod"])?, 2)?;
    ends(&diff(&["v1"])?, 2)
}

#[test]
fn the_doctor_finds_what_is_wrong() -> Result<()> {
    let cluster = shared()?.use_it()?;
    let project = Project::new(&cluster, "adopt-doctor")?;
    project.stage("dev")?;
    let freight = project.freight("v1")?;
    let well = App::new(&project, "well", "dev", Kind::Bare)?;
    well.create()?;
    project.promoted("dev", &freight)?;
    let lost = App::new(&project, "lost", "nowhere", Kind::Bare)?;
    lost.create()?;

    // No process here is a Pod: that must show as unknown, not as well.
    let args = ["doctor", "--only", "cluster,webhook,plugin"];
    let report = cluster.wharf(&args)?;
    ends(&report, 0)?;
    says(&report.stdout, "is DENIED")?;
    says(&report.stdout, "is admitted")?;
    says(&report.stdout, "! unknown: there is no Pod of argocd-repo-server")?;
    ends(&cluster.wharf(&[&args[..], &["--strict"]].concat())?, 1)?;

    let report = cluster.wharf(&["doctor", "--only", "applications", "-o", "json"])?;
    ends(&report, 1)?;
    let report: Value = serde_json::from_str(&report.stdout)?;
    let checks = report["checks"].as_array().context("checks")?;
    let about =
        |name: &str| checks.iter().find(|c| c["text"].as_str().is_some_and(|t| t.contains(name)));
    ensure!(about(&well.name).is_none(), "{report:#}");
    let lost = about(&lost.name).context("the lost one must be told")?;
    ensure!(lost["code"] == "stage-missing" && lost["state"] == "Failed", "{lost:#}");
    Ok(())
}

/// A native Application, without annotation and plugin.
fn native<'p>(
    project: &'p Project<'p>,
    kind: Kind,
    field: &str,
    options: &Value,
) -> Result<App<'p>> {
    native_called(project, "web", kind, field, options)
}

fn native_called<'p>(
    project: &'p Project<'p>,
    name: &str,
    kind: Kind,
    field: &str,
    options: &Value,
) -> Result<App<'p>> {
    Ok(App::new(project, name, "dev", kind)?.with(|spec, annotations| {
        *annotations = json!({});
        let source = spec["source"].as_object_mut().expect("a source must be an object");
        source.shift_remove("plugin");
        source.insert(field.into(), options.clone());
    }))
}

fn adopted(cluster: &Cluster, app: &App<'_>, stage: &str) -> Result<()> {
    let done = cluster.wharf(&["adopt", &app.name, "--stage", stage, "--yes"])?;
    ends(&done, 0)?;
    says(&done.stdout, "the plugin renders it as Argo CD does")?;
    let now = app.get()?;
    let annotation = &now["metadata"]["annotations"]["kargo.akuity.io/authorized-stage"];
    ensure!(*annotation == stage && synced(&now), "{now:#}");
    Ok(())
}

fn released(cluster: &Cluster, app: &App<'_>, args: &[&str]) -> Result<()> {
    let done = cluster.wharf(&[&["release", &app.name, "--yes"], args].concat())?;
    ends(&done, 0)?;
    says(&done.stdout, "Argo CD renders what runs")?;
    let now = app.get()?;
    let annotation = &now["metadata"]["annotations"]["kargo.akuity.io/authorized-stage"];
    ensure!(annotation.is_null() && now["spec"]["source"]["plugin"].is_null(), "{now:#}");
    ensure!(synced(&now), "{now:#}");
    Ok(())
}

fn synced(app: &Value) -> bool {
    app["status"]["sync"]["status"] == "Synced"
}

/// What must stay as it is: the Deployment, as often as it was changed, and its Pods.
fn deployed(app: &App<'_>, project: &Project<'_>) -> Result<Value> {
    let deployment = project.admin.get("deployment", &project.name, &app.name)?;
    let mut pods: Vec<_> = project
        .admin
        .list("pod", &project.name)?
        .iter()
        .filter(|pod| pod["metadata"]["labels"]["app"] == app.name.as_str())
        .map(|pod| pod["metadata"]["uid"].to_string())
        .collect();
    pods.sort();
    ensure!(!pods.is_empty(), "there must be Pods");
    Ok(json!({
        "uid": deployment["metadata"]["uid"],
        "generation": deployment["metadata"]["generation"],
        "pods": pods,
    }))
}

fn ends(output: &Output, code: i32) -> Result<()> {
    ensure!(output.status.code() == Some(code), "it must end with {code}: {output:#?}");
    Ok(())
}

fn says(text: &str, what: &str) -> Result<()> {
    ensure!(text.contains(what), "{what:?} is missing in:\n{text}");
    Ok(())
}
