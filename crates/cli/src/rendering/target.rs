//! Where an Application goes, as far as a chart can ask.

use std::collections::BTreeSet;

use kube::Client;
use wharfinger_api::argocd::Destination;
use wharfinger_render::{Kind, Target};

use super::Place;
use crate::argocd::App;
use crate::exit::Failure;
use crate::session::Session;

pub(super) async fn of(
    session: &Session,
    app: &App,
    kind: Kind,
    place: &Place,
    offline: bool,
) -> Result<Target, Failure> {
    let Destination { server, name, namespace } =
        app.app.spec.destination.clone().unwrap_or_default();
    let mut target = Target {
        name: app.name().to_owned(),
        namespace,
        kube_version: place.kube_version.clone().unwrap_or_default(),
        api_versions: place.api_versions.clone(),
    };
    let told = !target.kube_version.is_empty() && !target.api_versions.is_empty();
    if kind != Kind::Helm || offline || told {
        return Ok(target);
    }
    if server != HERE && name != "in-cluster" {
        session.console.say("the destination is another cluster: where a chart asks for it, say --kube-version and --api-versions");
        return Ok(target);
    }
    let client = session.client().await?;
    let asked = asked(client).await;
    let (version, apis) = asked.map_err(|e| Failure::api("ask what the cluster can do", &e))?;
    if target.kube_version.is_empty() {
        target.kube_version = version;
    }
    if target.api_versions.is_empty() {
        target.api_versions = apis;
    }
    Ok(target)
}

/// How Argo CD calls the cluster it runs in.
const HERE: &str = "https://kubernetes.default.svc";

/// The version of Kubernetes, and the groups and kinds it serves, as Argo CD tells them to Helm.
async fn asked(client: &Client) -> kube::Result<(String, Vec<String>)> {
    let version = client.apiserver_version().await?.git_version;
    let version = version.trim_start_matches('v').split(['+', '-']).next().unwrap_or_default();
    let mut all = BTreeSet::new();
    let mut add = |list: k8s_openapi::apimachinery::pkg::apis::meta::v1::APIResourceList| {
        let kinds = list.resources.iter().filter(|r| !r.name.contains('/'));
        all.extend(kinds.map(|r| format!("{}/{}", list.group_version, r.kind)));
        all.insert(list.group_version);
    };
    for core in client.list_core_api_versions().await?.versions {
        add(client.list_core_api_resources(&core).await?);
    }
    for group in client.list_api_groups().await?.groups {
        for version in group.versions {
            add(client.list_api_group_resources(&version.group_version).await?);
        }
    }
    Ok((version.to_owned(), all.into_iter().collect()))
}
