//! Closing: codes, the body of a Close frame, and how a connection ended (RFC 6455 §5.5.1, §7).

use alloc::string::String;
use core::fmt;

use crate::error::ProtocolError;
use crate::frame::MAX_CONTROL_PAYLOAD;

/// The longest reason, in bytes: a control frame's 125 less the code (§5.5).
pub(crate) const MAX_REASON: usize = MAX_CONTROL_PAYLOAD - 2;

/// A close code that may stand in a Close frame (§7.4): 1000–1003, 1007–1014 and 3000–4999.
///
/// ```
/// use sansocket::CloseCode;
///
/// assert_eq!(CloseCode::new(1000), Some(CloseCode::NORMAL));
/// assert_eq!(CloseCode::new(1006), None); // never on the wire (§7.4.1)
/// assert_eq!(u16::from(CloseCode::TOO_BIG), 1009);
/// ```
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct CloseCode(u16);

impl CloseCode {
    /// 1000: the purpose of the connection has been fulfilled.
    pub const NORMAL: Self = Self(1000);
    /// 1001: the server is going down, or the browser has left the page.
    pub const GOING_AWAY: Self = Self(1001);
    /// 1002: the peer broke the protocol.
    pub const PROTOCOL_ERROR: Self = Self(1002);
    /// 1003: a kind of data that cannot be accepted, such as binary where only text is understood.
    pub const UNSUPPORTED_DATA: Self = Self(1003);
    /// 1007: data that does not fit the message's type, such as text that is not UTF-8.
    pub const INVALID_DATA: Self = Self(1007);
    /// 1008: a message that violates the endpoint's policy.
    pub const POLICY_VIOLATION: Self = Self(1008);
    /// 1009: a message that is too big to process.
    pub const TOO_BIG: Self = Self(1009);
    /// 1010: the client needs an extension that the server did not negotiate.
    pub const MANDATORY_EXTENSION: Self = Self(1010);
    /// 1011: the endpoint met a condition that it did not expect.
    pub const INTERNAL_ERROR: Self = Self(1011);
    /// 1012: the service restarts; the client may come back.
    pub const SERVICE_RESTART: Self = Self(1012);
    /// 1013: the service is overloaded; the client may come back later.
    pub const TRY_AGAIN_LATER: Self = Self(1013);
    /// 1014: a gateway got an invalid answer from the server behind it.
    pub const BAD_GATEWAY: Self = Self(1014);

    /// The code with this number, if it may stand in a Close frame (§7.4.2).
    pub const fn new(code: u16) -> Option<Self> {
        match code {
            1000..=1003 | 1007..=1014 | 3000..=4999 => Some(Self(code)),
            _ => None,
        }
    }

    /// The number.
    pub const fn get(self) -> u16 {
        self.0
    }

    /// What the code means, in a few words.
    pub const fn description(self) -> &'static str {
        match self.0 {
            1000 => "normal closure",
            1001 => "going away",
            1002 => "protocol error",
            1003 => "unsupported data",
            1007 => "invalid payload data",
            1008 => "policy violation",
            1009 => "message too big",
            1010 => "mandatory extension missing",
            1011 => "internal error",
            1012 => "service restart",
            1013 => "try again later",
            1014 => "bad gateway",
            3000..=3999 => "registered by a library or framework",
            _ => "private to the application",
        }
    }
}

impl From<CloseCode> for u16 {
    fn from(code: CloseCode) -> Self {
        code.0
    }
}

impl fmt::Display for CloseCode {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{} ({})", self.0, self.description())
    }
}

impl fmt::Debug for CloseCode {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "CloseCode({})", self.0)
    }
}

/// What a Close frame says: a code and a reason for people (§5.5.1).
///
/// ```
/// use sansocket::{CloseCode, CloseFrame};
///
/// let frame = CloseFrame::new(CloseCode::GOING_AWAY, "see you tomorrow");
/// assert_eq!(frame.to_string(), "1001 (going away): see you tomorrow");
/// ```
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub struct CloseFrame {
    code: CloseCode,
    reason: String,
}

impl CloseFrame {
    /// A Close frame with this code and reason; a reason of more than 123 bytes is cut at a
    /// character boundary.
    pub fn new(code: CloseCode, reason: impl Into<String>) -> Self {
        let mut reason = reason.into();
        let mut end = reason.len().min(MAX_REASON);
        while !reason.is_char_boundary(end) {
            end = end.saturating_sub(1);
        }
        reason.truncate(end);
        Self { code, reason }
    }

    /// Why the connection is closed, for programs.
    pub fn code(&self) -> CloseCode {
        self.code
    }

    /// Why the connection is closed, for people: at most 123 bytes, possibly none.
    pub fn reason(&self) -> &str {
        &self.reason
    }

    /// Reads the body of a Close frame; an empty one says nothing (§7.1.5).
    pub(crate) fn parse(body: &[u8]) -> Result<Option<Self>, ProtocolError> {
        let Some((code, reason)) = body.split_first_chunk() else {
            return match body {
                [] => Ok(None),
                _ => Err(ProtocolError::TruncatedCloseCode),
            };
        };
        let code = u16::from_be_bytes(*code);
        let Some(code) = CloseCode::new(code) else {
            return Err(ProtocolError::InvalidCloseCode(code));
        };
        // §5.5.1: the reason is UTF-8 too.
        let reason = crate::utf8::check(reason).map_err(|_| ProtocolError::InvalidUtf8)?;
        Ok(Some(Self {
            code,
            reason: reason.into(),
        }))
    }
}

impl From<CloseCode> for CloseFrame {
    fn from(code: CloseCode) -> Self {
        Self {
            code,
            reason: String::new(),
        }
    }
}

/// So that [`Connection::close`](crate::Connection::close) takes a code alone.
impl From<CloseCode> for Option<CloseFrame> {
    fn from(code: CloseCode) -> Self {
        Some(code.into())
    }
}

impl fmt::Display for CloseFrame {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.code.fmt(f)?;
        if !self.reason.is_empty() {
            write!(f, ": {}", self.reason)?;
        }
        Ok(())
    }
}

/// How a connection ended.
#[derive(Debug, Clone, PartialEq, Eq)]
#[non_exhaustive]
pub enum CloseOutcome {
    /// The closing handshake was completed (§7.1.4); this is what the peer's Close frame said, if
    /// it said anything.
    Clean(Option<CloseFrame>),
    /// The peer broke the protocol or a limit, and was told so (§7.1.7).
    Failed(ProtocolError),
    /// The transport ended without a closing handshake.
    Lost,
    /// The peer did not answer in time.
    TimedOut(Timeout),
}

/// What the peer did not do in time.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
#[non_exhaustive]
pub enum Timeout {
    /// Answer our Close frame with its own.
    Close,
    /// Send a pong, or anything else, after a keep-alive ping.
    Pong,
}

impl CloseOutcome {
    /// *The WebSocket connection close code* (§7.1.5): the peer's; 1005 if its Close frame held
    /// none; 1006 if there was no such frame.
    pub fn code(&self) -> u16 {
        match self {
            Self::Clean(Some(frame)) => frame.code.get(),
            Self::Clean(None) => 1005,
            Self::Failed(_) | Self::Lost | Self::TimedOut(_) => 1006,
        }
    }

    /// Whether the closing handshake was completed.
    pub fn is_clean(&self) -> bool {
        matches!(self, Self::Clean(_))
    }
}

impl fmt::Display for CloseOutcome {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Clean(Some(frame)) => write!(f, "closed with {frame}"),
            Self::Clean(None) => f.write_str("closed without a code"),
            Self::Failed(error) => write!(f, "failed: {error}"),
            Self::Lost => f.write_str("the transport ended without a closing handshake"),
            Self::TimedOut(Timeout::Close) => {
                f.write_str("the peer did not answer the Close frame in time")
            }
            Self::TimedOut(Timeout::Pong) => {
                f.write_str("the peer did not answer a keep-alive ping in time")
            }
        }
    }
}
