//! What can be wrong with a request received, a response received, or a message we are to write.

use alloc::boxed::Box;
use alloc::string::String;
use core::error::Error;
use core::fmt;

use super::head::HeadError;
use super::headers::HeaderError;
use super::list::ListError;
use super::refused::RefusedResponse;

/// Why a request received is not an opening handshake that a server may accept (RFC 6455 §4.2.1).
///
/// [`status`](Self::status) says how HTTP answers it.
#[derive(Debug, Clone, PartialEq, Eq)]
#[non_exhaustive]
pub enum RequestError {
    /// The bytes are not an HTTP/1.1 request head within the limits.
    Head(HeadError),
    /// No `Host` header (RFC 9112 §3.2).
    MissingHost,
    /// More than one `Host` header.
    DuplicateHost,
    /// The `Host` header, or the host in an absolute request target, is no host and port.
    InvalidHost,
    /// The method is not `GET`.
    Method,
    /// The request target is neither a path nor an absolute URI, or has characters that no URI has.
    Target,
    /// An ordinary HTTP request: `Upgrade` is missing, or does not name `websocket`.
    NotAnUpgrade,
    /// `Connection` has no `upgrade` among its tokens: a proxy on the way may have removed it.
    ConnectionHeader,
    /// An upgrade asked for in HTTP/1.0, which has none (RFC 9110 §7.8).
    HttpVersion,
    /// The request announces a body: `Content-Length` other than 0, or `Transfer-Encoding`.
    Body,
    /// No `Sec-WebSocket-Version` header.
    MissingVersion,
    /// More than one `Sec-WebSocket-Version` header.
    DuplicateVersion,
    /// `Sec-WebSocket-Version` is not 13.
    UnsupportedVersion,
    /// No `Sec-WebSocket-Key` header.
    MissingKey,
    /// More than one `Sec-WebSocket-Key` header.
    DuplicateKey,
    /// `Sec-WebSocket-Key` is not base64 of 16 bytes.
    InvalidKey,
    /// A list header is malformed.
    List {
        /// The name of the header.
        header: &'static str,
        /// What is wrong with its value.
        error: ListError,
    },
    /// A subprotocol is offered twice (RFC 6455 §4.1 item 10).
    DuplicateSubprotocol,
    /// More than one `Origin` header, or one that is not ASCII text.
    InvalidOrigin,
    /// The request did not come in time.
    TimedOut,
    /// Nothing is wrong with the request, but the HTTP server that has read it does not let its
    /// connection be upgraded: something has taken that right before.
    NotUpgradable,
}

impl RequestError {
    /// The status of the HTTP response that fits.
    pub const fn status(&self) -> u16 {
        match self {
            Self::Head(head) => match head {
                HeadError::TooLarge { .. } | HeadError::TooManyHeaders { .. } => 431,
                HeadError::HttpVersion => 505,
                HeadError::Tls
                | HeadError::ControlCharacter
                | HeadError::LineEnding
                | HeadError::StartLine
                | HeadError::HeaderName
                | HeadError::HeaderValue => 400,
            },
            Self::Method => 405,
            Self::TimedOut => 408,
            // §4.4: a version that is missing is answered like a wrong one, with the right one.
            Self::NotAnUpgrade
            | Self::ConnectionHeader
            | Self::MissingVersion
            | Self::UnsupportedVersion => 426,
            Self::NotUpgradable => 500,
            Self::HttpVersion => 505,
            Self::MissingHost
            | Self::DuplicateHost
            | Self::InvalidHost
            | Self::Target
            | Self::Body
            | Self::DuplicateVersion
            | Self::MissingKey
            | Self::DuplicateKey
            | Self::InvalidKey
            | Self::List { .. }
            | Self::DuplicateSubprotocol
            | Self::InvalidOrigin => 400,
        }
    }
}

impl fmt::Display for RequestError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Head(error) => return error.fmt(f),
            Self::List { header, error } => return write!(f, "malformed {header}: {error}"),
            Self::MissingHost => "the Host header is missing",
            Self::DuplicateHost => "there is more than one Host header",
            Self::InvalidHost => "the host is not a name or an address with an optional port",
            Self::Method => "a WebSocket is opened with the method GET",
            Self::Target => "the request target is not a path, or not percent-encoded",
            Self::NotAnUpgrade => {
                "this is a WebSocket server: the header Upgrade: websocket is missing"
            }
            Self::ConnectionHeader => {
                "the header Connection: Upgrade is missing: check the proxies on the way"
            }
            Self::HttpVersion => "a WebSocket is opened with HTTP/1.1, not HTTP/1.0",
            Self::Body => "a request that opens a WebSocket has no body",
            Self::MissingVersion => "the Sec-WebSocket-Version header is missing: it has to be 13",
            Self::DuplicateVersion => "there is more than one Sec-WebSocket-Version header",
            Self::UnsupportedVersion => "the Sec-WebSocket-Version has to be 13",
            Self::MissingKey => "the Sec-WebSocket-Key header is missing",
            Self::DuplicateKey => "there is more than one Sec-WebSocket-Key header",
            Self::InvalidKey => "the Sec-WebSocket-Key is not base64 of 16 bytes",
            Self::DuplicateSubprotocol => {
                "a subprotocol is offered twice in Sec-WebSocket-Protocol"
            }
            Self::InvalidOrigin => "there is more than one Origin header, or it is not ASCII",
            Self::TimedOut => "the request did not come in time",
            Self::NotUpgradable => "the server does not let this connection be upgraded",
        })
    }
}

impl Error for RequestError {
    fn source(&self) -> Option<&(dyn Error + 'static)> {
        match self {
            Self::Head(error) => Some(error),
            Self::List { error, .. } => Some(error),
            _ => None,
        }
    }
}

impl From<HeadError> for RequestError {
    fn from(error: HeadError) -> Self {
        Self::Head(error)
    }
}

/// Why the answer of a server does not open a WebSocket (RFC 6455 §4.1, the client's checks).
#[derive(Debug, Clone, PartialEq, Eq)]
#[non_exhaustive]
pub enum ResponseError {
    /// The bytes are not an HTTP/1.1 response head within the limits.
    Head(HeadError),
    /// The server answered with another status than 101: a redirect, or an error.
    Refused(Box<RefusedResponse>),
    /// The status is 101, but not of HTTP/1.1.
    HttpVersion,
    /// `Upgrade` is missing, or not just `websocket`.
    UpgradeHeader,
    /// `Connection` has no `upgrade` among its tokens.
    ConnectionHeader,
    /// No `Sec-WebSocket-Accept` header.
    MissingAccept,
    /// More than one `Sec-WebSocket-Accept` header.
    DuplicateAccept,
    /// `Sec-WebSocket-Accept` does not answer the key sent: the server does not speak WebSocket, or
    /// something on the way answered from a cache.
    WrongAccept,
    /// A list header is malformed.
    List {
        /// The name of the header.
        header: &'static str,
        /// What is wrong with its value.
        error: ListError,
    },
    /// The server chose a subprotocol that was not offered.
    SubprotocolNotOffered(String),
    /// The server chose more than one subprotocol.
    DuplicateSubprotocol,
    /// The server uses an extension that was not offered.
    ExtensionNotOffered(String),
    /// The server uses an extension twice.
    DuplicateExtension(String),
    /// The server uses an extension with parameters that do not answer the offer.
    ExtensionParameters(String),
    /// The response did not come in time.
    TimedOut,
}

impl fmt::Display for ResponseError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Head(error) => return error.fmt(f),
            Self::Refused(response) => {
                return write!(
                    f,
                    "the server answered with status {} {} instead of 101",
                    response.status(),
                    response.reason()
                );
            }
            Self::List { header, error } => return write!(f, "malformed {header}: {error}"),
            Self::SubprotocolNotOffered(name) => {
                return write!(
                    f,
                    "the server chose the subprotocol {name}, which was not offered"
                );
            }
            Self::ExtensionNotOffered(name) => {
                return write!(
                    f,
                    "the server uses the extension {name}, which was not offered"
                );
            }
            Self::DuplicateExtension(name) => {
                return write!(f, "the server uses the extension {name} twice");
            }
            Self::ExtensionParameters(extension) => {
                return write!(
                    f,
                    "the server answered the offer of an extension with {extension}"
                );
            }
            Self::HttpVersion => "the server answered with 101, but not in HTTP/1.1",
            Self::UpgradeHeader => "the Upgrade header of the response is not websocket",
            Self::ConnectionHeader => "the Connection header of the response lacks upgrade",
            Self::MissingAccept => "the response lacks the Sec-WebSocket-Accept header",
            Self::DuplicateAccept => "the response has more than one Sec-WebSocket-Accept header",
            Self::WrongAccept => "the Sec-WebSocket-Accept of the response does not match the key",
            Self::DuplicateSubprotocol => "the server chose more than one subprotocol",
            Self::TimedOut => "the response did not come in time",
        })
    }
}

impl Error for ResponseError {
    fn source(&self) -> Option<&(dyn Error + 'static)> {
        match self {
            Self::Head(error) => Some(error),
            Self::List { error, .. } => Some(error),
            _ => None,
        }
    }
}

impl From<HeadError> for ResponseError {
    fn from(error: HeadError) -> Self {
        Self::Head(error)
    }
}

/// Why a request or response cannot be written: something that the caller put into it.
#[derive(Debug, Clone, PartialEq, Eq)]
#[non_exhaustive]
pub enum BuildError {
    /// A header has a malformed name or value.
    Header(HeaderError),
    /// A header that the handshake writes itself, such as `Host`, `Connection` or `Sec-WebSocket-Key`.
    ReservedHeader(String),
    /// A subprotocol is not a token (RFC 6455 §4.1 item 10).
    Subprotocol,
    /// A subprotocol is offered twice.
    DuplicateSubprotocol,
    /// The subprotocol to accept was not offered by the client (RFC 6455 §4.2.2 item 5.5).
    SubprotocolNotOffered,
    /// A part of an extension is not a token.
    Extension,
    /// The extension to accept was not offered by the client (RFC 6455 §9.1).
    ExtensionNotOffered,
    /// An extension is accepted twice.
    DuplicateExtension,
    /// An origin is not ASCII text, or is empty.
    Origin,
    /// The status of a response that is not a handshake has to be one from 200 to 599.
    Status(u16),
    /// A response of this status has no body (RFC 9110 §15).
    BodyNotAllowed(u16),
    /// The `http` crate does not take it: more than 24,576 headers, a name of 64 KiB, or a path with
    /// characters that should have been percent-encoded.
    Http,
}

impl fmt::Display for BuildError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Header(error) => return error.fmt(f),
            Self::ReservedHeader(name) => {
                return write!(f, "the header {name} is written by the handshake itself");
            }
            Self::Status(status) => {
                return write!(f, "the status {status} is not one from 200 to 599");
            }
            Self::BodyNotAllowed(status) => {
                return write!(f, "a response of status {status} has no body");
            }
            Self::Subprotocol => "a subprotocol is not a token (RFC 9110 §5.6.2)",
            Self::DuplicateSubprotocol => "a subprotocol is offered twice",
            Self::SubprotocolNotOffered => "the subprotocol to accept was not offered",
            Self::Extension => "a part of an extension is not a token (RFC 9110 §5.6.2)",
            Self::ExtensionNotOffered => "the extension to accept was not offered",
            Self::DuplicateExtension => "an extension is there twice",
            Self::Origin => "an origin is empty or not ASCII text",
            Self::Http => "a header, or the path, is one that the http crate does not take",
        })
    }
}

impl Error for BuildError {
    fn source(&self) -> Option<&(dyn Error + 'static)> {
        match self {
            Self::Header(error) => Some(error),
            _ => None,
        }
    }
}

impl From<HeaderError> for BuildError {
    fn from(error: HeaderError) -> Self {
        Self::Header(error)
    }
}
