//! How a client wants to see objects: whole, as rows of a Table, or their metadata alone.

use std::sync::Arc;

use http::HeaderMap;
use jiff::Timestamp;
use serde_json::{Value, json};

use crate::event;
use crate::failure::{Failure, Outcome};
use crate::resource::Resource;
use crate::table::{self, Include};

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Form {
    Whole,
    Table(Include),
    Metadata,
}

impl Form {
    /// `include` is how much of an object comes with its row.
    pub(crate) fn accepted(headers: &HeaderMap, include: Include) -> Outcome<Self> {
        let accept = accept(headers);
        if accept.trim().is_empty() {
            return Ok(Self::Whole);
        }
        for range in accept.split(',') {
            let mut parts = range.split(';').map(str::trim);
            let json = matches!(parts.next(), Some("application/json" | "application/*" | "*/*"));
            let parameter = |name: &str| {
                parts.clone().find_map(|part| part.strip_prefix(name)?.strip_prefix('='))
            };
            let form = match (json, parameter("as")) {
                (true, None) => Self::Whole,
                (true, Some("Table")) if parameter("v") == Some("v1") => Self::Table(include),
                (true, Some("PartialObjectMetadata" | "PartialObjectMetadataList"))
                    if parameter("v") == Some("v1") =>
                {
                    Self::Metadata
                }
                _ => continue,
            };
            return Ok(form);
        }
        Err(Failure::not_acceptable())
    }

    pub(crate) fn object(self, resource: &Resource, object: &Arc<Value>, now: Timestamp) -> Value {
        let whole = shown(resource, object);
        match self {
            Self::Whole => whole,
            Self::Metadata => metadata(&whole),
            Self::Table(include) => {
                table::table(resource, &whole, std::slice::from_ref(&whole), include, now)
            }
        }
    }

    /// `list` is a List without items.
    pub(crate) fn list(
        self,
        resource: &Resource,
        mut list: Value,
        objects: &[Arc<Value>],
        now: Timestamp,
    ) -> Value {
        let objects: Vec<Value> = objects.iter().map(|object| shown(resource, object)).collect();
        match self {
            Self::Table(include) => return table::table(resource, &list, &objects, include, now),
            Self::Whole => list["items"] = objects.into(),
            Self::Metadata => {
                list["kind"] = "PartialObjectMetadataList".into();
                list["apiVersion"] = "meta.k8s.io/v1".into();
                list["items"] = objects.iter().map(metadata).collect();
            }
        }
        list
    }
}

/// All `Accept` headers as one.
pub(crate) fn accept(headers: &HeaderMap) -> String {
    let values = headers.get_all(http::header::ACCEPT).into_iter();
    values.filter_map(|value| value.to_str().ok()).collect::<Vec<_>>().join(",")
}

/// A stored object as this version of its kind shows it.
pub(crate) fn shown(resource: &Resource, object: &Value) -> Value {
    let mut shown = match event::is(resource) {
        true => event::shown(resource, object),
        false => object.clone(),
    };
    shown["apiVersion"] = resource.api_version().into();
    shown
}

fn metadata(object: &Value) -> Value {
    json!({
        "kind": "PartialObjectMetadata", "apiVersion": "meta.k8s.io/v1",
        "metadata": object["metadata"],
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_first_form_that_is_served_counts() {
        let rows = [
            ("", Some(Form::Whole)),
            ("*/*", Some(Form::Whole)),
            (
                "application/json;as=Table;v=v1;g=meta.k8s.io,application/json;as=Table;v=v1beta1;g=meta.k8s.io,application/json",
                Some(Form::Table(Include::Object)),
            ),
            (
                "application/json;as=Table;v=v1beta1;g=meta.k8s.io,application/json",
                Some(Form::Whole),
            ),
            ("application/json;as=PartialObjectMetadata;g=meta.k8s.io;v=v1", Some(Form::Metadata)),
            ("application/vnd.kubernetes.protobuf, application/json", Some(Form::Whole)),
            ("application/vnd.kubernetes.protobuf", None),
        ];
        for (accept, expected) in rows {
            let mut headers = HeaderMap::new();
            headers.insert(http::header::ACCEPT, accept.parse().unwrap());
            assert_eq!(Form::accepted(&headers, Include::Object).ok(), expected, "{accept}");
        }
    }
}
