//! Events are one kind with two shapes: core `v1`, in which they are kept, and `events.k8s.io/v1`.

use serde_json::{Value, json};

use crate::resource::Resource;

pub(crate) const GROUP: &str = "events.k8s.io";

/// What the newer shape calls what the older one has.
const NAMES: &[(&str, &str)] = &[
    ("involvedObject", "regarding"),
    ("message", "note"),
    ("firstTimestamp", "deprecatedFirstTimestamp"),
    ("lastTimestamp", "deprecatedLastTimestamp"),
    ("count", "deprecatedCount"),
    ("source", "deprecatedSource"),
    ("reportingComponent", "reportingController"),
];

pub(crate) fn is(resource: &Resource) -> bool {
    resource.plural == "events" && matches!(resource.group.as_str(), "" | GROUP)
}

pub(crate) fn shown(resource: &Resource, kept: &Value) -> Value {
    match resource.group.as_str() {
        GROUP => renamed(kept, |(older, newer)| (older, newer)),
        _ => kept.clone(),
    }
}

pub(crate) fn kept(resource: &Resource, sent: Value) -> Value {
    if resource.group != GROUP {
        return sent;
    }
    let mut kept = renamed(&sent, |(older, newer)| (newer, older));
    kept["apiVersion"] = "v1".into();
    if kept["involvedObject"].is_null() {
        kept["involvedObject"] = json!({});
    }
    kept
}

fn renamed(
    event: &Value,
    direction: impl Fn((&'static str, &'static str)) -> (&'static str, &'static str),
) -> Value {
    let names: Vec<_> = NAMES.iter().copied().map(direction).collect();
    let fields = event.as_object().into_iter().flatten();
    let rename = |key: &str| {
        names
            .iter()
            .find(|(from, _)| *from == key)
            .map_or(key.to_owned(), |(_, to)| (*to).to_owned())
    };
    Value::Object(fields.map(|(key, value)| (rename(key), value.clone())).collect())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn both_shapes_say_the_same() {
        let mut newer = Resource::built_in().into_iter().find(|r| r.plural == "events").unwrap();
        newer.group = GROUP.into();
        let sent = json!({
            "apiVersion": "events.k8s.io/v1", "kind": "Event", "note": "n", "reason": "R",
            "regarding": {"name": "x"}, "reportingController": "c",
        });
        let kept = kept(&newer, sent.clone());
        assert_eq!(
            kept,
            json!({
                "apiVersion": "v1", "kind": "Event", "message": "n", "reason": "R",
                "involvedObject": {"name": "x"}, "reportingComponent": "c",
            })
        );
        let mut shown = shown(&newer, &kept);
        shown["apiVersion"] = "events.k8s.io/v1".into();
        assert_eq!(shown, sent);
    }
}
