//! The certificates, keys and tokens of one cluster. Nothing of them is used twice.

use std::{
    fs,
    path::{Path, PathBuf},
    sync::Arc,
};

use anyhow::Result;
use rcgen::{BasicConstraints, CertificateParams, CertifiedIssuer, DnType, IsCa, KeyPair};
use rustls::{ClientConfig, RootCertStore, crypto::ring};

pub(crate) struct Keys {
    folder: PathBuf,
    authority: CertifiedIssuer<'static, KeyPair>,
    pub(crate) admin_token: Arc<str>,
    pub(crate) trust: Arc<ClientConfig>,
}

impl Keys {
    pub(crate) fn new(folder: &Path) -> Result<Self> {
        fs::create_dir(folder)?;
        let mut params = CertificateParams::default();
        params.distinguished_name.push(DnType::CommonName, "wharfinger-cluster");
        params.is_ca = IsCa::Ca(BasicConstraints::Unconstrained);
        let authority = CertifiedIssuer::self_signed(params, KeyPair::generate()?)?;
        fs::write(folder.join("ca.crt"), authority.pem())?;

        // With this pair kube-apiserver signs the tokens of ServiceAccounts.
        let accounts = KeyPair::generate()?;
        fs::write(folder.join("accounts.key"), accounts.serialize_pem())?;
        fs::write(folder.join("accounts.pub"), accounts.public_key_pem())?;

        let admin_token: Arc<str> = secret()?.into();
        fs::write(
            folder.join("tokens.csv"),
            format!("{admin_token},admin,admin,\"system:masters\"\n"),
        )?;

        let mut roots = RootCertStore::empty();
        roots.add(authority.der().clone())?;
        let trust = ClientConfig::builder_with_provider(Arc::new(ring::default_provider()))
            .with_safe_default_protocol_versions()?
            .with_root_certificates(roots)
            .with_no_client_auth();
        Ok(Self { folder: folder.to_owned(), authority, admin_token, trust: Arc::new(trust) })
    }

    /// A file in the folder of the keys: `ca.crt`, `tokens.csv`, `accounts.key`, `accounts.pub`.
    pub(crate) fn file(&self, name: &str) -> PathBuf {
        self.folder.join(name)
    }

    pub(crate) fn authority_pem(&self) -> String {
        self.authority.pem()
    }

    /// Writes a serving certificate for loopback: (certificate, key).
    pub(crate) fn serving(&self, name: &str) -> Result<(PathBuf, PathBuf)> {
        let names = ["127.0.0.1", "localhost", "kubernetes.default.svc"].map(str::to_owned);
        let mut params = CertificateParams::new(names)?;
        params.distinguished_name.push(DnType::CommonName, name);
        let key = KeyPair::generate()?;
        let certificate = params.signed_by(&key, &self.authority)?;
        let paths = (self.file(&format!("{name}.crt")), self.file(&format!("{name}.key")));
        fs::write(&paths.0, certificate.pem())?;
        fs::write(&paths.1, key.serialize_pem())?;
        Ok(paths)
    }
}

// A private key's serial form holds 32 random bytes; no need for another source of them.
fn secret() -> Result<String> {
    let bytes = KeyPair::generate()?.public_key_raw().to_vec();
    Ok(bytes.iter().skip(1).take(32).map(|byte| format!("{byte:02x}")).collect())
}
