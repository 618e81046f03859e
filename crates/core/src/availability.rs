//! Whether Freight may be promoted to a Stage, and why not.
//!
//! The rules are Kargo's. The webhook asks before a Promotion is admitted, the controller once more before it assigns, and
//! `wharf why` shows every check: the same function answers all three.

mod candidate;
mod circumstances;
mod next;
mod promotion;
mod upstream;

use std::collections::BTreeMap;

use jiff::Timestamp;
use wharfinger_api::v1alpha1::{Freight, FreightOrigin, FreightRequest, Stage};

use crate::check::{Check, Code, State};

pub use candidate::{available, candidate, newest};
pub use circumstances::{applications, permission, queue};
pub use next::{Next, next};
pub(crate) use promotion::former;
pub use promotion::{Wanted, needed, promotable};
pub use upstream::soaked;

/// What is known of the Stages upstream, by name; nothing under a name where there is no such Stage. What is not in here is
/// not known. It gives better advice, and never another answer.
pub type Upstream<'a> = BTreeMap<&'a str, Option<&'a Stage>>;

/// Whether Freight is available to a Stage: one check for each thing that counts. It is available when all have passed.
///
/// Of several requests for one origin one is enough; the first decides what is said. As in Kargo's admission none is looked at
/// after one that asks for `All` in vain. Kargo has a second rule for its list of available Freight: where the two differ, the
/// stricter holds here.
pub fn availability(
    stage: &Stage,
    freight: &Freight,
    upstream: &Upstream<'_>,
    now: Timestamp,
) -> Vec<Check> {
    let mut first = None;
    for request in requests(stage, freight) {
        let checks = by(request, &Names { stage, freight }, upstream, now);
        if passed(&checks) {
            return checks;
        }
        let in_vain =
            checks.iter().any(|c| c.state != State::Passed && c.code != Code::SoakedBeside);
        first.get_or_insert(checks);
        if upstream::all(&request.sources) && in_vain {
            break;
        }
    }
    first.unwrap_or_else(|| vec![not_requested(stage, &freight.origin)])
}

/// The Stages upstream that [`Upstream`] is asked about, those first in which Freight was not verified.
pub fn upstream_of<'s>(stage: &'s Stage, freight: &Freight) -> Vec<&'s str> {
    let verified_in = freight.status.as_ref().map(|s| &s.verified_in);
    let listed = requests(stage, freight).flat_map(|r| &r.sources.stages);
    let (verified, missing): (Vec<_>, Vec<_>) = listed
        .map(String::as_str)
        .partition(|stage| verified_in.is_some_and(|v| v.contains_key(*stage)));
    missing.into_iter().chain(verified).take(ADVISED).collect()
}

/// Why Freight is not available, as one check: the first that has not passed, with the words of all. Nothing if it is.
pub fn unavailable(stage: &Stage, freight: &Freight, checks: &[Check]) -> Option<Check> {
    let names = Names { stage, freight };
    let missing: Vec<_> = checks.iter().filter(|c| c.state != State::Passed).collect();
    let first = (*missing.first()?).clone();
    let why = missing.iter().map(|c| c.text.as_str()).collect::<Vec<_>>().join("; ");
    let text = format!(
        "Freight {} is not available to Stage {}: {why}",
        names.freight(),
        Names::stage(stage)
    );
    // What one may wait for decides all the same, now.
    Some(Check { text, state: State::Failed, until: missing.iter().find_map(|c| c.until), ..first })
}

/// How many of several things a text names.
const NAMED: usize = 5;
/// Of how many Stages upstream something has to be known: a list may be long, and its first entries say enough.
const ADVISED: usize = 5;

/// What one request of a Stage says about Freight of its origin.
fn by(
    request: &FreightRequest,
    names: &Names<'_>,
    upstream: &Upstream<'_>,
    now: Timestamp,
) -> Vec<Check> {
    let freight = names.freight;
    let requested = format!("Stage {} requests Freight of {}", names.to(), freight.origin);
    let requested = |more| Check::passed(Code::OriginRequested, format!("{requested}{more}"));
    let approval = freight.status.as_ref().and_then(|s| s.approved_for.get(names.to()));
    if let Some(approval) = approval {
        let text = format!("approved for Stage {}: that takes the place of the rest", names.to());
        let approved = Check::passed(Code::Approved, text);
        return vec![
            requested(""),
            Check { since: approval.approved_at.as_ref().map(|t| t.0), ..approved },
        ];
    }
    if request.sources.direct {
        return vec![requested(", straight from there")];
    }
    let mut checks = vec![requested("")];
    checks.extend(upstream::checks(names, &request.sources, upstream, now));
    checks
}

fn passed(checks: &[Check]) -> bool {
    checks.iter().all(|c| c.state == State::Passed)
}

fn not_requested(stage: &Stage, origin: &FreightOrigin) -> Check {
    let text = format!("Stage {} does not request Freight of {origin}", Names::stage(stage));
    Check::failed(Code::OriginRequested, text)
        .fix("Add the origin to the Stage's spec.requestedFreight")
}

/// The requests of a Stage that are about Freight of this origin, which has to be of the Stage's own Project.
fn requests<'s>(stage: &'s Stage, freight: &Freight) -> impl Iterator<Item = &'s FreightRequest> {
    let at_home = stage.metadata.namespace == freight.metadata.namespace;
    let requested = stage.spec.requested_freight.iter();
    requested.filter(move |r| at_home && r.origin == freight.origin)
}

fn named<N: AsRef<str>>(names: &[N]) -> String {
    let shown: Vec<_> = names.iter().take(NAMED).map(AsRef::as_ref).collect();
    match names.len().saturating_sub(NAMED) {
        0 => shown.join(", "),
        more => format!("{} and {more} more", shown.join(", ")),
    }
}

/// What checks call the two that they are about.
#[derive(Clone, Copy)]
struct Names<'a> {
    stage: &'a Stage,
    freight: &'a Freight,
}

impl Names<'_> {
    /// `<project>:<stage>`.
    fn stage(stage: &Stage) -> String {
        let project = stage.metadata.namespace.as_deref().unwrap_or_default();
        format!("{project}:{}", stage.metadata.name.as_deref().unwrap_or_default())
    }

    /// The Stage's name in its Project.
    fn to(&self) -> &str {
        self.stage.metadata.name.as_deref().unwrap_or_default()
    }

    fn freight(&self) -> &str {
        self.freight.metadata.name.as_deref().unwrap_or_default()
    }

    /// A command line about this Freight and a Stage of the Project.
    fn command(&self, verb: &str, stage: &str) -> String {
        let project = self.stage.metadata.namespace.as_deref().unwrap_or_default();
        format!("wharf {verb} {} --to {stage} --project {project}", self.freight())
    }
}

#[cfg(test)]
mod tests;
