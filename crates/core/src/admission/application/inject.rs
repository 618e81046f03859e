//! The claim is put into every source of ours, whoever writes the Application.
//!
//! Owners of Applications (ApplicationSets, parents, Git) know nothing of claims and take them out with every write.

use wharfinger_api::additions::BREAK_GLASS;
use wharfinger_api::argocd::{Source, Sources as _};
use wharfinger_api::v1alpha1::AUTHORIZED_STAGE;

use super::source::{newest, same};
use super::{Allowed, after, before};
use crate::admission::facts::{ask_stage, status};
use crate::admission::{Context, Stop};
use crate::claim::{Claim, Claimed, StageName, ours, the_stage};
use crate::converge::{held, with_claim};

pub(in crate::admission) fn mutate(context: &Context<'_>) -> Result<Allowed, Stop> {
    let untouched = Ok(Allowed::default());
    // What our controller writes is what it has just decided on. A cache behind it must not undo that.
    if context.by_controller() {
        return untouched;
    }
    // What can't be understood is left as it is: the validation that follows says why not.
    let (Ok(Some(new)), Ok(old)) = (after(context), before(context)) else { return untouched };
    let Ok(operation) = new.operation() else { return untouched };
    let Ok(stage) = the_stage(new.annotation(AUTHORIZED_STAGE)) else { return untouched };
    if new.annotation(BREAK_GLASS).is_some() || !new.renders {
        return untouched;
    }
    let (found, live) = context.facts.stage(&stage)?;
    let Some((claim, collection)) = found.map(status).and_then(held) else {
        return if live { untouched } else { Err(ask_stage(&stage, true)) };
    };
    let shown = newest(new.sources(), &stage);
    let sync = operation.and_then(|o| o.sync.as_ref()).map(|s| newest(s.sources(), &stage));
    let elsewhere = sync.max(old.map(|old| newest(old.sources(), &stage)));
    // Somebody has seen an assignment that the cache has not; or, where nothing was before, nobody could have.
    if !live && (old.is_none() || shown.max(elsewhere.unwrap_or(0)) > claim.generation) {
        return Err(ask_stage(&stage, true));
    }
    // There is no such assignment. To write over it would hide that it was tried.
    if shown > claim.generation {
        return untouched;
    }
    let before = old.map_or(&[][..], |old| old.sources());
    let wanted: Vec<Source> =
        new.sources().iter().map(|s| with_claim(s, &stage, &claim, collection)).collect();
    if wanted == new.sources() {
        return untouched;
    }
    let warnings = new.sources().iter().zip(&wanted);
    let warnings = warnings.filter(|(sent, _)| !before.iter().any(|b| same(b, sent)));
    let warnings = warnings
        .flat_map(|(sent, wanted)| replaced(sent, wanted, before, &stage, &claim))
        .collect();
    let Some(mut object) = context.new_value()?.cloned() else { return untouched };
    if new.spec.sources.is_empty() {
        object["spec"]["source"] = serde_json::json!(wanted.first());
    } else {
        object["spec"]["sources"] = serde_json::json!(wanted);
    }
    Ok(Allowed { warnings, object: Some(object), ..Allowed::default() })
}

/// What the writer asked for and does not get.
fn replaced(
    sent: &Source,
    wanted: &Source,
    before: &[Source],
    stage: &StageName,
    claim: &Claim,
) -> Vec<String> {
    let mut warnings = vec![];
    let asked = Claimed::of(sent).ok().and_then(|c| c.claim).filter(|asked| asked != claim);
    let known = |asked: &Claim| {
        ours(before).any(|b| Claimed::of(b).is_ok_and(|c| c.claim.as_ref() == Some(asked)))
    };
    if let Some(asked) = asked.filter(|asked| !known(asked)) {
        warnings.push(format!("the claim {asked} was replaced: Stage {stage} holds {claim}, and a promotion is what changes that"));
    }
    let (revision, pinned) = (sent.target_revision(), wanted.target_revision());
    if revision != pinned && !before.iter().any(|b| b.target_revision() == revision) {
        warnings.push(format!(
            "targetRevision {revision:?} was replaced: the Freight of Stage {stage} pins {pinned}"
        ));
    }
    warnings
}
