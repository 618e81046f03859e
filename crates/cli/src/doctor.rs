//! Whether the installation is as it must be. Everything is read, or tried on the server; nothing is changed.
//!
//! One file for each part: it looks, and a function without a cluster judges what was seen.

pub mod applications;
pub mod cluster;
mod images;
mod neighbours;
pub mod plugin;
mod renders;
mod revision;
pub mod seen;
mod uploads;
pub mod webhook;

use serde::Serialize;
use wharfinger_core::check::{Check, Code, State};

use crate::exit::{Exit, Failure};

/// A check, and what it is about.
#[derive(Clone, Debug, PartialEq, Serialize)]
pub struct Finding {
    pub part: Part,
    #[serde(flatten)]
    pub check: Check,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, clap::ValueEnum)]
#[serde(rename_all = "lowercase")]
pub enum Part {
    /// The kinds, and the clock
    Cluster,
    /// Whether it is asked, and says no
    Webhook,
    /// The sidecar in argocd-repo-server, what is beside it, settings, and what it has rendered
    Plugin,
    /// Whether they have what their Stages hold
    Applications,
}

impl Part {
    pub fn title(self) -> &'static str {
        match self {
            Self::Cluster => "Cluster",
            Self::Webhook => "Webhook",
            Self::Plugin => "Plugin",
            Self::Applications => "Applications",
        }
    }
}

pub(crate) fn passed(code: Code, text: impl Into<String>) -> Check {
    Check::new(code, State::Passed, text)
}

pub(crate) fn warning(code: Code, text: impl Into<String>) -> Check {
    Check::new(code, State::Warning, text)
}

/// What could not be looked at. Only that the cluster is away ends it all.
pub(crate) fn unseen(code: Code, what: &str, error: &kube::Error) -> Result<Check, Failure> {
    not_seen(code, Failure::api(format!("read {what}"), error))
}

/// The same, of something that was asked for in more than one way.
pub(crate) fn not_seen(code: Code, failure: Failure) -> Result<Check, Failure> {
    if failure.exit == Exit::Unreachable {
        return Err(failure);
    }
    let check = warning(code, format!("not looked at: {}", failure.what));
    Ok(match failure.exit {
        Exit::NotAllowed => check.fix("Run it as somebody who may read it"),
        _ => check,
    })
}
