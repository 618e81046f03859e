//! Every kind through the webhook: what is admitted, what is made of it, and what is refused.

#[path = "../kept.rs"]
mod kept;
#[path = "../kinds.rs"]
mod objects;

use anyhow::{Context as _, Result, bail, ensure};
use kube::api::ListParams;
use serde_json::{Value, json};

use crate::story::{Story, refused};

#[tokio::test(start_paused = true)]
async fn every_kind_is_admitted_or_refused_with_the_field() -> Result<()> {
    let story = Story::begin().await?;
    let api = &story.world.api;
    api.apply(objects::ADMITTED).await?;
    for (text, object) in objects::REFUSED {
        match api.apply(&objects::manifest(object)).await {
            Ok(()) => bail!("{text}: it was admitted"),
            Err(error) => {
                let error = format!("{error:#}");
                ensure!(error.contains(text), "it must be refused with {text:?}, not: {error}");
            }
        }
    }
    let admin = &story.admin;
    let namespace = admin.get("namespaces", "", "tower").await?;
    ensure!(namespace["metadata"]["labels"]["kargo.akuity.io/project"] == "true", "{namespace:#}");
    let warehouse = admin.get("warehouses", "tower", "main").await?;
    ensure!(warehouse["metadata"]["labels"]["kargo.akuity.io/shard"] == "eu", "{warehouse:#}");
    let subscription = &warehouse["spec"]["subscriptions"][0]["image"];
    ensure!(subscription["imageSelectionStrategy"] == "SemVer", "{subscription:#}");
    let stage = admin.get("stages", "tower", "dev").await?;
    let request = &stage["metadata"]["annotations"]["kargo.akuity.io/reverify"];
    let request: Value = serde_json::from_str(request.as_str().context("it is signed")?)?;
    ensure!(request["id"] == "7f2" && request["actor"].is_string(), "{request:#}");
    let freight = admin.of("freights", "tower").list(&ListParams::default()).await?.items;
    let [freight] = &freight[..] else { bail!("{} pieces of Freight", freight.len()) };
    let labels = freight.metadata.labels.clone().unwrap_or_default();
    ensure!(
        freight.data["alias"].as_str().is_some_and(|alias| alias.contains('-'))
            && labels.get("kargo.akuity.io/alias").map(String::as_str)
                == freight.data["alias"].as_str()
            && freight.data["discoveredAt"].is_string(),
        "{freight:#?}"
    );
    story.end().await
}

#[tokio::test(start_paused = true)]
async fn what_was_sent_is_kept_but_for_defaults_and_stamps() -> Result<()> {
    let story = Story::begin().await?;
    for example in kept::examples()? {
        let (plural, object) = (example.plural, example.object.clone());
        let namespace = object["metadata"]["namespace"].as_str().unwrap_or_default().to_owned();
        let made = story.create(plural, &namespace, object).await;
        if let Some(text) = example.refused_with() {
            let refused = format!("{:#}", made.err().with_context(|| format!("no: {text}"))?);
            ensure!(refused.contains(text), "it must be refused with {text:?}, not: {refused}");
            continue;
        }
        let made = made.with_context(|| format!("{:#}", example.object))?;
        let name = made["metadata"]["name"].as_str().context("a name")?;
        example.is_kept(story.admin.get(plural, &namespace, name).await?)?;
    }
    story.end().await
}

#[tokio::test(start_paused = true)]
async fn freight_that_is_held_stays_and_an_approval_is_told() -> Result<()> {
    let story = Story::begin().await?;
    story.stage("dev", json!({ "direct": true })).await?;
    story.application("web", "dev").await?;
    let (v1, v2) = (story.freight("v1").await?, story.freight("v2").await?);
    story.promoted("dev", "v1").await?;
    story.promoted("dev", "v2").await?;
    let held = refused(story.admin.delete("freights", "shop", &v2).await, "freight-held")?;
    ensure!(held.contains("Stage shop:dev holds this Freight"), "{held}");
    story.admin.delete("freights", "shop", &v1).await?;
    let images = json!([{ "repoURL": "ghcr.io/acme/web", "tag": "v3" }]);
    let origin = json!({ "kind": "Warehouse", "name": "web" });
    let taken = json!({ "metadata": { "generateName": "f-" }, "alias": "v2", "origin": origin, "images": images });
    refused(story.admin.create("freights", "shop", taken).await, "alias")?;
    let approval =
        json!({ "status": { "approvedFor": { "dev": { "approvedAt": "2026-01-01T00:00:00Z" } } } });
    story.admin.merge_status("freights", "shop", &v2, &approval).await?;
    story.event("shop", "FreightApproved", "kubernetes:").await?;
    story.end().await
}
