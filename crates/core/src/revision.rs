//! Who chooses the revision that an Application deploys, where the Freight does not.

use wharfinger_api::argocd::{Application, Sources as _};
use wharfinger_api::v1alpha1::FreightCollection;

use crate::claim::ours;
use crate::converge::{auto_sync, pinned};

/// Whether somebody who may do no more than sync an Application of ours in Argo CD can have another revision deployed than
/// its `targetRevision`: the Freight pins one of its sources to none, and nothing else does.
///
/// With auto-sync, Argo CD syncs to no other revision, whoever asks.
pub fn is_open(app: &Application, held: &FreightCollection) -> bool {
    let sources = app.spec.sources();
    ours(sources).next().is_some()
        && !auto_sync(app)
        && sources.iter().any(|source| pinned(source, held).is_none())
}

#[cfg(test)]
mod tests {
    use serde_json::{Value, json};

    use super::*;

    #[test]
    fn a_revision_is_open_where_neither_freight_nor_auto_sync_says_which() {
        let held = json!({ "id": "c", "items": { "Warehouse/w": { "name": "f",
            "commits": [{ "repoURL": "https://git.example/pinned", "id": "abc" }],
            "charts": [{ "repoURL": "https://charts.example", "name": "web", "version": "1.2.3" }] } } });
        let held: FreightCollection = serde_json::from_value(held).unwrap();
        let git = |repo: &str| json!({ "repoURL": format!("https://git.example/{repo}"), "plugin": { "name": "wharfinger" } });
        let chart = |name: &str| json!({ "repoURL": "https://charts.example", "chart": name, "plugin": { "name": "wharfinger" } });
        let native = json!({ "repoURL": "https://git.example/free", "path": "x" });
        let check = |sources: &[Value], policy: Value, expected: bool| {
            let spec = json!({ "sources": sources, "syncPolicy": policy });
            let app = serde_json::from_value(json!({ "spec": spec })).unwrap();
            assert_eq!(is_open(&app, &held), expected, "{sources:?} {policy}");
        };
        let by_hand = || json!({ "syncOptions": ["CreateNamespace=true"] });
        check(&[git("free")], by_hand(), true);
        check(&[git("free")], json!({ "automated": { "enabled": false } }), true);
        check(&[git("free")], json!({ "automated": {} }), false);
        check(&[git("pinned")], by_hand(), false);
        check(&[git("pinned"), git("free")], by_hand(), true);
        check(&[git("pinned"), native.clone()], by_hand(), true);
        check(&[chart("web")], by_hand(), false);
        check(&[chart("db")], by_hand(), true);
        // Not ours: nobody promised anything.
        check(&[native], by_hand(), false);
    }
}
