//! What an opening handshake may take, and how long.

use core::time::Duration;

use crate::Timestamp;

/// Limits and the deadline of one opening handshake, for both roles.
///
/// ```
/// use std::time::Duration;
/// use sansocket::handshake::Limits;
///
/// let limits = Limits::new().max_head_size(8 * 1024).timeout(Some(Duration::from_secs(3)));
/// # let _ = limits;
/// ```
///
/// # Memory
/// A handshake itself holds no part of the head: the bytes stay in the receive buffer until the
/// blank line has come. Parsed, the head is copied once, and its subprotocols and extensions again
/// (at most 128 of each, and 128 parameters).
#[derive(Debug, Clone)]
pub struct Limits {
    pub(crate) max_head_size: usize,
    pub(crate) max_headers: usize,
    pub(crate) timeout: Option<Duration>,
}

impl Limits {
    /// The defaults: 16 KiB of head, 64 headers, 10 seconds.
    pub const fn new() -> Self {
        Self {
            max_head_size: 16 * 1024,
            max_headers: 64,
            timeout: Some(Duration::from_secs(10)),
        }
    }

    /// The largest head received, in bytes, from the start line to the blank line, both included.
    /// Bytes behind the head don't count. A server answers a larger one with 431.
    #[must_use]
    pub const fn max_head_size(mut self, bytes: usize) -> Self {
        self.max_head_size = bytes;
        self
    }

    /// The largest number of header lines. A server answers more with 431.
    #[must_use]
    pub const fn max_headers(mut self, lines: usize) -> Self {
        self.max_headers = lines;
        self
    }

    /// How long the peer's head may take, from the first call of `handle_timeout`; `None` for ever.
    #[must_use]
    pub const fn timeout(mut self, timeout: Option<Duration>) -> Self {
        self.timeout = timeout;
        self
    }
}

impl Default for Limits {
    fn default() -> Self {
        Self::new()
    }
}

/// The one deadline of a handshake, in virtual time.
#[derive(Debug)]
pub(crate) enum Deadline {
    /// No deadline was asked for.
    Never,
    /// The time is not known yet: the first call of [`handle`](Self::handle) tells it.
    Unarmed(Duration),
    At(Timestamp),
    Passed,
}

impl Deadline {
    pub(crate) fn new(limits: &Limits) -> Self {
        limits.timeout.map_or(Self::Never, Self::Unarmed)
    }

    /// When [`handle`](Self::handle) wants to be called: at once as long as it is not armed.
    pub(crate) const fn poll(&self) -> Option<Timestamp> {
        match *self {
            Self::Never => None,
            Self::Unarmed(_) | Self::Passed => Some(Timestamp::ZERO),
            Self::At(at) => Some(at),
        }
    }

    pub(crate) fn handle(&mut self, now: Timestamp) {
        match *self {
            Self::Unarmed(timeout) => *self = Self::At(now.saturating_add(timeout)),
            Self::At(at) if now >= at => *self = Self::Passed,
            Self::Never | Self::At(_) | Self::Passed => {}
        }
    }

    pub(crate) const fn has_passed(&self) -> bool {
        matches!(self, Self::Passed)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn at(seconds: u64) -> Timestamp {
        Duration::from_secs(seconds).into()
    }

    #[test]
    fn the_first_call_arms_the_deadline_and_a_later_one_passes_it() {
        let mut deadline = Deadline::new(&Limits::new());
        assert_eq!(deadline.poll(), Some(Timestamp::ZERO));
        deadline.handle(at(100));
        assert_eq!(deadline.poll(), Some(at(110)));
        deadline.handle(at(109));
        assert!(!deadline.has_passed());
        deadline.handle(at(110));
        assert!(deadline.has_passed());
    }

    #[test]
    fn without_a_timeout_nothing_is_ever_due() {
        let mut deadline = Deadline::new(&Limits::new().timeout(None));
        deadline.handle(at(u64::MAX));
        assert_eq!(deadline.poll(), None);
        assert!(!deadline.has_passed());
    }
}
