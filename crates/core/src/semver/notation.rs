//! The notation that versions and constraints share: `v1.2.3-rc.1+build`, of which only the first number must be there.

/// A version as it is written, taken apart and not yet understood.
pub(super) struct Notation<'a> {
    /// All of it.
    pub text: &'a str,
    pub numbers: [Option<&'a str>; 3],
    /// Without the `-`; empty when there is none.
    pub prerelease: &'a str,
    /// Without the `+`; empty when there is none.
    pub build: &'a str,
}

impl<'a> Notation<'a> {
    /// The longest version that `text` begins with, and what follows it. `is_digit` says what a number is made of.
    pub(super) fn at_start(text: &'a str, is_digit: fn(u8) -> bool) -> Option<(Self, &'a str)> {
        let unprefixed = text.strip_prefix('v').unwrap_or(text);
        let (major, mut rest) = run(unprefixed, is_digit)?;
        let mut further = || {
            let (number, after) = run(rest.strip_prefix('.')?, is_digit)?;
            rest = after;
            Some(number)
        };
        let minor = further();
        let patch = if minor.is_some() { further() } else { None };
        let prerelease = parts_after('-', &mut rest);
        let build = parts_after('+', &mut rest);
        let text = &text[..text.len() - rest.len()];
        Some((Self { text, numbers: [Some(major), minor, patch], prerelease, build }, rest))
    }
}

/// Letters, digits and hyphens in parts between dots, if they follow `sign` at the start of `rest`.
fn parts_after<'a>(sign: char, rest: &mut &'a str) -> &'a str {
    let is_part = |b: u8| b.is_ascii_alphanumeric() || b == b'-';
    let Some(all) = rest.strip_prefix(sign) else { return "" };
    let Some((_, mut after)) = run(all, is_part) else { return "" };
    while let Some((_, further)) = after.strip_prefix('.').and_then(|part| run(part, is_part)) {
        after = further;
    }
    *rest = after;
    &all[..all.len() - after.len()]
}

/// The bytes at the start of `text` that are `allowed`, at least one, and what follows them. They are ASCII.
fn run(text: &str, allowed: impl Fn(u8) -> bool) -> Option<(&str, &str)> {
    let end = text.bytes().position(|b| !allowed(b)).unwrap_or(text.len());
    (end > 0).then(|| text.split_at(end))
}
