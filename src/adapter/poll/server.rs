//! The server's opening handshake on an async stream.

use alloc::boxed::Box;
use alloc::vec::Vec;
use core::fmt;
use core::future::poll_fn;
use core::task::{Context, Poll, ready};
use std::io::{self, ErrorKind};

use bytes::Bytes;

use super::super::READ_SIZE;
use super::super::error::{AcceptError, Error};
use super::super::opening::{self, REFUSE_TIMEOUT};
use super::end::End;
use super::io::Io;
use super::transport::Transport;
use super::websocket::WebSocket;
use crate::buffer::ReceiveBuffer;
use crate::config::Config;
use crate::handshake::server::{Acceptance, Handshake, Progress, Refusal, Request};
use crate::handshake::{Limits, Rejection};
use crate::time::Timestamp;

/// What a client has sent.
#[must_use = "dropped, the stream ends without an answer"]
#[allow(clippy::large_enum_variant, reason = "one at a time, and not for long")]
#[derive(Debug)]
pub enum Incoming<T: Transport> {
    /// A valid request, to be accepted or rejected.
    Request(PendingRequest<T>),
    /// Anything else, to be answered: perhaps a page for a browser.
    Refused(PendingRefusal<T>),
}

/// A valid request that waits for the decision, which may take as long as it needs.
#[must_use = "dropped, the stream ends without an answer"]
pub struct PendingRequest<T: Transport> {
    io: Io<T>,
    rx: ReceiveBuffer,
    request: Request,
}

/// Anything but a valid request, that waits for its answer.
#[must_use = "dropped, the stream ends without an answer"]
pub struct PendingRefusal<T: Transport> {
    io: Io<T>,
    refusal: Refusal,
}

/// Accepts any client's request, with the defaults and without a subprotocol.
///
/// # Errors
/// See [`AcceptError`]; a request that is none for a WebSocket has been answered.
pub async fn accept<T: Transport>(transport: T) -> Result<WebSocket<T>, AcceptError> {
    accept_with(transport, Acceptance::new(), Config::new()).await
}

/// Accepts any client's request, all in the same way.
///
/// # Errors
/// As for [`accept`]; [`AcceptError::Build`].
pub async fn accept_with<T: Transport>(
    transport: T,
    acceptance: Acceptance,
    config: Config,
) -> Result<WebSocket<T>, AcceptError> {
    // A task keeps the size of the largest future that it awaits, for as long as it lives: in a box
    // that goes with the handshake, an idle connection keeps no room for it.
    Box::pin(async move {
        match read_request(transport, Limits::new()).await? {
            Incoming::Request(request) => request.accept(acceptance, config).await,
            Incoming::Refused(refusal) => {
                let error = refusal.refusal.error().clone();
                refusal.answer().await?;
                Err(error.into())
            }
        }
    })
    .await
}

/// Reads a client's request, for the application to decide on.
///
/// # Errors
/// [`AcceptError::Io`].
pub async fn read_request<T: Transport>(
    transport: T,
    limits: Limits,
) -> Result<Incoming<T>, AcceptError> {
    let mut io = Io::new(transport);
    let mut rx = ReceiveBuffer::new();
    let mut handshake = Handshake::new(limits);
    loop {
        handshake.handle_timeout(io.now());
        let deadline = handshake.poll_timeout();
        handshake = match handshake.receive(&mut rx) {
            Progress::Incomplete(handshake) => handshake,
            Progress::Request(request) => {
                return Ok(Incoming::Request(PendingRequest { io, rx, request }));
            }
            Progress::Refused(refusal) => {
                return Ok(Incoming::Refused(PendingRefusal { io, refusal }));
            }
        };
        let read = poll_fn(|cx| match io.poll_read(cx, &mut rx, READ_SIZE) {
            Poll::Pending if io.has_come(cx, deadline) => Poll::Ready(Ok(None)),
            read => read.map_ok(Some),
        });
        if read.await? == Some(0) {
            return Err(io::Error::from(ErrorKind::UnexpectedEof).into());
        }
    }
}

impl<T: Transport> PendingRequest<T> {
    /// What the client asks for.
    pub fn request(&self) -> &Request {
        &self.request
    }

    /// The stream: its address, say.
    pub fn stream(&self) -> &T::Stream {
        self.io.transport.stream()
    }

    /// Accepts the request, and begins to write the response: what the stream does not take at once
    /// leaves with the first call.
    ///
    /// # Errors
    /// [`AcceptError::Build`], [`AcceptError::Io`].
    #[must_use = "futures do nothing unless awaited"]
    pub fn accept(
        self,
        acceptance: Acceptance,
        config: Config,
    ) -> impl Future<Output = Result<WebSocket<T>, AcceptError>> + use<T> {
        // As above: this one is no larger than what it gives.
        let mut websocket = Some(match opening::accept(&self.request, acceptance, config) {
            Ok(connection) => {
                let end = End::new(self.io, connection);
                Ok(WebSocket::from_end(end, self.rx))
            }
            Err(error) => Err(AcceptError::from(error)),
        });
        poll_fn(move |cx| {
            if let Some(Ok(websocket)) = &mut websocket {
                if let Poll::Ready(Err(Error::Io(error))) = websocket.end.poll_flush(cx) {
                    return Poll::Ready(Err(error.into()));
                }
            }
            websocket.take().map_or(Poll::Pending, Poll::Ready)
        })
    }

    /// Rejects the request, and ends the stream.
    ///
    /// # Errors
    /// [`AcceptError::Build`], [`AcceptError::Io`]; `TimedOut` if the client does not take the
    /// response within 2 seconds.
    pub async fn reject(self, rejection: Rejection) -> Result<(), AcceptError> {
        let response = self.request.reject(rejection)?;
        Ok(respond(self.io, response).await?)
    }

    /// The parts, to answer without this adapter; the buffer may hold the first frames.
    pub fn into_parts(self) -> (T::Stream, ReceiveBuffer, Request) {
        (self.io.transport.into_stream(), self.rx, self.request)
    }
}

impl<T: Transport> PendingRefusal<T> {
    /// What came.
    pub fn refusal(&self) -> &Refusal {
        &self.refusal
    }

    /// The stream: its address, say.
    pub fn stream(&self) -> &T::Stream {
        self.io.transport.stream()
    }

    /// Answers as HTTP and RFC 6455 ask for, and ends the stream.
    ///
    /// # Errors
    /// The stream's; `TimedOut` if the client does not take the response within 2 seconds.
    pub async fn answer(self) -> io::Result<()> {
        respond(self.io, self.refusal.response()).await
    }

    /// Answers with a response of one's own, and ends the stream.
    ///
    /// # Errors
    /// [`AcceptError::Build`], [`AcceptError::Io`], as for [`answer`](Self::answer).
    pub async fn respond_with(self, response: Rejection) -> Result<(), AcceptError> {
        let response = self.refusal.respond_with(response)?;
        Ok(respond(self.io, response).await?)
    }
}

/// Writes the response and waits for the client to end its direction: a stream that is closed with
/// bytes unread may take the response with it, so those are dropped for a while first.
async fn respond<T: Transport>(mut io: Io<T>, response: Vec<u8>) -> io::Result<()> {
    let mut left = Bytes::from(response);
    let deadline = io.now().saturating_add(REFUSE_TIMEOUT);
    let written = before(&mut io, deadline, |io, cx| {
        ready!(io.poll_write_all(cx, &mut left).0)?;
        io.transport.poll_shutdown(cx)
    });
    match written.await {
        Some(written) => written?,
        None => return Err(ErrorKind::TimedOut.into()),
    }
    let mut dropped = ReceiveBuffer::new();
    let read = before(&mut io, deadline, |io, cx| {
        loop {
            match ready!(io.poll_read(cx, &mut dropped, READ_SIZE)) {
                Ok(1..) => dropped.discard(),
                // The end, or a reset: the response has had its time to arrive.
                Ok(0) | Err(_) => return Poll::Ready(()),
            }
        }
    });
    let _ = read.await;
    Ok(())
}

/// What comes of polling until the deadline; `None` if nothing has by then.
async fn before<T: Transport, R>(
    io: &mut Io<T>,
    deadline: Timestamp,
    mut poll: impl FnMut(&mut Io<T>, &mut Context<'_>) -> Poll<R>,
) -> Option<R> {
    poll_fn(|cx| {
        loop {
            if let Poll::Ready(result) = poll(io, cx) {
                return Poll::Ready(Some(result));
            }
            if !io.has_come(cx, Some(deadline)) {
                return Poll::Pending;
            }
            if io.now() >= deadline {
                return Poll::Ready(None);
            }
        }
    })
    .await
}

impl<T: Transport> fmt::Debug for PendingRequest<T> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("PendingRequest")
            .field("request", &self.request)
            .finish_non_exhaustive()
    }
}

impl<T: Transport> fmt::Debug for PendingRefusal<T> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("PendingRefusal")
            .field("refusal", &self.refusal)
            .finish_non_exhaustive()
    }
}
