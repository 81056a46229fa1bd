//! Deadlines, in virtual time: armed and judged in `handle_timeout` alone.

use core::time::Duration;

use crate::pings::{Due, KeepAlive, OnItsWay, Pings};
use crate::time::Timestamp;

/// Each deadline that may be running. Unarmed ones are armed at the next `handle_timeout`, the
/// only place where the time is known.
#[derive(Debug, Default)]
pub(super) struct Timers {
    /// Something was received since the last `handle_timeout`.
    heard: bool,
    idle: Option<Timestamp>,
    close: Option<Timestamp>,
    pings: Pings,
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
        if payload == self.pings.count().to_be_bytes() {
            self.pings.on_answer();
        }
    }

    pub(super) fn pings(&self) -> &Pings {
        &self.pings
    }

    /// The earliest deadline of an open connection.
    pub(super) fn next_open(
        &self,
        idle: Option<Duration>,
        keep_alive: Option<KeepAlive>,
    ) -> Option<Timestamp> {
        let idle = idle.map(|_| self.idle.unwrap_or_default());
        let ping = keep_alive.map(|_| self.pings.next());
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
        ping: OnItsWay,
    ) -> Option<Expired> {
        let heard = core::mem::take(&mut self.heard);
        let due = keep_alive.and_then(|config| self.pings.handle(now, config, heard, ping));
        if due == Some(Due::GiveUp) {
            return Some(Expired::Pong);
        }
        if let Some(timeout) = idle {
            match self.idle {
                Some(deadline) if !heard && now >= deadline => return Some(Expired::Idle),
                Some(_) if !heard => {}
                _ => self.idle = Some(now.saturating_add(timeout)),
            }
        }
        due.map(|_| Expired::SendPing(self.pings.count().to_be_bytes()))
    }

    /// Arms and judges the deadline of a connection that is closing; gives whether it has passed.
    pub(super) fn handle_closing(&mut self, now: Timestamp, timeout: Duration) -> bool {
        let deadline = *self.close.get_or_insert(now.saturating_add(timeout));
        now >= deadline
    }
}
