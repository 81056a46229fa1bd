//! A client that is sent anything in place of a response: no panic, the same answer however the
//! bytes are split, and what follows the head is left for the connection.
#![no_main]

use libfuzzer_sys::fuzz_target;
use sansocket::handshake::ResponseError;
use sansocket::handshake::client::{Handshake, Progress, Request};
use sansocket::{Config, Connection, Event, ReceiveBuffer, SeededMaskKeys};
use sansocket_fuzz::{fill, limits, reads};

const FRAME: &[u8] = b"\x81\x02hi";

fuzz_target!(|input: &[u8]| {
    let [a, b, wire @ ..] = input else {
        return;
    };
    let at_once = run(wire, &[]);
    assert_eq!(run(wire, &[*a, *b]), at_once);
    assert_eq!(run(wire, &[1]), at_once);
});

/// The key is the sample of RFC 6455 §1.3, so that a response can be right.
fn start() -> Handshake {
    Request::new("ws://example.com/chat".parse().unwrap())
        .subprotocol("chat")
        .limits(limits())
        .start(*b"the sample nonce")
        .unwrap()
}

/// What came of it, and the size of the head if it was accepted.
fn run(wire: &[u8], sizes: &[u8]) -> (String, usize) {
    let (mut handshake, mut rx) = (start(), ReceiveBuffer::new());
    let mut received = 0;
    for read in reads(wire, sizes) {
        fill(&mut rx, read);
        received += read.len();
        match handshake.receive(&mut rx) {
            Progress::Incomplete(again) => handshake = again,
            Progress::Response(response) => {
                let head = received - rx.len();
                assert!(wire[..head].ends_with(b"\r\n\r\n"));
                check_rest(&wire[..head]);
                return (format!("{response:?}"), head);
            }
            Progress::Failed(ResponseError::Refused(mut refused)) => {
                let before = rx.len();
                refused.receive_body(&mut rx);
                assert_eq!(refused.body().len(), before - rx.len());
                let head = received - before;
                // How much of the body has come does depend on the split.
                return (
                    format!("{} {:?}", refused.status(), refused.headers()),
                    head,
                );
            }
            Progress::Failed(error) => return (format!("{error:?}"), 0),
        }
    }
    ("incomplete".into(), 0)
}

/// A frame behind the head is received.
fn check_rest(head: &[u8]) {
    let mut rx = ReceiveBuffer::new();
    fill(&mut rx, &[head, FRAME].concat());
    assert!(matches!(start().receive(&mut rx), Progress::Response(_)));
    let mut client = Connection::client(Config::new(), SeededMaskKeys::new([7; 32]));
    let event = client.receive(&mut rx);
    assert!(matches!(event, Ok(Some(Event::Text(text))) if &*text == "hi"));
}
