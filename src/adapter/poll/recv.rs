//! Waiting for an event.
//!
//! By hand and inlined, where an `async fn` would do: what that gives is copied through memory, which
//! costs more than all the rest of a small message.

use core::future::Future;
use core::pin::Pin;
use core::task::{Context, Poll, ready};

use super::super::error::Error;
use super::end::End;
use super::spare;
use super::transport::Transport;
use crate::buffer::ReceiveBuffer;
use crate::connection::Connection;
use crate::error::ProtocolError;
use crate::message::Event;

type Lent<'a> = Option<(Event<'a>, &'a mut Connection)>;

/// Lends the next event, and the connection.
pub(super) struct RecvWithConnection<'a, T: Transport> {
    end: Option<&'a mut End<T>>,
    rx: Option<&'a mut ReceiveBuffer>,
    /// The stream is being ended for this.
    error: Option<ProtocolError>,
}

/// Lends the next event alone.
pub(super) struct RecvEvent<'a, T: Transport>(pub(super) RecvWithConnection<'a, T>);

impl<'a, T: Transport> RecvWithConnection<'a, T> {
    #[inline(always)]
    pub(super) fn new(end: &'a mut End<T>, rx: &'a mut ReceiveBuffer) -> Self {
        Self {
            end: Some(end),
            rx: Some(rx),
            error: None,
        }
    }

    #[inline(always)]
    fn poll_lent(&mut self, cx: &mut Context<'_>) -> Poll<Result<Lent<'a>, Error>> {
        let (Some(end), Some(rx)) = (&mut self.end, self.rx.take()) else {
            return self.poll_failed(cx);
        };
        let lent = if let Some(whole) = end.whole(rx) {
            end.connection.lend_whole(whole, rx).map(Some)
        } else {
            match end.poll_ready(cx, rx) {
                Poll::Ready(Some(Ok(()))) => end.connection.lend(rx),
                Poll::Ready(None) => return Poll::Ready(Ok(None)),
                Poll::Ready(Some(Err(error))) => return Poll::Ready(Err(error)),
                Poll::Pending => {
                    self.rx = Some(rx);
                    return Poll::Pending;
                }
            }
        };
        match lent {
            Ok(Some(event)) => {
                let connection = self.end.take().map(|end| {
                    end.on_event(&event);
                    &mut end.connection
                });
                Poll::Ready(Ok(connection.map(|connection| (event, connection))))
            }
            Ok(None) => Poll::Ready(Ok(None)),
            Err(error) => {
                self.error = Some(error);
                self.poll_failed(cx)
            }
        }
    }

    /// The peer is told, and the stream ended, before the caller knows.
    #[cold]
    fn poll_failed(&mut self, cx: &mut Context<'_>) -> Poll<Result<Lent<'a>, Error>> {
        if let Some(end) = &mut self.end {
            ready!(end.poll_finish(cx));
        }
        Poll::Ready(self.error.map_or(Ok(None), |error| Err(error.into())))
    }
}

impl<'a, T: Transport> Future for RecvWithConnection<'a, T> {
    type Output = Result<Lent<'a>, Error>;

    #[inline(always)]
    fn poll(self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<Self::Output> {
        match self.get_mut().poll_lent(cx) {
            Poll::Ready(Ok(Some((event, connection)))) => {
                spare::fill_queue(connection, 0);
                Poll::Ready(Ok(Some((event, connection))))
            }
            other => other,
        }
    }
}

impl<'a, T: Transport> Future for RecvEvent<'a, T> {
    type Output = Result<Option<Event<'a>>, Error>;

    #[inline(always)]
    fn poll(self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<Self::Output> {
        match self.get_mut().0.poll_lent(cx) {
            Poll::Ready(Ok(lent)) => Poll::Ready(Ok(lent.map(|(event, _)| event))),
            Poll::Ready(Err(error)) => Poll::Ready(Err(error)),
            Poll::Pending => Poll::Pending,
        }
    }
}
