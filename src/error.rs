//! What can go wrong: on the wire, and at the sender's.

use core::fmt;

use crate::close::CloseCode;
use crate::frame::HeaderError;

/// The peer broke the protocol, or a limit of ours; the connection is failed (§7.1.7).
///
/// A Close frame with [`close_code`](Self::close_code) has been queued when this is returned, and
/// every further call to [`receive`](crate::Connection::receive) returns the same error.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
#[non_exhaustive]
pub enum ProtocolError {
    /// A frame header that no frame can have (§5.2, §5.5).
    Header(HeaderError),
    /// A reserved bit that no negotiated extension gives a meaning to (§5.2).
    ReservedBits,
    /// A client's frame without a masking key (§5.1).
    Unmasked,
    /// A server's frame with a masking key (§5.1).
    Masked,
    /// A continuation frame with no message to continue (§5.4).
    UnexpectedContinuation,
    /// A new message amid the fragments of another (§5.4).
    ExpectedContinuation,
    /// A frame whose header announces more bytes of payload than the limit.
    FrameTooBig {
        /// The limit, in bytes.
        limit: u64,
    },
    /// A message of more bytes than the limit.
    MessageTooBig {
        /// The limit, in bytes.
        limit: u64,
    },
    /// A message of more fragments than the limit.
    TooManyFragments {
        /// The limit, in frames.
        limit: u32,
    },
    /// A compressed message that cannot be inflated (RFC 7692 §7.2.2).
    InvalidDeflate,
    /// A text message or a close reason that is not UTF-8 (§8.1).
    InvalidUtf8,
    /// A Close frame whose body is a single byte (§5.5.1).
    TruncatedCloseCode,
    /// A Close frame with a code that must not stand there (§7.4).
    InvalidCloseCode(u16),
}

impl ProtocolError {
    /// The close code that tells the peer (§7.4.1).
    pub const fn close_code(self) -> CloseCode {
        match self {
            Self::Header(_)
            | Self::ReservedBits
            | Self::Unmasked
            | Self::Masked
            | Self::UnexpectedContinuation
            | Self::ExpectedContinuation
            | Self::TruncatedCloseCode
            | Self::InvalidCloseCode(_) => CloseCode::PROTOCOL_ERROR,
            Self::FrameTooBig { .. }
            | Self::MessageTooBig { .. }
            | Self::TooManyFragments { .. } => CloseCode::TOO_BIG,
            Self::InvalidDeflate | Self::InvalidUtf8 => CloseCode::INVALID_DATA,
        }
    }
}

impl From<HeaderError> for ProtocolError {
    fn from(error: HeaderError) -> Self {
        Self::Header(error)
    }
}

impl fmt::Display for ProtocolError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Header(error) => error.fmt(f),
            Self::ReservedBits => f.write_str("reserved bit set without an extension"),
            Self::Unmasked => f.write_str("frame from a client without a masking key"),
            Self::Masked => f.write_str("frame from a server with a masking key"),
            Self::UnexpectedContinuation => {
                f.write_str("continuation frame with nothing to continue")
            }
            Self::ExpectedContinuation => f.write_str("new message before the last one ended"),
            Self::FrameTooBig { limit } => write!(f, "frame of more than {limit} bytes"),
            Self::MessageTooBig { limit } => write!(f, "message of more than {limit} bytes"),
            Self::TooManyFragments { limit } => {
                write!(f, "message of more than {limit} fragments")
            }
            Self::InvalidDeflate => f.write_str("compressed message that cannot be inflated"),
            Self::InvalidUtf8 => f.write_str("text that is not UTF-8"),
            Self::TruncatedCloseCode => f.write_str("Close frame with half a close code"),
            Self::InvalidCloseCode(code) => {
                write!(f, "Close frame with the illegal close code {code}")
            }
        }
    }
}

impl core::error::Error for ProtocolError {
    fn source(&self) -> Option<&(dyn core::error::Error + 'static)> {
        match self {
            Self::Header(error) => Some(error),
            _ => None,
        }
    }
}

/// Why something was not sent. Nothing of it was queued; an owned message comes back.
#[derive(Debug, Clone, PartialEq, Eq)]
#[non_exhaustive]
pub enum SendError<M = ()> {
    /// Too much is queued already: transmit first, then send again.
    Full(M),
    /// The closing handshake has begun, so that nothing more may be sent (§5.5.1).
    Closing(M),
    /// A message sent in chunks has not ended, or is of the other type (§5.4).
    MessageInProgress(M),
    /// A control frame holds at most 125 bytes (§5.5).
    ControlTooLong(M),
}

impl<M> SendError<M> {
    /// The message that was not sent.
    pub fn into_message(self) -> M {
        match self {
            Self::Full(message)
            | Self::Closing(message)
            | Self::MessageInProgress(message)
            | Self::ControlTooLong(message) => message,
        }
    }

    pub(crate) fn map<N>(self, new: impl FnOnce(M) -> N) -> SendError<N> {
        match self {
            Self::Full(message) => SendError::Full(new(message)),
            Self::Closing(message) => SendError::Closing(new(message)),
            Self::MessageInProgress(message) => SendError::MessageInProgress(new(message)),
            Self::ControlTooLong(message) => SendError::ControlTooLong(new(message)),
        }
    }
}

impl<M> fmt::Display for SendError<M> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Full(_) => "too much is queued already",
            Self::Closing(_) => "the connection is closing or closed",
            Self::MessageInProgress(_) => "a message in chunks has not ended",
            Self::ControlTooLong(_) => "control frame with more than 125 bytes",
        })
    }
}

impl<M: fmt::Debug> core::error::Error for SendError<M> {}
