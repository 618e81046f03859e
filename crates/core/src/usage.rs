//! Whether the Freight of a Stage and what its Applications deploy have to do with each other.
//!
//! Nothing is refused for it: a Warehouse may watch more than one Stage deploys. But a repository that is spelled in two
//! ways looks just so, and would go unseen.

mod found;
mod stage;

use std::collections::{BTreeMap, BTreeSet};

use wharfinger_api::v1alpha1::Warehouse;

use crate::check::{Check, Code, State};
use crate::subscription::{Kind, Subscription};
use crate::substitute::Images;

pub use found::Found;
pub use stage::{Deployed, Place, Rendered, of_stage};

/// How much was looked at.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Scope {
    /// One source, or one Application of several.
    Part,
    /// All that the Stage deploys.
    Stage,
}

/// Repositories of images that Warehouses subscribe, and the name of the Warehouse.
pub type Subscribed = BTreeMap<String, String>;

/// The images that `warehouses` subscribe.
pub fn subscribed(warehouses: &[Warehouse]) -> Subscribed {
    let of_one = |warehouse: &Warehouse| {
        let name = warehouse.metadata.name.clone().unwrap_or_default();
        let read = warehouse.spec.subscriptions.iter().filter_map(|s| Subscription::read(s).ok());
        let images = read.filter(|s| s.kind == Kind::Image);
        images.map(|s| (s.subject(), name.clone())).collect::<Vec<_>>()
    };
    warehouses.iter().flat_map(of_one).collect()
}

/// Images of the Freight that nothing uses, and images that a Warehouse subscribes and no Freight holds. `used` has the
/// repositories of what was rendered, in the form in which they are compared.
pub fn judge(
    freight: &Images,
    used: &BTreeSet<&str>,
    subscribed: &Subscribed,
    scope: Scope,
) -> Vec<Check> {
    let warning = |code, text| Check::new(code, State::Warning, text);
    let all: BTreeSet<&str> = freight.repositories().collect();
    let unused: Vec<&str> = all.difference(used).copied().collect();
    let by_nobody = match scope {
        Scope::Stage => Some("no Application of the Stage uses it"),
        // Another part may use the rest.
        Scope::Part => (!all.is_empty() && unused.len() == all.len())
            .then_some("nothing that was rendered here uses an image of the Freight"),
    };
    let mut checks: Vec<Check> = by_nobody
        .into_iter()
        .flat_map(|by_nobody| unused.iter().map(move |image| (image, by_nobody)))
        .map(|(image, by_nobody)| {
            let text = format!("the Freight holds the image {image}, but {by_nobody}");
            warning(Code::ImageUnused, text).fix("Compare how the repository is spelled in the manifests; for a place outside of pods, name it in the plugin's parameter imagePaths")
        })
        .collect();
    let unmanaged = subscribed
        .iter()
        .filter(|(image, _)| used.contains(image.as_str()) && !all.contains(image.as_str()));
    checks.extend(unmanaged.map(|(image, warehouse)| {
        let text = format!("the image {image} is subscribed by Warehouse {warehouse}, but the Stage's Freight holds none: it stays as the manifests have it");
        warning(Code::ImageUnmanaged, text)
            .fix("Promote Freight of that Warehouse that holds it; what was made before the subscription does not")
    }));
    checks
}

/// Places that the plugin's parameter `imagePaths` names, and where nothing stands in what was rendered.
pub fn nowhere<'p>(paths: impl IntoIterator<Item = &'p str>) -> Vec<Check> {
    let check = |path| {
        let text = format!(
            "the plugin's parameter imagePaths names {path}, but no object that was rendered has a text there"
        );
        Check::new(Code::ImagePathUnused, State::Warning, text).fix(
            "Compare kind, group, name and path with the objects that wharf render prints, or remove the entry",
        )
    };
    paths.into_iter().map(check).collect()
}

#[cfg(test)]
mod tests {
    use serde_json::{Value, json};

    use super::*;

    fn freight(images: &[&str]) -> Images {
        let image = |repo: &&str| json!({ "repoURL": repo, "tag": "1" });
        let images: Vec<Value> = images.iter().map(image).collect();
        let collection = json!({ "items": { "Warehouse/w": { "name": "f", "images": images } } });
        Images::of(&serde_json::from_value(collection).unwrap())
    }

    #[test]
    fn what_is_in_one_and_not_in_the_other_is_told() {
        let subscribed = Subscribed::from(
            ["web", "db", "ghcr.io/shop/cache"].map(|image| (image.into(), "w".into())),
        );
        let check = |held: &[&str], used: &[&str], scope, expected: &[(Code, &str)]| {
            let used = used.iter().copied().collect();
            let checks = judge(&freight(held), &used, &subscribed, scope);
            let found = checks.iter().map(|c| c.code).eq(expected.iter().map(|(code, _)| *code));
            let named = checks.iter().zip(expected).all(|(c, (_, image))| {
                c.text.contains(&format!("the image {image}")) && c.state == State::Warning
            });
            assert!(found && named, "{held:?} {used:?} {scope:?}: {checks:?}");
        };
        use Code::{ImageUnmanaged, ImageUnused};
        for scope in [Scope::Part, Scope::Stage] {
            check(&["docker.io/library/web"], &["web", "envoy"], scope, &[]);
            check(&[], &["envoy"], scope, &[]);
            check(&["web"], &["web", "db"], scope, &[(ImageUnmanaged, "db")]);
            check(&[], &["ghcr.io/shop/cache"], scope, &[(ImageUnmanaged, "ghcr.io/shop/cache")]);
            check(&["web"], &["ghcr.io/web"], scope, &[(ImageUnused, "web")]);
            check(&["web", "db"], &[], scope, &[(ImageUnused, "db"), (ImageUnused, "web")]);
        }
        check(&["web", "db"], &["web"], Scope::Part, &[]);
        check(&["web", "db"], &["web"], Scope::Stage, &[(ImageUnused, "db")]);
    }

    #[test]
    fn a_place_where_nothing_stands_is_told() {
        assert_eq!(nowhere([]), []);
        let checks = nowhere(["Widget:.spec.image", "ConfigMap/a:.data.b"]);
        let told = |check: &Check| (check.code, check.state, check.text.clone());
        let expected = ["Widget:.spec.image", "ConfigMap/a:.data.b"].map(|path| {
            let text = format!("the plugin's parameter imagePaths names {path}, but no object that was rendered has a text there");
            (Code::ImagePathUnused, State::Warning, text)
        });
        assert_eq!(checks.iter().map(told).collect::<Vec<_>>(), expected);
    }

    #[test]
    fn images_that_warehouses_subscribe_are_read() {
        let warehouse = |name: &str, subscriptions: Value| -> Warehouse {
            serde_json::from_value(json!({
                "apiVersion": "kargo.akuity.io/v1alpha1", "kind": "Warehouse",
                "metadata": { "name": name }, "spec": { "subscriptions": subscriptions },
            }))
            .unwrap()
        };
        let found = subscribed(&[
            warehouse(
                "a",
                json!([{ "image": { "repoURL": "docker.io/library/web" } }, { "git": { "repoURL": "https://git.example/x" } }, { "other": 1 }]),
            ),
            warehouse("b", json!([{ "image": { "repoURL": "ghcr.io/shop/db" } }])),
        ]);
        let expected = [("ghcr.io/shop/db", "b"), ("web", "a")];
        assert!(found.iter().map(|(a, b)| (a.as_str(), b.as_str())).eq(expected), "{found:?}");
    }
}
