//! Spec and status are written apart.

use anyhow::{Result, ensure};
use serde_json::{Value, json};

use crate::{
    objects::{CONFIGMAPS, STAGES, configmap, stage},
    server::Server,
};

pub(crate) async fn the_main_path_leaves_the_status_alone(s: Server) -> Result<()> {
    let path = format!("{STAGES}/a");
    let mut object = stage("a");
    object["status"] = json!({ "freightSummary": "made" });
    let made = s.post(STAGES, object).await?.done()?;
    ensure!(made["status"].is_null(), "{made:#}");

    let status = json!({ "status": { "freightSummary": "kept" } });
    s.merge(&format!("{path}/status"), status).await?.done()?;
    let mut object = s.get(&path).await?.done()?;
    object["status"] = json!({ "freightSummary": "changed" });
    object["spec"]["shard"] = json!("one");
    let after = s.put(&path, object).await?.done()?;
    ensure!(after["status"]["freightSummary"] == "kept", "{after:#}");
    let patch = json!({ "status": null, "spec": { "shard": "two" } });
    let after = s.merge(&path, patch).await?.done()?;
    ensure!(after["status"]["freightSummary"] == "kept" && after["spec"]["shard"] == "two");
    Ok(())
}

pub(crate) async fn the_status_path_leaves_all_else_alone(s: Server) -> Result<()> {
    let path = format!("{STAGES}/a");
    let status = format!("{path}/status");
    let made = s.post(STAGES, stage("a")).await?.done()?;
    let mut object = made.clone();
    object["spec"]["shard"] = json!("one");
    object["metadata"]["labels"] = json!({ "a": "b" });
    object["status"] = json!({ "freightSummary": "new" });
    let after = s.put(&status, object).await?.done()?;
    ensure!(after["status"]["freightSummary"] == "new", "{after:#}");
    ensure!(after["spec"] == made["spec"] && after["metadata"]["labels"].is_null(), "{after:#}");
    ensure!(after["metadata"]["generation"] == 1);
    ensure!(after["metadata"]["resourceVersion"] != made["metadata"]["resourceVersion"]);
    ensure!(s.get(&status).await?.done()? == after);

    let patch =
        json!({ "spec": { "shard": "two" }, "status": { "health": { "status": "Healthy" } } });
    let after = s.merge(&status, patch).await?.done()?;
    ensure!(after["spec"] == made["spec"], "{after:#}");
    ensure!(after["status"]["freightSummary"] == "new", "{after:#}");
    Ok(())
}

pub(crate) async fn a_status_is_written_over_the_version_that_was_seen(s: Server) -> Result<()> {
    let path = format!("{STAGES}/a/status");
    let seen = s.post(STAGES, stage("a")).await?.done()?;
    let with = |summary: &str| {
        let mut object = seen.clone();
        object["status"] = json!({ "freightSummary": summary });
        object
    };
    s.put(&path, with("one")).await?.done()?;
    let message = "Operation cannot be fulfilled on stages.kargo.akuity.io \"a\": the object has been modified; \
                   please apply your changes to the latest version and try again";
    s.put(&path, with("two")).await?.refused(409, "Conflict", message)?;
    Ok(())
}

pub(crate) async fn a_status_is_checked(s: Server) -> Result<()> {
    let path = format!("{STAGES}/a/status");
    s.post(STAGES, stage("a")).await?.done()?;
    let condition = |kind: &str| {
        json!({
            "type": kind, "status": "Perhaps", "reason": "", "message": "",
            "lastTransitionTime": "2026-11-21T12:00:00Z",
        })
    };
    let patch = json!({ "status": { "conditions": [condition("Ready"), condition("Ready")] } });
    let wrong = |i: usize, path: &str, what: &str| format!("status.conditions[{i}].{path}: {what}");
    let unsupported =
        r#"Unsupported value: "Perhaps": supported values: "True", "False", "Unknown""#;
    let too_short = |i: usize| {
        format!(
            r#"Invalid value: "": conditions[{i}].reason in body should be at least 1 chars long"#
        )
    };
    let causes = [
        wrong(0, "status", unsupported),
        wrong(0, "reason", &too_short(0)),
        wrong(1, "status", unsupported),
        wrong(1, "reason", &too_short(1)),
        r#"status.conditions[1]: Duplicate value: {"type":"Ready"}"#.to_owned(),
        crate::objects::RULES_NOT_CHECKED.to_owned(),
    ];
    let causes: Vec<&str> = causes.iter().map(String::as_str).collect();
    s.merge(&path, patch).await?.invalid(r#"Stage.kargo.akuity.io "a""#, &causes)?;
    Ok(())
}

pub(crate) async fn not_every_kind_has_a_status(s: Server) -> Result<()> {
    s.post(CONFIGMAPS, configmap("a")).await?.done()?;
    let message = "the server could not find the requested resource";
    let path = format!("{CONFIGMAPS}/a/status");
    s.merge(&path, json!({})).await?.refused(404, "NotFound", message)?;
    let unknown = s.get(&format!("{STAGES}/a/scale")).await?;
    ensure!(unknown.code == 404 && unknown.body != Value::Null, "{unknown:#?}");
    Ok(())
}
