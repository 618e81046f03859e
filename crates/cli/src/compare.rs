//! Two renders, object by object. What a Secret holds is never shown.

use std::collections::BTreeMap;
use std::fmt;

use serde::Serialize;
use serde_json::Value;
use similar::{ChangeTag, TextDiff};

/// What differs, in the order of the objects' names.
pub fn compare(before: &[Value], after: &[Value]) -> Vec<Change> {
    let (before, after) = (by_name(before), by_name(after));
    let names = before.keys().chain(after.keys().filter(|name| !before.contains_key(name)));
    let mut changes: Vec<Change> = names
        .filter_map(|name| {
            let (old, new) = (before.get(name).copied(), after.get(name).copied());
            if old == new {
                return None;
            }
            let what = match (old, new) {
                (None, _) => What::Added,
                (_, None) => What::Pruned,
                _ => What::Changed,
            };
            let (old, new) = masked(name, old, new);
            Some(Change { object: name.clone(), what, lines: lines(&text(old), &text(new)) })
        })
        .collect();
    changes.sort_by(|a, b| a.object.cmp(&b.object));
    changes
}

#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct Change {
    pub object: Name,
    #[serde(rename = "change")]
    pub what: What,
    /// As of a unified diff: each begins with a blank, `-` or `+`.
    #[serde(rename = "diff")]
    pub lines: Vec<String>,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize)]
#[serde(rename_all = "lowercase")]
pub enum What {
    Added,
    Changed,
    /// It is no longer rendered: Argo CD deletes it where it may.
    Pruned,
}

#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize)]
pub struct Name {
    #[serde(skip_serializing_if = "String::is_empty")]
    pub group: String,
    pub kind: String,
    #[serde(skip_serializing_if = "String::is_empty")]
    pub namespace: String,
    pub name: String,
}

impl Name {
    fn of(object: &Value) -> Self {
        let text = |pointer: &str| {
            object.pointer(pointer).and_then(Value::as_str).unwrap_or_default().to_owned()
        };
        let group = text("/apiVersion");
        let group = group.split_once('/').map_or("", |(group, _)| group).to_owned();
        let name = Some(text("/metadata/name")).filter(|name| !name.is_empty());
        Self {
            group,
            kind: text("/kind"),
            namespace: text("/metadata/namespace"),
            name: name.unwrap_or_else(|| text("/metadata/generateName")),
        }
    }
}

/// `apps/Deployment web`, `Secret shop/tls`.
impl fmt::Display for Name {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self { group, kind, namespace, name } = self;
        if !group.is_empty() {
            write!(f, "{group}/")?;
        }
        write!(f, "{kind} ")?;
        if !namespace.is_empty() {
            write!(f, "{namespace}/")?;
        }
        f.write_str(name)
    }
}

fn by_name(objects: &[Value]) -> BTreeMap<Name, &Value> {
    let mut all = BTreeMap::new();
    for object in objects {
        let mut name = Name::of(object);
        // Two of one name are a mistake that Argo CD tells; here neither hides the other.
        while all.contains_key(&name) {
            name.name.push_str(" (again)");
        }
        all.insert(name, object);
    }
    all
}

/// Both sides of a Secret without what they hold: that a value differs shows, what it is does not.
fn masked(name: &Name, old: Option<&Value>, new: Option<&Value>) -> (Option<Value>, Option<Value>) {
    let (mut old, mut new) = (old.cloned(), new.cloned());
    if name.group.is_empty() && name.kind == "Secret" {
        let was = old.clone();
        for side in [&mut old, &mut new].into_iter().flatten() {
            for field in ["data", "stringData"] {
                for (key, value) in
                    side.get_mut(field).and_then(Value::as_object_mut).into_iter().flatten()
                {
                    let before = was.as_ref().and_then(|was| was.get(field)?.get(key));
                    let same = before.is_none_or(|before| before == value);
                    *value = if same { "(masked)" } else { "(masked, differs)" }.into();
                }
            }
            let annotations =
                side.pointer_mut("/metadata/annotations").and_then(Value::as_object_mut);
            if let Some(annotations) = annotations {
                annotations.shift_remove("kubectl.kubernetes.io/last-applied-configuration");
            }
        }
    }
    (old, new)
}

fn text(object: Option<Value>) -> String {
    object.and_then(|object| serde_saphyr::to_string(&object).ok()).unwrap_or_default()
}

/// How many lines that stay the same are shown around those that don't.
const AROUND: usize = 2;

fn lines(old: &str, new: &str) -> Vec<String> {
    let diff = TextDiff::from_lines(old, new);
    let mut lines = Vec::new();
    for (at, group) in diff.grouped_ops(AROUND).iter().enumerate() {
        if at > 0 {
            lines.push("  …".into());
        }
        for change in group.iter().flat_map(|op| diff.iter_changes(op)) {
            let sign = match change.tag() {
                ChangeTag::Delete => '-',
                ChangeTag::Insert => '+',
                ChangeTag::Equal => ' ',
            };
            lines.push(format!("{sign} {}", change.value().trim_end_matches('\n')));
        }
    }
    lines
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    fn object(kind: &str, name: &str, more: &Value) -> Value {
        let mut object = json!({ "apiVersion": "v1", "kind": kind, "metadata": { "name": name } });
        object.as_object_mut().unwrap().extend(more.as_object().unwrap().clone());
        object
    }

    #[test]
    fn what_came_went_and_changed_is_told_by_object() {
        let before = [
            object("Service", "web", &json!({ "spec": { "port": 80 } })),
            object("ConfigMap", "old", &json!({ "data": { "a": "1" } })),
            object("ConfigMap", "same", &json!({})),
        ];
        let after = [
            object("ConfigMap", "same", &json!({})),
            object("ConfigMap", "new", &json!({ "data": { "a": "1" } })),
            object("Service", "web", &json!({ "spec": { "port": 81 } })),
        ];
        let changes = compare(&before, &after);
        let short: Vec<_> = changes.iter().map(|c| (c.object.to_string(), c.what)).collect();
        assert_eq!(
            short,
            [
                ("ConfigMap new".to_owned(), What::Added),
                ("ConfigMap old".to_owned(), What::Pruned),
                ("Service web".to_owned(), What::Changed),
            ]
        );
        let service = ["-   port: 80", "+   port: 81"];
        assert!(changes[2].lines.ends_with(&service.map(str::to_owned)), "{:?}", changes[2].lines);
        assert_eq!(compare(&before, &before), []);
    }

    #[test]
    fn the_order_of_fields_is_no_change() {
        let one = json!({ "apiVersion": "apps/v1", "kind": "Deployment", "metadata": { "name": "web", "namespace": "shop" } });
        let other: Value = serde_json::from_str(
            r#"{"kind":"Deployment","metadata":{"namespace":"shop","name":"web"},"apiVersion":"apps/v1"}"#,
        )
        .unwrap();
        assert_eq!(compare(std::slice::from_ref(&one), &[other]), []);
        assert_eq!(Name::of(&one).to_string(), "apps/Deployment shop/web");
    }

    #[test]
    fn what_a_secret_holds_is_never_shown() {
        let secret = |value: &str| {
            object(
                "Secret",
                "tls",
                &json!({
                    "stringData": { "a": value, "b": "hunter3" },
                    "metadata": { "name": "tls", "annotations": { "kubectl.kubernetes.io/last-applied-configuration": value } },
                }),
            )
        };
        for (before, after) in [
            (vec![secret("hunter1")], vec![secret("hunter2")]),
            (vec![], vec![secret("hunter2")]),
            (vec![secret("hunter1")], vec![]),
        ] {
            let changes = compare(&before, &after);
            assert_eq!(changes.len(), 1);
            let shown = format!("{changes:?}");
            assert!(!shown.contains("hunter"), "{shown}");
            assert!(shown.contains("masked"), "{shown}");
        }
        let shown = format!("{:?}", compare(&[secret("hunter1")], &[secret("hunter2")]));
        assert!(
            shown.contains("a: (masked, differs)") && !shown.contains("b: (masked, differs)"),
            "{shown}"
        );
    }
}
