//! How a Promotion ends.

use jiff::Timestamp;
use k8s_openapi::apimachinery::pkg::apis::meta::v1::Time;
use serde_json::{Value, json};
use wharfinger_api::v1alpha1::{Promotion, PromotionStatus};

use crate::check::Check;

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Phase {
    Succeeded,
    Failed,
    Errored,
    Aborted,
}

impl Phase {
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Succeeded => "Succeeded",
            Self::Failed => "Failed",
            Self::Errored => "Errored",
            Self::Aborted => "Aborted",
        }
    }
}

/// Why a Promotion ends before its steps have.
#[derive(Clone, Debug, PartialEq)]
pub struct Ended {
    pub phase: Phase,
    pub message: String,
    pub check: Option<Check>,
    /// When it committed its assignment, if it has.
    pub committed: Option<Timestamp>,
}

impl Ended {
    pub fn by(phase: Phase, check: Check, committed: Option<Timestamp>) -> Self {
        let message = check.to_string();
        Self { phase, message, check: Some(check), committed }
    }

    /// The status of a Promotion that ends so, now.
    pub fn status(&self, promotion: &Promotion, now: Timestamp) -> PromotionStatus {
        let mut status = promotion.status.clone().unwrap_or_default();
        let now = second(now);
        status.phase = self.phase.as_str().into();
        status.message.clone_from(&self.message);
        // Aborted while it waited for its turn, it never began.
        if self.phase != Phase::Aborted || self.committed.is_some() {
            status.started_at.get_or_insert(self.committed.map_or(now.clone(), second));
        }
        status.finished_at = Some(now.clone());
        let current = usize::try_from(status.current_step).unwrap_or_default();
        if let Some(step) =
            status.step_execution_metadata.get_mut(current).filter(|s| s.finished_at.is_none())
        {
            step.status = self.phase.as_str().into();
            step.message.clone_from(&self.message);
            step.finished_at = Some(now);
        }
        if let (Some(check), Some(step)) = (&self.check, promotion.spec.steps.get(current)) {
            keep_check(&mut status, &super::plan::alias(step, current), check);
        }
        status
    }
}

/// Keeps a check with what a step has put out. What is kept there already has any form: its schema asks for none.
pub(super) fn keep_check(status: &mut PromotionStatus, alias: &str, check: &Check) {
    let made = |value: &mut Value| {
        if !value.is_object() {
            *value = json!({});
        }
    };
    made(&mut status.state);
    let output = &mut status.state[alias];
    made(output);
    output["check"] = json!(check);
}

/// Kubernetes' times are whole seconds: a finer one would differ from what is read back.
pub(crate) fn second(at: Timestamp) -> Time {
    Time(Timestamp::from_second(at.as_second()).unwrap_or(at))
}
