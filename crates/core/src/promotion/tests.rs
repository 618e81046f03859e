use jiff::ToSpan as _;
use serde_json::{Value, json};
use wharfinger_api::v1alpha1::{Freight, Stage};

use super::*;
use crate::availability::Upstream;
use crate::converge::Progress;
use crate::stage::fold;

fn at(second: i64) -> Timestamp {
    Timestamp::UNIX_EPOCH + second.seconds()
}

/// `name[ phase][ key=value…]`, where a key is `actor`, `abort`, `rollback` or `collection`.
fn promotion(text: &str) -> Promotion {
    let mut words = text.split(' ');
    let name = words.next().unwrap();
    let (mut phase, mut annotations) = (String::new(), json!({}));
    for word in words {
        match word.split_once('=') {
            None => phase = word.into(),
            Some((key, value)) => {
                let key = match key {
                    "actor" => CREATE_ACTOR,
                    "abort" => ABORT,
                    "rollback" => ROLLBACK,
                    "collection" => COLLECTION,
                    other => panic!("{other}"),
                };
                annotations[key] = value.into();
            }
        }
    }
    let status = (!phase.is_empty()).then(|| json!({ "phase": phase }));
    serde_json::from_value(json!({
        "apiVersion": "kargo.akuity.io/v1alpha1",
        "kind": "Promotion",
        "metadata": { "namespace": "shop", "name": name, "annotations": annotations },
        "spec": { "stage": "dev", "freight": "f2", "steps": [{ "uses": "assign" }] },
        "status": status,
    }))
    .unwrap()
}

/// A Stage that requests Freight of `w` and `x`, and holds `f1` of `w`; `promotion` is the one that assigned.
fn stage(promotion: &str) -> Stage {
    let origin = |name: &str| json!({ "kind": "Warehouse", "name": name });
    let item = |name: &str, of: &str| json!({ "name": name, "origin": origin(of) });
    let requested: Vec<_> = ["w", "x"]
        .iter()
        .map(|w| json!({ "origin": origin(w), "sources": { "direct": true } }))
        .collect();
    let id = crate::freight::collection_id(["f1", "g1"]);
    serde_json::from_value(json!({
        "apiVersion": "kargo.akuity.io/v1alpha1",
        "kind": "Stage",
        "metadata": { "namespace": "shop", "name": "dev", "resourceVersion": "7" },
        "spec": { "requestedFreight": requested, "promotionTemplate": { "spec": { "steps": [{ "uses": "assign" }] } } },
        "status": {
            "freightHistory": [
                { "id": id, "items": { "Warehouse/w": item("f1", "w"), "Warehouse/x": item("g1", "x") } },
                { "id": "old", "items": { "Warehouse/w": item("f0", "w") } },
            ],
            "assignment": { "generation": 4, "collection": id, "promotion": promotion, "assignedAt": at(100) },
        },
    }))
    .unwrap()
}

fn freight(origin: &str) -> Freight {
    serde_json::from_value(json!({
        "metadata": { "namespace": "shop", "name": "f2" },
        "origin": { "kind": "Warehouse", "name": origin },
        "images": [{ "repoURL": "r", "tag": "2" }],
    }))
    .unwrap()
}

#[test]
fn one_promotion_at_a_time_in_the_order_of_names() {
    let person = "b actor=email:ann@example.com";
    let rows = [
        // committed, promotions, seconds since the assignment, what is next
        ("", vec![], 0, "idle"),
        ("", vec!["a Succeeded", "b Failed", "c Errored", "d Aborted"], 0, "idle"),
        ("", vec!["a Succeeded", "b", "c"], 0, "start b"),
        ("", vec!["a Pending", "b Pending"], 0, "start a"),
        ("", vec!["a", "b Running"], 0, "start b"),
        // Committed: it goes on, whatever its phase says; killed before or after the write of the phase.
        ("a", vec!["a", "b"], 0, "work a"),
        ("a", vec!["a Running", "b"], 0, "work a"),
        ("b", vec!["a", "b Pending"], 0, "work b"),
        // Killed between the end of one and the start of the next.
        ("a", vec!["a Succeeded", "b"], 0, "start b"),
        ("a", vec!["a Succeeded"], 0, "idle"),
        // Who may take over.
        ("a", vec!["a Running", "b actor=controller:auto"], 299, "work a"),
        ("a", vec!["a Running", "b"], 299, "work a"),
        ("a", vec!["a Running", person], 59, "work a until 160"),
        ("a", vec!["a Running", person], 60, "end a Aborted superseded by b [superseded]"),
        (
            "a",
            vec!["a Running", "b rollback=true actor=controller:x"],
            0,
            "end a Aborted superseded by b [superseded]",
        ),
        ("a", vec!["a Running", "b rollback=false"], 0, "work a"),
        (
            "a",
            vec!["a Running", "b collection=old"],
            0,
            "end a Aborted superseded by b [superseded]",
        ),
        // Only the next in line may.
        ("a", vec!["a Running", "b", "c rollback=true"], 60, "work a"),
        // One that has not committed is not superseded: it has its turn.
        ("", vec!["a Running", "b rollback=true"], 60, "start a"),
        // Aborts, of whichever.
        ("a", vec!["a Running abort=terminate", "b"], 0, "end a Aborted aborted"),
        ("a", vec!["a Running", "b abort=terminate"], 0, "end b Aborted aborted"),
        ("a", vec!["a Succeeded abort=terminate"], 0, "idle"),
        ("a", vec!["a Running abort=wait"], 0, "work a"),
        (
            "a",
            vec![r#"a Running abort={"action":"terminate","actor":"email:ann@example.com"}"#],
            0,
            "end a Aborted aborted by email:ann@example.com",
        ),
        ("a", vec![r#"a Running abort={"action":"nothing"}"#], 0, "work a"),
    ];
    for (committed, promotions, seconds, expected) in rows {
        let all: Vec<_> = promotions.iter().map(|p| promotion(p)).collect();
        let next = next(&stage(committed).status.unwrap(), &all, at(100 + seconds));
        let said = match &next {
            Next::Idle => "idle".into(),
            Next::End(p, ended) => {
                format!("end {} {} {}", name(p), ended.phase.as_str(), ended.message)
            }
            Next::Start(p, _) => format!("start {}", name(p)),
            Next::Work { promotion, until, .. } => {
                let until = until.map_or(String::new(), |t| format!(" until {}", t.as_second()));
                format!("work {}{until}", name(promotion))
            }
        };
        assert_eq!(said, expected, "{committed:?} {promotions:?} after {seconds} s");
    }
}

#[test]
fn nothing_is_assigned_by_steps_that_are_not_all_understood() {
    let with = |steps: Value| {
        let mut promotion = promotion("a");
        promotion.spec.steps = serde_json::from_value(steps).unwrap();
        let all = [promotion];
        match next(&StageStatus::default(), &all, at(0)) {
            Next::End(_, ended) => format!("{}: {}", ended.phase.as_str(), ended.message),
            Next::Start(_, plan) => format!(
                "{:?}",
                plan.steps
                    .iter()
                    .map(|s| (&*s.alias, s.allow_none, s.timeout.map(|t| t.as_secs())))
                    .collect::<Vec<_>>()
            ),
            other => format!("{other:?}"),
        }
    };
    let rows = [
        (json!([]), "Errored: the Promotion has no steps"),
        (json!([{ "uses": "assign" }]), r#"[("step-1", false, Some(300))]"#),
        (
            json!([{ "uses": "assign", "as": "a", "config": { "allowNone": true }, "retry": { "timeout": "90s" } }]),
            r#"[("a", true, Some(90))]"#,
        ),
        (
            json!([{ "uses": "assign", "retry": { "timeout": "0s" } }]),
            r#"[("step-1", false, None)]"#,
        ),
        (
            json!([{ "uses": "assign" }, { "uses": "assign" }]),
            r#"[("step-1", false, Some(300)), ("step-2", false, Some(300))]"#,
        ),
        (
            json!([{ "uses": "assign" }, { "uses": "git-push" }]),
            "Errored: step 2 (`git-push`) is not supported by this version; nothing was assigned",
        ),
        (
            json!([{ "task": { "name": "t" } }]),
            "Errored: step 1 (task `t`) is not supported by this version",
        ),
        (
            json!([{ "uses": "assign", "if": "${{ always() }}" }]),
            "Errored: step 1 (`assign` with `if`) is not supported",
        ),
        (
            json!([{ "uses": "assign", "config": { "apps": [] } }]),
            "Errored: step 1 (`assign`): config field `apps` is not known",
        ),
        (
            json!([{ "uses": "assign", "config": { "allowNone": "yes" } }]),
            "Errored: step 1 (`assign`): config field `allowNone` is neither true nor false",
        ),
        (
            json!([{ "uses": "assign", "config": [] }]),
            "Errored: step 1 (`assign`): config is not an object",
        ),
        (
            json!([{ "uses": "assign", "retry": { "timeout": "soon" } }]),
            "Errored: step 1 (`assign`): retry.timeout \"soon\" is not a duration",
        ),
    ];
    for (steps, expected) in rows {
        let said = with(steps.clone());
        assert!(said.starts_with(expected), "{steps}: {said}");
    }
}

#[test]
fn a_commit_replaces_one_origin_and_keeps_the_others() {
    let stage = stage("before");
    let status = committed(&stage, "a actor=email:ann@example.com", &[&freight("w")]).unwrap();
    let head = &status.freight_history[0];
    let items: Vec<_> =
        head.items.iter().map(|(origin, f)| (origin.as_str(), f.name.as_str())).collect();
    assert_eq!(items, [("Warehouse/w", "f2"), ("Warehouse/x", "g1")]);
    let assignment = status.assignment.as_ref().unwrap();
    assert_eq!(
        (assignment.generation, &*assignment.promotion, &*assignment.actor),
        (5, "a", "email:ann@example.com")
    );
    assert_eq!(assignment.collection, head.id);
    let current = status.current_promotion.as_ref().unwrap();
    assert_eq!((&*current.name, current.freight.as_ref().map(|f| &*f.name)), ("a", Some("f2")));
    crate::assignment::lawful(&stage.status.unwrap(), &status).unwrap();
}

#[test]
fn a_rollback_returns_to_a_collection_of_the_history_and_to_no_other() {
    let stage = stage("before");
    let mut back = promotion("a collection=old");
    back.spec.freight = Some("f0".into());
    let mut former = freight("w");
    former.metadata.name = Some("f0".into());
    let status = commit(&stage, &back, &[&former], &Upstream::new(), at(500)).unwrap();
    assert_eq!(
        status.assignment.as_ref().map(|a| (a.generation, &*a.collection)),
        Some((5, "old"))
    );
    assert_eq!(status.freight_history.iter().map(|c| &*c.id).collect::<Vec<_>>()[..1], ["old"]);
    let refused = committed(&stage, "a collection=never", &[&former]).unwrap_err();
    assert_eq!(refused.code, Code::Freight);
}

#[test]
fn freight_that_is_not_available_is_refused() {
    let mut stage = stage("before");
    let (right, strange) = (freight("w"), freight("y"));
    let refused =
        |stage: &Stage, freights: &[&Freight]| committed(stage, "a", freights).unwrap_err().code;
    assert_eq!(refused(&stage, &[]), Code::Freight);
    assert_eq!(refused(&stage, &[&strange]), Code::OriginRequested);
    stage.spec.requested_freight[0].sources.direct = false;
    assert_eq!(refused(&stage, &[&right]), Code::Verified);
    stage.spec.requested_freight[0].sources.stages = vec!["up".into()];
    assert_eq!(refused(&stage, &[&right]), Code::Verified);
    let mut verified = right;
    verified.status = serde_json::from_value(json!({ "verifiedIn": { "up": {} } })).unwrap();
    assert!(committed(&stage, "a", &[&verified]).is_ok());
    let mut by_origin = promotion("a");
    by_origin.spec.freight = None;
    let refused = commit(&stage, &by_origin, &[&verified], &Upstream::new(), at(500));
    assert_eq!(refused.unwrap_err().code, Code::Freight);
}

fn committed(stage: &Stage, text: &str, freights: &[&Freight]) -> Result<StageStatus, Check> {
    commit(stage, &promotion(text), freights, &Upstream::new(), at(500))
}

/// `name:state`, where the state is `done`, `warning`, `failed` or a text to wait with.
fn members(texts: &[&str]) -> Vec<Member> {
    let member = |text: &&str| {
        let (name, state) = text.split_once(':').unwrap();
        let check = match state {
            "done" => Check::new(Code::Converged, crate::check::State::Passed, "synced"),
            "warning" => Check::new(Code::OutOfSync, crate::check::State::Warning, "out of sync"),
            "failed" => Check::failed(Code::OperationFailed, "it broke"),
            text => Check::waiting(Code::OperationRunning, text),
        };
        Member {
            namespace: "argocd".into(),
            name: name.into(),
            progress: Progress { check, refresh: false },
        }
    };
    texts.iter().map(member).collect()
}

#[test]
fn a_step_waits_for_all_applications_fails_with_one_and_has_its_time() {
    let one = json!([{ "uses": "assign" }]);
    let none = json!([{ "uses": "assign", "config": { "allowNone": true } }]);
    let brief = json!([{ "uses": "assign", "retry": { "timeout": "30s" } }]);
    let endless = json!([{ "uses": "assign", "retry": { "timeout": "0s" } }]);
    let two = json!([{ "uses": "assign", "as": "first", "continueOnError": true }, { "uses": "assign", "config": { "allowNone": true } }]);
    let rows = [
        (
            &one,
            vec!["a:done", "b:syncing"],
            0,
            "Running: 1 of 2 Applications done; argocd/b: syncing",
        ),
        (&one, vec!["a:done", "b:warning"], 0, "Succeeded: 2 of 2 Applications done"),
        (
            &one,
            vec!["a:failed", "b:syncing"],
            0,
            "Failed: 0 of 2 Applications done; argocd/a: it broke [operation-failed]",
        ),
        (&one, vec!["a:syncing"], 299, "Running: 0 of 1 Applications done; argocd/a: syncing"),
        (
            &one,
            vec!["a:syncing"],
            300,
            "Errored: not done within 5m0s: 0 of 1 Applications done; argocd/a: syncing [timeout]",
        ),
        (
            &brief,
            vec!["a:syncing"],
            30,
            "Errored: not done within 30s: 0 of 1 Applications done; argocd/a: syncing [timeout]",
        ),
        (&brief, vec!["a:done"], 30, "Succeeded: 1 of 1 Applications done"),
        (
            &endless,
            vec!["a:syncing"],
            1_000_000,
            "Running: 0 of 1 Applications done; argocd/a: syncing",
        ),
        (
            &one,
            vec![],
            0,
            "Failed: no Application names the Stage; it holds the Freight all the same. Annotate an Application with kargo.akuity.io/authorized-stage, or set `allowNone: true` in the step [no-applications]",
        ),
        (&none, vec![], 0, "Succeeded: no Application names the Stage"),
        (&two, vec![], 0, "Succeeded: no Application names the Stage"),
        (&two, vec!["a:done"], 0, "Succeeded: 1 of 1 Applications done"),
        (
            &one,
            vec!["a:x", "b:x", "c:x", "d:x", "e:x"],
            0,
            "Running: 0 of 5 Applications done; argocd/a: x; argocd/b: x; argocd/c: x; and 2 more",
        ),
    ];
    for (steps, apps, seconds, expected) in rows {
        let mut promotion = promotion("a");
        promotion.spec.steps = serde_json::from_value(steps.clone()).unwrap();
        let plan = plan(&promotion).unwrap();
        let stage = stage("a").status.unwrap();
        let (status, until) =
            advance(&promotion, &stage, &plan, &members(&apps), at(100 + seconds));
        assert_eq!(format!("{}: {}", status.phase, status.message), expected);
        assert_eq!(status.started_at.as_ref().map(|t| t.0), Some(at(100)));
        assert_eq!(status.finished_at.is_some(), status.phase != "Running");
        assert_eq!(until.is_some(), status.phase == "Running" && steps != &endless, "{steps}");
        // Looked at again, nothing has changed: nothing is written.
        if status.phase == "Running" {
            promotion.status = Some(status.clone());
            assert_eq!(
                advance(&promotion, &stage, &plan, &members(&apps), at(100 + seconds)).0,
                status
            );
        }
    }
}

#[test]
fn the_progress_is_kept_in_the_state_with_the_assignment() {
    let promotion = promotion("a");
    let stage = stage("a").status.unwrap();
    let (status, _) = advance(
        &promotion,
        &stage,
        &plan(&promotion).unwrap(),
        &members(&["web:syncing"]),
        at(101),
    );
    assert_eq!(
        status.state,
        json!({ "step-1": {
            "assignment": { "generation": 4, "collection": stage.freight_history[0].id },
            "applications": [
                { "namespace": "argocd", "name": "web", "check": { "code": "operation-running", "state": "Waiting", "text": "syncing" } },
            ],
        } }),
    );
    assert_eq!(status.step_execution_metadata[0].status, "Running");
    assert_eq!(status.freight_collection.unwrap().id, stage.freight_history[0].id);
}

#[test]
fn one_that_never_began_leaves_no_trace_in_the_stage() {
    let ended = |text: &str, committed, second| {
        let promotion = promotion(text);
        let ended =
            Ended { phase: Phase::Aborted, message: "aborted".into(), check: None, committed };
        Promotion { status: Some(ended.status(&promotion, at(second))), ..promotion }
    };
    let mut status = stage("a").status.unwrap();
    fold(&mut status, &[ended("b Pending", None, 200)]);
    assert_eq!(status.last_promotion, None);
    // It had committed, though its own status did not say so yet.
    fold(&mut status, &[ended("a", Some(at(100)), 190), ended("b Pending", None, 200)]);
    assert_eq!(status.last_promotion.as_ref().map(|p| &*p.name), Some("a"));
    // Ended later, though its name comes first.
    fold(&mut status, &[ended("0 Running", Some(at(100)), 191)]);
    assert_eq!(status.last_promotion.as_ref().map(|p| &*p.name), Some("0"));
}

#[test]
fn what_an_end_says_finds_room_in_any_state() {
    for state in [json!(null), json!([]), json!({ "step-1": [1] }), json!({ "step-1": "x" })] {
        let mut promotion = promotion("a Running");
        promotion.status.as_mut().unwrap().state = state.clone();
        let check = Check::failed(Code::Timeout, "too long");
        let ended = Ended::by(Phase::Failed, check, None).status(&promotion, at(1));
        assert_eq!(ended.state["step-1"]["check"]["code"], "timeout", "{state}");
    }
}
