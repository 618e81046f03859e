//! What is served, for clients that ask: `/api`, `/apis` and below.

use serde_json::{Map, Value, json};

use crate::resource::Resource;

/// `GET /api`
pub fn core_versions() -> Value {
    json!({ "kind": "APIVersions", "versions": ["v1"], "serverAddressByClientCIDRs": [] })
}

/// `GET /apis`
pub fn api_groups(resources: &[&Resource]) -> Value {
    let groups: Vec<Value> = groups(resources)
        .into_iter()
        .filter(|group| !group.is_empty())
        .map(|group| of_group(resources, group))
        .collect();
    json!({ "kind": "APIGroupList", "apiVersion": "v1", "groups": groups })
}

/// `GET /apis/GROUP`. Nothing for a group that is not served.
pub fn api_group(resources: &[&Resource], group: &str) -> Option<Value> {
    if group.is_empty() || !groups(resources).contains(&group) {
        return None;
    }
    let mut answer = json!({ "kind": "APIGroup", "apiVersion": "v1" });
    merge(&mut answer, of_group(resources, group));
    Some(answer)
}

/// `GET /api/v1`, `GET /apis/GROUP/VERSION`. Nothing for one that is not served.
pub fn resource_list(resources: &[&Resource], group_version: &str) -> Option<Value> {
    let served = resources.iter().filter(|resource| resource.api_version() == group_version);
    let entries: Vec<Value> = served.flat_map(|resource| entries(resource)).collect();
    (!entries.is_empty()).then(|| {
        json!({
            "kind": "APIResourceList",
            "apiVersion": "v1",
            "groupVersion": group_version,
            "resources": entries,
        })
    })
}

/// `GET /api` for clients that accept `apidiscovery.k8s.io/v2`.
pub fn aggregated_core(resources: &[&Resource]) -> Value {
    aggregated(resources, |group| group.is_empty())
}

/// `GET /apis` for clients that accept `apidiscovery.k8s.io/v2`.
pub fn aggregated_groups(resources: &[&Resource]) -> Value {
    aggregated(resources, |group| !group.is_empty())
}

fn aggregated(resources: &[&Resource], wanted: fn(&str) -> bool) -> Value {
    let items: Vec<Value> = groups(resources)
        .into_iter()
        .filter(|group| wanted(group))
        .map(|group| {
            let versions: Vec<Value> = versions(resources, group)
                .into_iter()
                .map(|version| {
                    let served =
                        resources.iter().filter(|r| r.group == group && r.version == version);
                    let resources: Vec<Value> = served.map(|r| described(r)).collect();
                    json!({ "version": version, "resources": resources, "freshness": "Current" })
                })
                .collect();
            let metadata = if group.is_empty() { json!({}) } else { json!({ "name": group }) };
            json!({ "metadata": metadata, "versions": versions })
        })
        .collect();
    json!({
        "kind": "APIGroupDiscoveryList",
        "apiVersion": "apidiscovery.k8s.io/v2",
        "metadata": {},
        "items": items,
    })
}

/// A resource in an aggregated answer.
fn described(resource: &Resource) -> Value {
    let mut described = json!({
        "resource": resource.plural,
        "responseKind": kind(resource),
        "scope": if resource.namespaced { "Namespaced" } else { "Cluster" },
        "singularResource": resource.singular,
        "verbs": resource.verbs(),
    });
    names(resource, &mut described);
    let subresources: Vec<Value> = subresources(resource)
        .into_iter()
        .map(|sub| json!({ "subresource": sub.name, "responseKind": sub.kind, "verbs": sub.verbs }))
        .collect();
    if !subresources.is_empty() {
        merge(&mut described, json!({ "subresources": subresources }));
    }
    described
}

/// A resource and its subresources in an APIResourceList.
fn entries(resource: &Resource) -> Vec<Value> {
    let mut entry = json!({
        "name": resource.plural,
        "singularName": resource.singular,
        "namespaced": resource.namespaced,
        "kind": resource.kind,
        "verbs": resource.verbs(),
    });
    names(resource, &mut entry);
    let mut entries = vec![entry];
    entries.extend(subresources(resource).into_iter().map(|sub| {
        let mut entry = json!({
            "name": format!("{}/{}", resource.plural, sub.name),
            "singularName": "",
            "namespaced": resource.namespaced,
            "kind": sub.kind["kind"],
            "verbs": sub.verbs,
        });
        if sub.kind != kind(resource) {
            merge(
                &mut entry,
                json!({ "group": sub.kind["group"], "version": sub.kind["version"] }),
            );
        }
        entry
    }));
    entries
}

struct Subresource {
    name: &'static str,
    kind: Value,
    verbs: &'static [&'static str],
}

fn subresources(resource: &Resource) -> Vec<Subresource> {
    let mut subresources = Vec::new();
    if resource.status {
        let verbs = &["get", "patch", "update"];
        subresources.push(Subresource { name: "status", kind: kind(resource), verbs });
    }
    if resource.group.is_empty() && resource.kind == "ServiceAccount" {
        let group = "authentication.k8s.io";
        let kind = json!({ "group": group, "version": "v1", "kind": "TokenRequest" });
        subresources.push(Subresource { name: "token", kind, verbs: &["create"] });
    }
    subresources
}

fn kind(resource: &Resource) -> Value {
    json!({ "group": resource.group, "version": resource.version, "kind": resource.kind })
}

fn names(resource: &Resource, entry: &mut Value) {
    if !resource.short_names.is_empty() {
        merge(entry, json!({ "shortNames": resource.short_names }));
    }
    if !resource.categories.is_empty() {
        merge(entry, json!({ "categories": resource.categories }));
    }
}

fn of_group(resources: &[&Resource], group: &str) -> Value {
    let versions: Vec<Value> = versions(resources, group)
        .into_iter()
        .map(|version| json!({ "groupVersion": format!("{group}/{version}"), "version": version }))
        .collect();
    json!({ "name": group, "preferredVersion": versions.first(), "versions": versions })
}

/// The groups in the order in which they were given.
fn groups<'r>(resources: &[&'r Resource]) -> Vec<&'r str> {
    let mut groups: Vec<&str> = Vec::new();
    for resource in resources {
        if !groups.contains(&resource.group.as_str()) {
            groups.push(&resource.group);
        }
    }
    groups
}

/// The versions of a group, the preferred one first.
fn versions<'r>(resources: &[&'r Resource], group: &str) -> Vec<&'r str> {
    let of_group = resources.iter().filter(|resource| resource.group == group);
    let mut versions: Vec<&str> = of_group.map(|resource| resource.version.as_str()).collect();
    versions.sort_by_key(|version| std::cmp::Reverse(maturity(version)));
    versions.dedup();
    versions
}

/// v2 before v1 before v1beta1 before v1alpha1; any other name last.
fn maturity(version: &str) -> (u8, u32, u32) {
    let parse = || {
        let rest = version.strip_prefix('v')?;
        let (major, stage, minor) = match (rest.split_once("beta"), rest.split_once("alpha")) {
            (Some((major, minor)), _) => (major, 2, minor),
            (None, Some((major, minor))) => (major, 1, minor),
            (None, None) => (rest, 3, "0"),
        };
        Some((stage, major.parse().ok()?, minor.parse().ok()?))
    };
    parse().unwrap_or_default()
}

fn merge(into: &mut Value, more: Value) {
    if let (Value::Object(into), Value::Object(more)) = (into, more) {
        into.extend::<Map<String, Value>>(more);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_most_mature_version_comes_first() {
        let mut versions = ["v1alpha1", "v1", "v2beta1", "v2", "v1beta2", "x"];
        versions.sort_by_key(|version| std::cmp::Reverse(maturity(version)));
        assert_eq!(versions, ["v2", "v1", "v2beta1", "v1beta2", "v1alpha1", "x"]);
    }

    #[test]
    fn every_resource_is_listed_once_in_each_form() {
        let resources = Resource::built_in();
        let resources: Vec<&Resource> = resources.iter().collect();
        let core = resource_list(&resources, "v1").unwrap();
        let names = |list: &Value, field: &str| -> Vec<String> {
            let items = list.as_array().unwrap().iter();
            items.map(|item| item[field].as_str().unwrap().to_owned()).collect()
        };
        assert_eq!(
            names(&core["resources"], "name"),
            [
                "namespaces",
                "namespaces/status",
                "secrets",
                "configmaps",
                "serviceaccounts",
                "serviceaccounts/token",
                "events",
                "services",
                "services/status",
                "pods",
                "pods/status",
            ],
        );
        let aggregated = aggregated_core(&resources);
        let served = &aggregated["items"][0]["versions"][0]["resources"];
        assert_eq!(
            names(served, "resource"),
            [
                "namespaces",
                "secrets",
                "configmaps",
                "serviceaccounts",
                "events",
                "services",
                "pods"
            ],
        );
        let groups = api_groups(&resources);
        assert_eq!(groups["groups"][0]["preferredVersion"]["groupVersion"], "events.k8s.io/v1");
        assert_eq!(api_group(&resources, "coordination.k8s.io").unwrap()["kind"], "APIGroup");
        assert_eq!(api_group(&resources, "absent"), None);
        assert_eq!(api_group(&resources, ""), None);
        assert_eq!(resource_list(&resources, "v2"), None);
    }
}
