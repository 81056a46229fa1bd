//! The poll loop: flush, receive, handle the time-outs, read.
//!
//! All state is the engine's, so that whatever polls may stop at any point and poll again later.

use alloc::sync::Arc;
use core::task::{Context, Poll, Waker, ready};
use std::io::{self, ErrorKind};

use bytes::Buf;

use super::super::READ_SIZE;
use super::super::error::{Error, ended};
use super::io::Io;
use super::spare;
use super::transport::Transport;
use super::wakers::{Role, Wakers};
use crate::buffer::ReceiveBuffer;
use crate::close::CloseOutcome;
use crate::connection::{Connection, State, Whole};
#[cfg(feature = "deflate")]
use {crate::time::Timestamp, core::time::Duration};

/// After so long without a byte, a compressor without context is given back.
#[cfg(feature = "deflate")]
const PAUSE: Duration = Duration::from_secs(1);

/// All but the receive buffer, which events are lent from.
pub(in super::super) struct End<T: Transport> {
    pub(super) io: Io<T>,
    pub(super) connection: Connection,
    pub(super) wakers: Arc<Wakers>,
    /// Wakes both roles.
    pub(super) waker: Waker,
    is_shut_down: bool,
    /// Somebody receives, so that what the peer sends is seen.
    pub(super) is_receiving: bool,
    /// Who waits to send has been told that the connection ends.
    is_ending: bool,
    /// Bytes that were queued can no longer leave: a frame may be cut short, so nothing may follow.
    pub(super) broken: Option<ErrorKind>,
    /// When to give back compressors, unless bytes move before.
    #[cfg(feature = "deflate")]
    pause: Option<Timestamp>,
}

impl<T: Transport> End<T> {
    pub(super) fn new(io: Io<T>, connection: Connection) -> Self {
        let wakers = Arc::new(Wakers::default());
        Self {
            io,
            connection,
            waker: wakers.clone().into(),
            wakers,
            is_shut_down: false,
            is_receiving: false,
            is_ending: false,
            broken: None,
            #[cfg(feature = "deflate")]
            pause: None,
        }
    }

    /// The short path: a whole message that has come, when nothing is to be done before it.
    #[inline(always)]
    pub(super) fn whole(&mut self, rx: &ReceiveBuffer) -> Option<Whole> {
        if self.connection.has_pong() || self.is_refusing() {
            return None;
        }
        self.connection.whole(rx)
    }

    /// Waits until there is an event to lend, or the connection has ended: none.
    #[inline(always)]
    pub(super) fn poll_event(
        &mut self,
        cx: &mut Context<'_>,
        rx: &mut ReceiveBuffer,
    ) -> Poll<Option<Result<(), Error>>> {
        let mut needs_more = false;
        if !self.connection.has_pong() {
            match self.connection.ready(rx) {
                Ok(true) => return Poll::Ready(Some(Ok(()))),
                // An error comes again.
                looked => needs_more = looked.is_ok(),
            }
        }
        self.is_receiving = true;
        loop {
            if self.connection.has_pong() {
                self.wakers.register(Role::Receive, cx);
                let _ = self.poll_transmit(Role::Receive);
            }
            if !core::mem::take(&mut needs_more) {
                match self.connection.ready(rx) {
                    Ok(true) => return Poll::Ready(Some(Ok(()))),
                    Ok(false) => {}
                    Err(error) => {
                        spare::discard(rx);
                        ready!(self.poll_finish(cx));
                        return Poll::Ready(Some(Err(error.into())));
                    }
                }
            }
            // With nothing else to do, nobody but the stream could wake, until there is nothing to read.
            let size = self.connection.read_hint(rx, READ_SIZE);
            let only_reads = self.only_reads();
            let read = only_reads.then(|| self.io.poll_read(cx, rx, size));
            let read = match read {
                Some(Poll::Ready(read)) => Poll::Ready(read),
                tried => {
                    self.wakers.register(Role::Receive, cx);
                    // Nothing more has come: what is queued leaves now, many frames in one write. If
                    // the stream fails at that, what has come before may still be read.
                    self.handle_timeout();
                    let _ = self.poll_transmit(Role::Receive);
                    if self.connection.outcome().is_some() {
                        spare::discard(rx);
                        ready!(self.poll_finish(cx));
                        return Poll::Ready(ended(self.connection.outcome()).err().map(Err));
                    }
                    if self.poll_deadline() {
                        continue;
                    }
                    tried.unwrap_or_else(|| self.io.poll_read(cx, rx, size))
                }
            };
            match ready!(read) {
                Ok(0) => self.on_end(ErrorKind::BrokenPipe),
                Ok(_) => self.on_moved(),
                Err(error) => {
                    self.on_end(error.kind());
                    self.wakers.wake(Role::Send);
                    return Poll::Ready(Some(Err(error.into())));
                }
            }
        }
    }

    /// Whether there is nothing to write, no deadline to watch, and no end to bring about.
    fn only_reads(&self) -> bool {
        #[cfg(feature = "deflate")]
        if self.connection.has_spare_codec() {
            return false;
        }
        self.connection.queued() == 0
            && !self.io.is_dirty
            && self.connection.state() == State::Open
            && self.connection.poll_timeout().is_none()
    }

    /// Ends the stream: what is queued leaves, our direction is shut down, and what still comes is
    /// dropped until the peer has ended its own, or the deadline has come.
    pub(super) fn poll_finish(&mut self, cx: &mut Context<'_>) -> Poll<()> {
        self.wakers.register(Role::Receive, cx);
        // Whoever waits to send has nothing to wait for. Told at each poll, a task that does both
        // would never rest.
        if !self.is_ending {
            self.is_ending = true;
            self.wakers.wake(Role::Send);
        }
        let mut dropped = ReceiveBuffer::new();
        loop {
            self.handle_timeout();
            if let Poll::Ready(Err(_)) = self.poll_transmit(Role::Receive) {
                self.connection.receive_eof();
            }
            if self.connection.wants_shutdown() && !self.is_shut_down {
                // The stream is given up all the same if this fails.
                let mut cx = Context::from_waker(&self.waker);
                self.is_shut_down = self.io.transport.poll_shutdown(&mut cx).is_ready();
            }
            // Not every stream can end one direction alone, so that the client may wait for this one
            // to be dropped. Behind its Close frame nothing comes that could take ours with it.
            let outcome = self.connection.outcome();
            if self.is_shut_down && outcome.is_some_and(CloseOutcome::is_clean) {
                self.connection.receive_eof();
            }
            if self.connection.state() == State::Closed {
                self.tell_end();
                self.wakers.wake(Role::Send);
                return Poll::Ready(());
            }
            if self.poll_deadline() {
                continue;
            }
            if !self.connection.wants_read() {
                return Poll::Pending;
            }
            match ready!(self.io.poll_read(cx, &mut dropped, READ_SIZE)) {
                Ok(0) | Err(_) => self.connection.receive_eof(),
                Ok(_) => spare::discard(&mut dropped),
            }
        }
    }

    /// Writes what is queued, as much as the stream takes.
    pub(super) fn poll_transmit(&mut self, role: Role) -> Poll<io::Result<()>> {
        match self.broken {
            Some(kind) => self.on_transmitted(role, Poll::Ready(Err(kind.into())), false),
            None => self.write_queue(role),
        }
    }

    #[inline(always)]
    pub(super) fn write_queue(&mut self, role: Role) -> Poll<io::Result<()>> {
        let mut cx = Context::from_waker(&self.waker);
        let mut transmit = self.connection.transmit();
        let (result, has_moved) = self.io.poll_write_all(&mut cx, &mut transmit);
        self.on_transmitted(role, result, has_moved)
    }

    #[inline(always)]
    pub(super) fn on_transmitted(
        &mut self,
        role: Role,
        mut result: Poll<io::Result<()>>,
        mut has_moved: bool,
    ) -> Poll<io::Result<()>> {
        if !matches!(result, Poll::Ready(Ok(()))) {
            has_moved |= self.on_stopped(&mut result);
        }
        spare::drain_queue(&mut self.connection);
        // Whom the other role's writes concern: one that waits for room, for the flush, or to shut
        // down.
        if has_moved {
            self.on_moved();
            // A pong may have come that nobody reads while this goes on.
            if !self.is_receiving {
                self.connection.on_taken();
            }
            match role {
                Role::Receive => self.wakers.wake(Role::Send),
                Role::Send if self.connection.state() != State::Open => {
                    self.wakers.wake(Role::Receive);
                }
                Role::Send => {}
            }
        }
        result
    }

    /// The stream takes no more, now or for ever; gives whether that has emptied the queue.
    #[cold]
    fn on_stopped(&mut self, result: &mut Poll<io::Result<()>>) -> bool {
        if let Poll::Ready(Err(error)) = result {
            self.broken.get_or_insert(error.kind());
            let has_moved = self.connection.queued() > 0;
            // A pong that waited for another to leave comes behind it.
            while self.connection.queued() > 0 {
                self.connection.transmit().advance(usize::MAX);
            }
            return has_moved;
        }
        if self.connection.state() == State::Closed {
            *result = Poll::Ready(Err(ErrorKind::TimedOut.into()));
        }
        false
    }

    /// The stream gives no more bytes.
    fn on_end(&mut self, kind: ErrorKind) {
        let queued = self.connection.queued();
        self.connection.receive_eof();
        if self.connection.queued() < queued {
            self.broken.get_or_insert(kind);
        }
    }

    pub(super) fn handle_timeout(&mut self) {
        // Without a deadline there is no need to know the time.
        if self.connection.poll_timeout().is_some() {
            self.connection.handle_timeout(self.io.now());
        }
    }

    /// Gives back what a waiting connection does not need, and watches the next deadline; gives
    /// whether it has come.
    pub(super) fn poll_deadline(&mut self) -> bool {
        spare::release_queue(&mut self.connection);
        let deadline = self.connection.poll_timeout();
        #[cfg(feature = "deflate")]
        let deadline = self.with_pause(deadline);
        let mut cx = Context::from_waker(&self.waker);
        self.io.has_come(&mut cx, deadline)
    }

    /// Compressors are large, and take a while to make: a pause decides whether to keep one.
    #[cfg(feature = "deflate")]
    fn with_pause(&mut self, deadline: Option<Timestamp>) -> Option<Timestamp> {
        if !self.connection.has_spare_codec() {
            return deadline;
        }
        let now = self.io.now();
        let pause = *self.pause.get_or_insert(now.saturating_add(PAUSE));
        if pause <= now {
            self.pause = None;
            self.connection.release();
            return deadline;
        }
        Some(deadline.map_or(pause, |deadline| deadline.min(pause)))
    }

    /// Bytes have come or left.
    fn on_moved(&mut self) {
        #[cfg(feature = "deflate")]
        {
            self.pause = None;
        }
    }
}
