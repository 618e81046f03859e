//! The charts of the Freight in a Helm chart: as versions of its dependencies, or as its own.
//!
//! Helm takes whatever lies in the chart's folder `charts`, and of two versions either; so it is shown the one that the
//! Freight holds. Where that does not lie there, it is missing, and fetched.

use std::sync::Arc;

use serde_json::Value;
use wharfinger_core::paths::MANIFEST_GENERATE_PATHS;
use wharfinger_core::semver::{Constraint, Version};
use wharfinger_core::url::shown;

use crate::helm::dependencies::{CHARTS, LOCKS, declared, is_exact, is_published};
use crate::renderer::Inputs;
use crate::{Files, RenderError, documents, files};

/// Of a source that is a chart.
const OWN: &str = "Chart.yaml";

/// What helm is to read so that it renders the charts of the Freight; `files` themselves where that changes nothing.
pub(crate) fn with_freight(files: Arc<Files>, inputs: &Inputs) -> Result<Arc<Files>, RenderError> {
    if inputs.charts.is_empty() {
        return Ok(files);
    }
    own(&files, inputs)?;
    let mut changed: Option<Files> = None;
    // In charts of the first form, dependencies have a file of their own.
    for name in CHARTS {
        let Some(path) = files::join(&inputs.folder, name) else { continue };
        let Some(mut meta) = read(&files, &path)? else { continue };
        let (before, mut hidden) = (meta.clone(), Vec::new());
        let dependencies = meta.get_mut("dependencies").and_then(Value::as_array_mut);
        for dependency in dependencies.into_iter().flatten() {
            hidden.extend(pin(&files, inputs, dependency)?);
        }
        if meta != before {
            let lock = unlocked(&files, &inputs.folder, &mut meta, &hidden)?;
            hidden.extend(lock);
            let now = changed.take().unwrap_or_else(|| (*files).clone());
            // JSON is YAML.
            changed = Some(now.with(&path, &meta.to_string()));
        }
        if !hidden.is_empty() {
            let now = changed.take().unwrap_or_else(|| (*files).clone());
            changed = Some(now.without(&hidden));
        }
    }
    Ok(changed.map_or(files, Arc::new))
}

/// A source that is a chart has the version that the Freight holds, or is refused; whatever is rendered of it, for a chart
/// may hold a kustomization, and an `oci://` source may name a folder. What is no chart says no version.
pub(crate) fn own(files: &Files, inputs: &Inputs) -> Result<(), RenderError> {
    let Inputs { folder, above, repository, charts, .. } = inputs;
    let artifact = repository.starts_with("oci://");
    if artifact && !above.is_empty() {
        let Some(wanted) = charts.version_of(repository, "")? else { return Ok(()) };
        return Err(RenderError::input(format!(
            "the Stage's Freight holds version {wanted} of {}, but Argo CD handed over its folder {above} alone, which does not say what version it is. Remove the annotation {MANIFEST_GENERATE_PATHS} from the Application",
            shown(repository)
        )));
    }
    if !(artifact || folder.is_empty()) || files.get(OWN).is_none() {
        return Ok(());
    }
    let meta = read(files, OWN)?.unwrap_or_default();
    let (name, version) = (text(&meta, "name"), text(&meta, "version"));
    let beside = charts.version_of(repository, name)?;
    let wanted = match beside {
        Some(wanted) => Some(wanted),
        None => charts.version_of(repository, "")?,
    };
    match wanted {
        Some(wanted) if !same(wanted, version) => Err(RenderError::input(format!(
            "the Stage's Freight holds version {wanted} of the chart {name} of {}, but the source is version {version}. Wharfinger's controller sets targetRevision; if it stays different, look for who else writes it",
            shown(repository)
        ))),
        _ => Ok(()),
    }
}

/// Gives a dependency the version that the Freight holds; the other versions of it that lie there.
fn pin(files: &Files, inputs: &Inputs, dependency: &mut Value) -> Result<Vec<String>, RenderError> {
    let (name, repository) = (text(dependency, "name"), text(dependency, "repository"));
    let Some(wanted) = inputs.charts.version_of(repository, name)? else { return Ok(Vec::new()) };
    let mut others = vendored(files, &inputs.folder, name)?;
    let version = match others.iter().position(|v| same(wanted, &v.version)) {
        Some(found) => others.remove(found).version,
        None => wanted.replace('_', "+"),
    };
    dependency["version"] = version.into();
    Ok(others.into_iter().map(|v| v.path).collect())
}

/// Helm builds nothing by a lock that no longer fits the chart. Where it will have to build, since some of them do not lie
/// there, the versions that are locked stand in the chart itself, and the lock, which is what this returns, goes.
fn unlocked(
    files: &Files,
    folder: &str,
    meta: &mut Value,
    hidden: &[String],
) -> Result<Option<String>, RenderError> {
    let all = meta.get_mut("dependencies").and_then(Value::as_array_mut);
    let all: Vec<&mut Value> = all.into_iter().flatten().collect();
    let path = |name: &&str| files::join(folder, name).filter(|path| files.get(path).is_some());
    let Some((lock, path)) = LOCKS.iter().find_map(|name| Some((name, path(name)?))) else {
        return Ok(None);
    };
    let mut builds = false;
    for dependency in &all {
        let (name, repository) = (text(dependency, "name"), text(dependency, "repository"));
        let there = vendored(files, folder, name)?;
        let missing = there.iter().all(|version| hidden.contains(&version.path));
        builds |= missing && !repository.is_empty();
    }
    if !builds {
        return Ok(None);
    }
    let locked = declared(files, folder, lock);
    for (index, dependency) in all.into_iter().enumerate() {
        let (name, repository) = (text(dependency, "name"), text(dependency, "repository"));
        let wanted = text(dependency, "version");
        if !is_published(repository) || is_exact(wanted) {
            continue;
        }
        let fits = |locked: &&Value| {
            text(locked, "name") == name
                && text(locked, "repository") == repository
                && accepts(wanted, text(locked, "version"))
        };
        let Some(locked) = locked.get(index).filter(fits) else {
            return Err(RenderError::input(format!(
                "{lock} does not fit the chart: it locks no version {wanted} of {name}. Run helm dependency update and commit {lock}"
            )));
        };
        dependency["version"] = text(locked, "version").into();
    }
    Ok(Some(path))
}

fn accepts(constraint: &str, version: &str) -> bool {
    let (Ok(constraint), Ok(version)) =
        (constraint.parse::<Constraint>(), version.parse::<Version>())
    else {
        return false;
    };
    constraint.accepts(&version)
}

/// A version of a dependency that lies in the folder `charts`.
struct Vendored {
    version: String,
    /// An archive or a folder.
    path: String,
}

fn vendored(files: &Files, folder: &str, name: &str) -> Result<Vec<Vendored>, RenderError> {
    let Some(charts) = files::join(folder, "charts") else { return Ok(Vec::new()) };
    let mut all = Vec::new();
    for (file, _) in files.below(&charts) {
        // As helm dependency update calls them.
        let archived = || file.strip_prefix(name)?.strip_prefix('-')?.strip_suffix(".tgz");
        if let Some(version) = archived().filter(|version| version.parse::<Version>().is_ok()) {
            all.push(Vendored { version: version.into(), path: format!("{charts}/{file}") });
        }
        if let Some(sub) = file.strip_suffix("/Chart.yaml").filter(|sub| !sub.contains('/')) {
            let meta = read(files, &format!("{charts}/{file}"))?.unwrap_or_default();
            if text(&meta, "name") == name {
                let version = text(&meta, "version").to_owned();
                all.push(Vendored { version, path: format!("{charts}/{sub}") });
            }
        }
    }
    Ok(all)
}

/// Registries have no plus in their tags: helm writes a low line there.
fn same(one: &str, other: &str) -> bool {
    one.replace('_', "+") == other.replace('_', "+")
}

fn read(files: &Files, name: &str) -> Result<Option<Value>, RenderError> {
    let Some(content) = files.get(name) else { return Ok(None) };
    let content = String::from_utf8_lossy(content);
    documents::parse(&content).map_err(|e| RenderError::input(format!("{name}: not YAML: {e}")))
}

fn text<'v>(value: &'v Value, field: &str) -> &'v str {
    value.get(field).and_then(Value::as_str).unwrap_or_default()
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;
    use crate::Charts;

    const UMBRELLA: &str = "apiVersion: v2\nname: umbrella\nversion: 0.1.0\ndependencies:\n- {name: web, version: ^1, repository: 'oci://reg.example/charts'}\n- {name: db, version: 1.0.0, repository: 'https://charts.example', alias: store}\n";

    fn charts(charts: &[(&str, &str, &str)]) -> Charts {
        let chart = |(repo, name, version): &(&str, &str, &str)| json!({ "repoURL": repo, "name": name, "version": version });
        let charts: Vec<_> = charts.iter().map(chart).collect();
        let collection =
            json!({ "id": "", "items": { "Warehouse/w": { "name": "f", "charts": charts } } });
        Charts::of(&serde_json::from_value(collection).unwrap())
    }

    fn inputs(folder: &str, repository: &str, charts: Charts) -> Inputs {
        let (folder, repository) = (folder.into(), repository.into());
        Inputs { folder, repository, charts, ..Inputs::default() }
    }

    #[test]
    fn a_dependency_gets_the_version_of_the_freight_if_it_lies_there() {
        let held = charts(&[("oci://reg.example/charts/web", "", "1.2.0")]);
        let files = |chart: &str, more: &[(&str, &str)]| -> Arc<Files> {
            let own = [
                ("app/Chart.yaml", chart),
                ("app/templates/x.yaml", "x"),
                ("other/charts/web-1.1.0.tgz", ""),
            ];
            Arc::new(own.iter().chain(more).copied().collect())
        };
        let check = |before: &Arc<Files>, gone: &[&str]| {
            let after = with_freight(Arc::clone(before), &inputs("app", "", held.clone())).unwrap();
            let names = |files: &Files| files.iter().map(|(n, _)| n.to_owned()).collect::<Vec<_>>();
            let mut wanted = names(before);
            wanted.retain(|name| !gone.contains(&name.as_str()));
            assert_eq!(names(&after), wanted);
            read(&after, "app/Chart.yaml").unwrap().unwrap()
        };
        let mut wanted = documents::parse(UMBRELLA).unwrap().unwrap();
        wanted["dependencies"][0]["version"] = json!("1.2.0");
        let two = files(
            UMBRELLA,
            &[
                ("app/charts/db-1.0.0.tgz", ""),
                ("app/charts/web-1.1.0.tgz", ""),
                ("app/charts/web-1.2.0.tgz", ""),
                ("app/charts/web-extra-1.1.0.tgz", ""),
            ],
        );
        assert_eq!(check(&two, &["app/charts/web-1.1.0.tgz"]), wanted);
        let unpacked = files(
            UMBRELLA,
            &[
                ("app/charts/old/Chart.yaml", "name: web\nversion: 1.1.0"),
                ("app/charts/old/templates/x.yaml", ""),
                ("app/charts/older/Chart.yaml", "name: other\nversion: 1.1.0"),
                ("app/charts/web/Chart.yaml", "name: web\nversion: 1.2.0"),
                ("app/charts/web/charts/web/Chart.yaml", "name: web\nversion: 0.1.0"),
            ],
        );
        assert_eq!(
            check(&unpacked, &["app/charts/old/Chart.yaml", "app/charts/old/templates/x.yaml"]),
            wanted
        );

        // What changes nothing is the same set of files.
        let settled = files(&wanted.to_string(), &[("app/charts/web-1.2.0.tgz", "")]);
        let after = with_freight(Arc::clone(&settled), &inputs("app", "", held.clone())).unwrap();
        assert!(Arc::ptr_eq(&settled, &after));
        let foreign = files("name: x", &[]);
        let after = with_freight(Arc::clone(&foreign), &inputs("app", "", held.clone())).unwrap();
        assert!(Arc::ptr_eq(&foreign, &after));

        // What does not lie there is missing, for Helm to bring.
        assert_eq!(check(&files(UMBRELLA, &[]), &[]), wanted);
        let others = ["app/charts/web-1.1.0.tgz", "app/charts/web-1.3.0.tgz"];
        assert_eq!(check(&files(UMBRELLA, &others.map(|other| (other, ""))), &others), wanted);
    }

    #[test]
    fn what_is_locked_stays_where_the_lock_no_longer_fits() {
        let held = || charts(&[("oci://reg.example/charts/web", "", "1.2.0_7")]);
        let umbrella = "dependencies:\n- {name: lib, version: '>=1', repository: 'file://../lib'}\n- {name: web, version: ^1, repository: 'oci://reg.example/charts'}\n- {name: db, version: ^1.0.0, repository: 'https://charts.example'}\n";
        let lock = |db: &str| {
            format!(
                "dependencies:\n- {{name: lib, version: 1.0.0, repository: 'file://../lib'}}\n- {{name: web, version: 1.1.0, repository: 'oci://reg.example/charts'}}\n- {{name: db, version: {db}, repository: 'https://charts.example'}}\ndigest: x\n"
            )
        };
        let with = |lock: &str, there: &[&str]| {
            let there = there.iter().map(|file| (*file, ""));
            let own = [("Chart.yaml", umbrella), ("Chart.lock", lock)];
            let files: Files = own.into_iter().chain(there).collect();
            let after = with_freight(Arc::new(files), &inputs("", "", held()));
            after.map(|after| {
                let meta = read(&after, "Chart.yaml").unwrap().unwrap();
                let all = meta["dependencies"].as_array().unwrap();
                let versions: Vec<_> = all.iter().map(|d| text(d, "version").to_owned()).collect();
                (versions.join(" "), after.get("Chart.lock").is_some())
            })
        };
        let (web, db, lib) =
            ("charts/web-1.2.0+7.tgz", "charts/db-1.0.5.tgz", "charts/lib-1.0.0.tgz");
        let fits = lock("1.0.5");
        let settled = Ok((">=1 1.2.0+7 1.0.5".to_owned(), false));
        for there in [
            &[][..],
            &[db],
            &[web, db],
            &[web, lib],
            &[db, lib],
            &[db, lib, "charts/web-1.1.0.tgz"],
        ] {
            assert_eq!(with(&fits, there), settled, "{there:?}");
        }
        // Nothing is built where all of them lie there, and the lock is not read.
        let untouched = Ok((">=1 1.2.0+7 ^1.0.0".to_owned(), true));
        assert_eq!(with(&fits, &[web, db, lib]), untouched);
        assert_eq!(with("{", &[web, db, lib]), untouched);
        for stale in
            [lock("2.0.0"), lock("''"), fits.replace("charts.example", "other.example"), "{".into()]
        {
            let error = with(&stale, &[]).unwrap_err().to_string();
            assert!(error.contains("locks no version ^1.0.0 of db"), "{error}");
        }
    }

    #[test]
    fn a_source_that_is_a_chart_has_the_version_of_the_freight() {
        let held = || {
            charts(&[
                ("oci://reg.example/charts/web", "", "1.2.0+7"),
                ("https://charts.example", "db", "4.5.6"),
            ])
        };
        let check = |repository: &str, folder: &str, chart: (&str, &str), refused: bool| {
            let path = files::join(folder, "Chart.yaml").unwrap();
            let text = format!("name: {}\nversion: {}", chart.0, chart.1);
            let files: Files = [(path.as_str(), text.as_str())].into_iter().collect();
            let found = with_freight(Arc::new(files), &inputs(folder, repository, held()));
            assert_eq!(found.is_err(), refused, "{repository} {chart:?}: {found:?}");
        };
        check("reg.example/charts", "", ("web", "1.2.0+7"), false);
        check("reg.example/charts", "", ("web", "1.2.0_7"), false);
        check("reg.example/charts", "", ("web", "1.2.1"), true);
        check("oci://reg.example/charts/web", "", ("web", "1.2.1"), true);
        check("https://charts.example", "", ("db", "4.5.6"), false);
        check("https://charts.example", "", ("db", "4.5.7"), true);
        check("https://charts.example", "", ("cache", "4.5.7"), false);
        check("https://git.example/shop", "", ("db", "0.1.0"), false);
        check("https://charts.example", "sub", ("db", "4.5.7"), false);

        let files: Files = [(OWN, "name: web\nversion: 1.2.1"), ("sub/Chart.yaml", "name: db")]
            .into_iter()
            .collect();
        let of = |repository, folder, above: &str| {
            let inputs = Inputs { above: above.into(), ..inputs(folder, repository, held()) };
            own(&files, &inputs)
        };
        let refused = |folder, above| {
            of("oci://reg.example/charts/web", folder, above).unwrap_err().to_string()
        };
        assert!(refused("sub", "").contains("but the source is version 1.2.1"));
        // The file is of a folder of the artifact, for no more was handed over.
        assert!(refused("sub", "top").contains("its folder top alone"));
        assert_eq!(of("oci://reg.example/charts/other", "sub", "top"), Ok(()));
        assert_eq!(of("https://git.example/web", "sub", ""), Ok(()));
    }

    #[test]
    fn no_credentials_of_a_repository_are_told() {
        let url = "https://user:hunter2@charts.example?token=hunter2";
        let held = charts(&[(url, "db", "4.5.6")]);
        let files: Files = [("Chart.yaml", "name: db\nversion: 1.0.0")].into_iter().collect();
        let error = with_freight(Arc::new(files), &inputs("", url, held)).unwrap_err().to_string();
        assert!(error.contains("chart db of https://charts.example"), "{error}");
        assert!(!error.contains("hunter2"), "{error}");
    }
}
