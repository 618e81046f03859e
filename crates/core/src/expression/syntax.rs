//! An expression that was read.

use std::sync::Arc;

use regex::Regex;

use super::builtin::Builtin;
use super::each::Each;

#[derive(Clone, Debug)]
pub(super) struct Node {
    /// How many characters come before it.
    pub(super) at: usize,
    /// How many levels of nodes it has.
    pub(super) depth: u16,
    /// How many nodes.
    pub(super) size: usize,
    pub(super) kind: Kind,
}

#[derive(Clone, Debug)]
pub(super) enum Kind {
    Nil,
    Bool(bool),
    Int(i64),
    Float(f64),
    Text(Arc<str>),
    Bytes(Arc<[u8]>),
    Name(String),
    /// The element that a closure is called with: `#`, or `#index` and `#acc` with a name.
    Pointer(String),
    Not(Box<Node>),
    Negative(Box<Node>),
    Positive(Box<Node>),
    Binary(Binary, Box<Node>, Box<Node>),
    Matches {
        text: Box<Node>,
        pattern: Box<Node>,
        compiled: Option<Regex>,
    },
    /// Where `?.` stops.
    Chain(Box<Node>),
    Member(Member),
    Slice {
        of: Box<Node>,
        from: Option<Box<Node>>,
        to: Option<Box<Node>>,
    },
    /// A method: `x.name(…)`.
    Method {
        member: Member,
        arguments: Vec<Node>,
    },
    Call {
        name: String,
        arguments: Vec<Node>,
    },
    Builtin(&'static Builtin, Vec<Node>),
    /// A built-in that calls its second argument once an element.
    Each(Each, Vec<Node>),
    Let {
        name: String,
        value: Box<Node>,
        then: Box<Node>,
    },
    Sequence(Vec<Node>),
    If {
        condition: Box<Node>,
        yes: Box<Node>,
        no: Box<Node>,
    },
    List(Vec<Node>),
    Map(Vec<(Node, Node)>),
}

#[derive(Clone, Debug)]
pub(super) struct Member {
    pub(super) of: Box<Node>,
    pub(super) property: Box<Node>,
    pub(super) optional: bool,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Binary {
    Or,
    And,
    Equal,
    NotEqual,
    Less,
    More,
    LessOrEqual,
    MoreOrEqual,
    In,
    Contains,
    StartsWith,
    EndsWith,
    Range,
    Add,
    Subtract,
    Multiply,
    Divide,
    Modulo,
    Power,
    Coalesce,
}

impl Binary {
    pub(super) fn is_comparison(self) -> bool {
        matches!(self, Self::Less | Self::More | Self::LessOrEqual | Self::MoreOrEqual)
    }

    pub(super) fn sign(self) -> &'static str {
        match self {
            Self::Or => "or",
            Self::And => "and",
            Self::Equal => "==",
            Self::NotEqual => "!=",
            Self::Less => "<",
            Self::More => ">",
            Self::LessOrEqual => "<=",
            Self::MoreOrEqual => ">=",
            Self::In => "in",
            Self::Contains => "contains",
            Self::StartsWith => "startsWith",
            Self::EndsWith => "endsWith",
            Self::Range => "..",
            Self::Add => "+",
            Self::Subtract => "-",
            Self::Multiply => "*",
            Self::Divide => "/",
            Self::Modulo => "%",
            Self::Power => "**",
            Self::Coalesce => "??",
        }
    }
}

impl Kind {
    pub(super) fn is_literal(&self) -> bool {
        matches!(self, Self::Bool(_) | Self::Int(_) | Self::Float(_) | Self::Text(_))
    }

    pub(super) fn each_child(&self, look: &mut impl FnMut(&Node)) {
        match self {
            Self::Nil
            | Self::Bool(_)
            | Self::Int(_)
            | Self::Float(_)
            | Self::Text(_)
            | Self::Bytes(_)
            | Self::Name(_)
            | Self::Pointer(_) => {}
            Self::Not(of) | Self::Negative(of) | Self::Positive(of) | Self::Chain(of) => look(of),
            Self::Binary(_, a, b) | Self::Matches { text: a, pattern: b, .. } => {
                look(a);
                look(b);
            }
            Self::Member(member) => member.each_child(look),
            Self::Slice { of, from, to } => {
                look(of);
                from.iter().chain(to).for_each(|node| look(node));
            }
            Self::Method { member, arguments } => {
                member.each_child(look);
                arguments.iter().for_each(look);
            }
            Self::Call { arguments: nodes, .. }
            | Self::Builtin(_, nodes)
            | Self::Each(_, nodes)
            | Self::Sequence(nodes)
            | Self::List(nodes) => nodes.iter().for_each(look),
            Self::Let { value: a, then: b, .. } => {
                look(a);
                look(b);
            }
            Self::If { condition, yes, no } => {
                look(condition);
                look(yes);
                look(no);
            }
            Self::Map(pairs) => {
                for (key, value) in pairs {
                    look(key);
                    look(value);
                }
            }
        }
    }
}

impl Member {
    fn each_child(&self, look: &mut impl FnMut(&Node)) {
        look(&self.of);
        look(&self.property);
    }
}
