use super::*;

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
                glass(operation.clone(), Value::Null),
                Err(Code::OperationSource),
            ),
        ],
    );
    let mended = glass(operation.clone(), Value::Null);
    let review = review(Kind::Application, ALICE, Some(&operation), Some(&mended));
    let told = denied(World::default().validate(&review), "mended over an operation").fix;
    assert!(told.contains("when that operation has ended"), "{told}");
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
        warning: true,
        annotations: BTreeMap::new(),
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
