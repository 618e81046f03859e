//! The parameters of a request.

use std::collections::BTreeMap;
use std::time::Duration;

use axum::extract::Query as Pairs;
use http::Uri;

use crate::failure::{Failure, Outcome};
use crate::selector::{Fields, Labels};
use crate::table::Include;

#[derive(Clone, Debug, Default)]
pub(crate) struct Query {
    pub(crate) watch: bool,
    pub(crate) labels: Labels,
    pub(crate) fields: Fields,
    pub(crate) limit: Option<usize>,
    pub(crate) continue_: Option<String>,
    pub(crate) version: Option<u64>,
    pub(crate) version_match: VersionMatch,
    pub(crate) bookmarks: bool,
    pub(crate) initial_events: Option<bool>,
    pub(crate) timeout: Option<Duration>,
    pub(crate) dry_run: bool,
    pub(crate) unknown_fields: UnknownFields,
    pub(crate) propagation: Option<String>,
    pub(crate) include: Include,
}

#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(crate) enum VersionMatch {
    #[default]
    Unset,
    NotOlderThan,
    Exact,
}

/// What happens with fields that a schema does not name.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(crate) enum UnknownFields {
    Ignore,
    #[default]
    Warn,
    Strict,
}

impl Query {
    pub(crate) fn parse(text: Option<&str>) -> Outcome<Self> {
        let pairs = pairs(text)?;
        let text = |name: &str| pairs.get(name).map(String::as_str).filter(|v| !v.is_empty());
        let number = |name: &str| {
            text(name)
                .map(|v| v.parse::<u64>())
                .transpose()
                .map_err(|_| Failure::bad_request(format!("{name} must be a number")))
        };
        let flag = |name: &str| text(name).is_some_and(|v| matches!(v, "true" | "1"));
        Ok(Self {
            watch: flag("watch"),
            labels: Labels::parse(text("labelSelector").unwrap_or_default())?,
            fields: Fields::parse(text("fieldSelector").unwrap_or_default())?,
            limit: number("limit")?.filter(|limit| *limit > 0).map(|limit| limit as usize),
            continue_: text("continue").map(Into::into),
            version: text("resourceVersion")
                .map(|v| v.parse())
                .transpose()
                .map_err(|_| Failure::bad_request("resourceVersion: Invalid value"))?,
            version_match: match text("resourceVersionMatch") {
                None => VersionMatch::Unset,
                Some("NotOlderThan") => VersionMatch::NotOlderThan,
                Some("Exact") => VersionMatch::Exact,
                Some(other) => {
                    return Err(Failure::bad_request(format!(
                        "resourceVersionMatch: Unsupported value: {other:?}: supported values: \"Exact\", \"NotOlderThan\""
                    )));
                }
            },
            bookmarks: flag("allowWatchBookmarks"),
            initial_events: text("sendInitialEvents").map(|_| flag("sendInitialEvents")),
            timeout: number("timeoutSeconds")?.filter(|t| *t > 0).map(Duration::from_secs),
            dry_run: dry_run(text("dryRun"))?,
            unknown_fields: match text("fieldValidation") {
                None | Some("Warn") => UnknownFields::Warn,
                Some("Strict") => UnknownFields::Strict,
                Some("Ignore") => UnknownFields::Ignore,
                Some(other) => {
                    return Err(Failure::bad_request(format!(
                        "fieldValidation: Unsupported value: {other:?}: supported values: \"Ignore\", \"Strict\", \"Warn\""
                    )));
                }
            },
            propagation: text("propagationPolicy").map(Into::into),
            include: Include::parse(text("includeObject").unwrap_or_default()).ok_or_else(|| {
                Failure::bad_request(
                    "includeObject: Unsupported value: supported values: \"None\", \"Metadata\", \"Object\"",
                )
            })?,
        })
    }
}

pub(crate) fn dry_run(value: Option<&str>) -> Outcome<bool> {
    match value {
        None => Ok(false),
        Some("All") => Ok(true),
        Some(other) => Err(Failure::bad_request(format!(
            "dryRun: Unsupported value: {other:?}: supported values: \"All\""
        ))),
    }
}

/// The last of each name counts.
fn pairs(text: Option<&str>) -> Outcome<BTreeMap<String, String>> {
    let unreadable = || Failure::bad_request("the query can't be read");
    let uri: Uri = format!("/?{}", text.unwrap_or_default()).parse().map_err(|_| unreadable())?;
    let Pairs(pairs) =
        Pairs::<Vec<(String, String)>>::try_from_uri(&uri).map_err(|_| unreadable())?;
    Ok(pairs.into_iter().collect())
}
