//! The opening handshake of a server: RFC 6455 §4.2.
//!
//! ```text
//!             +-- Incomplete <--+
//!             v                 |
//! Handshake --+-- receive ------+--> Request ---> accept --> Accepted: write its response, go on
//!                               |           \---> reject --> write the bytes, close
//!                               +--> Refused ---> response or respond_with: write the bytes, close
//! ```
//!
//! Close without losing the response: shut down the writing side and read on for a moment, since a
//! TCP stack that is closed with unread bytes resets the connection.

use alloc::borrow::ToOwned;
use alloc::boxed::Box;
use alloc::string::String;
use alloc::vec::Vec;
use core::error::Error;
use core::fmt;

pub use super::acceptance::{Acceptance, Accepted};
use super::error::{BuildError, RequestError};
use super::extension::Extension;
use super::head::RequestHead;
use super::head_reader::HeadReader;
use super::headers::Headers;
use super::key::Key;
use super::limits::{Deadline, Limits};
use super::negotiation::Offer;
use super::rejection::Rejection;
use super::upgrade;
use super::uri::{resource_name, split_authority};
use crate::trace::trace;
use crate::{ReceiveBuffer, Timestamp};

/// A server that waits for the request of a client.
///
/// ```
/// use sansocket::ReceiveBuffer;
/// use sansocket::handshake::{Limits, Rejection, server};
///
/// let mut rx = ReceiveBuffer::new();
/// rx.extend_from_slice(b"GET / HTTP/1.1\r\nHost: example.com\r\n\r\n");
///
/// match server::Handshake::new(Limits::new()).receive(&mut rx) {
///     server::Progress::Incomplete(_again) => unreachable!("read more, then `receive` again"),
///     server::Progress::Request(_request) => unreachable!("`accept` or `reject`"),
///     server::Progress::Refused(refusal) => {
///         // A browser that was given our address: here is a page for it.
///         assert_eq!(refusal.error().status(), 426);
///         assert_eq!(refusal.head().unwrap().target(), "/");
///         let page = Rejection::new(200).body("text/html", "<p>hello</p>");
///         assert!(refusal.respond_with(page)?.starts_with(b"HTTP/1.1 200 OK\r\n"));
///     }
/// }
/// # Ok::<(), sansocket::handshake::BuildError>(())
/// ```
#[derive(Debug)]
pub struct Handshake {
    reader: HeadReader,
    deadline: Deadline,
}

/// What has become of a [`Handshake`] with the bytes received.
#[derive(Debug)]
pub enum Progress {
    /// The request is not complete: read more.
    Incomplete(Handshake),
    /// A client asks for a WebSocket: accept or reject it.
    Request(Request),
    /// What came is anything else: answer it and close.
    Refused(Refusal),
}

impl Handshake {
    /// Waits for a request.
    pub fn new(limits: Limits) -> Self {
        Self {
            reader: HeadReader::new(&limits),
            deadline: Deadline::new(&limits),
        }
    }

    /// Takes the request head out of the buffer when it is complete.
    ///
    /// Always give it the same buffer. What comes behind the head stays in it, for the connection.
    /// Time and memory are linear in the bytes, however they are split.
    pub fn receive(mut self, rx: &mut ReceiveBuffer) -> Progress {
        match self.reader.read_request(rx) {
            Ok(Some(head)) => match Request::from_head(head) {
                Ok(request) => Progress::Request(request),
                Err(refusal) => Progress::Refused(refusal),
            },
            Ok(None) if self.deadline.has_passed() => {
                Progress::Refused(Refusal::new(RequestError::TimedOut, None))
            }
            Ok(None) => Progress::Incomplete(self),
            Err(error) => Progress::Refused(Refusal::new(error.into(), None)),
        }
    }

    /// When [`handle_timeout`](Self::handle_timeout) is due, if ever. It is at once
    /// ([`Timestamp::ZERO`]) for a new handshake, which does not know the time yet.
    pub const fn poll_timeout(&self) -> Option<Timestamp> {
        self.deadline.poll()
    }

    /// Tells the time: the first call arms the deadline ([`Limits::timeout`]), and from the moment
    /// when it has passed, [`receive`](Self::receive) refuses a request that is not complete (408).
    pub fn handle_timeout(&mut self, now: Timestamp) {
        self.deadline.handle(now);
    }
}

/// A request that may be accepted: it keeps all rules of RFC 6455 §4.2.1.
///
/// Whether the [`origin`](Self::origin) is welcome is for the application to say, see
/// [`OriginAllowList`](super::OriginAllowList).
#[derive(Debug, Clone)]
pub struct Request {
    facts: Box<Facts>,
    headers: Headers,
}

/// What the checks have found in a head.
#[derive(Debug, Clone)]
struct Facts {
    resource_name: String,
    host: String,
    offer: Offer,
    key: Key,
}

impl Facts {
    fn check(head: &RequestHead) -> Result<Self, RequestError> {
        let key = upgrade::check_request(&head.method, head.version, &head.headers)?;
        let (authority, resource_name) = split_target(&head.target).ok_or(RequestError::Target)?;
        // RFC 9112 §3.2.2: the host of an absolute target takes precedence.
        let host = match authority {
            Some(authority) => upgrade::check_authority(authority.as_bytes())?,
            None => head.headers.get("Host").unwrap_or_default(),
        };
        Ok(Self {
            resource_name,
            host: host.to_owned(),
            offer: Offer::from_headers(&head.headers)?,
            key,
        })
    }
}

impl Request {
    /// Checks a head that somebody else has parsed, as [`Handshake::receive`] checks those that it
    /// reads itself.
    ///
    /// ```
    /// use sansocket::handshake::{Headers, HttpVersion, RequestHead, server};
    ///
    /// let mut headers = Headers::new();
    /// headers.append("host", "example.com")?;
    /// headers.append("upgrade", "websocket")?;
    /// headers.append("connection", "keep-alive, Upgrade")?;
    /// headers.append("sec-websocket-key", "dGhlIHNhbXBsZSBub25jZQ==")?;
    /// headers.append("sec-websocket-version", "13")?;
    /// let head = RequestHead::new("GET", "/chat", HttpVersion::Http11, headers);
    ///
    /// let request = server::Request::from_head(head)?;
    /// let accepted = request.accept(server::Acceptance::new())?;
    /// // Now write a response of status 101 with `accepted.headers()`.
    /// assert_eq!(
    ///     accepted.headers().get("Sec-WebSocket-Accept"),
    ///     Some("s3pPLMBiTxaQ9kYGzzhZRbK+xOo=")
    /// );
    /// # Ok::<(), Box<dyn std::error::Error>>(())
    /// ```
    ///
    /// # Errors
    /// A [`Refusal`] with the [`RequestError`], and the head.
    pub fn from_head(head: RequestHead) -> Result<Self, Refusal> {
        match Facts::check(&head) {
            Ok(facts) => Ok(Self {
                facts: Box::new(facts),
                headers: head.headers,
            }),
            Err(error) => Err(Refusal::new(error, Some(head))),
        }
    }

    /// Path and query of the request target, percent-encoded as it came; begins with `/`.
    pub fn resource_name(&self) -> &str {
        &self.facts.resource_name
    }

    /// The resource name up to the query.
    pub fn path(&self) -> &str {
        self.facts
            .resource_name
            .split_once('?')
            .map_or(self.resource_name(), |(path, _)| path)
    }

    /// What follows the `?` of the resource name.
    pub fn query(&self) -> Option<&str> {
        self.facts
            .resource_name
            .split_once('?')
            .map(|(_, query)| query)
    }

    /// The host that the client asked for, with the port if it is not the default one.
    pub fn host(&self) -> &str {
        &self.facts.host
    }

    /// All headers of the request.
    pub const fn headers(&self) -> &Headers {
        &self.headers
    }

    /// The origin of the page that connects; clients that are no browsers mostly send none.
    pub fn origin(&self) -> Option<&str> {
        self.facts.offer.origin()
    }

    /// The subprotocols offered, the one the client prefers first.
    pub fn subprotocols(&self) -> impl Iterator<Item = &str> {
        self.facts.offer.subprotocols()
    }

    /// The first subprotocol offered, so the one the client prefers, that is among those `supported`.
    pub fn select_subprotocol(&self, supported: &[&str]) -> Option<&str> {
        self.facts.offer.select_subprotocol(supported)
    }

    /// The extensions offered, the one the client prefers first.
    pub fn extensions(&self) -> &[Extension] {
        self.facts.offer.extensions()
    }

    /// Accepts the request: the result has the response to write (RFC 6455 §4.2.2 item 5).
    ///
    /// The request stays, to read on in it, or to reject it should this fail.
    ///
    /// # Errors
    /// [`BuildError`] if the subprotocol or an extension was not offered, or a header is malformed
    /// or one that the handshake writes itself.
    pub fn accept(&self, acceptance: Acceptance) -> Result<Accepted, BuildError> {
        acceptance.answer(&self.facts.key, &self.facts.offer)
    }

    /// Rejects the request: returns the response to write (RFC 6455 §4.2.2 item 4).
    ///
    /// # Errors
    /// [`BuildError`] if the status is not one from 200 to 599, has no body and was given one, or a
    /// header is malformed or one that is not for the caller to write.
    pub fn reject(&self, rejection: Rejection) -> Result<Vec<u8>, BuildError> {
        rejection.write(None)
    }
}

/// Resource name, and the authority before it in the absolute form (RFC 6455 §4.2.1 item 1,
/// RFC 9112 §3.2).
fn split_target(target: &str) -> Option<(Option<&str>, String)> {
    if !target.bytes().all(|byte| byte.is_ascii_graphic()) || target.contains('#') {
        return None;
    }
    if target.starts_with('/') {
        return Some((None, target.to_owned()));
    }
    let (scheme, rest) = target.split_once("://")?;
    if !["http", "https", "ws", "wss"]
        .iter()
        .any(|known| scheme.eq_ignore_ascii_case(known))
    {
        return None;
    }
    let (authority, path_and_query) = split_authority(rest);
    Some((Some(authority), resource_name(path_and_query)))
}

/// What came instead of a valid request, and how to answer it.
#[derive(Debug, Clone)]
pub struct Refusal {
    error: RequestError,
    head: Option<Box<RequestHead>>,
}

impl Refusal {
    pub(crate) fn new(error: RequestError, head: Option<RequestHead>) -> Self {
        trace!(request_invalid(&error));
        Self {
            error,
            head: head.map(Box::new),
        }
    }

    /// For a caller that has timed the handshake itself: [`RequestError::TimedOut`], so 408.
    pub const fn timed_out() -> Self {
        Self {
            error: RequestError::TimedOut,
            head: None,
        }
    }

    /// What is wrong with the request.
    pub const fn error(&self) -> &RequestError {
        &self.error
    }

    /// The head of the request, if it is one of HTTP/1: with [`RequestError::NotAnUpgrade`] it is an
    /// ordinary request, that one may answer with a page.
    pub fn head(&self) -> Option<&RequestHead> {
        self.head.as_deref()
    }

    /// The bytes to write: a response that fits the error, with its text.
    pub fn response(&self) -> Vec<u8> {
        // All that is in it is ours, so that it can be written.
        self.respond_with(Rejection::from(&self.error))
            .unwrap_or_default()
    }

    /// The bytes to write: a response of one's own.
    ///
    /// # Errors
    /// As [`Request::reject`].
    pub fn respond_with(&self, rejection: Rejection) -> Result<Vec<u8>, BuildError> {
        rejection.write(self.head().map(RequestHead::method))
    }
}

impl fmt::Display for Refusal {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.error.fmt(f)
    }
}

impl Error for Refusal {
    fn source(&self) -> Option<&(dyn Error + 'static)> {
        self.error.source()
    }
}
