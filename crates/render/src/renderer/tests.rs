use std::fs::Permissions;
use std::os::unix::fs::PermissionsExt as _;
use std::time::Duration;

use tempfile::TempDir;

use super::*;
use crate::Images;

const WEB: &str =
    "apiVersion: v1\nkind: Pod\nmetadata: {name: web}\nspec: {containers: [{image: web:1}]}\n";
const MAP: &str = "apiVersion: v1\nkind: ConfigMap\nmetadata: {name: map}\ndata: {image: web:1}\n";

fn renderer() -> Renderer {
    Renderer::new(Tools::default(), 1 << 20)
}

async fn render(
    renderer: &Renderer,
    inputs: &Inputs,
    files: &[(&str, &str)],
) -> Result<Vec<String>, RenderError> {
    let deadline = Instant::now() + Duration::from_secs(10);
    renderer
        .base(inputs, files.iter().copied().collect(), None, deadline)
        .await?
        .base
        .with(&Images::default())
}

fn inputs(folder: &str) -> Inputs {
    Inputs { folder: folder.into(), ..Inputs::default() }
}

/// The names of what was rendered.
fn names(documents: &[String]) -> Vec<String> {
    let name = |d: &String| {
        serde_json::from_str::<serde_json::Value>(d).unwrap()["metadata"]["name"].to_string()
    };
    documents.iter().map(|d| name(d).trim_matches('"').to_owned()).collect()
}

#[tokio::test]
async fn a_plain_folder_is_read_as_argo_cd_reads_it() {
    let named = |name: &str| MAP.replace("name: map", &format!("name: {name}"));
    let (a, b, c, d) = (named("a"), named("b"), named("c"), named("d"));
    let json = r#"{"apiVersion": "v1", "kind": "ConfigMap", "metadata": {"name": "j"}}"#;
    let files = [
        ("app/a.yaml", a.as_str()),
        ("app/b.yml", &b),
        ("app/j.json", json),
        ("app/sub/c.yaml", &c),
        ("app2/d.yaml", &d),
        ("app/README.md", "# kind: none"),
        ("app/values.yaml", "replicas: 1\nimage: {tag: x}"),
        ("app/.argocd-source.yaml", "plugin: {}"),
        ("app/skipped.yaml", "# +argocd:skip-file-rendering\nkind: {{"),
    ];
    let renderer = renderer();
    assert_eq!(names(&render(&renderer, &inputs("app"), &files).await.unwrap()), ["a", "b", "j"]);
    let mut recurse = inputs("app");
    recurse.options.recurse = true;
    assert_eq!(names(&render(&renderer, &recurse, &files).await.unwrap()), ["a", "b", "j", "c"]);
    recurse.folder = String::new();
    assert_eq!(
        names(&render(&renderer, &recurse, &files).await.unwrap()),
        ["a", "b", "j", "c", "d"]
    );
}

#[tokio::test]
async fn what_can_not_be_rendered_says_why() {
    let check = async |files: &[(&str, &str)], part: &str| {
        let error = render(&renderer(), &inputs("app"), files).await.unwrap_err().to_string();
        assert!(error.contains(part), "{error}");
    };
    check(
        &[("app/a.yaml", MAP), ("app/b.yaml", "apiVersion: v1\nkind: X\n---\nkind: Y")],
        "b.yaml, document 2: the object has no apiVersion",
    )
    .await;
    check(&[("app/b.json", r#"{"kind": "X"}"#)], "b.json: the object has no apiVersion").await;
    for json in
        ["[]", r#"{"name": "web", "version": "1.0.0"}"#, "", "{", "\u{feff}{\"kind\": \"X\"}"]
    {
        check(&[("app/a.yaml", MAP), ("app/b.json", json)], "b.json: ").await;
    }
    check(&[("app/x.jsonnet", "{}")], "x.jsonnet is Jsonnet").await;
    check(&[("app/values.yaml", "a: 1")], "rendered no objects").await;
    check(&[("app/README.md", "")], "rendered no objects").await;
    check(&[("other/a.yaml", MAP)], "no folder \"app\"").await;
    check(&[("app/kustomization.yaml", "")], "kustomize is not installed").await;
    check(&[("app/Chart.yaml", "")], "helm is not installed").await;
}

#[tokio::test]
async fn a_base_is_made_once_for_the_same_content() {
    let renderer = renderer();
    let count = || renderer.kept().0;
    render(&renderer, &inputs("app"), &[("app/a.yaml", WEB), ("other", "1")]).await.unwrap();
    assert_eq!(count(), 1);
    // Another commit, elsewhere; another Application of the same content.
    render(&renderer, &inputs("app"), &[("app/a.yaml", WEB), ("other", "2")]).await.unwrap();
    render(&renderer, &inputs("copy"), &[("copy/a.yaml", WEB)]).await.unwrap();
    assert_eq!(count(), 1);
    render(&renderer, &inputs("app"), &[("app/a.yaml", MAP)]).await.unwrap();
    render(&renderer, &inputs("app"), &[("app/b.yaml", WEB)]).await.unwrap();
    assert_eq!(count(), 3);

    let base = async |other: &str| {
        let files = [("app/a.yaml", WEB), ("other", other)].into_iter().collect();
        let deadline = Instant::now() + Duration::from_secs(10);
        renderer.base(&inputs("app"), files, None, deadline).await.unwrap().base
    };
    assert!(Arc::ptr_eq(&base("1").await, &base("3").await));
}

#[tokio::test]
async fn nothing_that_is_kept_holds_the_files() {
    let renderer = renderer();
    let upload = bytes::Bytes::from(format!("{WEB}{}", "x".repeat(1000)));
    let mut tree = crate::files::Tree::new(crate::files::Limits::default());
    tree.file(b"app/a.yaml", upload.slice(..WEB.len())).unwrap();
    let files = tree.finish("").unwrap();
    assert!(!upload.is_unique());
    let deadline = Instant::now() + Duration::from_secs(10);
    renderer.base(&inputs("app"), files, Some(&[7; 32]), deadline).await.unwrap();
    assert!(renderer.recall(&inputs("app"), &[7; 32]).is_some());
    assert!(upload.is_unique());
}

#[tokio::test]
async fn the_same_bytes_need_not_be_unpacked_again() {
    let renderer = renderer();
    let files = || [("app/a.yaml", WEB)].into_iter().collect();
    let deadline = Instant::now() + Duration::from_secs(10);
    assert!(renderer.recall(&inputs("app"), &[7; 32]).is_none());
    let made = renderer.base(&inputs("app"), files(), Some(&[7; 32]), deadline).await.unwrap();
    assert_eq!(*made.read, Read { size: WEB.len() as u64, paths: vec!["app".into()] });
    let again = renderer.recall(&inputs("app"), &[7; 32]).unwrap();
    assert!(Arc::ptr_eq(&made.base, &again.base) && made.read == again.read);
    // The same part of another repository, or of the same one elsewhere.
    let above = Inputs { above: "teams/a".into(), ..inputs("app") };
    assert!(renderer.recall(&above, &[7; 32]).is_none());
    let above = renderer.base(&above, files(), None, deadline).await.unwrap();
    assert_eq!(above.read.paths, ["teams/a/app"]);
    let mut other = inputs("app");
    other.options.recurse = true;
    assert!(renderer.recall(&other, &[7; 32]).is_none());
    assert!(renderer.recall(&inputs("app2"), &[7; 32]).is_none());
    let held = |version: &str| {
        let chart = serde_json::json!({ "repoURL": "https://charts.example", "name": "web", "version": version });
        let items =
            serde_json::json!({ "items": { "Warehouse/w": { "name": "f", "charts": [chart] } } });
        let charts = Charts::of(&serde_json::from_value(items).unwrap());
        Inputs { charts, ..inputs("app") }
    };
    renderer.base(&held("1"), files(), Some(&[7; 32]), deadline).await.unwrap();
    assert!(renderer.recall(&held("1"), &[7; 32]).is_some());
    assert!(renderer.recall(&held("2"), &[7; 32]).is_none(), "another chart may render otherwise");
    assert!(renderer.recall(&inputs("app"), &[8; 32]).is_none());
}

/// Stand-ins for Helm and Kustomize that render a ConfigMap which is called as their version.
async fn tools(version: &str) -> (TempDir, Tools) {
    let folder = TempDir::new().unwrap();
    let script = format!(
        "#!/bin/sh\n[ $1 = version ] && echo {version} && exit\necho 'apiVersion: v1'\necho 'kind: ConfigMap'\necho 'metadata: {{name: {version}}}'\n"
    );
    for name in ["helm", "kustomize"] {
        let path = folder.path().join(name);
        std::fs::write(&path, &script).unwrap();
        std::fs::set_permissions(&path, Permissions::from_mode(0o755)).unwrap();
    }
    let tools = Tools::find(folder.path().as_os_str()).await;
    (folder, tools)
}

#[tokio::test]
async fn what_another_version_of_a_tool_has_rendered_is_rendered_anew() {
    let ((_old, old), (_new, new)) = (tools("v1").await, tools("v2").await);
    let deadline = Instant::now() + Duration::from_secs(10);
    let mut inputs = inputs("app");
    inputs.target.name = "web".into();
    for file in ["app/kustomization.yaml", "app/Chart.yaml"] {
        let files: Files = [(file, "")].into_iter().collect();
        let mut renderer = renderer();
        for (tools, version) in [(&old, "v1"), (&new, "v2")] {
            renderer.tools = tools.clone();
            assert!(renderer.recall(&inputs, &[7; 32]).is_none(), "{file} {version}");
            let made = renderer.base(&inputs, files.clone(), Some(&[7; 32]), deadline).await;
            let documents = made.unwrap().base.with(&Images::default()).unwrap();
            assert_eq!(names(&documents), [version], "{file}");
        }
        assert_eq!(renderer.kept().0, 2);
    }
}

#[tokio::test]
async fn what_links_lead_to_is_read_and_what_was_not_handed_over_is_asked_for_where_it_is_read() {
    let (_folder, tools) = tools("v1").await;
    let mut renderer = renderer();
    renderer.tools = tools;
    let made = async |inputs: &Inputs, nodes: &[(&str, &str)]| {
        let mut tree = crate::files::Tree::new(crate::files::Limits::default());
        for (name, content) in nodes {
            match content.strip_prefix("-> ") {
                Some(target) => tree.link(name.as_bytes(), target.as_bytes()).unwrap(),
                None => tree.file(name.as_bytes(), content.to_string()).unwrap(),
            }
        }
        let files = tree.finish(&inputs.above).unwrap();
        let deadline = Instant::now() + Duration::from_secs(10);
        let made = renderer.base(inputs, files, None, deadline).await;
        made.map(|made| made.read.paths.clone()).map_err(|e| e.to_string())
    };
    let kustomization = "resources: [../base]\nconfigMapGenerator: [{name: a, files: [x=x.txt]}]";
    let chart = |values: &str| Inputs {
        options: Options { value_files: vec![values.into()], ..Options::default() },
        target: Target { name: "web".into(), ..Target::default() },
        ..inputs("app")
    };
    type Case<'c> = (Inputs, Vec<(&'c str, &'c str)>, &'c [&'c str]);
    let all: [Case<'_>; 3] = [
        (
            inputs("app"),
            vec![("app/a.yaml", "-> ../shared/a.yaml"), ("shared/a.yaml", MAP)],
            &["app", "shared/a.yaml"],
        ),
        (
            inputs("app"),
            vec![
                ("app/kustomization.yaml", kustomization),
                ("app/x.txt", "-> ../shared/x"),
                ("app/README.md", "-> ../shared/readme"),
                ("base", "-> shared/base"),
                ("shared/base/kustomization.yaml", ""),
                ("shared/x", ""),
                ("shared/readme", ""),
            ],
            &["app", "base", "shared/base", "shared/x"],
        ),
        (
            chart("values/v.yaml"),
            vec![
                ("app/Chart.yaml", ""),
                ("app/values", "-> ../shared"),
                ("app/templates/a.yaml", "-> ../../other/a"),
                ("shared/v.yaml", ""),
                ("other/a", ""),
            ],
            &["app", "other/a", "shared/v.yaml"],
        ),
    ];
    for (inputs, nodes, expected) in all {
        assert_eq!(made(&inputs, &nodes).await.unwrap(), expected, "{nodes:?}");
    }

    let narrowed = |inputs: Inputs| Inputs { above: "teams/a".into(), ..inputs };
    let check = async |inputs: Inputs, link: &str, nodes: &[(&str, &str)], expected: &str| {
        let nodes: Vec<_> = nodes.iter().copied().chain([(link, "-> ../../x/y")]).collect();
        let made = made(&narrowed(inputs), &nodes).await;
        match made {
            Ok(_) => assert_eq!(expected, "", "{nodes:?}"),
            Err(error) => {
                let told = format!(
                    "teams/a/{link} is a link to /teams/x/y, which is not among the files that Argo CD handed over: they are those of the folder teams/a. If it is in the repository, set the annotation argocd.argoproj.io/manifest-generate-paths to {expected:?}"
                );
                assert!(error.contains(&told), "{nodes:?}: {error}");
            }
        }
    };
    let plain = [("app/a.yaml", MAP)];
    check(inputs("app"), "app/b.yaml", &plain, ".;../../x/y").await;
    check(inputs("app"), "app/README.md", &plain, "").await;
    check(inputs("app"), "app/folder", &plain, "").await;
    check(inputs("app"), "other/b.yaml", &plain, "").await;
    let kustomize = [("app/kustomization.yaml", kustomization), ("base/kustomization.yaml", "")];
    check(inputs("app"), "app/x.txt", &kustomize, ".;../../x/y").await;
    check(inputs("app"), "app/README.md", &kustomize, "").await;
    let kustomize = [("app/kustomization.yaml", "resources: [../other/base]")];
    check(inputs("app"), "other/base", &kustomize, ".;../other/base;../../x/y").await;
    let helm = [("app/Chart.yaml", ""), ("app/v.yaml", "")];
    check(chart("v.yaml"), "app/README.md", &helm, ".;../../x/y").await;
    check(chart("w.yaml"), "app/w.yaml", &helm, ".;../../x/y").await;
    check(chart("v.yaml"), "other/README.md", &helm, "").await;
}
