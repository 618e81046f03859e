use jiff::ToSpan as _;
use serde_json::{Value, json};
use wharfinger_api::argocd::Application;
use wharfinger_api::v1alpha1::{Freight, FreightStatus};

use super::*;
use crate::check::{Check, Code, State};
use crate::claim::Claim;
use crate::converge::Progress;

fn at(second: i64) -> Timestamp {
    Timestamp::UNIX_EPOCH + second.seconds()
}

fn stage(status: &Value) -> Stage {
    let origin = |name: &str| json!({ "origin": { "kind": "Warehouse", "name": name }, "sources": { "direct": true } });
    serde_json::from_value(json!({
        "apiVersion": "kargo.akuity.io/v1alpha1",
        "kind": "Stage",
        "metadata": { "namespace": "shop", "name": "dev", "generation": 3, "annotations": { "kargo.akuity.io/refresh": "now" } },
        "spec": { "requestedFreight": [origin("w")], "promotionTemplate": { "spec": { "steps": [{ "uses": "assign" }] } } },
        "status": status,
    }))
    .unwrap()
}

fn held() -> Value {
    json!({
        "freightHistory": [{ "id": "c", "items": { "Warehouse/w": { "name": "f1", "origin": { "kind": "Warehouse", "name": "w" } } } }],
        "assignment": { "generation": 1, "collection": "c", "promotion": "a", "assignedAt": at(10) },
    })
}

fn promotion(name: &str, phase: &str) -> Promotion {
    serde_json::from_value(json!({
        "apiVersion": "kargo.akuity.io/v1alpha1",
        "kind": "Promotion",
        "metadata": { "namespace": "shop", "name": name },
        "spec": { "stage": "dev", "freight": "f1", "steps": [] },
        "status": { "phase": phase, "message": "so it went", "startedAt": at(10), "finishedAt": at(20), "state": { "step-1": {} } },
    }))
    .unwrap()
}

fn with(mut status: Value, key: &str, value: Value) -> Value {
    status[key] = value;
    status
}

#[test]
fn conditions_say_what_kargo_says() {
    let health = |status: &str| Some(Health { status: status.into(), ..Default::default() });
    let running = || with(held(), "currentPromotion", json!({ "name": "a" }));
    let rows = [
        (
            json!({}),
            vec![],
            None,
            "Healthy=Unknown NoFreight, Verified=Unknown NoFreight, Ready=False NoFreight",
        ),
        (
            running(),
            vec![promotion("a", "Running")],
            None,
            "Promoting=True ActivePromotion, Healthy=Unknown ActivePromotion, Verified=Unknown WaitingForVerification, Ready=False ActivePromotion",
        ),
        (
            running(),
            vec![promotion("a", "Succeeded")],
            None,
            "Healthy=Unknown WaitingForHealthCheck, Verified=Unknown WaitingForVerification, Ready=False WaitingForHealthCheck",
        ),
        (
            running(),
            vec![promotion("a", "Succeeded")],
            health("Healthy"),
            "Healthy=True Healthy, Verified=True Verified, Ready=True Healthy",
        ),
        (
            running(),
            vec![promotion("a", "Succeeded")],
            health("Progressing"),
            "Healthy=Unknown Progressing, Verified=Unknown WaitingForVerification, Ready=False Progressing",
        ),
        (
            running(),
            vec![promotion("a", "Succeeded")],
            health("Unhealthy"),
            "Healthy=False Unhealthy, Verified=Unknown WaitingForVerification, Ready=False Unhealthy",
        ),
        (
            running(),
            vec![promotion("a", "Failed")],
            health("Healthy"),
            "Healthy=Unknown LastPromotionFailed, Verified=Unknown WaitingForVerification, Ready=False LastPromotionFailed",
        ),
        (
            running(),
            vec![],
            None,
            "Healthy=Unknown WaitingForHealthCheck, Verified=Unknown WaitingForVerification, Ready=False WaitingForHealthCheck",
        ),
    ];
    for (status, promotions, health, expected) in rows {
        let stage = stage(&status);
        let status = observe(&stage, &promotions, health, at(30));
        let said: Vec<_> = status
            .conditions
            .iter()
            .map(|c| format!("{}={} {}", c.type_, c.status, c.reason))
            .collect();
        assert_eq!(said.join(", "), expected);
        assert_eq!((status.observed_generation, &*status.last_handled_refresh), (Some(3), "now"));
        // Seen again later, it is the same: nothing is written.
        let again = Stage { status: Some(status.clone()), ..stage };
        assert_eq!(observe(&again, &promotions, None, at(99)), status);
    }
}

#[test]
fn the_last_promotion_is_kept_without_its_state() {
    let status = observe(
        &stage(&with(held(), "currentPromotion", json!({ "name": "a" }))),
        &[promotion("a", "Succeeded")],
        None,
        at(30),
    );
    assert_eq!(status.current_promotion, None);
    let last = status.last_promotion.unwrap();
    assert_eq!((&*last.name, last.finished_at.unwrap().0), ("a", at(20)));
    let kept = last.status.unwrap();
    assert_eq!((&*kept.phase, &kept.state), ("Succeeded", &Value::Null));
}

#[test]
fn the_summary_is_kargos() {
    assert_eq!(observe(&stage(&held()), &[] as &[Promotion], None, at(0)).freight_summary, "f1");
    assert_eq!(
        observe(&stage(&json!({})), &[] as &[Promotion], None, at(0)).freight_summary,
        "0/1 Fulfilled"
    );
    let mut two = stage(&held());
    two.spec.requested_freight.push(two.spec.requested_freight[0].clone());
    two.spec.requested_freight[1].origin.name = "x".into();
    assert_eq!(observe(&two, &[] as &[Promotion], None, at(0)).freight_summary, "1/2 Fulfilled");
    two.spec.promotion_template = None;
    assert_eq!(observe(&two, &[] as &[Promotion], None, at(0)).freight_summary, "N/A");
}

fn app(status: &Value) -> Application {
    serde_json::from_value(json!({ "metadata": { "namespace": "argocd", "name": "web", "resourceVersion": "5" }, "status": status })).unwrap()
}

#[test]
fn the_worst_application_decides_the_health() {
    let progress = |state| Progress {
        check: Check::new(Code::Converged, state, "still syncing"),
        refresh: false,
    };
    let healthy = || app(&json!({ "health": { "status": "Healthy" } }));
    let degraded = || app(&json!({ "health": { "status": "Degraded", "message": "crash loop" } }));
    let broken = || {
        app(
            &json!({ "health": { "status": "Healthy" }, "conditions": [{ "type": "ComparisonError", "message": "no" }] }),
        )
    };
    let rows = [
        (vec![], "NotApplicable", ""),
        (vec![(healthy(), State::Passed, true)], "Healthy", ""),
        (vec![(healthy(), State::Warning, true)], "Healthy", ""),
        (
            vec![(healthy(), State::Passed, false)],
            "Unknown",
            "Argo CD has not looked at it again since it was synced",
        ),
        (vec![(healthy(), State::Waiting, true)], "Unknown", "still syncing"),
        (vec![(healthy(), State::Failed, true)], "Unhealthy", "still syncing"),
        (
            vec![(app(&json!({ "health": { "status": "Suspended" } })), State::Passed, true)],
            "Progressing",
            "Suspended",
        ),
        (vec![(app(&json!({})), State::Passed, true)], "Progressing", "health not known yet"),
        (
            vec![(app(&json!({ "health": { "status": "Missing" } })), State::Passed, true)],
            "Unhealthy",
            "Missing",
        ),
        (vec![(broken(), State::Passed, true)], "Unhealthy", "no"),
        (
            vec![(degraded(), State::Passed, true), (healthy(), State::Waiting, true)],
            "Unhealthy",
            "Degraded: crash loop",
        ),
    ];
    for (members, expected, issue) in rows {
        let members: Vec<_> =
            members.iter().map(|(app, state, fresh)| (app, progress(*state), *fresh)).collect();
        let health = health(&members);
        assert_eq!(health.status, expected);
        let first = health.issues.first().map_or("", |i| i.strip_prefix("argocd/web: ").unwrap());
        assert_eq!(first, issue);
    }
}

#[test]
fn health_is_believed_from_a_later_write() {
    let claim: Claim = format!("1-{}", "a".repeat(40)).parse().unwrap();
    let done = |version: &str, compared: i64| {
        let mut app = app(
            &json!({ "reconciledAt": at(compared), "operationState": { "phase": "Succeeded", "operation": {}, "finishedAt": at(50) } }),
        );
        app.metadata.resource_version = Some(version.into());
        app
    };
    // The comparison of a later second needs no further proof: so it is after a restart of ours.
    assert_eq!(freshness(&done("5", 51), &claim, None, at(60)).1, Freshness::Fresh);
    let (glimpse, first) = freshness(&done("5", 50), &claim, None, at(60));
    assert_eq!(first, Freshness::Wait(at(62)));
    assert_eq!(
        freshness(&done("5", 50), &claim, Some(glimpse.clone()), at(61)).1,
        Freshness::Wait(at(62))
    );
    assert_eq!(
        freshness(&done("6", 50), &claim, Some(glimpse.clone()), at(61)).1,
        Freshness::Fresh
    );
    assert_eq!(freshness(&done("5", 50), &claim, Some(glimpse.clone()), at(62)).1, Freshness::Ask);
    // Our own request is a write, but tells nothing.
    let mut asked = done("6", 50);
    asked.metadata.annotations =
        Some([(crate::recover::REFRESH.to_owned(), "normal".to_owned())].into());
    assert_eq!(freshness(&asked, &claim, Some(glimpse.clone()), at(63)).1, Freshness::Ask);
    // Another claim starts anew.
    let next: Claim = format!("2-{}", "a".repeat(40)).parse().unwrap();
    assert_eq!(freshness(&done("6", 50), &next, Some(glimpse), at(70)).1, Freshness::Wait(at(72)));
}

#[test]
fn freight_comes_with_success_and_leaves_with_its_soak() {
    let since = |second: i64| k8s_openapi::apimachinery::pkg::apis::meta::v1::Time(at(second));
    let status = |value: Value| serde_json::from_value::<FreightStatus>(value).unwrap();
    let there = json!({ "currentlyIn": { "dev": { "since": at(0) } } });
    let verified = |soak: &str| json!({ "currentlyIn": { "dev": { "since": at(0) } }, "verifiedIn": { "dev": { "verifiedAt": at(0), "longestSoak": soak } } });
    let gone = json!({ "currentlyIn": { "dev": null } });
    let rows = [
        (json!({}), true, Some(20), Some(json!({ "currentlyIn": { "dev": { "since": at(20) } } }))),
        (json!({}), true, None, None),
        (json!({}), false, None, None),
        (there.clone(), true, Some(20), None),
        (there, false, None, Some(gone.clone())),
        (
            verified(""),
            false,
            None,
            Some(
                json!({ "currentlyIn": { "dev": null }, "verifiedIn": { "dev": { "longestSoak": "1h0m0s" } } }),
            ),
        ),
        (
            verified("59m"),
            false,
            None,
            Some(
                json!({ "currentlyIn": { "dev": null }, "verifiedIn": { "dev": { "longestSoak": "1h0m0s" } } }),
            ),
        ),
        (verified("2h"), false, None, Some(gone)),
    ];
    for (freight, held, from, expected) in rows {
        let from = from.map(since);
        let patch = resident(&status(freight.clone()), "dev", held, from.as_ref(), None, at(3600));
        assert_eq!(patch, expected, "{freight} {held} {from:?}");
    }
}

#[test]
fn freight_is_marked_verified_once() {
    let time = k8s_openapi::apimachinery::pkg::apis::meta::v1::Time(at(60));
    let there = json!({ "dev": { "since": at(0) } });
    let since_before = json!({ "dev": { "verifiedAt": at(7) } });
    let rows = [
        // It comes and is verified at once.
        (
            json!({}),
            true,
            json!({ "currentlyIn": { "dev": { "since": at(60) } }, "verifiedIn": { "dev": { "verifiedAt": at(60) } } }),
        ),
        (
            json!({ "currentlyIn": there }),
            true,
            json!({ "verifiedIn": { "dev": { "verifiedAt": at(60) } } }),
        ),
        (json!({ "currentlyIn": there, "verifiedIn": since_before }), true, Value::Null),
        // It was verified and left before that could be written.
        (
            json!({ "currentlyIn": there }),
            false,
            json!({ "currentlyIn": { "dev": null }, "verifiedIn": { "dev": { "verifiedAt": at(60), "longestSoak": "1h0m0s" } } }),
        ),
        (json!({}), false, json!({ "verifiedIn": { "dev": { "verifiedAt": at(60) } } })),
        (json!({ "verifiedIn": since_before }), false, Value::Null),
    ];
    for (freight, held, expected) in rows {
        let known = serde_json::from_value(freight.clone()).unwrap();
        let patch = resident(&known, "dev", held, Some(&time), Some(&time), at(3600));
        assert_eq!(patch.unwrap_or_default(), expected, "{freight} {held}");
    }
}

#[test]
fn what_a_stage_holds_is_verified_when_it_is_there_and_healthy() {
    let health = |status: &str| Some(Health { status: status.into(), ..Default::default() });
    let verified = |stage: &Stage, promotions: &[Promotion], health| {
        let status = observe(stage, promotions, health, at(30));
        let held = verified_freight(&status);
        let condition = status.conditions.iter().find(|c| c.type_ == "Verified").unwrap();
        assert_eq!(condition.status == "True", held.contains_key("f1"));
        (held.get("f1").map(|t| t.0), condition.reason.clone())
    };
    let yes = (Some(at(30)), "Verified".to_owned());
    let no = (None, "WaitingForVerification".to_owned());
    let succeeded = || [promotion("a", "Succeeded")];
    let plain = stage(&held());
    assert_eq!(verified(&plain, &succeeded(), health("Healthy")), yes);
    assert_eq!(verified(&plain, &succeeded(), health("NotApplicable")), yes);
    assert_eq!(verified(&plain, &succeeded(), health("Progressing")), no);
    assert_eq!(verified(&plain, &succeeded(), health("Unhealthy")), no);
    assert_eq!(verified(&plain, &succeeded(), health("")), no);
    assert_eq!(verified(&plain, &[promotion("a", "Running")], health("Healthy")), no);
    assert_eq!(verified(&plain, &[promotion("a", "Failed")], health("Healthy")), no);
    assert_eq!(verified(&plain, &[promotion("b", "Succeeded")], health("Healthy")), no);
    // Health of before says nothing about what came since.
    let before = stage(&with(held(), "health", json!({ "status": "Healthy" })));
    assert_eq!(verified(&before, &succeeded(), None), no);
    // A later refusal of another Promotion takes nothing back.
    let mut later = promotion("b", "Errored");
    later.status.as_mut().unwrap().finished_at =
        Some(k8s_openapi::apimachinery::pkg::apis::meta::v1::Time(at(25)));
    assert_eq!(verified(&plain, &[promotion("a", "Succeeded"), later], health("Healthy")), yes);
    // This version runs no analysis, and does not pretend to.
    let mut analysed = stage(&held());
    analysed.spec.verification = Some(Default::default());
    assert_eq!(
        verified(&analysed, &succeeded(), health("Healthy")),
        (None, "VerificationError".into())
    );
    // Once is enough, and it stays.
    let once = observe(&plain, &succeeded(), health("Healthy"), at(30));
    let again = Stage { status: Some(once.clone()), ..plain };
    assert_eq!(observe(&again, &succeeded(), health("Healthy"), at(99)), once);
    let sick = observe(&again, &succeeded(), health("Unhealthy"), at(99));
    assert_eq!(verified_freight(&sick).len(), 1);
    let info = &once.freight_history[0].verification_history[0];
    let dashes: Vec<_> = info.id.split('-').map(str::len).collect();
    assert_eq!((&*info.phase, dashes), ("Successful", vec![8, 4, 4, 4, 12]));
}

#[test]
fn all_that_was_verified_in_a_stage_is_known_with_its_first_time() {
    let item = |name: &str| json!({ "name": name, "origin": { "kind": "Warehouse", "name": "w" } });
    let entry = |id: &str, freight: &str, verified: Value| json!({ "id": id, "items": { "Warehouse/w": item(freight) }, "verificationHistory": verified });
    let successful = |second| json!({ "phase": "Successful", "finishTime": at(second) });
    let status: StageStatus = serde_json::from_value(json!({ "freightHistory": [
        entry("c", "f3", json!([])),
        entry("a", "f1", json!([{ "phase": "Failed", "finishTime": at(90) }, successful(80)])),
        entry("b", "f2", json!([{ "phase": "Failed", "finishTime": at(50) }])),
        entry("a", "f1", json!([successful(40), successful(30)])),
    ] }))
    .unwrap();
    let known: Vec<_> =
        verified_freight(&status).into_iter().map(|(name, time)| (name, time.0)).collect();
    assert_eq!(known, [("f1", at(30))]);
}

#[test]
fn a_control_flow_stage_passes_on_what_is_available_to_it() {
    let mut gate = stage(&json!({}));
    gate.spec.promotion_template = None;
    gate.spec.requested_freight[0].sources =
        serde_json::from_value(json!({ "stages": ["up"], "requiredSoakTime": "30m" })).unwrap();
    let freight = |origin: &str, status: Value| -> Freight {
        serde_json::from_value(json!({
            "metadata": { "namespace": "shop", "name": "f1" },
            "origin": { "kind": "Warehouse", "name": origin },
            "status": status,
        }))
        .unwrap()
    };
    let passed = || Passage::Now(json!({ "verifiedIn": { "dev": { "verifiedAt": at(60) } } }));
    let up = |soak: &str| json!({ "currentlyIn": { "up": { "since": at(30) } }, "verifiedIn": { "up": { "longestSoak": soak } } });
    for (origin, status, expected) in [
        ("w", json!({}), Passage::Rest),
        ("w", up(""), Passage::At(at(1830))),
        ("w", up("30m"), passed()),
        ("w", json!({ "verifiedIn": { "up": {} } }), Passage::Rest),
        ("w", json!({ "currentlyIn": { "up": { "since": at(30) } } }), Passage::Rest),
        ("w", json!({ "approvedFor": { "dev": {} } }), passed()),
        ("w", json!({ "approvedFor": { "dev": {} }, "verifiedIn": { "dev": {} } }), Passage::Rest),
        ("x", json!({ "approvedFor": { "dev": {} } }), Passage::Rest),
    ] {
        let text = format!("{origin} {status}");
        assert_eq!(passage(&gate, &freight(origin, status), at(60)), expected, "{text}");
    }
    gate.spec.requested_freight[0].sources.direct = true;
    assert_eq!(passage(&gate, &freight("w", json!({})), at(60)), passed());
}

#[test]
fn freight_is_there_since_its_promotion_succeeded_and_not_before() {
    let status: StageStatus = serde_json::from_value(held()).unwrap();
    let since = |promotions: &[Promotion]| residence(&status, promotions).1.map(|t| t.0);
    assert_eq!(since(&[promotion("a", "Running")]), None);
    assert_eq!(since(&[promotion("a", "Failed")]), None);
    assert_eq!(since(&[promotion("b", "Succeeded")]), None);
    assert_eq!(since(&[promotion("a", "Succeeded")]), Some(at(20)));
    assert_eq!(residence(&status, &[] as &[Promotion]).0.into_iter().collect::<Vec<_>>(), ["f1"]);
    // The Promotion itself is long gone.
    let known = observe(&stage(&held()), &[promotion("a", "Succeeded")], None, at(30));
    assert_eq!(residence(&known, &[] as &[Promotion]).1.map(|t| t.0), Some(at(20)));
}
