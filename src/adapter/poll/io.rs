//! Reads, writes and deadlines, one poll at a time.

use alloc::boxed::Box;
use core::future::Future as _;
use core::pin::Pin;
use core::task::{Context, Poll};
use std::io::{self, ErrorKind, IoSlice};
use std::time::Instant;

use bytes::Buf;

use super::super::SLICES;
use super::spare;
use super::transport::Transport;
use crate::buffer::ReceiveBuffer;
use crate::time::Timestamp;

/// A transport, and the deadline that its clock watches.
pub(super) struct Io<T: Transport> {
    pub(super) transport: T,
    epoch: Instant,
    sleep: Option<(Timestamp, Pin<Box<T::Sleep>>)>,
    /// Bytes were written since the last flush.
    pub(super) is_dirty: bool,
}

impl<T: Transport> Io<T> {
    pub(super) fn new(transport: T) -> Self {
        Self {
            epoch: transport.now(),
            transport,
            sleep: None,
            is_dirty: false,
        }
    }

    pub(super) fn now(&self) -> Timestamp {
        let since = self.transport.now().saturating_duration_since(self.epoch);
        since.into()
    }

    /// Reads once, up to `size` bytes, into the buffer; none is the end of the stream. A buffer that
    /// stays empty keeps no memory.
    pub(super) fn poll_read(
        &mut self,
        cx: &mut Context<'_>,
        rx: &mut ReceiveBuffer,
        size: usize,
    ) -> Poll<io::Result<usize>> {
        spare::fill(rx);
        let room = rx.spare(size);
        let most = size.clamp(1, room.len().max(1));
        let room = room.get_mut(..most).unwrap_or_default();
        let read = self.transport.poll_read(cx, room);
        if let Poll::Ready(Ok(n)) = read {
            if n > most {
                return Poll::Ready(Err(ErrorKind::InvalidData.into()));
            }
            rx.commit(n);
        }
        spare::drain(rx);
        read
    }

    /// Writes all of `from` and flushes; gives as well whether bytes were written or flushed.
    #[inline(always)]
    pub(super) fn poll_write_all(
        &mut self,
        cx: &mut Context<'_>,
        from: &mut impl Buf,
    ) -> (Poll<io::Result<()>>, bool) {
        let mut has_moved = false;
        while from.has_remaining() {
            let chunk = from.chunk();
            let written = if chunk.len() == from.remaining() {
                self.transport.poll_write(cx, &[IoSlice::new(chunk)])
            } else {
                let mut slices = [IoSlice::new(&[]); SLICES];
                let count = from.chunks_vectored(&mut slices);
                let slices = slices.get(..count).unwrap_or_default();
                self.transport.poll_write(cx, slices)
            };
            let error = match written {
                Poll::Ready(Ok(0)) => ErrorKind::WriteZero.into(),
                Poll::Ready(Ok(n)) if n > from.remaining() => ErrorKind::InvalidData.into(),
                Poll::Ready(Ok(n)) => {
                    from.advance(n);
                    self.is_dirty = true;
                    has_moved = true;
                    continue;
                }
                Poll::Ready(Err(error)) => error,
                Poll::Pending => return (Poll::Pending, has_moved),
            };
            return (Poll::Ready(Err(error)), has_moved);
        }
        if self.is_dirty {
            match self.transport.poll_flush(cx) {
                Poll::Ready(Ok(())) => {}
                stopped => return (stopped, has_moved),
            }
            self.is_dirty = false;
            has_moved = true;
        }
        (Poll::Ready(Ok(())), has_moved)
    }

    /// Whether the deadline has come, or may have; if not, the task is woken when it does.
    pub(super) fn has_come(&mut self, cx: &mut Context<'_>, deadline: Option<Timestamp>) -> bool {
        let Some(deadline) = deadline else {
            self.sleep = None;
            return false;
        };
        if deadline <= self.now() {
            return true;
        }
        // One that is over earlier is left as it is: deadlines move on with each message, and to
        // look again once in a while costs less.
        if self.sleep.as_ref().is_none_or(|(at, _)| *at > deadline) {
            self.sleep = self
                .epoch
                .checked_add(deadline.since_epoch())
                .map(|at| (deadline, Box::pin(self.transport.sleep_until(at))));
        }
        let Some((_, sleep)) = &mut self.sleep else {
            return false;
        };
        let is_over = sleep.as_mut().poll(cx).is_ready();
        if is_over {
            self.sleep = None;
        }
        is_over
    }
}
