//! The server's opening handshake on a request that hyper has read.

use ::http::{Extensions, Request, Response};
use ::hyper::upgrade::OnUpgrade;

use super::super::opening;
use super::Upgrading;
use crate::config::Config;
use crate::handshake::server::{self, Acceptance, Refusal};
use crate::handshake::{BuildError, RequestError};

/// A valid request for a WebSocket on a connection that hyper can upgrade.
///
/// To reject it, answer with another response; a [`Rejection`](crate::handshake::Rejection) becomes
/// one as well.
#[derive(Debug)]
pub struct ServerUpgrade {
    request: server::Request,
    on_upgrade: OnUpgrade,
}

impl ServerUpgrade {
    /// Checks a request, and takes the right to upgrade its connection out of its extensions.
    ///
    /// # Errors
    /// A [`Refusal`], to be answered: `Response::from(&refusal)`. If the request asks for a WebSocket
    /// as it should, but something has taken that right already, the error is
    /// [`RequestError::NotUpgradable`].
    pub fn from_request<B>(request: &mut Request<B>) -> Result<Self, Refusal> {
        let checked = server::Request::try_from(&*request)?;
        Self::new(checked, request.extensions_mut())
    }

    pub(in super::super) fn new(
        request: server::Request,
        extensions: &mut Extensions,
    ) -> Result<Self, Refusal> {
        match extensions.remove() {
            Some(on_upgrade) => Ok(Self {
                request,
                on_upgrade,
            }),
            None => Err(Refusal::new(RequestError::NotUpgradable, None)),
        }
    }

    /// What the client asks for.
    pub const fn request(&self) -> &server::Request {
        &self.request
    }

    /// Accepts the request: gives the response to return, with an empty body, and the WebSocket to
    /// be. That waits for the response to leave, so await it in a task of its own.
    ///
    /// # Errors
    /// As [`server::Request::accept`], and [`BuildError::Http`].
    pub fn accept<B: Default>(
        self,
        acceptance: Acceptance,
        config: Config,
    ) -> Result<(Response<B>, Upgrading), BuildError> {
        let accepted = self.request.accept(acceptance)?;
        let connection = opening::connection(&accepted, config);
        let upgrading = Upgrading::new(self.on_upgrade, connection);
        Ok((Response::try_from(&accepted)?, upgrading))
    }
}
