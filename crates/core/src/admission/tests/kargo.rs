//! Stages, Projects and Promotions: what has to do with who may.

use wharfinger_api::additions::{COLLECTION, REASON};
use wharfinger_api::v1alpha1::{CREATE_ACTOR, PROJECT_LABEL, SHARD_LABEL, STAGE_LABEL};

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

/// What would be deleted together with an owner that somebody names.
#[test]
fn an_owner_of_a_stage_takes_bypass() {
    let [made_up, other] = ["made-up", "other"].map(owner);
    let owned = |owners: Value| stage_with(json!({ "metadata": { "ownerReferences": owners } }));
    let used = || World { naming: vec!["argocd/app".into()], ..World::default() };
    let write = |world: &World, user, old: Option<Value>, new: Value| {
        world.validate(&review(Kind::Stage, user, old.as_ref(), Some(&new)))
    };
    let (bare, one) = (owned(json!([])), owned(json!([made_up])));
    let mut rows = vec![
        ("created with one", None, one.clone(), false),
        ("one is added", Some(stage_with(json!({}))), one.clone(), false),
        ("another is added", Some(one.clone()), owned(json!([made_up, other])), false),
        ("as it was", Some(one.clone()), one.clone(), true),
        ("one goes", Some(owned(json!([made_up, other]))), one.clone(), true),
        ("all go", Some(one.clone()), bare, true),
    ];
    for (field, text) in
        [("apiVersion", "v2"), ("kind", "Secret"), ("name", "gone"), ("uid", "other")]
    {
        let changed = with(made_up.clone(), json!({ field: text }));
        rows.push((field, Some(one.clone()), owned(json!([changed])), false));
    }
    // It says who waits for whom, as the garbage collector does, and not what goes.
    let waiting = with(made_up.clone(), json!({ "blockOwnerDeletion": false }));
    rows.push(("who waits", Some(one), owned(json!([waiting])), true));
    for (row, old, new, free) in rows {
        let expected = if free { Ok(()) } else { Err(Code::Permission) };
        for user in [ALICE, CONTROLLER, ARGOCD, GC] {
            expect(write(&used(), user, old.clone(), new.clone()), expected, row);
        }
        // An Application may come to name it while it is there.
        expect(write(&World::default(), ALICE, old.clone(), new.clone()), expected, row);
        let lifted = used().may(ALICE, Verb::Bypass, "shop:prod");
        expect(write(&lifted, ALICE, old.clone(), new.clone()), Ok(()), row);
        let elsewhere = used().may(ALICE, Verb::Bypass, "shop:dev");
        expect(write(&elsewhere, ALICE, old, new), expected, row);
    }
    let check = denied(write(&used(), ALICE, None, owned(json!([made_up]))), "text");
    assert_eq!(
        check.to_string(),
        "metadata.ownerReferences: alice may not name ConfigMap made-up as an owner of Stage shop:prod, with which Kubernetes would delete it and ask nobody. Leave metadata.ownerReferences as they are, or write it as somebody with the verb bypass on Stages there [permission]"
    );
}

pub(super) fn owner(name: &str) -> Value {
    json!({ "apiVersion": "v1", "kind": "ConfigMap", "name": name, "uid": name })
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
fn so_does_the_namespace_of_a_project() {
    let namespace = |patch: Value| {
        with(json!({ "metadata": { "name": "shop", "labels": { PROJECT_LABEL: "true" } } }), patch)
    };
    let old = namespace(json!({}));
    let used = || World { naming: vec!["argocd/app".into()], ..World::default() };
    let judge = |world: &World, user, old: &Value, new: Option<&Value>| {
        world.validate(&review(Kind::Namespace, user, Some(old), new))
    };
    let label =
        |value: Value| namespace(json!({ "metadata": { "labels": { PROJECT_LABEL: value } } }));
    let (bare, renamed) = (label(json!(null)), label(json!("no")));
    for (row, new) in [
        ("deleted", None),
        ("the label goes", Some(&bare)),
        ("the label says otherwise", Some(&renamed)),
    ] {
        // Of Kubernetes' accounts too: it deletes what somebody gives an owner that does not exist.
        for user in [ALICE, CONTROLLER, ARGOCD, GC, NAMESPACES] {
            expect(judge(&World::default(), user, &old, new), Ok(()), row);
            expect(judge(&used(), user, &old, new), Err(Code::InUse), row);
        }
        let on_one = used().may(ALICE, Verb::Bypass, "shop:prod");
        expect(judge(&on_one, ALICE, &old, new), Err(Code::InUse), row);
        let on_all = used().may(ALICE, Verb::Bypass, "shop:");
        expect(judge(&on_all, ALICE, &old, new), Ok(()), row);
        let terminating = json!({ "metadata": { "deletionTimestamp": "2026-11-21T10:00:00Z" } });
        let row = "it goes on";
        expect(judge(&used(), NAMESPACES, &namespace(terminating), new), Ok(()), row);
        let with_its_project = World { going: vec!["shop"], ..used() };
        expect(judge(&with_its_project, GC, &old, new), Ok(()), "with its Project");
        expect(judge(&used(), ALICE, &bare, new), Ok(()), "no Project's");
    }
    let annotated = namespace(json!({ "metadata": { "annotations": { "a": "b" } } }));
    expect(judge(&used(), ALICE, &old, Some(&annotated)), Ok(()), "another change");
    let text = |new: Option<&Value>| denied(judge(&used(), ALICE, &old, new), "text").text;
    assert_eq!(
        text(None),
        "a Stage in namespace shop is named by Applications, which could not be rendered any more: argocd/app"
    );
    assert_eq!(
        text(Some(&bare)),
        "without the label kargo.akuity.io/project=true namespace shop can be deleted without a question: a Stage in it is named by Applications, which could not be rendered any more: argocd/app"
    );
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
