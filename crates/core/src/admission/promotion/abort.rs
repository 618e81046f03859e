//! Requests to end a Promotion: they say who asks.

use serde_json::Value;
use wharfinger_api::v1alpha1::ABORT;

use super::{Context, Stop};
use crate::check::{Check, Code};
use crate::promotion::Abort;

/// Writes into a new request who makes it.
pub(super) fn sign(context: &Context<'_>, metadata: &mut Value) -> Result<(), Stop> {
    if let Some(request) = requested(context)? {
        metadata["annotations"][ABORT] = signed(context, request).write().into();
    }
    Ok(())
}

/// Denies a new request that says that somebody else makes it.
pub(super) fn judge(context: &Context<'_>) -> Result<(), Stop> {
    let Some(request) = requested(context)? else { return Ok(()) };
    if signed(context, request.clone()) == request {
        return Ok(());
    }
    let text = format!("who asks in annotation {ABORT} is set by Wharfinger's webhook alone");
    Err(Check::failed(Code::Immutable, text)
        .fix("Look for another webhook that changes Promotions")
        .into())
}

/// Whether there is a new request.
pub(super) fn asked(context: &Context<'_>) -> bool {
    requested(context).is_ok_and(|request| request.is_some())
}

/// What is asked for, if it was not asked for before.
fn requested(context: &Context<'_>) -> Result<Option<Abort>, Stop> {
    let Some(new) = Context::annotation(context.new_value()?, ABORT) else { return Ok(None) };
    if Context::annotation(context.old_value()?, ABORT) == Some(new) {
        return Ok(None);
    }
    let request = Abort::read(new).ok_or_else(|| {
        let new: String = new.chars().take(40).collect();
        Check::failed(Code::Step, format!("annotation {ABORT}: {new:?} asks for nothing"))
            .fix(format!("To end the Promotion, write {ABORT}=terminate"))
    })?;
    Ok(Some(request))
}

fn signed(context: &Context<'_>, mut request: Abort) -> Abort {
    request.control_plane = context.by_controller();
    // The controller asks for others, and says for whom.
    if !request.control_plane {
        request.actor = context.actor();
    }
    request
}
