//! Git repositories: `https://…`, `ssh://…` and the `user@host:path` of scp.

use super::reference::Reference;
use super::sanitise::lower_case;

/// The form of a Git repository's URL in which it is compared and hashed.
///
/// Lower case, without one `/` and then one `.git` at the end of the path. `http` and `https` lose
/// their user, `ssh` keeps it; scp's form becomes `ssh`. A URL with query parameters, or one that is
/// none of these, is returned as it was given.
pub fn normalise_git(url: &str) -> String {
    let text = lower_case(url);
    let normalised = if text.starts_with("https://") || text.starts_with("http://") {
        absolute(&text, User::Drop)
    } else if text.starts_with("ssh://") {
        absolute(&text, User::Keep)
    } else {
        scp(&text)
    };
    normalised.unwrap_or_else(|| url.to_owned())
}

enum User {
    Keep,
    Drop,
}

fn absolute(text: &str, user: User) -> Option<String> {
    let mut repo = Reference::parse(text)?;
    if repo.has_parameters() {
        return None;
    }
    if let (User::Drop, Some(authority)) = (user, &mut repo.authority) {
        authority.user = None;
    }
    trim_path(&mut repo);
    Some(repo.to_string())
}

/// `[user@]host[:path]`. The path is read as a URL of its own, as Kargo does; one that has a scheme
/// or a host and nothing after it is therefore lost.
fn scp(text: &str) -> Option<String> {
    let (host, path) = text.split_once(':').unwrap_or((text, ""));
    if !is_scp_host(host) {
        return None;
    }
    let mut path = Reference::parse(path)?;
    trim_path(&mut path);
    if path.path.bytes.is_empty() {
        return Some(format!("ssh://{host}"));
    }
    Some(format!("ssh://{host}/{path}"))
}

fn is_scp_host(text: &str) -> bool {
    let is_word = |word: &str| {
        !word.is_empty() && word.bytes().all(|b| b.is_ascii_alphanumeric() || b"_-".contains(&b))
    };
    let (user, host) = text.split_once('@').map_or((None, text), |(user, host)| (Some(user), host));
    user.is_none_or(is_word) && host.split('.').all(is_word)
}

fn trim_path(repo: &mut Reference<'_>) {
    let path = &mut repo.path.bytes;
    for suffix in [b"/".as_slice(), b".git"] {
        if path.ends_with(suffix) {
            path.truncate(path.len() - suffix.len());
        }
    }
}
