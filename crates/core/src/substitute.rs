//! Freight into manifests: which strings of an object are container images, and what they become.

use std::collections::BTreeMap;

use serde_json::Value;
use wharfinger_api::v1alpha1::{FreightCollection, Image};

use crate::url::normalise_image;

/// The images of a FreightCollection, by repository.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Images(BTreeMap<String, Vec<Version>>);

/// One image of Freight, without its repository.
#[derive(Clone, Debug, PartialEq, Eq)]
struct Version {
    tag: String,
    digest: String,
}

/// Freight that does not say what an image is to be.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("the Stage's Freight holds more than one version of the image {repository}: {versions}")]
pub struct Ambiguous {
    pub repository: String,
    pub versions: String,
}

impl Images {
    /// The images of every piece of Freight in `collection`.
    pub fn of(collection: &FreightCollection) -> Self {
        collection.items.values().flat_map(|freight| &freight.images).collect()
    }

    /// What `image` is to be; nothing where no Freight is of its repository.
    ///
    /// The repository stays as its author spelled it; tag and digest are the Freight's.
    pub fn instead_of(&self, image: &str) -> Result<Option<String>, Ambiguous> {
        self.version_of(&repository_of(image), &normalise_image(&repository_of(image)))
    }

    /// The same, for a repository that has been taken apart before.
    pub fn version_of(&self, spelled: &str, repository: &str) -> Result<Option<String>, Ambiguous> {
        match self.0.get(repository).map(Vec::as_slice) {
            None | Some([]) => Ok(None),
            Some([Version { tag, digest }]) => {
                let mut image = spelled.to_owned();
                if !tag.is_empty() {
                    image.push(':');
                    image.push_str(tag);
                }
                if !digest.is_empty() {
                    image.push('@');
                    image.push_str(digest);
                }
                Ok(Some(image))
            }
            Some(versions) => {
                let shown =
                    |v: &Version| if v.tag.is_empty() { v.digest.clone() } else { v.tag.clone() };
                let shown: Vec<_> = versions.iter().map(shown).collect();
                Err(Ambiguous { repository: repository.into(), versions: shown.join(", ") })
            }
        }
    }
}

impl<'i> FromIterator<&'i Image> for Images {
    fn from_iter<I: IntoIterator<Item = &'i Image>>(images: I) -> Self {
        let mut all = Self::default();
        for Image { repo_url, tag, digest, .. } in images {
            if tag.is_empty() && digest.is_empty() {
                continue;
            }
            let versions = all.0.entry(normalise_image(repo_url)).or_default();
            let version = Version { tag: tag.clone(), digest: digest.clone() };
            if !versions.contains(&version) {
                versions.push(version);
            }
        }
        all
    }
}

/// The repository of an image, as it is spelled: what stands before tag and digest.
pub fn repository_of(image: &str) -> String {
    let named = image.split_once('@').map_or(image, |(named, _)| named);
    // A colon before the last slash belongs to a port.
    let repository = match named.rsplit_once(':') {
        Some((repository, tag)) if !tag.contains('/') => repository,
        _ => named,
    };
    repository.to_owned()
}

/// The strings of an object that are container images, in their order.
pub fn images(object: &Value) -> Vec<&Value> {
    let Some(spec) = pod_spec(object) else { return Vec::new() };
    let containers = ["containers", "initContainers", "ephemeralContainers"].into_iter();
    containers
        .filter_map(|field| spec.get(field)?.as_array())
        .flatten()
        .filter_map(|container| container.get("image").filter(|image| image.is_string()))
        .collect()
}

/// The pod that an object of a known kind is or makes.
fn pod_spec(object: &Value) -> Option<&Value> {
    let version = object.get("apiVersion")?.as_str()?;
    let group = version.split_once('/').map_or("", |(group, _)| group);
    let path = match (group, object.get("kind")?.as_str()?) {
        ("", "Pod") => "/spec",
        ("", "PodTemplate") => "/template/spec",
        ("", "ReplicationController")
        // `extensions` is where these lived once; charts still say so here and there.
        | ("apps" | "extensions", "Deployment" | "DaemonSet" | "ReplicaSet" | "StatefulSet")
        | ("batch", "Job")
        | ("argoproj.io", "Rollout") => "/spec/template/spec",
        ("batch", "CronJob") => "/spec/jobTemplate/spec/template/spec",
        _ => return None,
    };
    object.pointer(path)
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    const DIGEST: &str = "sha256:0000000000000000000000000000000000000000000000000000000000000001";

    fn freight(images: &[(&str, &str, &str)]) -> Images {
        let image = |(repo, tag, digest): &(&str, &str, &str)| Image {
            repo_url: (*repo).into(),
            tag: (*tag).into(),
            digest: (*digest).into(),
            ..Image::default()
        };
        images.iter().map(image).collect::<Vec<_>>().iter().collect()
    }

    #[test]
    fn an_image_is_known_by_its_repository_and_keeps_its_spelling() {
        let images = freight(&[
            ("nginx", "1.27", DIGEST),
            ("ghcr.io/shop/web", "v2", ""),
            ("localhost:5000/db", "", DIGEST),
            ("docker.io/acme/tool", "3", ""),
        ]);
        let check = |image: &str, expected: Option<&str>| {
            assert_eq!(images.instead_of(image).unwrap().as_deref(), expected, "{image}");
        };
        let nginx = |repo: &str| Some(format!("{repo}:1.27@{DIGEST}"));
        for repo in [
            "nginx",
            "library/nginx",
            "docker.io/nginx",
            "docker.io/library/nginx",
            "index.docker.io/library/nginx",
        ] {
            check(repo, nginx(repo).as_deref());
            check(&format!("{repo}:1.0"), nginx(repo).as_deref());
            check(&format!("{repo}:1.0@sha256:{}", "0".repeat(64)), nginx(repo).as_deref());
        }
        check("ghcr.io/shop/web:latest", Some("ghcr.io/shop/web:v2"));
        check("ghcr.io/shop/web@sha256:abc", Some("ghcr.io/shop/web:v2"));
        check("localhost:5000/db:1", Some(&format!("localhost:5000/db@{DIGEST}")));
        check("localhost:5000/db", Some(&format!("localhost:5000/db@{DIGEST}")));
        check("acme/tool:1", Some("acme/tool:3"));
        for other in [
            "ghcr.io/nginx",
            "ghcr.io/shop/web2",
            "shop/web",
            "localhost/db",
            "",
            ":",
            "@",
            "${IMAGE}",
        ] {
            check(other, None);
        }
    }

    #[test]
    fn two_versions_of_one_image_are_an_error_only_where_it_is_used() {
        let images = freight(&[
            ("web", "1", ""),
            ("docker.io/library/web", "2", ""),
            ("web", "1", ""),
            ("db", "1", ""),
        ]);
        assert_eq!(images.instead_of("db:0").unwrap().as_deref(), Some("db:1"));
        let error = images.instead_of("web:0").unwrap_err().to_string();
        assert!(error.ends_with("more than one version of the image web: 1, 2"), "{error}");
    }

    #[test]
    fn images_are_found_in_every_kind_that_makes_pods() {
        let pod = json!({
            "containers": [{"image": "a"}, {"name": "none"}, {"image": 1}],
            "initContainers": [{"image": "b"}],
            "ephemeralContainers": [{"image": "c"}],
        });
        let check = |version: &str, kind: &str, path: &[&str], found: bool| {
            let inner =
                path.iter().rev().fold(pod.clone(), |inner, field| json!({ *field: inner }));
            let mut object = json!({"apiVersion": version, "kind": kind});
            object.as_object_mut().unwrap().extend(inner.as_object().unwrap().clone());
            let expected: &[&str] = if found { &["a", "b", "c"] } else { &[] };
            assert_eq!(super::images(&object), expected, "{version} {kind}");
        };
        let template = ["spec", "template", "spec"];
        check("v1", "Pod", &["spec"], true);
        check("v1", "PodTemplate", &["template", "spec"], true);
        check("v1", "ReplicationController", &template, true);
        for kind in ["Deployment", "DaemonSet", "ReplicaSet", "StatefulSet"] {
            check("apps/v1", kind, &template, true);
            check("extensions/v1beta1", kind, &template, true);
        }
        check("batch/v1", "Job", &template, true);
        check("batch/v1", "CronJob", &["spec", "jobTemplate", "spec", "template", "spec"], true);
        check("argoproj.io/v1alpha1", "Rollout", &template, true);
        check("apps/v1", "Pod", &["spec"], false);
        check("example.com/v1", "Deployment", &template, false);
        check("v1", "Deployment", &template, false);
    }
}
