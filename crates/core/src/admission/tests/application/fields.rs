//! Each field of Argo CD's schema, changed alone: the verdict is what its class says.

use wharfinger_api::additions::Freedom;

use super::*;
use crate::admission::application::fields::{Below, Class, FIELDS, Rule, class};
use crate::admission::application::guard::word;

/// Path and type of each field, of the Argo CD that the tests run.
const SCHEMA: &str = include_str!("../../../../../../tests/fixtures/argocd/application-fields.txt");

fn schema() -> impl Iterator<Item = (&'static str, &'static str)> {
    SCHEMA.lines().map(|line| line.split_once(' ').unwrap())
}

#[test]
fn each_field_is_classified_once() {
    for (path, _) in schema() {
        assert!(class(path).is_some(), "{path}: say in FIELDS who may change it");
    }
    for (at, field) in FIELDS.iter().enumerate() {
        assert!(FIELDS[..at].iter().all(|other| other.path != field.path), "{} twice", field.path);
        let used = field.path.starts_with("metadata.")
            || schema().any(|(path, _)| path.replace("[]", "").starts_with(field.path));
        assert!(used, "{} is no field of Argo CD's any more", field.path);
    }
}

/// What everybody may change is there leaf by leaf: a new one below it is nobody's.
#[test]
fn what_is_free_has_its_leaves_and_no_others() {
    for field in FIELDS {
        let free = matches!(field.class, Class::Harmless(_) | Class::Pinned(_));
        // Nothing is deployed by what is elsewhere.
        let deploys = field.path.starts_with("spec.") || field.path.starts_with("operation.");
        let Below::Only(leaves) = field.below else {
            assert!(!free || !deploys, "{}: say what is below it", field.path);
            continue;
        };
        assert!(free, "{}", field.path);
        for leaf in leaves {
            let path = format!("{}{leaf}", field.path);
            let is = |known: &str| {
                known.strip_prefix(&path).is_some_and(|rest| ["", "[]", "{}"].contains(&rest))
            };
            assert!(schema().any(|(known, _)| is(known)), "{path} is no leaf of Argo CD's schema");
        }
    }
}

#[test]
fn each_field_is_judged_as_its_class_says() {
    let worlds = Worlds::new();
    for (path, kind) in schema() {
        judged(&worlds, path, kind, 0);
        if path.contains("spec.sources[]") {
            judged(&worlds, path, kind, 1);
        }
    }
}

/// In whatever is known, and below what everybody may change.
#[test]
fn a_field_that_argo_cd_gets_one_day_takes_promote() {
    let worlds = Worlds::new();
    for path in [
        "spec.overlay",
        "spec.info[].overlay",
        "spec.source.overlay",
        "spec.source.plugin.env[].valueFrom",
        "spec.syncPolicy.overlay",
        "spec.syncPolicy.automated.patches",
        "spec.syncPolicy.managedNamespaceMetadata.overlay",
        "spec.syncPolicy.retry.backoff.overlay",
        "operation.overlay",
        "operation.info[].overlay",
        "operation.initiatedBy.overlay",
        "operation.retry.overlay",
        "operation.sync.overlay",
        "operation.sync.resources[].overlay",
        "operation.sync.syncStrategy.hook.overlay",
    ] {
        assert_eq!(class(path), None, "{path}");
        let object = |value: Value| {
            let mut object = base(false);
            plant(&mut object, path, 0, value);
            object
        };
        let (without, one, other) = (base(false), object(json!("a")), object(json!("b")));
        let mut rows = vec![(&without, &one), (&one, &other)];
        // An operation that goes asks for nothing.
        if path.starts_with("spec.") {
            rows.push((&one, &without));
        }
        for (old, new) in rows {
            let judge = |world: &World, user| {
                world.validate(&review(Kind::Application, user, Some(old), Some(new)))
            };
            for user in [ALICE, ARGOCD, SERVER] {
                expect(judge(&worlds.strict, user), Err(Code::Permission), path);
            }
            for [with, _] in worlds.freely.values() {
                expect(judge(with, ALICE), Err(Code::Permission), path);
            }
            expect(judge(&worlds.promoter, ALICE), Ok(()), path);
            expect(judge(&worlds.strict, CONTROLLER), Ok(()), path);
        }
    }
}

/// A parent Application writes what Git says, under the account of Argo CD's application controller.
#[test]
fn nor_does_argo_cd_go_on_with_a_field_that_nobody_asked_for() {
    let asked = |sync: Value| with(base(false), json!({ "operation": { "sync": sync } }));
    let goes_on = |app: &Value, sync: Value| {
        let state = json!({ "operationState": { "operation": { "sync": sync } } });
        with(app.clone(), json!({ "status": state }))
    };
    let judge = |old: &Value, new: &Value| {
        World::default().validate(&review(Kind::Application, ARGOCD, Some(old), Some(new)))
    };
    let overlay = || json!({ "overlay": "a" });
    let old = asked(json!({}));
    expect(judge(&old, &goes_on(&old, overlay())), Err(Code::Permission), "forged");
    expect(judge(&old, &goes_on(&old, json!({ "prune": true }))), Ok(()), "harmless");
    let old = asked(overlay());
    expect(judge(&old, &goes_on(&old, overlay())), Ok(()), "admitted before");
}

const PAGE: &str = concat!(env!("CARGO_MANIFEST_DIR"), "/../../docs/admission.md");

#[test]
#[expect(clippy::disallowed_methods, reason = "the page is written only when it is asked for")]
fn the_documentation_has_the_table() {
    let mut page = std::fs::read_to_string(PAGE).unwrap();
    let start = page.find("<!-- fields:").and_then(|at| Some(at + page[at..].find('\n')? + 1));
    let (start, end) = (start.unwrap(), page.find("<!-- end -->").unwrap());
    let table = table();
    if std::env::var("BLESS").is_ok() {
        page.replace_range(start..end, &table);
        std::fs::write(PAGE, &page).unwrap();
    } else {
        assert_eq!(page[start..end], table, "stale: BLESS=1 cargo test -p wharfinger-core");
    }
}

fn table() -> String {
    let rows = FIELDS.iter().map(|field| {
        let (who, why) = match field.class {
            Class::Harmless(why) => ("everybody", why.to_owned()),
            Class::Pinned(how) => ("nobody", how.to_owned()),
            Class::Freely(freedom) => ("`promote`", format!("or freely: `{}`", word(freedom))),
            Class::Rule(Rule::Never, why) => ("nobody", why.to_owned()),
            Class::Rule(_, what) => ("by rule", what.to_owned()),
            Class::Evidence => ("Argo CD", "its application controller alone".to_owned()),
        };
        let path = field.path.replacen("spec.source.", "spec.source(s).", 1);
        format!("| `{path}` | {who} | {why} |\n")
    });
    format!("| field | who may change it | |\n|---|---|---|\n{}", rows.collect::<String>())
}

#[test]
fn metadata_is_judged_as_its_class_says() {
    let owner = json!([{ "apiVersion": "v1", "kind": "ConfigMap", "name": "a", "uid": "b" }]);
    for (path, metadata) in [
        ("metadata.annotations.team", json!({ "annotations": { "team": "a" } })),
        ("metadata.labels.team", json!({ "labels": { "team": "a" } })),
        ("metadata.finalizers", json!({ "finalizers": ["a/b"] })),
        ("metadata.ownerReferences", json!({ "ownerReferences": owner })),
    ] {
        assert!(matches!(class(path), Some(Class::Harmless(_))), "{path}");
        let new = with(current(), json!({ "metadata": metadata }));
        let rows = [ALICE, ARGOCD].map(|user| (path, user, Some(current()), new.clone(), Ok(())));
        check(&World::default(), rows.into());
    }
    for (path, new, code) in [
        (
            "metadata.annotations.kargo.akuity.io/authorized-stage",
            naming(current(), json!("shop:dev")),
            Code::Permission,
        ),
        (
            "metadata.annotations.wharfinger.dev/break-glass",
            glass(current(), json!("x")),
            Code::Permission,
        ),
    ] {
        assert!(matches!(class(path), Some(Class::Rule(..))), "{path}");
        let rows =
            [ALICE, ARGOCD].map(|user| (path, user, Some(current()), new.clone(), Err(code)));
        check(&World::default(), rows.into());
    }
}

/// Strict, with each freedom alone, with all freedoms but each, and with a promoter.
struct Worlds {
    strict: World,
    freely: BTreeMap<Freedom, [World; 2]>,
    promoter: World,
}

impl Worlds {
    fn new() -> Self {
        let freely = |freedoms: &[Freedom]| World::default().ruled(json!({ "freely": freedoms }));
        let both = |freedom: Freedom| {
            let rest: Vec<_> = FREEDOMS.into_iter().filter(|f| *f != freedom).collect();
            (freedom, [freely(&[freedom]), freely(&rest)])
        };
        Self {
            strict: World::default(),
            freely: FREEDOMS.into_iter().map(both).collect(),
            promoter: World::default().may(ALICE, Verb::Promote, "shop:prod"),
        }
    }
}

/// `at`: which of several sources.
fn judged(worlds: &Worlds, path: &'static str, kind: &str, at: usize) {
    let several = path.contains("sources[]") || path.contains("revisions[]");
    let [before, after] = values(path, kind, at == 0);
    let object = |value: Value| {
        let mut object = base(several);
        plant(&mut object, path, at, value);
        object
    };
    let (old, new) = (object(before), object(after));
    assert_ne!(old, new, "{path}");
    let pinned = matches!(class(path), Some(Class::Pinned(_)));
    let expect = |world: &World, user, denied: bool| {
        let new = if pinned { mutated(world, user, &old, &new) } else { new.clone() };
        let verdict = world.validate(&review(Kind::Application, user, Some(&old), Some(&new)));
        match verdict {
            Verdict::Allow(_) => assert!(!denied, "{path} ({at}): {user} may not change it"),
            Verdict::Deny(check) => {
                assert!(denied, "{path} ({at}): {user} may change it, but: {check}");
                assert_ne!(check.code, Code::Unreadable, "{path}: {check}");
            }
            Verdict::Ask(question) => panic!("{path}: {question:?}"),
        }
    };
    let both = |denied| [ALICE, ARGOCD].map(|user| expect(&worlds.strict, user, denied));
    let Some(mut class) = class(path) else { panic!("{path} has no class") };
    // Of a source that is not ours all of the plugin is how it is rendered.
    if at == 1 && path.contains(".plugin.") {
        class = Class::Freely(Freedom::Parameters);
    }
    match class {
        Class::Harmless(_) | Class::Pinned(_) => drop(both(false)),
        Class::Freely(freedom) => {
            both(true);
            let [with, without] = &worlds.freely[&freedom];
            for user in [ALICE, ARGOCD] {
                expect(with, user, false);
                expect(without, user, true);
            }
            expect(&worlds.promoter, ALICE, false);
        }
        Class::Rule(Rule::Revision, _) => {
            expect(&worlds.strict, ALICE, true);
            expect(&worlds.strict, ARGOCD, false);
        }
        Class::Rule(..) => drop(both(true)),
        Class::Evidence => {
            expect(&worlds.strict, ALICE, true);
            expect(&worlds.strict, ARGOCD, false);
        }
    }
}

const FREEDOMS: [Freedom; 8] = [
    Freedom::Destination,
    Freedom::IgnoreDifferences,
    Freedom::Parameters,
    Freedom::Path,
    Freedom::Project,
    Freedom::Repository,
    Freedom::Revision,
    Freedom::Sources,
];

/// What a write is changed to before it is judged.
fn mutated(world: &World, user: &str, old: &Value, new: &Value) -> Value {
    let changed = world.mutate(&review(Kind::Application, user, Some(old), Some(new)));
    allowed(changed, "mutate").object.unwrap_or_else(|| new.clone())
}

/// An Application that has everything: one source or two, an operation that runs, and a past.
fn base(several: bool) -> Value {
    let mine = source(&claim(3));
    let sources =
        if several { json!({ "sources": [mine, native()] }) } else { json!({ "source": mine }) };
    let mut app = current();
    app["spec"]["source"].take();
    let spec = with(app["spec"].take(), sources.clone());
    app["spec"] = spec;
    app["operation"] = json!({ "sync": sources });
    app["status"] = json!({
        "history": [with(json!({ "id": 1 }), sources.clone())],
        "sync": { "status": "Synced", "comparedTo": sources },
        "operationState": {
            "phase": "Running",
            "startedAt": "2026-11-21T10:00:00Z",
            "operation": { "sync": sources },
            "syncResult": sources,
        },
    });
    app
}

fn values(path: &str, kind: &str, ours: bool) -> [Value; 2] {
    if path.starts_with("spec.") && path.ends_with(".plugin.name") && ours {
        return [json!(PLUGIN), json!("b")];
    }
    if path.ends_with("At") || path.ends_with("Time") {
        return [json!("2026-11-21T10:00:00Z"), json!("2026-11-21T10:00:01Z")];
    }
    match kind {
        "string" => [json!("a"), json!("b")],
        "integer" | "any" => [json!(1), json!(2)],
        "boolean" => [json!(false), json!(true)],
        "object" => [json!({ "a": 1 }), json!({ "a": 2 })],
        other => panic!("{path}: {other}"),
    }
}

/// Puts a value into a place, and what is missing on the way there.
fn plant(object: &mut Value, path: &str, at: usize, value: Value) {
    let mut place = object;
    for segment in path.split('.') {
        let name = segment.trim_end_matches("[]").trim_end_matches("{}");
        place = &mut place[name];
        if segment.ends_with("{}") {
            place = &mut place["k"];
        } else if segment.ends_with("[]") {
            let at = if name == "sources" {
                at
            } else if name == "env" {
                2
            } else {
                0
            };
            if !place.is_array() {
                *place = json!([]);
            }
            let list = place.as_array_mut().unwrap();
            while list.len() <= at {
                list.push(Value::Null);
            }
            place = &mut list[at];
        }
    }
    *place = value;
}
