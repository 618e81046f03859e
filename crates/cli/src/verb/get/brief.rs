//! Lists of Stages that may be long.

use std::collections::BTreeMap;

use jiff::Timestamp;
use wharfinger_core::availability::Next;

use crate::output::span;

/// As many of a kind as are named one by one.
const NAMED: usize = 3;

/// The names, where more than a few that differ only after their last `-` are counted: `dev,prod-eu×24`. `all` where they
/// are all that there are.
pub(super) fn names<'n>(names: impl Iterator<Item = &'n str> + Clone, all: usize) -> String {
    if all > NAMED && names.clone().count() == all {
        return "all".into();
    }
    let mut alike: BTreeMap<&str, Vec<&str>> = BTreeMap::new();
    for name in names {
        let kind = name.rsplit_once('-').map_or(name, |(kind, _)| kind);
        alike.entry(kind).or_default().push(name);
    }
    let told = alike.into_iter().map(|(kind, names)| match names.len() {
        ..=NAMED => names.join(","),
        many => format!("{kind}×{many}"),
    });
    told.collect::<Vec<_>>().join(",")
}

/// Where Freight may go now, then where it may go later and what that waits for: `qa, prod in 14m (soak)`.
pub(super) fn next(next: &[Next<'_>], now: Timestamp) -> String {
    let open = next.iter().filter(|n| n.waits.is_none()).map(|n| n.stage);
    let mut told: Vec<String> =
        Some(names(open, usize::MAX)).into_iter().filter(|names| !names.is_empty()).collect();
    let later = next.iter().filter_map(|n| Some((n.stage, n.waits.as_ref()?)));
    told.extend(later.clone().take(NAMED).map(|(stage, check)| {
        let time = check.until.map(|until| format!(" in {}", span(until.duration_since(now))));
        format!("{stage}{} ({})", time.unwrap_or_default(), check.code)
    }));
    let more = later.count().saturating_sub(NAMED);
    if more > 0 {
        told.push(format!("{more} more"));
    }
    told.join(", ")
}

#[cfg(test)]
mod tests {
    use jiff::ToSpan as _;
    use wharfinger_core::check::{Check, Code};

    use super::*;

    #[test]
    fn many_that_are_alike_are_counted() {
        let brief = |list: &str, all| names(list.split(' ').filter(|n| !n.is_empty()), all);
        assert_eq!(brief("", 9), "");
        assert_eq!(brief("dev prod-1 prod-2 prod-3", 9), "dev,prod-1,prod-2,prod-3");
        assert_eq!(brief("dev prod-1 prod-2 prod-3 prod-4", 9), "dev,prod×4");
        assert_eq!(brief("dev prod-eu-1 prod-eu-2 prod-eu-3 prod-eu-4", 5), "all");
        assert_eq!(brief("dev", 1), "dev");
    }

    #[test]
    fn what_waits_says_how_long_and_for_what() {
        let now = Timestamp::UNIX_EPOCH;
        let open = |stage| Next { stage, waits: None };
        let later = |stage, minutes: i64| {
            let soak = Check::waiting(Code::Soak, "").until(now + minutes.minutes());
            Next { stage, waits: Some(soak) }
        };
        assert_eq!(next(&[], now), "");
        assert_eq!(next(&[open("qa")], now), "qa");
        assert_eq!(
            next(&[open("qa"), open("uat"), later("prod", 14)], now),
            "qa,uat, prod in 14m (soak)"
        );
        let many = [later("a", 1), later("b", 2), later("c", 3), later("d", 4), later("e", 5)];
        assert_eq!(next(&many, now), "a in 1m (soak), b in 2m (soak), c in 3m (soak), 2 more");
    }
}
