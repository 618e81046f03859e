//! Every field of an Application, classified once: who may change it without a promotion.
//!
//! The guard looks here, and so does the table in the documentation. A field that is not here is nobody's: whoever changes
//! it changes what is deployed, until somebody has looked at it.

use std::collections::{HashMap, HashSet};
use std::iter;
use std::sync::LazyLock;

use serde_json::{Map, Value};
use wharfinger_api::additions::Freedom;

/// A field, and what is below it but for what has a line of its own. `spec.source` stands for each source.
#[derive(Clone, Copy, Debug)]
pub(in crate::admission) struct Field {
    pub(in crate::admission) path: &'static str,
    pub(in crate::admission) below: Below,
    pub(in crate::admission) class: Class,
}

/// As much of what is below a field as has its class.
#[derive(Clone, Copy, Debug)]
pub(in crate::admission) enum Below {
    /// Also what Argo CD puts there one day.
    All,
    /// Nothing but these: what lets a field go lets none go that nobody has looked at.
    Only(&'static [&'static str]),
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(in crate::admission) enum Class {
    /// Anybody may change it who may write the Application: why that is no way around a promotion.
    Harmless(&'static str),
    /// Put back by the write that changes it.
    Pinned(&'static str),
    /// Changes what is deployed or where: takes `promote`, or this freedom of the Project.
    Freely(Freedom),
    /// Judged by a rule of its own: which.
    Rule(Rule, &'static str),
    /// Written by Argo CD's controllers alone. The controller believes it.
    Evidence,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(in crate::admission) enum Rule {
    /// Which Stage the Application belongs to.
    Membership,
    /// `bypass` on the Stage.
    Glass,
    /// Never.
    Never,
    /// Operations deploy the sources that the spec has.
    Sources,
    /// Operations deploy the revision that the spec or the Freight names.
    Revision,
    /// Argo CD goes on from here while an operation runs.
    Record,
}

/// A field with nothing below it.
const fn harmless(path: &'static str, why: &'static str) -> Field {
    harmless_below(path, &[""], why)
}

/// A field with these below it.
const fn harmless_below(
    path: &'static str,
    leaves: &'static [&'static str],
    why: &'static str,
) -> Field {
    Field { path, below: Below::Only(leaves), class: Class::Harmless(why) }
}

/// Whatever is below it: nothing is deployed because of it.
const fn harmless_whole(path: &'static str, why: &'static str) -> Field {
    Field { path, below: Below::All, class: Class::Harmless(why) }
}

const fn freely(path: &'static str, freedom: Freedom) -> Field {
    Field { path, below: Below::All, class: Class::Freely(freedom) }
}

const fn rule(path: &'static str, rule: Rule, what: &'static str) -> Field {
    Field { path, below: Below::All, class: Class::Rule(rule, what) }
}

const fn evidence(path: &'static str) -> Field {
    Field { path, below: Below::All, class: Class::Evidence }
}

pub(in crate::admission) const FIELDS: &[Field] = &[
    rule(
        "metadata.annotations.kargo.akuity.io/authorized-stage",
        Rule::Membership,
        "joining is allowed where the Project takes the Application; leaving takes `promote` on the Stage, or a user in `releasedBy`",
    ),
    rule(
        "metadata.annotations.wharfinger.dev/break-glass",
        Rule::Glass,
        "takes `bypass` on the Stage",
    ),
    harmless_whole(
        "metadata.annotations",
        "other annotations steer Argo CD's looking and telling, not what is rendered",
    ),
    harmless_whole("metadata.labels", "nothing is rendered from them"),
    harmless_whole(
        "metadata.finalizers",
        "they say what happens at the end, and deleting is allowed",
    ),
    harmless_whole(
        "metadata.ownerReferences",
        "they say with whom it is deleted, and deleting is allowed",
    ),
    freely("spec.destination", Freedom::Destination),
    freely("spec.ignoreDifferences", Freedom::IgnoreDifferences),
    harmless_below("spec.info", LIST, "for people"),
    freely("spec.project", Freedom::Project),
    harmless("spec.revisionHistoryLimit", "how much Argo CD remembers"),
    rule(
        "spec.sourceHydrator",
        Rule::Never,
        "it would be deployed in place of what is rendered with Freight",
    ),
    harmless_below(
        "spec.syncPolicy.automated",
        &[".allowEmpty", ".enabled", ".prune", ".selfHeal"],
        "when it is deployed, not what: the claim stays",
    ),
    harmless_below(
        "spec.syncPolicy.managedNamespaceMetadata",
        &[".annotations", ".labels"],
        "labels and annotations of the namespace",
    ),
    harmless_below("spec.syncPolicy.retry", RETRY, "how often it is tried"),
    harmless("spec.syncPolicy.syncOptions", "how it is applied, not what"),
    freely("spec.source.chart", Freedom::Repository),
    freely("spec.source.directory", Freedom::Parameters),
    freely("spec.source.helm", Freedom::Parameters),
    freely("spec.source.kustomize", Freedom::Parameters),
    freely("spec.source.name", Freedom::Sources),
    freely("spec.source.path", Freedom::Path),
    Field {
        path: "spec.source.plugin.env",
        below: Below::Only(LIST),
        class: Class::Pinned(
            "`WHARFINGER_STAGE` and `WHARFINGER_FREIGHT` are put back; other entries are free, for nothing is rendered from them",
        ),
    },
    rule(
        "spec.source.plugin.name",
        Rule::Membership,
        "as the annotation: taking the plugin away is leaving",
    ),
    freely("spec.source.plugin.parameters", Freedom::Parameters),
    freely("spec.source.ref", Freedom::Sources),
    freely("spec.source.repoURL", Freedom::Repository),
    freely("spec.source.tagPrefix", Freedom::Revision),
    freely("spec.source.targetRevision", Freedom::Revision),
    freely("spec.sources", Freedom::Sources),
    harmless_below("operation.info", LIST, "for people"),
    harmless_below(
        "operation.initiatedBy",
        &[".automated", ".username"],
        "for people; no permission follows from it",
    ),
    harmless_below("operation.retry", RETRY, "how often it is tried"),
    harmless("operation.sync.autoHealAttemptsCount", "Argo CD counts its own attempts"),
    harmless("operation.sync.dryRun", "nothing is applied, and no promotion is done by it"),
    rule(
        "operation.sync.manifests",
        Rule::Never,
        "they would be deployed in place of what is rendered with Freight",
    ),
    harmless("operation.sync.prune", "what is gone from the sources goes from the cluster"),
    harmless_below(
        "operation.sync.resources",
        &["[].group", "[].kind", "[].name", "[].namespace"],
        "less of the same; Argo CD does not enter it in its history, so no promotion is done by it",
    ),
    rule("operation.sync.revision", Rule::Revision, REVISION),
    rule("operation.sync.revisions", Rule::Revision, REVISION),
    rule("operation.sync.source", Rule::Sources, SOURCES),
    rule("operation.sync.sources", Rule::Sources, SOURCES),
    harmless("operation.sync.syncOptions", "how it is applied, not what"),
    harmless_below(
        "operation.sync.syncStrategy",
        &[".apply.force", ".hook.force"],
        "how it is applied, not what",
    ),
    evidence("status"),
    harmless_whole(
        "status.resources",
        "nothing is decided by it; argocd-server fills in their health whenever it writes an Application",
    ),
    rule("status.operationState.operation.sync.manifests", Rule::Record, RECORD),
    rule("status.operationState.operation.sync.source", Rule::Record, RECORD),
    rule("status.operationState.operation.sync.sources", Rule::Record, RECORD),
    rule("status.operationState.syncResult.source", Rule::Record, RECORD),
    rule("status.operationState.syncResult.sources", Rule::Record, RECORD),
];

const LIST: &[&str] = &["[].name", "[].value"];
const RETRY: &[&str] =
    &[".backoff.duration", ".backoff.factor", ".backoff.maxDuration", ".limit", ".refresh"];
const REVISION: &str = "what the Freight pins, else what `targetRevision` says; another takes `promote` or the freedom `revision`. Argo CD's own accounts send the commit that `targetRevision` stood for";
const SOURCES: &str = "only those of the spec, with the claim that the Stage holds";
const RECORD: &str = "Argo CD's application controller alone, and only for an operation that was admitted. Anybody may end an operation (phase `Terminating`) or forget it (`null`)";

/// The class of a field; nothing for one that nobody has looked at.
pub(in crate::admission) fn class(path: &str) -> Option<Class> {
    static KNOWN: LazyLock<HashMap<&str, &Field>> =
        LazyLock::new(|| FIELDS.iter().map(|field| (field.path, field)).collect());
    let of_many = path.strip_prefix("spec.sources[]").map(|rest| format!("spec.source{rest}"));
    let path = of_many.as_deref().unwrap_or(path).trim_end_matches("[]").trim_end_matches("{}");
    let parents = above(path).rev().map(|at| path.split_at(at));
    let (field, rest) = iter::once((path, ""))
        .chain(parents)
        .find_map(|(path, rest)| Some((KNOWN.get(path)?, rest)))?;
    match field.below {
        Below::Only(leaves) if !leaves.contains(&rest) => None,
        _ => Some(field.class),
    }
}

/// The fields below `path` that differ, each as deep as the table goes. Lists are compared element by element.
pub(in crate::admission) fn changed(path: &str, old: &Value, new: &Value) -> Vec<String> {
    let mut found = vec![];
    add_changed(&mut path.to_owned(), old, new, &mut found);
    found
}

/// Leaves `path` as it was.
fn add_changed(path: &mut String, old: &Value, new: &Value, found: &mut Vec<String>) {
    if old == new {
        return;
    }
    let both = |of: fn(&Value) -> bool| [old, new].iter().all(|v| of(v) || v.is_null());
    let end = path.len();
    if !goes_below(path) {
        found.push(path.clone());
    } else if both(Value::is_object) {
        let objects = [old, new].into_iter().filter_map(Value::as_object);
        let mut keys: Vec<_> = objects.flat_map(Map::keys).collect();
        keys.sort_unstable();
        keys.dedup();
        for key in keys {
            path.extend([".", key]);
            add_changed(path, &old[key], &new[key], found);
            path.truncate(end);
        }
    } else if both(Value::is_array) {
        let longest = [old, new].into_iter().filter_map(Value::as_array).map(Vec::len).max();
        path.push_str("[]");
        for at in 0..longest.unwrap_or(0) {
            add_changed(path, &old[at], &new[at], found);
        }
        path.truncate(end);
    } else {
        found.push(path.clone());
    }
}

/// Whether the table knows parts of a field.
fn goes_below(path: &str) -> bool {
    static INNER: LazyLock<HashSet<String>> = LazyLock::new(|| {
        let mut inner = HashSet::new();
        for field in FIELDS {
            let leaves = match field.below {
                Below::Only(leaves) => leaves,
                Below::All => &[""],
            };
            for path in leaves.iter().map(|leaf| [field.path, leaf].concat()) {
                inner.extend(above(&path).map(|at| path[..at].to_owned()));
            }
        }
        inner
    });
    INNER.contains(path)
}

/// Where the paths end that lead to a path's field: before each further part of it.
fn above(path: &str) -> impl DoubleEndedIterator<Item = usize> {
    path.match_indices(['.', '[', '{']).map(|(at, _)| at)
}
