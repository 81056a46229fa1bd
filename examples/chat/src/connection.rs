//! One WebSocket: takes what the client asks for, and sends what there is for it.

use std::sync::Arc;
use std::time::Duration;

use sansocket::tokio::{Error, WebSocket};
use sansocket::{CloseCode, CloseFrame, Config, Event, SendError};
use tokio::net::TcpStream;
use tokio::sync::mpsc::channel;
use tokio::sync::{Notify, watch};
use tokio::time::timeout;

use crate::hub::Hub;
use crate::protocol::{MAX_MESSAGE, Reply, Request};
use crate::session::{End, Session};

/// So many requests of one client wait for the store.
const MAX_WAITING: usize = 64;
/// So much waits for one client to read it; who falls behind by more comes again, and resumes.
const MAX_UNSENT: usize = 1024;
/// How long the client may take to read what is sent at once.
const WRITE_TIMEOUT: Duration = Duration::from_secs(20);

pub(crate) fn config() -> Config {
    Config::new()
        .max_frame_size(MAX_MESSAGE)
        .max_message_size(MAX_MESSAGE)
        .keep_alive(Duration::from_secs(20), Duration::from_secs(10))
}

/// Serves one client until it goes, or the server does.
pub(crate) async fn serve(
    mut websocket: WebSocket<TcpStream>,
    hub: Arc<Hub>,
    server: Arc<str>,
    number: u64,
    mut shutdown: watch::Receiver<bool>,
) -> Result<(), Error> {
    let (out, mut unsent) = channel(MAX_UNSENT);
    let (ask, requests) = channel(MAX_WAITING);
    let lags = Arc::new(Notify::new());
    let session = Session::new(hub, number, server, out, lags.clone());
    let frame = {
        let mut session = Box::pin(session.run(requests));
        loop {
            // Whichever comes first: the other futures lose nothing when they are dropped.
            tokio::select! {
                received = websocket.recv_event() => match received? {
                    Some(Event::Text(text)) => match serde_json::from_str(&text) {
                        // At once, whatever waits for the store: it is to measure the connection.
                        Ok(Request::Ping { n }) => {
                            send(&mut websocket, &Reply::Pong { n }.to_json()).await?;
                        }
                        Ok(request) => if ask.try_send(request).is_err() {
                            break CloseFrame::new(CloseCode::TRY_AGAIN_LATER, "too many requests wait");
                        },
                        Err(_) => {
                            break CloseFrame::new(CloseCode::INVALID_DATA, "not of this protocol");
                        }
                    },
                    Some(Event::Binary(_)) => {
                        break CloseFrame::new(CloseCode::UNSUPPORTED_DATA, "text only");
                    }
                    Some(_) => {}
                    None => return Ok(()),
                },
                Some(text) = unsent.recv() => send(&mut websocket, &text).await?,
                end = &mut session => match end {
                    End::Violation(reason) => break CloseFrame::new(CloseCode::POLICY_VIOLATION, reason),
                    End::TryLater(reason) => break CloseFrame::new(CloseCode::TRY_AGAIN_LATER, reason),
                    End::Gone => return Ok(()),
                },
                () = lags.notified() => {
                    break CloseFrame::new(CloseCode::TRY_AGAIN_LATER, "too slow: come again, and resume");
                }
                () = begun(&mut shutdown) => {
                    break CloseFrame::new(CloseCode::GOING_AWAY, "the server shuts down");
                }
            }
        }
    };
    // It may be closing already; either way that has a deadline.
    let _ = websocket.connection_mut().close(frame);
    while websocket.recv_event().await?.is_some() {}
    Ok(())
}

/// Queues a text; it leaves when there is nothing more to receive. Waits while too much is queued.
async fn send(websocket: &mut WebSocket<TcpStream>, text: &str) -> Result<(), Error> {
    match websocket.connection_mut().send_text(text) {
        Ok(()) => Ok(()),
        Err(SendError::Full(())) => match timeout(WRITE_TIMEOUT, websocket.feed(text)).await {
            Ok(fed) => fed,
            Err(late) => Err(Error::Io(late.into())),
        },
        // It is closing: that is received next.
        Err(_) => Ok(()),
    }
}

/// Waits until the server shuts down.
async fn begun(shutdown: &mut watch::Receiver<bool>) {
    let _ = shutdown.wait_for(|begun| *begun).await;
}
