//! Container image repositories, read as leniently as go-containerregistry's weak mode reads them.

use super::reference::Reference;
use super::sanitise::lower_case;

const DOCKER_HUB: &str = "index.docker.io";
const DOCKER_HUB_NAMES: [&str; 2] = [DOCKER_HUB, "registry-1.docker.io"];
const DOCKER_HUB_ALIAS: &str = "docker.io";
const DOCKER_HUB_NAMESPACE: &str = "library/";

/// The form of an image repository in which it is compared.
///
/// Lower case, without tag and digest; for Docker Hub also without host and `library/`. What cannot
/// be read as an image reference is returned as it was given.
pub fn normalise_image(url: &str) -> String {
    repository(&lower_case(url)).unwrap_or_else(|| url.to_owned())
}

/// Whether text is a repository of images. A URL is none, nor is whatever has a user or a password in it.
pub fn is_image(text: &str) -> bool {
    // `https:` would pass for a registry.
    !text.contains("//") && repository(&lower_case(text)).is_some()
}

/// [`normalise_image`] for text that was cleaned before; `None` when it is no image reference.
pub(super) fn repository(text: &str) -> Option<String> {
    let Repository { registry, path } = tagged(text).or_else(|| digested(text))?;
    if DOCKER_HUB_NAMES.contains(&registry) {
        return Some(path.strip_prefix(DOCKER_HUB_NAMESPACE).unwrap_or(path).to_owned());
    }
    Some(format!("{registry}/{path}"))
}

struct Repository<'a> {
    registry: &'a str,
    path: &'a str,
}

/// `repository[:tag]`
fn tagged(text: &str) -> Option<Repository<'_>> {
    match text.rsplit_once(':') {
        // With a slash after it, the colon belonged to a port.
        Some((base, tag)) if !tag.contains('/') => {
            let is_tag = |b: u8| b.is_ascii_alphanumeric() || b"_-.".contains(&b);
            let fits = (1..=128).contains(&tag.len());
            (fits && tag.bytes().all(is_tag)).then(|| named(base)).flatten()
        }
        _ => named(text),
    }
}

/// `repository[:tag]@sha256:…`
fn digested(text: &str) -> Option<Repository<'_>> {
    let (base, digest) = text.split_once('@')?;
    let hash = digest.strip_prefix("sha256:")?;
    let is_hex = |b: u8| b.is_ascii_digit() || (b'a'..=b'f').contains(&b);
    let is_digest = hash.len() == 64 && hash.bytes().all(is_hex);
    is_digest.then(|| tagged(base)).flatten()
}

/// `[registry/]path`. The first part is a registry only if it has a dot or a colon, or is localhost.
fn named(text: &str) -> Option<Repository<'_>> {
    let (registry, path) = match text.split_once('/') {
        Some((registry, path)) if registry == "localhost" || registry.contains(['.', ':']) => {
            (registry, path)
        }
        _ => (DOCKER_HUB, text),
    };
    let is_path = |b: u8| b.is_ascii_lowercase() || b.is_ascii_digit() || b"_-./".contains(&b);
    if !(2..=255).contains(&path.len()) || !path.bytes().all(is_path) || !is_registry(registry) {
        return None;
    }
    let registry = if registry == DOCKER_HUB_ALIAS { DOCKER_HUB } else { registry };
    Some(Repository { registry, path })
}

/// A registry is what stays whole as the host of a URL: no user, no path, no escapes.
fn is_registry(text: &str) -> bool {
    Reference::parse(&format!("//{text}"))
        .is_some_and(|url| url.authority.is_some_and(|a| a.host == text.as_bytes()))
}
