//! What can be known to be wrong before anything is evaluated.
//!
//! Go's engine refuses `1 == "1"` when it compiles, also where it would never be reached; so do we.

mod operation;

use std::collections::BTreeSet;

use super::builtin;
use super::each::Each;
use super::error::Error;
use super::functions::Functions;
use super::syntax::{Binary, Kind, Member, Node};
use super::types::{self, Type};
use operation::{may_be, operation};

/// Where both sides of `==` or `!=` are known to be text, or integers: nil is an error there, as in Go's engine.
pub(super) type Typed = BTreeSet<usize>;

pub(super) fn check(node: &Node, text: &str, functions: &Functions<'_>) -> Result<Typed, Error> {
    let (variables, closures, typed) = (vec![], vec![], Typed::new());
    let mut checker = Checker { functions, variables, closures, typed };
    match checker.of(node) {
        Ok(_) => Ok(checker.typed),
        Err((at, fault)) => Err(Error::at(fault, text, at)),
    }
}

struct Checker<'a> {
    functions: &'a Functions<'a>,
    variables: Vec<(&'a str, Type)>,
    closures: Vec<Closure>,
    typed: Typed,
}

struct Closure {
    /// What it is called with, one by one.
    of: Type,
    names: &'static [&'static str],
}

type Checked = Result<Type, (usize, String)>;

impl<'a> Checker<'a> {
    fn of(&mut self, node: &'a Node) -> Checked {
        let at = node.at;
        match &node.kind {
            Kind::Nil => Ok(Type::Nil),
            Kind::Bool(_) => Ok(Type::Bool),
            Kind::Int(_) => Ok(Type::Int),
            Kind::Float(_) => Ok(Type::Float),
            Kind::Text(_) => Ok(Type::Text),
            Kind::Bytes(_) => Ok(Type::Bytes),
            Kind::Name(name) => Ok(self.name(name)),
            Kind::Pointer(name) => self.pointer(at, name),
            Kind::Not(of) => self.operand(at, of, "not", |t| *t == Type::Bool).map(|_| Type::Bool),
            Kind::Negative(of) => self.operand(at, of, "-", Type::is_number),
            Kind::Positive(of) => self.operand(at, of, "+", Type::is_number),
            Kind::Binary(binary, left, right) => {
                let (left, right) = (self.of(left)?, self.of(right)?);
                let compares = matches!(binary, Binary::Equal | Binary::NotEqual);
                if compares && left == right && matches!(left, Type::Text | Type::Int) {
                    self.typed.insert(at);
                }
                let fault = || {
                    let (left, right) = (left.name(), right.name());
                    (at, format!("{} does not take {left} and {right}", binary.sign()))
                };
                operation(*binary, &left, &right).ok_or_else(fault)
            }
            Kind::Matches { text, pattern, .. } => {
                let (text, pattern) = (self.of(text)?, self.of(pattern)?);
                let both = text == Type::Bytes && pattern == Type::Text;
                if both || may_be(&text, &pattern, &[Type::Text]) {
                    return Ok(Type::Bool);
                }
                let (text, pattern) = (text.name(), pattern.name());
                Err((at, format!("matches does not take {text} and {pattern}")))
            }
            Kind::Chain(of) => self.of(of),
            Kind::Member(member) => self.member(at, member),
            Kind::Slice { of, from, to } => self.slice(at, of, [from, to]),
            Kind::Method { member, arguments } => self.method(at, member, arguments),
            Kind::Call { name, arguments } => self.call(at, name, arguments),
            Kind::Builtin(builtin, arguments) => {
                let given = self.all(arguments)?;
                (builtin.check)(&given).map_err(|fault| (at, format!("{} {fault}", builtin.name)))
            }
            Kind::Each(each, arguments) => self.each(*each, arguments),
            Kind::Let { name, value, then } => self.declaration(at, name, value, then),
            Kind::Sequence(nodes) => Ok(self.all(nodes)?.pop().unwrap_or(Type::Unknown)),
            Kind::If { condition, yes, no } => self.condition(condition, yes, no),
            Kind::List(nodes) => {
                let types = self.all(nodes)?;
                let of = match types.as_slice() {
                    [] => Type::Unknown,
                    [first, rest @ ..] if rest.iter().all(|t| is_alike(t, first)) => first.clone(),
                    _ => Type::Any,
                };
                Ok(Type::list(of))
            }
            Kind::Map(pairs) => {
                for (key, value) in pairs {
                    self.of(key)?;
                    self.of(value)?;
                }
                Ok(Type::Map)
            }
        }
    }

    fn all(&mut self, nodes: &'a [Node]) -> Result<Vec<Type>, (usize, String)> {
        nodes.iter().map(|node| self.of(node)).collect()
    }

    fn name(&self, name: &str) -> Type {
        if let Some((_, of)) = self.variables.iter().rev().find(|(known, _)| *known == name) {
            return of.clone();
        }
        let is_function = self.functions.get(name).is_some() || is_builtin(name);
        if is_function { Type::Function } else { Type::Unknown }
    }

    fn pointer(&self, at: usize, name: &str) -> Checked {
        let Some(closure) = self.closures.last() else {
            return Err((at, "# stands for an element, and there is none here".into()));
        };
        match name {
            "" => Ok(closure.of.clone()),
            "index" if closure.names.contains(&name) => Ok(Type::Int),
            "acc" if closure.names.contains(&name) => Ok(Type::Unknown),
            _ => Err((at, format!("#{name} means nothing here"))),
        }
    }

    fn operand(
        &mut self,
        at: usize,
        of: &'a Node,
        sign: &str,
        is_right: impl Fn(&Type) -> bool,
    ) -> Checked {
        let of = self.of(of)?;
        match of {
            _ if is_right(&of) => Ok(of),
            _ if of.is_unknown() => Ok(Type::Unknown),
            _ => Err((at, format!("{sign} does not take {}", of.name()))),
        }
    }

    fn member(&mut self, at: usize, member: &'a Member) -> Checked {
        let (of, property) = (self.of(&member.of)?, self.of(&member.property)?);
        let name = match &member.property.kind {
            Kind::Text(name) => Some(&**name),
            _ => None,
        };
        let is_index = property.is_integer() || property.is_unknown();
        match &of {
            _ if of.is_unknown() => Ok(Type::Unknown),
            Type::Map if property == Type::Text || property.is_unknown() => Ok(Type::Any),
            Type::AnyMap => Ok(Type::Any),
            _ if of.is_list() && is_index => Ok(of.element()),
            Type::Record(shape) => match name.and_then(|name| shape.field(name)) {
                Some(field) => Ok(field.clone()),
                None if property.is_unknown() => Ok(Type::Unknown),
                None => {
                    let known: Vec<_> = shape.fields.iter().map(|(name, _)| *name).collect();
                    let name = name.unwrap_or_default();
                    let known = known.join(", ");
                    Err((at, format!("{} has no {name:?}, only {known}", shape.name)))
                }
            },
            _ => match name {
                Some(name) if types::methods(&of).contains(&name) => Ok(Type::Function),
                Some(name) => Err((at, format!("{} has no {name:?}", of.name()))),
                None => Err((at, format!("{} has no element for {}", of.name(), property.name()))),
            },
        }
    }

    fn slice(&mut self, at: usize, of: &'a Node, ends: [&'a Option<Box<Node>>; 2]) -> Checked {
        let of = self.of(of)?;
        if of.is_unknown() {
            return Ok(Type::Unknown);
        }
        if !of.is_list() && of != Type::Text {
            return Err((at, format!("{} has no slices", of.name())));
        }
        for end in ends.into_iter().flatten() {
            let of = self.of(end)?;
            if !of.is_integer() && !of.is_unknown() {
                return Err((end.at, format!("a slice ends at an integer, not at {}", of.name())));
            }
        }
        Ok(of)
    }

    fn method(&mut self, at: usize, member: &'a Member, arguments: &'a [Node]) -> Checked {
        let callee = self.member(at, member)?;
        self.all(arguments)?;
        match callee {
            Type::Function => Ok(Type::Unknown),
            _ if callee.is_unknown() => Ok(Type::Unknown),
            other => Err((at, format!("{} can't be called", other.name()))),
        }
    }

    fn call(&mut self, at: usize, name: &'a str, arguments: &'a [Node]) -> Checked {
        let given = self.all(arguments)?;
        let Some(function) = self.functions.get(name) else {
            // It may be in the environment; when it is not, evaluating it says so.
            return match self.name(name) {
                known if !known.is_unknown() => {
                    Err((at, format!("{name} is {}, and can't be called", known.name())))
                }
                _ => Ok(Type::Unknown),
            };
        };
        let mut last = (None, "can't be called".to_owned());
        for signature in function.forms {
            match types::fits(signature, &given) {
                Ok(()) => return Ok(signature.gives.clone()),
                Err(fault) => last = fault,
            }
        }
        let (argument, fault) = last;
        Err((argument.map_or(at, |index| arguments[index].at), format!("{name} {fault}")))
    }

    fn each(&mut self, each: Each, arguments: &'a [Node]) -> Checked {
        let [list, rest @ ..] = arguments else { return Ok(Type::Unknown) };
        let of = self.of(list)?;
        if !of.is_list() && !of.is_unknown() {
            return Err((list.at, format!("{} takes a list, and gets {}", each.name(), of.name())));
        }
        let mut given = Type::Unknown;
        if let [closure, ..] = rest {
            let names: &[&str] = match each {
                Each::Map => &["index"],
                Each::Reduce => &["index", "acc"],
                _ => &[],
            };
            self.closures.push(Closure { of: of.element(), names });
            let checked = self.of(closure);
            self.closures.pop();
            given = checked?;
            let is_test = !matches!(
                each,
                Each::Map | Each::Sum | Each::GroupBy | Each::SortBy | Each::Reduce
            );
            if is_test && given != Type::Bool && !given.is_unknown() {
                let fault =
                    format!("{} asks for true or false, not for {}", each.name(), given.name());
                return Err((closure.at, fault));
            }
            // Nothing gives nil in Go's engine.
            if given == Type::Nil {
                return Err((closure.at, format!("{} asks for a value, not for nil", each.name())));
            }
        }
        if let [_, last] = rest {
            let of = self.of(last)?;
            if each == Each::SortBy && of != Type::Text && !of.is_unknown() {
                return Err((last.at, "sortBy takes \"asc\" or \"desc\" here".into()));
            }
        }
        Ok(match each {
            Each::All | Each::None | Each::Any | Each::One => Type::Bool,
            Each::Count | Each::FindIndex | Each::FindLastIndex => Type::Int,
            Each::Filter if of.is_unknown() => Type::list(Type::Any),
            Each::Filter => Type::list(of.element()),
            Each::Map => Type::list(given),
            Each::Sum if rest.is_empty() => of.element(),
            Each::Sum | Each::Reduce => given,
            Each::Find | Each::FindLast => of.element(),
            Each::GroupBy => Type::AnyMap,
            Each::SortBy => of,
        })
    }

    fn declaration(
        &mut self,
        at: usize,
        name: &'a str,
        value: &'a Node,
        then: &'a Node,
    ) -> Checked {
        if self.functions.get(name).is_some() || is_builtin(name) {
            return Err((at, format!("{name} is a function; choose another name")));
        }
        if self.variables.iter().any(|(known, _)| *known == name) {
            return Err((at, format!("{name} is there already; choose another name")));
        }
        let of = self.of(value)?;
        self.variables.push((name, of));
        let of = self.of(then);
        self.variables.pop();
        of
    }

    fn condition(&mut self, condition: &'a Node, yes: &'a Node, no: &'a Node) -> Checked {
        let of = self.of(condition)?;
        if of != Type::Bool && !of.is_unknown() {
            return Err((condition.at, format!("a condition is true or false, not {}", of.name())));
        }
        Ok(match (self.of(yes)?, self.of(no)?) {
            (Type::Nil, other) | (other, Type::Nil) => other,
            (Type::List(yes), Type::List(no)) if yes != no => Type::list(Type::Any),
            (yes, no) if yes.fits(&no) => yes,
            _ => Type::Unknown,
        })
    }
}

fn is_builtin(name: &str) -> bool {
    builtin::named(name).is_some() || Each::named(name).is_some()
}

/// What Go would call the same kind.
fn is_alike(a: &Type, b: &Type) -> bool {
    a == b
        || a.is_list() && b.is_list()
        || a.is_map() && b.is_map()
        || a.is_unknown() && b.is_unknown()
}
