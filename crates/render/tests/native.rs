//! What Argo CD renders of a native source, the plugin renders of the adopted one: for each option there is, with the real
//! Helm and Kustomize. Each option must also change something, or the comparison proves nothing.

#![expect(clippy::unwrap_used, reason = "a test")]

use std::path::PathBuf;
use std::process::Stdio;
use std::time::Duration;

use serde_json::{Value, json};
use tokio::time::Instant;
use wharfinger_api::argocd::Source;
use wharfinger_render::{
    Files, Images, Inputs, Native, Options, Renderer, Target, Tools, Variables, adopt,
};

const LONG: Duration = Duration::from_secs(60);

const FILES: [(&str, &str); 16] = [
    (
        "overlay/kustomization.yaml",
        "resources: [web.yaml]\ncommonAnnotations: {there: before}\ncommonLabels: {there: before}\n",
    ),
    (
        "overlay/web.yaml",
        "apiVersion: apps/v1
kind: Deployment
metadata: {name: web}
spec:
  replicas: 1
  selector: {matchLabels: {app: web}}
  template:
    metadata: {labels: {app: web}}
    spec: {containers: [{name: web, image: 'shop/web:1'}]}
",
    ),
    (
        "overlay/patch.yaml",
        "apiVersion: apps/v1\nkind: Deployment\nmetadata: {name: web, labels: {patched: 'yes'}}\n",
    ),
    (
        "component/kustomization.yaml",
        "apiVersion: kustomize.config.k8s.io/v1alpha1\nkind: Component\nnameSuffix: -by-component\n",
    ),
    ("chart/Chart.yaml", "apiVersion: v2\nname: web\nversion: 1.0.0\n"),
    ("chart/values.yaml", "a: {b: none}\n"),
    ("chart/values.schema.json", r#"{"properties": {"strict": {"type": "string"}}}"#),
    (
        "chart/crds/crd.yaml",
        "apiVersion: apiextensions.k8s.io/v1\nkind: CustomResourceDefinition\nmetadata: {name: xs.example.com}\n",
    ),
    (
        "chart/templates/tests/t.yaml",
        "apiVersion: v1\nkind: Pod\nmetadata: {name: t, annotations: {helm.sh/hook: test}}\n",
    ),
    (
        "chart/templates/map.yaml",
        "apiVersion: v1
kind: ConfigMap
metadata: {name: {{ .Release.Name }}, namespace: {{ .Release.Namespace }}}
data:
  all: {{ .Values | toJson | quote }}
  kube: {{ .Capabilities.KubeVersion.Version | quote }}
  monitoring: {{ .Capabilities.APIVersions.Has \"monitoring.coreos.com/v1\" | quote }}
",
    ),
    ("chart/one.yaml", "a: {b: one}\n"),
    ("shared/two.yaml", "a: {b: two}\n"),
    ("plain/a.yaml", "apiVersion: v1\nkind: ConfigMap\nmetadata: {name: a}\n"),
    ("plain/b.json", r#"{"apiVersion": "v1", "kind": "ConfigMap", "metadata": {"name": "b"}}"#),
    ("plain/deep/c.yaml", "apiVersion: v1\nkind: ConfigMap\nmetadata: {name: c}\n"),
    ("README.md", "x"),
];

#[tokio::test]
async fn kustomize_options_mean_the_same() {
    let without = check("overlay", json!({})).await;
    let labels = json!({ "team": "a" });
    for options in [
        json!({ "namePrefix": "a-" }),
        json!({ "nameSuffix": "-b" }),
        json!({ "namespace": "other" }),
        json!({ "images": ["shop/web=ghcr.io/acme/web:2", "db:1"] }),
        json!({ "images": [format!("shop/web:2@sha256:{}", "1".repeat(64))] }),
        json!({ "replicas": [{ "name": "web", "count": 3 }] }),
        json!({ "commonLabels": labels }),
        json!({ "commonLabels": labels, "labelWithoutSelector": true }),
        json!({ "commonLabels": labels, "labelWithoutSelector": true, "labelIncludeTemplates": true }),
        json!({ "commonLabels": { "there": "after" }, "forceCommonLabels": true }),
        json!({ "commonAnnotations": { "note": "with: a colon" } }),
        json!({ "commonAnnotations": { "there": "after" }, "forceCommonAnnotations": true }),
        json!({ "commonAnnotations": { "a": "$ARGOCD_APP_NAME" }, "commonAnnotationsEnvsubst": true }),
        json!({ "commonLabels": { "a": "${ARGOCD_APP_NAME}-$$" } , "images": ["shop/web:$ARGOCD_APP_REVISION"] }),
        json!({ "patches": [{ "patch": "- {op: replace, path: /spec/replicas, value: 4}", "target": { "kind": "Deployment" } }] }),
        json!({ "components": ["../component"], "patches": [{ "path": "../overlay/patch.yaml" }] }),
        json!({ "components": ["../component", "../gone"], "ignoreMissingComponents": true }),
    ] {
        let with = check("overlay", json!({ "kustomize": options })).await;
        assert_ne!(with, without, "{options}");
    }
}

#[tokio::test]
async fn helm_options_mean_the_same() {
    let without = check("chart", json!({})).await;
    for options in [
        json!({ "releaseName": "other" }),
        json!({ "valueFiles": ["one.yaml"] }),
        json!({ "valueFiles": ["one.yaml", "../shared/two.yaml"] }),
        json!({ "valueFiles": ["/shared/two.yaml", "gone.yaml"], "ignoreMissingValueFiles": true }),
        json!({ "values": "a: {b: text}\n", "valueFiles": ["one.yaml"] }),
        json!({ "valuesObject": { "a": { "b": [1, 1.5, true, null, "x"] } }, "values": "a: {b: not this}" }),
        json!({ "parameters": [{ "name": "a.b", "value": "1,2" }, { "name": "c", "value": "{x,y}" }] }),
        json!({ "parameters": [{ "name": "a.b", "value": "17", "forceString": true }], "values": "a: {b: text}" }),
        json!({ "valueFiles": ["*e.yaml", "/shared/**/*.yaml"] }),
        json!({ "valueFiles": ["/shared/*.yaml", "$ARGOCD_APP_NAME/../one.yaml", "/shared/two.yaml"] }),
        json!({ "fileParameters": [{ "name": "f", "path": "../README.md" }, { "name": "g.h", "path": "/shared/two.yaml" }] }),
        json!({ "parameters": [{ "name": "a.b", "value": "$ARGOCD_APP_NAME$NOTHING$$" }] }),
        json!({ "skipCrds": true }),
        json!({ "skipTests": true }),
        json!({ "skipSchemaValidation": true, "values": "strict: 1" }),
        json!({ "namespace": "other" }),
        json!({ "kubeVersion": "1.30.0" }),
        json!({ "apiVersions": ["v1", "x/v1"] }),
    ] {
        let with = check("chart", json!({ "helm": options })).await;
        assert_ne!(with, without, "{options}");
    }
}

#[tokio::test]
async fn directory_options_mean_the_same() {
    let without = check("plain", json!({})).await;
    for (options, names) in [
        (json!({ "recurse": true }), &["a", "b", "c"][..]),
        (json!({ "recurse": true, "exclude": "*c.yaml" }), &["a", "b"]),
        (json!({ "recurse": true, "include": "{a,deep/c}.yaml" }), &["a", "c"]),
        (json!({ "include": "*.json" }), &["b"]),
    ] {
        let with = check("plain", json!({ "directory": options })).await;
        let found: Vec<_> = with.iter().filter_map(|o| o["metadata"]["name"].as_str()).collect();
        assert_eq!(found, names, "{options}");
        assert!(with != without || names == ["a", "b"], "{options}");
    }
}

/// Renders both ways, and returns what both say.
async fn check(folder: &str, options: Value) -> Vec<Value> {
    let renderer = renderer().await;
    let mut source = json!({ "repoURL": "https://git.example/shop.git", "path": folder });
    source.as_object_mut().unwrap().extend(options.as_object().unwrap().clone());
    let source: Source = serde_json::from_value(source).unwrap();
    let target = Target {
        name: "web".into(),
        namespace: "shop".into(),
        kube_version: "1.36.3".into(),
        api_versions: vec!["v1".into(), "monitoring.coreos.com/v1".into()],
    };
    let files: Files = FILES.into_iter().collect();
    let variables =
        Variables { app_name: "web".into(), revision: "0123".into(), ..Variables::default() };
    let native = Native { source: &source, folder, target: &target, variables: &variables };
    let native = renderer.native(&native, files.clone(), Instant::now() + LONG).await.unwrap();

    let adopted = adopt::adopt(&source).unwrap();
    let parameters = adopted.0["plugin"].get("parameters").cloned().unwrap_or_default();
    let options = Options::parse(&parameters.to_string()).unwrap().with(&variables);
    let inputs = Inputs { folder: folder.into(), target, options, ..Inputs::default() };
    let made = renderer.base(&inputs, files, None, Instant::now() + LONG).await.unwrap();
    let base = made.base;
    let ours = base.with(&Images::default()).unwrap();
    let ours: Vec<Value> = ours.iter().map(|text| serde_json::from_str(text).unwrap()).collect();
    assert_eq!(ours, native, "{source:?}");

    let released = adopt::release(&adopted, base.kind()).unwrap();
    assert_eq!(json!(released.0.get("path")), json!(source.0.get("path")));
    native
}

#[expect(clippy::disallowed_methods, reason = "a test asks where its tools are")]
async fn renderer() -> Renderer {
    let script = concat!(env!("CARGO_MANIFEST_DIR"), "/../../hack/build-parts");
    let mut ask = std::process::Command::new(script);
    let out = ask.arg("--where").stderr(Stdio::inherit()).output().unwrap();
    let parts: PathBuf = String::from_utf8(out.stdout).unwrap().trim().into();
    assert!(parts.join("helm").is_file(), "helm is missing: run hack/build-parts");
    Renderer::new(Tools::find(parts.as_os_str()).await, 0)
}
