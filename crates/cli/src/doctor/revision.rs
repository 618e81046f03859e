//! Whether whoever may sync an Application may choose what revision of it is deployed: a setting of Argo CD.

use k8s_openapi::api::core::v1::ConfigMap;
use kube::Api;
use wharfinger_api::argocd::Application;
use wharfinger_api::v1alpha1::AUTHORIZED_STAGE;
use wharfinger_core::check::{Check, Code};
use wharfinger_core::claim::the_stage;
use wharfinger_core::revision::is_open;

use super::images::held;
use super::seen::Seen;
use super::{passed, unseen, warning};
use crate::exit::Failure;
use crate::session::Session;

const MAP: &str = "argocd-cm";
const SETTING: &str = "application.sync.requireOverridePrivilegeForRevisionSync";

pub(super) async fn look(session: &Session, seen: &Seen) -> Result<Option<Check>, Failure> {
    let open = open(seen);
    if open.is_empty() {
        return Ok(None);
    }
    let namespace = &session.global.argocd_namespace;
    let maps: Api<ConfigMap> = Api::namespaced(session.client().await?.clone(), namespace);
    match maps.get_opt(MAP).await {
        Ok(map) => {
            let data = map.and_then(|map| map.data).unwrap_or_default();
            Ok(Some(judge(&open, data.get(SETTING).map(String::as_str), namespace)))
        }
        Err(e) => Ok(Some(unseen(Code::Setting, &format!("the ConfigMap {MAP}"), &e)?)),
    }
}

/// The Applications for which it matters.
fn open(seen: &Seen) -> Vec<String> {
    let matters = |app: &&Application| {
        let stage = the_stage(app.annotation(AUTHORIZED_STAGE)).ok();
        let stage = stage.and_then(|name| seen.stages.get(&name)?.as_ref());
        stage.and_then(held).is_some_and(|held| is_open(app, held))
    };
    let named = |app: &Application| format!("{}/{}", app.namespace(), app.name());
    seen.applications.iter().filter(matters).map(named).collect()
}

fn judge(open: &[String], set: Option<&str>, namespace: &str) -> Check {
    // As Argo CD reads it.
    if matches!(set, Some("1" | "t" | "T" | "true" | "TRUE" | "True")) {
        return passed(Code::Setting, format!("{SETTING}={}", set.unwrap_or_default()));
    }
    let apps = match open {
        [first, _, ..] => format!("{first} and {} more", open.len() - 1),
        _ => open.concat(),
    };
    let text = format!(
        "{SETTING} is {}: whoever may sync {apps} in Argo CD may deploy another revision than targetRevision, for neither Freight nor auto-sync pins it",
        set.filter(|set| !set.is_empty()).unwrap_or("not set"),
    );
    warning(Code::Setting, text).fix(format!(
        "With Argo CD 3.2 or later: kubectl -n {namespace} patch configmap {MAP} --type merge -p '{{\"data\":{{\"{SETTING}\":\"true\"}}}}' (where it comes from Git, write it there); or subscribe the Warehouse to the repository"
    ))
}

#[cfg(test)]
mod tests {
    use serde_json::{Value, json};
    use wharfinger_core::check::State;

    use super::*;

    #[test]
    fn the_setting_is_read_as_argo_cd_reads_it() {
        let open = ["argocd/web".to_owned()];
        for (set, state, text) in [
            (Some("true"), State::Passed, "=true"),
            (Some("1"), State::Passed, "=1"),
            (Some("false"), State::Warning, "is false:"),
            (Some("yes"), State::Warning, "is yes:"),
            (Some(""), State::Warning, "is not set:"),
            (None, State::Warning, "is not set:"),
        ] {
            let check = judge(&open, set, "argocd");
            assert!(check.state == state && check.text.contains(text), "{set:?}: {check:?}");
            assert!(
                state == State::Passed || check.text.contains("sync argocd/web in"),
                "{check:?}"
            );
        }
    }

    #[test]
    fn it_matters_where_a_stage_pins_nothing() {
        let stage = |commits: Value| {
            let items = json!({ "Warehouse/w": { "name": "f", "commits": commits } });
            let status = json!({ "freightHistory": [{ "id": "c", "items": items }],
                "assignment": { "generation": 1, "collection": "c", "assignedAt": "2026-11-21T11:00:00Z" } });
            let stage = json!({ "apiVersion": "kargo.akuity.io/v1alpha1", "kind": "Stage", "metadata": {},
                "spec": { "requestedFreight": [] }, "status": status });
            Some(serde_json::from_value(stage).unwrap())
        };
        let app = |name: &str, stage: &str| {
            let source =
                json!({ "repoURL": "https://git.example/x", "plugin": { "name": "wharfinger" } });
            let app = json!({ "metadata": { "name": name, "namespace": "argocd", "annotations": { AUTHORIZED_STAGE: stage } },
                "spec": { "source": source } });
            serde_json::from_value(app).unwrap()
        };
        let pinned = json!([{ "repoURL": "https://git.example/x", "id": "abc" }]);
        let seen = Seen {
            applications: ["free", "pinned", "gone", "unread"]
                .map(|stage| app(stage, &format!("shop:{stage}")))
                .into(),
            stages: [("free", stage(json!([]))), ("pinned", stage(pinned)), ("gone", None)]
                .map(|(name, stage)| (format!("shop:{name}").parse().unwrap(), stage))
                .into(),
            ..Seen::default()
        };
        assert_eq!(open(&seen), ["argocd/free"]);
    }
}
