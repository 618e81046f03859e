use super::*;

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
    let consenting = app(native());
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
                Some(consenting.clone()),
                naming(consenting.clone(), Value::Null),
                verdict,
            ),
            (
                "the annotation is emptied, native",
                ALICE,
                Some(consenting.clone()),
                naming(consenting.clone(), json!("")),
                verdict,
            ),
            (
                "another Stage, native",
                ALICE,
                Some(consenting.clone()),
                naming(consenting.clone(), json!("shop:dev")),
                verdict,
            ),
            (
                "one of two Stages goes",
                ALICE,
                Some(naming(consenting.clone(), json!("shop:dev,shop:prod"))),
                naming(consenting.clone(), json!("shop:dev")),
                verdict,
            ),
            (
                "annotation and plugin go",
                ALICE,
                Some(current()),
                naming(app(native()), Value::Null),
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
                with(current(), json!({ "spec": { "sources": [native()] } })),
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
                app(native()),
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
        &World::default().ruled(json!({ "freely": ["sources"] })),
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
                naming(app(native()), Value::Null),
                Ok(()),
            ),
            (
                "the Stage is gone, native",
                ALICE,
                Some(consenting.clone()),
                naming(consenting, json!("shop:x")),
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
fn whom_the_project_lets_release_may_take_applications_away() {
    let released = |users: [&str; 2]| {
        let spec = json!({ "wharfinger": { "releasedBy": users } });
        BTreeMap::from([("shop", serde_json::from_value(spec).unwrap())])
    };
    let leaves = |user| ("leaves", user, Some(current()), naming(app(native()), Value::Null));
    let row = |user, expected| {
        let (what, user, old, new) = leaves(user);
        vec![(what, user, old, new, expected)]
    };
    let listed = World {
        configs: [released([ALICE, ARGOCD]), released([ALICE, ARGOCD])],
        ..World::default()
    };
    check(&listed, row(ALICE, Ok(())));
    check(&listed, row(ARGOCD, Ok(())));
    check(&listed, row("bob", Err(Code::Permission)));
    let taken_off =
        World { configs: [released([ALICE, ARGOCD]), released(["x", "y"])], ..World::default() };
    check(&taken_off, row(ALICE, Err(Code::Permission)));
}
