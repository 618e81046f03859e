//! The last render of each source: what was sent for it and what was read, for whoever wants to send less; and which images are
//! in it, for whoever wants to know whether those of the Freight are used.

use std::collections::BTreeMap;
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use axum::routing::get;
use axum::{Json, Router};
use jiff::Timestamp;
use serde::Serialize;
use sha2::{Digest as _, Sha256};
use wharfinger_core::check::Check;
use wharfinger_core::paths::{self, Upload};
use wharfinger_core::url::shown;
use wharfinger_core::usage::Rendered;
use wharfinger_daemon::Clock;
use wharfinger_render::Read;

use crate::asked::AppName;

/// As many sources as one repo-server ever has, and as much as they come to unless somebody means harm. Of more, the oldest
/// go.
const MOST: usize = 10_000;
const BYTES: usize = 32 << 20;

#[derive(Clone, Default)]
pub struct Renders {
    clock: Clock,
    /// What renders, by name, and its version.
    tools: BTreeMap<&'static str, String>,
    last: Arc<Mutex<Last>>,
}

#[derive(Default)]
struct Last {
    renders: BTreeMap<Source, Render>,
    bytes: usize,
}

/// Which source: with its path, and of its repository a hash, since a URL may hold a secret.
type Source = (AppName, String, [u8; 32]);

/// One render, as the admin port shows it.
#[derive(Clone, Debug, PartialEq, Serialize)]
#[serde(rename_all = "camelCase")]
struct Render {
    namespace: String,
    application: String,
    /// As it may be shown.
    repository: String,
    /// The source's path in its repository, as are all paths here.
    path: String,
    /// The folder that was sent; all of the repository where it is empty.
    sent: String,
    bytes_received: u64,
    bytes_read: u64,
    paths_read: Vec<String>,
    /// The annotation that would be right.
    manifest_generate_paths: String,
    checks: Vec<Check>,
    #[serde(flatten)]
    rendered: Rendered,
    /// When, and how long it took.
    time: Timestamp,
    seconds: f64,
}

/// What came for a render.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Sent<'a> {
    pub(crate) repository: &'a str,
    pub(crate) path: &'a str,
    /// The folder of the repository that is the root of the files.
    pub(crate) above: &'a str,
    pub(crate) declared: Option<&'a str>,
    pub(crate) received: u64,
    /// How long the render took.
    pub(crate) took: Duration,
}

impl Renders {
    pub fn new(clock: Clock, tools: BTreeMap<&'static str, String>) -> Self {
        Self { clock, tools, last: Arc::default() }
    }

    /// What the admin port shows of them.
    pub fn routes(&self) -> Router {
        let (last, tools) = (Arc::clone(&self.last), self.tools.clone());
        let list = async move || {
            let last = last.lock().unwrap_or_else(PoisonError::into_inner);
            let all: Vec<_> = last.renders.values().cloned().collect();
            Json(serde_json::json!({ "tools": tools, "renders": all }))
        };
        Router::new().route("/renders", get(list))
    }

    /// Remembers a render. What is returned is new: it was not so the last time.
    pub(crate) fn tell(
        &self,
        app: &AppName,
        sent: Sent<'_>,
        read: &Read,
        rendered: Rendered,
    ) -> Vec<Check> {
        let Sent { repository, path, above, declared, received, took } = sent;
        let paths = paths::told(path, &read.paths);
        let checks = paths::judge(&Upload {
            namespace: &app.namespace,
            application: &app.name,
            path,
            declared,
            sent: above,
            received,
            read: read.size,
            paths: &paths,
        });
        let render = Render {
            namespace: app.namespace.clone(),
            application: app.name.clone(),
            repository: shown(repository),
            path: path.to_owned(),
            sent: above.to_owned(),
            bytes_received: received,
            bytes_read: read.size,
            manifest_generate_paths: paths::value(path, &paths),
            paths_read: paths.into_owned(),
            checks: checks.clone(),
            rendered,
            time: self.clock.now(),
            seconds: took.as_secs_f64(),
        };
        let source = (app.clone(), path.to_owned(), Sha256::digest(repository).into());
        let mut last = self.last.lock().unwrap_or_else(PoisonError::into_inner);
        let before = last.insert(source, render);
        let said =
            |check: &Check| before.iter().any(|b| (b.code, &b.fix) == (check.code, &check.fix));
        checks.into_iter().filter(|check| !said(check)).collect()
    }
}

impl Last {
    /// What is wrong with the paths is what is returned, as it was the last time.
    fn insert(&mut self, source: Source, render: Render) -> Vec<Check> {
        self.bytes += render.size();
        let before = self.renders.insert(source, render);
        self.bytes -= before.as_ref().map_or(0, Render::size);
        while self.renders.len() > MOST || self.bytes > BYTES {
            let oldest = self.renders.iter().min_by_key(|(_, render)| render.time);
            let Some(oldest) = oldest.map(|(source, _)| source.clone()) else { break };
            self.bytes -= self.renders.remove(&oldest).as_ref().map_or(0, Render::size);
        }
        before.map(|before| before.checks).unwrap_or_default()
    }
}

impl Render {
    /// About as many bytes as it takes.
    fn size(&self) -> usize {
        let images = &self.rendered.images;
        let lists = [&self.paths_read, &images.used, &images.others].into_iter().flatten();
        let checks = self.checks.iter().flat_map(|check| [&check.text, &check.fix]);
        let all = lists.chain(checks).chain([
            &self.repository,
            &self.path,
            &self.sent,
            &self.manifest_generate_paths,
        ]);
        size_of::<Self>() + all.map(|text| text.len() + size_of::<String>()).sum::<usize>()
    }
}

#[cfg(test)]
mod tests {
    use wharfinger_core::usage::Found;

    use super::*;

    #[test]
    fn sources_of_two_repositories_are_two_wherever_they_are_in_them() {
        let renders = Renders::default();
        let app = AppName { namespace: "argocd".into(), name: "web".into() };
        let tell = |repository: &str, received: u64| {
            let took = Duration::ZERO;
            let sent = Sent { repository, path: "app", above: "", declared: None, received, took };
            let rendered = Rendered {
                stage: "shop:dev".into(),
                collection: "c".into(),
                images: Found::default(),
            };
            renders.tell(&app, sent, &Read { size: 1, paths: vec!["app".into()] }, rendered)
        };
        let (a, b) = ("https://git.example/a", "https://ana:hunter2@git.example/b");
        assert_eq!(tell(a, 1_000_000).len(), 1);
        assert_eq!(tell(b, 1_000_000).len(), 1, "another source is new");
        assert_eq!(tell(a, 1_000_000), []);
        let last = renders.last.lock().unwrap();
        let shown: Vec<&str> =
            last.renders.values().map(|render| render.repository.as_str()).collect();
        assert_eq!(shown.len(), 2);
        assert!(shown.contains(&a) && shown.contains(&"https://git.example/b"), "{shown:?}");
    }

    #[test]
    fn what_is_kept_is_bounded_and_the_oldest_go() {
        let render = |time: &str, paths: &[&str]| Render {
            namespace: "argocd".into(),
            application: "web".into(),
            repository: String::new(),
            path: String::new(),
            sent: String::new(),
            bytes_received: 0,
            bytes_read: 0,
            paths_read: paths.iter().map(|path| (*path).to_owned()).collect(),
            manifest_generate_paths: String::new(),
            checks: vec![],
            rendered: Rendered {
                stage: "shop:dev".into(),
                collection: "c".into(),
                images: Found::default(),
            },
            time: format!("2026-11-21T10:{time}:00Z").parse().unwrap(),
            seconds: 0.0,
        };
        let source = |path: &str| {
            let app = AppName { namespace: "argocd".into(), name: "web".into() };
            (app, path.to_owned(), [0; 32])
        };
        let mut last = Last::default();
        let half = "x".repeat(BYTES / 2);
        last.insert(source("old"), render("00", &[]));
        let empty = last.bytes;
        last.insert(source("new"), render("02", &[&half]));
        last.insert(source("newer"), render("03", &[]));
        // In place of another one, it does not count twice.
        last.insert(source("new"), render("02", &[&half]));
        assert_eq!(last.renders.len(), 3);
        last.insert(source("between"), render("01", &[&half]));
        let left: Vec<&str> = last.renders.keys().map(|(_, path, _)| path.as_str()).collect();
        assert_eq!(left, ["new", "newer"]);
        last.insert(source("new"), render("04", &[]));
        assert_eq!(last.bytes, 2 * empty);
    }
}
