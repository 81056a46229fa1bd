//! Blocking streams: threads and `std::io`.
//!
//! ```no_run
//! use sansocket::blocking;
//!
//! let mut client = blocking::connect("ws://127.0.0.1:9001/")?;
//! client.send("hello")?;
//! if let Some(message) = client.messages().next() {
//!     println!("{:?}", message?);
//! }
//! # Ok::<(), Box<dyn std::error::Error>>(())
//! ```
//!
//! A server takes any stream that it accepted:
//!
//! ```no_run
//! use std::{net::TcpListener, thread};
//! use sansocket::blocking;
//!
//! let listener = TcpListener::bind("127.0.0.1:9001")?;
//! for stream in listener.incoming() {
//!     let stream = stream?;
//!     thread::spawn(move || -> Result<(), Box<dyn std::error::Error + Send + Sync>> {
//!         stream.set_nodelay(true)?; // small messages leave at once
//!         let mut server = blocking::accept(stream)?;
//!         while let Some(message) = server.messages().next() {
//!             server.send(message?)?;
//!         }
//!         Ok(())
//!     });
//! }
//! # Ok::<(), std::io::Error>(())
//! ```
//!
//! To look at a request before it is accepted or rejected, see [`read_request`].
//!
//! # TLS
//! With the feature `rustls` clients connect to `wss://` (`Connector::tls_config` says whom to
//! trust), and a `rustls::StreamOwned` is a stream to accept:
//!
//! ```no_run
//! # #[cfg(feature = "rustls")]
//! # fn serve(config: std::sync::Arc<rustls::ServerConfig>, tcp: std::net::TcpStream)
//! # -> Result<(), Box<dyn std::error::Error>> {
//! use rustls::{ServerConnection, StreamOwned};
//! use sansocket::blocking;
//!
//! let tls = StreamOwned::new(ServerConnection::new(config)?, tcp);
//! let mut server = blocking::accept(tls)?;
//! # Ok(())
//! # }
//! ```
//!
//! An end of TCP without TLS's `close_notify` is an error of the kind `UnexpectedEof`, unless the
//! closing handshake was done before.
//!
//! # Time-outs and non-blocking streams
//! Where a read or a write gives `WouldBlock` or `TimedOut`, be it because the stream is
//! non-blocking or because it has a time-out, the call returns that error and nothing is lost: call
//! again. What was sent stays queued and leaves with a later call: [`WebSocket::wants_write`] says
//! whether something waits.
//!
//! Blocking both ways has its price: two peers that only send, each waiting for the other to read,
//! wait for ever. [`WebSocket::recv_event`] takes turns with what is queued; a
//! [`send`](WebSocket::send) waits until all has left. Whoever sends a lot before receiving sets a
//! write time-out.
//!
//! The deadlines of [`Config`](crate::Config) and of the handshake's limits end a blocked read or
//! write by themselves if the [`Transport`] has time-outs, as TCP streams do; otherwise they are
//! judged whenever the stream returns.

mod end;
mod io;
mod prepared;
mod transport;
mod websocket;

#[cfg(feature = "handshake")]
mod client;
#[cfg(feature = "handshake")]
mod maybe_tls;
#[cfg(feature = "handshake")]
mod server;
#[cfg(feature = "handshake")]
mod step;
#[cfg(feature = "rustls-no-provider")]
mod tls;

pub use super::error::Error;
#[cfg(feature = "handshake")]
pub use super::error::{AcceptError, ConnectError};
#[cfg(feature = "handshake")]
pub use client::{ClientHandshake, Connector, connect};
#[cfg(feature = "handshake")]
pub use maybe_tls::MaybeTlsStream;
#[cfg(feature = "handshake")]
pub use server::{
    Incoming, PendingRefusal, PendingRequest, Response, ServerHandshake, accept, accept_with,
    read_request,
};
#[cfg(feature = "handshake")]
pub use step::Step;
pub use transport::{Plain, Transport};
pub use websocket::{Messages, WebSocket};
