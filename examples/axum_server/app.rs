//! The routes of the chat.

use std::sync::Arc;
use std::time::Duration;

use axum::Router;
use axum::extract::State;
use axum::response::{Html, Response};
use axum::routing::{any, get};
use sansocket::axum::{WebSocket, WebSocketUpgrade};
use sansocket::handshake::OriginAllowList;
use sansocket::tokio::Error;
use sansocket::{CloseCode, Config, Message};
use tokio::sync::broadcast::{self, Sender};

/// The largest message, in bytes.
const MAX_MESSAGE: u64 = 4 * 1024;

#[derive(Clone)]
struct Chat {
    room: Sender<Message>,
    origins: Arc<OriginAllowList>,
}

/// The page at `/`, and its WebSocket at `/chat` for pages of these origins.
pub(crate) fn app(origins: OriginAllowList) -> Router {
    let chat = Chat {
        room: broadcast::channel(64).0,
        origins: Arc::new(origins),
    };
    Router::new()
        .route("/", get(|| async { Html(include_str!("page.html")) }))
        .route("/chat", any(join))
        .with_state(chat)
}

async fn join(State(chat): State<Chat>, upgrade: WebSocketUpgrade) -> Response {
    let config = Config::new()
        .max_message_size(MAX_MESSAGE)
        .keep_alive(Duration::from_secs(30), Duration::from_secs(10));
    #[cfg(feature = "deflate")]
    let upgrade = upgrade.deflate(sansocket::DeflateConfig::new());
    upgrade
        .subprotocols(["chat.v2", "chat.v1"])
        .origins(&chat.origins)
        .config(config)
        .on_failed_upgrade(|error| eprintln!("{error}"))
        .on_upgrade(|websocket| async move {
            if let Err(error) = talk(websocket, chat.room).await {
                eprintln!("{error}");
            }
        })
}

/// Passes messages on both ways, until the client goes.
async fn talk(mut websocket: WebSocket, room: Sender<Message>) -> Result<(), Error> {
    let mut said = room.subscribe();
    loop {
        // Whichever comes first: the other future is dropped, and nothing is lost with it.
        tokio::select! {
            received = websocket.recv() => match received? {
                // There is a receiver: this one.
                Some(message) => drop(room.send(message)),
                None => return Ok(()),
            },
            said = said.recv() => match said {
                Ok(message) => websocket.send(message).await?,
                Err(_) => break, // it lags behind by more than the room holds
            },
        }
    }
    // A client that does not keep up may come again.
    websocket.close(CloseCode::TRY_AGAIN_LATER).await?;
    while websocket.recv().await?.is_some() {}
    Ok(())
}
