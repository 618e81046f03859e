//! The charts that a chart needs. Those in its folder `charts` are used. Where some are missing, Helm brings all of them
//! there, as Argo CD has it do: those beside the chart from the repository, and others from where they are published, if
//! that needs no credentials and the chart says in which versions.

mod failure;
mod place;

use std::collections::BTreeSet;
use std::ffi::OsString;
use std::fmt;

use serde_json::Value;
use tokio::time::Instant;
use wharfinger_core::semver::Version;
use wharfinger_core::url::shown;

use crate::exec::May;
use crate::files::{self, Files};
use crate::tools::{Program, Work};
use crate::{RenderError, documents, source};
use place::Place;

/// Where a chart of either form says what it needs.
pub(crate) const CHARTS: [&str; 2] = ["Chart.yaml", "requirements.yaml"];
/// And in which versions that was found when Helm looked last.
pub(crate) const LOCKS: [&str; 2] = ["Chart.lock", "requirements.lock"];

#[derive(Default)]
pub(crate) struct Dependencies {
    /// Where those beside the chart are.
    pub(crate) folders: Vec<String>,
    /// Those of them that were not handed over, as they are named.
    beyond: Vec<String>,
    /// What has to be said of these.
    unseen: Option<RenderError>,
    published: Vec<Published>,
    /// Those that can't be brought, and why.
    barred: Vec<String>,
    /// Those that another day would bring another version of.
    open: Vec<String>,
}

struct Published {
    name: String,
    repository: String,
    place: Place,
}

impl fmt::Display for Published {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{} of {}", self.name, shown(&self.repository))
    }
}

impl Dependencies {
    pub(crate) fn of(files: &Files, source: source::Place<'_>) -> Self {
        let (mut found, folder) = (Self::default(), source.folder);
        for dependency in CHARTS.into_iter().flat_map(|name| declared(files, folder, name)) {
            found.add(source, &dependency);
            let version = text(&dependency, "version");
            if Place::of(text(&dependency, "repository")).is_ok() && !is_exact(version) {
                found.open.push(format!("{} {version}", text(&dependency, "name")));
            }
        }
        // Helm brings what the lock says, which need not be what the chart says.
        let is_there =
            |name: &&str| files::join(folder, name).is_some_and(|p| files.get(&p).is_some());
        for name in LOCKS.into_iter().filter(is_there) {
            found.open.clear();
            declared(files, folder, name).iter().for_each(|locked| found.add(source, locked));
        }
        found.unseen = found.beyond.first().map(|first| {
            let within = found.folders.iter().map(|folder| source.within(folder));
            let beyond = found.beyond.iter().filter_map(|path| source.in_repository(folder, path));
            source.missing(files, "the chart", first, folder, within.chain(beyond).collect())
        });
        found
    }

    fn add(&mut self, source: source::Place<'_>, dependency: &Value) {
        let (name, repository) = (text(dependency, "name"), text(dependency, "repository"));
        // Without a repository it must be in `charts`; Helm says so.
        if repository.is_empty() {
            return;
        }
        // From a root of its own, Helm would take a folder of this machine.
        let beside = repository.strip_prefix("file://").filter(|path| !path.starts_with('/'));
        if let Some(folder) = beside.and_then(|path| files::join(source.folder, path)) {
            push(&mut self.folders, folder);
            return;
        }
        if let Some(path) =
            beside.filter(|path| source.in_repository(source.folder, path).is_some())
        {
            push(&mut self.beyond, path.to_owned());
            return;
        }
        match Place::of(repository) {
            Ok(place) => {
                let known = |p: &Published| p.name == name && p.repository == repository;
                if !self.published.iter().any(known) {
                    let (name, repository) = (name.to_owned(), repository.to_owned());
                    self.published.push(Published { name, repository, place });
                }
            }
            Err(why) => push(&mut self.barred, format!("{name} ({why})")),
        }
    }

    /// Whether all of them can be had, and will be the same on another day. Building brings all of them anew.
    fn may_be_built(&self) -> Result<(), RenderError> {
        if let Some(error) = &self.unseen {
            return Err(error.clone());
        }
        if !self.barred.is_empty() {
            return Err(RenderError::Input(format!(
                "not all dependencies of the chart are in its folder charts, and the plugin can't bring them: {}. {}",
                self.barred.join(", "),
                failure::VENDOR
            )));
        }
        if !self.open.is_empty() {
            return Err(RenderError::Input(format!(
                "not all dependencies of the chart are in its folder charts, and it has no Chart.lock that says in which version to fetch {}. Run helm dependency update and commit Chart.lock, or name one version of each in Chart.yaml",
                self.open.join(", ")
            )));
        }
        Ok(())
    }

    /// Has Helm put them into `charts`.
    pub(crate) async fn build(
        &self,
        program: &Program,
        work: &Work,
        folder: &str,
        deadline: Instant,
    ) -> Result<(), RenderError> {
        self.may_be_built()?;
        let all: Vec<&Published> = self.published.iter().collect();
        let deadline = if all.is_empty() { deadline } else { before(deadline) };
        for (number, repository) in self.repositories().into_iter().enumerate() {
            let of_it: Vec<_> =
                all.iter().filter(|p| p.repository == repository).copied().collect();
            let add = ["repo", "add", &number.to_string(), repository].map(OsString::from);
            let ports = ports(&of_it);
            let added = program.run(work, folder, &add, May::Fetch(&ports), deadline).await;
            added.map_err(|error| failure::told(&of_it, error))?;
        }
        // The indexes are there by now.
        let build = ["dependency", "build", ".", "--skip-refresh"].map(OsString::from);
        let ports = ports(&all);
        let may = if all.is_empty() { May::Write } else { May::Fetch(&ports) };
        let built = program.run(work, folder, &build, may, deadline).await;
        built.map(drop).map_err(|error| failure::told(&all, error))
    }

    /// Those that have an index, each once.
    fn repositories(&self) -> BTreeSet<&str> {
        let indexed = self.published.iter().filter(|p| !p.place.is_registry);
        indexed.map(|p| p.repository.as_str()).collect()
    }
}

/// Whether Helm failed for want of a dependency.
pub(crate) fn are_missing(error: &RenderError) -> bool {
    let RenderError::Tool { text, .. } = error else { return false };
    text.contains("found in Chart.yaml, but missing in charts/ directory")
}

/// The dependencies that a file of a chart has. What can't be read is left for Helm to tell.
pub(crate) fn declared(files: &Files, folder: &str, name: &str) -> Vec<Value> {
    let text = files::join(folder, name).and_then(|path| files.get(&path));
    let text = text.and_then(|text| std::str::from_utf8(text).ok());
    let chart = text.and_then(|text| documents::parse(text).ok()).flatten();
    let all = chart.as_ref().and_then(|c| c.get("dependencies")).and_then(Value::as_array);
    all.cloned().unwrap_or_default()
}

/// Whether only one version will do. `1.2` would take any 1.2.x.
pub(crate) fn is_exact(version: &str) -> bool {
    version.parse::<Version>().is_ok_and(|version| version.is_strict())
}

/// Whether it can be fetched.
pub(crate) fn is_published(repository: &str) -> bool {
    Place::of(repository).is_ok()
}

/// A little before, so that a reason still arrives.
fn before(deadline: Instant) -> Instant {
    let left = deadline.saturating_duration_since(Instant::now());
    deadline - left / 4
}

/// Their own ports, those to which an index may lead instead, and the one of DNS where an answer is long.
fn ports(published: &[&Published]) -> Vec<u16> {
    let own = published.iter().map(|p| p.place.port);
    let all: BTreeSet<u16> = own.chain([443, 80, 53]).collect();
    all.into_iter().collect()
}

fn push(all: &mut Vec<String>, one: String) {
    if !all.contains(&one) {
        all.push(one);
    }
}

fn text<'v>(value: &'v Value, field: &str) -> &'v str {
    value.get(field).and_then(Value::as_str).unwrap_or_default()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn of(files: &[(&str, &str)]) -> Dependencies {
        below("", files)
    }

    fn below(above: &str, files: &[(&str, &str)]) -> Dependencies {
        let files: Files = files.iter().chain([&("lib/Chart.yaml", "")]).copied().collect();
        Dependencies::of(&files, source::Place { folder: "charts/web", above })
    }

    fn refused(files: &[(&str, &str)]) -> String {
        of(files).may_be_built().unwrap_err().to_string()
    }

    fn one(repository: &str, version: &str) -> String {
        format!("dependencies: [{{name: db, repository: '{repository}', version: '{version}'}}]")
    }

    #[test]
    fn what_lies_beside_the_chart_is_found() {
        for file in ["charts/web/Chart.yaml", "charts/web/requirements.yaml"] {
            for (repository, folders) in [("file://../../lib", &["lib"][..]), ("", &[])] {
                let text = one(repository, ">=1");
                let found = of(&[(file, &text)]);
                assert_eq!(
                    (found.folders.as_slice(), found.may_be_built()),
                    (&folders.iter().map(|f| (*f).to_owned()).collect::<Vec<_>>()[..], Ok(()))
                );
                assert!(found.published.is_empty(), "{repository}");
            }
        }
    }

    #[test]
    fn what_is_published_is_fetched_in_one_version() {
        for file in ["charts/web/Chart.yaml", "charts/web/requirements.yaml"] {
            for repository in
                ["https://charts.example.com", "http://127.0.0.1:8080/a", "oci://ghcr.io/a"]
            {
                for version in ["1.2.3", "v1.2.3", "1.2.3-rc.1+7"] {
                    let text = one(repository, version);
                    let found = of(&[(file, &text)]);
                    assert_eq!(found.may_be_built(), Ok(()), "{repository} {version}");
                    assert_eq!(found.published[0].to_string(), format!("db of {repository}"));
                }
                for version in ["", "1", "1.2", "1.2.x", "^1.2.3", ">=1.2.3", "1.2.3 || 1.2.4", "*"]
                {
                    let text = one(repository, version);
                    let error = refused(&[(file, &text)]);
                    assert!(error.contains(&format!("fetch db {version}")), "{error}");
                    for lock in ["charts/web/Chart.lock", "charts/web/requirements.lock"] {
                        let locked = one(repository, "1.2.3");
                        let found = of(&[(file, &text), (lock, &locked)]);
                        assert_eq!((found.may_be_built(), found.published.len()), (Ok(()), 1));
                    }
                }
            }
        }
    }

    #[test]
    fn what_cant_be_had_is_refused_by_name_wherever_it_stands() {
        for file in ["Chart.yaml", "requirements.yaml", "Chart.lock", "requirements.lock"] {
            let path = format!("charts/web/{file}");
            for repository in [
                "@acme",
                "alias:acme",
                "file:///etc",
                "file://../../../x",
                "s3://charts",
                "charts.example.com",
            ] {
                let text = one(repository, "1.2.3");
                let error = refused(&[(&path, &text)]);
                assert!(error.contains("db (") && error.contains(repository), "{error}");
                assert!(error.ends_with("commit what it puts into charts"), "{error}");
            }
            let text = one("https://user:secret@charts.example.com", "1.2.3");
            let error = refused(&[(&path, &text)]);
            assert!(error.contains("db (") && !error.contains("secret"), "{error}");
        }
    }

    #[test]
    fn what_was_not_handed_over_is_asked_for() {
        let chart = "dependencies:\n- {name: a, version: 1.0.0, repository: 'file://../../lib'}\n- {name: b, version: 1.0.0, repository: 'file://../../../shared/b'}\n- {name: c, version: 1.0.0, repository: 'file://../../../c'}\n";
        let found = below("teams/a", &[("charts/web/Chart.yaml", chart)]);
        let error = found.may_be_built().unwrap_err().to_string();
        for part in [
            "the chart names \"../../../shared/b\", which is not among the files that Argo CD handed over",
            "argocd.argoproj.io/manifest-generate-paths to \".;../../lib;../../../c;../../../shared/b\"",
        ] {
            assert!(error.contains(part), "{error}");
        }
        let error = refused(&[("charts/web/Chart.yaml", chart)]);
        assert!(error.contains("b (file://../../../shared/b is not in the repository)"), "{error}");
    }

    #[test]
    fn a_repository_is_added_once_and_a_registry_not_at_all() {
        let text = "dependencies:\n- {name: a, version: 1.0.0, repository: 'https://x.example'}\n- {name: b, version: 1.0.0, repository: 'https://x.example', alias: c}\n- {name: b, version: 1.0.0, repository: 'https://x.example', alias: d}\n- {name: e, version: 1.0.0, repository: 'oci://y.example:5000/z'}\n";
        let found = of(&[("charts/web/Chart.yaml", text)]);
        assert_eq!(found.repositories(), ["https://x.example"].into());
        let all: Vec<&Published> = found.published.iter().collect();
        assert_eq!((all.len(), ports(&all)), (3, vec![53, 80, 443, 5000]));
    }
}
