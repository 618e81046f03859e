use super::*;

const CHART: &str = "https://charts";

fn two(one: Value, other: Value) -> Value {
    with(current(), json!({ "spec": { "source": null, "sources": [one, other] } }))
}

/// What differs, before, after, and the freedom that allows it.
fn changes() -> Vec<(&'static str, Value, Value, &'static str)> {
    let mine = || source(&claim(3));
    let chart = || json!({ "repoURL": CHART, "chart": "redis", "targetRevision": "1.0.0" });
    let spec = |spec: Value| with(current(), json!({ "spec": spec }));
    let second = |patch: Value| two(mine(), with(native(), patch));
    let parameters = |list: Value| spec(json!({ "source": { "plugin": { "parameters": list } } }));
    vec![
        (
            "destination",
            current(),
            spec(json!({ "destination": { "namespace": "x" } })),
            "destination",
        ),
        (
            "a namespace goes",
            spec(json!({ "destination": { "namespace": "x" } })),
            current(),
            "destination",
        ),
        (
            "what is ignored",
            current(),
            spec(
                json!({ "ignoreDifferences": [{ "kind": "Deployment", "jsonPointers": ["/spec"] }] }),
            ),
            "ignoreDifferences",
        ),
        ("AppProject", current(), spec(json!({ "project": "x" })), "project"),
        ("path", current(), spec(json!({ "source": { "path": "x" } })), "path"),
        (
            "repository",
            current(),
            spec(json!({ "source": { "repoURL": "https://git/x.git" } })),
            "repository",
        ),
        ("revision", current(), spec(json!({ "source": { "targetRevision": "x" } })), "revision"),
        (
            "a parameter",
            current(),
            parameters(json!([{ "name": "replicas", "string": "3" }])),
            "parameters",
        ),
        (
            "a parameter, emptied",
            parameters(json!([{ "name": "a" }])),
            parameters(json!([{ "name": "a", "string": "" }])),
            "parameters",
        ),
        (
            "helm of a sibling",
            second(json!({})),
            second(json!({ "helm": { "values": "a: 1" } })),
            "parameters",
        ),
        (
            "images of a sibling",
            second(json!({})),
            second(json!({ "kustomize": { "images": ["a=b:c"] } })),
            "parameters",
        ),
        (
            "a sibling is a directory",
            second(json!({})),
            second(json!({ "directory": {} })),
            "parameters",
        ),
        (
            "plugin of a sibling",
            second(json!({ "plugin": { "name": "x" } })),
            second(json!({ "plugin": { "name": "y" } })),
            "parameters",
        ),
        (
            "environment of a sibling",
            second(json!({ "plugin": { "name": "x" } })),
            second(json!({ "plugin": { "name": "x", "env": [{ "name": "A", "value": "b" }] } })),
            "parameters",
        ),
        ("path of a sibling", second(json!({})), second(json!({ "path": "x" })), "path"),
        (
            "revision of a sibling",
            second(json!({})),
            second(json!({ "targetRevision": "x" })),
            "revision",
        ),
        (
            "reference of a sibling",
            second(json!({})),
            second(json!({ "ref": "values" })),
            "sources",
        ),
        ("another source", current(), two(mine(), native()), "sources"),
        ("a source goes", two(mine(), native()), current(), "sources"),
        ("the order", two(mine(), native()), two(native(), mine()), "sources"),
        (
            "a sibling becomes ours",
            two(mine(), chart()),
            two(
                mine(),
                with(
                    chart(),
                    json!({ "plugin": { "name": PLUGIN, "env": mine()["plugin"]["env"] } }),
                ),
            ),
            "sources",
        ),
    ]
}

#[test]
fn what_is_deployed_besides_changes_by_permission_or_as_the_project_lets() {
    for (what, old, new, freedom) in changes() {
        let row = |user, verdict| vec![(what, user, Some(old.clone()), new.clone(), verdict)];
        for user in [ALICE, SERVER, ARGOCD] {
            check(&World::default(), row(user, Err(Code::Permission)));
            check(&World::default().ruled(json!({ "freely": [freedom] })), row(user, Ok(())));
        }
        let world = World::default()
            .ruled(json!({ "freely": [if freedom == "path" { "project" } else { "path" }] }));
        check(&world, row(ALICE, Err(Code::Permission)));
        check(&World::default().may(ALICE, Verb::Promote, "shop:prod"), row(ALICE, Ok(())));
        check(
            &World::default().may(ARGOCD, Verb::Promote, "shop:prod"),
            row(ARGOCD, Err(Code::Permission)),
        );
        let told = |app: &Value| glass(app.clone(), json!("fire"));
        check(&World::default(), vec![("glass", ALICE, Some(told(&old)), told(&new), Ok(()))]);
    }
}

#[test]
fn one_freedom_does_not_lend_itself_to_another() {
    let world = World::default().ruled(json!({ "freely": ["path"] }));
    let both = with(current(), json!({ "spec": { "source": { "path": "x", "repoURL": "y" } } }));
    let denied = denied(
        world.validate(&review(Kind::Application, ALICE, Some(&current()), Some(&both))),
        "both",
    );
    assert!(denied.text.contains("spec.source.repoURL"), "{denied}");
    assert!(
        denied
            .fix
            .ends_with("in the ProjectConfig of shop, spec: {wharfinger: {freely: [repository]}}"),
        "{denied}"
    );
}

#[test]
fn a_field_that_nobody_has_looked_at_is_nobodys() {
    let all = json!({ "freely": ["destination", "ignoreDifferences", "parameters", "path", "project", "repository", "revision", "sources"] });
    let world = World::default().ruled(all);
    for patch in [
        json!({ "overlay": { "image": "x" } }),
        json!({ "syncPolicy": { "patches": ["x"] } }),
        json!({ "source": { "inline": "x" } }),
        json!({ "source": { "plugin": { "image": "x" } } }),
    ] {
        let new = with(current(), json!({ "spec": patch }));
        check(&world, vec![("unheard of", ALICE, Some(current()), new, Err(Code::Permission))]);
    }
}

#[test]
fn the_guard_is_for_applications_that_are_rendered_with_freight_and_stay_so() {
    let moved = |app: Value| with(app, json!({ "spec": { "destination": { "namespace": "x" } } }));
    let dev = |app: Value| naming(app, json!("shop:dev"));
    check(
        &World::default(),
        vec![
            ("native", ALICE, Some(app(native())), moved(app(native())), Ok(())),
            ("joins", ALICE, Some(app(native())), moved(current()), Ok(())),
            ("created", ALICE, None, moved(current()), Ok(())),
            (
                "claims nothing yet",
                ALICE,
                Some(dev(app(unclaimed()))),
                moved(dev(app(unclaimed()))),
                Err(Code::Permission),
            ),
        ],
    );
    let mut world = World::default();
    world.cached.clear();
    check(
        &world,
        vec![(
            "gone from the cache",
            ALICE,
            Some(current()),
            moved(current()),
            Err(Code::Permission),
        )],
    );
    world.live.clear();
    let elsewhere = with(current(), json!({ "spec": { "source": { "path": "x" } } }));
    check(
        &world,
        vec![
            ("gone", ALICE, Some(current()), moved(current()), Ok(())),
            ("gone, its source", ALICE, Some(current()), elsewhere, Ok(())),
        ],
    );
}

#[test]
fn what_the_freight_pins_comes_with_it() {
    let mut world = World::default();
    world.pins("3f2a");
    let old = app(source(&claim(2)));
    let pinned = |patch: Value| {
        with(
            app(source(&claim(3))),
            json!({ "spec": { "source": with(json!({ "targetRevision": "3f2a" }), patch) } }),
        )
    };
    check(
        &world,
        vec![
            ("the pin", ALICE, Some(old.clone()), pinned(json!({})), Ok(())),
            (
                "and more",
                ALICE,
                Some(old.clone()),
                pinned(json!({ "path": "x" })),
                Err(Code::Permission),
            ),
            ("our controller", CONTROLLER, Some(old), pinned(json!({})), Ok(())),
        ],
    );
}
