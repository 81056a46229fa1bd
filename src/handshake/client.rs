//! The opening handshake of a client: RFC 6455 §4.1.
//!
//! ```text
//!                                    +-- Incomplete <--+
//!                                    v                 |
//! Request --> start --> Handshake ---+-- receive ------+--> Response: the WebSocket is open
//!             (write its request)                      +--> Failed:   close
//! ```

use alloc::boxed::Box;
use alloc::format;
use alloc::string::String;
use alloc::vec::Vec;

use super::error::{BuildError, ResponseError};
use super::extension::Extension;
use super::head::{HeadError, HttpVersion, ResponseHead};
use super::head_reader::HeadReader;
use super::headers::Headers;
use super::key::Key;
use super::limits::{Deadline, Limits};
use super::negotiation::{Answer, Offer};
use super::refused::RefusedResponse;
use super::rejection::append;
use super::upgrade;
use super::uri::WsUri;
#[cfg(feature = "deflate")]
use crate::extension::deflate::{DeflateConfig, DeflateParams};
use crate::trace::trace;
use crate::{ReceiveBuffer, Timestamp};

/// The request of a client, being put together.
///
/// What is wrong with any of its parts is said by [`start`](Self::start).
///
/// ```
/// use sansocket::handshake::client;
///
/// let handshake = client::Request::new("ws://example.com/chat".parse()?)
///     .subprotocol("chat")
///     .header("Authorization", "Bearer 123")
///     .start(*b"the sample nonce")?; // 16 random bytes
/// assert!(handshake.request().starts_with(b"GET /chat HTTP/1.1\r\nHost: example.com\r\n"));
/// # Ok::<(), Box<dyn std::error::Error>>(())
/// ```
#[derive(Debug, Clone)]
pub struct Request {
    uri: WsUri,
    offer: Result<Offer, BuildError>,
    headers: Result<Headers, BuildError>,
    limits: Limits,
    #[cfg(feature = "deflate")]
    deflate: Option<DeflateConfig>,
}

impl Request {
    /// A request for this URI, without subprotocols, extensions or an origin.
    pub const fn new(uri: WsUri) -> Self {
        Self {
            uri,
            offer: Ok(Offer::new()),
            headers: Ok(Headers::new()),
            limits: Limits::new(),
            #[cfg(feature = "deflate")]
            deflate: None,
        }
    }

    /// Offers a subprotocol, behind those that are preferred to it.
    #[must_use]
    pub fn subprotocol(mut self, name: impl Into<String>) -> Self {
        self.offer = self.offer.and_then(|offer| offer.with_subprotocol(name));
        self
    }

    /// Offers an extension, behind those that are preferred to it.
    ///
    /// To offer one is to promise that what comes by it is understood.
    #[must_use]
    pub fn extension(mut self, extension: Extension) -> Self {
        self.offer = self.offer.map(|offer| offer.with_extension(extension));
        self
    }

    /// Offers permessage-deflate (RFC 7692), preferred to all other extensions. What comes of it is
    /// in [`Response::deflate`].
    #[cfg(feature = "deflate")]
    #[must_use]
    pub const fn deflate(mut self, config: DeflateConfig) -> Self {
        self.deflate = Some(config);
        self
    }

    /// Sets the origin: only browsers need one.
    #[must_use]
    pub fn origin(mut self, origin: impl Into<String>) -> Self {
        self.offer = self.offer.and_then(|offer| offer.with_origin(origin));
        self
    }

    /// Adds a header. Those of the handshake itself (`Host`, `Upgrade`, `Connection`, `Origin`,
    /// `Sec-WebSocket-*`) and those of a body are not for the caller to write.
    #[must_use]
    pub fn header(mut self, name: &str, value: impl AsRef<[u8]>) -> Self {
        append(&mut self.headers, name, value, upgrade::is_reserved);
        self
    }

    /// Sets the limits of the response, and the deadline.
    #[must_use]
    pub const fn limits(mut self, limits: Limits) -> Self {
        self.limits = limits;
        self
    }

    /// The URI that is asked for: where to connect to.
    pub const fn uri(&self) -> &WsUri {
        &self.uri
    }

    /// Starts the handshake with a nonce that is drawn at random for each connection.
    ///
    /// # Errors
    /// [`BuildError`] if a subprotocol is not a token or offered twice, permessage-deflate is offered
    /// both ways, the origin is not ASCII text, or a header is malformed or one that the handshake writes itself.
    pub fn start(self, nonce: [u8; 16]) -> Result<Handshake, BuildError> {
        let offer = self.offer?;
        #[cfg(feature = "deflate")]
        let offer = match &self.deflate {
            Some(_) if offer.extensions().iter().any(DeflateConfig::is_meant_by) => {
                return Err(BuildError::DuplicateExtension);
            }
            Some(config) => offer.with_preferred_extensions(config.offers()),
            None => offer,
        };
        let extra = self.headers?;
        let key = Key::from_nonce(nonce);
        let mut headers = upgrade::request_headers(&self.uri, &key, &offer);
        headers.extend_checked(&extra);
        let mut request = format!("GET {} HTTP/1.1\r\n", self.uri.resource_name()).into_bytes();
        headers.write_to(&mut request);
        let asked = Asked {
            request,
            uri: self.uri,
            headers,
            key,
            offer,
            #[cfg(feature = "deflate")]
            deflate: self.deflate,
        };
        Ok(Handshake {
            asked: Box::new(asked),
            reader: HeadReader::new(&self.limits),
            deadline: Deadline::new(&self.limits),
        })
    }
}

/// A client that has a request to write, and waits for the response.
///
/// ```
/// use sansocket::ReceiveBuffer;
/// use sansocket::handshake::client;
///
/// let request = client::Request::new("ws://example.com/chat".parse()?).subprotocol("chat");
/// let handshake = request.start(*b"the sample nonce")?;
/// // Write `handshake.request()`, then read into a buffer:
/// let mut rx = ReceiveBuffer::new();
/// rx.extend_from_slice(b"HTTP/1.1 101 Switching Protocols\r\n\
///     Upgrade: websocket\r\n\
///     Connection: Upgrade\r\n\
///     Sec-WebSocket-Accept: s3pPLMBiTxaQ9kYGzzhZRbK+xOo=\r\n\
///     Sec-WebSocket-Protocol: chat\r\n\r\n");
/// match handshake.receive(&mut rx) {
///     client::Progress::Incomplete(_again) => unreachable!("read more, then `receive` again"),
///     client::Progress::Response(response) => assert_eq!(response.subprotocol(), Some("chat")),
///     client::Progress::Failed(error) => return Err(error.into()),
/// }
/// # Ok::<(), Box<dyn std::error::Error>>(())
/// ```
pub struct Handshake {
    asked: Box<Asked>,
    reader: HeadReader,
    deadline: Deadline,
}

/// The request, and what the response has to answer.
struct Asked {
    request: Vec<u8>,
    uri: WsUri,
    headers: Headers,
    key: Key,
    offer: Offer,
    #[cfg(feature = "deflate")]
    deflate: Option<DeflateConfig>,
}

/// Without the request, which may hold credentials.
impl core::fmt::Debug for Handshake {
    fn fmt(&self, f: &mut core::fmt::Formatter<'_>) -> core::fmt::Result {
        f.debug_struct("Handshake").finish_non_exhaustive()
    }
}

/// What has become of a [`Handshake`] with the bytes received.
#[derive(Debug)]
pub enum Progress {
    /// The response is not complete: read more.
    Incomplete(Handshake),
    /// The server has accepted: the WebSocket is open.
    Response(Response),
    /// There is no WebSocket: close.
    Failed(ResponseError),
}

impl Handshake {
    /// The bytes to write, before or while the response is waited for.
    pub fn request(&self) -> &[u8] {
        &self.asked.request
    }

    /// The URI that is asked for.
    pub const fn uri(&self) -> &WsUri {
        &self.asked.uri
    }

    /// The headers of that request, for an HTTP library to write it: its method is `GET`, and its
    /// target the [resource name](WsUri::resource_name).
    pub const fn headers(&self) -> &Headers {
        &self.asked.headers
    }

    /// Takes the response head out of the buffer when it is complete.
    ///
    /// Always give it the same buffer. What comes behind the head stays in it: for the connection
    /// if the WebSocket is open, for [`RefusedResponse::receive_body`] if it was refused.
    pub fn receive(mut self, rx: &mut ReceiveBuffer) -> Progress {
        let result = match self.read(rx) {
            Ok(None) if self.deadline.has_passed() => Err(ResponseError::TimedOut),
            Ok(None) => return Progress::Incomplete(self),
            Ok(Some(head)) => self.check_answer(head),
            Err(error) => Err(error.into()),
        };
        match told(result) {
            Ok(response) => Progress::Response(response),
            Err(error) => Progress::Failed(error),
        }
    }

    fn read(&mut self, rx: &mut ReceiveBuffer) -> Result<Option<ResponseHead>, HeadError> {
        loop {
            match self.reader.read_response(rx)? {
                // RFC 9110 §15.2: other 1xx responses may come before the one that counts. Together
                // they are held to the size of one head.
                Some(head) if matches!(head.status, 100 | 102..=199) => {}
                result => return Ok(result),
            }
        }
    }

    /// Checks a response head that somebody else has parsed, as [`receive`](Self::receive) checks
    /// those that it reads itself.
    ///
    /// # Errors
    /// The [`ResponseError`]: [`Refused`](ResponseError::Refused) for any status but 101.
    pub fn check_head(&self, head: ResponseHead) -> Result<Response, ResponseError> {
        told(self.check_answer(head))
    }

    fn check_answer(&self, head: ResponseHead) -> Result<Response, ResponseError> {
        // §4.1 check 1. To authenticate or to follow a redirect is for the caller.
        if head.status != 101 {
            return Err(ResponseError::Refused(RefusedResponse::new(head).into()));
        }
        if head.version < HttpVersion::Http11 {
            return Err(ResponseError::HttpVersion);
        }
        upgrade::check_response(&self.asked.key, &head.headers)?;
        let answer = self.asked.offer.check_answer(&head.headers)?;
        Ok(Response {
            #[cfg(feature = "deflate")]
            deflate: answer.deflate(self.asked.deflate.as_ref())?,
            answer,
            headers: head.headers,
        })
    }

    /// When [`handle_timeout`](Self::handle_timeout) is due, if ever. It is at once
    /// ([`Timestamp::ZERO`]) for a new handshake, which does not know the time yet.
    pub const fn poll_timeout(&self) -> Option<Timestamp> {
        self.deadline.poll()
    }

    /// Tells the time: the first call arms the deadline ([`Limits::timeout`]), and from the moment
    /// when it has passed, [`receive`](Self::receive) fails unless the response is complete.
    pub fn handle_timeout(&mut self, now: Timestamp) {
        self.deadline.handle(now);
    }
}

/// The same, when the log has it.
fn told(result: Result<Response, ResponseError>) -> Result<Response, ResponseError> {
    match &result {
        Ok(_response) => trace!(response_accepted(
            _response.subprotocol(),
            _response.extensions().len()
        )),
        Err(_error) => trace!(response_failed(_error)),
    }
    result
}

/// The response of a server that has accepted; it keeps all rules of RFC 6455 §4.1.
#[derive(Debug, Clone)]
pub struct Response {
    headers: Headers,
    answer: Answer,
    #[cfg(feature = "deflate")]
    deflate: Option<DeflateParams>,
}

impl Response {
    /// The subprotocol that the server chose among those offered, if it did.
    pub fn subprotocol(&self) -> Option<&str> {
        self.answer.subprotocol()
    }

    /// The extensions in use, in the order in which they apply.
    pub fn extensions(&self) -> &[Extension] {
        self.answer.extensions()
    }

    /// What was agreed on of permessage-deflate, if it was offered and accepted: for
    /// [`Connection::with_deflate`](crate::Connection::with_deflate).
    #[cfg(feature = "deflate")]
    pub const fn deflate(&self) -> Option<DeflateParams> {
        self.deflate
    }

    /// All headers of the response.
    pub const fn headers(&self) -> &Headers {
        &self.headers
    }

    /// What was negotiated, without the headers.
    pub fn into_answer(self) -> Answer {
        self.answer
    }
}
