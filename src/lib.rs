#![no_std]
#![forbid(unsafe_code)]
#![cfg_attr(docsrs, feature(doc_cfg))]
// The pages name what every feature brings: with some of them left out, those links lead nowhere.
#![cfg_attr(
    not(all(
        feature = "axum",
        feature = "deflate",
        feature = "futures-io",
        feature = "json",
        feature = "policy",
        feature = "rustls"
    )),
    allow(rustdoc::broken_intra_doc_links)
)]
// The panic policy: nothing a peer sends, and no order of calls, makes this crate panic.
#![cfg_attr(
    not(test),
    deny(
        clippy::arithmetic_side_effects,
        clippy::expect_used,
        clippy::indexing_slicing,
        clippy::panic,
        clippy::string_slice,
        clippy::unreachable,
        clippy::unwrap_used,
    )
)]
// Lengths are the same on machines of 32 bits and of 64; `Cargo.toml` has what tests keep to as well.
#![warn(clippy::cast_possible_wrap, clippy::cast_sign_loss)]

//! *WebSocket without the socket*: a complete, strict RFC 6455 engine that does no I/O. Bytes in,
//! events out; bytes out, time passed in.
//!
//! - **To use it with tokio**, see [`tokio`]: `connect`, `accept`, send and receive. With
//!   smol or async-std, see [`futures_io`].
//! - **To use it in an HTTP server or client**, see [`axum`] and [`hyper`]; with another library,
//!   [`http`].
//! - **To use it on threads**, see [`blocking`], which has the same.
//! - **To embed it** in a server, a game engine, a device or an async runtime of your own, drive a
//!   [`Connection`] yourself, as below.
//! - **To re-frame only**, use the layer [`frame`] alone.
//!
//! # The run loop
//! A [`Connection`] is one endpoint after the opening handshake ([`handshake`] does that, or an HTTP
//! stack of yours). Whatever carries its bytes does four things in turn: **receive** what has come,
//! **handle the time-outs**, **transmit** what is queued, and wait for more. This is a complete one,
//! over anything that reads and writes:
//!
//! ```
//! use std::io::{self, Read, Write};
//! use std::time::Instant;
//!
//! use bytes::Buf;
//! use sansocket::{Config, Connection, ReceiveBuffer, SendError, State};
//!
//! /// Echoes until the connection has ended.
//! fn echo(stream: &mut (impl Read + Write), mut conn: Connection) -> io::Result<()> {
//!     let epoch = Instant::now();
//!     let mut rx = ReceiveBuffer::new();
//!     let mut unsent = None;
//!     loop {
//!         // Receive. On an error, the Close frame that tells the peer why is queued.
//!         let mut idle = false;
//!         if unsent.is_none() {
//!             match conn.receive(&mut rx) {
//!                 Ok(Some(event)) => unsent = event.into_message(),
//!                 Ok(None) | Err(_) => idle = true,
//!             }
//!         }
//!         // Answer.
//!         if let Some(message) = unsent.take() {
//!             if let Err(SendError::Full(message)) = conn.send(message) {
//!                 unsent = Some(message);
//!             }
//!         }
//!         // Many answers leave together; a pong leaves before the next ping takes its place.
//!         if !idle && unsent.is_none() && !conn.has_pong() {
//!             continue;
//!         }
//!         // Handle the time-outs, then transmit: a ping or a Close frame may be due.
//!         conn.handle_timeout(epoch.elapsed().into());
//!         while conn.transmit().has_remaining() {
//!             match stream.write(conn.transmit().chunk())? {
//!                 0 => return Err(io::ErrorKind::WriteZero.into()),
//!                 n => conn.transmit().advance(n),
//!             }
//!         }
//!         if !idle {
//!             continue;
//!         }
//!         if conn.state() == State::Closed || conn.wants_shutdown() {
//!             return Ok(());
//!         }
//!         // Wait for bytes; a real socket waits until `conn.poll_timeout()` at the longest.
//!         let size = conn.read_hint(&rx, 16 * 1024);
//!         match stream.read(rx.spare(size))? {
//!             0 => conn.receive_eof(),
//!             n => rx.commit(n),
//!         }
//!     }
//! }
//! # struct Duplex<'a>(&'a [u8], Vec<u8>);
//! # impl Read for Duplex<'_> { fn read(&mut self, to: &mut [u8]) -> io::Result<usize> { self.0.read(to) } }
//! # impl Write for Duplex<'_> {
//! #     fn write(&mut self, from: &[u8]) -> io::Result<usize> { self.1.write(from) }
//! #     fn flush(&mut self) -> io::Result<()> { Ok(()) }
//! # }
//! # let mut stream = Duplex(b"\x81\x82\0\0\0\0hi\x89\x80\0\0\0\0\x82\x81\0\0\0\0!\x88\x82\0\0\0\0\x03\xe8", Vec::new());
//! # echo(&mut stream, Connection::server(Config::new()))?;
//! # assert_eq!(stream.1, b"\x81\x02hi\x8a\0\x82\x01!\x88\x02\x03\xe8");
//! # Ok::<(), io::Error>(())
//! ```
//!
//! What makes an adapter out of it: small messages are answered from the lent event, not owned; a
//! read that would block, or a deadline, leads back to the top of the loop; after [`wants_shutdown`](Connection::wants_shutdown) it reads on until the
//! peer has ended the stream too, so that no Close frame is lost to a reset; and a connection that
//! waits with an [empty](ReceiveBuffer::is_empty) buffer gives its memory
//! [back](ReceiveBuffer::release).
//!
//! # Promises
//! - **No panic**, whatever a peer sends and in whatever order methods are called.
//! - **No memory beyond the limits**: what a header claims is never reserved. [`Config`] has the
//!   bound.
//! - **Failures are terminal**: the Close frame with the right code is queued before the error is
//!   returned, nothing is delivered after it, and all that was complete before it has been.
//! - **Text is UTF-8**, checked as it arrives, even amid a frame, and only once.
//! - **No unsafe code** (`#![forbid(unsafe_code)]`), no runtime, no clock, no threads.
//!
//! # What it tells
//! Every error and every [`CloseOutcome`] has a short `Display`, with the limit that was hit, and an
//! [explanation](Explain): what it means and where to look.
//!
//! Under the feature `tracing` there are events with the target `sansocket`: handshakes accepted,
//! invalid, rejected and failed (with their `status`), Close frames and ends (`code`, `reason`,
//! `outcome`), limits hit (`limit`, `value`), pings and pongs of the keep-alive (`number`,
//! `round_trip_us`; late at `TRACE`, missed at `WARN`). None is sent for a message, and none is on its
//! path.
//!
//! # Features
//! | feature | default | what it brings |
//! |---|---|---|
//! | `std` | yes | [`blocking`] streams, [`OsMaskKeys`], vectored writes, faster UTF-8 checks |
//! | `handshake` | yes | the opening [`handshake`] over HTTP/1.1, and the negotiation apart from it |
//! | `deflate` | no | compression: permessage-deflate (RFC 7692), in pure Rust; its library needs std |
//! | `simd` | no | masking of large payloads by the widest vectors that the machine has; needs Rust 1.89 |
//! | `tokio` | no | [`tokio`]: async streams of tokio |
//! | `futures-io` | no | [`futures_io`]: async streams of smol and async-std; the timer is yours |
//! | `rustls` | no | `wss://` for clients, with webpki's roots and ring; rustls streams for servers |
//! | `rustls-no-provider` | no | the same, with the cryptography that the process has installed |
//! | `http` | no | [`http`]: handshakes whose requests and responses an HTTP library reads and writes |
//! | `hyper` | no | [`hyper`]: upgrades of hyper 1, server and client; brings `http` and `tokio` |
//! | `axum` | no | [`axum`]: an extractor for axum 0.8; brings `hyper` |
//! | `policy` | no | [`policy`]: reconnection, backoff, limits on connections and rates, graceful shutdown; with `tokio`, a client and a server that have them |
//! | `json` | no | [`policy::json`]: messages that are JSON, for serde; brings `policy` |
//! | `tracing` | no | events of the `tracing` crate: see [below](#what-it-tells) |
//!
//! Without features the crate is `no_std` + `alloc` and depends on `bytes` alone.

extern crate alloc;
// The library that compresses needs it too.
#[cfg(any(feature = "deflate", feature = "std"))]
extern crate std;

mod adapter;
mod buffer;
mod close;
mod config;
mod connection;
mod diagnosis;
mod error;
#[cfg(feature = "deflate")]
mod extension;
pub mod frame;
#[cfg(feature = "handshake")]
pub mod handshake;
mod mask_keys;
mod message;
mod pings;
#[cfg(feature = "policy")]
pub mod policy;
mod time;
mod trace;
mod utf8;

#[cfg(feature = "axum")]
pub use adapter::axum;
#[cfg(feature = "std")]
pub use adapter::blocking;
#[cfg(feature = "futures-io")]
pub use adapter::futures_io;
#[cfg(feature = "http")]
pub use adapter::http;
#[cfg(feature = "hyper")]
pub use adapter::hyper;
#[cfg(any(feature = "futures-io", feature = "tokio"))]
pub use adapter::poll;
#[cfg(feature = "tokio")]
pub use adapter::tokio;
pub use buffer::ReceiveBuffer;
pub use close::{CloseCode, CloseFrame, CloseOutcome, Timeout};
pub use config::{Config, Delivery};
pub use connection::{Connection, Prepared, State, Transmit, TransmitMessage};
pub use diagnosis::{Explain, Explained};
pub use error::{ProtocolError, SendError};
#[cfg(feature = "deflate")]
pub use extension::deflate::{DeflateConfig, DeflateParams};
#[cfg(feature = "std")]
pub use mask_keys::OsMaskKeys;
pub use mask_keys::{MaskKeys, SeededMaskKeys};
pub use message::{Chunk, Data, Event, Message, Payload, Text};
pub use time::Timestamp;

/// Compiles the programs of the README.
#[cfg(all(doctest, feature = "axum", feature = "policy"))]
#[doc = include_str!("../README.md")]
struct Readme;

/// Compiles the programs of the page on compression.
#[cfg(all(doctest, feature = "deflate", feature = "handshake"))]
#[doc = include_str!("../docs/COMPRESSION.md")]
struct Compression;

/// Compiles the programs of the page for those who come from another crate.
#[cfg(all(doctest, feature = "hyper", feature = "rustls"))]
#[doc = include_str!("../docs/MIGRATING.md")]
struct Migrating;
