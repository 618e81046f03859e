//! A URL in an error, an event or a log: without what may be secret in it.

/// Without user, password and query, where tokens stand as well.
pub fn shown(url: &str) -> String {
    let (scheme, rest) = match url.split_once("://") {
        Some((scheme, rest)) => (format!("{scheme}://"), rest),
        None => (String::new(), url),
    };
    let end = rest.find(['/', '?', '#']).unwrap_or(rest.len());
    // A password that has one of these in it: what seems to be the host is the beginning of it.
    if !scheme.is_empty() && rest[end..].contains('@') {
        return format!("{scheme}…");
    }
    // Where nothing is before it, it begins the name of a repository that Helm knows.
    let host = rest[..end].rfind('@').filter(|at| *at > 0).map_or(0, |at| at + 1);
    let query = rest[end..].find(['?', '#']).map_or(rest.len(), |at| end + at);
    format!("{scheme}{}", &rest[host..query])
}
