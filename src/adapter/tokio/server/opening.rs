//! From a stream to the application: the gates, one after the other.

use alloc::boxed::Box;
use alloc::string::String;
use alloc::vec::Vec;
use core::future::{Future, poll_fn};
use core::net::SocketAddr;
use core::pin::pin;
use core::task::Poll;
use core::time::Duration;
use std::io::{self, ErrorKind};

use ::tokio::io::{AsyncRead, AsyncWrite};
use ::tokio::time::timeout;

use super::super::super::error::AcceptError;
use super::super::super::poll::{self, PendingRequest};
use super::registry::{Control, Guard};
use super::{Authorize, ConnectionInfo, ServerWebSocket, Settings, Supervised};
use crate::handshake::Rejection;

/// What is the same for all connections.
pub(super) struct Opening<U, H> {
    pub(super) settings: Settings,
    pub(super) authorize: Authorize<U>,
    pub(super) handler: H,
}

type Opened<S, U> = Option<(ServerWebSocket<S>, ConnectionInfo<U>)>;

impl<U, H> Opening<U, H> {
    /// A connection from its beginning to its end.
    pub(super) async fn run<S, F>(
        &self,
        stream: impl Future<Output = io::Result<S>>,
        address: SocketAddr,
        mut guard: Guard,
    ) where
        S: AsyncRead + AsyncWrite + Unpin,
        H: Fn(ServerWebSocket<S>, ConnectionInfo<U>) -> F,
        F: Future,
    {
        // In a box that is gone by then: an idle connection keeps no room for its opening handshake.
        match Box::pin(self.open(stream, address, &guard)).await {
            Ok(Some((websocket, info))) => {
                guard.on_open();
                (self.handler)(websocket, info).await;
            }
            Ok(None) => {}
            Err(error) => (self.settings.on_error)(Some(address), &error),
        }
    }

    /// `None` if the client has got another answer, or the server shuts down.
    async fn open<S>(
        &self,
        stream: impl Future<Output = io::Result<S>>,
        address: SocketAddr,
        guard: &Guard,
    ) -> Result<Opened<S, U>, AcceptError>
    where
        S: AsyncRead + AsyncWrite + Unpin,
    {
        let settings = &self.settings;
        let limit = settings.limits.timeout;
        let request = async {
            let stream = within(limit, stream).await.unwrap_or_else(late)?;
            let stream = Supervised::new(stream, guard, settings.rate.clone());
            poll::read_request(stream, settings.limits.clone()).await
        };
        let Some(incoming) = unless(&guard.control, request).await else {
            return Ok(None);
        };
        let turned_away = guard
            .refused()
            .map(|refused| refused.rejection(settings.retry_after));
        let pending = match (incoming?, turned_away) {
            (poll::Incoming::Request(pending), None) => pending,
            (poll::Incoming::Request(pending), Some(rejection)) => {
                return reject(pending, rejection).await;
            }
            (poll::Incoming::Refused(pending), Some(rejection)) => {
                pending.respond_with(rejection).await?;
                return Ok(None);
            }
            (poll::Incoming::Refused(pending), None) => {
                let error = pending.refusal().error().clone();
                pending.answer().await?;
                return Err(error.into());
            }
        };
        let origins = settings.origins.as_ref();
        if origins.is_some_and(|origins| !origins.allows(pending.request().origin())) {
            let text = "this origin is not allowed\n";
            let rejection = Rejection::new(403).body("text/plain; charset=utf-8", text);
            return reject(pending, rejection).await;
        }
        let authorized = (self.authorize)(pending.request().clone(), address);
        let user = match within(limit, authorized).await {
            Some(Ok(user)) if !guard.control.is_closing() => user,
            Some(Err(rejection)) => return reject(pending, rejection).await,
            // Too late, in both cases.
            Some(Ok(_)) | None => return reject(pending, settings.busy()).await,
        };
        let request = pending.request().clone();
        let supported: Vec<_> = settings.subprotocols.iter().map(String::as_str).collect();
        let subprotocol = request.select_subprotocol(&supported).map(String::from);
        let acceptance = match &subprotocol {
            Some(name) => settings.acceptance.clone().subprotocol(name),
            None => settings.acceptance.clone(),
        };
        let websocket = pending.accept(acceptance, settings.config.clone()).await?;
        let info = ConnectionInfo {
            address,
            request,
            subprotocol,
            user,
        };
        Ok(Some((websocket, info)))
    }
}

async fn reject<S, U>(
    pending: PendingRequest<Supervised<S>>,
    rejection: Rejection,
) -> Result<Opened<S, U>, AcceptError>
where
    S: AsyncRead + AsyncWrite + Unpin,
{
    pending.reject(rejection).await?;
    Ok(None)
}

/// What comes of a future; `None` if it takes longer.
async fn within<F: Future>(limit: Option<Duration>, future: F) -> Option<F::Output> {
    match limit {
        Some(limit) => timeout(limit, future).await.ok(),
        None => Some(future.await),
    }
}

fn late<S>() -> io::Result<S> {
    Err(ErrorKind::TimedOut.into())
}

/// What comes of a future; `None` if the connection is to close before.
async fn unless<F: Future>(control: &Control, future: F) -> Option<F::Output> {
    let mut future = pin!(future);
    let mut closing = pin!(control.closing());
    poll_fn(|cx| match future.as_mut().poll(cx) {
        Poll::Ready(output) => Poll::Ready(Some(output)),
        Poll::Pending => closing.as_mut().poll(cx).map(|()| None),
    })
    .await
}
