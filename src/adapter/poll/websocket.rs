//! A WebSocket on an async stream.

use core::fmt;
use core::future::{Future, poll_fn};
use core::ops::DerefMut;

use super::super::error::Error;
use super::commands::{self, Sender};
use super::end::End;
use super::io::Io;
use super::prepared;
use super::recv::{RecvEvent, RecvWithConnection};
use super::spare;
use super::split::{self, ReceiveHalf, SendHalf};
use super::stream::poll_message;
use super::transport::Transport;
use crate::buffer::ReceiveBuffer;
use crate::close::CloseFrame;
use crate::connection::{Connection, Prepared};
use crate::message::{Chunk, Data, Event, Message};

/// A WebSocket connection over an async stream: sends and receives messages.
///
/// Pongs, answers to Close frames and keep-alive pings leave while it is received on: keep
/// receiving. While nothing is polled nothing happens, deadlines included.
///
/// It is a `Stream` of messages, which ends with the connection or behind an error, and a `Sink` for
/// them. To receive and to send in two tasks, [`split`](Self::split) it.
///
/// # Which way to send
/// [`send_text`](Self::send_text) and [`send_binary`](Self::send_binary) take what is borrowed, and
/// [`send`](Self::send) what is owned; each of them flushes. Many messages leave in one write after
/// [`feed`](Self::feed), or in answer to an event through
/// [`recv_with_connection`](Self::recv_with_connection).
///
/// # Memory
/// A connection that waits, with nothing received in part and nothing queued, has no buffers: those
/// of a thread share one piece of memory to read into. A task keeps the size of the largest future that
/// it awaits: one that looks at requests before it accepts may do that in a `Box::pin`.
///
/// # Cancel safety
/// Each future may be dropped at any point, as in a `select!`, without harm to the connection: no
/// byte is lost, doubled or reordered. What becomes of the call itself is said with each method.
pub struct WebSocket<T: Transport> {
    pub(super) end: End<T>,
    pub(super) rx: ReceiveBuffer,
    /// The `Stream` has given an error, and ends.
    pub(super) has_failed: bool,
}

impl<T: Transport> WebSocket<T> {
    /// A WebSocket over a stream whose opening handshake somebody else has done; the buffer may hold
    /// bytes of the first frames that were read together with it.
    pub fn from_transport(transport: T, connection: Connection, rx: ReceiveBuffer) -> Self {
        Self::from_end(End::new(Io::new(transport), connection), rx)
    }

    pub(super) fn from_end(end: End<T>, rx: ReceiveBuffer) -> Self {
        Self {
            end,
            rx,
            has_failed: false,
        }
    }

    /// Waits for the next message, owned; pings, pongs and chunks are left out. `None` is the end,
    /// after a closing handshake: the stream has been ended too.
    ///
    /// What is queued leaves before waiting.
    ///
    /// # Cancel safety
    /// Call it again: no message is lost.
    ///
    /// # Errors
    /// The stream's, the peer's violation, or an end without a closing handshake.
    pub async fn recv(&mut self) -> Result<Option<Message>, Error> {
        poll_fn(|cx| poll_message(&mut self.end, &mut self.rx, cx)).await
    }

    /// Waits for the next event, lent from the buffer: the fast path. With
    /// [`Delivery::Chunks`](crate::Delivery::Chunks), the parts of messages as they arrive.
    ///
    /// # Cancel safety
    /// Call it again: no event is lost.
    ///
    /// # Errors
    /// As for [`recv`](Self::recv).
    #[inline]
    pub fn recv_event(&mut self) -> impl Future<Output = Result<Option<Event<'_>>, Error>> {
        RecvEvent(RecvWithConnection::new(&mut self.end, &mut self.rx))
    }

    /// Waits for the next event, and lends the connection with it: to answer without owning the
    /// event.
    ///
    /// What is queued on the connection leaves when there is nothing more to receive, many frames
    /// in one write.
    ///
    /// # Cancel safety
    /// Call it again: no event is lost.
    ///
    /// # Errors
    /// As for [`recv`](Self::recv).
    #[inline]
    pub fn recv_with_connection(
        &mut self,
    ) -> impl Future<Output = Result<Option<(Event<'_>, &mut Connection)>, Error>> {
        RecvWithConnection::new(&mut self.end, &mut self.rx)
    }

    commands::methods!();
    prepared::methods!();

    /// Whether messages begun from here on are compressed, if that was negotiated:
    /// [`Connection::set_compression`].
    #[cfg(feature = "deflate")]
    pub fn set_compression(&mut self, on: bool) {
        self.end.connection.set_compression(on);
    }

    /// Two halves, to receive in one task and to send in another.
    ///
    /// Each makes progress alone: pongs and answers to Close frames leave while the one is received
    /// on, be the other blocked or idle.
    pub fn split(self) -> (ReceiveHalf<T>, SendHalf<T>) {
        split::split(self)
    }

    /// The engine: its state, outcome, round-trip time, and how much is queued.
    pub fn connection(&self) -> &Connection {
        &self.end.connection
    }

    /// The engine, to give it commands: to queue a copy of what is borrowed without a flush, with
    /// [`Connection::send_text`], say. It leaves with the next [`flush`](Self::flush) or
    /// [`recv`](Self::recv).
    pub fn connection_mut(&mut self) -> &mut Connection {
        spare::fill_queue(&mut self.end.connection, 0);
        &mut self.end.connection
    }

    /// The stream.
    pub fn stream(&self) -> &T::Stream {
        self.end.io.transport.stream()
    }

    /// The stream, to change its settings; what is read from or written to it is missing here.
    pub fn stream_mut(&mut self) -> &mut T::Stream {
        self.end.io.transport.stream_mut()
    }

    /// The parts, to go on without this adapter.
    pub fn into_parts(self) -> (T::Stream, Connection, ReceiveBuffer) {
        let End { io, connection, .. } = self.end;
        (io.transport.into_stream(), connection, self.rx)
    }
}

impl<T: Transport> Sender for WebSocket<T> {
    type Transport = T;

    /// Whoever sends on the whole does not receive meanwhile.
    #[inline(always)]
    fn end(&mut self) -> impl DerefMut<Target = End<T>> {
        self.end.is_receiving = false;
        &mut self.end
    }
}

impl<T: Transport> fmt::Debug for WebSocket<T> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("WebSocket")
            .field("connection", &self.end.connection)
            .finish_non_exhaustive()
    }
}
