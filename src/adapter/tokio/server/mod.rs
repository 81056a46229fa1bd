//! A server: accepts connections, with gates, and ends them when it shuts down.

mod accepting;
mod info;
mod listener;
mod opening;
mod registry;
mod supervised;

use alloc::boxed::Box;
use alloc::string::String;
use alloc::sync::Arc;
use alloc::vec::Vec;
use core::fmt;
use core::future::{Future, pending, ready};
use core::net::{IpAddr, SocketAddr};
use core::pin::Pin;
use core::time::Duration;
use std::io;

use ::tokio::io::{AsyncRead, AsyncWrite};

use super::super::error::AcceptError;
use crate::config::Config;
use crate::handshake::server::{Acceptance, Request};
use crate::handshake::{Limits, OriginAllowList, Rejection};
use crate::policy::{ConnectionLimits, RateLimit, Shutdown, ShutdownReport};

pub use info::ConnectionInfo;
pub use listener::Listener;
pub use supervised::{ServerWebSocket, Supervised};

/// How long connections may take to close at a shutdown, unless something else is said.
const SHUTDOWN_TIMEOUT: Duration = Duration::from_secs(10);

/// When to come back, for those that are turned away.
const RETRY_AFTER: Duration = Duration::from_secs(5);

type Authorized<U> = Pin<Box<dyn Future<Output = Result<U, Rejection>> + Send>>;
type Authorize<U> = Box<dyn Fn(Request, SocketAddr) -> Authorized<U> + Send + Sync>;
type OnError = Box<dyn Fn(Option<SocketAddr>, &AcceptError) + Send + Sync>;

/// Accepts connections and runs a task for each, until it is told to shut down.
///
/// ```no_run
/// use std::time::Duration;
/// use sansocket::handshake::OriginAllowList;
/// use sansocket::policy::{ConnectionLimits, RateLimit, Shutdown};
/// use sansocket::tokio::{Error, Server};
/// use tokio::net::TcpListener;
///
/// # async fn told_to_end() {}
/// # #[tokio::main(flavor = "current_thread")]
/// # async fn main() -> Result<(), Box<dyn std::error::Error>> {
/// let report = Server::new()
///     .origins(OriginAllowList::new(["https://chat.example"])?)
///     .connections(ConnectionLimits::new().max_total(10_000).max_per_key(50))
///     .rate(RateLimit::new().messages(20, 100))
///     .shutdown(Shutdown::new(Duration::from_secs(10)), told_to_end())
///     .serve(TcpListener::bind("127.0.0.1:9001").await?, |mut websocket, _info| async move {
///         while let Some(message) = websocket.recv().await? {
///             websocket.feed(message).await?;
///         }
///         Ok::<(), Error>(())
///     })
///     .await;
/// println!("{report}");
/// # Ok(())
/// # }
/// ```
///
/// # What it does
/// A connection beyond a limit gets 429 or 503 with `Retry-After`, a page of an origin that is not
/// allowed 403, and whoever is not [authorized](Self::authorize) what the application says. TLS, the
/// request and the decision each have the time of [`Limits::timeout`], apart from accepting, which
/// never waits for a client.
///
/// A connection counts until its task has ended. A peer that sends more than it may is told 1008, and
/// nothing that comes behind that message is delivered. Whatever the task awaits of its WebSocket, the
/// server has it closed when it shuts down, or evicts the connection; a shutdown drops those that don't
/// end in time. A handler that awaits other things alone is not evicted before it ends.
///
/// That accepting fails, since there are no file descriptors left, say, is no end: it goes on after
/// a pause.
#[must_use = "nothing is served unless `serve` is awaited"]
pub struct Server<U = ()> {
    settings: Settings,
    connections: ConnectionLimits<IpAddr>,
    authorize: Authorize<U>,
    shutdown: Shutdown,
    signal: Pin<Box<dyn Future<Output = ()> + Send>>,
}

struct Settings {
    origins: Option<OriginAllowList>,
    subprotocols: Vec<String>,
    acceptance: Acceptance,
    config: Config,
    limits: Limits,
    rate: Option<RateLimit>,
    retry_after: Duration,
    on_error: OnError,
}

impl Settings {
    fn busy(&self) -> Rejection {
        Rejection::new(503).retry_after(self.retry_after)
    }
}

impl Server {
    /// Accepts all, with the defaults of [`Limits`] and [`Config`], and for ever.
    pub fn new() -> Self {
        Self {
            settings: Settings {
                origins: None,
                subprotocols: Vec::new(),
                acceptance: Acceptance::new(),
                config: Config::new(),
                limits: Limits::new(),
                rate: None,
                retry_after: RETRY_AFTER,
                on_error: Box::new(|_, _| {}),
            },
            connections: ConnectionLimits::new(),
            authorize: Box::new(|_, _| Box::pin(ready(Ok(())))),
            shutdown: Shutdown::new(SHUTDOWN_TIMEOUT),
            signal: Box::pin(pending()),
        }
    }
}

impl Default for Server {
    fn default() -> Self {
        Self::new()
    }
}

impl<U> Server<U> {
    /// The origins whose pages may connect; others get 403.
    pub fn origins(mut self, origins: OriginAllowList) -> Self {
        self.settings.origins = Some(origins);
        self
    }

    /// Who may connect: decides on a request that has passed the other gates, and may ask somebody
    /// else. What it gives is in [`ConnectionInfo::user`]; or it has the request rejected: with 404
    /// for a path that is none, say.
    ///
    /// ```no_run
    /// use sansocket::handshake::Rejection;
    /// use sansocket::tokio::Server;
    ///
    /// # async fn user_of(_session: &str) -> Option<String> { None }
    /// let server = Server::new().authorize(|request, _address| async move {
    ///     let session = request.cookie("session").unwrap_or_default();
    ///     let missing = Rejection::new(401).header("WWW-Authenticate", "Session");
    ///     user_of(session).await.ok_or(missing)
    /// });
    /// # let _ = server;
    /// ```
    pub fn authorize<V, F>(
        self,
        authorize: impl Fn(Request, SocketAddr) -> F + Send + Sync + 'static,
    ) -> Server<V>
    where
        F: Future<Output = Result<V, Rejection>> + Send + 'static,
    {
        Server {
            settings: self.settings,
            connections: self.connections,
            authorize: Box::new(move |request, address| Box::pin(authorize(request, address))),
            shutdown: self.shutdown,
            signal: self.signal,
        }
    }

    /// How many connections there may be in all, and of one client, which is the
    /// [`address_group`](crate::policy::address_group) of its address: behind a proxy, of the proxy.
    ///
    /// With [`evict_idle`](ConnectionLimits::evict_idle), a connection is active when it has received
    /// a message, to the second: what keeps an idle one alive does not count.
    pub fn connections(mut self, limits: ConnectionLimits<IpAddr>) -> Self {
        self.connections = limits;
        self
    }

    /// What each peer may send; beyond it, the connection is closed with 1008. The message that goes
    /// beyond is the last that is delivered.
    pub fn rate(mut self, limit: RateLimit) -> Self {
        self.settings.rate = Some(limit);
        self
    }

    /// When those that are turned away may come back: after 5 seconds, unless something else is said.
    pub const fn retry_after(mut self, wait: Duration) -> Self {
        self.settings.retry_after = wait;
        self
    }

    /// The subprotocols of this server: of those that a client offers, it gets the one that it prefers.
    pub fn subprotocols(mut self, names: impl IntoIterator<Item = impl Into<String>>) -> Self {
        self.settings.subprotocols = names.into_iter().map(Into::into).collect();
        self
    }

    /// How requests are accepted: with compression, say, or with more headers.
    pub fn acceptance(mut self, acceptance: Acceptance) -> Self {
        self.settings.acceptance = acceptance;
        self
    }

    /// The limits and deadlines of each connection.
    pub const fn config(mut self, config: Config) -> Self {
        self.settings.config = config;
        self
    }

    /// The limits of opening handshakes. Their timeout is also that of TLS, and of
    /// [`authorize`](Self::authorize), each.
    pub const fn limits(mut self, limits: Limits) -> Self {
        self.settings.limits = limits;
        self
    }

    /// Shuts down when the signal is over: accepts no more, closes all connections, and waits for them
    /// to end.
    pub fn shutdown(
        mut self,
        shutdown: Shutdown,
        signal: impl Future<Output = ()> + Send + 'static,
    ) -> Self {
        self.shutdown = shutdown;
        self.signal = Box::pin(signal);
        self
    }

    /// To hear of what failed before there was a WebSocket, with the client's address if it was not
    /// accepting itself: to log it, say. What comes after is for the application's own task to tell.
    pub fn on_error(
        mut self,
        on_error: impl Fn(Option<SocketAddr>, &AcceptError) + Send + Sync + 'static,
    ) -> Self {
        self.settings.on_error = Box::new(on_error);
        self
    }

    /// Serves each WebSocket in a task of its own; what the task gives is dropped, and one that panics
    /// ends its own connection alone.
    ///
    /// Returns when the shutdown is done, with how connections have ended in it.
    ///
    /// # Cancel safety
    /// Dropped, all connections are.
    pub async fn serve<L, H, F>(self, listener: L, handler: H) -> ShutdownReport
    where
        U: Send + 'static,
        L: Listener,
        L::Stream: AsyncRead + AsyncWrite + Unpin + Send + 'static,
        H: Fn(ServerWebSocket<L::Stream>, ConnectionInfo<U>) -> F + Send + Sync + 'static,
        F: Future + Send + 'static,
    {
        self.serve_over(listener, |stream| ready(Ok(stream)), handler)
            .await
    }

    /// The same over TLS, or whatever else there is to do with a stream first:
    ///
    /// ```no_run
    /// # #[cfg(feature = "rustls")]
    /// # async fn serve(listener: tokio::net::TcpListener, config: std::sync::Arc<rustls::ServerConfig>) {
    /// use sansocket::tokio::Server;
    ///
    /// let acceptor = tokio_rustls::TlsAcceptor::from(config);
    /// let tls = move |stream| acceptor.accept(stream);
    /// let serving = Server::new().serve_over(listener, tls, |mut websocket, _info| async move {
    ///     websocket.send("hello").await
    /// });
    /// serving.await;
    /// # }
    /// ```
    ///
    /// # Cancel safety
    /// Dropped, all connections are.
    pub async fn serve_over<L, T, C, S, H, F>(
        self,
        listener: L,
        secure: T,
        handler: H,
    ) -> ShutdownReport
    where
        U: Send + 'static,
        L: Listener,
        T: Fn(L::Stream) -> C,
        C: Future<Output = io::Result<S>> + Send + 'static,
        S: AsyncRead + AsyncWrite + Unpin + Send + 'static,
        H: Fn(ServerWebSocket<S>, ConnectionInfo<U>) -> F + Send + Sync + 'static,
        F: Future + Send + 'static,
    {
        let registry = Arc::new(registry::Registry::new(self.connections, self.shutdown));
        let opening = opening::Opening {
            settings: self.settings,
            authorize: self.authorize,
            handler,
        };
        accepting::run(listener, secure, opening.into(), registry, self.signal).await
    }
}

impl<U> fmt::Debug for Server<U> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Server")
            .field("connections", &self.connections)
            .field("rate", &self.settings.rate)
            .finish_non_exhaustive()
    }
}
