//! The `matchConditions` that are known, by their text: this API server has no CEL.
//!
//! They are those of `manifests/webhook/webhook.yaml`; a test holds that all of them are here.

use serde_json::Value;

/// What a condition is asked about.
pub(crate) struct Subject<'a> {
    /// `request.operation`
    pub(crate) operation: &'a str,
    /// `request.userInfo.username`
    pub(crate) username: &'a str,
    /// Null when it is deleted.
    pub(crate) object: &'a Value,
    /// Null when it is created.
    pub(crate) old: &'a Value,
}

pub(crate) type Condition = fn(&Subject<'_>) -> bool;

pub(crate) fn find(expression: &str) -> Option<Condition> {
    let text = normalised(expression);
    KNOWN.iter().find(|(known, _)| normalised(known) == text).map(|(_, condition)| *condition)
}

const AUTHORIZED_STAGE: &str = "kargo.akuity.io/authorized-stage";
const BREAK_GLASS: &str = "wharfinger.dev/break-glass";
const PROJECT: &str = "kargo.akuity.io/project";
const CONTROLLER: &str = "system:serviceaccount:wharfinger:wharfinger-controller";
const ARGO_CD: &str = "system:serviceaccount:argocd:argocd-application-controller";
const KUBERNETES: [&str; 3] = [
    "system:serviceaccount:kube-system:generic-garbage-collector",
    "system:serviceaccount:kube-system:namespace-controller",
    "system:kube-controller-manager",
];

const KNOWN: &[(&str, Condition)] = &[
    ("true", |_| true),
    ("false", |_| false),
    (include_str!("conditions/rendered-with-freight.cel"), |s| rendered_with_freight(s.object)),
    (include_str!("conditions/application-changes.cel"), application_changes),
    (include_str!("conditions/application-is-ours.cel"), |s| {
        ours(s.object) || (s.operation == "UPDATE" && ours(s.old))
    }),
    (include_str!("conditions/application-changes-or-operates.cel"), |s| {
        application_changes(s) || operates(s)
    }),
    (include_str!("conditions/not-kubernetes.cel"), |s| {
        !(s.operation == "DELETE" && KUBERNETES.contains(&s.username))
    }),
    (include_str!("conditions/namespace-goes.cel"), |s| {
        s.old["metadata"]["deletionTimestamp"].is_null()
            && (s.operation == "DELETE" || s.object["metadata"]["labels"][PROJECT] != "true")
    }),
    (include_str!("conditions/assignment-changes.cel"), |s| {
        s.username != CONTROLLER
            || s.object["status"].get("assignment") != s.old["status"].get("assignment")
            || held(s.object) != held(s.old)
    }),
    (include_str!("conditions/not-wharfinger.cel"), |s| s.username != CONTROLLER),
];

/// What a Stage held: id and items of each collection.
fn held(stage: &Value) -> Option<Vec<(Option<&Value>, Option<&Value>)>> {
    let history = stage["status"].get("freightHistory")?.as_array()?;
    Some(history.iter().map(|c| (c.get("id"), c.get("items"))).collect())
}

fn ours(application: &Value) -> bool {
    annotation(application, AUTHORIZED_STAGE).is_some() || rendered_with_freight(application)
}

fn rendered_with_freight(application: &Value) -> bool {
    let spec = &application["spec"];
    let sources = spec["sources"].as_array().into_iter().flatten();
    sources.chain([&spec["source"]]).any(|source| source["plugin"]["name"] == "wharfinger")
}

fn application_changes(s: &Subject<'_>) -> bool {
    s.operation != "UPDATE"
        || s.object.get("spec").is_none()
        || s.object["spec"] != s.old["spec"]
        || s.object.get("operation").is_some_and(|operation| *operation != s.old["operation"])
        || [AUTHORIZED_STAGE, BREAK_GLASS]
            .iter()
            .any(|name| annotation(s.object, name) != annotation(s.old, name))
}

/// Anybody but Argo CD changes the status, or Argo CD begins or goes on with an operation that was not there.
fn operates(s: &Subject<'_>) -> bool {
    let status = |of: &'_ Value| of.get("status").cloned();
    let Some(new) = status(s.object).filter(|new| Some(new) != status(s.old).as_ref()) else {
        return false;
    };
    if s.username != ARGO_CD {
        return true;
    }
    let Some(state) = new.get("operationState") else { return false };
    let old = s.old["status"].get("operationState");
    let goes_on = state.get("operation").is_some_and(|operation| {
        let known = s.old.get("operation") == Some(operation)
            || old.and_then(|old| old.get("operation")) == Some(operation);
        known && state.get("syncResult").is_none_or(|result| known_result(s, operation, result))
    });
    old != Some(state) && !goes_on
}

/// Whether the result of an operation has the sources that it had before, or its operation's, or the spec's.
fn known_result(s: &Subject<'_>, operation: &Value, result: &Value) -> bool {
    let explicit = |sync: &&Value| sync.get("source").is_some() || sync.get("sources").is_some();
    let own = operation.get("sync").filter(explicit).or(s.object.get("spec"));
    let before = s.old["status"]["operationState"].get("syncResult");
    before.into_iter().chain(own).any(|known| match result.get("sources") {
        Some(sources) => known.get("sources") == Some(sources),
        None => result.get("source") == known.get("source"),
    })
}

fn annotation<'a>(object: &'a Value, name: &str) -> Option<&'a str> {
    object["metadata"]["annotations"].get(name)?.as_str()
}

/// With one space wherever there is any.
fn normalised(text: &str) -> String {
    text.split_whitespace().collect::<Vec<_>>().join(" ")
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    fn of_the_manifests() -> Vec<(String, String)> {
        let path = concat!(env!("CARGO_MANIFEST_DIR"), "/../../manifests/webhook/webhook.yaml");
        let text = std::fs::read_to_string(path).unwrap();
        let mut found = Vec::new();
        for document in serde_saphyr::from_multiple::<Value>(&text).unwrap() {
            for webhook in document["webhooks"].as_array().unwrap() {
                for condition in webhook["matchConditions"].as_array().into_iter().flatten() {
                    let name =
                        format!("{} {} {}", document["kind"], webhook["name"], condition["name"]);
                    found.push((name, condition["expression"].as_str().unwrap().to_owned()));
                }
            }
        }
        found
    }

    fn asks(name: &str, subject: &Subject<'_>) -> bool {
        let all = of_the_manifests();
        let (_, expression) =
            all.iter().find(|(full, _)| full.replace('"', "").ends_with(name)).unwrap();
        find(expression).unwrap()(subject)
    }

    #[test]
    fn all_conditions_of_the_manifests_are_known_and_no_others_are_kept() {
        let all = of_the_manifests();
        for (name, expression) in &all {
            assert!(find(expression).is_some(), "{name}: no function for\n{expression}");
        }
        for (known, _) in &KNOWN[2..] {
            let used = all.iter().any(|(_, text)| normalised(text) == normalised(known));
            assert!(used, "not in the manifests any more:\n{known}");
        }
        assert!(find("object.spec.replicas > 3").is_none());
    }

    #[test]
    fn conditions_answer_as_their_texts_say() {
        let plugin = json!({"spec": {"source": {"plugin": {"name": "wharfinger"}}}});
        let second = json!({"spec": {"sources": [{}, {"plugin": {"name": "wharfinger"}}]}});
        let other = json!({"spec": {"source": {"plugin": {"name": "other"}}}});
        let named = json!({"metadata": {"annotations": {AUTHORIZED_STAGE: ""}}, "spec": {}});
        let plain_object = json!({"metadata": {}, "spec": {}});
        let operating = json!({"metadata": {}, "spec": {}, "operation": {"a": 1}});
        let state = |operation: i64, phase: &str| json!({"metadata": {}, "spec": {}, "status": {"operationState": {"phase": phase, "operation": {"a": operation}}}});
        let history =
            |id: i64| json!({"metadata": {}, "spec": {}, "status": {"history": [{"id": id}]}});
        let result = |operation: Value, spec: Value, result: Value| {
            json!({"metadata": {}, "spec": spec, "operation": operation,
                "status": {"operationState": {"operation": operation, "syncResult": result}}})
        };
        let (a, b) = (json!({"source": {"path": "a"}}), json!({"source": {"path": "b"}}));
        let many = json!({"source": {"path": "x"}, "sources": [{"path": "a"}]});
        let (plain, explicit) = (json!({"sync": {"prune": true}}), json!({"sync": a}));
        let begun =
            |operation: &Value, of: &Value| result(operation.clone(), of.clone(), Value::Null);
        let held = |generation: i64| json!({"status": {"assignment": {"generation": generation}}});
        let phased = |of: &Value| {
            let mut of = of.clone();
            of["status"]["operationState"]["phase"] = json!("Running");
            of
        };
        let none = Value::Null;
        let project = json!({"metadata": {"labels": {PROJECT: "true"}}});
        let other_label = json!({"metadata": {"labels": {PROJECT: "false"}}});
        let mut going = project.clone();
        going["metadata"]["deletionTimestamp"] = json!("2026-11-21T10:00:00Z");
        let (validated, mutated) = (
            "ValidatingWebhookConfiguration applications.wharfinger.dev relevant-change",
            "MutatingWebhookConfiguration applications.wharfinger.dev relevant-change",
        );
        let ours = "applications.wharfinger.dev ours";
        let renders = "applications.wharfinger.dev renders";
        let goes = "namespaces.wharfinger.dev goes";
        let assigned = "stage-statuses.wharfinger.dev relevant-change";
        let rows = [
            (renders, "CREATE", "bob", &plugin, &none, true),
            (renders, "CREATE", "bob", &second, &none, true),
            (renders, "CREATE", "bob", &other, &none, false),
            (ours, "CREATE", "bob", &named, &none, true),
            (ours, "UPDATE", "bob", &plain_object, &named, true),
            (ours, "UPDATE", "bob", &other, &plugin, true),
            (ours, "UPDATE", "bob", &other, &plain_object, false),
            (mutated, "CREATE", "bob", &plain_object, &none, true),
            (mutated, "UPDATE", "bob", &plain_object, &plain_object, false),
            (mutated, "UPDATE", "bob", &named, &plain_object, true),
            (mutated, "UPDATE", "bob", &plugin, &plain_object, true),
            (mutated, "UPDATE", "bob", &operating, &plain_object, true),
            (mutated, "UPDATE", "bob", &operating, &operating, false),
            (mutated, "UPDATE", "bob", &plain_object, &operating, false),
            (mutated, "UPDATE", "bob", &state(1, "Running"), &operating, false),
            (validated, "UPDATE", "bob", &state(1, "Running"), &operating, true),
            (validated, "UPDATE", ARGO_CD, &state(1, "Running"), &operating, false),
            (validated, "UPDATE", ARGO_CD, &state(1, "Failed"), &state(1, "Running"), false),
            (validated, "UPDATE", ARGO_CD, &state(2, "Running"), &state(1, "Running"), true),
            (validated, "UPDATE", "bob", &state(1, "Running"), &state(1, "Running"), false),
            (validated, "UPDATE", "bob", &history(2), &history(1), true),
            (validated, "UPDATE", "bob", &history(1), &history(1), false),
            (validated, "UPDATE", "bob", &plain_object, &history(1), false),
            (validated, "UPDATE", ARGO_CD, &history(2), &history(1), false),
            (
                validated,
                "UPDATE",
                ARGO_CD,
                &result(explicit.clone(), b.clone(), a.clone()),
                &begun(&explicit, &b),
                false,
            ),
            (
                validated,
                "UPDATE",
                ARGO_CD,
                &result(explicit.clone(), b.clone(), b.clone()),
                &begun(&explicit, &b),
                true,
            ),
            (
                validated,
                "UPDATE",
                ARGO_CD,
                &result(plain.clone(), b.clone(), b.clone()),
                &begun(&plain, &b),
                false,
            ),
            (
                validated,
                "UPDATE",
                ARGO_CD,
                &result(plain.clone(), b.clone(), a.clone()),
                &begun(&plain, &b),
                true,
            ),
            (
                validated,
                "UPDATE",
                ARGO_CD,
                &result(plain.clone(), many.clone(), many.clone()),
                &begun(&plain, &many),
                false,
            ),
            (
                validated,
                "UPDATE",
                ARGO_CD,
                &result(plain.clone(), many.clone(), a.clone()),
                &begun(&plain, &many),
                true,
            ),
            (
                validated,
                "UPDATE",
                ARGO_CD,
                &phased(&result(plain.clone(), b.clone(), a.clone())),
                &result(plain.clone(), b.clone(), a.clone()),
                false,
            ),
            (
                "promotions.wharfinger.dev not-kubernetes",
                "DELETE",
                KUBERNETES[0],
                &none,
                &plain_object,
                false,
            ),
            (
                "promotions.wharfinger.dev not-kubernetes",
                "DELETE",
                "bob",
                &none,
                &plain_object,
                true,
            ),
            (
                "promotions.wharfinger.dev not-kubernetes",
                "UPDATE",
                KUBERNETES[0],
                &plain_object,
                &plain_object,
                true,
            ),
            (goes, "DELETE", "bob", &none, &project, true),
            (goes, "DELETE", KUBERNETES[0], &none, &project, true),
            (goes, "DELETE", KUBERNETES[1], &none, &going, false),
            (goes, "UPDATE", "bob", &plain_object, &project, true),
            (goes, "UPDATE", "bob", &other_label, &project, true),
            (goes, "UPDATE", "bob", &plain_object, &going, false),
            (goes, "UPDATE", "bob", &project, &project, false),
            (goes, "UPDATE", "bob", &project, &plain_object, false),
            (assigned, "UPDATE", CONTROLLER, &held(1), &held(1), false),
            (assigned, "UPDATE", CONTROLLER, &held(2), &held(1), true),
            (assigned, "UPDATE", CONTROLLER, &plain_object, &held(1), true),
            (assigned, "UPDATE", "bob", &held(1), &held(1), true),
            (
                "freight-statuses.wharfinger.dev not-wharfinger",
                "UPDATE",
                CONTROLLER,
                &plain_object,
                &plain_object,
                false,
            ),
            (
                "freight-statuses.wharfinger.dev not-wharfinger",
                "UPDATE",
                "bob",
                &plain_object,
                &plain_object,
                true,
            ),
        ];
        for (name, operation, username, object, old, expected) in rows {
            let subject = Subject { operation, username, object, old };
            assert_eq!(
                asks(name, &subject),
                expected,
                "{name}: {operation} by {username}: {old} to {object}"
            );
        }
    }
}
