//! Why a request is refused, in Kubernetes' words: code, reason, message and details of a `Status`.

use serde_json::{Value, json};

use crate::resource::Resource;
use crate::schema::{Problem, ProblemKind};

pub(crate) type Outcome<T> = Result<T, Failure>;

#[derive(Clone, Debug, PartialEq)]
pub(crate) struct Failure {
    pub(crate) code: u16,
    pub(crate) reason: String,
    pub(crate) message: String,
    pub(crate) details: Box<Value>,
}

impl Failure {
    /// The `Status` that a client reads.
    pub(crate) fn status(&self) -> Value {
        let mut status = json!({
            "kind": "Status", "apiVersion": "v1", "metadata": {}, "status": "Failure",
            "message": self.message, "reason": self.reason, "code": self.code,
        });
        if !self.details.is_null() {
            status["details"] = (*self.details).clone();
        }
        status
    }

    pub(crate) fn new(code: u16, reason: &str, message: impl Into<String>) -> Self {
        let (reason, message) = (reason.into(), message.into());
        Self { code, reason, message, details: Box::default() }
    }

    pub(crate) fn bad_request(message: impl Into<String>) -> Self {
        Self::new(400, "BadRequest", message)
    }

    pub(crate) fn unauthorized() -> Self {
        Self::new(401, "Unauthorized", "Unauthorized")
    }

    /// For what lies in a group that has kinds built in; elsewhere it is not even a Status.
    pub(crate) fn no_such_resource() -> Self {
        let mut failure =
            Self::new(404, "NotFound", "the server could not find the requested resource");
        *failure.details = json!({});
        failure
    }

    pub(crate) fn method_not_allowed() -> Self {
        Self::new(
            405,
            "MethodNotAllowed",
            "the server does not allow this method on the requested resource",
        )
    }

    pub(crate) fn not_acceptable() -> Self {
        Self::new(
            406,
            "NotAcceptable",
            "only the following media types are accepted: application/json",
        )
    }

    pub(crate) fn expired(message: impl Into<String>) -> Self {
        Self::new(410, "Expired", message)
    }

    pub(crate) fn unsupported_media_type(message: impl Into<String>) -> Self {
        Self::new(415, "UnsupportedMediaType", message)
    }

    pub(crate) fn internal(message: impl std::fmt::Display) -> Self {
        let message = message.to_string();
        let mut failure =
            Self::new(500, "InternalError", format!("Internal error occurred: {message}"));
        *failure.details = json!({"causes": [{"message": message}]});
        failure
    }

    pub(crate) fn future_version(asked: u64, current: u64) -> Self {
        let mut failure = Self::new(
            504,
            "Timeout",
            format!("Too large resource version: {asked}, current: {current}"),
        );
        let cause =
            json!({"reason": "ResourceVersionTooLarge", "message": "Too large resource version"});
        *failure.details = json!({"causes": [cause], "retryAfterSeconds": 1});
        failure
    }

    pub(crate) fn not_found(resource: &Resource, name: &str) -> Self {
        Self::about(404, "NotFound", resource, name, "not found")
    }

    pub(crate) fn already_exists(resource: &Resource, name: &str) -> Self {
        Self::about(409, "AlreadyExists", resource, name, "already exists")
    }

    pub(crate) fn conflict(resource: &Resource, name: &str, why: &str) -> Self {
        let mut failure = Self::about(409, "Conflict", resource, name, "");
        failure.message =
            format!("Operation cannot be fulfilled on {} {name:?}: {why}", qualified(resource));
        failure
    }

    /// Of a deletion. Here Kubernetes names the kind, not the resource.
    pub(crate) fn precondition(resource: &Resource, name: &str, why: &str) -> Self {
        let mut failure = Self::conflict(resource, name, why);
        failure.message = format!(
            "Operation cannot be fulfilled on {} {name:?}: {why}",
            qualified_kind(resource)
        );
        failure.details["kind"] = resource.kind.as_str().into();
        failure
    }

    pub(crate) fn modified(resource: &Resource, name: &str) -> Self {
        Self::conflict(
            resource,
            name,
            "the object has been modified; please apply your changes to the latest version and try again",
        )
    }

    pub(crate) fn forbidden(resource: &Resource, name: &str, why: &str) -> Self {
        let mut failure = Self::about(403, "Forbidden", resource, name, "");
        failure.message = format!("{} {name:?} is forbidden: {why}", qualified(resource));
        failure
    }

    pub(crate) fn invalid(resource: &Resource, name: &str, problems: &[Problem]) -> Self {
        Self::invalid_as(&qualified_kind(resource), &resource.kind, resource, name, problems)
    }

    /// An update of a kind that is not replaced blindly.
    pub(crate) fn version_required(resource: &Resource, name: &str) -> Self {
        let message = "Invalid value: 0: must be specified for an update";
        let problem = Problem::new("metadata.resourceVersion", ProblemKind::Invalid, message);
        // Here Kubernetes names the resource, not the kind.
        Self::invalid_as(&qualified(resource), &resource.plural, resource, name, &[problem])
    }

    fn invalid_as(
        what: &str,
        kind: &str,
        resource: &Resource,
        name: &str,
        problems: &[Problem],
    ) -> Self {
        let message = format!("{what} {name:?} is invalid: {}", Problem::line(problems));
        let mut failure = Self::new(422, "Invalid", message);
        let causes: Vec<Value> = problems.iter().map(Problem::cause).collect();
        *failure.details = details(name, &resource.group, kind);
        failure.details["causes"] = causes.into();
        failure
    }

    fn about(code: u16, reason: &str, resource: &Resource, name: &str, what: &str) -> Self {
        let mut failure =
            Self::new(code, reason, format!("{} {name:?} {what}", qualified(resource)));
        *failure.details = details(name, &resource.group, &resource.plural);
        failure
    }
}

/// `stages.kargo.akuity.io`, `secrets`
pub(crate) fn qualified(resource: &Resource) -> String {
    match resource.group.as_str() {
        "" => resource.plural.clone(),
        group => format!("{}.{group}", resource.plural),
    }
}

/// `Stage.kargo.akuity.io`, `Secret`
fn qualified_kind(resource: &Resource) -> String {
    match resource.group.as_str() {
        "" => resource.kind.clone(),
        group => format!("{}.{group}", resource.kind),
    }
}

/// What is empty is left out.
pub(crate) fn details(name: &str, group: &str, kind: &str) -> Value {
    let fields = [("name", name), ("group", group), ("kind", kind)];
    fields.into_iter().filter(|(_, text)| !text.is_empty()).map(|(k, v)| (k, json!(v))).collect()
}
