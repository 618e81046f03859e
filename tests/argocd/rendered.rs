//! `wharf render` answers what the sidecar answers, byte for byte.

use std::path::PathBuf;
use std::time::Duration;
use std::{fs, io::Write as _};

use anyhow::{Context as _, Result, ensure};
use flate2::{Compression, write::GzEncoder};
use futures::stream;
use hyper_util::rt::TokioIo;
use serde_json::{Value, json};
use sha2::{Digest as _, Sha256};
use tempfile::TempDir;
use tokio::net::UnixStream;
use tonic::Request;
use tonic::transport::{Endpoint, Uri};
use wharfinger_cluster::{Instance, shared};
use wharfinger_sidecar::proto::app_stream_request::Request as Message;
use wharfinger_sidecar::proto::config_management_plugin_service_client::ConfigManagementPluginServiceClient;
use wharfinger_sidecar::proto::{AppStreamRequest, EnvEntry, File, ManifestRequestMetadata};
use wharfinger_tests::{App, IMAGE, Kind, Project, on_runtime};

const KUBE_VERSION: &str = "1.34.0";
const API_VERSIONS: &str = "v1,apps/v1,monitoring.coreos.com/v1";

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
    for (app, kind) in [("plain", Kind::Bare), ("overlay", Kind::Kustomize), ("chart", Kind::Helm)]
    {
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
        apps.push((app, files, folder));
    }
    project.promoted("dev", &name)?;

    for (app, files, folder) in &apps {
        let object = app.get()?;
        let call = Call::new(&object, files, &project.head()?)?;
        let answer = on_runtime(call.ask(cluster.plugin_socket(Instance::First)?))?;
        ensure!(answer.concat().contains(&format!("{IMAGE}:v1@sha256:1111")), "{answer:?}");
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
    }
    Ok(())
}

fn files(app: &App<'_>, kind: Kind) -> Vec<(String, String)> {
    let file = |path: &str, text: &str| (format!("{}/{path}", app.name), text.to_owned());
    let odd = "apiVersion: v1\nkind: ConfigMap\nmetadata: {name: odd}\ndata: {a: \"0644\", b: 'ä \"x\"'}\n";
    match kind {
        Kind::Kustomize => vec![
            file(
                "kustomization.yaml",
                "resources: [web.yaml, odd.yaml]\nconfigMapGenerator: [{name: made, literals: [a=1]}]\n",
            ),
            file("web.yaml", &app.web()),
            file("odd.yaml", odd),
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
                "apiVersion: v1\nkind: ConfigMap\nmetadata: {name: {{ .Release.Name }}-cluster}\ndata: {version: {{ .Capabilities.KubeVersion | quote }}, monitoring: {{ .Capabilities.APIVersions.Has \"monitoring.coreos.com/v1\" | quote }}, namespace: {{ .Release.Namespace }}}\n",
            ),
            file("templates/hook.yaml", odd),
        ],
        _ => vec![file("web.yaml", &app.web()), file("odd.yaml", odd)],
    }
}

fn parameters(kind: Kind) -> Value {
    match kind {
        Kind::Kustomize => json!([{ "name": "commonLabels", "map": { "team": "a" } }]),
        Kind::Helm => json!([{ "name": "parameters", "map": { "replicas": "3" } }]),
        _ => json!([{ "name": "exclude", "string": "none*" }]),
    }
}

/// What repo-server would send.
struct Call {
    metadata: ManifestRequestMetadata,
    archive: Vec<u8>,
}

impl Call {
    fn new(app: &Value, files: &[(String, String)], revision: &str) -> Result<Self> {
        let mut tar = tar::Builder::new(Vec::new());
        for (name, content) in files {
            let mut header = tar::Header::new_gnu();
            header.set_size(content.len() as u64);
            header.set_mode(0o644);
            tar.append_data(&mut header, name, content.as_bytes())?;
        }
        let mut gzip = GzEncoder::new(Vec::new(), Compression::none());
        gzip.write_all(&tar.into_inner()?)?;
        let archive = gzip.finish()?;
        let source = &app["spec"]["source"];
        let text = |of: &Value| of.as_str().unwrap_or_default().to_owned();
        let mut env: Vec<(String, String)> = [
            ("ARGOCD_APP_NAME", text(&app["metadata"]["name"])),
            ("ARGOCD_APP_NAMESPACE", text(&app["spec"]["destination"]["namespace"])),
            ("ARGOCD_APP_REVISION", revision.to_owned()),
            ("ARGOCD_APP_SOURCE_REPO_URL", text(&source["repoURL"])),
            ("ARGOCD_APP_SOURCE_PATH", text(&source["path"])),
            ("KUBE_VERSION", KUBE_VERSION.to_owned()),
            ("KUBE_API_VERSIONS", API_VERSIONS.to_owned()),
            ("ARGOCD_APP_PARAMETERS", source["plugin"]["parameters"].to_string()),
        ]
        .map(|(name, value)| (name.to_owned(), value))
        .into();
        let own = source["plugin"]["env"].as_array().context("a claim")?;
        env.extend(
            own.iter().map(|e| (format!("ARGOCD_ENV_{}", text(&e["name"])), text(&e["value"]))),
        );
        let checksum = Sha256::digest(&archive).iter().map(|byte| format!("{byte:02x}")).collect();
        let metadata = ManifestRequestMetadata {
            app_name: "app".into(),
            app_rel_path: text(&source["path"]),
            checksum,
            size: i64::try_from(archive.len())?,
            env: env.into_iter().map(|(name, value)| EnvEntry { name, value }).collect(),
        };
        Ok(Self { metadata, archive })
    }

    async fn ask(self, socket: PathBuf) -> Result<Vec<String>> {
        let connect = tower::service_fn(move |_: Uri| {
            let socket = socket.clone();
            async move { Ok::<_, std::io::Error>(TokioIo::new(UnixStream::connect(socket).await?)) }
        });
        let channel =
            Endpoint::from_static("http://localhost").connect_with_connector(connect).await?;
        let chunks =
            self.archive.chunks(1024).map(|c| Message::File(File { chunk: c.to_vec().into() }));
        let messages: Vec<_> = [Message::Metadata(self.metadata.clone())]
            .into_iter()
            .chain(chunks)
            .map(|request| AppStreamRequest { request: Some(request) })
            .collect();
        let mut request = Request::new(stream::iter(messages));
        request.set_timeout(Duration::from_secs(60));
        let mut plugin = ConfigManagementPluginServiceClient::new(channel);
        Ok(plugin.generate_manifest(request).await?.into_inner().manifests)
    }
}
