//! What the manifests make the API server ask, held against what there are rules for.

use std::collections::BTreeSet;
use std::path::Path;

use serde_json::{Value, json};
use wharfinger_api::additions::{BREAK_GLASS, PLUGIN};
use wharfinger_api::v1alpha1::AUTHORIZED_STAGE;

use super::*;

const CONTROLLER: &str = "system:serviceaccount:wharfinger:wharfinger-controller";

fn configurations() -> Vec<Value> {
    let path = Path::new(env!("CARGO_MANIFEST_DIR")).join("../manifests/webhook/webhook.yaml");
    let text = std::fs::read_to_string(path).unwrap();
    text.split("\n---\n").map(|document| serde_saphyr::from_str(document).unwrap()).collect()
}

fn list(value: &Value) -> Vec<&Value> {
    value.as_array().map(|list| list.iter().collect()).unwrap_or_default()
}

/// configuration, webhook
fn webhooks(configurations: &[Value]) -> Vec<(&str, &Value)> {
    configurations
        .iter()
        .flat_map(|c| list(&c["webhooks"]).into_iter().map(|w| (c["kind"].as_str().unwrap(), w)))
        .collect()
}

fn conditions(webhook: &Value) -> Vec<&str> {
    list(&webhook["matchConditions"]).iter().map(|c| c["expression"].as_str().unwrap()).collect()
}

#[test]
fn the_api_server_asks_about_all_kinds_that_have_rules_and_no_others() {
    let all = configurations();
    let mut asked = BTreeSet::new();
    for (_, webhook) in webhooks(&all) {
        for rule in list(&webhook["rules"]) {
            for (group, resource) in list(&rule["apiGroups"]).iter().zip(list(&rule["resources"])) {
                let (resource, subresource) = resource
                    .as_str()
                    .unwrap()
                    .split_once('/')
                    .unwrap_or((resource.as_str().unwrap(), ""));
                let kind = Kind::of(group.as_str().unwrap(), resource, subresource);
                asked.insert(
                    kind.unwrap_or_else(|| panic!("no rules for {resource}/{subresource}")),
                );
            }
        }
    }
    assert_eq!(asked, Kind::ALL.iter().map(|(kind, ..)| *kind).collect());
}

#[test]
fn an_outage_denies_and_nobody_waits_long_for_it() {
    let all = configurations();
    let mut names = BTreeSet::new();
    for (kind, webhook) in webhooks(&all) {
        assert!(
            names.insert((kind, webhook["name"].as_str())),
            "{} is there twice",
            webhook["name"]
        );
        assert_eq!(
            (&webhook["failurePolicy"], &webhook["timeoutSeconds"]),
            (&json!("Fail"), &json!(2)),
            "{}",
            webhook["name"]
        );
        let path = if kind == "MutatingWebhookConfiguration" { "/mutate" } else { "/validate" };
        assert_eq!(webhook["clientConfig"]["service"]["path"], path, "{}", webhook["name"]);
        // Those that write events, and the one that makes namespaces.
        let acts = ["applications", "freight-statuses", "projects", "promotions"]
            .map(|name| format!("{name}.wharfinger.dev"))
            .contains(&webhook["name"].as_str().unwrap().to_owned());
        let acts = acts && kind == "ValidatingWebhookConfiguration";
        assert_eq!(
            webhook["sideEffects"],
            if acts { "NoneOnDryRun" } else { "None" },
            "{}",
            webhook["name"]
        );
    }
}

#[test]
fn conditions_speak_of_the_same_names_as_the_rules() {
    let all = configurations();
    let of = |kind: &str| {
        let found = webhooks(&all)
            .into_iter()
            .find(|(k, w)| *k == kind && w["name"] == "applications.wharfinger.dev")
            .unwrap()
            .1;
        conditions(found).into_iter().map(str::to_owned).collect::<Vec<_>>()
    };
    let (mutating, validating) =
        (of("MutatingWebhookConfiguration"), of("ValidatingWebhookConfiguration"));
    for name in [PLUGIN, AUTHORIZED_STAGE] {
        assert!(validating[0].contains(&format!("'{name}'")), "{name}");
    }
    for name in [AUTHORIZED_STAGE, BREAK_GLASS] {
        assert!(validating[1].contains(&format!("'{name}'")), "{name}");
    }
    // What the one is not asked about, the other could not repair.
    assert!(validating[1].starts_with(mutating[1].trim_end()), "{}", mutating[1]);
    assert!(validating[0].contains(mutating[0].trim_end()), "{}", mutating[0]);
    assert!(mutating[2].contains(CONTROLLER));
}

#[test]
fn the_argocd_instances_are_in_one_place_of_the_conditions() {
    let all = configurations();
    let places = webhooks(&all)
        .into_iter()
        .flat_map(|(_, w)| conditions(w))
        .filter(|c| c.contains("argocd-application-controller"));
    assert_eq!(places.count(), 1);
}

#[test]
fn what_others_wrote_does_not_reach_the_terminal_of_whoever_is_told() {
    let hostile = "\u{1b}[2J\u{9b}31m\u{7}\u{202e}\nerror: all is well";
    let check = Check::failed(
        wharfinger_core::check::Code::Joining,
        format!("{hostile}{}", "a".repeat(100_000)),
    );
    let check = check.fix(format!("Ask {hostile}"));
    let told = serde_json::to_value(Reviewed::deny("1".into(), &check)).unwrap();
    let message = told["response"]["status"]["message"].as_str().unwrap();
    let warned = Reviewed::allow("1".into(), &[hostile.to_owned()], None).unwrap();
    let warned = serde_json::to_value(warned).unwrap();
    let warning = warned["response"]["warnings"][0].as_str().unwrap();
    for text in [message, warning] {
        assert!(text.starts_with("wharfinger: \u{fffd}[2J"), "{text}");
        assert!(!text.chars().any(wharfinger_core::terminal::acts), "{text:?}");
    }
    assert!(
        message.len() < 5000 && message.ends_with(" error: all is well [joining]"),
        "{message}"
    );
}

#[test]
fn a_review_is_taken_apart() {
    let review = |request: &str| {
        let body = format!(
            r#"{{"kind": "AdmissionReview", "apiVersion": "admission.k8s.io/v1", "request": {request}}}"#
        );
        Request::read(body.as_bytes()).map_err(|NoReview(text)| text)
    };
    let rest = r#""uid": "u", "resource": {"group": "g", "resource": "r"}, "operation": "UPDATE", "userInfo": {"username": "alice"}"#;
    let (one, other) = (r#"{"spec": {"a": [1, {}]}}"#, r#"{"spec": {"a": [1, {}], "b": 2}}"#);
    let value = |object: &Option<Object>| object.as_ref().map(|o| o.value().unwrap().to_string());
    for request in [
        format!(r#"{{{rest}, "object": {one}, "oldObject": {other}, "more": {{"object": 1}}}}"#),
        format!(r#"{{"oldObject": {other}, {rest}, "obj\u0065ct": {one}}}"#),
    ] {
        let request = review(&request).unwrap();
        assert_eq!((&*request.uid, &*request.user_info.username), ("u", "alice"));
        assert_eq!(value(&request.object).unwrap(), r#"{"spec":{"a":[1,{}]}}"#);
        assert_eq!(value(&request.old_object).unwrap(), r#"{"spec":{"a":[1,{}],"b":2}}"#);
    }
    let without = review(&format!(r#"{{{rest}, "object": null}}"#)).unwrap();
    assert!(without.object.is_none() && without.old_object.is_none());
    let check = |request: &str, what: &str| {
        let error = review(request).map(|_| ()).unwrap_err();
        assert!(error.starts_with("not an AdmissionReview: ") && error.contains(what), "{error}");
        assert!(!error.contains("line"), "{error}");
    };
    for object in ["1", "[]", "\"\"", "true"] {
        check(&format!(r#"{{{rest}, "object": {object}}}"#), "invalid type");
    }
    for value in ["null", one] {
        check(&format!(r#"{{{rest}, "object": {one}, "object": {value}}}"#), "duplicate field");
    }
    check(&format!(r#"{{{rest}, "object": {{"spec": {{"a": }}}}}}"#), "expected value, at byte");
    check(r#"{"uid": "u"}"#, "missing field `resource`");
    check("[]", "invalid length 0");
    check(&format!("{{{rest}}}, \"request\": {{{rest}}}"), "duplicate field");
    check(&format!("{{{rest}}}}}"), "trailing characters, at byte");
    assert_eq!(review("null").unwrap_err(), "an AdmissionReview without a request");
}
