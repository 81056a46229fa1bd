//! Reads and writes that a deadline ends.

use core::time::Duration;
use std::io::{self, ErrorKind, IoSlice};
use std::time::Instant;

use bytes::Buf;

use super::super::SLICES;
use super::super::error::is_blocked;
use super::transport::Transport;
use crate::buffer::ReceiveBuffer;
use crate::time::Timestamp;

/// A time-out of the system may end this much before the deadline it was made for.
const SLACK: Duration = Duration::from_millis(2);

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
        let timeouts = (
            S::read_timeout as GetTimeout<S>,
            S::set_read_timeout as SetTimeout<S>,
        );
        let moved = self.before(deadline, timeouts, |stream| stream.read(room))?;
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
        let timeouts = (
            S::write_timeout as GetTimeout<S>,
            S::set_write_timeout as SetTimeout<S>,
        );
        let moved = self.before(deadline, timeouts, |stream| {
            let mut slices = [IoSlice::new(&[]); SLICES];
            match from.chunks_vectored(&mut slices) {
                0 | 1 => stream.write(from.chunk()),
                count => stream.write_vectored(slices.get(..count).unwrap_or_default()),
            }
        })?;
        match moved {
            Moved::Bytes(0) => return Err(ErrorKind::WriteZero.into()),
            Moved::Bytes(n) if n > from.remaining() => return Err(ErrorKind::InvalidData.into()),
            Moved::Bytes(n) => from.advance(n),
            Moved::Deadline => {}
        }
        Ok(moved)
    }

    /// Moves bytes, with the stream's own time-out or until the deadline, whichever comes first.
    fn before(
        &mut self,
        deadline: Option<Timestamp>,
        (get, set): (GetTimeout<S>, SetTimeout<S>),
        mut go: impl FnMut(&mut S) -> io::Result<usize>,
    ) -> io::Result<Moved> {
        let mut go = |stream: &mut S| loop {
            match go(stream) {
                Err(error) if error.kind() == ErrorKind::Interrupted => {}
                result => return result,
            }
        };
        let Some(deadline) = deadline else {
            return go(&mut self.stream).map(Moved::Bytes);
        };
        let left = deadline.saturating_since(self.now());
        if left.is_zero() {
            return Ok(Moved::Deadline);
        }
        let own = get(&self.stream)?;
        let result = if own.is_some_and(|own| own <= left) {
            go(&mut self.stream)
        } else {
            set(&self.stream, Some(left.max(SLACK)))?;
            let result = go(&mut self.stream);
            let restored = set(&self.stream, own);
            // What has moved has moved, whatever became of the time-out.
            match result {
                Ok(n) => Ok(n),
                Err(error) => restored.and(Err(error)),
            }
        };
        match result {
            Err(error) if is_blocked(&error) && self.now().saturating_add(SLACK) >= deadline => {
                Ok(Moved::Deadline)
            }
            result => result.map(Moved::Bytes),
        }
    }
}

type GetTimeout<S> = fn(&S) -> io::Result<Option<Duration>>;
type SetTimeout<S> = fn(&S, Option<Duration>) -> io::Result<()>;
