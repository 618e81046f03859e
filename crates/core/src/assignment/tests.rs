use std::collections::BTreeMap;

use wharfinger_api::v1alpha1::{FreightOrigin, FreightSources};

use super::*;

/// The Stage `shop:prod` after two promotions: `A`, then `B`.
fn prod() -> StageStatus {
    let mut status = StageStatus::default();
    for (name, at) in [("a", "2026-01-01T10:00:00Z"), ("b", "2026-01-01T11:00:00Z")] {
        let target = target(&status, &[request("main")], freight("main", name));
        let by = Reason {
            promotion: format!("prod.{name}"),
            actor: "alice".into(),
            reason: String::new(),
        };
        assign(&mut status, target, by, at.parse().unwrap());
    }
    status
}

fn freight(origin: &str, name: &str) -> FreightReference {
    FreightReference {
        name: name.into(),
        origin: self::origin(origin),
        ..FreightReference::default()
    }
}

fn origin(name: &str) -> FreightOrigin {
    FreightOrigin { kind: "Warehouse".into(), name: name.into() }
}

fn request(name: &str) -> FreightRequest {
    FreightRequest { origin: origin(name), sources: FreightSources::default() }
}

fn stage() -> StageName {
    "shop:prod".parse().unwrap()
}

/// The id of the collection that holds `name` alone.
fn id(name: &str) -> String {
    freight::collection_id([name])
}

fn claimed(stage: &str, claim: &str) -> Result<Claimed, Malformed> {
    let stage = (!stage.is_empty()).then(|| stage.parse()).transpose()?;
    Ok(Claimed { stage, claim: (!claim.is_empty()).then(|| claim.parse()).transpose()? })
}

const PROOF: Evidence = Evidence { operation: true, moving: false, break_glass: false };
const NONE: Evidence = Evidence { operation: false, moving: false, break_glass: false };
const CACHED: bool = false;
const LIVE: bool = true;

/// What is asked: the Stage, whether it was read live, the claim, who asks; and the answer.
type Row<'a> = (&'a str, Option<&'a StageStatus>, bool, Result<Claimed, Malformed>, Asker, Is);

/// What a row of the table expects.
#[derive(Debug, PartialEq)]
enum Is {
    Yes(String),
    Look(Look),
    No(Code),
}

fn ask(
    status: Option<&StageStatus>,
    live: bool,
    claimed: &Result<Claimed, Malformed>,
    asker: Asker,
) -> Is {
    match judge(&Question { stage: &stage(), claimed, seen: Seen { status, live }, asker }) {
        Answer::Yes(collection) => Is::Yes(collection.id.clone()),
        Answer::Look(look) => Is::Look(look),
        Answer::No(check) => {
            assert!(
                !check.text.is_empty() && !check.fix.is_empty(),
                "a refusal says what and what to do: {check:?}"
            );
            Is::No(check.code)
        }
    }
}

#[test]
fn the_judgement() {
    let (a, b) = (format!("1-{}", id("a")), format!("2-{}", id("b")));
    let (ahead, forged, never) =
        (format!("3-{}", id("c")), format!("2-{}", id("a")), format!("1-{}", id("z")));
    let held = prod();
    let empty = StageStatus::default();
    let table: Vec<Row<'_>> = vec![
        // What the Stage holds, whoever asks, also from a cache.
        (
            "current, admit",
            Some(&held),
            CACHED,
            claimed("shop:prod", &b),
            Asker::Admit,
            Is::Yes(id("b")),
        ),
        (
            "current, converge",
            Some(&held),
            CACHED,
            claimed("shop:prod", &b),
            Asker::Converge,
            Is::Yes(id("b")),
        ),
        (
            "current, render",
            Some(&held),
            CACHED,
            claimed("shop:prod", &b),
            Asker::Render(None),
            Is::Yes(id("b")),
        ),
        // Newer than what is known: one live look, then no.
        (
            "ahead of the cache",
            Some(&held),
            CACHED,
            claimed("shop:prod", &ahead),
            Asker::Render(None),
            Is::Look(Look::Stage),
        ),
        (
            "ahead of the cache, admit",
            Some(&held),
            CACHED,
            claimed("shop:prod", &ahead),
            Asker::Admit,
            Is::Look(Look::Stage),
        ),
        (
            "ahead of the Stage",
            Some(&held),
            LIVE,
            claimed("shop:prod", &ahead),
            Asker::Render(None),
            Is::No(Code::ClaimUnknown),
        ),
        (
            "ahead of the Stage, admit",
            Some(&held),
            LIVE,
            claimed("shop:prod", &ahead),
            Asker::Admit,
            Is::No(Code::ClaimUnknown),
        ),
        // The right generation with other content.
        (
            "forged, cached",
            Some(&held),
            CACHED,
            claimed("shop:prod", &forged),
            Asker::Render(None),
            Is::Look(Look::Stage),
        ),
        (
            "forged",
            Some(&held),
            LIVE,
            claimed("shop:prod", &forged),
            Asker::Render(Some(PROOF)),
            Is::No(Code::ClaimUnknown),
        ),
        // Older: nothing new may carry it.
        (
            "older, admit",
            Some(&held),
            CACHED,
            claimed("shop:prod", &a),
            Asker::Admit,
            Is::No(Code::ClaimOutdated),
        ),
        (
            "older, converge",
            Some(&held),
            LIVE,
            claimed("shop:prod", &a),
            Asker::Converge,
            Is::No(Code::ClaimOutdated),
        ),
        // Older: what began with it may end.
        (
            "older, render",
            Some(&held),
            CACHED,
            claimed("shop:prod", &a),
            Asker::Render(None),
            Is::Look(Look::Evidence),
        ),
        (
            "older, Stage live, no evidence read",
            Some(&held),
            LIVE,
            claimed("shop:prod", &a),
            Asker::Render(None),
            Is::Look(Look::Evidence),
        ),
        (
            "older, evidence but Stage cached",
            Some(&held),
            CACHED,
            claimed("shop:prod", &a),
            Asker::Render(Some(PROOF)),
            Is::Look(Look::Evidence),
        ),
        (
            "older, operation",
            Some(&held),
            LIVE,
            claimed("shop:prod", &a),
            Asker::Render(Some(PROOF)),
            Is::Yes(id("a")),
        ),
        (
            "older, moving",
            Some(&held),
            LIVE,
            claimed("shop:prod", &a),
            Asker::Render(Some(Evidence { moving: true, ..NONE })),
            Is::Yes(id("a")),
        ),
        (
            "older, glass broken",
            Some(&held),
            LIVE,
            claimed("shop:prod", &a),
            Asker::Render(Some(Evidence { break_glass: true, ..NONE })),
            Is::Yes(id("a")),
        ),
        (
            "older, nothing speaks for it",
            Some(&held),
            LIVE,
            claimed("shop:prod", &a),
            Asker::Render(Some(NONE)),
            Is::No(Code::ClaimOutdated),
        ),
        (
            "older, not in the history",
            Some(&held),
            LIVE,
            claimed("shop:prod", &never),
            Asker::Render(Some(PROOF)),
            Is::No(Code::ClaimOutdated),
        ),
        // Claims that are none.
        (
            "another Stage",
            Some(&held),
            LIVE,
            claimed("shop:dev", &b),
            Asker::Render(None),
            Is::No(Code::ClaimStage),
        ),
        (
            "no claim, cached",
            Some(&held),
            CACHED,
            claimed("shop:prod", ""),
            Asker::Render(None),
            Is::Look(Look::Stage),
        ),
        (
            "no claim",
            Some(&held),
            LIVE,
            claimed("shop:prod", ""),
            Asker::Render(None),
            Is::No(Code::ClaimMissing),
        ),
        (
            "no stage",
            Some(&held),
            LIVE,
            claimed("", &b),
            Asker::Render(None),
            Is::No(Code::ClaimMissing),
        ),
        (
            "unreadable",
            Some(&held),
            CACHED,
            claimed("shop:prod", "2-b"),
            Asker::Render(None),
            Is::No(Code::ClaimMalformed),
        ),
        // Stages that hold nothing.
        (
            "unassigned, cached",
            Some(&empty),
            CACHED,
            claimed("shop:prod", &b),
            Asker::Render(None),
            Is::Look(Look::Stage),
        ),
        (
            "unassigned",
            Some(&empty),
            LIVE,
            claimed("shop:prod", &b),
            Asker::Render(None),
            Is::No(Code::Unassigned),
        ),
        (
            "unassigned, no claim",
            Some(&empty),
            LIVE,
            claimed("", ""),
            Asker::Render(None),
            Is::No(Code::Unassigned),
        ),
        (
            "no Stage, cached",
            None,
            CACHED,
            claimed("shop:prod", &b),
            Asker::Admit,
            Is::Look(Look::Stage),
        ),
        (
            "no Stage",
            None,
            LIVE,
            claimed("shop:prod", &b),
            Asker::Admit,
            Is::No(Code::StageMissing),
        ),
        (
            "no Stage, no claim",
            None,
            LIVE,
            claimed("", ""),
            Asker::Render(None),
            Is::No(Code::StageMissing),
        ),
    ];
    for (row, status, live, claimed, asker, expected) in table {
        assert_eq!(ask(status, live, &claimed, asker), expected, "{row}");
    }
}

#[test]
fn evidence_is_an_operation_that_began_before_or_a_promotion_at_work() {
    let a = format!("1-{}", id("a"));
    let assignment = prod().assignment.unwrap();
    let source = |claim: &str| {
        serde_json::json!({ "repoURL": "r", "plugin": { "name": "wharfinger", "env": [
            { "name": "WHARFINGER_STAGE", "value": "shop:prod" }, { "name": "WHARFINGER_FREIGHT", "value": claim } ] } })
    };
    let other = source(&format!("2-{}", id("b")));
    let running = |source: &serde_json::Value, phase: &str, at: &str| serde_json::json!({ "phase": phase, "startedAt": at, "operation": { "sync": { "source": source } } });
    let table = [
        (
            "explicit source",
            serde_json::json!({ "spec": { "source": other }, "status": { "operationState": running(&source(&a), "Running", "2026-01-01T10:59:00Z") } }),
            None,
            (true, false),
        ),
        (
            "being ended",
            serde_json::json!({ "spec": { "source": other }, "status": { "operationState": running(&source(&a), "Terminating", "2026-01-01T10:59:00Z") } }),
            None,
            (true, false),
        ),
        (
            "ended",
            serde_json::json!({ "spec": { "source": other }, "status": { "operationState": running(&source(&a), "Failed", "2026-01-01T10:59:00Z") } }),
            None,
            (false, false),
        ),
        (
            "began after",
            serde_json::json!({ "spec": { "source": other }, "status": { "operationState": running(&source(&a), "Running", "2026-01-01T11:00:01Z") } }),
            None,
            (false, false),
        ),
        (
            "of another claim",
            serde_json::json!({ "spec": { "source": other }, "status": { "operationState": running(&other, "Running", "2026-01-01T10:59:00Z") } }),
            None,
            (false, false),
        ),
        (
            "seen in the result",
            serde_json::json!({ "spec": { "source": other }, "status": { "operationState": { "phase": "Running", "startedAt": "2026-01-01T10:59:00Z", "syncResult": { "source": source(&a) } } } }),
            None,
            (true, false),
        ),
        (
            "spec, promotion runs",
            serde_json::json!({ "spec": { "source": source(&a) } }),
            Some("Running"),
            (false, true),
        ),
        (
            "spec, promotion not begun",
            serde_json::json!({ "spec": { "source": source(&a) } }),
            Some(""),
            (false, true),
        ),
        (
            "spec, promotion over",
            serde_json::json!({ "spec": { "source": source(&a) } }),
            Some("Succeeded"),
            (false, false),
        ),
        (
            "spec, promotion gone",
            serde_json::json!({ "spec": { "source": source(&a) } }),
            None,
            (false, false),
        ),
    ];
    for (row, app, promotion, (operation, moving)) in table {
        let app: Application = serde_json::from_value(app).unwrap();
        let evidence = Evidence::of(&app, &stage(), &a.parse().unwrap(), &assignment, promotion);
        assert_eq!(evidence, Evidence { operation, moving, break_glass: false }, "{row}");
    }
}

#[test]
fn an_assignment_counts_on_and_remembers_ten() {
    let mut status = StageStatus::default();
    for n in 1..=12 {
        let target = target(&status, &[request("main")], freight("main", &format!("f{n}")));
        assign(
            &mut status,
            target,
            Reason { promotion: "p".into(), actor: String::new(), reason: String::new() },
            Timestamp::UNIX_EPOCH,
        );
    }
    assert_eq!(status.assignment.as_ref().unwrap().generation, 12);
    assert_eq!(status.freight_history.len(), HISTORY);
    assert_eq!(status.freight_history[0].id, id("f12"));
    assert_eq!(status.freight_history[9].id, id("f3"));
}

#[test]
fn a_promotion_keeps_the_other_origins_that_are_still_requested() {
    let mut status = StageStatus::default();
    for (origin, name) in [("main", "m1"), ("config", "c1"), ("old", "o1")] {
        let all = [request("main"), request("config"), request("old")];
        let target = target(&status, &all, freight(origin, name));
        assign(
            &mut status,
            target,
            Reason { promotion: "p".into(), actor: String::new(), reason: String::new() },
            Timestamp::UNIX_EPOCH,
        );
    }
    let target = target(&status, &[request("main"), request("config")], freight("main", "m2"));
    let names: BTreeMap<_, _> =
        target.items.iter().map(|(k, v)| (k.as_str(), v.name.as_str())).collect();
    assert_eq!(names, BTreeMap::from([("Warehouse/config", "c1"), ("Warehouse/main", "m2")]));
    assert_eq!(target.id, freight::collection_id(["m2", "c1"]));
}

#[test]
fn assigning_what_is_held_already_is_an_assignment_and_keeps_its_verification() {
    let mut status = prod();
    status.freight_history[0]
        .verification_history
        .push(wharfinger_api::v1alpha1::VerificationInfo::default());
    let again = target(&status, &[request("main")], freight("main", "b"));
    assign(
        &mut status,
        again,
        Reason { promotion: "p".into(), actor: String::new(), reason: String::new() },
        Timestamp::UNIX_EPOCH,
    );
    assert_eq!(status.assignment.as_ref().unwrap().generation, 3);
    assert_eq!(status.freight_history.len(), 2);
    assert_eq!(status.freight_history[0].verification_history.len(), 1);
}

#[test]
fn what_a_stage_holds_changes_by_an_assignment_and_by_nothing_else() {
    let old = prod();
    let changed = |change: &dyn Fn(&mut StageStatus)| {
        let mut new = old.clone();
        change(&mut new);
        lawful(&old, &new).is_ok()
    };
    let next = |s: &mut StageStatus| {
        let target = target(s, &[request("main")], freight("main", "c"));
        assign(
            s,
            target,
            Reason { promotion: "p".into(), actor: String::new(), reason: String::new() },
            Timestamp::UNIX_EPOCH,
        );
    };
    assert!(changed(&|_| {}), "nothing");
    assert!(changed(&|s| s.freight_summary = "x".into()), "another field");
    assert!(
        changed(&|s| s.freight_history[0].verification_history.push(Default::default())),
        "a verification"
    );
    assert!(changed(&next), "an assignment");
    assert!(
        !changed(&|s| {
            next(s);
            next(s);
        }),
        "two at once"
    );
    assert!(!changed(&|s| s.assignment = None), "removed");
    assert!(!changed(&|s| s.freight_history.clear()), "history removed");
    assert!(
        !changed(&|s| {
            s.freight_history.remove(0);
        }),
        "head removed"
    );
    assert!(
        !changed(&|s| s.freight_history[0].items.values_mut().for_each(|f| f.name = "z".into())),
        "other content, same id"
    );
    assert!(
        !changed(&|s| {
            next(s);
            s.freight_history[0].items.clear();
        }),
        "an id that is not that of the content"
    );
    assert!(
        !changed(&|s| {
            next(s);
            s.freight_history.truncate(1);
        }),
        "an assignment that forgets"
    );
    // A merge from an old copy of the status.
    let mut newer = old.clone();
    next(&mut newer);
    assert!(lawful(&newer, &old).is_err(), "back to the status before");
    // The first of all.
    assert!(
        lawful(&StageStatus::default(), &{
            let mut s = StageStatus::default();
            next(&mut s);
            s
        })
        .is_ok()
    );
}
