//! What a request is about: read from its path and method, as Kubernetes' RequestInfo.

use http::Method;
use percent_encoding::percent_decode_str;

use crate::query::Query;

#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) enum Target {
    Resource(Asked),
    /// Discovery, health and the like: anything but objects.
    Path(String),
}

#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Asked {
    pub(crate) verb: &'static str,
    pub(crate) group: String,
    pub(crate) version: String,
    pub(crate) plural: String,
    /// For a Namespace its own name, as the authorizer wants it.
    pub(crate) namespace: Option<String>,
    pub(crate) name: Option<String>,
    pub(crate) subresource: Option<String>,
}

impl Target {
    pub(crate) fn of(method: &Method, path: &str, query: &Query) -> Self {
        let segments: Vec<String> = path
            .split('/')
            .filter(|segment| !segment.is_empty())
            .map(|segment| percent_decode_str(segment).decode_utf8_lossy().into_owned())
            .collect();
        let segments: Vec<&str> = segments.iter().map(String::as_str).collect();
        let (group, version, rest) = match segments.as_slice() {
            ["api", version, rest @ ..] if !rest.is_empty() => ("", *version, rest),
            ["apis", group, version, rest @ ..] if !rest.is_empty() => (*group, *version, rest),
            _ => return Self::Path(path.into()),
        };
        let (namespace, rest) = match rest {
            ["namespaces", namespace, plural, ..] if !matches!(*plural, "status" | "finalize") => {
                (Some(*namespace), &rest[2..])
            }
            ["namespaces", namespace, ..] => (Some(*namespace), rest),
            _ => (None, rest),
        };
        let (plural, name, subresource) = match rest {
            [plural] => (*plural, None, None),
            [plural, name] => (*plural, Some(*name), None),
            [plural, name, subresource] => (*plural, Some(*name), Some(*subresource)),
            _ => return Self::Path(path.into()),
        };
        let Some(verb) = verb(method, name.is_some(), query) else {
            return Self::Path(path.into());
        };
        // A list that can only show one object is a question about that object.
        let selected = matches!(verb, "list" | "watch" | "deletecollection")
            .then(|| query.fields.name())
            .flatten();
        Self::Resource(Asked {
            verb,
            group: group.into(),
            version: version.into(),
            plural: plural.into(),
            namespace: namespace.map(Into::into),
            name: name.or(selected).map(Into::into),
            subresource: subresource.map(Into::into),
        })
    }
}

fn verb(method: &Method, named: bool, query: &Query) -> Option<&'static str> {
    Some(match (method.as_str(), named) {
        ("GET" | "HEAD", _) if query.watch => "watch",
        ("GET" | "HEAD", true) => "get",
        ("GET" | "HEAD", false) => "list",
        ("POST", _) => "create",
        ("PUT", _) => "update",
        ("PATCH", _) => "patch",
        ("DELETE", true) => "delete",
        ("DELETE", false) => "deletecollection",
        _ => return None,
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    fn of(path: &str, query: &str) -> Target {
        Target::of(&Method::GET, path, &Query::parse(Some(query)).unwrap())
    }

    #[test]
    fn paths_are_read_as_kubernetes_does() {
        let rows = [
            ("/api/v1/namespaces", "list  namespaces - - -"),
            ("/api/v1/namespaces/a", "get  namespaces a a -"),
            ("/api/v1/namespaces/a/status", "get  namespaces a a status"),
            ("/api/v1/namespaces/a/secrets", "list  secrets a - -"),
            ("/api/v1/secrets", "list  secrets - - -"),
            ("/apis/g.io/v1/namespaces/a/things/b/status", "get g.io things a b status"),
            ("/apis/g.io/v1/things/system%3Ab", "get g.io things - system:b -"),
        ];
        for (path, expected) in rows {
            let Target::Resource(a) = of(path, "") else { panic!("{path}") };
            let dash = |v: Option<String>| v.unwrap_or("-".into());
            let shown = format!(
                "{} {} {} {} {} {}",
                a.verb,
                a.group,
                a.plural,
                dash(a.namespace),
                dash(a.name),
                dash(a.subresource)
            );
            assert_eq!(shown, expected, "{path}");
        }
        for path in ["/api", "/api/v1", "/apis/g.io/v1", "/version", "/apis/g/v/n/a/b/c/d/e"] {
            assert_eq!(of(path, ""), Target::Path(path.into()));
        }
    }

    #[test]
    fn a_list_of_one_name_is_about_that_name() {
        let Target::Resource(asked) =
            of("/api/v1/secrets", "watch=1&fieldSelector=metadata.name%3Da")
        else {
            panic!()
        };
        assert_eq!((asked.verb, asked.name.as_deref()), ("watch", Some("a")));
    }
}
