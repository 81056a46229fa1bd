//! What the policies decide, done: connect, wait, send what waits, receive.
//!
//! All state is the client's, so that whoever polls may stop at any point and poll again later.

use alloc::boxed::Box;
use core::future::poll_fn;
use core::pin::Pin;
use core::task::{Context, Poll, ready};

use ::tokio::io::{AsyncRead, AsyncWrite};
use ::tokio::time::sleep_until;
use futures_core::Stream;

use super::{Attempt, ClientEvent, ReconnectingClient};
use crate::close::{CloseOutcome, Timeout};
use crate::connection::Connection;
use crate::error::SendError;
use crate::message::Message;
use crate::policy::{Beat, Ended, ReconnectState};
use crate::time::Timestamp;

impl<I: PartialEq, S: AsyncRead + AsyncWrite + Unpin> ReconnectingClient<I, S> {
    /// Waits for the next message or change of state. `None` is the end: the client is
    /// [disconnected](ReconnectState::Disconnected), until it is [started](Self::start) again.
    ///
    /// # Cancel safety
    /// Call it again: no event is lost.
    pub async fn recv(&mut self) -> Option<ClientEvent> {
        poll_fn(|cx| self.poll_recv(cx)).await
    }

    pub(super) fn poll_recv(&mut self, cx: &mut Context<'_>) -> Poll<Option<ClientEvent>> {
        self.receiver = None;
        loop {
            // What the application does about a change comes before all that follows from it.
            if let Some(state) = self.reconnect.poll_event() {
                return Poll::Ready(Some(ClientEvent::State(state)));
            }
            let done = match self.reconnect.state() {
                ReconnectState::Connecting { attempt, refresh } => {
                    let number = attempt;
                    self.poll_connecting(Attempt { number, refresh }, cx)
                        .map(|()| None)
                }
                ReconnectState::Online => self.poll_online(cx),
                ReconnectState::Reconnecting { at, .. } => self.poll_until(at, cx).map(|()| {
                    self.reconnect.handle_timeout(self.now());
                    None
                }),
                ReconnectState::Offline => Poll::Pending,
                ReconnectState::Disconnected(_) => return Poll::Ready(None),
            };
            match done {
                Poll::Ready(None) => {}
                Poll::Ready(Some(message)) => {
                    return Poll::Ready(Some(ClientEvent::Message(message)));
                }
                Poll::Pending => {
                    self.receiver = Some(cx.waker().clone());
                    return Poll::Pending;
                }
            }
        }
    }

    fn poll_connecting(&mut self, attempt: Attempt, cx: &mut Context<'_>) -> Poll<()> {
        let connecting = self
            .connecting
            .get_or_insert_with(|| (self.connect)(attempt));
        let result = ready!(connecting.as_mut().poll(cx));
        self.connecting = None;
        let now = self.now();
        match result {
            Ok(websocket) => {
                self.websocket = Some(websocket);
                if let Some(heartbeat) = &mut self.heartbeat {
                    heartbeat.reset();
                }
                self.reconnect.connected(now);
            }
            Err(error) => {
                self.reconnect.ended(Ended::from(&error), now);
                self.connect_error = Some(error);
                self.wake_sender();
            }
        }
        Poll::Ready(())
    }

    /// Waits for a message, or for the end of the connection: for `None`, look at the state again.
    fn poll_online(&mut self, cx: &mut Context<'_>) -> Poll<Option<Message>> {
        loop {
            let now = self.now();
            self.outbox.handle_timeout(now);
            if self.beat(now) == Some(Beat::GiveUp) {
                self.on_ended(CloseOutcome::TimedOut(Timeout::Pong));
                return Poll::Ready(None);
            }
            self.pump(now);
            let Some(websocket) = &mut self.websocket else {
                self.on_ended(CloseOutcome::Lost);
                return Poll::Ready(None);
            };
            match Pin::new(&mut *websocket).poll_next(cx) {
                Poll::Ready(Some(Ok(message))) => {
                    if !self.is_answer(&message) {
                        return Poll::Ready(Some(message));
                    }
                }
                Poll::Ready(Some(Err(_)) | None) => {
                    let outcome = websocket.connection().outcome().cloned();
                    self.on_ended(outcome.unwrap_or(CloseOutcome::Lost));
                    return Poll::Ready(None);
                }
                Poll::Pending => {
                    // What has left made room for more.
                    if self.pump(now) {
                        continue;
                    }
                    let deadline = [self.outbox.poll_timeout(), self.next_beat()];
                    match deadline.into_iter().flatten().min() {
                        Some(at) => ready!(self.poll_until(at, cx)),
                        None => return Poll::Pending,
                    }
                }
            }
        }
    }

    /// Gives the connection what waits, as long as it has room, and what to close with behind that.
    /// Gives whether it has taken anything.
    fn pump(&mut self, now: Timestamp) -> bool {
        let Some(websocket) = &mut self.websocket else {
            return false;
        };
        let connection = websocket.connection_mut();
        let mut has_taken = false;
        if let Some(beat) = &self.beat {
            if put(connection, beat).is_err() {
                return false;
            }
            self.beat = None;
            has_taken = true;
        }
        while let Some(message) = self.outbox.next() {
            if put(connection, message).is_err() {
                break;
            }
            self.outbox.on_sent(now);
            has_taken = true;
        }
        if let (Some(frame), None) = (&self.closing, self.outbox.next()) {
            // One that closes already has its frame.
            has_taken |= connection.close(frame.clone()).is_ok();
        }
        if has_taken {
            self.wake_sender();
        }
        has_taken
    }

    /// What the heartbeat asks for; a message is put in its place.
    fn beat(&mut self, now: Timestamp) -> Option<Beat> {
        let due = self.heartbeat.as_mut()?.handle_timeout(now);
        match due {
            Some(Beat::Send(message)) => {
                self.beat = Some(message);
                None
            }
            due => due,
        }
    }

    fn is_answer(&mut self, message: &Message) -> bool {
        let heartbeat = self.heartbeat.as_mut();
        heartbeat.is_some_and(|heartbeat| heartbeat.on_received(message))
    }

    fn next_beat(&self) -> Option<Timestamp> {
        Some(self.heartbeat.as_ref()?.poll_timeout())
    }

    fn on_ended(&mut self, outcome: CloseOutcome) {
        let why = Ended::from(&outcome);
        self.drop_websocket(outcome);
        if self.closing.take().is_some() {
            self.reconnect.stop();
        } else {
            self.reconnect.ended(why, self.now());
        }
    }

    pub(super) fn drop_websocket(&mut self, outcome: CloseOutcome) {
        if self.websocket.take().is_some() {
            self.outcome = Some(outcome);
        }
        self.beat = None;
        self.outbox.on_disconnected();
        self.wake_sender();
    }

    fn now(&self) -> Timestamp {
        self.epoch.elapsed().into()
    }

    /// Waits until `at`.
    fn poll_until(&mut self, at: Timestamp, cx: &mut Context<'_>) -> Poll<()> {
        if at <= self.now() {
            return Poll::Ready(());
        }
        let Some(at) = self.epoch.checked_add(at.since_epoch()) else {
            return Poll::Pending;
        };
        let sleep = self.sleep.get_or_insert_with(|| Box::pin(sleep_until(at)));
        if sleep.deadline() != at {
            sleep.as_mut().reset(at);
        }
        sleep.as_mut().poll(cx)
    }
}

fn put(connection: &mut Connection, message: &Message) -> Result<(), SendError> {
    match message {
        Message::Text(text) => connection.send_text(text),
        Message::Binary(data) => connection.send_binary(data),
    }
}
