//! What an expression may call beside the built-ins.

use std::collections::BTreeMap;

use super::budget::Budget;
use super::types::Signature;
use super::value::{Fault, Value};

/// Functions by name.
#[derive(Default)]
pub struct Functions<'a> {
    by_name: BTreeMap<&'static str, Function<'a>>,
}

pub(super) struct Function<'a> {
    pub(super) forms: &'static [Signature],
    pub(super) call: Call<'a>,
}

/// What a function does. Its arguments fit one of its forms, unless nothing is known of them before.
pub(super) type Call<'a> =
    Box<dyn Fn(&[Value], &mut Budget) -> Result<Value, Fault> + Send + Sync + 'a>;

impl<'a> Functions<'a> {
    pub(super) fn add(
        &mut self,
        name: &'static str,
        forms: &'static [Signature],
        call: impl Fn(&[Value], &mut Budget) -> Result<Value, Fault> + Send + Sync + 'a,
    ) {
        self.by_name.insert(name, Function { forms, call: Box::new(call) });
    }

    pub(super) fn get(&self, name: &str) -> Option<&Function<'a>> {
        self.by_name.get(name)
    }
}
