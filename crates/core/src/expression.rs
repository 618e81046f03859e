//! Kargo's expressions: the language of expr-lang, and templates with expressions in them.
//!
//! An expression is compiled, which finds what is wrong with it for every input, and then evaluated over an [`Environment`].
//! Both agree with Go's engine (expr 1.17, as Kargo uses it) to the type of a number, because a template's result decides
//! which step runs with what.
//!
//! It is pure, total and bounded: the text, how deep it lies, the steps of an evaluation, what it holds and what it writes.
//! The crate `expr-lang` bounds none of them, which is why it is not used: `1..1000000000` alone takes all memory.

mod budget;
mod builtin;
mod check;
mod coerce;
mod discovered;
mod each;
mod error;
mod evaluate;
mod freight;
mod functions;
mod lexer;
mod operator;
mod parser;
mod power;
mod print;
mod records;
mod regex;
mod syntax;
mod template;
mod time;
mod types;
mod utility;
mod value;
mod version;
mod yaml;

use std::collections::BTreeMap;

use jiff::Timestamp;
use serde_json::Value as Json;

use budget::Budget;
use builtin::Moment;
use check::Typed;
pub use coerce::Coerced;
pub use error::Error;
use evaluate::Surroundings;
pub use functions::Functions;
use syntax::Node;
pub use template::{Evaluation, document, has_expression, template};
use value::Value;

/// How long the text of an expression may be.
const LONGEST: usize = 1 << 15;

/// An expression that was understood.
#[derive(Clone, Debug)]
pub struct Program {
    text: String,
    node: Node,
    typed: Typed,
}

/// Understands an expression that stands for itself, without delimiters, and may call these functions.
pub fn compile(text: &str, functions: &Functions<'_>) -> Result<Program, Error> {
    if text.len() > LONGEST {
        return Err(Error::new(format!("an expression has at most {LONGEST} bytes; split it")));
    }
    let node = parser::parse(text)?;
    let typed = check::check(&node, text, functions)?;
    Ok(Program { text: text.to_owned(), node, typed })
}

impl Program {
    /// The value of the expression as JSON.
    pub fn evaluate(&self, environment: &Environment<'_>) -> Result<Json, Error> {
        let mut budget = Budget::new();
        let mut moment = Moment { now: environment.now, budget: &mut budget };
        let value = self.evaluate_within(environment, &mut moment)?;
        let json = print::json(&value, moment.budget);
        let json = json.map_err(|fault| Error::new(format!("the result {fault}")))?;
        serde_json::from_str(&json).map_err(|e| Error::new(format!("the result is no JSON: {e}")))
    }

    /// Whether it holds. What is no boolean is read as the text of one, as Kargo does.
    pub fn holds(&self, environment: &Environment<'_>) -> Result<bool, Error> {
        let mut budget = Budget::new();
        let mut moment = Moment { now: environment.now, budget: &mut budget };
        let value = self.evaluate_within(environment, &mut moment)?;
        let text = print::plain(&value, moment.budget).map_err(Error::new)?;
        coerce::boolean(&text)
            .ok_or_else(|| Error::new(format!("must be true or false, and is {}", value.kind())))
    }

    fn evaluate_within(
        &self,
        environment: &Environment<'_>,
        moment: &mut Moment<'_>,
    ) -> Result<Value, Error> {
        let Environment { variables, functions, .. } = environment;
        let surroundings = Surroundings { variables, functions, typed: &self.typed };
        evaluate::evaluate(&self.node, &self.text, surroundings, moment)
    }
}

/// What an expression can see.
pub struct Environment<'a> {
    variables: BTreeMap<String, Value>,
    functions: Functions<'a>,
    now: Option<Timestamp>,
}

impl<'a> Environment<'a> {
    /// Nothing but functions. `now()` is this instant.
    pub fn new(functions: Functions<'a>, now: Timestamp) -> Self {
        Self { variables: BTreeMap::new(), functions, now: Some(now) }
    }

    /// Nothing but functions, and no `now()`: the same text comes to the same value at any time.
    pub fn timeless(functions: Functions<'a>) -> Self {
        Self { variables: BTreeMap::new(), functions, now: None }
    }

    /// Adds a variable. Its numbers become floats.
    pub fn insert(&mut self, name: &str, value: &Json) -> Result<(), Error> {
        let value = Value::of_json(value, &mut Budget::new());
        let value = value.map_err(|fault| Error::new(format!("variable {name}: {fault}")))?;
        self.variables.insert(name.to_owned(), value);
        Ok(())
    }
}

#[cfg(test)]
mod tests;
