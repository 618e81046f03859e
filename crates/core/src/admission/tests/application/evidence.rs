use super::*;

fn told(app: Value, status: Value) -> Value {
    with(app, json!({ "status": status }))
}

fn entry(generation: usize) -> Value {
    json!([{ "id": 1, "revision": "abc", "deployedAt": "2026-11-21T10:00:00Z", "source": source(&claim(generation)) }])
}

#[test]
fn a_status_is_argocds() {
    let before = || {
        told(
            current(),
            json!({ "history": entry(2), "sync": { "status": "Synced", "comparedTo": { "source": source(&claim(2)) } }, "summary": {} }),
        )
    };
    let history = |generations: &[usize]| {
        let entries: Vec<_> = generations.iter().map(|g| entry(*g)[0].clone()).collect();
        told(current(), json!({ "history": entries }))
    };
    let rows = |user, verdict: Result<(), Code>| -> Vec<Row<'static>> {
        let write = |status: Value| told(before(), status);
        vec![
            ("history", user, Some(before()), write(json!({ "history": entry(3) })), verdict),
            (
                "history, first",
                user,
                Some(current()),
                write(json!({ "history": entry(3) })),
                verdict,
            ),
            (
                "sync",
                user,
                Some(before()),
                write(json!({ "sync": { "status": "OutOfSync" } })),
                verdict,
            ),
            (
                "health",
                user,
                Some(before()),
                write(json!({ "health": { "status": "Healthy" } })),
                verdict,
            ),
            ("sourceType", user, Some(before()), write(json!({ "sourceType": "Plugin" })), verdict),
            ("unheard of", user, Some(before()), write(json!({ "proof": "x" })), verdict),
            ("history goes", user, Some(before()), write(json!({ "history": null })), Ok(())),
            ("some history goes", user, Some(history(&[1, 2, 1])), history(&[1, 1]), Ok(())),
            ("history in another order", user, Some(history(&[1, 2])), history(&[2, 1]), verdict),
            ("history twice", user, Some(history(&[1, 2])), history(&[1, 2, 2]), verdict),
            ("all goes", user, Some(before()), current(), Ok(())),
            ("what is empty goes", user, Some(before()), write(json!({ "summary": null })), Ok(())),
            (
                "what argocd-server fills in",
                user,
                Some(before()),
                write(json!({ "resources": [{ "kind": "Deployment", "health": {} }] })),
                Ok(()),
            ),
            ("put back", user, None, before(), Ok(())),
        ]
    };
    for user in [ALICE, SERVER, CONTROLLER] {
        check(&World::default(), rows(user, Err(Code::StatusGuard)));
    }
    check(&World::default(), rows(ARGOCD, Ok(())));
    let promoter = World::default().may(ALICE, Verb::Promote, "shop:prod");
    check(&promoter, rows(ALICE, Err(Code::StatusGuard)));
}

/// What a status may tell by: the field, and the status.
fn each(generation: usize) -> [(&'static str, Value); 4] {
    let source = source(&claim(generation));
    [
        ("status.history", json!({ "history": entry(generation) })),
        (
            "status.sync.comparedTo",
            json!({ "sync": { "status": "Synced", "comparedTo": { "source": source } } }),
        ),
        (
            "status.operationState.syncResult",
            json!({ "operationState": { "phase": "Succeeded", "syncResult": { "sources": [source] } } }),
        ),
        (
            "status.operationState.operation",
            json!({ "operationState": { "phase": "Failed", "operation": { "sync": { "source": source } } } }),
        ),
    ]
}

#[test]
fn who_joins_brings_no_proof_of_what_is_or_is_to_come() {
    let annotated = |app| naming(app, json!("shop:prod"));
    for (generation, verdict) in
        [(2, Ok(())), (3, Err(Code::StatusGuard)), (4, Err(Code::StatusGuard))]
    {
        for (field, status) in each(generation) {
            let new = told(current(), status.clone());
            let stranger = told(naming(app(native()), Value::Null), status.clone());
            let native = told(annotated(app(native())), status);
            let elsewhere = naming(new.clone(), json!("shop:dev"));
            let world = World::default().may(ALICE, Verb::Promote, "shop:dev");
            let row = |row, old: Option<&Value>| (row, ALICE, old.cloned(), new.clone(), verdict);
            check(
                &world,
                vec![
                    row("created", None),
                    row("named", Some(&stranger)),
                    row("the plugin comes", Some(&native)),
                    row("from another Stage", Some(&elsewhere)),
                ],
            );
            if verdict.is_ok() {
                continue;
            }
            // A record of older Freight would not pass either, for what it goes on to deploy.
            check(&world, vec![("a parent", ARGOCD, None, new.clone(), verdict)]);
            let denial = |old: Option<&Value>| {
                let review = review(Kind::Application, ALICE, old, Some(&new));
                let check = denied(World::default().validate(&review), field);
                assert!(check.text.contains(field), "it names the field: {check}");
                check.fix
            };
            let remove = "Remove status: only Argo CD writes it, and finds it out again";
            assert_eq!(denial(None), remove);
            let part = field.split('.').nth(1).unwrap();
            let fix =
                format!("Set status.{part} to null in the same write: only Argo CD writes it");
            assert_eq!(denial(Some(&stranger)), fix);
            let done = told(new.clone(), json!({ part: null }));
            check(&World::default(), vec![("as it says", ALICE, Some(stranger), done, Ok(()))]);
        }
    }
}

#[test]
fn what_a_status_tells_is_held_against_the_stage_as_it_is() {
    let created = |row, generation, verdict| {
        (row, ALICE, None, told(current(), json!({ "history": entry(generation) })), verdict)
    };
    let refused = Err(Code::StatusGuard);
    let mut world = World::default();
    world.cached.insert("shop:prod", stage("prod", 2));
    check(&world, vec![created("was now", 2, Ok(())), created("is now", 3, refused)]);
    world.live.clear();
    world.cached.clear();
    let history = json!({ "history": entry(4) });
    let missing = naming(told(app(unclaimed()), history), json!("shop:prod"));
    check(&world, vec![("no Stage", ALICE, None, missing, refused)]);
}

#[test]
fn what_came_while_the_rules_were_lifted_tells_of_nothing_to_come() {
    let mut rows = vec![];
    for (generation, verdict) in [(3, Ok(())), (4, Err(Code::StatusGuard))] {
        for (_, status) in each(generation) {
            let new = told(current(), status);
            let old = glass(new.clone(), json!("fire"));
            rows.push(("mended", ALICE, Some(old), new.clone(), verdict));
            let moved = with(new.clone(), json!({ "spec": { "project": "other" } }));
            rows.push(("of another AppProject before", ALICE, Some(moved), new, verdict));
        }
    }
    let world = World::default().may(ALICE, Verb::Promote, "shop:prod");
    check(&world, rows.clone());
    // With the Stage gone it has to be put right.
    let mut gone = World::default();
    gone.cached.clear();
    gone.live.clear();
    for row in &mut rows {
        row.4 = Ok(());
    }
    check(&gone, rows);
}
