//! Structural schemas of custom resources: default, prune and validate as kube-apiserver does.
//!
//! A schema is understood whole when its CustomResourceDefinition is created. What is not understood here is refused
//! then, by name; it is never left out in silence.

use serde_json::Value;

mod before;
mod checks;
mod compile;
mod embedded;
mod format;
mod lists;
mod node;
mod path;
mod pattern;
mod problem;
mod rules;
mod shape;
mod show;
#[cfg(test)]
mod tests;
mod walk;

use before::Before;
use node::Node;
pub use problem::{Problem, ProblemKind};

/// A structural schema that has been understood whole.
#[derive(Clone, Debug)]
pub struct Schema {
    source: Value,
    root: Node,
    has_rules: bool,
}

impl Schema {
    /// Understands the `openAPIV3Schema` of a CustomResourceDefinition's version. Paths begin at the schema.
    pub fn compile(source: &Value) -> Result<Self, Vec<Problem>> {
        let root = compile::root(source)?;
        let has_rules = root.has_rules();
        Ok(Self { source: source.clone(), root, has_rules })
    }

    /// The `openAPIV3Schema` as it was given, for publishing.
    pub fn source(&self) -> &Value {
        &self.source
    }

    /// Drops the fields that the schema does not name, and returns their paths, sorted.
    pub fn prune(&self, object: &mut Value) -> Vec<String> {
        shape::prune(&self.root, object)
    }

    /// Drops nulls where null is not allowed, sets what is absent and has a default, and writes numbers as Go does.
    pub fn default(&self, object: &mut Value) {
        shape::drop_nulls(&self.root, object);
        shape::default(&self.root, object);
        shape::whole_numbers(object);
    }

    /// What is wrong with `new`. What `old` already had and has not changed may stay as it is.
    pub fn validate(&self, old: Option<&Value>, new: &Value) -> Vec<Problem> {
        self.validate_beside(Vec::new(), old, new)
    }

    /// The same when something is already known to be wrong, as with the metadata: it may keep rules from running.
    pub fn validate_beside(
        &self,
        mut known: Vec<Problem>,
        old: Option<&Value>,
        new: &Value,
    ) -> Vec<Problem> {
        let before = old.map(|old| Before { value: old, node: &self.root });
        known.extend(checks::validate(&self.root, "", new, before).placed(""));
        self.rest(known, old, new)
    }

    /// What is wrong with `new` when only its status was written.
    pub fn validate_status(&self, old: &Value, new: &Value) -> Vec<Problem> {
        let problems = match (new.get("status"), self.root.properties.get("status")) {
            (Some(status), Some(node)) => {
                let before = old.get("status").map(|value| Before { value, node });
                checks::validate(node, "", status, before).placed("status")
            }
            _ => Vec::new(),
        };
        self.rest(problems, Some(old), new)
    }

    /// What is checked after the OpenAPI part: embedded objects, lists that are sets or maps, rules.
    fn rest(&self, mut problems: Vec<Problem>, old: Option<&Value>, new: &Value) -> Vec<Problem> {
        problems.extend(embedded::validate(&self.root, new));
        if old.is_none_or(|old| lists::validate(&self.root, old).is_empty()) {
            problems.extend(lists::validate(&self.root, new));
        }
        if self.has_rules {
            if problems.iter().any(Problem::keeps_rules_from_running) {
                problems.push(rules::not_checked());
            } else {
                let before = old.map(|old| Before { value: old, node: &self.root });
                problems.extend(rules::validate(&self.root, new, before));
            }
        }
        problems
    }
}
