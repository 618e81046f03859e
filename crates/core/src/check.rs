//! One coded reason why something is or is not allowed.
//!
//! It is made here and shown the same everywhere: in the UI, by the CLI, in a denial of the webhook, in a refusal of the
//! sidecar, in an event and in a status.

mod explanation;

use std::fmt;

use jiff::Timestamp;
use serde::{Deserialize, Serialize};

pub use explanation::Explanation;

use crate::terminal::clean;

#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct Check {
    pub code: Code,
    pub state: State,
    /// What is the matter, for a person. Stable: it becomes part of statuses, so it names no time and no attempt.
    pub text: String,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub since: Option<Timestamp>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub until: Option<Timestamp>,
    /// What to do about it.
    #[serde(default, skip_serializing_if = "String::is_empty")]
    pub fix: String,
}

/// What a check is about. The words are part of the product: scripts and people match on them.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Code {
    /// The Application names no Stage, or more than one.
    AuthorizedStage,
    /// A source carries no claim.
    ClaimMissing,
    /// A claim that can't be read.
    ClaimMalformed,
    /// A claim for another Stage than the Application names.
    ClaimStage,
    /// A claim that the Stage no longer holds.
    ClaimOutdated,
    /// A claim that the Stage does not hold yet, or has never held.
    ClaimUnknown,
    /// The Stage holds nothing yet.
    Unassigned,
    /// The Stage does not exist.
    StageMissing,
    /// An operation brings sources or manifests of its own.
    OperationSource,
    /// The status of an operation was written by somebody other than its controller.
    OperationState,
    /// The Application joins a Stage whose Project does not take it.
    Joining,
    /// The Application leaves its Stage.
    Leaving,
    /// The claim rules are lifted for this Application.
    BreakGlass,
    /// Applications still name the object.
    InUse,
    /// A Stage holds the Freight.
    FreightHeld,
    /// The caller lacks a permission.
    Permission,
    /// The field may be written by the controllers alone.
    StatusGuard,
    /// The object is not of the form that its kind has.
    Unreadable,
    /// A field has a value that it may not have.
    Invalid,
    /// What was written once can't be changed.
    Immutable,
    /// The namespace does not exist, or is no Project's.
    Namespace,
    /// Other Freight of the Project has the alias.
    Alias,
    /// The Warehouse does not exist.
    Warehouse,
    /// The Target does not exist.
    Target,
    /// An operation has to end first.
    OperationRunning,
    /// An operation ended without success.
    OperationFailed,
    /// An operation was asked for and has not begun.
    OperationPending,
    /// The Application has not been compared with what it should be.
    Comparing,
    /// The Application could not be rendered.
    RenderFailed,
    /// Argo CD renders a source that names our plugin without it.
    RenderedNatively,
    /// Argo CD has never looked at the Application.
    NotReconciled,
    /// No Application names the Stage.
    NoApplications,
    /// The Application is not what Git and Freight say, though it was synced.
    OutOfSync,
    /// The Application's revision follows a branch.
    UnpinnedGit,
    /// The Freight asks for another revision than the one that is rendered.
    WrongRevision,
    /// The Freight holds an image that nothing uses.
    ImageUnused,
    /// A place of images is named where nothing stands.
    ImagePathUnused,
    /// An image is subscribed, and no Freight of the Stage holds it.
    ImageUnmanaged,
    /// Far more is sent for a render than is read.
    UploadLarge,
    /// A render reads what the Application does not declare.
    PathsUndeclared,
    /// It took too long.
    Timeout,
    /// A newer Promotion took over.
    Superseded,
    /// The Freight does not exist, or is not what it should be.
    Freight,
    /// The Stage asks for Freight of this origin.
    OriginRequested,
    /// The Freight was verified upstream.
    Verified,
    /// The Freight was in a Stage upstream for long enough.
    Soak,
    /// It was for long enough in a Stage beside those that count.
    SoakedBeside,
    /// Somebody approved the Freight for the Stage.
    Approved,
    /// A promotion policy of the Project can't be read.
    Policy,
    /// Other Promotions of the Stage come first.
    Queue,
    /// The Applications that name the Stage.
    AppsAuthorised,
    /// A step that this version can't carry out.
    Step,
    /// A field of an older Kargo that can't be converted.
    LegacyForm,
    /// The Kubernetes API can't be reached.
    Unavailable,
    /// A kind is not served, or not stored as it must be.
    Kinds,
    /// The API server does not ask the webhook as it must.
    Webhook,
    /// What the webhook answers to a write on trial.
    Probe,
    /// The sidecar is not where it must be.
    Sidecar,
    /// Another plugin runs beside the sidecar.
    OtherPlugin,
    /// A setting of Argo CD.
    Setting,
    /// Two clocks differ.
    ClockSkew,
    /// All is as it should be.
    Converged,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub enum State {
    /// It holds.
    Passed,
    /// It does not hold yet, and nobody needs to do anything.
    Waiting,
    /// It does not hold, and somebody should look; nothing is stopped by it.
    Warning,
    /// It does not hold, and that decides.
    Failed,
}

impl Check {
    pub fn new(code: Code, state: State, text: impl Into<String>) -> Self {
        Self { code, state, text: text.into(), since: None, until: None, fix: String::new() }
    }

    pub fn passed(code: Code, text: impl Into<String>) -> Self {
        Self::new(code, State::Passed, text)
    }

    pub fn failed(code: Code, text: impl Into<String>) -> Self {
        Self::new(code, State::Failed, text)
    }

    pub fn waiting(code: Code, text: impl Into<String>) -> Self {
        Self::new(code, State::Waiting, text)
    }

    #[must_use]
    pub fn fix(mut self, fix: impl Into<String>) -> Self {
        self.fix = fix.into();
        self
    }

    /// The same as whoever is told no may see it in a terminal, with no part longer than a person reads. The names in it
    /// were written by somebody.
    #[must_use]
    pub fn plain(&self) -> Self {
        let plain = |text: &str| match text.char_indices().nth(LONGEST) {
            Some((end, _)) => format!("{}…", clean(&text[..end])),
            None => clean(text).into_owned(),
        };
        Self { text: plain(&self.text), fix: plain(&self.fix), ..self.clone() }
    }

    #[must_use]
    pub fn until(mut self, until: Timestamp) -> Self {
        self.until = Some(until);
        self
    }
}

/// What is said at greatest length are the fields to write in place of those of an older Kargo.
const LONGEST: usize = 4000;

impl fmt::Display for Code {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.serialize(f)
    }
}

/// One line: `wharfinger: <text>. <fix> [<code>]`.
impl fmt::Display for Check {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}", self.text)?;
        if !self.fix.is_empty() {
            write!(f, ". {}", self.fix)?;
        }
        write!(f, " [{}]", self.code)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_name_of_any_kind_and_length_leaves_the_rest_readable() {
        let check = Check::failed(Code::Joining, format!("no {}\u{1b}[2J", "é".repeat(LONGEST)));
        let check = check.fix("do\nthis\u{202e}").plain();
        assert_eq!(check.text.chars().count(), LONGEST + 1);
        assert!(check.text.starts_with("no éé") && check.text.ends_with("é…"));
        assert!(check.to_string().ends_with(". do this\u{fffd} [joining]"), "{}", check.fix);
        let check = Check::failed(Code::Joining, "no").fix("\u{1b}]0;x\u{7}");
        assert_eq!(check.plain().to_string(), "no. \u{fffd}]0;x\u{fffd} [joining]");
    }
}
