//! Who may do what: the RBAC objects that are stored here, and `system:masters`.

use serde_json::{Value, json};

use crate::failure::{Failure, Outcome, details};
use crate::selector::Labels;
use crate::store::{Key, Scope, Store};
use crate::user::User;

const RBAC: &str = "rbac.authorization.k8s.io";

/// What somebody wants to do.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) enum Attributes {
    Resource {
        verb: String,
        group: String,
        plural: String,
        subresource: Option<String>,
        namespace: Option<String>,
        name: Option<String>,
    },
    Path {
        verb: String,
        path: String,
    },
}

pub(crate) fn authorize(store: &Store, user: &User, attributes: &Attributes) -> Outcome<()> {
    match allowed(store, user, attributes) {
        Some(_) => Ok(()),
        None => Err(attributes.refusal(user)),
    }
}

/// Why it is allowed, or nothing.
pub(crate) fn allowed(store: &Store, user: &User, attributes: &Attributes) -> Option<String> {
    if user.groups.iter().any(|group| group == "system:masters") {
        return Some(String::new());
    }
    let namespace = match attributes {
        Attributes::Resource { namespace, .. } => namespace.as_deref(),
        Attributes::Path { .. } => None,
    };
    grants(store, user, namespace)
        .into_iter()
        .find(|grant| grant.rules.iter().any(|rule| attributes.within(rule)))
        .map(|grant| grant.why)
}

/// The rules that hold for the user in a namespace, or cluster-wide.
pub(crate) fn rules(store: &Store, user: &User, namespace: Option<&str>) -> Vec<Value> {
    if user.groups.iter().any(|group| group == "system:masters") {
        return vec![
            json!({"verbs": ["*"], "apiGroups": ["*"], "resources": ["*"]}),
            json!({"verbs": ["*"], "nonResourceURLs": ["*"]}),
        ];
    }
    grants(store, user, namespace).into_iter().flat_map(|grant| grant.rules).collect()
}

struct Grant {
    why: String,
    rules: Vec<Value>,
}

fn grants(store: &Store, user: &User, namespace: Option<&str>) -> Vec<Grant> {
    let wide = Scope { group: RBAC.into(), plural: "clusterrolebindings".into(), namespace: None };
    let narrow = namespace.map(|namespace| Scope {
        group: RBAC.into(),
        plural: "rolebindings".into(),
        namespace: Some(namespace.into()),
    });
    let bindings = store.scan(&wide).chain(narrow.iter().flat_map(|scope| store.scan(scope)));
    let mut grants = Vec::new();
    for (key, binding) in bindings {
        let subject = binding["subjects"].as_array().into_iter().flatten().find_map(|subject| {
            is(user, subject, &key.namespace).then(|| {
                format!("{} {}", subject["kind"].as_str().unwrap_or_default(), subject["name"])
            })
        });
        let Some(subject) = subject else { continue };
        let role = &binding["roleRef"];
        let (kind, name) = match key.namespace.as_str() {
            "" => ("ClusterRoleBinding", key.name.clone()),
            namespace => ("RoleBinding", format!("{}/{namespace}", key.name)),
        };
        let role_kind = role["kind"].as_str().unwrap_or_default();
        let why = format!(
            "RBAC: allowed by {kind} {name:?} of {role_kind} {} to {subject}",
            role["name"]
        );
        grants.push(Grant { why, rules: role_rules(store, role, &key.namespace) });
    }
    grants
}

fn is(user: &User, subject: &Value, namespace: &str) -> bool {
    let Some(name) = subject["name"].as_str() else { return false };
    match subject["kind"].as_str() {
        Some("User") => user.name == name,
        Some("Group") => user.groups.iter().any(|group| group == name),
        Some("ServiceAccount") => {
            let namespace = subject["namespace"].as_str().unwrap_or(namespace);
            user.name == format!("system:serviceaccount:{namespace}:{name}")
        }
        _ => false,
    }
}

fn role_rules(store: &Store, role: &Value, namespace: &str) -> Vec<Value> {
    let (plural, namespace) = match role["kind"].as_str() {
        Some("ClusterRole") => ("clusterroles", ""),
        Some("Role") if !namespace.is_empty() => ("roles", namespace),
        _ => return Vec::new(),
    };
    let key = Key {
        group: RBAC.into(),
        plural: plural.into(),
        namespace: namespace.into(),
        name: role["name"].as_str().unwrap_or_default().into(),
    };
    let Some(role) = store.get(&key) else { return Vec::new() };
    let mut rules = list(&role["rules"]).to_vec();
    for selector in list(&role["aggregationRule"]["clusterRoleSelectors"]) {
        let Ok(selector) = Labels::of(selector) else { continue };
        let all = Scope { group: RBAC.into(), plural: plural.into(), namespace: None };
        let chosen = store.scan(&all).filter(|(_, role)| selector.matches(role));
        rules.extend(chosen.flat_map(|(_, role)| list(&role["rules"])).cloned());
    }
    rules
}

impl Attributes {
    fn within(&self, rule: &Value) -> bool {
        let any = |field: &str, wanted: &str| {
            list(&rule[field]).iter().any(|value| value == "*" || value == wanted)
        };
        match self {
            Self::Path { verb, path } => {
                any("verbs", verb)
                    && list(&rule["nonResourceURLs"]).iter().filter_map(Value::as_str).any(|url| {
                        match url.strip_suffix('*') {
                            Some(prefix) => path.starts_with(prefix),
                            None => path == url,
                        }
                    })
            }
            Self::Resource { verb, group, plural, subresource, name, .. } => {
                let resource = match subresource {
                    None => any("resources", plural),
                    Some(sub) => {
                        any("resources", &format!("{plural}/{sub}"))
                            || list(&rule["resources"]).iter().any(|v| *v == format!("*/{sub}"))
                    }
                };
                let names = list(&rule["resourceNames"]);
                let named = names.is_empty()
                    || name.as_ref().is_some_and(|name| names.iter().any(|n| n == name));
                any("verbs", verb) && any("apiGroups", group) && resource && named
            }
        }
    }

    fn refusal(&self, user: &User) -> Failure {
        match self {
            Self::Path { verb, path } => {
                let message =
                    format!("forbidden: User {:?} cannot {verb} path {path:?}", user.name);
                let mut failure = Failure::new(403, "Forbidden", message);
                *failure.details = json!({});
                failure
            }
            Self::Resource { verb, group, plural, subresource, namespace, name } => {
                let qualified =
                    if group.is_empty() { plural.clone() } else { format!("{plural}.{group}") };
                let one = name.as_ref().map(|name| format!(" {name:?}")).unwrap_or_default();
                let full = match subresource {
                    Some(subresource) => format!("{plural}/{subresource}"),
                    None => plural.clone(),
                };
                let place = match namespace {
                    Some(namespace) => format!("in the namespace {namespace:?}"),
                    None => "at the cluster scope".into(),
                };
                let message = format!(
                    "{qualified}{one} is forbidden: User {:?} cannot {verb} resource {full:?} in API group {group:?} {place}",
                    user.name
                );
                let mut failure = Failure::new(403, "Forbidden", message);
                *failure.details = details(name.as_deref().unwrap_or_default(), group, plural);
                failure
            }
        }
    }
}

fn list(value: &Value) -> &[Value] {
    value.as_array().map(Vec::as_slice).unwrap_or_default()
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeMap;

    use super::*;

    fn store() -> Store {
        let mut store = Store::new(10, 0, BTreeMap::new());
        let mut put = |plural: &str, namespace: &str, name: &str, object: Value| {
            let key = Key {
                group: RBAC.into(),
                plural: plural.into(),
                namespace: namespace.into(),
                name: name.into(),
            };
            store.put(key, object).unwrap();
        };
        put(
            "clusterroles",
            "",
            "reader",
            json!({"metadata": {"labels": {"to": "sum"}}, "rules": [
                {"apiGroups": ["g"], "resources": ["things", "things/status"], "verbs": ["get", "list"]},
                {"nonResourceURLs": ["/healthz", "/open/*"], "verbs": ["get"]},
            ]}),
        );
        put(
            "clusterroles",
            "",
            "sum",
            json!({"aggregationRule": {"clusterRoleSelectors": [{"matchLabels": {"to": "sum"}}]}}),
        );
        put(
            "roles",
            "a",
            "one",
            json!({"rules": [
                {"apiGroups": ["g"], "resources": ["things"], "resourceNames": ["x"], "verbs": ["delete"]},
                {"apiGroups": ["*"], "resources": ["*/scale"], "verbs": ["*"]},
            ]}),
        );
        let bind = |kind: &str, role: &str, subjects: Value| json!({"roleRef": {"kind": kind, "name": role}, "subjects": subjects});
        put(
            "clusterrolebindings",
            "",
            "all",
            bind("ClusterRole", "reader", json!([{"kind": "Group", "name": "readers"}])),
        );
        put(
            "clusterrolebindings",
            "",
            "sum",
            bind("ClusterRole", "sum", json!([{"kind": "User", "name": "carol"}])),
        );
        put(
            "clusterrolebindings",
            "",
            "wrong",
            bind("Role", "one", json!([{"kind": "User", "name": "carol"}])),
        );
        put(
            "rolebindings",
            "a",
            "in-a",
            bind("ClusterRole", "reader", json!([{"kind": "ServiceAccount", "name": "robot"}])),
        );
        put(
            "rolebindings",
            "a",
            "one",
            bind("Role", "one", json!([{"kind": "User", "name": "bob"}])),
        );
        store
    }

    #[test]
    fn bindings_grant_what_their_roles_say() {
        let store = store();
        let bob = User::new("bob", []);
        let carol = User::new("carol", []);
        let reader = User::new("x", ["readers"]);
        let robot = User::service_account("a", "robot");
        let other_robot = User::service_account("b", "robot");
        let rows = [
            (&User::admin(), "delete g nodes - -", true),
            (&reader, "get g things a x", true),
            (&reader, "get g things - -", true),
            (&reader, "get g things/status a x", true),
            (&reader, "get g things/scale a x", false),
            (&reader, "get h things a x", false),
            (&reader, "watch g things a -", false),
            (&robot, "get g things a x", true),
            (&robot, "get g things b x", false),
            (&robot, "list g things - -", false),
            (&other_robot, "get g things a x", false),
            (&bob, "delete g things a x", true),
            (&bob, "delete g things a y", false),
            (&bob, "deletecollection g things a -", false),
            (&bob, "update g things/scale a y", true),
            (&carol, "get g things a x", true),
            (&carol, "delete g things a x", false),
        ];
        for (user, what, expected) in rows {
            let words: Vec<&str> = what.split(' ').collect();
            let some = |word: &str| (word != "-").then(|| word.to_owned());
            let (plural, subresource) = words[2].split_once('/').unwrap_or((words[2], "-"));
            let attributes = Attributes::Resource {
                verb: words[0].into(),
                group: words[1].into(),
                plural: plural.into(),
                subresource: some(subresource),
                namespace: some(words[3]),
                name: some(words[4]),
            };
            assert_eq!(
                allowed(&store, user, &attributes).is_some(),
                expected,
                "{} {what}",
                user.name
            );
        }
        for (path, expected) in [("/healthz", true), ("/open/v3", true), ("/metrics", false)] {
            let attributes = Attributes::Path { verb: "get".into(), path: path.into() };
            assert_eq!(allowed(&store, &reader, &attributes).is_some(), expected, "{path}");
        }
    }

    #[test]
    fn a_refusal_says_who_what_and_where() {
        let attributes = Attributes::Resource {
            verb: "get".into(),
            group: "g".into(),
            plural: "things".into(),
            subresource: Some("status".into()),
            namespace: Some("a".into()),
            name: Some("x".into()),
        };
        let failure = authorize(&store(), &User::new("eve", []), &attributes).unwrap_err();
        assert_eq!(
            failure.message,
            r#"things.g "x" is forbidden: User "eve" cannot get resource "things/status" in API group "g" in the namespace "a""#
        );
    }
}
