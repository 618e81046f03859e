//! Structural schemas of custom resources: default, prune and validate as kube-apiserver does.

use serde_json::Value;

mod problem;

pub use problem::{Problem, ProblemKind};

/// A structural schema that has been understood whole.
#[derive(Clone, Debug)]
pub struct Schema {
    source: Value,
}

impl Schema {
    /// Understands the `openAPIV3Schema` of a CustomResourceDefinition's version.
    pub fn compile(source: &Value) -> Result<Self, Vec<Problem>> {
        Ok(Self { source: source.clone() })
    }

    /// The `openAPIV3Schema` as it was given, for publishing.
    pub fn source(&self) -> &Value {
        &self.source
    }

    /// Sets what is absent and has a default, and drops nulls where null is not allowed.
    pub fn default(&self, _object: &mut Value) {}

    /// Drops the fields that the schema does not name, and returns their paths.
    pub fn prune(&self, _object: &mut Value) -> Vec<String> {
        Vec::new()
    }

    /// What is wrong with `new`. What `old` already had may stay as it is.
    pub fn validate(&self, _old: Option<&Value>, _new: &Value) -> Vec<Problem> {
        Vec::new()
    }
}
