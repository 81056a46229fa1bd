//! Async streams of futures-io: smol, async-std, and any other runtime whose streams implement
//! `futures_io::AsyncRead + AsyncWrite`.
//!
//! The [`Timer`] that watches the deadlines is passed in; with async-io, that is
//! `async_io::Timer::at`:
//!
//! ```no_run
//! use std::net::{TcpListener, TcpStream};
//! use async_io::{Async, Timer};
//! use sansocket::{Config, handshake::client::Request};
//! use sansocket::futures_io::{accept, connect};
//!
//! # async fn run() -> Result<(), Box<dyn std::error::Error>> {
//! let listener = Async::<TcpListener>::bind(([127, 0, 0, 1], 9001))?;
//! let (stream, _) = listener.accept().await?;
//! stream.get_ref().set_nodelay(true)?; // small messages leave at once
//! let mut server = accept(stream, Timer::at).await?;
//! while let Some(message) = server.recv().await? {
//!     server.feed(message).await?; // leaves when there is nothing more to receive
//! }
//!
//! let stream = Async::<TcpStream>::connect(([127, 0, 0, 1], 9001)).await?;
//! stream.get_ref().set_nodelay(true)?;
//! let request = Request::new("ws://127.0.0.1:9001/".parse()?);
//! let (mut client, _response) = connect(stream, Timer::at, request, Config::new()).await?;
//! client.send("hello").await?;
//! # Ok(())
//! # }
//! ```
//!
//! smol's own streams (async-net) end one direction alone, as the closing handshake and refusals ask
//! for; `Async<TcpStream>` of async-io only flushes, and ends when it is dropped, so that a peer which
//! has broken the protocol may be waited for up to the close deadline.

mod stream;

use ::futures_io::{AsyncRead, AsyncWrite};
use core::pin::Pin;

use super::poll;
use crate::buffer::ReceiveBuffer;
#[cfg(feature = "handshake")]
use crate::config::Config;
use crate::connection::Connection;
#[cfg(feature = "handshake")]
use crate::handshake::{Limits, client, server::Acceptance};

pub use super::error::Error;
#[cfg(feature = "handshake")]
pub use super::error::{AcceptError, ConnectError};
pub use stream::{FuturesIo, Timer};

/// A WebSocket over a stream of futures-io, with a timer.
pub type WebSocket<S, C> = poll::WebSocket<FuturesIo<S, C>>;
/// The half of a [`WebSocket`] that receives.
pub type ReceiveHalf<S, C> = poll::ReceiveHalf<FuturesIo<S, C>>;
/// The half of a [`WebSocket`] that sends.
pub type SendHalf<S, C> = poll::SendHalf<FuturesIo<S, C>>;
/// Two halves that are not of one [`WebSocket`].
pub type ReuniteError<S, C> = poll::ReuniteError<FuturesIo<S, C>>;
/// What a client has sent: see [`read_request`].
#[cfg(feature = "handshake")]
pub type Incoming<S, C> = poll::Incoming<FuturesIo<S, C>>;
/// A valid request that waits for the decision.
#[cfg(feature = "handshake")]
pub type PendingRequest<S, C> = poll::PendingRequest<FuturesIo<S, C>>;
/// Anything but a valid request, that waits for its answer.
#[cfg(feature = "handshake")]
pub type PendingRefusal<S, C> = poll::PendingRefusal<FuturesIo<S, C>>;

impl<S: AsyncRead + AsyncWrite + Unpin, C: Timer> WebSocket<S, C> {
    /// A WebSocket over a stream whose opening handshake somebody else has done.
    pub fn new(stream: S, timer: C, connection: Connection) -> Self {
        Self::with_received(stream, timer, connection, ReceiveBuffer::new())
    }

    /// The same, with bytes of the first frames that were read together with the handshake.
    pub fn with_received(stream: S, timer: C, connection: Connection, rx: ReceiveBuffer) -> Self {
        Self::from_transport(FuturesIo { stream, timer }, connection, rx)
    }

    /// Sends all that a reader gives as one binary message, in chunks, as it comes; gives how many
    /// bytes that was. Of a message of any size, no more than a chunk and the queue are held.
    ///
    /// # Cancel safety
    /// What was read has been queued. Call it again with the same reader to go on with the message;
    /// no other can begin before it ends.
    ///
    /// # Errors
    /// The reader's or the stream's, as [`Error::Io`], or a message in chunks of text is in progress.
    pub async fn send_from(&mut self, reader: impl AsyncRead + Unpin) -> Result<u64, Error> {
        send_from(self, reader).await
    }
}

impl<S: AsyncRead + AsyncWrite + Unpin, C: Timer> SendHalf<S, C> {
    /// Sends all that a reader gives as one binary message: [`WebSocket::send_from`].
    ///
    /// # Errors
    /// The reader's or the stream's, as [`Error::Io`], or a message in chunks of text is in progress.
    pub async fn send_from(&mut self, reader: impl AsyncRead + Unpin) -> Result<u64, Error> {
        send_from(self, reader).await
    }
}

async fn send_from(
    to: &mut impl poll::Sender,
    mut reader: impl AsyncRead + Unpin,
) -> Result<u64, Error> {
    poll::send_from(to, |cx, room| Pin::new(&mut reader).poll_read(cx, room)).await
}

/// Does a client's opening handshake on a stream that is connected: what is asked for is the
/// [`client::Request`]'s, what the connection may take is the [`Config`]'s.
///
/// # Cancel safety
/// Dropped before it was done, the stream is closed.
///
/// # Errors
/// See [`ConnectError`]. With a refusal, its body has been received as far as it came.
#[cfg(feature = "handshake")]
pub async fn connect<S, C>(
    stream: S,
    timer: C,
    request: client::Request,
    config: Config,
) -> Result<(WebSocket<S, C>, client::Response), ConnectError>
where
    S: AsyncRead + AsyncWrite + Unpin,
    C: Timer,
{
    poll::handshake(FuturesIo { stream, timer }, request, config).await
}

/// Accepts any client's request, with the defaults and without a subprotocol.
///
/// # Cancel safety
/// Dropped before it was done, the stream is closed.
///
/// # Errors
/// See [`AcceptError`]; a request that is none for a WebSocket has been answered.
#[cfg(feature = "handshake")]
pub async fn accept<S, C>(stream: S, timer: C) -> Result<WebSocket<S, C>, AcceptError>
where
    S: AsyncRead + AsyncWrite + Unpin,
    C: Timer,
{
    poll::accept(FuturesIo { stream, timer }).await
}

/// Accepts any client's request, all in the same way: with compression, say, and limits of one's own.
///
/// # Cancel safety
/// Dropped before it was done, the stream is closed.
///
/// # Errors
/// As for [`accept`]; [`AcceptError::Build`].
#[cfg(feature = "handshake")]
pub async fn accept_with<S, C>(
    stream: S,
    timer: C,
    acceptance: Acceptance,
    config: Config,
) -> Result<WebSocket<S, C>, AcceptError>
where
    S: AsyncRead + AsyncWrite + Unpin,
    C: Timer,
{
    poll::accept_with(FuturesIo { stream, timer }, acceptance, config).await
}

/// Reads a client's request, for the application to decide on, as
/// [`tokio::read_request`](crate::tokio::read_request) does.
///
/// # Cancel safety
/// Dropped before it was done, the stream is closed.
///
/// # Errors
/// [`AcceptError::Io`].
#[cfg(feature = "handshake")]
pub async fn read_request<S, C>(
    stream: S,
    timer: C,
    limits: Limits,
) -> Result<Incoming<S, C>, AcceptError>
where
    S: AsyncRead + AsyncWrite + Unpin,
    C: Timer,
{
    poll::read_request(FuturesIo { stream, timer }, limits).await
}
