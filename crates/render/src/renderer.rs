//! Files + options → [`Base`], made once and kept.

use std::collections::BTreeSet;
use std::sync::Arc;

use sha2::{Digest as _, Sha256};
use tokio::task::spawn_blocking;
use tokio::time::{Instant, timeout_at};
use wharfinger_api::v1alpha1::FreightCollection;
use wharfinger_core::paths::outermost;

use crate::blocking::blocking;
use crate::cache::{Cache, Key};
use crate::source::Place;
use crate::tools::{Program, Tools};
use crate::{
    Base, Charts, Files, Kind, Options, RenderError, chart, documents, helm, kustomize, plain,
};

/// What a base is made from, besides files.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Inputs {
    /// The Application's folder, from the root of the files. The root itself is the empty name.
    pub folder: String,
    pub target: Target,
    pub options: Options,
    /// The folder of the repository that is the root of the files: Argo CD need not hand over all of it.
    pub above: String,
    /// The source's repository, as it names it.
    pub repository: String,
    /// The charts of the Freight.
    pub charts: Charts,
}

impl Inputs {
    pub(crate) fn place(&self) -> Place<'_> {
        Place { folder: &self.folder, above: &self.above }
    }

    /// With all that Freight decides before the tools run: the values of expressions, and the versions of charts.
    pub async fn with_freight(self, collection: &FreightCollection) -> Result<Self, RenderError> {
        let (charts, mut options) = (Charts::of(collection), self.options);
        if options.has_expressions() {
            let collection = collection.clone();
            options = blocking(move || options.evaluated(&collection)).await??;
        }
        Ok(Self { options, charts, ..self })
    }
}

/// Where the result is to go, as far as a chart can ask.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Target {
    /// The Application's name, without its namespace.
    pub name: String,
    /// The destination's.
    pub namespace: String,
    pub kube_version: String,
    pub api_versions: Vec<String>,
}

pub struct Renderer {
    tools: Tools,
    cache: Cache,
}

impl Renderer {
    /// `memory` is what bases may take, in bytes.
    pub fn new(tools: Tools, memory: usize) -> Self {
        Self { tools, cache: Cache::new(memory) }
    }

    /// The base that was made from these very bytes before: `upload` is their SHA-256, whatever form they had.
    pub fn recall(&self, inputs: &Inputs, upload: &[u8; 32]) -> Option<Made> {
        self.cache.find(&self.alias(inputs, upload)).map(|(base, read)| Made { base, read })
    }

    /// The base of an Application. `upload`, where it is given, is remembered for [`recall`](Self::recall).
    pub async fn base(
        &self,
        inputs: &Inputs,
        files: Files,
        upload: Option<&[u8; 32]>,
        deadline: Instant,
    ) -> Result<Made, RenderError> {
        let made = timeout_at(deadline, self.make(inputs, Arc::new(files), deadline));
        let (key, made) = made.await.map_err(|_| RenderError::Deadline)??;
        if let Some(upload) = upload {
            self.cache.alias(self.alias(inputs, upload), key, Arc::clone(&made.read));
        }
        Ok(made)
    }

    /// How many bases are kept, and the bytes they take.
    pub fn kept(&self) -> (usize, usize) {
        self.cache.size()
    }

    async fn make(
        &self,
        inputs: &Inputs,
        files: Arc<Files>,
        deadline: Instant,
    ) -> Result<(Key, Made), RenderError> {
        let kind = Kind::chosen(&files, &inputs.folder, &inputs.options)?;
        let program = self.program(kind)?;
        let files = if inputs.charts.is_empty() {
            files
        } else {
            let inputs = inputs.clone();
            let with_freight = move || match kind {
                Kind::Helm => chart::with_freight(files, &inputs),
                Kind::Kustomize | Kind::Plain => chart::own(&files, &inputs).map(|()| files),
            };
            blocking(with_freight).await??
        };

        let seen = blocking({
            let (files, inputs) = (Arc::clone(&files), inputs.clone());
            let version = program.map(|p| p.version.clone()).unwrap_or_default();
            move || Seen::of(kind, &version, &files, &inputs)
        });
        let Seen { key, how, read } = seen.await??;
        let read = Arc::new(read);
        if let Some(base) = self.cache.get(&key) {
            return Ok((key, Made { base, read }));
        }

        let output = match (how, program) {
            (How::Kustomize(folders), Some(program)) => {
                let files = Arc::clone(&files);
                Some(kustomize::output(program, files, &folders, inputs, deadline).await?)
            }
            (How::Helm(chart), Some(program)) => {
                let files = Arc::clone(&files);
                Some(helm::output(program, files, inputs, &chart, deadline).await?)
            }
            _ => None,
        };
        let (inputs, tool) = (inputs.clone(), program.map_or("", |program| program.name));
        let base = blocking(move || {
            let objects = match output {
                Some(text) => documents::objects(&format!("the output of {tool}"), &text)?,
                None => plain::objects(&plain::files(&files, inputs.place(), &inputs.options)?)?,
            };
            Base::of(kind, &objects, &inputs.options).map(|base| (base, objects))
        });
        let (base, objects) = base.await??;
        // Ten thousands of small pieces: they go while the answer is on its way.
        drop(spawn_blocking(move || drop(objects)));
        let base = Arc::new(base);
        self.cache.put(key, &base);
        Ok((key, Made { base, read }))
    }

    pub(crate) fn program(&self, kind: Kind) -> Result<Option<&Program>, RenderError> {
        let (name, program) = match kind {
            Kind::Plain => return Ok(None),
            Kind::Kustomize => ("kustomize", &self.tools.kustomize),
            Kind::Helm => ("helm", &self.tools.helm),
        };
        let missing = || {
            RenderError::Internal(format!(
                "the source is {}, but {name} is not installed beside the plugin",
                kind.name()
            ))
        };
        program.as_ref().ok_or_else(missing).map(Some)
    }

    fn alias(&self, inputs: &Inputs, upload: &[u8; 32]) -> Key {
        let mut hash = Hash::new("upload");
        hash.bytes(upload)
            .text(&inputs.above)
            .text(&inputs.folder)
            .target(&inputs.target)
            .options(&inputs.options);
        hash.charts(&inputs.repository, &inputs.charts);
        for program in [&self.tools.helm, &self.tools.kustomize] {
            hash.text(program.as_ref().map_or("", |p| p.version.as_str()));
        }
        hash.key()
    }
}

/// What a base is made from, and nothing else, so that a commit elsewhere or another assignment finds it by its key.
struct Seen {
    key: Key,
    how: How,
    read: Read,
}

enum How {
    Plain,
    Helm(Box<helm::Read>),
    /// With the folders that are built.
    Kustomize(BTreeSet<String>),
}

/// A base, and what it was made from.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Made {
    pub base: Arc<Base>,
    pub read: Arc<Read>,
}

/// The files that were read.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Read {
    /// In bytes.
    pub size: u64,
    /// From the repository's root; a folder, where what lies in it is read.
    pub paths: Vec<String>,
}

impl Read {
    /// How much memory it takes, about.
    pub(crate) fn weight(&self) -> usize {
        let paths = self.paths.iter().map(|path| size_of::<String>() + path.len());
        size_of::<Self>() + paths.sum::<usize>()
    }
}

impl Seen {
    fn of(kind: Kind, version: &str, files: &Files, inputs: &Inputs) -> Result<Self, RenderError> {
        let mut hash = Hash::new(kind.name());
        hash.text(version).options(&inputs.options);
        let mut size = 0;
        let mut file = |hash: &mut Hash, name: &str, content: &[u8]| {
            hash.text(name).bytes(content);
            size += content.len() as u64;
        };
        // A link means another thing when what it leads to changes.
        let mut paths = Vec::new();
        let mut led_to = |name: &str| paths.extend(files.led_to(name));
        let (how, own) = match kind {
            Kind::Plain => {
                for (name, content) in plain::files(files, inputs.place(), &inputs.options)? {
                    file(&mut hash, name, content);
                    led_to(&format!("{}/{name}", inputs.folder));
                }
                (How::Plain, vec![inputs.folder.clone()])
            }
            Kind::Helm => {
                let chart = helm::read(files, inputs)?;
                hash.text(&inputs.folder).target(&inputs.target);
                for name in &chart.all {
                    file(&mut hash, name, files.get(name).unwrap_or_default());
                    led_to(name);
                }
                let own = chart.paths.clone();
                (How::Helm(Box::new(chart)), own)
            }
            Kind::Kustomize => {
                let build = kustomize::build(files, inputs)?;
                hash.text(&inputs.folder);
                for (name, content) in kustomize::files(files, &build.folders) {
                    file(&mut hash, name, content);
                }
                // Not all that lies there is read.
                let named = build.named.iter().filter(|name| files.get(name).is_some());
                build.folders.iter().chain(named).for_each(|name| led_to(name));
                let own = build.folders.iter().cloned().collect();
                (How::Kustomize(build.folders), own)
            }
        };
        paths.extend(own);
        let paths = outermost(paths.iter().map(String::as_str));
        let paths = paths.into_iter().map(|path| inputs.place().within(path)).collect();
        Ok(Self { key: hash.key(), how, read: Read { size, paths } })
    }
}

/// SHA-256 over parts that can't run into each other.
struct Hash(Sha256);

impl Hash {
    fn new(what: &str) -> Self {
        let mut hash = Self(Sha256::new());
        hash.text(what);
        hash
    }

    fn bytes(&mut self, part: &[u8]) -> &mut Self {
        self.0.update((part.len() as u64).to_le_bytes());
        self.0.update(part);
        self
    }

    fn text(&mut self, part: &str) -> &mut Self {
        self.bytes(part.as_bytes())
    }

    fn target(&mut self, target: &Target) -> &mut Self {
        let Target { name, namespace, kube_version, api_versions } = target;
        self.text(name).text(namespace).text(kube_version);
        self.bytes(&(api_versions.len() as u64).to_le_bytes());
        for version in api_versions {
            self.text(version);
        }
        self
    }

    fn options(&mut self, options: &Options) -> &mut Self {
        // Serialised, so that an option added later is part of the key by itself.
        self.text(&serde_json::to_string(options).unwrap_or_default())
    }

    fn charts(&mut self, repository: &str, charts: &Charts) -> &mut Self {
        // Without charts, it does not count where the source is from.
        for (chart, versions) in charts.entries() {
            self.text(repository).text(chart).text(&versions.join(" "));
        }
        self
    }

    fn key(self) -> Key {
        self.0.finalize().into()
    }
}

#[cfg(test)]
mod tests;
