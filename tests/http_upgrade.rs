//! Requests and responses that an HTTP library has parsed fare as those that come as bytes.
#![cfg(feature = "http")]

mod common;

use bytes::Bytes;
use common::requests::{LINES, feed, head, plus, with};
use http::{HeaderMap, Request, Response, StatusCode, Version};
use sansocket::handshake::server::{self, Acceptance, Refusal};
use sansocket::handshake::{
    BuildError, Extension, HeadError, Headers, HttpVersion, Limits, OriginAllowList, Rejection,
    RequestError, RequestHead, ResponseError, client,
};

/// What an HTTP library would parse from a request.
fn parse_request(bytes: &[u8]) -> Request<()> {
    let (line, headers) = parse(bytes);
    let mut parts = line.split(' ');
    let mut next = || parts.next().unwrap();
    let mut request = Request::builder()
        .method(next())
        .uri(next())
        .version(version(next()))
        .body(())
        .unwrap();
    *request.headers_mut() = headers;
    request
}

fn parse_response(bytes: &[u8]) -> Response<Bytes> {
    let (line, headers) = parse(bytes);
    let mut parts = line.split(' ');
    let mut response = Response::new(Bytes::new());
    *response.version_mut() = version(parts.next().unwrap());
    *response.status_mut() = parts.next().unwrap().parse().unwrap();
    *response.headers_mut() = headers;
    response
}

fn parse(bytes: &[u8]) -> (String, HeaderMap) {
    let text = std::str::from_utf8(bytes).unwrap();
    let (head, _body) = text.split_once("\r\n\r\n").unwrap();
    let mut lines = head.split("\r\n");
    let first = lines.next().unwrap().to_owned();
    let mut headers = HeaderMap::new();
    for line in lines {
        let (name, value) = line.split_once(':').unwrap();
        let name: http::HeaderName = name.parse().unwrap();
        headers.append(name, value.trim().parse().unwrap());
    }
    (first, headers)
}

fn version(text: &str) -> Version {
    match text {
        "HTTP/1.0" => Version::HTTP_10,
        "HTTP/1.1" => Version::HTTP_11,
        other => panic!("{other}"),
    }
}

fn from_bytes(bytes: &[u8]) -> Result<server::Request, Refusal> {
    feed(&Limits::new(), &[bytes]).0.expect("a whole head")
}

/// The outcome, which is the same both ways and however the request is given.
#[track_caller]
fn both(bytes: &[u8]) -> Result<server::Request, Refusal> {
    let request = parse_request(bytes);
    let parsed = server::Request::try_from(&request);
    let (parts, ()) = request.into_parts();
    assert_eq!(
        format!("{:?}", server::Request::try_from(&parts)),
        format!("{parsed:?}")
    );
    match (from_bytes(bytes), &parsed) {
        (Ok(bytes), Ok(parsed)) => {
            assert_eq!(parsed.resource_name(), bytes.resource_name());
            assert_eq!(parsed.host(), bytes.host());
            assert_eq!(parsed.origin(), bytes.origin());
            assert!(parsed.subprotocols().eq(bytes.subprotocols()));
            assert_eq!(parsed.extensions(), bytes.extensions());
            assert_eq!(parsed.headers().len(), bytes.headers().len());
            let accept = |request: &server::Request| {
                let accepted = request.accept(Acceptance::new()).unwrap();
                String::from_utf8(accepted.response().to_vec()).unwrap()
            };
            assert_eq!(accept(parsed), accept(&bytes));
        }
        (Err(bytes), Err(parsed)) => {
            assert_eq!(parsed.error(), bytes.error());
            let head = |refusal: &Refusal| refusal.head().map(|head| head.target().to_owned());
            assert_eq!(head(parsed), head(&bytes));
            let response = Response::<Bytes>::from(parsed);
            assert_same_answer(&response, &bytes.response());
            assert_eq!(response.body(), &format!("{}\n", bytes.error()));
        }
        (bytes, parsed) => panic!("{bytes:?} from bytes, but {parsed:?}"),
    }
    parsed
}

/// But for what frames the body, which is the library's.
#[track_caller]
fn assert_same_answer(response: &Response<Bytes>, bytes: &[u8]) {
    let written = parse_response(bytes);
    assert_eq!(response.status(), written.status());
    let mut headers = written.headers().clone();
    headers.remove("content-length");
    let connection = headers.remove("connection").unwrap();
    if connection == "Upgrade, close" {
        headers.append("connection", "Upgrade".parse().unwrap());
    }
    assert_eq!(response.headers(), &headers);
}

#[test]
fn good_requests_are_accepted_from_the_library_too() {
    for bytes in [
        head(&LINES),
        with(
            "Connection",
            &["Connection: keep-alive", "Connection: UPGRADE"],
        ),
        with("Upgrade", &["Upgrade: h2c, websocket"]),
        with(
            "Sec-WebSocket-Protocol",
            &["Sec-WebSocket-Protocol: a", "Sec-WebSocket-Protocol: b"],
        ),
        with("Sec-WebSocket-Protocol", &[]),
        with("Origin", &[]),
        with("GET", &["GET http://a:81/b?c HTTP/1.1"]),
        with("GET", &["GET //a//b?%20 HTTP/1.1"]),
        plus(&["Content-Length: 0", "Cookie: a=\u{e9}"]),
        plus(&[
            "Sec-WebSocket-Extensions: permessage-deflate; client_max_window_bits, x-a; b=\"1\"",
        ]),
    ] {
        both(&bytes).unwrap();
    }
}

#[test]
fn bad_requests_get_the_same_answers() {
    let key = "Sec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==";
    for (bytes, status) in [
        (head(&["GET / HTTP/1.1", "Host: a"]), 426),
        (head(&["GET / HTTP/1.0"]), 426),
        (head(&["GET / HTTP/1.1"]), 400),
        (with("GET", &["POST / HTTP/1.1"]), 405),
        (with("GET", &["HEAD / HTTP/1.1"]), 405),
        (with("GET", &["OPTIONS * HTTP/1.1"]), 405),
        (with("GET", &["CONNECT a:80 HTTP/1.1"]), 405),
        (with("GET", &["GET * HTTP/1.1"]), 400),
        (with("GET", &["GET ftp://a/ HTTP/1.1"]), 400),
        (with("GET", &["GET http://u@a/ HTTP/1.1"]), 400),
        (with("GET", &["GET / HTTP/1.0"]), 505),
        (with("Host", &[]), 400),
        (with("Host", &["Host: a", "Host: a"]), 400),
        (with("Host", &["Host: a b"]), 400),
        (with("Upgrade", &[]), 426),
        (with("Upgrade", &["Upgrade: h2c"]), 426),
        (with("Upgrade", &["Upgrade: ,"]), 400),
        (with("Connection", &[]), 426),
        (with("Connection", &["Connection: close"]), 426),
        (with("Sec-WebSocket-Version", &[]), 426),
        (
            with("Sec-WebSocket-Version", &["Sec-WebSocket-Version: 8"]),
            426,
        ),
        (plus(&["Sec-WebSocket-Version: 13"]), 400),
        (with("Sec-WebSocket-Key", &[]), 400),
        (with("Sec-WebSocket-Key", &["Sec-WebSocket-Key: x"]), 400),
        (plus(&[key]), 400),
        (plus(&["Content-Length: 1"]), 400),
        (plus(&["Content-Length: 0", "Content-Length: 1"]), 400),
        (plus(&["Transfer-Encoding: chunked"]), 400),
        (plus(&["Origin: http://b"]), 400),
        (with("Origin", &["Origin: \u{e9}"]), 400),
        (plus(&["Sec-WebSocket-Protocol: chat"]), 400),
        (plus(&["Sec-WebSocket-Protocol: a b"]), 400),
        (plus(&["Sec-WebSocket-Extensions: a;"]), 400),
    ] {
        let refusal = both(&bytes).unwrap_err();
        assert_eq!(refusal.error().status(), status, "{}", refusal.error());
        assert_eq!(refusal.to_string(), refusal.error().to_string());
    }
}

#[test]
fn the_headers_due_come_with_405_and_426() {
    let refusal = both(&with("GET", &["POST / HTTP/1.1"])).unwrap_err();
    let response = Response::<Bytes>::from(&refusal);
    assert_eq!(response.status(), 405);
    assert_eq!(response.headers()["allow"], "GET");

    let refusal = both(&with("Sec-WebSocket-Version", &[])).unwrap_err();
    let response = Response::<Bytes>::from(&refusal);
    assert_eq!(response.status(), StatusCode::UPGRADE_REQUIRED);
    assert_eq!(response.headers()["sec-websocket-version"], "13");
    assert_eq!(response.headers()["upgrade"], "websocket");
    assert_eq!(response.headers()["connection"], "Upgrade");
}

#[test]
fn http_2_has_no_upgrade() {
    for version in [Version::HTTP_09, Version::HTTP_2, Version::HTTP_3] {
        let mut request = parse_request(&head(&LINES));
        *request.version_mut() = version;
        let refusal = server::Request::try_from(&request).unwrap_err();
        assert_eq!(refusal.error(), &RequestError::Head(HeadError::HttpVersion));
        assert_eq!(Response::<Bytes>::from(&refusal).status(), 505);
    }
}

#[test]
fn whitespace_around_a_value_is_none_of_it() {
    let mut request = parse_request(&head(&LINES));
    request
        .headers_mut()
        .insert("upgrade", " websocket\t".parse().unwrap());
    server::Request::try_from(&request).unwrap();
}

#[test]
fn the_response_of_the_library_is_the_one_in_bytes() {
    let request = both(&head(&LINES)).unwrap();
    let chosen = request.select_subprotocol(&["superchat"]).unwrap();
    let acceptance = Acceptance::new()
        .subprotocol(chosen)
        .header("Set-Cookie", "a=1")
        .header("Set-Cookie", "b=2");
    let accepted = request.accept(acceptance).unwrap();
    let response = Response::<Bytes>::try_from(&accepted).unwrap();
    assert_eq!(response.status(), StatusCode::SWITCHING_PROTOCOLS);
    let written = parse_response(accepted.response());
    assert_eq!(response.headers(), written.headers());
    assert_eq!(response.headers()["sec-websocket-protocol"], "superchat");
    assert_eq!(response.headers().get_all("set-cookie").iter().count(), 2);
}

#[test]
fn a_rejection_is_the_same_response() {
    let request = both(&head(&LINES)).unwrap();
    let rejection = Rejection::new(503)
        .header("Retry-After", "5")
        .body("text/plain", "later");
    let written = request.reject(rejection.clone()).unwrap();
    let response = Response::<Bytes>::try_from(rejection).unwrap();
    assert_same_answer(&response, &written);
    assert_eq!(response.body(), "later");

    for (rejection, error) in [
        (Rejection::new(101), BuildError::Status(101)),
        (Rejection::new(600), BuildError::Status(600)),
        (
            Rejection::new(204).body("text/plain", "x"),
            BuildError::BodyNotAllowed(204),
        ),
        (
            Rejection::new(403).header("Connection", "close"),
            BuildError::ReservedHeader("Connection".into()),
        ),
        (
            Rejection::new(403).header(&"a".repeat(1 << 16), "b"),
            BuildError::Http,
        ),
    ] {
        assert_eq!(Response::<Bytes>::try_from(rejection).unwrap_err(), error);
    }
}

#[test]
fn more_headers_than_the_library_takes_are_an_error() {
    let request = both(&head(&LINES)).unwrap();
    let mut acceptance = Acceptance::new();
    for n in 0..40_000 {
        acceptance = acceptance.header(&format!("x-{n}"), "");
    }
    let accepted = request.accept(acceptance).unwrap();
    let error = Response::<Bytes>::try_from(&accepted).unwrap_err();
    assert_eq!(error, BuildError::Http);
}

#[test]
fn origins_are_checked_with_the_same_list() {
    let origins = OriginAllowList::new(["http://example.com"]).unwrap();
    let request = both(&head(&LINES)).unwrap();
    assert!(origins.allows(request.origin()));
    let request = both(&with("Origin", &["Origin: http://example.org"])).unwrap();
    assert!(!origins.allows(request.origin()));
}

#[test]
fn without_the_http_crate_a_head_is_checked_from_header_pairs() {
    let mut headers = Headers::new();
    for line in &LINES[1..] {
        let (name, value) = line.split_once(": ").unwrap();
        headers.append(name, value).unwrap();
    }
    let head = |method| RequestHead::new(method, "/a", HttpVersion::Http11, headers.clone());
    assert_eq!(
        server::Request::from_head(head("GET")).unwrap().path(),
        "/a"
    );
    let refusal = server::Request::from_head(head("PUT")).unwrap_err();
    assert_eq!(refusal.error(), &RequestError::Method);
    assert_eq!(refusal.head().unwrap().method(), "PUT");
}

fn client() -> client::Handshake {
    let extension = Extension::new("x-a").unwrap();
    client::Request::new("ws://server.example.com:81/chat?x=1".parse().unwrap())
        .subprotocol("chat")
        .extension(extension)
        .origin("http://example.com")
        .header("Authorization", "Bearer 1")
        .start(*b"the sample nonce")
        .unwrap()
}

#[test]
fn the_request_of_a_client_is_the_one_in_bytes() {
    let handshake = client();
    let request = Request::<()>::try_from(&handshake).unwrap();
    let written = parse_request(handshake.request());
    assert_eq!(request.method(), written.method());
    assert_eq!(request.uri(), "/chat?x=1");
    assert_eq!(request.version(), Version::HTTP_11);
    assert_eq!(request.headers(), written.headers());
    assert_eq!(request.headers()["host"], "server.example.com:81");
    server::Request::try_from(&request).unwrap();
}

#[test]
fn a_path_that_the_library_does_not_take_is_an_error() {
    let uri = "ws://a/<x>".parse().unwrap();
    let handshake = client::Request::new(uri).start([0; 16]).unwrap();
    let error = Request::<()>::try_from(&handshake).unwrap_err();
    assert_eq!(error, BuildError::Http);
}

const RESPONSE: [&str; 4] = [
    "HTTP/1.1 101 Switching Protocols",
    "Upgrade: websocket",
    "Connection: Upgrade",
    "Sec-WebSocket-Accept: s3pPLMBiTxaQ9kYGzzhZRbK+xOo=",
];

fn check(lines: &[&str]) -> Result<client::Response, ResponseError> {
    let bytes = head(lines);
    let parsed = client().check(&parse_response(&bytes));
    let mut rx = sansocket::ReceiveBuffer::new();
    rx.extend_from_slice(&bytes);
    match (client().receive(&mut rx), &parsed) {
        (client::Progress::Response(bytes), Ok(parsed)) => {
            assert_eq!(parsed.subprotocol(), bytes.subprotocol());
            assert_eq!(parsed.extensions(), bytes.extensions());
            assert_eq!(parsed.headers().len(), bytes.headers().len());
        }
        (client::Progress::Failed(ResponseError::Refused(bytes)), Err(parsed)) => {
            let ResponseError::Refused(parsed) = parsed else {
                panic!("{parsed}");
            };
            assert_eq!(parsed.status(), bytes.status());
            assert_eq!(parsed.reason(), bytes.reason());
        }
        (client::Progress::Failed(bytes), Err(parsed)) => assert_eq!(parsed, &bytes),
        (bytes, parsed) => panic!("{bytes:?} from bytes, but {parsed:?}"),
    }
    parsed
}

#[test]
fn a_client_checks_the_response_of_the_library() {
    let response = check(&RESPONSE).unwrap();
    assert_eq!(response.subprotocol(), None);
    let more = |line| check(&[&RESPONSE[..], &[line]].concat());
    let response = more("Sec-WebSocket-Protocol: chat").unwrap();
    assert_eq!(response.subprotocol(), Some("chat"));
    let response = more("Sec-WebSocket-Extensions: x-a; b=1").unwrap();
    assert_eq!(response.extensions()[0].name(), "x-a");

    assert_eq!(
        more("Sec-WebSocket-Protocol: other").unwrap_err(),
        ResponseError::SubprotocolNotOffered("other".into())
    );
    assert_eq!(
        more("Sec-WebSocket-Extensions: x-b").unwrap_err(),
        ResponseError::ExtensionNotOffered("x-b".into())
    );
    assert_eq!(
        more(RESPONSE[3]).unwrap_err(),
        ResponseError::DuplicateAccept
    );

    let replaced = |at: usize, line| {
        let mut lines = RESPONSE;
        lines[at] = line;
        check(&lines).unwrap_err()
    };
    for (at, line, error) in [
        (0, "HTTP/1.0 101 x", ResponseError::HttpVersion),
        (1, "Upgrade: h2c", ResponseError::UpgradeHeader),
        (2, "Connection: close", ResponseError::ConnectionHeader),
        (3, "Sec-WebSocket-Accept: x", ResponseError::WrongAccept),
        (3, "X: y", ResponseError::MissingAccept),
    ] {
        assert_eq!(replaced(at, line), error);
    }
    for line in ["HTTP/1.1 200 OK", "HTTP/1.0 302 Found"] {
        let refused = replaced(0, line);
        assert!(matches!(refused, ResponseError::Refused(_)), "{refused}");
    }
}

#[test]
fn a_101_of_http_2_is_not_one() {
    let mut response = parse_response(&head(&RESPONSE));
    *response.version_mut() = Version::HTTP_2;
    let error = client().check(&response).unwrap_err();
    assert_eq!(error, ResponseError::HttpVersion);
    *response.status_mut() = StatusCode::OK;
    let error = client().check(&response).unwrap_err();
    assert!(matches!(error, ResponseError::Refused(_)));
}

#[cfg(feature = "deflate")]
#[test]
fn compression_is_negotiated_through_the_library() {
    use sansocket::DeflateConfig;

    let client = client::Request::new("ws://a".parse().unwrap())
        .deflate(DeflateConfig::new().client_context_takeover(false))
        .start([1; 16])
        .unwrap();
    let request = Request::<()>::try_from(&client).unwrap();
    let request = server::Request::try_from(&request).unwrap();
    let accepted = request
        .accept(Acceptance::new().deflate(DeflateConfig::new()))
        .unwrap();
    let response = Response::<()>::try_from(&accepted).unwrap();
    let response = client.check(&response).unwrap();
    assert_eq!(response.deflate(), accepted.deflate());
    assert!(!response.deflate().unwrap().client_context_takeover());

    let mut response = Response::<()>::try_from(&accepted).unwrap();
    let foreign = "permessage-deflate; server_max_window_bits=7";
    response
        .headers_mut()
        .insert("sec-websocket-extensions", foreign.parse().unwrap());
    let error = client.check(&response).unwrap_err();
    assert_eq!(error, ResponseError::ExtensionParameters(foreign.into()));
}
