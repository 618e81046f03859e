//! `docs/rendering.md` has the parameters there are, and what is refused: each row of the latter is rendered here.
//! `BLESS=1 cargo test -p wharfinger-render --test page` writes both tables anew.

#![expect(clippy::unwrap_used, reason = "a test")]

use std::fmt::Write as _;
use std::fs;
use std::os::unix::fs::PermissionsExt as _;
use std::path::PathBuf;
use std::time::Duration;

use tempfile::TempDir;
use tokio::time::Instant;
use wharfinger_render::{Files, Form, Inputs, Options, Renderer, Target, Tools};

/// What can't be had.
struct Row {
    what: &'static str,
    instead: &'static str,
    /// Beside those that are there anyway.
    files: &'static [(&'static str, &'static [u8])],
    folder: &'static str,
    parameters: &'static str,
    /// Part of the refusal.
    says: &'static str,
}

const THERE: &[(&str, &[u8])] = &[
    ("chart/Chart.yaml", b"apiVersion: v2\nname: web\nversion: 1.0.0\n"),
    ("overlay/kustomization.yaml", b"resources: [map.yaml]\n"),
    ("overlay/map.yaml", b"apiVersion: v1\nkind: ConfigMap\nmetadata: {name: a}\n"),
    ("plain/map.yaml", b"apiVersion: v1\nkind: ConfigMap\nmetadata: {name: a}\n"),
];

const REFUSED: &[Row] = &[
    Row {
        what: "`valueFiles` and `fileParameters` of another source: `$values/prod.yaml`",
        instead: "put the file into the chart's repository; or keep the source native, and let the promotion step `argocd-update` write the version",
        files: &[],
        folder: "chart",
        parameters: r#"[{"name":"valueFiles","array":["$values/prod.yaml"]}]"#,
        says: "is in another source",
    },
    Row {
        what: "`valueFiles` and `fileParameters` by URL",
        instead: "copy the file into the repository",
        files: &[],
        folder: "chart",
        parameters: r#"[{"name":"fileParameters","map":{"a":"https://example.com/a.pem"}}]"#,
        says: "is remote; the plugin fetches no files",
    },
    Row {
        what: "files outside of the repository, or of what `manifest-generate-paths` covers",
        instead: "set the annotation to cover every file that is read",
        files: &[],
        folder: "chart",
        parameters: r#"[{"name":"valueFiles","array":["../../prod.yaml"]}]"#,
        says: "lies outside of the repository",
    },
    Row {
        what: "dependencies of a chart from a repository or a registry that asks for credentials",
        instead: "run `helm dependency build` and commit what it puts into `charts`; or publish the chart with them, and take it as the source",
        files: &[("chart/Chart.yaml", b"apiVersion: v2\nname: web\nversion: 1.0.0\ndependencies: [{name: db, version: 1.0.0, repository: 'https://charts.example.com'}]\n")],
        folder: "chart",
        parameters: "",
        says: "can't fetch db of https://charts.example.com anonymously",
    },
    Row {
        what: "dependencies that no commit settles: a range as `version`, and no `Chart.lock`",
        instead: "run `helm dependency update` and commit `Chart.lock`; or name one version, as `1.2.3`",
        files: &[("chart/Chart.yaml", b"apiVersion: v2\nname: web\nversion: 1.0.0\ndependencies: [{name: db, version: ^1, repository: 'https://charts.example.com'}]\n")],
        folder: "chart",
        parameters: "",
        says: "no Chart.lock that says in which version to fetch db ^1",
    },
    Row {
        what: "dependencies from a repository by its name, `@acme` or `alias:acme`",
        instead: "write the repository's URL, and run `helm dependency update`; or commit what it puts into `charts`",
        files: &[("chart/Chart.yaml", b"apiVersion: v2\nname: web\nversion: 1.0.0\ndependencies: [{name: db, version: 1.0.0, repository: '@acme'}]\n")],
        folder: "chart",
        parameters: "",
        says: "@acme is a name of helm repo add",
    },
    Row {
        what: "dependencies from a folder outside of the repository, and by other protocols than HTTP and OCI",
        instead: "commit what `helm dependency build` puts into `charts`",
        files: &[("chart/Chart.yaml", b"apiVersion: v2\nname: web\nversion: 1.0.0\ndependencies: [{name: db, version: 1.0.0, repository: 'file:///charts/db'}]\n")],
        folder: "chart",
        parameters: "",
        says: "file:///charts/db is not in the repository",
    },
    Row {
        what: "`helm.passCredentials`",
        instead: "remove it, and commit dependencies that take credentials into the chart's folder `charts`",
        files: &[],
        folder: "chart",
        parameters: r#"[{"name":"passCredentials","string":"true"}]"#,
        says: "the plugin has no credentials",
    },
    Row {
        what: "`kustomize.version`, `helm.version`",
        instead: "remove it, if the version of the sidecar's image will do",
        files: &[],
        folder: "overlay",
        parameters: r#"[{"name":"version","string":"v4.5.7"}]"#,
        says: "has one version of Helm and one of Kustomize",
    },
    Row {
        what: "remote bases and components: `github.com/acme/base?ref=v1`",
        instead: "copy them into the repository",
        files: &[("overlay/kustomization.yaml", b"resources: ['https://github.com/acme/base//app?ref=v1']")],
        folder: "overlay",
        parameters: "",
        says: "names the remote base",
    },
    Row {
        what: "the same as parameter `components`",
        instead: "copy them into the repository",
        files: &[],
        folder: "overlay",
        parameters: r#"[{"name":"components","array":["github.com/acme/components?ref=v1"]}]"#,
        says: "\"components\" names the remote base",
    },
    Row {
        what: "patches, generators and the like that read a URL",
        instead: "copy the file into the repository",
        files: &[],
        folder: "overlay",
        parameters: r#"[{"name":"patches","array":["path: https://example.com/p.yaml"]}]"#,
        says: "\"patches\" reads \"https://example.com/p.yaml\"",
    },
    Row {
        what: "charts in a kustomization: `helmCharts`, build option `--enable-helm`, `kustomize.kubeVersion`, `kustomize.apiVersions`",
        instead: "put the rendered chart into the repository, or take the chart as the source",
        files: &[("overlay/kustomization.yaml", b"helmCharts: [{name: db}]")],
        folder: "overlay",
        parameters: "",
        says: "Kustomize would fetch a chart",
    },
    Row {
        what: "build option `--enable-helm`",
        instead: "put the rendered chart into the repository, or take the chart as the source",
        files: &[],
        folder: "overlay",
        parameters: r#"[{"name":"buildOptions","string":"--enable-helm"}]"#,
        says: "Kustomize would fetch charts",
    },
    Row {
        what: "build options that run programs: `--enable-exec`, `--enable-alpha-plugins`, functions in containers",
        instead: "keep their output in the repository",
        files: &[],
        folder: "overlay",
        parameters: r#"[{"name":"buildOptions","string":"--enable-alpha-plugins --enable-exec"}]"#,
        says: "programs of the repository would run in the sidecar",
    },
    Row {
        what: "build option `--load-restrictor LoadRestrictionsNone`",
        instead: "make the folder that holds the files a base or a component",
        files: &[],
        folder: "overlay",
        parameters: r#"[{"name":"buildOptions","string":"--load-restrictor LoadRestrictionsNone"}]"#,
        says: "files above the kustomization's folder would be read",
    },
    Row {
        what: "a kustomization that the plugin reads otherwise than Kustomize: with a directive, as `%YAML`, or a field in upper and lower case",
        instead: "write it as plain YAML, with each field once",
        files: &[("overlay/kustomization.yaml", b"resources: [map.yaml]\nResources: []\n")],
        folder: "overlay",
        parameters: "",
        says: "Resources stands there twice",
    },
    Row {
        what: "plain files that are neither UTF-8 nor, by their byte order mark, UTF-16. Argo CD writes `\u{fffd}` where it can't read a character",
        instead: "save them as UTF-8, or leave them out with `exclude`",
        files: &[("plain/latin.yaml", b"# \xe9\n")],
        folder: "plain",
        parameters: "",
        says: "latin.yaml is not UTF-8",
    },
    Row {
        what: "Jsonnet files",
        instead: "keep their output in the repository, or leave them out with `exclude`",
        files: &[("plain/a.jsonnet", b"{}")],
        folder: "plain",
        parameters: "",
        says: "a.jsonnet is Jsonnet",
    },
    Row {
        what: "`directory.jsonnet`",
        instead: "keep the output in the repository",
        files: &[],
        folder: "plain",
        parameters: r#"[{"name":"jsonnet","string":"{}"}]"#,
        says: "does not render Jsonnet",
    },
    Row {
        what: "`directory` options for a folder that is a chart or a kustomization",
        instead: "point `path` at a folder of plain files",
        files: &[],
        folder: "chart",
        parameters: r#"[{"name":"recurse","string":"true"}]"#,
        says: "is for a folder of plain files, but the source is a Helm chart",
    },
    Row {
        what: "a source that renders no objects",
        instead: "if everything is to go, delete the Application",
        files: &[("empty/values.yaml", b"a: 1\n")],
        folder: "empty",
        parameters: "",
        says: "rendered no objects",
    },
];

#[test]
fn the_page_has_every_parameter_and_every_refusal() {
    let mut parameters =
        "\n| parameter | form | for | what it says |\n|---|---|---|---|\n".to_owned();
    for p in Options::PARAMETERS {
        let form = match p.form {
            Form::Text => "string",
            Form::Flag => "flag",
            Form::List => "list",
            Form::Map => "map",
        };
        let (kinds, _) = p.title.split_once(": ").unwrap();
        writeln!(parameters, "| `{}` | {form} | {kinds} | {} |", p.name, p.tooltip).unwrap();
    }
    let mut refused = "\n| what | instead |\n|---|---|\n".to_owned();
    for row in REFUSED {
        writeln!(refused, "| {} | {} |", row.what, row.instead).unwrap();
    }
    let path = PathBuf::from(env!("CARGO_MANIFEST_DIR")).join("../../docs/rendering.md");
    let stored = fs::read_to_string(&path).unwrap();
    let mut page = stored.clone();
    for (name, table) in [("parameters", parameters), ("refused", refused)] {
        let mark = format!("<!-- {name} -->\n");
        let start = page.find(&mark).unwrap() + mark.len();
        let end = start + page[start..].find("\n<!-- end -->").unwrap();
        page.replace_range(start..end, &table);
    }
    if std::env::var_os("BLESS").is_some() {
        fs::write(&path, &page).unwrap();
    }
    assert!(
        stored == page || std::env::var_os("BLESS").is_some(),
        "docs/rendering.md is stale: BLESS=1 cargo test -p wharfinger-render --test page"
    );
}

#[tokio::test]
async fn every_refusal_is_one() {
    let (_folder, tools) = tools().await;
    for row in REFUSED {
        let refused = match Options::parse(row.parameters) {
            Ok(options) => {
                let target = Target { name: "web".into(), ..Target::default() };
                let inputs =
                    Inputs { folder: row.folder.into(), target, options, ..Inputs::default() };
                let files: Files = THERE.iter().chain(row.files).copied().collect();
                let deadline = Instant::now() + Duration::from_secs(60);
                let renderer = Renderer::new(tools.clone(), 0);
                renderer.base(&inputs, files, None, deadline).await.unwrap_err()
            }
            Err(error) => error,
        };
        let text = refused.to_string();
        assert!(text.contains(row.says), "{}: {text}", row.what);
    }
}

/// Stand-ins that miss a dependency as Helm does, and come to a repository that lets nobody in: a refusal needs no more of
/// them.
async fn tools() -> (TempDir, Tools) {
    let folder = TempDir::new().unwrap();
    let script = "#!/bin/sh\n[ $1 = version ] && echo v1 && exit\n[ $1 = repo ] && echo 'Error: failed to fetch https://charts.example.com/index.yaml : 401 Unauthorized' >&2 && exit 1\necho 'Error: found in Chart.yaml, but missing in charts/ directory: db' >&2\nexit 1\n";
    for name in ["helm", "kustomize"] {
        let path = folder.path().join(name);
        fs::write(&path, script).unwrap();
        fs::set_permissions(&path, fs::Permissions::from_mode(0o755)).unwrap();
    }
    let tools = Tools::find(folder.path().as_os_str()).await;
    (folder, tools)
}

#[test]
fn every_field_that_is_no_parameter_is_named() {
    for absent in Options::ABSENT {
        let field = format!("{}`", absent.name);
        assert!(REFUSED.iter().any(|row| row.what.contains(&field)), "{}", absent.name);
    }
}
