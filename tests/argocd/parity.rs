//! What Argo CD makes of a native source, it makes of the same source with our plugin: the real repo-server is asked for
//! both, of one and the same Application, and the objects are compared. Nothing is taken off either side.
//!
//! The Freight that the Stage holds has no image that is in the sources.

mod announced;
mod build_options;
mod charts;
mod dependencies;
mod directory;
mod helm;
mod kustomize;
mod texts;

use std::collections::BTreeSet;
use std::fs;
use std::io::{Read as _, Write as _};
use std::net::TcpStream;
use std::ops::Deref;
use std::path::Path;
use std::time::Duration;

use anyhow::{Context as _, Result, bail, ensure};
use serde_json::{Value, json};
use tempfile::TempDir;
use wharfinger_cluster::{Cluster, InUse, Role, shared};
use wharfinger_sidecar::caller::Call;
use wharfinger_tests::{App, Kind, Project};

const SOURCES: &str = concat!(env!("CARGO_MANIFEST_DIR"), "/fixtures/parity");

/// A source, and how it is written with the plugin.
struct Case {
    name: &'static str,
    /// A folder in Git. Nothing for a chart.
    path: &'static str,
    /// Fields of the native source beside its place: `helm`, `kustomize`, `directory`.
    native: Value,
    /// The plugin's parameters.
    parameters: Value,
    expected: Expected,
}

enum Expected {
    /// Both are the same.
    Same,
    /// Argo CD renders the native source. With the plugin it is refused, and this is said.
    Refused(&'static str),
    /// Neither is rendered: what Argo CD says, and what we say.
    Broken(&'static str, &'static str),
}

impl Case {
    fn new(name: &'static str, path: &'static str, native: Value, parameters: Value) -> Self {
        Self { name, path, native, parameters, expected: Expected::Same }
    }

    /// With options of one type.
    fn of(
        name: &'static str,
        path: &'static str,
        kind: &str,
        options: Value,
        parameters: Value,
    ) -> Self {
        Self::new(name, path, Value::from_iter([(kind, options)]), parameters)
    }

    fn refused(self, text: &'static str) -> Self {
        Self { expected: Expected::Refused(text), ..self }
    }

    fn broken(self, theirs: &'static str, ours: &'static str) -> Self {
        Self { expected: Expected::Broken(theirs, ours), ..self }
    }
}

/// Runs all cases of a kind, and tells about all that fail.
fn compare(suite: &str, cases: &[Case]) -> Result<()> {
    World::new(suite)?.compare(cases)
}

struct World<C = InUse> {
    cluster: C,
    name: String,
}

impl World {
    fn new(suite: &str) -> Result<Self> {
        Ok(Self::on(shared()?.use_it()?, suite))
    }
}

impl<C: Deref<Target = Cluster>> World<C> {
    fn on(cluster: C, suite: &str) -> Self {
        Self { cluster, name: format!("parity-{suite}") }
    }

    /// A Project with a Stage that holds Freight already: an Application takes up its claim as it joins. And the commit
    /// of the sources.
    fn project(&self) -> Result<(Project<'_>, String)> {
        let project = Project::new(&self.cluster, &self.name)?;
        let commit = commit_sources(&project)?;
        project.stage("dev")?;
        let freight = project.freight("v1")?;
        let first = App::new(&project, "first", "dev", Kind::Bare)?;
        first.create()?;
        project.promoted("dev", &freight)?;
        Ok((project, commit))
    }

    fn compare(&self, cases: &[Case]) -> Result<()> {
        let (project, commit) = self.project()?;
        let url = project.cluster.git().url(&project.name);
        let place = |path: &str| json!({ "repoURL": url, "targetRevision": commit, "path": path });
        self.run(&project, cases, place)
    }

    fn run(
        &self,
        project: &Project<'_>,
        cases: &[Case],
        place: impl Fn(&str) -> Value,
    ) -> Result<()> {
        let names: BTreeSet<_> = cases.iter().map(|case| case.name).collect();
        ensure!(names.len() == cases.len(), "two cases have the same name");
        let failed = |case: &Case| {
            let error = self.check(project, case, &place(case.path)).err()?;
            Some(format!("{}: {error:#}", case.name))
        };
        let failed: Vec<_> = cases.iter().filter_map(failed).collect();
        ensure!(
            failed.is_empty(),
            "{} of {} differ:\n\n{}",
            failed.len(),
            cases.len(),
            failed.join("\n\n")
        );
        Ok(())
    }

    fn check(&self, project: &Project<'_>, case: &Case, place: &Value) -> Result<()> {
        let server = Server::of(&self.cluster)?;
        let app = App::new(project, case.name, "dev", Kind::Bare)?.with(|spec, annotations| {
            *annotations = json!({});
            spec["source"] = place.clone();
            for (field, value) in case.native.as_object().into_iter().flatten() {
                spec["source"][field] = value.clone();
            }
        });
        app.create()?;
        let native = server.manifests(&app)?;

        let mut source = json!({ "helm": null, "kustomize": null, "directory": null });
        source["plugin"] = json!({ "name": "wharfinger", "parameters": case.parameters });
        let stage = format!("{}:dev", project.name);
        let annotations = json!({ "kargo.akuity.io/authorized-stage": stage });
        app.merge(
            &json!({ "metadata": { "annotations": annotations }, "spec": { "source": source } }),
        )?;
        app.carries(&project.claim("dev")?)?;
        let ours = server.manifests(&app)?;
        match case.expected {
            Expected::Same => same(&natively(native)?, &ours?),
            Expected::Refused(text) => natively(native).and_then(|_| says(ours, text)),
            Expected::Broken(theirs, text) => {
                says(native, theirs).context("the native source")?;
                says(ours, text)
            }
        }
    }
}

fn natively(native: Result<Vec<Value>>) -> Result<Vec<Value>> {
    native.context("the native source")
}

fn says(rendered: Result<Vec<Value>>, text: &str) -> Result<()> {
    match rendered {
        Err(error) => {
            ensure!(format!("{error:#}").contains(text), "{error:#}\ndoes not say\n{text}");
            Ok(())
        }
        Ok(objects) => bail!("it is rendered: {objects:#?}"),
    }
}

/// All objects, in Argo CD's order.
fn same(native: &[Value], ours: &[Value]) -> Result<()> {
    ensure!(!native.is_empty(), "Argo CD renders nothing, which proves nothing");
    for (native, ours) in native.iter().zip(ours) {
        let same = native == ours;
        let (theirs, ours) = (format!("{native:#}"), format!("{ours:#}"));
        let only = |of: &str, other: &str| -> Vec<String> {
            let other: BTreeSet<_> = other.lines().collect();
            of.lines().filter(|line| !other.contains(line)).map(str::to_owned).collect()
        };
        ensure!(
            same,
            "only Argo CD renders\n{}\nand only we\n{}\nof {native}",
            only(&theirs, &ours).join("\n"),
            only(&ours, &theirs).join("\n")
        );
    }
    ensure!(
        native.len() == ours.len(),
        "Argo CD renders {} objects, and we {}",
        native.len(),
        ours.len()
    );
    Ok(())
}

/// argocd-server, which asks repo-server as the application controller does.
pub(crate) struct Server<'c> {
    cluster: &'c Cluster,
    port: u16,
}

impl<'c> Server<'c> {
    pub(crate) fn of(cluster: &'c Cluster) -> Result<Self> {
        Ok(Self { cluster, port: cluster.process(Role::ArgoCdServer)?.port("http")? })
    }

    /// What an Application deploys, or why nothing.
    fn manifests(&self, app: &App<'_>) -> Result<Result<Vec<Value>>> {
        self.manifests_at(app, "")
    }

    /// The same of another revision than the one that it names, if any is given.
    pub(crate) fn manifests_at(&self, app: &App<'_>, revision: &str) -> Result<Result<Vec<Value>>> {
        self.knows(app)?;
        let path = format!("/api/v1/applications/{}/manifests?revision={revision}", app.name);
        let answer = self.get(&path)?;
        let Some(manifests) = answer["manifests"].as_array() else {
            let text = answer["message"].as_str().context("neither manifests nor a message")?;
            return Ok(Err(anyhow::anyhow!("{text}")));
        };
        let object = |text: &Value| Ok(serde_json::from_str(text.as_str().unwrap_or_default())?);
        Ok(manifests.iter().map(object).collect())
    }

    /// Waits until its cache has the Application as it is now: the manifests are told by that.
    fn knows(&self, app: &App<'_>) -> Result<()> {
        let version = |app: &Value| {
            let version = app["metadata"]["resourceVersion"].as_str().unwrap_or_default();
            version.parse::<u64>().unwrap_or_default()
        };
        let wanted = version(&app.get()?);
        let path = format!("/api/v1/applications?name={}", app.name);
        self.cluster.until("argocd-server to see the Application", || {
            let known = version(&self.get(&path)?["items"][0]);
            ensure!(known >= wanted, "it knows version {known}, not {wanted}");
            Ok(())
        })
    }

    fn get(&self, path: &str) -> Result<Value> {
        self.ask("GET", path, "")
    }

    fn post(&self, path: &str, object: &Value) -> Result<Value> {
        self.ask("POST", path, &object.to_string())
    }

    fn ask(&self, method: &str, path: &str, body: &str) -> Result<Value> {
        let mut stream = TcpStream::connect(("127.0.0.1", self.port))?;
        stream.set_read_timeout(Some(LIMIT))?;
        // HTTP/1.0: the answer ends with the connection.
        write!(
            stream,
            "{method} {path} HTTP/1.0\r\nHost: 127.0.0.1\r\nContent-Type: application/json\r\nContent-Length: {}\r\n\r\n{body}",
            body.len()
        )?;
        let mut answer = String::new();
        stream.read_to_string(&mut answer)?;
        let (_, body) = answer.split_once("\r\n\r\n").context("half an answer")?;
        serde_json::from_str(body).with_context(|| format!("{method} {path}: {answer}"))
    }
}

const LIMIT: Duration = Duration::from_secs(60);

/// The sources, and what is made of them: a packed dependency.
fn commit_sources(project: &Project<'_>) -> Result<String> {
    let folder = TempDir::new()?;
    copy(Path::new(SOURCES), folder.path())?;
    let packed = folder.path().join("helm/packed/charts");
    fs::create_dir_all(&packed)?;
    let lib = Path::new(SOURCES).join("helm/lib");
    fs::write(packed.join("lib-1.0.0.tgz"), archive("lib", &lib)?)?;
    project.cluster.git().commit_folder(&project.name, folder.path(), "The sources")
}

fn copy(from: &Path, to: &Path) -> Result<()> {
    fs::create_dir_all(to)?;
    for entry in fs::read_dir(from)? {
        let entry = entry?;
        let (kind, to) = (entry.file_type()?, to.join(entry.file_name()));
        if kind.is_symlink() {
            std::os::unix::fs::symlink(fs::read_link(entry.path())?, to)?;
        } else if kind.is_dir() {
            copy(&entry.path(), &to)?;
        } else {
            fs::copy(entry.path(), to)?;
        }
    }
    Ok(())
}

/// A chart's folder as the archive that is published of it.
fn archive(name: &str, folder: &Path) -> Result<Vec<u8>> {
    fn collect(name: &str, folder: &Path, files: &mut Vec<(String, Vec<u8>)>) -> Result<()> {
        for entry in fs::read_dir(folder)? {
            let entry = entry?;
            let name = format!("{name}/{}", entry.file_name().to_string_lossy());
            if entry.file_type()?.is_dir() {
                collect(&name, &entry.path(), files)?;
            } else {
                files.push((name, fs::read(entry.path())?));
            }
        }
        Ok(())
    }
    let mut files = Vec::new();
    collect(name, folder, &mut files)?;
    // Helm wants the chart's own file early.
    files.sort_by_key(|(name, _)| (!name.ends_with("/Chart.yaml"), name.clone()));
    let files: Vec<_> = files.iter().map(|(name, bytes)| (name.as_str(), bytes)).collect();
    Ok(Call::new(&files)?.archive)
}
