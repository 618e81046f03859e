//! Bodies that nobody sends in good faith: none of them may be more than refused.

use http::{Method, StatusCode};
use serde_json::{Value, json};
use wharfinger_localapi::User;

use crate::world::{Ask, THINGS, server, thing};

/// What stands where something else belongs.
fn oddities() -> Vec<Value> {
    vec![
        json!(null),
        json!(-1),
        json!(1e300),
        json!(true),
        json!(""),
        json!("x"),
        json!([]),
        json!([1, null]),
        json!([[{}]]),
        json!({}),
        json!({"": {"x": []}}),
    ]
}

fn kinds() -> Vec<(&'static str, Value)> {
    let definition = THINGS.split("---").next().unwrap();
    let mut definition: Value = serde_saphyr::from_str(definition).unwrap();
    definition["metadata"]["name"] = "others.test.io".into();
    definition["spec"]["names"] = json!({"plural": "others", "kind": "Other"});
    let mut thing = serde_json::to_value(thing("x", 1)).unwrap();
    thing["metadata"] = json!({
        "name": "x", "namespace": "a", "labels": {"a": "b"}, "annotations": {"a": "b"},
        "finalizers": ["t.io/a"], "resourceVersion": "",
        "ownerReferences": [{"apiVersion": "v1", "kind": "Pod", "name": "x", "uid": "x"}],
    });
    let named = json!({"name": "x"});
    vec![
        ("/apis/test.io/v1/namespaces/a/things", thing),
        ("/apis/apiextensions.k8s.io/v1/customresourcedefinitions", definition),
        (
            "/api/v1/namespaces",
            json!({"metadata": named, "spec": {"finalizers": ["x"]}, "status": {"phase": "x"}}),
        ),
        (
            "/api/v1/namespaces/a/secrets",
            json!({"metadata": named, "data": {"a": "YQ=="}, "stringData": {"a": "b"}, "type": "x"}),
        ),
        ("/api/v1/namespaces/a/configmaps", json!({"metadata": named, "data": {"a": "b"}})),
        (
            "/apis/events.k8s.io/v1/namespaces/a/events",
            json!({"metadata": named, "regarding": {"name": "x", "namespace": "a"}, "note": "x"}),
        ),
        (
            "/apis/rbac.authorization.k8s.io/v1/clusterroles",
            json!({"metadata": named, "rules": [{"verbs": ["*"], "resources": ["*"]}], "aggregationRule": {"clusterRoleSelectors": [{"matchLabels": {"a": "b"}}]}}),
        ),
        (
            "/apis/rbac.authorization.k8s.io/v1/clusterrolebindings",
            json!({"metadata": named, "roleRef": {"kind": "ClusterRole", "name": "x"}, "subjects": [{"kind": "User", "name": "x"}]}),
        ),
        (
            "/apis/admissionregistration.k8s.io/v1/validatingwebhookconfigurations",
            json!({"metadata": named, "webhooks": [{
                "name": "x", "admissionReviewVersions": ["v1"], "clientConfig": {"service": {"name": "x", "namespace": "a"}},
                "rules": [{"apiGroups": ["none"], "apiVersions": ["*"], "resources": ["*"], "operations": ["*"]}],
                "matchConditions": [{"name": "x", "expression": "true"}], "failurePolicy": "Ignore",
                "objectSelector": {"matchExpressions": [{"key": "a", "operator": "In", "values": ["x"]}]},
            }]}),
        ),
        (
            "/apis/authorization.k8s.io/v1/subjectaccessreviews",
            json!({"spec": {"user": "x", "groups": ["x"], "extra": {"x": ["x"]}, "resourceAttributes": {"verb": "get", "resource": "x"}}}),
        ),
        ("/apis/authentication.k8s.io/v1/tokenreviews", json!({"spec": {"token": "x.y"}})),
    ]
}

/// The object with the oddity in each place where there is something.
fn odd(object: &Value, oddity: &Value) -> Vec<Value> {
    let mut all = vec![oddity.clone()];
    match object {
        Value::Object(fields) => {
            for (key, value) in fields {
                for replaced in odd(value, oddity) {
                    let mut odd = object.clone();
                    odd[key] = replaced;
                    all.push(odd);
                }
            }
        }
        Value::Array(items) => {
            for (index, value) in items.iter().enumerate() {
                for replaced in odd(value, oddity) {
                    let mut odd = object.clone();
                    odd[index] = replaced;
                    all.push(odd);
                }
            }
        }
        _ => {}
    }
    all
}

#[tokio::test]
async fn no_body_does_more_harm_than_to_be_refused() {
    let server = server().await;
    let ask = Ask::of(&server, User::new("bob", ["system:masters"]));
    let stranger = Ask::of(&server, User::new("eve", []));
    for (path, object) in kinds() {
        for oddity in oddities() {
            for body in odd(&object, &oddity) {
                // Stored, too: what was accepted is read by RBAC, webhooks, tables and the sweep.
                let (status, said) = ask.post(path, &body).await;
                assert!(!status.is_server_error(), "{path} {body}: {said}");
                let name = body["metadata"]["name"].as_str().filter(|name| !name.is_empty());
                let (true, Some(name)) = (status == StatusCode::CREATED, name) else { continue };
                let one = format!("{path}/{name}");
                let _seen = stranger.get("/api/v1/namespaces/a/secrets").await;
                let table = [("accept", "application/json;as=Table;v=v1;g=meta.k8s.io")];
                ask.send(Method::GET, path, &table, "").await;
                for kind in ["merge-patch+json", "strategic-merge-patch+json"] {
                    let headers = [("content-type", format!("application/{kind}"))];
                    let headers: Vec<(&str, &str)> =
                        headers.iter().map(|(name, value)| (*name, value.as_str())).collect();
                    let body = body.to_string();
                    let (status, _, said) = ask.send(Method::PATCH, &one, &headers, &body).await;
                    assert!(!status.is_server_error(), "{one} {body}: {said}");
                }
                let free = [("content-type", "application/merge-patch+json")];
                let none = r#"{"metadata": {"finalizers": null}}"#;
                let (status, ..) = ask.send(Method::DELETE, &one, &[], &oddity.to_string()).await;
                assert!(!status.is_server_error(), "{one} deleted with {oddity}");
                ask.send(Method::DELETE, &one, &[], "").await;
                ask.send(Method::PATCH, &one, &free, none).await;
            }
        }
    }
}

#[tokio::test]
async fn no_path_and_no_parameter_does_either() {
    let server = server().await;
    let ask = Ask::of(&server, User::admin());
    let paths = [
        "/",
        "//",
        "/api/",
        "/apis//",
        "/api/v1/namespaces//secrets",
        "/api/v1/namespaces/a/secrets/x/y/z",
        "/api/v1/%FF",
        "/api/v1/namespaces/%2F/secrets",
        "/apis/test.io/v1/things/x",
        "/api/v1/secrets?labelSelector=%28%28%28a",
        "/api/v1/secrets?labelSelector=%29%29,a",
        "/api/v1/secrets?limit=-1",
        "/api/v1/secrets?limit=99999999999999999999",
        "/api/v1/secrets?continue=%00",
        "/api/v1/secrets?continue=W10",
        "/api/v1/secrets?fieldSelector==",
        "/api/v1/secrets?resourceVersion=x",
        "/api/v1/secrets?watch=1&resourceVersion=18446744073709551615",
        "/api/v1/secrets?resourceVersionMatch=Exact&resourceVersion=0",
        "/api/v1/secrets?%=%&&&=",
        "/openapi/v3/apis/x",
        "/openapi/v3/apis/x/y",
        "/version/x",
    ];
    for path in paths {
        for method in [Method::GET, Method::POST, Method::PUT, Method::PATCH, Method::DELETE] {
            let (status, _, said) = ask.send(method.clone(), path, &[], "{").await;
            let refused = status.is_client_error() || status == StatusCode::GATEWAY_TIMEOUT;
            assert!(refused || status == StatusCode::OK, "{method} {path}: {status} {said}");
        }
    }
}
