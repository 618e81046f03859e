//! The examples of `tests/fixtures/kinds`, written through the webhook: what is stored is what was sent, but for what is
//! listed here. Told to an API server in memory and to a real one.

use std::{fs, path::Path};

use anyhow::{Context as _, Result, ensure};
use serde_json::{Value, json};

/// The Project that they are written to: one of them.
const PROJECT: &str = "harbour";

/// The kinds, each after what it needs.
const ORDER: [&str; 11] = [
    "projects",
    "clusterconfigs",
    "clusterpromotiontasks",
    "projectconfigs",
    "promotiontasks",
    "targets",
    "warehouses",
    "freights",
    "stages",
    "promotions",
    "promotionrequests",
];

const OF_THE_CLUSTER: [&str; 3] = ["projects", "clusterconfigs", "clusterpromotiontasks"];

/// One example, without its status: that is the controllers' to write.
pub(super) struct Example {
    pub(super) plural: &'static str,
    /// Where it is among those of its kind.
    index: usize,
    pub(super) object: Value,
}

/// In the order in which they can be written.
pub(super) fn examples() -> Result<Vec<Example>> {
    let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("fixtures/kinds");
    let mut examples = vec![];
    for plural in ORDER {
        let path = folder.join(format!("{plural}.yaml"));
        let text = fs::read_to_string(&path).with_context(|| path.display().to_string())?;
        for (index, mut object) in
            serde_saphyr::from_multiple::<Value>(&text)?.into_iter().enumerate()
        {
            object.as_object_mut().context("an object")?.shift_remove("status");
            if !OF_THE_CLUSTER.contains(&plural) {
                object["metadata"]["namespace"] = PROJECT.into();
            }
            examples.push(Example { plural, index, object });
        }
    }
    Ok(examples)
}

/// What is refused, and in which words.
const REFUSED: [(&str, usize, &str); 3] = [
    ("projectconfigs", 1, "only windows of the ClusterConfig choose Projects"),
    ("warehouses", 2, "must have exactly one of git, image and chart"),
    ("promotions", 0, "PromotionRequest"),
];

enum Change {
    Set(Value),
    Gone,
    /// Set, to what is not known beforehand.
    Stamped,
}

/// What is stored otherwise than it was sent, by pointer.
fn changes(example: &Example) -> Vec<(&'static str, Change)> {
    match (example.plural, example.index) {
        ("warehouses", 0) => vec![
            ("/spec/subscriptions/0/git/strictSemvers", Change::Set(json!(true))),
            ("/spec/subscriptions/2/chart/discoveryLimit", Change::Set(json!(20))),
        ],
        ("warehouses", 1) => {
            vec![("/spec/subscriptions/0/git/discoveryLimit", Change::Set(json!(20)))]
        }
        // The fields of an older Kargo become today's.
        ("stages", 1) => vec![
            ("/spec/subscriptions", Change::Gone),
            ("/spec/promotionMechanisms", Change::Gone),
            (
                "/spec/promotionTemplate",
                Change::Set(json!({ "spec": { "steps": [{ "uses": "assign" }] } })),
            ),
            ("/metadata/annotations/wharfinger.dev~1converted", Change::Stamped),
        ],
        // It says what it promotes, who asked, and whose it is.
        ("promotions", 1) => vec![
            ("/spec/origin", Change::Gone),
            ("/spec/freight", Change::Set(json!("eeb22ce375e430aa57ccaf170b446c0f0647ed14"))),
            ("/spec/vars", Change::Set(json!([]))),
            ("/spec/steps/0/as", Change::Set(json!("step-1"))),
            ("/metadata/name", Change::Stamped),
            ("/metadata/labels/kargo.akuity.io~1stage", Change::Set(json!("older"))),
            ("/metadata/annotations/kargo.akuity.io~1stage", Change::Set(json!("older"))),
            ("/metadata/annotations/kargo.akuity.io~1create-actor", Change::Stamped),
            ("/metadata/ownerReferences", Change::Stamped),
        ],
        _ => vec![],
    }
}

impl Example {
    /// In which words it is refused, if it is.
    pub(super) fn refused_with(&self) -> Option<&'static str> {
        let this = (self.plural, self.index);
        REFUSED.iter().find(|(p, i, _)| (*p, *i) == this).map(|(.., text)| *text)
    }

    /// Whether that is what was sent, but for what is listed.
    pub(super) fn is_kept(&self, mut stored: Value) -> Result<()> {
        let mut expected = self.object.clone();
        for (at, change) in changes(self) {
            match change {
                Change::Set(value) => set(&mut expected, at, value)?,
                Change::Gone => take(&mut expected, at)?,
                Change::Stamped => {
                    let stamp = stored.pointer(at).cloned();
                    set(&mut expected, at, stamp.with_context(|| format!("{at} is absent"))?)?;
                }
            }
        }
        let whole = stored.as_object_mut().context("an object")?;
        whole.shift_remove("status");
        let metadata = whole["metadata"].as_object_mut().context("metadata")?;
        for servers in
            ["creationTimestamp", "generation", "managedFields", "resourceVersion", "uid"]
        {
            metadata.shift_remove(servers);
        }
        if let Some(annotations) = metadata.get_mut("annotations").and_then(Value::as_object_mut) {
            annotations.shift_remove("kubectl.kubernetes.io/last-applied-configuration");
            if annotations.is_empty() {
                metadata.shift_remove("annotations");
            }
        }
        ensure!(stored == expected, "expected\n{expected:#}\nstored\n{stored:#}");
        Ok(())
    }
}

/// Sets what a pointer says, with the objects on the way there.
fn set(object: &mut Value, at: &str, value: Value) -> Result<()> {
    let (above, name) = at.rsplit_once('/').context("a pointer")?;
    if object.pointer(above).is_none() {
        set(object, above, json!({}))?;
    }
    let above = object.pointer_mut(above).and_then(Value::as_object_mut).context("an object")?;
    above.insert(name.replace("~1", "/"), value);
    Ok(())
}

fn take(object: &mut Value, at: &str) -> Result<()> {
    let (above, name) = at.rsplit_once('/').context("a pointer")?;
    let above = object.pointer_mut(above).and_then(Value::as_object_mut).context("an object")?;
    above.shift_remove(name).with_context(|| format!("{at} is not there to be taken"))?;
    Ok(())
}
