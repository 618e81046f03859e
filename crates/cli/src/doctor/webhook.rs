//! Whether the API server asks the webhook, and whether it says no.

use k8s_openapi::api::admissionregistration::v1::{
    MutatingWebhookConfiguration, ValidatingWebhookConfiguration,
};
use kube::api::{DynamicObject, PostParams};
use kube::{Api, Client};
use serde_json::{Value, json};
use wharfinger_api::additions::{ENV_FREIGHT, ENV_STAGE, PLUGIN};
use wharfinger_api::v1alpha1::AUTHORIZED_STAGE;
use wharfinger_core::check::{Check, Code};
use wharfinger_render::documents;

use super::{passed, unseen, warning};
use crate::exit::Failure;
use crate::session::Session;

/// As it is installed by this version.
const MANIFEST: &str = include_str!("../../../../manifests/webhook/webhook.yaml");
const NAME: &str = "wharfinger";

pub async fn look(session: &Session) -> Result<Vec<Check>, Failure> {
    let client = session.client().await?;
    let mut checks = Vec::new();
    let wanted = documents::objects("webhook.yaml", MANIFEST)
        .map_err(|e| Failure::new("the manifest of the webhook can't be read").because(&e))?;
    for wanted in wanted.iter().filter(|object| object["webhooks"].is_array()) {
        let kind = wanted["kind"].as_str().unwrap_or_default();
        match installed(client, kind).await {
            Ok(found) => checks.push(configured(kind, wanted, found.as_ref())),
            Err(e) => checks.push(unseen(Code::Webhook, &format!("the {kind}"), &e)?),
        }
    }
    let id = "0".repeat(40);
    let forged = application(&json!([
        { "name": ENV_STAGE, "value": "wharfinger-doctor:none" },
        { "name": ENV_FREIGHT, "value": format!("1-{id}") },
    ]));
    checks.push(refusal(attempt(session, &forged).await)?);
    checks.push(admission(attempt(session, &application(&json!([]))).await)?);
    Ok(checks)
}

async fn installed(client: &Client, kind: &str) -> kube::Result<Option<Value>> {
    if kind == "MutatingWebhookConfiguration" {
        let api: Api<MutatingWebhookConfiguration> = Api::all(client.clone());
        return Ok(api.get_opt(NAME).await?.and_then(|found| serde_json::to_value(found).ok()));
    }
    let api: Api<ValidatingWebhookConfiguration> = Api::all(client.clone());
    Ok(api.get_opt(NAME).await?.and_then(|found| serde_json::to_value(found).ok()))
}

/// Creates an Application on trial.
async fn attempt(session: &Session, application: &Value) -> Result<(), kube::Error> {
    let trial = PostParams { dry_run: true, ..PostParams::default() };
    let api = session.apps(&session.global.argocd_namespace).await;
    let object: Result<DynamicObject, _> = serde_json::from_value(application.clone());
    match (api, object) {
        (Ok(api), Ok(object)) => api.create(&trial, &object).await.map(drop),
        // The client has been used before, and the object is our own.
        _ => Ok(()),
    }
}

/// An Application of a Stage that does not exist. It is never stored.
fn application(env: &Value) -> Value {
    json!({
        "apiVersion": "argoproj.io/v1alpha1",
        "kind": "Application",
        "metadata": {
            "name": "wharfinger-doctor",
            "annotations": { AUTHORIZED_STAGE: "wharfinger-doctor:none" },
        },
        "spec": {
            "project": "default",
            "destination": { "server": "https://kubernetes.default.svc", "namespace": "default" },
            "source": { "repoURL": "https://example.invalid/probe.git", "path": ".", "plugin": { "name": PLUGIN, "env": env } },
        },
    })
}

const INSTALL: &str = "kubectl apply --server-side -k manifests/base";

fn configured(kind: &str, wanted: &Value, found: Option<&Value>) -> Check {
    let Some(found) = found else {
        let text = format!("there is no {kind} {NAME}: the API server does not ask the webhook");
        return Check::failed(Code::Webhook, text).fix(INSTALL);
    };
    let all = |of: &Value| of["webhooks"].as_array().cloned().unwrap_or_default();
    let (mut wrong, mut differs) = (Vec::new(), Vec::new());
    for wanted in all(wanted) {
        let name = wanted["name"].as_str().unwrap_or_default().to_owned();
        let Some(found) = all(found).into_iter().find(|webhook| webhook["name"] == wanted["name"])
        else {
            wrong.push(format!("{name} is missing"));
            continue;
        };
        if found["failurePolicy"] != "Fail" {
            wrong.push(format!(
                "{name} lets everything pass while the webhook is down (failurePolicy)"
            ));
        }
        if found["clientConfig"]["caBundle"].as_str().unwrap_or_default().is_empty() {
            wrong.push(format!("{name} has no caBundle"));
        }
        if rules(&found) != rules(&wanted)
            || found["matchConditions"] != wanted["matchConditions"]
            || selectors(&found) != selectors(&wanted)
        {
            differs.push(name);
        }
    }
    if !wrong.is_empty() {
        return Check::failed(Code::Webhook, format!("{kind}: {}", wrong.join("; "))).fix(format!(
            "{INSTALL}; the webhook writes the caBundle itself, or its log says why not"
        ));
    }
    if !differs.is_empty() {
        let text = format!(
            "{kind}: rules, selectors or matchConditions of {} are not those of this version",
            differs.join(", ")
        );
        return warning(Code::Webhook, text)
            .fix("Right where several Argo CDs are named in them; else install the version of this wharf");
    }
    passed(
        Code::Webhook,
        format!("{kind}: all are asked, and nothing passes while the webhook is down"),
    )
}

/// The rules, with what the API server fills in.
fn rules(webhook: &Value) -> Vec<Value> {
    let mut rules = webhook["rules"].as_array().cloned().unwrap_or_default();
    for rule in &mut rules {
        if rule.get("scope").is_none_or(Value::is_null) {
            rule["scope"] = "*".into();
        }
    }
    rules
}

/// What chooses among objects and namespaces. The API server fills in the one that chooses all.
fn selectors(webhook: &Value) -> [Option<&Value>; 2] {
    let chooses = |selector: &&Value| selector.as_object().is_some_and(|map| !map.is_empty());
    ["objectSelector", "namespaceSelector"].map(|field| webhook.get(field).filter(chooses))
}

/// A claim that can't be had must be refused by us.
fn refusal(tried: Result<(), kube::Error>) -> Result<Check, Failure> {
    match tried {
        Err(kube::Error::Api(status)) if status.message.contains("denied the request: wharfinger") => {
            Ok(passed(Code::Probe, "on trial, an Application that claims Freight it can't have is DENIED"))
        }
        Err(e) => untried(&e),
        Ok(()) => Ok(Check::failed(
            Code::Probe,
            "on trial, an Application that claims Freight it can't have is ADMITTED: the webhook is not asked",
        )
        .fix(INSTALL)),
    }
}

/// One that claims nothing must be admitted.
fn admission(tried: Result<(), kube::Error>) -> Result<Check, Failure> {
    match tried {
        Ok(()) => {
            Ok(passed(Code::Probe, "on trial, an Application that claims nothing is admitted"))
        }
        Err(kube::Error::Api(status))
            if status.message.contains("denied the request: wharfinger") =>
        {
            let text = format!(
                "on trial, an Application that claims nothing is denied: {}",
                status.message
            );
            Ok(Check::failed(Code::Probe, text)
                .fix("Look at the webhook's log; it may be of another version"))
        }
        Err(e) => untried(&e),
    }
}

fn untried(error: &kube::Error) -> Result<Check, Failure> {
    match error {
        kube::Error::Api(status) if status.message.contains("failed calling webhook") => {
            Ok(Check::failed(Code::Probe, format!("the API server can't reach the webhook: {}", status.message))
                .fix("Look at it: kubectl -n wharfinger get pods,endpointslices"))
        }
        kube::Error::Api(status) if status.code == 403 => Ok(warning(
            Code::Probe,
            "not tried: you may not create Applications",
        )
        .fix("Run it as somebody who may create Applications in Argo CD's namespace; nothing is stored")),
        _ => unseen(Code::Probe, "the answer of the webhook", error),
    }
}

#[cfg(test)]
mod tests {
    use kube::core::Status;
    use wharfinger_core::check::State;

    use super::*;

    fn wanted() -> Vec<Value> {
        let all = documents::objects("webhook.yaml", MANIFEST).unwrap();
        all.into_iter().filter(|object| object["webhooks"].is_array()).collect()
    }

    fn found(change: impl Fn(&mut Value)) -> Value {
        let mut found = wanted().remove(0);
        for webhook in found["webhooks"].as_array_mut().unwrap() {
            webhook["clientConfig"]["caBundle"] = "Y2E=".into();
            webhook["rules"] = rules(webhook).into();
            webhook["namespaceSelector"] = json!({});
        }
        change(&mut found["webhooks"][0]);
        found
    }

    #[test]
    fn a_webhook_is_asked_about_everything_or_it_fails() {
        let wanted = wanted();
        assert_eq!(wanted.len(), 2);
        let check = |found: Option<Value>, state: State, part: &str| {
            let check = configured("Kind", &wanted[0], found.as_ref());
            assert!(check.state == state && check.text.contains(part), "{check:?}");
        };
        check(None, State::Failed, "does not ask");
        check(Some(found(|_| {})), State::Passed, "all are asked");
        check(
            Some(found(|w| w["failurePolicy"] = "Ignore".into())),
            State::Failed,
            "failurePolicy",
        );
        check(
            Some(found(|w| w["clientConfig"] = json!({ "url": "x" }))),
            State::Failed,
            "no caBundle",
        );
        check(Some(found(|w| w["name"] = "other".into())), State::Failed, "is missing");
        check(
            Some(found(|w| w["matchConditions"] = json!([]))),
            State::Warning,
            "not those of this version",
        );
        check(Some(found(|w| w["rules"] = json!([]))), State::Warning, "not those of this version");
        for selector in ["objectSelector", "namespaceSelector"] {
            let nothing = json!({ "matchLabels": { "no": "thing" } });
            check(
                Some(found(|w| w[selector] = nothing.clone())),
                State::Warning,
                "not those of this version",
            );
        }
    }

    #[test]
    fn a_probe_is_answered_by_us_or_it_proves_nothing() {
        let error = |code: u16, message: &str| {
            kube::Error::Api(Box::new(Status {
                code,
                message: message.into(),
                ..Status::default()
            }))
        };
        let denied = || {
            error(
                400,
                "admission webhook \"x\" denied the request: wharfinger: no. [claim-unknown]",
            )
        };
        let rbac = || error(403, "applications.argoproj.io is forbidden");
        let down = || error(500, "failed calling webhook \"x\": connection refused");
        assert_eq!(refusal(Err(denied())).unwrap().state, State::Passed);
        assert_eq!(refusal(Ok(())).unwrap().state, State::Failed);
        assert_eq!(refusal(Err(rbac())).unwrap().state, State::Warning);
        assert_eq!(refusal(Err(down())).unwrap().state, State::Failed);
        assert_eq!(admission(Ok(())).unwrap().state, State::Passed);
        assert_eq!(admission(Err(denied())).unwrap().state, State::Failed);
        assert_eq!(admission(Err(rbac())).unwrap().state, State::Warning);
        assert_eq!(admission(Err(down())).unwrap().state, State::Failed);
    }
}
