//! Applications outside of Argo CD's own namespace, two of one name, and the AppProject that lets them be there.

use anyhow::{Context as _, Result, ensure};
use serde_json::{Value, json};
use wharfinger_cluster::shared;
use wharfinger_tests::{App, IMAGE, Kind, Project, refused};

use crate::owners::refresh;

/// One that Argo CD looks into: see hack/cluster.
const NAMESPACE: &str = "teams-a";

#[test]
fn two_applications_of_one_name_follow_each_its_stage() -> Result<()> {
    let cluster = shared()?.use_it()?;
    let project = Project::new(&cluster, "anywhere")?;
    project.stage("dev")?;
    project.stage("prod")?;
    project.admin.create("namespace", "", json!({ "metadata": { "name": NAMESPACE } }))?;
    project.admin.create("appproject", "argocd", appproject(&project.name, &[NAMESPACE]))?;
    let here = App::new(&project, "web", "dev", Kind::Bare)?;
    here.create()?;
    let there =
        App::new(&project, "web", "prod", Kind::Bare)?.in_namespace(NAMESPACE).with(|spec, _| {
            spec["project"] = project.name.as_str().into();
            spec["destination"]["namespace"] = NAMESPACE.into();
        });
    there.create()?;
    let (v1, v2) = (project.freight("v1")?, project.freight("v2")?);
    project.promoted("dev", &v1)?;
    here.runs("v1")?;
    ensure!(there.claims()?.is_empty(), "its Stage holds nothing yet: {:?}", there.claims()?);
    project.promoted("prod", &v2)?;
    ensure!(image(&project, &there)? == format!("{IMAGE}:v2"));
    here.runs("v1")?;
    ensure!(here.claims()? == [project.claim("dev")?]);
    ensure!(there.claims()? == [project.claim("prod")?]);

    // Whoever may write everything in the team's namespace may promote nothing by that.
    let person = project.person("team")?;
    person.may(&["create", "get", "update", "patch", "delete"], "application", NAMESPACE)?;
    let text = refused(
        person.api.merge(
            "application",
            NAMESPACE,
            &there.name,
            &json!({ "metadata": { "annotations": { "kargo.akuity.io/authorized-stage": "anywhere:dev" } } }),
        ),
        "permission",
    )?;
    ensure!(text.contains("anywhere:"), "{text}");
    let mut another = there.manifest();
    another["metadata"]["name"] = "another".into();
    project
        .rules(&json!({ "applications": [{ "namespace": "argocd" }, { "name": there.name }] }))?;
    let text = refused(person.api.create("application", NAMESPACE, another), "joining")?;
    ensure!(text.contains("teams-a/another"), "{text}");
    // Argo CD calls an Application of another namespace <namespace>_<name>; nothing in its own can be called so.
    let mut alike = here.manifest();
    alike["metadata"]["name"] = format!("{NAMESPACE}_{}", here.name).into();
    let error = project.admin.create("application", "argocd", alike).map(drop);
    let error = format!("{:#}", error.err().context("a name with an underscore")?);
    ensure!(error.contains("metadata.name"), "{error}");

    // An AppProject that no longer lets it be there stops it, and deploys nothing else instead. Who may write AppProjects
    // decides that, and needs to be nobody else.
    let keeper = project.person("keeper")?;
    keeper.may(&["patch"], "appproject", "argocd")?;
    let allow = |namespaces: &[&str]| {
        let spec = json!({ "spec": { "sourceNamespaces": namespaces } });
        keeper.api.merge("appproject", "argocd", &project.name, &spec)
    };
    allow(&[])?;
    there.merge(&refresh())?;
    let ended = project.ended(&project.promote("prod", &v1)?)?;
    ensure!(ended["status"]["phase"] == "Failed", "{:#}", ended["status"]);
    let message = ended["status"]["message"].as_str().unwrap_or_default();
    ensure!(message.contains(&format!("{NAMESPACE}/{}", there.name)), "{message}");
    ensure!(image(&project, &there)? == format!("{IMAGE}:v2"));
    refused(there_goes(&project, "prod"), "in-use")?;
    allow(&[NAMESPACE])?;
    there.merge(&refresh())?;
    project.promoted("prod", &v1)?;
    ensure!(image(&project, &there)? == format!("{IMAGE}:v1"));
    Ok(())
}

/// Somebody who may delete Stages tries to delete one that the Application still names.
fn there_goes(project: &Project<'_>, stage: &str) -> Result<Value> {
    let person = project.person("cleaner")?;
    person.may(&["delete"], "stage", &project.name)?;
    person.api.delete("stage", &project.name, stage).map(|()| Value::Null)
}

fn appproject(name: &str, namespaces: &[&str]) -> Value {
    json!({ "metadata": { "name": name }, "spec": {
        "sourceNamespaces": namespaces,
        "sourceRepos": ["*"],
        "destinations": [{ "server": "*", "namespace": "*" }],
    }})
}

/// What its Deployment runs, in the namespace of the Application itself.
fn image(project: &Project<'_>, app: &App<'_>) -> Result<String> {
    let deployment = project.admin.get("deployment", &app.namespace, &app.name)?;
    let image = &deployment["spec"]["template"]["spec"]["containers"][0]["image"];
    Ok(image.as_str().context("a Deployment has an image")?.into())
}
