//! Who has connected.

use alloc::string::String;
use core::net::SocketAddr;

use crate::handshake::server::Request;

/// What a [`Server`](super::Server) knows of a connection.
#[derive(Debug, Clone)]
pub struct ConnectionInfo<U = ()> {
    pub(super) address: SocketAddr,
    pub(super) request: Request,
    pub(super) subprotocol: Option<String>,
    pub(super) user: U,
}

impl<U> ConnectionInfo<U> {
    /// The client's address, or that of the proxy before it.
    pub const fn address(&self) -> SocketAddr {
        self.address
    }

    /// What the client asked for.
    pub const fn request(&self) -> &Request {
        &self.request
    }

    /// The subprotocol in use, if one is.
    pub fn subprotocol(&self) -> Option<&str> {
        self.subprotocol.as_deref()
    }

    /// What [`Server::authorize`](super::Server::authorize) has given.
    pub const fn user(&self) -> &U {
        &self.user
    }

    /// The same, owned.
    pub fn into_user(self) -> U {
        self.user
    }
}
