//! The sidecar in argocd-repo-server, and the settings by which it works well.

use k8s_openapi::api::apps::v1::Deployment;
use k8s_openapi::api::core::v1::{ConfigMap, Pod};
use kube::api::ListParams;
use kube::{Api, Client};
use serde_json::Value;
use wharfinger_api::additions::PLUGIN;
use wharfinger_core::check::{Check, Code, State};

use super::seen::Sight;
use super::{images, neighbours, not_seen, passed, renders, revision, unseen, uploads, warning};
use crate::exit::Failure;
use crate::session::Session;

pub(super) const REPO_SERVER: &str = "argocd-repo-server";
const ATTEMPTS: &str = "ARGOCD_PAUSE_GEN_AFTER_FAILED_ATTEMPTS";
const PATHS: &str = "ARGOCD_REPO_SERVER_PLUGIN_USE_MANIFEST_GENERATE_PATHS";

pub async fn look(
    session: &Session,
    sight: &Sight,
    sidecar: Option<&str>,
) -> Result<Vec<Check>, Failure> {
    let (client, namespace) = (session.client().await?.clone(), &session.global.argocd_namespace);
    let mut checks = Vec::new();
    let pods: Api<Pod> = Api::namespaced(client.clone(), namespace);
    let of_repo_server =
        ListParams::default().labels(&format!("app.kubernetes.io/name={REPO_SERVER}"));
    let pods = match pods.list(&of_repo_server).await {
        Ok(list) => {
            let values = list.items.iter().filter_map(|pod| serde_json::to_value(pod).ok());
            let values: Vec<Value> = values.collect();
            checks.extend(sidecars(&values, namespace));
            checks.extend(neighbours::judge(&values));
            list.items
        }
        Err(e) => {
            checks.push(unseen(Code::Sidecar, &format!("the Pods of {REPO_SERVER}"), &e)?);
            vec![]
        }
    };
    checks.extend(look_at_settings(client, namespace).await?);
    let seen = sight.seen(session).await;
    if let Ok(seen) = &seen {
        checks.extend(revision::look(session, seen).await?);
    }
    let (renders, told) = renders::ask(session, sidecar, &pods).await?;
    checks.extend(told);
    checks.extend(uploads::judge(&renders));
    match seen {
        Ok(seen) => checks.extend(images::look(session, seen, &renders).await?),
        Err(failure) => checks.push(not_seen(Code::ImageUnused, failure)?),
    }
    Ok(checks)
}

async fn look_at_settings(client: Client, namespace: &str) -> Result<Vec<Check>, Failure> {
    let deployments: Api<Deployment> = Api::namespaced(client.clone(), namespace);
    let deployment = match deployments.get_opt(REPO_SERVER).await {
        Ok(found) => found.and_then(|found| serde_json::to_value(found).ok()),
        Err(e) => {
            return Ok(vec![unseen(Code::Setting, &format!("the Deployment {REPO_SERVER}"), &e)?]);
        }
    };
    let maps: Api<ConfigMap> = Api::namespaced(client, namespace);
    // Without it, what comes from it shows as not set.
    let params = maps.get_opt("argocd-cmd-params-cm").await.ok().flatten();
    let params = params.and_then(|map| serde_json::to_value(map).ok()).unwrap_or_default();
    Ok(settings(deployment.as_ref(), &params, namespace))
}

fn sidecars(pods: &[Value], namespace: &str) -> Vec<Check> {
    if pods.is_empty() {
        let text = format!("unknown: there is no Pod of {REPO_SERVER} in namespace {namespace}");
        return vec![
            warning(Code::Sidecar, text).fix("Name Argo CD's namespace: --argocd-namespace"),
        ];
    }
    let name = |pod: &Value| pod["metadata"]["name"].as_str().unwrap_or_default().to_owned();
    let has = |pod: &Value| {
        let containers = |field: &str| pod["spec"][field].as_array().cloned().unwrap_or_default();
        containers("containers")
            .iter()
            .chain(&containers("initContainers"))
            .any(|c| c["name"] == PLUGIN)
    };
    let ready = |pod: &Value| {
        let statuses = pod["status"]["containerStatuses"].as_array().cloned().unwrap_or_default();
        statuses.iter().any(|status| status["name"] == PLUGIN && status["ready"] == true)
    };
    let mut checks = Vec::new();
    for pod in pods {
        if !has(pod) {
            let text = format!(
                "Pod {} has no container {PLUGIN}: what it renders for us fails",
                name(pod)
            );
            checks.push(Check::failed(Code::Sidecar, text).fix(format!(
                "Add manifests/argocd to Argo CD's kustomization, or restart: kubectl -n {namespace} rollout restart deploy/{REPO_SERVER}"
            )));
        } else if !ready(pod) {
            let text = format!("the container {PLUGIN} of Pod {} is not ready", name(pod));
            checks.push(warning(Code::Sidecar, text).fix(format!(
                "Look at its log: kubectl -n {namespace} logs {} -c {PLUGIN}",
                name(pod)
            )));
        }
    }
    if checks.is_empty() {
        let text = format!("the sidecar is in all {} Pods of {REPO_SERVER}", pods.len());
        checks.push(passed(Code::Sidecar, text));
    }
    checks
}

fn settings(deployment: Option<&Value>, params: &Value, namespace: &str) -> Vec<Check> {
    let Some(deployment) = deployment else {
        let text = format!(
            "unknown: there is no Deployment {REPO_SERVER} in namespace {namespace} to read settings from"
        );
        return vec![warning(Code::Setting, text)];
    };
    let containers = deployment["spec"]["template"]["spec"]["containers"].as_array();
    let main = containers.into_iter().flatten().find(|c| c["name"] == REPO_SERVER);
    let set = |name: &str| -> Option<&str> {
        let env = main?["env"].as_array()?.iter().find(|entry| entry["name"] == name)?;
        env["value"].as_str().or_else(|| {
            let key = env["valueFrom"]["configMapKeyRef"]["key"].as_str()?;
            params["data"][key].as_str()
        })
    };
    let fix = |name: &str, wanted: &str| {
        format!(
            "kubectl -n {namespace} set env deploy/{REPO_SERVER} -c {REPO_SERVER} {name}={wanted}"
        )
    };
    let attempts = match set(ATTEMPTS) {
        Some("0") => Check::failed(
            Code::Setting,
            format!("{ATTEMPTS} is 0: repo-server dies of failed renders in its cache"),
        ),
        Some(many) if many.parse::<u32>().is_ok_and(|many| many >= 1_000_000) => {
            passed(Code::Setting, format!("{ATTEMPTS}={many}"))
        }
        other => Check::failed(
            Code::Setting,
            format!(
                "{ATTEMPTS} is {}: after so many failed renders (3 by default) Argo CD repeats the error for an hour",
                other.unwrap_or("not set")
            ),
        ),
    };
    let paths = match set(PATHS) {
        Some("true") => passed(Code::Setting, format!("{PATHS}=true")),
        other => warning(
            Code::Setting,
            format!(
                "{PATHS} is {}: the whole repository is sent for each render",
                other.unwrap_or("not set")
            ),
        ),
    };
    let fixed = |check: Check, name, wanted| {
        if check.state == State::Passed { check } else { check.fix(fix(name, wanted)) }
    };
    vec![fixed(attempts, ATTEMPTS, "2147483647"), fixed(paths, PATHS, "true")]
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    #[test]
    fn every_pod_has_the_sidecar_or_it_is_told() {
        let pod = |name: &str, containers: &[&str], ready: bool| {
            let containers: Vec<_> =
                containers.iter().map(|name| json!({ "name": name })).collect();
            json!({ "metadata": { "name": name }, "spec": { "containers": containers },
                "status": { "containerStatuses": [{ "name": "wharfinger", "ready": ready }] } })
        };
        let states = |pods: &[Value]| -> Vec<State> {
            sidecars(pods, "argocd").iter().map(|check| check.state).collect()
        };
        let both = ["argocd-repo-server", "wharfinger"];
        assert_eq!(states(&[]), [State::Warning]);
        assert_eq!(states(&[pod("a", &both, true), pod("b", &both, true)]), [State::Passed]);
        assert_eq!(states(&[pod("a", &both, true), pod("b", &both[..1], true)]), [State::Failed]);
        assert_eq!(states(&[pod("a", &both, false)]), [State::Warning]);
    }

    #[test]
    fn settings_are_found_where_argo_cd_keeps_them() {
        let deployment = |env: Value| json!({ "spec": { "template": { "spec": { "containers": [{ "name": "argocd-repo-server", "env": env }] } } } });
        let states = |deployment: Option<Value>, params: Value| -> Vec<State> {
            settings(deployment.as_ref(), &params, "argocd")
                .iter()
                .map(|check| check.state)
                .collect()
        };
        assert_eq!(states(None, json!({})), [State::Warning]);
        assert_eq!(states(Some(deployment(json!([]))), json!({})), [State::Failed, State::Warning]);
        let env = json!([
            { "name": "ARGOCD_PAUSE_GEN_AFTER_FAILED_ATTEMPTS", "value": "2147483647" },
            { "name": "ARGOCD_REPO_SERVER_PLUGIN_USE_MANIFEST_GENERATE_PATHS",
              "valueFrom": { "configMapKeyRef": { "key": "reposerver.plugin.use.manifest.generate.paths" } } },
        ]);
        let params = json!({ "data": { "reposerver.plugin.use.manifest.generate.paths": "true" } });
        assert_eq!(states(Some(deployment(env.clone())), params), [State::Passed, State::Passed]);
        assert_eq!(states(Some(deployment(env)), json!({})), [State::Passed, State::Warning]);
        for deadly in ["0", "3", "many"] {
            let env =
                json!([{ "name": "ARGOCD_PAUSE_GEN_AFTER_FAILED_ATTEMPTS", "value": deadly }]);
            let states = states(Some(deployment(env)), json!({}));
            assert_eq!(states, [State::Failed, State::Warning], "{deadly}");
        }
    }
}
