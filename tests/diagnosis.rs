//! What errors and outcomes tell people: each something of its own, the usual causes by name.
#![cfg(all(feature = "std", feature = "handshake"))]

use std::collections::HashSet;
use std::fmt::Display;
use std::io::{self, ErrorKind};
use std::time::Duration;

use sansocket::blocking::{AcceptError, ConnectError, Error};
use sansocket::frame::HeaderError as FrameError;
use sansocket::handshake::{
    BuildError, HeadError, HeaderError, Limits, ListError, OriginAllowList, RefusedResponse,
    RequestError, ResponseError, UriError, client, server,
};
use sansocket::{
    CloseCode, CloseFrame, CloseOutcome, Config, Connection, Explain, Message, ProtocolError,
    ReceiveBuffer, SendError, Timeout,
};

/// Each is one line, says something, and is not what another one of them says.
#[track_caller]
fn assert_distinct<E: Explain + Display>(all: impl IntoIterator<Item = E>) {
    let (mut short, mut long) = (HashSet::new(), HashSet::new());
    for error in all {
        let (display, explanation) = (error.to_string(), error.explanation());
        assert!(!display.is_empty() && display.len() < 120, "{display}");
        assert!(explanation.len() > 30, "{display}: {explanation}");
        let starts = explanation.chars().next().unwrap();
        assert!(
            !starts.is_ascii_lowercase() && explanation.ends_with(['.', '?']),
            "{explanation}"
        );
        for text in [display.as_str(), explanation] {
            assert!(
                !text.contains(['\n', '\r']) && !text.contains("  "),
                "{text}"
            );
        }
        let explained = error.explained().to_string();
        assert_eq!(explained, format!("{display}. {explanation}"));
        assert!(short.insert(display.clone()), "twice: {display}");
        assert!(long.insert(explanation), "twice: {explanation}");
    }
}

#[track_caller]
fn assert_names(explanation: &str, words: &[&str]) {
    for word in words {
        assert!(explanation.contains(word), "{word}: {explanation}");
    }
}

/// What a client makes of these bytes.
fn response(bytes: &[u8]) -> ResponseError {
    let handshake = client::Request::new("ws://a/".parse().unwrap());
    let mut rx = ReceiveBuffer::new();
    rx.extend_from_slice(bytes);
    match handshake.start([0; 16]).unwrap().receive(&mut rx) {
        client::Progress::Failed(error) => error,
        other => panic!("{other:?}"),
    }
}

fn refused(status: u16) -> RefusedResponse {
    match response(format!("HTTP/1.1 {status} x\r\n\r\n").as_bytes()) {
        ResponseError::Refused(response) => *response,
        other => panic!("{other:?}"),
    }
}

/// What a server makes of these bytes.
fn request(bytes: &[u8]) -> RequestError {
    let mut rx = ReceiveBuffer::new();
    rx.extend_from_slice(bytes);
    match server::Handshake::new(Limits::new()).receive(&mut rx) {
        server::Progress::Refused(refusal) => refusal.error().clone(),
        other => panic!("{other:?}"),
    }
}

const FRAME: [FrameError; 5] = [
    FrameError::ReservedOpcode(3),
    FrameError::FragmentedControl,
    FrameError::ControlTooLong,
    FrameError::LengthNotMinimal,
    FrameError::LengthTooLarge,
];

const PROTOCOL: [ProtocolError; 12] = [
    ProtocolError::ReservedBits,
    ProtocolError::Unmasked,
    ProtocolError::Masked,
    ProtocolError::UnexpectedContinuation,
    ProtocolError::ExpectedContinuation,
    ProtocolError::FrameTooBig { limit: 1 },
    ProtocolError::MessageTooBig { limit: 1 },
    ProtocolError::TooManyFragments { limit: 1 },
    ProtocolError::InvalidDeflate,
    ProtocolError::InvalidUtf8,
    ProtocolError::TruncatedCloseCode,
    ProtocolError::InvalidCloseCode(1005),
];

const HEAD: [HeadError; 9] = [
    HeadError::TooLarge { limit: 1 },
    HeadError::TooManyHeaders { limit: 1 },
    HeadError::Tls,
    HeadError::ControlCharacter,
    HeadError::LineEnding,
    HeadError::StartLine,
    HeadError::HttpVersion,
    HeadError::HeaderName,
    HeadError::HeaderValue,
];

#[test]
fn each_protocol_error_says_something_of_its_own() {
    assert_distinct(FRAME);
    assert_distinct(PROTOCOL.into_iter().chain(FRAME.map(ProtocolError::from)));
    assert_distinct([
        SendError::Full(()),
        SendError::Closing(()),
        SendError::MessageInProgress(()),
        SendError::ControlTooLong(()),
    ]);
}

#[test]
fn each_end_says_something_of_its_own() {
    let codes = (1000..=1003).chain(1007..=1014).chain([3000, 4000]);
    assert_distinct(codes.clone().map(|code| CloseCode::new(code).unwrap()));
    let all: HashSet<_> = codes
        .chain([999, 1005, 1006, 1015])
        .map(CloseCode::explain)
        .collect();
    assert_eq!(all.len(), 18);
    assert_distinct([
        CloseOutcome::Clean(None),
        CloseOutcome::Clean(Some(CloseFrame::new(CloseCode::GOING_AWAY, "why"))),
        CloseOutcome::Failed(ProtocolError::Masked),
        CloseOutcome::Lost,
        CloseOutcome::TimedOut(Timeout::Close),
        CloseOutcome::TimedOut(Timeout::Pong),
    ]);
}

#[test]
fn each_handshake_error_says_something_of_its_own() {
    assert_distinct(HEAD);
    assert_distinct([OriginAllowList::new(["https://a/"]).unwrap_err()]);
    let list = |error| RequestError::List { header: "x", error };
    let text = String::from("x");
    assert_distinct([
        RequestError::Head(HeadError::Tls),
        RequestError::Head(HeadError::HttpVersion),
        RequestError::Head(HeadError::StartLine),
        RequestError::Head(HeadError::LineEnding),
        RequestError::MissingHost,
        RequestError::DuplicateHost,
        RequestError::InvalidHost,
        RequestError::Method,
        RequestError::Target,
        RequestError::NotAnUpgrade,
        RequestError::ConnectionHeader,
        RequestError::HttpVersion,
        RequestError::Body,
        RequestError::MissingVersion,
        RequestError::DuplicateVersion,
        RequestError::UnsupportedVersion,
        RequestError::MissingKey,
        RequestError::DuplicateKey,
        RequestError::InvalidKey,
        list(ListError::Empty),
        list(ListError::Token),
        list(ListError::QuotedString),
        list(ListError::QuotedNotToken),
        list(ListError::TooMany),
        RequestError::DuplicateSubprotocol,
        RequestError::InvalidOrigin,
        RequestError::TimedOut,
        RequestError::NotUpgradable,
    ]);
    assert_distinct([
        ResponseError::Head(HeadError::Tls),
        ResponseError::Head(HeadError::HttpVersion),
        ResponseError::Head(HeadError::StartLine),
        ResponseError::Head(HeadError::HeaderName),
        ResponseError::Refused(Box::new(refused(404))),
        ResponseError::HttpVersion,
        ResponseError::UpgradeHeader,
        ResponseError::ConnectionHeader,
        ResponseError::MissingAccept,
        ResponseError::DuplicateAccept,
        ResponseError::WrongAccept,
        ResponseError::List {
            header: "x",
            error: ListError::Empty,
        },
        ResponseError::SubprotocolNotOffered(text.clone()),
        ResponseError::DuplicateSubprotocol,
        ResponseError::ExtensionNotOffered(text.clone()),
        ResponseError::DuplicateExtension(text.clone()),
        ResponseError::ExtensionParameters(text.clone()),
        ResponseError::TimedOut,
    ]);
    assert_distinct([
        UriError::Scheme,
        UriError::Host,
        UriError::Port,
        UriError::UserInfo,
        UriError::Fragment,
        UriError::Character,
    ]);
    assert_distinct([
        BuildError::Header(HeaderError::Name),
        BuildError::Header(HeaderError::Value { name: text.clone() }),
        BuildError::ReservedHeader(text),
        BuildError::Subprotocol,
        BuildError::DuplicateSubprotocol,
        BuildError::SubprotocolNotOffered,
        BuildError::Extension,
        BuildError::ExtensionNotOffered,
        BuildError::DuplicateExtension,
        BuildError::Origin,
        BuildError::Status(101),
        BuildError::BodyNotAllowed(204),
        BuildError::Http,
    ]);
}

#[test]
fn each_adapter_error_explains_what_is_in_it() {
    let io = |kind| io::Error::from(kind);
    assert_distinct([
        Error::Io(io(ErrorKind::ConnectionReset)),
        Error::Protocol(ProtocolError::Unmasked),
        Error::Send(SendError::Full(Message::from("x"))),
        Error::Command(SendError::ControlTooLong(())),
        Error::Ended(CloseOutcome::Lost),
    ]);
    assert_distinct([
        ConnectError::Uri(UriError::Scheme),
        ConnectError::Secure,
        ConnectError::Build(BuildError::Origin),
        ConnectError::Io(io(ErrorKind::ConnectionRefused)),
        ConnectError::Response(ResponseError::WrongAccept),
    ]);
    assert_distinct([
        AcceptError::Request(RequestError::Method),
        AcceptError::Build(BuildError::Subprotocol),
        AcceptError::Io(io(ErrorKind::UnexpectedEof)),
    ]);
    assert_distinct(
        [
            ErrorKind::ConnectionRefused,
            ErrorKind::ConnectionReset,
            ErrorKind::ConnectionAborted,
            ErrorKind::BrokenPipe,
            ErrorKind::UnexpectedEof,
            ErrorKind::TimedOut,
            ErrorKind::WouldBlock,
            ErrorKind::Interrupted,
            ErrorKind::InvalidData,
            ErrorKind::NotFound,
            ErrorKind::HostUnreachable,
            ErrorKind::PermissionDenied,
            ErrorKind::AddrInUse,
            ErrorKind::WriteZero,
            ErrorKind::Other,
        ]
        .map(io),
    );
}

#[test]
fn a_refusal_names_the_usual_causes_of_its_status() {
    let cases: [(u16, &[&str]); 16] = [
        (200, &["proxy", "Upgrade", "endpoint"]),
        (301, &["redirect", "Location", "wss://"]),
        (302, &["redirect", "Location"]),
        (400, &["proxy", "Upgrade", "TLS"]),
        (401, &["token", "WWW-Authenticate"]),
        (403, &["Origin", "token"]),
        (404, &["path", "Host"]),
        (405, &["GET"]),
        (407, &["proxy", "credentials"]),
        (418, &["body"]),
        (426, &["Sec-WebSocket-Version", "proxy"]),
        (429, &["Retry-After"]),
        (500, &["log"]),
        (502, &["gateway"]),
        (503, &["Retry-After", "overloaded"]),
        (504, &["gateway", "in time"]),
    ];
    for (status, words) in cases {
        let refused = refused(status);
        assert_names(refused.explanation(), words);
        let error = ResponseError::Refused(Box::new(refused));
        assert_names(&error.to_string(), &[&status.to_string()]);
        assert_names(error.explanation(), words);
    }
    let texts: HashSet<_> = (200..=599)
        .map(|status| refused(status).explanation())
        .collect();
    assert_eq!(texts.len(), 20);
}

#[test]
fn tls_and_http_that_meet_are_recognised() {
    // A client's greeting to a plain server, a TLS server's complaint about HTTP.
    let error = request(b"\x16\x03\x01\x02\x00\x01");
    assert_eq!(
        error.to_string(),
        "the first bytes look like TLS, not like HTTP"
    );
    assert_names(error.explanation(), &["TLS", "ws://"]);
    let error = response(b"\x15\x03\x03\x00\x02\x02\x46");
    assert_names(&error.to_string(), &["look like TLS"]);
    assert_names(error.explanation(), &["wss://"]);
    assert_names(request(b"PRI * HTTP/2.0\r\n").explanation(), &["HTTP/2"]);
    let plain = io::Error::from(ErrorKind::InvalidData);
    assert_names(plain.explanation(), &["certificate", "ws://"]);
}

#[test]
fn proxies_that_strip_headers_are_named() {
    let head = |headers: &str| format!("GET / HTTP/1.1\r\nHost: a\r\n{headers}\r\n");
    let error = request(head("Connection: close\r\n").as_bytes());
    assert_eq!(error, RequestError::NotAnUpgrade);
    assert_names(error.explanation(), &["proxy", "proxy_set_header"]);
    let error = request(head("Upgrade: websocket\r\n").as_bytes());
    assert_eq!(error, RequestError::ConnectionHeader);
    assert_names(error.explanation(), &["proxy", "Connection"]);
}

#[test]
fn a_loss_after_a_common_idle_time_out_names_it() {
    let after = |millis| CloseOutcome::Lost.explanation_after(Duration::from_millis(millis));
    assert_names(after(60_000), &["60 s", "nginx", "keep_alive"]);
    assert_eq!(after(61_900), after(60_000));
    assert_names(after(55_300), &["Heroku"]);
    assert_names(after(100_000), &["Cloudflare"]);
    assert_names(after(350_500), &["AWS"]);
    let texts: HashSet<_> = [30, 50, 55, 60, 100, 240, 300, 350]
        .map(|seconds| after(seconds * 1000))
        .into();
    assert_eq!(texts.len(), 8);
    for other in [0, 7_000, 59_900, 62_000, 90_000, 1_000_000] {
        assert_eq!(after(other), CloseOutcome::Lost.explanation());
    }
    // Another outcome has another cause, whenever it comes.
    let clean = CloseOutcome::Clean(None);
    let explanation = clean.explanation_after(Duration::from_secs(60));
    assert_eq!(explanation, clean.explanation());
}

#[test]
fn a_limit_that_was_hit_is_named_with_its_value() {
    let config = Config::new().max_message_size(1000);
    let mut server = Connection::server(config);
    let mut rx = ReceiveBuffer::new();
    rx.extend_from_slice(&[0x82, 0xFE, 0x03, 0xE9, 0, 0, 0, 0]);
    let error = server.receive(&mut rx).unwrap_err();
    assert_eq!(error.to_string(), "message of more than 1000 bytes");
    let outcome = server.outcome().unwrap();
    assert_eq!(
        outcome.to_string(),
        "failed: message of more than 1000 bytes"
    );
    assert_names(outcome.explanation(), &["max_message_size", "1009"]);
    // And the peer, who is told the code, learns where to look.
    assert_names(CloseCode::TOO_BIG.explanation(), &["max_message_size"]);
    let limits = [
        (HeadError::TooLarge { limit: 77 }, "max_head_size"),
        (HeadError::TooManyHeaders { limit: 77 }, "max_headers"),
    ];
    for (error, name) in limits {
        assert_names(&error.to_string(), &["77"]);
        assert_names(error.explanation(), &[name]);
    }
}

#[test]
fn what_lies_below_an_error_is_its_source() {
    use std::error::Error as _;

    let list = |error| RequestError::List { header: "x", error };
    let answered = |error| ResponseError::List { header: "x", error };
    let value = HeaderError::Value { name: "x".into() };
    let reset = || io::Error::from(ErrorKind::ConnectionReset);
    let masked = ProtocolError::Header(FrameError::ReservedOpcode(3));
    let pairs: [(Box<dyn std::error::Error>, String); 14] = [
        (
            Box::new(RequestError::Head(HeadError::Tls)),
            HeadError::Tls.to_string(),
        ),
        (
            Box::new(list(ListError::Token)),
            ListError::Token.to_string(),
        ),
        (
            Box::new(ResponseError::Head(HeadError::Tls)),
            HeadError::Tls.to_string(),
        ),
        (
            Box::new(answered(ListError::Empty)),
            ListError::Empty.to_string(),
        ),
        (
            Box::new(BuildError::Header(value.clone())),
            value.to_string(),
        ),
        (Box::new(masked), FrameError::ReservedOpcode(3).to_string()),
        (Box::new(Error::Io(reset())), reset().to_string()),
        (Box::new(Error::Protocol(masked)), masked.to_string()),
        (
            Box::new(Error::Send(SendError::Full(Message::from("x")))),
            SendError::Full(()).to_string(),
        ),
        (
            Box::new(Error::Command(SendError::Closing(()))),
            SendError::Closing(()).to_string(),
        ),
        (
            Box::new(ConnectError::Uri(UriError::Port)),
            UriError::Port.to_string(),
        ),
        (Box::new(ConnectError::Io(reset())), reset().to_string()),
        (
            Box::new(ConnectError::Response(ResponseError::WrongAccept)),
            ResponseError::WrongAccept.to_string(),
        ),
        (
            Box::new(AcceptError::Request(RequestError::Method)),
            RequestError::Method.to_string(),
        ),
    ];
    for (error, below) in pairs {
        assert_eq!(
            error.source().map(ToString::to_string),
            Some(below),
            "{error}"
        );
    }
    assert!(RequestError::Method.source().is_none());
    assert!(ResponseError::WrongAccept.source().is_none());
    assert!(BuildError::Origin.source().is_none());
    assert!(Error::Ended(CloseOutcome::Lost).source().is_none());
    assert!(ConnectError::Secure.source().is_none());
}

#[test]
fn a_close_frame_is_told_in_a_line() {
    let plain = CloseFrame::from(CloseCode::GOING_AWAY);
    assert_eq!(plain.to_string(), "1001 (going away)");
    let frame = CloseFrame::new(CloseCode::new(4001).unwrap(), "refresh");
    assert_eq!(
        frame.to_string(),
        "4001 (private to the application): refresh"
    );
    let outcome = CloseOutcome::Clean(Some(frame));
    assert!(
        outcome
            .to_string()
            .contains("4001 (private to the application): refresh")
    );
}
