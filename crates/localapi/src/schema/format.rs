//! Formats of strings and numbers, those that kube-apiserver enforces.

use std::net::{IpAddr, Ipv6Addr};

use jiff::civil::Date;
use regex::Regex;

use super::node::Type;

#[derive(Clone, Debug)]
pub(super) struct Format {
    /// As the schema writes it.
    pub(super) name: String,
    admits: Option<fn(&str) -> bool>,
}

/// What becomes of a `format`.
pub(super) enum Found {
    Enforced(Format),
    /// kube-apiserver passes over a format that it does not know.
    PassedOver,
    /// kube-apiserver enforces it, and nothing here does.
    Missing,
}

impl Format {
    /// What `name` means for a value of one of `types`.
    pub(super) fn find(name: &str, types: &[Type]) -> Found {
        let enforced = |admits| Found::Enforced(Self { name: name.to_owned(), admits });
        match (types, name) {
            ([Type::Integer], "int32" | "int64") | ([Type::Number], "float" | "double") => {
                return enforced(None);
            }
            ([Type::String] | [], _) => {}
            _ => return Found::PassedOver,
        }
        // Dashes do not tell formats apart.
        let admits: fn(&str) -> bool = match name.replace('-', "").as_str() {
            "datetime" => date_time,
            "date" => date,
            "duration" => duration,
            "uuid" => uuid,
            "byte" => base64,
            "ipv4" => ipv4,
            "ipv6" => |text| text.parse::<Ipv6Addr>().is_ok(),
            "cidr" => cidr,
            "email" => email,
            "password" => |_| true,
            "k8sshortname" => label,
            "k8slongname" => |text| text.len() <= 253 && text.split('.').all(label_of_any_length),
            "bsonobjectid" | "uri" | "hostname" | "mac" | "uuid3" | "uuid4" | "uuid5" | "isbn"
            | "isbn10" | "isbn13" | "creditcard" | "ssn" | "hexcolor" | "rgbcolor" => {
                return Found::Missing;
            }
            _ => return Found::PassedOver,
        };
        enforced(Some(admits))
    }

    pub(super) fn is_of_text(&self) -> bool {
        self.admits.is_some()
    }

    pub(super) fn admits(&self, text: &str) -> bool {
        self.admits.is_none_or(|admits| admits(text))
    }
}

/// RFC 3339 in any case.
fn date_time(text: &str) -> bool {
    let text = text.to_lowercase();
    let mut parts = text.split('t');
    let (Some(day), Some(time)) = (parts.next(), parts.next()) else {
        return false;
    };
    date(day)
        && matches(r"^([01][0-9]|2[0-3])(:[0-5][0-9]){2}(.[0-9]+)?(z|[+-][0-9]{2}:[0-9]{2})$", time)
}

fn date(text: &str) -> bool {
    text.len() == 10 && text.parse::<Date>().is_ok()
}

/// Go's durations, and looser ones with words (`2 days`).
fn duration(text: &str) -> bool {
    matches(r"^[-+]?(0|(([0-9]+\.?[0-9]*|\.[0-9]+)(ns|us|µs|μs|ms|s|m|h))+)$", text)
        || matches(
            r"(?i)[0-9]\s*((ns|us|µs|ms|s|m|h|hr|d|w|wk)([^a-zµ]|$)|nano|micro|milli|sec|min|hour|day|week)",
            text,
        )
}

fn uuid(text: &str) -> bool {
    matches("(?i)^[0-9a-f]{8}(-?[0-9a-f]{4}){3}-?[0-9a-f]{12}$", text)
}

fn base64(text: &str) -> bool {
    let is_whole = text.len().is_multiple_of(4);
    is_whole && matches("^[A-Za-z0-9+/]+={0,2}$", text)
}

/// Leading zeros are let through, as they always were.
fn ipv4(text: &str) -> bool {
    matches(
        "^0*(25[0-5]|2[0-4][0-9]|1?[0-9]{1,2})([.]0*(25[0-5]|2[0-4][0-9]|1?[0-9]{1,2})){3}$",
        text,
    )
}

fn cidr(text: &str) -> bool {
    let Some((address, bits)) = text.split_once('/') else {
        return false;
    };
    let most = match address.parse::<IpAddr>() {
        Ok(IpAddr::V6(_)) => 128,
        _ if ipv4(address) => 32,
        _ => return false,
    };
    bits.bytes().all(|b| b.is_ascii_digit()) && bits.parse::<u8>().is_ok_and(|n| n <= most)
}

fn label(text: &str) -> bool {
    text.len() <= 63 && label_of_any_length(text)
}

fn label_of_any_length(text: &str) -> bool {
    matches("^[a-z0-9]([-a-z0-9]*[a-z0-9])?$", text)
}

/// The patterns here are few and constant, and the tests compile each of them.
/// An address, perhaps with a name before it.
fn email(text: &str) -> bool {
    matches(r"^([^<>@]*<[^\s<>@]+@[^\s<>@]+>|[^\s<>@]+@[^\s<>@]+)$", text)
}

fn matches(pattern: &str, text: &str) -> bool {
    Regex::new(pattern).is_ok_and(|regex| regex.is_match(text))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn formats_admit_what_kube_apiserver_admits() {
        for (name, text, admitted) in [
            ("date-time", "2026-11-21T12:00:00Z", true),
            ("date-time", "2026-11-21t12:00:00.123456+02:00", true),
            ("date-time", "2026-11-21T12:00:00", false),
            ("date-time", "2026-11-21T24:00:00Z", false),
            ("date-time", "2026-02-30T12:00:00Z", false),
            ("date-time", "2026-11-21", false),
            ("date-time", "é", false),
            ("date", "2026-11-21", true),
            ("email", "ana@acme.io", true),
            ("email", "Ana <ana@acme.io>", true),
            ("email", "ana", false),
            ("email", "ana@acme.io, bo@acme.io", false),
            ("date", "21.11.2026", false),
            ("duration", "1h30m", true),
            ("duration", "1.5h", true),
            ("duration", "-2us", true),
            ("duration", "2 days", true),
            ("duration", "soon", false),
            ("duration", "", false),
            ("duration", "5", false),
            ("uuid", "A6E0FEB5-6c33-4c1e-9b5f-0123456789ab", true),
            ("uuid", "a6e0feb5", false),
            ("byte", "YWJj", true),
            ("byte", "YWJ", false),
            ("ipv4", "10.0.0.1", true),
            ("ipv4", "10.0.0.256", false),
            ("ipv6", "::1", true),
            ("cidr", "10.0.0.0/8", true),
            ("cidr", "10.0.0.0/33", false),
            ("k8s-short-name", "a-b", true),
            ("k8s-short-name", "-b", false),
            ("k8s-long-name", "a.b", true),
        ] {
            let Found::Enforced(format) = Format::find(name, &[Type::String]) else {
                panic!("{name} must be enforced");
            };
            assert_eq!(format.admits(text), admitted, "{name} on {text:?}");
        }
    }

    #[test]
    fn unknown_formats_are_passed_over_and_missing_ones_told_apart() {
        assert!(matches!(Format::find("colour", &[Type::String]), Found::PassedOver));
        assert!(matches!(Format::find("int32", &[Type::Number]), Found::PassedOver));
        assert!(matches!(Format::find("hostname", &[Type::String]), Found::Missing));
    }
}
