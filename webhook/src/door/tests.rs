//! Reviews as the API server sends them, through the router, with facts that a test makes up.
#![expect(clippy::needless_pass_by_value, reason = "a review is made of values")]

use std::convert::Infallible;
use std::pin::Pin;
use std::task::Poll;

use axum::http::Request as Http;
use base64::prelude::{BASE64_STANDARD, Engine as _};
use http_body_util::BodyExt as _;
use prometheus_client::encoding::text;
use prometheus_client::registry::Registry;
use serde_json::{Value, json};
use tokio::sync::mpsc::Receiver;
use tower::ServiceExt as _;
use wharfinger_core::admission::{Effect, Fact, Question, Verb};

use super::*;
use crate::review::User;

const PROD: &str = "1111111111111111111111111111111111111111";

/// Answers as a function says.
type Answer = Pin<Box<dyn Future<Output = anyhow::Result<Fact>> + Send>>;

struct Told(fn(Question) -> Answer);

impl Find for Told {
    async fn find(&self, question: Question, _: &User) -> anyhow::Result<Fact> {
        (self.0)(question).await
    }
}

impl Act for Told {
    /// Namespaces that begin with an x can't be made.
    async fn act(&self, effect: &Effect) -> anyhow::Result<()> {
        let Effect::CreateNamespace { name } = effect;
        anyhow::ensure!(!name.starts_with('x'), "no more room for {name}");
        Ok(())
    }
}

/// Stage shop:prod holds one assignment, and everybody may do everything.
fn friendly(question: Question) -> Answer {
    Box::pin(async move {
        Ok(match question {
            Question::Stage { name, live } => {
                let stage = json!({
                    "apiVersion": "kargo.akuity.io/v1alpha1",
                    "kind": "Stage",
                    "metadata": { "name": "prod", "namespace": "shop", "uid": "1" },
                    "spec": { "requestedFreight": [], "promotionTemplate": { "spec": { "steps": [{ "uses": "assign" }] } } },
                    "status": {
                        "freightHistory": [{ "id": PROD }],
                        "assignment": { "generation": 1, "collection": PROD, "assignedAt": "2026-11-21T10:00:00Z" },
                    },
                });
                Fact::Stage { name, live, stage: Some(Arc::new(serde_json::from_value(stage)?)) }
            }
            Question::May { verb, stage } => Fact::May { verb, stage, allowed: true },
            Question::ApplicationsNaming(named) => Fact::ApplicationsNaming(named, vec![]),
            Question::Config { project, live } => Fact::Config { project, live, config: None },
            Question::Freight { project, name } => Fact::Freight { project, name, freight: None },
            Question::Namespace { name } => Fact::Namespace { name, namespace: None },
            Question::FreightOf { project, origin } => {
                Fact::FreightOf { project, origin, freights: vec![] }
            }
            Question::Task { project, name } => Fact::Task { project, name, task: None },
            other => anyhow::bail!("nobody asks {other:?} here"),
        })
    })
}

struct World {
    app: Router,
    registry: Registry,
    events: Receiver<k8s_openapi::api::events::v1::Event>,
}

fn world(find: fn(Question) -> Answer) -> World {
    let mut registry = Registry::default();
    let metrics = Metrics::register(&mut registry);
    let (told, events) = Events::channel();
    let identities = Identities { controller: "controller".into(), argocd: vec!["argocd".into()] };
    let app = router(Service {
        identities,
        cluster: Told(find),
        events: told,
        metrics,
        clock: Clock::default(),
        ulid: Mutex::new(crate::run::ulids()),
    });
    World { app, registry, events }
}

impl World {
    async fn post(&self, path: &str, body: impl Into<Body>) -> (u16, String) {
        let answer =
            self.app.clone().oneshot(Http::post(path).body(body.into()).unwrap()).await.unwrap();
        let status = answer.status().as_u16();
        let body = answer.into_body().collect().await.unwrap().to_bytes();
        (status, String::from_utf8(body.to_vec()).unwrap())
    }

    async fn ask(&self, path: &str, review: Value) -> Value {
        let (status, body) = self.post(path, review.to_string()).await;
        assert_eq!(status, 200, "{body}");
        let review: Value = serde_json::from_str(&body).unwrap();
        assert_eq!(
            (&review["apiVersion"], &review["kind"]),
            (&json!("admission.k8s.io/v1"), &json!("AdmissionReview"))
        );
        assert_eq!(review["response"]["uid"], "705ab4f5");
        review["response"].clone()
    }

    fn metrics(&self) -> String {
        let mut body = String::new();
        text::encode(&mut body, &self.registry).unwrap();
        body
    }
}

fn review(group: &str, resource: &str, object: Value) -> Value {
    json!({
        "apiVersion": "admission.k8s.io/v1",
        "kind": "AdmissionReview",
        "request": {
            "uid": "705ab4f5",
            "kind": { "group": group, "version": "v1alpha1", "kind": "X" },
            "resource": { "group": group, "version": "v1alpha1", "resource": resource },
            "name": "shop",
            "namespace": "argocd",
            "operation": "CREATE",
            "userInfo": { "username": "alice", "groups": ["system:authenticated"] },
            "object": object,
            "oldObject": null,
            "dryRun": false,
            "options": {},
        },
    })
}

fn app(claim: Option<&str>) -> Value {
    let mut plugin = json!({ "name": "wharfinger" });
    if let Some(claim) = claim {
        plugin["env"] = json!([{ "name": "WHARFINGER_STAGE", "value": "shop:prod" }, { "name": "WHARFINGER_FREIGHT", "value": claim }]);
    }
    json!({
        "apiVersion": "argoproj.io/v1alpha1",
        "kind": "Application",
        "metadata": { "name": "shop", "namespace": "argocd", "annotations": { "kargo.akuity.io/authorized-stage": "shop:prod" } },
        "spec": { "source": { "repoURL": "https://git/x", "plugin": plugin } },
    })
}

#[tokio::test]
async fn what_is_allowed_is_allowed_by_its_uid() {
    let world = world(friendly);
    let right = app(Some(&format!("1-{PROD}")));
    for path in ["/mutate", "/validate"] {
        assert_eq!(
            world.ask(path, review("argoproj.io", "applications", right.clone())).await,
            json!({ "uid": "705ab4f5", "allowed": true })
        );
    }
    let metrics = world.metrics();
    assert!(metrics.contains(r#"wharfinger_reviews_total{door="Mutate",resource="applications",subresource="",outcome="Allowed"} 1"#), "{metrics}");
    assert!(
        metrics.contains(r#"wharfinger_review_duration_seconds_count{door="Validate"} 1"#),
        "{metrics}"
    );
}

#[tokio::test]
async fn a_patch_is_base64_and_touches_the_spec_alone() {
    let answer =
        world(friendly).ask("/mutate", review("argoproj.io", "applications", app(None))).await;
    assert_eq!(answer["patchType"], "JSONPatch");
    let patch = BASE64_STANDARD.decode(answer["patch"].as_str().unwrap()).unwrap();
    let patch: json_patch::Patch = serde_json::from_slice(&patch).unwrap();
    assert!(
        patch.0.iter().all(|op| op.path().to_string().starts_with("/spec/source")),
        "{patch:?}"
    );
    let mut patched = app(None);
    json_patch::patch(&mut patched, &patch).unwrap();
    assert_eq!(patched, app(Some(&format!("1-{PROD}"))));
}

#[tokio::test]
async fn a_denial_says_who_denies_and_what_to_do() {
    let answer = world(friendly)
        .ask("/validate", review("argoproj.io", "applications", app(Some("latest"))))
        .await;
    assert_eq!(answer["allowed"], false);
    assert_eq!(
        (&answer["status"]["code"], &answer["status"]["reason"]),
        (&json!(403), &json!("Forbidden"))
    );
    let message = answer["status"]["message"].as_str().unwrap();
    assert!(
        message.starts_with("wharfinger: the claim in the environment")
            && message.ends_with("[claim-malformed]"),
        "{message}"
    );
}

#[tokio::test]
async fn a_warning_says_who_warns() {
    let shown = app(Some(&format!("1-{}", "2".repeat(40))));
    let answer = world(friendly).ask("/mutate", review("argoproj.io", "applications", shown)).await;
    assert!(
        answer["warnings"][0].as_str().unwrap().starts_with("wharfinger: the claim 1-2222"),
        "{answer}"
    );
}

#[tokio::test]
async fn every_promotion_has_a_name_of_its_own_in_order() {
    let world = world(friendly);
    let promotion = json!({ "metadata": { "namespace": "shop", "generateName": "p-" }, "spec": { "stage": "prod", "freight": "abcdef012" } });
    let mut names = vec![];
    for _ in 0..100 {
        let answer =
            world.ask("/mutate", review("kargo.akuity.io", "promotions", promotion.clone())).await;
        let patch = BASE64_STANDARD.decode(answer["patch"].as_str().unwrap()).unwrap();
        let mut patched = promotion.clone();
        json_patch::patch(
            &mut patched,
            &serde_json::from_slice::<json_patch::Patch>(&patch).unwrap(),
        )
        .unwrap();
        names.push(patched["metadata"]["name"].as_str().unwrap().to_owned());
    }
    assert!(names.is_sorted_by(|a, b| a < b), "{names:?}");
}

#[tokio::test]
async fn what_there_are_no_rules_for_is_denied() {
    let world = world(friendly);
    let mut connect = review("argoproj.io", "applications", app(None));
    connect["request"]["operation"] = json!("CONNECT");
    let mut scale = review("kargo.akuity.io", "stages", json!({}));
    scale["request"]["subResource"] = json!("scale");
    for (review, text) in [
        (
            review("apps", "deployments", json!({})),
            "there are no rules for CREATE of apps/deployments",
        ),
        (scale, "there are no rules for CREATE of kargo.akuity.io/stages/scale"),
        (connect, "there are no rules for CONNECT of argoproj.io/applications"),
    ] {
        for path in ["/mutate", "/validate"] {
            let answer = world.ask(path, review.clone()).await;
            assert_eq!(answer["allowed"], false);
            assert!(answer["status"]["message"].as_str().unwrap().contains(text), "{answer}");
        }
    }
    assert!(world.metrics().contains(r#"resource="other""#));
}

#[tokio::test]
async fn what_is_no_review_is_refused_in_words() {
    let world = world(friendly);
    for (body, text) in [
        ("", "not an AdmissionReview"),
        ("{", "not an AdmissionReview"),
        ("[]", "not an AdmissionReview"),
        (r#"{"apiVersion":"v1","kind":"Pod","request":null}"#, "but a Pod of v1"),
        (r#"{"apiVersion":"admission.k8s.io/v1","kind":"AdmissionReview"}"#, "without a request"),
        (
            r#"{"apiVersion":"admission.k8s.io/v1","kind":"AdmissionReview","request":{"uid":"1"}}"#,
            "missing field",
        ),
    ] {
        let (status, answer) = world.post("/validate", body).await;
        assert!(
            status == 400 && answer.starts_with("wharfinger: ") && answer.contains(text),
            "{body}: {status} {answer}"
        );
    }
    assert_eq!(world.post("/", "{}").await.0, 404);
    let deep = format!("{}{}", "[".repeat(100_000), "]".repeat(100_000));
    assert_eq!(world.post("/validate", deep).await.0, 400);
}

#[tokio::test]
async fn what_is_too_large_is_refused_before_it_is_read() {
    let world = world(friendly);
    let (status, answer) = world.post("/validate", vec![b' '; BODY + 1]).await;
    assert!(status == 413 && answer.contains("8388608 bytes"), "{status} {answer}");
    assert_eq!(world.post("/validate", vec![b' '; BODY]).await.0, 400);
}

#[tokio::test]
async fn a_fact_that_cant_be_found_is_a_denial() {
    let world = world(|_| {
        Box::pin(async { Err(anyhow::anyhow!("connection refused").context("Stage shop:prod")) })
    });
    let answer = world.ask("/validate", review("argoproj.io", "applications", app(None))).await;
    assert_eq!(answer["allowed"], false);
    let message = answer["status"]["message"].as_str().unwrap();
    assert!(
        message.contains("Stage shop:prod: connection refused")
            && message.ends_with("[unavailable]"),
        "{message}"
    );
    assert!(world.metrics().contains(r#"outcome="Failed"} 1"#));
    assert_eq!(
        world.ask("/mutate", review("argoproj.io", "applications", app(None))).await["allowed"],
        false
    );
}

#[tokio::test]
async fn a_panic_is_a_denial_of_one_review() {
    let world = world(|_| Box::pin(async { panic!("oh") }));
    let answer = world.ask("/validate", review("argoproj.io", "applications", app(None))).await;
    assert_eq!(answer["allowed"], false);
    assert!(answer["status"]["message"].as_str().unwrap().contains("stumble"), "{answer}");
    assert_eq!(
        world.ask("/validate", review("argoproj.io", "applications", json!({}))).await["allowed"],
        true
    );
}

/// Over HTTP/2 it would take the connection along, and every review that is on it.
#[tokio::test]
async fn a_panic_before_a_review_is_understood_ends_no_other() {
    let world = world(friendly);
    let odd =
        futures::stream::poll_fn(|_| -> Poll<Option<Result<Vec<u8>, Infallible>>> { panic!("oh") });
    let (status, body) = world.post("/validate", Body::from_stream(odd)).await;
    assert_eq!(status, 500);
    assert!(body.contains("stumble"), "{body}");
}

#[tokio::test(start_paused = true)]
async fn an_answer_comes_in_time_or_is_a_denial() {
    let world = world(|_| Box::pin(std::future::pending()));
    let begun = tokio::time::Instant::now();
    let answer = world.ask("/validate", review("argoproj.io", "applications", app(None))).await;
    assert_eq!(answer["allowed"], false);
    assert!(answer["status"]["message"].as_str().unwrap().contains("in time"), "{answer}");
    assert!(begun.elapsed() < Duration::from_secs(2));
}

#[tokio::test]
async fn questions_without_end_are_a_denial() {
    // A finder that answers another question than it was asked.
    let world = world(|_| {
        Box::pin(async {
            Ok(Fact::May { verb: Verb::Promote, stage: "a:b".parse()?, allowed: true })
        })
    });
    let answer = world.ask("/validate", review("argoproj.io", "applications", app(None))).await;
    assert!(answer["status"]["message"].as_str().unwrap().contains("too much"), "{answer}");
}

#[tokio::test]
async fn a_broken_glass_is_told_but_not_on_a_dry_run() {
    let mut world = world(friendly);
    let mut glass = review("argoproj.io", "applications", app(Some("anything")));
    glass["request"]["object"]["metadata"]["annotations"]["wharfinger.dev/break-glass"] =
        json!("INC-7");
    glass["request"]["object"]["metadata"]["uid"] = json!("42");
    assert_eq!(world.ask("/validate", glass.clone()).await["allowed"], true);
    let event = world.events.try_recv().unwrap();
    assert_eq!(
        (event.type_.as_deref(), event.reason.as_deref()),
        (Some("Warning"), Some("BreakGlass"))
    );
    assert_eq!(event.metadata.generate_name.as_deref(), Some("shop-"));
    assert!(
        event.note.unwrap().contains("alice")
            && event.metadata.namespace.as_deref() == Some("argocd")
    );
    let about = event.regarding.unwrap();
    assert_eq!(
        (about.kind.as_deref(), about.name.as_deref(), about.uid.as_deref()),
        (Some("Application"), Some("shop"), Some("42"))
    );
    glass["request"]["dryRun"] = json!(true);
    assert_eq!(world.ask("/validate", glass).await["allowed"], true);
    assert!(world.events.try_recv().is_err());
}

#[tokio::test]
async fn a_project_is_not_admitted_without_its_namespace() {
    let world = world(friendly);
    let project =
        |name: &str| review("kargo.akuity.io", "projects", json!({ "metadata": { "name": name } }));
    assert_eq!(world.ask("/validate", project("new")).await["allowed"], true);
    let answer = world.ask("/validate", project("xenon")).await;
    assert_eq!(answer["allowed"], false);
    let message = answer["status"]["message"].as_str().unwrap();
    assert!(
        message.contains("no more room for xenon") && message.ends_with("[unavailable]"),
        "{message}"
    );
    let mut trial = project("xenon");
    trial["request"]["dryRun"] = json!(true);
    assert_eq!(world.ask("/validate", trial).await["allowed"], true);
}
