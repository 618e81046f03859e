//! The charts of a FreightCollection.

use std::collections::BTreeMap;

use wharfinger_api::v1alpha1::FreightCollection;

use super::Unclear;
use crate::url::{chart_key, shown};

/// Versions of charts, by where the charts are.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Charts(BTreeMap<String, Vec<String>>);

impl Charts {
    /// The charts of every piece of Freight in `collection`.
    pub fn of(collection: &FreightCollection) -> Self {
        let mut all = Self::default();
        for chart in collection.items.values().flat_map(|freight| &freight.charts) {
            let versions = all.0.entry(chart_key(&chart.repo_url, &chart.name)).or_default();
            if !chart.version.is_empty() && !versions.contains(&chart.version) {
                versions.push(chart.version.clone());
            }
        }
        all
    }

    pub fn is_empty(&self) -> bool {
        self.0.is_empty()
    }

    /// The version of a chart; nothing where no Freight is of it.
    pub fn version_of(&self, repository: &str, name: &str) -> Result<Option<&str>, Unclear> {
        match self.0.get(&chart_key(repository, name)).map(Vec::as_slice) {
            None | Some([]) => Ok(None),
            Some([version]) => Ok(Some(version)),
            Some(versions) => Err(Unclear::Ambiguous {
                what: "chart",
                name: shown(&chart_key(repository, name)),
                versions: versions.join(", "),
            }),
        }
    }

    /// All of it, as text that differs where the charts do.
    pub fn entries(&self) -> impl Iterator<Item = (&str, &[String])> {
        self.0.iter().map(|(key, versions)| (key.as_str(), versions.as_slice()))
    }
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    #[test]
    fn a_chart_is_known_by_its_place_however_it_is_written() {
        let charts = json!([
            { "repoURL": "oci://Reg.example/charts/web", "version": "1.2.3" },
            { "repoURL": "https://charts.example/", "name": "db", "version": "4.5.6" },
            { "repoURL": "https://charts.example", "name": "twice", "version": "1.0.0" },
            { "repoURL": "https://charts.example", "name": "twice", "version": "2.0.0" },
        ]);
        let collection = json!({ "items": { "Warehouse/w": { "name": "f", "charts": charts } } });
        let charts = Charts::of(&serde_json::from_value(collection).unwrap());
        let check = |repository: &str, name: &str, expected: Option<&str>| {
            assert_eq!(charts.version_of(repository, name), Ok(expected), "{repository} {name}");
        };
        check("oci://reg.example/charts", "web", Some("1.2.3"));
        check("reg.example/charts", "web", Some("1.2.3"));
        check("oci://reg.example/charts/web", "", Some("1.2.3"));
        check("https://charts.example", "db", Some("4.5.6"));
        check("https://charts.example/", "db", Some("4.5.6"));
        check("https://charts.example", "web", None);
        check("https://elsewhere.example", "db", None);
        check("file://../db", "db", None);
        check("", "db", None);
        let error = charts.version_of("https://charts.example", "twice").unwrap_err().to_string();
        assert!(
            error.ends_with("of the chart https://charts.example/twice: 1.0.0, 2.0.0"),
            "{error}"
        );
    }
}
