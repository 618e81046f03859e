//! The Freight that runs already, before anybody has promoted it.

use wharfinger_api::v1alpha1::{Freight, FreightOrigin, FreightRequest, Image};

use crate::substitute::{Images, repository_of};
use crate::url::normalise_image;

/// The Freight of each requested origin that holds what `images`, as they stand in manifests, run. Where several do, the
/// one that says exactly the same wins, and then the newest.
pub fn running<'f>(
    requested: &[FreightRequest],
    freights: &'f [Freight],
    images: &[String],
) -> Vec<&'f Freight> {
    let of_origin = |origin: &FreightOrigin| {
        let fits = freights.iter().filter(|f| f.origin == *origin);
        let fits = fits.filter_map(|freight| Some((fit(freight, images)?, age(freight), freight)));
        fits.max_by(|a, b| (a.0, &a.1, &a.2.metadata.name).cmp(&(b.0, &b.1, &b.2.metadata.name)))
            .map(|(.., freight)| freight)
    };
    requested.iter().filter_map(|request| of_origin(&request.origin)).collect()
}

#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
enum Fit {
    /// The same tag or digest; the Freight says more of the image, or less.
    Version,
    Exact,
}

/// How well all images fit that the Freight has something to say about; nothing if one does not, or there is none.
fn fit(freight: &Freight, images: &[String]) -> Option<Fit> {
    let theirs: Images = freight.images.iter().collect();
    let mut fits = images.iter().filter_map(|image| {
        let wanted = theirs.instead_of(image).ok().flatten()?;
        Some(if wanted == *image {
            Some(Fit::Exact)
        } else if freight.images.iter().any(|i| same_version(i, image)) {
            Some(Fit::Version)
        } else {
            None
        })
    });
    let first = fits.next()??;
    fits.try_fold(first, |worst, fit| Some(worst.min(fit?)))
}

fn same_version(freight: &Image, image: &str) -> bool {
    let repository = repository_of(image);
    let rest = &image[repository.len()..];
    let (tag, digest) = rest.split_once('@').unwrap_or((rest, ""));
    let tag = tag.trim_start_matches(':');
    let same = |one: &str, other: &str| !one.is_empty() && one == other;
    normalise_image(&repository) == normalise_image(&freight.repo_url)
        && (same(tag, &freight.tag) || same(digest, &freight.digest))
}

/// Later is newer.
fn age(freight: &Freight) -> Option<jiff::Timestamp> {
    let made = freight.discovered_at.as_ref().or(freight.metadata.creation_timestamp.as_ref());
    made.map(|time| time.0)
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    fn freight(name: &str, origin: &str, made: u8, images: &[(&str, &str, &str)]) -> Freight {
        let images: Vec<_> = images
            .iter()
            .map(|(repo, tag, digest)| json!({ "repoURL": repo, "tag": tag, "digest": digest }))
            .collect();
        serde_json::from_value(json!({
            "metadata": { "name": name, "creationTimestamp": format!("2026-01-0{made}T00:00:00Z") },
            "origin": { "kind": "Warehouse", "name": origin },
            "images": images,
        }))
        .unwrap()
    }

    #[test]
    fn what_runs_is_found_by_its_images() {
        let all = [
            freight("old", "main", 1, &[("ghcr.io/acme/web", "v1", "")]),
            freight("again", "main", 3, &[("ghcr.io/acme/web", "v1", "")]),
            freight("digest", "main", 4, &[("ghcr.io/acme/web", "v1", "sha256:1")]),
            freight("new", "main", 5, &[("ghcr.io/acme/web", "v2", "sha256:2")]),
            freight("pair", "both", 1, &[("ghcr.io/acme/web", "v1", ""), ("db", "5", "")]),
            freight("side", "side", 1, &[("db", "5", "")]),
        ];
        let request = |origins: &[&str]| -> Vec<FreightRequest> {
            let request = |name: &&str| json!({ "origin": { "kind": "Warehouse", "name": name }, "sources": {} });
            origins.iter().map(|o| serde_json::from_value(request(o)).unwrap()).collect()
        };
        let check = |origins: &[&str], images: &[&str], expected: &[&str]| {
            let images: Vec<String> = images.iter().map(|i| (*i).to_owned()).collect();
            let requested = request(origins);
            let found = running(&requested, &all, &images);
            let names: Vec<_> = found.iter().filter_map(|f| f.metadata.name.as_deref()).collect();
            assert_eq!(names, expected, "{origins:?} {images:?}");
        };
        check(&["main"], &["ghcr.io/acme/web:v1", "envoy:1"], &["again"]);
        check(&["main"], &["ghcr.io/acme/web:v1@sha256:1"], &["digest"]);
        check(&["main"], &["ghcr.io/acme/web:v2"], &["new"]);
        check(&["main"], &["ghcr.io/acme/web:v3"], &[]);
        check(&["main"], &["ghcr.io/acme/web:v1", "ghcr.io/acme/web:v2"], &[]);
        check(&["main"], &["envoy:1"], &[]);
        check(&["main"], &[], &[]);
        check(&["both"], &["ghcr.io/acme/web:v1", "docker.io/library/db:5"], &["pair"]);
        check(&["both"], &["ghcr.io/acme/web:v1", "db:4"], &[]);
        check(&["main", "side"], &["ghcr.io/acme/web:v1", "db:5"], &["again", "side"]);
        check(&["elsewhere"], &["ghcr.io/acme/web:v1"], &[]);
    }
}
