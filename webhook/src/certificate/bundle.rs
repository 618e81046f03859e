//! The two configurations by which the API server knows us, and whom they tell it to trust.

use anyhow::Context as _;
use base64::prelude::{BASE64_STANDARD, Engine as _};
use futures::StreamExt as _;
use futures::stream::BoxStream;
use json_patch::Patch as JsonPatch;
use k8s_openapi::api::admissionregistration::v1::{
    MutatingWebhookConfiguration, ValidatingWebhookConfiguration,
};
use kube::api::{ApiResource, DynamicObject, Patch, PatchParams};
use kube::runtime::watcher;
use kube::{Api, Client, ResourceExt as _};
use serde_json::{Value, json};
use tracing::info;

/// Of both.
const NAME: &str = "wharfinger";
/// Who writes, to the API server's field ownership.
const MANAGER: &str = "wharfinger-webhook";

pub(super) struct Configurations([Configuration; 2]);

struct Configuration {
    api: Api<DynamicObject>,
    /// As it was seen last; nothing before, and nothing in it where it is missing.
    seen: Option<Option<DynamicObject>>,
}

impl Configurations {
    pub(super) fn new(client: &Client) -> Self {
        let kinds = [
            ApiResource::erase::<MutatingWebhookConfiguration>(&()),
            ApiResource::erase::<ValidatingWebhookConfiguration>(&()),
        ];
        Self(
            kinds.map(|kind| Configuration {
                api: Api::all_with(client.clone(), &kind),
                seen: None,
            }),
        )
    }

    /// What becomes of each.
    pub(super) fn watch(&self) -> Vec<BoxStream<'static, watcher::Result<Option<DynamicObject>>>> {
        let watch = |one: &Configuration| watcher::watch_object(one.api.clone(), NAME).boxed();
        self.0.iter().map(watch).collect()
    }

    pub(super) fn see(&mut self, which: usize, seen: Option<DynamicObject>) {
        if let Some(one) = self.0.get_mut(which) {
            one.seen = Some(seen);
        }
    }

    /// Whether both were looked for.
    pub(super) fn seen(&self) -> bool {
        self.0.iter().all(|one| one.seen.is_some())
    }

    /// Whether all of both say that.
    pub(super) fn trust(&self, bundle: &[u8]) -> bool {
        let bundle = BASE64_STANDARD.encode(bundle);
        !bundle.is_empty()
            && self.0.iter().all(|one| match &one.seen {
                Some(Some(seen)) => trusted(seen).all(|trusted| trusted == bundle),
                _ => false,
            })
    }

    /// Whether one that is there says something else.
    pub(super) fn differ(&self, bundle: &[u8]) -> bool {
        let bundle = BASE64_STANDARD.encode(bundle);
        !bundle.is_empty() && self.bundles().any(|trusted| trusted != bundle)
    }

    /// What each webhook of those that are there says.
    pub(super) fn bundles(&self) -> impl Iterator<Item = &str> {
        self.0.iter().filter_map(|one| one.seen.as_ref()?.as_ref()).flat_map(trusted)
    }

    /// All of it, one after the other.
    pub(super) fn published(&self) -> Vec<u8> {
        self.bundles().flat_map(|text| BASE64_STANDARD.decode(text).unwrap_or_default()).collect()
    }

    /// Says that in whichever says something else. A configuration that has changed since it was seen is left alone: it
    /// will be seen again.
    pub(super) async fn publish(&mut self, bundle: &[u8]) -> anyhow::Result<()> {
        let bundle = BASE64_STANDARD.encode(bundle);
        for one in &mut self.0 {
            let Some(Some(seen)) = &one.seen else { continue };
            if bundle.is_empty() || trusted(seen).all(|trusted| trusted == bundle) {
                continue;
            }
            let patch = Patch::<()>::Json(patch(seen, &bundle)?);
            let params =
                PatchParams { field_manager: Some(MANAGER.into()), ..PatchParams::default() };
            let patched = one.api.patch(NAME, &params, &patch).await;
            let patched = patched.context("writing the caBundle of a configuration")?;
            info!(
                kind = patched.types.as_ref().map(|t| t.kind.as_str()),
                version = patched.resource_version(),
                "caBundle written"
            );
            one.seen = Some(Some(patched));
        }
        Ok(())
    }
}

/// The caBundle of each webhook, as it is written.
fn trusted(configuration: &DynamicObject) -> impl Iterator<Item = &str> {
    let all = configuration.data["webhooks"].as_array();
    all.into_iter()
        .flatten()
        .map(|webhook| webhook["clientConfig"]["caBundle"].as_str().unwrap_or_default())
}

fn patch(seen: &DynamicObject, bundle: &str) -> anyhow::Result<JsonPatch> {
    let version = json!({ "op": "test", "path": "/metadata/resourceVersion", "value": seen.resource_version() });
    let write = |index| json!({ "op": "add", "path": format!("/webhooks/{index}/clientConfig/caBundle"), "value": bundle });
    let patch: Vec<Value> =
        std::iter::once(version).chain((0..trusted(seen).count()).map(write)).collect();
    Ok(serde_json::from_value(patch.into())?)
}
