//! The part of the opening handshake that belongs to HTTP/1.1: RFC 6455 §4.1 and §4.2, without
//! what [`Offer`] does for any version of HTTP.
//!
//! It works on header pairs, so that a request which an HTTP library has parsed can be checked and
//! answered:
//!
//! ```
//! use sansocket::handshake::{HttpVersion, Offer, upgrade};
//!
//! # let pairs = || [
//! #     ("host", &b"example.com"[..]),
//! #     ("upgrade", b"websocket"),
//! #     ("connection", b"keep-alive, Upgrade"),
//! #     ("sec-websocket-key", b"dGhlIHNhbXBsZSBub25jZQ=="),
//! #     ("sec-websocket-version", b"13"),
//! # ];
//! // With the `http` crate: request.headers().iter().map(|(n, v)| (n.as_str(), v.as_bytes()))
//! let key = upgrade::check_request("GET", HttpVersion::Http11, pairs())?;
//! let offer = Offer::from_headers(pairs())?;
//! let answer = offer.answer(None, [])?;
//! let headers = upgrade::response_headers(&key, &answer); // for a response of status 101
//! assert_eq!(headers.get("Sec-WebSocket-Accept"), Some("s3pPLMBiTxaQ9kYGzzhZRbK+xOo="));
//! # Ok::<(), Box<dyn std::error::Error>>(())
//! ```

use super::error::{RequestError, ResponseError};
use super::head::HttpVersion;
use super::headers::{Fields, Headers};
use super::key::Key;
use super::list::{self, ListError};
use super::negotiation::{Answer, Offer, check_version};
use super::uri::{Authority, WsUri};

/// Headers that the handshake writes itself, or that would change how HTTP reads the message.
pub(crate) fn is_reserved(name: &str) -> bool {
    const RESERVED: [&str; 6] = [
        "Host",
        "Upgrade",
        "Connection",
        "Origin",
        "Content-Length",
        "Transfer-Encoding",
    ];
    RESERVED
        .iter()
        .any(|reserved| name.eq_ignore_ascii_case(reserved))
        || name
            .as_bytes()
            .get(..14)
            .is_some_and(|prefix| prefix.eq_ignore_ascii_case(b"Sec-WebSocket-"))
}

/// Checks that a request asks for an upgrade to WebSocket, and returns its key (RFC 6455 §4.2.1).
///
/// What decides how the message is read comes first, then whether it asks for a WebSocket at all,
/// then whether it does so correctly. [`Offer::from_headers`] checks the rest.
///
/// # Errors
/// The first [`RequestError`] in this order.
pub fn check_request<'a>(
    method: &str,
    version: HttpVersion,
    headers: impl IntoIterator<Item = (&'a str, &'a [u8])>,
) -> Result<Key, RequestError> {
    let headers = Fields::new(headers);
    check_host(version, &headers)?;
    if method != "GET" {
        return Err(RequestError::Method);
    }
    let malformed = |header| move |error: ListError| RequestError::List { header, error };
    let protocols = list::protocols(headers.all("Upgrade")).map_err(malformed("Upgrade"))?;
    if !protocols.iter().any(is_websocket) {
        return Err(RequestError::NotAnUpgrade);
    }
    if version < HttpVersion::Http11 {
        return Err(RequestError::HttpVersion);
    }
    let options = list::tokens(headers.all("Connection")).map_err(malformed("Connection"))?;
    if !options.iter().any(is_upgrade) {
        return Err(RequestError::ConnectionHeader);
    }
    // Frames follow the head at once: a body would be read as frames (RFC 9112 §6).
    if headers.all("Transfer-Encoding").next().is_some()
        || headers.all("Content-Length").any(|length| length != b"0")
    {
        return Err(RequestError::Body);
    }
    // Before the key, which another version may have of another kind (§4.4).
    check_version(&headers)?;
    match headers.at_most_one("Sec-WebSocket-Key") {
        Ok(Some(value)) => Key::parse(value).ok_or(RequestError::InvalidKey),
        Ok(None) => Err(RequestError::MissingKey),
        Err(_) => Err(RequestError::DuplicateKey),
    }
}

/// RFC 9112 §3.2: exactly one valid `Host`, which only HTTP/1.0 may leave out.
fn check_host(version: HttpVersion, headers: &Fields<'_>) -> Result<(), RequestError> {
    match headers.at_most_one("Host") {
        Ok(Some(host)) => check_authority(host).map(drop),
        Ok(None) if version == HttpVersion::Http10 => Ok(()),
        Ok(None) => Err(RequestError::MissingHost),
        Err(_) => Err(RequestError::DuplicateHost),
    }
}

pub(crate) fn check_authority(host: &[u8]) -> Result<&str, RequestError> {
    let host = core::str::from_utf8(host).map_err(|_| RequestError::InvalidHost)?;
    Authority::parse(host).map_err(|_| RequestError::InvalidHost)?;
    Ok(host)
}

/// The headers of the request of a client, whose method is `GET` (RFC 6455 §4.1).
pub fn request_headers(uri: &WsUri, key: &Key, offer: &Offer) -> Headers {
    let mut headers = Headers::new();
    headers.append_checked("Host", uri.host_header().as_bytes());
    headers.append_checked("Connection", b"Upgrade");
    headers.append_checked("Upgrade", b"websocket");
    headers.append_checked("Sec-WebSocket-Key", alloc::format!("{key}").as_bytes());
    headers.extend_checked(&offer.headers());
    headers
}

/// The headers of the response of a server, whose status is 101 (RFC 6455 §4.2.2 item 5).
pub fn response_headers(key: &Key, answer: &Answer) -> Headers {
    let mut headers = Headers::new();
    headers.append_checked("Upgrade", b"websocket");
    headers.append_checked("Connection", b"Upgrade");
    headers.append_checked("Sec-WebSocket-Accept", key.accept().as_bytes());
    headers.extend_checked(&answer.headers());
    headers
}

/// Checks the headers of a response of status 101 to the request that had this key (RFC 6455 §4.1,
/// checks 2 to 4). [`Offer::check_answer`] checks the rest.
///
/// # Errors
/// The first [`ResponseError`] in the order of the RFC.
pub fn check_response<'a>(
    key: &Key,
    headers: impl IntoIterator<Item = (&'a str, &'a [u8])>,
) -> Result<(), ResponseError> {
    let headers = Fields::new(headers);
    let malformed = |header| move |error: ListError| ResponseError::List { header, error };
    // With another protocol beside it, what follows would not be plain WebSocket.
    let protocols = list::protocols(headers.all("Upgrade")).map_err(malformed("Upgrade"))?;
    if protocols.is_empty() || !protocols.iter().all(is_websocket) {
        return Err(ResponseError::UpgradeHeader);
    }
    let options = list::tokens(headers.all("Connection")).map_err(malformed("Connection"))?;
    if !options.iter().any(is_upgrade) {
        return Err(ResponseError::ConnectionHeader);
    }
    match headers.at_most_one("Sec-WebSocket-Accept") {
        Ok(Some(value)) if value == key.accept().as_bytes() => Ok(()),
        Ok(Some(_)) => Err(ResponseError::WrongAccept),
        Ok(None) => Err(ResponseError::MissingAccept),
        Err(_) => Err(ResponseError::DuplicateAccept),
    }
}

fn is_websocket((name, version): &(&str, Option<&str>)) -> bool {
    name.eq_ignore_ascii_case("websocket") && version.is_none()
}

fn is_upgrade(option: &&str) -> bool {
    option.eq_ignore_ascii_case("upgrade")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_would_change_the_handshake_or_the_framing_is_reserved() {
        for name in [
            "host",
            "UPGRADE",
            "sec-websocket-",
            "Sec-WebSocket-Foo",
            "origin",
        ] {
            assert!(is_reserved(name), "{name}");
        }
        for name in ["", "Sec-WebSocket", "Cookie", "X-Host", "Authorization"] {
            assert!(!is_reserved(name), "{name}");
        }
    }

    #[test]
    fn each_side_passes_the_check_of_the_other() {
        let key = Key::from_nonce([9; 16]);
        let uri = "ws://[::1]:81/".parse().unwrap();
        let request = request_headers(&uri, &key, &Offer::new());
        assert_eq!(check_request("GET", HttpVersion::Http11, &request), Ok(key));
        let response = response_headers(&key, &Answer::default());
        assert_eq!(check_response(&key, &response), Ok(()));
        let other = Key::from_nonce([8; 16]);
        assert_eq!(
            check_response(&other, &response),
            Err(ResponseError::WrongAccept)
        );
    }

    #[test]
    fn what_decides_how_the_message_is_read_is_checked_first() {
        let check = |method, version, headers: &[(&'static str, &'static str)]| {
            let pairs = headers
                .iter()
                .map(|(name, value)| (*name, value.as_bytes()));
            check_request(method, version, pairs).unwrap_err()
        };
        let http11 = HttpVersion::Http11;
        assert_eq!(check("POST", http11, &[]), RequestError::MissingHost);
        let mut headers = alloc::vec![("host", "a")];
        assert_eq!(check("POST", http11, &headers), RequestError::Method);
        assert_eq!(check("GET", http11, &headers), RequestError::NotAnUpgrade);
        headers.push(("content-length", "1"));
        assert_eq!(check("GET", http11, &headers), RequestError::NotAnUpgrade);
        headers.push(("upgrade", "websocket"));
        assert_eq!(
            check("GET", HttpVersion::Http10, &headers),
            RequestError::HttpVersion
        );
        assert_eq!(
            check("GET", http11, &headers),
            RequestError::ConnectionHeader
        );
        headers.push(("connection", "upgrade"));
        assert_eq!(check("GET", http11, &headers), RequestError::Body);
        headers.remove(1);
        assert_eq!(check("GET", http11, &headers), RequestError::MissingVersion);
        headers.push(("sec-websocket-version", "13"));
        assert_eq!(check("GET", http11, &headers), RequestError::MissingKey);
    }
}
