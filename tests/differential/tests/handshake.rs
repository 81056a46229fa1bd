//! Opening handshakes: the same heads to our own reader, to hyper with our checks, and to tungstenite.
//! We are the strictest: what we accept they accept, up to the differences that README.md lists.

use std::io::{self, Read, Write};

use proptest::collection::vec;
use proptest::prelude::*;
use proptest::sample::select;
use sansocket::ReceiveBuffer;
use sansocket::handshake::server::{self, Acceptance};
use sansocket::handshake::{Limits, RequestError, ResponseError, client};
use sansocket_differential::{cases, over_http};

const NONCE: [u8; 16] = *b"the sample nonce";
const KEY: &str = "dGhlIHNhbXBsZSBub25jZQ==";
const ACCEPT: &str = "s3pPLMBiTxaQ9kYGzzhZRbK+xOo=";

const REQUEST: [&str; 8] = [
    "GET /chat?x=1 HTTP/1.1",
    "Host: example.com:8080",
    "Upgrade: websocket",
    "Connection: Upgrade",
    "Sec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==",
    "Sec-WebSocket-Version: 13",
    "Origin: http://example.com",
    "Sec-WebSocket-Protocol: chat, superchat",
];

const RESPONSE: [&str; 5] = [
    "HTTP/1.1 101 Switching Protocols",
    "Upgrade: websocket",
    "Connection: Upgrade",
    "Sec-WebSocket-Accept: s3pPLMBiTxaQ9kYGzzhZRbK+xOo=",
    "Sec-WebSocket-Protocol: chat",
];

/// Lines that may take the place of others or come beside them.
const REQUEST_LINES: [&str; 44] = [
    "GET / HTTP/1.1",
    "GET http://example.com/chat HTTP/1.1",
    "GET chat HTTP/1.1",
    "GET * HTTP/1.1",
    "GET /a#b HTTP/1.1",
    "POST /chat HTTP/1.1",
    "OPTIONS * HTTP/1.1",
    "GET /chat HTTP/1.0",
    "GET /chat HTTP/2.0",
    "Host: ",
    "Host: a b",
    "Host: [::1]:80",
    "Host: example.com:99999",
    "upgrade: WebSocket",
    "Upgrade: h2c, websocket",
    "Upgrade: h2c",
    "Upgrade: websocket/13",
    "Upgrade:",
    "connection: keep-alive, upgrade",
    "Connection: keep-alive",
    "Connection: UPGRADE",
    "Connection: upgrade,, ,",
    "Connection: keep-alive Upgrade",
    "Connection:",
    "Sec-WebSocket-Key: ",
    "Sec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ=",
    "Sec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZR==",
    "Sec-WebSocket-Key: AAAAAAAAAAAAAAAAAAAAAAAA",
    "Sec-WebSocket-Key:   dGhlIHNhbXBsZSBub25jZQ==  ",
    "Sec-WebSocket-Version: 8",
    "Sec-WebSocket-Version: 13, 8",
    "Sec-WebSocket-Version: 013",
    "Origin: null",
    "Origin: http://\u{e9}",
    "Sec-WebSocket-Protocol: chat, chat",
    "Sec-WebSocket-Protocol: a b",
    "Sec-WebSocket-Protocol: ",
    "Sec-WebSocket-Extensions: permessage-deflate; client_max_window_bits, x-a",
    "Sec-WebSocket-Extensions: a; b=\"",
    "Content-Length: 0",
    "Content-Length: 5",
    "Transfer-Encoding: chunked",
    "Cookie: a=b",
    " folded",
];

const RESPONSE_LINES: [&str; 28] = [
    "HTTP/1.1 101 ",
    "HTTP/1.1 200 OK",
    "HTTP/1.1 401 Unauthorized",
    "HTTP/1.0 101 Switching Protocols",
    "HTTP/2.0 101 Switching Protocols",
    "upgrade: WEBSOCKET",
    "Upgrade: websocket, h2c",
    "Upgrade: h2c",
    "Upgrade:",
    "connection: upgrade",
    "Connection: keep-alive, Upgrade",
    "Connection: close",
    "Connection: keep-alive Upgrade",
    "Sec-WebSocket-Accept: s3pPLMBiTxaQ9kYGzzhZRbK+xOo",
    "Sec-WebSocket-Accept: S3pPLMBiTxaQ9kYGzzhZRbK+xOo=",
    "Sec-WebSocket-Accept:  s3pPLMBiTxaQ9kYGzzhZRbK+xOo=  ",
    "Sec-WebSocket-Accept: ",
    "Sec-WebSocket-Protocol: superchat",
    "Sec-WebSocket-Protocol: other",
    "Sec-WebSocket-Protocol: Chat",
    "Sec-WebSocket-Protocol: chat, superchat",
    "Sec-WebSocket-Protocol: ",
    "Sec-WebSocket-Extensions: permessage-deflate",
    "Sec-WebSocket-Extensions: ,",
    "Set-Cookie: a=b",
    "Content-Length: 0",
    "Transfer-Encoding: chunked",
    " folded",
];

/// A change of a head.
#[derive(Debug, Clone)]
enum Change {
    Replace(&'static str),
    Insert(&'static str),
    Repeat,
    Remove,
}

fn changes(
    lines: &'static [&'static str],
) -> impl Strategy<Value = Vec<(prop::sample::Index, Change)>> {
    let change = prop_oneof![
        3 => select(lines).prop_map(Change::Replace),
        2 => select(lines).prop_map(Change::Insert),
        1 => Just(Change::Repeat),
        1 => Just(Change::Remove),
    ];
    vec((any::<prop::sample::Index>(), change), 0..3)
}

fn head(
    lines: &[&'static str],
    changes: &[(prop::sample::Index, Change)],
    bare_line_feed: bool,
) -> Vec<u8> {
    let name = |line: &str| {
        let name = line.split([':', ' ']).next().unwrap_or_default();
        name.to_ascii_lowercase()
    };
    let mut lines = lines.to_vec();
    for (at, change) in changes {
        match change {
            Change::Replace(line) => {
                // In the place of its like, if that is there.
                let is_start = |line: &str| line.contains(" HTTP/") || line.starts_with("HTTP/");
                let like = lines.iter().position(|other| match is_start(line) {
                    true => is_start(other),
                    false => name(other) == name(line),
                });
                match like {
                    Some(at) => lines[at] = line,
                    None => lines.push(line),
                }
            }
            Change::Insert(line) => lines.insert(at.index(lines.len()) + 1, line),
            Change::Repeat => {
                let at = at.index(lines.len());
                lines.insert(at, lines[at]);
            }
            Change::Remove if lines.len() > 1 => drop(lines.remove(at.index(lines.len()))),
            Change::Remove => {}
        }
    }
    let end = if bare_line_feed { "\n" } else { "\r\n" };
    format!("{}{end}\r\n", lines.join("\r\n")).into_bytes()
}

/// Our own reading of a request.
fn read(bytes: &[u8]) -> Result<server::Request, server::Refusal> {
    let mut rx = ReceiveBuffer::new();
    rx.extend_from_slice(bytes);
    match server::Handshake::new(Limits::new()).receive(&mut rx) {
        server::Progress::Request(request) => Ok(request),
        server::Progress::Refused(refusal) => Err(refusal),
        server::Progress::Incomplete(_) => panic!("the head is whole"),
    }
}

/// A refusal for rules that tungstenite does not check: see README.md, differences 6 to 11.
fn is_stricter(error: &RequestError) -> bool {
    matches!(
        error,
        RequestError::Head(_)
            | RequestError::MissingHost
            | RequestError::DuplicateHost
            | RequestError::InvalidHost
            | RequestError::Target
            | RequestError::Body
            | RequestError::DuplicateVersion
            | RequestError::DuplicateKey
            | RequestError::List { .. }
            | RequestError::DuplicateSubprotocol
            | RequestError::InvalidOrigin
    )
}

/// Differences 12 and 13: tungstenite looks at the first line of a list only, and takes no list of
/// protocols.
fn is_list_of(bytes: &[u8], name: &str) -> bool {
    let head = String::from_utf8_lossy(bytes).to_ascii_lowercase();
    let lines = head
        .split("\r\n")
        .filter_map(|line| line.strip_prefix(name));
    let lines: Vec<&str> = lines.collect();
    lines.len() > 1 || lines.iter().any(|line| line.contains(','))
}

fn assert_request(bytes: &[u8]) {
    let ours = read(bytes);
    let judged = over_http::serve(bytes);
    let theirs = judged.theirs.as_ref();
    match &ours {
        Ok(request) => {
            let same = judged.ours.as_ref().expect("hyper takes it too");
            let same = same.as_ref().expect("parsed by hyper, it is as good");
            assert_eq!(same.resource_name(), request.resource_name());
            assert_eq!(same.host(), request.host());
            assert_eq!(same.origin(), request.origin());
            assert!(same.subprotocols().eq(request.subprotocols()));
            assert_eq!(same.extensions(), request.extensions());
            let accepted = request
                .accept(Acceptance::new())
                .expect("nothing is asked for");
            let accept = accepted.headers().get("Sec-WebSocket-Accept");
            match theirs.expect("a request") {
                Ok(theirs) => {
                    assert_eq!(Some(theirs.as_str()), accept);
                    assert_response(&judged.response, accept.expect("an accept"));
                }
                Err(error) => assert!(
                    is_list_of(bytes, "upgrade:") || is_list_of(bytes, "connection:"),
                    "{error}"
                ),
            }
        }
        Err(refusal) => {
            // What hyper has put in order may be better than the bytes were: line ends (difference 6),
            // and a fragment behind the target (difference 16).
            if let Some(Ok(_)) = judged.ours {
                let is_better = match refusal.error() {
                    RequestError::Head(_) => true,
                    RequestError::Target => bytes.contains(&b'#'),
                    _ => false,
                };
                assert!(is_better, "{refusal}");
            }
            if let Some(Ok(_)) = theirs {
                assert!(is_stricter(refusal.error()), "{refusal}");
            }
        }
    }
}

/// What hyper wrote for tungstenite opens our client's WebSocket, if the key is the client's.
fn assert_response(response: &[u8], accept: &str) {
    if accept == ACCEPT {
        let opened = check(response);
        assert!(opened.is_ok(), "{opened:?}");
    }
}

fn request() -> client::Request {
    client::Request::new("ws://example.com:8080/chat".parse().unwrap())
        .subprotocol("chat")
        .subprotocol("superchat")
}

/// Our own reading of a response.
fn check(bytes: &[u8]) -> Result<client::Response, ResponseError> {
    let mut rx = ReceiveBuffer::new();
    rx.extend_from_slice(bytes);
    match request().start(NONCE).unwrap().receive(&mut rx) {
        client::Progress::Response(response) => Ok(response),
        client::Progress::Failed(error) => Err(error),
        client::Progress::Incomplete(_) => Err(ResponseError::TimedOut),
    }
}

/// Gives a response, whatever is asked.
struct Answers(io::Cursor<Vec<u8>>);

impl Read for Answers {
    fn read(&mut self, to: &mut [u8]) -> io::Result<usize> {
        self.0.read(to)
    }
}

impl Write for Answers {
    fn write(&mut self, from: &[u8]) -> io::Result<usize> {
        Ok(from.len())
    }

    fn flush(&mut self) -> io::Result<()> {
        Ok(())
    }
}

/// What tungstenite's client makes of a response to the same request.
fn their_client(response: &[u8]) -> Result<(), String> {
    let request = http::Request::get("ws://example.com:8080/chat")
        .header("Host", "example.com:8080")
        .header("Upgrade", "websocket")
        .header("Connection", "Upgrade")
        .header("Sec-WebSocket-Version", "13")
        .header("Sec-WebSocket-Key", KEY)
        .header("Sec-WebSocket-Protocol", "chat, superchat")
        .body(())
        .unwrap();
    let stream = Answers(io::Cursor::new(response.to_vec()));
    let result = tungstenite::client::client(request, stream);
    result.map(drop).map_err(|error| error.to_string())
}

proptest! {
    #![proptest_config(cases())]

    #[test]
    fn requests_are_judged_as_by_hyper_and_tungstenite(
        changes in changes(&REQUEST_LINES),
        bare_line_feed in prop::bool::weighted(0.05),
    ) {
        assert_request(&head(&REQUEST, &changes, bare_line_feed));
    }

    #[test]
    fn responses_are_judged_as_by_hyper_and_tungstenite(
        changes in changes(&RESPONSE_LINES),
        bare_line_feed in prop::bool::weighted(0.05),
    ) {
        let bytes = head(&RESPONSE, &changes, bare_line_feed);
        let handshake = request().start(NONCE).unwrap();
        let ours = check(&bytes);
        let through_hyper = over_http::ask(&handshake, &bytes);
        let theirs = their_client(&bytes);
        match &ours {
            Ok(response) => {
                let same = through_hyper.expect("hyper takes it too");
                let same = same.expect("parsed by hyper, it is as good");
                prop_assert_eq!(same.get("Sec-WebSocket-Accept"), Some(ACCEPT));
                if let Err(error) = theirs {
                    // Difference 14: a server may choose no subprotocol (§4.2.2).
                    let chose_none = response.subprotocol().is_none();
                    let lists = ["connection:", "upgrade:"].iter().any(|name| is_list_of(&bytes, name));
                    prop_assert!(chose_none || lists, "{}", error);
                }
            }
            Err(error) => {
                if let Some(Ok(_)) = through_hyper {
                    prop_assert!(
                        matches!(error, ResponseError::Head(_)),
                        "{} in {:?}", error, String::from_utf8_lossy(&bytes)
                    );
                }
                if theirs.is_ok() {
                    // Differences 6, 10, 11, 12 and 15.
                    prop_assert!(
                        matches!(
                            error,
                            ResponseError::Head(_)
                                | ResponseError::DuplicateAccept
                                | ResponseError::List { .. }
                                | ResponseError::DuplicateSubprotocol
                                | ResponseError::ExtensionNotOffered(_)
                                | ResponseError::UpgradeHeader
                        ),
                        "{}", error
                    );
                }
            }
        }
    }

    #[test]
    fn requests_of_each_client_are_accepted_by_the_others_server(
        path in "/[a-z0-9._~%&=?/-]{0,30}",
        subprotocols in proptest::collection::btree_set("[a-z0-9.]{1,10}", 0..4),
        nonce in any::<[u8; 16]>(),
    ) {
        // Percent signs stand before two digits.
        let path = path.replace('%', "%20");
        let mut request = client::Request::new(format!("ws://example.com{path}").parse().unwrap());
        for name in &subprotocols {
            request = request.subprotocol(name.as_str());
        }
        let handshake = request.start(nonce).unwrap();
        let judged = over_http::serve(handshake.request());
        let theirs = judged.theirs.expect("a request").expect("a good one");
        let key = sansocket::handshake::Key::from_nonce(nonce);
        prop_assert_eq!(theirs, key.accept());
        assert_request(handshake.request());

        let uri = format!("ws://example.com{path}");
        let mut request = tungstenite::ClientRequestBuilder::new(uri.parse().unwrap());
        for name in &subprotocols {
            request = request.with_sub_protocol(name.as_str());
        }
        let request = tungstenite::client::IntoClientRequest::into_client_request(request).unwrap();
        let (bytes, key) = tungstenite::handshake::client::generate_request(request).unwrap();
        let ours = read(&bytes).expect("a good request");
        prop_assert_eq!(ours.resource_name(), path);
        prop_assert!(ours.subprotocols().eq(subprotocols.iter().map(String::as_str)));
        let accepted = ours.accept(Acceptance::new()).unwrap();
        let accept = tungstenite::handshake::derive_accept_key(key.as_bytes());
        prop_assert_eq!(accepted.headers().get("Sec-WebSocket-Accept"), Some(accept.as_str()));
    }
}
