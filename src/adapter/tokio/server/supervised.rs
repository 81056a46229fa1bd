//! A stream whose WebSocket the server has a say in.

use alloc::boxed::Box;
use alloc::sync::Arc;
use core::fmt;
use core::task::{Context, Poll};
use core::time::Duration;
use std::io::{self, IoSlice};
use std::time::Instant;

use ::tokio::io::{AsyncRead, AsyncWrite};
use ::tokio::time::Sleep;

use super::super::super::poll::{self, Supervisor, Transport};
use super::super::Tokio;
use super::registry::{Control, Guard, Registry};
use crate::close::{CloseFrame, CloseOutcome};
use crate::policy::{ConnectionId, RateLimit};
use crate::time::Timestamp;

/// How exactly the server knows when a connection was active: all take turns at its list.
const TOUCH_INTERVAL: Duration = Duration::from_secs(1);

/// A WebSocket of a [`Server`](super::Server), which closes it when it shuts down.
pub type ServerWebSocket<S> = poll::WebSocket<Supervised<S>>;

/// A stream of tokio, with a [`Server`](super::Server) that has a say in the connection.
pub struct Supervised<S> {
    stream: Tokio<S>,
    gate: Box<Gate>,
}

struct Gate {
    registry: Arc<Registry>,
    control: Arc<Control>,
    /// If somebody wants to know when the connection was active.
    id: Option<ConnectionId>,
    touched: Timestamp,
    rate: Option<RateLimit>,
    is_refusing: bool,
}

impl<S> Supervised<S> {
    pub(super) fn new(stream: S, guard: &Guard, rate: Option<RateLimit>) -> Self {
        let gate = Gate {
            registry: guard.registry.clone(),
            control: guard.control.clone(),
            id: guard.id(),
            touched: Timestamp::ZERO,
            rate,
            is_refusing: false,
        };
        Self {
            stream: Tokio(stream),
            gate: Box::new(gate),
        }
    }
}

impl Supervisor for Gate {
    fn poll_close(&mut self, cx: &mut Context<'_>) -> Poll<CloseFrame> {
        self.control.poll_frame(cx)
    }

    fn on_received(&mut self, bytes: usize, last: bool) {
        // For nobody there is no need to know the time.
        if self.id.is_none() && self.rate.is_none() {
            return;
        }
        let now = self.registry.now();
        if let Some(id) = self.id {
            if now.saturating_since(self.touched) >= TOUCH_INTERVAL {
                self.touched = now;
                self.registry.touch(id, now);
            }
        }
        if let Some(rate) = &mut self.rate {
            if let Err(exceeded) = rate.receive_chunk(now, bytes, last) {
                self.control.close(exceeded.close_frame());
                self.is_refusing = true;
            }
        }
    }

    fn is_refusing(&self) -> bool {
        self.is_refusing
    }

    fn on_end(&mut self, outcome: &CloseOutcome) {
        self.control.on_end(outcome);
    }
}

impl<S: AsyncRead + AsyncWrite + Unpin> Transport for Supervised<S> {
    type Stream = S;
    type Sleep = Sleep;

    fn poll_read(&mut self, cx: &mut Context<'_>, room: &mut [u8]) -> Poll<io::Result<usize>> {
        self.stream.poll_read(cx, room)
    }

    fn poll_write(
        &mut self,
        cx: &mut Context<'_>,
        slices: &[IoSlice<'_>],
    ) -> Poll<io::Result<usize>> {
        self.stream.poll_write(cx, slices)
    }

    fn poll_flush(&mut self, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        self.stream.poll_flush(cx)
    }

    fn poll_shutdown(&mut self, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        self.stream.poll_shutdown(cx)
    }

    fn now(&self) -> Instant {
        self.stream.now()
    }

    fn sleep_until(&self, at: Instant) -> Sleep {
        self.stream.sleep_until(at)
    }

    fn stream(&self) -> &S {
        self.stream.stream()
    }

    fn stream_mut(&mut self) -> &mut S {
        self.stream.stream_mut()
    }

    fn into_stream(self) -> S {
        self.stream.into_stream()
    }

    #[inline]
    fn supervisor(&mut self) -> Option<&mut dyn Supervisor> {
        Some(&mut *self.gate)
    }
}

impl<S: fmt::Debug> fmt::Debug for Supervised<S> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_tuple("Supervised").field(&self.stream.0).finish()
    }
}
