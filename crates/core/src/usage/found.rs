//! The images of one render, told to whoever asks: names of repositories, not many, and nothing else.

use std::collections::BTreeSet;

use serde::{Deserialize, Serialize};

use crate::substitute::Images;
use crate::url::is_image;

/// So many names are told of a render. Manifests are other people's, and of many sources something is kept.
const MOST: usize = 100;
/// In bytes. No registry takes a longer one.
const LONGEST: usize = 512;

/// What a render has to do with the Freight that it was made with. All in the form in which repositories are compared.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct Found {
    /// Repositories of the Freight that it uses.
    pub used: Vec<String>,
    /// Repositories that it uses and that no Freight is of. Which of them somebody subscribes is not known here.
    pub others: Vec<String>,
    /// How many of the Freight it uses besides those that are named.
    #[serde(default, skip_serializing_if = "is_none")]
    pub more_used: usize,
    /// How many others.
    #[serde(default, skip_serializing_if = "is_none")]
    pub more_others: usize,
}

impl Found {
    /// `all` are the repositories of a render, `open` those of them that everybody may know.
    pub fn of<'r>(
        freight: &Images,
        all: impl Iterator<Item = &'r str>,
        open: impl Iterator<Item = &'r str>,
    ) -> Self {
        let held: BTreeSet<&str> = freight.repositories().collect();
        let used = all.filter(|name| held.contains(name)).collect();
        let others = open.filter(|name| !held.contains(name)).collect();
        let (used, more_used) = told(&used, MOST);
        let (others, more_others) = told(&others, MOST - used.len());
        Self { used, others, more_used, more_others }
    }
}

/// As many as there is room for, and how many are left out. What is no name of a repository may be anything.
fn told(names: &BTreeSet<&str>, room: usize) -> (Vec<String>, usize) {
    let fit = names.iter().filter(|name| name.len() <= LONGEST && is_image(name));
    let told: Vec<String> = fit.take(room).map(|name| (*name).to_owned()).collect();
    let left_out = names.len() - told.len();
    (told, left_out)
}

#[expect(clippy::trivially_copy_pass_by_ref, reason = "serde hands it over so")]
fn is_none(count: &usize) -> bool {
    *count == 0
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    fn freight(images: &[&str]) -> Images {
        let images: Vec<_> =
            images.iter().map(|repo| json!({ "repoURL": repo, "tag": "1" })).collect();
        let collection = json!({ "items": { "Warehouse/w": { "name": "f", "images": images } } });
        Images::of(&serde_json::from_value(collection).unwrap())
    }

    #[test]
    fn what_is_used_is_told_by_its_name() {
        let all = ["web", "ghcr.io/shop/db", "envoy", "web", "hidden"];
        let open = ["web", "envoy", "ghcr.io/shop/db"];
        let found = Found::of(
            &freight(&["docker.io/library/web", "ghcr.io/shop/db", "unused"]),
            all.into_iter(),
            open.into_iter(),
        );
        let expected = json!({ "used": ["ghcr.io/shop/db", "web"], "others": ["envoy"] });
        assert_eq!(serde_json::to_value(&found).unwrap(), expected);
        assert_eq!(serde_json::from_value::<Found>(expected).unwrap(), found);
    }

    #[test]
    fn nothing_but_names_is_told() {
        let long = format!("ghcr.io/{}", "a".repeat(LONGEST));
        for secret in [
            "https://user:hunter2@git.example/x",
            "https://user:hunt/er2",
            "https://git.example/hunter2",
            "user:hunt/er2",
            "hunter two",
            "HUNTER=",
            "{{ .Values.image }}",
            "",
            &long,
        ] {
            let of = |freight: &Images| {
                Found::of(freight, [secret, "web"].into_iter(), [secret, "web"].into_iter())
            };
            let found = of(&freight(&[]));
            assert_eq!((found.others, found.more_others), (vec!["web".to_owned()], 1), "{secret}");
            // Nor is it said that the Freight's own is unused.
            let found = of(&freight(&[secret]));
            assert_eq!((found.used.len(), found.more_used), (0, 1), "{secret}");
        }
    }

    #[test]
    fn many_are_cut_and_those_of_the_freight_come_first() {
        let names: Vec<String> = (0..150).map(|n| format!("ghcr.io/shop/{n:03}")).collect();
        let all = || names.iter().map(String::as_str);
        let held: Vec<&str> = all().skip(60).collect();
        let count = |found: &Found| {
            (found.used.len(), found.more_used, found.others.len(), found.more_others)
        };
        assert_eq!(count(&Found::of(&freight(&held), all(), all())), (90, 0, 10, 50));
        let every: Vec<&str> = all().collect();
        assert_eq!(count(&Found::of(&freight(&every), all(), all())), (100, 50, 0, 0));
        assert_eq!(count(&Found::of(&freight(&[]), all(), all())), (0, 0, 100, 50));
    }
}
