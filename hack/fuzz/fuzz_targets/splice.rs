//! Manifests into which Freight is put.
#![no_main]

use libfuzzer_sys::fuzz_target;
use serde_json::Value;
use wharfinger_api::v1alpha1::Image;
use wharfinger_core::substitute;
use wharfinger_render::{Base, Images, Kind, Options, documents};

fuzz_target!(|text: &str| {
    let Ok(objects) = documents::objects("it.yaml", text) else { return };
    let Ok(base) = Base::of(Kind::Plain, &objects, &Options::default()) else { return };
    let untouched = base.with(&Images::default()).expect("nothing is ambiguous");
    let written: Vec<String> = objects.iter().map(Value::to_string).collect();
    assert_eq!(untouched, written);

    let image = |repository: &str| Image {
        repo_url: repository.into(),
        tag: "v\"1\n".into(),
        ..Image::default()
    };
    let freight: Images = [&image("web"), &image("ghcr.io/shop/db")].into_iter().collect();
    let spliced = base.with(&freight).expect("nothing is ambiguous");
    for (object, spliced) in objects.iter().zip(&spliced) {
        let after: Value = serde_json::from_str(spliced).expect("JSON stays JSON");
        let images =
            substitute::images(object).into_iter().filter_map(Value::as_str).map(|image| {
                freight.instead_of(image).expect("nothing is ambiguous").unwrap_or(image.to_owned())
            });
        let found = substitute::images(&after);
        assert!(found.into_iter().filter_map(Value::as_str).eq(images), "{after}");
    }
});
