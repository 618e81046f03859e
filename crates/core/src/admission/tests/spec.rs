//! What Warehouses, Stages and tasks say.

use wharfinger_api::v1alpha1::{ABORT, REVERIFY, SHARD_LABEL};

use super::*;

const ALICE: &str = "alice";

fn new(kind: &str, spec: Value) -> Value {
    json!({
        "apiVersion": "kargo.akuity.io/v1alpha1",
        "kind": kind,
        "metadata": { "name": "x", "namespace": "shop" },
        "spec": spec,
    })
}

/// Denied because of exactly this.
#[track_caller]
fn faulty(verdict: Verdict, expected: &str) {
    let check = denied(verdict, expected);
    assert_eq!((check.code, &*check.text), (Code::Invalid, expected));
}

#[test]
fn what_belongs_to_a_project_is_created_in_its_namespace() {
    let request = json!({ "requestedFreight": [{ "origin": { "kind": "Warehouse", "name": "w" }, "sources": { "direct": true } }] });
    for (kind, object) in [
        (Kind::Stage, new("Stage", request)),
        (Kind::Warehouse, new("Warehouse", json!({ "subscriptions": [] }))),
        (Kind::PromotionTask, new("PromotionTask", json!({ "steps": [] }))),
        (Kind::ProjectConfig, new("ProjectConfig", json!({}))),
    ] {
        let place = |namespace: &str| {
            let name = if kind == Kind::ProjectConfig { namespace } else { "x" };
            with(object.clone(), json!({ "metadata": { "name": name, "namespace": namespace } }))
        };
        let create = |namespace: &str| {
            World::default().validate(&review(kind, ALICE, None, Some(&place(namespace))))
        };
        expect(create("shop"), Ok(()), "a Project's");
        expect(create("foreign"), Err(Code::Namespace), "no Project's");
        expect(create("none"), Err(Code::Namespace), "nobody's");
        let old = place("foreign");
        let changed = with(old.clone(), json!({ "metadata": { "labels": { "a": "b" } } }));
        let update = World::default().validate(&review(kind, ALICE, Some(&old), Some(&changed)));
        expect(update, Ok(()), "what is there may be changed");
        let delete = World::default().validate(&review(kind, ALICE, Some(&old), None));
        expect(delete, Ok(()), "and deleted");
    }
    // What is about a Stage there, or has one in its name, can't be tried with so little.
    let mut world = World::default().may(ALICE, Verb::Promote, "foreign:prod");
    let mut abroad = stage("prod", 3);
    abroad.metadata.namespace = Some("foreign".into());
    abroad.spec.targets = Some(object(json!({ "selectors": [] })));
    for stages in [&mut world.cached, &mut world.live] {
        stages.insert("foreign:prod", abroad.clone());
    }
    let origin = json!({ "kind": "Warehouse", "name": "w" });
    let freight = json!({ "metadata": { "name": "x", "namespace": "foreign" }, "origin": origin });
    let freight = allowed(world.mutate(&review(Kind::Freight, ALICE, None, Some(&freight))), "x");
    for (kind, object) in [
        (Kind::Promotion, new("Promotion", json!({ "stage": "prod", "freight": "f" }))),
        (
            Kind::PromotionRequest,
            new("PromotionRequest", json!({ "stage": "prod", "freight": "f" })),
        ),
        (Kind::Freight, freight.object.unwrap()),
    ] {
        let object = with(object, json!({ "metadata": { "namespace": "foreign" } }));
        let verdict = world.validate(&review(kind, ALICE, None, Some(&object)));
        expect(verdict, Err(Code::Namespace), "no Project's");
    }
    let stage = with(
        new("Stage", json!({ "requestedFreight": [] })),
        json!({ "metadata": { "namespace": "foreign" } }),
    );
    let check =
        denied(World::default().validate(&review(Kind::Stage, ALICE, None, Some(&stage))), "text");
    assert_eq!(
        check.to_string(),
        "metadata.namespace: namespace foreign is no Project's: it lacks the label kargo.akuity.io/project=true. Use the namespace of a Project, or make this one a Project's: kubectl label namespace foreign kargo.akuity.io/project=true, and create Project foreign [namespace]"
    );
}

#[test]
fn the_label_says_the_shard() {
    for (kind, name, spec) in [
        (Kind::Stage, "Stage", json!({ "requestedFreight": [] })),
        (Kind::Warehouse, "Warehouse", json!({ "subscriptions": [] })),
    ] {
        let labels = |labels: Value, shard: &str| {
            let patch = json!({ "metadata": { "labels": labels }, "spec": { "shard": shard } });
            let sent = with(new(name, spec.clone()), patch);
            let verdict = World::default().mutate(&review(kind, ALICE, None, Some(&sent)));
            allowed(verdict, name).object.unwrap()["metadata"].get("labels").cloned()
        };
        assert_eq!(labels(json!(null), ""), None);
        assert_eq!(labels(json!(null), "eu"), Some(json!({ SHARD_LABEL: "eu" })));
        assert_eq!(
            labels(json!({ SHARD_LABEL: "us", "a": "b" }), "eu"),
            Some(json!({ SHARD_LABEL: "eu", "a": "b" }))
        );
        assert_eq!(labels(json!({ SHARD_LABEL: "us", "a": "b" }), ""), Some(json!({ "a": "b" })));
    }
}

#[test]
fn a_warehouse_subscribes_to_each_thing_once() {
    let create = |subscriptions: Value| {
        let sent = new("Warehouse", json!({ "subscriptions": subscriptions }));
        World::default().validate(&review(Kind::Warehouse, ALICE, None, Some(&sent)))
    };
    let git = |url: &str| json!({ "git": { "repoURL": url } });
    let image = |name: &str, url: &str| json!({ "name": name, "image": { "repoURL": url } });
    expect(
        create(json!([git("https://git/a"), image("web", "ghcr.io/a"), image("db", "ghcr.io/b")])),
        Ok(()),
        "different things",
    );
    faulty(
        create(json!([git("https://git/a"), git("https://Git/a.git")])),
        "spec.subscriptions[1].git.repoURL: spec.subscriptions[0] is for the same repository already",
    );
    faulty(
        create(json!([image("a", "nginx"), image("b", "docker.io/library/nginx")])),
        "spec.subscriptions[1].image.repoURL: spec.subscriptions[0] is for the same repository already",
    );
    faulty(
        create(json!([image("web", "ghcr.io/a"), image("web", "ghcr.io/b")])),
        "spec.subscriptions[1].name: \"web\" is the name of spec.subscriptions[0] already",
    );
    for bad in ["Web", "a.b", "-a", &"a".repeat(64)] {
        faulty(
            create(json!([image(bad, "ghcr.io/a")])),
            "spec.subscriptions[0].name: must be at most 63 lower-case letters, digits and dashes, with a letter or digit at both ends",
        );
    }
    faulty(
        create(json!([{ "name": 1, "image": { "repoURL": "a" } }])),
        "spec.subscriptions[0].name: must be a text",
    );
    faulty(
        create(json!([{}])),
        "spec.subscriptions[0]: must have exactly one of git, image and chart",
    );
    faulty(
        create(
            json!([git("x"), { "image": { "repoURL": "a", "imageSelectionStrategy": "Digest" } }]),
        ),
        "spec.subscriptions[0].git.repoURL: must be the URL of a Git repository: https://…, http://…, ssh://… or user@host:path, and is \"x\"; spec.subscriptions[1].image.constraint: is required with imageSelectionStrategy Digest: the tag whose digest is wanted",
    );
    let many: Vec<_> = (0..13).map(|_| json!({})).collect();
    assert!(denied(create(json!(many)), "many").text.ends_with("; and 3 more"));
    let warnings = allowed(
        create(json!([{ "image": { "repoURL": "a", "semverConstraint": "^1" } }])),
        "unknown",
    )
    .warnings;
    assert_eq!(
        warnings,
        ["spec.subscriptions[0].image.semverConstraint: is not known, and means nothing"]
    );
}

#[test]
fn an_expression_that_does_not_compile_is_let_in_with_a_warning() {
    let warnings = |criteria: &str, filter: &str| {
        let git = json!({ "git": { "repoURL": "https://git/a", "expressionFilter": filter } });
        let criteria = json!({ "expression": criteria });
        let spec = json!({ "subscriptions": [git], "freightCreationCriteria": criteria });
        let sent = new("Warehouse", spec);
        let verdict = World::default().validate(&review(Kind::Warehouse, ALICE, None, Some(&sent)));
        allowed(verdict, filter).warnings
    };
    let tags = "imageFrom('a').Tag == imageFrom('b').Tag";
    assert_eq!(warnings(tags, "author == 'alice' || tag startsWith 'v'"), [""; 0]);
    assert_eq!(warnings("  ", ""), [""; 0], "nothing is asked");
    assert_eq!(
        warnings("imageFrom('a').tag == '1'", "author =="),
        [
            "spec.subscriptions[0].git.expressionFilter: no expression: it ends too early, at column 10; until it is mended, no commit is found",
            "spec.freightCreationCriteria.expression: an image that was found has no \"tag\", only Tag, Digest, Annotations, CreatedAt, at column 16; until it is mended, no Freight is made",
        ]
    );
    assert_eq!(
        warnings("commitFrom(1) != nil", "${{ true }}").len(),
        2,
        "an argument of another type, and delimiters"
    );
}

#[test]
fn what_is_stored_is_not_judged_again() {
    let old = new("Warehouse", json!({ "subscriptions": [{}] }));
    let update = |patch: Value| {
        let new = with(old.clone(), patch);
        World::default().validate(&review(Kind::Warehouse, ALICE, Some(&old), Some(&new)))
    };
    expect(update(json!({ "metadata": { "annotations": { "a": "b" } } })), Ok(()), "annotated");
    expect(update(json!({ "spec": { "shard": "eu" } })), Err(Code::Invalid), "changed");
}

#[test]
fn a_warehouse_says_what_it_means() {
    let sent = new(
        "Warehouse",
        json!({ "subscriptions": [{ "git": { "repoURL": "https://git/a" } }, { "image": { "repoURL": "a" } }] }),
    );
    let made = allowed(
        World::default().mutate(&review(Kind::Warehouse, ALICE, None, Some(&sent))),
        "made",
    );
    assert_eq!(
        made.object.unwrap()["spec"]["subscriptions"],
        json!([
            { "git": { "repoURL": "https://git/a", "commitSelectionStrategy": "NewestFromBranch", "strictSemvers": true, "discoveryLimit": 20 } },
            { "image": { "repoURL": "a", "imageSelectionStrategy": "SemVer", "strictSemvers": true, "discoveryLimit": 20 } },
        ])
    );
}

/// A Stage with one request and one step.
fn wanted(patch: Value) -> Value {
    let origin = json!({ "kind": "Warehouse", "name": "w" });
    with(
        new(
            "Stage",
            json!({
                "requestedFreight": [{ "origin": origin, "sources": { "direct": true } }],
                "promotionTemplate": { "spec": { "steps": [{ "uses": "assign" }] } },
            }),
        ),
        json!({ "spec": patch }),
    )
}

#[test]
fn a_stage_asks_for_what_it_can_get() {
    let create = |requests: Value| {
        let sent = wanted(json!({ "requestedFreight": requests }));
        World::default().validate(&review(Kind::Stage, ALICE, None, Some(&sent)))
    };
    let from = |warehouse: &str, sources: Value| json!({ "origin": { "kind": "Warehouse", "name": warehouse }, "sources": sources });
    let upstream = |stages: Value, direct: bool| json!({ "direct": direct, "stages": stages, "autoPromotionOptions": { "selectionPolicy": "MatchUpstream" } });
    let direct = || json!({ "direct": true });
    expect(create(json!([from("a", direct()), from("b", direct())])), Ok(()), "two origins");
    faulty(
        create(json!([
            from("a", direct()),
            from("b", direct()),
            from("a", json!({ "stages": ["x"] }))
        ])),
        "spec.requestedFreight[2].origin: Warehouse/a is asked for by spec.requestedFreight[0] already",
    );
    expect(create(json!([from("a", upstream(json!(["dev"]), false))])), Ok(()), "as one upstream");
    for (stages, direct) in
        [(json!(["dev"]), true), (json!(["dev", "test"]), false), (json!([]), false)]
    {
        faulty(
            create(json!([from("a", upstream(stages, direct))])),
            "spec.requestedFreight[0].sources.autoPromotionOptions.selectionPolicy: MatchUpstream takes exactly one upstream Stage in sources.stages, and direct: false",
        );
    }
    let warnings = allowed(create(json!([from("a", json!({}))])), "from nowhere").warnings;
    assert_eq!(
        warnings,
        [
            "spec.requestedFreight[0].sources: neither direct nor stages: no Freight will ever be available by it"
        ]
    );
}

#[test]
fn steps_are_told_apart_by_their_names() {
    let stage = |steps: Value| {
        let sent = wanted(json!({ "promotionTemplate": { "spec": { "steps": steps } } }));
        World::default().validate(&review(Kind::Stage, ALICE, None, Some(&sent)))
    };
    let task = |steps: Value| {
        let sent = new("PromotionTask", json!({ "steps": steps }));
        World::default().validate(&review(Kind::PromotionTask, ALICE, None, Some(&sent)))
    };
    let of_cluster = |steps: Value| {
        let sent = with(
            new("ClusterPromotionTask", json!({ "steps": steps })),
            json!({ "metadata": { "namespace": null } }),
        );
        World::default().validate(&review(Kind::ClusterPromotionTask, ALICE, None, Some(&sent)))
    };
    let doors: [(&str, &dyn Fn(Value) -> Verdict); 3] = [
        ("spec.promotionTemplate.spec.steps", &stage),
        ("spec.steps", &task),
        ("spec.steps", &of_cluster),
    ];
    for (field, door) in doors {
        let named = |names: &[&str]| {
            let steps: Vec<_> =
                names.iter().map(|n| json!({ "uses": "assign", "as": n })).collect();
            door(json!(steps))
        };
        expect(named(&["", "a", "", "b", "step-x", "my-step-1", "step-"]), Ok(()), "apart");
        faulty(
            named(&["a", "b", " a"]),
            &format!("{field}[2].as: \"a\" is the name of {field}[0] already"),
        );
        for reserved in ["step-1", "task-20", " step-0 "] {
            faulty(
                named(&["a", reserved]),
                &format!("{field}[1].as: {:?} is the name of a step without one", reserved.trim()),
            );
        }
    }
    faulty(
        stage(json!([{ "task": { "name": "deploy" }, "if": "${{ always() }}", "config": {} }])),
        "spec.promotionTemplate.spec.steps[0].if: a step that names a task has no condition; spec.promotionTemplate.spec.steps[0].config: a step that names a task has no config; what it takes is in vars",
    );
    let warnings = allowed(
        stage(json!([{ "uses": "git-clone" }, { "uses": "assign", "if": "x" }, { "task": { "name": "deploy" } }])),
        "steps of Kargo's",
    )
    .warnings;
    assert_eq!(
        warnings,
        [
            "this version can't carry out spec.promotionTemplate.spec.steps[0] (git-clone): Promotions to the Stage will fail"
        ]
    );
}

#[test]
fn who_asks_for_a_verification_is_written_down() {
    let annotated = |value: Value| {
        let annotations = json!({ REVERIFY: value.clone(), ABORT: value });
        with(wanted(json!({})), json!({ "metadata": { "annotations": annotations } }))
    };
    let made = |user: &str, old: Option<&Value>, value: Value| {
        let sent = annotated(value);
        let object =
            allowed(World::default().mutate(&review(Kind::Stage, user, old, Some(&sent))), user)
                .object;
        let annotations = object.unwrap()["metadata"]["annotations"].clone();
        assert_eq!(annotations.get(REVERIFY), annotations.get(ABORT));
        annotations.get(ABORT).map(|text| text.as_str().unwrap().to_owned())
    };
    let alices = r#"{"id":"7f2","actor":"kubernetes:alice"}"#;
    let plain = wanted(json!({}));
    for old in [None, Some(&plain), Some(&annotated(json!("other")))] {
        assert_eq!(made(ALICE, old, json!("7f2")).unwrap(), alices);
        // Nobody asks in another's name.
        assert_eq!(
            made(ALICE, old, json!(r#"{"id":"7f2","actor":"admin","controlPlane":true}"#)).unwrap(),
            alices
        );
        assert_eq!(
            made(CONTROLLER, old, json!(r#"{"id":"7f2","actor":"email:bob"}"#)).unwrap(),
            r#"{"id":"7f2","actor":"email:bob","controlPlane":true}"#
        );
        assert_eq!(
            made(CONTROLLER, old, json!("7f2")).unwrap(),
            r#"{"id":"7f2","controlPlane":true}"#
        );
        assert_eq!(made(ALICE, old, json!("")).unwrap(), "");
        assert_eq!(made(ALICE, old, json!(null)), None);
    }
    let signed = annotated(json!(alices));
    assert_eq!(made("bob", Some(&signed), json!(alices)).unwrap(), alices, "it is alice's");
}
