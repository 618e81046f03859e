//! The annotation that names the Stage: who may set it, and who may take it away.
//!
//! It usually arrives through one of Argo CD's own accounts, so who wrote it is unknown here. Joining is therefore the
//! business of the Stage's side, and leaving takes a permission on the Stage.

use std::collections::BTreeSet;

use wharfinger_api::additions::PLUGIN;
use wharfinger_api::argocd::Source;
use wharfinger_api::v1alpha1::{AUTHORIZED_STAGE, ProjectConfig};

use super::{Change, Written};
use crate::admission::{Stop, Verb};
use crate::check::{Check, Code};
use crate::claim::{StageName, authorized, named, ours};

pub(super) fn judge(change: &Change<'_>) -> Result<(), Stop> {
    let annotation = change.is(AUTHORIZED_STAGE);
    // Left as it was, it may be older than these rules: whoever repairs something else must not have to repair it first.
    if change.was(AUTHORIZED_STAGE) != annotation {
        authorized(annotation.unwrap_or_default()).map_err(|e| {
            Check::failed(Code::AuthorizedStage, format!("annotation {AUTHORIZED_STAGE}: {e}"))
                .fix(format!("Set it to <project>:<stage>; to several, separated by commas, only without the plugin {PLUGIN}"))
        })?;
    }
    leaving(change)
}

/// The Stages that an Application names, whatever else is in its annotation.
pub(super) fn stages(app: Written<'_>) -> BTreeSet<StageName> {
    named(app.annotation(AUTHORIZED_STAGE).unwrap_or_default()).collect()
}

fn leaving(change: &Change<'_>) -> Result<(), Stop> {
    let Some(old) = change.old else { return Ok(()) };
    let (was, is) = (stages(old), stages(change.new));
    let dropped = dropped(old.sources(), change.new.sources());
    for stage in was.iter().filter(|stage| dropped || !is.contains(stage)) {
        // With the Stage gone there is nobody left to ask.
        if change.context.facts.stage_if_any(stage)?.is_some() && !releases(change, stage)? {
            change.context.require(Verb::Promote, stage, "take the Application away")?;
        }
    }
    Ok(())
}

/// Whether the Stage's Project lets the writer take Applications away. Argo CD's own accounts may be among them: then
/// whoever owns the Application's manifest decides.
fn releases(change: &Change<'_>, stage: &StageName) -> Result<bool, Stop> {
    let released = |config: Option<&ProjectConfig>| {
        let rules = config.and_then(|c| c.spec.wharfinger.as_ref());
        rules.is_some_and(|r| r.released_by.iter().any(|user| user == change.context.review.user))
    };
    let facts = change.context.facts;
    // A name that was taken off the list is not on it: what a cache allows is looked up.
    Ok(released(facts.config(&stage.project)?) && released(facts.config_live(&stage.project)?))
}

/// Whether a source is no longer rendered with the Freight of its Stage, though the annotation may stay.
fn dropped(was: &[Source], is: &[Source]) -> bool {
    let place = |source: &Source| {
        [source.repo_url(), source.chart(), source.text("path")].map(str::to_owned)
    };
    let at = |sources: &[Source], there: &[String; 3], rendered: bool| {
        sources
            .iter()
            .filter(|s| (s.plugin() == Some(PLUGIN)) == rendered && place(s) == *there)
            .count()
    };
    // As many as before, but what was rendered with Freight now comes from the same place without.
    let swapped = ours(was)
        .map(place)
        .any(|p| at(is, &p, true) < at(was, &p, true) && at(is, &p, false) > at(was, &p, false));
    swapped || ours(is).count() < ours(was).count()
}
