//! Stages without steps: they hold nothing, and pass on what is available to them.

use jiff::Timestamp;
use serde_json::{Value, json};
use wharfinger_api::v1alpha1::{Freight, Stage};

use crate::availability::{Upstream, availability};
use crate::check::State;
use crate::promotion::second;

/// A Stage without steps only passes Freight on.
pub fn is_control_flow(stage: &Stage) -> bool {
    stage.spec.promotion_template.as_ref().is_none_or(|t| t.spec.steps.is_empty())
}

/// What becomes of Freight that a control-flow Stage may pass on.
#[derive(Clone, Debug, PartialEq)]
pub enum Passage {
    /// It counts as verified there from now on: a merge patch of the Freight's status.
    Now(Value),
    /// It will then, if nothing changes until then.
    At(Timestamp),
    /// There is nothing to do about it: it was passed on before, or something else has to happen first.
    Rest,
}

pub fn passage(stage: &Stage, freight: &Freight, now: Timestamp) -> Passage {
    let name = stage.metadata.name.as_deref().unwrap_or_default();
    if freight.status.as_ref().is_some_and(|s| s.verified_in.contains_key(name)) {
        return Passage::Rest;
    }
    let checks = availability(stage, freight, &Upstream::new(), now);
    let missing: Vec<_> = checks.iter().filter(|c| c.state != State::Passed).collect();
    match missing.as_slice() {
        [] => Passage::Now(json!({ "verifiedIn": { name: { "verifiedAt": second(now) } } })),
        [soak] => soak.until.map_or(Passage::Rest, Passage::At),
        _ => Passage::Rest,
    }
}
