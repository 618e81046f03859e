//! `wharf watch`: what happens in a Project, as it happens.

use std::collections::BTreeMap;

use clap::Args;
use futures::StreamExt as _;
use jiff::SignedDuration;
use kube::runtime::WatchStreamExt as _;
use kube::runtime::watcher::{self, watcher};
use kube::{Api, Resource, ResourceExt as _};
use wharfinger_api::v1alpha1::{Promotion, Stage};
use wharfinger_core::promotion::over;

use crate::ask::{Limit, limit};
use crate::exit::{Exit, Failure};
use crate::follow::{Event, changes, health};
use crate::output::{Format, clean, documents, objects};
use crate::session::Session;
use crate::wait;

/// Follow what happens: a line for each change
///
/// Promotions are followed until they have ended, with the exit code that `promote --wait` has; Stages and Projects until
/// Ctrl-C.
#[derive(Debug, Args)]
#[command(after_help = "Examples:
  wharf watch
  wharf watch prod -o jsonl
  wharf watch prod.01kaj6v5b2m8q3w7x9ytz4rghd.b3e7149")]
pub struct Watch {
    /// Stages, or Promotions; without any, the whole Project
    names: Vec<String>,

    /// How long to wait for Promotions; 0 waits without limit
    #[arg(long, value_name = "DURATION", default_value = "0", value_parser = limit)]
    timeout: Limit,
}

impl Watch {
    pub async fn run(self, session: &Session) -> Result<Exit, Failure> {
        if self.names.is_empty() {
            return stages(session, &[]).await;
        }
        let api: Api<Promotion> = session.of_project().await?;
        let mut promotions = 0;
        for name in &self.names {
            let attempt = format!("read the Promotion {name}");
            if api.get_opt(name).await.map_err(|e| Failure::api(attempt, &e))?.is_some() {
                promotions += 1;
            } else {
                session.stage(name).await?;
            }
        }
        match promotions {
            0 => stages(session, &self.names).await,
            n if n == self.names.len() => follow(session, &self.names, self.timeout.0).await,
            _ => Err(Failure::usage("Stages and Promotions can't be watched together")
                .next("Name either Stages or Promotions")),
        }
    }
}

async fn follow(
    session: &Session,
    names: &[String],
    limit: Option<SignedDuration>,
) -> Result<Exit, Failure> {
    let ended = wait::wait(session, names, limit).await?;
    if !matches!(session.global.output, Format::Table | Format::Wide) {
        objects(&session.console, session.global.output, &ended, true)?;
    }
    Ok(wait::exit(&ended))
}

async fn stages(session: &Session, names: &[String]) -> Result<Exit, Failure> {
    tokio::select! {
        never = events(session, names) => never,
        _ = tokio::signal::ctrl_c() => Ok(Exit::Interrupted),
    }
}

async fn events(session: &Session, names: &[String]) -> Result<Exit, Failure> {
    let config = watcher::Config::default;
    let promotions = watcher(session.of_project::<Promotion>().await?, config());
    let stages = watcher(session.of_project::<Stage>().await?, config());
    let mut promotions = promotions.default_backoff().boxed();
    let mut stages = stages.default_backoff().boxed();
    let (mut known_promotions, mut known_stages) = (Known::default(), Known::default());
    let wanted = |stage: &str| names.is_empty() || names.iter().any(|name| name == stage);
    loop {
        let events = tokio::select! {
            Some(event) = promotions.next() => {
                let Some(change) = known_promotions.take(heard(session, event)?) else { continue };
                let Change { before, after, listed } = change;
                // What was over before anybody looked is history.
                if listed && over(&after) || !wanted(&after.spec.stage) {
                    continue;
                }
                changes(before.as_ref(), &after, session.now())
            }
            Some(event) = stages.next() => {
                let Some(change) = known_stages.take(heard(session, event)?) else { continue };
                let Change { before, after, listed } = change;
                if listed || !after.metadata.name.as_deref().is_some_and(wanted) {
                    continue;
                }
                health(before.as_ref(), &after, session.now()).into_iter().collect()
            }
        };
        for event in &events {
            print(session, event)?;
        }
    }
}

/// What a watch has shown so far.
struct Known<K> {
    objects: BTreeMap<String, K>,
    /// All that was there when the watch began is known.
    complete: bool,
}

struct Change<K> {
    before: Option<K>,
    after: K,
    /// It was so when the watch began.
    listed: bool,
}

impl<K> Default for Known<K> {
    fn default() -> Self {
        Self { objects: BTreeMap::new(), complete: false }
    }
}

impl<K: Resource + Clone> Known<K> {
    fn take(&mut self, event: Option<watcher::Event<K>>) -> Option<Change<K>> {
        match event? {
            watcher::Event::Init => None,
            watcher::Event::InitDone => {
                self.complete = true;
                None
            }
            watcher::Event::Delete(gone) => {
                self.objects.remove(&gone.name_any());
                None
            }
            watcher::Event::Apply(after) | watcher::Event::InitApply(after) => {
                let before = self.objects.insert(after.name_any(), after.clone());
                Some(Change { before, after, listed: !self.complete })
            }
        }
    }
}

/// An event, or nothing where the connection is being made again; a failure where that is of no use.
fn heard<K>(
    session: &Session,
    event: Result<watcher::Event<K>, watcher::Error>,
) -> Result<Option<watcher::Event<K>>, Failure> {
    match event {
        Ok(event) => Ok(Some(event)),
        Err(error) => match wait::forbidden(&error) {
            Some(failure) => Err(failure),
            None => {
                let text = format!("the connection is lost, trying again: {error}");
                session.console.say(clean(&text));
                Ok(None)
            }
        },
    }
}

fn print(session: &Session, event: &Event) -> Result<(), Failure> {
    let Session { console, global, .. } = session;
    match global.output {
        Format::Table | Format::Wide if console.out.terminal => {
            console.line(event.shown(console.out))?;
        }
        Format::Table | Format::Wide => console.line(event.logged())?,
        Format::Name => console.line(clean(&event.promotion))?,
        Format::Yaml => documents(console, Format::Yaml, std::slice::from_ref(event))?,
        Format::Json | Format::Jsonl => {
            documents(console, Format::Jsonl, std::slice::from_ref(event))?;
        }
    }
    Ok(())
}
