//! Warehouses: they are written in the words of today.

use super::{Allowed, Context};
use crate::legacy;

pub(super) fn mutate(context: &Context<'_>) -> Allowed {
    let Some(mut object) = context.review.new.cloned() else { return Allowed::default() };
    let warnings = legacy::warehouse(&mut object);
    Allowed { warnings, object: Some(object), ..Allowed::default() }
}
