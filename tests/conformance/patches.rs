//! Objects are patched: merge patches by the controllers and kubectl, JSON patches by webhooks and people.

use anyhow::{Result, ensure};
use http::Method;
use serde_json::json;

use crate::{
    objects::{CONFIGMAPS, STAGES, configmap, stage},
    server::Server,
};

pub(crate) async fn null_in_a_merge_patch_deletes(s: Server) -> Result<()> {
    let mut object = configmap("a");
    object["data"] = json!({ "keep": "1", "drop": "2", "change": "3" });
    s.post(CONFIGMAPS, object).await?.done()?;
    let patch = json!({ "data": { "drop": null, "change": "4", "add": "5", "absent": null } });
    let after = s.merge(&format!("{CONFIGMAPS}/a"), patch).await?.done()?;
    ensure!(after["data"] == json!({ "keep": "1", "change": "4", "add": "5" }), "{after:#}");
    Ok(())
}

pub(crate) async fn lists_are_replaced_whole(s: Server) -> Result<()> {
    s.post(STAGES, stage("a")).await?.done()?;
    let patch = json!({ "spec": { "vars": [{ "name": "a" }, { "name": "b" }] } });
    s.merge(&format!("{STAGES}/a"), patch).await?.done()?;
    let patch = json!({ "spec": { "vars": [{ "name": "c" }] } });
    let after = s.merge(&format!("{STAGES}/a"), patch).await?.done()?;
    ensure!(after["spec"]["vars"] == json!([{ "name": "c" }]), "{after:#}");
    Ok(())
}

pub(crate) async fn a_patch_may_name_the_version_it_saw(s: Server) -> Result<()> {
    let path = format!("{STAGES}/a");
    let made = s.post(STAGES, stage("a")).await?.done()?;
    let version = &made["metadata"]["resourceVersion"];
    let shard = |shard: &str| json!({ "metadata": { "resourceVersion": version }, "spec": { "shard": shard } });
    s.merge(&path, shard("one")).await?.done()?;
    let message = "Operation cannot be fulfilled on stages.kargo.akuity.io \"a\": the object has been modified; \
                   please apply your changes to the latest version and try again";
    s.merge(&path, shard("two")).await?.refused(409, "Conflict", message)?;
    // Without one the patch lands on whatever is there.
    s.merge(&path, json!({ "spec": { "shard": "three" } })).await?.done()?;
    Ok(())
}

pub(crate) async fn json_patches(s: Server) -> Result<()> {
    let path = format!("{CONFIGMAPS}/a");
    let mut object = configmap("a");
    object["data"] = json!({ "a": "1", "b": "2" });
    s.post(CONFIGMAPS, object).await?.done()?;
    let patch = json!([
        { "op": "test", "path": "/data/a", "value": "1" },
        { "op": "replace", "path": "/data/a", "value": "3" },
        { "op": "remove", "path": "/data/b" },
        { "op": "add", "path": "/metadata/labels", "value": { "x": "y" } },
    ]);
    let after = s.json_patch(&path, patch).await?.done()?;
    ensure!(after["data"] == json!({ "a": "3" }), "{after:#}");
    ensure!(after["metadata"]["labels"] == json!({ "x": "y" }), "{after:#}");
    for (patch, code, reason, message) in [
        (
            json!([{ "op": "test", "path": "/data/a", "value": "1" }]),
            422,
            "Invalid",
            "the server rejected our request due to an error in our request",
        ),
        (
            json!([{ "op": "remove", "path": "/data/absent" }]),
            422,
            "Invalid",
            "the server rejected our request due to an error in our request",
        ),
    ] {
        s.json_patch(&path, patch).await?.refused(code, reason, message)?;
    }
    let same = s.get(&path).await?.done()?;
    ensure!(same == after, "a patch that fails changes nothing: {same:#}");
    let answer = s.json_patch(&path, json!({ "op": "add" })).await?;
    ensure!(answer.code == 400 && answer.body["reason"] == "BadRequest", "{answer:#?}");
    Ok(())
}

pub(crate) async fn other_kinds_of_patches_are_refused(s: Server) -> Result<()> {
    let path = format!("{STAGES}/a");
    s.post(STAGES, stage("a")).await?.done()?;
    for content in ["application/strategic-merge-patch+json", "text/plain"] {
        let answer = s.send(Method::PATCH, &path, content, &json!({ "spec": {} })).await?;
        ensure!(
            answer.code == 415 && answer.body["reason"] == "UnsupportedMediaType",
            "{answer:#?}"
        );
    }
    Ok(())
}

pub(crate) async fn a_patch_is_checked_as_a_whole_object(s: Server) -> Result<()> {
    let path = format!("{STAGES}/a");
    s.post(STAGES, stage("a")).await?.done()?;
    let patch = json!({ "spec": { "requestedFreight": [] } });
    s.merge(&path, patch).await?.invalid(
        r#"Stage.kargo.akuity.io "a""#,
        &["spec.requestedFreight: Invalid value: 0: spec.requestedFreight in body should have at least 1 items"],
    )?;
    let answer = s.merge(&path, json!({ "metadata": { "name": "b" } })).await?;
    let message = "the name of the object (b) does not match the name on the URL (a)";
    answer.refused(400, "BadRequest", message)?;
    Ok(())
}
