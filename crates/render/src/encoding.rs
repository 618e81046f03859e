//! The text of a file. As Argo CD, and editors on Windows, have it: UTF-16 where a byte order mark says so, UTF-8 with one or
//! without.

use std::borrow::Cow;

use crate::RenderError;

/// Argo CD puts a replacement character where something is no text, and applies that. We say so.
pub(crate) fn text<'c>(name: &str, content: &'c [u8]) -> Result<Cow<'c, str>, RenderError> {
    let not = |what: &str| RenderError::input(format!("{name} is not {what}"));
    match content {
        [0xff, 0xfe, rest @ ..] => {
            utf16(rest, u16::from_le_bytes).ok_or_else(|| not("UTF-16")).map(Cow::Owned)
        }
        [0xfe, 0xff, rest @ ..] => {
            utf16(rest, u16::from_be_bytes).ok_or_else(|| not("UTF-16")).map(Cow::Owned)
        }
        [0xef, 0xbb, 0xbf, rest @ ..] | rest => {
            std::str::from_utf8(rest).map(Cow::Borrowed).map_err(|_| not("UTF-8"))
        }
    }
}

fn utf16(bytes: &[u8], unit: fn([u8; 2]) -> u16) -> Option<String> {
    let (pairs, []) = bytes.as_chunks() else { return None };
    char::decode_utf16(pairs.iter().copied().map(unit)).collect::<Result<_, _>>().ok()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_byte_order_mark_says_what_a_file_is_written_in() {
        let read = |content: &[u8]| text("a.yaml", content).map(Cow::into_owned);
        let wide = |text: &str, bytes: fn(u16) -> [u8; 2]| -> Vec<u8> {
            format!("\u{feff}{text}").encode_utf16().flat_map(bytes).collect()
        };
        for expected in ["", "a: ä\r\n", "😀"] {
            let with = format!("\u{feff}{expected}");
            for content in [
                expected.as_bytes(),
                with.as_bytes(),
                &wide(expected, u16::to_le_bytes),
                &wide(expected, u16::to_be_bytes),
            ] {
                assert_eq!(read(content).as_deref(), Ok(expected), "{content:?}");
            }
        }
        for (content, what) in [
            (&b"a: \xe9"[..], "UTF-8"),
            (b"\xef\xbb\xbf\xe9", "UTF-8"),
            (b"\xff\xfea\0b", "UTF-16"),
            (b"\xff\xfe\x3d\xd8a\0", "UTF-16"),
        ] {
            let error = read(content).unwrap_err().to_string();
            assert_eq!(error, format!("a.yaml is not {what}"), "{content:?}");
        }
    }
}
