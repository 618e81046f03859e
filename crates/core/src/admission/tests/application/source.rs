use super::*;

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
        &World::default().ruled(json!({ "freely": ["sources"] })),
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
fn what_cant_be_read_is_denied() {
    check(
        &World::default(),
        vec![
            (
                "sources",
                ALICE,
                None,
                with(current(), json!({ "spec": { "sources": "x" } })),
                Err(Code::Unreadable),
            ),
            (
                "what is everybody's to change",
                ALICE,
                Some(current()),
                with(current(), json!({ "spec": { "revisionHistoryLimit": "x" } })),
                Err(Code::Unreadable),
            ),
            (
                "annotations",
                ALICE,
                None,
                with(current(), json!({ "metadata": { "annotations": { "a": 1 } } })),
                Err(Code::Unreadable),
            ),
            (
                "operation",
                ALICE,
                Some(current()),
                asking(current(), json!({ "sync": { "sources": [1] } })),
                Err(Code::Unreadable),
            ),
            (
                "status",
                ARGOCD,
                Some(current()),
                with(current(), json!({ "status": { "history": 1 } })),
                Err(Code::Unreadable),
            ),
            (
                "before",
                ALICE,
                Some(with(current(), json!({ "spec": { "sources": "x" } }))),
                current(),
                Err(Code::Unreadable),
            ),
            (
                "a status before, which goes",
                ALICE,
                Some(with(current(), json!({ "status": { "history": 1 } }))),
                current(),
                Ok(()),
            ),
            (
                "a status before, which stays",
                ALICE,
                Some(with(current(), json!({ "status": { "history": 1 } }))),
                asking(
                    with(current(), json!({ "status": { "history": 1 } })),
                    json!({ "sync": {} }),
                ),
                Err(Code::Unreadable),
            ),
        ],
    );
}
