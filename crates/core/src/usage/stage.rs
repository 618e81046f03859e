//! Whether the Freight of a Stage and all that its Applications deploy have to do with each other, from what sidecars tell
//! of the last render of each source.

use std::collections::{BTreeMap, BTreeSet};

use serde::{Deserialize, Serialize};
use wharfinger_api::argocd::{Application, Source, Sources as _};
use wharfinger_api::v1alpha1::{AUTHORIZED_STAGE, FreightCollection};

use super::{Found, Scope, Subscribed, judge};
use crate::check::{Check, Code};
use crate::claim::{StageName, named, ours};
use crate::paths::join;
use crate::substitute::Images;
use crate::url::shown;

/// A source of an Application, as far as a sidecar is told which it is.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub struct Place {
    pub namespace: String,
    pub application: String,
    /// As it may be shown.
    pub repository: String,
    pub path: String,
}

/// What a sidecar tells of a render, besides where and when.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Rendered {
    /// As `<project>:<stage>`.
    pub stage: String,
    /// The id of the FreightCollection it was made with.
    pub collection: String,
    pub images: Found,
}

/// A Stage, and what is known of what it deploys.
#[derive(Clone, Copy, Debug)]
pub struct Deployed<'a> {
    pub stage: &'a StageName,
    /// What it holds.
    pub collection: &'a FreightCollection,
    pub applications: &'a [Application],
    /// Whether those are all that there are, in all namespaces.
    pub everywhere: bool,
    /// The last render of each source, by any sidecar that answered.
    pub renders: &'a BTreeMap<Place, Rendered>,
    pub subscribed: &'a Subscribed,
}

/// So many Applications are named that have to be looked at first.
const NAMED: usize = 5;

impl Place {
    pub fn of(app: &Application, source: &Source) -> Self {
        Self {
            namespace: app.namespace().to_owned(),
            application: app.name().to_owned(),
            repository: shown(source.repo_url()),
            path: join("", source.text("path")).unwrap_or_default(),
        }
    }
}

/// What of the Freight no Application of the Stage uses, and what they use that is subscribed and that the Freight has
/// none of. That nothing uses an image is said when every Application was looked at with this Freight, and not before.
pub fn of_stage(deployed: &Deployed<'_>) -> Vec<Check> {
    let Deployed { stage, collection, applications, everywhere, renders, subscribed } = *deployed;
    let freight = Images::of(collection);
    let (mut used, mut missing, mut any) = (BTreeSet::new(), Vec::new(), false);
    for app in applications.iter().filter(|app| names(app, stage)) {
        any = true;
        let places: Vec<Place> =
            ours(app.spec.sources()).map(|source| Place::of(app, source)).collect();
        // Of two that a sidecar can't tell apart, only the last one is known.
        let distinct = places.iter().collect::<BTreeSet<_>>().len() == places.len();
        // One that is not rendered by us may use any image all the same.
        let mut whole = distinct && !places.is_empty();
        for place in &places {
            let current =
                |r: &&Rendered| r.stage == stage.to_string() && r.collection == collection.id;
            let Some(Rendered { images, .. }) = renders.get(place).filter(current) else {
                whole = false;
                continue;
            };
            used.extend(images.used.iter().chain(&images.others).map(String::as_str));
            whole &= images.more_used == 0;
        }
        if !whole {
            missing.push(format!("{}/{}", app.namespace(), app.name()));
        }
    }
    if !everywhere {
        missing.push("Applications of other namespaces".into());
    }
    if !any {
        return vec![];
    }
    let all_used = freight.repositories().all(|image| used.contains(image));
    let whole = missing.is_empty() || all_used;
    let scope = if whole { Scope::Stage } else { Scope::Part };
    let mut checks = judge(&freight, &used, subscribed, scope);
    if !whole {
        // What is used by nothing that was seen may be used by the rest.
        checks.retain(|check| check.code != Code::ImageUnused);
        checks.push(unknown(&missing));
    }
    let about = |check: Check| Check { text: format!("Stage {stage}: {}", check.text), ..check };
    checks.into_iter().map(about).collect()
}

fn unknown(missing: &[String]) -> Check {
    let named = missing[..missing.len().min(NAMED)].join(", ");
    let more = match missing.len().saturating_sub(NAMED) {
        0 => String::new(),
        more => format!(" and {more} more"),
    };
    let text = format!(
        "it can't be told yet whether all images of the Freight are used: no sidecar that answered has rendered {named}{more} with it"
    );
    Check::waiting(Code::ImageUnused, text).fix(
        "A hard refresh renders an Application anew: kubectl -n NAMESPACE annotate application NAME argocd.argoproj.io/refresh=hard",
    )
}

fn names(app: &Application, stage: &StageName) -> bool {
    named(app.annotation(AUTHORIZED_STAGE).unwrap_or_default()).any(|name| name == *stage)
}

#[cfg(test)]
mod tests;
