//! Watches: what happened since a version, in order, and nothing twice.

use anyhow::{Context as _, Result, ensure};
use futures::{StreamExt as _, TryStreamExt as _};
use kube::{
    api::{Api, PartialObjectMeta},
    runtime::{WatchStreamExt as _, watcher},
};
use serde_json::json;
use wharfinger_api::v1alpha1::Stage;

use crate::{
    answer::text,
    objects::{STAGES, stage},
    server::{PATIENCE, Server},
};

pub(crate) async fn a_watch_goes_on_from_a_version(s: Server) -> Result<()> {
    s.post(STAGES, stage("before")).await?.done()?;
    let list = s.get(STAGES).await?.done()?;
    let version = text(&list, "/metadata/resourceVersion")?;
    s.post(STAGES, stage("a")).await?.done()?;
    let mut watch = s.watch(&format!("{STAGES}?resourceVersion={version}")).await?;
    let made = watch.shows("ADDED", "a").await?;
    ensure!(made["kind"] == "Stage" && made["apiVersion"] == "kargo.akuity.io/v1alpha1");
    let path = format!("{STAGES}/before");
    s.merge(&path, json!({ "spec": { "shard": "one" } })).await?.done()?;
    s.merge(&path, json!({ "spec": { "shard": "one" } })).await?.done()?;
    s.delete(&path).await?.done()?;
    let changed = watch.shows("MODIFIED", "before").await?;
    ensure!(changed["spec"]["shard"] == "one");
    let gone = watch.shows("DELETED", "before").await?;
    // A deletion has a version of its own, or a client that starts again from it would see it twice.
    ensure!(gone["spec"]["shard"] == "one");
    let version = |object| anyhow::Ok(text(object, "/metadata/resourceVersion")?.parse::<u64>()?);
    ensure!(version(&gone)? > version(&changed)? && version(&changed)? > version(&made)?);
    Ok(())
}

pub(crate) async fn a_watch_without_a_version_begins_with_what_is_there(s: Server) -> Result<()> {
    s.post(STAGES, stage("a")).await?.done()?;
    s.post(STAGES, stage("b")).await?.done()?;
    for ask in ["", "?resourceVersion=0"] {
        // From a cache, version 0 may be older than what was just written.
        let mut watch = s.watch(&format!("{STAGES}{ask}")).await?;
        watch.until("ADDED", "a").await?;
        watch.until("ADDED", "b").await?;
    }
    Ok(())
}

pub(crate) async fn leaving_a_selection_looks_like_a_deletion(s: Server) -> Result<()> {
    let path = format!("{STAGES}/a");
    s.post(STAGES, stage("a")).await?.done()?;
    let list = s.get(STAGES).await?.done()?;
    let version = text(&list, "/metadata/resourceVersion")?;
    let mut watch =
        s.watch(&format!("{STAGES}?resourceVersion={version}&labelSelector=in%3Dyes")).await?;
    for (label, kind) in
        [(json!("yes"), "ADDED"), (json!("no"), "DELETED"), (json!("yes"), "ADDED")]
    {
        s.merge(&path, json!({ "metadata": { "labels": { "in": label } } })).await?.done()?;
        watch.shows(kind, "a").await?;
    }
    s.merge(&path, json!({ "spec": { "shard": "one" } })).await?.done()?;
    watch.shows("MODIFIED", "a").await?;
    s.delete(&path).await?.done()?;
    watch.shows("DELETED", "a").await?;
    Ok(())
}

pub(crate) async fn one_object_is_watched_by_its_name(s: Server) -> Result<()> {
    let list = s.get(STAGES).await?.done()?;
    let version = text(&list, "/metadata/resourceVersion")?;
    let ask = format!("{STAGES}?resourceVersion={version}&fieldSelector=metadata.name=b");
    let mut watch = s.watch(&ask).await?;
    s.post(STAGES, stage("a")).await?.done()?;
    s.post(STAGES, stage("b")).await?.done()?;
    watch.shows("ADDED", "b").await?;
    Ok(())
}

pub(crate) async fn a_streaming_list_ends_with_a_bookmark(s: Server) -> Result<()> {
    s.post(STAGES, stage("a")).await?.done()?;
    let ask = "?sendInitialEvents=true&allowWatchBookmarks=true&resourceVersionMatch=NotOlderThan";
    let mut watch = s.watch(&format!("{STAGES}{ask}")).await?;
    watch.shows("ADDED", "a").await?;
    let bookmark = watch.shows("BOOKMARK", "").await?;
    ensure!(bookmark["kind"] == "Stage", "{bookmark:#}");
    ensure!(bookmark["metadata"]["annotations"]["k8s.io/initial-events-end"] == "true");
    text(&bookmark, "/metadata/resourceVersion")?;
    s.post(STAGES, stage("b")).await?.done()?;
    watch.shows("ADDED", "b").await?;
    Ok(())
}

pub(crate) async fn a_watch_ends_when_its_time_is_up(s: Server) -> Result<()> {
    let list = s.get(STAGES).await?.done()?;
    let version = text(&list, "/metadata/resourceVersion")?;
    let ask = format!("{STAGES}?resourceVersion={version}&timeoutSeconds=1");
    let mut watch = s.watch(&ask).await?;
    ensure!(watch.next().await?.is_none());
    Ok(())
}

pub(crate) async fn a_version_that_is_forgotten_has_expired(s: Server) -> Result<()> {
    s.post(STAGES, stage("a")).await?.done()?;
    for i in 0..30 {
        let patch = json!({ "spec": { "shard": i.to_string() } });
        s.merge(&format!("{STAGES}/a"), patch).await?.done()?;
    }
    let mut watch = s.watch(&format!("{STAGES}?resourceVersion=1")).await?;
    let event = watch.next().await?.context("no event")?;
    let status = &event["object"];
    ensure!(event["type"] == "ERROR" && status["kind"] == "Status", "{event:#}");
    ensure!(status["code"] == 410 && status["reason"] == "Expired", "{event:#}");
    ensure!(text(status, "/message")?.starts_with("too old resource version: 1 ("), "{event:#}");
    ensure!(watch.next().await?.is_none());
    Ok(())
}

pub(crate) async fn metadata_alone_is_watched(s: Server) -> Result<()> {
    s.post(STAGES, stage("a")).await?.done()?;
    let api: Api<PartialObjectMeta<Stage>> = Api::namespaced(s.client.clone(), &s.ns);
    let mut events = watcher(api, watcher::Config::default()).applied_objects().boxed();
    for name in ["a", "b"] {
        let next = tokio::time::timeout(PATIENCE, events.try_next()).await??;
        ensure!(next.and_then(|next| next.metadata.name).as_deref() == Some(name));
        if name == "a" {
            s.post(STAGES, stage("b")).await?.done()?;
        }
    }
    Ok(())
}

pub(crate) async fn kubes_watcher_sees_everything(s: Server) -> Result<()> {
    s.post(STAGES, stage("a")).await?.done()?;
    let api: Api<Stage> = Api::namespaced(s.client.clone(), &s.ns);
    for config in [watcher::Config::default(), watcher::Config::default().streaming_lists()] {
        let mut events = watcher(api.clone(), config).applied_objects().boxed();
        let name = |stage: Option<Stage>| stage.and_then(|stage| stage.metadata.name);
        let next = tokio::time::timeout(PATIENCE, events.try_next()).await??;
        ensure!(name(next).as_deref() == Some("a"));
        s.post(STAGES, stage("b")).await?.done()?;
        let next = tokio::time::timeout(PATIENCE, events.try_next()).await??;
        ensure!(name(next).as_deref() == Some("b"));
        s.delete(&format!("{STAGES}/b")).await?.done()?;
    }
    Ok(())
}
