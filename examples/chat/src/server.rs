//! Accepts connections, answers plain HTTP with the page, and ends gracefully.

use std::io;
use std::sync::Arc;
use std::time::Duration;

use sansocket::DeflateConfig;
use sansocket::handshake::server::{Acceptance, Refusal, Request};
use sansocket::handshake::{Limits, Rejection, RequestError};
use sansocket::tokio::{AcceptError, Incoming, WebSocket, read_request};
use tokio::net::{TcpListener, TcpStream};
use tokio::sync::{Semaphore, watch};
use tokio::task::JoinSet;
use tokio::time::{sleep, timeout};

use crate::connection;
use crate::hub::Hub;

const MAX_CONNECTIONS: usize = 10_000;
/// How long clients have for the closing handshake when the server ends.
const SHUTDOWN: Duration = Duration::from_secs(5);

/// Serves until `end` is over, then lets every client close with 1001.
pub(crate) async fn run(
    listener: TcpListener,
    hub: Arc<Hub>,
    server: Arc<str>,
    end: impl Future<Output = ()>,
) -> io::Result<()> {
    let (shutdown, shutting_down) = watch::channel(false);
    let places = Arc::new(Semaphore::new(MAX_CONNECTIONS));
    let mut connections = JoinSet::new();
    let mut end = std::pin::pin!(end);
    let mut number = 0;
    loop {
        let accepted = tokio::select! {
            accepted = listener.accept() => accepted,
            Some(_) = connections.join_next() => continue,
            () = &mut end => break,
        };
        let Ok((stream, _)) = accepted else {
            // Of one connection, or there are no more file descriptors for now.
            sleep(Duration::from_millis(10)).await;
            continue;
        };
        // Beyond that the connection is dropped at once.
        let Ok(place) = places.clone().try_acquire_owned() else {
            continue;
        };
        number += 1;
        let (hub, server, shutting_down) = (hub.clone(), server.clone(), shutting_down.clone());
        connections.spawn(async move {
            let _place = place;
            if let Ok(Some(websocket)) = Box::pin(open(stream)).await {
                // How a client ends is its own affair.
                let _ = connection::serve(websocket, hub, server, number, shutting_down).await;
            }
        });
    }
    drop(listener);
    shutdown.send_replace(true);
    let all = async { while connections.join_next().await.is_some() {} };
    let _ = timeout(SHUTDOWN, all).await;
    // The other servers hear at once who has gone.
    let _ = timeout(SHUTDOWN, hub.tell_presence_once()).await;
    Ok(())
}

/// Answers the request; gives the WebSocket, if it is one for that.
async fn open(stream: TcpStream) -> Result<Option<WebSocket<TcpStream>>, AcceptError> {
    stream.set_nodelay(true)?;
    match read_request(stream, Limits::new()).await? {
        Incoming::Request(pending) => match check(pending.request()) {
            Ok(()) => {
                let acceptance = Acceptance::new().deflate(DeflateConfig::new());
                Ok(Some(
                    pending.accept(acceptance, connection::config()).await?,
                ))
            }
            Err(status) => {
                pending.reject(Rejection::new(status)).await?;
                Ok(None)
            }
        },
        Incoming::Refused(pending) => {
            match page(pending.refusal()) {
                Some(page) => pending.respond_with(page).await?,
                None => pending.answer().await?,
            }
            Ok(None)
        }
    }
}

/// WebSockets are at `/chat`, for the page that this server gave.
fn check(request: &Request) -> Result<(), u16> {
    let is_own = |origin: &str| {
        let host = origin.split_once("://").map(|(_, host)| host);
        host.is_some_and(|host| host.eq_ignore_ascii_case(request.host()))
    };
    if request.path() != "/chat" {
        Err(404)
    } else if !request.origin().is_none_or(is_own) {
        Err(403)
    } else {
        Ok(())
    }
}

fn page(refusal: &Refusal) -> Option<Rejection> {
    if !matches!(refusal.error(), RequestError::NotAnUpgrade) {
        return None;
    }
    let (content_type, body) = match refusal.head()?.target() {
        "/" => ("text/html; charset=utf-8", include_str!("page/page.html")),
        "/client.js" => (
            "text/javascript; charset=utf-8",
            include_str!("page/client.js"),
        ),
        "/page.js" => (
            "text/javascript; charset=utf-8",
            include_str!("page/page.js"),
        ),
        "/page.css" => ("text/css; charset=utf-8", include_str!("page/page.css")),
        _ => return Some(Rejection::new(404)),
    };
    let page = Rejection::new(200).body(content_type, body);
    Some(page.header("Cache-Control", "no-cache"))
}
