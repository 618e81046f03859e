use serde_json::json;
use wharfinger_api::v1alpha1::{Chart, FreightOrigin, FreightReference, GitCommit};

use super::*;
use crate::assignment::{Reason, assign};
use crate::freight;

const ASSIGNED: &str = "2026-01-01T10:00:00Z";
const GIT: &str = "http://git/shop.git";

/// The Stage `shop:dev` with its third assignment.
fn dev(commits: &[(&str, &str)], charts: &[(&str, &str, &str)]) -> StageStatus {
    let mut status = StageStatus::default();
    for name in ["a", "b", "c"] {
        let mut collection = FreightCollection::default();
        let reference = FreightReference {
            name: name.into(),
            origin: FreightOrigin { kind: "Warehouse".into(), name: "main".into() },
            commits: commits
                .iter()
                .map(|(r, id)| GitCommit {
                    repo_url: (*r).into(),
                    id: (*id).into(),
                    ..GitCommit::default()
                })
                .collect(),
            charts: charts
                .iter()
                .map(|(r, n, v)| Chart {
                    repo_url: (*r).into(),
                    name: (*n).into(),
                    version: (*v).into(),
                    ..Chart::default()
                })
                .collect(),
            ..FreightReference::default()
        };
        freight::push(&mut collection, [reference]);
        let by = Reason {
            promotion: format!("dev.{name}"),
            actor: "alice".into(),
            reason: String::new(),
        };
        assign(&mut status, collection, by, ASSIGNED.parse().unwrap());
    }
    status
}

fn claim(generation: u64, name: &str) -> String {
    format!("{generation}-{}", freight::collection_id([name]))
}

fn current() -> String {
    claim(3, "c")
}

/// A source of our plugin that carries a claim, or none.
fn source(claim: &str) -> Value {
    let mut env = vec![json!({ "name": "COLOUR", "value": "blue" })];
    if !claim.is_empty() {
        env.push(json!({ "name": "WHARFINGER_STAGE", "value": "shop:dev" }));
        env.push(json!({ "name": "WHARFINGER_FREIGHT", "value": claim }));
    }
    json!({ "repoURL": GIT, "path": "app", "targetRevision": "main", "plugin": { "name": "wharfinger", "env": env } })
}

fn app(fields: Value) -> Application {
    let mut app =
        json!({ "metadata": { "name": "web", "namespace": "argocd", "resourceVersion": "7" } });
    json_merge(&mut app, fields);
    serde_json::from_value(app).unwrap()
}

fn json_merge(into: &mut Value, from: Value) {
    match (into, from) {
        (Value::Object(into), Value::Object(from)) => {
            for (k, v) in from {
                json_merge(into.entry(k).or_insert(Value::Null), v);
            }
        }
        (into, from) => *into = from,
    }
}

fn at(seconds: i64) -> Timestamp {
    ASSIGNED.parse::<Timestamp>().unwrap() + SignedDuration::from_secs(seconds)
}

const BY_ALICE: Option<Promotion<'static>> =
    Some(Promotion { name: "dev.p", actor: "kubernetes:alice" });

fn decide(app: &Application, promotion: Option<Promotion<'_>>, now: Timestamp) -> Next {
    let stage = "shop:dev".parse().unwrap();
    next(&Situation { app, stage: &stage, status: &dev(&[], &[]), promotion, now })
}

fn far(app: &Application, promotion: Option<Promotion<'_>>, now: Timestamp) -> Progress {
    let stage = "shop:dev".parse().unwrap();
    progress(&Situation { app, stage: &stage, status: &dev(&[], &[]), promotion, now })
}

#[track_caller]
fn patched(next: Next) -> Value {
    match next {
        Next::Patch(patch) => patch,
        other => panic!("expected a patch: {other:?}"),
    }
}

#[test]
fn one_patch_moves_the_claim_and_deploys_it() {
    let app = app(json!({ "spec": {
        "source": source(&claim(2, "b")),
        "syncPolicy": { "automated": { "prune": true }, "syncOptions": ["ServerSideApply=true"], "retry": { "limit": 2 } },
    } }));
    let moved = source(&current());
    assert_eq!(
        patched(decide(&app, BY_ALICE, at(0))),
        json!({
            "metadata": { "resourceVersion": "7" },
            "spec": { "source": moved },
            "operation": {
                "initiatedBy": { "username": "kubernetes:alice", "automated": false },
                "info": [
                    { "name": "kargo.akuity.io/promotion", "value": "dev.p" },
                    { "name": "wharfinger.dev/claim", "value": current() },
                ],
                "retry": { "limit": 2 },
                "sync": { "revision": "main", "source": moved, "prune": true, "syncOptions": ["ServerSideApply=true"] },
            },
            "status": { "operationState": null },
        })
    );
}

#[test]
fn several_sources_move_together_and_others_stay() {
    let native = json!({ "repoURL": GIT, "path": "infra" });
    let app = app(json!({ "spec": { "sources": [source(""), native, source(&claim(1, "a"))] } }));
    let patch = patched(decide(&app, BY_ALICE, at(0)));
    assert_eq!(patch["spec"]["sources"], json!([source(&current()), native, source(&current())]));
    assert_eq!(patch["operation"]["sync"]["sources"], patch["spec"]["sources"]);
    assert_eq!(patch["operation"]["sync"]["revisions"], json!(["main", "", "main"]));
    assert_eq!(patch["operation"]["retry"], json!({}), "never absent");
}

#[test]
fn drift_is_repaired_without_a_promotion_and_deployed_only_with_auto_sync() {
    let manual = app(json!({ "spec": { "source": source("") } }));
    let patch = patched(decide(&manual, None, at(0)));
    assert_eq!(patch["spec"]["source"], source(&current()));
    assert!(patch.get("operation").is_none() && patch.get("status").is_none());

    let automated =
        app(json!({ "spec": { "source": source(""), "syncPolicy": { "automated": {} } } }));
    let patch = patched(decide(&automated, None, at(0)));
    assert_eq!(
        patch["operation"]["initiatedBy"],
        json!({ "username": "wharfinger", "automated": true })
    );

    let switched_off = app(
        json!({ "spec": { "source": source(""), "syncPolicy": { "automated": { "enabled": false } } } }),
    );
    assert!(patched(decide(&switched_off, None, at(0))).get("operation").is_none());
}

#[test]
fn what_is_in_place_is_left_alone() {
    let there = app(json!({ "spec": { "source": source(&current()) } }));
    assert_eq!(decide(&there, None, at(0)), Next::Leave, "no promotion: nothing is owed");
    let recorded = app(
        json!({ "spec": { "source": source(&current()) }, "status": { "history": [{ "source": source(&current()) }] } }),
    );
    assert_eq!(decide(&recorded, BY_ALICE, at(0)), Next::Leave, "deployed already");
    let asked = app(
        json!({ "spec": { "source": source(&current()) }, "operation": { "sync": { "source": source(&current()) } } }),
    );
    assert_eq!(decide(&asked, BY_ALICE, at(0)), Next::Leave, "asked for");
    let failed = app(
        json!({ "spec": { "source": source(&current()) }, "status": { "operationState": {
        "phase": "Failed", "message": "hook failed", "operation": { "sync": { "source": source(&current()) } } } } }),
    );
    assert_eq!(
        decide(&failed, BY_ALICE, at(0)),
        Next::Leave,
        "it failed; trying again is for a person"
    );
    let glass = app(
        json!({ "metadata": { "annotations": { "wharfinger.dev/break-glass": "INC-1" } }, "spec": { "source": source("") } }),
    );
    assert_eq!(decide(&glass, BY_ALICE, at(0)), Next::Leave, "the rules are lifted");
    let stage = "shop:dev".parse().unwrap();
    let nothing = StageStatus::default();
    let situation =
        Situation { app: &there, stage: &stage, status: &nothing, promotion: None, now: at(0) };
    assert_eq!(next(&situation), Next::Leave, "the Stage holds nothing");
}

#[test]
fn a_claim_that_somebody_else_put_there_is_still_deployed_by_the_promotion() {
    // The mutating webhook put it there while an ApplicationSet wrote, before our own patch.
    let there =
        app(json!({ "spec": { "source": source(&current()) }, "status": { "operationState": {
        "phase": "Succeeded", "operation": { "sync": { "source": source(&claim(2, "b")) } } } } }));
    assert!(patched(decide(&there, BY_ALICE, at(0))).get("operation").is_some());
}

#[test]
fn an_operation_that_could_not_be_rendered_is_owed_again() {
    let message = "ComparisonError: failed to generate manifest for source 1 of 1: rpc error: code = Unavailable desc = connection refused";
    let failed = |conditions: Value, message: &str| {
        app(
            json!({ "spec": { "source": source(&current()) }, "status": { "conditions": conditions, "operationState": {
            "phase": "Error", "message": message, "operation": { "sync": { "source": source(&current()) } } } } }),
        )
    };
    assert!(
        matches!(decide(&failed(json!([]), message), BY_ALICE, at(9)), Next::Patch(_)),
        "it renders again"
    );
    let still = json!([{ "type": "ComparisonError", "message": message }]);
    assert_eq!(
        decide(&failed(still, message), BY_ALICE, at(9)),
        Next::Leave,
        "it does not render yet"
    );
    let refused = "failed to generate manifest: rpc error: code = FailedPrecondition desc = no";
    assert_eq!(decide(&failed(json!([]), refused), BY_ALICE, at(9)), Next::Leave, "it was refused");
}

#[test]
fn nothing_is_written_over_a_running_operation() {
    let running = |operation: Value, phase: &str, extra: Value| {
        let mut fields = json!({ "spec": { "source": source(&claim(2, "b")) }, "status": { "operationState": {
            "phase": phase, "startedAt": ASSIGNED, "operation": operation } } });
        json_merge(&mut fields, extra);
        app(fields)
    };
    let ours = json!({ "info": [{ "name": "wharfinger.dev/claim", "value": claim(2, "b") }], "sync": { "source": source(&claim(2, "b")) } });
    let person = json!({ "initiatedBy": { "username": "bob" }, "sync": {} });
    let other = json!({ "status": { "operationState": { "syncResult": { "source": source(&claim(2, "b")) } } } });
    let terminate = Next::Terminate(
        json!({ "metadata": { "resourceVersion": "7" }, "status": { "operationState": { "phase": "Terminating" } } }),
    );

    assert_eq!(
        decide(&running(ours.clone(), "Running", json!({})), BY_ALICE, at(1)),
        terminate,
        "ours, older: ended at once"
    );
    assert!(
        matches!(
            decide(&running(ours, "Terminating", json!({})), BY_ALICE, at(1)),
            Next::Wait { until: None, .. }
        ),
        "being ended"
    );
    let waits = decide(&running(person.clone(), "Running", other.clone()), BY_ALICE, at(59));
    assert!(
        matches!(waits, Next::Wait { ref check, until } if check.code == Code::OperationRunning && until == Some(at(60))),
        "a person's: {waits:?}"
    );
    assert_eq!(
        decide(&running(person.clone(), "Running", other), BY_ALICE, at(60)),
        terminate,
        "a person's, with another claim, after a minute"
    );
    assert!(
        matches!(
            decide(&running(person, "Running", json!({})), BY_ALICE, at(600)),
            Next::Wait { until: None, .. }
        ),
        "what it deploys can't be seen"
    );
    let requested =
        app(json!({ "spec": { "source": source(&claim(2, "b")) }, "operation": { "sync": {} } }));
    assert!(
        matches!(decide(&requested, BY_ALICE, at(1)), Next::Wait { ref check, .. } if check.code == Code::OperationPending),
        "not begun"
    );
}

#[test]
fn freight_pins_the_revision_of_the_source_it_carries() {
    let stage = "shop:dev".parse().unwrap();
    let sha = "0123456789abcdef0123456789abcdef01234567";
    let status = dev(
        &[("https://Git.example/Shop.git/", sha)],
        &[("oci://reg.example/charts/web", "", "1.2.3"), ("https://charts.example", "db", "4.5.6")],
    );
    let (claim, collection) = held(&status).unwrap();
    let table = [
        (json!({ "repoURL": "https://git.example/shop", "targetRevision": "main" }), sha),
        (json!({ "repoURL": "https://git.example/other", "targetRevision": "main" }), "main"),
        (
            json!({ "repoURL": "reg.example/charts", "chart": "web", "targetRevision": "1.0.0" }),
            "1.2.3",
        ),
        (
            json!({ "repoURL": "https://charts.example", "chart": "db", "targetRevision": "4.0.0" }),
            "4.5.6",
        ),
        (
            json!({ "repoURL": "https://charts.example", "chart": "web", "targetRevision": "4.0.0" }),
            "4.0.0",
        ),
        (
            json!({ "repoURL": "oci://reg.example/charts/web", "path": ".", "targetRevision": "1.0.0" }),
            "1.2.3",
        ),
        (json!({ "repoURL": "oci://reg.example/charts/db", "targetRevision": "1.0.0" }), "1.0.0"),
    ];
    for (mut source, expected) in table {
        source["plugin"] = json!({ "name": "wharfinger" });
        let source: Source = serde_json::from_value(source).unwrap();
        assert_eq!(
            with_claim(&source, &stage, &claim, collection).target_revision(),
            expected,
            "{source:?}"
        );
    }
    let native: Source = serde_json::from_value(
        json!({ "repoURL": "https://git.example/shop", "targetRevision": "main" }),
    )
    .unwrap();
    assert_eq!(
        with_claim(&native, &stage, &claim, collection),
        native,
        "another plugin's sources are not ours"
    );
}

#[test]
fn a_claim_is_put_in_once_and_stays_where_it_is() {
    let stage = "shop:dev".parse().unwrap();
    let status = dev(&[], &[]);
    let (claim, collection) = held(&status).unwrap();
    let put = |env: Value| {
        let source: Source = serde_json::from_value(
            json!({ "repoURL": GIT, "plugin": { "name": "wharfinger", "env": env } }),
        )
        .unwrap();
        let once = with_claim(&source, &stage, &claim, collection);
        assert_eq!(
            with_claim(&once, &stage, &claim, collection),
            once,
            "putting it in again changes nothing"
        );
        once.env().map(|(n, _)| n.to_owned()).collect::<Vec<_>>()
    };
    assert_eq!(put(json!(null)), ["WHARFINGER_STAGE", "WHARFINGER_FREIGHT"]);
    assert_eq!(
        put(json!([{ "name": "A", "value": "1" }])),
        ["A", "WHARFINGER_STAGE", "WHARFINGER_FREIGHT"]
    );
    let twice = json!([{ "name": "WHARFINGER_FREIGHT", "value": "x" }, { "name": "A" }, { "name": "WHARFINGER_FREIGHT", "value": "y" }]);
    assert_eq!(put(twice), ["WHARFINGER_FREIGHT", "A", "WHARFINGER_STAGE"]);
    assert_eq!(put(json!("nonsense")), ["WHARFINGER_STAGE", "WHARFINGER_FREIGHT"]);
}

#[test]
fn done_is_what_argo_cd_has_recorded_and_compared() {
    let now = current();
    let history = json!([{ "source": source(&now), "deployedAt": ASSIGNED }]);
    let drifted = json!({ "status": "OutOfSync", "comparedTo": { "source": source(&now) } });
    let [soon, later] = ["2026-01-01T10:00:01Z", "2026-01-01T10:00:02Z"];
    let compared = json!({ "status": "Synced", "comparedTo": { "source": source(&now) } });
    let before = json!({ "status": "Synced", "comparedTo": { "source": source(&claim(2, "b")) } });
    let ended = |phase: &str| json!({ "phase": phase, "finishedAt": ASSIGNED, "operation": { "sync": { "source": source(&now) } }, "syncResult": { "source": source(&now) } });
    let table = [
        (
            "recorded and compared",
            json!({ "history": history, "sync": compared }),
            0,
            Code::Converged,
            State::Passed,
            false,
        ),
        // A self-heal may have replaced the operation within the second.
        (
            "recorded, operation of somebody else",
            json!({ "history": history, "sync": compared, "operationState": { "phase": "Running", "operation": {} } }),
            0,
            Code::Converged,
            State::Passed,
            false,
        ),
        (
            "recorded, not compared",
            json!({ "history": history, "sync": before, "operationState": ended("Succeeded") }),
            1,
            Code::Comparing,
            State::Waiting,
            false,
        ),
        (
            "recorded, not compared for long",
            json!({ "history": history, "sync": before, "operationState": ended("Succeeded") }),
            2,
            Code::Comparing,
            State::Waiting,
            true,
        ),
        (
            "recorded, comparison unknown",
            json!({ "history": history, "sync": { "status": "Unknown", "comparedTo": { "source": source(&now) } } }),
            0,
            Code::Comparing,
            State::Waiting,
            false,
        ),
        // The comparison from before the sync: it knew the claim and saw what was to be done.
        (
            "recorded, compared before the sync",
            json!({ "history": history, "sync": drifted, "reconciledAt": ASSIGNED }),
            0,
            Code::Comparing,
            State::Waiting,
            false,
        ),
        (
            "recorded, compared before the sync, for long",
            json!({ "history": history, "sync": drifted, "reconciledAt": ASSIGNED }),
            2,
            Code::Comparing,
            State::Waiting,
            true,
        ),
        (
            "recorded, compared too soon",
            json!({ "history": history, "sync": drifted, "reconciledAt": soon }),
            1,
            Code::Comparing,
            State::Waiting,
            false,
        ),
        // Argo CD may not have seen yet what it had just applied: it is asked to look again.
        (
            "recorded, compared too soon, for long",
            json!({ "history": history, "sync": drifted, "reconciledAt": soon }),
            9,
            Code::Comparing,
            State::Waiting,
            true,
        ),
        (
            "recorded, out of sync again",
            json!({ "history": history, "sync": drifted, "reconciledAt": later }),
            2,
            Code::OutOfSync,
            State::Warning,
            false,
        ),
        (
            "succeeded, not recorded",
            json!({ "operationState": ended("Succeeded"), "sync": compared }),
            0,
            Code::Comparing,
            State::Waiting,
            false,
        ),
        (
            "syncing",
            json!({ "operationState": ended("Running") }),
            0,
            Code::OperationRunning,
            State::Waiting,
            false,
        ),
        (
            "failed",
            json!({ "operationState": ended("Failed") }),
            0,
            Code::OperationFailed,
            State::Failed,
            false,
        ),
        ("not begun", json!({ "sync": before }), 99, Code::OperationPending, State::Waiting, false),
        ("never looked at", json!({}), 59, Code::OperationPending, State::Waiting, false),
        ("never looked at for long", json!({}), 60, Code::NotReconciled, State::Failed, false),
    ];
    for (row, status, seconds, code, state, refresh) in table {
        let app = app(json!({ "spec": { "source": source(&now) }, "status": status }));
        let progress = far(&app, BY_ALICE, at(seconds));
        assert_eq!(
            (progress.check.code, progress.check.state, progress.refresh),
            (code, state, refresh),
            "{row}: {progress:?}"
        );
    }
}

#[test]
fn without_history_the_operation_is_the_record() {
    let now = current();
    let status = |phase: &str| {
        json!({ "sync": { "status": "Synced", "comparedTo": { "source": source(&now) } },
        "operationState": { "phase": phase, "operation": { "sync": {} }, "syncResult": { "source": source(&now) } } })
    };
    let none = |phase: &str| {
        app(
            json!({ "spec": { "source": source(&now), "revisionHistoryLimit": 0 }, "status": status(phase) }),
        )
    };
    assert!(far(&none("Succeeded"), BY_ALICE, at(0)).done());
    assert!(!far(&none("Running"), BY_ALICE, at(0)).done());
    let some = app(json!({ "spec": { "source": source(&now) }, "status": status("Succeeded") }));
    assert!(!far(&some, BY_ALICE, at(0)).done(), "with history, the entry is the record");
    for sync in
        [json!({ "resources": [{ "kind": "ConfigMap", "name": "a" }] }), json!({ "dryRun": true })]
    {
        let mut part = status("Succeeded");
        part["operationState"]["operation"]["sync"] = sync;
        let part = app(
            json!({ "spec": { "source": source(&now), "revisionHistoryLimit": 0 }, "status": part }),
        );
        assert!(!far(&part, BY_ALICE, at(0)).done(), "Argo CD would not have recorded it either");
        let all = patched(decide(&part, BY_ALICE, at(0)));
        assert!(all["operation"]["sync"].is_object(), "{all:?}");
    }
}

#[test]
fn a_render_failure_is_told_from_a_refusal() {
    let table = [
        ("", None),
        ("one or more objects failed to apply", None),
        (
            "failed to generate manifest for source 1 of 1: rpc error: code = Unknown desc = CMP processing failed for application \"x\": error generating manifests in cmp: rpc error: code = FailedPrecondition desc = no",
            Some(RenderFailure::Refused),
        ),
        (
            "failed to generate manifest for source 1 of 1: rpc error: code = Unavailable desc = x",
            Some(RenderFailure::Trouble),
        ),
        ("Manifest generation error (cached): x", Some(RenderFailure::Cached)),
        (
            "could not find cmp-server plugin with name \"wharfinger\" supporting the given repository",
            Some(RenderFailure::Trouble),
        ),
    ];
    for (message, expected) in table {
        assert_eq!(render_failure(message), expected, "{message}");
    }
}

#[test]
fn what_argocd_renders_without_the_plugin_is_not_done() {
    let now = current();
    let status = |kind: &str, of: Value| {
        json!({ "sourceType": kind, "history": [{ "source": source(&now) }],
            "sync": { "status": "Synced", "comparedTo": { "source": of } } })
    };
    let app = |kind: &str, of: Value| {
        app(json!({ "spec": { "source": source(&now) }, "status": status(kind, of) }))
    };
    assert!(far(&app("Plugin", source(&now)), BY_ALICE, at(0)).done());
    let natively = far(&app("Directory", source(&now)), BY_ALICE, at(0));
    assert!(natively.failed(), "{natively:?}");
    assert_eq!(natively.check.code, Code::RenderedNatively);
    // What was seen before says nothing of now; but nothing is deployed before Argo CD has looked again.
    let mut before = app("Directory", source(&claim(2, "b")));
    before.status.history.clear();
    assert!(!far(&before, BY_ALICE, at(0)).failed());
    assert_eq!(decide(&before, BY_ALICE, at(0)), Next::Leave);
    before.spec.source = serde_json::from_value(source(&claim(2, "b"))).unwrap();
    let patch = patched(decide(&before, BY_ALICE, at(0)));
    assert!(patch["spec"].is_object() && patch.get("operation").is_none(), "{patch:#}");
}
