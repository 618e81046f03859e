//! The image of a container and an image of Freight, each on its line, then an object.
#![no_main]

use libfuzzer_sys::fuzz_target;
use wharfinger_api::v1alpha1::Image;
use wharfinger_core::substitute::{Images, images, repository_of};

fuzz_target!(|text: &str| {
    let (image, rest) = wharfinger_fuzz::split(text);
    let (freight, object) = wharfinger_fuzz::split(rest);
    let of_freight = |repository: &str, digest: &str| Image {
        repo_url: repository.into(),
        tag: "v1".into(),
        digest: digest.into(),
        ..Image::default()
    };
    let digest = "sha256:0000000000000000000000000000000000000000000000000000000000000001";
    for digest in ["", digest] {
        let known: Images = [&of_freight(freight, digest)].into_iter().collect();
        if let Ok(Some(instead)) = known.instead_of(image) {
            assert!(instead.starts_with(&repository_of(image)), "{instead}");
            assert_eq!(repository_of(&instead), repository_of(image));
            assert_eq!(known.instead_of(&instead).as_ref(), Ok(&Some(instead)));
        }
        // What Freight names is itself replaced.
        let own = known.instead_of(&repository_of(freight));
        assert!(matches!(own, Ok(Some(_))) || repository_of(freight) != freight, "{freight}");
    }
    if let Ok(object) = serde_json::from_str(object) {
        assert!(images(&object).iter().all(|image| image.is_string()));
    }
});
