//! HTTP/2 by hand: what grpc-go puts on the wire, to the byte.

use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};
use tokio::net::UnixStream;

const REAL: &[u8] = b"home%2Fargocd%2Fcmp-server%2Fplugins%2Fwharfinger.sock";

fn frame(kind: u8, flags: u8, stream: u32, payload: &[u8]) -> Vec<u8> {
    let length = u32::try_from(payload.len()).unwrap().to_be_bytes();
    [&length[1..], &[kind, flags], &stream.to_be_bytes(), payload].concat()
}

fn text(value: &[u8]) -> Vec<u8> {
    [&[u8::try_from(value.len()).unwrap()], value].concat()
}

/// `CheckPluginConfiguration`, with whatever stands for the name `:authority` before its value.
fn call(stream: u32, authority: &[u8]) -> Vec<u8> {
    let headers = [
        [0x83, 0x86].as_slice(), // :method POST, :scheme http
        &[0x44],
        &text(b"/plugin.ConfigManagementPluginService/CheckPluginConfiguration"),
        authority,
        &text(REAL),
        &[0x5f],
        &text(b"application/grpc"),
        &[0x40],
        &text(b"te"),
        &text(b"trailers"),
        &[0x40],
        &text(b"grpc-timeout"),
        &text(b"59993410u"),
    ]
    .concat();
    // In two frames, which grpc-go would do for long ones.
    let (first, rest) = headers.split_at(headers.len() / 2);
    [frame(1, 0, stream, first), frame(9, 4, stream, rest), frame(0, 1, stream, &[0; 5])].concat()
}

/// What came back for a stream.
#[derive(Debug, PartialEq, Eq)]
enum Came {
    Trailers,
    Reset(u32),
}

async fn outcome(socket: &mut UnixStream, wanted: u32) -> Came {
    let mut headers = 0;
    loop {
        let mut head = [0; 9];
        socket.read_exact(&mut head).await.unwrap();
        let length = u32::from_be_bytes([0, head[0], head[1], head[2]]) as usize;
        let mut payload = vec![0; length];
        socket.read_exact(&mut payload).await.unwrap();
        let stream = u32::from_be_bytes([head[5], head[6], head[7], head[8]]);
        match (head[3], stream == wanted) {
            (1, true) => headers += 1,
            (3, true) => return Came::Reset(u32::from_be_bytes(payload.try_into().unwrap())),
            _ => {}
        }
        if headers > 0 && stream == wanted && head[4] & 1 != 0 {
            // A call that was served has two blocks: headers, and trailers after the message.
            assert_eq!(headers, 2);
            return Came::Trailers;
        }
    }
}

#[tokio::test]
async fn grpc_go_is_served_however_it_writes_its_authority_and_however_it_arrives() {
    let world = super::World::default();
    let server = super::Server::start(&world).await;
    let huffman = [0x88, 0xb8, 0x3b, 0x53, 0x39, 0xec, 0x32, 0x7d, 0x7f];
    let forms: [Vec<u8>; 4] = [
        vec![0x41],
        vec![0x01],
        [&[0x40], text(b":authority").as_slice()].concat(),
        [&[0x00], huffman.as_slice()].concat(),
    ];
    for piece in [1, 7, 4096] {
        for (form, authority) in forms.iter().enumerate() {
            let mut socket = UnixStream::connect(&server.socket).await.unwrap();
            let bytes = [
                b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n".to_vec(),
                frame(4, 0, 0, &[]),
                call(1, authority),
            ]
            .concat();
            for piece in bytes.chunks(piece) {
                socket.write_all(piece).await.unwrap();
            }
            assert_eq!(
                outcome(&mut socket, 1).await,
                Came::Trailers,
                "form {form} in pieces of {piece}"
            );
            if form == 0 {
                // Once more, all of it from the table: timeout, te, content-type, authority and path are 62 to 66.
                let again = [0x83, 0x86, 0x80 | 66, 0x80 | 65, 0x80 | 64, 0x80 | 63, 0x80 | 62];
                let again = [frame(1, 4, 3, &again), frame(0, 1, 3, &[0; 5])].concat();
                socket.write_all(&again).await.unwrap();
                assert_eq!(outcome(&mut socket, 3).await, Came::Trailers);
            }
        }
    }
}
