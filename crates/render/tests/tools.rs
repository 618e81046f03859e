//! With the real Helm and Kustomize, which `hack/build-parts` brings. Where they are missing, these tests fail.

#![expect(clippy::unwrap_used, reason = "a test")]

#[path = "tools/dependencies.rs"]
mod dependencies;
#[path = "tools/order.rs"]
mod order;

use std::fs::{self, Permissions};
use std::os::unix::fs::PermissionsExt as _;
use std::path::PathBuf;
use std::process::Stdio;
use std::sync::Arc;
use std::time::Duration;

use tempfile::TempDir;
use tokio::time::{Instant, sleep, timeout};
use wharfinger_api::v1alpha1::Image;
use wharfinger_render::{
    Base, Charts, Files, Images, Inputs, Kind, Options, RenderError, Renderer, Target, Tools,
};

const LONG: Duration = Duration::from_secs(60);

/// The folder of the parts.
#[expect(clippy::disallowed_methods, reason = "a test asks where its tools are")]
fn parts() -> PathBuf {
    let script = concat!(env!("CARGO_MANIFEST_DIR"), "/../../hack/build-parts");
    let out = std::process::Command::new(script)
        .arg("--where")
        .stderr(Stdio::inherit())
        .output()
        .unwrap();
    String::from_utf8(out.stdout).unwrap().trim().into()
}

async fn renderer() -> Renderer {
    let parts = parts();
    for tool in ["helm", "kustomize"] {
        assert!(
            parts.join(tool).is_file(),
            "{tool} is missing in {}: run hack/build-parts",
            parts.display()
        );
    }
    Renderer::new(Tools::find(parts.as_os_str()).await, 1 << 20)
}

fn inputs(folder: &str) -> Inputs {
    let target = Target {
        name: "web".into(),
        namespace: "shop".into(),
        kube_version: "1.36.3".into(),
        api_versions: vec!["v1".into(), "monitoring.coreos.com/v1".into()],
    };
    Inputs { folder: folder.into(), target, ..Inputs::default() }
}

async fn base(
    renderer: &Renderer,
    inputs: &Inputs,
    files: &[(&str, &str)],
) -> Result<Arc<Base>, RenderError> {
    let files = files.iter().copied().collect();
    let made = renderer.base(inputs, files, None, Instant::now() + LONG).await?;
    Ok(made.base)
}

fn freight() -> Images {
    let image = Image {
        repo_url: "docker.io/shop/web".into(),
        tag: "2".into(),
        digest: format!("sha256:{}", "1".repeat(64)),
        ..Image::default()
    };
    [&image].into_iter().collect()
}

const DEPLOYMENT: &str = "apiVersion: apps/v1
kind: Deployment
metadata:
  name: web
spec:
  selector: {matchLabels: {app: web}}
  template:
    metadata: {labels: {app: web}}
    spec:
      containers:
      - {name: web, image: 'shop/web:1'}
      - {name: proxy, image: 'envoy:1'}
";

/// An overlay on a base beside it.
const OVERLAY: [(&str, &str); 4] = [
    ("base/kustomization.yaml", "resources: [deployment.yaml]\n"),
    ("base/deployment.yaml", DEPLOYMENT),
    (
        "overlays/dev/kustomization.yml",
        "resources: [../../base]\nnamePrefix: dev-\nconfigMapGenerator: [{name: map, literals: [a=1]}]\n",
    ),
    ("README.md", "x"),
];

const CHART: [(&str, &str); 5] = [
    ("chart/Chart.yaml", "apiVersion: v2\nname: web\nversion: 1.0.0\n"),
    ("chart/values.yaml", "tag: '1'\nreplicas: 1\n"),
    (
        "chart/crds/crd.yaml",
        "apiVersion: apiextensions.k8s.io/v1\nkind: CustomResourceDefinition\nmetadata: {name: xs.example.com}\n",
    ),
    (
        "chart/templates/pod.yaml",
        "apiVersion: v1
kind: Pod
metadata:
  name: {{ .Release.Name }}
  namespace: {{ .Release.Namespace }}
  annotations:
    kube: {{ .Capabilities.KubeVersion.Version | quote }}
    monitoring: {{ .Capabilities.APIVersions.Has \"monitoring.coreos.com/v1\" | quote }}
    replicas: {{ .Values.replicas | quote }}
    list: {{ .Values.list | default \"-\" | quote }}
spec:
  containers:
  - {name: web, image: 'docker.io/shop/web:{{ .Values.tag }}'}
",
    ),
    ("envs/dev.yaml", "replicas: 2\n"),
];

#[tokio::test]
async fn kustomize_builds_on_a_base_beside_the_folder() {
    let renderer = renderer().await;
    let base = base(&renderer, &inputs("overlays/dev"), &OVERLAY).await.unwrap();
    assert_eq!(base.kind(), Kind::Kustomize);
    let digest = "1".repeat(64);
    let deployment = format!(
        r#"{{"apiVersion":"apps/v1","kind":"Deployment","metadata":{{"name":"dev-web"}},"spec":{{"selector":{{"matchLabels":{{"app":"web"}}}},"template":{{"metadata":{{"labels":{{"app":"web"}}}},"spec":{{"containers":[{{"image":"shop/web:2@sha256:{digest}","name":"web"}},{{"image":"envoy:1","name":"proxy"}}]}}}}}}}}"#
    );
    let rendered = base.with(&freight()).unwrap();
    assert_eq!(rendered[1..], [deployment]);
    // The rest of the name is a hash of Kustomize's.
    assert!(rendered[0].starts_with(
        r#"{"apiVersion":"v1","data":{"a":"1"},"kind":"ConfigMap","metadata":{"name":"dev-map-"#
    ));
    let plain = base.with(&Images::default()).unwrap();
    assert!(plain[1].contains(r#""image":"shop/web:1""#));
}

#[tokio::test]
async fn helm_gets_what_argo_cd_gives_it() {
    let renderer = renderer().await;
    let pod = |tag: &str, name: &str, replicas: &str, list: &str| {
        format!(
            r#"{{"apiVersion":"v1","kind":"Pod","metadata":{{"name":"{name}","namespace":"shop","annotations":{{"kube":"v1.36.3","monitoring":"true","replicas":"{replicas}","list":"{list}"}}}},"spec":{{"containers":[{{"name":"web","image":"docker.io/shop/web:{tag}"}}]}}}}"#
        )
    };
    let crd = r#"{"apiVersion":"apiextensions.k8s.io/v1","kind":"CustomResourceDefinition","metadata":{"name":"xs.example.com"}}"#;
    let default = base(&renderer, &inputs("chart"), &CHART).await.unwrap();
    assert_eq!(
        default.with(&Images::default()).unwrap(),
        [crd.to_owned(), pod("1", "web", "1", "-")]
    );
    let promoted = format!("2@sha256:{}", "1".repeat(64));
    assert_eq!(default.with(&freight()).unwrap()[1], pod(&promoted, "web", "1", "-"));

    let mut all = inputs("chart");
    all.options = Options::parse(
        r#"[{"name":"releaseName","string":"other"},{"name":"valueFiles","array":["../envs/dev.yaml"]},
            {"name":"values","string":"tag: v"},{"name":"parameters","map":{"list":"a,b"}}]"#,
    )
    .unwrap();
    let tuned = base(&renderer, &all, &CHART).await.unwrap();
    assert_eq!(tuned.with(&Images::default()).unwrap()[1], pod("v", "other", "2", "a,b"));
    assert_eq!(renderer.kept().0, 2);
    // Another file elsewhere is no part of the chart.
    base(&renderer, &inputs("chart"), &[&CHART[..], &[("elsewhere", "x")]].concat()).await.unwrap();
    assert_eq!(renderer.kept().0, 2);
}

#[tokio::test]
async fn a_dependency_may_lie_beside_the_chart() {
    let renderer = renderer().await;
    let chart = |dependency: &str| {
        format!("apiVersion: v2\nname: web\nversion: 1.0.0\ndependencies: [{dependency}]\n")
    };
    let map = "apiVersion: v1\nkind: ConfigMap\nmetadata: {name: of-lib}\n";
    let lib = [
        ("lib/Chart.yaml", "apiVersion: v2\nname: lib\nversion: 1.0.0\n"),
        ("lib/templates/map.yaml", map),
    ];
    let beside = chart("{name: lib, version: '>=1', repository: 'file://../lib'}");
    let files = [&lib[..], &[("web/Chart.yaml", beside.as_str())]].concat();
    let found = base(&renderer, &inputs("web"), &files).await.unwrap();
    assert!(found.with(&Images::default()).unwrap()[0].contains("of-lib"));
}

#[tokio::test]
async fn build_options_reach_kustomize() {
    let renderer = renderer().await;
    let first = async |order: &str| {
        let parameters = format!(r#"[{{"name":"buildOptions","string":"--reorder {order}"}}]"#);
        let inputs =
            Inputs { options: Options::parse(&parameters).unwrap(), ..inputs("overlays/dev") };
        let found = base(&renderer, &inputs, &OVERLAY).await.unwrap();
        found.with(&Images::default()).unwrap().remove(0)
    };
    assert!(first("none").await.contains("Deployment"));
    assert!(first("legacy").await.contains("ConfigMap"));
}

#[tokio::test]
async fn a_chart_may_be_the_root() {
    let renderer = renderer().await;
    let files: Vec<_> = CHART
        .iter()
        .filter_map(|(name, text)| Some((name.strip_prefix("chart/")?, *text)))
        .collect();
    assert_eq!(
        base(&renderer, &inputs(""), &files).await.unwrap().with(&Images::default()).unwrap().len(),
        2
    );
}

#[tokio::test]
async fn of_two_versions_that_lie_there_helm_renders_that_of_the_freight() {
    const MAP: &str = "apiVersion: v1\nkind: ConfigMap\nmetadata: {name: {{ .Chart.Name }}}\ndata: {version: {{ .Chart.Version }}}\n";
    let renderer = renderer().await;
    let files = [
        (
            "app/Chart.yaml",
            "apiVersion: v2\nname: umbrella\nversion: 0.1.0\ndependencies: [{name: web, version: 1.x, repository: 'oci://127.0.0.1:1/charts', alias: front}]",
        ),
        ("app/charts/a/Chart.yaml", "apiVersion: v2\nname: web\nversion: 1.1.0"),
        ("app/charts/a/templates/map.yaml", MAP),
        ("app/charts/b/Chart.yaml", "apiVersion: v2\nname: web\nversion: 1.2.0"),
        ("app/charts/b/templates/map.yaml", MAP),
        ("app/charts/c/Chart.yaml", "apiVersion: v2\nname: web\nversion: 2.0.0"),
        ("app/charts/c/templates/map.yaml", MAP),
    ];
    let rendered = async |version: &str| {
        let chart =
            serde_json::json!({ "repoURL": "oci://127.0.0.1:1/charts/web", "version": version });
        let items =
            serde_json::json!({ "items": { "Warehouse/w": { "name": "f", "charts": [chart] } } });
        let charts = Charts::of(&serde_json::from_value(items).unwrap());
        let inputs = Inputs { charts, ..inputs("app") };
        let base = base(&renderer, &inputs, &files).await;
        base.map(|base| base.with(&Images::default()).unwrap()).map_err(|e| e.to_string())
    };
    for version in ["1.1.0", "1.2.0", "2.0.0"] {
        let map = format!(
            r#"{{"apiVersion":"v1","kind":"ConfigMap","metadata":{{"name":"front"}},"data":{{"version":"{version}"}}}}"#
        );
        assert_eq!(rendered(version).await, Ok(vec![map]));
    }
    let error = rendered("1.3.0").await.unwrap_err();
    assert!(error.contains("can't fetch web of oci://127.0.0.1:1/charts"), "{error}");
}

#[tokio::test]
async fn what_a_tool_refuses_is_told_in_its_words_and_the_same_every_time() {
    let renderer = renderer().await;
    let check = async |folder: &str, files: &[(&str, &str)], parts: &[&str]| {
        let first = base(&renderer, &inputs(folder), files).await.unwrap_err().to_string();
        let second = base(&renderer, &inputs(folder), files).await.unwrap_err().to_string();
        assert_eq!(first, second);
        for part in parts {
            assert!(first.contains(part), "{first}");
        }
        assert!(!first.contains("/tmp") && !first.contains("wharfinger-"), "{first}");
    };
    check(
        "a",
        &[
            ("a/kustomization.yaml", "resources: [x.yaml]\npatches: [{path: gone.yaml}]"),
            ("a/x.yaml", DEPLOYMENT),
        ],
        &["kustomize failed: ", "gone.yaml"],
    )
    .await;
    check(
        "a",
        &[("a/kustomization.yaml", "resorces: [x.yaml]")],
        &["kustomize failed: ", "resorces"],
    )
    .await;
    check(
        "a",
        &[("a/kustomization.yaml", "resources: []")],
        &["rendered no objects: a Kustomize folder"],
    )
    .await;
    check(
        "c",
        &[
            ("c/Chart.yaml", "apiVersion: v2\nname: c\nversion: 1.0.0"),
            ("c/templates/x.yaml", "{{ fail \"no way\" }}"),
        ],
        &["helm failed: ", "no way"],
    )
    .await;
    check(
        "c",
        &[
            ("c/Chart.yaml", "apiVersion: v2\nname: c\nversion: 1.0.0"),
            ("c/templates/x.yaml", "kind: Y"),
        ],
        &["output of helm, c/templates/x.yaml: the object has no apiVersion"],
    )
    .await;
    check(
        "c",
        &[("c/Chart.yaml", "apiVersion: v2\nname: c\nversion: 1.0.0")],
        &["rendered no objects: a Helm chart"],
    )
    .await;
}

#[tokio::test]
async fn what_a_tool_says_has_no_value_in_it() {
    const SECRET: &str =
        "apiVersion: v1\nkind: Secret\nmetadata: {name: s}\nstringData: {password: x}\n";
    let renderer = renderer().await;
    let check = async |inputs: &Inputs, files: &[(&str, &str)], part: &str| {
        let error = base(&renderer, inputs, files).await.unwrap_err();
        assert!(matches!(error, RenderError::Tool { .. }), "{error}");
        let error = error.to_string();
        assert!(error.contains(part) && !error.contains("unter"), "{error}");
    };
    for (kustomization, part) in [
        ("secretGenerator: [{name: s, literals: [hunter2]}]", "expected key=value"),
        (
            "secretGenerator: [{name: s, literals: [a=hunter2]}, {name: s, literals: [a=hunter2]}]",
            "behavior must be",
        ),
        (
            "resources: [s.yaml]\npatches: [{target: {kind: Secret}, patch: 'stringData: {password: hunter2'}]",
            "unable to parse",
        ),
        (
            "resources: [s.yaml]\npatches: [{patch: '- {op: add, path: /stringData/a, value: hunter2}'}]",
            "must specify a target",
        ),
        (
            "resources: [s.yaml]\npatches: [{path: s.yaml, patch: 'a: hunter2'}]",
            "can't be set at the same time",
        ),
        (
            "resources: [s.yaml]\npatchesStrategicMerge: ['stringData: {a: hunter2']",
            "PatchStrategicMergeTransformer",
        ),
        (
            "resources: [s.yaml]\ntransformers: [\"apiVersion: builtin\\nkind: PatchTransformer\\nmetadata: {name: t}\\npatch: 'a: {hunter2'\"]",
            "unable to parse",
        ),
        ("resources: [broken.yaml]", "unknown anchor"),
    ] {
        let files = [
            ("a/kustomization.yaml", kustomization),
            ("a/s.yaml", SECRET),
            ("a/broken.yaml", "kind: Secret\nstringData: {password: *hunter2}\n"),
        ];
        check(&inputs("a"), &files, part).await;
    }
    for (template, part) in [
        ("{{ range .Values.password }}{{ end }}", "can't iterate over"),
        ("{{ tpl .Values.open . }}", "error calling tpl"),
        ("{{ tpl .Values.code . }}", "error calling tpl"),
        ("{{ mustToDate \"2006-01-02\" .Values.password }}", "mustToDate"),
        ("{{ mustRegexMatch .Values.regex \"a\" }}", "mustRegexMatch"),
        ("{{ urlParse .Values.url }}", "urlParse"),
        ("a: {{ .Values.password }}\n b: *hunter2", "YAML parse error on c/templates/x.yaml"),
    ] {
        let files = [
            ("c/Chart.yaml", "apiVersion: v2\nname: c\nversion: 1.0.0"),
            (
                "c/values.yaml",
                "password: hunter2\nopen: 'hunter2 {{'\ncode: 'hunter2 {{ range 1.5 }}{{ end }}'\nregex: 'hunter2('\nurl: 'https://u:hunter2@x:y'\n",
            ),
            ("c/templates/x.yaml", template),
        ];
        check(&inputs("c"), &files, part).await;
    }
    let schema = r#"{"properties": {"password": {"pattern": "^x"}, "pin": {"maximum": 1}}}"#;
    let files = [
        ("c/Chart.yaml", "apiVersion: v2\nname: c\nversion: 1.0.0"),
        ("c/values.schema.json", schema),
    ];
    let options = r#"[{"name":"parameters","map":{"password":"hunter2"}}]"#;
    let options = Options::parse(options).unwrap();
    check(&Inputs { options, ..inputs("c") }, &files, "at '/password'").await;
    let options = r#"[{"name":"values","string":"hunter2"}]"#;
    let options = Options::parse(options).unwrap();
    check(&Inputs { options, ..inputs("c") }, &files, "cannot unmarshal").await;
}

#[tokio::test]
async fn a_tool_has_no_way_out() {
    let renderer = renderer().await;
    // Kustomize reads the path of a transformer's configuration, which no list of fields can foresee.
    let files = [
        ("a/kustomization.yaml", "resources: [x.yaml]\ntransformers: [t.yaml]"),
        ("a/x.yaml", DEPLOYMENT),
        (
            "a/t.yaml",
            "apiVersion: builtin\nkind: PatchTransformer\nmetadata: {name: t}\npath: http://192.0.2.1/patch.yaml\n",
        ),
    ];
    let begun = Instant::now();
    let error = base(&renderer, &inputs("a"), &files).await.unwrap_err().to_string();
    assert!(error.contains("192.0.2.1") && begun.elapsed() < Duration::from_secs(20), "{error}");
    let escape = [
        (
            "a/kustomization.yaml",
            "resources: [x.yaml]\nconfigMapGenerator: [{name: m, files: [../../../../../../../../etc/passwd]}]",
        ),
        ("a/x.yaml", DEPLOYMENT),
    ];
    let error = base(&renderer, &inputs("a"), &escape).await.unwrap_err().to_string();
    assert!(error.starts_with("kustomize failed") && !error.contains("root:"), "{error}");
}

#[tokio::test]
async fn a_transformer_runs_no_program() {
    let renderer = renderer().await;
    let outside = TempDir::new().unwrap();
    let (program, mark) = (outside.path().join("run"), outside.path().join("mark"));
    fs::write(&program, format!("#!/bin/sh\necho ran > {}\ncat\n", mark.display())).unwrap();
    fs::set_permissions(&program, Permissions::from_mode(0o755)).unwrap();
    for function in [
        format!("exec: {{path: {}}}", program.display()),
        "container: {image: example.com/function}".to_owned(),
        format!("starlark: {{path: {}}}", program.display()),
    ] {
        let transformer = format!(
            "apiVersion: example.com/v1\nkind: Run\nmetadata:\n  name: run\n  annotations:\n    config.kubernetes.io/function: |\n      {function}\n"
        );
        let files = [
            ("a/kustomization.yaml", "resources: [x.yaml]\ntransformers: [run.yaml]"),
            ("a/x.yaml", DEPLOYMENT),
            ("a/run.yaml", &transformer),
        ];
        let error = base(&renderer, &inputs("a"), &files).await.unwrap_err().to_string();
        assert!(error.starts_with("kustomize failed: "), "{error}");
        assert!(!mark.exists(), "{function} ran");
    }
}

#[tokio::test]
async fn a_deadline_ends_a_tool() {
    let renderer = renderer().await;
    // A template that is busy for hours.
    let busy = "{{- range until 100000 }}{{- range until 100000 }}{{- range until 100000 }}{{- end }}{{- end }}{{- end }}";
    let files: Files =
        [("c/Chart.yaml", "apiVersion: v2\nname: c\nversion: 1.0.0"), ("c/templates/x.yaml", busy)]
            .into_iter()
            .collect();
    let late = renderer
        .base(&inputs("c"), files.clone(), None, Instant::now() + Duration::from_secs(1))
        .await;
    assert_eq!(late, Err(RenderError::Deadline));
    let gone = timeout(
        Duration::from_millis(500),
        renderer.base(&inputs("c"), files, None, Instant::now() + LONG),
    )
    .await;
    assert!(gone.is_err());
    for _ in 0..100 {
        if running() == 0 {
            return;
        }
        sleep(Duration::from_millis(20)).await;
    }
    panic!("helm goes on");
}

#[tokio::test]
async fn a_tool_that_wants_too_much_memory_ends_and_says_so() {
    let hungry = "apiVersion: v1\nkind: ConfigMap\nmetadata: {name: {{ repeat 900000000 \"a\" | trunc 3 }}}\n";
    let files = [
        ("c/Chart.yaml", "apiVersion: v2\nname: c\nversion: 1.0.0"),
        ("c/templates/x.yaml", hungry),
    ];
    let parts = parts();
    let tools = Tools::find(parts.as_os_str()).await.with_memory(256 << 20);
    let error = base(&Renderer::new(tools, 0), &inputs("c"), &files).await.unwrap_err();
    let text = "helm failed: it needs more memory than the 256 MiB that it may have; the sidecar's --tool-memory raises that, and its container needs as much more";
    assert_eq!(error.to_string(), text);
}

/// How many programs of the parts that are children of this process are at work on `template`.
fn running() -> usize {
    let of_ours = |entry: std::fs::DirEntry| {
        let read =
            |name: &str| std::fs::read_to_string(entry.path().join(name)).unwrap_or_default();
        read("cmdline").contains("helm\0template")
            && read("status").lines().any(|line| line == format!("PPid:\t{}", std::process::id()))
    };
    std::fs::read_dir("/proc").unwrap().flatten().map(of_ours).filter(|ours| *ours).count()
}
