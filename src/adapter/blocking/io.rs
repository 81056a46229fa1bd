//! Reads and writes that a deadline ends.

use std::io::{self, ErrorKind, IoSlice};
use std::time::Instant;

use bytes::Buf;

#[cfg(feature = "handshake")]
use super::super::READ_SIZE;
use super::super::SLICES;
use super::super::error::is_blocked;
use super::transport::{SLACK, Transport};
use crate::buffer::ReceiveBuffer;
use crate::time::Timestamp;

/// A stream and a clock.
#[derive(Debug)]
pub(super) struct Io<S> {
    pub(super) stream: S,
    epoch: Instant,
}

/// What came of a read or write.
#[derive(Debug, PartialEq, Eq)]
pub(super) enum Moved {
    /// So many bytes; none read is the end of the stream.
    Bytes(usize),
    /// The deadline has come, or nearly so.
    Deadline,
}

impl<S: Transport> Io<S> {
    pub(super) fn new(stream: S) -> Self {
        Self {
            stream,
            epoch: Instant::now(),
        }
    }

    pub(super) fn now(&self) -> Timestamp {
        self.epoch.elapsed().into()
    }

    /// The same moment on the clock of the system.
    pub(super) fn instant(&self, at: Timestamp) -> Option<Instant> {
        self.epoch.checked_add(at.since_epoch())
    }

    /// Reads once, up to `size` bytes, into the buffer.
    pub(super) fn read(
        &mut self,
        rx: &mut ReceiveBuffer,
        size: usize,
        deadline: Option<Timestamp>,
    ) -> io::Result<Moved> {
        let room = rx.spare(size);
        let most = room.len();
        let Some(room) = room.get_mut(..size.clamp(1, most)) else {
            return Ok(Moved::Bytes(0));
        };
        let moved = self.read_into(room, deadline)?;
        if let Moved::Bytes(n) = moved {
            rx.commit(n);
        }
        Ok(moved)
    }

    /// Reads once, into `room`.
    pub(super) fn read_into(
        &mut self,
        room: &mut [u8],
        deadline: Option<Timestamp>,
    ) -> io::Result<Moved> {
        let most = room.len();
        let moved = self.before(deadline, |stream, until| stream.read_before(room, until))?;
        match moved {
            Moved::Bytes(n) if n > most => Err(ErrorKind::InvalidData.into()),
            moved => Ok(moved),
        }
    }

    /// Writes once, as much of `from` as the stream takes, and advances it.
    pub(super) fn write(
        &mut self,
        from: &mut impl Buf,
        deadline: Option<Timestamp>,
    ) -> io::Result<Moved> {
        let mut slices = [IoSlice::new(&[]); SLICES];
        let count = from.chunks_vectored(&mut slices);
        let slices = slices.get(..count).unwrap_or_default();
        let moved = self.before(deadline, |stream, until| stream.write_before(slices, until))?;
        match moved {
            Moved::Bytes(0) => return Err(ErrorKind::WriteZero.into()),
            Moved::Bytes(n) if n > from.remaining() => return Err(ErrorKind::InvalidData.into()),
            Moved::Bytes(n) => from.advance(n),
            Moved::Deadline => {}
        }
        Ok(moved)
    }

    /// Flushes what the stream has held back; gives whether that was done in time.
    pub(super) fn flush(&mut self, deadline: Option<Timestamp>) -> io::Result<bool> {
        let moved = self.before(deadline, |stream, until| {
            stream.flush_before(until).map(|()| 0)
        })?;
        Ok(moved != Moved::Deadline)
    }

    /// Flushes, then reads once: for handshakes, which write and read in turn.
    #[cfg(feature = "handshake")]
    pub(super) fn flush_and_read(
        &mut self,
        rx: &mut ReceiveBuffer,
        deadline: Option<Timestamp>,
    ) -> io::Result<Moved> {
        if self.flush(deadline)? {
            self.read(rx, READ_SIZE, deadline)
        } else {
            Ok(Moved::Deadline)
        }
    }

    /// Ends our direction; gives whether that was done in time.
    pub(super) fn shut_down(&mut self, deadline: Option<Timestamp>) -> io::Result<bool> {
        let moved = self.before(deadline, |stream, until| {
            stream.shutdown_write(until).map(|()| 0)
        })?;
        Ok(moved != Moved::Deadline)
    }

    /// Tells a deadline from a time-out of the stream's own.
    fn before(
        &mut self,
        deadline: Option<Timestamp>,
        go: impl FnOnce(&mut S, Option<Instant>) -> io::Result<usize>,
    ) -> io::Result<Moved> {
        let until = deadline.and_then(|deadline| self.instant(deadline));
        match go(&mut self.stream, until) {
            Err(error)
                if is_blocked(&error)
                    && deadline
                        .is_some_and(|deadline| self.now().saturating_add(SLACK) >= deadline) =>
            {
                Ok(Moved::Deadline)
            }
            result => result.map(Moved::Bytes),
        }
    }
}
