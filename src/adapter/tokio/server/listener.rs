//! Where connections come from.

use core::net::SocketAddr;
use core::task::{Context, Poll};
use std::io;

use ::tokio::net::{TcpListener, TcpStream};

/// What gives a [`Server`](super::Server) its connections: a `TcpListener`, or something around it.
///
/// ```
/// use std::io;
/// use std::net::SocketAddr;
/// use std::task::{Context, Poll};
/// use sansocket::tokio::Listener;
/// use tokio::net::{TcpListener, TcpStream};
///
/// /// Whatever comes first, on a public port or on one inside.
/// struct Either(TcpListener, TcpListener);
///
/// impl Listener for Either {
///     type Stream = TcpStream;
///
///     fn poll_accept(&mut self, cx: &mut Context<'_>) -> Poll<io::Result<(TcpStream, SocketAddr)>> {
///         match Listener::poll_accept(&mut self.0, cx) {
///             Poll::Pending => Listener::poll_accept(&mut self.1, cx),
///             accepted => accepted,
///         }
///     }
/// }
/// ```
pub trait Listener {
    /// A connection.
    type Stream;

    /// The next connection, and the address of the client.
    ///
    /// # Errors
    /// The connection's or the listener's own; the server goes on.
    fn poll_accept(&mut self, cx: &mut Context<'_>)
    -> Poll<io::Result<(Self::Stream, SocketAddr)>>;
}

/// With `TCP_NODELAY`: small messages leave at once.
impl Listener for TcpListener {
    type Stream = TcpStream;

    fn poll_accept(&mut self, cx: &mut Context<'_>) -> Poll<io::Result<(TcpStream, SocketAddr)>> {
        Self::poll_accept(self, cx).map_ok(|(stream, address)| {
            // One that is gone already fails when it is read.
            let _ = stream.set_nodelay(true);
            (stream, address)
        })
    }
}
