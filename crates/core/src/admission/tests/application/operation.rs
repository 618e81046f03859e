use super::*;

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
                Err(Code::Permission),
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
    let older =
        |phase: &str| stated(current(), json!({ "phase": phase, "operation": operation(2) }));
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
            ("put back from a backup", ALICE, None, older("Succeeded"), Ok(())),
            ("put back while it ran", ALICE, None, older("Running"), Err(Code::OperationState)),
            (
                "put back in no known phase",
                ALICE,
                None,
                older("Unheard"),
                Err(Code::OperationState),
            ),
        ],
    );
}

#[test]
fn an_operation_deploys_the_revision_that_spec_or_freight_name() {
    let sync = |app: &Value, sync: Value| asking(app.clone(), json!({ "sync": sync }));
    let revision = |revision: &str| sync(&current(), json!({ "revision": revision }));
    let many = with(
        current(),
        json!({ "spec": { "source": null, "sources": [native(), source(&claim(3))] } }),
    );
    let revisions = |list: Value| sync(&many, json!({ "revisions": list }));
    let rows = |user, others: Result<(), Code>| -> Vec<Row<'static>> {
        vec![
            ("none", user, Some(current()), revision(""), Ok(())),
            ("the spec's", user, Some(current()), revision("main"), Ok(())),
            ("another", user, Some(current()), revision("abc"), others),
            ("several", user, Some(many.clone()), revisions(json!(["main", ""])), Ok(())),
            ("several, another", user, Some(many.clone()), revisions(json!(["", "abc"])), others),
            (
                "several, another native",
                user,
                Some(many.clone()),
                revisions(json!(["abc"])),
                others,
            ),
        ]
    };
    let world = World::default;
    check(&world(), rows(ALICE, Err(Code::Permission)));
    // What it stood for.
    check(&world(), rows(ARGOCD, Ok(())));
    check(&world(), rows(SERVER, Ok(())));
    check(&world(), rows("system:serviceaccount:argocd-x:argocd-server", Err(Code::Permission)));
    check(&world().ruled(json!({ "freely": ["revision"] })), rows(ALICE, Ok(())));
    check(&world().may(ALICE, Verb::Promote, "shop:prod"), rows(ALICE, Ok(())));

    let mut pinning = world().may(ALICE, Verb::Promote, "shop:prod");
    pinning.pins("3f2a");
    let pinned = with(current(), json!({ "spec": { "source": { "targetRevision": "3f2a" } } }));
    for user in [ALICE, ARGOCD, SERVER] {
        check(
            &pinning,
            vec![
                (
                    "the pin",
                    user,
                    Some(pinned.clone()),
                    sync(&pinned, json!({ "revision": "3f2a" })),
                    Ok(()),
                ),
                (
                    "past the pin",
                    user,
                    Some(pinned.clone()),
                    sync(&pinned, json!({ "revision": "abc" })),
                    Err(Code::WrongRevision),
                ),
            ],
        );
    }
}

#[test]
fn argocd_goes_on_from_the_sources_of_the_operation() {
    let begun = |app: Value, operation: Value, result: Value| {
        with(
            app,
            json!({ "operation": operation, "status": { "operationState": {
                "phase": "Running", "operation": operation, "syncResult": result } } }),
        )
    };
    let mine = source(&claim(3));
    let explicit = json!({ "sync": { "source": mine } });
    let plain = json!({ "sync": { "prune": true } });
    let of = |source: Value| json!({ "source": source, "revision": "abc" });
    let elsewhere = with(native(), json!({ "path": "elsewhere" }));
    let compared = with(
        current(),
        json!({ "status": { "sync": { "status": "Synced", "comparedTo": { "source": elsewhere } } } }),
    );
    let none = Value::Null;
    check(
        &World::default(),
        vec![
            (
                "its own",
                ARGOCD,
                Some(begun(current(), explicit.clone(), none.clone())),
                begun(current(), explicit.clone(), of(mine.clone())),
                Ok(()),
            ),
            (
                "the spec's",
                ARGOCD,
                Some(begun(current(), plain.clone(), none.clone())),
                begun(current(), plain.clone(), of(mine.clone())),
                Ok(()),
            ),
            (
                "what the spec was",
                ARGOCD,
                Some(begun(compared.clone(), plain.clone(), none.clone())),
                begun(compared, plain.clone(), of(elsewhere.clone())),
                Ok(()),
            ),
            (
                "as before",
                ARGOCD,
                Some(begun(current(), explicit.clone(), of(elsewhere.clone()))),
                begun(
                    current(),
                    explicit.clone(),
                    with(of(elsewhere.clone()), json!({ "revision": "d" })),
                ),
                Ok(()),
            ),
            (
                "others than its own",
                ARGOCD,
                Some(begun(current(), explicit.clone(), none.clone())),
                begun(current(), explicit.clone(), of(elsewhere.clone())),
                Err(Code::OperationState),
            ),
            (
                "others than the spec's",
                ARGOCD,
                Some(begun(current(), plain.clone(), of(mine.clone()))),
                begun(current(), plain.clone(), of(source(&claim(2)))),
                Err(Code::OperationState),
            ),
            (
                "more than its own",
                ARGOCD,
                Some(begun(current(), explicit.clone(), none)),
                begun(current(), explicit, json!({ "sources": [mine, elsewhere] })),
                Err(Code::OperationState),
            ),
        ],
    );
}

#[test]
fn what_argocd_renders_without_the_plugin_is_not_deployed() {
    let compared = |app: Value, status: Value| with(app, json!({ "status": status }));
    let sync = |source: Value| json!({ "status": "OutOfSync", "comparedTo": source });
    let one = |kind: &str| {
        let of = json!({ "source": source(&claim(3)) });
        compared(current(), json!({ "sync": sync(of), "sourceType": kind }))
    };
    let asked = |app: &Value| asking(app.clone(), json!({ "sync": {} }));
    let many = json!({ "sources": [native(), source(&claim(3))] });
    let several = |kinds: [&str; 2]| {
        let app = with(current(), json!({ "spec": with(json!({ "source": null }), many.clone()) }));
        compared(app, json!({ "sync": sync(many.clone()), "sourceTypes": kinds }))
    };
    let before = compared(
        current(),
        json!({ "sync": sync(json!({ "source": native() })), "sourceType": "Directory" }),
    );
    let rows = [
        ("as Helm", one("Helm"), Err(Code::RenderedNatively)),
        ("as it should", one("Plugin"), Ok(())),
        ("not at all", one(""), Ok(())),
        ("one of several", several(["Directory", "Directory"]), Err(Code::RenderedNatively)),
        ("as several should", several(["Directory", "Plugin"]), Ok(())),
        ("before it had the plugin", before, Ok(())),
    ];
    for (what, app, verdict) in rows {
        for user in [ALICE, ARGOCD, SERVER] {
            check(&World::default(), vec![(what, user, Some(app.clone()), asked(&app), verdict)]);
        }
    }
}
