//! Heads that are as large as they may be, and come slowly.

use sansocket::handshake::{Limits, client, server};

use super::*;

const H: usize = 16 * 1024;

fn bound(r: usize) -> usize {
    (2 * H).max(H + r) + 2 * H + 32 * 1024
}

/// Feeds a server's handshake in reads of so many bytes, until it has an outcome.
fn serve(bytes: &[u8], most: usize) -> Option<server::Progress> {
    let mut rx = ReceiveBuffer::new();
    let mut handshake = server::Handshake::new(Limits::new());
    for piece in bytes.chunks(most) {
        let room = rx.spare(SIZES.r);
        room[..piece.len()].copy_from_slice(piece);
        rx.commit(piece.len());
        match handshake.receive(&mut rx) {
            server::Progress::Incomplete(again) => handshake = again,
            outcome => return Some(outcome),
        }
    }
    None
}

/// Heads that are as large as they may be, and end or do not.
fn heads() -> Vec<Vec<u8>> {
    let start = b"GET / HTTP/1.1\r\nHost: a\r\nUpgrade: websocket\r\nConnection: Upgrade\r\n\
        Sec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==\r\nSec-WebSocket-Version: 13\r\n";
    let fill = |line: &str| {
        let mut head = start.to_vec();
        head.extend_from_slice(line.as_bytes());
        head.resize(H - 4, b'x');
        [&head[..], b"\r\n\r\n"].concat()
    };
    let list = |name: &str, element: &str| {
        let elements: Vec<String> = (0..128).map(|n| format!("{element}{n}")).collect();
        let line = format!("{name}: {}\r\n\r\n", elements.join(", "));
        [&start[..], line.as_bytes()].concat()
    };
    let params: String = (0..120).map(|n| format!("; param{n}=value{n}")).collect();
    let many: String = (0..58).map(|n| format!("X-{n}: y\r\n")).collect();
    vec![
        fill("X: "),
        fill(&format!("{many}X: ")),
        [&start[..], many.as_bytes(), b"\r\n"].concat(),
        list("Sec-WebSocket-Protocol", "p"),
        list("Sec-WebSocket-Extensions", "x"),
        list("Sec-WebSocket-Extensions", &format!("x{}-", &params[..60])),
        [
            &start[..],
            b"Sec-WebSocket-Extensions: x",
            params.as_bytes(),
            b"\r\n\r\n",
        ]
        .concat(),
        [b"GET /".to_vec(), vec![b'a'; 2 * H]].concat(),
        [&start[..], b"X: ", &vec![b'y'; 2 * H]].concat(),
        b"A".repeat(2 * H),
        b"\r\n".repeat(H),
    ]
}

#[test]
fn slow_heads_hold_no_more_than_the_bound() {
    for (number, bytes) in heads().iter().enumerate() {
        for most in [1, 1000, SIZES.r] {
            let (outcome, used) = measure(|| serve(bytes, most));
            assert!(outcome.is_some(), "head {number} has no outcome");
            assert_within(&used, bound(SIZES.r), &format!("head {number} by {most}"));
        }
    }
}

#[test]
fn a_slow_response_holds_no_more_than_the_bound() {
    let interim = b"HTTP/1.1 102 Wait\r\n\r\n".repeat(2_000);
    let large = [&b"HTTP/1.1 101 x\r\nX: "[..], &vec![b'y'; 2 * H]].concat();
    for bytes in [interim, large] {
        let request = client::Request::new("ws://a/".parse().unwrap());
        let mut handshake = request.start([7; 16]).unwrap();
        let (failed, used) = measure(|| {
            let mut rx = ReceiveBuffer::new();
            for byte in &bytes {
                rx.spare(SIZES.r)[0] = *byte;
                rx.commit(1);
                match handshake.receive(&mut rx) {
                    client::Progress::Incomplete(again) => handshake = again,
                    client::Progress::Failed(_) => return true,
                    client::Progress::Response(_) => panic!("no answer to the key"),
                }
            }
            false
        });
        assert!(failed, "the limit holds");
        assert_within(&used, bound(SIZES.r), "a response");
    }
}
