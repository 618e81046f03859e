//! What the steps of a Promotion ask for, understood before the first of them begins: a Promotion that can't be carried
//! through to its end assigns nothing.

use jiff::SignedDuration;
use serde_json::Value;
use wharfinger_api::v1alpha1::{Promotion, PromotionStep};

use crate::check::{Check, Code};
use crate::duration;

/// As Kargo's `argocd-update`.
const TIMEOUT: SignedDuration = SignedDuration::from_mins(5);

/// The steps, every one of them understood.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Plan {
    pub steps: Vec<Assign>,
}

/// The step `assign`: the Stage is to hold the Freight, and its Applications are to deploy it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Assign {
    pub alias: String,
    /// It is no failure that no Application names the Stage.
    pub allow_none: bool,
    /// How long to wait for the Applications. Nothing: without limit.
    pub timeout: Option<SignedDuration>,
    pub continue_on_error: bool,
}

pub fn plan(promotion: &Promotion) -> Result<Plan, Check> {
    let steps = &promotion.spec.steps;
    if steps.is_empty() {
        return Err(Check::failed(Code::Step, "the Promotion has no steps")
            .fix("Give its Stage a promotionTemplate"));
    }
    let steps = steps
        .iter()
        .enumerate()
        .map(|(index, step)| understand(step, index))
        .collect::<Result<_, _>>()?;
    Ok(Plan { steps })
}

/// Whether this version can carry out a step of that kind.
pub fn is_known(uses: &str) -> bool {
    uses == "assign"
}

fn understand(step: &PromotionStep, index: usize) -> Result<Assign, Check> {
    let number = index + 1;
    let unsupported = |what: String| {
        let text = format!(
            "step {number} ({what}) is not supported by this version; nothing was assigned"
        );
        Check::failed(Code::Step, text)
    };
    let wrong = |what: String| {
        Check::failed(Code::Step, format!("step {number} (`assign`): {what}; nothing was assigned"))
            .fix("Mend the step in the Stage's promotionTemplate and promote again")
    };
    if !is_known(&step.uses) {
        let what = match &step.task {
            Some(task) => format!("task `{}`", task.name),
            None => format!("`{}`", step.uses),
        };
        return Err(unsupported(what));
    }
    if !step.condition.is_empty() {
        return Err(unsupported("`assign` with `if`".into()));
    }
    let mut allow_none = false;
    match &step.config {
        Value::Null => {}
        Value::Object(config) => {
            for (field, value) in config {
                match (field.as_str(), value) {
                    ("allowNone", Value::Bool(value)) => allow_none = *value,
                    ("allowNone", _) => {
                        return Err(wrong(
                            "config field `allowNone` is neither true nor false".into(),
                        ));
                    }
                    (other, _) => {
                        return Err(wrong(format!("config field `{other}` is not known")));
                    }
                }
            }
        }
        _ => return Err(wrong("config is not an object".into())),
    }
    let timeout = match step.retry.as_ref().and_then(|r| r.timeout.as_deref()) {
        None => Some(TIMEOUT),
        Some(text) => {
            let timeout = duration::parse(text)
                .ok_or_else(|| wrong(format!("retry.timeout {text:?} is not a duration")))?;
            Some(timeout).filter(|t| !t.is_zero())
        }
    };
    Ok(Assign {
        alias: alias(step, index),
        allow_none,
        timeout,
        continue_on_error: step.continue_on_error,
    })
}

/// The name under which a step's output is kept.
pub(super) fn alias(step: &PromotionStep, index: usize) -> String {
    let kind = if step.task.is_some() { "task" } else { "step" };
    if step.alias.is_empty() { format!("{kind}-{}", index + 1) } else { step.alias.clone() }
}
