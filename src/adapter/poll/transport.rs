//! What an adapter gives: a stream, and a clock.

use core::future::Future;
use core::task::{Context, Poll};
use std::io::{self, IoSlice};
use std::time::Instant;

use crate::close::{CloseFrame, CloseOutcome};

/// An async byte stream with the clock of its runtime.
///
/// Its methods do what those of tokio's and futures-io's traits do. Reads register the waker of one
/// task, and writes that of one task, which may be another.
pub trait Transport {
    /// The stream as its owner knows it.
    type Stream;

    /// A future that is over at a certain moment.
    type Sleep: Future;

    /// Reads into `room` and gives how many bytes that was; none for the end of the stream.
    ///
    /// # Errors
    /// The stream's.
    fn poll_read(&mut self, cx: &mut Context<'_>, room: &mut [u8]) -> Poll<io::Result<usize>>;

    /// Writes from these slices, in order, and gives how many bytes that was. To write only from the
    /// first of them that is not empty will do.
    ///
    /// # Errors
    /// The stream's.
    fn poll_write(
        &mut self,
        cx: &mut Context<'_>,
        slices: &[IoSlice<'_>],
    ) -> Poll<io::Result<usize>>;

    /// Flushes what the stream has buffered.
    ///
    /// # Errors
    /// The stream's.
    fn poll_flush(&mut self, cx: &mut Context<'_>) -> Poll<io::Result<()>>;

    /// Ends our direction, so that the peer reads the end of the stream. One that cannot end alone
    /// is ended by dropping the stream, which [`recv`](super::WebSocket::recv) makes time for.
    ///
    /// # Errors
    /// The stream's.
    fn poll_shutdown(&mut self, cx: &mut Context<'_>) -> Poll<io::Result<()>>;

    /// The moment it is.
    fn now(&self) -> Instant;

    /// Sleeps until a moment.
    fn sleep_until(&self, at: Instant) -> Self::Sleep;

    /// The stream.
    fn stream(&self) -> &Self::Stream;

    /// The stream.
    fn stream_mut(&mut self) -> &mut Self::Stream;

    /// The stream alone.
    fn into_stream(self) -> Self::Stream;

    /// Who else has a say in the connection, always or never.
    #[inline]
    fn supervisor(&mut self) -> Option<&mut dyn Supervisor> {
        None
    }
}

/// Has a say in a connection that somebody else owns: a server that shuts down, a limit on rates.
///
/// It is asked whenever the connection would wait, and so works under whatever the owner calls.
pub trait Supervisor {
    /// What to close the connection with, once there is something; messages that are on their way are
    /// still delivered. Pending, it wakes the task when there is.
    fn poll_close(&mut self, cx: &mut Context<'_>) -> Poll<CloseFrame>;

    /// A message, or the part of one, of so many bytes is being delivered.
    fn on_received(&mut self, bytes: usize, last: bool);

    /// Whether nothing more may be delivered. Give a Close frame for it, too.
    fn is_refusing(&self) -> bool;

    /// The connection has ended.
    fn on_end(&mut self, outcome: &CloseOutcome);
}
