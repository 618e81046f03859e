//! What a stock server announces is what the native one announces.

use serde_json::Value;
use wharfinger_render::{Form, Options};

#[test]
fn the_stock_plugin_has_the_parameters_there_are() {
    let plugin = std::fs::read_to_string(concat!(
        env!("CARGO_MANIFEST_DIR"),
        "/../manifests/argocd/plugin.yaml"
    ))
    .unwrap();
    let plugin: Value = serde_saphyr::from_str(&plugin).unwrap();
    assert_eq!(plugin["metadata"]["name"], "wharfinger");
    // They would change the socket's name, and send everybody's repositories here.
    assert!(plugin["spec"].get("version").is_none() && plugin["spec"].get("discover").is_none());

    let announced = plugin["spec"]["parameters"]["static"].as_array().unwrap();
    let text = |value: &Value, field: &str| {
        value.get(field).and_then(Value::as_str).unwrap_or_default().to_owned()
    };
    let announced: Vec<_> = announced
        .iter()
        .map(|p| {
            ["name", "title", "tooltip", "collectionType", "itemType"].map(|field| text(p, field))
        })
        .collect();
    let expected = Options::PARAMETERS.map(|p| {
        let (collection, item) = match p.form {
            Form::Text => ("", ""),
            Form::Flag => ("", "boolean"),
            Form::List => ("array", ""),
            Form::Map => ("map", ""),
        };
        [p.name, p.title, p.tooltip, collection, item].map(str::to_owned)
    });
    assert_eq!(announced, expected);
}
