//! Why something was not rendered.

/// Sorted by who can do something about it. The texts are stable, since they end in an Application's status: no times,
/// no temporary names.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum RenderError {
    /// The files or the options have to change.
    #[error("{0}")]
    Input(String),
    /// Helm or Kustomize refused the files: in its words.
    #[error("{tool} failed: {text}")]
    Tool { tool: &'static str, text: String },
    /// It passes by itself.
    #[error("{0}")]
    Unavailable(String),
    /// It took longer than the caller gave it.
    #[error("rendering did not end in time")]
    Deadline,
    /// Nobody but us can do anything about it.
    #[error("{0}")]
    Internal(String),
}

impl RenderError {
    pub(crate) fn input(text: impl Into<String>) -> Self {
        Self::Input(text.into())
    }

    pub(crate) fn internal(what: &str, error: &dyn std::fmt::Display) -> Self {
        Self::Internal(format!("{what}: {error}"))
    }
}

impl From<wharfinger_core::substitute::Unclear> for RenderError {
    fn from(unclear: wharfinger_core::substitute::Unclear) -> Self {
        Self::Input(unclear.to_string())
    }
}
