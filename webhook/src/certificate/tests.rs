//! Replicas that keep one certificate, through hours that pass in a second, seen by an API server that shakes hands with them.

use base64::prelude::{BASE64_STANDARD, Engine as _};
use k8s_openapi::api::admissionregistration::v1::ValidatingWebhookConfiguration;
use k8s_openapi::api::rbac::v1::ClusterRole;
use kube::api::{Patch, PatchParams};
use rustls::crypto::ring;
use rustls::pki_types::{CertificateDer, ServerName, UnixTime, pem::PemObject as _};
use rustls::time_provider::TimeProvider;
use rustls::{ClientConfig, ClientConnection, RootCertStore, ServerConnection};
use serde_json::{Value, json};
use tokio::task::{AbortHandle, JoinSet};
use wharfinger_daemon::Readiness;
use wharfinger_localapi::{LocalApi, Options, User};

use super::*;

const NAME: &str = "wharfinger-webhook.wharfinger.svc";
const OURS: &str = "wharfinger";
/// Short: watches are begun anew every five minutes, and that takes its time even where time is free.
const LIFE: SignedDuration = SignedDuration::from_hours(2);
const SECRETS: &str = include_str!("../../../manifests/webhook/secret.yaml");
const INSTALLED: [&str; 4] = [
    include_str!("../../../manifests/base/namespace.yaml"),
    include_str!("../../../manifests/rbac/webhook.yaml"),
    include_str!("../../../manifests/webhook/webhook.yaml"),
    SECRETS,
];

struct World {
    api: LocalApi,
    clock: Clock,
    replicas: Vec<Replica>,
    tasks: JoinSet<anyhow::Result<()>>,
}

struct Replica {
    shown: watch::Receiver<Option<Arc<ServerConfig>>>,
    readiness: Readiness,
    keeper: AbortHandle,
}

impl World {
    /// Without a replica.
    async fn new() -> Self {
        wharfinger_daemon::crypto();
        let clock = Clock::with_timers("2026-01-01T00:00:00Z".parse().unwrap());
        let time = clock.clone();
        let options = Options { clock: Arc::new(move || time.now()), ..Options::default() };
        let api = LocalApi::new(options).unwrap();
        for manifest in INSTALLED {
            api.apply(manifest).await.unwrap();
        }
        Self { api, clock, replicas: vec![], tasks: JoinSet::new() }
    }

    /// One more, on a machine whose clock is that much ahead.
    fn start(&mut self, ahead: SignedDuration) {
        let (readiness, time) = (Readiness::default(), self.clock.clone());
        let keeper = Keeper::new(
            &self.ours(),
            OURS,
            vec![NAME.into()],
            LIFE,
            Clock::with_timers(time.now() + ahead),
            readiness.gate("certificate"),
        );
        let shown = keeper.show.subscribe();
        let keeper = self.tasks.spawn(keeper.run(Shutdown::new()));
        self.replicas.push(Replica { shown, readiness, keeper });
    }

    fn ours(&self) -> Client {
        self.api.client(User::service_account(OURS, "wharfinger-webhook"))
    }

    async fn ready(&self) {
        for replica in &self.replicas {
            replica.readiness.ready().await;
        }
    }

    /// Until one of them shows another certificate, or that time has passed.
    async fn pass(&mut self, time: Duration) {
        let changed = self.replicas.iter_mut().map(|replica| {
            Box::pin(async {
                if replica.shown.changed().await.is_err() {
                    std::future::pending::<()>().await;
                }
            })
        });
        tokio::select! {
            ((), ..) = futures::future::select_all(changed) => {}
            () = sleep(time) => {}
        }
    }

    /// What one replica shows, as an API server finds that calls it by any of the webhooks.
    async fn hands_are_shaken(&self) -> Vec<CertificateDer<'static>> {
        let mut shown = vec![];
        for bundle in self.bundles().await {
            for replica in &self.replicas {
                let config = replica.shown.borrow().clone().expect("it shows something");
                shown.push(shake(config, &bundle, self.clock.now()));
            }
        }
        shown
    }

    /// Whom each webhook's entry says to trust.
    async fn bundles(&self) -> Vec<String> {
        let mut seen = Configurations::new(&self.api.client(User::admin()));
        let mut watches = select_all(
            seen.watch()
                .into_iter()
                .enumerate()
                .map(|(n, watch)| watch.map(move |seen| (n, seen.unwrap())).boxed()),
        );
        while !seen.seen() {
            let (which, now) = watches.next().await.unwrap();
            seen.see(which, now);
        }
        seen.bundles()
            .map(|text| String::from_utf8(BASE64_STANDARD.decode(text).unwrap()).unwrap())
            .collect()
    }

    fn secrets(&self) -> Api<Secret> {
        Api::namespaced(self.api.client(User::admin()), OURS)
    }
}

/// A handshake with whoever trusts those alone, then. It must succeed.
fn shake(config: Arc<ServerConfig>, bundle: &str, now: Timestamp) -> CertificateDer<'static> {
    let mut roots = RootCertStore::empty();
    for authority in CertificateDer::pem_slice_iter(bundle.as_bytes()) {
        roots.add(authority.unwrap()).unwrap();
    }
    let client =
        ClientConfig::builder_with_details(Arc::new(ring::default_provider()), Arc::new(At(now)))
            .with_safe_default_protocol_versions()
            .unwrap()
            .with_root_certificates(roots)
            .with_no_client_auth();
    let mut client =
        ClientConnection::new(Arc::new(client), ServerName::try_from(NAME).unwrap()).unwrap();
    let mut server = ServerConnection::new(config).unwrap();
    while client.is_handshaking() {
        let mut wire = vec![];
        client.write_tls(&mut wire).unwrap();
        server.read_tls(&mut wire.as_slice()).unwrap();
        server.process_new_packets().unwrap();
        let mut wire = vec![];
        server.write_tls(&mut wire).unwrap();
        client.read_tls(&mut wire.as_slice()).unwrap();
        client.process_new_packets().unwrap_or_else(|e| panic!("at {now}: {e}"));
    }
    client.peer_certificates().unwrap()[0].clone().into_owned()
}

#[derive(Debug)]
struct At(Timestamp);

impl TimeProvider for At {
    fn current_time(&self) -> Option<UnixTime> {
        let seconds = self.0.as_second().try_into().ok()?;
        Some(UnixTime::since_unix_epoch(Duration::from_secs(seconds)))
    }
}

#[tokio::test(start_paused = true)]
async fn two_replicas_renew_one_certificate_and_no_handshake_ever_fails() {
    let mut world = World::new().await;
    world.start(SignedDuration::ZERO);
    world.start(SignedDuration::from_mins(4));
    world.ready().await;
    let (begun, mut seen) = (world.clock.now(), vec![]);
    while world.clock.now() < begun + SignedDuration::from_mins(26 * 20) {
        for shown in world.hands_are_shaken().await {
            if !seen.contains(&shown) {
                seen.push(shown);
            }
        }
        for bundle in world.bundles().await {
            let authorities = bundle.matches("BEGIN").count();
            assert!((1..=2).contains(&authorities), "{authorities} at {}", world.clock.now());
        }
        world.pass(Duration::from_mins(5)).await;
    }
    // One every eighty minutes.
    assert_eq!(seen.len(), 7);
    let shown = world.hands_are_shaken().await;
    assert!(shown.iter().all(|one| *one == shown[0]), "they share it");
}

#[tokio::test(start_paused = true)]
async fn what_somebody_takes_away_comes_back_and_no_handshake_fails() {
    let mut world = World::new().await;
    world.start(SignedDuration::ZERO);
    world.start(SignedDuration::ZERO);
    world.ready().await;
    let first = world.hands_are_shaken().await.remove(0);

    // The Secret is emptied, while one replica hears of nothing any more and the other may not publish.
    world.replicas[1].keeper.abort();
    let roles: Api<ClusterRole> = Api::all(world.api.client(User::admin()));
    let role = roles.get("wharfinger-webhook-certificate").await.unwrap();
    let less = ClusterRole { rules: None, ..role.clone() };
    roles.replace("wharfinger-webhook-certificate", &PostParams::default(), &less).await.unwrap();
    let patch = Patch::Merge(json!({ "data": null }));
    world.secrets().patch(SECRET, &PatchParams::default(), &patch).await.unwrap();
    while world.secrets().get(SECRET).await.unwrap().data.is_none_or(|data| data.is_empty()) {
        world.pass(Duration::from_secs(1)).await;
    }
    world.pass(RETRY * 3).await;
    let shown = world.hands_are_shaken().await;
    assert!(shown.iter().all(|one| *one == first), "what is made is not trusted yet");
    let patch = Patch::Merge(json!({ "rules": role.rules }));
    roles.patch("wharfinger-webhook-certificate", &PatchParams::default(), &patch).await.unwrap();
    while world.hands_are_shaken().await[0] == first {
        world.pass(Duration::from_secs(1)).await;
    }

    // A configuration is put back as it was installed.
    let api: Api<ValidatingWebhookConfiguration> = Api::all(world.api.client(User::admin()));
    let mut wiped = api.get("wharfinger").await.unwrap();
    for webhook in wiped.webhooks.iter_mut().flatten() {
        webhook.client_config.ca_bundle = None;
    }
    api.replace("wharfinger", &PostParams::default(), &wiped).await.unwrap();
    while world.bundles().await.iter().any(String::is_empty) {
        world.pass(Duration::from_secs(1)).await;
    }
    world.hands_are_shaken().await;
}

#[tokio::test(start_paused = true)]
async fn without_its_secret_a_replica_is_not_ready() {
    let mut world = World::new().await;
    world.secrets().delete(SECRET, &kube::api::DeleteParams::default()).await.unwrap();
    world.start(SignedDuration::ZERO);
    world.pass(Duration::from_hours(1)).await;
    assert_eq!(world.replicas[0].readiness.missing(), ["certificate"]);
    assert!(world.replicas[0].shown.borrow().is_none());
    world.api.apply(SECRETS).await.unwrap();
    world.ready().await;
    world.hands_are_shaken().await;
}

#[tokio::test]
async fn its_account_may_do_that_and_no_more() {
    let world = World::new().await;
    let secrets: Api<Secret> = Api::namespaced(world.ours(), OURS);
    let forbidden = |done: kube::Result<Value>| {
        assert!(matches!(done, Err(kube::Error::Api(status)) if status.code == 403));
    };
    let value = |done: kube::Result<_>| done.map(|o: Secret| serde_json::to_value(o).unwrap());
    secrets.get(SECRET).await.unwrap();
    forbidden(value(secrets.get("other").await));
    forbidden(secrets.list(&kube::api::ListParams::default()).await.map(|_| Value::Null));
    let other: Secret = serde_json::from_value(json!({ "metadata": { "name": "other" } })).unwrap();
    forbidden(value(secrets.create(&PostParams::default(), &other).await));
    forbidden(
        secrets.delete(SECRET, &kube::api::DeleteParams::default()).await.map(|_| Value::Null),
    );
    let api: Api<ValidatingWebhookConfiguration> = Api::all(world.ours());
    let patch = Patch::Merge(json!({ "webhooks": [] }));
    let patched = api.patch("another", &PatchParams::default(), &patch).await;
    forbidden(patched.map(|_| Value::Null));
}
