//! Requests to a server's opening handshake, and what it makes of them.

use sansocket::ReceiveBuffer;
use sansocket::handshake::server::{self, Progress, Refusal, Request};
use sansocket::handshake::{Limits, RequestError};

/// The example of RFC 6455 §1.2, on another path.
pub(crate) const LINES: [&str; 8] = [
    "GET /chat/room?x=1&y HTTP/1.1",
    "Host: server.example.com",
    "Upgrade: websocket",
    "Connection: Upgrade",
    "Sec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==",
    "Origin: http://example.com",
    "Sec-WebSocket-Protocol: chat, superchat",
    "Sec-WebSocket-Version: 13",
];

pub(crate) fn head(lines: &[&str]) -> Vec<u8> {
    format!("{}\r\n\r\n", lines.join("\r\n")).into_bytes()
}

/// The example with the line that begins with `name` replaced by others.
pub(crate) fn with(name: &str, others: &[&str]) -> Vec<u8> {
    assert!(LINES.iter().any(|line| line.starts_with(name)));
    let mut lines = Vec::new();
    for line in LINES {
        if line.starts_with(name) {
            lines.extend_from_slice(others);
        } else {
            lines.push(line);
        }
    }
    head(&lines)
}

/// The example with further lines.
pub(crate) fn plus(others: &[&str]) -> Vec<u8> {
    head(&[&LINES[..], others].concat())
}

/// Feeds the parts one after the other; gives the outcome, or `None`, and what is left unread.
pub(crate) fn feed(limits: &Limits, parts: &[&[u8]]) -> (Option<Result<Request, Refusal>>, usize) {
    let mut rx = ReceiveBuffer::new();
    let mut handshake = server::Handshake::new(limits.clone());
    let mut outcome = None;
    let mut parts = parts.iter();
    for part in parts.by_ref() {
        rx.extend_from_slice(part);
        match handshake.receive(&mut rx) {
            Progress::Incomplete(again) => {
                handshake = again;
                continue;
            }
            Progress::Request(request) => outcome = Some(Ok(request)),
            Progress::Refused(refusal) => outcome = Some(Err(refusal)),
        }
        break;
    }
    let left = parts.map(|part| part.len()).sum::<usize>();
    (outcome, left + rx.len())
}

pub(crate) fn show(outcome: &Option<Result<Request, Refusal>>) -> String {
    format!("{outcome:?}")
}

/// Feeds the bytes whole, byte by byte and at every split, and checks that all gives the same.
pub(crate) fn outcome_within(limits: &Limits, bytes: &[u8]) -> Option<Result<Request, Refusal>> {
    let (whole, _) = feed(limits, &[bytes]);
    let single: Vec<&[u8]> = bytes.chunks(1).collect();
    assert_eq!(show(&feed(limits, &single).0), show(&whole));
    for at in 0..=bytes.len() {
        let (first, second) = bytes.split_at(at);
        assert_eq!(
            show(&feed(limits, &[first, second]).0),
            show(&whole),
            "split at {at}"
        );
    }
    whole
}

pub(crate) fn accepted(bytes: &[u8]) -> Request {
    match outcome_within(&Limits::new(), bytes) {
        Some(Ok(request)) => request,
        other => panic!("{} gives {other:?}", String::from_utf8_lossy(bytes)),
    }
}

pub(crate) fn refused(bytes: &[u8]) -> Refusal {
    match outcome_within(&Limits::new(), bytes) {
        Some(Err(refusal)) => refusal,
        other => panic!("{} gives {other:?}", String::from_utf8_lossy(bytes)),
    }
}

#[track_caller]
pub(crate) fn assert_refused(bytes: &[u8], error: RequestError, status: u16) {
    let refusal = refused(bytes);
    assert_eq!(refusal.error(), &error);
    assert_eq!(error.status(), status);
    let response = String::from_utf8(refusal.response()).unwrap();
    assert!(
        response.starts_with(&format!("HTTP/1.1 {status} ")),
        "{response}"
    );
    assert!(response.contains("close\r\n"));
    let (_, body) = response.split_once("\r\n\r\n").unwrap();
    let length = format!("\r\nContent-Length: {}\r\n", error.to_string().len() + 1);
    assert!(response.contains(&length), "{response}");
    if refusal.head().is_none_or(|head| head.method() != "HEAD") {
        assert_eq!(body, format!("{error}\n"));
    }
}
