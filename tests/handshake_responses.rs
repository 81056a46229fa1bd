//! What a server answers to the opening handshake (RFC 6455 §4.2.2).
#![cfg(feature = "handshake")]

mod common;

use common::requests::*;
use sansocket::handshake::server::Acceptance;
use sansocket::handshake::{
    BuildError, Extension, HeaderError, HttpVersion, Rejection, RequestError,
};

#[test]
fn an_ordinary_request_is_refused_with_its_head_at_hand() {
    let page = head(&["GET /index.html HTTP/1.1", "Host: a", "Accept: text/html"]);
    assert_refused(&page, RequestError::NotAnUpgrade, 426);
    let refusal = refused(&page);
    let request = refusal.head().unwrap();
    assert_eq!((request.method(), request.target()), ("GET", "/index.html"));
    assert_eq!(request.version(), HttpVersion::Http11);
    assert_eq!(request.headers().get("accept"), Some("text/html"));
    let answer = Rejection::new(200)
        .header("X-A", "b")
        .body("text/html", "<p>");
    assert_eq!(
        String::from_utf8(refusal.respond_with(answer).unwrap()).unwrap(),
        "HTTP/1.1 200 OK\r\nConnection: close\r\nContent-Length: 3\r\n\
         X-A: b\r\nContent-Type: text/html\r\n\r\n<p>"
    );
    // What the probes of load balancers look like.
    assert_refused(&head(&["GET / HTTP/1.0"]), RequestError::NotAnUpgrade, 426);
}

#[test]
fn a_head_request_is_answered_without_a_body() {
    let refusal = refused(&head(&["HEAD / HTTP/1.1", "Host: a"]));
    let response = String::from_utf8(refusal.response()).unwrap();
    assert!(response.starts_with("HTTP/1.1 405 "));
    assert!(!response.contains("Content-Length: 0"));
    assert!(response.ends_with("\r\n\r\n"));
}

#[test]
fn names_and_values_are_checked_on_write() {
    let request = accepted(&head(&LINES));
    let value = |error| matches!(error, BuildError::Header(HeaderError::Value { .. }));
    for bad in ["b\r\nSet-Cookie: c", "b\n", "\0"] {
        let acceptance = Acceptance::new().header("A", bad);
        assert!(value(request.accept(acceptance).unwrap_err()));
        let rejection = Rejection::new(400).header("A", bad);
        assert!(value(request.reject(rejection).unwrap_err()));
        let rejection = Rejection::new(400).body(bad, "");
        assert!(value(request.reject(rejection).unwrap_err()));
    }
    let rejection = Rejection::new(400).header("A:", "b");
    assert_eq!(
        request.reject(rejection),
        Err(BuildError::Header(HeaderError::Name))
    );
}

#[test]
fn only_what_was_offered_can_be_accepted() {
    let offer = "Sec-WebSocket-Extensions: permessage-deflate; client_max_window_bits, x-a";
    let request = accepted(&plus(&[offer]));
    let extension = |name: &str| Extension::new(name).unwrap();
    let accept = |acceptance| {
        request
            .accept(acceptance)
            .map(|accepted| String::from_utf8(accepted.response().to_vec()).unwrap())
    };

    let other = Acceptance::new().subprotocol("Chat");
    assert_eq!(accept(other), Err(BuildError::SubprotocolNotOffered));
    let other = Acceptance::new().extension(extension("x-b"));
    assert_eq!(accept(other), Err(BuildError::ExtensionNotOffered));
    let twice = Acceptance::new()
        .extension(extension("x-a"))
        .extension(extension("x-a"));
    assert_eq!(accept(twice), Err(BuildError::DuplicateExtension));

    let deflate = extension("permessage-deflate")
        .param("client_max_window_bits", "10")
        .unwrap();
    let both = Acceptance::new()
        .extension(deflate)
        .extension(extension("x-a"));
    let response = accept(both).unwrap();
    let line = "\r\nSec-WebSocket-Extensions: \
                permessage-deflate; client_max_window_bits=10, x-a\r\n";
    assert!(response.contains(line), "{response}");
}

#[test]
fn the_headers_of_the_handshake_are_not_for_the_caller_to_write() {
    let request = accepted(&head(&LINES));
    for name in [
        "upgrade",
        "Connection",
        "Sec-WebSocket-Accept",
        "SEC-WEBSOCKET-X",
        "Content-Length",
        "Transfer-Encoding",
    ] {
        let error = request
            .accept(Acceptance::new().header(name, "x"))
            .unwrap_err();
        assert_eq!(error, BuildError::ReservedHeader(name.into()));
    }
    for name in [
        "connection",
        "Content-length",
        "Transfer-Encoding",
        "Content-Type",
    ] {
        let error = request
            .reject(Rejection::new(400).header(name, "x"))
            .unwrap_err();
        assert_eq!(error, BuildError::ReservedHeader(name.into()));
    }
    let accepted = request
        .accept(
            Acceptance::new()
                .header("Set-Cookie", "a")
                .header("Set-Cookie", "b"),
        )
        .unwrap();
    assert!(
        accepted
            .response()
            .ends_with(b"\r\nSet-Cookie: a\r\nSet-Cookie: b\r\n\r\n")
    );
}

#[test]
fn a_rejection_is_a_whole_response() {
    let request = accepted(&head(&LINES));
    let rejection = Rejection::new(403)
        .header("Retry-After", "5")
        .body("text/plain", "no");
    assert_eq!(
        String::from_utf8(request.reject(rejection).unwrap()).unwrap(),
        "HTTP/1.1 403 Forbidden\r\nConnection: close\r\nContent-Length: 2\r\n\
         Retry-After: 5\r\nContent-Type: text/plain\r\n\r\nno"
    );
    let empty = request.reject(Rejection::new(599)).unwrap();
    assert!(empty.starts_with(b"HTTP/1.1 599 \r\n"));
    assert!(empty.ends_with(b"\r\nContent-Length: 0\r\n\r\n"));
    let nothing = request.reject(Rejection::new(204)).unwrap();
    assert_eq!(
        nothing,
        b"HTTP/1.1 204 No Content\r\nConnection: close\r\n\r\n"
    );
}

#[test]
fn a_rejection_has_a_final_status_and_a_body_only_where_one_may_be() {
    let request = accepted(&head(&LINES));
    for status in [0, 99, 100, 101, 199, 600, u16::MAX] {
        let error = request.reject(Rejection::new(status)).unwrap_err();
        assert_eq!(error, BuildError::Status(status));
    }
    for status in [204, 205, 304] {
        let error = request
            .reject(Rejection::new(status).body("text/plain", "x"))
            .unwrap_err();
        assert_eq!(error, BuildError::BodyNotAllowed(status));
    }
}
