//! Async WebSockets over tokio's stream in memory.

use sansocket::Config;
use sansocket::tokio::WebSocket;
use tokio::io::{DuplexStream, duplex};

use super::Side;

pub(crate) type Duplex = WebSocket<DuplexStream>;

/// A client and a server, with room for so many bytes on the way in each direction.
pub(crate) fn pair(capacity: usize) -> (Duplex, Duplex) {
    pair_with(capacity, Config::new(), Config::new())
}

pub(crate) fn pair_with(capacity: usize, client: Config, server: Config) -> (Duplex, Duplex) {
    let (near, far) = duplex(capacity);
    (
        WebSocket::new(near, Side::Client.connection(client)),
        WebSocket::new(far, Side::Server.connection(server)),
    )
}

/// A server, and a client that has only the bytes.
pub(crate) fn raw_client(capacity: usize, config: Config) -> (Duplex, DuplexStream) {
    let (near, far) = duplex(capacity);
    (WebSocket::new(far, Side::Server.connection(config)), near)
}
