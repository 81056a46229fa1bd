//! `Stream` and `Sink`.

use core::pin::Pin;
use core::task::{Context, Poll, ready};

use futures_core::Stream;
use futures_sink::Sink;

use super::super::error::Error;
use super::commands::Sender;
use super::end::End;
use super::split::{ReceiveHalf, SendHalf};
use super::transport::Transport;
use super::websocket::WebSocket;
use crate::buffer::ReceiveBuffer;
use crate::close::CloseCode;
use crate::connection::State;
use crate::message::{Event, Message};

/// The next item of a stream; `has_failed` remembers that the last one was an error.
#[inline(always)]
fn poll_next<T: Transport>(
    end: &mut End<T>,
    rx: &mut ReceiveBuffer,
    has_failed: &mut bool,
    cx: &mut Context<'_>,
) -> Poll<Option<Result<Message, Error>>> {
    if *has_failed {
        return Poll::Ready(None);
    }
    let message = ready!(poll_message(end, rx, cx));
    *has_failed = message.is_err();
    Poll::Ready(message.transpose())
}

/// The next message.
#[inline(always)]
pub(super) fn poll_message<T: Transport>(
    end: &mut End<T>,
    rx: &mut ReceiveBuffer,
    cx: &mut Context<'_>,
) -> Poll<Result<Option<Message>, Error>> {
    // Each message is made where it is returned, so that none is copied through memory. An error comes
    // again when asked whether it is ready, once the stream has been ended.
    loop {
        if let Some(whole) = end.whole(rx) {
            let lent = end.connection.lend_whole(whole, rx);
            if let Ok(event) = &lent {
                end.on_event(event);
            }
            match lent {
                Ok(Event::Text(text)) => return given(Message::Text(text.into_string())),
                Ok(Event::Binary(data)) => return given(Message::Binary(data.into_bytes())),
                _ => continue,
            }
        }
        match ready!(end.poll_ready(cx, rx)) {
            Some(Ok(())) => {}
            None => return Poll::Ready(Ok(None)),
            Some(Err(error)) => return Poll::Ready(Err(error)),
        }
        let lent = end.connection.lend(rx);
        if let Ok(Some(event)) = &lent {
            end.on_event(event);
        }
        match lent {
            Ok(Some(Event::Text(text))) => return given(Message::Text(text.into_string())),
            Ok(Some(Event::Binary(data))) => return given(Message::Binary(data.into_bytes())),
            _ => {}
        }
    }
}

#[inline(always)]
fn given(message: Message) -> Poll<Result<Option<Message>, Error>> {
    Poll::Ready(Ok(Some(message)))
}

impl<T: Transport + Unpin> Stream for WebSocket<T> {
    type Item = Result<Message, Error>;

    #[inline]
    fn poll_next(self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<Option<Self::Item>> {
        let Self {
            end,
            rx,
            has_failed,
        } = self.get_mut();
        poll_next(end, rx, has_failed, cx)
    }
}

impl<T: Transport + Unpin> Stream for ReceiveHalf<T> {
    type Item = Result<Message, Error>;

    #[inline]
    fn poll_next(self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<Option<Self::Item>> {
        let Self {
            shared,
            rx,
            has_failed,
        } = self.get_mut();
        poll_next(&mut shared.lock(), rx, has_failed, cx)
    }
}

macro_rules! sink {
    ($sender:ident) => {
        impl<T: Transport + Unpin> Sink<Message> for $sender<T> {
            type Error = Error;

            fn poll_ready(self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<Result<(), Error>> {
                // What cannot be sent at all is for `start_send` to say, which gives it back.
                self.get_mut().with_end(|end| {
                    end.poll_command(cx, |connection| {
                        Ok(connection.has_room() || connection.state() != State::Open)
                    })
                })
            }

            fn start_send(self: Pin<&mut Self>, message: Message) -> Result<(), Error> {
                self.get_mut()
                    .with_end(|end| Ok(end.connection.send_regardless(message)?))
            }

            fn poll_flush(self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<Result<(), Error>> {
                self.get_mut().with_end(|end| end.poll_flush(cx))
            }

            fn poll_close(self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<Result<(), Error>> {
                self.get_mut().with_end(|end| {
                    // A closing handshake that has begun is what was asked for.
                    let _ = end.connection.close(CloseCode::NORMAL);
                    end.poll_flush(cx)
                })
            }
        }
    };
}

sink!(WebSocket);
sink!(SendHalf);
