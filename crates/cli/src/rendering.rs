//! An Application, rendered on this machine: by the crate that the sidecar renders with, or as Argo CD does natively.

mod checkout;
mod overrides;
mod target;

use std::cell::RefCell;
use std::collections::{BTreeSet, HashMap};
use std::path::PathBuf;
use std::sync::Arc;
use std::time::Duration;

use clap::Args;
use serde_json::Value;
use tokio::time::Instant;
use wharfinger_api::additions::PLUGIN;
use wharfinger_api::argocd::Source;
use wharfinger_api::v1alpha1::FreightCollection;
use wharfinger_core::converge::pinned;
use wharfinger_render::adopt::{Unconvertible, adopt};
use wharfinger_render::{
    Base, Files, Images, Inputs, Kind, Native, Options, Provenance, RenderError, Renderer, Target,
    Tools, Variables, files,
};

use crate::argocd::App;
use crate::exit::{Exit, Failure};
use crate::output::clean;
use crate::session::Session;

pub use checkout::Wanted;
pub use overrides::stands_in_the_way;

/// For one source. Nobody waits longer for a chart.
const LIMIT: Duration = Duration::from_secs(300);

/// Where the files are, and what the cluster they go to can do.
#[derive(Clone, Debug, Default, Args)]
pub struct Place {
    /// Checkout of the repository; without it, this folder if it is one, else a shallow clone
    #[arg(long, value_name = "DIR")]
    pub repo: Option<PathBuf>,

    /// Kubernetes version of the destination, for charts; without it, this cluster's
    #[arg(long, value_name = "VERSION")]
    pub kube_version: Option<String>,

    /// API versions of the destination, for charts; without it, this cluster's
    #[arg(long, value_name = "LIST", value_delimiter = ',')]
    pub api_versions: Vec<String>,
}

pub struct Rendering<'s> {
    session: &'s Session,
    renderer: Renderer,
    place: Place,
    /// Nothing is asked of a cluster.
    offline: bool,
    /// By repository, chart and revision.
    fetched: RefCell<HashMap<(String, String, Wanted), Files>>,
}

/// What an Application deploys.
#[derive(Clone, Debug, Default)]
pub struct Rendered {
    pub documents: Vec<String>,
    /// Of its images, in the form in which they are compared.
    pub repositories: BTreeSet<String>,
    /// Entries of the parameter `imagePaths` that find nothing.
    pub unused_paths: BTreeSet<String>,
}

/// A source, and the files it is made of.
#[derive(Clone, Debug)]
pub struct Prepared {
    pub source: Source,
    pub folder: String,
    pub files: Files,
    pub target: Target,
    pub variables: Variables,
    pub kind: Kind,
}

impl<'s> Rendering<'s> {
    pub async fn new(session: &'s Session, place: Place, offline: bool) -> Self {
        let tools = Tools::find(&std::env::var_os("PATH").unwrap_or_default()).await;
        Self {
            session,
            renderer: Renderer::new(tools, 0),
            place,
            offline,
            fetched: RefCell::default(),
        }
    }

    /// All documents of an Application with what a Stage holds in it, as the sidecar answers for each source of ours. One
    /// that is native still is rendered as it would be once it is adopted. Without provenance they say nothing of the Stage,
    /// whatever the options ask for: else two assignments would differ in every object.
    pub async fn app(
        &self,
        app: &App,
        collection: &FreightCollection,
        provenance: Option<&Provenance>,
    ) -> Result<Rendered, Failure> {
        let (mut all, images) = (Rendered::default(), Images::of(collection));
        for (index, source) in app.sources().iter().enumerate() {
            let source = match source.plugin() {
                Some(PLUGIN) => source.clone(),
                _ => adopt(source).map_err(|e| foreign(app, &e))?,
            };
            let wanted = match pinned(&source, collection) {
                Some(revision) => Wanted::Exactly(revision.to_owned()),
                None => Wanted::Here(app.revision(index).to_owned()),
            };
            let prepared = self.prepare(app, &source, &wanted).await?;
            let base = self.base(app, &prepared, collection).await?;
            let documents = match provenance {
                Some(provenance) => base.holding(&images, provenance),
                None => base.with(&images),
            };
            all.documents.extend(documents.map_err(|e| failed(app, &e))?);
            all.repositories.extend(base.repositories().map(str::to_owned));
            all.unused_paths.extend(base.unused_paths().map(str::to_owned));
        }
        if all.documents.is_empty() {
            return Err(Failure::usage(format!("the Application {} has no sources", app.name())));
        }
        Ok(all)
    }

    /// Brings the files of a source, and what they say about it. What was taken is told on stderr.
    pub async fn prepare(
        &self,
        app: &App,
        source: &Source,
        wanted: &Wanted,
    ) -> Result<Prepared, Failure> {
        let files = self.files(app, source, wanted).await?;
        let path = if source.chart().is_empty() { source.text("path") } else { "" };
        let folder = files::join("", path).filter(|_| !path.starts_with('/')).ok_or_else(|| {
            Failure::new(format!("the path {path:?} leaves the repository")).exit(Exit::Usage)
        })?;
        let source = &overrides::merged(source, &files, &folder, &self.instance(app))?;
        let options = match source.plugin() {
            Some(PLUGIN) => options(source).map_err(|e| failed(app, &e))?,
            _ => adopt(source).ok().and_then(|source| options(&source).ok()).unwrap_or_default(),
        };
        let kind = Kind::chosen(&files, &folder, &options).map_err(|e| failed(app, &e))?;
        let target = target::of(self.session, app, kind, &self.place, self.offline).await?;
        let variables = self.variables(app, source, &target, wanted);
        Ok(Prepared { source: source.clone(), folder, files, target, variables, kind })
    }

    /// The Application's name, as Argo CD has it.
    fn instance(&self, app: &App) -> String {
        app.app.name_for(&self.session.global.argocd_namespace)
    }

    /// What repo-server would say of it.
    fn variables(&self, app: &App, source: &Source, target: &Target, wanted: &Wanted) -> Variables {
        let project = &app.app.spec.project;
        let (Wanted::Exactly(revision) | Wanted::Here(revision)) = wanted;
        Variables {
            app_name: self.instance(app),
            namespace: target.namespace.clone(),
            project: if project.is_empty() { "default".into() } else { project.clone() },
            revision: revision.clone(),
            repo_url: source.repo_url().to_owned(),
            path: source.text("path").to_owned(),
            target_revision: source.target_revision().to_owned(),
        }
    }

    async fn files(&self, app: &App, source: &Source, wanted: &Wanted) -> Result<Files, Failure> {
        let key = (source.repo_url().to_owned(), source.chart().to_owned(), wanted.clone());
        let known = self.fetched.borrow().get(&key).cloned();
        if let Some(files) = known {
            return Ok(files);
        }
        let (files, from) = checkout::files(self.place.repo.as_deref(), source, wanted).await?;
        self.session.console.say(clean(&format!("{}: {from}", app.name())));
        self.fetched.borrow_mut().insert(key, files.clone());
        Ok(files)
    }

    /// What the sidecar makes of a source of ours: JSON documents, which say nothing of a Stage.
    pub async fn ours(
        &self,
        app: &App,
        prepared: &Prepared,
        collection: &FreightCollection,
    ) -> Result<Vec<String>, Failure> {
        let base = self.base(app, prepared, collection).await?;
        base.with(&Images::of(collection)).map_err(|e| failed(app, &e))
    }

    async fn base(
        &self,
        app: &App,
        prepared: &Prepared,
        collection: &FreightCollection,
    ) -> Result<Arc<Base>, Failure> {
        let options = options(&prepared.source).map_err(|e| failed(app, &e))?;
        let options = options.with(&prepared.variables);
        let Prepared { source, folder, files, target, .. } = prepared.clone();
        let repository = source.repo_url().to_owned();
        let inputs = Inputs { folder, target, options, repository, ..Inputs::default() };
        let inputs = inputs.with_freight(collection).await.map_err(|e| failed(app, &e))?;
        let base = self.renderer.base(&inputs, files, None, Instant::now() + LIMIT).await;
        base.map(|made| made.base).map_err(|e| failed(app, &e))
    }

    /// What Argo CD itself makes of a native source.
    pub async fn native(&self, app: &App, prepared: &Prepared) -> Result<Vec<Value>, Failure> {
        let Prepared { source, folder, files, target, variables, .. } = prepared;
        let native = Native { source, folder, target, variables };
        let objects = self.renderer.native(&native, files.clone(), Instant::now() + LIMIT).await;
        objects.map_err(|e| failed(app, &e))
    }
}

/// Documents as objects.
pub fn objects(documents: &[String]) -> Vec<Value> {
    // The renderer wrote them: they are JSON.
    documents.iter().filter_map(|text| serde_json::from_str(text).ok()).collect()
}

/// The options of a source of ours.
fn options(source: &Source) -> Result<Options, RenderError> {
    let parameters = source.0.get("plugin").and_then(|p| p.get("parameters"));
    Options::parse(&parameters.map(Value::to_string).unwrap_or_default())
}

fn foreign(app: &App, error: &Unconvertible) -> Failure {
    Failure::usage(format!("a source of {} can't be rendered with Freight: {error}", app.name()))
}

fn failed(app: &App, error: &RenderError) -> Failure {
    let failure =
        Failure::new(format!("{} can't be rendered: {error}", app.name())).exit(Exit::Usage);
    match error {
        RenderError::Internal(_) => {
            failure.next("Install helm and kustomize, in the versions of the sidecar's image")
        }
        RenderError::Unavailable(_) => failure.exit(Exit::Failed).next("Try again"),
        _ => failure,
    }
}
