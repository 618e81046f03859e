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
    Evaluation { environment, budget: Budget::new() }.template(text)
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
    let mut evaluation = Evaluation { environment, budget: Budget::new() };
    match json {
        Json::Null => Ok(Json::Null),
        Json::Object(entries) => evaluation.object(entries, DEEPEST),
        _ => Err(Error::new("no object of JSON")),
    }
}

struct Evaluation<'e> {
    environment: &'e Environment<'e>,
    budget: Budget,
}

impl Evaluation<'_> {
    fn template(&mut self, text: &str) -> Result<Coerced, Error> {
        if !DELIMITERS.iter().any(|(start, _)| text.contains(start)) {
            return Ok(Coerced::Json(text.into()));
        }
        if text.len() > LONGEST {
            return Err(too_long());
        }
        let mut finished = String::new();
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
            finished.push_str(&rest[..at]);
            rest = &inside[length + end.len()..];
            // An empty expression ends them all, as in Kargo.
            if length == 0 {
                break;
            }
            finished.push_str(&self.expression(&inside[..length])?);
        }
        finished.push_str(rest);
        Ok(coerce::coerce(&finished))
    }

    /// Text as it is, all else as JSON.
    fn expression(&mut self, text: &str) -> Result<String, Error> {
        let environment = self.environment;
        let program = compile(text, &environment.functions)?;
        let mut moment = Moment { now: environment.now, budget: &mut self.budget };
        match program.evaluate_within(environment, &mut moment)? {
            Value::Text(text) => Ok(text.as_ref().into()),
            other => print::json(&other, moment.budget)
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

fn too_long() -> Error {
    Error::new(format!("longer than {LONGEST} bytes"))
}
