//! One HPACK header block (RFC 7541).

use std::io;

use super::malformed;

/// What is written in the place of an authority that has at least so many bytes; nothing leaves it alone.
pub(crate) type Authority = fn(at_least: usize) -> Option<&'static [u8]>;

/// `localhost`, or something shorter where that would be longer than what it stands for.
pub(super) fn local(at_least: usize) -> Option<&'static [u8]> {
    match at_least {
        0 => None,
        1..9 => Some(b"l"),
        9.. => Some(b"localhost"),
    }
}

/// `:authority` as a literal name with its length before it: plain, and in Huffman code.
const PLAIN: &[u8] = b"\x0a:authority";
const HUFFMAN: &[u8] = &[0x88, 0xb8, 0x3b, 0x53, 0x39, 0xec, 0x32, 0x7d, 0x7f];

/// The block with every literal `:authority` replaced; nothing where there is none.
pub(crate) fn rewrite(block: &[u8], authority: Authority) -> io::Result<Option<Vec<u8>>> {
    let mut out: Option<Vec<u8>> = None;
    // What was read, and up to where it was copied.
    let (mut at, mut copied) = (Cursor { block, at: 0 }, 0);
    while let Some(first) = block.get(at.at) {
        match first {
            // An indexed field.
            0x80.. => {
                at.integer(7)?;
                continue;
            }
            // A new size for the table.
            0x20..0x40 => {
                at.integer(5)?;
                continue;
            }
            _ => {}
        }
        let name = at.integer(if first & 0x40 != 0 { 6 } else { 4 })?;
        let is_authority = match name {
            0 => matches!(at.string()?.whole, PLAIN | HUFFMAN),
            name => name == 1,
        };
        let start = at.at;
        let value = at.string()?;
        if is_authority && let Some(replacement) = authority(value.at_least()) {
            let out =
                out.get_or_insert_with(|| Vec::with_capacity(block.len() + replacement.len()));
            out.extend_from_slice(&block[copied..start]);
            // Shorter than 127 bytes, so that its length is one byte.
            out.push(replacement.len().min(126) as u8);
            out.extend_from_slice(&replacement[..replacement.len().min(126)]);
            copied = at.at;
        }
    }
    if let Some(out) = &mut out {
        out.extend_from_slice(&block[copied..]);
    }
    Ok(out)
}

struct Cursor<'b> {
    block: &'b [u8],
    at: usize,
}

/// A string, with the length before it.
struct Text<'b> {
    whole: &'b [u8],
    huffman: bool,
    length: usize,
}

impl Text<'_> {
    /// How many bytes it has at the least, once decoded: no Huffman code has more than 30 bits, and less than 8 are padding.
    fn at_least(&self) -> usize {
        if self.huffman { (self.length * 8).saturating_sub(7).div_ceil(30) } else { self.length }
    }
}

impl<'b> Cursor<'b> {
    /// An integer whose first byte shares its upper bits with something else (§5.1).
    fn integer(&mut self, bits: u8) -> io::Result<usize> {
        let most = (1_usize << bits) - 1;
        let first = usize::from(self.byte()?) & most;
        if first < most {
            return Ok(first);
        }
        let mut value = most;
        // Four more bytes are more than any header block has.
        for shift in [0, 7, 14, 21] {
            let byte = self.byte()?;
            value += usize::from(byte & 0x7f) << shift;
            if byte & 0x80 == 0 {
                return Ok(value);
            }
        }
        Err(malformed("an integer in a header block that is too large"))
    }

    fn string(&mut self) -> io::Result<Text<'b>> {
        let start = self.at;
        let huffman = self.block.get(start).is_some_and(|first| first & 0x80 != 0);
        let length = self.integer(7)?;
        let end = self.at + length;
        let whole = self
            .block
            .get(start..end)
            .ok_or_else(|| malformed("a string in a header block that does not end"))?;
        self.at = end;
        Ok(Text { whole, huffman, length })
    }

    fn byte(&mut self) -> io::Result<u8> {
        let byte =
            self.block.get(self.at).ok_or_else(|| malformed("a header block that does not end"))?;
        self.at += 1;
        Ok(*byte)
    }
}
