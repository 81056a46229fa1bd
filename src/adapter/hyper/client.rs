//! The client's opening handshake through a connection of hyper.

use ::http::{Request, Response};

use super::super::error::ConnectError;
use super::super::opening;
use super::Upgrading;
use crate::config::Config;
use crate::connection::Connection;
use crate::handshake::{ResponseError, client};
use crate::mask_keys::OsMaskKeys;

/// A client's opening handshake: its request is hyper's to send, and its response hyper's to read.
#[derive(Debug)]
pub struct ClientUpgrade {
    handshake: client::Handshake,
    mask_keys: OsMaskKeys,
}

impl ClientUpgrade {
    /// Starts the handshake; gives the request to send with it.
    ///
    /// Its URI is path and query alone. For a client that finds its connection by the URI, set
    /// [`uri_mut`](Request::uri_mut) to the whole one, with `http` for `ws`. The limits and the
    /// time-out of `request` do not apply: what the response may take is hyper's to limit.
    ///
    /// # Errors
    /// [`ConnectError::Build`], [`ConnectError::Io`] if the operating system has no random bytes.
    pub fn start<B: Default>(request: client::Request) -> Result<(Self, Request<B>), ConnectError> {
        let handshake = opening::start(request)?;
        let request = Request::try_from(&handshake)?;
        let mask_keys = OsMaskKeys::new()?;
        let upgrade = Self {
            handshake,
            mask_keys,
        };
        Ok((upgrade, request))
    }

    /// Checks the response, and takes the upgraded connection out of its extensions; gives what was
    /// negotiated, and the WebSocket to be.
    ///
    /// # Errors
    /// [`ResponseError::Refused`] for any status but 101: the response, with its body, is still the
    /// caller's. The others mean that what follows is no WebSocket.
    pub fn check<B>(
        self,
        response: &mut Response<B>,
        config: Config,
    ) -> Result<(client::Response, Upgrading), ResponseError> {
        let checked = self.handshake.check(response)?;
        let connection = Connection::client(config, self.mask_keys);
        #[cfg(feature = "deflate")]
        let connection = connection.with_deflate(checked.deflate());
        let upgrading = Upgrading::new(::hyper::upgrade::on(response), connection);
        Ok((checked, upgrading))
    }
}
