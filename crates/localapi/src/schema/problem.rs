//! One reason why an object is not accepted, in kube-apiserver's words.

use std::fmt;

use serde_json::{Value, json};

use super::show;

/// Shows as `spec.x: Required value`.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Problem {
    /// The `field` of a StatusCause. `<nil>` for the object as a whole.
    pub path: String,
    /// The `reason` of a StatusCause.
    pub kind: ProblemKind,
    /// The `message` of a StatusCause.
    pub message: String,
}

/// Kubernetes' CauseTypes.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum ProblemKind {
    Required,
    Invalid,
    NotSupported,
    Duplicate,
    Forbidden,
    TooLong,
    TooMany,
    TypeInvalid,
}

/// What kube-apiserver writes for the object as a whole.
pub(crate) const WHOLE: &str = "<nil>";

impl Problem {
    pub fn required(path: impl Into<String>, detail: &str) -> Self {
        let message = match detail {
            "" => "Required value".to_owned(),
            detail => format!("Required value: {detail}"),
        };
        Self::new(path, ProblemKind::Required, message)
    }

    pub fn invalid(path: impl Into<String>, value: &Value, detail: &str) -> Self {
        let message = format!("Invalid value: {}: {detail}", show::value(value));
        Self::new(path, ProblemKind::Invalid, message)
    }

    pub fn forbidden(path: impl Into<String>, detail: &str) -> Self {
        Self::new(path, ProblemKind::Forbidden, format!("Forbidden: {detail}"))
    }

    pub fn not_supported<'v>(
        path: impl Into<String>,
        value: &Value,
        supported: impl IntoIterator<Item = &'v Value>,
    ) -> Self {
        let supported: Vec<_> = supported
            .into_iter()
            .map(|v| show::quoted(&v.as_str().map_or_else(|| show::json(v), str::to_owned)))
            .collect();
        let message = format!(
            "Unsupported value: {}: supported values: {}",
            show::value(value),
            supported.join(", ")
        );
        Self::new(path, ProblemKind::NotSupported, message)
    }

    pub(super) fn duplicate(path: impl Into<String>, value: &Value) -> Self {
        let message = format!("Duplicate value: {}", show::value(value));
        Self::new(path, ProblemKind::Duplicate, message)
    }

    pub(super) fn type_invalid(path: impl Into<String>, found: &str, detail: &str) -> Self {
        let message = format!("Invalid value: {}: {detail}", show::quoted(found));
        Self::new(path, ProblemKind::TypeInvalid, message)
    }

    pub(super) fn too_long(path: impl Into<String>, limit: u64) -> Self {
        let bytes = if limit == 1 { "byte" } else { "bytes" };
        let message = format!("Too long: may not be more than {limit} {bytes}");
        Self::new(path, ProblemKind::TooLong, message)
    }

    pub(super) fn too_many(path: impl Into<String>, found: u64, limit: u64) -> Self {
        let items = if limit == 1 { "item" } else { "items" };
        let message = format!("Too many: {found}: must have at most {limit} {items}");
        Self::new(path, ProblemKind::TooMany, message)
    }

    pub(crate) fn new(
        path: impl Into<String>,
        kind: ProblemKind,
        message: impl Into<String>,
    ) -> Self {
        Self { path: path.into(), kind, message: message.into() }
    }

    /// The same problem, its path put below `place`.
    pub(crate) fn below(self, place: &str) -> Self {
        let path = match self.path.as_str() {
            "" | WHOLE => place.to_owned(),
            path => format!("{place}.{path}"),
        };
        Self { path, ..self }
    }

    /// As an entry of `details.causes` of a Status.
    pub fn cause(&self) -> Value {
        json!({ "reason": self.kind.reason(), "message": self.message, "field": self.path })
    }

    /// All of them in one line, as after `is invalid: `.
    pub fn line(problems: &[Self]) -> String {
        let mut lines: Vec<String> = Vec::new();
        for line in problems.iter().map(Self::to_string) {
            if !lines.contains(&line) {
                lines.push(line);
            }
        }
        if lines.len() == 1 { lines.remove(0) } else { format!("[{}]", lines.join(", ")) }
    }
}

impl ProblemKind {
    /// The word on the wire.
    pub fn reason(self) -> &'static str {
        match self {
            Self::Required => "FieldValueRequired",
            Self::Invalid => "FieldValueInvalid",
            Self::NotSupported => "FieldValueNotSupported",
            Self::Duplicate => "FieldValueDuplicate",
            Self::Forbidden => "FieldValueForbidden",
            Self::TooLong => "FieldValueTooLong",
            Self::TooMany => "FieldValueTooMany",
            Self::TypeInvalid => "FieldValueTypeInvalid",
        }
    }
}

impl fmt::Display for Problem {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}: {}", self.path, self.message)
    }
}
