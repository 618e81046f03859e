//! Text and JSON with expressions in them.

use serde_json::{Map, Value as Json};

use super::builtin::Moment;
use super::coerce::{self, Coerced};
use super::error::Error;
use super::print;
use super::value::Value;
use super::{Environment, budget::Budget, compile};

/// How long the text of a template may be, and that of a document.
const LONGEST: usize = 1 << 20;
const DEEPEST: usize = 128;
const DELIMITERS: [(&str, &str); 2] = [("${{", "}}"), ("${%", "%}")];
/// Names that Kargo keeps for its own functions.
const RESERVED: [&str; 3] = ["quote", "asYAML", "asJSON"];

/// The value of text in which expressions stand between `${{` and `}}`, or `${%` and `%}`. Without any it is the text.
pub fn template(text: &str, environment: &Environment<'_>) -> Result<Coerced, Error> {
    Evaluation::new(environment).template(text)
}

/// Whether expressions stand in text.
pub fn has_expression(text: &str) -> bool {
    DELIMITERS.iter().any(|(start, _)| text.contains(start))
}

/// The JSON of a document, which is an object, with the value of every text in it. Keys stay as they are.
pub fn document(text: &str, environment: &Environment<'_>) -> Result<Json, Error> {
    if let Some(name) = RESERVED.iter().find(|name| environment.variables.contains_key(**name)) {
        return Err(Error::new(format!("no variable can have the name {name}: it is a function")));
    }
    if text.len() > LONGEST {
        return Err(too_long());
    }
    let json = serde_json::from_str(text)
        .map_err(|e| Error::new(format!("no JSON; expressions have to stand in quotes: {e}")))?;
    let mut evaluation = Evaluation::new(environment);
    match json {
        Json::Null => Ok(Json::Null),
        Json::Object(entries) => evaluation.object(entries, DEEPEST),
        _ => Err(Error::new("no object of JSON")),
    }
}

/// Evaluates, until what all of it may take together is used up.
pub struct Evaluation<'e> {
    environment: &'e Environment<'e>,
    budget: Budget,
}

impl<'e> Evaluation<'e> {
    pub fn new(environment: &'e Environment<'e>) -> Self {
        Self { environment, budget: Budget::new() }
    }

    /// Text with the values of the expressions in it, and the value itself of text that is one expression.
    ///
    /// Unlike in a [`template`], what is text stays text: the tag `1.10` does not become a number. So nothing has to be
    /// quoted here, and what Kargo's `quote` and its like put around a value is taken off.
    pub fn fill(&mut self, text: &str) -> Result<Json, Error> {
        let parts = parts(text)?;
        if let [Part::Expression(only)] = parts[..] {
            return match self.expression(only)? {
                Written::Text(text) => Ok(unquoted(&text).into()),
                Written::Json(json) => serde_json::from_str(&json)
                    .map_err(|e| Error::new(format!("the result is no JSON: {e}"))),
            };
        }
        let mut filled = String::new();
        for part in parts {
            match part {
                Part::Text(text) => filled.push_str(text),
                Part::Expression(expression) => match self.expression(expression)? {
                    Written::Text(text) => filled.push_str(unquoted(&text)),
                    Written::Json(json) => filled.push_str(&json),
                },
            }
        }
        Ok(filled.into())
    }

    fn template(&mut self, text: &str) -> Result<Coerced, Error> {
        if !has_expression(text) {
            return Ok(Coerced::Json(text.into()));
        }
        let mut finished = String::new();
        for part in parts(text)? {
            match part {
                Part::Text(text) => finished.push_str(text),
                Part::Expression(expression) => match self.expression(expression)? {
                    Written::Text(text) | Written::Json(text) => finished.push_str(&text),
                },
            }
        }
        Ok(coerce::coerce(&finished))
    }

    fn expression(&mut self, text: &str) -> Result<Written, Error> {
        let environment = self.environment;
        let program = compile(text, &environment.functions)?;
        let mut moment = Moment { now: environment.now, budget: &mut self.budget };
        match program.evaluate_within(environment, &mut moment)? {
            Value::Text(text) => Ok(Written::Text(text.as_ref().into())),
            other => print::json(&other, moment.budget)
                .map(Written::Json)
                .map_err(|fault| Error::new(format!("the result {fault}"))),
        }
    }

    fn object(&mut self, entries: Map<String, Json>, left: usize) -> Result<Json, Error> {
        let entries = entries.into_iter().map(|(key, value)| {
            let value = self.value(value, left)?;
            Ok((key, value))
        });
        entries.collect::<Result<Map<_, _>, _>>().map(Json::Object)
    }

    fn value(&mut self, value: Json, left: usize) -> Result<Json, Error> {
        let left = left.checked_sub(1).ok_or_else(|| Error::new("the document lies too deep"))?;
        match value {
            Json::String(text) => match self.template(&text)? {
                Coerced::Json(json) => Ok(json),
                Coerced::NotFinite(_) => {
                    Err(Error::new("the result is no finite number, which has no JSON; quote it"))
                }
            },
            Json::Array(items) => items.into_iter().map(|item| self.value(item, left)).collect(),
            Json::Object(entries) => self.object(entries, left),
            other => Ok(coerce::floats(other)),
        }
    }
}

/// A piece of a template.
#[derive(Clone, Copy, Debug)]
enum Part<'t> {
    Text(&'t str),
    /// What stands between the delimiters.
    Expression(&'t str),
}

/// The value of an expression, written: text as it is, all else as JSON.
enum Written {
    Text(String),
    Json(String),
}

fn unquoted(text: &str) -> &str {
    text.strip_prefix('"').and_then(|text| text.strip_suffix('"')).unwrap_or(text)
}

fn parts(text: &str) -> Result<Vec<Part<'_>>, Error> {
    if text.len() > LONGEST {
        return Err(too_long());
    }
    let mut parts = vec![];
    let mut rest = text;
    loop {
        let found = DELIMITERS
            .iter()
            .filter_map(|(start, end)| Some((rest.find(start)?, *start, *end)))
            .min_by_key(|(at, ..)| *at);
        let Some((at, start, end)) = found else { break };
        let inside = &rest[at + start.len()..];
        let Some(length) = inside.find(end) else {
            return Err(Error::new(format!("{start} is not closed; {end} is missing")));
        };
        if at > 0 {
            parts.push(Part::Text(&rest[..at]));
        }
        rest = &inside[length + end.len()..];
        // An empty expression ends them all, as in Kargo.
        if length == 0 {
            break;
        }
        parts.push(Part::Expression(&inside[..length]));
    }
    if !rest.is_empty() {
        parts.push(Part::Text(rest));
    }
    Ok(parts)
}

fn too_long() -> Error {
    Error::new(format!("longer than {LONGEST} bytes"))
}
