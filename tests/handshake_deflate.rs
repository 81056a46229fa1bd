//! Negotiating permessage-deflate in the bytes of the opening handshake: RFC 7692 §5 and §7.1.
#![cfg(all(feature = "handshake", feature = "deflate"))]

use sansocket::handshake::server::{Acceptance, Accepted};
use sansocket::handshake::{Extension, Limits, ResponseError, client, server};
use sansocket::{
    Config, Connection, DeflateConfig, DeflateParams, Event, ReceiveBuffer, SeededMaskKeys,
};

const NONCE: [u8; 16] = *b"the sample nonce";
const FULL: DeflateConfig = DeflateConfig::new();

/// A request with these lines, as a server has read it.
fn request(lines: &[&str]) -> server::Request {
    let mut head = String::from(
        "GET / HTTP/1.1\r\nHost: a\r\nUpgrade: websocket\r\nConnection: Upgrade\r\n\
         Sec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==\r\nSec-WebSocket-Version: 13\r\n",
    );
    for line in lines {
        head.push_str(&format!("Sec-WebSocket-Extensions: {line}\r\n"));
    }
    head.push_str("\r\n");
    parse(head.as_bytes())
}

fn parse(bytes: &[u8]) -> server::Request {
    let mut rx = ReceiveBuffer::new();
    rx.extend_from_slice(bytes);
    match server::Handshake::new(Limits::new()).receive(&mut rx) {
        server::Progress::Request(request) => request,
        other => panic!("{other:?}"),
    }
}

/// What a server answers to these lines: the extension in its response, and what it keeps to.
fn answer(config: DeflateConfig, lines: &[&str]) -> Option<(String, DeflateParams)> {
    let accepted = request(lines)
        .accept(Acceptance::new().deflate(config))
        .unwrap();
    let line = extensions_of(accepted.response());
    assert_eq!(line.is_some(), accepted.deflate().is_some());
    Some((line?, accepted.deflate()?))
}

/// The value of the one line of extensions, if there is one.
fn extensions_of(head: &[u8]) -> Option<String> {
    let head = std::str::from_utf8(head).unwrap();
    let mut lines = head.split("\r\n").filter_map(|line| {
        let (name, value) = line.split_once(": ")?;
        (name == "Sec-WebSocket-Extensions").then(|| value.to_owned())
    });
    let line = lines.next();
    assert_eq!(lines.next(), None);
    line
}

/// What a client with this offer makes of a response with these lines.
fn confirm(
    config: Option<DeflateConfig>,
    lines: &[&str],
) -> Result<Option<DeflateParams>, ResponseError> {
    let mut head = String::from(
        "HTTP/1.1 101 Switching Protocols\r\nUpgrade: websocket\r\nConnection: Upgrade\r\n\
         Sec-WebSocket-Accept: s3pPLMBiTxaQ9kYGzzhZRbK+xOo=\r\n",
    );
    for line in lines {
        head.push_str(&format!("Sec-WebSocket-Extensions: {line}\r\n"));
    }
    head.push_str("\r\n");
    respond(client_with(config), head.as_bytes()).map(|response| response.deflate())
}

fn client_with(config: Option<DeflateConfig>) -> client::Handshake {
    let mut request = client::Request::new("ws://a/".parse().unwrap());
    if let Some(config) = config {
        request = request.deflate(config);
    }
    request.start(NONCE).unwrap()
}

fn respond(handshake: client::Handshake, bytes: &[u8]) -> Result<client::Response, ResponseError> {
    let mut rx = ReceiveBuffer::new();
    rx.extend_from_slice(bytes);
    match handshake.receive(&mut rx) {
        client::Progress::Response(response) => Ok(response),
        client::Progress::Failed(error) => Err(error),
        other => panic!("{other:?}"),
    }
}

/// The window of each side, and whether it takes its context over: the server's first.
fn summary(params: DeflateParams) -> [(u8, bool); 2] {
    [
        (
            params.server_max_window_bits(),
            params.server_context_takeover(),
        ),
        (
            params.client_max_window_bits(),
            params.client_context_takeover(),
        ),
    ]
}

#[test]
fn a_client_offers_what_its_configuration_says() {
    for (config, expected) in [
        (FULL, "permessage-deflate; client_max_window_bits"),
        (
            FULL.client_max_window_bits(10),
            "permessage-deflate; client_max_window_bits=10",
        ),
        (
            FULL.server_max_window_bits(9)
                .server_context_takeover(false),
            "permessage-deflate; server_no_context_takeover; server_max_window_bits=9; \
             client_max_window_bits, \
             permessage-deflate; server_no_context_takeover; client_max_window_bits",
        ),
        (
            FULL.client_context_takeover(false)
                .client_max_window_bits(8),
            "permessage-deflate; client_no_context_takeover; client_max_window_bits=8",
        ),
    ] {
        let handshake = client_with(Some(config));
        assert_eq!(
            extensions_of(handshake.request()).as_deref(),
            Some(expected)
        );
    }
}

#[test]
fn without_a_configuration_nothing_is_offered_nor_accepted() {
    assert_eq!(extensions_of(client_with(None).request()), None);
    let accepted = request(&["permessage-deflate"])
        .accept(Acceptance::new())
        .unwrap();
    assert_eq!(extensions_of(accepted.response()), None);
    assert_eq!(accepted.deflate(), None);
    assert_eq!(answer(FULL, &[]), None);
    assert_eq!(answer(FULL, &["x-webkit-deflate-frame, mux"]), None);
}

#[test]
fn a_client_goes_without_what_the_server_does_not_accept() {
    assert_eq!(confirm(Some(FULL), &[]), Ok(None));
}

#[test]
fn deflate_is_offered_before_other_extensions() {
    let request = client::Request::new("ws://a/".parse().unwrap())
        .extension(Extension::new("x-a").unwrap())
        .deflate(FULL);
    let handshake = request.start(NONCE).unwrap();
    assert_eq!(
        extensions_of(handshake.request()).as_deref(),
        Some("permessage-deflate; client_max_window_bits, x-a")
    );
}

#[test]
fn offers_of_browsers_are_accepted() {
    // Chromium and Safari; Firefox.
    for (offer, expected) in [
        (
            "permessage-deflate; client_max_window_bits",
            "permessage-deflate",
        ),
        ("permessage-deflate", "permessage-deflate"),
    ] {
        let (line, params) = answer(FULL, &[offer]).unwrap();
        assert_eq!(line, expected);
        assert_eq!(summary(params), [(15, true), (15, true)]);
    }
}

#[test]
fn what_is_asked_of_the_server_is_kept_to_and_confirmed() {
    for (offer, expected, params) in [
        (
            "server_no_context_takeover",
            "server_no_context_takeover",
            [(15, false), (15, true)],
        ),
        (
            "client_no_context_takeover",
            "client_no_context_takeover",
            [(15, true), (15, false)],
        ),
        (
            "server_max_window_bits=8",
            "server_max_window_bits=8",
            [(8, true), (15, true)],
        ),
        (
            "server_max_window_bits=15",
            "server_max_window_bits=15",
            [(15, true), (15, true)],
        ),
        (
            "client_max_window_bits=10",
            "client_max_window_bits=10",
            [(15, true), (10, true)],
        ),
    ] {
        let (line, agreed) = answer(FULL, &[&format!("permessage-deflate; {offer}")]).unwrap();
        assert_eq!(line, format!("permessage-deflate; {expected}"));
        assert_eq!(summary(agreed), params, "{offer}");
    }
}

#[test]
fn a_server_asks_for_a_smaller_window_only_where_the_client_has_said_that_it_can() {
    let config = FULL.client_max_window_bits(11);
    let offer = |params: &str| format!("permessage-deflate{params}");
    let (line, params) = answer(config, &[&offer("; client_max_window_bits")]).unwrap();
    assert_eq!(line, "permessage-deflate; client_max_window_bits=11");
    assert_eq!(summary(params)[1], (11, true));
    for (asked, agreed) in [(8, 8), (11, 11), (12, 11), (15, 11)] {
        let offer = offer(&format!("; client_max_window_bits={asked}"));
        let (line, params) = answer(config, &[&offer]).unwrap();
        assert_eq!(
            line,
            format!("permessage-deflate; client_max_window_bits={agreed}")
        );
        assert_eq!(summary(params)[1].0, agreed);
    }
    assert_eq!(answer(config, &[&offer("")]), None);
    // Its own it may narrow in any case.
    let config = FULL.server_max_window_bits(9);
    let (line, _) = answer(config, &[&offer("")]).unwrap();
    assert_eq!(line, "permessage-deflate; server_max_window_bits=9");
}

#[test]
fn a_malformed_offer_is_declined_and_the_next_one_taken() {
    for bad in [
        "unknown",
        "unknown=1",
        "server_max_window_bits",
        "server_max_window_bits=7",
        "server_max_window_bits=16",
        "server_max_window_bits=010",
        "server_max_window_bits=10.0",
        "server_max_window_bits=-9",
        "client_max_window_bits=0",
        "client_max_window_bits=256",
        "client_max_window_bits=18446744073709551625",
        "client_max_window_bits=x",
        "client_max_window_bits; client_max_window_bits",
        "client_max_window_bits=9; client_max_window_bits=10",
        "server_max_window_bits=9; server_max_window_bits=9",
        "server_no_context_takeover; server_no_context_takeover",
        "client_no_context_takeover; client_no_context_takeover",
        "server_no_context_takeover=true",
        "client_no_context_takeover=0",
    ] {
        let bad = format!("permessage-deflate; {bad}");
        assert_eq!(answer(FULL, &[&bad]), None, "{bad}");
        let fallback = "permessage-deflate; client_no_context_takeover";
        // In one line or in several, and with others between.
        let one = format!("{bad}, mux; a=1, {fallback}, permessage-deflate");
        for lines in [
            vec![&*one],
            vec![&bad, "mux", fallback, "permessage-deflate"],
        ] {
            let (line, _) = answer(FULL, &lines).unwrap();
            assert_eq!(line, fallback, "{lines:?}");
        }
    }
}

#[test]
fn the_first_offer_that_fits_is_accepted_and_only_that() {
    let narrow = FULL.client_max_window_bits(12);
    let lines = [
        "permessage-deflate; server_max_window_bits=10",
        "permessage-deflate; server_no_context_takeover; client_max_window_bits, permessage-deflate; client_max_window_bits",
    ];
    let (line, params) = answer(narrow, &lines).unwrap();
    assert_eq!(
        line,
        "permessage-deflate; server_no_context_takeover; client_max_window_bits=12"
    );
    assert_eq!(summary(params), [(15, false), (12, true)]);
}

#[test]
fn quoted_values_are_values() {
    let offer = "permessage-deflate; server_max_window_bits=\"10\"; client_max_window_bits=\"12\"";
    let (line, params) = answer(FULL, &[offer]).unwrap();
    assert_eq!(
        line,
        "permessage-deflate; server_max_window_bits=10; client_max_window_bits=12"
    );
    assert_eq!(summary(params), [(10, true), (12, true)]);
    assert_eq!(
        answer(FULL, &["permessage-deflate; server_max_window_bits=\"7\""]),
        None
    );
    let config = FULL.server_max_window_bits(10);
    let answer = ["permessage-deflate; server_max_window_bits=\"9\""];
    let params = confirm(Some(config), &answer).unwrap().unwrap();
    assert_eq!(summary(params)[0], (9, true));
}

#[test]
fn an_answer_may_ask_for_less_than_was_offered() {
    for (answer, expected) in [
        ("", [(15, true), (15, true)]),
        ("; server_no_context_takeover", [(15, false), (15, true)]),
        ("; client_no_context_takeover", [(15, true), (15, false)]),
        ("; server_max_window_bits=15", [(15, true), (15, true)]),
        ("; server_max_window_bits=8", [(8, true), (15, true)]),
        ("; client_max_window_bits=9", [(15, true), (9, true)]),
        ("; client_max_window_bits=15", [(15, true), (15, true)]),
    ] {
        let line = format!("permessage-deflate{answer}");
        let params = confirm(Some(FULL), &[&line]).unwrap().unwrap();
        assert_eq!(summary(params), expected, "{answer}");
    }
}

#[test]
fn an_answer_that_does_not_fit_the_offer_fails_the_handshake() {
    let asked = FULL
        .server_context_takeover(false)
        .server_max_window_bits(10)
        .client_max_window_bits(10);
    let good = "server_no_context_takeover; server_max_window_bits=10";
    let line = format!("permessage-deflate; {good}");
    assert!(confirm(Some(asked), &[&line]).unwrap().is_some());
    // The second offer leaves the server's window to the server.
    let line = "permessage-deflate; server_no_context_takeover";
    let params = confirm(Some(asked), &[line]).unwrap().unwrap();
    assert_eq!(params.server_max_window_bits(), 15);
    for bad in [
        String::new(),
        "; server_max_window_bits=10".into(),
        format!("; {good}; client_max_window_bits=11"),
        format!("; {good}; client_max_window_bits"),
        format!("; {good}; server_max_window_bits=10"),
        format!("; {good}; server_no_context_takeover"),
        format!("; {good}; unknown"),
        format!("; {good}; client_max_window_bits=7"),
        format!("; {good}; client_no_context_takeover=1"),
        "; server_no_context_takeover; server_max_window_bits=7".into(),
        "; server_no_context_takeover; server_max_window_bits".into(),
    ] {
        let line = format!("permessage-deflate{bad}");
        assert_eq!(
            confirm(Some(asked), &[&line]),
            Err(ResponseError::ExtensionParameters(line.clone())),
        );
    }
}

#[test]
fn an_answer_without_an_offer_or_twice_fails_the_handshake() {
    let name = || "permessage-deflate".to_owned();
    assert_eq!(
        confirm(None, &["permessage-deflate"]),
        Err(ResponseError::ExtensionNotOffered(name()))
    );
    assert_eq!(
        confirm(Some(FULL), &["x-webkit-deflate-frame"]),
        Err(ResponseError::ExtensionNotOffered(
            "x-webkit-deflate-frame".into()
        ))
    );
    for lines in [
        vec!["permessage-deflate, permessage-deflate"],
        vec!["permessage-deflate", "permessage-deflate"],
    ] {
        assert_eq!(
            confirm(Some(FULL), &lines),
            Err(ResponseError::DuplicateExtension(name()))
        );
    }
}

fn handshakes(offers: DeflateConfig, accepts: DeflateConfig) -> (client::Response, Accepted) {
    let handshake = client_with(Some(offers));
    let accepted = parse(handshake.request())
        .accept(Acceptance::new().deflate(accepts))
        .unwrap();
    let response = respond(handshake, accepted.response()).unwrap();
    (response, accepted)
}

#[test]
fn both_sides_agree_on_the_same_and_understand_each_other() {
    let bits = [8, 9, 12, 15];
    let all = || {
        (0..64_usize).map(move |n| {
            FULL.threshold(0)
                .server_context_takeover(n & 1 == 0)
                .client_context_takeover(n & 2 == 0)
                .server_max_window_bits(bits[n >> 2 & 3])
                .client_max_window_bits(bits[n >> 4 & 3])
        })
    };
    for offers in all() {
        for accepts in all().step_by(5) {
            let (response, accepted) = handshakes(offers, accepts);
            let params = response.deflate().unwrap();
            assert_eq!(accepted.deflate(), Some(params));
            assert_eq!(response.extensions(), accepted.extensions());
            assert_eq!(response.extensions().len(), 1);
            let keys = SeededMaskKeys::new([1; 32]);
            let mut client = Connection::client(Config::new(), keys).with_deflate(params);
            let mut server = Connection::server(Config::new()).with_deflate(accepted.deflate());
            for text in ["Hello, hello, hello!", "Hello, hello, hello again!"] {
                client.send_text(text).unwrap();
                server.send_text(text).unwrap();
                exchange(&mut client, &mut server, text);
                exchange(&mut server, &mut client, text);
            }
        }
    }
}

fn exchange(from: &mut Connection, to: &mut Connection, text: &str) {
    use bytes::Buf;

    let mut rx = ReceiveBuffer::new();
    let mut transmit = from.transmit();
    rx.extend_from_slice(&transmit.copy_to_bytes(transmit.remaining()));
    match to.receive(&mut rx) {
        Ok(Some(Event::Text(received))) => assert_eq!(&*received, text),
        other => panic!("{other:?}"),
    }
    assert!(rx.is_empty() || to.receive(&mut rx).unwrap().is_none());
}
