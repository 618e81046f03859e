//! A constraint, and on the next line a version.
#![no_main]

use libfuzzer_sys::fuzz_target;
use wharfinger_core::semver::{Constraint, Version};

fuzz_target!(|text: &str| {
    let (constraint, version) = wharfinger_fuzz::split(text);
    let constraint = constraint.parse::<Constraint>();
    let Ok(version) = version.parse::<Version>() else { return };
    let canonical = version.to_string();
    if let Ok(constraint) = &constraint {
        constraint.accepts(&version);
    }
    // A loose version grows when it is printed, and the longest are refused then.
    if canonical.len() <= 256 {
        let again: Version = canonical.parse().expect("the canonical form is a version");
        assert!(again.is_strict());
        assert_eq!(again.to_string(), canonical);
        assert_eq!(version.precedence(&again), std::cmp::Ordering::Equal);
        let exactly: Constraint = canonical.parse().expect("a version is a constraint");
        assert!(exactly.accepts(&version));
    }
});
