//! The opening handshake of a client (RFC 6455 §4.1).
#![cfg(feature = "handshake")]

use std::time::Duration;

use sansocket::ReceiveBuffer;
use sansocket::handshake::client::{Progress, Request, Response};
use sansocket::handshake::{
    BuildError, Extension, HeadError, HeaderError, Limits, RefusedResponse, ResponseError,
};

const NONCE: [u8; 16] = *b"the sample nonce";

/// The example of RFC 6455 §1.2.
const LINES: [&str; 4] = [
    "HTTP/1.1 101 Switching Protocols",
    "Upgrade: websocket",
    "Connection: Upgrade",
    "Sec-WebSocket-Accept: s3pPLMBiTxaQ9kYGzzhZRbK+xOo=",
];

fn head(lines: &[&str]) -> Vec<u8> {
    format!("{}\r\n\r\n", lines.join("\r\n")).into_bytes()
}

fn with(name: &str, others: &[&str]) -> Vec<u8> {
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

fn plus(others: &[&str]) -> Vec<u8> {
    head(&[&LINES[..], others].concat())
}

fn request() -> Request {
    Request::new("ws://example.com/chat".parse().unwrap())
        .subprotocol("chat")
        .subprotocol("superchat")
        .extension(Extension::new("x-a").unwrap())
}

fn feed(
    request: &Request,
    parts: &[&[u8]],
) -> (Option<Result<Response, ResponseError>>, ReceiveBuffer) {
    let mut rx = ReceiveBuffer::new();
    let mut parts = parts.iter();
    let mut handshake = request.clone().start(NONCE).unwrap();
    let mut outcome = None;
    for part in parts.by_ref() {
        rx.extend_from_slice(part);
        match handshake.receive(&mut rx) {
            Progress::Incomplete(again) => handshake = again,
            Progress::Response(response) => {
                outcome = Some(Ok(response));
                break;
            }
            Progress::Failed(error) => {
                outcome = Some(Err(error));
                break;
            }
        }
    }
    for part in parts {
        rx.extend_from_slice(part);
    }
    (outcome, rx)
}

/// Feeds the bytes whole, byte by byte and at every split, and checks that all gives the same.
fn outcome_of(request: &Request, bytes: &[u8]) -> Option<Result<Response, ResponseError>> {
    let (whole, _) = feed(request, &[bytes]);
    let expected = format!("{whole:?}");
    let single: Vec<&[u8]> = bytes.chunks(1).collect();
    assert_eq!(format!("{:?}", feed(request, &single).0), expected);
    for at in 0..=bytes.len() {
        let (first, second) = bytes.split_at(at);
        assert_eq!(format!("{:?}", feed(request, &[first, second]).0), expected);
    }
    whole
}

fn opened(bytes: &[u8]) -> Response {
    match outcome_of(&request(), bytes) {
        Some(Ok(response)) => response,
        other => panic!("{} gives {other:?}", String::from_utf8_lossy(bytes)),
    }
}

fn failed(bytes: &[u8]) -> ResponseError {
    match outcome_of(&request(), bytes) {
        Some(Err(error)) => error,
        other => panic!("{} gives {other:?}", String::from_utf8_lossy(bytes)),
    }
}

fn refused(bytes: &[u8]) -> (Box<RefusedResponse>, ReceiveBuffer) {
    match feed(&request(), &[bytes]) {
        (Some(Err(ResponseError::Refused(response))), rx) => (response, rx),
        other => panic!("{} gives {other:?}", String::from_utf8_lossy(bytes)),
    }
}

#[test]
fn the_request_is_the_one_of_the_rfc() {
    let handshake = request()
        .origin("http://example.com")
        .header("Authorization", "Basic x")
        .start(NONCE)
        .unwrap();
    assert_eq!(
        String::from_utf8_lossy(handshake.request()),
        "GET /chat HTTP/1.1\r\n\
         Host: example.com\r\n\
         Connection: Upgrade\r\n\
         Upgrade: websocket\r\n\
         Sec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==\r\n\
         Sec-WebSocket-Version: 13\r\n\
         Sec-WebSocket-Protocol: chat, superchat\r\n\
         Sec-WebSocket-Extensions: x-a\r\n\
         Origin: http://example.com\r\n\
         Authorization: Basic x\r\n\r\n"
    );
}

#[test]
fn the_example_of_the_rfc_opens_the_websocket() {
    let response = opened(&plus(&["Sec-WebSocket-Protocol: chat"]));
    assert_eq!(response.subprotocol(), Some("chat"));
    assert!(response.extensions().is_empty());
    assert_eq!(response.headers().len(), 4);
}

#[test]
fn a_server_may_choose_no_subprotocol() {
    assert_eq!(opened(&head(&LINES)).subprotocol(), None);
}

#[test]
fn a_response_head_has_the_same_limits() {
    let bytes = head(&LINES);
    let limit = bytes.len() - 1;
    let small = request().limits(Limits::new().max_head_size(limit));
    let error = outcome_of(&small, &bytes).unwrap().unwrap_err();
    assert_eq!(error, ResponseError::Head(HeadError::TooLarge { limit }));
    let few = request().limits(Limits::new().max_headers(2));
    let error = outcome_of(&few, &bytes).unwrap().unwrap_err();
    assert_eq!(
        error,
        ResponseError::Head(HeadError::TooManyHeaders { limit: 2 })
    );
}

#[test]
fn malformed_heads_are_typed_errors() {
    for (bytes, error) in [
        (&b"\x15\x03\x01"[..], HeadError::Tls),
        (b"SSH", HeadError::StartLine),
        (b"HTTP 101", HeadError::StartLine),
        (b"\r\nHTTP/1.1 101 x\r\n", HeadError::StartLine),
        (b"HTTP/2 101 \r\n", HeadError::StartLine),
        (b"HTTP/2.0 101 \r\n", HeadError::HttpVersion),
        (b"HTTP/1.1 10 x\r\n", HeadError::StartLine),
        (b"HTTP/1.1 101 x\n", HeadError::LineEnding),
        (b"HTTP/1.1 101 x\r\nA\r\n\r\n", HeadError::HeaderName),
    ] {
        assert_eq!(failed(bytes), error.into());
    }
}

#[test]
fn an_accept_of_any_length_is_compared_as_text() {
    for bad in [
        "",
        "s",
        "s3pPLMBiTxaQ9kYGzzhZRbK+xOo",
        "s3pPLMBiTxaQ9kYGzzhZRbK+xOo=x",
        "S3pPLMBiTxaQ9kYGzzhZRbK+xOo=",
        "\"s3pPLMBiTxaQ9kYGzzhZRbK+xOo=\"",
        "é",
    ] {
        let line = format!("Sec-WebSocket-Accept: {bad}");
        assert_eq!(
            failed(&with("Sec-WebSocket-Accept", &[&line])),
            ResponseError::WrongAccept
        );
    }
}

#[test]
fn the_accept_is_there_exactly_once() {
    const NAME: &str = "Sec-WebSocket-Accept";
    assert_eq!(failed(&with(NAME, &[])), ResponseError::MissingAccept);
    assert_eq!(failed(&plus(&[LINES[3]])), ResponseError::DuplicateAccept);
}

#[test]
fn upgrade_is_websocket_in_any_case_and_nothing_else() {
    opened(&with("Upgrade", &["UPGRADE: WebSocket"]));
    for lines in [
        &[][..],
        &["Upgrade: h2c"],
        &["Upgrade: h2c, websocket"],
        &["Upgrade: websocket/1"],
        &["Upgrade: websocket", "Upgrade: h2c"],
    ] {
        assert_eq!(
            failed(&with("Upgrade", lines)),
            ResponseError::UpgradeHeader
        );
    }
}

#[test]
fn connection_is_a_list_of_tokens_over_repeated_lines() {
    opened(&with("Connection", &["Connection: keep-alive, upgrade"]));
    opened(&with(
        "Connection",
        &["connection: x", "Connection: UPGRADE"],
    ));
    for lines in [&[][..], &["Connection: close"]] {
        assert_eq!(
            failed(&with("Connection", lines)),
            ResponseError::ConnectionHeader
        );
    }
}

#[test]
fn a_subprotocol_that_was_not_offered_fails_the_connection() {
    const NAME: &str = "Sec-WebSocket-Protocol";
    for name in ["other", "Chat"] {
        let bytes = plus(&[&format!("{NAME}: {name}")]);
        assert_eq!(
            failed(&bytes),
            ResponseError::SubprotocolNotOffered(name.into())
        );
    }
    for lines in [
        &["Sec-WebSocket-Protocol: chat, superchat"][..],
        &[
            "Sec-WebSocket-Protocol: chat",
            "Sec-WebSocket-Protocol: chat",
        ],
    ] {
        assert_eq!(failed(&plus(lines)), ResponseError::DuplicateSubprotocol);
    }
    let empty = failed(&plus(&["Sec-WebSocket-Protocol:"]));
    assert!(matches!(empty, ResponseError::List { header: NAME, .. }));
}

#[test]
fn an_extension_that_was_not_offered_fails_the_connection() {
    let line = |value: &str| plus(&[&format!("Sec-WebSocket-Extensions: {value}")]);
    let response = opened(&line("x-a; b=1"));
    assert_eq!(response.extensions()[0].to_string(), "x-a; b=1");
    let error = failed(&line("x-a, x-b"));
    assert_eq!(error, ResponseError::ExtensionNotOffered("x-b".into()));
    let error = failed(&line("x-a, x-a"));
    assert_eq!(error, ResponseError::DuplicateExtension("x-a".into()));
    assert!(matches!(failed(&line("x-a;")), ResponseError::List { .. }));
}

#[test]
fn a_101_of_http_1_0_is_not_one() {
    let bytes = with("HTTP", &["HTTP/1.0 101 Switching Protocols"]);
    assert_eq!(failed(&bytes), ResponseError::HttpVersion);
}

#[test]
fn interim_responses_are_passed_over_up_to_the_head_limit() {
    let interim = head(&["HTTP/1.1 103 Early Hints", "Link: </a>"]);
    let bytes = [&interim[..], &interim, &head(&LINES)].concat();
    opened(&bytes);
    let endless = interim.repeat(1000);
    let (outcome, _) = feed(&request(), &[&endless]);
    let error = outcome.unwrap().unwrap_err();
    assert!(matches!(
        error,
        ResponseError::Head(HeadError::TooLarge { .. })
    ));
}

#[test]
fn what_the_caller_puts_into_a_request_is_checked_on_start() {
    let error = |request: Request| request.start(NONCE).unwrap_err();
    assert_eq!(error(request().subprotocol("a b")), BuildError::Subprotocol);
    assert_eq!(
        error(request().subprotocol("a\r\nb")),
        BuildError::Subprotocol
    );
    assert_eq!(
        error(request().subprotocol("chat")),
        BuildError::DuplicateSubprotocol
    );
    assert_eq!(error(request().origin("a\r\nb")), BuildError::Origin);
    assert_eq!(error(request().origin("")), BuildError::Origin);
    let name = error(request().header("a b", "c"));
    assert_eq!(name, BuildError::Header(HeaderError::Name));
    let value = error(request().header("a", "b\r\nc: d").header("e", "f"));
    assert_eq!(
        value,
        BuildError::Header(HeaderError::Value { name: "a".into() })
    );
    for name in [
        "host",
        "Upgrade",
        "connection",
        "Origin",
        "sec-websocket-key",
        "Content-Length",
    ] {
        let reserved = BuildError::ReservedHeader(name.into());
        assert_eq!(error(request().header(name, "x")), reserved);
    }
}

#[test]
fn frames_behind_the_head_stay_in_the_buffer() {
    let bytes = [&head(&LINES)[..], b"\x81\x02hi"].concat();
    for at in 0..=bytes.len() {
        let (first, second) = bytes.split_at(at);
        let (outcome, rx) = feed(&request(), &[first, second]);
        assert!(outcome.unwrap().is_ok());
        assert_eq!(rx.len(), 4);
    }
}

#[test]
fn a_redirect_is_reported_and_not_followed() {
    let (response, _) = refused(&head(&["HTTP/1.1 302 Found", "Location: ws://b/"]));
    assert_eq!((response.status(), response.reason()), (302, "Found"));
    assert_eq!(response.headers().get("location"), Some("ws://b/"));
}

#[test]
fn the_body_of_a_refusal_is_collected_up_to_its_content_length() {
    let bytes = [
        &head(&["HTTP/1.1 403 No", "Content-Length: 4"])[..],
        b"body+",
    ]
    .concat();
    let (mut response, mut rx) = refused(&bytes);
    assert!(response.receive_body(&mut rx));
    assert_eq!(response.body(), b"body");
    assert_eq!(rx.len(), 1);
    assert!(response.receive_body(&mut rx));
    assert_eq!(response.body(), b"body");
}

#[test]
fn the_body_of_a_refusal_without_a_length_goes_to_the_end_of_the_stream_or_the_cap() {
    for line in ["A: b", "Transfer-Encoding: chunked", "Content-Length: x"] {
        let (mut response, mut rx) = refused(&head(&["HTTP/1.1 500 ", line]));
        assert!(!response.receive_body(&mut rx));
        rx.extend_from_slice(b"abc");
        assert!(!response.receive_body(&mut rx));
        assert_eq!(response.body(), b"abc");
        rx.extend_from_slice(&[0; 100_000]);
        assert!(response.receive_body(&mut rx));
        assert_eq!(response.body().len(), RefusedResponse::MAX_BODY);
    }
    let (mut response, mut rx) = refused(&head(&["HTTP/1.1 204 "]));
    assert!(response.receive_body(&mut rx));
}

#[test]
fn a_body_length_of_any_size_commits_no_memory() {
    let length = format!("Content-Length: {}", u64::MAX);
    let (mut response, mut rx) = refused(&head(&["HTTP/1.1 500 ", &length]));
    assert!(!response.receive_body(&mut rx));
}

#[test]
fn a_response_that_does_not_come_in_time_fails() {
    let at = |seconds| Duration::from_secs(seconds).into();
    let limits = Limits::new().timeout(Some(Duration::from_secs(3)));
    let mut handshake = request().limits(limits).start(NONCE).unwrap();
    let mut rx = ReceiveBuffer::new();
    handshake.handle_timeout(at(1));
    assert_eq!(handshake.poll_timeout(), Some(at(4)));
    handshake.handle_timeout(at(4));
    let Progress::Failed(error) = handshake.receive(&mut rx) else {
        panic!();
    };
    assert_eq!(error, ResponseError::TimedOut);
}
