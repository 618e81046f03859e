//! What is wrong with an object, field by field: all of it at once, so that nobody sends it once for each mistake.

use std::fmt::Display;

use super::Stop;
use crate::check::{Check, Code};

#[derive(Default)]
pub(super) struct Faults(Vec<String>);

impl Faults {
    pub(super) fn at(&mut self, field: impl Display, fault: impl Display) {
        self.0.push(format!("{field}: {fault}"));
    }

    /// Denies where there is any.
    pub(super) fn judge(self) -> Result<(), Stop> {
        let Self(all) = self;
        let fix = match all.len() {
            0 => return Ok(()),
            1 => "Change that field",
            _ => "Change those fields",
        };
        let more = match all.len().saturating_sub(SHOWN) {
            0 => String::new(),
            more => format!("; and {more} more"),
        };
        let shown: Vec<_> = all.into_iter().take(SHOWN).collect();
        Err(Check::failed(Code::Invalid, format!("{}{more}", shown.join("; "))).fix(fix).into())
    }
}

/// How many a denial names.
const SHOWN: usize = 10;
