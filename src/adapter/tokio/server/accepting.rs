//! Accepting, until the shutdown.

use alloc::boxed::Box;
use alloc::sync::Arc;
use core::future::{Future, poll_fn};
use core::net::SocketAddr;
use core::pin::{Pin, pin};
use core::task::{Poll, ready};
use core::time::Duration;
use std::io::{self, ErrorKind};

use ::tokio::io::{AsyncRead, AsyncWrite};
use ::tokio::task::JoinSet;
use ::tokio::time::{Sleep, sleep, sleep_until};

use super::opening::Opening;
use super::registry::Registry;
use super::{ConnectionInfo, Listener, ServerWebSocket};
use crate::policy::ShutdownReport;

/// After a failure that is none of a connection's, such as too many open files: trying again at once
/// would fail again.
const PAUSE: Duration = Duration::from_millis(100);

pub(super) async fn run<L, T, C, S, U, H, F>(
    mut listener: L,
    secure: T,
    opening: Arc<Opening<U, H>>,
    registry: Arc<Registry>,
    mut signal: Pin<Box<dyn Future<Output = ()> + Send>>,
) -> ShutdownReport
where
    L: Listener,
    T: Fn(L::Stream) -> C,
    C: Future<Output = io::Result<S>> + Send + 'static,
    S: AsyncRead + AsyncWrite + Unpin + Send + 'static,
    U: Send + 'static,
    H: Fn(ServerWebSocket<S>, ConnectionInfo<U>) -> F + Send + Sync + 'static,
    F: Future + Send + 'static,
{
    let mut tasks = JoinSet::new();
    let mut pause: Option<Pin<Box<Sleep>>> = None;
    loop {
        let accepted = poll_fn(|cx| {
            // One that has panicked has ended, no more.
            while let Poll::Ready(Some(_)) = tasks.poll_join_next(cx) {}
            if signal.as_mut().poll(cx).is_ready() {
                return Poll::Ready(None);
            }
            if let Some(sleep) = &mut pause {
                ready!(sleep.as_mut().poll(cx));
                pause = None;
            }
            listener.poll_accept(cx).map(Some)
        });
        let (stream, address): (L::Stream, SocketAddr) = match accepted.await {
            None => break,
            Some(Ok(accepted)) => accepted,
            Some(Err(error)) => {
                if !is_of_one_connection(&error) {
                    pause = Some(Box::pin(sleep(PAUSE)));
                }
                (opening.settings.on_error)(None, &error.into());
                continue;
            }
        };
        if let Some(guard) = registry.admit(address) {
            let (stream, opening) = (secure(stream), opening.clone());
            tasks.spawn(async move { opening.run(stream, address, guard).await });
        }
    }
    drop(listener);
    let mut deadline = pin!(sleep_until(registry.begin_shutdown()));
    poll_fn(|cx| {
        while let Poll::Ready(Some(_)) = tasks.poll_join_next(cx) {}
        match registry.is_empty() {
            true => Poll::Ready(()),
            false => deadline.as_mut().poll(cx),
        }
    })
    .await;
    registry.report()
}

/// The client has given up before it was accepted.
fn is_of_one_connection(error: &io::Error) -> bool {
    matches!(
        error.kind(),
        ErrorKind::ConnectionAborted
            | ErrorKind::ConnectionReset
            | ErrorKind::ConnectionRefused
            | ErrorKind::Interrupted
    )
}
