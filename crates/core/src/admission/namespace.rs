//! Namespaces: each Project has one, and what belongs to a Project is created in no other.

use wharfinger_api::v1alpha1::PROJECT_LABEL;

use super::{Context, Operation, Stop};
use crate::check::{Check, Code};

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
