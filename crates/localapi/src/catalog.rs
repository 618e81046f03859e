//! What is served right now: the built-in kinds, and what the CustomResourceDefinitions add.

use std::sync::Arc;

use crate::resource::Resource;
use crate::store::{Scope, Store};

pub(crate) const DEFINITIONS: (&str, &str) = ("apiextensions.k8s.io", "customresourcedefinitions");

#[derive(Clone, Default)]
pub(crate) struct Catalog {
    resources: Vec<Arc<Resource>>,
}

impl Catalog {
    pub(crate) fn of(store: &Store) -> Self {
        let definitions =
            Scope { group: DEFINITIONS.0.into(), plural: DEFINITIONS.1.into(), namespace: None };
        let custom = store
            .scan(&definitions)
            // What was admitted can be read.
            .flat_map(|(_, definition)| Resource::of_crd(definition).unwrap_or_default());
        let resources = Resource::built_in().into_iter().chain(custom).map(Arc::new).collect();
        Self { resources }
    }

    pub(crate) fn find(&self, group: &str, version: &str, plural: &str) -> Option<&Arc<Resource>> {
        self.resources
            .iter()
            .find(|r| (&*r.group, &*r.version, &*r.plural) == (group, version, plural))
    }

    pub(crate) fn of_kind(&self, api_version: &str, kind: &str) -> Option<&Arc<Resource>> {
        self.resources.iter().find(|r| r.kind == kind && r.api_version() == api_version)
    }

    /// Whether the group has kinds without a CustomResourceDefinition.
    pub(crate) fn is_built_in(&self, group: &str, version: &str) -> bool {
        let mut inside = self.resources.iter().filter(|r| r.group == group && r.version == version);
        inside.any(|r| r.schema.is_none())
    }

    /// In any version.
    pub(crate) fn of_group(&self, group: &str, plural: &str) -> Option<&Arc<Resource>> {
        self.resources.iter().find(|r| r.group == group && r.plural == plural)
    }

    pub(crate) fn all(&self) -> Vec<&Resource> {
        self.resources.iter().map(AsRef::as_ref).collect()
    }
}
