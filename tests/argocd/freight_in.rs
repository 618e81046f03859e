//! Freight in what Argo CD applies: in every kind that makes pods, at places that the user names, in the form that is asked
//! for, and told on the objects.

use anyhow::{Context as _, Result, bail, ensure};
use serde_json::{Value, json};
use wharfinger_cluster::{Cluster, Instance, Role, shared};
use wharfinger_tests::{App, IMAGE, Kind, Project};

const OTHER: &str = "ghcr.io/acme/other";
const TOOL: &str = "ghcr.io/acme/tool";

#[test]
fn images_get_where_they_are_used_and_objects_say_whose_freight_it_is() -> Result<()> {
    let cluster = shared()?.use_it()?;
    let project = Project::new(&cluster, "freight-in")?;
    project.stage("dev")?;
    subscribe(&project, &[IMAGE, OTHER])?;
    let app = App::new(&project, "web", "dev", Kind::Bare)?;
    project.commit(&[(&format!("{}/more.yaml", app.name), MORE)])?;
    let app = app.with(|spec, _| {
        spec["source"]["plugin"]["parameters"] = json!([
            { "name": "imageForm", "string": "digest" },
            { "name": "imagePaths", "array": ["ConfigMap/settings:.data['web.image']", "ConfigMap:.data.all[*]"] },
            { "name": "provenance", "string": "true" },
        ]);
    });
    app.create()?;

    let mut promoted = vec![];
    for (generation, digit) in [(1, '1'), (2, '2')] {
        let digest = format!("sha256:{}", digit.to_string().repeat(64));
        let freight = freight(&project, &digest)?;
        project.promoted("dev", &freight)?;
        let image = format!("{IMAGE}@{digest}");
        let collection = project.claim("dev")?;
        let (_, collection) = collection.split_once('-').context("a claim")?;
        let said = json!({
            "wharfinger.dev/collection": collection, "wharfinger.dev/freight": freight,
            "wharfinger.dev/generation": generation.to_string(), "wharfinger.dev/stage": "freight-in:dev",
        });
        let get = |kind: &str, name: &str| project.admin.get(kind, &project.name, name);

        let deployment = get("deployment", &app.name)?;
        let template = &deployment["spec"]["template"];
        ensure!(template["spec"]["containers"][0]["image"] == *image, "{deployment:#}");
        ensure!(template["metadata"].get("annotations").is_none(), "{deployment:#}");
        let cron = get("cronjob", "nightly")?;
        let pod = &cron["spec"]["jobTemplate"]["spec"]["template"]["spec"];
        ensure!(pod["initContainers"][0]["image"] == *image, "{cron:#}");
        ensure!(pod["containers"][0]["image"] == *format!("{TOOL}:1"), "{cron:#}");
        let settings = get("configmap", "settings")?;
        let data = json!({ "web.image": image, "text": format!("{IMAGE}:in-git") });
        ensure!(settings["data"] == data, "{settings:#}");
        let other = get("configmap", "other")?;
        ensure!(other["data"]["web.image"] == *format!("{IMAGE}:in-git"), "{other:#}");
        for object in [&deployment, &cron, &settings, &other] {
            let annotations = object["metadata"]["annotations"].as_object().context("some")?;
            let ours = annotations.iter().filter(|(name, _)| name.starts_with("wharfinger.dev/"));
            let ours: Value = ours.map(|(name, value)| (name.clone(), value.clone())).collect();
            ensure!(ours == said, "{object:#}");
        }
        // Both differ from Git in Freight alone, so Argo CD has nothing left to do.
        let sync = &app.get()?["status"]["sync"]["status"];
        ensure!(sync == "Synced", "{sync}");
        promoted.push(freight);
    }

    // What the Freight and the objects have not in common is told, and nothing is stopped by it.
    let diff = cluster.wharf(&["-p", &project.name, "diff", &promoted[0], "--to", "dev"])?;
    ensure!(diff.stderr.contains(OTHER) && diff.stderr.contains("[image-unused]"), "{diff:#?}");
    ensure!(!diff.stdout.contains("wharfinger.dev/"), "{diff:#?}");
    let told = told(&cluster, &app)?;
    ensure!(told.contains(OTHER) && told.contains("[image-unused]"), "{told}");
    ensure!(!told.contains(TOOL) && !told.contains("[image-unmanaged]"), "{told}");
    subscribe(&project, &[IMAGE, OTHER, TOOL])?;
    let told = self::told(&cluster, &app)?;
    ensure!(told.contains(TOOL) && told.contains("[image-unmanaged]"), "{told}");

    // So it is of all Applications of the Stage, from what the sidecar has rendered.
    let found = of_images(&cluster, &project)?;
    let [unused, unmanaged] = &found[..] else { bail!("{found:#?}") };
    ensure!(unused["code"] == "image-unused" && unused["state"] == "Warning", "{unused:#}");
    let text = unused["text"].as_str().context("a text")?;
    ensure!(text.contains(OTHER) && text.contains("no Application of the Stage"), "{text}");
    ensure!(unmanaged["code"] == "image-unmanaged", "{unmanaged:#}");
    ensure!(unmanaged["text"].as_str().is_some_and(|t| t.contains(TOOL)), "{unmanaged:#}");

    // Another Application may use the rest, and nothing is called unused before it was rendered.
    let second = App::new(&project, "second", "dev", Kind::Bare)?;
    let path = second.name.clone();
    let second = second.with(|spec, _| spec["source"]["path"] = format!("{path}-later").into());
    second.create()?;
    let found = of_images(&cluster, &project)?;
    let [unmanaged, unknown] = &found[..] else { bail!("{found:#?}") };
    ensure!(unmanaged["code"] == "image-unmanaged", "{unmanaged:#}");
    ensure!(unknown["code"] == "image-unused" && unknown["state"] == "Waiting", "{unknown:#}");
    ensure!(unknown["text"].as_str().is_some_and(|t| t.contains(&second.name)), "{unknown:#}");

    let pod = format!(
        "apiVersion: v1\nkind: Pod\nmetadata: {{name: second}}\nspec: {{containers: [{{name: a, image: '{OTHER}:in-git'}}]}}\n"
    );
    project.commit(&[(&format!("{path}-later/pod.yaml"), &pod)])?;
    second.merge(
        &json!({ "metadata": { "annotations": { "argocd.argoproj.io/refresh": "hard" } } }),
    )?;
    cluster.until("the doctor finds that all images are used", || {
        let found = of_images(&cluster, &project)?;
        let codes: Vec<&Value> = found.iter().map(|check| &check["code"]).collect();
        ensure!(codes == ["image-unmanaged"], "{found:#?}");
        Ok(())
    })
}

#[test]
fn expressions_are_evaluated_before_helm_runs() -> Result<()> {
    let cluster = shared()?.use_it()?;
    let project = Project::new(&cluster, "expressions")?;
    project.stage("dev")?;
    let app = App::new(&project, "web", "dev", Kind::Helm)?;
    let settings = format!("{}/templates/settings.yaml", app.name);
    project.commit(&[(&settings, SETTINGS)])?;
    let tag = format!("${{{{ imageFrom('{IMAGE}').Tag }}}}");
    let app = app.with(|spec, _| {
        let values = format!("args: [\"--version={tag}\"]\ncount: ${{{{ 1 + 1 }}}}\ntag: {tag}\n");
        spec["source"]["plugin"]["parameters"] = json!([
            { "name": "values", "string": values },
            { "name": "parameters", "map": { "set": format!("$ARGOCD_APP_NAME-{tag}") } },
        ]);
    });
    app.create()?;
    for version in ["1.10", "1.20"] {
        let freight = project.freight(version)?;
        project.promoted("dev", &freight)?;
        let settings = project.admin.get("configmap", &project.name, "settings")?;
        let expected = json!({
            "args": format!("--version={version}"), "count": "int64 2", "tag": format!("string {version}"),
            "set": format!("{}-{version}", app.name),
        });
        ensure!(settings["data"] == expected, "{settings:#}");
    }
    let printed = cluster.wharf(&["render", "--app", &app.name])?;
    ensure!(printed.stdout.contains("--version=1.20"), "{printed:#?}");

    // What goes wrong is told where Argo CD tells it, and nothing else is deployed.
    app.merge(&json!({ "spec": { "source": { "plugin": { "parameters": [
        { "name": "values", "string": "tag: ${{ imageFrom('ghcr.io/acme/nope').Tag }}" },
    ] } } } }))?;
    let error = app.comparison_error()?;
    ensure!(error.contains("\"values\".tag: nil has no such member"), "{error}");
    let settings = project.admin.get("configmap", &project.name, "settings")?;
    ensure!(settings["data"]["args"] == "--version=1.20", "{settings:#}");
    Ok(())
}

const SETTINGS: &str = "apiVersion: v1
kind: ConfigMap
metadata: {name: settings}
data:
  args: {{ first .Values.args | quote }}
  count: {{ printf \"%T %v\" (int64 .Values.count) .Values.count | quote }}
  tag: {{ printf \"%T %v\" .Values.tag .Values.tag | quote }}
  set: {{ .Values.set | quote }}
";

const MORE: &str = "apiVersion: v1
kind: List
items:
- apiVersion: batch/v1
  kind: CronJob
  metadata: {name: nightly}
  spec:
    schedule: 0 3 * * *
    suspend: true
    jobTemplate:
      spec:
        template:
          spec:
            restartPolicy: Never
            initContainers: [{name: web, image: 'ghcr.io/acme/web:in-git'}]
            containers: [{name: tool, image: 'ghcr.io/acme/tool:1'}]
- apiVersion: v1
  kind: ConfigMap
  metadata: {name: settings, annotations: {wharfinger.dev/stage: forged}}
  data: {web.image: 'ghcr.io/acme/web:in-git', text: 'ghcr.io/acme/web:in-git'}
- apiVersion: v1
  kind: ConfigMap
  metadata: {name: other}
  data: {web.image: 'ghcr.io/acme/web:in-git'}
";

fn subscribe(project: &Project<'_>, images: &[&str]) -> Result<()> {
    let image = |repo: &&str| json!({ "image": { "repoURL": repo } });
    let subscriptions: Vec<_> = images.iter().map(image).collect();
    let patch = json!({ "spec": { "subscriptions": subscriptions } });
    project.admin.merge("warehouse", &project.name, "main", &patch)?;
    Ok(())
}

fn freight(project: &Project<'_>, digest: &str) -> Result<String> {
    let image = |repo: &str| json!({ "repoURL": repo, "tag": "v1", "digest": digest });
    let freight = json!({
        "metadata": { "generateName": "freight-" },
        "origin": { "kind": "Warehouse", "name": "main" }, "images": [image(IMAGE), image(OTHER)],
    });
    let made = project.admin.create("freight", &project.name, freight)?;
    Ok(made["metadata"]["name"].as_str().context("a name")?.to_owned())
}

/// What `wharf render` says on stderr.
fn told(cluster: &Cluster, app: &App<'_>) -> Result<String> {
    let out = cluster.wharf(&["render", "--app", &app.name])?;
    ensure!(out.success() && out.stdout.contains(IMAGE), "{out:#?}");
    Ok(out.stderr)
}

/// What the doctor says of the images of the Project's Stages.
fn of_images(cluster: &Cluster, project: &Project<'_>) -> Result<Vec<Value>> {
    let port = cluster.process(Role::Sidecar(Instance::First))?.port("admin")?;
    let url = format!("http://127.0.0.1:{port}");
    let report = cluster.wharf(&["doctor", "--only", "plugin", "--sidecar", &url, "-o", "json"])?;
    let report: Value =
        serde_json::from_str(&report.stdout).with_context(|| format!("{report:?}"))?;
    let checks = report["checks"].as_array().context("checks")?;
    let stage = format!("{}:dev", project.name);
    let about = |check: &&Value| {
        let code = check["code"].as_str().unwrap_or_default();
        code.starts_with("image-") && check["text"].as_str().is_some_and(|t| t.contains(&stage))
    };
    Ok(checks.iter().filter(about).cloned().collect())
}
