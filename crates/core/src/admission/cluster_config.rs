//! The ClusterConfig: there is one.

use wharfinger_api::v1alpha1::ClusterConfig;

use super::faults::Faults;
use super::{Allowed, Context, Stop, receivers, window};
use crate::claim::shown;

pub(super) fn validate(context: &Context<'_>) -> Result<Allowed, Stop> {
    let Some(new) = context.after::<ClusterConfig>()? else { return Ok(Allowed::default()) };
    let mut faults = Faults::default();
    let name = new.metadata.name.as_deref().unwrap_or_default();
    if name != NAME {
        faults.at("metadata.name", format_args!("must be {NAME:?}, and is {:?}", shown(name)));
    }
    if context.changes("spec")? {
        receivers::judge(&new.spec.webhook_receivers, &mut faults);
        window::judge(&new.spec.promotion_windows, &mut faults);
    }
    faults.judge()?;
    Ok(Allowed::default())
}

const NAME: &str = "cluster";
