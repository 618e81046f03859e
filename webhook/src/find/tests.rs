//! What is asked of the API server, seen from its side.

use std::collections::BTreeMap;
use std::sync::Mutex;

use http_body_util::BodyExt as _;
use kube::client::Body;
use serde_json::{Value, json};
use tower::service_fn;
use wharfinger_core::admission::Named;
use wharfinger_daemon::{Readiness, Shutdown, Tasks};

use super::*;

type Seen = Arc<Mutex<Vec<(String, Value)>>>;

/// A cluster whose caches are never filled, and what it was asked.
fn cluster(answer: fn(&str) -> (u16, Value)) -> (Cluster, Seen) {
    let seen = Seen::default();
    let log = Arc::clone(&seen);
    let api = service_fn(move |request: http::Request<Body>| {
        let log = Arc::clone(&log);
        async move {
            let what = format!("{} {}", request.method(), request.uri());
            let body = request.into_body().collect().await?.to_bytes();
            let (status, value) = answer(&what);
            log.lock().unwrap().push((what, serde_json::from_slice(&body).unwrap_or_default()));
            let response = http::Response::builder()
                .status(status)
                .body(Body::from(value.to_string().into_bytes()))
                .unwrap();
            Ok::<_, tower::BoxError>(response)
        }
    });
    let client = Client::new(api, "default");
    // Tasks that are never run: nothing fills the caches.
    let mut tasks = Tasks::until(Shutdown::new());
    tasks.shutdown().cancel();
    let caches = Caches::fill(
        &client,
        &Readiness::default(),
        &mut tasks,
        #[cfg(feature = "fault-points")]
        &crate::fault::Hold::default(),
    );
    (Cluster { client, caches }, seen)
}

fn prod() -> StageName {
    "shop:prod".parse().unwrap()
}

#[tokio::test]
async fn the_authorizer_is_told_all_that_is_known_of_the_writer() {
    let (cluster, seen) =
        cluster(|_| (201, json!({ "metadata": {}, "spec": {}, "status": { "allowed": true } })));
    let user = User {
        username: "alice".into(),
        uid: Some("7".into()),
        groups: Some(vec!["devs".into()]),
        extra: Some(BTreeMap::from([("scopes".into(), vec!["a".into()])])),
    };
    let fact =
        cluster.find(Question::May { verb: Verb::Promote, stage: prod() }, &user).await.unwrap();
    assert!(matches!(fact, Fact::May { allowed: true, .. }));
    let all = StageName { project: "shop".into(), stage: String::new() };
    cluster.find(Question::May { verb: Verb::Bypass, stage: all }, &user).await.unwrap();
    let seen = seen.lock().unwrap();
    assert!(
        seen[0].0.starts_with("POST /apis/authorization.k8s.io/v1/subjectaccessreviews"),
        "{}",
        seen[0].0
    );
    assert_eq!(
        seen[0].1["spec"],
        json!({
            "user": "alice", "uid": "7", "groups": ["devs"], "extra": { "scopes": ["a"] },
            "resourceAttributes": { "verb": "promote", "group": "kargo.akuity.io", "resource": "stages", "namespace": "shop", "name": "prod" },
        })
    );
    assert_eq!(
        seen[1].1["spec"]["resourceAttributes"],
        json!({ "verb": "bypass", "group": "kargo.akuity.io", "resource": "stages", "namespace": "shop" })
    );
}

#[tokio::test]
async fn no_answer_of_the_authorizer_is_no_permission() {
    for status in
        [json!({ "allowed": false }), json!({ "allowed": true, "denied": true }), Value::Null]
    {
        let answer: fn(&str) -> (u16, Value) = match status {
            Value::Null => |_| (201, json!({ "metadata": {}, "spec": {} })),
            Value::Object(ref o) if o.len() == 1 => {
                |_| (201, json!({ "metadata": {}, "spec": {}, "status": { "allowed": false } }))
            }
            _ => |_| {
                (
                    201,
                    json!({ "metadata": {}, "spec": {}, "status": { "allowed": true, "denied": true } }),
                )
            },
        };
        let fact = cluster(answer)
            .0
            .find(Question::May { verb: Verb::Promote, stage: prod() }, &User::default())
            .await
            .unwrap();
        assert!(matches!(fact, Fact::May { allowed: false, .. }), "{status}");
    }
    let broken = cluster(|_| (500, json!({ "kind": "Status", "apiVersion": "v1", "status": "Failure", "message": "no", "reason": "x", "code": 500 }))).0;
    assert!(
        broken
            .find(Question::May { verb: Verb::Promote, stage: prod() }, &User::default())
            .await
            .is_err()
    );
}

#[tokio::test]
async fn before_the_caches_are_filled_all_is_read_live() {
    let (cluster, seen) = cluster(|what| match what {
        w if w.contains("/stages/prod") => {
            (200, json!({ "metadata": { "name": "prod" }, "spec": { "requestedFreight": [] } }))
        }
        w if w.contains("continue=more") => (
            200,
            json!({ "metadata": {}, "items": [{ "metadata": { "name": "z", "namespace": "a", "annotations": { "kargo.akuity.io/authorized-stage": "shop:prod" } } }] }),
        ),
        w if w.contains("/applications") => {
            (200, json!({ "metadata": { "continue": "more" }, "items": [] }))
        }
        _ => (
            404,
            json!({ "kind": "Status", "apiVersion": "v1", "status": "Failure", "message": "none", "reason": "NotFound", "code": 404 }),
        ),
    });
    let find = async |question| cluster.find(question, &User::default()).await.unwrap();
    assert!(matches!(
        find(Question::Stage { name: prod(), live: false }).await,
        Fact::Stage { live: true, stage: Some(_), .. }
    ));
    let gone = "shop:gone".parse().unwrap();
    assert!(matches!(
        find(Question::Stage { name: gone, live: true }).await,
        Fact::Stage { live: true, stage: None, .. }
    ));
    let freight = Question::Freight { project: "shop".into(), name: "f".into() };
    assert!(matches!(find(freight).await, Fact::Freight { freight: None, .. }));
    let Fact::ApplicationsNaming(_, found) =
        find(Question::ApplicationsNaming(Named::Stage(prod()))).await
    else {
        panic!()
    };
    assert_eq!(found, ["a/z"]);
    let seen: Vec<_> = seen.lock().unwrap().iter().map(|(what, _)| what.clone()).collect();
    assert_eq!(seen[0], "GET /apis/kargo.akuity.io/v1alpha1/namespaces/shop/stages/prod");
    assert!(
        seen.iter()
            .any(|w| w.starts_with("GET /apis/argoproj.io/v1alpha1/applications?&limit=500")),
        "{seen:?}"
    );
}

#[tokio::test]
async fn a_stage_that_cant_be_read_holds_up_nobody_else_and_is_not_taken_for_absent() {
    let stage = |name: &str, requested: Value| {
        json!({ "apiVersion": "kargo.akuity.io/v1alpha1", "kind": "Stage",
        "metadata": { "name": name, "namespace": "shop", "resourceVersion": "1" }, "spec": { "requestedFreight": requested } })
    };
    let (good, bad) = (stage("prod", json!([])), stage("odd", json!("all of it")));
    let api = service_fn(move |request: http::Request<Body>| {
        let uri = request.uri().to_string();
        let list =
            |items: &[&Value]| json!({ "metadata": { "resourceVersion": "1" }, "items": items });
        let answer = match uri.as_str() {
            uri if uri.contains("watch=") => None,
            uri if uri.contains("/stages/odd") => Some(bad.clone()),
            uri if uri.contains("/stages?") => Some(list(&[&bad, &good])),
            _ => Some(list(&[])),
        };
        async move {
            let Some(answer) = answer else { return std::future::pending().await };
            let body = Body::from(answer.to_string().into_bytes());
            Ok::<_, tower::BoxError>(http::Response::new(body))
        }
    });
    let client = Client::new(api, "default");
    let (readiness, mut tasks) = (Readiness::default(), Tasks::until(Shutdown::new()));
    let caches = Caches::fill(
        &client,
        &readiness,
        &mut tasks,
        #[cfg(feature = "fault-points")]
        &crate::fault::Hold::default(),
    );
    let cluster = Cluster { client, caches };
    let judged = async {
        readiness.ready().await;
        let find = async |name: &str| {
            let question = Question::Stage { name: name.parse().unwrap(), live: false };
            cluster.find(question, &User::default()).await
        };
        let found = find("shop:prod").await.unwrap();
        assert!(matches!(found, Fact::Stage { live: false, stage: Some(_), .. }));
        let found = find("shop:gone").await.unwrap();
        assert!(matches!(found, Fact::Stage { live: false, stage: None, .. }));
        let Err(error) = find("shop:odd").await else { panic!("it can't be read") };
        let error = format!("{error:#}");
        assert!(error.starts_with("Stage shop:odd") && error.contains("all of it"), "{error}");
    };
    tokio::select! {
        () = judged => {}
        ended = tasks.run() => panic!("{ended:?}"),
    }
}
