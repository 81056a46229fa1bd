//! The server's opening handshake on a blocking stream.

use alloc::vec::Vec;
use std::io::{self, ErrorKind};
use std::time::Instant;

use bytes::Bytes;

use super::super::error::{AcceptError, Error, is_blocked};
use super::super::opening::{self, REFUSE_TIMEOUT};
use super::io::{Io, Moved};
use super::step::Step;
use super::transport::Transport;
use super::websocket::WebSocket;
use crate::buffer::ReceiveBuffer;
use crate::config::Config;
use crate::handshake::server::{Acceptance, Handshake, Progress, Refusal, Request};
use crate::handshake::{Limits, Rejection};
use crate::time::Timestamp;

/// Accepts any client's request, with the defaults and without a subprotocol.
///
/// Of a `TcpStream`, set `TCP_NODELAY` first: unlike [`connect`](super::connect), this takes streams
/// of any kind and leaves their options as they are.
///
/// # Errors
/// See [`AcceptError`]; a request that is none for a WebSocket has been answered. For streams that
/// block: where one is non-blocking or has a time-out, `WouldBlock` ends it (see
/// [`ServerHandshake`]).
pub fn accept<S: Transport>(stream: S) -> Result<WebSocket<S>, AcceptError> {
    accept_with(stream, Acceptance::new(), Config::new())
}

/// Accepts any client's request, all in the same way: with compression, say, and limits of one's own.
///
/// # Errors
/// As for [`accept`]; [`AcceptError::Build`].
pub fn accept_with<S: Transport>(
    stream: S,
    acceptance: Acceptance,
    config: Config,
) -> Result<WebSocket<S>, AcceptError> {
    match read_request(stream, Limits::new())? {
        Incoming::Request(request) => request.accept(acceptance, config),
        Incoming::Refused(refusal) => {
            let error = refusal.refusal().error().clone();
            refusal.answer()?;
            Err(error.into())
        }
    }
}

/// Reads a client's request, for the application to decide on.
///
/// ```no_run
/// use sansocket::Config;
/// use sansocket::blocking::{Incoming, read_request};
/// use sansocket::handshake::{Limits, Rejection, server::Acceptance};
///
/// # fn serve(stream: std::net::TcpStream) -> Result<(), Box<dyn std::error::Error>> {
/// match read_request(stream, Limits::new())? {
///     Incoming::Request(pending) if pending.request().path() == "/chat" => {
///         let websocket = pending.accept(Acceptance::new(), Config::new())?;
///         // …
/// #       drop(websocket);
///     }
///     Incoming::Request(pending) => drop(pending.reject(Rejection::new(404))?),
///     Incoming::Refused(pending) => {
///         println!("{}", pending.refusal().error());
///         pending.answer()?;
///     }
/// }
/// # Ok(())
/// # }
/// ```
///
/// # Errors
/// [`AcceptError::Io`]; a stream that blocks is one (see [`ServerHandshake`]).
pub fn read_request<S: Transport>(stream: S, limits: Limits) -> Result<Incoming<S>, AcceptError> {
    Ok(ServerHandshake::new(stream, limits).proceed()?.done()?)
}

/// An opening handshake whose request is being read.
#[derive(Debug)]
pub struct ServerHandshake<S> {
    io: Io<S>,
    rx: ReceiveBuffer,
    state: Handshake,
}

/// What a client has sent.
#[must_use = "dropped, the stream ends without an answer"]
#[allow(clippy::large_enum_variant, reason = "one at a time, and not for long")]
#[derive(Debug)]
pub enum Incoming<S> {
    /// A valid request, to be accepted or rejected.
    Request(PendingRequest<S>),
    /// Anything else, to be answered: perhaps a page for a browser.
    Refused(PendingRefusal<S>),
}

impl<S: Transport> ServerHandshake<S> {
    /// Waits for a request on this stream.
    pub fn new(stream: S, limits: Limits) -> Self {
        Self {
            io: Io::new(stream),
            rx: ReceiveBuffer::new(),
            state: Handshake::new(limits),
        }
    }

    /// Reads the request, until it is there or the stream blocks.
    ///
    /// # Errors
    /// [`AcceptError::Io`].
    pub fn proceed(mut self) -> Result<Step<Incoming<S>, Self>, AcceptError> {
        loop {
            self.state.handle_timeout(self.io.now());
            let deadline = self.state.poll_timeout();
            match self.state.receive(&mut self.rx) {
                Progress::Incomplete(state) => self.state = state,
                Progress::Request(request) => {
                    let (io, rx) = (self.io, self.rx);
                    return Ok(Step::Done(Incoming::Request(PendingRequest {
                        io,
                        rx,
                        request,
                    })));
                }
                Progress::Refused(refusal) => {
                    let io = self.io;
                    return Ok(Step::Done(Incoming::Refused(PendingRefusal {
                        io,
                        refusal,
                    })));
                }
            }
            match self.io.flush_and_read(&mut self.rx, deadline) {
                Ok(Moved::Bytes(0)) => return Err(io::Error::from(ErrorKind::UnexpectedEof).into()),
                Ok(_) => {}
                Err(error) if is_blocked(&error) => return Ok(Step::Blocked(self)),
                Err(error) => return Err(error.into()),
            }
        }
    }

    /// When to [`proceed`](Self::proceed) at the latest, be the stream ready or not.
    pub fn next_deadline(&self) -> Option<Instant> {
        self.io.instant(self.state.poll_timeout()?)
    }

    /// The stream, to wait for it.
    pub fn stream(&self) -> &S {
        &self.io.stream
    }
}

/// A valid request that waits for the decision.
#[must_use = "dropped, the stream ends without an answer"]
#[derive(Debug)]
pub struct PendingRequest<S> {
    io: Io<S>,
    rx: ReceiveBuffer,
    request: Request,
}

impl<S: Transport> PendingRequest<S> {
    /// What the client asks for.
    pub fn request(&self) -> &Request {
        &self.request
    }

    /// The stream: its address, say.
    pub fn stream(&self) -> &S {
        &self.io.stream
    }

    /// Accepts the request, and begins to write the response.
    ///
    /// # Errors
    /// [`AcceptError::Build`], [`AcceptError::Io`].
    pub fn accept(
        self,
        acceptance: Acceptance,
        config: Config,
    ) -> Result<WebSocket<S>, AcceptError> {
        let connection = opening::accept(&self.request, acceptance, config)?;
        let mut websocket = WebSocket::from_io(self.io, connection, self.rx);
        match websocket.flush() {
            Err(Error::Io(error)) if !is_blocked(&error) => Err(error.into()),
            _ => Ok(websocket),
        }
    }

    /// Rejects the request, and ends the stream.
    ///
    /// # Errors
    /// [`AcceptError::Build`], [`AcceptError::Io`].
    pub fn reject(self, rejection: Rejection) -> Result<Step<(), Response<S>>, AcceptError> {
        let response = self.request.reject(rejection)?;
        Ok(Response::new(self.io, response).proceed()?)
    }

    /// The parts, to answer without this adapter; the buffer may hold the first frames.
    pub fn into_parts(self) -> (S, ReceiveBuffer, Request) {
        (self.io.stream, self.rx, self.request)
    }
}

/// Anything but a valid request, that waits for its answer.
#[must_use = "dropped, the stream ends without an answer"]
#[derive(Debug)]
pub struct PendingRefusal<S> {
    io: Io<S>,
    refusal: Refusal,
}

impl<S: Transport> PendingRefusal<S> {
    /// What came.
    pub fn refusal(&self) -> &Refusal {
        &self.refusal
    }

    /// Answers as HTTP and RFC 6455 ask for, and ends the stream.
    ///
    /// # Errors
    /// The stream's.
    pub fn answer(self) -> io::Result<Step<(), Response<S>>> {
        let response = self.refusal.response();
        Response::new(self.io, response).proceed()
    }

    /// Answers with a response of one's own, and ends the stream.
    ///
    /// # Errors
    /// [`AcceptError::Build`], [`AcceptError::Io`].
    pub fn respond_with(self, response: Rejection) -> Result<Step<(), Response<S>>, AcceptError> {
        let response = self.refusal.respond_with(response)?;
        Ok(Response::new(self.io, response).proceed()?)
    }
}

/// A response on its way, and then the end of the stream: one that is closed with bytes unread may
/// take the response with it, so those are dropped for a while first.
#[derive(Debug)]
pub struct Response<S> {
    io: Io<S>,
    left: Bytes,
    deadline: Timestamp,
    is_shut_down: bool,
}

impl<S: Transport> Response<S> {
    fn new(io: Io<S>, response: Vec<u8>) -> Self {
        Self {
            left: response.into(),
            deadline: io.now().saturating_add(REFUSE_TIMEOUT),
            is_shut_down: false,
            io,
        }
    }

    /// Writes the response and waits for the client to end its direction, until that is done, its
    /// time is over (2 seconds), or the stream blocks.
    ///
    /// # Errors
    /// The stream's; `TimedOut` if the client does not take the response in time.
    pub fn proceed(mut self) -> io::Result<Step<(), Self>> {
        let deadline = Some(self.deadline);
        while !self.left.is_empty() {
            match self.io.write(&mut self.left, deadline) {
                Ok(Moved::Bytes(_)) => {}
                Ok(Moved::Deadline) => return Err(ErrorKind::TimedOut.into()),
                Err(error) if is_blocked(&error) => return Ok(Step::Blocked(self)),
                Err(error) => return Err(error),
            }
        }
        if !self.is_shut_down {
            let ended = self.io.flush(deadline).and_then(|in_time| {
                // The flush was all of the response; its end is told if there is time.
                Ok(in_time && self.io.shut_down(deadline)?)
            });
            match ended {
                Ok(true) => self.is_shut_down = true,
                Ok(false) => return Err(ErrorKind::TimedOut.into()),
                Err(error) if is_blocked(&error) => return Ok(Step::Blocked(self)),
                Err(error) => return Err(error),
            }
        }
        let mut dropped = [0; 4096];
        loop {
            match self.io.read_into(&mut dropped, deadline) {
                Ok(Moved::Bytes(1..)) => {}
                Err(error) if is_blocked(&error) => return Ok(Step::Blocked(self)),
                // The end, a reset, or no end in time: the response has had its time to arrive.
                _ => return Ok(Step::Done(())),
            }
        }
    }

    /// When to [`proceed`](Self::proceed) at the latest, be the stream ready or not.
    pub fn next_deadline(&self) -> Option<Instant> {
        self.io.instant(self.deadline)
    }

    /// The stream, to wait for it.
    pub fn stream(&self) -> &S {
        &self.io.stream
    }
}
