//! Async streams of tokio.
//!
//! ```no_run
//! use sansocket::{CloseCode, tokio::connect};
//!
//! # #[tokio::main(flavor = "current_thread")]
//! # async fn main() -> Result<(), Box<dyn std::error::Error>> {
//! let mut client = connect("ws://127.0.0.1:9001/").await?;
//! client.send("hello").await?;
//! println!("{:?}", client.recv().await?);
//! client.close(CloseCode::NORMAL).await?;
//! while client.recv().await?.is_some() {}
//! # Ok(())
//! # }
//! ```
//!
//! A server takes any stream that it accepted:
//!
//! ```no_run
//! use sansocket::tokio::accept;
//!
//! # #[tokio::main(flavor = "current_thread")]
//! # async fn main() -> std::io::Result<()> {
//! let listener = tokio::net::TcpListener::bind("127.0.0.1:9001").await?;
//! loop {
//!     let (stream, _) = listener.accept().await?;
//!     tokio::spawn(async move {
//!         stream.set_nodelay(true)?; // small messages leave at once
//!         let mut server = accept(stream).await?;
//!         while let Some(message) = server.recv().await? {
//!             server.feed(message).await?; // leaves when there is nothing more to receive
//!         }
//!         Ok::<(), Box<dyn std::error::Error + Send + Sync>>(())
//!     });
//! }
//! # }
//! ```
//!
//! With the feature `policy`, [`Server`] does that and more: limits, gates, graceful shutdown.
//!
//! To look at a request before it is accepted or rejected, see [`read_request`]. To go on with a
//! connection that an HTTP server has upgraded, see [`WebSocket::new`].
//!
//! To stay connected, see [`ReconnectingClient`].
//!
//! The runtime's timer must be enabled: deadlines run on its clock, paused time included.

mod stream;

#[cfg(feature = "handshake")]
mod client;
#[cfg(feature = "handshake")]
mod maybe_tls;
#[cfg(all(feature = "handshake", feature = "policy"))]
mod reconnecting;
#[cfg(all(feature = "handshake", feature = "policy"))]
mod server;

use ::tokio::io::{AsyncRead, AsyncWrite};

use super::poll;
use crate::buffer::ReceiveBuffer;
#[cfg(feature = "handshake")]
use crate::config::Config;
use crate::connection::Connection;
#[cfg(feature = "handshake")]
use crate::handshake::{Limits, server::Acceptance};

pub use super::error::Error;
#[cfg(feature = "handshake")]
pub use super::error::{AcceptError, ConnectError};
#[cfg(feature = "handshake")]
pub use client::{Connector, connect};
#[cfg(feature = "handshake")]
pub use maybe_tls::MaybeTlsStream;
#[cfg(all(feature = "handshake", feature = "policy"))]
pub use reconnecting::{Attempt, ClientEvent, ReconnectingClient};
#[cfg(all(feature = "handshake", feature = "policy"))]
pub use server::{ConnectionInfo, Listener, Server, ServerWebSocket, Supervised};
pub use stream::Tokio;

/// A WebSocket over a stream of tokio.
pub type WebSocket<S> = poll::WebSocket<Tokio<S>>;
/// The half of a [`WebSocket`] that receives.
pub type ReceiveHalf<S> = poll::ReceiveHalf<Tokio<S>>;
/// The half of a [`WebSocket`] that sends.
pub type SendHalf<S> = poll::SendHalf<Tokio<S>>;
/// Two halves that are not of one [`WebSocket`].
pub type ReuniteError<S> = poll::ReuniteError<Tokio<S>>;
/// What a client has sent: see [`read_request`].
#[cfg(feature = "handshake")]
pub type Incoming<S> = poll::Incoming<Tokio<S>>;
/// A valid request that waits for the decision.
#[cfg(feature = "handshake")]
pub type PendingRequest<S> = poll::PendingRequest<Tokio<S>>;
/// Anything but a valid request, that waits for its answer.
#[cfg(feature = "handshake")]
pub type PendingRefusal<S> = poll::PendingRefusal<Tokio<S>>;

impl<S: AsyncRead + AsyncWrite + Unpin> WebSocket<S> {
    /// A WebSocket over a stream whose opening handshake somebody else has done.
    pub fn new(stream: S, connection: Connection) -> Self {
        Self::with_received(stream, connection, ReceiveBuffer::new())
    }

    /// The same, with bytes of the first frames that were read together with the handshake.
    pub fn with_received(stream: S, connection: Connection, rx: ReceiveBuffer) -> Self {
        Self::from_transport(Tokio(stream), connection, rx)
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

impl<S: AsyncRead + AsyncWrite + Unpin> SendHalf<S> {
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
    poll::send_from(to, |cx, room| stream::poll_read(&mut reader, cx, room)).await
}

/// Accepts any client's request, with the defaults and without a subprotocol.
///
/// Of a `TcpStream`, set `TCP_NODELAY` first: unlike [`connect`], this takes streams of any kind and
/// leaves their options as they are.
///
/// # Cancel safety
/// Dropped before it was done, the stream is closed.
///
/// # Errors
/// See [`AcceptError`]; a request that is none for a WebSocket has been answered.
#[cfg(feature = "handshake")]
pub async fn accept<S>(stream: S) -> Result<WebSocket<S>, AcceptError>
where
    S: AsyncRead + AsyncWrite + Unpin,
{
    poll::accept(Tokio(stream)).await
}

/// Accepts any client's request, all in the same way: with compression, say, and limits of one's own.
///
/// # Cancel safety
/// Dropped before it was done, the stream is closed.
///
/// # Errors
/// As for [`accept`]; [`AcceptError::Build`].
#[cfg(feature = "handshake")]
pub async fn accept_with<S>(
    stream: S,
    acceptance: Acceptance,
    config: Config,
) -> Result<WebSocket<S>, AcceptError>
where
    S: AsyncRead + AsyncWrite + Unpin,
{
    poll::accept_with(Tokio(stream), acceptance, config).await
}

/// Reads a client's request, for the application to decide on.
///
/// ```no_run
/// use sansocket::Config;
/// use sansocket::tokio::{Incoming, read_request};
/// use sansocket::handshake::{Limits, Rejection, server::Acceptance};
///
/// # async fn is_member(_: Option<&str>) -> bool { true }
/// # async fn serve(stream: tokio::net::TcpStream) -> Result<(), Box<dyn std::error::Error>> {
/// match read_request(stream, Limits::new()).await? {
///     Incoming::Request(pending) => {
///         if is_member(pending.request().query()).await {
///             let mut websocket = pending.accept(Acceptance::new(), Config::new()).await?;
///             websocket.send("welcome").await?;
///         } else {
///             pending.reject(Rejection::new(403)).await?;
///         }
///     }
///     Incoming::Refused(pending) => {
///         println!("{}", pending.refusal().error());
///         pending.answer().await?;
///     }
/// }
/// # Ok(())
/// # }
/// ```
///
/// # Cancel safety
/// Dropped before it was done, the stream is closed.
///
/// # Errors
/// [`AcceptError::Io`].
#[cfg(feature = "handshake")]
pub async fn read_request<S>(stream: S, limits: Limits) -> Result<Incoming<S>, AcceptError>
where
    S: AsyncRead + AsyncWrite + Unpin,
{
    poll::read_request(Tokio(stream), limits).await
}
