//! What a server says it serves: for kubectl, for kube's discovery, for Argo CD.

use anyhow::{Context as _, Result, ensure};
use serde_json::{Value, json};

use crate::{answer::text, objects::STAGES, server::Server};

const VERBS: [&str; 8] =
    ["create", "delete", "deletecollection", "get", "list", "patch", "update", "watch"];

pub(crate) async fn a_server_says_how_it_is(s: Server) -> Result<()> {
    for path in ["/healthz", "/livez", "/readyz"] {
        let answer = s.get(path).await?;
        ensure!(answer.code == 200 && answer.body == "ok", "{answer:#?}");
    }
    let version = s.get("/version").await?.done()?;
    ensure!(version["major"] == "1", "{version:#}");
    text(&version, "/minor")?.parse::<u32>()?;
    ensure!(text(&version, "/gitVersion")?.starts_with("v1."), "{version:#}");
    text(&version, "/platform")?;
    Ok(())
}

pub(crate) async fn groups_are_listed(s: Server) -> Result<()> {
    let core = s.get("/api").await?.done()?;
    ensure!(core["kind"] == "APIVersions" && core["versions"] == json!(["v1"]), "{core:#}");
    let group = s.get("/apis/kargo.akuity.io").await?.done()?;
    let version = json!({ "groupVersion": "kargo.akuity.io/v1alpha1", "version": "v1alpha1" });
    let wanted = json!({
        "kind": "APIGroup", "apiVersion": "v1", "name": "kargo.akuity.io",
        "versions": [version], "preferredVersion": version,
    });
    ensure!(group == wanted, "{group:#}");
    let all = s.get("/apis").await?.done()?;
    ensure!(all["kind"] == "APIGroupList" && all["apiVersion"] == "v1", "{all:#}");
    let groups = all["groups"].as_array().context("no groups")?;
    let ours = groups.iter().find(|group| group["name"] == "kargo.akuity.io");
    ensure!(ours.is_some_and(|g| g["versions"] == json!([version])), "{all:#}");
    for name in ["rbac.authorization.k8s.io", "coordination.k8s.io", "events.k8s.io", "apps"] {
        ensure!(groups.iter().any(|group| group["name"] == name), "{name}");
    }
    let absent = s.get("/apis/absent.example.com").await?;
    ensure!(absent.code == 404, "{absent:#?}");
    Ok(())
}

pub(crate) async fn resources_are_listed(s: Server) -> Result<()> {
    let list = s.get("/apis/kargo.akuity.io/v1alpha1").await?.done()?;
    ensure!(
        list["kind"] == "APIResourceList" && list["groupVersion"] == "kargo.akuity.io/v1alpha1"
    );
    let verbs = json!(VERBS);
    let status = json!(["get", "patch", "update"]);
    for (path, wanted) in [
        (
            "/apis/kargo.akuity.io/v1alpha1",
            json!({
                "name": "stages", "singularName": "stage", "namespaced": true, "kind": "Stage", "verbs": verbs,
            }),
        ),
        (
            "/apis/kargo.akuity.io/v1alpha1",
            json!({
                "name": "stages/status", "singularName": "", "namespaced": true, "kind": "Stage", "verbs": status,
            }),
        ),
        (
            "/apis/kargo.akuity.io/v1alpha1",
            json!({
                "name": "projects", "singularName": "project", "namespaced": false, "kind": "Project", "verbs": verbs,
            }),
        ),
        (
            "/api/v1",
            json!({
                "name": "configmaps", "singularName": "configmap", "namespaced": true, "kind": "ConfigMap", "verbs": verbs,
                "shortNames": ["cm"],
            }),
        ),
        (
            "/api/v1",
            json!({
                "name": "secrets", "singularName": "secret", "namespaced": true, "kind": "Secret", "verbs": verbs,
            }),
        ),
        (
            "/api/v1",
            json!({
                "name": "events", "singularName": "event", "namespaced": true, "kind": "Event", "verbs": verbs,
                "shortNames": ["ev"],
            }),
        ),
        (
            "/api/v1",
            json!({
                "name": "namespaces/status", "singularName": "", "namespaced": false, "kind": "Namespace", "verbs": status,
            }),
        ),
        (
            "/api/v1",
            json!({
                "name": "serviceaccounts/token", "singularName": "", "namespaced": true, "kind": "TokenRequest",
                "group": "authentication.k8s.io", "version": "v1", "verbs": ["create"],
            }),
        ),
        (
            "/apis/coordination.k8s.io/v1",
            json!({
                "name": "leases", "singularName": "lease", "namespaced": true, "kind": "Lease", "verbs": verbs,
            }),
        ),
        (
            "/apis/authorization.k8s.io/v1",
            json!({
                "name": "subjectaccessreviews", "singularName": "subjectaccessreview", "namespaced": false,
                "kind": "SubjectAccessReview", "verbs": ["create"],
            }),
        ),
        (
            "/apis/apiextensions.k8s.io/v1",
            json!({
                "name": "customresourcedefinitions", "singularName": "customresourcedefinition", "namespaced": false,
                "kind": "CustomResourceDefinition", "verbs": verbs, "shortNames": ["crd", "crds"],
                "categories": ["api-extensions"],
            }),
        ),
        (
            "/apis/apps/v1",
            json!({
                "name": "deployments", "singularName": "deployment", "namespaced": true, "kind": "Deployment",
                "verbs": verbs, "shortNames": ["deploy"], "categories": ["all"],
            }),
        ),
    ] {
        let list = s.get(path).await?.done()?;
        let entries = list["resources"].as_array().context("no resources")?;
        let entry = entries.iter().find(|entry| entry["name"] == wanted["name"]);
        let entry = comparable(entry.with_context(|| wanted.to_string())?.clone());
        ensure!(entry == wanted, "{entry:#}\nmust be\n{wanted:#}");
    }
    Ok(())
}

/// What differs between servers and means nothing to clients is left out: the hash, and the order of verbs.
fn comparable(mut entry: Value) -> Value {
    if let Some(fields) = entry.as_object_mut() {
        fields.remove("storageVersionHash");
    }
    if let Some(verbs) = entry["verbs"].as_array_mut() {
        verbs.sort_by_key(Value::to_string);
    }
    entry
}

pub(crate) async fn all_of_it_comes_in_two_requests(s: Server) -> Result<()> {
    let accept = "application/json;g=apidiscovery.k8s.io;v=v2;as=APIGroupDiscoveryList";
    for (path, group, version) in
        [("/api", Value::Null, "v1"), ("/apis", json!("kargo.akuity.io"), "v1alpha1")]
    {
        let answer = s.get_as(accept, path).await?;
        ensure!(answer.content == accept, "{}", answer.content);
        let all = answer.done()?;
        ensure!(
            all["kind"] == "APIGroupDiscoveryList" && all["apiVersion"] == "apidiscovery.k8s.io/v2"
        );
        let items = all["items"].as_array().context("no items")?;
        let item =
            items.iter().find(|item| item["metadata"]["name"] == group).context("no group")?;
        let versions = item["versions"].as_array().context("no versions")?;
        ensure!(versions.len() == 1 && versions[0]["version"] == version, "{item:#}");
        ensure!(versions[0]["freshness"] == "Current", "{item:#}");
        if group.is_null() {
            continue;
        }
        let resources = versions[0]["resources"].as_array().context("no resources")?;
        let stages = resources.iter().find(|resource| resource["resource"] == "stages");
        let stages = comparable(stages.context("no stages")?.clone());
        let kind = json!({ "group": "kargo.akuity.io", "version": "v1alpha1", "kind": "Stage" });
        let wanted = json!({
            "resource": "stages", "responseKind": kind, "scope": "Namespaced", "singularResource": "stage",
            "verbs": VERBS,
            "subresources": [{ "subresource": "status", "responseKind": kind, "verbs": ["get", "patch", "update"] }],
        });
        ensure!(stages == wanted, "{stages:#}");
    }
    Ok(())
}

pub(crate) async fn schemas_are_published(s: Server) -> Result<()> {
    // A real server publishes a kind a moment after it serves it.
    let path = s
        .until(|| async {
            let index = s.get("/openapi/v3").await?.done()?;
            let entry = &index["paths"]["apis/kargo.akuity.io/v1alpha1"];
            Ok(text(entry, "/serverRelativeURL")?.to_owned())
        })
        .await?;
    ensure!(path.starts_with("/openapi/v3/apis/kargo.akuity.io/v1alpha1?hash="), "{path}");
    let document = s.get(&path).await?.done()?;
    ensure!(document["openapi"] == "3.0.0", "{}", document["openapi"]);
    let one = STAGES.replace("{ns}", "{namespace}") + "/{name}";
    let patch = &document["paths"][&one]["patch"];
    let kind = json!({ "group": "kargo.akuity.io", "version": "v1alpha1", "kind": "Stage" });
    ensure!(patch["x-kubernetes-group-version-kind"] == kind, "{patch:#}");
    let parameters = patch["parameters"].as_array().context("no parameters")?;
    ensure!(parameters.iter().any(|p| p["name"] == "fieldValidation" && p["in"] == "query"));
    ensure!(patch["requestBody"]["content"]["application/merge-patch+json"].is_object());
    ensure!(patch["requestBody"]["content"]["application/strategic-merge-patch+json"].is_null());
    let stage = &document["components"]["schemas"]["io.akuity.kargo.v1alpha1.Stage"];
    ensure!(stage["x-kubernetes-group-version-kind"] == json!([kind]), "{stage:#}");
    for field in ["apiVersion", "kind", "metadata", "spec", "status"] {
        ensure!(stage["properties"][field].is_object(), "{field}");
    }
    let freight = &stage["properties"]["spec"]["properties"]["requestedFreight"];
    ensure!(freight["type"] == "array" && freight["minItems"] == 1, "{freight:#}");
    let meta = "io.k8s.apimachinery.pkg.apis.meta.v1.ObjectMeta";
    let reference = stage["properties"]["metadata"].to_string();
    ensure!(reference.contains(&format!("#/components/schemas/{meta}")), "{reference}");
    ensure!(document["components"]["schemas"][meta]["properties"]["labels"].is_object());
    Ok(())
}
