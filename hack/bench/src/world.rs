//! What the benchmarks of rendering have in common: an Application that may have the Freight of its Stage, and repo-server's
//! end of a plugin's socket.
//!
//! The files that are rendered for the Application are ours. Argo CD knows of one Deployment of it, and is at rest.

use std::path::Path;
use std::time::Duration;

use anyhow::{Context as _, Result, ensure};
use tonic::Request;
use wharfinger_api::argocd::Application;
use wharfinger_cluster::Cluster;
use wharfinger_sidecar::caller::{Call, RepoServer, dial};
use wharfinger_tests::{App, IMAGE, Kind, Project, on_runtime};

use crate::objects::Files;

/// As our manifests set it for repo-server.
const CHUNK: usize = 64 << 10;
/// As Argo CD waits by default.
const LIMIT: Duration = Duration::from_secs(60);

/// The tag of the image that the Stage holds.
const TAG: &str = "v1";

pub(crate) struct World<'c> {
    pub(crate) cluster: &'c Cluster,
    pub(crate) project: Project<'c>,
    /// What a chart is told of the cluster.
    pub(crate) api_versions: Vec<String>,
    env: Vec<(String, String)>,
}

pub(crate) const KUBE_VERSION: &str = "1.34.0";

impl<'c> World<'c> {
    /// In a Project of that name.
    pub(crate) fn new(cluster: &'c Cluster, name: &str) -> Result<Self> {
        let project = Project::new(cluster, name)?;
        project.stage("dev")?;
        let app = App::new(&project, "web", "dev", Kind::Bare)?;
        app.create()?;
        project.promoted("dev", &project.freight(TAG)?)?;
        let api_versions = api_versions(cluster)?;
        let env = environment(&project, &app, &api_versions)?;
        Ok(Self { cluster, project, api_versions, env })
    }

    /// A render of such files.
    pub(crate) fn call(&self, files: &Files) -> Result<Call> {
        let files: Vec<_> =
            files.iter().map(|(name, text)| (name.as_str(), text.as_str())).collect();
        let (path, env) = (".".into(), self.env.clone());
        Ok(Call { path, env, chunk: CHUNK, limit: LIMIT, ..Call::new(&files)? })
    }
}

/// A render as repo-server asks for it: on a new connection, after two questions.
pub(crate) fn ask(call: &Call, socket: &Path) -> Result<Vec<String>> {
    on_runtime(async {
        let mut plugin = dial(socket).await?;
        plugin.check_plugin_configuration(limited(())).await?;
        plugin.check_plugin_configuration(limited(())).await?;
        Ok(plugin.generate_manifest(call.request()).await?.into_inner().manifests)
    })
}

pub(crate) fn limited<T>(message: T) -> Request<T> {
    let mut request = Request::new(message);
    request.set_timeout(LIMIT);
    request
}

/// That all objects were rendered, with the Stage's Freight.
pub(crate) fn check(manifests: &[String], count: usize) -> Result<()> {
    check_tag(manifests, count, TAG)
}

pub(crate) fn check_tag(manifests: &[String], count: usize, tag: &str) -> Result<()> {
    let image = format!("{IMAGE}:{tag}");
    let promoted = manifests.iter().filter(|manifest| manifest.contains(&image)).count();
    ensure!((manifests.len(), promoted) == (count, count / 2), "rendered: {manifests:#?}");
    Ok(())
}

fn api_versions(cluster: &Cluster) -> Result<Vec<String>> {
    let kinds = cluster.kubectl(&["api-resources", "--no-headers"])?.ok()?;
    let kind = |line: &str| match *line.split_whitespace().collect::<Vec<_>>() {
        [.., version, _namespaced, kind] => Some(format!("{version}/{kind}")),
        _ => None,
    };
    Ok(kinds.lines().filter_map(kind).collect())
}

/// What repo-server tells a plugin about an Application, as it is now.
fn environment(
    project: &Project<'_>,
    app: &App<'_>,
    api_versions: &[String],
) -> Result<Vec<(String, String)>> {
    let app: Application = serde_json::from_value(app.get()?)?;
    let source = app.spec.source.as_ref().context("a source")?;
    let repo_server = RepoServer {
        namespace: "argocd",
        revision: &project.head()?,
        kube_version: KUBE_VERSION,
        api_versions: &api_versions.join(","),
    };
    Ok(repo_server.environment(&app, source))
}
