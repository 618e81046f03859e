//! Freight: its name, its alias, what it holds, who may approve it, and when it may go.

use wharfinger_api::v1alpha1::ALIAS_LABEL;

use super::kargo::owner;
use super::*;

const ALICE: &str = "alice";
const GC: &str = "system:serviceaccount:kube-system:generic-garbage-collector";
fn freight() -> Value {
    json!({
        "metadata": { "name": "mine", "namespace": "shop", "labels": { "a": "b", ALIAS_LABEL: "wise-otter" } },
        "alias": "wise-otter",
        "discoveredAt": "2026-11-20T10:00:00Z",
        "origin": { "kind": "Warehouse", "name": "w" },
        "commits": [{ "repoURL": "https://github.com/example/repo", "id": "abc123" }],
    })
}

/// `kargo-semantics.md` §2.1, E.
const NAME: &str = "eb467a70c66949c63935106c6e282ddf25e5d1f2";

/// Warehouse w, which subscribes to such things.
fn subscribed(subscriptions: Value) -> World {
    let warehouse =
        json!({ "metadata": { "name": "w" }, "spec": { "subscriptions": subscriptions } });
    World { warehouses: vec![object(warehouse)], ..World::default() }
}

fn world() -> World {
    subscribed(json!([{ "git": { "repoURL": "https://github.com/Example/repo.git" } }]))
}

fn put(world: &World, old: Option<&Value>, new: &Value) -> Value {
    let verdict = world.mutate(&review(Kind::Freight, ALICE, old, Some(new)));
    allowed(verdict, "put").object.unwrap()
}

fn create(world: &World, new: &Value) -> Verdict {
    world.validate(&review(Kind::Freight, ALICE, None, Some(&put(world, None, new))))
}

#[test]
fn freight_is_named_by_what_it_holds() {
    let world = world();
    let named = with(freight(), json!({ "metadata": { "name": NAME } }));
    let object =
        allowed(world.mutate(&review(Kind::Freight, ALICE, None, Some(&freight()))), "named")
            .object;
    assert_eq!(object, Some(named.clone()));
    expect(world.validate(&review(Kind::Freight, ALICE, None, Some(&named))), Ok(()), "named");
    expect(
        world.validate(&review(Kind::Freight, ALICE, None, Some(&freight()))),
        Err(Code::Freight),
        "named otherwise",
    );
    for (row, patch, expected) in [
        ("alias", json!({ "alias": "x", "metadata": { "labels": { "a": "c" } } }), Ok(())),
        ("empty lists", json!({ "images": [], "charts": [] }), Ok(())),
        ("origin", json!({ "origin": { "name": "v" } }), Err(Code::Immutable)),
        ("commits", json!({ "commits": [] }), Err(Code::Immutable)),
        (
            "what only describes a commit",
            json!({ "commits": [{ "repoURL": "https://github.com/example/repo", "id": "abc123", "author": "x" }] }),
            Err(Code::Immutable),
        ),
        ("images", json!({ "images": [{ "repoURL": "a", "tag": "1" }] }), Err(Code::Immutable)),
        ("charts", json!({ "charts": [{ "repoURL": "a" }] }), Err(Code::Immutable)),
        ("artifacts", json!({ "artifacts": [{ "artifactType": "a" }] }), Err(Code::Immutable)),
    ] {
        for user in [ALICE, CONTROLLER] {
            let new = with(named.clone(), patch.clone());
            expect(
                world.validate(&review(Kind::Freight, user, Some(&named), Some(&new))),
                expected,
                row,
            );
        }
    }
}

#[test]
fn freight_has_an_alias_and_the_label_says_it() {
    let bare = |patch: Value| {
        let none = json!({ "alias": null, "metadata": { "labels": null } });
        with(with(freight(), none), patch)
    };
    let alias = |made: &Value| {
        let label = &made["metadata"]["labels"][ALIAS_LABEL];
        assert_eq!(made["alias"], *label, "{made}");
        label.as_str().unwrap().to_owned()
    };
    let drawn = alias(&put(&world(), None, &bare(json!({}))));
    assert_eq!(drawn, "noble-forest", "drawn with {NOW}");
    assert_eq!(alias(&put(&world(), None, &bare(json!({ "alias": "mine" })))), "mine");
    let labelled = |alias: &str| json!({ "metadata": { "labels": { ALIAS_LABEL: alias } } });
    assert_eq!(alias(&put(&world(), None, &bare(labelled("theirs")))), "theirs");
    let both = with(bare(labelled("theirs")), json!({ "alias": "mine" }));
    assert_eq!(alias(&put(&world(), None, &both)), "mine", "the field counts");

    let taken = |alias: &str| {
        object(with(freight(), json!({ "alias": alias, "metadata": { "name": "0ther" } })))
    };
    let mut world = world();
    world.freight = vec![taken(&drawn)];
    let next = alias(&put(&world, None, &bare(json!({}))));
    assert_ne!(next, drawn, "taken already");
    // All that are drawn are taken.
    for _ in 0..8 {
        world.freight.push(taken(&alias(&put(&world, None, &bare(json!({}))))));
    }
    let last = alias(&put(&world, None, &bare(json!({}))));
    assert!(last.ends_with("-eb467a7"), "{last}");

    let old = put(&world, None, &freight());
    let renamed = put(&world, Some(&old), &with(old.clone(), json!({ "alias": "other" })));
    assert_eq!(alias(&renamed), "other");
    let none = put(&world, Some(&old), &with(old.clone(), json!({ "alias": null })));
    assert_eq!((none.get("alias"), none["metadata"]["labels"].get(ALIAS_LABEL)), (None, None));
}

#[test]
fn an_alias_is_a_label_and_nobody_elses() {
    for bad in ["two words", "-x", "ä", &"a".repeat(64)] {
        let sent = with(freight(), json!({ "alias": bad }));
        let verdict = world().mutate(&review(Kind::Freight, ALICE, None, Some(&sent)));
        expect(verdict, Err(Code::Invalid), bad);
    }
    let named = put(&world(), None, &freight());
    let mut world = world();
    world.freight = vec![object(with(named.clone(), json!({ "metadata": { "name": "0ther" } })))];
    let check = denied(create(&world, &freight()), "taken");
    assert_eq!(
        check.to_string(),
        "alias: wise-otter is the alias of Freight 0ther of Project shop. Choose another, or leave it out of new Freight to have one chosen [alias]"
    );
    let update = |old: &Value, new: &Value| {
        world.validate(&review(Kind::Freight, ALICE, Some(old), Some(new)))
    };
    let free = with(named.clone(), json!({ "alias": "free" }));
    expect(update(&free, &named), Err(Code::Alias), "renamed to one that is taken");
    expect(update(&named, &free), Ok(()), "renamed");
    expect(update(&named, &named), Ok(()), "it was there before the rule");
    expect(update(&free, &with(named, json!({ "alias": "" }))), Ok(()), "without");
    let mut world = self::world();
    world.freight = vec![object(put(&self::world(), None, &freight()))];
    expect(create(&world, &freight()), Ok(()), "the same Freight: the API server says so better");
}

#[test]
fn freight_says_when_it_was_discovered() {
    let none = with(freight(), json!({ "discoveredAt": null }));
    assert_eq!(put(&world(), None, &none)["discoveredAt"], "2026-11-21T12:00:00Z");
    assert_eq!(put(&world(), None, &freight())["discoveredAt"], "2026-11-20T10:00:00Z");
    let created = json!({ "metadata": { "creationTimestamp": "2026-01-01T00:00:00Z" } });
    let stored = with(none, created);
    assert_eq!(put(&world(), Some(&stored), &stored)["discoveredAt"], "2026-01-01T00:00:00Z");
}

#[test]
fn new_freight_holds_one_of_each_thing_that_its_warehouse_subscribes_to() {
    let all = || {
        subscribed(json!([
            { "git": { "repoURL": "https://github.com/example/repo" } },
            { "image": { "repoURL": "ghcr.io/acme/web" } },
            { "chart": { "repoURL": "https://charts.example.com", "name": "web" } },
            { "chart": { "repoURL": "oci://ghcr.io/acme/charts/db" } },
        ]))
    };
    let image = |repo: &str| json!({ "repoURL": repo, "tag": "v1" });
    let chart =
        |repo: &str, name: &str| json!({ "repoURL": repo, "name": name, "version": "1.0.0" });
    let full = with(
        freight(),
        json!({
            "commits": [{ "repoURL": "https://GitHub.com/example/repo.git", "id": "abc123" }],
            "images": [image("ghcr.io/acme/web")],
            "charts": [chart("https://charts.example.com", "web"), chart("oci://ghcr.io/acme/charts/db", "")],
        }),
    );
    expect(create(&all(), &full), Ok(()), "one of each");
    let generic =
        json!({ "artifacts": [{ "artifactType": "a", "subscriptionName": "b", "version": "c" }] });
    expect(create(&all(), &with(full.clone(), generic)), Ok(()), "and others");
    for (row, patch, expected) in [
        (
            "no image",
            json!({ "images": null }),
            "images: nothing of ghcr.io/acme/web, to which Warehouse w subscribes",
        ),
        (
            "no commit",
            json!({ "commits": [] }),
            "commits: nothing of https://github.com/example/repo, to which Warehouse w subscribes",
        ),
        (
            "another image",
            json!({ "images": [image("ghcr.io/acme/web"), image("ghcr.io/acme/db")] }),
            "images[1]: Warehouse w has no image subscription for ghcr.io/acme/db",
        ),
        (
            "twice",
            json!({ "images": [image("ghcr.io/acme/web"), image("ghcr.io/acme/web")] }),
            "images[1]: ghcr.io/acme/web is in images[0] already",
        ),
        (
            "as another kind",
            json!({ "images": [image("https://github.com/example/repo"), image("ghcr.io/acme/web")] }),
            "images[0]: Warehouse w has no image subscription for https://github.com/example/repo",
        ),
        (
            "another chart",
            json!({ "charts": [chart("https://charts.example.com", "db"), chart("oci://ghcr.io/acme/charts/db", "")] }),
            "charts[0]: Warehouse w has no chart subscription for https:/charts.example.com/db; charts: nothing of https:/charts.example.com/web, to which Warehouse w subscribes",
        ),
    ] {
        let check = denied(create(&all(), &with(full.clone(), patch)), row);
        assert_eq!((check.code, &*check.text), (Code::Invalid, expected), "{row}");
    }
    for (row, patch, expected) in [
        ("nothing", json!({ "commits": [] }), Code::Invalid),
        ("no Warehouse", json!({ "origin": { "name": "v" } }), Code::Warehouse),
        ("no Warehouse's name", json!({ "origin": { "name": "../x" } }), Code::Warehouse),
        ("no Project", json!({ "metadata": { "namespace": "foreign" } }), Code::Namespace),
    ] {
        expect(create(&world(), &with(freight(), patch)), Err(expected), row);
    }
}

#[test]
fn freight_that_a_stage_holds_stays() {
    let named = with(freight(), json!({ "metadata": { "name": NAME } }));
    let holder = |current: &str| {
        let item = json!({ "name": current, "origin": { "kind": "Warehouse", "name": "w" } });
        let before = json!({ "name": NAME, "origin": { "kind": "Warehouse", "name": "w" } });
        let history = json!([{ "id": "2", "items": { "Warehouse/w": item } }, { "id": "1", "items": { "Warehouse/w": before } }]);
        let mut stage = serde_json::to_value(stage("prod", 0)).unwrap();
        stage["status"]["freightHistory"] = history;
        object::<Stage>(stage)
    };
    let world = |holding: &[&str], live: Option<Stage>| {
        let mut world = World { holding: holding.iter().map(|s| (*s).into()).collect(), ..world() };
        world.live = live.into_iter().map(|stage| ("shop:prod", stage)).collect();
        world
    };
    let delete = |world: World, user, old: &Value| {
        world.validate(&review(Kind::Freight, user, Some(old), None))
    };
    let status =
        with(named.clone(), json!({ "status": { "currentlyIn": { "prod": {}, "../x": {} } } }));
    expect(delete(world(&[], None), ALICE, &named), Ok(()), "held nowhere");
    expect(
        delete(world(&["prod"], Some(holder(NAME))), ALICE, &named),
        Err(Code::FreightHeld),
        "held",
    );
    expect(
        delete(world(&["prod"], Some(holder(NAME))), CONTROLLER, &named),
        Err(Code::FreightHeld),
        "by our controller",
    );
    expect(
        delete(world(&[], Some(holder(NAME))), ALICE, &status),
        Err(Code::FreightHeld),
        "the cache is behind",
    );
    expect(delete(world(&["prod"], Some(holder("0ther"))), ALICE, &status), Ok(()), "held before");
    expect(delete(world(&["prod"], None), ALICE, &named), Ok(()), "the Stage is gone");
    expect(delete(world(&["prod"], Some(holder(NAME))), GC, &named), Ok(()), "with its namespace");
}

/// It would be deleted together with its owner, whichever Stage holds it.
#[test]
fn an_owner_of_freight_takes_bypass_on_all_stages() {
    let owned = |owners: Value| {
        with(freight(), json!({ "metadata": { "name": NAME, "ownerReferences": owners } }))
    };
    let write = |world: World, user, old: Option<&Value>, new: Value| {
        world.validate(&review(Kind::Freight, user, old, Some(&new)))
    };
    let one = owned(json!([owner("made-up")]));
    for old in [None, Some(owned(json!([])))] {
        let row = if old.is_some() { "added" } else { "created" };
        for user in [ALICE, CONTROLLER] {
            let denied = Err(Code::Permission);
            expect(write(world(), user, old.as_ref(), one.clone()), denied, row);
            let on_one = world().may(user, Verb::Bypass, "shop:prod");
            expect(write(on_one, user, old.as_ref(), one.clone()), denied, row);
            let on_all = world().may(user, Verb::Bypass, "shop:");
            expect(write(on_all, user, old.as_ref(), one.clone()), Ok(()), row);
        }
    }
    expect(write(world(), GC, Some(&one), owned(json!([]))), Ok(()), "gone");
}

#[test]
fn an_approval_is_told() {
    let world = World::default().may(ALICE, Verb::Promote, "shop:prod");
    let old = with(
        freight(),
        json!({ "metadata": { "name": NAME }, "status": { "approvedFor": { "dev": {} } } }),
    );
    let new = with(old.clone(), json!({ "status": { "approvedFor": { "prod": {} } } }));
    let mut review = review(Kind::FreightStatus, ALICE, Some(&old), Some(&new));
    let told = allowed(world.validate(&review), "approved").events;
    let [event] = &told[..] else { panic!("{told:?}") };
    assert_eq!(
        (event.warning, event.reason, &*event.text),
        (false, "FreightApproved", r#"Freight approved for Stage "prod" by "kubernetes:alice""#)
    );
    let annotations: Vec<_> = event.annotations.iter().map(|(k, v)| format!("{k}={v}")).collect();
    assert_eq!(
        annotations,
        [
            "event.kargo.akuity.io/actor=kubernetes:alice",
            "event.kargo.akuity.io/freight-alias=wise-otter",
            r#"event.kargo.akuity.io/freight-commits=[{"repoURL":"https://github.com/example/repo","id":"abc123"}]"#,
            "event.kargo.akuity.io/freight-name=eb467a70c66949c63935106c6e282ddf25e5d1f2",
            "event.kargo.akuity.io/freight-warehouse-name=w",
            "event.kargo.akuity.io/project=shop",
            "event.kargo.akuity.io/stage-name=prod",
        ]
    );
    review.dry_run = true;
    assert_eq!(allowed(world.validate(&review), "on trial").events, []);
    review.dry_run = false;
    review.user = CONTROLLER;
    assert_eq!(allowed(world.validate(&review), "by our controller").events, []);
}

#[test]
fn people_may_approve_freight_and_no_more() {
    let world = World::default().may(ALICE, Verb::Promote, "shop:prod");
    let old = with(
        freight(),
        json!({ "status": { "approvedFor": { "dev": { "approvedAt": "2026-11-21T10:00:00Z" } }, "verifiedIn": { "dev": {} } } }),
    );
    for (row, patch, expected) in [
        ("approve", json!({ "approvedFor": { "prod": {} } }), Ok(())),
        (
            "approve for another Stage",
            json!({ "approvedFor": { "test": {} } }),
            Err(Code::Permission),
        ),
        (
            "approve for both",
            json!({ "approvedFor": { "prod": {}, "test": {} } }),
            Err(Code::Permission),
        ),
        ("take back", json!({ "approvedFor": { "dev": null } }), Err(Code::StatusGuard)),
        ("take all back", json!({ "approvedFor": null }), Err(Code::StatusGuard)),
        (
            "approve again",
            json!({ "approvedFor": { "dev": { "approvedAt": "2026-11-22T10:00:00Z" } } }),
            Err(Code::StatusGuard),
        ),
        ("verify", json!({ "verifiedIn": { "prod": {} } }), Err(Code::StatusGuard)),
        (
            "approve and verify",
            json!({ "approvedFor": { "prod": {} }, "verifiedIn": { "prod": {} } }),
            Err(Code::StatusGuard),
        ),
        ("something new", json!({ "metadata": { "x": 1 } }), Err(Code::StatusGuard)),
        ("nothing", json!({}), Ok(())),
    ] {
        let new = with(old.clone(), json!({ "status": patch }));
        expect(
            world.validate(&review(Kind::FreightStatus, ALICE, Some(&old), Some(&new))),
            expected,
            row,
        );
        expect(
            world.validate(&review(Kind::FreightStatus, CONTROLLER, Some(&old), Some(&new))),
            Ok(()),
            row,
        );
    }
    let first = with(freight(), json!({ "status": { "approvedFor": { "prod": {} } } }));
    expect(
        world.validate(&review(Kind::FreightStatus, ALICE, Some(&freight()), Some(&first))),
        Ok(()),
        "the first",
    );
}
