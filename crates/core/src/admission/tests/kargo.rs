//! Stages, Projects and Promotions: what has to do with who may.

use wharfinger_api::additions::{COLLECTION, REASON};
use wharfinger_api::v1alpha1::{CREATE_ACTOR, SHARD_LABEL, STAGE_LABEL};

use super::*;

pub(super) const ALICE: &str = "alice";
const GC: &str = "system:serviceaccount:kube-system:generic-garbage-collector";
const NAMESPACES: &str = "system:serviceaccount:kube-system:namespace-controller";

pub(super) fn stage_with(patch: Value) -> Value {
    with(serde_json::to_value(stage("prod", 2)).unwrap(), patch)
}

#[test]
fn a_stage_that_applications_name_takes_bypass_to_delete() {
    let stage = stage_with(json!({}));
    let many: Vec<_> = (1..=7).map(|n| format!("argocd/app-{n}")).collect();
    let used = || World { naming: many.clone(), ..World::default() };
    let delete =
        |world: World, user| world.validate(&review(Kind::Stage, user, Some(&stage), None));
    expect(delete(World::default(), ALICE), Ok(()), "unused");
    expect(delete(used(), ALICE), Err(Code::InUse), "used");
    expect(delete(used(), CONTROLLER), Err(Code::InUse), "by our controller");
    expect(
        delete(used().may(ALICE, Verb::Bypass, "shop:prod"), ALICE),
        Ok(()),
        "by somebody who may",
    );
    expect(
        delete(used().may(ALICE, Verb::Bypass, "shop:dev"), ALICE),
        Err(Code::InUse),
        "by somebody who may elsewhere",
    );
    expect(delete(used(), NAMESPACES), Ok(()), "with its namespace");
    expect(delete(used(), GC), Ok(()), "with its owner");
    let text = denied(delete(used(), ALICE), "used").text;
    assert!(
        text.ends_with(
            "argocd/app-1, argocd/app-2, argocd/app-3, argocd/app-4, argocd/app-5 and 2 more"
        ),
        "{text}"
    );
    let changed = stage_with(json!({ "spec": { "shard": "x" } }));
    expect(
        used().validate(&review(Kind::Stage, ALICE, Some(&stage), Some(&changed))),
        Ok(()),
        "changed",
    );
    expect(used().validate(&review(Kind::Stage, ALICE, None, Some(&changed))), Ok(()), "created");
}

#[test]
fn a_project_that_applications_name_takes_bypass_on_all_its_stages() {
    let project = json!({ "metadata": { "name": "shop" } });
    let used = || World { naming: vec!["argocd/app".into()], ..World::default() };
    let delete = |world: World| world.validate(&review(Kind::Project, ALICE, Some(&project), None));
    expect(delete(World::default()), Ok(()), "unused");
    expect(delete(used()), Err(Code::InUse), "used");
    expect(
        delete(used().may(ALICE, Verb::Bypass, "shop:prod")),
        Err(Code::InUse),
        "by somebody who may on one",
    );
    expect(delete(used().may(ALICE, Verb::Bypass, "shop:")), Ok(()), "by somebody who may on all");
    expect(used().validate(&review(Kind::Project, ALICE, None, Some(&project))), Ok(()), "created");
}

#[test]
fn what_a_stage_holds_is_written_by_an_assignment_alone() {
    let old = stage_with(json!({}));
    let write = |user, patch: Value| {
        let new = stage_with(patch);
        World::default().validate(&review(Kind::StageStatus, user, Some(&old), Some(&new)))
    };
    expect(
        write(ALICE, json!({ "status": { "freightSummary": "x" } })),
        Err(Code::StatusGuard),
        "by anybody",
    );
    expect(
        write(ARGOCD, json!({ "status": { "freightSummary": "x" } })),
        Err(Code::StatusGuard),
        "by Argo CD",
    );
    expect(
        write(CONTROLLER, json!({ "status": { "freightSummary": "x" } })),
        Ok(()),
        "by our controller",
    );
    expect(
        write(CONTROLLER, json!({ "status": { "assignment": null } })),
        Err(Code::StatusGuard),
        "taken back",
    );
    expect(
        write(CONTROLLER, json!({ "status": { "assignment": { "generation": 4 } } })),
        Err(Code::StatusGuard),
        "not the next one",
    );
    expect(
        write(CONTROLLER, json!({ "status": { "freightHistory": [] } })),
        Err(Code::StatusGuard),
        "the head goes",
    );
}

/// A Promotion as somebody would send it.
pub(super) fn wanted() -> Value {
    json!({
        "apiVersion": "kargo.akuity.io/v1alpha1",
        "kind": "Promotion",
        "metadata": { "generateName": "promo-", "namespace": "shop" },
        "spec": { "stage": "prod", "freight": FREIGHT },
    })
}

pub(super) const FREIGHT: &str = "da39a3ee5e6b4b0d3255bfef95601890afd80709";

/// Stage prod has two steps, Stage dev none, Stage tasks a task.
pub(super) fn templates() -> World {
    let mut world = World::default();
    let patch = |shard: &str, steps: Value| {
        json!({ "spec": {
        "shard": shard,
        "vars": [{ "name": "a", "value": "1" }],
        "promotionTemplate": { "spec": { "vars": [{ "name": "a", "value": "2" }], "steps": steps } },
    } })
    };
    let steps = json!([{ "uses": "assign", "config": { "deep": [1, 2.5, null] } }, { "uses": "http", "as": "tell" }]);
    world.cached.insert("shop:prod", object(stage_with(patch("eu", steps))));
    world.cached.insert(
        "shop:tasks",
        object(stage_with(patch("", json!([{ "task": { "name": "deploy" } }])))),
    );
    world.live = world.cached.clone();
    world.live.insert("shop:dev", stage("dev", 0));
    let freight = |name: &str, origin: &str| {
        object(
            json!({ "metadata": { "name": name, "namespace": "shop" }, "origin": { "kind": "Warehouse", "name": origin } }),
        )
    };
    world.freight = vec![freight(FREIGHT, "main"), freight("0ther", "other")];
    world.may(ALICE, Verb::Promote, "shop:prod").may(CONTROLLER, Verb::Promote, "shop:prod")
}

pub(super) fn made(world: &World, user: &str, sent: &Value) -> Value {
    allowed(world.mutate(&review(Kind::Promotion, user, None, Some(sent))), "made").object.unwrap()
}

#[test]
fn a_promotion_is_what_its_stage_says() {
    let sent = with(
        wanted(),
        json!({
            "metadata": { "name": "mine", "labels": { "x": "y", STAGE_LABEL: "dev" }, "annotations": { CREATE_ACTOR: "admin", REASON: "why" },
                "ownerReferences": [{ "apiVersion": "v1", "kind": "ConfigMap", "name": "c", "uid": "1" }] },
            "spec": { "vars": [{ "name": "b", "value": "3" }], "steps": [{ "uses": "evil" }] },
        }),
    );
    assert_eq!(
        made(&templates(), ALICE, &sent),
        json!({
            "apiVersion": "kargo.akuity.io/v1alpha1",
            "kind": "Promotion",
            "metadata": {
                "name": format!("prod.{}.da39a3e", NOW.to_lowercase()),
                "generateName": "promo-",
                "namespace": "shop",
                "labels": { "x": "y", STAGE_LABEL: "prod", SHARD_LABEL: "eu" },
                "annotations": { STAGE_LABEL: "prod", CREATE_ACTOR: "kubernetes:alice", REASON: "why" },
                "ownerReferences": [
                    { "apiVersion": "v1", "kind": "ConfigMap", "name": "c", "uid": "1" },
                    { "apiVersion": "kargo.akuity.io/v1alpha1", "kind": "Stage", "name": "prod", "uid": "8e0a" },
                ],
            },
            "spec": {
                "stage": "prod",
                "freight": FREIGHT,
                "vars": [{ "name": "a", "value": "1" }, { "name": "a", "value": "2" }],
                "steps": [{ "uses": "assign", "as": "step-1", "config": { "deep": [1, 2.5, null] } }, { "uses": "http", "as": "tell" }],
            },
        })
    );
    assert_eq!(
        made(&templates(), CONTROLLER, &sent)["metadata"]["annotations"][CREATE_ACTOR],
        "admin"
    );
    let again = made(&templates(), ALICE, &sent);
    assert_eq!(made(&templates(), ALICE, &again), again);
}

#[test]
fn a_promotion_without_steps_is_refused_before_the_schema_says_it_worse() {
    let to = |stage: &str| {
        let sent = with(wanted(), json!({ "spec": { "stage": stage } }));
        let all = ["shop:dev", "shop:tasks", "shop:none"].into_iter();
        let world = all.fold(templates(), |world, stage| world.may(ALICE, Verb::Promote, stage));
        denied(world.mutate(&review(Kind::Promotion, ALICE, None, Some(&sent))), stage).code
    };
    assert_eq!(to("dev"), Code::Step);
    assert_eq!(to("tasks"), Code::Step);
    assert_eq!(to("none"), Code::StageMissing);
    assert_eq!(to("../secrets/x"), Code::StageMissing);
}

#[test]
fn who_may_not_promote_is_told_nothing_of_what_there_is() {
    let who = Identities { controller: CONTROLLER.into(), argocd: vec![ARGOCD.into()] };
    let origin = json!({ "kind": "Warehouse", "name": "main" });
    for (row, spec) in [
        ("a Stage that is there", json!({ "stage": "prod" })),
        ("none", json!({ "stage": "none" })),
        ("one without steps", json!({ "stage": "dev" })),
        ("by origin", json!({ "stage": "prod", "freight": null, "origin": origin })),
    ] {
        let on = format!("shop:{}", spec["stage"].as_str().unwrap()).parse().unwrap();
        let sent = with(wanted(), json!({ "spec": spec }));
        let review = review(Kind::Promotion, "bob", None, Some(&sent));
        let first = Question::May { verb: Verb::Promote, stage: on };
        // Nothing else is looked up before.
        assert_eq!(mutate(&review, &who, &Facts::default(), NOW), Verdict::Ask(first), "{row}");
        let check = denied(templates().mutate(&review), row);
        assert_eq!(check.code, Code::Permission, "{row}");
        assert!(!check.to_string().contains("Freight"), "{row}: {check}");
    }
}

#[test]
fn a_promotion_is_admitted_once_below_every_front_door() {
    let create = |user: &str, patch: Value| {
        let sent = with(wanted(), patch);
        let sent = made(&templates(), user, &sent);
        templates().validate(&review(Kind::Promotion, user, None, Some(&sent)))
    };
    expect(create(ALICE, json!({})), Ok(()), "by somebody who may");
    expect(
        create(
            CONTROLLER,
            json!({ "metadata": { "annotations": { CREATE_ACTOR: "email:alice" } } }),
        ),
        Ok(()),
        "by our controller",
    );
    let by_alice = made(&templates(), ALICE, &wanted());
    let by_bob = templates().validate(&review(Kind::Promotion, "bob", None, Some(&by_alice)));
    expect(by_bob, Err(Code::Permission), "by anybody");
    expect(
        create(ALICE, json!({ "spec": { "freight": "n0ne" } })),
        Err(Code::Freight),
        "of Freight that is not there",
    );
    expect(
        create(ALICE, json!({ "spec": { "freight": "../stages/prod" } })),
        Err(Code::Freight),
        "of no Freight at all",
    );
    expect(
        create(ALICE, json!({ "spec": { "freight": "0ther" } })),
        Err(Code::OriginRequested),
        "of Freight the Stage does not ask for",
    );
    let origin = json!({ "kind": "Warehouse", "name": "main" });
    expect(create(ALICE, json!({ "spec": { "origin": origin } })), Err(Code::Freight), "both");
    expect(create(ALICE, json!({ "spec": { "freight": null } })), Err(Code::Freight), "neither");
}

#[test]
fn a_promotion_of_freight_that_is_not_available_is_refused_with_the_reason() {
    let from_staging = |mut stage: Stage, sources: Value| {
        stage.spec.requested_freight[0].sources = object(sources);
        stage
    };
    let staging = || json!({ "stages": ["staging"], "requiredSoakTime": "30m" });
    let world = |status: Value| {
        let mut world = templates();
        for stages in [&mut world.cached, &mut world.live] {
            let prod = from_staging(stages["shop:prod"].clone(), staging());
            stages.insert("shop:staging", prod.clone());
            stages.insert("shop:prod", prod);
        }
        world.freight[0].status = object(status);
        world
    };
    let create = |world: &World, annotations: Value| {
        let sent = with(wanted(), json!({ "metadata": { "annotations": annotations } }));
        let sent = made(world, ALICE, &sent);
        world.validate(&review(Kind::Promotion, ALICE, None, Some(&sent)))
    };
    let there = |since: &str| json!({ "currentlyIn": { "staging": { "since": since } }, "verifiedIn": { "staging": {} } });
    let rollback = || json!({ "kargo.akuity.io/rollback": "true" });
    for (row, status, annotations, expected) in [
        ("not verified", json!({}), json!({}), Err(Code::Verified)),
        ("soaked", there("2026-11-21T11:30:00Z"), json!({}), Ok(())),
        ("soaks", there("2026-11-21T11:30:01Z"), json!({}), Err(Code::Soak)),
        ("approved", json!({ "approvedFor": { "prod": {} } }), json!({}), Ok(())),
        (
            "approved elsewhere",
            json!({ "approvedFor": { "dev": {} } }),
            json!({}),
            Err(Code::Verified),
        ),
        ("rolled back to", json!({ "verifiedIn": { "prod": {} } }), rollback(), Ok(())),
        ("rolled back to, though never here", json!({}), rollback(), Err(Code::Verified)),
        ("of a history without it", json!({}), json!({ COLLECTION: "none" }), Err(Code::Freight)),
    ] {
        expect(create(&world(status), annotations), expected, row);
    }
    let denied = denied(create(&world(json!({})), json!({})), "not verified").to_string();
    assert_eq!(
        denied,
        format!(
            "Freight {FREIGHT} is not available to Stage shop:prod: not verified in staging; has to stay in staging for 30m. Promote it to staging first: wharf promote {FREIGHT} --to staging --project shop, or approve it: wharf approve {FREIGHT} --to prod --project shop [verified]"
        )
    );
    // A cache that is behind denies nothing.
    let mut behind = world(json!({}));
    behind.live.insert("shop:prod", templates().cached["shop:prod"].clone());
    expect(create(&behind, json!({})), Ok(()), "as the Stage is now");
    // A name that nothing can have is asked about by nobody.
    let mut strange = world(json!({}));
    for stages in [&mut strange.cached, &mut strange.live] {
        let prod = from_staging(stages["shop:prod"].clone(), json!({ "stages": ["../x"] }));
        stages.insert("shop:prod", prod);
    }
    expect(create(&strange, json!({})), Err(Code::Verified), "no Stage's name");
}

#[test]
fn what_is_put_into_a_promotion_stays_in_it() {
    let sent = made(&templates(), ALICE, &wanted());
    for (row, patch) in [
        ("name", json!({ "metadata": { "name": "prod.00000000000000000000000000.x" } })),
        ("no name", json!({ "metadata": { "name": null } })),
        ("label", json!({ "metadata": { "labels": { STAGE_LABEL: "dev" } } })),
        ("actor", json!({ "metadata": { "annotations": { CREATE_ACTOR: "kubernetes:bob" } } })),
        ("steps", json!({ "spec": { "steps": [{ "uses": "evil" }] } })),
        ("vars", json!({ "spec": { "vars": [] } })),
    ] {
        let new = with(sent.clone(), patch);
        expect(
            templates().validate(&review(Kind::Promotion, ALICE, None, Some(&new))),
            Err(Code::Immutable),
            row,
        );
    }
    let mut behind = templates();
    behind.cached.insert("shop:prod", object(stage_with(json!({ "spec": { "promotionTemplate": { "spec": { "steps": [{ "uses": "old" }] } } } }))));
    expect(
        behind.validate(&review(Kind::Promotion, ALICE, None, Some(&sent))),
        Ok(()),
        "a cache that is behind",
    );
}

#[test]
fn a_promotion_changes_in_nothing_that_counts() {
    let old = made(
        &templates(),
        ALICE,
        &with(wanted(), json!({ "metadata": { "annotations": { COLLECTION: HELD[0] } } })),
    );
    let annotated = |key: &str, value: Value| {
        with(old.clone(), json!({ "metadata": { "annotations": { key: value } } }))
    };
    for (row, user, new, expected) in [
        ("by somebody who may", ALICE, annotated("x", json!("y")), Ok(())),
        ("by anybody", "bob", annotated("x", json!("y")), Err(Code::Permission)),
        ("by our controller", CONTROLLER, annotated("x", json!("y")), Ok(())),
        (
            "by the garbage collector",
            GC,
            with(old.clone(), json!({ "metadata": { "ownerReferences": null } })),
            Ok(()),
        ),
        ("actor", ALICE, annotated(CREATE_ACTOR, json!("kubernetes:bob")), Err(Code::Immutable)),
        (
            "actor, by our controller",
            CONTROLLER,
            annotated(CREATE_ACTOR, Value::Null),
            Err(Code::Immutable),
        ),
        ("what to go back to", ALICE, annotated(COLLECTION, json!(HELD[1])), Err(Code::Immutable)),
        ("why", ALICE, annotated(REASON, json!("other")), Err(Code::Immutable)),
        (
            "spec",
            ALICE,
            with(old.clone(), json!({ "spec": { "freight": "0ther" } })),
            Err(Code::Immutable),
        ),
        (
            "spec, by our controller",
            CONTROLLER,
            with(old.clone(), json!({ "spec": { "stage": "dev" } })),
            Err(Code::Immutable),
        ),
    ] {
        expect(
            templates().validate(&review(Kind::Promotion, user, Some(&old), Some(&new))),
            expected,
            row,
        );
    }
    for (user, expected) in [
        (ALICE, Ok(())),
        ("bob", Err(Code::Permission)),
        (CONTROLLER, Ok(())),
        (GC, Ok(())),
        (NAMESPACES, Ok(())),
    ] {
        expect(
            templates().validate(&review(Kind::Promotion, user, Some(&old), None)),
            expected,
            user,
        );
    }
}

#[test]
fn the_status_of_a_promotion_is_our_controllers() {
    let old = made(&templates(), ALICE, &wanted());
    let new = with(old.clone(), json!({ "status": { "phase": "Succeeded" } }));
    for (user, expected) in
        [(CONTROLLER, Ok(())), (ALICE, Err(Code::StatusGuard)), (ARGOCD, Err(Code::StatusGuard))]
    {
        expect(
            templates().validate(&review(Kind::PromotionStatus, user, Some(&old), Some(&new))),
            expected,
            user,
        );
    }
}

#[test]
fn what_argo_cd_may_do_counts_for_nothing() {
    // Its ClusterRole is `*` on everything.
    let all = || {
        templates()
            .may(ARGOCD, Verb::Promote, "shop:prod")
            .may(ARGOCD, Verb::Bypass, "shop:prod")
            .may(ARGOCD, Verb::Bypass, "shop:")
    };
    let promotion = made(&all(), ALICE, &wanted());
    let created = all().validate(&review(Kind::Promotion, ARGOCD, None, Some(&promotion)));
    expect(created, Err(Code::Permission), "a Promotion from Git");
    let before = app(source(&claim(3)));
    let glass = json!({ "metadata": { "annotations": { "wharfinger.dev/break-glass": "INC-1" } } });
    let broken = with(before.clone(), glass);
    let broken = all().validate(&review(Kind::Application, ARGOCD, Some(&before), Some(&broken)));
    expect(broken, Err(Code::Permission), "glass broken from Git");
    let mut world = all();
    world.naming = vec!["argocd/shop".into()];
    let prod = serde_json::to_value(stage("prod", 3)).unwrap();
    let deleted = world.validate(&review(Kind::Stage, ARGOCD, Some(&prod), None));
    expect(deleted, Err(Code::InUse), "a Stage pruned from under its Applications");
}
