//! HTTP responses other than 101, and how they are written: RFC 6455 §4.2.2 item 4, RFC 9112.

use alloc::format;
use alloc::string::{String, ToString};
use alloc::vec::Vec;
use core::time::Duration;

use super::error::{BuildError, RequestError};
use super::headers::{HeaderError, Headers};
use crate::trace::trace;

/// An HTTP response that does not open a WebSocket: an error, a redirect, or a page for a browser.
///
/// `Content-Length` and `Connection: close` are written with it: the TCP connection ends behind the
/// response. There is no clock here to write a `Date` from; add one if you want it.
///
/// ```
/// use std::time::Duration;
/// use sansocket::handshake::Rejection;
///
/// let rejection = Rejection::new(503)
///     .retry_after(Duration::from_secs(5))
///     .body("text/plain; charset=utf-8", "come back later\n");
/// # let _ = rejection;
/// ```
///
/// What is wrong with a status, header or body is said when the response is written.
#[derive(Debug, Clone)]
pub struct Rejection {
    status: u16,
    headers: Result<Headers, BuildError>,
    body: Vec<u8>,
}

impl Rejection {
    /// A response of this status, from 200 to 599, without a body.
    pub const fn new(status: u16) -> Self {
        Self {
            status,
            headers: Ok(Headers::new()),
            body: Vec::new(),
        }
    }

    /// Adds a header. `Content-Length`, `Content-Type`, `Transfer-Encoding` and `Connection` are not
    /// for the caller to write.
    #[must_use]
    pub fn header(mut self, name: &str, value: impl AsRef<[u8]>) -> Self {
        append(&mut self.headers, name, value, is_reserved);
        self
    }

    /// Says when to come back (RFC 9110 §10.2.3): in whole seconds, rounded up, and at least one.
    #[must_use]
    pub fn retry_after(self, wait: Duration) -> Self {
        let seconds = wait.as_secs();
        let seconds = seconds.saturating_add(u64::from(wait.subsec_nanos() > 0));
        self.header("Retry-After", seconds.max(1).to_string())
    }

    /// Sets the body and its `Content-Type`.
    #[must_use]
    pub fn body(mut self, content_type: &str, body: impl Into<Vec<u8>>) -> Self {
        append(&mut self.headers, "Content-Type", content_type, |_| false);
        self.body = body.into();
        self
    }

    /// The status.
    pub const fn status(&self) -> u16 {
        self.status
    }

    /// Headers and body, for an HTTP library to write: without `Content-Length`, and with `Connection`
    /// only where it announces an `Upgrade`.
    ///
    /// ```
    /// use sansocket::handshake::Rejection;
    ///
    /// let rejection = Rejection::new(401).header("WWW-Authenticate", "Basic realm=chat");
    /// let (status, headers, body) = rejection.into_parts()?;
    /// assert_eq!((status, body), (401, vec![]));
    /// assert_eq!(headers.get("WWW-Authenticate"), Some("Basic realm=chat"));
    /// # Ok::<(), sansocket::handshake::BuildError>(())
    /// ```
    ///
    /// # Errors
    /// [`BuildError`] if the status is not one from 200 to 599, has no body and was given one, or a
    /// header is malformed or one that is not for the caller to write.
    pub fn into_parts(self) -> Result<(u16, Headers, Vec<u8>), BuildError> {
        let status = self.status;
        let (mut headers, body) = self.check()?;
        // RFC 9110 §7.8: who writes `Upgrade` says so in `Connection`.
        if headers.contains("Upgrade") {
            headers.append_checked("Connection", b"Upgrade");
        }
        Ok((status, headers, body))
    }

    /// The whole response in the bytes of HTTP/1.1; for the method `HEAD` without the body.
    pub(crate) fn write(self, method: Option<&str>) -> Result<Vec<u8>, BuildError> {
        let status = self.status;
        let (headers, body) = self.check()?;
        let mut bytes = status_line(status);
        // As above, in one line.
        if headers.contains("Upgrade") {
            bytes.extend_from_slice(b"Connection: Upgrade, close\r\n");
        } else {
            bytes.extend_from_slice(b"Connection: close\r\n");
        }
        if status == 205 || !is_bodiless(status) {
            let length = format!("Content-Length: {}\r\n", body.len());
            bytes.extend_from_slice(length.as_bytes());
        }
        headers.write_to(&mut bytes);
        // RFC 9110 §9.3.2: to HEAD the same head as to GET, and nothing behind.
        if method != Some("HEAD") {
            bytes.extend_from_slice(&body);
        }
        Ok(bytes)
    }

    fn check(self) -> Result<(Headers, Vec<u8>), BuildError> {
        let (headers, body) = (self.headers?, self.body);
        // 101 would switch protocols, and other 1xx are no answer yet.
        if !(200..=599).contains(&self.status) {
            return Err(BuildError::Status(self.status));
        }
        if is_bodiless(self.status) && !body.is_empty() {
            return Err(BuildError::BodyNotAllowed(self.status));
        }
        trace!(request_rejected(self.status));
        Ok((headers, body))
    }
}

/// RFC 9110 §8.6, §15.3.5, §15.3.6, §15.4.5: these have no body.
const fn is_bodiless(status: u16) -> bool {
    matches!(status, 204 | 205 | 304)
}

/// The answer that fits an error: its [`status`](RequestError::status), the headers that HTTP asks
/// for with it, and the error as text.
impl From<&RequestError> for Rejection {
    fn from(error: &RequestError) -> Self {
        let rejection = Self::new(error.status());
        match rejection.status {
            // RFC 9110 §15.5.6.
            405 => rejection.header("Allow", "GET"),
            // RFC 9110 §15.5.22, RFC 6455 §4.4.
            426 => rejection
                .header("Upgrade", "websocket")
                .header("Sec-WebSocket-Version", "13"),
            _ => rejection,
        }
        .body("text/plain; charset=utf-8", format!("{error}\n"))
    }
}

fn is_reserved(name: &str) -> bool {
    const RESERVED: [&str; 4] = [
        "Content-Length",
        "Content-Type",
        "Transfer-Encoding",
        "Connection",
    ];
    RESERVED
        .iter()
        .any(|reserved| name.eq_ignore_ascii_case(reserved))
}

/// Adds a header to those of a builder, which keeps the first error until it is used.
pub(crate) fn append(
    headers: &mut Result<Headers, BuildError>,
    name: &str,
    value: impl AsRef<[u8]>,
    is_reserved: impl Fn(&str) -> bool,
) {
    let Ok(list) = headers else { return };
    let appended = if is_reserved(name) {
        Err(BuildError::ReservedHeader(name.to_string()))
    } else {
        list.append(name, value)
            .map_err(|error: HeaderError| error.into())
    };
    if let Err(error) = appended {
        *headers = Err(error);
    }
}

/// RFC 9112 §4: the reason phrase may be empty, the space before it may not be missing.
pub(crate) fn status_line(status: u16) -> Vec<u8> {
    let line: String = format!("HTTP/1.1 {status} {}\r\n", reason(status));
    line.into_bytes()
}

/// The reason phrases of the statuses that one is likely to answer a handshake with (RFC 9110 §15).
const fn reason(status: u16) -> &'static str {
    match status {
        101 => "Switching Protocols",
        200 => "OK",
        204 => "No Content",
        301 => "Moved Permanently",
        302 => "Found",
        303 => "See Other",
        304 => "Not Modified",
        307 => "Temporary Redirect",
        308 => "Permanent Redirect",
        400 => "Bad Request",
        401 => "Unauthorized",
        402 => "Payment Required",
        403 => "Forbidden",
        404 => "Not Found",
        405 => "Method Not Allowed",
        406 => "Not Acceptable",
        407 => "Proxy Authentication Required",
        408 => "Request Timeout",
        409 => "Conflict",
        410 => "Gone",
        413 => "Content Too Large",
        414 => "URI Too Long",
        421 => "Misdirected Request",
        426 => "Upgrade Required",
        429 => "Too Many Requests",
        431 => "Request Header Fields Too Large",
        451 => "Unavailable For Legal Reasons",
        500 => "Internal Server Error",
        501 => "Not Implemented",
        502 => "Bad Gateway",
        503 => "Service Unavailable",
        504 => "Gateway Timeout",
        505 => "HTTP Version Not Supported",
        _ => "",
    }
}
