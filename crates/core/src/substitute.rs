//! Freight into manifests: which strings of an object are container images, and what they become.

mod chart;
mod path;
mod provenance;

use std::collections::BTreeMap;
use std::str::FromStr;

use serde::Serialize;
use serde_json::Value;
use wharfinger_api::v1alpha1::{FreightCollection, Image};

use crate::url::normalise_image;

pub use chart::Charts;
pub use path::{ImagePath, NoPath};
pub use provenance::Provenance;

/// The images of a FreightCollection, by repository.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Images(BTreeMap<String, Vec<Version>>);

/// One image of Freight, without its repository.
#[derive(Clone, Debug, PartialEq, Eq)]
struct Version {
    tag: String,
    digest: String,
}

/// What of the Freight stands behind a repository.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize)]
#[serde(rename_all = "camelCase")]
pub enum ImageForm {
    Tag,
    Digest,
    /// What the Freight has of the two.
    #[default]
    Both,
}

/// Freight that does not say what an image or a chart is to be.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum Unclear {
    #[error("the Stage's Freight holds more than one version of the {what} {name}: {versions}")]
    Ambiguous { what: &'static str, name: String, versions: String },
    #[error(
        "the Stage's Freight has no {form} of the image {name}, and the plugin's parameter imageForm asks for it. Leave imageForm out, or promote Freight that has one"
    )]
    Formless { form: &'static str, name: String },
}

impl Images {
    /// The images of every piece of Freight in `collection`.
    pub fn of(collection: &FreightCollection) -> Self {
        collection.items.values().flat_map(|freight| &freight.images).collect()
    }

    /// What `image` is to be; nothing where no Freight is of its repository.
    ///
    /// The repository stays as its author spelled it; tag and digest are the Freight's.
    pub fn instead_of(&self, image: &str) -> Result<Option<String>, Unclear> {
        let spelled = repository_of(image);
        self.version_of(&spelled, &normalise_image(&spelled), ImageForm::Both)
    }

    /// The same, for a repository that has been taken apart before.
    pub fn version_of(
        &self,
        spelled: &str,
        repository: &str,
        form: ImageForm,
    ) -> Result<Option<String>, Unclear> {
        match self.0.get(repository).map(Vec::as_slice) {
            None | Some([]) => Ok(None),
            Some([version]) => match version.written(form) {
                Ok(version) => Ok(Some(format!("{spelled}{version}"))),
                Err(form) => Err(Unclear::Formless { form, name: repository.into() }),
            },
            Some(versions) => {
                let shown =
                    |v: &Version| if v.tag.is_empty() { v.digest.clone() } else { v.tag.clone() };
                let versions: Vec<_> = versions.iter().map(shown).collect();
                let (what, name, versions) = ("image", repository.into(), versions.join(", "));
                Err(Unclear::Ambiguous { what, name, versions })
            }
        }
    }

    /// The repositories, in the form in which they are compared.
    pub fn repositories(&self) -> impl Iterator<Item = &str> {
        self.0.keys().map(String::as_str)
    }
}

impl Version {
    /// What stands behind the repository; the name of what is missing for it.
    fn written(&self, form: ImageForm) -> Result<String, &'static str> {
        let Self { tag, digest } = self;
        match (form, tag.is_empty(), digest.is_empty()) {
            (ImageForm::Tag, true, _) => Err("tag"),
            (ImageForm::Digest, _, true) => Err("digest"),
            (ImageForm::Tag, ..) | (ImageForm::Both, _, true) => Ok(format!(":{tag}")),
            (ImageForm::Digest, ..) | (ImageForm::Both, true, _) => Ok(format!("@{digest}")),
            (ImageForm::Both, ..) => Ok(format!(":{tag}@{digest}")),
        }
    }
}

impl FromStr for ImageForm {
    type Err = ();

    fn from_str(text: &str) -> Result<Self, ()> {
        match text {
            "tag" => Ok(Self::Tag),
            "digest" => Ok(Self::Digest),
            "both" => Ok(Self::Both),
            _ => Err(()),
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

/// The strings of an object that are container images.
pub fn images(object: &Value) -> Vec<&Value> {
    let Some(spec) = pod_spec(object) else { return Vec::new() };
    let items = |field: &str| spec.get(field).and_then(Value::as_array).into_iter().flatten();
    let containers = ["containers", "initContainers", "ephemeralContainers"].into_iter();
    let containers = containers.flat_map(items).filter_map(|container| container.get("image"));
    // An image may be mounted as well.
    let volumes = items("volumes").filter_map(|volume| volume.pointer("/image/reference"));
    containers.chain(volumes).filter(|image| image.is_string()).collect()
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
        check("registry-1.docker.io/acme/tool:1", Some("registry-1.docker.io/acme/tool:3"));
        check("GHCR.io/shop/web:1", Some("GHCR.io/shop/web:v2"));
        for other in [
            "ghcr.io/nginx",
            "ghcr.io/shop/web2",
            "shop/web",
            "localhost/db",
            "localhost:5001/db",
            "docker.io/shop/web",
            "ghcr.io:443/shop/web:1",
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
    fn the_form_decides_what_stands_behind_the_repository() {
        let images = freight(&[("all", "1", DIGEST), ("tagged", "1", ""), ("bare", "", DIGEST)]);
        let (tag, digest) = (":1".to_owned(), format!("@{DIGEST}"));
        let both = format!("{tag}{digest}");
        for (repository, form, expected) in [
            ("all", "both", Some(&both)),
            ("all", "tag", Some(&tag)),
            ("all", "digest", Some(&digest)),
            ("tagged", "both", Some(&tag)),
            ("tagged", "tag", Some(&tag)),
            ("tagged", "digest", None),
            ("bare", "both", Some(&digest)),
            ("bare", "digest", Some(&digest)),
            ("bare", "tag", None),
        ] {
            let found = images.version_of("x", repository, form.parse().unwrap());
            match expected {
                Some(version) => assert_eq!(found, Ok(Some(format!("x{version}"))), "{form}"),
                None => {
                    let text = found.unwrap_err().to_string();
                    let part = format!("no {form} of the image {repository}");
                    assert!(text.contains(&part) && text.contains("imageForm"), "{text}");
                }
            }
        }
        assert_eq!("Tag".parse::<ImageForm>(), Err(()));
        assert_eq!(ImageForm::default(), ImageForm::Both);
    }

    #[test]
    fn images_are_found_in_every_kind_that_makes_pods() {
        let pod = json!({
            "containers": [{"image": "a"}, {"name": "none"}, {"image": 1}],
            "initContainers": [{"image": "b"}],
            "ephemeralContainers": [{"image": "c"}],
            "volumes": [{"image": {"reference": "d"}}, {"emptyDir": {}}],
        });
        let check = |version: &str, kind: &str, path: &[&str], found: bool| {
            let inner =
                path.iter().rev().fold(pod.clone(), |inner, field| json!({ *field: inner }));
            let mut object = json!({"apiVersion": version, "kind": kind});
            object.as_object_mut().unwrap().extend(inner.as_object().unwrap().clone());
            let expected: &[&str] = if found { &["a", "b", "c", "d"] } else { &[] };
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
        check(
            "batch/v1beta1",
            "CronJob",
            &["spec", "jobTemplate", "spec", "template", "spec"],
            true,
        );
        check("argoproj.io/v1alpha1", "Rollout", &template, true);
        // Its pods are those of the Deployment that it refers to.
        check("argoproj.io/v1alpha1", "Rollout", &["spec", "workloadRef"], false);
        check("apps/v1", "Pod", &["spec"], false);
        check("example.com/v1", "Deployment", &template, false);
        check("v1", "Deployment", &template, false);
    }
}
