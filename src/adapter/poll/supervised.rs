//! Another's say in a connection. For a transport without a supervisor all of it comes to nothing.

use core::task::{Context, Poll, ready};

use super::super::error::Error;
use super::end::End;
use super::transport::Transport;
use super::wakers::Role;
use crate::buffer::ReceiveBuffer;
use crate::message::Event;

impl<T: Transport> End<T> {
    /// Waits until there is an event to lend, or the connection has ended: none.
    #[cold]
    pub(super) fn poll_ready(
        &mut self,
        cx: &mut Context<'_>,
        rx: &mut ReceiveBuffer,
    ) -> Poll<Option<Result<(), Error>>> {
        match self.io.transport.supervisor() {
            None => self.poll_event(cx, rx),
            Some(_) => self.poll_supervised(cx, rx),
        }
    }

    /// The same, if the supervisor lets it.
    fn poll_supervised(
        &mut self,
        cx: &mut Context<'_>,
        rx: &mut ReceiveBuffer,
    ) -> Poll<Option<Result<(), Error>>> {
        // A Close frame may be wished for while there is nothing but the stream to wait for.
        self.wakers.register(Role::Receive, cx);
        loop {
            self.heed();
            let ready = ready!(self.poll_event(cx, rx));
            if !(self.is_refusing() && matches!(ready, Some(Ok(())))) {
                return Poll::Ready(ready);
            }
            // An error comes again.
            let _ = self.connection.lend(rx);
        }
    }

    /// Closes the connection if the supervisor wants that.
    pub(super) fn heed(&mut self) {
        let mut cx = Context::from_waker(&self.waker);
        let Some(supervisor) = self.io.transport.supervisor() else {
            return;
        };
        if let Poll::Ready(frame) = supervisor.poll_close(&mut cx) {
            // Unless it is closing already.
            let _ = self.connection.close(Some(frame));
            self.wakers.wake(Role::Send);
        }
    }

    #[inline(always)]
    pub(super) fn is_refusing(&mut self) -> bool {
        let supervisor = self.io.transport.supervisor();
        supervisor.is_some_and(|supervisor| supervisor.is_refusing())
    }

    /// An event is being delivered.
    #[inline(always)]
    pub(super) fn on_event(&mut self, event: &Event<'_>) {
        let Some(supervisor) = self.io.transport.supervisor() else {
            return;
        };
        match event {
            Event::Text(text) => supervisor.on_received(text.len(), true),
            Event::Binary(data) => supervisor.on_received(data.len(), true),
            Event::Chunk(chunk) => supervisor.on_received(chunk.data.as_bytes().len(), chunk.last),
            _ => {}
        }
    }

    /// The connection has ended.
    pub(super) fn tell_end(&mut self) {
        if let Some(supervisor) = self.io.transport.supervisor() {
            if let Some(outcome) = self.connection.outcome() {
                supervisor.on_end(outcome);
            }
        }
    }
}
