//! Deadlines, in virtual time: armed and judged in `handle_timeout` alone.

use core::time::Duration;

use super::queue::PingOnItsWay;
use crate::config::KeepAlive;
use crate::time::Timestamp;
use crate::trace::trace;

/// Each deadline that may be running. Unarmed ones are armed at the next `handle_timeout`, the
/// only place where the time is known.
#[derive(Debug, Default)]
pub(super) struct Timers {
    /// Something was received since the last `handle_timeout`.
    heard: bool,
    idle: Option<Timestamp>,
    close: Option<Timestamp>,
    ping: Ping,
    pings_sent: u64,
    round_trip: Option<Duration>,
}

#[derive(Debug, Default)]
enum Ping {
    #[default]
    Unarmed,
    Due(Timestamp),
    Sent {
        at: Timestamp,
        deadline: Timestamp,
        answered: bool,
    },
}

/// What a deadline asks for.
#[derive(Debug, PartialEq, Eq)]
pub(super) enum Expired {
    Idle,
    SendPing([u8; 8]),
    Pong,
}

impl Timers {
    #[inline]
    pub(super) fn on_received(&mut self) {
        self.heard = true;
    }

    /// Counts a pong if it answers our last keep-alive ping.
    pub(super) fn on_pong(&mut self, payload: &[u8]) {
        if let Ping::Sent { answered, .. } = &mut self.ping {
            *answered |= payload == self.pings_sent.to_be_bytes();
        }
    }

    pub(super) fn round_trip(&self) -> Option<Duration> {
        self.round_trip
    }

    /// The earliest deadline of an open connection.
    pub(super) fn next_open(
        &self,
        idle: Option<Duration>,
        keep_alive: Option<KeepAlive>,
    ) -> Option<Timestamp> {
        let idle = idle.map(|_| self.idle.unwrap_or_default());
        let ping = keep_alive.map(|_| match self.ping {
            Ping::Unarmed | Ping::Sent { answered: true, .. } => Timestamp::ZERO,
            Ping::Due(at) => at,
            Ping::Sent { deadline, .. } => deadline,
        });
        idle.into_iter().chain(ping).min()
    }

    /// The deadline of a connection that is closing.
    pub(super) fn next_closing(&self) -> Timestamp {
        self.close.unwrap_or_default()
    }

    /// Arms and judges the deadlines of an open connection.
    pub(super) fn handle_open(
        &mut self,
        now: Timestamp,
        idle: Option<Duration>,
        keep_alive: Option<KeepAlive>,
        ping: PingOnItsWay,
    ) -> Option<Expired> {
        let heard = core::mem::take(&mut self.heard);
        let ping = keep_alive.and_then(|config| self.handle_ping(now, config, heard, ping));
        if ping == Some(Expired::Pong) {
            return ping;
        }
        if let Some(timeout) = idle {
            match self.idle {
                Some(deadline) if !heard && now >= deadline => return Some(Expired::Idle),
                Some(_) if !heard => {}
                _ => self.idle = Some(now.saturating_add(timeout)),
            }
        }
        ping
    }

    fn handle_ping(
        &mut self,
        now: Timestamp,
        config: KeepAlive,
        heard: bool,
        ping: PingOnItsWay,
    ) -> Option<Expired> {
        match self.ping {
            Ping::Unarmed => self.ping = Ping::Due(now.saturating_add(config.interval)),
            Ping::Due(at) if now >= at => {
                self.pings_sent = self.pings_sent.wrapping_add(1);
                self.ping = Ping::Sent {
                    at: now,
                    deadline: now.saturating_add(config.timeout),
                    answered: false,
                };
                return Some(Expired::SendPing(self.pings_sent.to_be_bytes()));
            }
            Ping::Due(_) => {}
            Ping::Sent {
                at, answered: true, ..
            } => {
                let round_trip = now.saturating_since(at);
                trace!(pong_received(self.pings_sent, round_trip));
                self.round_trip = Some(round_trip);
                self.ping = Ping::Due(now.saturating_add(config.interval));
            }
            // It has not left yet, behind bytes that the peer is slow to take.
            Ping::Sent { .. } if ping == PingOnItsWay::Nearer => {
                trace!(pong_late(self.pings_sent, false));
                self.ping = Ping::Sent {
                    at: now,
                    deadline: now.saturating_add(config.timeout),
                    answered: false,
                };
            }
            // A peer amid a long message cannot send a pong, but is alive.
            Ping::Sent { at, .. } if heard => {
                trace!(pong_late(self.pings_sent, true));
                self.ping = Ping::Sent {
                    at,
                    deadline: now.saturating_add(config.timeout),
                    answered: false,
                };
            }
            Ping::Sent { deadline, .. } if now >= deadline => {
                trace!(pong_missed(self.pings_sent));
                return Some(Expired::Pong);
            }
            Ping::Sent { .. } => {}
        }
        None
    }

    /// Arms and judges the deadline of a connection that is closing; gives whether it has passed.
    pub(super) fn handle_closing(&mut self, now: Timestamp, timeout: Duration) -> bool {
        let deadline = *self.close.get_or_insert(now.saturating_add(timeout));
        now >= deadline
    }
}
