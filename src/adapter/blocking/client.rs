//! The client's opening handshake on a blocking stream.

#[cfg(feature = "rustls-no-provider")]
use alloc::sync::Arc;
use core::time::Duration;
use std::io::{self, ErrorKind};
use std::net::{TcpStream, ToSocketAddrs};
use std::time::Instant;

use super::super::error::{ConnectError, check_scheme, is_blocked};
use super::super::opening::{ClientOpening, Opened};
#[cfg(feature = "rustls-no-provider")]
use super::super::tls;
use super::io::{Io, Moved};
use super::maybe_tls::MaybeTlsStream;
use super::step::Step;
use super::transport::Transport;
use super::websocket::WebSocket;
use crate::buffer::ReceiveBuffer;
use crate::config::Config;
use crate::handshake::{WsUri, client};

/// Connects to a `ws://` URI with the defaults, or to a `wss://` URI with the feature `rustls`. See
/// [`Connector`] for all that can be chosen.
///
/// # Errors
/// See [`ConnectError`].
pub fn connect(uri: &str) -> Result<WebSocket<MaybeTlsStream>, ConnectError> {
    let request = client::Request::new(uri.parse()?);
    let (websocket, _response) = Connector::new().connect(request)?;
    Ok(websocket)
}

/// Connects as a client: what is asked for is the [`client::Request`]'s, what the connection may
/// take is the [`Config`]'s.
///
/// A redirect is not followed but reported as
/// [`ResponseError::Refused`](crate::handshake::ResponseError::Refused), with its `Location`. Nor is
/// a proxy looked for: connect through it, then [`connect_over`](Self::connect_over) that stream.
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
    #[cfg(feature = "rustls-no-provider")]
    tls_config: Option<Arc<rustls::ClientConfig>>,
}

impl Connector {
    /// The defaults of [`Config`], and 10 seconds to connect.
    pub const fn new() -> Self {
        Self {
            config: Config::new(),
            connect_timeout: Duration::from_secs(10),
            #[cfg(feature = "rustls-no-provider")]
            tls_config: None,
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

    /// For `wss://`: which certificates to trust, and all else about TLS. Only `http/1.1` is offered
    /// by ALPN, whatever is set in here.
    ///
    /// Without one, webpki's roots are trusted. The cryptography is the one that the process has
    /// [installed](rustls::crypto::CryptoProvider::install_default), or else, with the feature
    /// `rustls`, ring.
    #[cfg(feature = "rustls-no-provider")]
    #[must_use]
    pub fn tls_config(mut self, config: Arc<rustls::ClientConfig>) -> Self {
        self.tls_config = Some(config);
        self
    }

    /// Connects over TCP, with `TCP_NODELAY`, trying all addresses that the name has, and does the
    /// TLS handshake for `wss://`, and the opening handshake. These two share one time limit:
    /// [`client::Request::limits`].
    ///
    /// The resolver of the system has no time-out here.
    ///
    /// # Errors
    /// See [`ConnectError`]. With a refusal, its body has been received as far as it came.
    pub fn connect(
        &self,
        request: client::Request,
    ) -> Result<(WebSocket<MaybeTlsStream>, client::Response), ConnectError> {
        let uri = request.uri();
        check_scheme(uri)?;
        let stream = self.connect_tcp(uri)?;
        self.connect_over(request, stream)
    }

    /// Does the same on a stream that is connected already, through a proxy, say: TLS if the URI is
    /// `wss://`, and the opening handshake.
    ///
    /// # Errors
    /// As for [`connect`](Self::connect). For streams that block: where one is non-blocking or has a
    /// time-out, `WouldBlock` ends it (see [`handshake`](Self::handshake)).
    pub fn connect_over<S: Transport>(
        &self,
        request: client::Request,
        stream: S,
    ) -> Result<(WebSocket<MaybeTlsStream<S>>, client::Response), ConnectError> {
        check_scheme(request.uri())?;
        let stream = self.secure(request.uri(), stream)?;
        Ok(self.handshake(request, stream)?.proceed()?.done()?)
    }

    #[cfg(feature = "rustls-no-provider")]
    fn secure<S: Transport>(&self, uri: &WsUri, stream: S) -> io::Result<MaybeTlsStream<S>> {
        if !uri.is_secure() {
            return Ok(MaybeTlsStream::Plain(stream));
        }
        let config = tls::prepare(self.tls_config.clone())?;
        let connection = rustls::ClientConnection::new(config, tls::server_name(uri)?);
        let connection = connection.map_err(io::Error::other)?;
        let stream = rustls::StreamOwned::new(connection, stream);
        Ok(MaybeTlsStream::Rustls(stream.into()))
    }

    #[cfg(not(feature = "rustls-no-provider"))]
    fn secure<S: Transport>(&self, _: &WsUri, stream: S) -> io::Result<MaybeTlsStream<S>> {
        Ok(MaybeTlsStream::Plain(stream))
    }

    /// Begins the opening handshake alone, on a stream that is connected and secured already, or
    /// that is non-blocking.
    ///
    /// # Errors
    /// [`ConnectError::Build`]; [`ConnectError::Io`] without entropy from the system.
    pub fn handshake<S: Transport>(
        &self,
        request: client::Request,
        stream: S,
    ) -> Result<ClientHandshake<S>, ConnectError> {
        Ok(ClientHandshake {
            opening: ClientOpening::new(request, self.config.clone())?,
            io: Io::new(stream),
            rx: ReceiveBuffer::new(),
        })
    }

    fn connect_tcp(&self, uri: &WsUri) -> io::Result<TcpStream> {
        let start = Instant::now();
        let mut addresses = (uri.host(), uri.port())
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
    opening: ClientOpening,
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
            self.opening = match self.opening.proceed(&mut self.rx, now)? {
                Opened::Waits(opening) => opening,
                Opened::Done(connection, response) => {
                    let websocket = WebSocket::from_io(self.io, connection, self.rx);
                    return Ok(Step::Done((websocket, response)));
                }
            };
            let deadline = self.opening.deadline();
            let connection = &mut self.opening.connection;
            let moved = if connection.queued() > 0 {
                self.io.write(&mut connection.transmit(), deadline)
            } else {
                self.io.flush_and_read(&mut self.rx, deadline)
            };
            match moved {
                Ok(Moved::Bytes(1..) | Moved::Deadline) => {}
                Ok(Moved::Bytes(0)) => return Err(self.opening.on_end(None)),
                Err(error) if is_blocked(&error) => return Ok(Step::Blocked(self)),
                Err(error) => return Err(self.opening.on_end(Some(error))),
            }
        }
    }

    /// When to [`proceed`](Self::proceed) at the latest, be the stream ready or not.
    pub fn next_deadline(&self) -> Option<Instant> {
        self.io.instant(self.opening.deadline()?)
    }

    /// The stream, to wait for it.
    pub fn stream(&self) -> &S {
        &self.io.stream
    }
}
