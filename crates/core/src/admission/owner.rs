//! Owners: Kubernetes deletes what names one together with it, or at once if the owner was made up, and asks nobody then. So
//! whoever names one is asked for what the deletion would take.

use serde_json::Value;

use super::{Context, Stop, Verb};
use crate::check::{Check, Code};
use crate::claim::{StageName, shown};

/// Denies an owner that was not there before, unless the writer may lift the rules.
///
/// Taking owners away makes nothing go. The garbage collector does it, and says of others that nobody waits for them.
pub(super) fn judge(context: &Context<'_>, on: &StageName, what: &str) -> Result<(), Stop> {
    let before = owners(context.old_value()?);
    let same = |one: &Value, other: &Value| IDENTITY.iter().all(|key| one[key] == other[key]);
    let added =
        owners(context.new_value()?).iter().find(|new| !before.iter().any(|old| same(old, new)));
    let Some(owner) = added else { return Ok(()) };
    if context.may(Verb::Bypass, on)? {
        return Ok(());
    }
    let [kind, name] = ["kind", "name"].map(|key| shown(owner[key].as_str().unwrap_or_default()));
    let text = format!(
        "metadata.ownerReferences: {} may not name {kind} {name} as an owner of {what}, with which Kubernetes would delete it and ask nobody",
        context.review.user
    );
    let fix = format!(
        "Leave metadata.ownerReferences as they are, or write it as somebody with the verb {} on Stages there",
        Verb::Bypass
    );
    Err(Check::failed(Code::Permission, text).fix(fix).into())
}

fn owners(object: Option<&Value>) -> &[Value] {
    let owners = object.and_then(|object| object.pointer("/metadata/ownerReferences"));
    owners.and_then(Value::as_array).map_or(&[], Vec::as_slice)
}

/// What Kubernetes finds an owner by.
const IDENTITY: [&str; 4] = ["apiVersion", "kind", "name", "uid"];
