//! Streams of futures-io, with the caller's clock.

use core::pin::Pin;
use core::task::{Context, Poll};
use std::io::{self, IoSlice};
use std::time::Instant;

use ::futures_io::{AsyncRead, AsyncWrite};

use super::super::poll::Transport;

/// The clock of a runtime.
///
/// A function that makes a future of a moment is one, with the clock of the system:
///
/// ```
/// # fn timer() -> impl sansocket::futures_io::Timer {
/// async_io::Timer::at
/// # }
/// ```
pub trait Timer {
    /// A future that is over at a certain moment.
    type Sleep: Future;

    /// The moment it is.
    fn now(&self) -> Instant {
        Instant::now()
    }

    /// Sleeps until a moment.
    fn sleep_until(&self, at: Instant) -> Self::Sleep;
}

impl<F: Fn(Instant) -> S, S: Future> Timer for F {
    type Sleep = S;

    fn sleep_until(&self, at: Instant) -> S {
        self(at)
    }
}

/// A stream of futures-io and a timer, as the shared WebSocket takes them.
#[derive(Debug)]
pub struct FuturesIo<S, C> {
    pub(super) stream: S,
    pub(super) timer: C,
}

impl<S: AsyncRead + AsyncWrite + Unpin, C: Timer> Transport for FuturesIo<S, C> {
    type Stream = S;
    type Sleep = C::Sleep;

    fn poll_read(&mut self, cx: &mut Context<'_>, room: &mut [u8]) -> Poll<io::Result<usize>> {
        Pin::new(&mut self.stream).poll_read(cx, room)
    }

    fn poll_write(
        &mut self,
        cx: &mut Context<'_>,
        slices: &[IoSlice<'_>],
    ) -> Poll<io::Result<usize>> {
        let stream = Pin::new(&mut self.stream);
        match slices {
            [slice] => stream.poll_write(cx, slice),
            slices => stream.poll_write_vectored(cx, slices),
        }
    }

    fn poll_flush(&mut self, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        Pin::new(&mut self.stream).poll_flush(cx)
    }

    fn poll_shutdown(&mut self, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        Pin::new(&mut self.stream).poll_close(cx)
    }

    fn now(&self) -> Instant {
        self.timer.now()
    }

    fn sleep_until(&self, at: Instant) -> C::Sleep {
        self.timer.sleep_until(at)
    }

    fn stream(&self) -> &S {
        &self.stream
    }

    fn stream_mut(&mut self) -> &mut S {
        &mut self.stream
    }

    fn into_stream(self) -> S {
        self.stream
    }
}
