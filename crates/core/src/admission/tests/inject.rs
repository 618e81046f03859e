use wharfinger_api::additions::BREAK_GLASS;

use super::*;

/// What is written in place of `new`; nothing where it is left alone.
#[track_caller]
fn injected(world: &World, user: &str, old: Option<&Value>, new: &Value) -> Option<Value> {
    allowed(world.mutate(&review(Kind::Application, user, old, Some(new))), "mutated").object
}

fn warnings(world: &World, old: Option<&Value>, new: &Value) -> Vec<String> {
    allowed(world.mutate(&review(Kind::Application, "alice", old, Some(new))), "mutated").warnings
}

#[test]
fn the_claim_is_put_into_every_source_of_ours() {
    let world = World::default();
    let current = app(source(&claim(3)));
    let many = |a: Value, b: Value, c: Value| {
        with(app(native()), json!({ "spec": { "source": null, "sources": [a, b, c] } }))
    };
    let moved = with(
        current.clone(),
        json!({ "metadata": { "annotations": { AUTHORIZED_STAGE: "shop:prod" } }, "spec": { "source": {
        "plugin": { "env": [{ "name": "OTHER", "value": "x" }, { "name": ENV_FREIGHT, "value": "latest" }, { "name": ENV_STAGE, "value": "shop:dev" }] } } } }),
    );
    for (row, new, expected) in [
        ("none", app(unclaimed()), Some(current.clone())),
        ("older", app(source(&claim(1))), Some(current.clone())),
        ("the one", current.clone(), None),
        ("never made", app(source(&claim(4))), None),
        ("native", app(native()), None),
        ("no Stage", with(app(unclaimed()), json!({ "metadata": { "annotations": null } })), None),
        (
            "two Stages",
            with(
                app(unclaimed()),
                json!({ "metadata": { "annotations": { AUTHORIZED_STAGE: "shop:prod,shop:dev" } } }),
            ),
            None,
        ),
        (
            "a Stage that holds nothing",
            with(
                app(unclaimed()),
                json!({ "metadata": { "annotations": { AUTHORIZED_STAGE: "shop:dev" } } }),
            ),
            None,
        ),
        (
            "a Stage that is not there",
            with(
                app(unclaimed()),
                json!({ "metadata": { "annotations": { AUTHORIZED_STAGE: "shop:no" } } }),
            ),
            None,
        ),
        (
            "several",
            many(unclaimed(), native(), source(&claim(2))),
            Some(many(source(&claim(3)), native(), source(&claim(3)))),
        ),
        (
            "with a broken glass",
            with(
                app(source(&claim(1))),
                json!({ "metadata": { "annotations": { BREAK_GLASS: "x" } } }),
            ),
            None,
        ),
        ("not to be read", with(app(unclaimed()), json!({ "spec": { "sources": "x" } })), None),
        (
            "another's, and no claim at all",
            moved,
            Some(with(
                current.clone(),
                json!({ "spec": { "source": { "plugin": { "env": [
            { "name": "OTHER", "value": "x" }, { "name": ENV_FREIGHT, "value": claim(3) }, { "name": ENV_STAGE, "value": "shop:prod" }] } } } }),
            )),
        ),
    ] {
        assert_eq!(injected(&world, "alice", None, &new), expected, "{row}");
        assert_eq!(injected(&world, ARGOCD, Some(&current), &new), expected, "{row}, on update");
        assert_eq!(
            injected(&world, CONTROLLER, Some(&current), &new),
            None,
            "{row}, by our controller"
        );
        if let Some(expected) = expected {
            assert_eq!(injected(&world, "alice", None, &expected), None, "{row}, again");
        }
    }
}

#[test]
fn only_the_spec_is_touched() {
    let new = with(
        app(unclaimed()),
        json!({
            "unknown": [1, 2.5, null],
            "operation": { "sync": { "source": source(&claim(1)) } },
            "spec": { "syncPolicy": {}, "info": [] },
            "status": { "operationState": null },
        }),
    );
    let mut object = injected(&World::default(), "alice", None, &new).unwrap();
    object["spec"]["source"] = new["spec"]["source"].clone();
    assert_eq!(object, new);
}

#[test]
fn a_cache_that_is_behind_undoes_nothing() {
    let mut behind = World::default();
    behind.cached.insert("shop:prod", stage("prod", 2));
    let (current, older, bare) = (app(source(&claim(3))), app(source(&claim(2))), app(unclaimed()));
    assert_eq!(injected(&behind, "alice", Some(&older), &current), None, "shown by the write");
    assert_eq!(
        injected(&behind, "alice", Some(&current), &bare),
        Some(current.clone()),
        "shown by what was there"
    );
    let operation =
        with(older.clone(), json!({ "operation": { "sync": { "source": source(&claim(3)) } } }));
    assert_eq!(
        injected(&behind, "alice", Some(&older), &operation).unwrap()["spec"],
        current["spec"],
        "shown by the operation"
    );
    // A new Application shows nothing that could be newer, so the Stage is always read.
    assert_eq!(injected(&behind, "alice", None, &bare), Some(current.clone()), "created");
    behind.cached.clear();
    assert_eq!(
        injected(&behind, "alice", None, &bare),
        Some(current.clone()),
        "not in the cache at all"
    );
    behind.cached.insert("shop:prod", stage("prod", 0));
    assert_eq!(
        injected(&behind, "alice", None, &bare),
        Some(current),
        "without an assignment in the cache"
    );
}

#[test]
fn a_restored_stage_is_behind_its_applications() {
    let mut restored = World::default();
    restored.cached.insert("shop:prod", stage("prod", 2));
    restored.live.insert("shop:prod", stage("prod", 2));
    let (old, bare) = (app(source(&claim(3))), app(unclaimed()));
    assert_eq!(injected(&restored, "alice", Some(&old), &old), None, "left for the controller");
    assert_eq!(injected(&restored, "alice", Some(&old), &bare), Some(app(source(&claim(2)))));
}

#[test]
fn who_does_not_get_what_was_asked_for_is_told() {
    let mut world = World::default();
    let pinned = json!({ "items": { "Warehouse/main": { "name": "f", "commits": [{ "repoURL": "https://git/shop", "id": "c0ffee" }] } } });
    let mut held = serde_json::to_value(stage("prod", 3)).unwrap();
    held["status"]["freightHistory"][0]["items"] = pinned["items"].clone();
    world.cached.insert("shop:prod", object(held));
    let current = with(
        app(source(&claim(3))),
        json!({ "spec": { "source": { "targetRevision": "c0ffee" } } }),
    );
    let revision =
        with(current.clone(), json!({ "spec": { "source": { "targetRevision": "main" } } }));
    let older = with(
        current.clone(),
        json!({ "spec": { "source": { "plugin": { "env": [{ "name": ENV_STAGE, "value": "shop:prod" }, { "name": ENV_FREIGHT, "value": claim(2) }] } } } }),
    );
    assert_eq!(injected(&world, "alice", Some(&current), &revision), Some(current.clone()));
    let told = |old, new| warnings(&world, old, new);
    assert_eq!(
        told(Some(&current), &revision),
        [r#"targetRevision "main" was replaced: the Freight of Stage shop:prod pins c0ffee"#]
    );
    assert!(
        told(Some(&current), &older)[0]
            .starts_with(&format!("the claim 2-{} was replaced", HELD[1]))
    );
    assert_eq!(told(Some(&older), &older), [""; 0], "as it was");
    let bare =
        with(current.clone(), json!({ "spec": { "source": { "plugin": { "env": null } } } }));
    assert_eq!(told(Some(&current), &bare), [""; 0], "nothing was asked for");
}
