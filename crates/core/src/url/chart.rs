//! Chart repositories: `oci://…` and the older `https://…` with an index.

use super::image;
use super::reference::Reference;
use super::sanitise::{lower_case, sanitise};

/// The form of a chart repository's URL in which it is compared and hashed.
///
/// Lower case, without `oci://`, and then what [`normalise_image`](super::normalise_image) makes of
/// it: for an `https://` repository that is usually nothing more. Text that is no URL at all is
/// returned as it was given.
pub fn normalise_chart(url: &str) -> String {
    // Looked at before it is in lower case: there are letters that only then become ASCII.
    if Reference::parse(&sanitise(url)).is_none() {
        return url.to_owned();
    }
    let text = lower_case(url);
    let location = text.strip_prefix("oci://").unwrap_or(&text);
    image::repository(location).unwrap_or_else(|| location.to_owned())
}

/// One spelling for a chart: OCI charts have their name in the URL, or beside it, with or without the scheme.
pub fn chart_key(repo_url: &str, name: &str) -> String {
    let repo = normalise_chart(repo_url);
    let repo = repo.trim_end_matches('/');
    if name.is_empty() { repo.into() } else { format!("{repo}/{name}") }
}
