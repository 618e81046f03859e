//! Namespaces: each Project has one, what belongs to a Project is created in no other, and with it go all its Stages.

use serde_json::Value;
use wharfinger_api::v1alpha1::PROJECT_LABEL;

use super::facts::Named;
use super::project::every;
use super::stage::unused;
use super::{Allowed, Context, Operation, Stop};
use crate::check::{Check, Code};

/// Whether a Project's namespace may go, with all the Stages in it; or lose its label, and with it this rule.
///
/// Kubernetes is not let off: it deletes at once what somebody gives an owner that does not exist. It goes on with what
/// was allowed before, and a Project that may go may take its namespace along.
pub(super) fn validate(context: &Context<'_>) -> Result<Allowed, Stop> {
    let Some(old) = context.old_value()?.filter(|old| labelled(old) && !terminating(old)) else {
        return Ok(Allowed::default());
    };
    let name = old.pointer("/metadata/name").and_then(Value::as_str).unwrap_or_default();
    let what = match context.new_value()? {
        Some(new) if labelled(new) => return Ok(Allowed::default()),
        Some(_) => format!(
            "without the label {PROJECT_LABEL}=true namespace {name} can be deleted without a question: a Stage in it"
        ),
        None => format!("a Stage in namespace {name}"),
    };
    match unused(context, &Named::Project(name.to_owned()), &every(name), &what) {
        Err(Stop::Deny(_)) if context.facts.project_goes(name)? => Ok(Allowed::default()),
        judged => judged,
    }
}

fn terminating(namespace: &Value) -> bool {
    namespace["metadata"].get("deletionTimestamp").is_some_and(|at| !at.is_null())
}

fn labelled(namespace: &Value) -> bool {
    namespace["metadata"]["labels"][PROJECT_LABEL] == "true"
}

/// Denies to create something in a namespace that is no Project's.
pub(super) fn of_project(context: &Context<'_>) -> Result<(), Stop> {
    if context.review.operation != Operation::Create {
        return Ok(());
    }
    let name = context.project();
    let (text, fix) = match context.facts.namespace(name)? {
        Some(namespace) if namespace.labelled => return Ok(()),
        Some(_) => (
            format!(
                "metadata.namespace: namespace {name} is no Project's: it lacks the label {PROJECT_LABEL}=true"
            ),
            format!(
                "Use the namespace of a Project, or make this one a Project's: kubectl label namespace {name} {PROJECT_LABEL}=true, and create Project {name}"
            ),
        ),
        None => (
            format!("metadata.namespace: there is no namespace {name}"),
            format!("Create Project {name}: its namespace comes with it"),
        ),
    };
    Err(Check::failed(Code::Namespace, text).fix(fix).into())
}

/// Whether a new Project needs its namespace made. Denies where there is one that it can't have.
pub(super) fn wanting(context: &Context<'_>, project: &str) -> Result<bool, Stop> {
    let (text, fix) = match context.facts.namespace(project)? {
        None => return Ok(true),
        Some(namespace) if namespace.terminating => (
            format!("namespace {project} is being deleted"),
            format!(
                "Create the Project once it is gone: kubectl wait --for=delete namespace/{project}"
            ),
        ),
        Some(namespace) if namespace.labelled => return Ok(false),
        Some(_) => (
            format!("namespace {project} exists, and lacks the label {PROJECT_LABEL}=true"),
            format!(
                "If what is in it may become the Project's: kubectl label namespace {project} {PROJECT_LABEL}=true. Else choose another name"
            ),
        ),
    };
    Err(Check::failed(Code::Namespace, text).fix(fix).into())
}
