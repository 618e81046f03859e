//! Reviews without pause, none of which may fail.

use std::collections::BTreeSet;
use std::net::TcpStream;
use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering};
use std::sync::{Mutex, PoisonError};
use std::thread;
use std::time::Duration;

use anyhow::{Context as _, Result, ensure};
use base64::Engine as _;
use base64::prelude::BASE64_STANDARD;
use rustls::pki_types::{CertificateDer, ServerName, pem::PemObject as _};
use rustls::{ClientConfig, ClientConnection, RootCertStore};
use serde_json::{Value, json};
use wharfinger_cluster::Cluster;
use wharfinger_tests::App;

pub(crate) const KINDS: [&str; 2] =
    ["mutatingwebhookconfiguration", "validatingwebhookconfiguration"];

/// The API server asks for an Application's sake, and others shake hands where it is sent.
pub(crate) struct Reviews<'r> {
    cluster: &'r Cluster,
    app: &'r App<'r>,
    port: u16,
    end: AtomicBool,
    failed: AtomicBool,
    asked: AtomicUsize,
    shaken: AtomicUsize,
    seen: Mutex<BTreeSet<Vec<u8>>>,
}

impl<'r> Reviews<'r> {
    /// Asks until `meanwhile` is done, and says how often. A review or a handshake that fails is an error.
    pub(crate) fn during(
        cluster: &'r Cluster,
        app: &'r App<'r>,
        port: u16,
        meanwhile: impl FnOnce(&Self) -> Result<()>,
    ) -> Result<String> {
        let reviews = Self {
            cluster,
            app,
            port,
            end: AtomicBool::new(false),
            failed: AtomicBool::new(false),
            asked: AtomicUsize::new(0),
            shaken: AtomicUsize::new(0),
            seen: Mutex::default(),
        };
        thread::scope(|scope| {
            let ask = || reviews.without_pause(|| reviews.ask());
            let shake = || reviews.without_pause(|| reviews.shake());
            let end = End(&reviews.end);
            let asking = [scope.spawn(ask), scope.spawn(ask), scope.spawn(shake)];
            let done = meanwhile(&reviews);
            drop(end);
            for one in asking {
                one.join().expect("it does not panic")?;
            }
            done
        })?;
        let (asked, shaken) = (reviews.asked.into_inner(), reviews.shaken.into_inner());
        let often = format!("{asked} writes, {shaken} handshakes");
        ensure!(asked > 0 && shaken > 0, "{often}");
        Ok(often)
    }

    /// Waits until so many certificates were shown since the beginning.
    pub(crate) fn certificates(&self, wanted: usize) -> Result<()> {
        self.cluster.until(&format!("{wanted} certificates"), || {
            let seen = self.seen.lock().unwrap_or_else(PoisonError::into_inner).len();
            ensure!(seen >= wanted || self.failed.load(Ordering::Relaxed), "{seen}");
            Ok(())
        })
    }

    fn without_pause(&self, once: impl Fn() -> Result<()>) -> Result<()> {
        while !self.end.load(Ordering::Relaxed) {
            once().inspect_err(|_| self.failed.store(true, Ordering::Relaxed))?;
        }
        Ok(())
    }

    fn ask(&self) -> Result<()> {
        let number = self.asked.fetch_add(1, Ordering::Relaxed).to_string();
        let info = json!([{ "name": "number", "value": number }]);
        let asked = self.app.merge(&json!({ "spec": { "info": info } }));
        asked.map(drop).context("a review failed")
    }

    /// What the API server does once for many reviews: a connection, trusting what it was told.
    fn shake(&self) -> Result<()> {
        for bundle in bundles(self.cluster)? {
            let shown = shake(self.port, &bundle).context("a handshake failed")?;
            self.seen.lock().unwrap_or_else(PoisonError::into_inner).insert(shown);
            self.shaken.fetch_add(1, Ordering::Relaxed);
        }
        Ok(())
    }
}

/// Ends the threads, also when a step before failed.
pub(crate) struct End<'e>(pub(crate) &'e AtomicBool);

impl Drop for End<'_> {
    fn drop(&mut self) {
        self.0.store(true, Ordering::Relaxed);
    }
}

pub(crate) fn webhooks(cluster: &Cluster, kind: &str) -> Result<Vec<Value>> {
    let text = cluster.kubectl(&["get", kind, "wharfinger", "-o", "json"])?.ok()?;
    let found: Value = serde_json::from_str(&text)?;
    Ok(found["webhooks"].as_array().cloned().unwrap_or_default())
}

/// Whom the API server is told to trust, in as many ways as it is told.
pub(crate) fn bundles(cluster: &Cluster) -> Result<BTreeSet<Vec<u8>>> {
    let mut all = BTreeSet::new();
    for kind in KINDS {
        for webhook in webhooks(cluster, kind)? {
            let text = webhook["clientConfig"]["caBundle"].as_str().context("no caBundle")?;
            all.insert(BASE64_STANDARD.decode(text)?);
        }
    }
    Ok(all)
}

/// The certificate that whoever trusts those is shown.
pub(crate) fn shake(port: u16, bundle: &[u8]) -> Result<Vec<u8>> {
    let mut roots = RootCertStore::empty();
    for authority in CertificateDer::pem_slice_iter(bundle) {
        roots.add(authority?)?;
    }
    let provider = rustls::crypto::ring::default_provider();
    let config = ClientConfig::builder_with_provider(provider.into())
        .with_safe_default_protocol_versions()?
        .with_root_certificates(roots)
        .with_no_client_auth();
    let name = ServerName::try_from("127.0.0.1")?;
    let mut client = ClientConnection::new(config.into(), name)?;
    let mut stream = TcpStream::connect(("127.0.0.1", port))?;
    stream.set_read_timeout(Some(Duration::from_secs(10)))?;
    while client.is_handshaking() {
        client.complete_io(&mut stream)?;
    }
    let shown = client.peer_certificates().context("no certificate")?;
    Ok(shown.first().context("no certificate")?.to_vec())
}
