//! Tables: what `kubectl get` shows.

use anyhow::{Context as _, Result, ensure};
use serde_json::{Value, json};

use crate::{
    objects::{CONFIGMAPS, STAGES, configmap, stage},
    server::Server,
};

const TABLE: &str = "application/json;as=Table;v=v1;g=meta.k8s.io";

async fn table(s: &Server, path: &str) -> Result<Value> {
    let table = s.get_as(TABLE, path).await?.done()?;
    ensure!(table["kind"] == "Table" && table["apiVersion"] == "meta.k8s.io/v1", "{table:#}");
    Ok(table)
}

pub(crate) async fn a_custom_resource_has_the_columns_of_its_definition(s: Server) -> Result<()> {
    let mut object = stage("a");
    object["spec"]["shard"] = json!("one");
    s.post(STAGES, object).await?.done()?;
    let condition = json!({
        "type": "Ready", "status": "True", "reason": "Fine", "message": "all is well",
        "lastTransitionTime": "2026-11-21T12:00:00Z",
    });
    let status =
        json!({ "status": { "freightSummary": "1/1 Fulfilled", "conditions": [condition] } });
    s.merge(&format!("{STAGES}/a/status"), status).await?.done()?;
    for path in [STAGES.to_owned(), format!("{STAGES}/a")] {
        let table = table(&s, &path).await?;
        let columns: Vec<Value> = table["columnDefinitions"]
            .as_array()
            .context("no columns")?
            .iter()
            .map(|column| {
                json!([column["name"], column["type"], column["format"], column["priority"]])
            })
            .collect();
        let wanted = [
            json!(["Name", "string", "name", 0]),
            json!(["Shard", "string", "", 0]),
            json!(["Current Freight", "string", "", 0]),
            json!(["Health", "string", "", 0]),
            json!(["Ready", "string", "", 0]),
            json!(["Status", "string", "", 0]),
            json!(["Age", "date", "", 0]),
        ];
        ensure!(columns == wanted, "{columns:#?}");
        let cells = table["rows"][0]["cells"].as_array().context("no cells")?;
        let (age, rest) = cells.split_last().context("no cells")?;
        let wanted = [
            json!("a"),
            json!("one"),
            json!("1/1 Fulfilled"),
            Value::Null,
            json!("True"),
            json!("all is well"),
        ];
        ensure!(rest == wanted, "{cells:#?}");
        ensure!(age.as_str().is_some_and(|age| age.ends_with('s')), "{age}");
        ensure!(table["metadata"]["resourceVersion"].is_string(), "{table:#}");
    }
    Ok(())
}

pub(crate) async fn a_row_brings_as_much_of_its_object_as_asked(s: Server) -> Result<()> {
    s.post(CONFIGMAPS, configmap("a")).await?.done()?;
    for (ask, kind) in [
        ("", json!("PartialObjectMetadata")),
        ("?includeObject=Metadata", json!("PartialObjectMetadata")),
        ("?includeObject=Object", json!("ConfigMap")),
        ("?includeObject=None", Value::Null),
    ] {
        let table = table(&s, &format!("{CONFIGMAPS}/a{ask}")).await?;
        let object = &table["rows"][0]["object"];
        ensure!(object["kind"] == kind, "{ask}: {object:#}");
        ensure!(kind.is_null() || object["metadata"]["name"] == "a", "{ask}: {object:#}");
    }
    Ok(())
}

pub(crate) async fn built_in_kinds_have_their_columns(s: Server) -> Result<()> {
    let core = "/api/v1/namespaces/{ns}";
    let rbac = "/apis/rbac.authorization.k8s.io/v1/namespaces/{ns}";
    for (path, wanted) in [
        ("/api/v1/namespaces".to_owned(), &["Name", "Status", "Age"][..]),
        (format!("{core}/configmaps"), &["Name", "Data", "Age"]),
        (format!("{core}/secrets"), &["Name", "Type", "Data", "Age"]),
        (format!("{core}/events"), &["Last Seen", "Type", "Reason", "Object", "Message"]),
        (
            "/apis/coordination.k8s.io/v1/namespaces/{ns}/leases".to_owned(),
            &["Name", "Holder", "Age"],
        ),
        (format!("{rbac}/roles"), &["Name", "Created At"]),
        (format!("{rbac}/rolebindings"), &["Name", "Role", "Age"]),
        (
            "/apis/apiextensions.k8s.io/v1/customresourcedefinitions".to_owned(),
            &["Name", "Created At"],
        ),
        (
            "/apis/apps/v1/namespaces/{ns}/deployments".to_owned(),
            &["Name", "Ready", "Up-to-date", "Available", "Age"],
        ),
    ] {
        let table = table(&s, &path).await?;
        let columns = table["columnDefinitions"].as_array().context("no columns")?;
        let shown = columns.iter().filter(|column| column["priority"] == 0);
        let names: Vec<&Value> = shown.map(|column| &column["name"]).collect();
        ensure!(names == wanted, "{path}: {names:?}");
    }
    Ok(())
}

pub(crate) async fn what_a_built_in_object_holds_is_counted(s: Server) -> Result<()> {
    let mut object = configmap("a");
    object["data"] = json!({ "a": "1", "b": "2" });
    s.post(CONFIGMAPS, object).await?.done()?;
    let table = table(&s, &format!("{CONFIGMAPS}/a")).await?;
    let cells = table["rows"][0]["cells"].as_array().context("no cells")?;
    ensure!(cells[..2] == [json!("a"), json!(2)], "{cells:?}");
    Ok(())
}
