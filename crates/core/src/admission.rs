//! What may be written to the API server: *ask, then judge*.
//!
//! A review is judged from what it shows and from facts. Where a fact is missing the verdict is a question; whoever asked
//! finds the answer, adds it to the facts and has the review judged again. So the judgement itself waits for nothing, and
//! a fact that can't be found is a denial made in one place only.
//!
//! Nothing is let off because it is being deleted, because its writer is well known, or because it is a dry run.

mod application;
mod cluster_config;
mod facts;
mod faults;
mod freight;
mod legacy;
mod namespace;
mod object;
mod owner;
mod project;
mod project_config;
mod promotion;
mod promotion_request;
mod receivers;
mod selector;
mod shard;
mod stage;
mod steps;
mod task;
mod warehouse;
mod window;
mod words;

use std::collections::BTreeMap;

use jiff::Timestamp;
use serde::de::DeserializeOwned;
use serde_json::Value;
use wharfinger_api::v1alpha1::GROUP;

use crate::check::{Check, Code};
use crate::claim::StageName;

pub use facts::{Fact, Facts, Named, Namespace, Question, Verb};
pub use object::{Object, Told};
pub use words::{Copied, Words, without_line};

/// A write that wants to be admitted.
#[derive(Clone, Copy, Debug)]
pub struct Review<'a> {
    pub kind: Kind,
    pub operation: Operation,
    /// The user name of the writer. Its groups matter to nobody but the authorizer.
    pub user: &'a str,
    /// The object before; absent on CREATE.
    pub old: Option<&'a Object>,
    /// The object after; absent on DELETE.
    pub new: Option<&'a Object>,
    /// Nothing will be stored, so nothing must be reported as having happened.
    pub dry_run: bool,
    /// When it is judged.
    pub now: Timestamp,
}

/// What is written: a kind, or the status of one.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Kind {
    Application,
    ClusterConfig,
    ClusterPromotionTask,
    Freight,
    FreightStatus,
    Namespace,
    Project,
    ProjectConfig,
    Promotion,
    PromotionRequest,
    PromotionStatus,
    PromotionTask,
    Stage,
    StageStatus,
    Warehouse,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Operation {
    Create,
    Update,
    Delete,
}

/// Who is who among the writers.
#[derive(Clone, Debug)]
pub struct Identities {
    /// Wharfinger's controller.
    pub controller: String,
    /// The application controllers of the Argo CD instances in this cluster.
    pub argocd: Vec<String>,
}

/// What becomes of a review.
#[derive(Clone, Debug, PartialEq)]
pub enum Verdict {
    Allow(Allowed),
    Deny(Check),
    /// Not to be judged before this is known.
    Ask(Question),
}

#[derive(Clone, Debug, Default, PartialEq)]
pub struct Allowed {
    /// For the writer.
    pub warnings: Vec<String>,
    /// For everybody who looks at the object later. None on a dry run.
    pub events: Vec<Event>,
    /// What has to happen before the write is allowed: if it can't be done, the write is denied. None on a dry run.
    pub effect: Option<Effect>,
    /// What to write in place of what was sent. Only `mutate` sets it.
    pub object: Option<Value>,
}

/// An event about the object under review.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Event {
    /// Somebody should look.
    pub warning: bool,
    pub reason: &'static str,
    pub text: String,
    pub annotations: BTreeMap<String, String>,
}

/// What a write brings with it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Effect {
    /// The namespace of a new Project, with the label that says so.
    CreateNamespace { name: String },
}

/// What is to be written in place of what was sent. `ulid` is new: it becomes part of the name of a Promotion, and Freight
/// draws its alias with it.
pub fn mutate(review: &Review<'_>, identities: &Identities, facts: &Facts, ulid: &str) -> Verdict {
    let context = Context { review, identities, facts };
    verdict(match (review.kind, review.operation) {
        (_, Operation::Delete) => Ok(Allowed::default()),
        (Kind::Application, _) => application::mutate(&context),
        (Kind::Promotion, _) => promotion::mutate(&context, ulid),
        (Kind::Freight, _) => freight::mutate(&context, ulid),
        (Kind::Stage, _) => stage::mutate(&context),
        (Kind::Warehouse, _) => warehouse::mutate(&context),
        _ => Ok(Allowed::default()),
    })
}

/// Whether the write may happen.
pub fn validate(review: &Review<'_>, identities: &Identities, facts: &Facts) -> Verdict {
    let context = Context { review, identities, facts };
    let mut verdict = verdict(match review.kind {
        Kind::Application => application::validate(&context),
        Kind::ClusterConfig => cluster_config::validate(&context),
        Kind::ClusterPromotionTask => task::validate_of_cluster(&context),
        Kind::Freight => freight::validate(&context),
        Kind::FreightStatus => freight::validate_status(&context),
        Kind::Namespace => namespace::validate(&context),
        Kind::Project => project::validate(&context),
        Kind::ProjectConfig => project_config::validate(&context),
        Kind::Promotion => promotion::validate(&context),
        Kind::PromotionRequest => promotion_request::validate(&context),
        Kind::PromotionStatus => context.controllers_only("the status of a Promotion"),
        Kind::PromotionTask => task::validate(&context),
        Kind::Stage => stage::validate(&context),
        Kind::StageStatus => stage::validate_status(&context),
        Kind::Warehouse => warehouse::validate(&context),
    });
    if let (Verdict::Allow(allowed), true) = (&mut verdict, review.dry_run) {
        allowed.events.clear();
        allowed.effect = None;
    }
    verdict
}

impl Kind {
    /// All of them, with where the API server has them: group, resource and subresource.
    pub const ALL: [(Self, &'static str, &'static str, &'static str); 15] = [
        (Self::Application, "argoproj.io", "applications", ""),
        (Self::ClusterConfig, GROUP, "clusterconfigs", ""),
        (Self::ClusterPromotionTask, GROUP, "clusterpromotiontasks", ""),
        (Self::Freight, GROUP, "freights", ""),
        (Self::FreightStatus, GROUP, "freights", "status"),
        (Self::Namespace, "", "namespaces", ""),
        (Self::Project, GROUP, "projects", ""),
        (Self::ProjectConfig, GROUP, "projectconfigs", ""),
        (Self::Promotion, GROUP, "promotions", ""),
        (Self::PromotionRequest, GROUP, "promotionrequests", ""),
        (Self::PromotionStatus, GROUP, "promotions", "status"),
        (Self::PromotionTask, GROUP, "promotiontasks", ""),
        (Self::Stage, GROUP, "stages", ""),
        (Self::StageStatus, GROUP, "stages", "status"),
        (Self::Warehouse, GROUP, "warehouses", ""),
    ];

    /// Nothing where the rules say nothing about it.
    pub fn of(group: &str, resource: &str, subresource: &str) -> Option<Self> {
        Self::ALL
            .iter()
            .find(|(_, g, r, s)| (*g, *r, *s) == (group, resource, subresource))
            .map(|(kind, ..)| *kind)
    }
}

/// All that a judgement is made from.
#[derive(Clone, Copy)]
struct Context<'a> {
    review: &'a Review<'a>,
    identities: &'a Identities,
    facts: &'a Facts,
}

/// Why a judgement goes no further.
#[derive(Debug)]
enum Stop {
    Deny(Check),
    Ask(Question),
}

impl From<Check> for Stop {
    fn from(check: Check) -> Self {
        Self::Deny(check)
    }
}

impl<'a> Context<'a> {
    fn by_controller(&self) -> bool {
        self.review.user == self.identities.controller
    }

    fn by_argocd(&self) -> bool {
        self.identities.argocd.iter().any(|identity| identity == self.review.user)
    }

    /// By any account in a namespace of Argo CD's: its server and its generators are there too.
    fn by_accounts_of_argocd(&self) -> bool {
        let namespace = |user: &'a str| user.rsplit_once(':').map(|(namespace, _)| namespace);
        let theirs = |identity: &'a String| namespace(identity) == namespace(self.review.user);
        self.by_argocd() || self.identities.argocd.iter().any(theirs)
    }

    /// By Kubernetes itself, cleaning up after what somebody else was allowed to delete.
    fn by_kubernetes(&self) -> bool {
        KUBERNETES.contains(&self.review.user)
    }

    /// The object before, understood.
    fn before<T: DeserializeOwned>(&self) -> Result<Option<T>, Stop> {
        stored(self.review.old, Object::read)
    }

    /// The object after, understood.
    fn after<T: DeserializeOwned>(&self) -> Result<Option<T>, Stop> {
        sent(self.review.new, Object::read)
    }

    /// The object before, as it is.
    fn old_value(&self) -> Result<Option<&'a Value>, Stop> {
        stored(self.review.old, Object::value)
    }

    /// The object after, as it is.
    fn new_value(&self) -> Result<Option<&'a Value>, Stop> {
        sent(self.review.new, Object::value)
    }

    /// The writer, as events and annotations name people.
    fn actor(&self) -> String {
        format!("kubernetes:{}", self.review.user)
    }

    /// Whether a field is not as it is stored. What is stored is not judged again: it may be older than the rule.
    fn changes(&self, field: &str) -> Result<bool, Stop> {
        Ok(self.review.old.is_none() || !self.same(&[field])?)
    }

    /// Whether the object says the same before and after.
    fn same(&self, path: &[&str]) -> Result<bool, Stop> {
        let Review { old, new, .. } = *self.review;
        Object::same(old, new, path).map_err(|e| unreadable("as it was sent", &e))
    }

    /// The namespace of the object: its Project.
    fn project(&self) -> &'a str {
        let object = self.review.new.or(self.review.old);
        let namespace = object.and_then(|o| o.at(&["metadata", "namespace"]).ok().flatten());
        namespace.and_then(Value::as_str).unwrap_or_default()
    }

    fn controllers_only(&self, what: &str) -> Result<Allowed, Stop> {
        if self.by_controller() {
            return Ok(Allowed::default());
        }
        let text = format!(
            "{what} is written by Wharfinger's controller alone, not by {}",
            self.review.user
        );
        Err(Check::failed(Code::StatusGuard, text)
            .fix("Leave the status out of what you write. What a Stage holds changes by a promotion: wharf promote, or wharf rollback")
            .into())
    }

    /// Whether the writer has a permission.
    ///
    /// Argo CD's application controller may do everything everywhere, and writes whatever a parent Application has in Git.
    /// Were its permissions to count, whoever can commit could promote.
    fn may(&self, verb: Verb, on: &StageName) -> Result<bool, Stop> {
        Ok(!self.by_argocd() && self.facts.may(verb, on)?)
    }

    /// Denies unless the writer has a permission on a Stage.
    fn require(&self, verb: Verb, on: &StageName, why: &str) -> Result<(), Stop> {
        if self.may(verb, on)? {
            return Ok(());
        }
        Err(lacking(self.review.user, verb, on, why).into())
    }

    fn annotation(object: Option<&'a Value>, key: &str) -> Option<&'a str> {
        object?.get("metadata")?.get("annotations")?.get(key)?.as_str()
    }
}

/// That somebody lacks a permission on a Stage, which `why` takes.
pub fn lacking(user: &str, verb: Verb, on: &StageName, why: &str) -> Check {
    let text = format!("Stage {on}: {user} may not {why}; that takes the verb {verb} on the Stage");
    let fix = format!(
        "Ask for a Role in Namespace {} with apiGroups [{GROUP}], resources [stages], resourceNames [{}], verbs [{verb}]",
        on.project, on.stage
    );
    Check::failed(Code::Permission, text).fix(fix)
}

/// The accounts under which the garbage collector and the namespace controller delete: their own, or the one they share
/// where the controller manager runs without `--use-service-account-credentials`.
const KUBERNETES: [&str; 3] = [
    "system:serviceaccount:kube-system:generic-garbage-collector",
    "system:serviceaccount:kube-system:namespace-controller",
    "system:kube-controller-manager",
];

fn verdict(judged: Result<Allowed, Stop>) -> Verdict {
    match judged {
        Ok(allowed) => Verdict::Allow(allowed),
        Err(Stop::Deny(check)) => Verdict::Deny(check),
        Err(Stop::Ask(question)) => Verdict::Ask(question),
    }
}

fn read<T: DeserializeOwned>(object: &Value, which: &str) -> Result<T, Stop> {
    // A list of its fields would do for a struct, and for nobody else.
    if !object.is_object() {
        return Err(unreadable(which, "it is no object"));
    }
    T::deserialize(object).map_err(|e| unreadable(which, &e.to_string()))
}

/// Something about the object before, where there is one.
fn stored<'a, T>(
    object: Option<&'a Object>,
    ask: impl FnOnce(&'a Object) -> Result<T, String>,
) -> Result<Option<T>, Stop> {
    object.map(ask).transpose().map_err(|e| unreadable("as it is stored", &e))
}

/// Something about the object after, where there is one.
fn sent<'a, T>(
    object: Option<&'a Object>,
    ask: impl FnOnce(&'a Object) -> Result<T, String>,
) -> Result<Option<T>, Stop> {
    object.map(ask).transpose().map_err(|e| unreadable("as it was sent", &e))
}

fn unreadable(which: &str, why: &str) -> Stop {
    // The text of an error may repeat what was sent, at any length.
    let why: String = why.chars().take(200).collect();
    Check::failed(Code::Unreadable, format!("the object {which} can't be read: {why}"))
        .fix("Write it in the form that kubectl explain shows for its kind")
        .into()
}

/// Annotations that mean something only because nobody can change them later.
fn kept(context: &Context<'_>, keys: &[&str]) -> Result<(), Stop> {
    let (old, new) = (context.old_value()?, context.new_value()?);
    let changed =
        keys.iter().find(|key| Context::annotation(old, key) != Context::annotation(new, key));
    match changed {
        Some(key) => {
            Err(Check::failed(Code::Immutable, format!("annotation {key} can't be changed"))
                .fix("Leave it as it is. What needs another takes another Promotion")
                .into())
        }
        None => Ok(()),
    }
}

/// An entry of a map in an object.
fn entries<'v>(object: &'v Value, path: &[&str]) -> BTreeMap<&'v str, &'v Value> {
    let map = path.iter().try_fold(object, |value, key| value.get(key)).and_then(Value::as_object);
    map.into_iter().flatten().map(|(key, value)| (key.as_str(), value)).collect()
}

#[cfg(test)]
mod tests;
