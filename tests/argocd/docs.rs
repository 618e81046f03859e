//! The examples of the documentation, run as they stand.

use std::{fs, path::Path};

use anyhow::{Context as _, Result, ensure};
use serde_json::{Value, json};
use wharfinger_cluster::shared;
use wharfinger_tests::{App, Kind, Kubernetes, Project};

#[test]
fn promote_and_roll_back() -> Result<()> {
    let cluster = shared()?.use_it()?;
    let admin = Kubernetes::admin(&cluster)?;
    let [setup, application, promotion, task] = blocks("docs/promote.md", "yaml")?;
    let create = |text: &str| -> Result<String> {
        cluster.kubectl_with_input(&["create", "-o", "name", "-f", "-"], text)?.ok()
    };

    let repository = cluster.git().create("shop")?;
    let web = "apiVersion: apps/v1
kind: Deployment
metadata: {name: web}
spec:
  selector: {matchLabels: {app: web}}
  template:
    metadata: {labels: {app: web}}
    spec: {containers: [{name: web, image: ghcr.io/acme/web}]}
";
    cluster.git().commit("shop", &[("web/web.yaml", web)], "test")?;
    create(&setup)?;
    // The page shows what makes an Application ours; the rest is any Application's.
    let application = application.replace("https://git.example/shop.git", &repository).replace(
        "metadata:\n",
        "apiVersion: argoproj.io/v1alpha1\nkind: Application\nmetadata:\n  name: shop-web\n  namespace: argocd\n",
    );
    let rest = "  project: default\n  destination: {server: https://kubernetes.default.svc, namespace: shop}\n";
    create(&format!("{application}{rest}"))?;

    let (freight, promotion) = promotion.split_once("---\n").context("two documents")?;
    let freight = create(freight)?;
    let freight = freight.trim().rsplit('/').next().unwrap_or_default().to_owned();
    let promoted = || -> Result<Value> {
        let promotion = create(&promotion.replace("<the name the Freight was given>", &freight))?;
        let promotion = promotion.trim().rsplit('/').next().unwrap_or_default();
        let ended = admin.wait("promotion", "shop", promotion, "end", |p| {
            let phase = p["status"]["phase"].as_str()?;
            (!matches!(phase, "" | "Pending" | "Running")).then(|| p.clone())
        })?;
        ensure!(ended["status"]["phase"] == "Succeeded", "{ended:#}");
        Ok(ended)
    };
    promoted()?;
    let live = admin.get("deployment", "shop", "web")?;
    let image = &live["spec"]["template"]["spec"]["containers"][0]["image"];
    ensure!(*image == "ghcr.io/acme/web:v1.2.3", "{image}");

    let (task, stage) = task.split_once("---\n").context("two documents")?;
    create(task)?;
    cluster
        .kubectl(&["patch", "stage", "dev", "-n", "shop", "--type", "merge", "-p", stage])?
        .ok()?;
    let steps = promoted()?["spec"]["steps"].clone();
    ensure!(steps[0]["as"] == "out::step-1", "{steps:#}");

    let [approval] = blocks("docs/promote.md", "sh")?;
    let approval = approval.replace("\\\n", "").replace("NAME", &freight);
    let (command, patch) = approval.split_once('\'').context("a patch in quotes")?;
    let patch = patch.trim().trim_end_matches('\'');
    let arguments = command.split_whitespace().skip(1).chain([patch]);
    cluster.kubectl(&arguments.collect::<Vec<_>>())?.ok()?;
    let approved = admin.get("freight", "shop", &freight)?["status"]["approvedFor"].clone();
    ensure!(approved["prod"]["approvedAt"].is_string(), "{approved:#}");
    Ok(())
}

#[test]
fn adopt_and_release() -> Result<()> {
    let cluster = shared()?.use_it()?;
    let project = Project::new(&cluster, "docs-adopt")?;
    project.stage("dev")?;
    project.freight("v1.2.3")?;
    let [adopt, release] = blocks("docs/adopt.md", "console")?;
    // The page's Project, Application and images are this test's.
    let app = App::new(&project, "web", "dev", Kind::Bare)?.with(|spec, annotations| {
        *annotations = json!({});
        spec["source"].as_object_mut().expect("an object").shift_remove("plugin");
    });
    let web = app.web().replace(":in-git", ":v1.2.3");
    project.commit(&[(&format!("{}/web.yaml", app.name), &web)])?;
    let app = app.auto_sync();
    app.create()?;
    app.runs("v1.2.3")?;
    for example in [adopt, release] {
        let example = example.replace("shop-web", &app.name).replace("shop:", "docs-adopt:");
        let (command, shown) = example.split_once('\n').context("a command")?;
        let args = command.strip_prefix("$ wharf ").context("wharf")?;
        let done = cluster.wharf(&args.split(' ').collect::<Vec<_>>())?;
        ensure!(done.success() && done.stdout.starts_with(shown), "{done:#?}\nis not\n{shown}");
    }
    Ok(())
}

/// The examples of a page in one language, which must be as many as the caller knows.
fn blocks<const N: usize>(page: &str, language: &str) -> Result<[String; N]> {
    let root =
        Path::new(env!("CARGO_MANIFEST_DIR")).parent().context("tests/ is in the repository")?;
    let text = fs::read_to_string(root.join(page))?;
    let opening = format!("```{language}\n");
    let blocks =
        text.split(&opening).skip(1).filter_map(|rest| Some(rest.split_once("```")?.0.to_owned()));
    let blocks: Vec<String> = blocks.collect();
    let found = blocks.len();
    <[String; N]>::try_from(blocks).ok().with_context(|| format!("{page} has {found} examples"))
}
