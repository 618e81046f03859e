//! What new Freight holds: one artifact of each thing its Warehouse subscribes to, and nothing else.

use std::collections::BTreeMap;

use wharfinger_api::v1alpha1::{Freight, Warehouse};

use crate::admission::faults::Faults;
use crate::admission::{Context, Stop};
use crate::check::{Check, Code};
use crate::claim::{is_name, shown};
use crate::freight::chart_location;
use crate::subscription::{Kind, Subscription};
use crate::url::normalise_git;

pub(super) fn judge(context: &Context<'_>, freight: &Freight) -> Result<(), Stop> {
    let Freight { commits, images, charts, artifacts, .. } = freight;
    if commits.is_empty() && images.is_empty() && charts.is_empty() && artifacts.is_empty() {
        let text = "commits, images, charts, artifacts: Freight must hold at least one of these";
        return Err(Check::failed(Code::Invalid, text)
            .fix("Add one for each subscription of its Warehouse")
            .into());
    }
    let (project, name) = (context.project(), freight.origin.name.as_str());
    // It becomes part of a request.
    let warehouse = if is_name(name) { context.facts.warehouse(project, name)? } else { None };
    let Some(warehouse) = warehouse else {
        let text =
            format!("origin.name: there is no Warehouse {} in Project {project}", shown(name));
        return Err(Check::failed(Code::Warehouse, text).fix("Create it first").into());
    };
    one_to_one(freight, warehouse)
}

/// Artifacts of other types are their Warehouse's own affair.
fn one_to_one(freight: &Freight, warehouse: &Warehouse) -> Result<(), Stop> {
    let name = warehouse.metadata.name.as_deref().unwrap_or_default();
    let subscriptions =
        warehouse.spec.subscriptions.iter().filter_map(|item| Subscription::read(item).ok());
    let mut wanted: BTreeMap<_, Option<String>> =
        subscriptions.map(|s| (key(s.kind, s.repo_url(), s.chart()), None)).collect();
    let mut faults = Faults::default();
    for (field, key) in held(freight) {
        let (kind, place) = &key;
        match wanted.get_mut(&key) {
            None => {
                let fault =
                    format!("Warehouse {name} has no {kind} subscription for {}", shown(place));
                faults.at(field, fault);
            }
            Some(Some(first)) => {
                faults.at(field, format_args!("{} is in {first} already", shown(place)));
            }
            Some(first) => *first = Some(field),
        }
    }
    for ((kind, place), _) in wanted.iter().filter(|(_, found)| found.is_none()) {
        let fault = format!("nothing of {}, to which Warehouse {name} subscribes", shown(place));
        faults.at(list(*kind), fault);
    }
    faults.judge()
}

/// Each artifact: where it stands, and what it is of.
fn held(freight: &Freight) -> impl Iterator<Item = (String, (Kind, String))> {
    let at = |kind: Kind, index: usize| format!("{}[{index}]", list(kind));
    let commits = freight.commits.iter().enumerate();
    let images = freight.images.iter().enumerate();
    let charts = freight.charts.iter().enumerate();
    commits
        .map(move |(i, c)| (at(Kind::Git, i), key(Kind::Git, &c.repo_url, "")))
        .chain(images.map(move |(i, m)| (at(Kind::Image, i), key(Kind::Image, &m.repo_url, ""))))
        .chain(
            charts.map(move |(i, c)| (at(Kind::Chart, i), key(Kind::Chart, &c.repo_url, &c.name))),
        )
}

/// By what an artifact and its subscription know each other. Images as they are written: their names hold them that way.
fn key(kind: Kind, repo_url: &str, chart: &str) -> (Kind, String) {
    let place = match kind {
        Kind::Git => normalise_git(repo_url),
        Kind::Image => repo_url.to_owned(),
        Kind::Chart => chart_location(repo_url, chart),
    };
    (kind, place)
}

fn list(kind: Kind) -> &'static str {
    match kind {
        Kind::Git => "commits",
        Kind::Image => "images",
        Kind::Chart => "charts",
    }
}
