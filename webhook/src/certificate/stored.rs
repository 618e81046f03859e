//! What the Secret holds, under which keys.

use k8s_openapi::ByteString;
use k8s_openapi::api::core::v1::Secret;
use k8s_openapi::jiff::Timestamp;
use tracing::warn;
use wharfinger_core::certificate::Validity;

use super::pair::{self, Authority, Pair};

/// As cert-manager names them: whoever reads the one Secret can read the other.
const AUTHORITIES: &str = "ca.crt";
const SERVING: [&str; 2] = ["tls.crt", "tls.key"];
const NEXT: [&str; 2] = ["next.crt", "next.key"];

pub(super) struct Stored {
    pub(super) authorities: Vec<Authority>,
    pub(super) serving: Option<Pair>,
    pub(super) next: Option<Pair>,
}

impl Stored {
    pub(super) fn of(secret: &Secret) -> Self {
        let get = |key: &str| Some(secret.data.as_ref()?.get(key)?.0.clone());
        let pair = |[cert, key]: [&str; 2]| Some(Pair { cert: get(cert)?, key: get(key)? });
        Self {
            authorities: pair::authorities(&get(AUTHORITIES).unwrap_or_default()),
            serving: pair(SERVING),
            next: pair(NEXT),
        }
    }

    /// The same Secret, holding this.
    pub(super) fn into_secret(self, mut secret: Secret) -> Secret {
        let data = secret.data.get_or_insert_default();
        data.insert(AUTHORITIES.into(), ByteString(self.bundle()));
        for ([cert, key], pair) in [(SERVING, self.serving), (NEXT, self.next)] {
            match pair {
                Some(pair) => {
                    data.insert(cert.into(), ByteString(pair.cert));
                    data.insert(key.into(), ByteString(pair.key));
                }
                None => {
                    data.remove(cert);
                    data.remove(key);
                }
            }
        }
        secret
    }

    /// What the API server is to trust.
    pub(super) fn bundle(&self) -> Vec<u8> {
        pair::bundle(&self.authorities)
    }

    pub(super) fn serving(&self, names: &[String]) -> Option<Validity> {
        self.servable(self.serving.as_ref()?, names)
    }

    pub(super) fn next(&self, names: &[String]) -> Option<Validity> {
        self.servable(self.next.as_ref()?, names)
    }

    /// Trusts one more, and those no longer that have expired or are there twice.
    pub(super) fn trust(&mut self, authority: Authority, now: Timestamp) {
        self.authorities.push(authority);
        self.forget(now);
        let mut seen = vec![];
        self.authorities.retain(|authority| {
            let new = !seen.contains(&authority.pem);
            seen.push(authority.pem.clone());
            new
        });
    }

    pub(super) fn forget(&mut self, now: Timestamp) {
        self.authorities.retain(|authority| now < authority.validity.until);
    }

    fn servable(&self, pair: &Pair, names: &[String]) -> Option<Validity> {
        pair::servable(pair, names, &self.authorities)
            .inspect_err(|error| {
                warn!(error = format!("{error:#}"), "A stored certificate is of no use");
            })
            .ok()
    }
}
