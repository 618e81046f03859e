use wharfinger_api::additions::BREAK_GLASS;

use super::*;

const ALICE: &str = "alice";
const SERVER: &str = "system:serviceaccount:argocd:argocd-server";

/// Rows of: what, who, before, after, verdict.
type Row<'a> = (&'a str, &'a str, Option<Value>, Value, Result<(), Code>);

#[track_caller]
fn check(world: &World, rows: Vec<Row<'_>>) {
    for (row, user, old, new, expected) in rows {
        expect(
            world.validate(&review(Kind::Application, user, old.as_ref(), Some(&new))),
            expected,
            row,
        );
    }
}

fn current() -> Value {
    app(source(&claim(3)))
}

/// `app` with another value of its annotation, or none.
fn naming(app: Value, stage: Value) -> Value {
    with(app, json!({ "metadata": { "annotations": { AUTHORIZED_STAGE: stage } } }))
}

fn glass(app: Value, reason: Value) -> Value {
    with(app, json!({ "metadata": { "annotations": { BREAK_GLASS: reason } } }))
}

fn asking(app: Value, operation: Value) -> Value {
    with(app, json!({ "operation": operation }))
}

#[test]
fn what_is_none_of_our_business_is_allowed() {
    let plain = naming(app(native()), Value::Null);
    let other =
        with(plain.clone(), json!({ "spec": { "source": { "plugin": { "name": "other" } } } }));
    let manifests = asking(plain.clone(), json!({ "sync": { "manifests": ["{}"] } }));
    check(
        &World::default(),
        vec![
            ("created", ALICE, None, plain.clone(), Ok(())),
            ("changed", ALICE, Some(plain.clone()), other.clone(), Ok(())),
            ("another's plugin", ALICE, None, other, Ok(())),
            ("another's operation", ALICE, Some(plain.clone()), manifests, Ok(())),
        ],
    );
    let gone = review(Kind::Application, ALICE, Some(&plain), None);
    expect(World::default().validate(&gone), Ok(()), "deleted");
}

#[test]
fn an_application_may_be_deleted() {
    expect(
        World::default().validate(&review(Kind::Application, ALICE, Some(&current()), None)),
        Ok(()),
        "ours",
    );
}

#[test]
fn native_sources_obey_the_annotation_rules_only() {
    let native = app(native());
    let other = with(
        native.clone(),
        json!({ "spec": { "source": { "targetRevision": "next", "kustomize": { "images": ["a=b:1"] } } } }),
    );
    let manifests = asking(native.clone(), json!({ "sync": { "manifests": ["{}"] } }));
    let state = with(
        native.clone(),
        json!({ "status": { "operationState": { "phase": "Running", "operation": {} } } }),
    );
    let old = naming(native.clone(), json!("shop"));
    let rows = vec![
        ("joins", ALICE, None, native.clone(), Ok(())),
        ("joins later", ALICE, Some(naming(native.clone(), Value::Null)), native.clone(), Ok(())),
        (
            "joins several Stages",
            ALICE,
            None,
            naming(native.clone(), json!("shop:prod, shop:dev")),
            Ok(()),
        ),
        (
            "joins a Stage that is not there",
            ALICE,
            None,
            naming(native.clone(), json!("shop:none")),
            Ok(()),
        ),
        (
            "a malformed annotation",
            ALICE,
            None,
            naming(native.clone(), json!("shop")),
            Err(Code::AuthorizedStage),
        ),
        (
            "a glob",
            ALICE,
            None,
            naming(native.clone(), json!("shop:*")),
            Err(Code::AuthorizedStage),
        ),
        (
            "malformed from now on",
            ALICE,
            Some(native.clone()),
            naming(native.clone(), json!("shop:prod,x")),
            Err(Code::AuthorizedStage),
        ),
        (
            "malformed as before",
            ALICE,
            Some(old.clone()),
            with(old, json!({ "spec": { "project": "p" } })),
            Ok(()),
        ),
        ("spec", ALICE, Some(native.clone()), other, Ok(())),
        ("operation", ALICE, Some(native.clone()), manifests, Ok(())),
        ("state", ALICE, Some(native), state, Ok(())),
    ];
    check(&World::default(), rows);
}

#[test]
fn leaving_takes_promote_on_the_old_stage() {
    let native = app(native());
    let twice = with(
        current(),
        json!({ "spec": { "source": null, "sources": [source(&claim(3)), source(&claim(3))] } }),
    );
    let once = with(twice.clone(), json!({ "spec": { "sources": [source(&claim(3))] } }));
    let swap = |a: Value, b: Value| {
        with(current(), json!({ "spec": { "source": null, "sources": [a, b] } }))
    };
    let charts = |plugin: &str| json!({ "repoURL": "https://charts", "chart": "redis", "targetRevision": "1.0.0", "plugin": { "name": plugin } });
    let (mine, theirs) =
        (source(&claim(3)), with(source(&claim(3)), json!({ "plugin": { "name": "theirs" } })));
    let rows = |verdict: Result<(), Code>| -> Vec<Row<'static>> {
        vec![
            (
                "the annotation goes",
                ALICE,
                Some(current()),
                naming(current(), Value::Null),
                verdict,
            ),
            (
                "the annotation goes, native",
                ALICE,
                Some(native.clone()),
                naming(native.clone(), Value::Null),
                verdict,
            ),
            (
                "the annotation is emptied, native",
                ALICE,
                Some(native.clone()),
                naming(native.clone(), json!("")),
                verdict,
            ),
            (
                "another Stage, native",
                ALICE,
                Some(native.clone()),
                naming(native.clone(), json!("shop:dev")),
                verdict,
            ),
            (
                "one of two Stages goes",
                ALICE,
                Some(naming(native.clone(), json!("shop:dev,shop:prod"))),
                naming(native.clone(), json!("shop:dev")),
                verdict,
            ),
            (
                "annotation and plugin go",
                ALICE,
                Some(current()),
                naming(app(super::native()), Value::Null),
                verdict,
            ),
            (
                "the plugin goes",
                ALICE,
                Some(current()),
                with(current(), json!({ "spec": { "source": { "plugin": null } } })),
                verdict,
            ),
            (
                "the plugin is renamed",
                ALICE,
                Some(current()),
                with(current(), json!({ "spec": { "source": { "plugin": { "name": "x" } } } })),
                verdict,
            ),
            ("one of two sources goes", ALICE, Some(twice.clone()), once.clone(), verdict),
            (
                "native sources win over ours",
                ALICE,
                Some(current()),
                with(current(), json!({ "spec": { "sources": [super::native()] } })),
                verdict,
            ),
            (
                "by Argo CD's server",
                SERVER,
                Some(current()),
                naming(current(), Value::Null),
                Err(Code::Permission),
            ),
            (
                "by our controller",
                CONTROLLER,
                Some(current()),
                app(super::native()),
                Err(Code::Permission),
            ),
        ]
    };
    let fixed = |mut rows: Vec<Row<'static>>| {
        // Without annotation but with the plugin it can't be, whoever asks.
        rows[0].4 = Err(Code::AuthorizedStage);
        rows
    };
    check(&World::default(), rows(Err(Code::Permission)));
    let world = World::default().may(ALICE, Verb::Promote, "shop:prod");
    let rest = fixed(rows(Ok(()))).into_iter().filter(|row| row.1 == ALICE).collect();
    check(&world, rest);
    check(
        &World::default(),
        vec![
            (
                "two sources swap places",
                ALICE,
                Some(swap(mine.clone(), charts("x"))),
                swap(charts("x"), mine.clone()),
                Ok(()),
            ),
            (
                "two sources swap plugins",
                ALICE,
                Some(swap(mine, charts("x"))),
                swap(theirs, charts(PLUGIN)),
                Err(Code::Permission),
            ),
        ],
    );
    check(
        &world,
        vec![(
            "the claim of the Stage before stays",
            ALICE,
            Some(current()),
            naming(current(), json!("shop:dev")),
            Err(Code::ClaimStage),
        )],
    );
    let mut gone = World::default();
    gone.live.clear();
    gone.cached.clear();
    check(
        &gone,
        vec![
            (
                "the Stage is gone",
                ALICE,
                Some(current()),
                naming(app(super::native()), Value::Null),
                Ok(()),
            ),
            (
                "the Stage is gone, native",
                ALICE,
                Some(native.clone()),
                naming(native, json!("shop:x")),
                Ok(()),
            ),
        ],
    );
}

#[test]
fn a_stage_that_only_the_cache_has_lost_is_not_gone() {
    let mut world = World::default();
    world.cached.clear();
    let new = naming(app(native()), Value::Null);
    expect(
        world.validate(&review(Kind::Application, ALICE, Some(&current()), Some(&new))),
        Err(Code::Permission),
        "behind",
    );
}

#[test]
fn our_plugin_takes_exactly_one_stage_and_its_claim() {
    let claims = |stage: &str, claim: &str| {
        let mut app = current();
        app["spec"]["source"]["plugin"]["env"] =
            json!([{ "name": ENV_STAGE, "value": stage }, { "name": ENV_FREIGHT, "value": claim }]);
        app
    };
    let two = |a: Value, b: Value| {
        with(current(), json!({ "spec": { "source": null, "sources": [a, b] } }))
    };
    let dry = json!({ "spec": { "sourceHydrator": { "syncSource": { "targetBranch": "env/prod", "path": "." } } } });
    let named = |name: &str| {
        with(current(), json!({ "spec": { "source": { "plugin": { "name": name } } } }))
    };
    check(
        &World::default(),
        vec![
            ("the claim that is held", ALICE, None, current(), Ok(())),
            (
                "no annotation",
                ALICE,
                None,
                naming(current(), Value::Null),
                Err(Code::AuthorizedStage),
            ),
            (
                "two Stages",
                ALICE,
                None,
                naming(current(), json!("shop:prod,shop:dev")),
                Err(Code::AuthorizedStage),
            ),
            ("an older claim", ALICE, None, app(source(&claim(2))), Err(Code::ClaimOutdated)),
            (
                "a claim that was never made",
                ALICE,
                None,
                app(source(&claim(4))),
                Err(Code::ClaimUnknown),
            ),
            (
                "this generation, other Freight",
                ALICE,
                None,
                app(source(&format!("3-{}", HELD[0]))),
                Err(Code::ClaimUnknown),
            ),
            ("not a claim", ALICE, None, app(source("latest")), Err(Code::ClaimMalformed)),
            ("no claim", ALICE, None, app(unclaimed()), Err(Code::ClaimMissing)),
            ("another's claim", ALICE, None, claims("shop:dev", &claim(3)), Err(Code::ClaimStage)),
            ("two sources", ALICE, None, two(source(&claim(3)), source(&claim(3))), Ok(())),
            (
                "one of two is older",
                ALICE,
                None,
                two(source(&claim(3)), source(&claim(2))),
                Err(Code::ClaimOutdated),
            ),
            ("beside a native source", ALICE, None, two(source(&claim(3)), native()), Ok(())),
            (
                "our controller brings an older one",
                CONTROLLER,
                Some(current()),
                app(source(&claim(2))),
                Err(Code::ClaimOutdated),
            ),
            (
                "our controller brings the one",
                CONTROLLER,
                Some(app(source(&claim(2)))),
                current(),
                Ok(()),
            ),
            (
                "Argo CD's controller brings an older one",
                ARGOCD,
                Some(current()),
                app(source(&claim(2))),
                Err(Code::ClaimOutdated),
            ),
            ("hydrated", ALICE, None, with(current(), dry.clone()), Err(Code::Leaving)),
            (
                "hydrated from now on",
                ALICE,
                Some(current()),
                with(current(), dry),
                Err(Code::Leaving),
            ),
            (
                "another way to our socket",
                ALICE,
                None,
                naming(named("./wharfinger"), json!("shop:prod")),
                Err(Code::Leaving),
            ),
            (
                "another way to our socket, beside",
                ALICE,
                None,
                two(
                    source(&claim(3)),
                    with(source(&claim(3)), json!({ "plugin": { "name": "x/../wharfinger" } })),
                ),
                Err(Code::Leaving),
            ),
        ],
    );
}

#[test]
fn what_was_admitted_once_is_not_judged_again() {
    let old = app(source(&claim(2)));
    let policy = with(old.clone(), json!({ "spec": { "syncPolicy": { "automated": {} } } }));
    let revision = with(old.clone(), json!({ "spec": { "source": { "targetRevision": "next" } } }));
    let added = with(
        old.clone(),
        json!({ "spec": { "source": null, "sources": [source(&claim(2)), native()] } }),
    );
    let emptied = with(old.clone(), json!({ "spec": { "source": { "chart": "", "ref": "" } } }));
    check(
        &World::default(),
        vec![
            ("something else in the spec", ALICE, Some(old.clone()), policy, Ok(())),
            ("what Argo CD leaves out", ALICE, Some(emptied), old.clone(), Ok(())),
            ("another source beside it", ALICE, Some(old.clone()), added, Ok(())),
            (
                "an operation without sources",
                ALICE,
                Some(old.clone()),
                asking(old.clone(), json!({ "sync": {} })),
                Ok(()),
            ),
            ("the source itself", ALICE, Some(old), revision, Err(Code::ClaimOutdated)),
        ],
    );
}

#[test]
fn nothing_to_claim_is_no_reason_to_deny() {
    let dev = |app: Value| naming(app, json!("shop:dev"));
    let none = |app: Value| naming(app, json!("shop:none"));
    let world = World::default();
    check(
        &world,
        vec![
            ("the Stage holds nothing", ALICE, None, dev(app(unclaimed())), Ok(())),
            ("the Stage is not there", ALICE, None, none(app(unclaimed())), Ok(())),
            (
                "a claim on nothing",
                ALICE,
                None,
                dev(with(
                    current(),
                    json!({ "spec": { "source": { "plugin": { "env": [
            { "name": ENV_STAGE, "value": "shop:dev" }, { "name": ENV_FREIGHT, "value": claim(1) }] } } } }),
                )),
                Err(Code::Unassigned),
            ),
            (
                "synced, with nothing to render",
                ALICE,
                Some(dev(app(unclaimed()))),
                asking(dev(app(unclaimed())), json!({ "sync": { "source": unclaimed() } })),
                Ok(()),
            ),
        ],
    );
    let new = none(app(unclaimed()));
    let warned =
        allowed(world.validate(&review(Kind::Application, ALICE, None, Some(&new))), "warned");
    assert!(warned.warnings[0].starts_with("there is no Stage shop:none yet"), "{warned:?}");
}

#[test]
fn a_claim_newer_than_the_cache_is_looked_up() {
    let mut world = World::default();
    world.cached.insert("shop:prod", stage("prod", 2));
    let rows = vec![("newer", CONTROLLER, Some(app(source(&claim(2)))), current(), Ok(()))];
    check(&world, rows);
    check(
        &world,
        vec![(
            "what the cache takes for current",
            CONTROLLER,
            Some(current()),
            app(source(&claim(2))),
            Err(Code::ClaimOutdated),
        )],
    );
    world.live.clear();
    check(&world, vec![("gone since", ALICE, None, current(), Err(Code::StageMissing))]);
}

#[test]
fn an_operation_deploys_what_the_spec_says() {
    let sync = |sync: Value| {
        asking(current(), json!({ "sync": sync, "initiatedBy": { "username": "alice" } }))
    };
    let (mine, older) = (source(&claim(3)), source(&claim(2)));
    let many =
        with(current(), json!({ "spec": { "source": null, "sources": [mine.clone(), native()] } }));
    let of_many = |sources: Value| {
        asking(many.clone(), json!({ "sync": { "source": { "repoURL": "" }, "sources": sources } }))
    };
    let was = Some(current());
    check(
        &World::default(),
        vec![
            ("no sources", SERVER, was.clone(), sync(json!({ "prune": true })), Ok(())),
            (
                "some resources",
                SERVER,
                was.clone(),
                sync(json!({ "resources": [{ "kind": "ConfigMap", "name": "a" }] })),
                Ok(()),
            ),
            (
                "the source",
                SERVER,
                was.clone(),
                sync(json!({ "source": mine.clone(), "revision": "main" })),
                Ok(()),
            ),
            (
                "the source, without what is empty",
                SERVER,
                Some(with(current(), json!({ "spec": { "source": { "chart": "" } } }))),
                with(
                    sync(json!({ "source": mine.clone() })),
                    json!({ "spec": { "source": { "chart": "" } } }),
                ),
                Ok(()),
            ),
            (
                "another revision",
                SERVER,
                was.clone(),
                sync(json!({ "source": with(mine.clone(), json!({ "targetRevision": "abc" })) })),
                Ok(()),
            ),
            (
                "manifests",
                SERVER,
                was.clone(),
                sync(json!({ "manifests": ["{}"] })),
                Err(Code::OperationSource),
            ),
            (
                "another path",
                SERVER,
                was.clone(),
                sync(json!({ "source": with(mine.clone(), json!({ "path": "x" })) })),
                Err(Code::OperationSource),
            ),
            (
                "no plugin",
                SERVER,
                was.clone(),
                sync(json!({ "source": native() })),
                Err(Code::OperationSource),
            ),
            (
                "no claim",
                SERVER,
                was.clone(),
                sync(json!({ "source": unclaimed() })),
                Err(Code::OperationSource),
            ),
            (
                "an older claim",
                SERVER,
                was.clone(),
                sync(json!({ "source": older.clone() })),
                Err(Code::ClaimOutdated),
            ),
            (
                "a claim that was never made",
                SERVER,
                was.clone(),
                sync(json!({ "source": source(&claim(9)) })),
                Err(Code::ClaimUnknown),
            ),
            (
                "a source too many",
                SERVER,
                was.clone(),
                sync(json!({ "sources": [mine.clone(), native()] })),
                Err(Code::OperationSource),
            ),
            (
                "as before",
                SERVER,
                Some(sync(json!({ "source": older.clone() }))),
                sync(json!({ "source": older.clone() })),
                Ok(()),
            ),
            (
                "changed",
                SERVER,
                Some(sync(json!({}))),
                sync(json!({ "source": older.clone() })),
                Err(Code::ClaimOutdated),
            ),
            (
                "taken back",
                SERVER,
                Some(sync(json!({ "source": older.clone() }))),
                current(),
                Ok(()),
            ),
            (
                "the spec's own, which is outdated",
                SERVER,
                Some(app(older.clone())),
                asking(app(older.clone()), json!({ "sync": { "source": older.clone() } })),
                Err(Code::ClaimOutdated),
            ),
            (
                "with the creation",
                ALICE,
                None,
                sync(json!({ "manifests": ["{}"] })),
                Err(Code::OperationSource),
            ),
            (
                "by Argo CD",
                ARGOCD,
                was.clone(),
                sync(json!({ "source": older.clone() })),
                Err(Code::ClaimOutdated),
            ),
            (
                "by our controller, an older one",
                CONTROLLER,
                was.clone(),
                sync(json!({ "source": older.clone() })),
                Err(Code::ClaimOutdated),
            ),
            (
                "by our controller",
                CONTROLLER,
                Some(app(older.clone())),
                sync(json!({ "source": mine.clone(), "revision": "main" })),
                Ok(()),
            ),
            (
                "several",
                SERVER,
                Some(many.clone()),
                of_many(json!([mine.clone(), native()])),
                Ok(()),
            ),
            (
                "several, in another order",
                SERVER,
                Some(many.clone()),
                of_many(json!([native(), mine.clone()])),
                Err(Code::OperationSource),
            ),
            (
                "several, one older",
                SERVER,
                Some(many.clone()),
                of_many(json!([older.clone(), native()])),
                Err(Code::ClaimOutdated),
            ),
            (
                "our plugin on native sources",
                SERVER,
                Some(app(native())),
                asking(app(native()), json!({ "sync": { "source": mine } })),
                Err(Code::OperationSource),
            ),
        ],
    );
}

#[test]
fn a_rollback_is_told_how_it_is_done_here() {
    let rollback = |claim: &str, by: Value| {
        let new = asking(
            current(),
            json!({ "sync": { "source": source(claim), "revision": "abc" }, "initiatedBy": by }),
        );
        denied(
            World::default().validate(&review(
                Kind::Application,
                SERVER,
                Some(&current()),
                Some(&new),
            )),
            "rollback",
        )
    };
    let alice = json!({ "username": "alice" });
    assert_eq!(
        rollback(&claim(1), alice.clone()).to_string(),
        format!(
            "the operation that alice asks for deploys the assignment 1-{}, but Stage shop:prod holds 3-{}. \
         To go back, run: wharf rollback --project shop --stage prod --to {} [claim-outdated]",
            HELD[0], HELD[2], HELD[0],
        )
    );
    assert!(
        rollback(&format!("1-{}", "9".repeat(40)), alice)
            .fix
            .starts_with("It is no longer in the Stage's history")
    );
    assert_eq!(
        rollback(&claim(1), json!({ "automated": true })).fix,
        "Argo CD looks again by itself"
    );
}

#[test]
fn a_record_of_an_operation_is_kept_by_argocd_alone() {
    let stated =
        |app: Value, state: Value| with(app, json!({ "status": { "operationState": state } }));
    let operation = |claim: usize| json!({ "sync": { "source": source(&super::claim(claim)) } });
    let running = |claim: usize| json!({ "phase": "Running", "operation": operation(claim), "startedAt": "2026-11-21T10:00:00Z" });
    let asked = asking(current(), operation(3));
    let begun = stated(asked.clone(), running(3));
    let retried = stated(asked.clone(), with(running(3), json!({ "operation": { "retry": {} } })));
    let (mut ending, mut other) = (begun.clone(), begun.clone());
    ending["status"]["operationState"]["phase"] = json!("Terminating");
    other["status"]["operationState"]["syncResult"] = json!({ "source": source(&claim(1)) });
    let moved = with(begun.clone(), json!({ "spec": { "source": source(&claim(3)) } }));
    let former = stated(asking(app(source(&claim(2))), operation(2)), running(2));
    let former_now = with(former.clone(), json!({ "spec": { "source": source(&claim(3)) } }));
    let ended =
        |phase: &str| stated(current(), json!({ "phase": phase, "operation": operation(3) }));
    check(
        &World::default(),
        vec![
            ("begun", ARGOCD, Some(asked.clone()), begun.clone(), Ok(())),
            (
                "begun, with what Argo CD fills in",
                ARGOCD,
                Some(asked.clone()),
                retried.clone(),
                Ok(()),
            ),
            (
                "going on",
                ARGOCD,
                Some(begun.clone()),
                with(begun.clone(), json!({ "status": { "operationState": { "message": "m" } } })),
                Ok(()),
            ),
            (
                "going on after the Stage moved",
                ARGOCD,
                Some(former_now.clone()),
                with(former_now, json!({ "status": { "operationState": { "message": "m" } } })),
                Ok(()),
            ),
            ("ended", ARGOCD, Some(begun.clone()), with(ended("Succeeded"), json!({})), Ok(())),
            (
                "forged by a parent",
                ARGOCD,
                Some(asked.clone()),
                stated(asked.clone(), running(1)),
                Err(Code::ClaimOutdated),
            ),
            (
                "forged manifests",
                ARGOCD,
                Some(begun.clone()),
                with(
                    begun.clone(),
                    json!({ "status": { "operationState": { "operation": { "sync": { "manifests": ["{}"] } } } } }),
                ),
                Err(Code::OperationSource),
            ),
            (
                "forged by anybody",
                ALICE,
                Some(asked.clone()),
                begun.clone(),
                Err(Code::OperationState),
            ),
            ("forged result", SERVER, Some(begun.clone()), other, Err(Code::OperationState)),
            (
                "forged by our controller",
                CONTROLLER,
                Some(asked.clone()),
                retried,
                Err(Code::OperationState),
            ),
            ("ended by anybody", ALICE, Some(begun.clone()), ending.clone(), Ok(())),
            ("ended by our controller", CONTROLLER, Some(begun.clone()), ending.clone(), Ok(())),
            (
                "ended well by anybody",
                ALICE,
                Some(begun.clone()),
                ended("Succeeded"),
                Err(Code::OperationState),
            ),
            (
                "ended and more",
                ALICE,
                Some(begun.clone()),
                with(ending, json!({ "status": { "operationState": { "message": "m" } } })),
                Err(Code::OperationState),
            ),
            ("forgotten by anybody", ALICE, Some(begun.clone()), asked, Ok(())),
            (
                "forgotten, as null",
                ALICE,
                Some(begun.clone()),
                {
                    let mut a = current();
                    a["status"] = json!({ "operationState": null });
                    a
                },
                Ok(()),
            ),
            ("untouched", ALICE, Some(begun), moved, Ok(())),
            ("put back from a backup", ALICE, None, ended("Succeeded"), Ok(())),
            ("put back while it ran", ALICE, None, ended("Running"), Err(Code::OperationState)),
            (
                "put back in no known phase",
                ALICE,
                None,
                ended("Unheard"),
                Err(Code::OperationState),
            ),
        ],
    );
}

#[test]
fn breaking_the_glass_takes_bypass_on_every_stage_concerned() {
    let broken = glass(current(), json!("INC-7"));
    let plain = naming(app(native()), Value::Null);
    let elsewhere = naming(
        with(broken.clone(), json!({ "spec": { "source": { "plugin": null } } })),
        json!("shop:dev"),
    );
    let new_words = glass(current(), json!("INC-8"));
    let rows = |verdict| -> Vec<Row<'static>> {
        vec![
            ("broken", ALICE, Some(current()), broken.clone(), verdict),
            ("broken anew", ALICE, None, broken.clone(), verdict),
            ("other words", ALICE, Some(broken.clone()), new_words.clone(), verdict),
            (
                "on a native one",
                ALICE,
                Some(app(native())),
                glass(app(native()), json!("INC-7")),
                verdict,
            ),
            (
                "broken before it was ours",
                ALICE,
                Some(glass(plain.clone(), json!("INC-7"))),
                broken.clone(),
                verdict,
            ),
        ]
    };
    check(&World::default(), rows(Err(Code::Permission)));
    check(&World::default().may(ALICE, Verb::Bypass, "shop:prod"), rows(Ok(())));
    let promoter = || World::default().may(ALICE, Verb::Promote, "shop:prod");
    check(
        &promoter().may(ALICE, Verb::Bypass, "shop:dev"),
        vec![(
            "smuggled to a Stage of one's own",
            ALICE,
            Some(current()),
            elsewhere.clone(),
            Err(Code::Permission),
        )],
    );
    check(
        &promoter().may(ALICE, Verb::Bypass, "shop:dev").may(ALICE, Verb::Bypass, "shop:prod"),
        vec![("moved by somebody who may", ALICE, Some(current()), elsewhere.clone(), Ok(()))],
    );
    check(
        &promoter().may(ALICE, Verb::Bypass, "shop:prod"),
        vec![
            (
                "carried to another's Stage",
                ALICE,
                Some(broken.clone()),
                elsewhere,
                Err(Code::Permission),
            ),
            (
                "without a reason",
                ALICE,
                Some(current()),
                glass(current(), json!(" ")),
                Err(Code::BreakGlass),
            ),
            (
                "with no Stage to lift the rules of",
                ALICE,
                None,
                glass(plain, json!("INC-7")),
                Err(Code::BreakGlass),
            ),
        ],
    );
}

#[test]
fn a_broken_glass_lifts_claims_and_operations_but_not_leaving() {
    let broken = || glass(current(), json!("INC-7"));
    let old_claim = with(broken(), json!({ "spec": { "source": source(&claim(1)) } }));
    let operation =
        asking(broken(), json!({ "sync": { "manifests": ["{}"], "source": native() } }));
    let state = with(
        broken(),
        json!({ "status": { "operationState": { "phase": "Running", "operation": {} } } }),
    );
    let world = World { live: BTreeMap::new(), cached: BTreeMap::new(), ..World::default() };
    for (world, row) in [(&World::default(), "in good times"), (&world, "with the Stage lost")] {
        check(
            world,
            vec![
                (row, ALICE, Some(broken()), old_claim.clone(), Ok(())),
                (row, SERVER, Some(broken()), operation.clone(), Ok(())),
                (row, ALICE, Some(broken()), state.clone(), Ok(())),
            ],
        );
    }
    check(
        &World::default(),
        vec![
            (
                "leaving",
                ALICE,
                Some(broken()),
                glass(app(native()), json!("INC-7")),
                Err(Code::Permission),
            ),
            (
                "no Stage",
                ALICE,
                Some(glass(naming(current(), Value::Null), json!("x"))),
                glass(naming(asking(current(), json!({})), Value::Null), json!("x")),
                Err(Code::AuthorizedStage),
            ),
            ("mended", ALICE, Some(broken()), current(), Ok(())),
            (
                "mended over an old claim",
                ALICE,
                Some(old_claim.clone()),
                glass(old_claim, Value::Null),
                Err(Code::ClaimOutdated),
            ),
            (
                "mended over an operation",
                ALICE,
                Some(operation.clone()),
                glass(operation, Value::Null),
                Err(Code::OperationSource),
            ),
        ],
    );
}

#[test]
fn every_use_of_a_broken_glass_is_told() {
    let world = World::default().may(ALICE, Verb::Bypass, "shop:prod");
    let broken = glass(current(), json!("INC-7 prod is down"));
    let used = with(broken.clone(), json!({ "spec": { "source": source(&claim(1)) } }));
    let told = |user: &str, old: &Value, new: &Value, dry_run: bool| {
        let review = Review { dry_run, ..review(Kind::Application, user, Some(old), Some(new)) };
        allowed(world.validate(&review), "told").events
    };
    let event = |user: &str| Event {
        reason: "BreakGlass",
        text: format!(
            "{user} changed the Application without the rules of Stage shop:prod: INC-7 prod is down"
        ),
    };
    assert_eq!(told(ALICE, &current(), &broken, false), [event(ALICE)]);
    assert_eq!(told("bob", &broken, &used, false), [event("bob")]);
    assert_eq!(told("bob", &broken, &used, true), []);
    assert_eq!(told("bob", &broken, &current(), false), [], "mended");
    assert_eq!(told("bob", &current(), &current(), false), [], "never broken");
}

#[test]
fn an_object_on_its_way_out_is_judged_like_any_other() {
    let dying = |app: Value| {
        with(app, json!({ "metadata": { "deletionTimestamp": "2026-11-21T10:00:00Z" } }))
    };
    check(
        &World::default(),
        vec![
            (
                "a claim",
                ALICE,
                Some(dying(current())),
                dying(app(source(&claim(1)))),
                Err(Code::ClaimOutdated),
            ),
            ("leaving", ALICE, Some(dying(current())), dying(app(native())), Err(Code::Permission)),
        ],
    );
}

#[test]
fn what_cant_be_read_is_denied() {
    check(
        &World::default(),
        vec![
            (
                "sources",
                ALICE,
                None,
                with(current(), json!({ "spec": { "sources": "x" } })),
                Err(UNREADABLE),
            ),
            (
                "annotations",
                ALICE,
                None,
                with(current(), json!({ "metadata": { "annotations": { "a": 1 } } })),
                Err(UNREADABLE),
            ),
            (
                "operation",
                ALICE,
                Some(current()),
                asking(current(), json!({ "sync": { "sources": [1] } })),
                Err(UNREADABLE),
            ),
            (
                "before",
                ALICE,
                Some(with(current(), json!({ "status": { "history": 1 } }))),
                current(),
                Err(UNREADABLE),
            ),
        ],
    );
}
