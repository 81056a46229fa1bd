//! The client's opening handshake on a stream of tokio.

#[cfg(feature = "rustls-no-provider")]
use alloc::boxed::Box;
#[cfg(feature = "rustls-no-provider")]
use alloc::sync::Arc;
use alloc::vec::Vec;
use core::time::Duration;
use std::io::{self, ErrorKind};

use ::tokio::io::{AsyncRead, AsyncWrite};
use ::tokio::net::{TcpStream, lookup_host};
use ::tokio::time::{Instant, timeout_at};

use super::super::error::{ConnectError, check_scheme};
use super::super::poll;
#[cfg(feature = "rustls-no-provider")]
use super::super::tls;
use super::{MaybeTlsStream, Tokio, WebSocket};
use crate::config::Config;
use crate::handshake::{WsUri, client};

/// Connects to a `ws://` URI, or to a `wss://` one with the feature `rustls`, with the defaults. See
/// [`Connector`] for all that can be chosen.
///
/// # Cancel safety
/// Dropped before it was done, there is no connection.
///
/// # Errors
/// See [`ConnectError`].
pub async fn connect(uri: &str) -> Result<WebSocket<MaybeTlsStream>, ConnectError> {
    let request = client::Request::new(uri.parse()?);
    let (websocket, _response) = Connector::new().connect(request).await?;
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
/// use sansocket::handshake::client;
/// use sansocket::tokio::Connector;
///
/// # #[tokio::main(flavor = "current_thread")]
/// # async fn main() -> Result<(), Box<dyn std::error::Error>> {
/// let request = client::Request::new("ws://127.0.0.1:9001/chat".parse()?).subprotocol("chat");
/// let connector = Connector::new()
///     .config(Config::new().max_message_size(1024 * 1024))
///     .connect_timeout(Duration::from_secs(3));
/// let (websocket, response) = connector.connect(request).await?;
/// assert_eq!(response.subprotocol(), Some("chat"));
/// # Ok(())
/// # }
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

    /// How long connecting may take: resolving the name, TCP over all addresses that it has, and
    /// TLS. The opening handshake's own time is in [`client::Request::limits`].
    #[must_use]
    pub const fn connect_timeout(mut self, timeout: Duration) -> Self {
        self.connect_timeout = timeout;
        self
    }

    /// How `wss://` is to be secured, instead of by webpki's roots and the default cryptography.
    /// ALPN is always set to `http/1.1`.
    #[cfg(feature = "rustls-no-provider")]
    #[must_use]
    pub fn tls_config(mut self, config: Arc<rustls::ClientConfig>) -> Self {
        self.tls_config = Some(config);
        self
    }

    /// Connects over TCP, with `TCP_NODELAY`, trying all addresses that the name has, and does the
    /// opening handshake.
    ///
    /// # Cancel safety
    /// Dropped before it was done, there is no connection.
    ///
    /// # Errors
    /// See [`ConnectError`]. With a refusal, its body has been received as far as it came.
    pub async fn connect(
        &self,
        request: client::Request,
    ) -> Result<(WebSocket<MaybeTlsStream>, client::Response), ConnectError> {
        check_scheme(request.uri())?;
        let deadline = self.deadline();
        let stream = connect_tcp(request.uri().host(), request.uri().port(), deadline).await?;
        let stream = self.secure(request.uri(), stream, deadline).await?;
        self.handshake(request, stream).await
    }

    /// Does the same on a stream that is connected already, through a proxy, say: TLS if the URI is
    /// `wss://`, and the opening handshake.
    ///
    /// # Cancel safety
    /// Dropped before it was done, the stream is closed.
    ///
    /// # Errors
    /// As for [`connect`](Self::connect).
    pub async fn connect_over<S>(
        &self,
        request: client::Request,
        stream: S,
    ) -> Result<(WebSocket<MaybeTlsStream<S>>, client::Response), ConnectError>
    where
        S: AsyncRead + AsyncWrite + Unpin,
    {
        check_scheme(request.uri())?;
        let deadline = self.deadline();
        let stream = self.secure(request.uri(), stream, deadline).await?;
        self.handshake(request, stream).await
    }

    /// Does the opening handshake alone, on a stream that is connected and secured already.
    ///
    /// # Cancel safety
    /// Dropped before it was done, the stream is closed.
    ///
    /// # Errors
    /// As for [`connect`](Self::connect).
    pub async fn handshake<S>(
        &self,
        request: client::Request,
        stream: S,
    ) -> Result<(WebSocket<S>, client::Response), ConnectError>
    where
        S: AsyncRead + AsyncWrite + Unpin,
    {
        poll::handshake(Tokio(stream), request, self.config.clone()).await
    }

    fn deadline(&self) -> Option<Instant> {
        Instant::now().checked_add(self.connect_timeout)
    }

    #[cfg(feature = "rustls-no-provider")]
    async fn secure<S>(
        &self,
        uri: &WsUri,
        stream: S,
        deadline: Option<Instant>,
    ) -> io::Result<MaybeTlsStream<S>>
    where
        S: AsyncRead + AsyncWrite + Unpin,
    {
        if !uri.is_secure() {
            return Ok(MaybeTlsStream::Plain(stream));
        }
        let connector = tokio_rustls::TlsConnector::from(tls::prepare(self.tls_config.clone())?);
        let connecting = connector.connect(tls::server_name(uri)?, stream);
        let stream = before(deadline, connecting).await?;
        Ok(MaybeTlsStream::Rustls(Box::new(stream)))
    }

    #[cfg(not(feature = "rustls-no-provider"))]
    async fn secure<S>(
        &self,
        _: &WsUri,
        stream: S,
        _: Option<Instant>,
    ) -> io::Result<MaybeTlsStream<S>> {
        Ok(MaybeTlsStream::Plain(stream))
    }
}

async fn connect_tcp(host: &str, port: u16, deadline: Option<Instant>) -> io::Result<TcpStream> {
    let addresses = before(deadline, lookup_host((host, port))).await?;
    let mut addresses = addresses.collect::<Vec<_>>().into_iter();
    let mut result = Err(ErrorKind::NotFound.into());
    while let Some(address) = addresses.next() {
        // Each address gets its share of the time that is left.
        let now = Instant::now();
        let shares = u32::try_from(addresses.len())
            .unwrap_or(u32::MAX)
            .saturating_add(1);
        let share = deadline.and_then(|deadline| {
            let left = deadline.saturating_duration_since(now);
            now.checked_add(left.checked_div(shares).unwrap_or_default())
        });
        result = before(share, TcpStream::connect(address)).await;
        if let Ok(stream) = &result {
            stream.set_nodelay(true)?;
            break;
        }
    }
    result
}

/// A deadline too far to be told is none.
async fn before<R>(
    deadline: Option<Instant>,
    future: impl Future<Output = io::Result<R>>,
) -> io::Result<R> {
    match deadline {
        Some(deadline) => timeout_at(deadline, future).await?,
        None => future.await,
    }
}

impl Default for Connector {
    fn default() -> Self {
        Self::new()
    }
}
