//! The name of a piece of Freight: a hash of where it comes from and what it holds.

use wharfinger_api::v1alpha1::{ArtifactReference, Chart, Freight, GitCommit, Image};

use super::digest::sha1;
use crate::url::{normalise_chart, normalise_git};

/// The name Freight with this content has, whatever `metadata.name` says.
///
/// Alias, annotations, and what only describes a commit (branch, message, people) have no part in it.
pub fn name(freight: &Freight) -> String {
    sha1(&preimage(freight))
}

/// The text whose hash is the name: for comparing two implementations, and two Freight.
///
/// Caveat: nothing in it is escaped, so different Freight can in principle have the same text.
pub fn preimage(freight: &Freight) -> String {
    let Freight { origin, commits, images, charts, artifacts, .. } = freight;
    let mut parts: Vec<String> = commits.iter().map(commit).collect();
    parts.extend(images.iter().map(image));
    parts.extend(charts.iter().map(chart));
    parts.extend(artifacts.iter().map(artifact));
    parts.sort_unstable();
    format!("{origin}:{}", parts.join("|"))
}

fn commit(commit: &GitCommit) -> String {
    let GitCommit { repo_url, tag, id, subscription_name, .. } = commit;
    let repo = normalise_git(repo_url);
    let part = if tag.is_empty() { format!("{repo}:{id}") } else { format!("{repo}:{tag}:{id}") };
    subscribed(part, subscription_name)
}

fn image(image: &Image) -> String {
    let Image { repo_url, tag, digest, subscription_name, .. } = image;
    // Not normalised: Kargo takes an image's URL as it stands.
    subscribed(format!("{repo_url}:{tag}@{digest}"), subscription_name)
}

fn chart(chart: &Chart) -> String {
    let Chart { repo_url, name, version, subscription_name } = chart;
    let location = chart_location(repo_url, name);
    subscribed(format!("{location}:{version}"), subscription_name)
}

fn artifact(artifact: &ArtifactReference) -> String {
    let ArtifactReference { artifact_type, subscription_name, version, .. } = artifact;
    format!("{artifact_type}:{subscription_name}:{version}")
}

fn subscribed(part: String, subscription_name: &str) -> String {
    if subscription_name.is_empty() { part } else { format!("{part}:{subscription_name}") }
}

/// Where a chart is, in the one form in which two places can be compared.
pub(crate) fn chart_location(repo_url: &str, name: &str) -> String {
    join_path(&normalise_chart(repo_url), name)
}

/// Joins a chart's repository and name as if they were file paths, as Kargo does: `//`, `.` and `..`
/// are resolved, and `https://` loses a slash.
fn join_path(repo: &str, name: &str) -> String {
    let path = match (repo, name) {
        ("", "") => return String::new(),
        ("", only) | (only, "") => only.to_owned(),
        (repo, name) => format!("{repo}/{name}"),
    };
    let root = if path.starts_with('/') { "/" } else { "" };
    let mut segments = Vec::new();
    for segment in path.split('/') {
        match segment {
            "" | "." => {}
            ".." if segments.last().is_some_and(|last| *last != "..") => {
                segments.pop();
            }
            ".." if !root.is_empty() => {}
            segment => segments.push(segment),
        }
    }
    let cleaned = format!("{root}{}", segments.join("/"));
    if cleaned.is_empty() { ".".to_owned() } else { cleaned }
}

#[cfg(test)]
mod tests;
