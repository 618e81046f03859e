//! X.509: what is made, and what can be said of what is read.

use std::sync::Arc;

use anyhow::{Context as _, bail};
use k8s_openapi::jiff::Timestamp;
use pem::{EncodeConfig, LineEnding, Pem};
use rcgen::{
    BasicConstraints, CertificateParams, CertifiedIssuer, DnType, ExtendedKeyUsagePurpose, IsCa,
    KeyPair, KeyUsagePurpose,
};
use rustls::RootCertStore;
use rustls::client::WebPkiServerVerifier;
use rustls::client::danger::ServerCertVerifier as _;
use rustls::pki_types::{CertificateDer, ServerName, UnixTime};
use time::OffsetDateTime;
use wharfinger_core::certificate::Validity;
use x509_parser::prelude::{FromDer as _, X509Certificate};

/// How the name of every authority begins that a webhook made for itself.
const OURS: &str = "wharfinger-webhook-ca";

/// A certificate with its key, both PEM.
#[derive(Clone, PartialEq, Eq)]
pub(super) struct Pair {
    pub(super) cert: Vec<u8>,
    pub(super) key: Vec<u8>,
}

#[derive(Clone)]
pub(super) struct Authority {
    pub(super) pem: Pem,
    pub(super) validity: Validity,
    ours: bool,
}

pub(super) struct Made {
    pub(super) pair: Pair,
    pub(super) authority: Authority,
}

/// A certificate for those names, by an authority that signs nothing else: its key is gone when this returns.
pub(super) fn make(names: &[String], validity: Validity) -> anyhow::Result<Made> {
    let (from, until) = (moment(validity.from)?, moment(validity.until)?);
    let mut params = CertificateParams::default();
    params.distinguished_name.push(DnType::CommonName, format!("{OURS} {}", validity.from));
    params.is_ca = IsCa::Ca(BasicConstraints::Constrained(0));
    params.key_usages = vec![KeyUsagePurpose::KeyCertSign];
    (params.not_before, params.not_after) = (from, until);
    let authority = CertifiedIssuer::self_signed(params, KeyPair::generate()?)?;

    let mut params = CertificateParams::new(names.to_vec())?;
    params.distinguished_name.push(DnType::CommonName, "wharfinger-webhook");
    params.key_usages = vec![KeyUsagePurpose::DigitalSignature];
    params.extended_key_usages = vec![ExtendedKeyUsagePurpose::ServerAuth];
    // Authorities are trusted side by side: this says which of them it was.
    params.use_authority_key_identifier_extension = true;
    (params.not_before, params.not_after) = (from, until);
    let key = KeyPair::generate()?;
    let cert = params.signed_by(&key, &authority)?;
    Ok(Made {
        pair: Pair { cert: cert.pem().into(), key: key.serialize_pem().into() },
        authority: authorities(authority.pem().as_bytes())
            .pop()
            .context("the authority can't be read")?,
    })
}

/// The authorities of a bundle. What is none is left out.
pub(super) fn authorities(bundle: &[u8]) -> Vec<Authority> {
    let all = pem::parse_many(bundle).unwrap_or_default();
    all.into_iter().filter_map(authority).collect()
}

fn authority(pem: Pem) -> Option<Authority> {
    let (ours, validity) = {
        let (_, certificate) = X509Certificate::from_der(pem.contents()).ok()?;
        let mut names = certificate.subject().iter_common_name().map(|name| name.as_str());
        let ours = names.any(|name| name.is_ok_and(|name| name.starts_with(OURS)));
        (ours, validity(&certificate).filter(|_| certificate.is_ca())?)
    };
    Some(Authority { pem, validity, ours })
}

/// Those of a bundle that a webhook made for itself.
pub(super) fn ours(bundle: &[u8]) -> impl Iterator<Item = Authority> + use<> {
    authorities(bundle).into_iter().filter(|authority| authority.ours)
}

/// As Kubernetes takes it: PEM, one after the other.
pub(super) fn bundle(authorities: &[Authority]) -> Vec<u8> {
    let all: Vec<Pem> = authorities.iter().map(|authority| authority.pem.clone()).collect();
    let lines = EncodeConfig::new().set_line_ending(LineEnding::LF);
    pem::encode_many_config(&all, lines).into_bytes()
}

/// How long a pair can be served for those names to whoever trusts those authorities. What is wrong with it, if it can't.
pub(super) fn servable(
    pair: &Pair,
    names: &[String],
    authorities: &[Authority],
) -> anyhow::Result<Validity> {
    let mut chain = pem::parse_many(&pair.cert)?.into_iter().map(Pem::into_contents);
    let leaf = CertificateDer::from(chain.next().context("there is no certificate")?);
    let between: Vec<CertificateDer<'_>> = chain.map(CertificateDer::from).collect();
    let (_, certificate) = X509Certificate::from_der(&leaf)?;
    let validity = validity(&certificate).context("its validity can't be read")?;

    wharfinger_daemon::tls::server_config(&pair.cert, &pair.key)?;
    let mut roots = RootCertStore::empty();
    roots.add_parsable_certificates(
        authorities.iter().map(|a| CertificateDer::from(a.pem.contents())),
    );
    if roots.is_empty() {
        bail!("there is no authority to trust");
    }
    let verifier = WebPkiServerVerifier::builder(Arc::new(roots)).build()?;
    // Whether its time has come or gone is judged elsewhere.
    let from = u64::try_from(validity.from.as_second()).unwrap_or_default();
    let from = UnixTime::since_unix_epoch(std::time::Duration::from_secs(from));
    for name in names {
        let name = ServerName::try_from(name.as_str()).with_context(|| format!("{name:?}"))?;
        verifier.verify_server_cert(&leaf, &between, &name, &[], from)?;
    }
    Ok(validity)
}

fn validity(certificate: &X509Certificate<'_>) -> Option<Validity> {
    let moment = |seconds| Timestamp::from_second(seconds).ok();
    let validity = certificate.validity();
    Some(Validity {
        from: moment(validity.not_before.timestamp())?,
        until: moment(validity.not_after.timestamp())?,
    })
}

fn moment(time: Timestamp) -> anyhow::Result<OffsetDateTime> {
    Ok(OffsetDateTime::from_unix_timestamp(time.as_second())?)
}

#[cfg(test)]
mod tests {
    use k8s_openapi::jiff::SignedDuration;

    use super::*;

    fn made(names: &[&str]) -> Made {
        wharfinger_daemon::crypto();
        let names: Vec<String> = names.iter().map(|&name| name.into()).collect();
        make(&names, validity_now()).unwrap()
    }

    fn validity_now() -> Validity {
        let now = "2026-01-01T00:00:00Z".parse().unwrap();
        Validity::of_new(SignedDuration::from_hours(48), now)
    }

    #[test]
    fn what_is_made_can_be_served_for_its_names_alone() {
        let made = made(&["wharfinger-webhook.wharfinger.svc", "127.0.0.1"]);
        let judge = |names: &[&str], authorities: &[Authority]| {
            let names: Vec<String> = names.iter().map(|&name| name.into()).collect();
            servable(&made.pair, &names, authorities)
        };
        let authorities = [made.authority.clone()];
        let names = ["127.0.0.1", "wharfinger-webhook.wharfinger.svc"];
        assert_eq!(judge(&names, &authorities).unwrap(), validity_now());
        assert_eq!(authorities[0].validity, validity_now());
        assert!(judge(&["other.wharfinger.svc"], &authorities).is_err(), "another name");
        assert!(judge(&names, &[]).is_err(), "nobody trusts it");
        assert!(judge(&names, &[super::tests::made(&names).authority]).is_err(), "another's");

        let other = super::tests::made(&names);
        let mixed = Pair { cert: made.pair.cert.clone(), key: other.pair.key };
        assert!(servable(&mixed, &[], &authorities).is_err(), "another's key");
        for (cert, key) in [("", ""), ("x", "y"), ("-----BEGIN CERTIFICATE-----", "")] {
            let pair = Pair { cert: cert.into(), key: key.into() };
            assert!(servable(&pair, &[], &authorities).is_err(), "{cert:?}");
        }
    }

    #[test]
    fn a_bundle_holds_authorities_and_nothing_else() {
        let [one, two] = [made(&["a"]), made(&["b"])];
        let text = bundle(&[one.authority, two.authority]);
        let mixed = [text.as_slice(), &one.pair.cert, &one.pair.key, b"and this"].concat();
        let read = authorities(&mixed);
        assert_eq!(read.len(), 2);
        assert_eq!(bundle(&read), text);
        assert_eq!(ours(&mixed).count(), 2);

        let mut params = CertificateParams::default();
        params.distinguished_name.push(DnType::CommonName, "somebody's");
        params.is_ca = IsCa::Ca(BasicConstraints::Unconstrained);
        let theirs = params.self_signed(&KeyPair::generate().unwrap()).unwrap().pem();
        assert_eq!((authorities(theirs.as_bytes()).len(), ours(theirs.as_bytes()).count()), (1, 0));
        assert!(
            authorities(b"-----BEGIN CERTIFICATE-----\nAAAA\n-----END CERTIFICATE-----").is_empty()
        );
    }
}
