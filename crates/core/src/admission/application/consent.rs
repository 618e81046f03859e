//! Joining: whoever writes an Application says which Stage it belongs to, and the Stage's Project says whether it takes it.

use globset::Glob;
use serde_json::Value;
use wharfinger_api::additions::ApplicationSelector;

use super::annotation::stages;
use super::{Change, Written};
use crate::admission::Stop;
use crate::check::{Check, Code};
use crate::claim::{StageName, shown};

pub(super) fn judge(change: &Change<'_>) -> Result<(), Stop> {
    stages(change.new)
        .iter()
        .filter(|stage| joins(change, stage))
        .try_for_each(|stage| taken(change, stage))
}

/// Whether the Application has not been what it is now to that Stage, or was another AppProject's.
pub(super) fn joins(change: &Change<'_>, stage: &StageName) -> bool {
    !was_of(change, stage)
        || change.old.is_some_and(|old| app_project(old) != app_project(change.new))
}

/// Whether the Application has been to that Stage what it is now.
pub(super) fn was_of(change: &Change<'_>, stage: &StageName) -> bool {
    change
        .old
        .is_some_and(|old| stages(old).contains(stage) && (old.renders || !change.new.renders))
}

fn taken(change: &Change<'_>, stage: &StageName) -> Result<(), Stop> {
    let config = change.context.facts.config_live(&stage.project)?;
    let rules = config.and_then(|config| config.spec.wharfinger.as_ref());
    let selectors = rules.map_or(&[][..], |rules| &rules.applications);
    let app = change.new;
    if selectors.is_empty() || selectors.iter().any(|selector| selects(selector, app)) {
        return Ok(());
    }
    let text = format!(
        "Project {} does not take Application {}/{} of AppProject {}",
        stage.project,
        app.namespace(),
        app.name(),
        shown(app_project(app))
    );
    let fix = format!(
        "Who owns the Project adds to the ProjectConfig of {}, spec.wharfinger.applications: {{namespace: {}, project: {}, name: {}}}",
        stage.project,
        quoted(app.namespace()),
        quoted(app_project(app)),
        quoted(app.name())
    );
    Err(Check::failed(Code::Joining, text).fix(fix).into())
}

fn selects(selector: &ApplicationSelector, app: Written<'_>) -> bool {
    // What is no glob chooses nothing.
    let matches = |glob: &str, name: &str| {
        glob.is_empty() || Glob::new(glob).is_ok_and(|glob| glob.compile_matcher().is_match(name))
    };
    matches(&selector.namespace, app.namespace())
        && matches(&selector.project, app_project(app))
        && matches(&selector.name, app.name())
}

/// As it is to be pasted: whatever it is, it is a text there and no more. As `null` it would match everything.
fn quoted(text: &str) -> String {
    Value::from(shown(text)).to_string()
}

fn app_project(app: Written<'_>) -> &str {
    if app.spec.project.is_empty() { "default" } else { &app.spec.project }
}
