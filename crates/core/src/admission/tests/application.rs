//! Writes to Applications: rows of what, who, before, after and verdict.

mod annotation;
mod consent;
mod evidence;
mod fields;
mod glass;
mod guard;
mod operation;
mod source;

use wharfinger_api::additions::BREAK_GLASS;

use super::*;

const ALICE: &str = "alice";
const SERVER: &str = "system:serviceaccount:argocd:argocd-server";

/// Rows of: what, who, before, after, verdict.
type Row<'a> = (&'a str, &'a str, Option<Value>, Value, Result<(), Code>);

#[track_caller]
fn check(world: &World, rows: Vec<Row<'_>>) {
    for (row, user, old, new, expected) in rows {
        expect(
            world.validate(&review(Kind::Application, user, old.as_ref(), Some(&new))),
            expected,
            row,
        );
    }
}

fn current() -> Value {
    app(source(&claim(3)))
}

/// `app` with another value of its annotation, or none.
fn naming(app: Value, stage: Value) -> Value {
    with(app, json!({ "metadata": { "annotations": { AUTHORIZED_STAGE: stage } } }))
}

fn glass(app: Value, reason: Value) -> Value {
    with(app, json!({ "metadata": { "annotations": { BREAK_GLASS: reason } } }))
}

fn asking(app: Value, operation: Value) -> Value {
    with(app, json!({ "operation": operation }))
}

#[test]
fn what_is_everybodys_to_change_takes_no_look_at_anything_else() {
    let world = World::default();
    let looks = |old: &Value, patch: &Value| {
        let new = with(old.clone(), patch.clone());
        let review = review(Kind::Application, ALICE, Some(old), Some(&new));
        drop(allowed(world.validate(&review), &patch.to_string()));
        !world.asked.borrow().is_empty()
    };
    // What is there was judged when it was written: that the Stage has moved on, and what Argo CD took no notice of.
    let odd =
        json!({ "spec": { "sources": [{ "plugin": { "name": "./x" } }, source(&claim(1))] } });
    let old = with(app(source(&claim(1))), odd);
    for patch in [
        json!({ "spec": { "info": [{ "name": "a", "value": "b" }] } }),
        json!({ "spec": { "syncPolicy": { "automated": { "prune": true } } } }),
        json!({ "metadata": { "annotations": { "argocd.argoproj.io/refresh": "hard" }, "labels": { "a": "b" } } }),
        json!({}),
    ] {
        assert!(!looks(&old, &patch), "{patch}");
    }
    // These are judged, but by what the Application says itself.
    for patch in [
        json!({ "operation": { "sync": { "prune": true, "revision": "main" } } }),
        json!({ "status": { "sync": {} } }),
    ] {
        assert!(!looks(&current(), &patch), "{patch}");
    }
    for patch in [
        json!({ "spec": { "source": { "plugin": { "parameters": [] } } } }),
        json!({ "operation": { "sync": { "source": current()["spec"]["source"] } } }),
    ] {
        assert!(looks(&current(), &patch), "{patch}");
    }
    let broken = glass(current(), json!("a fire"));
    let review = |new: &Value| review(Kind::Application, ALICE, Some(&broken), Some(new));
    let told = with(broken.clone(), json!({ "metadata": { "labels": { "a": "b" } } }));
    assert_eq!(allowed(world.validate(&review(&told)), "told").events.len(), 1);
}

/// A schema has seen them before. The rules don't count on it.
#[test]
fn what_is_no_object_changes_all_that_was_there() {
    let world = World::default();
    for (part, value) in [
        (&["metadata", "annotations"][..], json!("shop:prod")),
        (&["metadata", "annotations"], json!([])),
        (&["metadata"], json!([])),
        (&["spec"], json!([])),
        (&["spec"], json!("x")),
        (&["spec"], json!(null)),
    ] {
        let mut new = current();
        *part.iter().fold(&mut new, |value, key| &mut value[key]) = value;
        denied(
            world.validate(&review(Kind::Application, ALICE, Some(&current()), Some(&new))),
            &new.to_string(),
        );
    }
}
