//! The only I/O in the crate: thin carriers between the engine and a kind of socket.
//!
//! An adapter holds no protocol rule: it flushes, receives, handles the time-outs and reads, in that
//! order, and each decision is a getter on [`Connection`](crate::Connection).

#[cfg(feature = "axum")]
pub mod axum;
#[cfg(feature = "std")]
pub mod blocking;
#[cfg(feature = "std")]
pub(crate) mod error;
#[cfg(feature = "futures-io")]
pub mod futures_io;
#[cfg(feature = "http")]
pub mod http;
#[cfg(feature = "hyper")]
pub mod hyper;
#[cfg(all(feature = "std", feature = "handshake"))]
mod opening;
#[cfg(any(feature = "futures-io", feature = "tokio"))]
pub mod poll;
#[cfg(feature = "rustls-no-provider")]
mod tls;
#[cfg(feature = "tokio")]
pub mod tokio;

/// The usual size of a read, in bytes.
#[cfg(feature = "std")]
const READ_SIZE: usize = 16 * 1024;

/// The most slices of one vectored write.
#[cfg(feature = "std")]
const SLICES: usize = 16;
