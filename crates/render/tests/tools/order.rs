//! Equal inputs give equal bytes, in whatever order they come, in every process and on every machine: what was rendered
//! once is stored in `tests/golden`. Another version of Helm or Kustomize shows there.

use std::path::Path;

use serde_json::{Value, json};
use wharfinger_api::v1alpha1::FreightCollection;
use wharfinger_core::claim::StageName;
use wharfinger_render::Provenance;
use wharfinger_render::files::{Limits, Tree};

use super::*;

struct Case {
    name: &'static str,
    folder: &'static str,
    files: &'static [(&'static str, &'static str)],
    /// Names, and where they lead.
    links: &'static [(&'static str, &'static str)],
    parameters: fn() -> Vec<Value>,
}

const CASES: [Case; 3] = [
    Case {
        name: "plain",
        folder: "app",
        files: &[
            ("app/b.yaml", DEPLOYMENT),
            (
                "app/a/c.yaml",
                "apiVersion: v1\nkind: ConfigMap\nmetadata: {name: c}\ndata: {z: '1', a: '2', image: 'shop/web:0'}\n",
            ),
            (
                "app/a-d.json",
                r#"{"apiVersion": "v1", "kind": "Pod", "metadata": {"name": "d"}, "spec": {"containers": [{"image": "envoy:1"}]}}"#,
            ),
            (
                "shared/e.yaml",
                "apiVersion: v1\nkind: List\nitems:\n- {apiVersion: v1, kind: ConfigMap, metadata: {name: e}}\n- {apiVersion: v1, kind: ConfigMap, metadata: {name: f}}\n",
            ),
        ],
        links: &[("app/e.yaml", "../shared/e.yaml"), ("app/gone.yaml", "nowhere.yaml")],
        parameters: || {
            vec![
                json!({ "name": "recurse", "string": "true" }),
                json!({ "name": "provenance", "string": "true" }),
                json!({ "name": "imagePaths", "array": ["ConfigMap:.data.image"] }),
            ]
        },
    },
    Case {
        name: "kustomize",
        folder: "overlays/dev",
        files: &OVERLAY,
        links: &[("overlays/dev/more.yaml", "../../README.md")],
        parameters: || {
            vec![
                json!({ "name": "commonLabels", "map": { "b": "${{ imageFrom('docker.io/shop/web').Tag }}", "a": "1" } }),
                json!({ "name": "commonAnnotations", "map": { "y": "1", "x": "2" } }),
                json!({ "name": "images", "array": ["envoy=ghcr.io/acme/envoy:2"] }),
                json!({ "name": "nameSuffix", "string": "-x" }),
                json!({ "name": "provenance", "string": "true" }),
            ]
        },
    },
    Case {
        name: "helm",
        folder: "chart",
        files: &CHART,
        links: &[("chart/linked.yaml", "../envs/dev.yaml")],
        parameters: || {
            vec![
                json!({ "name": "valueFiles", "array": ["linked.yaml"] }),
                json!({ "name": "parameters", "map": { "tag": "7", "list": "a" } }),
                json!({ "name": "forceString", "map": { "other": "1", "another": "2" } }),
                json!({ "name": "values", "string": "list: [\"${{ imageFrom('envoy').Tag }}\"]\n" }),
            ]
        },
    },
];

fn collection(order: &mut Order) -> FreightCollection {
    let image = |repo: &str, tag: &str| json!({ "repoURL": repo, "tag": tag });
    let mut images = vec![image("docker.io/shop/web", "2.10"), image("envoy", "3")];
    order.shuffle(&mut images);
    let mut items = vec![
        (
            "Warehouse/a",
            json!({ "name": "aaa", "origin": { "kind": "Warehouse", "name": "a" }, "images": images }),
        ),
        (
            "Warehouse/b",
            json!({ "name": "bbb", "origin": { "kind": "Warehouse", "name": "b" }, "images": [image("other", "1")] }),
        ),
    ];
    order.shuffle(&mut items);
    let items: serde_json::Map<_, _> = items.into_iter().map(|(k, v)| (k.to_owned(), v)).collect();
    serde_json::from_value(json!({ "id": "c".repeat(40), "items": items })).unwrap()
}

async fn rendered(case: &Case, order: &mut Order) -> String {
    let mut tree = Tree::new(Limits::default());
    let mut all: Vec<_> = case.files.iter().map(|file| (file, false)).collect();
    all.extend(case.links.iter().map(|link| (link, true)));
    order.shuffle(&mut all);
    for ((name, content), is_link) in all {
        match is_link {
            true => tree.link(name.as_bytes(), content.as_bytes()).unwrap(),
            false => tree.file(name.as_bytes(), content.as_bytes().to_vec()).unwrap(),
        }
    }
    let mut parameters = (case.parameters)();
    order.shuffle(&mut parameters);
    for parameter in &mut parameters {
        if let Some(map) = parameter.get_mut("map").and_then(Value::as_object_mut) {
            let mut entries: Vec<_> = std::mem::take(map).into_iter().collect();
            order.shuffle(&mut entries);
            map.extend(entries);
        }
    }
    let collection = collection(order);
    let options = Options::parse(&json!(parameters).to_string()).unwrap();
    let inputs = Inputs { options, ..inputs(case.folder) }.with_freight(&collection).await.unwrap();
    let files = tree.finish("").unwrap();
    let made = renderer().await.base(&inputs, files, None, Instant::now() + LONG).await.unwrap();
    let stage: StageName = "shop:dev".parse().unwrap();
    let provenance = Provenance::of(&stage, 7, &collection);
    let documents = made.base.holding(&Images::of(&collection), &provenance).unwrap();
    documents.join("\n") + "\n"
}

#[tokio::test]
async fn no_order_of_what_comes_in_changes_a_byte_of_what_goes_out() {
    for case in &CASES {
        let path =
            Path::new(env!("CARGO_MANIFEST_DIR")).join(format!("tests/golden/{}.jsonl", case.name));
        let first = rendered(case, &mut Order(1)).await;
        if std::env::var_os("BLESS").is_some() {
            fs::write(&path, &first).unwrap();
        }
        let golden = fs::read_to_string(&path).unwrap();
        assert_eq!(
            first, golden,
            "{}: BLESS=1 if Helm or Kustomize have another version",
            case.name
        );
        for seed in 2..20 {
            assert_eq!(
                rendered(case, &mut Order(seed)).await,
                golden,
                "{}, seed {seed}",
                case.name
            );
        }
    }
}

/// An order that is another for each seed.
struct Order(u64);

impl Order {
    fn shuffle<T>(&mut self, items: &mut [T]) {
        for last in (1..items.len()).rev() {
            self.0 = self
                .0
                .wrapping_mul(6_364_136_223_846_793_005)
                .wrapping_add(1_442_695_040_888_963_407);
            let other = (self.0 >> 33) % (last as u64 + 1);
            items.swap(last, usize::try_from(other).unwrap());
        }
    }
}
