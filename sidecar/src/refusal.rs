//! How the sidecar says no.

use std::fmt;

use tonic::{Code, Status};
use tracing::error;
use wharfinger_core::check::{Check, Code as CheckCode};
use wharfinger_render::RenderError;

/// Why an Application is not rendered, by what Argo CD and people should do about it.
///
/// The text ends in the Application's status and in the UI. It is stable: no times, no attempts, no addresses.
#[derive(Clone, Debug, PartialEq)]
pub enum Refusal {
    /// A judgement: it holds until somebody changes something.
    Check(Check),
    /// There is no such Application.
    NotFound(String),
    /// The files or the options have to change.
    Input(String),
    /// It passes by itself, and Argo CD asks again.
    Unavailable(Check),
    /// Too much at once. Argo CD asks again.
    Busy,
    /// It took longer than Argo CD waits.
    Deadline,
    /// The caller is gone, so most likely nobody reads this.
    Gone,
    /// A fault of ours, or of the installation.
    Internal(String),
}

impl Refusal {
    pub fn input(text: impl Into<String>) -> Self {
        Self::Input(text.into())
    }

    /// Says so in the log, too.
    pub(crate) fn panicked() -> Self {
        error!("Panic in a call");
        Self::Internal("the render ended in a panic, which is a bug in Wharfinger; nothing was changed. The sidecar's log has more".into())
    }

    pub fn unavailable(text: impl Into<String>) -> Self {
        Self::Unavailable(
            Check::failed(CheckCode::Unavailable, text)
                .fix("Nothing was changed; Argo CD tries again"),
        )
    }

    /// What the log has of it. What files and tools say is for the Application to tell: it may quote what is secret.
    pub fn logged(&self) -> String {
        match self {
            Self::Input(_) => "the source's files or options; the Application says more".into(),
            other => other.to_string(),
        }
    }

    /// As gRPC has it. Argo CD's controller asks again by itself on the two transient ones, up to three times.
    pub fn code(&self) -> Code {
        match self {
            Self::Check(_) => Code::FailedPrecondition,
            Self::NotFound(_) => Code::NotFound,
            Self::Input(_) => Code::InvalidArgument,
            Self::Unavailable(_) => Code::Unavailable,
            Self::Busy => Code::ResourceExhausted,
            Self::Deadline => Code::DeadlineExceeded,
            Self::Gone => Code::Cancelled,
            Self::Internal(_) => Code::Internal,
        }
    }
}

impl fmt::Display for Refusal {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("wharfinger: ")?;
        match self {
            Self::Check(check) | Self::Unavailable(check) => check.fmt(f),
            Self::NotFound(text) | Self::Input(text) | Self::Internal(text) => f.write_str(text),
            Self::Gone => f.write_str("the upload ended before all that was announced had come"),
            Self::Busy => f.write_str("too many renders at once; nothing was changed, Argo CD tries again. If it persists, raise the plugin's --concurrency and its limits"),
            Self::Deadline => f.write_str("rendering took longer than Argo CD waits; nothing was changed. Narrow the annotation argocd.argoproj.io/manifest-generate-paths, or raise controller.repo.server.timeout.seconds and server.repo.server.timeout.seconds in argocd-cmd-params-cm"),
        }
    }
}

impl std::error::Error for Refusal {}

impl From<&Refusal> for Status {
    fn from(refusal: &Refusal) -> Self {
        Self::new(refusal.code(), refusal.to_string())
    }
}

impl From<Check> for Refusal {
    fn from(check: Check) -> Self {
        Self::Check(check)
    }
}

impl From<RenderError> for Refusal {
    fn from(error: RenderError) -> Self {
        match error {
            RenderError::Input(_) | RenderError::Tool { .. } => Self::Input(error.to_string()),
            RenderError::Unavailable(text) => Self::unavailable(text),
            RenderError::Deadline => Self::Deadline,
            RenderError::Internal(text) => Self::Internal(text),
        }
    }
}
