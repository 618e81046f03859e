//! The server as a value: what it is made of, and the doors into it.

use std::collections::{BTreeMap, BTreeSet};
use std::convert::Infallible;
use std::path::PathBuf;
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use axum::Router;
use http::Request;
use jiff::Timestamp;
use sha2::{Digest as _, Sha256};
use ulid::Ulid;

use crate::answer::{answer, answer_a_browser};
use crate::catalog::Catalog;
use crate::install;
use crate::log::{self, Error, Kept};
use crate::store::{Key, Store};
use crate::user::User;
use crate::webhook::{Service, Webhooks};

/// Where the server takes the time from.
pub type Clock = Arc<dyn Fn() -> Timestamp + Send + Sync>;

pub struct Options {
    pub clock: Clock,
    /// Uids and generated names follow from it. Without one they are new each time.
    pub seed: Option<String>,
    /// Where everything is kept. Without one it is gone with the process.
    pub file: Option<PathBuf>,
    /// How many changes can be watched afterwards.
    pub history: usize,
    /// Whose a bearer token is. Tokens of ServiceAccounts come on top.
    pub tokens: BTreeMap<String, User>,
    /// Who asks without any token. kubectl sends none over plain HTTP.
    pub without_token: User,
    /// Origins whose pages may read answers.
    pub origins: Vec<String>,
}

impl Default for Options {
    fn default() -> Self {
        Self {
            clock: Arc::new(Timestamp::now),
            seed: None,
            file: None,
            history: 10_000,
            tokens: BTreeMap::new(),
            without_token: User::anonymous(),
            origins: Vec::new(),
        }
    }
}

/// One API server. Clones are the same server.
#[derive(Clone)]
pub struct LocalApi(Arc<State>);

impl LocalApi {
    /// With the namespaces and RBAC objects that every cluster has.
    pub fn new(options: Options) -> Result<Self, Error> {
        // Named one by one, so that an option nobody reads is a compiler warning.
        let Options { clock, seed, file, history, tokens, without_token, origins } = options;
        let seed = seed.unwrap_or_else(|| Ulid::generate().to_string());
        let (kept, log) = match &file {
            Some(file) => log::open(file, &seed).map(|(kept, log)| (kept, Some(log)))?,
            None => (Kept::default(), None),
        };
        let mut store = Store::new(history, kept.revision, kept.objects);
        if let Some(log) = log {
            store.keep_in(log);
        }
        let state = State {
            start: store.revision(),
            world: Mutex::new(World {
                catalog: Catalog::of(&store),
                store,
                sweep: true,
                removing: BTreeSet::new(),
            }),
            clock,
            seed: kept.seed.unwrap_or(seed),
            drawn: AtomicU64::new(0),
            tokens,
            without_token,
            origins,
            webhooks: Webhooks::default(),
        };
        install::what_every_cluster_has(&state);
        Ok(Self(Arc::new(state)))
    }

    /// A client that needs no socket and is `user`.
    pub fn client(&self, user: User) -> kube::Client {
        let state = self.0.clone();
        let service = tower::service_fn(move |request: Request<kube::client::Body>| {
            let (state, user) = (state.clone(), user.clone());
            async move { Ok::<_, Infallible>(answer(state, Some(user), request).await) }
        });
        kube::Client::new(service, "default")
    }

    /// For a listener, with or without TLS. Who asks is found out from bearer tokens.
    pub fn router(&self) -> Router {
        let state = self.0.clone();
        Router::new().fallback(move |request: axum::extract::Request| {
            let state = state.clone();
            async move { answer_a_browser(state, request).await }
        })
    }

    /// Creates or replaces what a YAML text holds, as one who may do everything.
    pub async fn apply(&self, yaml: &str) -> Result<(), install::Refused> {
        install::apply(&self.0, yaml).await
    }

    /// Who answers when a webhook names this Service.
    pub fn serve(&self, namespace: &str, name: &str, service: Service) {
        self.0.webhooks.serve(namespace, name, service);
    }

    /// Forgets all that happened: every watch expires, and its client has to list again.
    pub fn forget(&self) {
        self.0.world().store.forget();
    }

    /// The resourceVersion of the last change.
    pub fn version(&self) -> u64 {
        self.0.world().store.revision()
    }
}

pub(crate) struct State {
    world: Mutex<World>,
    pub(crate) clock: Clock,
    pub(crate) seed: String,
    /// The revision at the start.
    start: u64,
    /// How many uids and names were drawn since.
    drawn: AtomicU64,
    pub(crate) tokens: BTreeMap<String, User>,
    pub(crate) without_token: User,
    pub(crate) origins: Vec<String>,
    pub(crate) webhooks: Webhooks,
}

pub(crate) struct World {
    pub(crate) store: Store,
    pub(crate) catalog: Catalog,
    /// Something may belong to something that is gone.
    pub(crate) sweep: bool,
    /// What is being removed for that reason.
    pub(crate) removing: BTreeSet<Key>,
}

impl State {
    pub(crate) fn world(&self) -> MutexGuard<'_, World> {
        self.world.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Now, as it stands in metadata: whole seconds.
    pub(crate) fn now(&self) -> String {
        (self.clock)().strftime("%Y-%m-%dT%H:%M:%SZ").to_string()
    }

    pub(crate) fn draw_uid(&self) -> String {
        let bytes = self.draw();
        let mut hex: Vec<char> = bytes
            .iter()
            .take(16)
            .flat_map(|byte| format!("{byte:02x}").chars().collect::<Vec<_>>())
            .collect();
        // A random UUID says so.
        hex[12] = '4';
        hex[16] = 'a';
        for dash in [8, 13, 18, 23] {
            hex.insert(dash, '-');
        }
        hex.into_iter().collect()
    }

    /// Five letters for the end of a generated name.
    pub(crate) fn draw_suffix(&self) -> String {
        const LETTERS: &[u8] = b"bcdfghjklmnpqrstvwxz2456789";
        let letter = |byte: &u8| char::from(LETTERS[usize::from(*byte) % LETTERS.len()]);
        self.draw().iter().take(5).map(letter).collect()
    }

    fn draw(&self) -> Vec<u8> {
        let number = self.drawn.fetch_add(1, Ordering::Relaxed);
        Sha256::digest(format!("{}/{}/{number}", self.seed, self.start)).to_vec()
    }
}
