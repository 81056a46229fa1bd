//! Reads the head of an HTTP/1.1 message, start line to blank line, out of a receive buffer.
//!
//! The bytes stay in the buffer until the blank line has come; each is looked at once on the way
//! and once more when the whole head is parsed, so the time is linear however they arrive. All
//! checks on the way go by the position of a byte and not by what came in one read: any split gives
//! the same outcome.
//!
//! Lines end in CR LF. RFC 9112 §2.2 allows a recipient to take a bare LF for a line end; this one
//! refuses it, because two parsers that see different lines are how requests get smuggled.

use alloc::borrow::ToOwned;
use alloc::vec;

use super::head::{HeadError, HttpVersion, RequestHead, ResponseHead};
use super::headers::Headers;
use super::limits::Limits;
use super::list::is_tchar;
use crate::ReceiveBuffer;

/// What a TLS record begins with (RFC 8446 §5.1): a server's complaint, a client's greeting.
const TLS_ALERT: u8 = 21;
const TLS_HANDSHAKE: u8 = 22;

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Kind {
    Request,
    Response,
}

/// Looks for the end of a head, going on where it left off.
#[derive(Debug)]
pub(crate) struct HeadReader {
    limit: usize,
    max_headers: usize,
    /// What is left of `limit`: several heads in a row share it.
    budget: usize,
    /// How many unread bytes have been looked at.
    scanned: usize,
    /// Where the line being looked at begins.
    line_start: usize,
    /// How many lines that are not empty have ended.
    lines: usize,
    after_cr: bool,
}

impl HeadReader {
    pub(crate) const fn new(limits: &Limits) -> Self {
        Self {
            limit: limits.max_head_size,
            max_headers: limits.max_headers,
            budget: limits.max_head_size,
            scanned: 0,
            line_start: 0,
            lines: 0,
            after_cr: false,
        }
    }

    /// The request head, once it is complete; exactly its bytes are consumed.
    pub(crate) fn read_request(
        &mut self,
        rx: &mut ReceiveBuffer,
    ) -> Result<Option<RequestHead>, HeadError> {
        let Some(head) = self.scan(rx.unread(), Kind::Request)? else {
            return Ok(None);
        };
        let mut fields = vec![httparse::EMPTY_HEADER; self.lines];
        let mut parsed = httparse::Request::new(&mut fields);
        parsed.parse(head).map_err(|error| refine(error, head))?;
        let (Some(method), Some(target), Some(version)) =
            (parsed.method, parsed.path, parsed.version)
        else {
            return Err(HeadError::StartLine);
        };
        let request = RequestHead {
            method: method.to_owned(),
            target: target.to_owned(),
            version: version_of(version),
            headers: copy(parsed.headers),
        };
        self.consume(rx);
        Ok(Some(request))
    }

    /// The response head, once it is complete; exactly its bytes are consumed.
    pub(crate) fn read_response(
        &mut self,
        rx: &mut ReceiveBuffer,
    ) -> Result<Option<ResponseHead>, HeadError> {
        let Some(head) = self.scan(rx.unread(), Kind::Response)? else {
            return Ok(None);
        };
        let mut fields = vec![httparse::EMPTY_HEADER; self.lines];
        let mut parsed = httparse::Response::new(&mut fields);
        parsed.parse(head).map_err(|error| refine(error, head))?;
        let (Some(status), Some(version)) = (parsed.code, parsed.version) else {
            return Err(HeadError::StartLine);
        };
        let response = ResponseHead {
            status,
            reason: parsed.reason.unwrap_or_default().to_owned(),
            version: version_of(version),
            headers: copy(parsed.headers),
        };
        self.consume(rx);
        Ok(Some(response))
    }

    fn consume(&mut self, rx: &mut ReceiveBuffer) {
        rx.consume(self.scanned);
        self.budget = self.budget.saturating_sub(self.scanned);
        self.scanned = 0;
        self.line_start = 0;
        self.lines = 0;
    }

    /// The bytes of the head, if its blank line has come.
    fn scan<'a>(&mut self, unread: &'a [u8], kind: Kind) -> Result<Option<&'a [u8]>, HeadError> {
        for &byte in unread.get(self.scanned..).unwrap_or_default() {
            if self.scanned >= self.budget {
                return Err(HeadError::TooLarge { limit: self.limit });
            }
            let column = self.scanned.saturating_sub(self.line_start);
            self.scanned = self.scanned.saturating_add(1);
            match byte {
                b'\n' if self.after_cr => {
                    self.after_cr = false;
                    let so_far = unread.get(..self.scanned).unwrap_or_default();
                    if self.end_line(so_far, column, kind)? {
                        return Ok(Some(so_far));
                    }
                    self.line_start = self.scanned;
                }
                b'\n' => return Err(HeadError::LineEnding),
                _ if self.after_cr => return Err(HeadError::LineEnding),
                b'\r' => self.after_cr = true,
                b'\t' | b' '..=b'~' | 0x80.. => {
                    if self.lines == 0 && !may_start(kind, column, byte) {
                        return Err(HeadError::StartLine);
                    }
                }
                TLS_ALERT | TLS_HANDSHAKE if self.scanned == 1 => return Err(HeadError::Tls),
                _ => return Err(HeadError::ControlCharacter),
            }
        }
        Ok(None)
    }

    /// Looks at a line when its LF, in this column, has come; says whether it was the blank line.
    fn end_line(&mut self, so_far: &[u8], column: usize, kind: Kind) -> Result<bool, HeadError> {
        let is_empty = column == 1;
        if is_empty && self.lines > 0 {
            return Ok(true);
        }
        if is_empty {
            // RFC 9112 §2.2: a server ignores an empty line before the request line; one will do.
            return if kind == Kind::Request && self.line_start == 0 {
                Ok(false)
            } else {
                Err(HeadError::StartLine)
            };
        }
        if self.lines == 0 {
            check_start_line(so_far, kind)?;
        } else if self.lines > self.max_headers {
            return Err(HeadError::TooManyHeaders {
                limit: self.max_headers,
            });
        }
        self.lines = self.lines.saturating_add(1);
        Ok(false)
    }
}

/// Whether a start line may have this byte in this column, as far as the first few can tell.
fn may_start(kind: Kind, column: usize, byte: u8) -> bool {
    match kind {
        Kind::Request => column > 0 || is_tchar(byte),
        Kind::Response => b"HTTP/"
            .get(column)
            .is_none_or(|&expected| byte == expected),
    }
}

/// Parses the start line as soon as it is there: who speaks another protocol need not be waited for.
fn check_start_line(line: &[u8], kind: Kind) -> Result<(), HeadError> {
    match kind {
        Kind::Request => httparse::Request::new(&mut []).parse(line),
        Kind::Response => httparse::Response::new(&mut []).parse(line),
    }
    .map(drop)
    .map_err(|error| refine(error, line))
}

/// An error of the parser as ours. `head` is only the start line if that is what is wrong.
fn refine(error: httparse::Error, head: &[u8]) -> HeadError {
    match error {
        // There is room for a header a line, so that too many can only be lines that are none.
        httparse::Error::HeaderName | httparse::Error::TooManyHeaders => HeadError::HeaderName,
        httparse::Error::HeaderValue => HeadError::HeaderValue,
        httparse::Error::Version if names_a_version(head) => HeadError::HttpVersion,
        httparse::Error::Version
        | httparse::Error::NewLine
        | httparse::Error::Status
        | httparse::Error::Token => HeadError::StartLine,
    }
}

/// Whether a word of the start line is a version of HTTP (RFC 9112 §2.3), whichever it is.
fn names_a_version(line: &[u8]) -> bool {
    line.trim_ascii()
        .split(|byte| byte.is_ascii_whitespace())
        .any(|word| match word.strip_prefix(b"HTTP/") {
            Some([major, b'.', minor]) => major.is_ascii_digit() && minor.is_ascii_digit(),
            _ => false,
        })
}

const fn version_of(minor: u8) -> HttpVersion {
    if minor == 0 {
        HttpVersion::Http10
    } else {
        HttpVersion::Http11
    }
}

fn copy(fields: &[httparse::Header<'_>]) -> Headers {
    let mut headers = Headers::new();
    for field in fields {
        headers.append_checked(field.name, field.value);
    }
    headers
}

#[cfg(test)]
mod tests {
    use super::*;
    use alloc::format;
    use alloc::vec::Vec;

    fn request(limits: &Limits, bytes: &[u8]) -> Result<Option<RequestHead>, HeadError> {
        let mut rx = ReceiveBuffer::new();
        let mut reader = HeadReader::new(limits);
        let mut result = Ok(None);
        for byte in bytes {
            rx.extend_from_slice(&[*byte]);
            result = reader.read_request(&mut rx);
            if !matches!(result, Ok(None)) {
                break;
            }
        }
        let mut whole = ReceiveBuffer::new();
        whole.extend_from_slice(bytes);
        assert_eq!(HeadReader::new(limits).read_request(&mut whole), result);
        result
    }

    fn error(bytes: &[u8]) -> HeadError {
        request(&Limits::new(), bytes).unwrap_err()
    }

    #[test]
    fn exactly_the_head_is_consumed() {
        let mut rx = ReceiveBuffer::new();
        rx.extend_from_slice(b"GET /a HTTP/1.1\r\nA: b\r\n\r\n\x81\x00");
        let mut reader = HeadReader::new(&Limits::new());
        let head = reader.read_request(&mut rx).unwrap().unwrap();
        assert_eq!((head.method(), head.target()), ("GET", "/a"));
        assert_eq!(head.headers().get("a"), Some("b"));
        assert_eq!(rx.unread(), b"\x81\x00");
    }

    #[test]
    fn one_empty_line_before_the_request_line_is_ignored() {
        let bytes = b"\r\nGET / HTTP/1.0\r\n\r\n";
        let head = request(&Limits::new(), bytes).unwrap().unwrap();
        assert_eq!(head.version(), HttpVersion::Http10);
        assert!(head.headers().is_empty());
        assert_eq!(error(b"\r\n\r\nGET"), HeadError::StartLine);
    }

    #[test]
    fn what_cannot_be_http_is_refused_at_its_first_bytes() {
        assert_eq!(error(b"\x16\x03\x01"), HeadError::Tls);
        assert_eq!(error(b"\x15\x03"), HeadError::Tls);
        assert_eq!(error(b"GET \x16"), HeadError::ControlCharacter);
        assert_eq!(error(b"\0"), HeadError::ControlCharacter);
        assert_eq!(error(b"\x80\x2e"), HeadError::StartLine);
        assert_eq!(error(b" GET"), HeadError::StartLine);
        assert_eq!(error(b"SSH-2.0-OpenSSH\r\n"), HeadError::StartLine);
        assert_eq!(
            error(b"GET / HTTP/1.1\r\nA: \x01"),
            HeadError::ControlCharacter
        );
        assert_eq!(error(b"PRI * HTTP/2.0\r\n"), HeadError::HttpVersion);
        assert_eq!(error(b"GET / HTTPS/1.1\r\n"), HeadError::StartLine);
    }

    #[test]
    fn a_bare_line_feed_or_carriage_return_is_refused() {
        for bad in [
            &b"GET / HTTP/1.1\n"[..],
            b"\n",
            b"\rG",
            b"GET / HTTP/1.1\r\nA: b\nC",
            b"GET / HTTP/1.1\r\nA: b\rc",
            b"GET / HTTP/1.1\r\nA: b\r\r",
        ] {
            assert_eq!(error(bad), HeadError::LineEnding, "{bad:?}");
        }
    }

    #[test]
    fn malformed_and_folded_header_lines_are_refused() {
        for bad in [": b", "A : b", " A: b", "A", "A: b\r\n c"] {
            let head = format!("GET / HTTP/1.1\r\n{bad}\r\n\r\n");
            assert_eq!(error(head.as_bytes()), HeadError::HeaderName, "{bad:?}");
        }
    }

    #[test]
    fn a_head_beyond_the_limit_is_noticed_with_the_first_byte_beyond() {
        let head = b"GET / HTTP/1.1\r\nA: b\r\n\r\n";
        let fits = Limits::new().max_head_size(head.len());
        assert!(request(&fits, head).unwrap().is_some());
        let limit = head.len() - 1;
        let error = HeadError::TooLarge { limit };
        assert_eq!(request(&fits.max_head_size(limit), head), Err(error));
    }

    #[test]
    fn headers_beyond_the_limit_are_noticed_before_the_blank_line() {
        let limits = Limits::new().max_headers(2);
        let head = b"GET / HTTP/1.1\r\nA: b\r\nA: b\r\n";
        assert_eq!(request(&limits, head), Ok(None));
        let error = HeadError::TooManyHeaders { limit: 2 };
        let more: Vec<u8> = [&head[..], b"A: b\r\n"].concat();
        assert_eq!(request(&limits, &more), Err(error));
    }

    #[test]
    fn heads_in_a_row_share_the_limit() {
        let interim = b"HTTP/1.1 103 Early Hints\r\n\r\n";
        let mut reader = HeadReader::new(&Limits::new().max_head_size(2 * interim.len() + 5));
        let mut rx = ReceiveBuffer::new();
        for _ in 0..2 {
            rx.extend_from_slice(interim);
            assert!(reader.read_response(&mut rx).unwrap().is_some());
        }
        rx.extend_from_slice(interim);
        assert!(matches!(
            reader.read_response(&mut rx),
            Err(HeadError::TooLarge { .. })
        ));
    }
}
