//! What a server makes of a client's opening handshake (RFC 6455 §4.2.1).
#![cfg(feature = "handshake")]

mod common;

use std::time::Duration;

use common::requests::*;
use sansocket::ReceiveBuffer;
use sansocket::handshake::server::{self, Acceptance, Progress, Refusal};
use sansocket::handshake::{HeadError, Limits, RequestError};

#[test]
fn the_example_of_the_rfc_is_accepted() {
    let request = accepted(&head(&LINES));
    assert_eq!(request.resource_name(), "/chat/room?x=1&y");
    assert_eq!(request.path(), "/chat/room");
    assert_eq!(request.query(), Some("x=1&y"));
    assert_eq!(request.host(), "server.example.com");
    assert_eq!(request.origin(), Some("http://example.com"));
    assert!(request.subprotocols().eq(["chat", "superchat"]));
    assert!(request.extensions().is_empty());
    assert_eq!(request.headers().len(), 7);

    let accepted = request
        .accept(Acceptance::new().subprotocol("chat"))
        .unwrap();
    assert_eq!(
        String::from_utf8_lossy(accepted.response()),
        "HTTP/1.1 101 Switching Protocols\r\n\
         Upgrade: websocket\r\n\
         Connection: Upgrade\r\n\
         Sec-WebSocket-Accept: s3pPLMBiTxaQ9kYGzzhZRbK+xOo=\r\n\
         Sec-WebSocket-Protocol: chat\r\n\r\n"
    );
    assert_eq!(accepted.subprotocol(), Some("chat"));
}

#[test]
fn a_head_beyond_the_limit_is_refused_with_431_before_it_ends() {
    let bytes = head(&LINES);
    let fits = Limits::new().max_head_size(bytes.len());
    assert!(matches!(outcome_within(&fits, &bytes), Some(Ok(_))));
    let limit = bytes.len() - 1;
    let short = Limits::new().max_head_size(limit);
    let refusal = outcome_within(&short, &bytes).unwrap().unwrap_err();
    assert_eq!(
        refusal.error(),
        &RequestError::Head(HeadError::TooLarge { limit })
    );
    assert_eq!(refusal.error().status(), 431);

    let endless = [b"GET /".to_vec(), vec![b'a'; 16 * 1024]].concat();
    let (outcome, _) = feed(&Limits::new(), &[&endless]);
    assert_eq!(outcome.unwrap().unwrap_err().error().status(), 431);
}

#[test]
fn more_headers_than_the_limit_are_refused_with_431() {
    let limits = Limits::new().max_headers(LINES.len() - 1);
    assert!(matches!(
        outcome_within(&limits, &head(&LINES)),
        Some(Ok(_))
    ));
    let refusal = outcome_within(&limits, &plus(&["A: b"]))
        .unwrap()
        .unwrap_err();
    let limit = LINES.len() - 1;
    assert_eq!(
        refusal.error(),
        &RequestError::Head(HeadError::TooManyHeaders { limit })
    );
    assert_eq!(refusal.error().status(), 431);
}

#[test]
fn a_head_that_comes_byte_by_byte_takes_linear_time() {
    // Quadratic time would be ten to the twelve steps, and this would never end.
    let limits = Limits::new().max_head_size(usize::MAX);
    let mut rx = ReceiveBuffer::new();
    let mut handshake = server::Handshake::new(limits);
    rx.extend_from_slice(b"GET /");
    for _ in 0..1_000_000 {
        rx.extend_from_slice(b"a");
        let Progress::Incomplete(again) = handshake.receive(&mut rx) else {
            panic!();
        };
        handshake = again;
    }
}

#[test]
fn malformed_heads_are_typed_errors_with_a_status() {
    for (bytes, error, status) in [
        (&b"\x16\x03\x01\x02"[..], HeadError::Tls, 400),
        (b"\x00", HeadError::ControlCharacter, 400),
        (b"\xff", HeadError::StartLine, 400),
        (b"hello\r\n", HeadError::StartLine, 400),
        (b"GET  / HTTP/1.1\r\n", HeadError::StartLine, 400),
        (b"GET / HTTP/1.1 \r\n", HeadError::StartLine, 400),
        (b"GET / HTTP/1.1\n", HeadError::LineEnding, 400),
        (b"GET / HTTP/1.1\r\n\x7f", HeadError::ControlCharacter, 400),
        (
            b"GET / HTTP/1.1\r\nA : b\r\n\r\n",
            HeadError::HeaderName,
            400,
        ),
        (
            b"GET / HTTP/1.1\r\nA: b\r\n c\r\n\r\n",
            HeadError::HeaderName,
            400,
        ),
        (b"GET / HTTP/2.0\r\n", HeadError::HttpVersion, 505),
        (b"GET / HTTP/0.9\r\n", HeadError::HttpVersion, 505),
    ] {
        assert_refused(bytes, error.into(), status);
        assert!(refused(bytes).head().is_none());
    }
}

#[test]
fn connection_is_a_list_of_tokens_in_any_case_over_repeated_lines() {
    for lines in [
        &["Connection: keep-alive, UPGRADE"][..],
        &["connection: upgrade"],
        &["Connection: keep-alive", "CONNECTION: ,Upgrade,"],
    ] {
        accepted(&with("Connection", lines));
    }
    for lines in [&[][..], &["Connection: close"], &["Connection: upgrade-x"]] {
        assert_refused(
            &with("Connection", lines),
            RequestError::ConnectionHeader,
            426,
        );
    }
}

#[test]
fn only_get_is_accepted() {
    for method in ["POST", "HEAD", "get", "OPTIONS", "X"] {
        let line = format!("{method} / HTTP/1.1");
        assert_refused(&with("GET", &[&line]), RequestError::Method, 405);
    }
    let response = refused(&with("GET", &["OPTIONS * HTTP/1.1"])).response();
    assert!(
        String::from_utf8(response)
            .unwrap()
            .contains("\r\nAllow: GET\r\n")
    );
}

#[test]
fn an_upgrade_over_http_1_0_is_refused_with_505() {
    let bytes = with("GET", &["GET / HTTP/1.0"]);
    assert_refused(&bytes, RequestError::HttpVersion, 505);
}

#[test]
fn exactly_one_valid_host_is_required() {
    assert_refused(&with("Host", &[]), RequestError::MissingHost, 400);
    assert_refused(&plus(&["host: b"]), RequestError::DuplicateHost, 400);
    for bad in [
        "", "a b", "a/b", "u@a", "a:b", "a:99999", "[::1", "é", "a,b@",
    ] {
        let line = format!("Host: {bad}");
        assert_refused(&with("Host", &[&line]), RequestError::InvalidHost, 400);
    }
    for good in ["a:8080", "[::1]:1", "127.0.0.1"] {
        let line = format!("Host: {good}");
        assert_eq!(accepted(&with("Host", &[&line])).host(), good);
    }
}

#[test]
fn exactly_one_key_of_sixteen_bytes_is_required() {
    const NAME: &str = "Sec-WebSocket-Key";
    assert_refused(&with(NAME, &[]), RequestError::MissingKey, 400);
    let twice = plus(&["sec-websocket-key: dGhlIHNhbXBsZSBub25jZQ=="]);
    assert_refused(&twice, RequestError::DuplicateKey, 400);
    for bad in [
        "",
        "dGhlIHNhbXBsZQ==",
        "dGhlIHNhbXBsZSBub25jZQ",
        "dGhlIHNhbXBsZSBub25jZR==",
    ] {
        let line = format!("{NAME}: {bad}");
        assert_refused(&with(NAME, &[&line]), RequestError::InvalidKey, 400);
    }
}

#[test]
fn a_wrong_version_gets_426_with_the_supported_one() {
    const NAME: &str = "Sec-WebSocket-Version";
    assert_refused(&with(NAME, &[]), RequestError::MissingVersion, 426);
    let twice = plus(&["Sec-WebSocket-Version: 13"]);
    assert_refused(&twice, RequestError::DuplicateVersion, 400);
    for bad in ["8", "", "13, 8", "013", "14"] {
        let bytes = with(NAME, &[&format!("{NAME}: {bad}")]);
        assert_refused(&bytes, RequestError::UnsupportedVersion, 426);
        let response = String::from_utf8(refused(&bytes).response()).unwrap();
        assert!(response.contains("\r\nSec-WebSocket-Version: 13\r\n"));
        assert!(response.contains("\r\nUpgrade: websocket\r\n"));
        assert!(response.contains("\r\nConnection: Upgrade, close\r\n"));
    }
    // The keys of other versions are other ones: the version is what has to be answered.
    let old = [
        "GET / HTTP/1.1",
        "Host: a",
        "Upgrade: WebSocket",
        "Connection: Upgrade",
        "Sec-WebSocket-Version: 7",
    ];
    assert_refused(&head(&old), RequestError::UnsupportedVersion, 426);
}

#[test]
fn a_body_is_refused() {
    for bad in [
        "Content-Length: 1",
        "Content-Length: x",
        "Transfer-Encoding: chunked",
    ] {
        assert_refused(&plus(&[bad]), RequestError::Body, 400);
    }
    assert_refused(
        &plus(&["Content-Length: 0", "Content-Length: 5"]),
        RequestError::Body,
        400,
    );
    accepted(&plus(&["Content-Length: 0"]));
}

#[test]
fn upgrade_may_name_other_protocols_beside_websocket() {
    for good in ["WebSocket", "h2c, websocket", "TLS/1.0,websocket"] {
        accepted(&with("Upgrade", &[&format!("Upgrade: {good}")]));
    }
    for bad in ["h2c", "websocket/13", "websockets"] {
        let line = format!("Upgrade: {bad}");
        assert_refused(&with("Upgrade", &[&line]), RequestError::NotAnUpgrade, 426);
    }
}

#[test]
fn the_request_target_is_a_path_or_an_absolute_uri() {
    for (target, host, resource) in [
        ("/", "server.example.com", "/"),
        ("http://a:81/b?c", "a:81", "/b?c"),
        ("wss://[::1]?q", "[::1]", "/?q"),
        ("//a//b", "server.example.com", "//a//b"),
    ] {
        let request = accepted(&with("GET", &[&format!("GET {target} HTTP/1.1")]));
        assert_eq!((request.host(), request.resource_name()), (host, resource));
    }
    for bad in ["*", "a", "a:80", "?x", "/a#b", "/é", "ftp://a/"] {
        let bytes = with("GET", &[&format!("GET {bad} HTTP/1.1")]);
        assert_refused(&bytes, RequestError::Target, 400);
    }
    let bytes = with("GET", &["GET http://u@a/ HTTP/1.1"]);
    assert_refused(&bytes, RequestError::InvalidHost, 400);
}

#[test]
fn an_origin_that_cannot_be_read_is_refused_and_not_taken_for_none() {
    assert_refused(
        &plus(&["Origin: http://b"]),
        RequestError::InvalidOrigin,
        400,
    );
    for bad in ["Origin: é", "Origin:"] {
        assert_refused(&with("Origin", &[bad]), RequestError::InvalidOrigin, 400);
    }
    assert_eq!(accepted(&with("Origin", &[])).origin(), None);
}

#[test]
fn subprotocols_are_unique_tokens() {
    const NAME: &str = "Sec-WebSocket-Protocol";
    for bad in ["", ",", "a b", "\"a\"", "a;b"] {
        let refusal = refused(&with(NAME, &[&format!("{NAME}: {bad}")]));
        assert!(matches!(
            refusal.error(),
            RequestError::List { header: NAME, .. }
        ));
        assert_eq!(refusal.error().status(), 400);
    }
    let twice = with(
        NAME,
        &[
            "Sec-WebSocket-Protocol: a, b",
            "Sec-WebSocket-Protocol: c,a",
        ],
    );
    assert_refused(&twice, RequestError::DuplicateSubprotocol, 400);
    let lines = ["Sec-WebSocket-Protocol: a,", "sec-websocket-protocol: ,B"];
    assert!(accepted(&with(NAME, &lines)).subprotocols().eq(["a", "B"]));
}

#[test]
fn bytes_behind_the_head_stay_in_the_buffer_and_do_not_count() {
    let bytes = head(&LINES);
    let limits = Limits::new().max_head_size(bytes.len());
    let both = [&bytes[..], &[0x81; 100_000]].concat();
    let (outcome, left) = feed(&limits, &[&both]);
    assert!(outcome.unwrap().is_ok());
    assert_eq!(left, 100_000);
    for at in [0, 1, bytes.len() - 1, bytes.len(), bytes.len() + 1] {
        let (first, second) = both.split_at(at);
        let (outcome, left) = feed(&limits, &[first, second]);
        assert!(outcome.unwrap().is_ok());
        assert_eq!(left, 100_000);
    }
}

#[test]
fn an_incomplete_request_is_refused_with_408_when_its_time_is_up() {
    let at = |seconds| Duration::from_secs(seconds).into();
    let mut rx = ReceiveBuffer::new();
    rx.extend_from_slice(b"GET / HTTP/1.1\r\n");
    let mut handshake = server::Handshake::new(Limits::new());
    handshake.handle_timeout(at(5));
    assert_eq!(handshake.poll_timeout(), Some(at(15)));
    let Progress::Incomplete(mut handshake) = handshake.receive(&mut rx) else {
        panic!();
    };
    handshake.handle_timeout(at(15));
    let Progress::Refused(refusal) = handshake.receive(&mut rx) else {
        panic!();
    };
    assert_eq!(refusal.error(), &RequestError::TimedOut);
    assert!(
        refusal
            .response()
            .starts_with(b"HTTP/1.1 408 Request Timeout\r\n")
    );
    assert_eq!(refusal.response(), Refusal::timed_out().response());
}

#[test]
fn a_request_that_is_complete_in_the_end_is_not_timed_out() {
    let mut rx = ReceiveBuffer::new();
    rx.extend_from_slice(&head(&LINES));
    let mut handshake = server::Handshake::new(Limits::new().timeout(Some(Duration::ZERO)));
    handshake.handle_timeout(Duration::from_secs(1).into());
    handshake.handle_timeout(Duration::from_secs(1).into());
    assert!(matches!(handshake.receive(&mut rx), Progress::Request(_)));
}
