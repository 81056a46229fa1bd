//! Sending: one message, from wherever it is, and all that waits before it.

use core::task::{Context, Poll, ready};
use std::io;

use bytes::{Buf, Bytes};

use super::super::error::Error;
use super::commands::taken;
use super::end::End;
use super::spare;
use super::transport::Transport;
use super::wakers::Role;
use crate::connection::{Connection, Lent, State};
use crate::error::SendError;
use crate::message::{Data, Message};

impl<T: Transport> End<T> {
    /// Waits until all that is queued has been written and flushed.
    pub(super) fn poll_flush(&mut self, cx: &mut Context<'_>) -> Poll<Result<(), Error>> {
        let mut is_registered = false;
        loop {
            self.handle_timeout();
            if let Poll::Ready(result) = self.poll_transmit(Role::Send) {
                return Poll::Ready(Ok(result?));
            }
            // Mostly there is nothing to wait for, and no need to register; if there is, what could
            // have been missed meanwhile is looked at again.
            if !is_registered {
                self.wakers.register(Role::Send, cx);
                self.heed();
                is_registered = true;
            } else if !self.poll_deadline() {
                return Poll::Pending;
            }
        }
    }

    /// Waits until a command has been taken: it gives `false` as long as there is no room.
    pub(super) fn poll_command(
        &mut self,
        cx: &mut Context<'_>,
        mut command: impl FnMut(&mut Connection) -> Result<bool, Error>,
    ) -> Poll<Result<(), Error>> {
        loop {
            match command(&mut self.connection) {
                Ok(true) => return Poll::Ready(Ok(())),
                Ok(false) => {}
                Err(error) => return self.refuse(error),
            }
            let queued = self.connection.queued();
            match self.poll_flush(cx) {
                Poll::Ready(result) => result?,
                Poll::Pending if self.connection.queued() < queued => {}
                // A deadline has closed it: there will be no room any more.
                Poll::Pending if self.connection.state() != State::Open => {}
                Poll::Pending => return Poll::Pending,
            }
        }
    }

    /// Nothing more can be sent, but the answer to the peer's Close frame may wait.
    fn refuse(&mut self, error: Error) -> Poll<Result<(), Error>> {
        let _ = self.poll_transmit(Role::Send);
        Poll::Ready(Err(error))
    }

    /// Waits until the message has been taken out of its place.
    pub(super) fn poll_feed(
        &mut self,
        cx: &mut Context<'_>,
        message: &mut Option<Message>,
    ) -> Poll<Result<(), Error>> {
        if let Some(message) = message {
            spare::fill_queue(&mut self.connection, message.len());
        }
        let result = self.poll_command(cx, |connection| taken(connection.send_from(message)));
        result.map_err(|error| match (error, message.take()) {
            (Error::Command(error), Some(message)) => error.map(|()| message).into(),
            (error, _) => error,
        })
    }

    /// Waits until a message has been taken out of its place, and all has been written and flushed.
    #[inline(always)]
    pub(super) fn poll_send(
        &mut self,
        cx: &mut Context<'_>,
        message: &mut Option<Message>,
    ) -> Poll<Result<(), Error>> {
        self.handle_timeout();
        if let (Some(owned), None) = (&*message, self.broken) {
            spare::fill_queue(&mut self.connection, owned.len());
            let result = match self.connection.queue_or_keep(message) {
                Ok(None) => self.write_queue(Role::Send),
                Ok(Some(payload)) => self.write_owned(payload),
                // For those below to find out.
                Err(_) => Poll::Pending,
            };
            if let Poll::Ready(result) = result {
                return Poll::Ready(Ok(result?));
            }
        }
        self.go_on_with_owned(cx, message)
    }

    #[cold]
    fn go_on_with_owned(
        &mut self,
        cx: &mut Context<'_>,
        message: &mut Option<Message>,
    ) -> Poll<Result<(), Error>> {
        ready!(self.poll_feed(cx, message))?;
        self.poll_flush(cx)
    }

    /// Writes the queue, and behind it a payload.
    #[inline(never)]
    fn write_owned(&mut self, payload: Bytes) -> Poll<io::Result<()>> {
        let mut cx = Context::from_waker(&self.waker);
        let mut transmit = self.connection.transmit_owned(payload);
        let (result, has_moved) = self.io.poll_write_all(&mut cx, &mut transmit);
        drop(transmit);
        self.on_transmitted(Role::Send, result, has_moved)
    }

    /// Waits until a message that is lent has been taken, and all has been written and flushed.
    #[inline(always)]
    pub(super) fn poll_send_lent(
        &mut self,
        cx: &mut Context<'_>,
        message: &mut Option<Data<'_>>,
    ) -> Poll<Result<(), Error>> {
        let Some(lent) = *message else {
            return self.poll_flush(cx);
        };
        self.handle_timeout();
        match self.start_lent(lent) {
            Ok(Poll::Ready(Ok(()))) => {
                *message = None;
                Poll::Ready(Ok(()))
            }
            other => self.go_on_with_lent(cx, message, other),
        }
    }

    #[cold]
    fn go_on_with_lent(
        &mut self,
        cx: &mut Context<'_>,
        message: &mut Option<Data<'_>>,
        mut started: Result<Poll<io::Result<()>>, SendError>,
    ) -> Poll<Result<(), Error>> {
        while let Some(lent) = *message {
            match started {
                Ok(flushed) => {
                    *message = None;
                    if let Poll::Ready(result) = flushed {
                        return Poll::Ready(Ok(result?));
                    }
                    break;
                }
                Err(SendError::Full(())) => {
                    let len = lent.as_bytes().len();
                    ready!(self.poll_command(cx, |connection| taken(connection.may_queue(len))))?;
                }
                Err(error) => return self.refuse(error.into()),
            }
            self.handle_timeout();
            started = self.start_lent(lent);
        }
        self.poll_flush(cx)
    }

    /// Writes what is queued and a message, from where it is; what the stream does not take is queued.
    #[inline(always)]
    fn start_lent(&mut self, message: Data<'_>) -> Result<Poll<io::Result<()>>, SendError> {
        if let Some(kind) = self.broken {
            self.connection.may_queue(0)?;
            return Ok(Poll::Ready(Err(kind.into())));
        }
        spare::fill_queue(&mut self.connection, message.as_bytes().len());
        match self.connection.queue_or_lend(message)? {
            Lent::Nothing => Ok(self.write_queue(Role::Send)),
            lent => Ok(self.write_lent(message, lent)),
        }
    }

    /// Writes the queue, and behind it what is lent.
    #[inline(never)]
    fn write_lent(&mut self, message: Data<'_>, lent: Lent) -> Poll<io::Result<()>> {
        let mut cx = Context::from_waker(&self.waker);
        let mut transmit = self.connection.transmit_lent(message, lent);
        let (result, has_moved) = self.io.poll_write_all(&mut cx, &mut transmit);
        if let Poll::Ready(Err(_)) = result {
            // Nothing more will leave, so that there is no use in a copy.
            transmit.advance(usize::MAX);
        }
        drop(transmit);
        self.on_transmitted(Role::Send, result, has_moved)
    }
}
