//! A place in an object, as the checks after the OpenAPI part write it: keys of maps in brackets.

use std::fmt;

use super::{
    node::{Additional, Node},
    problem::WHOLE,
};

pub(super) enum Path<'a> {
    Whole,
    Field(&'a Self, &'a str),
    Key(&'a Self, &'a str),
    Item(&'a Self, usize),
}

impl<'a> Path<'a> {
    /// The field `name` and what the schema says of it, if anything.
    pub(super) fn field<'n>(&'a self, node: &'n Node, name: &'a str) -> Option<(&'n Node, Self)> {
        match (node.properties.get(name), &node.additional) {
            (Some(node), _) => Some((node, Self::Field(self, name))),
            (None, Some(Additional::Each(node))) => Some((node, Self::Key(self, name))),
            (None, Some(Additional::Anything) | None) => None,
        }
    }

    pub(super) fn item(&'a self, index: usize) -> Self {
        Self::Item(self, index)
    }

    pub(super) fn child(&'a self, name: &'a str) -> Self {
        Self::Field(self, name)
    }
}

impl fmt::Display for Path<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Path::Whole => f.write_str(WHOLE),
            Path::Field(Path::Whole, name) => f.write_str(name),
            Path::Field(above, name) => write!(f, "{above}.{name}"),
            Path::Key(Path::Whole, key) => write!(f, "[{key}]"),
            Path::Key(above, key) => write!(f, "{above}[{key}]"),
            Path::Item(Path::Whole, i) => write!(f, "[{i}]"),
            Path::Item(above, i) => write!(f, "{above}[{i}]"),
        }
    }
}
