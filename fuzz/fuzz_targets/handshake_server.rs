//! A server that is sent anything in place of a request: no panic, the same answer however the bytes
//! are split, and what follows the head is left for the connection.
#![no_main]

use libfuzzer_sys::fuzz_target;
use sansocket::handshake::server::{Acceptance, Handshake, Progress, Request};
use sansocket::{Config, Connection, Event, ReceiveBuffer};
use sansocket_fuzz::{fill, limits, reads};

/// A masked text.
const FRAME: &[u8] = b"\x81\x82\0\0\0\0hi";

fuzz_target!(|input: &[u8]| {
    let [a, b, wire @ ..] = input else {
        return;
    };
    let at_once = run(wire, &[]);
    assert_eq!(run(wire, &[*a, *b]), at_once);
    assert_eq!(run(wire, &[1]), at_once);
});

/// What came of it, and the size of the head if it was accepted.
fn run(wire: &[u8], sizes: &[u8]) -> (String, usize) {
    let (mut handshake, mut rx) = (Handshake::new(limits()), ReceiveBuffer::new());
    let mut received = 0;
    for read in reads(wire, sizes) {
        fill(&mut rx, read);
        received += read.len();
        match handshake.receive(&mut rx) {
            Progress::Incomplete(again) => handshake = again,
            Progress::Request(request) => {
                let head = received - rx.len();
                assert!(wire[..head].ends_with(b"\r\n\r\n"));
                check(&request, &wire[..head]);
                return (format!("{request:?}"), head);
            }
            Progress::Refused(refusal) => {
                let response = refusal.response();
                assert!(response.starts_with(b"HTTP/1.1 4") || response.starts_with(b"HTTP/1.1 5"));
                return (format!("{refusal:?}"), 0);
            }
        }
    }
    ("incomplete".into(), 0)
}

/// It can be accepted, and a frame behind it is received.
fn check(request: &Request, head: &[u8]) {
    let mut acceptance = Acceptance::new();
    if let Some(subprotocol) = request.subprotocols().last() {
        acceptance = acceptance.subprotocol(subprotocol);
    }
    let accepted = request.accept(acceptance).unwrap();
    assert!(accepted.response().starts_with(b"HTTP/1.1 101 "));
    assert!(request.path().starts_with('/'));

    let mut rx = ReceiveBuffer::new();
    fill(&mut rx, &[head, FRAME].concat());
    let progress = Handshake::new(limits()).receive(&mut rx);
    assert!(matches!(progress, Progress::Request(_)));
    let event = Connection::server(Config::new()).receive(&mut rx);
    assert!(matches!(event, Ok(Some(Event::Text(text))) if &*text == "hi"));
}
