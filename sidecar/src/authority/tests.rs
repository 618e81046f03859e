use tokio::io::AsyncReadExt as _;

use super::*;

const REAL: &[u8] = b"home%2Fargocd%2Fcmp-server%2Fplugins%2Fwharfinger.sock";
const PRI: &[u8] = b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n";

/// A literal with a value, after whatever stands for the name.
fn literal(name: &[u8], value: &[u8]) -> Vec<u8> {
    [name, &[u8::try_from(value.len()).unwrap()], value].concat()
}

/// The forms in which an encoder may write `:authority`, and what is before its value.
fn names() -> Vec<Vec<u8>> {
    let huffman = [0x88, 0xb8, 0x3b, 0x53, 0x39, 0xec, 0x32, 0x7d, 0x7f];
    let mut names = vec![vec![0x41], vec![0x01], vec![0x11]];
    for first in [0x40, 0x00, 0x10] {
        names.push([&[first, 10], b":authority".as_slice()].concat());
        names.push([[first].as_slice(), &huffman].concat());
    }
    names
}

fn frame(kind: u8, flags: u8, stream: u32, payload: &[u8]) -> Vec<u8> {
    let mut out = BytesMut::new();
    head(&mut out, payload.len(), kind, flags, stream.to_be_bytes());
    out.put_slice(payload);
    out.to_vec()
}

/// What a reader sees of `bytes`, handed over in pieces of `piece`.
fn pumped(bytes: &[u8], piece: usize) -> io::Result<Vec<u8>> {
    let (mut frames, mut from, mut to) =
        (Frames::new(block::local), BytesMut::new(), BytesMut::new());
    for piece in bytes.chunks(piece) {
        from.put_slice(piece);
        frames.pump(&mut from, &mut to)?;
    }
    Ok(to.to_vec())
}

/// The same result however the bytes arrive.
fn check(bytes: &[&[u8]], expected: &[&[u8]]) {
    let bytes = [PRI, &bytes.concat()].concat();
    let expected = [PRI, &expected.concat()].concat();
    for piece in [1, 2, 3, 7, 8, 9, 10, 23, 24, 25, 64, bytes.len()] {
        assert_eq!(pumped(&bytes, piece).unwrap(), expected, "in pieces of {piece}");
    }
}

#[test]
fn every_form_of_the_real_authority_becomes_localhost() {
    for name in names() {
        // `:method POST`, a new table size, another literal; then the same after it.
        let (before, after) =
            ([0x83, 0x3f, 0xe1, 0x1f].as_slice(), literal(&[0x44], b"/plugin.X/Y"));
        let block = [before, &literal(&name, REAL), &after].concat();
        let local = [before, &literal(&name, b"localhost"), &after].concat();
        check(
            &[&frame(HEADERS, END_HEADERS, 1, &block)],
            &[&frame(HEADERS, END_HEADERS, 1, &local)],
        );
    }
}

#[test]
fn a_huffman_value_is_replaced_as_well() {
    // 40 bytes of Huffman code are at least 11 bytes of text.
    let huffman = [[0x41, 0x80 | 40].as_slice(), &[0x5c; 40]].concat();
    let local = literal(&[0x41], b"localhost");
    check(&[&frame(HEADERS, END_HEADERS, 1, &huffman)], &[&frame(HEADERS, END_HEADERS, 1, &local)]);
}

#[test]
fn what_replaces_is_never_longer_than_what_it_replaces() {
    for length in 0..60 {
        let value = vec![b'%'; length];
        let block = literal(&[0x41], &value);
        let out = rewrite(&block, block::local).unwrap().unwrap_or(block.clone());
        assert!(out.len() <= block.len(), "{length}");
    }
}

#[test]
fn padding_goes_and_priority_and_the_end_of_the_stream_stay() {
    let (block, local) = (literal(&[0x41], REAL), literal(&[0x41], b"localhost"));
    let padded = [&[3], block.as_slice(), &[0; 3]].concat();
    check(
        &[&frame(HEADERS, END_HEADERS | PADDED | 1, 5, &padded)],
        &[&frame(HEADERS, END_HEADERS | 1, 5, &local)],
    );
    let priority = [0, 0, 0, 3, 9];
    let both = [&[3], priority.as_slice(), &block, &[0; 3]].concat();
    check(
        &[&frame(HEADERS, END_HEADERS | PADDED | PRIORITY, 5, &both)],
        &[&frame(HEADERS, END_HEADERS | PRIORITY, 5, &[priority.as_slice(), &local].concat())],
    );
}

#[test]
fn a_block_over_several_frames_is_put_together() {
    let (block, local) = (literal(&[0x41], REAL), literal(&[0x41], b"localhost"));
    for cut in 0..block.len() {
        let parts = [&block[..cut], &block[cut..]];
        check(
            &[&frame(HEADERS, 1, 1, parts[0]), &frame(CONTINUATION, END_HEADERS, 1, parts[1])],
            &[&frame(HEADERS, END_HEADERS | 1, 1, &local)],
        );
    }
    // Longer than one frame may be, on both sides.
    let long: Vec<u8> = (0..300).flat_map(|_| literal(&[0x00, 1, b'x'], &[b'v'; 100])).collect();
    let frames = |block: &[u8]| {
        let (first, rest) = block.split_at(FRAME);
        [frame(HEADERS, 0, 1, first), frame(CONTINUATION, END_HEADERS, 1, rest)].concat()
    };
    check(&[&frames(&[block, long.clone()].concat())], &[&frames(&[local, long].concat())]);
}

#[test]
fn a_header_block_is_bounded_and_nothing_goes_between() {
    let fails = |frames: &[&[u8]]| {
        let bytes = [PRI, &frames.concat()].concat();
        assert!(pumped(&bytes, 10).is_err() && pumped(&bytes, bytes.len()).is_err());
    };
    let open = frame(HEADERS, 0, 1, &literal(&[0x41], REAL));
    fails(&[&open, &frame(0, 0, 1, b"data")]);
    fails(&[&open, &frame(CONTINUATION, END_HEADERS, 3, b"")]);
    fails(&[&open, &frame(CONTINUATION, 0, 1, b"")]);
    fails(&[&open, &open]);
    let part = frame(CONTINUATION, 0, 1, &[0x82; FRAME]);
    fails(&[&open, &part, &part, &part, &part]);
    fails(&[&frame(HEADERS, END_HEADERS, 1, &vec![0x82; BLOCK + 1])]);
    fails(&[&frame(HEADERS, END_HEADERS | PADDED, 1, &[9, 0x82])]);
    fails(&[&frame(HEADERS, END_HEADERS | PADDED, 1, &[])]);
    fails(&[&frame(HEADERS, END_HEADERS | PRIORITY, 1, &[1, 2])]);
    fails(&[&frame(HEADERS, END_HEADERS, 1, &[0x41, 9, b'x'])]);
    fails(&[&frame(HEADERS, END_HEADERS, 1, &[0x7f, 0xff, 0xff, 0xff, 0xff, 0xff, 0x01])]);
}

/// A cheap source of arbitrary numbers, the same at every run.
struct Arbitrary(u64);

impl Arbitrary {
    fn below(&mut self, end: usize) -> usize {
        self.0 ^= self.0 << 13;
        self.0 ^= self.0 >> 7;
        self.0 ^= self.0 << 17;
        usize::try_from(self.0 % end as u64).unwrap()
    }

    fn bytes(&mut self, most: usize) -> Vec<u8> {
        (0..self.below(most + 1)).map(|_| u8::try_from(self.below(256)).unwrap()).collect()
    }
}

#[test]
fn whatever_else_comes_is_left_alone() {
    let mut any = Arbitrary(42);
    for round in 0..100 {
        let (mut bytes, mut expected) = (PRI.to_vec(), PRI.to_vec());
        for _ in 0..any.below(12) {
            let stream = u32::try_from(any.below(1 << 20)).unwrap();
            if any.below(4) == 0 {
                let name = names().swap_remove(any.below(9));
                let headers =
                    |value: &[u8]| frame(HEADERS, END_HEADERS, stream, &literal(&name, value));
                bytes.extend(headers(REAL));
                expected.extend(headers(b"localhost"));
            } else {
                // Any other frame, HEADERS without an authority among them.
                let other = match any.below(8) {
                    0 => frame(HEADERS, END_HEADERS, stream, &[0x82, 0x84, 0x00, 1, b'a', 1, b'b']),
                    _ => {
                        let kind = [0, 2, 3, 4, 5, 6, 7, 8, 10, 255][any.below(10)];
                        let flags = u8::try_from(any.below(256)).unwrap();
                        frame(kind, flags, stream, &any.bytes(300))
                    }
                };
                bytes.extend(&other);
                expected.extend(&other);
            }
        }
        let (mut frames, mut from, mut to) =
            (Frames::new(block::local), BytesMut::new(), BytesMut::new());
        let mut rest = bytes.as_slice();
        while !rest.is_empty() {
            let piece;
            (piece, rest) = rest.split_at(1 + any.below(rest.len()));
            from.put_slice(piece);
            frames.pump(&mut from, &mut to).unwrap();
        }
        assert_eq!(to, expected, "round {round}");
    }
}

#[test]
fn arbitrary_bytes_neither_panic_nor_balloon() {
    let mut any = Arbitrary(7);
    for _ in 0..3_000 {
        let block = any.bytes(60);
        if let Ok(Some(out)) = rewrite(&block, block::local) {
            assert!(out.len() <= block.len());
        }
        let bytes =
            [PRI, &frame(HEADERS, u8::try_from(any.below(256)).unwrap(), 1, &block)].concat();
        pumped(&bytes, 5).ok();
    }
}

#[tokio::test]
async fn a_reader_sees_the_end_of_the_stream() {
    let whole = frame(HEADERS, END_HEADERS, 1, &literal(&[0x41], REAL));
    let cut = frame(HEADERS, END_HEADERS, 3, &literal(&[0x41], REAL));
    let bytes = [PRI, &whole, &cut[..20]].concat();
    let mut seen = Vec::new();
    LocalAuthority::new(bytes.as_slice()).read_to_end(&mut seen).await.unwrap();
    let local = frame(HEADERS, END_HEADERS, 1, &literal(&[0x41], b"localhost"));
    assert_eq!(seen, [PRI, &local].concat());
}
