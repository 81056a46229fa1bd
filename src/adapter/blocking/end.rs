//! The stream and the engine together: writing what is queued, and ending the stream.

use std::io::{self, ErrorKind};

use bytes::Buf;

use super::super::error::{Error, is_blocked};
use super::io::{Io, Moved};
use super::transport::Transport;
use crate::connection::{Connection, State};
use crate::message::Data;
use crate::time::Timestamp;

/// All but the receive buffer, which events are lent from.
#[derive(Debug)]
pub(super) struct End<S> {
    pub(super) io: Io<S>,
    pub(super) connection: Connection,
    is_shut_down: bool,
    /// Reads take turns with writes, so that what the peer sends is seen.
    pub(super) is_receiving: bool,
    /// Whether the stream, one that buffers as TLS does, may hold back what it took.
    pub(super) holds_back: bool,
    /// A write has failed: a frame may be cut short, so nothing may follow.
    broken: Option<ErrorKind>,
    /// After a write that blocked, so many reads come before the next.
    pub(super) reads_first: u32,
}

impl<S: Transport> End<S> {
    pub(super) fn new(io: Io<S>, connection: Connection) -> Self {
        Self {
            io,
            connection,
            is_shut_down: false,
            is_receiving: false,
            holds_back: false,
            broken: None,
            reads_first: 0,
        }
    }

    /// Whether anything waits for the stream to take it, or to let it go.
    pub(super) fn wants_write(&self) -> bool {
        let is_open = self.connection.state() != State::Closed;
        is_open && (self.connection.queued() > 0 || self.holds_back)
    }

    /// Handles the time-outs, writes what is queued and flushes the stream, until a moment that the
    /// caller sets.
    pub(super) fn flush(&mut self, until: Option<Timestamp>) -> io::Result<()> {
        self.connection.handle_timeout(self.io.now());
        if let Some(kind) = self.broken {
            self.drop_queued();
            return Err(kind.into());
        }
        while self.connection.state() != State::Closed {
            let deadline = self.connection.poll_timeout();
            let deadline = deadline.into_iter().chain(until).min();
            self.holds_back = true;
            let in_time = if self.connection.queued() > 0 {
                let moved = self.io.write(&mut self.connection.transmit(), deadline);
                if matches!(moved, Ok(Moved::Bytes(_))) {
                    self.on_written();
                }
                moved.map(|moved| moved != Moved::Deadline)
            } else {
                let flushed = self.io.flush(deadline);
                flushed.inspect(|in_time| self.holds_back = !in_time)
            };
            match in_time {
                Ok(true) if !self.wants_write() => break,
                Ok(true) => {}
                Ok(false) => {
                    let now = self.io.now();
                    self.connection.handle_timeout(now);
                    if until.is_some_and(|until| now >= until) {
                        return Ok(());
                    }
                }
                Err(error) => {
                    self.on_error(&error);
                    return Err(error);
                }
            }
        }
        self.reads_first = 0;
        Ok(())
    }

    /// Queues a message of which as much has left as the stream takes at once, with what was queued
    /// before it. Gives whether to [`flush`](Self::flush) now, as opposed to when it takes more.
    pub(super) fn start_message(&mut self, message: Data<'_>) -> Result<bool, Error> {
        self.connection.handle_timeout(self.io.now());
        if let Some(kind) = self.broken {
            self.connection.may_queue(0)?;
            return Err(io::Error::from(kind).into());
        }
        let deadline = self.connection.poll_timeout();
        let mut transmit = self.connection.transmit_message(message)?;
        self.holds_back = true;
        let mut has_moved = false;
        let result = loop {
            match self.io.write(&mut transmit, deadline) {
                Ok(Moved::Bytes(_)) => has_moved = true,
                Ok(Moved::Deadline) => break Ok(true),
                Err(error) if is_blocked(&error) => break Ok(false),
                Err(error) => {
                    // Nothing more will leave, so that there is no use in a copy.
                    transmit.advance(usize::MAX);
                    break Err(error);
                }
            }
            if !transmit.has_remaining() {
                break Ok(true);
            }
        };
        drop(transmit);
        if has_moved {
            self.on_written();
        }
        Ok(result.inspect_err(|error| self.on_error(error))?)
    }

    /// A pong may have come that nobody reads while this goes on.
    fn on_written(&mut self) {
        if !self.is_receiving {
            self.connection.on_taken();
        }
    }

    /// What has come may still be read.
    fn on_error(&mut self, error: &io::Error) {
        if !is_blocked(error) {
            self.broken = Some(error.kind());
            self.drop_queued();
        }
    }

    /// Nothing can leave any more.
    fn drop_queued(&mut self) {
        // A pong that waited for another to leave comes behind it.
        while self.connection.queued() > 0 {
            self.connection.transmit().advance(usize::MAX);
        }
        self.holds_back = false;
        self.reads_first = 0;
    }

    /// Ends the stream: what is queued leaves, our direction is shut down, and what still comes is
    /// dropped until the peer has ended its own, or the deadline has come.
    pub(super) fn finish(&mut self) -> io::Result<()> {
        let mut dropped = [0; 4096];
        loop {
            match self.flush(None) {
                Err(error) if is_blocked(&error) => return Err(error),
                Err(_) => self.connection.receive_eof(),
                Ok(()) => {}
            }
            if self.connection.wants_shutdown() && !self.is_shut_down {
                let deadline = self.connection.poll_timeout();
                self.is_shut_down = match self.io.shut_down(deadline) {
                    Ok(in_time) => in_time,
                    // The stream is given up all the same.
                    Err(error) => !is_blocked(&error),
                };
            }
            if self.connection.state() == State::Closed {
                return Ok(());
            }
            let deadline = self.connection.poll_timeout();
            match self.io.read_into(&mut dropped, deadline) {
                Ok(Moved::Bytes(0)) => self.connection.receive_eof(),
                Ok(Moved::Bytes(_) | Moved::Deadline) => {}
                Err(error) if is_blocked(&error) => return Err(error),
                Err(_) => self.connection.receive_eof(),
            }
        }
    }
}
