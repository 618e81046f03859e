//! An Application as it is before or after a write: each part of it is read when a rule asks for it.

use std::collections::BTreeMap;
use std::sync::LazyLock;

use serde_json::Value;
use wharfinger_api::argocd::{ApplicationSpec, ApplicationStatus, Operation, Source, Sources as _};

use crate::admission::{Context, Object, Review, Stop, sent, stored, unreadable};
use crate::claim::ours;

#[derive(Clone, Copy)]
pub(super) struct Written<'a> {
    object: &'a Object,
    /// For whoever is told that it can't be read.
    which: &'static str,
    annotations: Option<&'a Annotations>,
    pub(super) spec: &'a ApplicationSpec,
    /// Whether a source of it is rendered with Freight.
    pub(super) renders: bool,
}

/// The Application before. What says the same after is not read twice.
pub(super) fn before<'a>(context: &Context<'a>) -> Result<Option<Written<'a>>, Stop> {
    let Review { old: Some(old), new, .. } = *context.review else { return Ok(None) };
    let (which, [annotations, _]) = ("as it is stored", annotations(context)?);
    let spec = new.filter(|new| old.says_as(new, &["spec"])).unwrap_or(old);
    let spec = spec.spec().map_err(|e| unreadable(which, &e))?;
    Ok(Some(Written::new(old, which, annotations, spec)))
}

/// The Application after.
pub(super) fn after<'a>(context: &Context<'a>) -> Result<Option<Written<'a>>, Stop> {
    let Some(new) = context.review.new else { return Ok(None) };
    let (which, [_, annotations]) = ("as it was sent", annotations(context)?);
    let spec = new.spec().map_err(|e| unreadable(which, &e))?;
    Ok(Some(Written::new(new, which, annotations, spec)))
}

type Annotations = BTreeMap<String, String>;

/// Before and after.
pub(super) fn annotations<'a>(context: &Context<'a>) -> Result<[Option<&'a Annotations>; 2], Stop> {
    let Review { old, new, .. } = *context.review;
    let after = sent(new, Object::annotations)?.flatten();
    let before = match (old, new) {
        (Some(old), Some(new)) if old.says_as(new, &["metadata", "annotations"]) => after,
        _ => stored(old, Object::annotations)?.flatten(),
    };
    Ok([before, after])
}

static NO_SPEC: LazyLock<ApplicationSpec> = LazyLock::new(ApplicationSpec::default);
static NO_STATUS: LazyLock<ApplicationStatus> = LazyLock::new(ApplicationStatus::default);

impl<'a> Written<'a> {
    fn new(
        object: &'a Object,
        which: &'static str,
        annotations: Option<&'a Annotations>,
        spec: Option<&'a ApplicationSpec>,
    ) -> Self {
        let spec = spec.unwrap_or(&NO_SPEC);
        let renders = ours(spec.sources()).next().is_some();
        Self { object, which, annotations, spec, renders }
    }

    pub(super) fn name(&self) -> &'a str {
        self.metadata("name")
    }

    pub(super) fn namespace(&self) -> &'a str {
        self.metadata("namespace")
    }

    fn metadata(&self, field: &str) -> &'a str {
        let found = self.object.at(&["metadata", field]).ok().flatten();
        found.and_then(Value::as_str).unwrap_or_default()
    }

    pub(super) fn annotation(&self, key: &str) -> Option<&'a str> {
        self.annotations?.get(key).map(String::as_str)
    }

    pub(super) fn sources(&self) -> &'a [Source] {
        self.spec.sources()
    }

    pub(super) fn operation(&self) -> Result<Option<&'a Operation>, Stop> {
        self.object.operation().map_err(|e| unreadable(self.which, &e))
    }

    pub(super) fn status(&self) -> Result<&'a ApplicationStatus, Stop> {
        let status = self.object.status().map_err(|e| unreadable(self.which, &e))?;
        Ok(status.unwrap_or(&NO_STATUS))
    }
}
