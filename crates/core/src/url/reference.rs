//! A URL, or the end of one, taken apart and put together again as Go's `net/url` does it.

use std::fmt;
use std::net::Ipv6Addr;

use super::percent::{Escaped, Part, decode, encode, is_well_formed};

/// A parsed `[scheme:][//[user@]host][/]path[?query][#fragment]`.
///
/// Assumption: the text was cleaned, so there are no control characters to refuse.
///
/// Caveat: of `scheme:text` without a slash only the scheme is kept. Such a reference has no path,
/// and is not for printing.
pub(super) struct Reference<'a> {
    scheme: &'a str,
    pub(super) authority: Option<Authority>,
    pub(super) path: Escaped<'a>,
    /// `Some("")` for a `?` with nothing after it, which is printed too.
    query: Option<&'a str>,
    fragment: Escaped<'a>,
}

pub(super) struct Authority {
    pub(super) user: Option<User>,
    /// Host and port, without escapes.
    pub(super) host: Vec<u8>,
}

/// Name and password, without escapes.
pub(super) struct User {
    name: Vec<u8>,
    password: Option<Vec<u8>>,
}

impl<'a> Reference<'a> {
    /// `None` where Go reports an error.
    pub(super) fn parse(text: &'a str) -> Option<Self> {
        let (text, fragment) = text.split_once('#').unwrap_or((text, ""));
        let (scheme, text) = split_scheme(text)?;
        let (text, query) = match text.split_once('?') {
            Some((text, query)) => (text, Some(query)),
            None => (text, None),
        };
        let path = if text.starts_with('/') {
            text
        } else if !scheme.is_empty() {
            ""
        } else if first_segment(text).contains(':') {
            // It would be taken for a scheme.
            return None;
        } else {
            text
        };
        let (authority, path) = match path.strip_prefix("//") {
            // Three slashes without a scheme are a path.
            Some(rest) if !scheme.is_empty() || !rest.starts_with('/') => {
                let (authority, path) = rest.split_at(rest.find('/').unwrap_or(rest.len()));
                (Some(Authority::parse(authority, scheme)?), path)
            }
            _ => (None, path),
        };
        let path = Escaped::parse(path, Part::Path)?;
        let fragment = Escaped::parse(fragment, Part::Fragment)?;
        Some(Self { scheme, authority, path, query, fragment })
    }

    /// Whether the query holds a parameter that can be read. `?`, `?&` and `?%zz` hold none.
    pub(super) fn has_parameters(&self) -> bool {
        self.query
            .unwrap_or_default()
            .split('&')
            .any(|pair| !pair.is_empty() && !pair.contains(';') && is_well_formed(pair))
    }
}

impl fmt::Display for Reference<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self { scheme, authority, path, query, fragment } = self;
        if !scheme.is_empty() {
            write!(f, "{scheme}:")?;
        }
        let is_bare = |a: &Authority| a.user.is_none() && a.host.is_empty();
        match authority {
            Some(authority) if !is_bare(authority) || !path.bytes.is_empty() => {
                write!(f, "//{authority}")?;
            }
            _ => {}
        }
        // A path that is only a star is not escaped, in a longer one the star may be.
        let path = if path.bytes == b"*" { "*".to_owned() } else { path.to_string() };
        let stands_alone = scheme.is_empty() && authority.is_none();
        if stands_alone && first_segment(&path).contains(':') {
            // Else the colon would make a scheme of it.
            f.write_str("./")?;
        }
        f.write_str(&path)?;
        if let Some(query) = query {
            write!(f, "?{query}")?;
        }
        if !fragment.bytes.is_empty() {
            write!(f, "#{fragment}")?;
        }
        Ok(())
    }
}

impl Authority {
    fn parse(text: &str, scheme: &str) -> Option<Self> {
        let Some((user, host)) = text.rsplit_once('@') else {
            return Some(Self { user: None, host: parse_host(text, scheme)? });
        };
        Some(Self { user: Some(User::parse(user)?), host: parse_host(host, scheme)? })
    }
}

impl fmt::Display for Authority {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        if let Some(User { name, password }) = &self.user {
            f.write_str(&encode(name, Part::User))?;
            if let Some(password) = password {
                write!(f, ":{}", encode(password, Part::User))?;
            }
            f.write_str("@")?;
        }
        f.write_str(&encode(&self.host, Part::Host))
    }
}

impl User {
    fn parse(text: &str) -> Option<Self> {
        let may_occur = |b: u8| b.is_ascii_alphanumeric() || b"-._:~!$&'()*+,;=%@".contains(&b);
        if !text.bytes().all(may_occur) {
            return None;
        }
        let Some((name, password)) = text.split_once(':') else {
            return Some(Self { name: decode(text, Part::User)?, password: None });
        };
        let password = Some(decode(password, Part::User)?);
        Some(Self { name: decode(name, Part::User)?, password })
    }
}

/// Splits `scheme:rest`. Text that cannot begin with a scheme has the empty one.
fn split_scheme(text: &str) -> Option<(&str, &str)> {
    let Some((scheme, rest)) = text.split_once(':') else {
        return Some(("", text));
    };
    if scheme.is_empty() {
        return None;
    }
    let may_occur = |b: u8| b.is_ascii_alphanumeric() || b"+-.".contains(&b);
    if scheme.starts_with(|c: char| c.is_ascii_alphabetic()) && scheme.bytes().all(may_occur) {
        return Some((scheme, rest));
    }
    Some(("", text))
}

fn parse_host(text: &str, scheme: &str) -> Option<Vec<u8>> {
    if let Some(bracket) = text.rfind('[') {
        return if bracket == 0 { parse_ip_literal(text) } else { None };
    }
    // Go is strict with the web's schemes only: others have host lists, like `db://a:1,b:2`.
    let is_web = ["http", "https"].iter().any(|web| web.eq_ignore_ascii_case(scheme));
    let colon = if is_web { text.find(':') } else { text.rfind(':') };
    if colon.is_some_and(|colon| !is_port(&text[colon..])) {
        return None;
    }
    decode(text, Part::Host)
}

/// `[address]`, `[address%25zone]`, each with or without a port.
fn parse_ip_literal(text: &str) -> Option<Vec<u8>> {
    let (literal, port) = text.strip_prefix('[')?.rsplit_once(']')?;
    if !is_port(port) {
        return None;
    }
    let (address, zone) = literal.split_at(literal.find("%25").unwrap_or(literal.len()));
    let mut host = decode(address, Part::Host)?;
    // An escape in the address was for a byte that no address has.
    str::from_utf8(&host).ok()?.parse::<Ipv6Addr>().ok()?;
    if zone == "%25" {
        return None;
    }
    host.extend(decode(zone, Part::Zone)?);
    Some([b"[", host.as_slice(), b"]", port.as_bytes()].concat())
}

/// Nothing, or a colon and digits; also a colon and none.
fn is_port(text: &str) -> bool {
    text.is_empty()
        || text.strip_prefix(':').is_some_and(|port| port.bytes().all(|b| b.is_ascii_digit()))
}

fn first_segment(path: &str) -> &str {
    path.split_once('/').map_or(path, |(first, _)| first)
}
