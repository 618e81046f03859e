//! The charts that a chart needs. Those in its folder `charts` are used; those beside it in the repository are brought
//! there by Helm, as Argo CD has it do; nothing is fetched.

use std::ffi::OsString;

use serde_json::Value;
use wharfinger_core::url::shown;

use crate::files::{self, Files};
use crate::{RenderError, documents};

#[derive(Default)]
pub(super) struct Dependencies {
    /// Where those beside the chart are.
    pub(super) folders: Vec<String>,
    /// Those from elsewhere, as the chart names them.
    remote: Vec<String>,
}

impl Dependencies {
    pub(super) fn of(files: &Files, folder: &str) -> Self {
        let mut found = Self::default();
        let declared = ["Chart.yaml", "requirements.yaml"].into_iter().flat_map(|name| {
            // What can't be read is left for Helm to tell.
            let text = files::join(folder, name).and_then(|path| files.get(&path));
            let text = text.and_then(|text| std::str::from_utf8(text).ok());
            let chart = text.and_then(|text| documents::parse(text).ok()).flatten();
            let all = chart.as_ref().and_then(|c| c.get("dependencies")).and_then(Value::as_array);
            all.cloned().unwrap_or_default()
        });
        for dependency in declared {
            let text = |field| dependency.get(field).and_then(Value::as_str).unwrap_or_default();
            let (name, repository) = (text("name"), text("repository"));
            // Without a repository it must be in `charts`; Helm says so.
            if repository.is_empty() {
                continue;
            }
            // From a root of its own, Helm would take a folder of this machine.
            let beside = repository.strip_prefix("file://").filter(|path| !path.starts_with('/'));
            match beside.and_then(|path| files::join(folder, path)) {
                Some(folder) => found.folders.push(folder),
                None => found.remote.push(format!("{name} of {}", shown(repository))),
            }
        }
        found
    }

    /// Building brings all of them anew, so that none may be remote.
    pub(super) fn may_be_built(&self) -> Result<(), RenderError> {
        if self.remote.is_empty() {
            return Ok(());
        }
        Err(RenderError::Input(format!(
            "the chart needs {}, and not all of its dependencies are in its folder charts; the plugin fetches nothing. Run helm dependency build and commit what it puts there",
            self.remote.join(", ")
        )))
    }
}

/// Whether Helm failed for want of a dependency.
pub(super) fn are_missing(error: &RenderError) -> bool {
    let RenderError::Tool { text, .. } = error else { return false };
    text.contains("found in Chart.yaml, but missing in charts/ directory")
}

/// What Helm is told to put them into `charts`.
pub(super) fn build() -> [OsString; 4] {
    ["dependency", "build", ".", "--skip-refresh"].map(OsString::from)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_what_lies_in_the_repository_may_be_built() {
        let of = |file: &str, repository: &str| {
            let text = format!("dependencies: [{{name: db, repository: '{repository}'}}]");
            let files: Files =
                [(file, text.as_str()), ("lib/Chart.yaml", "")].into_iter().collect();
            let found = Dependencies::of(&files, "charts/web");
            (found.folders.join(" "), found.may_be_built().map_err(|e| e.to_string()))
        };
        for file in ["charts/web/Chart.yaml", "charts/web/requirements.yaml"] {
            assert_eq!(of(file, "file://../../lib"), ("lib".into(), Ok(())));
            assert_eq!(of(file, ""), (String::new(), Ok(())));
            for elsewhere in [
                "https://charts.example.com",
                "oci://ghcr.io/a",
                "@a",
                "file:///etc",
                "file://../../../x",
            ] {
                let (folders, built) = of(file, elsewhere);
                let error = built.unwrap_err();
                assert!(folders.is_empty() && error.contains(elsewhere), "{error}");
            }
            let error = of(file, "https://user:hunter2@charts.example?t=hunter2").1.unwrap_err();
            assert!(error.contains("db of https://charts.example,"), "{error}");
        }
    }
}
