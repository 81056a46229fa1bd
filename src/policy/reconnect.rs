//! Whether and when to connect again.

use alloc::collections::{BTreeMap, VecDeque};
use core::time::Duration;

use super::backoff::Backoff;
use super::breaker::CircuitBreaker;
use crate::close::CloseOutcome;
use crate::time::Timestamp;

/// So many changes of state are kept for whoever does not look.
const MAX_EVENTS: usize = 64;

/// Why there is no connection any more, or why there was none.
///
/// A [`CloseOutcome`] becomes one, and so does an adapter's `ConnectError`.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
#[non_exhaustive]
pub enum Ended {
    /// The server answered the handshake with another status than 101.
    Refused {
        /// The status.
        status: u16,
        /// What its `Retry-After` says.
        retry_after: Option<Duration>,
    },
    /// The connection has ended with this close code (RFC 6455 §7.1.5): the peer's; 1005 for none, and
    /// 1006 if there was no Close frame. If the peer broke the protocol, the one that it was sent.
    Closed(u16),
    /// No connection came about, or not in time: the network, or the server is not there.
    Unreachable,
    /// Another attempt would end in the same way: a wrong URI, a certificate that is not trusted, a
    /// server that does not speak WebSocket.
    Permanent,
}

impl From<&CloseOutcome> for Ended {
    fn from(outcome: &CloseOutcome) -> Self {
        Self::Closed(match outcome {
            CloseOutcome::Failed(error) => error.close_code().get(),
            other => other.code(),
        })
    }
}

/// What follows from the end of a connection.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum Verdict {
    /// Connect again, after the delay of the [`Backoff`].
    Retry,
    /// The same, but the application renews what it identifies itself by first: its token, say.
    Refresh,
    /// Do not connect again.
    Stop,
}

impl Verdict {
    /// What a close code means for the client, unless its application says otherwise.
    ///
    /// To connect again makes sense when the server goes away, restarts, is overloaded or has met an
    /// error (1001, 1011–1014), or the connection was lost (1006). Not after an end that was meant
    /// (1000, 1005), nor where the same would come of it: what one of the two sent was not acceptable
    /// (1002, 1003, 1007–1010). Codes from 3000 on mean what their application says: until it does, stop.
    pub const fn of_close_code(code: u16) -> Self {
        match code {
            1001 | 1006 | 1011..=1014 => Self::Retry,
            _ => Self::Stop,
        }
    }

    /// What the status of a refused handshake means for the client, unless its application says
    /// otherwise: try again when the server is too busy or has met an error (408, 425, 429, 5xx but
    /// for 501 and 505). All others would be the answer to the next attempt too.
    pub const fn of_status(status: u16) -> Self {
        match status {
            501 | 505 => Self::Stop,
            408 | 425 | 429 | 500..=599 => Self::Retry,
            _ => Self::Stop,
        }
    }
}

/// Why no further attempt is made.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
#[non_exhaustive]
pub enum GaveUp {
    /// The application wants none.
    Stopped,
    /// This end calls for none.
    Final(Ended),
    /// All attempts are used up; this was the last one's end.
    Exhausted(Ended),
}

/// Where a client stands.
///
/// ```text
///    start         connected           ended
///  ───────▶ Connecting ──────▶ Online ───────▶ Reconnecting ──┐ its time has come
///            ▲  │ ended                          ▲            │
///            │  └────────────────────────────────┘            │
///            └────────────────────────────────────────────────┘
///
///  set_offline(true): from any of these to Offline, and with false from there to Connecting.
///  stop, or an end that calls for no other attempt: Disconnected, until the next start.
/// ```
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
#[non_exhaustive]
pub enum ReconnectState {
    /// An attempt is to be made now.
    Connecting {
        /// 0 for the first, and then how many attempts have failed in a row.
        attempt: u32,
        /// The application is to renew what it identifies itself by before.
        refresh: bool,
    },
    /// There is a connection.
    Online,
    /// The next attempt waits for its time.
    Reconnecting {
        /// Its number, from 1 on.
        attempt: u32,
        /// When it is to be made.
        at: Timestamp,
        /// Why it is to be made.
        after: Ended,
    },
    /// The application has said that there is no network: no attempt is made.
    Offline,
    /// No attempt is made any more.
    Disconnected(GaveUp),
}

/// Decides from why a connection ended whether and when to connect again.
///
/// Its methods come in three kinds: **inputs** ([`start`](Self::start), [`connected`](Self::connected),
/// [`ended`](Self::ended), [`set_offline`](Self::set_offline), [`stop`](Self::stop),
/// [`handle_timeout`](Self::handle_timeout)), **outputs** ([`poll_timeout`](Self::poll_timeout),
/// [`poll_event`](Self::poll_event)) and a getter, [`state`](Self::state). Whenever the state is
/// [`Connecting`](ReconnectState::Connecting), connect.
///
/// ```
/// use core::time::Duration;
/// use sansocket::Timestamp;
/// use sansocket::policy::{Backoff, Ended, Reconnect, ReconnectState, Verdict};
///
/// let at = |seconds| Timestamp::from(Duration::from_secs(seconds));
/// let mut reconnect = Reconnect::new(Backoff::new([7; 32])).on_close_code(4001, Verdict::Refresh);
/// reconnect.start();
/// assert!(matches!(reconnect.state(), ReconnectState::Connecting { attempt: 0, .. }));
/// reconnect.connected(at(1));
///
/// reconnect.ended(Ended::Closed(1012), at(9)); // the service restarts
/// let ReconnectState::Reconnecting { at, .. } = reconnect.state() else { panic!() };
/// assert_eq!(reconnect.poll_timeout(), Some(at));
/// reconnect.handle_timeout(at);
/// assert!(matches!(reconnect.state(), ReconnectState::Connecting { attempt: 1, .. }));
/// ```
#[derive(Debug)]
pub struct Reconnect {
    backoff: Backoff,
    breaker: Option<CircuitBreaker>,
    stable_after: Duration,
    codes: BTreeMap<u16, Verdict>,
    statuses: BTreeMap<u16, Verdict>,
    state: ReconnectState,
    /// What the next attempt begins with.
    refresh: bool,
    online_since: Option<Timestamp>,
    events: VecDeque<ReconnectState>,
}

impl Reconnect {
    /// With these delays, which begin anew behind a connection that has lasted for 10 seconds, and
    /// without a circuit breaker. It rests until [`start`](Self::start).
    pub const fn new(backoff: Backoff) -> Self {
        Self {
            backoff,
            breaker: None,
            stable_after: Duration::from_secs(10),
            codes: BTreeMap::new(),
            statuses: BTreeMap::new(),
            state: ReconnectState::Disconnected(GaveUp::Stopped),
            refresh: false,
            online_since: None,
            events: VecDeque::new(),
        }
    }

    /// Leaves the server alone for a while when it fails too often.
    #[must_use]
    pub fn circuit_breaker(mut self, breaker: CircuitBreaker) -> Self {
        self.breaker = Some(breaker);
        self
    }

    /// Delays begin anew behind a connection that has lasted for so long: one that ends at once each
    /// time counts as a failure.
    #[must_use]
    pub const fn stable_after(mut self, period: Duration) -> Self {
        self.stable_after = period;
        self
    }

    /// What follows from a close code, instead of [`Verdict::of_close_code`].
    #[must_use]
    pub fn on_close_code(mut self, code: u16, verdict: Verdict) -> Self {
        self.codes.insert(code, verdict);
        self
    }

    /// What follows from the status of a refused handshake, instead of [`Verdict::of_status`].
    #[must_use]
    pub fn on_status(mut self, status: u16, verdict: Verdict) -> Self {
        self.statuses.insert(status, verdict);
        self
    }

    /// Where the client stands.
    pub const fn state(&self) -> ReconnectState {
        self.state
    }

    /// Input: connect, for the first time or after all. Attempts are counted anew.
    pub fn start(&mut self) {
        if matches!(self.state, ReconnectState::Disconnected(_)) {
            self.begin();
        }
    }

    /// Input: the attempt has brought a connection.
    pub fn connected(&mut self, now: Timestamp) {
        if matches!(self.state, ReconnectState::Connecting { .. }) {
            self.online_since = Some(now);
            self.refresh = false;
            if let Some(breaker) = &mut self.breaker {
                breaker.on_success();
            }
            self.enter(ReconnectState::Online);
        }
    }

    /// Input: the attempt has failed, or the connection has ended.
    pub fn ended(&mut self, why: Ended, now: Timestamp) {
        let was_online = match self.state {
            ReconnectState::Connecting { .. } => false,
            ReconnectState::Online => true,
            _ => return,
        };
        let since = self.online_since.take();
        if since.is_some_and(|since| now.saturating_since(since) >= self.stable_after) {
            self.backoff.reset();
        }
        let verdict = self.verdict(why);
        if verdict == Verdict::Stop {
            return self.enter(ReconnectState::Disconnected(GaveUp::Final(why)));
        }
        self.refresh |= verdict == Verdict::Refresh;
        let retry_after = match why {
            Ended::Refused { retry_after, .. } => retry_after,
            _ => None,
        };
        let Some(delay) = self.backoff.next_delay(retry_after) else {
            return self.enter(ReconnectState::Disconnected(GaveUp::Exhausted(why)));
        };
        let mut at = now.saturating_add(delay);
        if let (Some(breaker), false) = (&mut self.breaker, was_online) {
            breaker.on_failure(now);
            at = at.max(breaker.open_until().unwrap_or_default());
        }
        self.enter(ReconnectState::Reconnecting {
            attempt: self.backoff.made(),
            at,
            after: why,
        });
    }

    /// Input: the network has gone, or has come back; then the next attempt is made at once.
    pub fn set_offline(&mut self, is_offline: bool) {
        match (self.state, is_offline) {
            (ReconnectState::Offline, false) => self.begin(),
            (ReconnectState::Offline | ReconnectState::Disconnected(_), _) | (_, false) => {}
            (_, true) => {
                self.online_since = None;
                self.enter(ReconnectState::Offline);
            }
        }
    }

    /// Input: no connection is wanted any more.
    pub fn stop(&mut self) {
        if !matches!(self.state, ReconnectState::Disconnected(_)) {
            self.online_since = None;
            self.enter(ReconnectState::Disconnected(GaveUp::Stopped));
        }
    }

    /// Input: it is `now`.
    pub fn handle_timeout(&mut self, now: Timestamp) {
        if let ReconnectState::Reconnecting { attempt, at, .. } = self.state {
            if at <= now {
                let refresh = self.refresh;
                self.enter(ReconnectState::Connecting { attempt, refresh });
            }
        }
    }

    /// Output: when to call [`handle_timeout`](Self::handle_timeout).
    pub const fn poll_timeout(&self) -> Option<Timestamp> {
        match self.state {
            ReconnectState::Reconnecting { at, .. } => Some(at),
            _ => None,
        }
    }

    /// Output: the next change of state that was not given yet; the last 64 are kept.
    pub fn poll_event(&mut self) -> Option<ReconnectState> {
        self.events.pop_front()
    }

    fn verdict(&self, why: Ended) -> Verdict {
        let given = |table: &BTreeMap<u16, Verdict>, key| table.get(&key).copied();
        match why {
            Ended::Refused { status, .. } => {
                given(&self.statuses, status).unwrap_or(Verdict::of_status(status))
            }
            Ended::Closed(code) => given(&self.codes, code).unwrap_or(Verdict::of_close_code(code)),
            Ended::Unreachable => Verdict::Retry,
            Ended::Permanent => Verdict::Stop,
        }
    }

    fn begin(&mut self) {
        self.backoff.reset();
        let (attempt, refresh) = (0, self.refresh);
        self.enter(ReconnectState::Connecting { attempt, refresh });
    }

    fn enter(&mut self, state: ReconnectState) {
        self.state = state;
        if self.events.len() >= MAX_EVENTS {
            self.events.pop_front();
        }
        self.events.push_back(state);
    }
}
