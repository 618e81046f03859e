//! The order in which Freight goes through Stages.

use std::collections::BTreeMap;

use kube::ResourceExt as _;
use wharfinger_api::v1alpha1::Stage;

/// The Stages, each after those that it takes Freight from; else by name. Stages that take Freight from one another keep
/// the order of their names.
pub fn ordered(stages: Vec<Stage>) -> Vec<Stage> {
    let upstream: BTreeMap<String, Vec<String>> = stages
        .iter()
        .map(|s| {
            let requests = s.spec.requested_freight.iter();
            (s.name_any(), requests.flat_map(|r| r.sources.stages.clone()).collect())
        })
        .collect();
    let mut depths = BTreeMap::new();
    // No path is longer than there are Stages: what still grows then goes in circles, and stops here.
    for _ in 0..stages.len() {
        let before: BTreeMap<&String, usize> = depths.clone();
        for (name, from) in &upstream {
            let depth = from.iter().filter_map(|f| before.get(f)).max().map_or(0, |d| d + 1);
            depths.insert(name, depth.min(stages.len()));
        }
        if depths == before {
            break;
        }
    }
    let depth = |stage: &Stage| depths.get(&stage.name_any()).copied().unwrap_or_default();
    let mut stages = stages;
    stages.sort_by_cached_key(|s| (depth(s), s.name_any()));
    stages
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    #[test]
    fn stages_come_after_what_they_take_freight_from() {
        let stage = |(name, from): &(&str, &[&str])| -> Stage {
            serde_json::from_value(json!({
                "metadata": { "name": name },
                "spec": { "requestedFreight": [{ "origin": { "kind": "Warehouse", "name": "w" }, "sources": { "stages": from } }] },
            }))
            .unwrap()
        };
        for (stages, expected) in [
            (
                &[("prod", &["uat"][..]), ("dev", &[]), ("uat", &["dev"]), ("qa", &["dev"])][..],
                "dev qa uat prod",
            ),
            (&[("b", &[]), ("a", &["gone"])], "a b"),
            (&[("b", &["a"]), ("a", &["b"]), ("c", &[])], "c a b"),
            (&[("a", &["a"])], "a"),
            (&[], ""),
        ] {
            let names: Vec<_> =
                ordered(stages.iter().map(stage).collect()).iter().map(|s| s.name_any()).collect();
            assert_eq!(names.join(" "), expected);
        }
    }
}
