//! Manifests of before v1.0 of Kargo, from articles: kubectl applies them as they stand, and says what to write instead.

use std::path::Path;

use anyhow::{Context as _, Result, ensure};
use serde_json::{Value, json};
use wharfinger_cluster::{Cluster, shared};
use wharfinger_tests::{App, Kind, Project};

#[test]
fn images_in_git() -> Result<()> {
    let cluster = shared()?.use_it()?;
    let project = project(&cluster, "my-app")?;
    let warned = applied(&project, "images-in-git.yaml", &["apply"])?;
    for warning in [
        "spec.subscriptions[0].image.tagSelectionStrategy has another name now; it was converted. Write instead: imageSelectionStrategy: SemVer",
        "Write instead: constraint: \">=1.0.0\"",
        "spec.subscriptions is of Kargo before v0.9; it was converted. Write instead: requestedFreight: [{origin: {kind: Warehouse, name: main}, sources: {direct: true}}]",
        "spec.promotionMechanisms is of Kargo before v1.0; it was converted.",
        "Write instead: promotionTemplate: {spec: {steps: [{uses: assign}]}}",
        "steps: [{uses: git-clone, config: {repoURL: https://git.example.com/my-app/config.git, checkout: [{path: ./src}, {branch: main, path: ./out, create: true}]}}",
        "spec.subscriptions is of an older Kargo, and was left out because spec.requestedFreight is given as well.",
    ] {
        ensure!(warned.contains(warning), "{warned}\nwithout\n{warning}");
    }
    promotes(&project)?;
    again(&project, "images-in-git.yaml", &["apply"])
}

#[test]
fn values_and_argocd() -> Result<()> {
    let cluster = shared()?.use_it()?;
    let project = project(&cluster, "my-charts")?;
    let apply = ["apply", "--server-side"];
    let warned = applied(&project, "values-and-argocd.yaml", &apply)?;
    for warning in [
        "sources: {stages: [gate]}}]",
        "updates: [{key: image.tag, value: \"${{ imageFrom(\\\"ghcr.io/acme/web\\\").Tag }}\"}]",
        "steps: [{uses: argocd-update, config: {apps: [{name: my-charts-dev, namespace: argocd}]}}]",
    ] {
        ensure!(warned.contains(warning), "{warned}\nwithout\n{warning}");
    }
    promotes(&project)?;
    again(&project, "values-and-argocd.yaml", &apply)?;
    // A change of an old field arrives, however often the manifest was applied before.
    let changed = article("values-and-argocd.yaml")?
        .replace("    warehouse: main\n", "    warehouse: other\n");
    cluster.kubectl_with_input(&["apply", "--server-side", "-f", "-"], &changed)?.ok()?;
    let dev = project.admin.get("stage", &project.name, "dev")?;
    ensure!(dev["spec"]["requestedFreight"][0]["origin"]["name"] == "other", "{dev:#}");
    Ok(())
}

#[test]
fn what_can_not_be_converted_is_explained() -> Result<()> {
    let cluster = shared()?.use_it()?;
    let project = Project::new(&cluster, "articles-explained")?;
    let stage = "apiVersion: kargo.akuity.io/v1alpha1
kind: Stage
metadata: {name: staging, namespace: articles-explained}
spec: {subscriptions: {upstreamStages: [{name: dev}]}}
";
    let early = cluster.kubectl_with_input(&["apply", "-f", "-"], stage)?;
    ensure!(
        !early.success()
            && early.stderr.contains("Apply Stage dev first, and Stage staging after it")
            && early.stderr.contains("[stage-missing]"),
        "{early:#?}"
    );
    project.stage("dev")?;
    cluster.kubectl_with_input(&["apply", "-f", "-"], stage)?.ok()?;
    Ok(())
}

/// The namespace is there, and what is rendered is in Git; all else is the article's.
fn project<'c>(cluster: &'c Cluster, name: &str) -> Result<Project<'c>> {
    let project = Project::unfounded(cluster, name)?;
    let metadata = json!({ "name": name, "labels": { "kargo.akuity.io/project": "true" } });
    project.admin.create("namespace", "", json!({ "metadata": metadata }))?;
    Ok(project)
}

fn promotes(project: &Project<'_>) -> Result<()> {
    let freight = project.freight("v1")?;
    let listed = project.admin.list("stage", &project.name)?;
    for stage in ["dev", "gate", "staging"] {
        let Some(found) = listed.iter().find(|s| s["metadata"]["name"] == stage) else { continue };
        if found["spec"].get("promotionTemplate").is_some() {
            let app = App::new(project, stage, stage, Kind::Bare)?;
            app.create()?;
            project.promoted(stage, &freight)?;
            app.runs("v1")?;
        }
        project.admin.wait("freight", &project.name, &freight, "be verified", |f| {
            f["status"]["verifiedIn"][stage].is_object().then_some(())
        })?;
    }
    Ok(())
}

/// Applied once more, a manifest changes nothing.
fn again(project: &Project<'_>, article: &str, apply: &[&str]) -> Result<()> {
    let specs = || -> Result<Vec<Value>> {
        let mut all = project.admin.list("stage", &project.name)?;
        all.extend(project.admin.list("warehouse", &project.name)?);
        Ok(all
            .into_iter()
            .map(|o| json!([o["metadata"]["name"], o["metadata"]["generation"], o["spec"]]))
            .collect())
    };
    let before = specs()?;
    applied(project, article, apply)?;
    let after = specs()?;
    ensure!(before == after, "{before:#?}\nbecame\n{after:#?}");
    Ok(())
}

/// What kubectl said beside the result.
fn applied(project: &Project<'_>, name: &str, apply: &[&str]) -> Result<String> {
    let args = [apply, &["-f", "-"]].concat();
    let done = project.cluster.kubectl_with_input(&args, &article(name)?)?;
    let said = done.stderr.clone();
    done.ok()?;
    Ok(said)
}

fn article(name: &str) -> Result<String> {
    let path = Path::new(env!("CARGO_MANIFEST_DIR")).join("fixtures/articles").join(name);
    std::fs::read_to_string(&path).with_context(|| path.display().to_string())
}
