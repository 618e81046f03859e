//! AdmissionReview, as far as it is read and written here.
//!
//! Types of our own: those of kube-core write a patch as a list of numbers, which the API server does not take.

use std::collections::BTreeMap;

use base64::prelude::{BASE64_STANDARD, Engine as _};
use k8s_openapi::jiff::Timestamp;
use serde::{Deserialize, Deserializer, Serialize};
use wharfinger_core::admission::{
    Copied, Kind, Object, Operation, Review, Told, Words, without_line,
};
use wharfinger_core::check::Check;
use wharfinger_core::terminal::clean;

#[derive(Debug, Deserialize)]
#[serde(rename_all = "camelCase")]
pub(crate) struct AdmissionReview {
    api_version: String,
    kind: String,
    request: Option<Request>,
}

#[derive(Debug, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct Request {
    pub(crate) uid: String,
    pub(crate) resource: Resource,
    #[serde(default)]
    pub(crate) sub_resource: String,
    #[serde(default)]
    pub(crate) name: String,
    #[serde(default)]
    pub(crate) namespace: String,
    pub(crate) operation: String,
    pub(crate) user_info: User,
    #[serde(default, deserialize_with = "told_apart")]
    pub(crate) object: Option<Object>,
    #[serde(default, deserialize_with = "told_apart")]
    pub(crate) old_object: Option<Object>,
    #[serde(default)]
    pub(crate) dry_run: Option<bool>,
}

#[derive(Debug, Deserialize)]
pub(crate) struct Resource {
    pub(crate) group: String,
    pub(crate) resource: String,
}

/// Who writes, as the API server knows them.
#[derive(Clone, Debug, Default, Deserialize)]
pub(crate) struct User {
    #[serde(default)]
    pub(crate) username: String,
    #[serde(default)]
    pub(crate) uid: Option<String>,
    #[serde(default)]
    pub(crate) groups: Option<Vec<String>>,
    #[serde(default)]
    pub(crate) extra: Option<BTreeMap<String, Vec<String>>>,
}

/// What is wrong with what was sent, for whoever set this up.
#[derive(Debug, PartialEq, Eq)]
pub struct NoReview(pub(crate) String);

impl Request {
    pub fn read(body: &[u8]) -> Result<Self, NoReview> {
        let not = |e: &dyn std::fmt::Display| NoReview(format!("not an AdmissionReview: {e}"));
        let body = std::str::from_utf8(body).map_err(|e| not(&e))?;
        let (rest, object, old_object) = take_apart(body).map_err(|e| not(&e))?;
        let review: AdmissionReview =
            serde_json::from_str(&rest).map_err(|e| not(&without_line(&e)))?;
        if (review.api_version.as_str(), review.kind.as_str())
            != ("admission.k8s.io/v1", "AdmissionReview")
        {
            return Err(NoReview(format!(
                "not an AdmissionReview of admission.k8s.io/v1, but a {} of {}",
                review.kind, review.api_version
            )));
        }
        let request = review
            .request
            .ok_or_else(|| NoReview("an AdmissionReview without a request".into()))?;
        Ok(Self { object, old_object, ..request })
    }

    /// What is asked, where the rules say something about it.
    pub fn review(&self, now: Timestamp) -> Option<Review<'_>> {
        Some(Review {
            kind: Kind::of(&self.resource.group, &self.resource.resource, &self.sub_resource)?,
            operation: match self.operation.as_str() {
                "CREATE" => Operation::Create,
                "UPDATE" => Operation::Update,
                "DELETE" => Operation::Delete,
                _ => return None,
            },
            user: &self.user_info.username,
            old: self.old_object.as_ref(),
            new: self.object.as_ref(),
            dry_run: self.dry_run == Some(true),
            now,
        })
    }

    /// `<group>/<resource>[/<subresource>]`.
    pub(crate) fn what(&self) -> String {
        let Resource { group, resource } = &self.resource;
        let slash = if self.sub_resource.is_empty() { "" } else { "/" };
        format!("{group}/{resource}{slash}{}", self.sub_resource)
    }
}

/// A review without its objects, and the objects after and before.
fn take_apart(body: &str) -> Result<(String, Option<Object>, Option<Object>), String> {
    let (mut after, mut before) = (None::<Told<'_>>, None);
    let (mut words, mut rest) = (Words::new(body), String::with_capacity(1024));
    words.copy(&mut rest, |words, rest, name| {
        if name != "request" || !words.is_object() {
            rest.push_str(words.value()?);
            return Ok(Copied::Yes);
        }
        words.copy(rest, |words, rest, name| {
            let (found, like) = match name {
                "object" => (&mut after, &before),
                "oldObject" => (&mut before, &after),
                _ => {
                    rest.push_str(words.value()?);
                    return Ok(Copied::Yes);
                }
            };
            if words.is_object() {
                *found = Some(Told::next(words, like.as_ref())?);
                rest.push_str("null");
            } else {
                rest.push_str(words.value()?);
            }
            Ok(Copied::Yes)
        })?;
        Ok(Copied::Yes)
    })?;
    words.end()?;
    Ok((rest, after.map(|told| told.object), before.map(|told| told.object)))
}

/// In what is read of a review, an object that was taken apart is null.
fn told_apart<'de, D: Deserializer<'de>>(deserializer: D) -> Result<Option<Object>, D::Error> {
    <()>::deserialize(deserializer).map(|()| None)
}

#[derive(Debug, Serialize)]
#[serde(rename_all = "camelCase")]
pub(crate) struct Reviewed {
    api_version: &'static str,
    kind: &'static str,
    response: Response,
}

#[derive(Debug, Serialize)]
#[serde(rename_all = "camelCase")]
struct Response {
    uid: String,
    allowed: bool,
    #[serde(skip_serializing_if = "Option::is_none")]
    status: Option<Status>,
    #[serde(skip_serializing_if = "Option::is_none")]
    patch_type: Option<&'static str>,
    #[serde(skip_serializing_if = "Option::is_none")]
    patch: Option<String>,
    #[serde(skip_serializing_if = "Vec::is_empty")]
    warnings: Vec<String>,
}

#[derive(Debug, Serialize)]
struct Status {
    message: String,
    reason: &'static str,
    code: u16,
}

impl Reviewed {
    pub(crate) fn allow(
        uid: String,
        warnings: &[String],
        patch: Option<&json_patch::Patch>,
    ) -> Result<Self, serde_json::Error> {
        let patch = patch.filter(|p| !p.0.is_empty()).map(serde_json::to_vec).transpose()?;
        let patch = patch.map(|patch| BASE64_STANDARD.encode(patch));
        let warnings =
            warnings.iter().map(|warning| format!("wharfinger: {}", clean(warning))).collect();
        Ok(Self::new(Response {
            uid,
            allowed: true,
            status: None,
            patch_type: patch.as_ref().map(|_| "JSONPatch"),
            patch,
            warnings,
        }))
    }

    pub(crate) fn deny(uid: String, check: &Check) -> Self {
        // kubectl prints it as it is.
        let message = format!("wharfinger: {}", check.plain());
        let status = Status { message, reason: "Forbidden", code: 403 };
        Self::new(Response {
            uid,
            allowed: false,
            status: Some(status),
            patch_type: None,
            patch: None,
            warnings: vec![],
        })
    }

    fn new(response: Response) -> Self {
        Self { api_version: "admission.k8s.io/v1", kind: "AdmissionReview", response }
    }
}

#[cfg(test)]
mod tests;
