//! Rules of the opening handshake (RFC 6455 §4, §9.1) on what may differ without mattering, and on
//! what a server may answer.
#![cfg(feature = "handshake")]

mod common;

use common::requests::*;
use sansocket::ReceiveBuffer;
use sansocket::handshake::server::Acceptance;
use sansocket::handshake::{ListError, Rejection, RequestError, ResponseError, client};

const RESPONSE: &str = "HTTP/1.1 101 Switching Protocols\r\nUpgrade: websocket\r\n\
    Connection: Upgrade\r\n";
const ACCEPT: &str = "s3pPLMBiTxaQ9kYGzzhZRbK+xOo=";

/// What a client makes of a response with these lines.
fn respond(lines: &str) -> Result<client::Response, ResponseError> {
    let request = client::Request::new("ws://a/".parse().unwrap());
    let mut rx = ReceiveBuffer::new();
    rx.extend_from_slice(format!("{RESPONSE}{lines}\r\n\r\n").as_bytes());
    match request
        .start(*b"the sample nonce")
        .unwrap()
        .receive(&mut rx)
    {
        client::Progress::Response(response) => Ok(response),
        client::Progress::Failed(error) => Err(error),
        client::Progress::Incomplete(_) => panic!("not a whole head"),
    }
}

#[test]
fn space_around_the_accept_is_none_of_it() {
    for line in [
        format!("Sec-WebSocket-Accept:{ACCEPT}"),
        format!("Sec-WebSocket-Accept: \t {ACCEPT} \t"),
    ] {
        assert!(respond(&line).is_ok(), "{line}");
    }
    let inside = ACCEPT.replace('+', " +");
    let error = respond(&format!("Sec-WebSocket-Accept: {inside}")).unwrap_err();
    assert_eq!(error, ResponseError::WrongAccept);
}

#[test]
fn unknown_headers_and_their_order_change_nothing() {
    let answer = |bytes: &[u8]| {
        let accepted = accepted(bytes).accept(Acceptance::new()).unwrap();
        accepted.response().to_vec()
    };
    let expected = answer(&head(&LINES));
    let [start, fields @ ..] = LINES;
    for turn in 0..fields.len() {
        let mut fields = fields.to_vec();
        fields.rotate_left(turn);
        fields.insert(turn, "X-Unheard-Of: a, b; c=\"d\"");
        fields.push("Sec-WebSocket-Unheard-Of: 1");
        assert_eq!(answer(&head(&[&[start], &*fields].concat())), expected);
        fields.reverse();
        assert_eq!(answer(&head(&[&[start], &*fields].concat())), expected);
    }
}

#[test]
fn a_server_may_ask_for_credentials_or_send_elsewhere() {
    let request = accepted(&head(&LINES));
    for (rejection, status, header) in [
        (
            Rejection::new(401).header("WWW-Authenticate", "Basic realm=\"a\""),
            "HTTP/1.1 401 Unauthorized\r\n",
            "\r\nWWW-Authenticate: Basic realm=\"a\"\r\n",
        ),
        (
            Rejection::new(307).header("Location", "wss://b/"),
            "HTTP/1.1 307 Temporary Redirect\r\n",
            "\r\nLocation: wss://b/\r\n",
        ),
    ] {
        let response = String::from_utf8(request.reject(rejection).unwrap()).unwrap();
        assert!(response.starts_with(status), "{response}");
        assert!(response.contains(header), "{response}");
    }
}

#[test]
fn without_a_choice_nothing_is_said_of_subprotocols_and_extensions() {
    let asks = plus(&["Sec-WebSocket-Extensions: permessage-deflate, x-a"]);
    for bytes in [asks, head(&LINES), with("Sec-WebSocket-Protocol", &[])] {
        let accepted = accepted(&bytes).accept(Acceptance::new()).unwrap();
        let response = String::from_utf8(accepted.response().to_vec()).unwrap();
        assert!(response.contains("Sec-WebSocket-Accept: "), "{response}");
        assert!(!response.contains("Sec-WebSocket-Protocol"), "{response}");
        assert!(!response.contains("Sec-WebSocket-Extensions"), "{response}");
    }
}

#[test]
fn malformed_extension_lists_fail_the_handshake_at_both_sides() {
    for value in [
        "",
        ",",
        "a b",
        "a; ",
        "a; =1",
        "a; b=",
        "a; b=\"",
        "a; b=\"c d\"",
        "a=1",
        "é",
    ] {
        let line = format!("Sec-WebSocket-Extensions: {value}");
        let refusal = refused(&plus(&[&line]));
        let is_list = |header: &str| header == "Sec-WebSocket-Extensions";
        match refusal.error() {
            RequestError::List { header, .. } if is_list(header) => {}
            other => panic!("{line} gives {other}"),
        }
        assert_eq!(refusal.error().status(), 400);
        match respond(&format!("Sec-WebSocket-Accept: {ACCEPT}\r\n{line}")) {
            Err(ResponseError::List { header, .. }) if is_list(header) => {}
            other => panic!("{line} gives {other:?}"),
        }
    }
    let unclosed = respond(&format!(
        "Sec-WebSocket-Accept: {ACCEPT}\r\nSec-WebSocket-Extensions: a; b=\"c"
    ));
    assert!(matches!(
        unclosed,
        Err(ResponseError::List {
            error: ListError::QuotedString,
            ..
        })
    ));
}

#[test]
fn a_chosen_subprotocol_is_one_token_and_no_list() {
    let respond = |lines: &str| {
        let request = client::Request::new("ws://a/".parse().unwrap());
        let request = request.subprotocol("chat").subprotocol("superchat");
        let head = format!("{RESPONSE}Sec-WebSocket-Accept: {ACCEPT}\r\n{lines}\r\n\r\n");
        let mut rx = ReceiveBuffer::new();
        rx.extend_from_slice(head.as_bytes());
        match request
            .start(*b"the sample nonce")
            .unwrap()
            .receive(&mut rx)
        {
            client::Progress::Response(response) => Ok(response.subprotocol().map(str::to_owned)),
            client::Progress::Failed(error) => Err(error),
            client::Progress::Incomplete(_) => panic!("not a whole head"),
        }
    };
    let chosen = respond("Sec-WebSocket-Protocol: \tchat ");
    assert_eq!(chosen, Ok(Some("chat".to_owned())));
    for lines in [
        "Sec-WebSocket-Protocol: chat,",
        "Sec-WebSocket-Protocol: ,chat",
        "Sec-WebSocket-Protocol: , chat ,",
        "Sec-WebSocket-Protocol:\r\nSec-WebSocket-Protocol: chat",
        "Sec-WebSocket-Protocol: chat\r\nSec-WebSocket-Protocol: ",
    ] {
        let header = "Sec-WebSocket-Protocol";
        let error = ListError::Token;
        assert_eq!(respond(lines), Err(ResponseError::List { header, error }));
    }
    for lines in [
        "Sec-WebSocket-Protocol: chat, superchat",
        "Sec-WebSocket-Protocol: chat\r\nSec-WebSocket-Protocol: chat",
    ] {
        assert_eq!(respond(lines), Err(ResponseError::DuplicateSubprotocol));
    }
}
