//! Requests and responses of the `http` crate, for servers and clients that have an HTTP library.
//!
//! Conversions lead from its types to those of the [`handshake`](crate::handshake) and back. The
//! checks are the same as for bytes, and so are the answers. How the stream under an upgraded request
//! is come by depends on the library: the feature `hyper` does that for hyper.
//!
//! A server:
//!
//! ```
//! use bytes::Bytes;
//! use http::{Request, Response};
//! use sansocket::handshake::{BuildError, Rejection, server};
//! use sansocket::{Config, Connection};
//!
//! fn answer(request: &Request<()>) -> Result<(Response<Bytes>, Option<Connection>), BuildError> {
//!     // Anything but an upgrade to WebSocket gets 400, 405, 426 or 505, with the headers due.
//!     let request = match server::Request::try_from(request) {
//!         Ok(request) => request,
//!         Err(refusal) => return Ok((Response::from(&refusal), None)),
//!     };
//!     if request.path() != "/chat" {
//!         return Ok((Response::try_from(Rejection::new(404))?, None));
//!     }
//!     let accepted = request.accept(server::Acceptance::new())?;
//!     Ok((Response::try_from(&accepted)?, Some(Connection::server(Config::new()))))
//! }
//!
//! let request = Request::get("/chat").header("host", "example.com").body(()).unwrap();
//! let (response, _) = answer(&request)?;
//! assert_eq!(response.status(), 426);
//! assert_eq!(response.headers()["sec-websocket-version"], "13");
//! # Ok::<(), BuildError>(())
//! ```
//!
//! A client:
//!
//! ```
//! use sansocket::handshake::client;
//!
//! # fn roundtrip(request: http::Request<()>) -> http::Response<()> {
//! #     let request = sansocket::handshake::server::Request::try_from(&request).unwrap();
//! #     let chat = sansocket::handshake::server::Acceptance::new().subprotocol("chat");
//! #     http::Response::try_from(&request.accept(chat).unwrap()).unwrap()
//! # }
//! let handshake = client::Request::new("ws://example.com/".parse()?)
//!     .subprotocol("chat")
//!     .start(*b"the sample nonce")?; // 16 random bytes
//! let request = http::Request::try_from(&handshake)?;
//! let response = roundtrip(request);
//! let response = handshake.check(&response)?;
//! assert_eq!(response.subprotocol(), Some("chat"));
//! # Ok::<(), Box<dyn std::error::Error>>(())
//! ```

use alloc::borrow::ToOwned;
use alloc::string::ToString;

use ::http::header::{HeaderMap, HeaderName, HeaderValue};
use ::http::{Method, Request, Response, StatusCode, Uri, Version, request};
use bytes::Bytes;

use crate::handshake::server::{self, Accepted, Refusal};
use crate::handshake::{
    BuildError, HeadError, Headers, HttpVersion, Rejection, RequestHead, ResponseError,
    ResponseHead, client,
};

/// Checks a request that an HTTP library has parsed: [`from_head`](server::Request::from_head).
///
/// Of HTTP/2 and HTTP/3, which have no upgrade, it is refused with 505.
impl<B> TryFrom<&Request<B>> for server::Request {
    type Error = Refusal;

    fn try_from(request: &Request<B>) -> Result<Self, Refusal> {
        let headers = request.headers();
        check_request(request.method(), request.uri(), request.version(), headers)
    }
}

/// The same for the parts of a request.
impl TryFrom<&request::Parts> for server::Request {
    type Error = Refusal;

    fn try_from(parts: &request::Parts) -> Result<Self, Refusal> {
        check_request(&parts.method, &parts.uri, parts.version, &parts.headers)
    }
}

fn check_request(
    method: &Method,
    uri: &Uri,
    version: Version,
    headers: &HeaderMap,
) -> Result<server::Request, Refusal> {
    let version = match version {
        Version::HTTP_10 => HttpVersion::Http10,
        Version::HTTP_11 => HttpVersion::Http11,
        _ => return Err(Refusal::new(HeadError::HttpVersion.into(), None)),
    };
    let headers = from_map(headers);
    let head = RequestHead::new(method.as_str(), uri.to_string(), version, headers);
    server::Request::from_head(head)
}

/// The response of status 101.
///
/// # Errors
/// [`BuildError::Http`].
impl<B: Default> TryFrom<&Accepted> for Response<B> {
    type Error = BuildError;

    fn try_from(accepted: &Accepted) -> Result<Self, BuildError> {
        let mut response = Self::new(B::default());
        *response.status_mut() = StatusCode::SWITCHING_PROTOCOLS;
        *response.headers_mut() = to_map(accepted.headers())?;
        Ok(response)
    }
}

/// The response, framed by the HTTP library that writes it.
///
/// # Errors
/// As [`Rejection::into_parts`], and [`BuildError::Http`].
impl<B: From<Bytes>> TryFrom<Rejection> for Response<B> {
    type Error = BuildError;

    fn try_from(rejection: Rejection) -> Result<Self, BuildError> {
        let (status, headers, body) = rejection.into_parts()?;
        let mut response = Self::new(Bytes::from(body).into());
        *response.status_mut() =
            StatusCode::from_u16(status).map_err(|_| BuildError::Status(status))?;
        *response.headers_mut() = to_map(&headers)?;
        Ok(response)
    }
}

/// The response that fits the error, with its text.
impl<B: From<Bytes>> From<&Refusal> for Response<B> {
    fn from(refusal: &Refusal) -> Self {
        Rejection::from(refusal.error())
            .try_into()
            .unwrap_or_else(|_| {
                // Not reached: all that is in it is ours, so that it can be written.
                let mut response = Self::new(Bytes::new().into());
                *response.status_mut() = StatusCode::BAD_REQUEST;
                response
            })
    }
}

/// The request that opens the handshake; its URI is path and query alone, as HTTP/1.1 has it.
///
/// A client that finds its connection by the URI wants a whole one: set
/// [`uri_mut`](Request::uri_mut) to that, with `http` for `ws`.
///
/// # Errors
/// [`BuildError::Http`].
impl<B: Default> TryFrom<&client::Handshake> for Request<B> {
    type Error = BuildError;

    fn try_from(handshake: &client::Handshake) -> Result<Self, BuildError> {
        let mut request = Self::new(B::default());
        let uri = handshake.uri().resource_name().parse();
        *request.uri_mut() = uri.map_err(|_| BuildError::Http)?;
        *request.headers_mut() = to_map(handshake.headers())?;
        Ok(request)
    }
}

impl client::Handshake {
    /// Checks a response that an HTTP library has parsed: [`check_head`](Self::check_head).
    ///
    /// # Errors
    /// The [`ResponseError`]. If it is [`Refused`](ResponseError::Refused), the body is still in
    /// `response`.
    pub fn check<B>(&self, response: &Response<B>) -> Result<client::Response, ResponseError> {
        let version = match response.version() {
            Version::HTTP_11 => HttpVersion::Http11,
            // None of the others has a 101.
            _ => HttpVersion::Http10,
        };
        let status = response.status();
        let mut head = ResponseHead::new(status.as_u16(), version, from_map(response.headers()));
        head.reason = status.canonical_reason().unwrap_or_default().to_owned();
        self.check_head(head)
    }
}

fn from_map(map: &HeaderMap) -> Headers {
    let mut headers = Headers::new();
    for (name, value) in map {
        // Both types check for the same characters, except that these values may have whitespace
        // around, which is none of theirs (RFC 9110 §5.5).
        headers.append_checked(name.as_str(), value.as_bytes().trim_ascii());
    }
    headers
}

fn to_map(headers: &Headers) -> Result<HeaderMap, BuildError> {
    let mut map = HeaderMap::new();
    for (name, value) in headers {
        let name = HeaderName::try_from(name).map_err(|_| BuildError::Http)?;
        let value = HeaderValue::from_bytes(value).map_err(|_| BuildError::Http)?;
        map.try_append(name, value).map_err(|_| BuildError::Http)?;
    }
    Ok(map)
}
