//! The functions that look into what a Warehouse has found, each at the newest.

use wharfinger_api::v1alpha1::{Chart, DiscoveredArtifacts};

use super::functions::Functions;
use super::records;
use super::types::{Signature, Type};
use super::value::{Fault, Value};
use crate::url;

impl<'a> Functions<'a> {
    /// `commitFrom`, `imageFrom`, `chartFrom` and `artifactFrom` for criteria of a Warehouse.
    #[must_use]
    pub fn with_discovered(mut self, artifacts: &'a DiscoveredArtifacts) -> Self {
        self.add("commitFrom", COMMIT_FROM, |arguments, _| {
            let wanted = url::normalise_git(name(arguments)?);
            let results = artifacts.git.iter();
            let mut same = results.filter(|result| url::normalise_git(&result.repo_url) == wanted);
            let found = same.find_map(|result| result.commits.first());
            Ok(found.map_or(Value::Nil, records::discovered_commit))
        });
        self.add("imageFrom", IMAGE_FROM, |arguments, _| {
            let wanted = url::normalise_image(name(arguments)?);
            let results = artifacts.images.iter();
            let mut same =
                results.filter(|result| url::normalise_image(&result.repo_url) == wanted);
            let found = same.find_map(|result| result.references.first());
            found.map_or(Ok(Value::Nil), records::discovered_image)
        });
        self.add("chartFrom", CHART_FROM, |arguments, _| {
            let (repo, wanted) = match arguments {
                [repo] => (repo, ""),
                [repo, name] => (repo, name.as_text()?),
                _ => return Err("takes a repository, and perhaps a chart's name".into()),
            };
            let repo_url = url::normalise_chart(repo.as_text()?);
            let results = artifacts.charts.iter();
            let mut same = results.filter(|result| {
                let is_wanted = wanted.is_empty() || result.name == wanted;
                is_wanted && url::normalise_chart(&result.repo_url) == repo_url
            });
            let found = same.find_map(|result| Some((&result.name, result.versions.first()?)));
            Ok(found.map_or(Value::Nil, |(name, version)| {
                let (name, version) = (name.clone(), version.clone());
                let chart = Chart { repo_url: repo_url.clone(), name, version, ..Chart::default() };
                records::chart(&chart)
            }))
        });
        self.add("artifactFrom", ARTIFACT_FROM, |arguments, budget| {
            let wanted = name(arguments)?;
            let results = artifacts.results.iter();
            let same = results.filter(|result| result.name == wanted);
            // Of several, Kargo takes the last.
            let found = same.rev().find_map(|result| result.artifact_references.first());
            found.map_or(Ok(Value::Nil), |artifact| records::artifact(artifact, budget))
        });
        self
    }
}

const TEXT: Type = Type::Text;
const COMMIT_FROM: &[Signature] =
    &[Signature { takes: &[TEXT], gives: Type::Record(&records::DISCOVERED_COMMIT) }];
const IMAGE_FROM: &[Signature] =
    &[Signature { takes: &[TEXT], gives: Type::Record(&records::DISCOVERED_IMAGE) }];
const CHART_FROM: &[Signature] = &[
    Signature { takes: &[TEXT, TEXT], gives: Type::Record(&records::CHART) },
    Signature { takes: &[TEXT], gives: Type::Record(&records::CHART) },
];
const ARTIFACT_FROM: &[Signature] =
    &[Signature { takes: &[TEXT], gives: Type::Record(&records::ARTIFACT) }];

fn name(arguments: &[Value]) -> Result<&str, Fault> {
    match arguments {
        [name] => name.as_text(),
        _ => Err("takes 1 argument".into()),
    }
}
