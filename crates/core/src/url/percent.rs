//! Percent-encoding as Go's `net/url` does it: which bytes stand for themselves depends on the part.

use std::fmt::{self, Write as _};

/// A part of a URL with rules of its own.
#[derive(Clone, Copy)]
pub(super) enum Part {
    User,
    Host,
    /// What follows an IPv6 address in a host, from `%25` on: the network interface.
    Zone,
    Path,
    Fragment,
}

/// Text with escapes and the bytes it means. They need not be UTF-8.
pub(super) struct Escaped<'a> {
    part: Part,
    written: &'a str,
    /// May be changed: then they are escaped afresh when printed.
    pub(super) bytes: Vec<u8>,
}

impl<'a> Escaped<'a> {
    pub(super) fn parse(written: &'a str, part: Part) -> Option<Self> {
        Some(Self { part, written, bytes: decode(written, part)? })
    }
}

/// As it was written, if that is still a way to write it.
impl fmt::Display for Escaped<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self { part, written, bytes } = self;
        if is_encoded(written, *part) && decode(written, *part).as_ref() == Some(bytes) {
            return f.write_str(written);
        }
        f.write_str(&encode(bytes, *part))
    }
}

/// The bytes behind `text`, or `None` when an escape is broken or not allowed in this part.
pub(super) fn decode(text: &str, part: Part) -> Option<Vec<u8>> {
    let mut decoded = Vec::with_capacity(text.len());
    let mut rest = text.as_bytes();
    while let Some((&first, after)) = rest.split_first() {
        if first == b'%' {
            let (byte, after) = escape(after)?;
            if !may_be_escaped(byte, part) {
                return None;
            }
            decoded.push(byte);
            rest = after;
        } else {
            if !may_be_plain(first, part) {
                return None;
            }
            decoded.push(first);
            rest = after;
        }
    }
    Some(decoded)
}

/// Escapes what does not stand for itself in this part.
pub(super) fn encode(bytes: &[u8], part: Part) -> String {
    let mut encoded = String::with_capacity(bytes.len());
    for &byte in bytes {
        if stands_for_itself(byte, part) {
            encoded.push(char::from(byte));
        } else {
            // Writing to a String cannot fail.
            _ = write!(encoded, "%{byte:02X}");
        }
    }
    encoded
}

/// Whether every `%` in `text` begins an escape.
pub(super) fn is_well_formed(text: &str) -> bool {
    text.split('%').skip(1).all(|after| escape(after.as_bytes()).is_some())
}

/// Whether `text` is the result of escaping, not necessarily by [`encode`]: others escape less.
fn is_encoded(text: &str, part: Part) -> bool {
    text.bytes().all(|b| b"!$&'()*+,;=:@[]%".contains(&b) || stands_for_itself(b, part))
}

/// The byte that two hexadecimal digits mean, and what follows them.
fn escape(text: &[u8]) -> Option<(u8, &[u8])> {
    let ([high, low], rest) = text.split_first_chunk()?;
    let digit = |b: &u8| char::from(*b).to_digit(16).and_then(|d| u8::try_from(d).ok());
    Some(((digit(high)? << 4) | digit(low)?, rest))
}

fn may_be_escaped(byte: u8, part: Part) -> bool {
    match part {
        // In a host escapes are for what is not ASCII, and for the `%` before a zone.
        Part::Host => !byte.is_ascii() || byte == b'%',
        // In a zone they are for what could stand there anyway, and for the spaces of Windows.
        Part::Zone => byte == b'%' || byte == b' ' || stands_for_itself(byte, Part::Host),
        Part::User | Part::Path | Part::Fragment => true,
    }
}

fn may_be_plain(byte: u8, part: Part) -> bool {
    match part {
        Part::Host | Part::Zone => !byte.is_ascii() || stands_for_itself(byte, part),
        Part::User | Part::Path | Part::Fragment => true,
    }
}

fn stands_for_itself(byte: u8, part: Part) -> bool {
    let also: &[u8] = match part {
        Part::User => b"$&+,;=",
        Part::Host | Part::Zone => b"!$&'()*+,;=:[]<>\"",
        Part::Path => b"$&+,/:;=@",
        Part::Fragment => b"$&+,/:;=?@!()*",
    };
    byte.is_ascii_alphanumeric() || b"-_.~".contains(&byte) || also.contains(&byte)
}
