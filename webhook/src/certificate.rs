//! The webhook's own certificate: made, renewed and made known to the API server, without a restart and without a review
//! that fails for it.
//!
//! It lies in one Secret, which all replicas share. Each of them watches that Secret and the two configurations, and does
//! what is due. A write to the Secret carries its resourceVersion: whoever comes second looks again. The Secret is written
//! before the configurations, so what is read of it after a configuration was seen is never older than that.

mod bundle;
mod pair;
mod stored;

use std::sync::Arc;
use std::time::Duration;

use anyhow::{Context as _, bail};
use futures::stream::{BoxStream, select_all};
use futures::{Stream, StreamExt as _};
use k8s_openapi::api::core::v1::Secret;
use k8s_openapi::jiff::{SignedDuration, Timestamp};
use kube::api::{DynamicObject, PostParams};
use kube::runtime::{WatchStreamExt as _, watcher};
use kube::{Api, Client, ResourceExt as _};
use rustls::ServerConfig;
use tokio::sync::watch;
use tokio::time::sleep;
use tracing::{debug, info, warn};
use wharfinger_core::certificate::{Held, Step, Validity};
use wharfinger_daemon::{Clock, Gate, Shutdown, tls};

use self::bundle::Configurations;
use self::pair::Pair;
use self::stored::Stored;

/// In the webhook's namespace. It is part of the installation: the webhook may fill it, not create it.
const SECRET: &str = "wharfinger-webhook-tls";
/// When something went wrong that no watch tells the end of.
const RETRY: Duration = Duration::from_secs(5);
/// Clocks are set, and machines sleep: longer than this nobody waits without looking.
const LONGEST: SignedDuration = SignedDuration::from_hours(1);

pub(crate) struct Keeper {
    secrets: Api<Secret>,
    configurations: Configurations,
    names: Vec<String>,
    life: SignedDuration,
    clock: Clock,
    /// As it was seen last; nothing before, and nothing in it where it is missing.
    secret: Option<Option<Secret>>,
    /// What new connections are shown.
    shown: Option<Pair>,
    show: watch::Sender<Option<Arc<ServerConfig>>>,
    gate: Gate,
}

enum Seen {
    Secret(Option<Secret>),
    Configuration(usize, Option<DynamicObject>),
}

impl Keeper {
    /// A certificate for those names, kept in that namespace. `gate` opens when there is one that the API server trusts.
    pub(crate) fn new(
        client: &Client,
        namespace: &str,
        names: Vec<String>,
        life: SignedDuration,
        clock: Clock,
        gate: Gate,
    ) -> Self {
        Self {
            secrets: Api::namespaced(client.clone(), namespace),
            configurations: Configurations::new(client),
            names,
            life,
            clock,
            secret: None,
            shown: None,
            show: watch::Sender::new(None),
            gate,
        }
    }

    /// Shows what is kept.
    pub(crate) fn identity(&self) -> tls::Identity {
        tls::Identity::given(self.show.subscribe())
    }

    /// Keeps at it until the shutdown.
    pub(crate) async fn run(mut self, shutdown: Shutdown) -> anyhow::Result<()> {
        let mut changes = self.changes();
        let mut rest = Duration::ZERO;
        loop {
            tokio::select! {
                () = shutdown.cancelled() => return Ok(()),
                () = sleep(rest) => {}
                seen = changes.next() => match seen {
                    Some(Ok(Seen::Secret(secret))) => self.secret = Some(secret),
                    Some(Ok(Seen::Configuration(which, seen))) => self.configurations.see(which, seen),
                    Some(Err(error)) => {
                        warn!(%error, "Watch of the certificate interrupted");
                        continue;
                    }
                    None => bail!("the watch of the certificate ended"),
                },
            }
            rest = match self.act().await {
                Ok(until) => self.rest(until),
                // Another replica was faster, and the watch brings what it wrote.
                Err(error) if second(&error) => {
                    debug!("Another replica writes the certificate");
                    RETRY
                }
                Err(error) => {
                    warn!(error = format!("{error:#}"), "Certificate not kept; trying again");
                    RETRY
                }
            };
        }
    }

    /// Does everything that is due, and says when to look again.
    async fn act(&mut self) -> anyhow::Result<Timestamp> {
        loop {
            let now = self.clock.now();
            let (Some(secret), true) = (self.secret.clone(), self.configurations.seen()) else {
                return Ok(Timestamp::MAX);
            };
            let Some(secret) = secret else {
                bail!("there is no Secret {SECRET} to keep it in: apply manifests/webhook again");
            };
            let stored = Stored::of(&secret);
            if self.configurations.differ(&stored.bundle()) {
                let now = self.secrets.get(SECRET).await.context("reading the Secret")?;
                self.configurations.publish(&Stored::of(&now).bundle()).await?;
            }
            let held = Held {
                serving: stored.serving(&self.names),
                next: stored.next(&self.names),
                authorities: stored.authorities.iter().map(|a| a.validity).collect(),
                trusted: self.configurations.trust(&stored.bundle()),
            };
            self.show(&stored, &held)?;
            let step = Step::next(&held, now);
            let stored = match step {
                Step::Wait(until) => return Ok(until),
                step => self.take(step, stored, now)?,
            };
            let changed = stored.into_secret(secret);
            let written = self.secrets.replace(SECRET, &PostParams::default(), &changed).await;
            let written = written.context("writing the Secret")?;
            info!(?step, version = written.resource_version(), "Certificate");
            self.secret = Some(Some(written));
        }
    }

    fn take(&self, step: Step, mut stored: Stored, now: Timestamp) -> anyhow::Result<Stored> {
        match step {
            Step::Make => {
                let made = pair::make(&self.names, Validity::of_new(self.life, now))?;
                // Whoever still shows an older one, since the Secret was emptied under it, is to stay trusted.
                stored.authorities.extend(pair::ours(&self.configurations.published()));
                stored.trust(made.authority, now);
                (stored.serving, stored.next) = (Some(made.pair), None);
            }
            Step::Prepare => {
                let made = pair::make(&self.names, Validity::of_new(self.life, now))?;
                stored.trust(made.authority, now);
                stored.next = Some(made.pair);
            }
            Step::Switch => stored.serving = stored.next.take(),
            Step::Forget => stored.forget(now),
            Step::Wait(_) => {}
        }
        Ok(stored)
    }

    /// Shows what is stored. Whoever can be told to trust it has been told.
    fn show(&mut self, stored: &Stored, held: &Held) -> anyhow::Result<()> {
        let (Some(pair), Some(Validity { until, .. })) = (&stored.serving, held.serving) else {
            return Ok(());
        };
        if self.shown.as_ref() != Some(pair) {
            self.show.send_replace(Some(tls::server_config(&pair.cert, &pair.key)?));
            self.shown = Some(pair.clone());
            info!(%until, "Certificate shown");
        }
        if held.trusted {
            self.gate.open();
        }
        Ok(())
    }

    fn rest(&self, until: Timestamp) -> Duration {
        let rest = until.duration_since(self.clock.now()).min(LONGEST);
        // Not before its time has come: timers may be a little early.
        Duration::try_from(rest).unwrap_or_default() + Duration::from_millis(1)
    }

    fn changes(&self) -> impl Stream<Item = watcher::Result<Seen>> + Send + use<> {
        let secret = watcher::watch_object(self.secrets.clone(), SECRET);
        let secret = secret.map(|seen| seen.map(Seen::Secret)).default_backoff();
        let mut all: Vec<BoxStream<'static, watcher::Result<Seen>>> = vec![secret.boxed()];
        for (which, seen) in self.configurations.watch().into_iter().enumerate() {
            let seen = seen.map(move |seen| seen.map(|seen| Seen::Configuration(which, seen)));
            all.push(seen.default_backoff().boxed());
        }
        select_all(all)
    }
}

/// Whether the API server refused a write because somebody else had written.
fn second(error: &anyhow::Error) -> bool {
    error.downcast_ref::<kube::Error>().is_some_and(
        |error| matches!(error, kube::Error::Api(status) if [409, 422].contains(&status.code)),
    )
}

#[cfg(test)]
mod tests;
