use super::*;

#[test]
fn a_project_takes_the_applications_it_names() {
    let rules = |selectors: Value| World::default().ruled(json!({ "applications": selectors }));
    let joined = || naming(current(), Value::Null);
    let other = || with(current(), json!({ "spec": { "project": "other" } }));
    let rows = |verdict: Result<(), Code>| -> Vec<Row<'static>> {
        vec![
            ("created", SERVER, None, current(), verdict),
            ("created, native", ALICE, None, app(native()), verdict),
            ("annotated", ALICE, Some(joined()), current(), verdict),
            (
                "annotated with one more",
                ALICE,
                Some(naming(app(native()), json!("shop:dev"))),
                naming(app(native()), json!("shop:dev,shop:prod")),
                verdict,
            ),
            ("plugged in", ALICE, Some(app(native())), current(), verdict),
            ("by Argo CD", ARGOCD, Some(app(native())), current(), verdict),
            (
                "of another AppProject before",
                ALICE,
                Some(with(app(native()), json!({ "spec": { "project": "other" } }))),
                app(native()),
                verdict,
            ),
            (
                "changed in something else",
                ALICE,
                Some(current()),
                with(current(), json!({ "spec": { "info": [{ "name": "a", "value": "b" }] } })),
                Ok(()),
            ),
        ]
    };
    for yes in [
        json!([]),
        json!([{}]),
        json!([{ "name": "shop" }]),
        json!([{ "namespace": "argo*", "project": "default", "name": "sh?p" }]),
        json!([{ "name": "web" }, { "name": "{shop,stall}" }]),
    ] {
        check(&rules(yes), rows(Ok(())));
    }
    for no in [
        json!([{ "name": "web" }]),
        json!([{ "name": "shop", "namespace": "team-*" }]),
        json!([{ "name": "shop", "project": "other" }]),
        json!([{ "name": "sho" }]),
        json!([{ "name": "[shop" }]),
    ] {
        check(&rules(no), rows(Err(Code::Joining)));
    }
    let moved = rules(json!([{ "project": "default" }])).may(ALICE, Verb::Promote, "shop:prod");
    check(
        &moved,
        vec![("moves to another AppProject", ALICE, Some(current()), other(), Err(Code::Joining))],
    );
    let absent = with(app(native()), json!({ "spec": { "project": null } }));
    check(
        &rules(json!([{ "project": "default" }])),
        vec![("no AppProject", ALICE, None, absent, Ok(()))],
    );
}

#[test]
fn a_denial_says_what_to_add() {
    let world = World::default().ruled(json!({ "applications": [{ "name": "web" }] }));
    let check = denied(
        world.validate(&review(Kind::Application, ALICE, None, Some(&current()))),
        "joining",
    );
    assert!(
        check.fix.contains(r#"{namespace: "argocd", project: "default", name: "shop"}"#),
        "{check}"
    );
    // Whoever owns the Project pastes it: a name that somebody made up is a text there, whatever it looks like.
    let odd = "x}, {namespace: \"*\", name: ";
    for (project, shown) in
        [("null", r#"project: "null","#), (odd, r#"project: "x}, {namespace: \"*\", name: ","#)]
    {
        let app = with(current(), json!({ "spec": { "project": project } }));
        let check =
            denied(world.validate(&review(Kind::Application, ALICE, None, Some(&app))), project);
        assert!(check.fix.contains(shown), "{check}");
    }
}

#[test]
fn the_rules_of_now_count() {
    let strict: ProjectConfigSpec =
        object(json!({ "wharfinger": { "applications": [{ "name": "web" }] } }));
    let mut world = World::default();
    world.configs[1] = BTreeMap::from([("shop", strict)]);
    check(&world, vec![("stricter than the cache", ALICE, None, current(), Err(Code::Joining))]);
}

#[test]
fn glass_lifts_it() {
    let world = World::default().ruled(json!({ "applications": [{ "name": "web" }] })).may(
        ALICE,
        Verb::Bypass,
        "shop:prod",
    );
    check(&world, vec![("glass", ALICE, None, glass(current(), json!("fire")), Ok(()))]);
}
