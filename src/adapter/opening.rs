//! The opening handshake as every adapter does it: what leaves, what comes, and until when.

use alloc::boxed::Box;
use core::time::Duration;
use std::io;

use super::error::ConnectError;
use crate::buffer::ReceiveBuffer;
use crate::config::Config;
use crate::connection::Connection;
use crate::handshake::server::{Acceptance, Accepted, Request};
use crate::handshake::{BuildError, RefusedResponse, ResponseError, client};
use crate::mask_keys::OsMaskKeys;
use crate::time::Timestamp;
use crate::trace::trace;

/// How long the body of a refusal is waited for.
const BODY_TIMEOUT: Duration = Duration::from_secs(2);

/// How long a server's refusal may take to leave, and the client to end its direction after it.
pub(super) const REFUSE_TIMEOUT: Duration = Duration::from_secs(2);

/// A client's opening handshake on its way: transmit what is queued on its connection, else read.
#[derive(Debug)]
pub(super) struct ClientOpening {
    state: State,
    /// The connection to be: the request is the first that it transmits.
    pub(super) connection: Connection,
}

#[derive(Debug)]
enum State {
    Handshake(client::Handshake),
    /// The server refused; the body is still to come, until the deadline.
    Refused(Box<RefusedResponse>, Timestamp),
}

/// How far it has come.
pub(super) enum Opened {
    Done(Connection, client::Response),
    /// Move bytes, or wait for the deadline, then proceed.
    Waits(ClientOpening),
}

impl ClientOpening {
    pub(super) fn new(request: client::Request, config: Config) -> Result<Self, ConnectError> {
        let state = start(request)?;
        let mut connection = Connection::client(config, OsMaskKeys::new()?);
        connection.queue_head(state.request());
        Ok(Self {
            state: State::Handshake(state),
            connection,
        })
    }

    /// Takes what has been received, at `now`.
    pub(super) fn proceed(
        self,
        rx: &mut ReceiveBuffer,
        now: Timestamp,
    ) -> Result<Opened, ConnectError> {
        let connection = self.connection;
        let state = match self.state {
            State::Handshake(mut handshake) => {
                handshake.handle_timeout(now);
                match handshake.receive(rx) {
                    client::Progress::Incomplete(handshake) => State::Handshake(handshake),
                    client::Progress::Response(response) => {
                        #[cfg(feature = "deflate")]
                        let connection = connection.with_deflate(response.deflate());
                        return Ok(Opened::Done(connection, response));
                    }
                    client::Progress::Failed(ResponseError::Refused(response)) => {
                        State::Refused(response, now.saturating_add(BODY_TIMEOUT))
                    }
                    client::Progress::Failed(error) => return Err(error.into()),
                }
            }
            refused @ State::Refused(..) => refused,
        };
        let state = match state {
            State::Refused(mut response, deadline) => {
                if response.receive_body(rx) || now >= deadline {
                    return Err(ResponseError::Refused(response).into());
                }
                State::Refused(response, deadline)
            }
            handshake @ State::Handshake(_) => handshake,
        };
        Ok(Opened::Waits(Self { state, connection }))
    }

    /// When to proceed at the latest.
    pub(super) fn deadline(&self) -> Option<Timestamp> {
        match &self.state {
            State::Handshake(handshake) => handshake.poll_timeout(),
            State::Refused(_, deadline) => Some(*deadline),
        }
    }

    /// The stream has ended or failed.
    pub(super) fn on_end(self, error: Option<io::Error>) -> ConnectError {
        match self.state {
            // The body has come as far as it will.
            State::Refused(response, _) => ResponseError::Refused(response).into(),
            State::Handshake(_) => {
                let error = error.unwrap_or_else(|| io::ErrorKind::UnexpectedEof.into());
                trace!(stream_failed(&error));
                error.into()
            }
        }
    }
}

/// Starts a client's handshake with a nonce of the operating system.
pub(super) fn start(request: client::Request) -> Result<client::Handshake, ConnectError> {
    let mut nonce = [0; 16];
    getrandom::fill(&mut nonce).map_err(io::Error::from)?;
    Ok(request.start(nonce)?)
}

/// A server's connection, whose response to the request is the first that it transmits.
pub(super) fn accept(
    request: &Request,
    acceptance: Acceptance,
    config: Config,
) -> Result<Connection, BuildError> {
    let accepted = request.accept(acceptance)?;
    let mut connection = connection(&accepted, config);
    connection.queue_head(accepted.response());
    Ok(connection)
}

/// A server's connection as it was negotiated.
#[cfg_attr(not(feature = "deflate"), allow(unused_variables))]
pub(super) fn connection(accepted: &Accepted, config: Config) -> Connection {
    let connection = Connection::server(config);
    #[cfg(feature = "deflate")]
    let connection = connection.with_deflate(accepted.deflate());
    connection
}
