//! Signs of life by messages.

#[cfg(all(feature = "tokio", feature = "handshake"))]
use alloc::boxed::Box;
use core::time::Duration;

use crate::message::Message;
use crate::pings::{Due, KeepAlive, OnItsWay, Pings};
use crate::time::Timestamp;

/// Asks the peer for a sign of life by messages of the application's choice, where pings do not get
/// through: behind a proxy that drops them, or to a browser's script, which cannot send any.
///
/// Elsewhere [`Config::keep_alive`](crate::Config::keep_alive) does the same, and costs less.
///
/// ```
/// use core::time::Duration;
/// use sansocket::{Message, Timestamp};
/// use sansocket::policy::{Beat, Heartbeat};
///
/// let at = |seconds| Timestamp::from(Duration::from_secs(seconds));
/// let mut heartbeat = Heartbeat::new(
///     Duration::from_secs(20),
///     Duration::from_secs(5),
///     |number| Message::from(format!(r#"{{"ping":{number}}}"#)),
///     |message, number| message.as_bytes() == format!(r#"{{"pong":{number}}}"#).as_bytes(),
/// );
/// assert_eq!(heartbeat.handle_timeout(at(0)), None);
/// assert_eq!(heartbeat.poll_timeout(), at(20));
///
/// let Some(Beat::Send(ping)) = heartbeat.handle_timeout(at(20)) else { panic!() };
/// assert_eq!(ping.as_bytes(), br#"{"ping":1}"#);
/// // Give it all that comes; what is an answer is for nobody else.
/// assert!(heartbeat.on_received(&Message::from(r#"{"pong":1}"#)));
/// assert_eq!(heartbeat.handle_timeout(at(21)), None);
/// assert_eq!(heartbeat.round_trip(), Some(Duration::from_secs(1)));
/// ```
#[derive(Debug)]
pub struct Heartbeat<P, A> {
    config: KeepAlive,
    ping: P,
    is_answer: A,
    pings: Pings,
    heard: bool,
}

/// One whose functions may be any.
#[cfg(all(feature = "tokio", feature = "handshake"))]
pub(crate) type BoxedHeartbeat =
    Heartbeat<Box<dyn FnMut(u64) -> Message + Send>, Box<dyn FnMut(&Message, u64) -> bool + Send>>;

/// What a [`Heartbeat`] asks for.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Beat {
    /// Send this message.
    Send(Message),
    /// The peer has not given a sign of life in time: end the connection.
    GiveUp,
}

impl<P, A> Heartbeat<P, A>
where
    P: FnMut(u64) -> Message,
    A: FnMut(&Message, u64) -> bool,
{
    /// Sends what `ping` makes of its number (from 1 on) whenever `interval` has passed since the last
    /// was answered, and gives the peer up when nothing at all has come for `timeout` after it.
    /// `is_answer` says whether a message is the answer to that number.
    pub fn new(interval: Duration, timeout: Duration, ping: P, is_answer: A) -> Self {
        Self {
            config: KeepAlive {
                interval,
                timeout,
                misses: 0,
            },
            ping,
            is_answer,
            pings: Pings::default(),
            heard: false,
        }
    }

    /// The same under a type that does not tell its functions'.
    #[cfg(all(feature = "tokio", feature = "handshake"))]
    pub(crate) fn boxed(self) -> BoxedHeartbeat
    where
        P: Send + 'static,
        A: Send + 'static,
    {
        Heartbeat {
            config: self.config,
            ping: Box::new(self.ping),
            is_answer: Box::new(self.is_answer),
            pings: self.pings,
            heard: self.heard,
        }
    }

    /// How many in a row may go unanswered; none by default.
    #[must_use]
    pub fn misses(mut self, misses: u32) -> Self {
        self.config.misses = misses;
        self
    }

    /// Input: there is another connection. What was asked on the last one is forgotten.
    pub fn reset(&mut self) {
        self.pings = Pings::default();
        self.heard = false;
    }

    /// Input: a message has come. Gives whether it is an answer, and not for the application.
    pub fn on_received(&mut self, message: &Message) -> bool {
        self.heard = true;
        let number = self.pings.count();
        let is_answer = number > 0 && (self.is_answer)(message, number);
        if is_answer {
            self.pings.on_answer();
        }
        is_answer
    }

    /// Input: it is `now`. Gives what is due.
    pub fn handle_timeout(&mut self, now: Timestamp) -> Option<Beat> {
        let heard = core::mem::take(&mut self.heard);
        let due = self.pings.handle(now, self.config, heard, OnItsWay::Left)?;
        Some(match due {
            Due::Ping => Beat::Send((self.ping)(self.pings.count())),
            Due::GiveUp => Beat::GiveUp,
        })
    }

    /// Output: when to call [`handle_timeout`](Self::handle_timeout).
    pub fn poll_timeout(&self) -> Timestamp {
        self.pings.next()
    }

    /// How long the last answer took.
    pub fn round_trip(&self) -> Option<Duration> {
        self.pings.round_trip()
    }

    /// How long answers take of late: each one counts for an eighth.
    pub fn smoothed_round_trip(&self) -> Option<Duration> {
        self.pings.smoothed_round_trip()
    }
}
