//! Webhooks: who is asked what, and what comes of it.

use std::future::IntoFuture as _;
use std::sync::{Arc, Mutex};

use axum::{Json, Router, routing};
use base64::Engine as _;
use base64::engine::general_purpose::STANDARD as BASE64;
use http::{Method, StatusCode};
use kube::api::{DeleteParams, Patch, PatchParams, PostParams};
use serde_json::{Value, json};
use wharfinger_localapi::{LocalApi, Service, User};

use crate::world::{Ask, refusal, server, thing, things};

type Seen = Arc<Mutex<Vec<Value>>>;

/// A webhook that answers every review with what `answer` makes of the request, and remembers them.
fn webhook(answer: impl Fn(&Value) -> Value + Clone + Send + Sync + 'static) -> (Service, Seen) {
    let seen = Seen::default();
    let kept = seen.clone();
    let handler = move |Json(review): Json<Value>| async move {
        let request = review["request"].clone();
        let mut response = answer(&request);
        response["uid"] = request["uid"].clone();
        kept.lock().unwrap().push(request);
        Json(
            json!({"apiVersion": "admission.k8s.io/v1", "kind": "AdmissionReview", "response": response}),
        )
    };
    let router = Router::new().route("/here", routing::post(handler));
    (Service::Router(router), seen)
}

fn configuration(kind: &str, webhooks: &[Value]) -> String {
    let webhooks: Vec<Value> = webhooks
        .iter()
        .enumerate()
        .map(|(index, extra)| {
            let mut webhook = json!({
                "name": format!("w{index}.test.io"), "admissionReviewVersions": ["v1"],
                "sideEffects": "None",
                "clientConfig": {"service": {"namespace": "a", "name": "hook", "path": "/here"}},
                "rules": [{"apiGroups": ["test.io"], "apiVersions": ["*"], "resources": ["things"], "operations": ["*"]}],
            });
            for (key, value) in extra.as_object().unwrap() {
                webhook[key] = value.clone();
            }
            webhook
        })
        .collect();
    json!({
        "apiVersion": "admissionregistration.k8s.io/v1", "kind": kind,
        "metadata": {"name": "test"}, "webhooks": webhooks,
    })
    .to_string()
}

async fn hooked(kind: &str, webhooks: &[Value], service: Option<Service>) -> LocalApi {
    let server = server().await;
    if let Some(service) = service {
        server.serve("a", "hook", service);
    }
    server.apply(&configuration(kind, webhooks)).await.unwrap();
    server
}

fn allowed(_: &Value) -> Value {
    json!({"allowed": true})
}

#[tokio::test]
async fn a_mutating_webhook_changes_the_object_before_it_is_checked() {
    let (service, seen) = webhook(|request| {
        let patch = json!([
            {"op": "replace", "path": "/spec/size", "value": 9},
            {"op": "add", "path": "/spec/shape", "value": "round"},
        ]);
        let patch = if request["operation"] == "CREATE" { patch } else { json!([]) };
        json!({"allowed": true, "patchType": "JSONPatch", "patch": BASE64.encode(patch.to_string()), "warnings": ["grown"]})
    });
    let server = hooked("MutatingWebhookConfiguration", &[json!({})], Some(service)).await;
    let ask = Ask::of(&server, User::new("bob", ["system:masters"]));
    let body = json!({"apiVersion": "test.io/v1", "kind": "Thing", "metadata": {"generateName": "x-"}, "spec": {"size": 0}});
    let path = "/apis/test.io/v1/namespaces/a/things?dryRun=All";
    let (status, headers, created) = ask.send(Method::POST, path, &[], &body.to_string()).await;
    assert_eq!(status, StatusCode::CREATED, "{created}");
    assert_eq!(headers["warning"], "299 - \"grown\"");
    // What the schema does not know is dropped from the patched object, too.
    assert_eq!(created["spec"], json!({"size": 9, "colour": "red"}));
    let seen = seen.lock().unwrap().remove(0);
    let kind = json!({"group": "test.io", "version": "v1", "kind": "Thing"});
    let resource = json!({"group": "test.io", "version": "v1", "resource": "things"});
    assert_eq!((&seen["kind"], &seen["resource"]), (&kind, &resource));
    assert_eq!((&seen["operation"], &seen["namespace"]), (&json!("CREATE"), &json!("a")));
    assert_eq!(seen["userInfo"]["username"], "bob");
    assert_eq!((&seen["dryRun"], &seen["oldObject"]), (&json!(true), &Value::Null));
    assert_eq!((seen.get("name"), seen.get("subResource")), (None, None));
    assert_eq!(seen["object"]["spec"], json!({"size": 0, "colour": "red"}));
    assert_eq!(seen["options"]["kind"], "CreateOptions");
}

#[tokio::test]
async fn a_validating_webhook_refuses_in_its_own_words() {
    let rows = [
        (
            json!({"allowed": false, "status": {"code": 403, "reason": "Forbidden", "message": "not now"}}),
            403,
            "admission webhook \"w0.test.io\" denied the request: not now",
        ),
        (
            json!({"allowed": false, "status": {"reason": "Forbidden"}}),
            400,
            "admission webhook \"w0.test.io\" denied the request: Forbidden",
        ),
        (
            json!({"allowed": false}),
            400,
            "admission webhook \"w0.test.io\" denied the request without explanation",
        ),
    ];
    for (answer, expected, words) in rows {
        let (service, seen) = webhook(move |_| answer.clone());
        let server = hooked("ValidatingWebhookConfiguration", &[json!({})], Some(service)).await;
        let api = things(server.client(User::admin()));
        let (code, _, message) = refusal(api.create(&PostParams::default(), &thing("x", 1)).await);
        assert_eq!((code, message.as_str()), (expected, words));
        assert!(seen.lock().unwrap()[0]["object"]["metadata"]["uid"].is_string());
        assert_eq!(refusal(api.get("x").await).0, 404);
    }
}

#[tokio::test]
async fn a_webhook_that_fails_refuses_or_is_passed_over() {
    let rows = [
        (None, "Fail", Some("service \"hook\" in namespace \"a\" not found")),
        (None, "Ignore", None),
        (Some(Service::Router(Router::new())), "Fail", Some("404 Not Found")),
        (
            Some(Service::Url("http://127.0.0.1:1".into())),
            "Fail",
            Some("failed calling webhook \"w0.test.io\""),
        ),
        (Some(Service::Url("http://127.0.0.1:1".into())), "Ignore", None),
    ];
    for (service, policy, expected) in rows {
        let webhooks = [json!({"failurePolicy": policy})];
        let server = hooked("ValidatingWebhookConfiguration", &webhooks, service).await;
        let api = things(server.client(User::admin()));
        let created = api.create(&PostParams::default(), &thing("x", 1)).await;
        let Some(words) = expected else {
            created.unwrap();
            continue;
        };
        let (code, reason, message) = refusal(created);
        assert_eq!((code, reason.as_str()), (500, "InternalError"));
        assert!(message.contains(words), "{message}");
    }
}

#[tokio::test(start_paused = true)]
async fn a_webhook_has_no_more_than_its_time() {
    let handler = || async { std::future::pending::<()>().await };
    let service = Service::Router(Router::new().route("/here", routing::post(handler)));
    let webhooks = [json!({"timeoutSeconds": 2})];
    let server = hooked("ValidatingWebhookConfiguration", &webhooks, Some(service)).await;
    let api = things(server.client(User::admin()));
    let before = tokio::time::Instant::now();
    let (_, _, message) = refusal(api.create(&PostParams::default(), &thing("x", 1)).await);
    assert!(message.contains("context deadline exceeded"), "{message}");
    assert_eq!(before.elapsed().as_secs(), 2);
}

#[tokio::test]
async fn rules_selectors_and_conditions_say_what_is_asked() {
    let rule = |resources: &str, operations: &str| json!({"rules": [{"apiGroups": ["test.io"], "apiVersions": ["v1"], "resources": [resources], "operations": [operations]}]});
    let everything = ["CREATE", "UPDATE", "UPDATE status", "DELETE"];
    let rows = [
        (json!({}), vec!["CREATE", "UPDATE", "DELETE"]),
        (rule("*/*", "*"), everything.to_vec()),
        (rule("things/status", "*"), vec!["UPDATE status"]),
        (rule("things", "DELETE"), vec!["DELETE"]),
        (rule("others", "*"), vec![]),
        (
            json!({"rules": [{"apiGroups": ["*"], "apiVersions": ["*"], "resources": ["*"], "operations": ["*"], "scope": "Cluster"}]}),
            vec![],
        ),
        (json!({"objectSelector": {"matchLabels": {"on": "yes"}}}), vec!["UPDATE", "DELETE"]),
        (
            json!({"namespaceSelector": {"matchLabels": {"kubernetes.io/metadata.name": "a"}}}),
            vec!["CREATE", "UPDATE", "DELETE"],
        ),
        (
            json!({"namespaceSelector": {"matchLabels": {"kubernetes.io/metadata.name": "b"}}}),
            vec![],
        ),
        (json!({"matchConditions": [{"name": "c", "expression": "false"}]}), vec![]),
    ];
    for (extra, expected) in rows {
        let (service, seen) = webhook(allowed);
        let kind = "ValidatingWebhookConfiguration";
        let server = hooked(kind, std::slice::from_ref(&extra), Some(service)).await;
        let api = things(server.client(User::admin()));
        api.create(&PostParams::default(), &thing("x", 1)).await.unwrap();
        let patch = Patch::Merge(json!({"metadata": {"labels": {"on": "yes"}}}));
        api.patch("x", &PatchParams::default(), &patch).await.unwrap();
        let patch = Patch::Merge(json!({"status": {"phase": "Up"}}));
        api.patch_status("x", &PatchParams::default(), &patch).await.unwrap();
        api.delete("x", &DeleteParams::default()).await.unwrap();
        let asked: Vec<String> = seen
            .lock()
            .unwrap()
            .iter()
            .map(|request| {
                let sub = request["subResource"].as_str().unwrap_or_default();
                format!("{} {sub}", request["operation"].as_str().unwrap()).trim().to_owned()
            })
            .collect();
        let expected: Vec<&str> = match extra["objectSelector"].is_object() {
            // What is selected before or after.
            true => vec!["UPDATE", "DELETE"],
            false => expected,
        };
        assert_eq!(asked, expected, "{extra}");
    }
}

#[tokio::test]
async fn a_webhook_sees_what_was_there_and_who_removes_it() {
    let (service, seen) = webhook(allowed);
    let server = hooked("ValidatingWebhookConfiguration", &[json!({})], Some(service)).await;
    let client = server.client(User::admin());
    let api = things(client.clone());
    api.create(&PostParams::default(), &thing("x", 1)).await.unwrap();
    let patch = Patch::Merge(json!({"spec": {"size": 2}}));
    api.patch("x", &PatchParams::default(), &patch).await.unwrap();
    let namespaces: kube::Api<k8s_openapi::api::core::v1::Namespace> = kube::Api::all(client);
    namespaces.delete("a", &DeleteParams::default()).await.unwrap();
    let seen = seen.lock().unwrap();
    assert_eq!(seen[1]["oldObject"]["spec"]["size"], 1);
    assert_eq!(seen[1]["object"]["spec"]["size"], 2);
    assert_eq!(
        (&seen[2]["object"], &seen[2]["oldObject"]["spec"]["size"]),
        (&Value::Null, &json!(2))
    );
    assert_eq!(
        seen[2]["userInfo"]["username"],
        "system:serviceaccount:kube-system:namespace-controller"
    );
}

#[tokio::test]
async fn a_refused_deletion_leaves_the_object() {
    let (service, _) = webhook(|request| json!({"allowed": request["operation"] != "DELETE"}));
    let server = hooked("ValidatingWebhookConfiguration", &[json!({})], Some(service)).await;
    let api = things(server.client(User::admin()));
    api.create(&PostParams::default(), &thing("x", 1)).await.unwrap();
    assert_eq!(refusal(api.delete("x", &DeleteParams::default()).await).0, 400);
    api.get("x").await.unwrap();
}

#[tokio::test]
async fn a_mutating_webhook_is_asked_again_if_it_wants_to() {
    for (policy, times) in [("IfNeeded", 3), ("Never", 2)] {
        let (service, seen) = webhook(|request| {
            let first = request["object"]["spec"]["size"] == 1;
            let patch = json!([{"op": "replace", "path": "/spec/size", "value": if first { 2 } else { 3 }}]);
            json!({"allowed": true, "patchType": "JSONPatch", "patch": BASE64.encode(patch.to_string())})
        });
        let webhooks = [json!({"reinvocationPolicy": policy}), json!({})];
        let server = hooked("MutatingWebhookConfiguration", &webhooks, Some(service)).await;
        let api = things(server.client(User::admin()));
        api.create(&PostParams::default(), &thing("x", 1)).await.unwrap();
        assert_eq!(seen.lock().unwrap().len(), times, "{policy}");
    }
}

#[tokio::test]
async fn a_write_that_was_overtaken_starts_again_or_is_a_conflict() {
    let server = server().await;
    let api = things(server.client(User::admin()));
    api.create(&PostParams::default(), &thing("x", 1)).await.unwrap();
    // While it is asked about a write, somebody else writes.
    let overtakes = Arc::new(Mutex::new(1));
    let other = api.clone();
    let left = overtakes.clone();
    let handler = move |Json(review): Json<Value>| async move {
        let overtake = {
            let mut left = left.lock().unwrap();
            let overtake = *left > 0;
            *left -= i32::from(overtake);
            overtake
        };
        if overtake {
            let patch = Patch::Merge(json!({"metadata": {"labels": {"other": "here"}}}));
            other.patch("x", &PatchParams::default(), &patch).await.unwrap();
        }
        let response = json!({"uid": review["request"]["uid"], "allowed": true});
        Json(
            json!({"apiVersion": "admission.k8s.io/v1", "kind": "AdmissionReview", "response": response}),
        )
    };
    let router = Router::new().route("/here", routing::post(handler));
    server.serve("a", "hook", Service::Router(router));
    let text = configuration("ValidatingWebhookConfiguration", &[json!({})]);
    server.apply(&text).await.unwrap();

    let patch = Patch::Merge(json!({"metadata": {"labels": {"mine": "here"}}}));
    let patched = api.patch("x", &PatchParams::default(), &patch).await.unwrap();
    let labels: Vec<String> = patched.metadata.labels.unwrap().into_keys().collect();
    assert_eq!(labels, ["mine", "other"]);

    let mut seen = api.get("x").await.unwrap();
    seen.data["spec"]["size"] = 2.into();
    seen.metadata.labels = None;
    let unlabelled = api.replace("x", &PostParams::default(), &seen).await.unwrap();
    *overtakes.lock().unwrap() = 1;
    let mut seen = unlabelled;
    seen.data["spec"]["size"] = 3.into();
    assert_eq!(refusal(api.replace("x", &PostParams::default(), &seen).await).0, 409);

    *overtakes.lock().unwrap() = 1;
    let patch = Patch::Merge(json!({"metadata": {"labels": null}}));
    api.patch("x", &PatchParams::default(), &patch).await.unwrap();
    *overtakes.lock().unwrap() = 1;
    api.delete("x", &DeleteParams::default()).await.unwrap();
    assert_eq!(refusal(api.get("x").await).0, 404);
}

#[tokio::test]
async fn a_webhook_behind_tls_is_known_by_the_authority_of_its_configuration() {
    let key = rcgen::generate_simple_self_signed(["127.0.0.1".to_owned()]).unwrap();
    let other = rcgen::generate_simple_self_signed(["127.0.0.1".to_owned()]).unwrap();
    let tls = rustls::ServerConfig::builder_with_provider(Arc::new(
        rustls::crypto::ring::default_provider(),
    ))
    .with_safe_default_protocol_versions()
    .unwrap()
    .with_no_client_auth()
    .with_single_cert(
        vec![key.cert.der().clone()],
        rustls::pki_types::PrivateKeyDer::Pkcs8(key.signing_key.serialize_der().into()),
    )
    .unwrap();
    let listener = TlsListener {
        tcp: tokio::net::TcpListener::bind("127.0.0.1:0").await.unwrap(),
        acceptor: tokio_rustls::TlsAcceptor::from(Arc::new(tls)),
    };
    let base = format!("https://{}", listener.tcp.local_addr().unwrap());
    let (Service::Router(router), seen) = webhook(allowed) else { unreachable!() };
    let story = async {
        for (authority, welcome) in [(&key, true), (&other, false)] {
            let bundle = BASE64.encode(authority.cert.pem());
            let url = json!({"clientConfig": {"url": format!("{base}/here"), "caBundle": bundle}});
            let service = json!({"clientConfig": {
                "service": {"namespace": "a", "name": "hook", "path": "/here"}, "caBundle": bundle,
            }});
            for webhook in [url, service] {
                let served = Some(Service::Url(base.clone()));
                let server = hooked("ValidatingWebhookConfiguration", &[webhook], served).await;
                let api = things(server.client(User::admin()));
                let created = api.create(&PostParams::default(), &thing("x", 1)).await;
                assert_eq!(created.is_ok(), welcome, "{created:?}");
            }
        }
    };
    tokio::select! {
        ended = axum::serve(listener, router).into_future() => panic!("{ended:?}"),
        () = story => {}
    }
    assert_eq!(seen.lock().unwrap().len(), 2);
}

struct TlsListener {
    tcp: tokio::net::TcpListener,
    acceptor: tokio_rustls::TlsAcceptor,
}

impl axum::serve::Listener for TlsListener {
    type Io = tokio_rustls::server::TlsStream<tokio::net::TcpStream>;
    type Addr = std::net::SocketAddr;

    async fn accept(&mut self) -> (Self::Io, Self::Addr) {
        loop {
            let (stream, from) = self.tcp.accept().await.unwrap();
            // A client that does not trust us goes away here.
            if let Ok(stream) = self.acceptor.accept(stream).await {
                return (stream, from);
            }
        }
    }

    fn local_addr(&self) -> std::io::Result<Self::Addr> {
        self.tcp.local_addr()
    }
}

#[tokio::test]
async fn what_can_not_be_acted_on_is_refused_with_its_configuration() {
    let server = server().await;
    let rows = [
        (
            json!({"matchConditions": [{"name": "c", "expression": "object.spec.size > 3"}]}),
            "webhooks[0].matchConditions[0].expression",
        ),
        (json!({"admissionReviewVersions": ["v1beta1"]}), "webhooks[0].admissionReviewVersions"),
        (json!({"clientConfig": {}}), "webhooks[0].clientConfig"),
    ];
    for (extra, field) in rows {
        let text = configuration("ValidatingWebhookConfiguration", &[extra]);
        let refused = server.apply(&text).await.unwrap_err().to_string();
        assert!(refused.contains(field), "{refused}");
    }
}

#[tokio::test]
async fn the_manifests_of_wharfinger_are_accepted() {
    let server = server().await;
    let manifests = concat!(env!("CARGO_MANIFEST_DIR"), "/../../manifests");
    for file in [
        "base/namespace.yaml",
        "webhook/webhook.yaml",
        "rbac/controller.yaml",
        "rbac/sidecar.yaml",
        "rbac/webhook.yaml",
    ] {
        let text = std::fs::read_to_string(format!("{manifests}/{file}")).unwrap();
        // The namespace of Argo CD is the user's.
        server.apply("{apiVersion: v1, kind: Namespace, metadata: {name: argocd}}").await.unwrap();
        server.apply(&text).await.unwrap();
    }
    for kind in ["freights", "projects", "promotions", "stages", "warehouses"] {
        let text = std::fs::read_to_string(format!("{manifests}/crds/{kind}.yaml")).unwrap();
        server.apply(&text).await.unwrap();
        let ask = Ask::of(&server, User::admin());
        assert_eq!(
            ask.get(&format!("/apis/kargo.akuity.io/v1alpha1/{kind}")).await.0,
            StatusCode::OK
        );
    }
}
