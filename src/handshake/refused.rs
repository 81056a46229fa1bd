//! The response of a server that did not accept the handshake, for a client to look at.

use alloc::string::String;
use alloc::vec::Vec;
use core::time::Duration;

use super::head::ResponseHead;
use super::headers::Headers;
use crate::ReceiveBuffer;

/// An HTTP response of another status than 101: a redirect, a challenge, or an error.
///
/// Nothing is done about it here. Whoever follows a redirect must not send credentials along to
/// another origin.
///
/// The body is not waited for. To have it, go on reading and calling
/// [`receive_body`](Self::receive_body), until that says true or the stream ends:
///
/// ```
/// # use sansocket::ReceiveBuffer;
/// # use sansocket::handshake::{ResponseError, client};
/// # let mut rx = ReceiveBuffer::new();
/// # let handshake = client::Request::new("ws://a".parse()?).start([0; 16])?;
/// rx.extend_from_slice(b"HTTP/1.1 404 Not Found\r\nContent-Length: 11\r\n\r\nnobody");
/// let client::Progress::Failed(ResponseError::Refused(mut refused)) = handshake.receive(&mut rx)
/// else {
///     unreachable!()
/// };
/// assert_eq!((refused.status(), refused.reason()), (404, "Not Found"));
///
/// assert!(!refused.receive_body(&mut rx));
/// rx.extend_from_slice(b" here"); // read on
/// assert!(refused.receive_body(&mut rx));
/// assert_eq!(refused.body(), b"nobody here");
/// # Ok::<(), Box<dyn std::error::Error>>(())
/// ```
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct RefusedResponse {
    status: u16,
    reason: String,
    headers: Headers,
    body: Vec<u8>,
}

impl RefusedResponse {
    /// The most of a body that is kept, in bytes.
    pub const MAX_BODY: usize = 16 * 1024;

    pub(crate) fn new(head: ResponseHead) -> Self {
        Self {
            status: head.status,
            reason: head.reason,
            headers: head.headers,
            body: Vec::new(),
        }
    }

    /// The status; not 101.
    pub const fn status(&self) -> u16 {
        self.status
    }

    /// The reason phrase, if there is one and it is ASCII.
    pub fn reason(&self) -> &str {
        &self.reason
    }

    /// All headers of the response: `Location` with a redirect, `Retry-After`, `WWW-Authenticate`…
    pub const fn headers(&self) -> &Headers {
        &self.headers
    }

    /// How long the server asks to wait before another attempt: its `Retry-After` in seconds (RFC 9110
    /// §10.2.3). One with a date needs a clock: look at the [`headers`](Self::headers).
    pub fn retry_after(&self) -> Option<Duration> {
        let seconds = self.headers.get("Retry-After")?;
        // `parse` would take a sign.
        let is_number = seconds.bytes().all(|byte| byte.is_ascii_digit());
        is_number.then(|| seconds.parse().ok().map(Duration::from_secs))?
    }

    /// Takes what has come of the body out of the buffer; says whether all that will be kept is here.
    ///
    /// Without a `Content-Length` only the end of the stream ends the body. A body in chunks is kept
    /// as it comes, chunk sizes included.
    pub fn receive_body(&mut self, rx: &mut ReceiveBuffer) -> bool {
        let missing = self.expected().saturating_sub(self.body.len());
        let unread = rx.unread();
        let taken = missing.min(unread.len());
        self.body
            .extend_from_slice(unread.get(..taken).unwrap_or_default());
        rx.consume(taken);
        taken == missing
    }

    /// The body as far as it has been received, at most [`MAX_BODY`](Self::MAX_BODY) bytes.
    pub fn body(&self) -> &[u8] {
        &self.body
    }

    /// How much of the body will be kept (RFC 9112 §6.3).
    fn expected(&self) -> usize {
        if matches!(self.status, 204 | 304) {
            return 0;
        }
        if self.headers.contains("Transfer-Encoding") {
            return Self::MAX_BODY;
        }
        self.headers
            .get("Content-Length")
            .and_then(|length| length.parse::<usize>().ok())
            .map_or(Self::MAX_BODY, |length| length.min(Self::MAX_BODY))
    }
}
