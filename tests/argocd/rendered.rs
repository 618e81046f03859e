//! `wharf render` answers what the sidecar answers, byte for byte; and our program under Argo CD's own plugin server
//! answers with the same objects.

use std::fs;
use std::path::Path;

use anyhow::{Context as _, Result, ensure};
use serde_json::{Value, json};
use tempfile::TempDir;
use wharfinger_api::argocd::Application;
use wharfinger_cluster::{Instance, shared};
use wharfinger_sidecar::caller::{Call, RepoServer, dial};
use wharfinger_tests::{App, IMAGE, Kind, Project, on_runtime};

const KUBE_VERSION: &str = "1.34.0";
const API_VERSIONS: &str = "v1,apps/v1,monitoring.coreos.com/v1";
const KINDS: [(&str, Kind); 3] =
    [("plain", Kind::Bare), ("overlay", Kind::Kustomize), ("chart", Kind::Helm)];

#[test]
fn wharf_renders_what_the_sidecar_renders() -> Result<()> {
    let cluster = shared()?.use_it()?;
    let project = Project::new(&cluster, "rendered")?;
    project.stage("dev")?;
    let images =
        json!([{ "repoURL": IMAGE, "tag": "v1", "digest": format!("sha256:{}", "1".repeat(64)) }]);
    let freight = json!({
        "apiVersion": "kargo.akuity.io/v1alpha1", "kind": "Freight", "alias": "v1",
        "metadata": { "generateName": "freight-" },
        "origin": { "kind": "Warehouse", "name": "main" }, "images": images,
    });
    let made = project.admin.create("freight", &project.name, freight.clone())?;
    let name = made["metadata"]["name"].as_str().context("a name")?.to_owned();

    let mut apps = Vec::new();
    for (app, kind) in KINDS {
        let app = App::new(&project, app, "dev", kind)?;
        let files = files(&app, kind);
        let files: Vec<_> =
            files.iter().map(|(path, text)| (path.as_str(), text.as_str())).collect();
        project.commit(&files)?;
        let app = app.with(|spec, _| {
            spec["source"]["plugin"]["parameters"] = parameters(kind);
        });
        app.create()?;
        let folder = TempDir::new()?;
        for (path, text) in &files {
            let path = folder.path().join(path);
            fs::create_dir_all(path.parent().context("a folder")?)?;
            fs::write(path, text)?;
        }
        let files: Vec<_> = files.iter().map(|(a, b)| ((*a).to_owned(), (*b).to_owned())).collect();
        apps.push((app, kind, files, folder));
    }
    project.promoted("dev", &name)?;
    let stock = cluster.start_stock_plugin()?;

    for (app, kind, files, folder) in &apps {
        let object = app.get()?;
        let call = call(&object, files, &project.head()?)?;
        let socket = cluster.plugin_socket(Instance::First)?;
        let answer = on_runtime(ask(call.clone(), &socket))?;
        ensure!(answer.concat().contains(&format!("{IMAGE}:v1@sha256:1111")), "{answer:?}");
        let said = format!(r#""wharfinger.dev/freight":"{name}","wharfinger.dev/generation":"1""#);
        ensure!(answer.iter().all(|document| document.contains(&said)), "{answer:?}");
        for part in holds(app, *kind) {
            ensure!(answer.concat().contains(&part), "{part} is not in {answer:#?}");
        }
        let expected: String = answer.iter().map(|document| format!("---\n{document}\n")).collect();

        let repo = folder.path().to_str().context("a path")?;
        let target =
            ["--kube-version", KUBE_VERSION, "--api-versions", API_VERSIONS, "--repo", repo];
        let through = cluster.wharf(&[&["render", "--app", &app.name], &target[..]].concat())?;
        ensure!(
            through.success() && through.stdout == expected,
            "{through:#?}\nis not\n{expected}"
        );

        let (app_file, freight_file) =
            (folder.path().join("app.json"), folder.path().join("f.json"));
        fs::write(&app_file, object.to_string())?;
        fs::write(&freight_file, freight.to_string())?;
        let offline = [
            "render",
            "--offline",
            "--app",
            app_file.to_str().context("a path")?,
            "--freight",
            freight_file.to_str().context("a path")?,
        ];
        let offline = cluster.wharf(&[&offline[..], &target[..]].concat())?;
        ensure!(
            offline.success() && offline.stdout == expected,
            "{offline:#?}\nis not\n{expected}"
        );

        // Argo CD's server writes what it is given anew, so the bytes are its own.
        let through_stock = on_runtime(ask(call, &stock))?;
        let objects = |documents: &[String]| -> Result<Vec<Value>> {
            documents.iter().map(|document| Ok(serde_json::from_str(document)?)).collect()
        };
        let (theirs, ours) = (objects(&through_stock)?, objects(&answer)?);
        ensure!(theirs == ours, "{theirs:#?}\nis not\n{ours:#?}");
    }
    Ok(())
}

fn files(app: &App<'_>, kind: Kind) -> Vec<(String, String)> {
    let file = |path: &str, text: &str| (format!("{}/{path}", app.name), text.to_owned());
    // Named after the Application: of two that bring the same object one fails to sync.
    let odd = format!(
        "apiVersion: v1\nkind: ConfigMap\nmetadata: {{name: {}-odd}}\ndata: {{a: \"0644\", b: 'ä \"x\"'}}\n",
        app.name
    );
    match kind {
        Kind::Kustomize => vec![
            file(
                "kustomization.yaml",
                "resources: [web.yaml, odd.yaml]\nconfigMapGenerator: [{name: made, literals: [a=1]}]\n",
            ),
            file("web.yaml", &app.web()),
            file("odd.yaml", &odd),
        ],
        Kind::Helm => vec![
            file("Chart.yaml", "apiVersion: v2\nname: chart\nversion: 0.1.0\n"),
            file("values.yaml", "replicas: 2\n"),
            file(
                "templates/web.yaml",
                &app.web().replace("replicas: 2", "replicas: {{ .Values.replicas }}"),
            ),
            file(
                "templates/cluster.yaml",
                "apiVersion: v1\nkind: ConfigMap\nmetadata: {name: {{ .Release.Name }}-cluster}\ndata: {args: {{ .Values.args | quote }}, tag: {{ .Values.tag | quote }}, version: {{ .Capabilities.KubeVersion | quote }}, monitoring: {{ .Capabilities.APIVersions.Has \"monitoring.coreos.com/v1\" | quote }}, namespace: {{ .Release.Namespace }}}\n",
            ),
            file("templates/hook.yaml", &odd),
        ],
        _ => vec![
            file("web.yaml", &app.web()),
            file("odd.yaml", &odd),
            file("widgets.yaml", WIDGETS),
            file("widget.yaml", &widget(app, "in-git")),
        ],
    }
}

/// A kind that nobody but its owner knows.
const WIDGETS: &str = "apiVersion: apiextensions.k8s.io/v1
kind: CustomResourceDefinition
metadata: {name: widgets.rendered.example.com}
spec:
  group: rendered.example.com
  scope: Namespaced
  names: {kind: Widget, listKind: WidgetList, plural: widgets, singular: widget}
  versions:
  - name: v1
    served: true
    storage: true
    schema: {openAPIV3Schema: {type: object, x-kubernetes-preserve-unknown-fields: true}}
";

fn widget(app: &App<'_>, tag: &str) -> String {
    format!(
        "apiVersion: rendered.example.com/v1\nkind: Widget\nmetadata: {{name: {}}}\nspec: {{parts: [{{image: '{IMAGE}:{tag}'}}], note: '{IMAGE}:{tag}'}}\n",
        app.name
    )
}

/// What else of the Freight has to be there.
fn holds(app: &App<'_>, kind: Kind) -> Vec<String> {
    match kind {
        Kind::Kustomize => vec![r#""version":"v1""#.into()],
        Kind::Helm => {
            vec![format!(r#"{{"args":"--version=v1","#), format!(r#""tag":"{}-v1""#, app.name)]
        }
        _ => vec![format!(
            r#""spec":{{"parts":[{{"image":"{IMAGE}:v1@sha256:{}"}}],"note":"{IMAGE}:in-git"}}"#,
            "1".repeat(64)
        )],
    }
}

fn parameters(kind: Kind) -> Value {
    let tag = format!("${{{{ imageFrom(\"{IMAGE}\").Tag }}}}");
    let own = match kind {
        Kind::Kustomize => {
            vec![json!({ "name": "commonLabels", "map": { "team": "a", "version": tag } })]
        }
        Kind::Helm => vec![
            json!({ "name": "values", "string": format!("args: '--version={tag}'\n") }),
            json!({ "name": "parameters", "map": { "replicas": "3", "tag": format!("$ARGOCD_APP_NAME-{tag}") } }),
        ],
        _ => vec![
            json!({ "name": "exclude", "string": "none*" }),
            json!({ "name": "imagePaths", "array": ["Widget.rendered.example.com:.spec.parts[*].image"] }),
        ],
    };
    own.into_iter().chain([json!({ "name": "provenance", "string": "true" })]).collect()
}

/// What repo-server would send.
fn call(app: &Value, files: &[(String, String)], revision: &str) -> Result<Call> {
    let app: Application = serde_json::from_value(app.clone())?;
    let source = app.spec.source.as_ref().context("a source")?;
    let repo_server = RepoServer {
        namespace: "argocd",
        revision,
        kube_version: KUBE_VERSION,
        api_versions: API_VERSIONS,
    };
    let env = repo_server.environment(&app, source);
    let files: Vec<_> = files.iter().map(|(name, text)| (name.as_str(), text)).collect();
    Ok(Call { path: source.text("path").into(), env, ..Call::new(&files)? })
}

async fn ask(call: Call, socket: &Path) -> Result<Vec<String>> {
    Ok(dial(socket).await?.generate_manifest(call.request()).await?.into_inner().manifests)
}
