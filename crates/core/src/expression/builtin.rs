//! The functions that every expression has, beside those that take a closure.

mod convert;
mod list;
mod number;
mod text;

use jiff::Timestamp;

use super::budget::Budget;
use super::types::{self, Signature, Type};
use super::value::{Fault, Value};

#[derive(Debug)]
pub(super) struct Builtin {
    pub(super) name: &'static str,
    /// What it gives for arguments of these types, or why it takes none of them.
    pub(super) check: fn(&[Type]) -> Result<Type, String>,
    pub(super) call: fn(&[Value], &mut Moment<'_>) -> Result<Value, Fault>,
}

/// When an expression is evaluated, where it may know, and how much it may still take.
#[derive(Debug)]
pub(super) struct Moment<'b> {
    pub(super) now: Option<Timestamp>,
    pub(super) budget: &'b mut Budget,
}

pub(super) fn named(name: &str) -> Option<&'static Builtin> {
    let mut all = [text::ALL, number::ALL, list::ALL, convert::ALL].into_iter().flatten();
    all.find(|builtin| builtin.name == name)
}

/// The form that arguments fit.
fn form(given: &[Type], forms: &[Signature]) -> Result<Type, String> {
    let mut last = "takes no arguments".to_owned();
    for signature in forms {
        match types::fits(signature, given) {
            Ok(()) => return Ok(signature.gives.clone()),
            Err((_, fault)) => last = fault,
        }
    }
    Err(last)
}

fn one(given: &[Type]) -> Result<&Type, String> {
    match given {
        [one] => Ok(one),
        other => Err(format!("takes 1 argument, and gets {}", other.len())),
    }
}

/// A list, or something unknown.
fn list_of(given: &[Type]) -> Result<&Type, String> {
    let of = one(given)?;
    if of.is_list() || of.is_unknown() { Ok(of) } else { Err(unfit(of, "a list")) }
}

fn unfit(of: &Type, wanted: &str) -> String {
    format!("takes {wanted}, and gets {}", of.name())
}

/// What was checked as far as it could be is checked once more where it is used.
fn wrong() -> Fault {
    "takes other arguments".into()
}

const TEXT: Type = Type::Text;
