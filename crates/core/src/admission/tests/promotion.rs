//! Promotions: by origin, with tasks, held, aborted.

use wharfinger_api::additions::COLLECTION;
use wharfinger_api::v1alpha1::{ABORT, AUTO_PROMOTION_HOLD, AUTO_PROMOTION_RESUME, CREATE_ACTOR};

use super::kargo::{ALICE, FREIGHT, made, stage_with, templates, wanted};
use super::*;

/// What is sent, admitted: by both doors, one after the other.
#[track_caller]
fn create(world: &World, user: &str, patch: Value) -> Result<(Value, Allowed), Check> {
    let sent = with(wanted(), patch);
    let (object, warnings) = match world.mutate(&review(Kind::Promotion, user, None, Some(&sent))) {
        Verdict::Allow(allowed) => (allowed.object.unwrap(), allowed.warnings),
        Verdict::Deny(check) => return Err(check),
        Verdict::Ask(_) => unreachable!(),
    };
    match world.validate(&review(Kind::Promotion, user, None, Some(&object))) {
        Verdict::Allow(allowed) => Ok((object, Allowed { warnings, ..allowed })),
        Verdict::Deny(check) => Err(check),
        Verdict::Ask(_) => unreachable!(),
    }
}

/// The same for a change.
#[track_caller]
fn change(world: &World, user: &str, old: &Value, new: &Value) -> Result<(Value, Allowed), Check> {
    let object = match world.mutate(&review(Kind::Promotion, user, Some(old), Some(new))) {
        Verdict::Allow(allowed) => allowed.object.unwrap_or_else(|| new.clone()),
        Verdict::Deny(check) => return Err(check),
        Verdict::Ask(_) => unreachable!(),
    };
    match world.validate(&review(Kind::Promotion, user, Some(old), Some(&object))) {
        Verdict::Allow(allowed) => Ok((object, allowed)),
        Verdict::Deny(check) => Err(check),
        Verdict::Ask(_) => unreachable!(),
    }
}

/// Freight of Warehouse main, newer than what [`templates`] has.
fn newer(name: &str, status: Value) -> Freight {
    object(json!({
        "metadata": { "name": name, "namespace": "shop", "creationTimestamp": "2026-11-21T11:00:00Z" },
        "origin": { "kind": "Warehouse", "name": "main" },
        "status": status,
    }))
}

#[test]
fn a_stage_that_selects_targets_is_promoted_to_by_a_request() {
    let targets = |stages: &mut BTreeMap<&'static str, Stage>| {
        let prod = stages.get_mut("shop:prod").unwrap();
        prod.spec.targets = Some(object(json!({ "selectors": [] })));
    };
    let to_target = || json!({ "spec": { "target": "prod-eu" } });
    let mut world = templates();
    targets(&mut world.cached);
    // It did until a moment ago.
    assert!(create(&world, ALICE, json!({})).is_ok());
    targets(&mut world.live);
    for user in [ALICE, CONTROLLER] {
        let check = create(&world, user, json!({})).unwrap_err();
        assert_eq!(
            check.to_string(),
            "spec.stage: Stage shop:prod selects Targets: it is promoted to by a PromotionRequest. Create a PromotionRequest instead [target]"
        );
    }
    assert_eq!(create(&world, ALICE, to_target()).unwrap_err().code, Code::Freight);
    assert!(create(&world, CONTROLLER, to_target()).is_ok());
}

/// In Stage prod, Freight comes from Stage staging.
fn after_staging(mut world: World, options: Value) -> World {
    for stages in [&mut world.cached, &mut world.live] {
        let mut prod = stages["shop:prod"].clone();
        prod.spec.requested_freight[0].sources =
            object(json!({ "stages": ["staging"], "autoPromotionOptions": options }));
        stages.insert("shop:staging", prod.clone());
        stages.insert("shop:prod", prod);
    }
    world
}

fn by_origin(name: &str) -> Value {
    json!({ "spec": { "freight": null, "origin": { "kind": "Warehouse", "name": name } } })
}

#[test]
fn a_promotion_by_origin_brings_the_candidate() {
    let mut world = templates();
    world.freight.push(newer("newest", json!({})));
    let (made, _) = create(&world, ALICE, by_origin("main")).unwrap();
    assert_eq!(
        (&made["spec"]["freight"], &made["spec"]["origin"]),
        (&json!("newest"), &Value::Null)
    );
    assert!(made["metadata"]["name"].as_str().unwrap().ends_with(".newest"));
    // By our controller too: it need not know which that is.
    let (made, _) = create(&world, CONTROLLER, by_origin("main")).unwrap();
    assert_eq!(made["spec"]["freight"], "newest");

    let world = after_staging(world, json!({}));
    let none = create(&world, ALICE, by_origin("main")).unwrap_err();
    assert_eq!(
        none.to_string(),
        "Stage shop:prod has no candidate of Warehouse/main. The newest: Freight newest is not available to Stage shop:prod: not verified in staging. Promote it to staging first: wharf promote newest --to staging --project shop, or approve it: wharf approve newest --to prod --project shop [verified]"
    );
    assert_eq!(create(&world, ALICE, by_origin("x")).unwrap_err().code, Code::OriginRequested);
    // A cache that is behind denies nothing.
    let mut behind = world;
    behind.live.insert("shop:prod", templates().cached["shop:prod"].clone());
    create(&behind, ALICE, by_origin("main")).unwrap();

    let mut both = by_origin("main");
    both["spec"]["freight"] = FREIGHT.into();
    for (patch, expected) in [
        (both, "exactly one of spec.freight and spec.origin must be set"),
        (by_origin("main"), "spec.origin is still there"),
    ] {
        let sent = with(made_by_hand(), patch);
        let verdict = templates().validate(&review(Kind::Promotion, ALICE, None, Some(&sent)));
        let check = denied(verdict, expected);
        assert!(check.code == Code::Freight && check.text.starts_with(expected), "{check}");
    }
}

/// As it is when the mutating half was asked.
fn made_by_hand() -> Value {
    made(&templates(), ALICE, &wanted())
}

#[test]
fn a_promotion_has_the_steps_of_the_tasks_its_stage_names() {
    let task = |value: &str| -> PromotionTaskSpec {
        object(
            json!({ "vars": [{ "name": "image", "value": value }], "steps": [{ "uses": "assign" }] }),
        )
    };
    let steps = |steps: Value| {
        stage_with(json!({ "spec": { "promotionTemplate": { "spec": { "steps": steps } } } }))
    };
    let world = |steps_: Value| {
        let mut world = templates();
        for stages in [&mut world.cached, &mut world.live] {
            stages.insert("shop:prod", object(steps(steps_.clone())));
        }
        world.tasks = BTreeMap::from([("shop/deploy", task("")), ("/tell", task("web"))]);
        world
    };
    let deploy =
        json!({ "task": { "name": "deploy" }, "vars": [{ "name": "image", "value": "w" }] });
    let tell = json!({ "as": "t", "task": { "name": "tell", "kind": "ClusterPromotionTask" } });
    let (made, _) = create(&world(json!([deploy, tell])), ALICE, json!({})).unwrap();
    assert_eq!(
        made["spec"]["steps"],
        json!([
            { "uses": "assign", "as": "task-1::step-1", "vars": [{ "name": "image", "value": "w" }] },
            { "uses": "assign", "as": "t::step-1", "vars": [{ "name": "image", "value": "web" }] },
        ])
    );
    for (steps, expected) in [
        (
            json!([{ "task": { "name": "deploy" } }]),
            "Stage shop:prod: spec.promotionTemplate.spec.steps[0] names PromotionTask deploy, which has to be given a value for image",
        ),
        (
            json!([{ "uses": "http" }, { "task": { "name": "tell" } }]),
            "Stage shop:prod: spec.promotionTemplate.spec.steps[1] names PromotionTask tell, which does not exist",
        ),
        (
            json!([{ "task": { "name": "../secrets/x" } }]),
            "Stage shop:prod: spec.promotionTemplate.spec.steps[0] names PromotionTask ../secrets/x, which does not exist",
        ),
    ] {
        let check = create(&world(steps), ALICE, json!({})).unwrap_err();
        assert_eq!((check.code, check.text.as_str()), (Code::Step, expected));
    }
    // What is there is judged, not what a cache remembers.
    let mut behind = world(json!([{ "task": { "name": "none" } }]));
    behind.live.insert("shop:prod", object(steps(json!([{ "uses": "assign" }]))));
    create(&behind, ALICE, json!({})).unwrap();
    // The task has changed between the two halves.
    let mut changed = world(json!([deploy]));
    changed.tasks.insert("shop/deploy", object(json!({ "steps": [{ "uses": "http" }] })));
    let verdict = changed.validate(&review(
        Kind::Promotion,
        ALICE,
        None,
        Some(&create(&world(json!([deploy])), ALICE, json!({})).unwrap().0),
    ));
    assert_eq!(denied(verdict, "changed").code, Code::Immutable);
}

#[test]
fn steps_and_vars_of_ones_own_are_left_out_and_it_is_said() {
    for (spec, warned) in [
        (json!({}), false),
        (json!({ "steps": [{ "uses": "evil" }] }), true),
        (json!({ "vars": [{ "name": "b", "value": "3" }] }), true),
        (json!({ "steps": [] }), false),
        (made_by_hand()["spec"].clone(), false),
    ] {
        let (made, allowed) = create(&templates(), ALICE, json!({ "spec": spec })).unwrap();
        assert_eq!(made["spec"], made_by_hand()["spec"]);
        assert_eq!(allowed.warnings.len(), usize::from(warned), "{:?}", allowed.warnings);
    }
}

#[test]
fn a_target_is_chosen_by_a_promotion_request_alone() {
    let patch = json!({ "spec": { "target": "eu" } });
    assert_eq!(create(&templates(), ALICE, patch.clone()).unwrap_err().code, Code::Freight);
    create(&templates(), CONTROLLER, patch).unwrap();
}

fn policy(stage: &str) -> ProjectConfigSpec {
    object(
        json!({ "promotionPolicies": [{ "stageSelector": { "name": stage }, "autoPromotionEnabled": true }] }),
    )
}

#[test]
fn who_chooses_other_freight_by_hand_holds_automatic_promotion_back() {
    let world = |stage: &str| {
        let mut world = templates();
        world.freight.push(newer("newest", json!({})));
        world.configs[0].insert("shop", policy(stage));
        world.configs[1].insert("shop", policy(stage));
        world
    };
    let hold = Some((AUTO_PROMOTION_HOLD, "Warehouse/main"));
    let resume = Some((AUTO_PROMOTION_RESUME, "Warehouse/main"));
    let freight = |name: &str| json!({ "spec": { "freight": name } });
    let from = |actor: &str| json!({ "metadata": { "annotations": { CREATE_ACTOR: actor } } });
    let forged = json!({ "metadata": { "annotations": { AUTO_PROMOTION_HOLD: "Warehouse/x", AUTO_PROMOTION_RESUME: "Warehouse/x" } } });
    for (row, world, user, patch, expected) in [
        ("older", world("prod"), ALICE, json!({}), hold),
        ("the candidate", world("prod"), ALICE, freight("newest"), resume),
        ("by origin", world("prod"), ALICE, by_origin("main"), resume),
        ("by pattern", world("glob:p*"), ALICE, json!({}), hold),
        ("not automatic", world("dev"), ALICE, json!({}), None),
        ("no ProjectConfig", templates(), ALICE, json!({}), None),
        ("forged", world("dev"), ALICE, forged.clone(), None),
        ("forged, and held", world("prod"), ALICE, forged, hold),
        ("actor forged", world("prod"), ALICE, from("controller:x"), hold),
        ("by our controller", world("prod"), CONTROLLER, json!({}), None),
        ("by our controller itself", world("prod"), CONTROLLER, from("controller:x"), None),
        ("by our controller for somebody", world("prod"), CONTROLLER, from("email:alice"), hold),
    ] {
        let (made, _) = create(&world, user, patch).unwrap_or_else(|e| panic!("{row}: {e}"));
        let annotations = &made["metadata"]["annotations"];
        let found: Vec<_> = [AUTO_PROMOTION_HOLD, AUTO_PROMOTION_RESUME]
            .into_iter()
            .filter_map(|key| Some((key, annotations[key].as_str()?)))
            .collect();
        assert_eq!(found, expected.into_iter().collect::<Vec<_>>(), "{row}");
    }
    // None is available, so this is not what automatic promotion would choose.
    let none = after_staging(world("prod"), json!({ "selectionPolicy": "MatchUpstream" }));
    let mut none =
        World { freight: vec![newer(FREIGHT, json!({ "approvedFor": { "prod": {} } }))], ..none };
    let (made, _) = create(&none, ALICE, json!({})).unwrap();
    assert_eq!(made["metadata"]["annotations"][AUTO_PROMOTION_HOLD], "Warehouse/main");

    none.configs[0].insert("shop", policy("regex:("));
    create(&none, ALICE, json!({})).unwrap();
    none.configs[1].insert("shop", policy("regex:("));
    assert_eq!(create(&none, ALICE, json!({})).unwrap_err().code, Code::Policy);
}

/// Stage prod held Freight of two origins before, and worked with it.
fn of_two_origins(mut world: World) -> World {
    let origin = |name: &str| json!({ "kind": "Warehouse", "name": name });
    let request = |name: &str| json!({ "origin": origin(name), "sources": { "direct": true } });
    let item = |freight: &str, name: &str| json!({ "name": freight, "origin": origin(name) });
    let former = json!({
        "id": HELD[0],
        "items": { "Warehouse/main": item(FREIGHT, "main"), "Warehouse/other": item("0ther", "other") },
        "verificationHistory": [{ "phase": "Successful" }],
    });
    for stages in [&mut world.cached, &mut world.live] {
        let mut prod = serde_json::to_value(&stages["shop:prod"]).unwrap();
        prod["spec"]["requestedFreight"] = json!([request("main"), request("other")]);
        prod["status"]["freightHistory"][1] = former.clone();
        stages.insert("shop:prod", object(prod));
    }
    world
}

#[test]
fn who_rolls_back_several_origins_holds_each_of_them_back() {
    let world = |newer: &[(&str, &str)]| {
        let mut world = of_two_origins(templates());
        for (name, origin) in newer {
            world.freight.push(object(json!({
                "metadata": { "name": name, "namespace": "shop", "creationTimestamp": "2026-11-21T11:00:00Z" },
                "origin": { "kind": "Warehouse", "name": origin },
            })));
        }
        for configs in &mut world.configs {
            configs.insert("shop", policy("prod"));
        }
        world
    };
    let back = json!({ "metadata": { "annotations": { COLLECTION: HELD[0] } } });
    let (main, other) = (("newer", "main"), ("newest", "other"));
    for (row, newer, hold, resume) in [
        ("both are older", vec![main, other], json!("Warehouse/main,Warehouse/other"), json!(null)),
        ("one is older", vec![main], json!("Warehouse/main"), json!("Warehouse/other")),
        (
            "the one that is not named",
            vec![other],
            json!("Warehouse/other"),
            json!("Warehouse/main"),
        ),
        ("none is", vec![], json!(null), json!("Warehouse/main,Warehouse/other")),
    ] {
        let (made, _) = create(&world(&newer), ALICE, back.clone()).unwrap();
        let found = [AUTO_PROMOTION_HOLD, AUTO_PROMOTION_RESUME]
            .map(|key| made["metadata"]["annotations"][key].clone());
        assert_eq!(found, [hold, resume], "{row}");
    }
    // A cache that does not know yet what the Stage held.
    let mut behind = world(&[main, other]);
    let mut prod = templates().cached["shop:prod"].clone();
    prod.status.as_mut().unwrap().freight_history.truncate(1);
    behind.cached.insert("shop:prod", prod);
    let (made, _) = create(&behind, ALICE, back).unwrap();
    assert_eq!(
        made["metadata"]["annotations"][AUTO_PROMOTION_HOLD],
        "Warehouse/main,Warehouse/other"
    );
}

#[test]
fn what_it_means_for_automatic_promotion_is_worked_out_again() {
    let world = |stage: &str| {
        let mut world = templates();
        world.freight.push(newer("newest", json!({})));
        for configs in &mut world.configs {
            configs.insert("shop", policy(stage));
        }
        world
    };
    let annotated = |object: &Value, patch: Value| {
        with(object.clone(), json!({ "metadata": { "annotations": patch } }))
    };
    let held = made(&world("prod"), ALICE, &wanted());
    let candidate = with(wanted(), json!({ "spec": { "freight": "newest" } }));
    let resumed = made(&world("prod"), ALICE, &candidate);
    let free = made(&world("dev"), ALICE, &wanted());
    let (main, other) = ("Warehouse/main", "Warehouse/other");
    let (hold, resume) = (AUTO_PROMOTION_HOLD, AUTO_PROMOTION_RESUME);
    for (row, stage, object, patch, verdict) in [
        ("as it was put in", "prod", &held, json!({}), Ok(())),
        ("none", "prod", &held, json!({ hold: null }), Err(Code::Immutable)),
        ("the other", "prod", &held, json!({ hold: null, resume: main }), Err(Code::Immutable)),
        ("both", "prod", &held, json!({ resume: main }), Err(Code::Immutable)),
        ("another origin", "prod", &held, json!({ hold: other }), Err(Code::Immutable)),
        (
            "one more",
            "prod",
            &held,
            json!({ hold: "Warehouse/main,Warehouse/other" }),
            Err(Code::Immutable),
        ),
        ("the candidate", "prod", &resumed, json!({}), Ok(())),
        (
            "the candidate, held",
            "prod",
            &resumed,
            json!({ resume: null, hold: main }),
            Err(Code::Immutable),
        ),
        ("not automatic", "dev", &free, json!({}), Ok(())),
        ("not automatic, held", "dev", &free, json!({ hold: main }), Err(Code::Immutable)),
        ("not automatic, let go on", "dev", &free, json!({ resume: other }), Err(Code::Immutable)),
    ] {
        let sent = annotated(object, patch);
        expect(
            world(stage).validate(&review(Kind::Promotion, ALICE, None, Some(&sent))),
            verdict,
            row,
        );
    }
    let sent = annotated(&held, json!({ CREATE_ACTOR: "controller:x" }));
    let by_itself = |sent: &Value| {
        world("prod").validate(&review(Kind::Promotion, CONTROLLER, None, Some(sent)))
    };
    expect(by_itself(&sent), Err(Code::Immutable), "held by our controller itself");
    expect(by_itself(&annotated(&sent, json!({ hold: null }))), Ok(()), "by our controller itself");
    // A cache that is behind, of the policy or of the Stage, denies nothing.
    let mut behind = world("prod");
    behind.configs[0].clear();
    expect(behind.validate(&review(Kind::Promotion, ALICE, None, Some(&held))), Ok(()), "behind");
}

#[test]
fn what_was_put_in_is_put_back() {
    let hold = json!({ AUTO_PROMOTION_HOLD: "Warehouse/main" });
    let old = with(made_by_hand(), json!({ "metadata": { "annotations": hold } }));
    let annotations =
        |patch: Value| with(old.clone(), json!({ "metadata": { "annotations": patch } }));
    for (row, new) in [
        ("left out", annotations(json!({ CREATE_ACTOR: null, AUTO_PROMOTION_HOLD: null }))),
        (
            "others",
            annotations(
                json!({ CREATE_ACTOR: "email:eve", AUTO_PROMOTION_HOLD: "x", AUTO_PROMOTION_RESUME: "y" }),
            ),
        ),
        ("all gone", annotations(Value::Null)),
    ] {
        for user in [ALICE, CONTROLLER] {
            let (stored, _) =
                change(&templates(), user, &old, &new).unwrap_or_else(|e| panic!("{row}: {e}"));
            for key in [CREATE_ACTOR, AUTO_PROMOTION_HOLD, AUTO_PROMOTION_RESUME] {
                let of = |object: &Value| object["metadata"]["annotations"][key].clone();
                assert_eq!(of(&stored), of(&old), "{row} {key}");
            }
        }
        let unasked = templates().validate(&review(Kind::Promotion, ALICE, Some(&old), Some(&new)));
        assert_eq!(denied(unasked, row).code, Code::Immutable);
    }
    let same = templates().mutate(&review(Kind::Promotion, ALICE, Some(&old), Some(&old)));
    assert_eq!(allowed(same, "nothing").object, None);
}

#[test]
fn a_request_to_abort_says_who_asks() {
    let old = made_by_hand();
    let abort =
        |text: &str| with(old.clone(), json!({ "metadata": { "annotations": { ABORT: text } } }));
    let alice = r#"{"action":"terminate","actor":"kubernetes:alice"}"#;
    for (user, sent, expected) in [
        (ALICE, "terminate", alice),
        (ALICE, r#"{"action":"terminate"}"#, alice),
        (ALICE, r#"{"action":"terminate","actor":"email:bob","controlPlane":true}"#, alice),
        (CONTROLLER, "terminate", r#"{"action":"terminate","controlPlane":true}"#),
        (
            CONTROLLER,
            r#"{"action":"terminate","actor":"email:bob"}"#,
            r#"{"action":"terminate","actor":"email:bob","controlPlane":true}"#,
        ),
    ] {
        let (stored, _) = change(&templates(), user, &old, &abort(sent)).unwrap();
        assert_eq!(stored["metadata"]["annotations"][ABORT], expected);
        // What was asked for once is not signed again by whoever writes next.
        let next = with(stored.clone(), json!({ "metadata": { "labels": { "a": "b" } } }));
        assert_eq!(change(&templates(), ALICE, &stored, &next).unwrap().0, next);
    }
    for sent in ["true", "", "{}", r#"{"action":"pause"}"#] {
        let check = change(&templates(), ALICE, &old, &abort(sent)).unwrap_err();
        assert!(
            check
                .to_string()
                .contains("To end the Promotion, write kargo.akuity.io/abort=terminate"),
            "{check}"
        );
    }
    assert_eq!(
        change(&templates(), "bob", &old, &abort("terminate")).unwrap_err().code,
        Code::Permission
    );
    let forged = abort(r#"{"action":"terminate","actor":"email:bob"}"#);
    let unasked = templates().validate(&review(Kind::Promotion, ALICE, Some(&old), Some(&forged)));
    assert_eq!(denied(unasked, "forged").code, Code::Immutable);

    let ended = with(old.clone(), json!({ "status": { "phase": "Succeeded" } }));
    let late =
        with(ended.clone(), json!({ "metadata": { "annotations": { ABORT: "terminate" } } }));
    let (_, allowed) = change(&templates(), ALICE, &ended, &late).unwrap();
    assert_eq!(allowed.warnings, ["the Promotion has ended: there is nothing to abort"]);
    // Born aborted.
    let sent = json!({ "metadata": { "annotations": { ABORT: "terminate" } } });
    let (stored, _) = create(&templates(), ALICE, sent).unwrap();
    assert_eq!(stored["metadata"]["annotations"][ABORT], alice);
}

#[test]
fn the_creation_of_a_promotion_is_told() {
    let (made, allowed) = create(&templates(), ALICE, json!({})).unwrap();
    let [event] = allowed.events.as_slice() else { panic!("{:?}", allowed.events) };
    assert_eq!((event.warning, event.reason), (false, "PromotionCreated"));
    assert_eq!(event.text, format!("Promotion of Freight {FREIGHT} to Stage prod"));
    for (key, value) in [
        ("actor", "kubernetes:alice"),
        ("project", "shop"),
        ("stage-name", "prod"),
        ("freight-name", FREIGHT),
        ("promotion-name", made["metadata"]["name"].as_str().unwrap()),
    ] {
        assert_eq!(event.annotations[&format!("event.kargo.akuity.io/{key}")], value);
    }
    assert_eq!(create(&templates(), CONTROLLER, json!({})).unwrap().1.events, []);
    let dry = Review { dry_run: true, ..review(Kind::Promotion, ALICE, None, Some(&made)) };
    assert_eq!(allowed_by(templates().validate(&dry)).events, []);
}

fn allowed_by(verdict: Verdict) -> Allowed {
    allowed(verdict, "dry run")
}
