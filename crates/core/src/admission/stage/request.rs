//! Annotations by which somebody asks for something about a verification: they say who asked.

use serde_json::{Value, json};
use wharfinger_api::v1alpha1::{ABORT, REVERIFY};

use crate::admission::{Context, Stop};

/// Writes into each request that is new who made it, and whether for somebody else.
pub(super) fn sign(context: &Context<'_>, metadata: &mut Value) -> Result<(), Stop> {
    let (before, after) = (context.old_value()?, context.new_value()?);
    for key in [REVERIFY, ABORT] {
        let Some(new) = Context::annotation(after, key) else { continue };
        if Context::annotation(before, key) == Some(new) || id(new).is_empty() {
            continue;
        }
        metadata["annotations"][key] = signed(context, new).to_string().into();
    }
    Ok(())
}

fn signed(context: &Context<'_>, request: &str) -> Value {
    let mut signed = json!({ "id": id(request) });
    if context.by_controller() {
        // It asks for others, and says for whom.
        let actor = object(request).and_then(|o| o["actor"].as_str().map(str::to_owned));
        if let Some(actor) = actor.filter(|actor| !actor.is_empty()) {
            signed["actor"] = actor.into();
        }
        signed["controlPlane"] = true.into();
    } else {
        signed["actor"] = context.actor().into();
    }
    signed
}

/// What it is about: the id of a verification, by itself or in an object.
fn id(request: &str) -> String {
    match object(request) {
        Some(object) => object["id"].as_str().unwrap_or_default().to_owned(),
        None => request.trim().to_owned(),
    }
}

fn object(request: &str) -> Option<Value> {
    serde_json::from_str(request).ok().filter(Value::is_object)
}
