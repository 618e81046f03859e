//! One reason why an object is not accepted, as kube-apiserver puts it.

use std::fmt;

/// Shows as `spec.x: Required value`.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Problem {
    /// The `field` of a StatusCause. Empty for the object as a whole.
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
