//! One served kind in one version: everything about it that is not data.

use serde_json::Value;

use crate::{
    built_in,
    schema::{Problem, Schema},
    table::Column,
};

mod crd;

#[derive(Clone, Debug)]
pub struct Resource {
    /// Empty for the core group.
    pub group: String,
    pub version: String,
    pub kind: String,
    pub list_kind: String,
    pub plural: String,
    pub singular: String,
    pub short_names: Vec<String>,
    pub categories: Vec<String>,
    pub namespaced: bool,
    /// Whether `status` is a subresource: then spec and status are written apart.
    pub status: bool,
    /// Answered at once and never kept, as a SubjectAccessReview.
    pub review: bool,
    pub columns: Vec<Column>,
    /// Absent for built-in kinds: they are kept as sent.
    pub schema: Option<Schema>,
}

impl Resource {
    /// The resources that a CustomResourceDefinition asks for: one per served version.
    pub fn of_crd(crd: &Value) -> Result<Vec<Self>, Vec<Problem>> {
        crd::resources(crd)
    }

    /// What is served without any CustomResourceDefinition.
    pub fn built_in() -> Vec<Self> {
        built_in::resources()
    }

    /// The value of `apiVersion` in its objects.
    pub fn api_version(&self) -> String {
        if self.group.is_empty() {
            self.version.clone()
        } else {
            format!("{}/{}", self.group, self.version)
        }
    }

    /// What may be done with it.
    pub fn verbs(&self) -> &'static [&'static str] {
        if self.review {
            &["create"]
        } else {
            &["create", "delete", "deletecollection", "get", "list", "patch", "update", "watch"]
        }
    }
}
