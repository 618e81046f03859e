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
