//! Upgrades of hyper: WebSockets beside the other routes of an HTTP server, and through an HTTP
//! client.
//!
//! A service that echoes at every path, on a connection served
//! [with upgrades](https://docs.rs/hyper/1/hyper/server/conn/http1/struct.Connection.html#method.with_upgrades):
//!
//! ```
//! use bytes::Bytes;
//! use http::{Request, Response};
//! use http_body_util::Full;
//! use sansocket::Config;
//! use sansocket::handshake::{BuildError, server::Acceptance};
//! use sansocket::hyper::ServerUpgrade;
//!
//! async fn echo<B>(mut request: Request<B>) -> Result<Response<Full<Bytes>>, BuildError> {
//!     let upgrade = match ServerUpgrade::from_request(&mut request) {
//!         Ok(upgrade) => upgrade,
//!         Err(refusal) => return Ok(Response::from(&refusal)),
//!     };
//!     let (response, upgrading) = upgrade.accept(Acceptance::new(), Config::new())?;
//!     tokio::spawn(async move {
//!         let mut websocket = upgrading.await?;
//!         while let Some(message) = websocket.recv().await? {
//!             websocket.feed(message).await?;
//!         }
//!         Ok::<(), Box<dyn std::error::Error + Send + Sync>>(())
//!     });
//!     Ok(response)
//! }
//! ```
//!
//! A client, on a connection that is driven with upgrades as well:
//!
//! ```no_run
//! use bytes::Bytes;
//! use http_body_util::Empty;
//! use sansocket::Config;
//! use sansocket::handshake::client::Request;
//! use sansocket::hyper::ClientUpgrade;
//!
//! # async fn run(
//! #     mut sender: hyper::client::conn::http1::SendRequest<Empty<Bytes>>,
//! # ) -> Result<(), Box<dyn std::error::Error>> {
//! let request = Request::new("ws://example.com/chat".parse()?).subprotocol("chat");
//! let (upgrade, request) = ClientUpgrade::start(request)?;
//! let mut response = sender.send_request(request).await?;
//! let (response, upgrading) = upgrade.check(&mut response, Config::new())?;
//! println!("the subprotocol is {:?}", response.subprotocol());
//! let mut websocket = upgrading.await?;
//! websocket.send("hello").await?;
//! # Ok(())
//! # }
//! ```
//!
//! What hyper has read behind the head comes out of the stream first. Limits and deadlines of the
//! opening handshake are hyper's own.

mod client;
mod server;
mod stream;

use core::fmt;
use core::future::Future;
use core::pin::Pin;
use core::task::{Context, Poll, ready};

use ::hyper::upgrade::OnUpgrade;

use super::tokio;
use crate::connection::Connection;

pub use client::ClientUpgrade;
pub use server::ServerUpgrade;
pub use stream::Upgraded;

/// A WebSocket over a connection that hyper has upgraded.
pub type WebSocket = tokio::WebSocket<Upgraded>;

/// The [`WebSocket`] to be: a future that waits for hyper to hand the connection over.
///
/// A server's is handed over after the response of status 101 has left: spawn a task that awaits it,
/// and return the response. Should another response take its place on the way, hyper hands the
/// connection over when it has ended, and so ends the WebSocket. A client's is handed over when the
/// response has come.
///
/// # Cancel safety
/// Dropped before it was done, the connection is closed.
#[must_use = "the connection is closed unless this is awaited"]
pub struct Upgrading(Option<(OnUpgrade, Connection)>);

impl Upgrading {
    fn new(on_upgrade: OnUpgrade, connection: Connection) -> Self {
        Self(Some((on_upgrade, connection)))
    }
}

impl Future for Upgrading {
    type Output = Result<WebSocket, ::hyper::Error>;

    fn poll(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<Self::Output> {
        let Some((on_upgrade, _)) = &mut self.0 else {
            return Poll::Pending; // polled after it was done
        };
        let upgraded = ready!(Pin::new(on_upgrade).poll(cx));
        match self.0.take() {
            Some((_, connection)) => Poll::Ready(
                upgraded.map(|stream| WebSocket::new(Upgraded::new(stream), connection)),
            ),
            None => Poll::Pending,
        }
    }
}

impl fmt::Debug for Upgrading {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Upgrading").finish_non_exhaustive()
    }
}
