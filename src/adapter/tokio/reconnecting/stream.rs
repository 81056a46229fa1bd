//! `Stream` and `Sink`.

use core::pin::Pin;
use core::task::{Context, Poll, ready};

use ::tokio::io::{AsyncRead, AsyncWrite};
use futures_core::Stream;
use futures_sink::Sink;

use super::{ClientEvent, ReconnectingClient};
use crate::close::CloseCode;
use crate::error::SendError;
use crate::message::Message;
use crate::policy::ReconnectState;

/// Nothing in it is pinned where it is.
impl<I, S: AsyncRead + AsyncWrite + Unpin> Unpin for ReconnectingClient<I, S> {}

impl<I: PartialEq, S: AsyncRead + AsyncWrite + Unpin> Stream for ReconnectingClient<I, S> {
    type Item = ClientEvent;

    fn poll_next(self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<Option<ClientEvent>> {
        self.get_mut().poll_recv(cx)
    }
}

/// Sends by way of the outbox, and waits while that has no room; so somebody is to receive meanwhile.
/// What the outbox has taken is kept, so that a flush does not wait for it to leave.
impl<I: PartialEq, S: AsyncRead + AsyncWrite + Unpin> Sink<Message> for ReconnectingClient<I, S> {
    type Error = SendError<Message>;

    fn poll_ready(self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<Result<(), Self::Error>> {
        let this = self.get_mut();
        let Some(message) = this.unqueued.take() else {
            return Poll::Ready(Ok(()));
        };
        match this.send(message) {
            Ok(_) => Poll::Ready(Ok(())),
            Err(error) if this.may_get_room() => {
                this.unqueued = Some(error.into_message());
                this.sender = Some(cx.waker().clone());
                Poll::Pending
            }
            Err(error) => Poll::Ready(Err(error)),
        }
    }

    fn start_send(self: Pin<&mut Self>, message: Message) -> Result<(), Self::Error> {
        let this = self.get_mut();
        match this.send(message) {
            Ok(_) => {}
            Err(error) if this.may_get_room() && this.unqueued.is_none() => {
                this.unqueued = Some(error.into_message());
            }
            Err(error) => return Err(error),
        }
        Ok(())
    }

    fn poll_flush(self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<Result<(), Self::Error>> {
        self.poll_ready(cx)
    }

    fn poll_close(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<Result<(), Self::Error>> {
        ready!(self.as_mut().poll_flush(cx))?;
        self.close(CloseCode::NORMAL);
        Poll::Ready(Ok(()))
    }
}

impl<I: PartialEq, S: AsyncRead + AsyncWrite + Unpin> ReconnectingClient<I, S> {
    fn may_get_room(&self) -> bool {
        !self.waiting().is_empty() && !matches!(self.state(), ReconnectState::Disconnected(_))
    }
}
