//! How many messages a peer may send in how long.

use core::error::Error;
use core::fmt;

use super::token_bucket::TokenBucket;
use crate::close::{CloseCode, CloseFrame};
use crate::time::Timestamp;

/// Messages and bytes a second that one peer may send, each by a [`TokenBucket`]. Beyond it, the
/// connection is closed with 1008: whoever asks for less is slowed down by not reading.
///
/// ```
/// use sansocket::policy::RateLimit;
/// use sansocket::{CloseCode, Timestamp};
///
/// // One for each connection, cloned from this.
/// let limit = RateLimit::new().messages(10, 50).bytes(64 * 1024, 1024 * 1024);
///
/// let mut of_this = limit.clone();
/// let now = Timestamp::ZERO;
/// for _ in 0..50 {
///     assert!(of_this.receive(now, 100).is_ok());
/// }
/// let error = of_this.receive(now, 100).unwrap_err();
/// assert_eq!(error.close_frame().code(), CloseCode::POLICY_VIOLATION);
/// ```
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct RateLimit {
    messages: Option<TokenBucket>,
    bytes: Option<TokenBucket>,
}

/// What a peer has sent too much of.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
#[non_exhaustive]
pub enum RateExceeded {
    /// Messages.
    Messages,
    /// Bytes.
    Bytes,
}

impl RateLimit {
    /// No limit.
    pub const fn new() -> Self {
        Self {
            messages: None,
            bytes: None,
        }
    }

    /// So many messages a second, and `burst` at once.
    #[must_use]
    pub const fn messages(mut self, per_second: u64, burst: u64) -> Self {
        self.messages = Some(TokenBucket::new(per_second, burst));
        self
    }

    /// So many bytes of payload a second, and `burst` at once. A message of more than `burst` bytes is
    /// always too much: be sure it is no less than
    /// [`max_message_size`](crate::Config::max_message_size).
    #[must_use]
    pub const fn bytes(mut self, per_second: u64, burst: u64) -> Self {
        self.bytes = Some(TokenBucket::new(per_second, burst));
        self
    }

    /// A message of so many bytes has been received.
    ///
    /// # Errors
    /// [`RateExceeded`]: close the connection with its [`close_frame`](RateExceeded::close_frame), and
    /// take nothing more from it.
    pub fn receive(&mut self, now: Timestamp, bytes: usize) -> Result<(), RateExceeded> {
        self.receive_chunk(now, bytes, true)
    }

    /// A part of a message has been received; it counts as one with the last part.
    ///
    /// # Errors
    /// As for [`receive`](Self::receive).
    pub fn receive_chunk(
        &mut self,
        now: Timestamp,
        bytes: usize,
        last: bool,
    ) -> Result<(), RateExceeded> {
        let bytes = bytes.try_into().unwrap_or(u64::MAX);
        let is_within = |bucket: &mut Option<TokenBucket>, tokens| {
            bucket
                .as_mut()
                .is_none_or(|bucket| bucket.take(now, tokens))
        };
        if !is_within(&mut self.messages, last.into()) {
            return Err(RateExceeded::Messages);
        }
        if !is_within(&mut self.bytes, bytes) {
            return Err(RateExceeded::Bytes);
        }
        Ok(())
    }
}

impl RateExceeded {
    /// 1008, and what it was.
    pub fn close_frame(self) -> CloseFrame {
        CloseFrame::new(
            CloseCode::POLICY_VIOLATION,
            match self {
                Self::Messages => "too many messages",
                Self::Bytes => "too many bytes",
            },
        )
    }
}

impl fmt::Display for RateExceeded {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Messages => "the peer sends more messages than it may",
            Self::Bytes => "the peer sends more bytes than it may",
        })
    }
}

impl Error for RateExceeded {}
