//! Where a dependency is published.

use http::Uri;

/// A repository that needs no credentials, as far as its name tells.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Place {
    pub(super) port: u16,
    /// It has tags instead of an index.
    pub(super) is_registry: bool,
}

impl Place {
    /// Or why nothing can be fetched from there.
    pub(super) fn of(repository: &str) -> Result<Self, String> {
        if repository.starts_with('@') || repository.starts_with("alias:") {
            return Err(format!(
                "{repository} is a name of helm repo add; write the repository's URL"
            ));
        }
        if repository.starts_with("file:") {
            return Err(format!("{repository} is not in the repository"));
        }
        let (usual, is_registry) = match repository.split_once("://") {
            Some(("https", _)) => (443, false),
            Some(("http", _)) => (80, false),
            Some(("oci", _)) => (443, true),
            _ => return Err(format!("{repository} is neither http, https nor oci")),
        };
        let uri: Uri = repository.parse().map_err(|_| format!("{repository:?} is no URL"))?;
        let host = uri.authority().ok_or_else(|| format!("{repository:?} names no host"))?;
        if host.as_str().contains('@') {
            return Err("its repository's URL holds credentials, which are not used".into());
        }
        Ok(Self { port: host.port_u16().unwrap_or(usual), is_registry })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_place_is_read_from_its_url() {
        let place = |port, is_registry| Ok(Place { port, is_registry });
        for (repository, expected) in [
            ("https://charts.example.com", place(443, false)),
            ("https://charts.example.com/", place(443, false)),
            ("https://charts.example.com:8443/a/b?c=d", place(8443, false)),
            ("http://charts.example.com/a", place(80, false)),
            ("http://[::1]:8080", place(8080, false)),
            ("oci://ghcr.io/acme/charts", place(443, true)),
            ("oci://127.0.0.1:5000/charts", place(5000, true)),
        ] {
            assert_eq!(Place::of(repository), expected, "{repository}");
        }
        for (repository, part) in [
            ("@acme", "write the repository's URL"),
            ("alias:acme", "write the repository's URL"),
            ("file:///etc", "is not in the repository"),
            ("s3://charts", "is neither"),
            ("stable", "is neither"),
            ("https://", "is no URL"),
            ("https://a b", "is no URL"),
            ("https://user:secret@x.example", "holds credentials"),
        ] {
            let why = Place::of(repository).unwrap_err();
            assert!(why.contains(part) && !why.contains("secret"), "{repository}: {why}");
        }
    }
}
