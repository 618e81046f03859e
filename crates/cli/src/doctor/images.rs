//! Whether the Applications of each Stage use the images of its Freight: as the sidecars saw it at their last renders.

use std::collections::{BTreeMap, BTreeSet};

use wharfinger_api::v1alpha1::{FreightCollection, Stage};
use wharfinger_core::check::{Check, Code};
use wharfinger_core::claim::StageName;
use wharfinger_core::usage::{Deployed, Place, Rendered, of_stage};

use super::renders::Renders;
use super::seen::Seen;
use super::{not_seen, passed, warning};
use crate::exit::Failure;
use crate::session::Session;

pub(super) async fn look(
    session: &Session,
    seen: &Seen,
    renders: &Renders,
) -> Result<Vec<Check>, Failure> {
    let renders: BTreeMap<Place, Rendered> = renders
        .iter()
        .filter_map(|(place, render)| Some((place.clone(), render.rendered.clone()?)))
        .collect();
    let (mut well, mut unread, mut checks) = (0, Vec::new(), Vec::new());
    for name in rendered(&renders) {
        if seen.unseen.contains_key(&name) {
            unread.push(name.to_string());
        }
        let stage = seen.stages.get(&name).and_then(Option::as_ref);
        // Where no Application names it any more, or it holds nothing, there is nothing to compare.
        let Some((stage, collection)) = stage.and_then(|s| Some((s, held(s)?))) else { continue };
        let subscribed = match session.subscribed(&name, stage).await {
            Ok(subscribed) => subscribed,
            Err(failure) => {
                checks.push(not_seen(Code::ImageUnmanaged, failure)?);
                continue;
            }
        };
        let deployed = Deployed {
            stage: &name,
            collection,
            applications: &seen.applications,
            everywhere: seen.everywhere,
            renders: &renders,
            subscribed: &subscribed,
        };
        let told = of_stage(&deployed);
        well += usize::from(told.is_empty());
        checks.extend(told);
    }
    if well > 0 {
        let text = format!("every image of the Freight is used in {well} Stages");
        checks.insert(0, passed(Code::ImageUnused, text));
    }
    if !unread.is_empty() {
        let text =
            format!("not looked at: the images of {}, which can't be read", unread.join(", "));
        checks.push(warning(Code::ImageUnused, text).fix("Run it as somebody who may read them"));
    }
    Ok(checks)
}

/// The Stages that something was rendered for.
fn rendered(renders: &BTreeMap<Place, Rendered>) -> BTreeSet<StageName> {
    renders.values().filter_map(|render| render.stage.parse().ok()).collect()
}

/// What the Stage holds now.
pub(super) fn held(stage: &Stage) -> Option<&FreightCollection> {
    let status = stage.status.as_ref()?;
    let assignment = status.assignment.as_ref()?;
    status.freight_history.first().filter(|held| held.id == assignment.collection)
}
