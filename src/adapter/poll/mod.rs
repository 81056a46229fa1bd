//! The async WebSocket, once for all runtimes.
//!
//! Applications use it by the names that [`tokio`](crate::tokio) and
//! [`futures_io`](crate::futures_io) give it, together with functions that connect and accept. For
//! another runtime, implement [`Transport`] for its streams: reads, writes and a clock, as thin as
//! they come. The protocol, its deadlines included, is the engine's.

mod commands;
mod end;
mod io;
mod prepared;
mod recv;
mod sending;
mod spare;
mod split;
mod stream;
mod supervised;
mod transport;
mod wakers;
mod websocket;

#[cfg(feature = "handshake")]
mod client;
#[cfg(feature = "handshake")]
mod server;

#[cfg(feature = "handshake")]
pub use client::handshake;
pub(super) use commands::{Sender, send_from};
#[cfg(feature = "handshake")]
pub use server::{Incoming, PendingRefusal, PendingRequest, accept, accept_with, read_request};
pub use split::{ReceiveHalf, ReuniteError, SendHalf};
pub use transport::{Supervisor, Transport};
pub use websocket::WebSocket;
