//! The client's opening handshake on a blocking stream.

use alloc::boxed::Box;
use core::time::Duration;
use std::io::{self, ErrorKind};
use std::net::{TcpStream, ToSocketAddrs};
use std::time::Instant;

use super::error::{ConnectError, Step};
use super::io::{Io, Moved, READ_SIZE, is_blocked};
use super::transport::Transport;
use super::websocket::WebSocket;
use crate::buffer::ReceiveBuffer;
use crate::config::Config;
use crate::connection::Connection;
use crate::handshake::{RefusedResponse, ResponseError, client};
use crate::mask_keys::OsMaskKeys;
use crate::time::Timestamp;

/// How long the body of a refusal is waited for.
const BODY_TIMEOUT: Duration = Duration::from_secs(2);

/// Connects to a `ws://` URI with the defaults. See [`Connector`] for all that can be chosen.
///
/// # Errors
/// See [`ConnectError`].
pub fn connect(uri: &str) -> Result<WebSocket<TcpStream>, ConnectError> {
    let request = client::Request::new(uri.parse()?);
    let (websocket, _response) = Connector::new().connect(request)?;
    Ok(websocket)
}

/// Connects as a client: what is asked for is the [`client::Request`]'s, what the connection may
/// take is the [`Config`]'s.
///
/// ```no_run
/// use std::time::Duration;
/// use sansocket::Config;
/// use sansocket::blocking::Connector;
/// use sansocket::handshake::client;
///
/// let request = client::Request::new("ws://127.0.0.1:9001/chat".parse()?).subprotocol("chat");
/// let connector = Connector::new()
///     .config(Config::new().max_message_size(1024 * 1024))
///     .connect_timeout(Duration::from_secs(3));
/// let (websocket, response) = connector.connect(request)?;
/// assert_eq!(response.subprotocol(), Some("chat"));
/// # Ok::<(), Box<dyn std::error::Error>>(())
/// ```
#[derive(Debug, Clone)]
pub struct Connector {
    config: Config,
    connect_timeout: Duration,
}

impl Connector {
    /// The defaults of [`Config`], and 10 seconds to connect.
    pub const fn new() -> Self {
        Self {
            config: Config::new(),
            connect_timeout: Duration::from_secs(10),
        }
    }

    /// The limits and deadlines of the connection.
    #[must_use]
    pub const fn config(mut self, config: Config) -> Self {
        self.config = config;
        self
    }

    /// How long connecting may take over all addresses that the name has. The handshake's own time
    /// is in [`client::Request::limits`].
    #[must_use]
    pub const fn connect_timeout(mut self, timeout: Duration) -> Self {
        self.connect_timeout = timeout;
        self
    }

    /// Connects over TCP, with `TCP_NODELAY`, trying all addresses that the name has, and does the
    /// opening handshake.
    ///
    /// The resolver of the system has no time-out here.
    ///
    /// # Errors
    /// See [`ConnectError`]. With a refusal, its body has been received as far as it came.
    pub fn connect(
        &self,
        request: client::Request,
    ) -> Result<(WebSocket<TcpStream>, client::Response), ConnectError> {
        if request.uri().is_secure() {
            return Err(ConnectError::Secure);
        }
        let stream = self.connect_tcp((request.uri().host(), request.uri().port()))?;
        Ok(self.handshake(request, stream)?.proceed()?.done()?)
    }

    /// Begins the opening handshake on a stream that is connected already: through TLS or a proxy,
    /// say.
    ///
    /// # Errors
    /// [`ConnectError::Build`]; [`ConnectError::Io`] without entropy from the system.
    pub fn handshake<S: Transport>(
        &self,
        request: client::Request,
        stream: S,
    ) -> Result<ClientHandshake<S>, ConnectError> {
        let mut nonce = [0; 16];
        getrandom::fill(&mut nonce).map_err(io::Error::from)?;
        let keys = OsMaskKeys::new()?;
        let state = request.start(nonce)?;
        let mut connection = Connection::client(self.config.clone(), keys);
        connection.queue_head(state.request());
        Ok(ClientHandshake {
            io: Io::new(stream),
            rx: ReceiveBuffer::new(),
            state: State::Handshake(state),
            connection,
        })
    }

    fn connect_tcp(&self, address: impl ToSocketAddrs) -> io::Result<TcpStream> {
        let start = Instant::now();
        let mut addresses = address
            .to_socket_addrs()?
            .collect::<std::vec::Vec<_>>()
            .into_iter();
        let mut result = Err(ErrorKind::NotFound.into());
        while let Some(address) = addresses.next() {
            // Each address gets its share of the time that is left.
            let left = self.connect_timeout.saturating_sub(start.elapsed());
            let shares = u32::try_from(addresses.len())
                .unwrap_or(u32::MAX)
                .saturating_add(1);
            let share = left.checked_div(shares).unwrap_or_default();
            if share.is_zero() {
                return Err(ErrorKind::TimedOut.into());
            }
            result = TcpStream::connect_timeout(&address, share);
            if let Ok(stream) = &result {
                stream.set_nodelay(true)?;
                break;
            }
        }
        result
    }
}

impl Default for Connector {
    fn default() -> Self {
        Self::new()
    }
}

/// An opening handshake on its way.
#[derive(Debug)]
pub struct ClientHandshake<S> {
    io: Io<S>,
    rx: ReceiveBuffer,
    state: State,
    /// The connection to be: the request is the first that it transmits.
    connection: Connection,
}

#[derive(Debug)]
enum State {
    Handshake(client::Handshake),
    /// The server refused; the body is still to come, until the deadline.
    Refused(Box<RefusedResponse>, Timestamp),
}

/// What a finished client's handshake gives.
type Connected<S> = (WebSocket<S>, client::Response);

impl<S: Transport> ClientHandshake<S> {
    /// Writes the request and reads the response, until it is there or the stream blocks.
    ///
    /// # Errors
    /// [`ConnectError::Response`], [`ConnectError::Io`].
    pub fn proceed(mut self) -> Result<Step<Connected<S>, Self>, ConnectError> {
        loop {
            let now = self.io.now();
            let deadline = match self.state {
                State::Handshake(mut handshake) => {
                    handshake.handle_timeout(now);
                    let deadline = handshake.poll_timeout();
                    match handshake.receive(&mut self.rx) {
                        client::Progress::Incomplete(again) => self.state = State::Handshake(again),
                        client::Progress::Response(response) => {
                            let websocket = WebSocket::from_io(self.io, self.connection, self.rx);
                            return Ok(Step::Done((websocket, response)));
                        }
                        client::Progress::Failed(ResponseError::Refused(response)) => {
                            self.state = State::Refused(response, now.saturating_add(BODY_TIMEOUT));
                            continue;
                        }
                        client::Progress::Failed(error) => return Err(error.into()),
                    }
                    deadline
                }
                State::Refused(mut response, deadline) => {
                    if response.receive_body(&mut self.rx) || now >= deadline {
                        return Err(ResponseError::Refused(response).into());
                    }
                    self.state = State::Refused(response, deadline);
                    Some(deadline)
                }
            };
            let moved = if self.connection.queued() > 0 {
                self.io.write(&mut self.connection.transmit(), deadline)
            } else {
                self.io.read(&mut self.rx, READ_SIZE, deadline)
            };
            match (moved, self.state) {
                (Ok(Moved::Bytes(1..) | Moved::Deadline), state) => self.state = state,
                (Err(error), state) if is_blocked(&error) => {
                    self.state = state;
                    return Ok(Step::Blocked(self));
                }
                // The body has come as far as it will.
                (_, State::Refused(response, _)) => {
                    return Err(ResponseError::Refused(response).into());
                }
                (Ok(_), _) => return Err(io::Error::from(ErrorKind::UnexpectedEof).into()),
                (Err(error), _) => return Err(error.into()),
            }
        }
    }

    /// When to [`proceed`](Self::proceed) at the latest, be the stream ready or not.
    pub fn next_deadline(&self) -> Option<Instant> {
        let at = match &self.state {
            State::Handshake(handshake) => handshake.poll_timeout()?,
            State::Refused(_, deadline) => *deadline,
        };
        self.io.instant(at)
    }

    /// The stream, to wait for it.
    pub fn stream(&self) -> &S {
        &self.io.stream
    }
}
