//! The cluster in one process, with every role at work.

use std::collections::BTreeMap;
use std::path::Path;
use std::sync::Arc;

use anyhow::{Context as _, Result, anyhow};
use kube::Client;
use prometheus_client::registry::Registry;
use tokio::task::JoinHandle;
use ulid::Ulid;
use wharfinger_controller::Controller;
use wharfinger_controller::fault::Faults;
use wharfinger_core::admission::Identities;
use wharfinger_daemon::{Clock, Readiness, Shutdown, Tasks};
use wharfinger_localapi::{LocalApi, Service, User};
use wharfinger_render::files::Limits;
use wharfinger_render::{Renderer, Tools};
use wharfinger_sidecar::cluster::Cluster;
use wharfinger_sidecar::facts::Facts;
use wharfinger_sidecar::metrics::Metrics;
use wharfinger_sidecar::renders::Renders;
use wharfinger_sidecar::service::{self, Plugin, Settings};
use wharfinger_sidecar::socket::Socket;
use wharfinger_sidecar::upload::Small;
use wharfinger_webhook::{MakeUlid, Webhook};

use crate::argocd::ArgoCd;
use crate::manifests;
use crate::repository::Repository;

/// Where Applications are, and the namespace of the stand-in.
pub(crate) const ARGOCD: &str = "argocd";
const OURS: &str = "wharfinger";
const CACHE: usize = 64 << 20;
const UPLOAD: u64 = 100 << 20;

#[derive(Default)]
pub struct Options {
    pub clock: Clock,
    /// Names that are drawn follow from it. Without one they are new each time.
    pub seed: Option<u64>,
    /// Kustomize and Helm, where they are.
    pub tools: Tools,
    /// Whose a bearer token is.
    pub tokens: BTreeMap<String, User>,
}

pub struct World {
    pub api: LocalApi,
    pub repository: Repository,
    pub clock: Clock,
    shutdown: Shutdown,
    running: JoinHandle<Result<()>>,
}

impl World {
    /// Starts every role, with what they keep on disk in `folder`, and waits until they are ready.
    pub async fn start(folder: &Path, options: Options) -> Result<Self> {
        let Options { clock, seed, tools, tokens } = options;
        let time = clock.clone();
        let api = LocalApi::new(wharfinger_localapi::Options {
            clock: Arc::new(move || time.now()),
            seed: seed.map(|seed| seed.to_string()),
            tokens,
            ..wharfinger_localapi::Options::default()
        })?;
        for manifest in manifests::INSTALLED {
            api.apply(manifest).await?;
        }
        let repository = Repository::create(&folder.join("shop.git"))?;

        let mut tasks = Tasks::until(Shutdown::new());
        // One for each role: they have gates of the same names.
        let ready: [Readiness; 4] = Default::default();
        let account =
            |namespace: &str, name: &str| api.client(User::service_account(namespace, name));
        let webhook = Webhook::new(
            account(OURS, "wharfinger-webhook"),
            identities(),
            clock.clone(),
            ulids(seed, &clock),
        );
        let router = webhook.start(&ready[0], &mut Registry::default(), &mut tasks);
        api.serve(OURS, "wharfinger-webhook", Service::Router(router));
        api.apply(manifests::WEBHOOK).await?;

        let client = account(OURS, "wharfinger-controller");
        Controller { client, workers: 8, clock: clock.clone(), faults: Faults::default() }
            .start(&ready[1], &mut tasks);

        let facts = Facts::watched(
            Cluster::new(account(ARGOCD, "argocd-repo-server")),
            &ready[2],
            &mut tasks,
        );
        let settings = Settings {
            argocd_namespace: ARGOCD.into(),
            max_upload: UPLOAD,
            limits: Limits::default(),
            small: Small::default(),
            concurrency: 4,
        };
        let metrics = Metrics::register(&mut Registry::default(), &tools.versions());
        let plugin =
            Plugin::new(facts, Renderer::new(tools, CACHE), metrics, Renders::default(), settings);
        let socket = folder.join("wharfinger.sock");
        let bound = Socket::bind(&socket)
            .with_context(|| format!("can't listen on {}", socket.display()))?;
        tasks.spawn("sidecar", service::serve(bound, plugin, tasks.shutdown()));

        let argocd = ArgoCd {
            client: account(ARGOCD, "argocd-application-controller"),
            repository: repository.clone(),
            socket,
            clock: clock.clone(),
        };
        tasks.spawn("argocd", argocd.run(ready[3].gate("argocd"), tasks.shutdown()));

        let shutdown = tasks.shutdown();
        #[expect(clippy::disallowed_methods, reason = "kept, and waited for in the end")]
        let mut running = tokio::spawn(tasks.run());
        tokio::select! {
            () = all(&ready) => {}
            ended = &mut running => {
                ended.map_err(anyhow::Error::new).flatten()?;
                return Err(anyhow!("a role ended before all were ready"));
            }
        }
        Ok(Self { api, repository, clock, shutdown, running })
    }

    /// A client that is `who`.
    pub fn client(&self, who: &User) -> Client {
        self.api.client(who.clone())
    }

    /// Waits for the end, which comes only when a role fails. `stop` has the reason.
    pub async fn ended(&self) {
        self.shutdown.cancelled().await;
    }

    /// Ends every role in good order.
    pub async fn stop(self) -> Result<()> {
        self.shutdown.cancel();
        self.running.await?
    }
}

async fn all(ready: &[Readiness]) {
    for one in ready {
        one.ready().await;
    }
}

fn identities() -> Identities {
    let account = |namespace: &str, name: &str| format!("system:serviceaccount:{namespace}:{name}");
    Identities {
        controller: account(OURS, "wharfinger-controller"),
        argocd: vec![account(ARGOCD, "argocd-application-controller")],
    }
}

/// With a seed, one after the other from there.
fn ulids(seed: Option<u64>, clock: &Clock) -> MakeUlid {
    match seed {
        Some(seed) => {
            let mut next = u128::from(seed) << 64;
            Box::new(move || {
                next += 1;
                Ulid(next)
            })
        }
        None => {
            let (clock, mut generator) = (clock.clone(), ulid::Generator::new());
            Box::new(move || {
                let now = clock.now().into();
                generator.generate_from_datetime(now).unwrap_or_else(|_| Ulid::generate())
            })
        }
    }
}
