//! The two halves of a WebSocket.

use alloc::boxed::Box;
use alloc::sync::Arc;
use core::fmt;
use core::future::{Future, poll_fn};
use core::ops::DerefMut;
use std::sync::{Mutex, MutexGuard, PoisonError};

use super::super::error::Error;
use super::commands::{self, Sender};
use super::end::End;
use super::prepared;
use super::stream::poll_message;
use super::transport::Transport;
use super::websocket::WebSocket;
use crate::buffer::ReceiveBuffer;
use crate::close::CloseFrame;
use crate::connection::{Connection, Prepared};
use crate::message::{Chunk, Data, Event, Message};

/// The half of a WebSocket that receives.
///
/// It also writes what is queued when it waits: pongs, answers to Close frames, keep-alive pings.
/// See [`WebSocket`] for cancel safety, which is the same here.
pub struct ReceiveHalf<T: Transport> {
    pub(super) shared: Shared<T>,
    pub(super) rx: ReceiveBuffer,
    pub(super) has_failed: bool,
}

/// The half of a WebSocket that sends.
///
/// A send that waits for the peer to read does not stop the other half from receiving. See
/// [`WebSocket`] for cancel safety, which is the same here.
pub struct SendHalf<T: Transport> {
    shared: Shared<T>,
}

/// What is held for the time of one poll, and never while waiting.
pub(super) struct Shared<T: Transport>(Arc<Mutex<End<T>>>);

impl<T: Transport> Shared<T> {
    pub(super) fn lock(&self) -> MutexGuard<'_, End<T>> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

pub(super) fn split<T: Transport>(whole: WebSocket<T>) -> (ReceiveHalf<T>, SendHalf<T>) {
    let shared = Arc::new(Mutex::new(whole.end));
    let send = SendHalf {
        shared: Shared(shared.clone()),
    };
    let receive = ReceiveHalf {
        shared: Shared(shared),
        rx: whole.rx,
        has_failed: whole.has_failed,
    };
    (receive, send)
}

impl<T: Transport> ReceiveHalf<T> {
    /// Waits for the next message, owned: [`WebSocket::recv`].
    ///
    /// # Errors
    /// The stream's, the peer's violation, or an end without a closing handshake.
    pub async fn recv(&mut self) -> Result<Option<Message>, Error> {
        poll_fn(|cx| poll_message(&mut self.shared.lock(), &mut self.rx, cx)).await
    }

    /// Waits for the next event, lent from the buffer: [`WebSocket::recv_event`].
    ///
    /// # Errors
    /// As for [`recv`](Self::recv).
    pub async fn recv_event(&mut self) -> Result<Option<Event<'_>>, Error> {
        match poll_fn(|cx| self.shared.lock().poll_ready(cx, &mut self.rx)).await {
            Some(ready) => ready?,
            None => return Ok(None),
        }
        let lent = {
            let mut end = self.shared.lock();
            let lent = end.connection.lend(&mut self.rx);
            if let Ok(Some(event)) = &lent {
                end.on_event(event);
            }
            lent
        };
        match lent {
            Ok(event) => Ok(event),
            Err(error) => {
                poll_fn(|cx| self.shared.lock().poll_finish(cx)).await;
                Err(error.into())
            }
        }
    }

    /// The engine: its state, outcome and round-trip time. The other half waits meanwhile.
    pub fn with_connection<R>(&self, look: impl FnOnce(&Connection) -> R) -> R {
        look(&self.shared.lock().connection)
    }

    /// The whole again, from two halves of one.
    ///
    /// # Errors
    /// Gives both back if they are not of one WebSocket.
    pub fn reunite(self, send: SendHalf<T>) -> Result<WebSocket<T>, ReuniteError<T>> {
        let Self {
            shared: Shared(shared),
            rx,
            has_failed,
        } = self;
        let (receive, send) = if Arc::ptr_eq(&shared, &send.shared.0) {
            drop(shared);
            match Arc::try_unwrap(send.shared.0) {
                Ok(end) => {
                    let end = end.into_inner().unwrap_or_else(PoisonError::into_inner);
                    let mut whole = WebSocket::from_end(end, rx);
                    whole.has_failed = has_failed;
                    return Ok(whole);
                }
                // There are but two, and both are here.
                Err(shared) => (shared.clone(), shared),
            }
        } else {
            (shared, send.shared.0)
        };
        let receive = Self {
            shared: Shared(receive),
            rx,
            has_failed,
        };
        let send = SendHalf {
            shared: Shared(send),
        };
        Err(ReuniteError(Box::new((receive, send))))
    }
}

impl<T: Transport> SendHalf<T> {
    commands::methods!();
    prepared::methods!();

    /// Whether messages begun from here on are compressed, if that was negotiated:
    /// [`Connection::set_compression`].
    #[cfg(feature = "deflate")]
    pub fn set_compression(&mut self, on: bool) {
        self.shared.lock().connection.set_compression(on);
    }

    /// The engine: to see how much is queued, say, or to queue a copy of what is borrowed without a
    /// flush, with [`Connection::send_text`]. The other half waits meanwhile; what is queued leaves with
    /// the next [`flush`](Self::flush).
    pub fn with_connection<R>(&mut self, f: impl FnOnce(&mut Connection) -> R) -> R {
        f(&mut self.shared.lock().connection)
    }

    /// The whole again, from two halves of one: [`ReceiveHalf::reunite`].
    ///
    /// # Errors
    /// Gives both back if they are not of one WebSocket.
    pub fn reunite(self, receive: ReceiveHalf<T>) -> Result<WebSocket<T>, ReuniteError<T>> {
        receive.reunite(self)
    }
}

impl<T: Transport> Sender for SendHalf<T> {
    type Transport = T;

    fn end(&mut self) -> impl DerefMut<Target = End<T>> {
        self.shared.lock()
    }
}

impl<T: Transport> fmt::Debug for ReceiveHalf<T> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("ReceiveHalf").finish_non_exhaustive()
    }
}

impl<T: Transport> fmt::Debug for SendHalf<T> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("SendHalf").finish_non_exhaustive()
    }
}

/// Two halves that are not of one WebSocket.
pub struct ReuniteError<T: Transport>(Box<(ReceiveHalf<T>, SendHalf<T>)>);

impl<T: Transport> ReuniteError<T> {
    /// Both halves, as they were.
    pub fn into_halves(self) -> (ReceiveHalf<T>, SendHalf<T>) {
        *self.0
    }
}

impl<T: Transport> fmt::Debug for ReuniteError<T> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("ReuniteError").finish_non_exhaustive()
    }
}

impl<T: Transport> fmt::Display for ReuniteError<T> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("the halves are not of one WebSocket")
    }
}

impl<T: Transport> std::error::Error for ReuniteError<T> {}
