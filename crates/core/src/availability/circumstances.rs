//! What else somebody wants to know who asks whether Freight may go to a Stage. None of it makes Freight unavailable.

use std::borrow::Borrow;

use wharfinger_api::v1alpha1::{Promotion, Stage};

use super::named;
use crate::admission::{Verb, lacking};
use crate::check::{Check, Code, State};
use crate::claim::StageName;
use crate::promotion::over;

/// The Promotions that come first.
pub fn queue<P: Borrow<Promotion>>(promotions: &[P]) -> Check {
    let open = promotions.iter().map(Borrow::borrow).filter(|p| !over(p));
    let ahead: Vec<_> = open.filter_map(|p| p.metadata.name.clone()).collect();
    if ahead.is_empty() {
        return Check::passed(Code::Queue, "no other Promotion of the Stage is at work or waits");
    }
    Check::waiting(Code::Queue, format!("{} ahead: {}", ahead.len(), named(&ahead)))
}

/// Whether a user has the verb `promote` on the Stage, as the API server's authorizer says.
pub fn permission(stage: &StageName, user: &str, allowed: bool) -> Check {
    if allowed {
        let text = format!("{user} has the verb {} on Stage {stage}", Verb::Promote);
        return Check::passed(Code::Permission, text);
    }
    lacking(user, Verb::Promote, stage, "promote")
}

/// The Applications that name the Stage, as `<namespace>/<name>`: those that a promotion brings along.
pub fn applications(stage: &Stage, applications: &[String]) -> Check {
    if !applications.is_empty() {
        return Check::passed(Code::AppsAuthorised, named(applications));
    }
    let steps = stage.spec.promotion_template.iter().flat_map(|t| &t.spec.steps);
    let mut assigning = steps.filter(|s| s.uses == "assign").peekable();
    let may_be_none =
        assigning.peek().is_some() && assigning.all(|s| s.config["allowNone"] == true);
    let state = if may_be_none { State::Passed } else { State::Warning };
    let check = Check::new(Code::AppsAuthorised, state, "no Application names the Stage");
    if may_be_none {
        return check;
    }
    check.fix("Annotate an Application with kargo.akuity.io/authorized-stage, or set `allowNone: true` in the step")
}
