//! What a server looks at in a request before it accepts it, on the bytes alone.
#![cfg(feature = "handshake")]

use sansocket::ReceiveBuffer;
use sansocket::handshake::server::{Acceptance, Handshake, Progress, Request};
use sansocket::handshake::{Limits, OriginAllowList, Rejection};

fn request(target: &str, headers: &str) -> Request {
    let head = format!(
        "GET {target} HTTP/1.1\r\nHost: chat.example\r\nUpgrade: websocket\r\n\
         Connection: Upgrade\r\nSec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==\r\n\
         Sec-WebSocket-Version: 13\r\n{headers}\r\n"
    );
    let mut rx = ReceiveBuffer::new();
    rx.extend_from_slice(head.as_bytes());
    match Handshake::new(Limits::new()).receive(&mut rx) {
        Progress::Request(request) => request,
        other => panic!("{other:?}"),
    }
}

/// A server of chat.example, to members alone.
fn decide(request: &Request) -> Result<Acceptance, Rejection> {
    let origins = OriginAllowList::new(["https://chat.example", "https://*.chat.example"])
        .unwrap()
        .allow_missing(false);
    if !origins.allows(request.origin()) {
        return Err(Rejection::new(403));
    }
    let token = request
        .cookie("session")
        .or_else(|| request.bearer_token())
        .or_else(|| {
            let mut names = request.subprotocols();
            names.find_map(|name| name.strip_prefix("token."))
        });
    let query = request.query_parameter("token");
    match token.or(query.as_deref()) {
        Some("se=cret") => Ok(Acceptance::new()),
        _ => Err(Rejection::new(401).header("WWW-Authenticate", "Bearer")),
    }
}

fn answer(request: &Request) -> String {
    let bytes = match decide(request) {
        Ok(acceptance) => request.accept(acceptance).unwrap().response().to_vec(),
        Err(rejection) => request.reject(rejection).unwrap(),
    };
    String::from_utf8(bytes).unwrap()
}

#[test]
fn a_page_of_another_site_is_refused_whatever_cookies_come_along() {
    let cookie = "Cookie: session=se=cret\r\n";
    for (origin, status) in [
        ("Origin: https://chat.example\r\n", 101),
        ("Origin: https://eu.chat.example\r\n", 101),
        ("Origin: https://chat.example.evil\r\n", 403),
        ("Origin: https://evilchat.example\r\n", 403),
        ("Origin: http://chat.example\r\n", 403),
        ("Origin: null\r\n", 403),
        ("", 403),
    ] {
        let answer = answer(&request("/", &format!("{origin}{cookie}")));
        assert!(
            answer.starts_with(&format!("HTTP/1.1 {status} ")),
            "{origin}: {answer}"
        );
    }
}

#[test]
fn a_token_counts_wherever_a_client_can_put_it() {
    let origin = "Origin: https://chat.example\r\n";
    let status = |target: &str, headers: &str| {
        let answer = answer(&request(target, &format!("{origin}{headers}")));
        if !answer.starts_with("HTTP/1.1 101 ") {
            assert!(answer.starts_with("HTTP/1.1 401 "), "{answer}");
            assert!(answer.contains("\r\nWWW-Authenticate: Bearer\r\n"));
        }
        answer.starts_with("HTTP/1.1 101 ")
    };
    assert!(status("/", "Cookie: a=b; session=\"se=cret\"\r\n"));
    assert!(status("/", "Authorization: Bearer se=cret\r\n"));
    assert!(status("/?room=1&token=se%3Dcret", ""));
    assert!(!status("/", ""));
    assert!(!status("/?token=se=cre", ""));
    assert!(!status("/", "Authorization: Basic se=cret\r\n"));
    assert!(!status("/", "Cookie: xsession=se=cret\r\n"));
    assert!(!status(
        "/",
        "Sec-WebSocket-Protocol: chat, token.other\r\n"
    ));
}

#[test]
fn a_head_full_of_separators_is_read_once() {
    let cookies = format!("Cookie: {}session=x\r\n", ";=&".repeat(3000));
    let target = format!("/?{}", "&=%".repeat(2000));
    let request = request(&target, &cookies);
    assert_eq!(request.cookie("session"), None);
    assert_eq!(request.query_parameter("token"), None);
    assert_eq!(request.query_parameter("").as_deref(), Some(""));
}
