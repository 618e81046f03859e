//! The value of an expression that was compiled.

mod closure;
mod member;

use std::collections::BTreeMap;

use super::builtin::Moment;
use super::check::Typed;
use super::error::Error;
use super::functions::Functions;
use super::operator;
use super::regex;
use super::syntax::{Binary, Kind, Member, Node};
use super::time;
use super::types;
use super::value::{Fault, Value};
use super::version;
use closure::Frame;
pub(super) use closure::{is_descending, merge_sort, sort};
pub(super) use member::{element, index};
use member::{fetch, slice};

/// What an expression can see.
#[derive(Clone, Copy)]
pub(super) struct Surroundings<'a> {
    pub(super) variables: &'a BTreeMap<String, Value>,
    pub(super) functions: &'a Functions<'a>,
    pub(super) typed: &'a Typed,
}

pub(super) fn evaluate<'a>(
    node: &'a Node,
    text: &str,
    surroundings: Surroundings<'a>,
    moment: &mut Moment<'_>,
) -> Result<Value, Error> {
    moment.budget.next();
    let mut evaluation = Evaluation { surroundings, moment, locals: vec![], frames: vec![] };
    evaluation.of(node).map_err(|stop| match stop {
        Stop::Fault(at, fault) => Error::at(fault, text, at),
        Stop::Nil => Error::new("nil"),
    })
}

struct Evaluation<'a, 'm, 'b> {
    surroundings: Surroundings<'a>,
    moment: &'m mut Moment<'b>,
    locals: Vec<(&'a str, Value)>,
    frames: Vec<Frame>,
}

/// Why evaluating goes no further.
enum Stop {
    /// It is an error.
    Fault(usize, Fault),
    /// The chain is nil from here on.
    Nil,
}

type Evaluated<T = Value> = Result<T, Stop>;

fn at(at: usize) -> impl Fn(Fault) -> Stop {
    move |fault| Stop::Fault(at, fault)
}

impl<'a> Evaluation<'a, '_, '_> {
    fn of(&mut self, node: &'a Node) -> Evaluated {
        self.moment.budget.spend(1).map_err(at(node.at))?;
        match &node.kind {
            Kind::Nil => Ok(Value::Nil),
            Kind::Bool(bool) => Ok(Value::Bool(*bool)),
            Kind::Int(int) => Ok(Value::Int(*int)),
            Kind::Float(float) => Ok(Value::Float(*float)),
            Kind::Text(text) => Ok(Value::Text(text.clone())),
            Kind::Bytes(bytes) => Ok(Value::Bytes(bytes.clone())),
            Kind::Name(name) => self.name(name).map_err(at(node.at)),
            Kind::Pointer(name) => self.pointer(name).map_err(at(node.at)),
            Kind::Not(of) => {
                let of = self.of(of)?.as_bool().map_err(at(node.at))?;
                Ok(Value::Bool(!of))
            }
            Kind::Negative(of) => negative(&self.of(of)?).map_err(at(node.at)),
            Kind::Positive(of) => self.of(of),
            Kind::Binary(binary, left, right) => self.binary(node.at, *binary, left, right),
            Kind::Matches { text, pattern, compiled } => {
                let text = self.of(text)?;
                let found = match compiled {
                    Some(compiled) => regex::is_match(&text, compiled, self.moment.budget),
                    None => {
                        let pattern = self.of(pattern)?;
                        regex::matches(&text, &pattern, self.moment.budget)
                    }
                };
                found.map(Value::Bool).map_err(at(node.at))
            }
            Kind::Chain(of) => match self.of(of) {
                Err(Stop::Nil) => Ok(Value::Nil),
                Ok(value) if value.is_nil() => Ok(Value::Nil),
                other => other,
            },
            Kind::Member(member) => self.member(node.at, member),
            Kind::Slice { of, from, to } => self.slice(node.at, of, from.as_deref(), to.as_deref()),
            Kind::Method { member, arguments } => self.method(node.at, member, arguments),
            Kind::Call { name, arguments } => self.call(node.at, name, arguments),
            Kind::Builtin(builtin, arguments) => {
                let arguments = self.all(arguments)?;
                let called = (builtin.call)(&arguments, self.moment);
                called.map_err(|fault| Stop::Fault(node.at, format!("{} {fault}", builtin.name)))
            }
            Kind::Each(each, arguments) => self.each(node.at, *each, arguments),
            Kind::Let { name, value, then } => {
                let value = self.of(value)?;
                self.locals.push((name, value));
                let then = self.of(then);
                self.locals.pop();
                then
            }
            Kind::Sequence(nodes) => Ok(self.all(nodes)?.pop().unwrap_or(Value::Nil)),
            Kind::If { condition, yes, no } => {
                let condition = self.of(condition)?.as_bool().map_err(|_| {
                    Stop::Fault(condition.at, "a condition is neither true nor false".into())
                })?;
                self.of(if condition { yes } else { no })
            }
            Kind::List(nodes) => {
                let items = self.all(nodes)?;
                self.moment.budget.hold(items.len()).map_err(at(node.at))?;
                Value::list(items).map_err(at(node.at))
            }
            Kind::Map(pairs) => self.map(node.at, pairs),
        }
    }

    fn all(&mut self, nodes: &'a [Node]) -> Evaluated<Vec<Value>> {
        nodes.iter().map(|node| self.of(node)).collect()
    }

    /// What is not there is nil, as in Kargo, which compiles without knowing the environment.
    fn name(&mut self, name: &str) -> Result<Value, Fault> {
        if let Some((_, value)) = self.locals.iter().rev().find(|(known, _)| *known == name) {
            return Ok(value.clone());
        }
        if name == "$env" {
            self.moment.budget.spend(self.surroundings.variables.len())?;
            return Value::map(self.surroundings.variables.clone());
        }
        Ok(self.surroundings.variables.get(name).cloned().unwrap_or(Value::Nil))
    }

    fn map(&mut self, place: usize, pairs: &'a [(Node, Node)]) -> Evaluated {
        self.moment.budget.hold(pairs.len()).map_err(at(place))?;
        let mut entries = BTreeMap::new();
        for (key, value) in pairs {
            let name = self.of(key)?;
            let name = name.as_text().map_err(at(key.at))?.to_owned();
            self.moment.budget.write(name.len()).map_err(at(key.at))?;
            // Of two that are the same, Go's engine keeps the first.
            let value = self.of(value)?;
            entries.entry(name).or_insert(value);
        }
        Value::map(entries).map_err(at(place))
    }

    fn binary(
        &mut self,
        place: usize,
        binary: Binary,
        left: &'a Node,
        right: &'a Node,
    ) -> Evaluated {
        if let (Binary::In, Kind::List(nodes)) = (binary, &right.kind)
            && let Some(texts) = all_texts(nodes)
        {
            let needle = self.of(left)?;
            self.moment.budget.spend(texts.len()).map_err(at(place))?;
            return operator::is_in_texts(&needle, &texts).map(Value::Bool).map_err(at(place));
        }
        if let Some(decided) = self.decided(binary, left, right) {
            return decided;
        }
        let left = self.of(left)?;
        match binary {
            Binary::And if !left.as_bool().map_err(at(place))? => Ok(left),
            Binary::Or if left.as_bool().map_err(at(place))? => Ok(left),
            Binary::And | Binary::Or => self.of(right),
            Binary::Coalesce if !left.is_nil() => Ok(left),
            Binary::Coalesce => self.of(right),
            _ => {
                let right = self.of(right)?;
                if (left.is_nil() || right.is_nil()) && self.surroundings.typed.contains(&place) {
                    let (left, right) = (left.kind(), right.kind());
                    let fault = format!("{} does not take {left} and {right} here", binary.sign());
                    return Err(Stop::Fault(place, fault));
                }
                operator::apply(binary, &left, &right, self.moment.budget).map_err(at(place))
            }
        }
    }

    /// With `true` or `false` written on one side, Go's engine does not look whether the other side is either.
    fn decided(&mut self, binary: Binary, left: &'a Node, right: &'a Node) -> Option<Evaluated> {
        // What leaves the other side as it is.
        let neutral = match binary {
            Binary::And => true,
            Binary::Or => false,
            _ => return None,
        };
        match (&left.kind, &right.kind) {
            (Kind::Bool(bool), _) if *bool == neutral => Some(self.of(right)),
            (_, Kind::Bool(bool)) if *bool == neutral => Some(self.of(left)),
            (Kind::Bool(_), _) | (_, Kind::Bool(_)) => Some(Ok(Value::Bool(!neutral))),
            _ => None,
        }
    }

    fn member(&mut self, place: usize, member: &'a Member) -> Evaluated {
        let of = self.of(&member.of)?;
        if member.optional && of.is_nil() {
            return Err(Stop::Nil);
        }
        let property = self.of(&member.property)?;
        let found = fetch(&of, &property, self.moment);
        found.map_err(|fault| Stop::Fault(place, fault))
    }

    fn slice(
        &mut self,
        place: usize,
        of: &'a Node,
        from: Option<&'a Node>,
        to: Option<&'a Node>,
    ) -> Evaluated {
        let of = self.of(of)?;
        let to = to.map(|to| self.of(to)).transpose()?;
        let from = from.map(|from| self.of(from)).transpose()?;
        slice(&of, from.as_ref(), to.as_ref(), self.moment).map_err(at(place))
    }

    fn method(&mut self, place: usize, member: &'a Member, arguments: &'a [Node]) -> Evaluated {
        // Go's engine evaluates arguments before what is called.
        let arguments = self.all(arguments)?;
        let of = self.of(&member.of)?;
        if member.optional && of.is_nil() {
            return Err(Stop::Nil);
        }
        let property = self.of(&member.property)?;
        let method = property.as_text().map_err(at(place))?;
        let called = match &of {
            Value::Version(version) => version::call(version, method, &arguments),
            _ if types::methods(&types::of(&of)).contains(&method) => {
                time::call(&of, method, &arguments)
            }
            _ => match fetch(&of, &property, self.moment) {
                Ok(found) => Err(format!("{}, and can't be called", found.kind())),
                Err(fault) => Err(fault),
            },
        };
        called.map_err(|fault| Stop::Fault(place, fault))
    }

    fn call(&mut self, place: usize, name: &str, arguments: &'a [Node]) -> Evaluated {
        let arguments = self.all(arguments)?;
        let Some(function) = self.surroundings.functions.get(name) else {
            return Err(Stop::Fault(place, format!("there is no function {name} here")));
        };
        (function.call)(&arguments, self.moment.budget)
            .map_err(|fault| Stop::Fault(place, format!("{name} {fault}")))
    }
}

fn negative(of: &Value) -> Result<Value, Fault> {
    match of {
        Value::Int(int) => Ok(Value::Int(int.wrapping_neg())),
        Value::Float(float) => Ok(Value::Float(-float)),
        other => Err(format!("- does not take {}", other.kind())),
    }
}

/// The texts of a list that has nothing else.
fn all_texts(nodes: &[Node]) -> Option<Vec<std::sync::Arc<str>>> {
    let text = |node: &Node| match &node.kind {
        Kind::Text(text) => Some(text.clone()),
        _ => None,
    };
    nodes.iter().map(text).collect::<Option<Vec<_>>>().filter(|texts| !texts.is_empty())
}
