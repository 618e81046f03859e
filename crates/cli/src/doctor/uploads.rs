//! Whether Argo CD sends what a render needs, and not much more: as the sidecars saw it at their last renders.

use std::collections::BTreeMap;

use http::Request;
use jiff::Timestamp;
use k8s_openapi::api::core::v1::Pod;
use kube::{Client, Config, ResourceExt as _};
use serde::Deserialize;
use wharfinger_api::additions::PLUGIN;
use wharfinger_core::check::{Check, Code};

use super::plugin::REPO_SERVER;
use super::{passed, warning};
use crate::exit::Failure;
use crate::session::Session;

/// The name of a sidecar's admin port.
const PORT: &str = "wharf-admin";

#[derive(Debug, Default, Deserialize)]
struct Renders {
    /// The versions of what renders.
    tools: BTreeMap<String, String>,
    renders: Vec<Render>,
}

/// As a sidecar tells it.
#[derive(Clone, Debug, Deserialize)]
struct Render {
    namespace: String,
    application: String,
    path: String,
    checks: Vec<Check>,
    time: Timestamp,
}

/// `sidecar` is where one sidecar's admin port can be reached. Without it, those in `pods` are asked through the API server.
pub async fn look(
    session: &Session,
    sidecar: Option<&str>,
    pods: &[Pod],
) -> Result<Vec<Check>, Failure> {
    let (mut all, mut tools) = (Vec::new(), BTreeMap::new());
    let mut checks = Vec::new();
    for (client, path, what) in places(session, sidecar, pods).await? {
        let request = Request::get(path).body(Vec::new());
        let request = request.map_err(|e| Failure::usage(e.to_string()))?;
        match client.request::<Renders>(request).await {
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
    checks.extend(judge(all));
    Ok(checks)
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

/// Of each source the last render counts, whichever replica it was.
fn judge(renders: Vec<Render>) -> Vec<Check> {
    let mut last: BTreeMap<(String, String, String), Render> = BTreeMap::new();
    for render in renders {
        let source = (render.namespace.clone(), render.application.clone(), render.path.clone());
        match last.get(&source) {
            Some(other) if other.time >= render.time => {}
            _ => drop(last.insert(source, render)),
        }
    }
    let about = |render: &Render, check: &Check| {
        let Render { namespace, application, path, .. } = render;
        let text = format!("{namespace}/{application}, {path}: {}", check.text);
        Check { text, ..check.clone() }
    };
    let wrong: Vec<Check> =
        last.values().flat_map(|r| r.checks.iter().map(move |check| about(r, check))).collect();
    match (last.len(), wrong.is_empty()) {
        (0, _) => vec![],
        (sources, true) => vec![passed(
            Code::UploadLarge,
            format!(
                "{sources} sources were rendered, and what was sent for them is what is needed"
            ),
        )],
        _ => wrong,
    }
}

#[cfg(test)]
mod tests {
    use serde_json::json;
    use wharfinger_core::check::State;

    use super::*;

    #[test]
    fn the_last_render_of_a_source_counts() {
        let check = json!({ "code": "upload-large", "state": "Warning", "text": "too much", "fix": "annotate" });
        let render = |application: &str, time: &str, wrong: bool| {
            let checks = if wrong { vec![check.clone()] } else { vec![] };
            let render = json!({
                "namespace": "argocd", "application": application, "path": "apps/web", "sent": "", "checks": checks, "time": time,
            });
            serde_json::from_value::<Render>(render).unwrap()
        };
        let (early, late) = ("2026-11-21T10:00:00Z", "2026-11-21T11:00:00Z");
        assert_eq!(judge(vec![]), []);
        let well = judge(vec![render("web", late, false), render("web", early, true)]);
        assert_eq!(well.iter().map(|c| c.state).collect::<Vec<_>>(), [State::Passed]);
        let wrong = judge(vec![render("web", early, false), render("web", late, true)]);
        let text = "argocd/web, apps/web: too much";
        assert_eq!(wrong, [warning(Code::UploadLarge, text).fix("annotate")]);
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
