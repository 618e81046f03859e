//! What Argo CD's application controller does to an Application, as far as a promotion sees it: one write after the other.

use serde_json::{Value, json};

use crate::api::Api;

/// Does to every Application the next thing that Argo CD would do. Says whether there was any.
pub(crate) fn step(api: &Api) -> bool {
    let mut busy = false;
    for app in api.all("applications") {
        if let Some(next) = next(&app) {
            busy = true;
            api.put("applications", next);
        }
    }
    busy
}

fn next(app: &Value) -> Option<Value> {
    let mut next = app.clone();
    let now = jiff::Timestamp::now().to_string();
    let phase = app["status"]["operationState"]["phase"].as_str().unwrap_or_default();
    let source = &app["spec"]["source"];
    if !app["operation"].is_null() && phase.is_empty() {
        next["status"]["operationState"] = json!({ "phase": "Running", "operation": app["operation"], "startedAt": now, "syncResult": { "source": app["operation"]["sync"]["source"] } });
    } else if phase == "Running" || phase == "Terminating" {
        let state = &mut next["status"]["operationState"];
        state["phase"] = if phase == "Running" { "Succeeded" } else { "Failed" }.into();
        state["finishedAt"] = now.clone().into();
        if phase == "Running" {
            let entry = json!({ "id": 1, "source": app["status"]["operationState"]["operation"]["sync"]["source"], "deployedAt": now });
            let mut history = app["status"]["history"].as_array().cloned().unwrap_or_default();
            history.push(entry);
            next["status"]["history"] = history.into();
        }
        next.as_object_mut()?.remove("operation");
    } else if app["status"]["sync"]["comparedTo"]["source"] != *source
        || app["metadata"]["annotations"]["argocd.argoproj.io/refresh"].is_string()
    {
        next["metadata"]["annotations"].as_object_mut()?.remove("argocd.argoproj.io/refresh");
        next["status"]["sync"] = json!({ "status": "Synced", "comparedTo": { "source": source } });
        next["status"]["health"] = json!({ "status": "Healthy" });
        next["status"]["reconciledAt"] = now.into();
    } else {
        return None;
    }
    Some(next)
}
