//! What a connection may take and how long it may wait.

use core::time::Duration;

use crate::pings::KeepAlive;

/// How messages are handed out.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Default)]
pub enum Delivery {
    /// Whole: [`Event::Text`](crate::Event::Text) and [`Event::Binary`](crate::Event::Binary).
    #[default]
    Messages,
    /// As the bytes arrive, even inside a frame: [`Event::Chunk`](crate::Event::Chunk). A message
    /// of any size passes through constant memory.
    Chunks,
}

/// Limits and deadlines of a connection.
///
/// ```
/// use std::time::Duration;
/// use sansocket::{Config, Delivery};
///
/// let config = Config::new()
///     .max_message_size(1024 * 1024)
///     .keep_alive(Duration::from_secs(30), Duration::from_secs(10));
///
/// let streaming = Config::new().delivery(Delivery::Chunks).max_message_size(u64::MAX);
/// # let _ = (config, streaming);
/// ```
///
/// # Memory
/// Whatever the peer sends, a connection and its [`ReceiveBuffer`](crate::ReceiveBuffer) hold no
/// more than, with [`Delivery::Messages`], twice `max_message_size` and twice the frame being
/// received (at most the smaller of `max_frame_size` and `max_message_size`) or the largest read;
/// with [`Delivery::Chunks`], twice the largest read; twice `write_limit`, or twice the largest
/// message that you send yourself; and a few hundred bytes. Compression, where it was negotiated,
/// adds what the page of `DeflateConfig` says.
#[derive(Debug, Clone)]
pub struct Config {
    pub(crate) delivery: Delivery,
    pub(crate) max_frame_size: u64,
    pub(crate) max_message_size: u64,
    pub(crate) max_fragments: u32,
    pub(crate) write_limit: usize,
    pub(crate) close_timeout: Duration,
    pub(crate) idle_timeout: Option<Duration>,
    keep_alive: Option<(Duration, Duration)>,
    keep_alive_misses: u32,
}

impl Config {
    /// The defaults: whole messages of up to 16 MiB in up to 262,144 fragments, 1 MiB queued for
    /// transmission, 5 s for the closing handshake, no idle deadline and no keep-alive pings.
    pub const fn new() -> Self {
        Self {
            delivery: Delivery::Messages,
            max_frame_size: u64::MAX,
            max_message_size: 16 * 1024 * 1024,
            max_fragments: 256 * 1024,
            write_limit: 1024 * 1024,
            close_timeout: Duration::from_secs(5),
            idle_timeout: None,
            keep_alive: None,
            keep_alive_misses: 0,
        }
    }

    /// Whole messages, or chunks as they arrive.
    #[must_use]
    pub const fn delivery(mut self, delivery: Delivery) -> Self {
        self.delivery = delivery;
        self
    }

    /// The largest payload of a frame received, in bytes, where that is to be less than a message may
    /// have; without a limit of its own by default. The header decides, before any payload is
    /// read; beyond it the connection is failed with 1009.
    #[must_use]
    pub const fn max_frame_size(mut self, bytes: u64) -> Self {
        self.max_frame_size = bytes;
        self
    }

    /// The largest message received, in bytes, over all its fragments; beyond it the connection is
    /// failed with 1009.
    #[must_use]
    pub const fn max_message_size(mut self, bytes: u64) -> Self {
        self.max_message_size = bytes;
        self
    }

    /// The largest number of frames that a message received may consist of, empty ones included;
    /// beyond it the connection is failed with 1009.
    #[must_use]
    pub const fn max_fragments(mut self, frames: u32) -> Self {
        self.max_fragments = frames;
        self
    }

    /// How many bytes may wait for transmission. Beyond it, sending gives
    /// [`SendError::Full`](crate::SendError::Full); a message larger than the limit is taken when
    /// nothing else waits. What counts is a message's size before compression.
    #[must_use]
    pub const fn write_limit(mut self, bytes: usize) -> Self {
        self.write_limit = bytes;
        self
    }

    /// How long the peer may take to answer our Close frame, and how long the transport may take
    /// to end after the closing handshake, before we let go of it.
    #[must_use]
    pub const fn close_timeout(mut self, timeout: Duration) -> Self {
        self.close_timeout = timeout;
        self
    }

    /// Closes with 1001 a connection on which nothing was received for so long. Pongs count: with
    /// [`keep_alive`](Self::keep_alive), only a dead peer is idle.
    #[must_use]
    pub const fn idle_timeout(mut self, timeout: Duration) -> Self {
        self.idle_timeout = Some(timeout);
        self
    }

    /// Pings the peer whenever `interval` has passed since the last ping was answered, and ends the
    /// connection when nothing at all was received for `timeout` after a ping.
    ///
    /// Pongs are seen while the connection is received on. Through the adapters, a peer that takes
    /// bytes while nobody receives counts as alive too.
    #[must_use]
    pub const fn keep_alive(mut self, interval: Duration, timeout: Duration) -> Self {
        self.keep_alive = Some((interval, timeout));
        self
    }

    /// How many keep-alive pings in a row may go unanswered, each for the time that
    /// [`keep_alive`](Self::keep_alive) sets, while nothing else is received either; none by default.
    /// Behind each that did, the next is sent at once.
    #[must_use]
    pub const fn keep_alive_misses(mut self, pings: u32) -> Self {
        self.keep_alive_misses = pings;
        self
    }

    #[inline]
    pub(crate) fn pings(&self) -> Option<KeepAlive> {
        let misses = self.keep_alive_misses;
        self.keep_alive.map(|(interval, timeout)| KeepAlive {
            interval,
            timeout,
            misses,
        })
    }
}

impl Default for Config {
    fn default() -> Self {
        Self::new()
    }
}
