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
async fn of_namespaces_and_freight_only_metadata_is_read() {
    let (cluster, seen) = cluster(|what| match what {
        w if w.contains("/namespaces/shop?") || w.ends_with("/namespaces/shop") => (
            200,
            json!({ "metadata": { "name": "shop", "labels": { "kargo.akuity.io/project": "true" } } }),
        ),
        w if w.contains("/namespaces/going") && !w.contains("/stages") => (
            200,
            json!({ "metadata": { "name": "going", "labels": { "kargo.akuity.io/project": "no" }, "deletionTimestamp": "2026-11-21T10:00:00Z" } }),
        ),
        w if w.contains("/freights") => {
            (200, json!({ "metadata": {}, "items": [{ "metadata": { "name": "f" } }] }))
        }
        w if w.contains("/stages") => {
            let stage = |name: &str, holds: &str| {
                let item = json!({ "name": holds, "origin": { "kind": "Warehouse", "name": "w" } });
                json!({ "metadata": { "name": name }, "spec": { "requestedFreight": [] }, "status": { "freightHistory": [{ "id": "1", "items": { "Warehouse/w": item } }] } })
            };
            (200, json!({ "metadata": {}, "items": [stage("prod", "f"), stage("dev", "g")] }))
        }
        w if w.contains("/projects/going") => (
            200,
            json!({ "metadata": { "name": "going", "deletionTimestamp": "2026-11-21T10:00:00Z" } }),
        ),
        w if w.contains("/projects/shop") => (200, json!({ "metadata": { "name": "shop" } })),
        w if w.contains("/targets/eu") => (200, json!({ "metadata": { "name": "eu" } })),
        _ => (
            404,
            json!({ "kind": "Status", "apiVersion": "v1", "status": "Failure", "message": "none", "reason": "NotFound", "code": 404 }),
        ),
    });
    let find = async |question| cluster.find(question, &User::default()).await.unwrap();
    for (name, expected) in [
        ("shop", Some(Namespace { labelled: true, terminating: false })),
        ("going", Some(Namespace { labelled: false, terminating: true })),
        ("none", None),
    ] {
        let found = find(Question::Namespace { name: name.into() }).await;
        let Fact::Namespace { namespace, .. } = found else { panic!("{found:?}") };
        assert_eq!(namespace, expected, "{name}");
    }
    for (name, expected) in [("going", true), ("shop", false), ("none", false)] {
        let found = find(Question::ProjectGoes { name: name.into() }).await;
        assert!(matches!(found, Fact::ProjectGoes { goes, .. } if goes == expected), "{name}");
    }
    let project = || "shop".to_owned();
    let found = find(Question::Alias { project: project(), alias: "wise-otter".into() }).await;
    assert!(matches!(found, Fact::Alias { freight, .. } if freight == ["f"]));
    let found = find(Question::Holding { project: project(), freight: "f".into() }).await;
    assert!(matches!(found, Fact::Holding { stages, .. } if stages == ["prod"]));
    for (name, expected) in [("eu", true), ("mars", false)] {
        let found = find(Question::Target { project: project(), name: name.into() }).await;
        assert!(matches!(found, Fact::Target { exists, .. } if exists == expected), "{name}");
    }
    let found = find(Question::Warehouse { project: project(), name: "w".into() }).await;
    assert!(matches!(found, Fact::Warehouse { warehouse: None, .. }));
    let seen: Vec<_> = seen.lock().unwrap().iter().map(|(what, _)| what.clone()).collect();
    assert!(
        seen.iter().any(|w| w.contains(
            "/namespaces/shop/freights?&labelSelector=kargo.akuity.io%2Falias%3Dwise-otter"
        )),
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
        let error = format!("{:#}", find("shop:odd").await.expect_err("it can't be read"));
        assert!(error.starts_with("Stage shop:odd") && error.contains("all of it"), "{error}");
    };
    tokio::select! {
        () = judged => {}
        ended = tasks.run() => panic!("{ended:?}"),
    }
}

#[tokio::test]
async fn the_freight_of_an_origin_is_read_page_by_page_and_tasks_where_they_are() {
    fn freight(name: &str, origin: &str) -> Value {
        json!({
            "metadata": { "name": name, "namespace": "shop", "creationTimestamp": "2026-11-21T10:00:00Z", "annotations": { "a": "b" } },
            "origin": { "kind": "Warehouse", "name": origin },
            "images": [{ "repoURL": "r", "tag": "1" }],
            "status": { "verifiedIn": { "dev": {} } },
        })
    }
    let (cluster, seen) = cluster(|what| match what {
        w if w.contains("continue=more") => {
            (200, json!({ "metadata": {}, "items": [freight("c", "main")] }))
        }
        w if w.contains("/freights") => (
            200,
            json!({ "metadata": { "continue": "more" }, "items": [freight("a", "main"), freight("b", "other")] }),
        ),
        w if w.ends_with("namespaces/shop/promotiontasks/t")
            || w.ends_with("v1alpha1/clusterpromotiontasks/t") =>
        {
            (
                200,
                json!({ "metadata": { "name": "t" }, "spec": { "vars": [{ "name": "v" }], "steps": [{ "uses": "assign" }] } }),
            )
        }
        _ => (
            404,
            json!({ "kind": "Status", "apiVersion": "v1", "status": "Failure", "message": "none", "reason": "NotFound", "code": 404 }),
        ),
    });
    let find = async |question| cluster.find(question, &User::default()).await.unwrap();
    let origin = FreightOrigin { kind: "Warehouse".into(), name: "main".into() };
    let Fact::FreightOf { freights, .. } =
        find(Question::FreightOf { project: "shop".into(), origin }).await
    else {
        panic!()
    };
    let names: Vec<_> = freights.iter().map(|f| f.metadata.name.as_deref().unwrap()).collect();
    assert_eq!(names, ["a", "c"]);
    assert!(freights[0].images.is_empty() && freights[0].metadata.annotations.is_none());
    assert!(freights[0].metadata.creation_timestamp.is_some() && freights[0].status.is_some());
    assert!(seen.lock().unwrap()[0].0.contains("/namespaces/shop/freights?&limit=500"));

    for project in [Some("shop".to_owned()), None] {
        let Fact::Task { task, .. } =
            find(Question::Task { project: project.clone(), name: "t".into() }).await
        else {
            panic!()
        };
        let task = task.unwrap();
        assert_eq!((task.vars.len(), task.steps.len()), (1, 1), "{project:?}");
        let none = find(Question::Task { project, name: "none".into() }).await;
        assert!(matches!(none, Fact::Task { task: None, .. }));
    }
}
