//! An extractor for axum: WebSockets as handlers of a router.
//!
//! ```
//! use axum::{Router, response::Response, routing::any};
//! use sansocket::axum::{WebSocket, WebSocketUpgrade};
//! use sansocket::tokio::Error;
//!
//! async fn handler(upgrade: WebSocketUpgrade) -> Response {
//!     upgrade.subprotocols(["echo"]).on_upgrade(|websocket| async {
//!         if let Err(error) = echo(websocket).await {
//!             eprintln!("{error}");
//!         }
//!     })
//! }
//!
//! async fn echo(mut websocket: WebSocket) -> Result<(), Error> {
//!     while let Some(message) = websocket.recv().await? {
//!         websocket.feed(message).await?; // leaves when there is nothing more to receive
//!     }
//!     Ok(())
//! }
//!
//! let app: Router = Router::new().route("/echo", any(handler));
//! # let _ = app;
//! ```

use alloc::boxed::Box;
use alloc::string::String;
use core::fmt;
use core::future::Future;

use ::axum_core::extract::FromRequestParts;
use ::axum_core::response::{IntoResponse, Response};
use ::http::StatusCode;
use ::http::request::Parts;

use super::hyper::ServerUpgrade;
use crate::config::Config;
#[cfg(feature = "deflate")]
use crate::extension::deflate::DeflateConfig;
use crate::handshake::server::{Acceptance, Refusal, Request};
use crate::handshake::{OriginAllowList, Rejection};

pub use super::hyper::WebSocket;

/// Extracts a valid request for a WebSocket, to be accepted by [`on_upgrade`](Self::on_upgrade).
///
/// Any other request is answered before the handler is called, with the status and headers that
/// RFC 6455 and HTTP ask for: 400, 405 (not `GET`), 426 (no upgrade, or not to version 13), 505
/// (HTTP/1.0 or HTTP/2); 500 where something has taken the right to upgrade the connection. To answer
/// otherwise, for instance with a page, extract `Result<WebSocketUpgrade, Refusal>`.
///
/// The request of a handler that returns another response than `on_upgrade`'s is rejected by that.
#[must_use = "the request is accepted by `on_upgrade`"]
pub struct WebSocketUpgrade {
    upgrade: ServerUpgrade,
    config: Config,
    acceptance: Acceptance,
    subprotocol: Option<String>,
    is_forbidden: bool,
    on_failed_upgrade: Box<dyn FnOnce(::hyper::Error) + Send>,
}

impl<S: Sync> FromRequestParts<S> for WebSocketUpgrade {
    type Rejection = Refusal;

    async fn from_request_parts(parts: &mut Parts, _state: &S) -> Result<Self, Refusal> {
        let request = Request::try_from(&*parts)?;
        Ok(Self {
            upgrade: ServerUpgrade::new(request, &mut parts.extensions)?,
            config: Config::new(),
            acceptance: Acceptance::new(),
            subprotocol: None,
            is_forbidden: false,
            on_failed_upgrade: Box::new(|_| ()),
        })
    }
}

impl WebSocketUpgrade {
    /// Selects the first of these subprotocols that the client has offered, if it has one.
    pub fn subprotocols<N: Into<String>>(mut self, names: impl IntoIterator<Item = N>) -> Self {
        self.subprotocol = names
            .into_iter()
            .map(Into::into)
            .find(|name| self.request().subprotocols().any(|offered| offered == name));
        self
    }

    /// Answers with 403 unless the request's origin is one of these: for servers that go by cookies
    /// or other credentials of a browser, which any page can have it send (RFC 6455 §10.2).
    pub fn origins(mut self, allowed: &OriginAllowList) -> Self {
        self.is_forbidden = !allowed.allows(self.request().origin());
        self
    }

    /// Sets limits and deadlines of the connection.
    pub fn config(mut self, config: Config) -> Self {
        self.config = config;
        self
    }

    /// Compresses messages (RFC 7692) if the client has offered to.
    #[cfg(feature = "deflate")]
    pub fn deflate(mut self, config: DeflateConfig) -> Self {
        self.acceptance = self.acceptance.deflate(config);
        self
    }

    /// What becomes of the error if hyper does not hand the connection over: the client may have gone
    /// before the response. Without this the error is dropped.
    pub fn on_failed_upgrade(
        mut self,
        callback: impl FnOnce(::hyper::Error) + Send + 'static,
    ) -> Self {
        self.on_failed_upgrade = Box::new(callback);
        self
    }

    /// What the client asks for: path, headers, origin, what it offers.
    pub const fn request(&self) -> &Request {
        self.upgrade.request()
    }

    /// The subprotocol that [`subprotocols`](Self::subprotocols) has selected.
    pub fn selected_subprotocol(&self) -> Option<&str> {
        self.subprotocol.as_deref()
    }

    /// Accepts the request: gives the response to return, and spawns a task that calls `callback`
    /// with the WebSocket once that response has left. Headers can be added to the response.
    ///
    /// If the origin is not [allowed](Self::origins), that is the response, and `callback` is
    /// dropped.
    pub fn on_upgrade<F, Fut>(self, callback: F) -> Response
    where
        F: FnOnce(WebSocket) -> Fut + Send + 'static,
        Fut: Future<Output = ()> + Send + 'static,
    {
        if self.is_forbidden {
            let forbidden = Rejection::new(403);
            let text = "pages of this origin may not connect here\n";
            return answer(forbidden.body("text/plain; charset=utf-8", text));
        }
        let mut acceptance = self.acceptance;
        if let Some(name) = self.subprotocol {
            acceptance = acceptance.subprotocol(name);
        }
        // All that is in it was offered, so that it can be written.
        let Ok((response, upgrading)) = self.upgrade.accept(acceptance, self.config) else {
            return answer(Rejection::new(500));
        };
        let on_failed_upgrade = self.on_failed_upgrade;
        ::tokio::spawn(async move {
            match upgrading.await {
                Ok(websocket) => callback(websocket).await,
                Err(error) => on_failed_upgrade(error),
            }
        });
        response
    }
}

impl fmt::Debug for WebSocketUpgrade {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("WebSocketUpgrade")
            .field("request", self.request())
            .field("subprotocol", &self.subprotocol)
            .finish_non_exhaustive()
    }
}

/// The answer that fits the error.
impl IntoResponse for Refusal {
    fn into_response(self) -> Response {
        Response::from(&self)
    }
}

fn answer(rejection: Rejection) -> Response {
    Response::try_from(rejection)
        .unwrap_or_else(|_| StatusCode::INTERNAL_SERVER_ERROR.into_response())
}
