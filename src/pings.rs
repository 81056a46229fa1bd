//! When to ask the peer for a sign of life, and when to give it up: for keep-alive pings, and for
//! messages that do their work.

use core::time::Duration;

use crate::time::Timestamp;
use crate::trace::trace;

/// How long to wait.
#[derive(Debug, Clone, Copy)]
pub(crate) struct KeepAlive {
    /// From one answer to the next ping.
    pub(crate) interval: Duration,
    /// For an answer.
    pub(crate) timeout: Duration,
    /// How many pings in a row may go unanswered.
    pub(crate) misses: u32,
}

/// Where the last ping is.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum OnItsWay {
    /// It has left, or there is none.
    Left,
    /// It waits behind other bytes, some of which have left since this was last asked.
    Nearer,
    /// It waits behind other bytes, none of which have left.
    Stuck,
}

/// What is due.
#[derive(Debug, PartialEq, Eq)]
pub(crate) enum Due {
    /// To send a ping: the one that [`Pings::count`] numbers.
    Ping,
    /// To give the peer up.
    GiveUp,
}

/// The pings of a connection, at most one of them under way.
#[derive(Debug, Default)]
pub(crate) struct Pings {
    state: State,
    count: u64,
    missed: u32,
    round_trip: Option<Duration>,
    smoothed: Option<Duration>,
}

#[derive(Debug, Default)]
enum State {
    #[default]
    Unarmed,
    Waiting(Timestamp),
    Sent {
        at: Timestamp,
        deadline: Timestamp,
        answered: bool,
    },
}

impl Pings {
    /// How many were sent: the number of the last one.
    pub(crate) const fn count(&self) -> u64 {
        self.count
    }

    pub(crate) const fn round_trip(&self) -> Option<Duration> {
        self.round_trip
    }

    pub(crate) const fn smoothed_round_trip(&self) -> Option<Duration> {
        self.smoothed
    }

    /// The last one has been answered.
    pub(crate) const fn on_answer(&mut self) {
        if let State::Sent { answered, .. } = &mut self.state {
            *answered = true;
        }
    }

    /// When to call [`handle`](Self::handle).
    pub(crate) const fn next(&self) -> Timestamp {
        match self.state {
            State::Unarmed | State::Sent { answered: true, .. } => Timestamp::ZERO,
            State::Waiting(at) => at,
            State::Sent { deadline, .. } => deadline,
        }
    }

    /// It is `now`; `heard` says whether anything has come since the last call.
    pub(crate) fn handle(
        &mut self,
        now: Timestamp,
        config: KeepAlive,
        heard: bool,
        last: OnItsWay,
    ) -> Option<Due> {
        let deadline_from_now = now.saturating_add(config.timeout);
        match &mut self.state {
            State::Unarmed => self.state = State::Waiting(now.saturating_add(config.interval)),
            State::Waiting(at) if now >= *at => return Some(self.ping(now, config)),
            State::Waiting(_) => {}
            State::Sent {
                at, answered: true, ..
            } => {
                let round_trip = now.saturating_since(*at);
                trace!(pong_received(self.count, round_trip));
                self.on_round_trip(round_trip);
                self.missed = 0;
                self.state = State::Waiting(now.saturating_add(config.interval));
            }
            // It has not left yet, behind bytes that the peer is slow to take.
            State::Sent { at, deadline, .. } if last == OnItsWay::Nearer => {
                trace!(pong_late(self.count, false));
                (*at, *deadline) = (now, deadline_from_now);
            }
            // A peer amid a long message cannot answer, but is alive.
            State::Sent { deadline, .. } if heard => {
                trace!(pong_late(self.count, true));
                *deadline = deadline_from_now;
                self.missed = 0;
            }
            State::Sent { deadline, .. } if now >= *deadline => {
                trace!(pong_missed(self.count));
                if self.missed >= config.misses {
                    return Some(Due::GiveUp);
                }
                self.missed = self.missed.saturating_add(1);
                // Behind one that has not left, another would only wait as well.
                if last == OnItsWay::Left {
                    return Some(self.ping(now, config));
                }
                *deadline = deadline_from_now;
            }
            State::Sent { .. } => {}
        }
        None
    }

    fn ping(&mut self, now: Timestamp, config: KeepAlive) -> Due {
        self.count = self.count.wrapping_add(1);
        self.state = State::Sent {
            at: now,
            deadline: now.saturating_add(config.timeout),
            answered: false,
        };
        Due::Ping
    }

    /// RFC 6298 §2 has the weights: an eighth for the last one.
    fn on_round_trip(&mut self, last: Duration) {
        let eighth = |time: Duration| time.checked_div(8).unwrap_or_default();
        self.round_trip = Some(last);
        self.smoothed = Some(self.smoothed.map_or(last, |smoothed| {
            let rest = smoothed.saturating_sub(eighth(smoothed));
            rest.saturating_add(eighth(last))
        }));
    }
}
