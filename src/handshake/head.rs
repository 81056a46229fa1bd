//! The heads of HTTP/1.1 messages, parsed: RFC 9112 §2.

use alloc::string::String;
use core::error::Error;
use core::fmt;

use super::headers::Headers;

/// A version of HTTP/1.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum HttpVersion {
    /// HTTP/1.0, which has no upgrade (RFC 9110 §7.8).
    Http10,
    /// HTTP/1.1, the least that RFC 6455 §4.1 asks for.
    Http11,
}

/// The head of a request (RFC 9112 §3).
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct RequestHead {
    pub(crate) method: String,
    pub(crate) target: String,
    pub(crate) version: HttpVersion,
    pub(crate) headers: Headers,
}

impl RequestHead {
    /// A head that somebody else has parsed, for [`Request::from_head`](super::server::Request::from_head).
    pub fn new(
        method: impl Into<String>,
        target: impl Into<String>,
        version: HttpVersion,
        headers: Headers,
    ) -> Self {
        Self {
            method: method.into(),
            target: target.into(),
            version,
            headers,
        }
    }

    /// The method, such as `GET`; case-sensitive.
    pub fn method(&self) -> &str {
        &self.method
    }

    /// The request target as it was sent, mostly `/path?query` (RFC 9112 §3.2).
    pub fn target(&self) -> &str {
        &self.target
    }

    /// The version of HTTP.
    pub const fn version(&self) -> HttpVersion {
        self.version
    }

    /// The header fields.
    pub const fn headers(&self) -> &Headers {
        &self.headers
    }
}

/// The head of a response (RFC 9112 §4).
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ResponseHead {
    pub(crate) status: u16,
    pub(crate) reason: String,
    pub(crate) version: HttpVersion,
    pub(crate) headers: Headers,
}

impl ResponseHead {
    /// A head that somebody else has parsed, for
    /// [`Handshake::check_head`](super::client::Handshake::check_head).
    pub const fn new(status: u16, version: HttpVersion, headers: Headers) -> Self {
        Self {
            status,
            reason: String::new(),
            version,
            headers,
        }
    }
}

/// Why the bytes received are not the head of an HTTP/1.1 message that one would read on.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
#[non_exhaustive]
pub enum HeadError {
    /// The blank line has not come within the limit.
    TooLarge {
        /// [`Limits::max_head_size`](super::Limits::max_head_size), in bytes.
        limit: usize,
    },
    /// More header lines than the limit.
    TooManyHeaders {
        /// [`Limits::max_headers`](super::Limits::max_headers).
        limit: usize,
    },
    /// The first byte is that of a TLS record: one side speaks TLS, the other does not.
    Tls,
    /// A control character: most likely not HTTP at all.
    ControlCharacter,
    /// A line ends in a bare LF, or has a CR within.
    LineEnding,
    /// The first line is not a request line, or not a status line.
    StartLine,
    /// The first line names a version of HTTP other than 1.0 and 1.1.
    HttpVersion,
    /// A header name is not a token, or has whitespace around: a folded line too (RFC 9112 §5).
    HeaderName,
    /// A header value is malformed.
    HeaderValue,
}

impl fmt::Display for HeadError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::TooLarge { limit } => write!(f, "the HTTP head is larger than {limit} bytes"),
            Self::TooManyHeaders { limit } => {
                write!(f, "the HTTP head has more than {limit} headers")
            }
            Self::Tls => f.write_str("the first bytes look like TLS, not like HTTP"),
            Self::ControlCharacter => f.write_str("a control character in the HTTP head"),
            Self::LineEnding => f.write_str("a line of the HTTP head does not end in CR LF"),
            Self::StartLine => f.write_str("the first line is not one of HTTP/1.1"),
            Self::HttpVersion => f.write_str("the HTTP version is neither 1.0 nor 1.1"),
            Self::HeaderName => f.write_str("a header name is malformed"),
            Self::HeaderValue => f.write_str("a header value is malformed"),
        }
    }
}

impl Error for HeadError {}
