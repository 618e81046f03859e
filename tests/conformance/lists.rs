//! Lists: pages, selectors, and the version they are of.

use anyhow::{Context as _, Result, ensure};
use serde_json::json;

use crate::{
    answer::{names, text},
    objects::{CONFIGMAPS, STAGES, configmap, stage},
    server::Server,
};

async fn some(s: &Server) -> Result<()> {
    for (name, labels) in [
        ("a", json!({ "tier": "web", "zone": "one" })),
        ("b", json!({ "tier": "db" })),
        ("c", json!({})),
    ] {
        let mut object = stage(name);
        object["metadata"]["labels"] = labels;
        s.post(STAGES, object).await?.done()?;
    }
    Ok(())
}

pub(crate) async fn a_list_says_what_it_is(s: Server) -> Result<()> {
    some(&s).await?;
    let list = s.get(STAGES).await?.done()?;
    ensure!(list["kind"] == "StageList" && list["apiVersion"] == "kargo.akuity.io/v1alpha1");
    ensure!(names(&list)? == ["a", "b", "c"]);
    let version: u64 = text(&list, "/metadata/resourceVersion")?.parse()?;
    for item in list["items"].as_array().context("no items")? {
        ensure!(text(item, "/metadata/resourceVersion")?.parse::<u64>()? <= version);
    }
    s.post(CONFIGMAPS, configmap("x")).await?.done()?;
    let list = s.get(CONFIGMAPS).await?.done()?;
    ensure!(list["kind"] == "ConfigMapList" && list["apiVersion"] == "v1");
    Ok(())
}

pub(crate) async fn labels_select(s: Server) -> Result<()> {
    some(&s).await?;
    for (selector, wanted) in [
        ("tier=web", &["a"][..]),
        ("tier==web", &["a"]),
        ("tier!=web", &["b", "c"]),
        ("tier", &["a", "b"]),
        ("!tier", &["c"]),
        ("tier in (web,db)", &["a", "b"]),
        ("tier notin (web)", &["b", "c"]),
        ("tier,zone=one", &["a"]),
        ("tier=absent", &[]),
    ] {
        let selector = selector.replace('=', "%3D").replace(' ', "%20").replace('!', "%21");
        let list = s.get(&format!("{STAGES}?labelSelector={selector}")).await?.done()?;
        ensure!(names(&list)? == wanted, "{selector}: {:?}", names(&list)?);
    }
    let answer = s.get(&format!("{STAGES}?labelSelector=a%20b")).await?;
    ensure!(answer.code == 400 && answer.body["reason"] == "BadRequest", "{answer:#?}");
    Ok(())
}

pub(crate) async fn names_select(s: Server) -> Result<()> {
    some(&s).await?;
    for (selector, wanted) in [
        ("metadata.name=b", &["b"][..]),
        ("metadata.name!=b", &["a", "c"]),
        ("metadata.name=b,metadata.namespace={ns}", &["b"]),
        ("metadata.name=absent", &[]),
    ] {
        let list = s.get(&format!("{STAGES}?fieldSelector={selector}")).await?.done()?;
        ensure!(names(&list)? == wanted, "{selector}: {:?}", names(&list)?);
    }
    s.get(&format!("{STAGES}?fieldSelector=spec.shard=x")).await?.refused(
        400,
        "BadRequest",
        "field label not supported: spec.shard",
    )?;
    Ok(())
}

pub(crate) async fn lists_come_in_pages(s: Server) -> Result<()> {
    for name in ["a", "b", "c", "d", "e"] {
        s.post(STAGES, stage(name)).await?.done()?;
    }
    let mut seen = Vec::new();
    let mut rest = String::new();
    let mut sizes = Vec::new();
    loop {
        let page = s.get(&format!("{STAGES}?limit=2{rest}")).await?.done()?;
        seen.extend(names(&page)?.into_iter().map(str::to_owned));
        sizes.push((names(&page)?.len(), page["metadata"]["remainingItemCount"].as_u64()));
        match page["metadata"]["continue"].as_str() {
            Some(token) if !token.is_empty() => rest = format!("&continue={token}"),
            _ => break,
        }
        // What comes after the first page is no part of the list.
        if sizes.len() == 1 {
            s.post(STAGES, stage("f")).await?.done()?;
        }
    }
    ensure!(seen == ["a", "b", "c", "d", "e"], "{seen:?}");
    ensure!(sizes == [(2, Some(3)), (2, Some(1)), (1, None)], "{sizes:?}");
    let answer = s.get(&format!("{STAGES}?limit=2&continue=nonsense")).await?;
    ensure!(answer.code == 400 && answer.body["reason"] == "BadRequest", "{answer:#?}");
    Ok(())
}

pub(crate) async fn a_list_may_span_namespaces(s: Server) -> Result<()> {
    some(&s).await?;
    let path = "/apis/kargo.akuity.io/v1alpha1/stages?fieldSelector=metadata.namespace={ns}";
    ensure!(names(&s.get(path).await?.done()?)? == ["a", "b", "c"]);
    Ok(())
}

pub(crate) async fn metadata_alone(s: Server) -> Result<()> {
    some(&s).await?;
    let accept = "application/json;as=PartialObjectMetadataList;g=meta.k8s.io;v=v1";
    let list = s.get_as(accept, STAGES).await?.done()?;
    ensure!(list["kind"] == "PartialObjectMetadataList" && list["apiVersion"] == "meta.k8s.io/v1");
    ensure!(names(&list)? == ["a", "b", "c"]);
    ensure!(list["items"][0]["spec"].is_null(), "{list:#}");
    let accept = "application/json;as=PartialObjectMetadata;g=meta.k8s.io;v=v1";
    let one = s.get_as(accept, &format!("{STAGES}/a")).await?.done()?;
    ensure!(one["kind"] == "PartialObjectMetadata" && one["apiVersion"] == "meta.k8s.io/v1");
    ensure!(one["spec"].is_null() && one["metadata"]["name"] == "a", "{one:#}");
    Ok(())
}
