//! Carrying out what a write brings with it.

use anyhow::Context as _;
use k8s_openapi::api::core::v1::Namespace;
use kube::Api;
use kube::api::{ObjectMeta, PostParams};
use wharfinger_api::v1alpha1::PROJECT_LABEL;
use wharfinger_core::admission::Effect;

use crate::find::Cluster;

pub(crate) trait Act: Send + Sync + 'static {
    fn act(&self, effect: &Effect) -> impl Future<Output = anyhow::Result<()>> + Send;
}

impl Act for Cluster {
    async fn act(&self, effect: &Effect) -> anyhow::Result<()> {
        let Effect::CreateNamespace { name } = effect;
        let namespace = Namespace {
            metadata: ObjectMeta {
                name: Some(name.clone()),
                labels: Some([(PROJECT_LABEL.into(), "true".into())].into()),
                ..ObjectMeta::default()
            },
            ..Namespace::default()
        };
        // Where somebody else was quicker, the next try judges what they made.
        let created =
            Api::all(self.client.clone()).create(&PostParams::default(), &namespace).await;
        created.map(drop).with_context(|| format!("creating namespace {name}"))
    }
}
