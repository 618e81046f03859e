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

#[test]
fn who_joins_brings_no_proof_of_what_is_to_come() {
    let compared =
        json!({ "sync": { "status": "Synced", "comparedTo": { "source": source(&claim(4)) } } });
    let ended = json!({ "operationState": { "phase": "Succeeded", "syncResult": { "source": source(&claim(4)) } } });
    let history = json!({ "history": entry(4) });
    let mut rows = vec![];
    for status in [compared, ended, history.clone()] {
        rows.push((
            "created",
            ALICE,
            None,
            told(current(), status.clone()),
            Err(Code::StatusGuard),
        ));
        let joined = told(naming(app(native()), Value::Null), status.clone());
        rows.push(("joined", ALICE, Some(joined), told(current(), status), Err(Code::StatusGuard)));
    }
    rows.push(("of now", ALICE, None, told(current(), json!({ "history": entry(3) })), Ok(())));
    check(&World::default(), rows);
    // The cache is behind.
    let mut world = World::default();
    world.live.insert("shop:prod", stage("prod", 3));
    world.cached.insert("shop:prod", stage("prod", 2));
    check(
        &world,
        vec![("behind", ALICE, None, told(current(), json!({ "history": entry(3) })), Ok(()))],
    );
    let missing = naming(told(app(unclaimed()), history), json!("shop:prod"));
    world.live.clear();
    world.cached.clear();
    check(&world, vec![("no Stage", ALICE, None, missing, Err(Code::StatusGuard))]);
}
