//! One async connection, through whichever adapter it came.

use std::error::Error;
use std::future::Future;
use std::pin::pin;

use futures_util::future::{Either, select};
use sansocket::poll::{Incoming, Transport, WebSocket};
use sansocket::{Event, Message, SendError};

use crate::server::{Guard, Server, going_away};
use crate::shutdown::Begun;

// The name of the errors of all adapters; either module has it.
#[cfg(not(feature = "tokio"))]
use sansocket::futures_io::{AcceptError, Error as WebSocketError};
#[cfg(feature = "tokio")]
use sansocket::tokio::{AcceptError, Error as WebSocketError};

type Failure = Box<dyn Error + Send + Sync>;

/// Reads the request, answers it, and echoes if it was for a WebSocket.
pub(crate) async fn serve<T: Transport>(
    guard: Guard,
    request: impl Future<Output = Result<Incoming<T>, AcceptError>> + Unpin,
) {
    let server = &guard.server;
    // In a box that is gone by then: an idle connection keeps no room for its opening handshake.
    let result = match Box::pin(open(server, guard.number, request)).await {
        Ok(Some(mut websocket)) => echo(server, &mut websocket).await,
        Ok(None) => Ok(()),
        Err(error) => Err(error),
    };
    if let Err(error) = result {
        eprintln!("{error}");
    }
}

/// Decides on the request; `None` if it has been answered with anything but a WebSocket.
async fn open<T: Transport>(
    server: &Server,
    number: usize,
    request: impl Future<Output = Result<Incoming<T>, AcceptError>>,
) -> Result<Option<WebSocket<T>>, Failure> {
    let Some(incoming) = unless(&mut server.shutdown.begun(), request).await else {
        return Ok(None);
    };
    match incoming? {
        Incoming::Request(pending) => match server.decide(pending.request(), number) {
            Ok(acceptance) => {
                let websocket = pending.accept(acceptance, server.config.clone());
                return Ok(Some(websocket.await?));
            }
            Err(rejection) => pending.reject(rejection).await?,
        },
        Incoming::Refused(pending) => match server.answer(pending.refusal(), number) {
            Some(response) => pending.respond_with(response).await?,
            None => pending.answer().await?,
        },
    }
    Ok(None)
}

async fn echo<T: Transport>(server: &Server, websocket: &mut WebSocket<T>) -> Result<(), Failure> {
    let mut begun = server.shutdown.begun();
    // A client that never pauses is told as well.
    while !server.shutdown.has_begun() {
        let received = unless(&mut begun, websocket.recv_with_connection()).await;
        let (event, connection) = match received {
            Some(Ok(Some(received))) => received,
            Some(Ok(None)) => return Ok(()),
            // A client may do what it likes: that ends its connection, not the server.
            Some(Err(error)) => return Err(error.into()),
            None => break,
        };
        // Answers collect on the connection and leave together, when nothing more has come.
        let waiting: Option<Message> = match event {
            Event::Text(text) => match connection.send_text(&text) {
                Err(SendError::Full(())) => Some(text.into_string().into()),
                _ => None,
            },
            Event::Binary(data) => match connection.send_binary(&data) {
                Err(SendError::Full(())) => Some(data.into_bytes().into()),
                _ => None,
            },
            _ => None,
        };
        // This one waits until the client has read enough of those before it.
        if let Some(message) = waiting {
            match unless(&mut begun, websocket.feed(message)).await {
                // No answers any more once the connection closes.
                Some(Ok(()) | Err(WebSocketError::Send(_))) => {}
                Some(Err(error)) => return Err(error.into()),
                None => break,
            }
        }
    }
    // Unless it is closing already.
    let _ = websocket.connection_mut().close(going_away());
    while websocket.recv_event().await?.is_some() {}
    Ok(())
}

/// What comes of a future; `None` if the shutdown begins before.
async fn unless<R>(begun: &mut Begun, future: impl Future<Output = R>) -> Option<R> {
    match select(pin!(future), begun).await {
        Either::Left((result, _)) => Some(result),
        Either::Right(_) => None,
    }
}
