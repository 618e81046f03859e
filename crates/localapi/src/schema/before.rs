//! The stored value beside the new one: what has not changed may stay wrong.

use serde_json::{Map, Value};

use super::node::{List, Node};

/// A stored value, and the schema by which its parts are found again in the new one.
#[derive(Clone, Copy)]
pub(super) struct Before<'a> {
    pub(super) value: &'a Value,
    pub(super) node: &'a Node,
}

impl<'a> Before<'a> {
    pub(super) fn field(self, name: &str) -> Option<Self> {
        let value = self.value.as_object()?.get(name)?;
        Some(Self { value, node: self.node.field(name)? })
    }

    /// Items are found again only in lists of type map, by their keys.
    pub(super) fn item(self, new: &Value) -> Option<Self> {
        let List::Map(keys) = &self.node.list else {
            return None;
        };
        let new = new.as_object()?;
        let old = self.value.as_array()?;
        let value = old.iter().find(|old| old.as_object().is_some_and(|o| meet(keys, o, new)))?;
        Some(Self { value, node: self.node.items.as_deref()? })
    }

    /// Whether nothing changed here. Parts of which the schema says nothing count as changed.
    pub(super) fn is(self, new: &Value) -> bool {
        match (self.value, new) {
            (Value::Object(old), Value::Object(new)) => {
                old.len() == new.len()
                    && new.iter().all(|(name, v)| self.field(name).is_some_and(|b| b.is(v)))
            }
            (Value::Array(old), Value::Array(new)) => {
                old.len() == new.len()
                    && match self.node.list {
                        List::Map(_) => new.iter().all(|v| self.item(v).is_some_and(|b| b.is(v))),
                        List::Atomic | List::Set => old == new,
                    }
            }
            (old, new) => old == new,
        }
    }
}

fn meet(keys: &[String], old: &Map<String, Value>, new: &Map<String, Value>) -> bool {
    keys.iter().all(|key| old.get(key) == new.get(key))
}
