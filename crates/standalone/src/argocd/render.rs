//! repo-server's part: what a source renders to, by the sidecar.

use std::path::Path;
use std::sync::mpsc;

use anyhow::{Result, ensure};
use futures::FutureExt as _;
use serde_json::Value;
use tokio::task::spawn_blocking;
use tonic::Status;
use wharfinger_api::additions::PLUGIN;
use wharfinger_api::argocd::{Application, Source};
use wharfinger_sidecar::caller::{Call, RepoServer, dial};

use super::ArgoCd;
use crate::world::ARGOCD;

impl ArgoCd {
    /// What to ask for these sources.
    pub(super) fn calls(&self, app: &Application, sources: &[Source]) -> Vec<Result<Call>> {
        sources.iter().map(|source| self.call(app, source)).collect()
    }

    /// All objects, or what Argo CD would say of the first source that fails.
    pub(super) async fn render(&self, calls: Vec<Result<Call>>) -> Result<Vec<Value>, String> {
        let (mut all, count) = (vec![], calls.len());
        for (number, call) in (1..).zip(calls) {
            let rendered = match call {
                Ok(call) => ask(&self.socket, call).await,
                Err(error) => Err(rpc("Internal", &format!("{error:#}"))),
            };
            all.extend(rendered.map_err(|e| {
                format!("failed to generate manifest for source {number} of {count}: {e}")
            })?);
        }
        Ok(all)
    }

    /// The whole commit, and the environment of a plugin.
    fn call(&self, app: &Application, source: &Source) -> Result<Call> {
        let plugin = source.plugin();
        ensure!(plugin == Some(PLUGIN), "only sources of the plugin {PLUGIN} are rendered here");
        ensure!(
            source.repo_url() == self.repository.url(),
            "repository not found: {}",
            source.repo_url()
        );
        let commit = self.repository.resolve(source.target_revision())?;
        let files = self.repository.files(&commit)?;
        let files: Vec<_> = files.iter().map(|(name, content)| (name.as_str(), content)).collect();
        let mut call = Call::new(&files)?;
        call.path = source.text("path").into();
        let repo_server = RepoServer {
            namespace: ARGOCD,
            revision: &commit,
            kube_version: "1.34.0",
            api_versions: "v1,apps/v1,batch/v1",
        };
        call.env = repo_server.environment(app, source);
        Ok(call)
    }
}

/// As repo-server asks: on a new connection, after a question.
async fn ask(socket: &Path, call: Call) -> Result<Vec<Value>, String> {
    // The sidecar works on threads of its own, which a paused clock does not see. It sees this one.
    let (done, working) = mpsc::channel::<()>();
    let seen = spawn_blocking(move || working.recv().ok());
    let failed = |status: Status| rpc(&format!("{:?}", status.code()), status.message());
    let mut plugin =
        dial(socket).await.map_err(|e| rpc("Unavailable", &format!("connection error: {e}")))?;
    plugin.check_plugin_configuration(()).await.map_err(failed)?;
    let answer = plugin.generate_manifest(call.request()).boxed().await;
    drop((done, seen));
    let read =
        |text: &String| serde_json::from_str(text).map_err(|e| rpc("Unknown", &e.to_string()));
    answer.map_err(failed)?.into_inner().manifests.iter().map(read).collect()
}

/// As grpc-go writes a failure.
fn rpc(code: &str, text: &str) -> String {
    format!("rpc error: code = {code} desc = {text}")
}
