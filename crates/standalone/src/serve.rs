//! The API over TLS, and a kubeconfig for it.

use std::fs::OpenOptions;
use std::io::Write as _;
use std::net::{Ipv4Addr, SocketAddr};
use std::os::unix::fs::OpenOptionsExt as _;
use std::path::{Path, PathBuf};
use std::time::Duration;

use anyhow::{Context as _, Result};
use base64::Engine as _;
use base64::prelude::BASE64_STANDARD;
use serde_json::{Value, json};
use wharfinger_daemon::{Tasks, tls};
use wharfinger_localapi::LocalApi;

/// Serves on a free port of loopback, and writes a kubeconfig with a context for each of `people`: name and token.
pub(crate) async fn serve(
    api: &LocalApi,
    folder: &Path,
    people: &[(&str, String)],
    tasks: &mut Tasks,
) -> Result<PathBuf> {
    let made = rcgen::generate_simple_self_signed([Ipv4Addr::LOCALHOST.to_string()])?;
    let (cert, key) = (folder.join("tls.crt"), folder.join("tls.key"));
    private(&cert, made.cert.pem().as_bytes())?;
    private(&key, made.signing_key.serialize_pem().as_bytes())?;
    let identity = tls::Identity::load(cert, key).await?;
    let listener = tls::listen(SocketAddr::from((Ipv4Addr::LOCALHOST, 0))).await?;
    let address = listener.local_addr()?;
    tasks.spawn(
        "api",
        tls::serve(listener, identity, api.router(), Duration::ZERO, tasks.shutdown()),
    );

    let kubeconfig = folder.join("kubeconfig");
    let text = config(address, &made.cert.pem(), people).to_string();
    private(&kubeconfig, text.as_bytes())?;
    Ok(kubeconfig)
}

fn config(address: SocketAddr, authority: &str, people: &[(&str, String)]) -> Value {
    let contexts = people.iter().map(|(name, _)| {
        json!({ "name": name, "context": { "cluster": "demo", "user": name, "namespace": "shop" } })
    });
    let users =
        people.iter().map(|(name, token)| json!({ "name": name, "user": { "token": token } }));
    json!({
        "apiVersion": "v1",
        "kind": "Config",
        "current-context": people.first().map(|(name, _)| name),
        "clusters": [{ "name": "demo", "cluster": {
            "server": format!("https://{address}"),
            "certificate-authority-data": BASE64_STANDARD.encode(authority),
        }}],
        "contexts": contexts.collect::<Vec<_>>(),
        "users": users.collect::<Vec<_>>(),
    })
}

/// Writes what nobody else is to read.
fn private(path: &Path, content: &[u8]) -> Result<()> {
    let mut options = OpenOptions::new();
    let file = options.write(true).create_new(true).mode(0o600).open(path);
    let written = file.and_then(|mut file| file.write_all(content));
    written.with_context(|| format!("writing {}", path.display()))
}
