//! What the sidecars tell of their last renders, each asked on its admin port.

use std::collections::BTreeMap;

use http::Request;
use jiff::Timestamp;
use k8s_openapi::api::core::v1::Pod;
use kube::{Client, Config, ResourceExt as _};
use serde::Deserialize;
use wharfinger_api::additions::PLUGIN;
use wharfinger_core::check::{Check, Code};
use wharfinger_core::usage::{Place, Rendered};

use super::plugin::REPO_SERVER;
use super::{passed, warning};
use crate::exit::Failure;
use crate::session::Session;

/// The name of a sidecar's admin port.
const PORT: &str = "wharf-admin";

#[derive(Debug, Default, Deserialize)]
struct Answer {
    /// The versions of what renders.
    tools: BTreeMap<String, String>,
    renders: Vec<Told>,
}

/// As a sidecar tells it.
#[derive(Clone, Debug, Deserialize)]
struct Told {
    namespace: String,
    application: String,
    /// One of before does not tell it, nor what was rendered.
    #[serde(default)]
    repository: String,
    path: String,
    checks: Vec<Check>,
    #[serde(flatten)]
    rendered: Option<Rendered>,
    time: Timestamp,
}

/// The last render of a source.
#[derive(Clone, Debug, PartialEq)]
pub(super) struct Render {
    /// Of what was sent for it.
    pub(super) checks: Vec<Check>,
    pub(super) rendered: Option<Rendered>,
    pub(super) time: Timestamp,
}

/// By source. Of each the last render counts, whichever replica it was.
pub(super) type Renders = BTreeMap<Place, Render>;

/// What the sidecars tell, and what there is to say of them. `sidecar` is where one sidecar's admin port can be reached.
/// Without it, those in `pods` are asked through the API server.
pub(super) async fn ask(
    session: &Session,
    sidecar: Option<&str>,
    pods: &[Pod],
) -> Result<(Renders, Vec<Check>), Failure> {
    let (mut all, mut tools) = (Vec::new(), BTreeMap::new());
    let mut checks = Vec::new();
    for (client, path, what) in places(session, sidecar, pods).await? {
        let request = Request::get(path).body(Vec::new());
        let request = request.map_err(|e| Failure::usage(e.to_string()))?;
        match client.request::<Answer>(request).await {
            Ok(found) => {
                all.extend(found.renders);
                tools.insert(what, found.tools);
            }
            Err(error) => {
                let text = format!("not looked at: the renders of {what} can't be read: {error}");
                checks.push(warning(Code::UploadLarge, text).fix(format!(
                    "Run it as somebody who may get pods/proxy; or kubectl -n {} port-forward deploy/{REPO_SERVER} 8090, and beside it wharf doctor --sidecar http://127.0.0.1:8090",
                    session.global.argocd_namespace
                )));
            }
        }
    }
    checks.extend(same(&tools));
    Ok((last(all), checks))
}

fn last(all: Vec<Told>) -> Renders {
    let mut last = Renders::new();
    for told in all {
        let Told { namespace, application, repository, path, checks, rendered, time } = told;
        let place = Place { namespace, application, repository, path };
        match last.get(&place) {
            Some(other) if other.time >= time => {}
            _ => drop(last.insert(place, Render { checks, rendered, time })),
        }
    }
    last
}

/// Whom to ask, for what, and what that is called.
async fn places(
    session: &Session,
    sidecar: Option<&str>,
    pods: &[Pod],
) -> Result<Vec<(Client, String, String)>, Failure> {
    if let Some(url) = sidecar {
        let address = url.parse().map_err(|e| Failure::usage(format!("--sidecar {url:?}: {e}")))?;
        let client = Client::try_from(Config::new(address));
        let client = client.map_err(|e| Failure::usage(format!("--sidecar {url:?}: {e}")))?;
        return Ok(vec![(client, "/renders".into(), url.to_owned())]);
    }
    let (client, namespace) = (session.client().await?, &session.global.argocd_namespace);
    let place = |pod: &Pod| {
        let name = pod.name_any();
        let path =
            format!("/api/v1/namespaces/{namespace}/pods/{name}:{}/proxy/renders", port(pod)?);
        Some((client.clone(), path, format!("Pod {name}")))
    };
    Ok(pods.iter().filter_map(place).collect())
}

fn port(pod: &Pod) -> Option<i32> {
    let spec = pod.spec.as_ref()?;
    let container = spec.containers.iter().find(|container| container.name == PLUGIN)?;
    let port = container.ports.iter().flatten().find(|port| port.name.as_deref() == Some(PORT))?;
    Some(port.container_port)
}

/// Whether all sidecars render with the same versions: else the same Freight may come to other objects, by chance.
fn same(tools: &BTreeMap<String, BTreeMap<String, String>>) -> Option<Check> {
    let told = |tools: &BTreeMap<String, String>| {
        let all: Vec<String> =
            tools.iter().map(|(name, version)| format!("{name} {version}")).collect();
        if all.is_empty() { "neither helm nor kustomize".into() } else { all.join(", ") }
    };
    let first = tools.values().next()?;
    if tools.values().all(|other| other == first) {
        return Some(passed(Code::Sidecar, format!("what renders: {}", told(first))));
    }
    let each: Vec<String> =
        tools.iter().map(|(what, tools)| format!("{what} has {}", told(tools))).collect();
    let text = format!("the sidecars render with different versions: {}", each.join("; "));
    Some(
        warning(Code::Sidecar, text).fix("Let the rollout end, or give all of them the same image"),
    )
}

#[cfg(test)]
mod tests {
    use serde_json::{Value, json};
    use wharfinger_core::check::State;

    use super::*;

    #[test]
    fn the_last_render_of_a_source_counts() {
        let told = |repository: &str, time: &str, images: &Value| {
            let told = json!({
                "namespace": "argocd", "application": "web", "repository": repository, "path": "apps/web", "sent": "",
                "stage": "shop:dev", "collection": "c", "images": images, "checks": [], "time": time,
            });
            serde_json::from_value::<Told>(told).unwrap()
        };
        let (early, late) = ("2026-11-21T10:00:00Z", "2026-11-21T11:00:00Z");
        let (old, new) =
            (json!({ "used": ["a"], "others": [] }), json!({ "used": ["b"], "others": [] }));
        let used = |renders: Renders| -> Vec<String> {
            renders.into_values().flat_map(|r| r.rendered.unwrap().images.used).collect()
        };
        for all in
            [[("x", early, &old), ("x", late, &new)], [("x", late, &new), ("x", early, &old)]]
        {
            assert_eq!(used(last(all.map(|(r, time, i)| told(r, time, i)).into())), ["b"]);
        }
        // Two repositories are two sources.
        assert_eq!(used(last(vec![told("x", late, &new), told("y", early, &old)])), ["b", "a"]);
    }

    #[test]
    fn a_sidecar_of_before_tells_less() {
        let told = json!({ "namespace": "argocd", "application": "web", "path": "", "checks": [], "time": "2026-11-21T10:00:00Z" });
        let told: Told = serde_json::from_value(told).unwrap();
        assert_eq!((told.rendered, &*told.repository), (None, ""));
    }

    #[test]
    fn sidecars_that_would_render_otherwise_are_told_apart() {
        let of = |versions: &[&str]| {
            let tools = |helm: &&str| BTreeMap::from([("helm".to_owned(), (*helm).to_owned())]);
            let all = versions.iter().zip('a'..).map(|(v, name)| (format!("Pod {name}"), tools(v)));
            same(&all.collect()).map(|check| (check.state, check.text))
        };
        assert_eq!(of(&[]), None);
        assert_eq!(of(&["4.1", "4.1"]), Some((State::Passed, "what renders: helm 4.1".into())));
        let text =
            "the sidecars render with different versions: Pod a has helm 4.1; Pod b has helm 4.2";
        assert_eq!(of(&["4.1", "4.2"]), Some((State::Warning, text.into())));
    }

    #[test]
    fn the_port_is_found_by_its_name() {
        let pod = |container: &str, name: &str| {
            let ports = json!([{ "name": "other", "containerPort": 1 }, { "name": name, "containerPort": 8090 }]);
            let pod = json!({ "spec": { "containers": [{ "name": "argocd-repo-server" }, { "name": container, "ports": ports }] } });
            serde_json::from_value::<Pod>(pod).unwrap()
        };
        assert_eq!(port(&pod("wharfinger", "wharf-admin")), Some(8090));
        assert_eq!(port(&pod("wharfinger", "metrics")), None);
        assert_eq!(port(&pod("other", "wharf-admin")), None);
        let manifest = include_str!("../../../../manifests/argocd/repo-server-patch.yaml");
        assert!(manifest.contains(&format!("- name: {PORT}\n")));
    }
}
