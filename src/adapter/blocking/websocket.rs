//! A WebSocket on a blocking stream.

use core::time::Duration;
use std::io;
use std::time::Instant;

use super::super::READ_SIZE;
use super::super::error::{Error, ended, is_blocked};
use super::end::End;
use super::io::{Io, Moved};
use super::transport::Transport;
use crate::buffer::ReceiveBuffer;
use crate::close::CloseFrame;
use crate::connection::{Connection, MAX_READ_HINT};
use crate::error::SendError;
use crate::message::{Chunk, Data, Event, Message};

/// A waiting connection keeps a receive buffer of at most this size, in bytes: room for the largest
/// read.
const KEEP: usize = MAX_READ_HINT;

/// From this many queued bytes on, a flush while waiting may block, and takes turns with reading.
const LARGE_FLUSH: usize = 4 * 1024;

/// How long a turn of flushing or reading may block.
const TURN: Duration = Duration::from_millis(10);

/// After so long without a byte, a compressor without context is given back.
#[cfg(feature = "deflate")]
const PAUSE: Duration = Duration::from_secs(1);

/// How many reads a turn has: 1 MiB.
const READS_PER_TURN: u32 = 64;

/// A WebSocket connection over a blocking stream: sends and receives messages.
///
/// Pongs, answers to Close frames and keep-alive pings leave while
/// [`recv_event`](Self::recv_event) waits: keep receiving. See the [module](super) for time-outs and
/// non-blocking streams.
#[derive(Debug)]
pub struct WebSocket<S> {
    end: End<S>,
    rx: ReceiveBuffer,
}

impl<S: Transport> WebSocket<S> {
    /// A WebSocket over a stream whose opening handshake somebody else has done.
    pub fn new(stream: S, connection: Connection) -> Self {
        Self::from_io(Io::new(stream), connection, ReceiveBuffer::new())
    }

    /// The same, with bytes of the first frames that were read together with the handshake.
    pub fn with_received(stream: S, connection: Connection, rx: ReceiveBuffer) -> Self {
        Self::from_io(Io::new(stream), connection, rx)
    }

    pub(super) fn from_io(io: Io<S>, connection: Connection, rx: ReceiveBuffer) -> Self {
        let end = End::new(io, connection);
        Self { end, rx }
    }

    /// Waits for the next event. `None` is the end, after a closing handshake: the stream has been
    /// ended too.
    ///
    /// What was queued is flushed before waiting.
    ///
    /// # Errors
    /// The stream's, the peer's violation, or an end without a closing handshake.
    pub fn recv_event(&mut self) -> Result<Option<Event<'_>>, Error> {
        Ok(self.recv_with_connection()?.map(|(event, _)| event))
    }

    /// Waits for the next event, and lends the connection with it: to answer without owning the
    /// event.
    ///
    /// What is queued on the connection leaves when there is nothing more to receive, many frames
    /// in one write.
    ///
    /// ```no_run
    /// use sansocket::{Event, blocking};
    ///
    /// let mut echo = blocking::connect("ws://127.0.0.1:9001/")?;
    /// while let Some((event, connection)) = echo.recv_with_connection()? {
    ///     match event {
    ///         Event::Text(text) => connection.send_text(&text)?,
    ///         Event::Binary(data) => connection.send_binary(&data)?,
    ///         _ => {}
    ///     }
    /// }
    /// # Ok::<(), Box<dyn std::error::Error>>(())
    /// ```
    ///
    /// # Errors
    /// As for [`recv_event`](Self::recv_event).
    pub fn recv_with_connection(&mut self) -> Result<Option<(Event<'_>, &mut Connection)>, Error> {
        if !self.wait()? {
            return Ok(None);
        }
        match self.end.connection.lend(&mut self.rx) {
            Ok(event) => Ok(event.map(|event| (event, &mut self.end.connection))),
            Err(error) => {
                self.end.finish()?;
                Err(error.into())
            }
        }
    }

    /// Waits until there is an event to lend; gives whether there is, or the connection has ended.
    fn wait(&mut self) -> Result<bool, Error> {
        let Self { end, rx } = self;
        end.is_receiving = true;
        if end.connection.has_pong() {
            let _ = end.flush(None);
        }
        let mut give_up = None;
        loop {
            match end.connection.ready(rx) {
                Ok(true) => return Ok(true),
                Ok(false) => {}
                Err(error) => {
                    end.finish()?;
                    return Err(error.into());
                }
            }
            // A peer may not read because it waits for us to: take turns.
            if end.reads_first == 0 {
                let large = end.connection.queued() >= LARGE_FLUSH || end.holds_back;
                let _ = end.flush(large.then(|| end.io.now().saturating_add(TURN)));
            }
            // A deadline may have passed meanwhile.
            if end.connection.outcome().is_some() {
                end.finish()?;
                return ended(end.connection.outcome()).map(|()| false);
            }
            let mut deadline = end.connection.poll_timeout();
            if !end.wants_write() {
                if rx.is_empty() && rx.capacity() > KEEP {
                    rx.release();
                }
                // Compressors are large, and take a while to make: a pause decides.
                #[cfg(feature = "deflate")]
                if end.connection.has_spare_codec() {
                    let pause = end.io.now().saturating_add(PAUSE);
                    deadline = Some(deadline.map_or(pause, |deadline| deadline.min(pause)));
                }
            } else {
                let now = end.io.now();
                // The stream's own time-out bounds the turns together.
                if give_up.is_none() {
                    give_up = end
                        .io
                        .stream
                        .read_timeout()?
                        .map(|own| now.saturating_add(own));
                }
                if give_up.is_some_and(|give_up| now >= give_up) {
                    return Err(io::Error::from(io::ErrorKind::WouldBlock).into());
                }
                let turn = now.saturating_add(TURN);
                deadline = Some(deadline.map_or(turn, |deadline| deadline.min(turn)));
                if end.reads_first == 0 {
                    end.reads_first = READS_PER_TURN;
                }
            }
            let size = end.connection.read_hint(rx, READ_SIZE);
            match end.io.read(rx, size, deadline) {
                Ok(Moved::Bytes(0)) => end.connection.receive_eof(),
                Ok(Moved::Bytes(_)) => end.reads_first = end.reads_first.saturating_sub(1),
                Ok(Moved::Deadline) => {
                    end.reads_first = 0;
                    end.connection.handle_timeout(end.io.now());
                    end.connection.release();
                }
                Err(error) => {
                    if is_blocked(&error) {
                        end.connection.release();
                    } else {
                        end.connection.receive_eof();
                    }
                    return Err(error.into());
                }
            }
        }
    }

    /// Waits for the next message, owned; pings, pongs and chunks are left out. `None` is the end.
    ///
    /// # Errors
    /// As for [`recv_event`](Self::recv_event).
    pub fn recv(&mut self) -> Result<Option<Message>, Error> {
        while let Some(event) = self.recv_event()? {
            if let Some(message) = event.into_message() {
                return Ok(Some(message));
            }
        }
        Ok(None)
    }

    /// The messages to come, owned, up to the end; pings, pongs and the Close frame are left out.
    ///
    /// With [`Delivery::Chunks`](crate::Delivery::Chunks), the chunks are left out too.
    pub fn messages(&mut self) -> Messages<'_, S> {
        Messages {
            websocket: self,
            has_failed: false,
        }
    }

    /// Queues a message and flushes.
    ///
    /// # Errors
    /// The message comes back if it cannot be queued. If the stream blocks, the message is queued
    /// all the same and this succeeds; should more be queued than
    /// [`write_limit`](crate::Config::write_limit), it comes back.
    pub fn send(&mut self, message: impl Into<Message>) -> Result<(), Error> {
        self.feed(message)?;
        self.flush_unless_blocked()
    }

    /// Sends a text message that is borrowed, and flushes.
    ///
    /// A server's payload of 8 KiB or more that the stream takes at once is written from where it is. A
    /// smaller one is copied behind its header; a client's is copied to mask it, 64 KiB at a time; a
    /// compressed one is queued in that form. If the stream blocks, the rest is copied to the queue.
    ///
    /// # Errors
    /// As for [`send`](Self::send), but nothing comes back.
    pub fn send_text(&mut self, text: &str) -> Result<(), Error> {
        self.send_lent(Data::Text(text))
    }

    /// Sends a binary message that is borrowed, and flushes: see [`send_text`](Self::send_text).
    ///
    /// # Errors
    /// As for [`send_text`](Self::send_text).
    pub fn send_binary(&mut self, data: &[u8]) -> Result<(), Error> {
        self.send_lent(Data::Binary(data))
    }

    fn send_lent(&mut self, message: Data<'_>) -> Result<(), Error> {
        self.command(|end| end.start_message(message))
    }

    /// Queues a message, to leave with the next flush or receive, many in one write.
    ///
    /// # Errors
    /// As for [`send`](Self::send).
    pub fn feed(&mut self, message: impl Into<Message>) -> Result<(), Error> {
        match self.end.connection.send(message.into()) {
            Err(SendError::Full(message)) => {
                self.flush_unless_blocked()?;
                Ok(self.end.connection.send(message)?)
            }
            Err(error @ SendError::Closing(_)) => {
                // The answer to the peer's Close frame may wait.
                self.flush_unless_blocked()?;
                Err(error.into())
            }
            result => Ok(result?),
        }
    }

    /// Queues a part of a message and flushes.
    ///
    /// # Errors
    /// As for [`Connection::send_chunk`], or the stream's.
    pub fn send_chunk(&mut self, chunk: Chunk<'_>) -> Result<(), Error> {
        self.command(|end| Ok(end.connection.send_chunk(chunk).map(|()| true)?))
    }

    /// Queues a ping with up to 125 bytes and flushes.
    ///
    /// # Errors
    /// As for [`Connection::ping`], or the stream's.
    pub fn ping(&mut self, payload: &[u8]) -> Result<(), Error> {
        self.command(|end| Ok(end.connection.ping(payload).map(|()| true)?))
    }

    /// Begins the closing handshake and flushes; go on receiving until `None`.
    ///
    /// ```no_run
    /// # let mut websocket = sansocket::blocking::connect("ws://127.0.0.1:9001/")?;
    /// websocket.close(sansocket::CloseCode::NORMAL)?;
    /// while websocket.recv_event()?.is_some() {}
    /// # Ok::<(), Box<dyn std::error::Error>>(())
    /// ```
    ///
    /// # Errors
    /// The closing handshake has begun already, or the stream's.
    pub fn close(&mut self, frame: impl Into<Option<CloseFrame>>) -> Result<(), Error> {
        let frame = frame.into();
        self.command(|end| Ok(end.connection.close(frame.clone()).map(|()| true)?))
    }

    /// Whether messages begun from here on are compressed, if that was negotiated:
    /// [`Connection::set_compression`].
    #[cfg(feature = "deflate")]
    pub fn set_compression(&mut self, on: bool) {
        self.end.connection.set_compression(on);
    }

    /// Writes what is queued.
    ///
    /// # Errors
    /// The stream's; if it blocks, the rest stays queued.
    pub fn flush(&mut self) -> Result<(), Error> {
        self.end.is_receiving = false;
        Ok(self.end.flush(None)?)
    }

    /// Gives a command, again if there was no room, and flushes if it says so.
    pub(super) fn command(
        &mut self,
        mut command: impl FnMut(&mut End<S>) -> Result<bool, Error>,
    ) -> Result<(), Error> {
        self.end.is_receiving = false;
        let flushes = match command(&mut self.end) {
            Err(Error::Command(SendError::Full(()))) => {
                self.flush_unless_blocked()?;
                command(&mut self.end)?
            }
            Err(error @ Error::Command(SendError::Closing(()))) => {
                self.flush_unless_blocked()?;
                return Err(error);
            }
            result => result?,
        };
        match flushes {
            true => self.flush_unless_blocked(),
            false => Ok(()),
        }
    }

    fn flush_unless_blocked(&mut self) -> Result<(), Error> {
        self.end.is_receiving = false;
        match self.end.flush(None) {
            Err(error) if !is_blocked(&error) => Err(error.into()),
            _ => Ok(()),
        }
    }

    /// When [`recv_event`](Self::recv_event) is to be called again at the latest, be the stream ready or
    /// not: the next deadline. For those who wait for a non-blocking stream themselves.
    pub fn next_deadline(&self) -> Option<Instant> {
        let at = self.end.connection.poll_timeout()?;
        self.end.io.instant(at)
    }

    /// Whether to wait for the stream to take more as well: something is queued, or held back by a
    /// stream that buffers, such as TLS. For those who wait for a non-blocking stream themselves.
    pub fn wants_write(&self) -> bool {
        self.end.wants_write()
    }

    /// The engine: its state, outcome, round-trip time, and how much is queued.
    pub fn connection(&self) -> &Connection {
        &self.end.connection
    }

    /// The stream.
    pub fn stream(&self) -> &S {
        &self.end.io.stream
    }

    /// The stream, to change its settings; what is read from or written to it is missing here.
    pub fn stream_mut(&mut self) -> &mut S {
        &mut self.end.io.stream
    }

    /// The parts, to go on without this adapter.
    pub fn into_parts(self) -> (S, Connection, ReceiveBuffer) {
        (self.end.io.stream, self.end.connection, self.rx)
    }
}

/// The messages of a [`WebSocket`], owned; ends with the connection, or behind an error other than
/// `WouldBlock` and `TimedOut`.
#[derive(Debug)]
pub struct Messages<'a, S> {
    websocket: &'a mut WebSocket<S>,
    has_failed: bool,
}

impl<S: Transport> Iterator for Messages<'_, S> {
    type Item = Result<Message, Error>;

    fn next(&mut self) -> Option<Self::Item> {
        if self.has_failed {
            return None;
        }
        let message = self.websocket.recv();
        if let Err(error) = &message {
            self.has_failed = !error.is_blocked();
        }
        message.transpose()
    }
}
