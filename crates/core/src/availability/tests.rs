use jiff::ToSpan as _;
use serde_json::{Value, json};
use wharfinger_api::v1alpha1::Promotion;

use super::*;

/// Seconds since the beginning of time.
fn at(second: i64) -> Timestamp {
    Timestamp::UNIX_EPOCH + second.seconds()
}

fn stage(name: &str, sources: &Value) -> Stage {
    let origin = json!({ "kind": "Warehouse", "name": "w" });
    let mut stage: Stage = serde_json::from_value(json!({
        "apiVersion": "kargo.akuity.io/v1alpha1",
        "kind": "Stage",
        "metadata": { "namespace": "shop", "name": name },
        "spec": {
            "requestedFreight": [{ "origin": origin, "sources": sources }],
            "promotionTemplate": { "spec": { "steps": [{ "uses": "assign" }] } },
        },
    }))
    .unwrap();
    stage.status = Some(Default::default());
    stage
}

fn freight(origin: &str, status: &Value) -> Freight {
    serde_json::from_value(json!({
        "metadata": { "namespace": "shop", "name": "f1" },
        "origin": { "kind": "Warehouse", "name": origin },
        "status": status,
    }))
    .unwrap()
}

/// `in <stage> <since>`, `verified <stage>`, `soaked <stage> <time>` and `approved <stage>`, separated by commas.
fn facts(text: &str) -> Value {
    let mut status = json!({});
    for fact in text.split(", ").filter(|f| !f.is_empty()) {
        match *fact.split(' ').collect::<Vec<_>>() {
            ["in", stage, since] => {
                status["currentlyIn"][stage] = json!({ "since": at(since.parse().unwrap()) });
            }
            ["verified", stage] => {
                status["verifiedIn"][stage]["verifiedAt"] = json!(at(7));
            }
            ["soaked", stage, time] => status["verifiedIn"][stage]["longestSoak"] = time.into(),
            ["approved", stage] => {
                status["approvedFor"][stage] = json!({ "approvedAt": at(5) });
            }
            _ => panic!("{fact}"),
        }
    }
    status
}

fn said(checks: &[Check]) -> String {
    let one = |c: &Check| {
        let state = match c.state {
            State::Passed => '+',
            State::Waiting => '~',
            State::Warning => '!',
            State::Failed => '-',
        };
        let until = c.until.map_or(String::new(), |t| format!(" until {}", t.as_second()));
        format!("{state}{}{until}", c.code)
    };
    checks.iter().skip(1).map(one).collect::<Vec<_>>().join(" ")
}

#[test]
fn freight_is_available_as_kargo_says() {
    let one = || json!({ "stages": ["a"] });
    let any = || json!({ "stages": ["a", "b"], "availabilityStrategy": "OneOf" });
    let all = || json!({ "stages": ["a", "b"], "availabilityStrategy": "All" });
    let soak = |mut sources: Value, time: &str| {
        sources["requiredSoakTime"] = time.into();
        sources
    };
    let rows = [
        // Approval comes first, and only for this Stage.
        (one(), "approved prod", "+approved"),
        (soak(all(), "1h"), "approved prod", "+approved"),
        (json!({ "stages": [] }), "approved prod", "+approved"),
        (one(), "approved dev", "-verified"),
        // Straight from the Warehouse, whatever else is asked.
        (json!({ "direct": true }), "", ""),
        (soak(json!({ "direct": true, "stages": ["a"] }), "1h"), "", ""),
        // Without a strategy one is enough.
        (one(), "", "-verified"),
        (one(), "verified a", "+verified"),
        (one(), "verified prod", "-verified"),
        (json!({ "stages": ["a", "b"] }), "verified b", "+verified"),
        (any(), "verified b", "+verified"),
        (any(), "verified c", "-verified"),
        // It is there, and will be verified.
        (one(), "in a 0", "~verified"),
        (any(), "in b 0", "~verified"),
        (any(), "in c 0", "-verified"),
        (all(), "verified a, in b 0", "~verified"),
        (all(), "in b 0", "-verified"),
        // All is all.
        (all(), "verified a", "-verified"),
        (all(), "verified a, verified b", "+verified"),
        // No Stage is listed: All asks for nothing, one of none is never.
        (json!({ "availabilityStrategy": "All" }), "", "+verified"),
        (soak(json!({ "availabilityStrategy": "All" }), "1h"), "", "+verified +soak"),
        // All is all that is listed, and no other: the stricter of Kargo's two rules.
        (soak(all(), "1h"), "soaked a 1h, soaked b 1h, soaked c 59m", "+verified +soak"),
        (
            soak(all(), "1h"),
            "soaked a 1h, soaked b 1h, soaked c 1h",
            "+verified +soak -soaked-beside",
        ),
        (soak(all(), "0s"), "verified a, verified b, verified c", "+verified -soaked-beside"),
        (soak(any(), "1h"), "soaked a 1h, soaked c 1h", "+verified +soak"),
        (soak(json!({ "availabilityStrategy": "All" }), "1h"), "soaked c 1h", "+verified +soak"),
        (json!({ "availabilityStrategy": "OneOf" }), "", "-verified"),
        (json!({}), "verified a", "-verified"),
        // Soak counts from when the Freight came, not from its verification; but not before it.
        (soak(one(), "30m"), "", "-verified ~soak"),
        (soak(one(), "30m"), "in a 0", "~verified ~soak"),
        (soak(one(), "59m"), "in a 0, verified a", "+verified +soak"),
        (soak(one(), "1h"), "in a 0, verified a", "+verified +soak"),
        (soak(one(), "61m"), "in a 0, verified a", "+verified ~soak until 3660"),
        (soak(one(), "1.5h"), "in a 0, verified a", "+verified ~soak until 5400"),
        (soak(one(), "1h1s"), "in a 0, verified a", "+verified ~soak until 3601"),
        (soak(one(), "3600s"), "in a 1, verified a", "+verified ~soak until 3601"),
        (soak(one(), "0s"), "verified a", "+verified"),
        // The longest stay counts.
        (soak(one(), "1h"), "verified a, soaked a 1h0m0s", "+verified +soak"),
        (soak(one(), "1h"), "verified a, soaked a 59m59s", "+verified -soak"),
        (soak(one(), "2h"), "in a 0, soaked a 2h", "+verified +soak"),
        (soak(one(), "2h"), "in a 0, soaked a 1h59m", "+verified ~soak until 7200"),
        (soak(one(), "1h"), "verified a", "+verified -soak"),
        // Of several Stages: the one that is first, or the one that is last.
        (
            soak(any(), "2h"),
            "in a 60, verified a, in b 90, verified b",
            "+verified ~soak until 7260",
        ),
        (
            soak(all(), "2h"),
            "in a 60, verified a, in b 90, verified b",
            "+verified ~soak until 7290",
        ),
        (soak(any(), "2h"), "verified a, soaked a 2h, in b 90", "+verified +soak"),
        (soak(all(), "2h"), "verified a, soaked a 2h, in b 90", "~verified ~soak"),
        (soak(any(), "2h"), "verified a, in b 90, verified b", "+verified ~soak until 7290"),
        (soak(all(), "2h"), "verified a, in b 90, verified b", "+verified -soak"),
        // A soak elsewhere is none.
        (soak(any(), "1h"), "verified a, verified c, soaked c 9h", "+verified -soak"),
        // Older than its schema.
        (soak(one(), "soon"), "in a 0, verified a", "+verified -soak"),
        (json!({ "stages": ["a"], "availabilityStrategy": "Most" }), "verified a", "+verified"),
    ];
    for (sources, facts_, expected) in rows {
        let (stage, freight) = (stage("prod", &sources), freight("w", &facts(facts_)));
        let checks = availability(&stage, &freight, &Upstream::new(), at(3600));
        assert_eq!(said(&checks), expected, "{sources} {facts_}");
        assert_eq!((checks[0].code, checks[0].state), (Code::OriginRequested, State::Passed));
        let none = unavailable(&stage, &freight, &checks).is_none();
        assert_eq!(none, !expected.contains(['-', '~']), "{sources} {facts_}");
        // What was waited for comes by itself.
        for until in checks.iter().filter_map(|c| c.until) {
            let then = availability(&stage, &freight, &Upstream::new(), until);
            assert!(unavailable(&stage, &freight, &then).is_none(), "{sources} {facts_}: {then:?}");
            let before = availability(&stage, &freight, &Upstream::new(), until - 1.second());
            assert_eq!(said(&before), expected);
        }
    }
}

#[test]
fn freight_of_another_origin_is_not_even_looked_at() {
    let stage = stage("prod", &json!({ "direct": true }));
    for facts_ in ["", "approved prod", "verified prod"] {
        let checks = availability(&stage, &freight("x", &facts(facts_)), &Upstream::new(), at(0));
        let [check] = checks.as_slice() else { panic!("{checks:?}") };
        assert_eq!((check.code, check.state), (Code::OriginRequested, State::Failed));
    }
}

#[test]
fn a_refusal_says_what_is_missing_and_what_to_do() {
    let control = stage_of(&json!({ "promotionTemplate": null }));
    let analysed = stage_of(&json!({ "verification": {} }));
    let plain = stage_of(&json!({}));
    let soak = json!({ "stages": ["a"], "requiredSoakTime": "30m" });
    let (some, none) = (Some(&plain), None);
    let rows = [
        (
            json!({ "stages": ["a"] }),
            "",
            vec![("a", some)],
            "not verified in a. Promote it to a first: wharf promote f1 --to a --project shop, or approve it: wharf approve f1 --to prod --project shop [verified]",
        ),
        (
            json!({ "stages": ["a", "b"] }),
            "",
            vec![],
            "verified in none of a, b. Promote it to a first: wharf promote f1 --to a --project shop, or approve it: wharf approve f1 --to prod --project shop [verified]",
        ),
        (
            json!({ "stages": ["a", "b"], "availabilityStrategy": "All" }),
            "verified a",
            vec![("b", none)],
            "not verified in b. There is no Stage b: create it or take it out of sources.stages, or approve it: wharf approve f1 --to prod --project shop [verified]",
        ),
        (
            json!({ "stages": ["a"] }),
            "",
            vec![("a", Some(&control))],
            "not verified in a. Stage a passes on what is available to it: wharf why f1 --to a --project shop, or approve it: wharf approve f1 --to prod --project shop [verified]",
        ),
        (
            json!({ "stages": ["a"] }),
            "in a 0",
            vec![("a", Some(&analysed))],
            "not verified in a. Stage a has spec.verification, which this version does not carry out: take it out, or approve it: wharf approve f1 --to prod --project shop [verified]",
        ),
        (
            json!({ "stages": ["a"] }),
            "in a 0",
            vec![("a", some)],
            "not verified in a. It is in a: wait until a is healthy, or approve it: wharf approve f1 --to prod --project shop [verified]",
        ),
        (
            soak.clone(),
            "in a 0",
            vec![("a", some)],
            "not verified in a; has to stay in a for 30m. It is in a: wait until a is healthy, or approve it: wharf approve f1 --to prod --project shop [verified]",
        ),
        (
            soak.clone(),
            "in a 0, verified a",
            vec![("a", some)],
            "has to stay in a for 30m. Wait until 1970-01-01T00:30:00Z, or approve it: wharf approve f1 --to prod --project shop [soak]",
        ),
        (
            soak.clone(),
            "verified a",
            vec![("a", some)],
            "has left a before it was there for 30m. Promote it to a again and let it stay: wharf promote f1 --to a --project shop, or approve it: wharf approve f1 --to prod --project shop [soak]",
        ),
        // None ever stays in a Stage that only passes on.
        (
            soak,
            "verified a",
            vec![("a", Some(&control))],
            "a only passes Freight on, so none stays there for 30m. Take requiredSoakTime out of Stage prod, or approve it: wharf approve f1 --to prod --project shop [soak]",
        ),
        (
            json!({}),
            "",
            vec![],
            "Stage prod takes it neither straight from Warehouse/w nor from another Stage. Set sources.direct or sources.stages in the Stage's spec.requestedFreight, or approve it: wharf approve f1 --to prod --project shop [verified]",
        ),
    ];
    for (sources, facts_, upstream, expected) in rows {
        let (stage, freight) = (stage("prod", &sources), freight("w", &facts(facts_)));
        let checks = availability(&stage, &freight, &upstream.into_iter().collect(), at(60));
        let check = unavailable(&stage, &freight, &checks).unwrap();
        let expected = format!("Freight f1 is not available to Stage shop:prod: {expected}");
        assert_eq!(check.to_string(), expected, "{sources} {facts_}");
        assert_eq!(check.state, State::Failed);
    }
}

/// A Stage upstream.
fn stage_of(spec: &Value) -> Stage {
    let mut stage = serde_json::to_value(stage("a", &json!({ "direct": true }))).unwrap();
    for (field, value) in spec.as_object().unwrap() {
        stage["spec"][field] = value.clone();
    }
    serde_json::from_value(stage).unwrap()
}

#[test]
fn those_upstream_are_asked_about_that_lack_the_freight() {
    let listed: Vec<_> = (0..9).map(|n| format!("s{n}")).collect();
    let stage = stage("prod", &json!({ "stages": listed }));
    let freight = freight("w", &facts("verified s0, verified s2"));
    assert_eq!(upstream_of(&stage, &freight), ["s1", "s3", "s4", "s5", "s6"]);
    assert_eq!(upstream_of(&stage, &Freight::default()), [""; 0]);
}

#[test]
fn the_candidate_is_the_newest_that_is_available() {
    let named = |name: &str, discovered: i64, status: &str| {
        let mut freight = freight("w", &facts(status));
        freight.metadata.name = Some(name.into());
        freight.discovered_at =
            Some(k8s_openapi::apimachinery::pkg::apis::meta::v1::Time(at(discovered)));
        freight
    };
    let direct = || json!({ "direct": true });
    let after = || json!({ "stages": ["a"] });
    let follows = || json!({ "stages": ["a"], "autoPromotionOptions": { "selectionPolicy": "MatchUpstream" } });
    for (sources, freights, expected) in [
        (direct(), vec![named("f1", 1, ""), named("f2", 2, "")], Ok("f2")),
        (direct(), vec![named("f2", 1, ""), named("f1", 1, "")], Ok("f2")),
        (after(), vec![named("f1", 1, "verified a"), named("f2", 2, "")], Ok("f1")),
        (
            follows(),
            vec![named("f1", 1, "in a 0, verified a"), named("f2", 2, "verified a")],
            Ok("f1"),
        ),
        (
            direct(),
            vec![],
            Err(
                "Stage shop:prod has no candidate of Warehouse/w: there is no Freight of it. Name the Freight in spec.freight instead of spec.origin [freight]",
            ),
        ),
        (
            after(),
            vec![named("f1", 1, ""), named("f2", 2, "in a 0")],
            Err(
                "Stage shop:prod has no candidate of Warehouse/w. The newest: Freight f2 is not available to Stage shop:prod: not verified in a. It is in a: wait until a is healthy, or approve it: wharf approve f2 --to prod --project shop [verified]",
            ),
        ),
        (
            follows(),
            vec![named("f1", 1, "verified a, approved prod")],
            Err(
                "Stage shop:prod has no candidate of Warehouse/w: Stage a, which it follows, holds none that is available. Name the Freight in spec.freight instead of spec.origin [freight]",
            ),
        ),
        (
            follows(),
            vec![named("f1", 1, "in a 0, verified a"), named("f2", 2, "in a 0, verified a")],
            Err(
                "Stage shop:prod has no candidate of Warehouse/w: Stage a, which it follows, holds 2 at once. Name the Freight in spec.freight instead of spec.origin [freight]",
            ),
        ),
    ] {
        let origin = FreightOrigin { kind: "Warehouse".into(), name: "w".into() };
        let stage = stage("prod", &sources);
        let found = candidate(&stage, &origin, &freights, &Upstream::new(), at(60));
        let found = found.map(|f| f.metadata.name.clone().unwrap()).map_err(|c| c.to_string());
        assert_eq!(found, expected.map(str::to_owned).map_err(str::to_owned), "{sources}");
        let other = FreightOrigin { name: "x".into(), ..origin };
        let none = candidate(&stage, &other, &freights, &Upstream::new(), at(60)).unwrap_err();
        assert_eq!(none.code, Code::OriginRequested);
    }
}

#[test]
fn freight_of_another_project_is_not_available() {
    let mut elsewhere = freight("w", &facts(""));
    elsewhere.metadata.namespace = Some("bank".into());
    let checks = availability(
        &stage("prod", &json!({ "direct": true })),
        &elsewhere,
        &Upstream::new(),
        at(0),
    );
    assert_eq!((checks[0].code, checks[0].state), (Code::OriginRequested, State::Failed));
}

/// A Promotion of `f1`.
fn promotion(annotations: &Value) -> Promotion {
    serde_json::from_value(json!({
        "apiVersion": "kargo.akuity.io/v1alpha1",
        "kind": "Promotion",
        "metadata": { "namespace": "shop", "name": "p", "annotations": annotations },
        "spec": { "stage": "prod", "freight": "f1", "steps": [] },
    }))
    .unwrap()
}

#[test]
fn a_rollback_goes_to_what_worked_here_whatever_is_asked_now() {
    let mut stage = stage("prod", &json!({ "stages": ["a"] }));
    let origin = json!({ "kind": "Warehouse", "name": "w" });
    let collection = |id: &str, freight: &str, phase: &str| {
        let item = json!({ "name": freight, "origin": origin });
        json!({ "id": id, "items": { "Warehouse/w": item }, "verificationHistory": [{ "phase": phase }] })
    };
    stage.status = serde_json::from_value(json!({ "freightHistory": [
        collection("now", "f0", "Successful"),
        // Held twice: the second time was too short to tell.
        collection("good", "f1", ""),
        collection("good", "f1", "Successful"),
        collection("bad", "f1", "Failed"),
        collection("other", "f9", "Failed"),
    ] }))
    .unwrap();
    let rollback = || json!({ "kargo.akuity.io/rollback": "true" });
    let to = |id: &str| json!({ "wharfinger.dev/collection": id });
    let rows = [
        (json!({}), "", Err(Code::Verified)),
        (json!({}), "verified prod", Err(Code::Verified)),
        (json!({}), "verified a", Ok(())),
        (rollback(), "", Err(Code::Verified)),
        (rollback(), "verified prod", Ok(())),
        (rollback(), "verified b", Err(Code::Verified)),
        (json!({ "kargo.akuity.io/rollback": "false" }), "verified prod", Err(Code::Verified)),
        (to("good"), "", Ok(())),
        (to("bad"), "", Err(Code::Verified)),
        (to("bad"), "verified a", Ok(())),
        (to("bad"), "verified prod", Ok(())),
        (to("bad"), "approved prod", Ok(())),
        (to("never"), "approved prod", Err(Code::Freight)),
        // What it says it promotes is not what it brings.
        (to("now"), "approved prod", Err(Code::Freight)),
        (to("other"), "approved prod", Err(Code::Freight)),
    ];
    for (annotations, facts_, expected) in rows {
        let (promotion, freight) = (promotion(&annotations), freight("w", &facts(facts_)));
        let judged = promotable(&stage, &promotion, &[&freight], &Upstream::new(), at(0));
        let row = format!("{annotations} {facts_}");
        assert_eq!(judged.as_ref().map(drop).map_err(|c| c.code), expected, "{row}");
        let former = matches!(judged, Ok(Wanted::Former(c)) if c.id != "now");
        assert_eq!(
            former,
            judged.is_ok() && annotations.to_string().contains("collection"),
            "{row}"
        );
    }
    assert_eq!(needed(&stage, &promotion(&json!({}))), ["f1"]);
    assert_eq!(needed(&stage, &promotion(&to("good"))), [""; 0]);
    assert_eq!(needed(&stage, &promotion(&to("bad"))), ["f1"]);
    let missing = promotable(&stage, &promotion(&to("bad")), &[], &Upstream::new(), at(0));
    assert_eq!(
        missing.unwrap_err().to_string(),
        r#"there is no Freight "f1" in Project shop. Name one that is there: wharf get freight -p shop [freight]"#
    );
    // The Stage may have stopped asking for its origin; that is no question of having worked.
    let strange = freight("x", &facts("verified prod"));
    let judged = promotable(&stage, &promotion(&rollback()), &[&strange], &Upstream::new(), at(0));
    assert_eq!(judged.unwrap_err().code, Code::OriginRequested);
}

#[test]
fn what_else_counts_is_said_with_the_same_words() {
    let open = |name: &str, phase: &str| {
        let mut promotion = promotion(&json!({}));
        promotion.metadata.name = Some(name.into());
        promotion.status = serde_json::from_value(json!({ "phase": phase })).unwrap();
        promotion
    };
    let all = [
        open("a", "Succeeded"),
        open("b", "Running"),
        open("c", ""),
        open("d", "Pending"),
        open("e", ""),
        open("f", ""),
        open("g", ""),
    ];
    assert_eq!(queue(&all[..1]).state, State::Passed);
    assert_eq!(queue(&all).to_string(), "6 ahead: b, c, d, e, f and 1 more [queue]");

    let on = "shop:prod".parse().unwrap();
    assert_eq!(permission(&on, "ann", true).state, State::Passed);
    let denied = permission(&on, "ann", false);
    assert_eq!((denied.code, denied.state), (Code::Permission, State::Failed));

    let mut stage = stage("prod", &json!({ "direct": true }));
    let none = applications(&stage, &[]);
    assert_eq!((none.code, none.state), (Code::AppsAuthorised, State::Warning));
    let some = applications(&stage, &["argocd/a".into(), "argocd/b".into()]);
    assert_eq!((some.state, &*some.text), (State::Passed, "argocd/a, argocd/b"));
    let steps = &mut stage.spec.promotion_template.as_mut().unwrap().spec.steps;
    steps[0].config = json!({ "allowNone": true });
    assert_eq!(applications(&stage, &[]).state, State::Passed);
}
