//! The name that people call Freight by. No two of a Project have the same.

use serde_json::Value;
use sha2::{Digest as _, Sha256};
use wharfinger_api::v1alpha1::{ALIAS_LABEL, Freight};

use super::words::{ADJECTIVES, NOUNS};
use crate::admission::{Context, Operation, Stop};
use crate::check::{Check, Code};
use crate::claim::shown;
use crate::freight;
use crate::label;

/// Gives new Freight an alias where it has none, and makes the label say what the field says.
pub(super) fn settle(
    context: &Context<'_>,
    new: &Freight,
    object: &mut Value,
    ulid: &str,
) -> Result<(), Stop> {
    let creates = context.review.operation == Operation::Create;
    let labelled = new.metadata.labels.as_ref().and_then(|labels| labels.get(ALIAS_LABEL));
    let alias = match (new.alias.as_str(), labelled) {
        ("", Some(label)) if creates && !label.is_empty() => label.clone(),
        ("", _) if creates => draw(context, new, ulid)?,
        (alias, _) => alias.to_owned(),
    };
    if alias.is_empty() {
        if let Some(labels) = object.pointer_mut("/metadata/labels").and_then(Value::as_object_mut)
        {
            labels.shift_remove(ALIAS_LABEL);
        }
        return Ok(());
    }
    readable(&alias)?;
    object["metadata"]["labels"][ALIAS_LABEL] = alias.as_str().into();
    object["alias"] = alias.into();
    Ok(())
}

/// Denies what other Freight of the Project is called.
pub(super) fn judge(context: &Context<'_>, freight: &Freight) -> Result<(), Stop> {
    let (alias, name) = (&freight.alias, freight.metadata.name.as_deref().unwrap_or_default());
    if alias.is_empty() {
        return Ok(());
    }
    readable(alias)?;
    let project = context.project();
    let others = context.facts.with_alias(project, alias)?;
    match others.iter().find(|other| *other != name) {
        None => Ok(()),
        Some(other) => {
            let text =
                format!("alias: {alias} is the alias of Freight {other} of Project {project}");
            let fix = "Choose another, or leave it out of new Freight to have one chosen";
            Err(Check::failed(Code::Alias, text).fix(fix).into())
        }
    }
}

/// It becomes a label, by which it is looked for.
fn readable(alias: &str) -> Result<(), Stop> {
    if label::is_value(alias) {
        return Ok(());
    }
    let text = format!(
        "alias: {:?} is not at most 63 letters, digits, dashes, dots and underscores with a letter or digit at both ends",
        shown(alias)
    );
    Err(Check::failed(Code::Invalid, text).fix("Choose another").into())
}

fn draw(context: &Context<'_>, new: &Freight, ulid: &str) -> Result<String, Stop> {
    for attempt in 0..ATTEMPTS {
        let pair = pair(ulid, attempt);
        if context.facts.with_alias(context.project(), &pair)?.is_empty() {
            return Ok(pair);
        }
    }
    // In a Project where even that many are taken, its own name makes it one of a kind.
    let name: String = freight::name(new).chars().take(7).collect();
    Ok(format!("{}-{name}", pair(ulid, ATTEMPTS)))
}

const ATTEMPTS: u8 = 8;

fn pair(ulid: &str, attempt: u8) -> String {
    let hash = Sha256::new().chain_update(ulid).chain_update([attempt]).finalize();
    let number = |at: usize| usize::from(hash[at]) << 8 | usize::from(hash[at + 1]);
    let [adjective, noun] =
        [(ADJECTIVES, number(0)), (NOUNS, number(2))].map(|(all, n)| all[n % all.len()]);
    format!("{adjective}-{noun}")
}
