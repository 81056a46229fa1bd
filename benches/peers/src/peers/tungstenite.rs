//! tungstenite on its own, and under tokio.

use futures_util::{SinkExt, StreamExt};
use tokio_tungstenite::WebSocketStream;
use tungstenite::protocol::{Role as TheirRole, WebSocketConfig};
use tungstenite::{Bytes, Message, WebSocket};

use super::{Contender, Cycle, Path, Peer, now};
use crate::case::{Action, Case, Role};
use crate::memory::Memory;

pub struct Tungstenite;

const SYNC: &str = "tungstenite";
const TOKIO: &str = "tokio-tungstenite";

impl Peer for Tungstenite {
    fn contenders(&self, case: &Case, io: &Memory) -> Vec<Contender> {
        match case.action {
            Action::Receive => vec![sync_receive(case, io), receive(case, io)],
            Action::Send | Action::SendBatch => vec![sync_send(case, io), send(case, io)],
            Action::Echo => vec![sync_echo(case, io), echo(case, io)],
            Action::Inflate | Action::Deflate => Vec::new(), // it has no compression
        }
    }
}

fn role(case: &Case) -> TheirRole {
    match case.role {
        Role::Server => TheirRole::Server,
        Role::Client => TheirRole::Client,
    }
}

fn sync(case: &Case, io: &Memory) -> WebSocket<Memory> {
    WebSocket::from_raw_socket(io.clone(), role(case), Some(config()))
}

/// The defaults are made for throughput.
fn config() -> WebSocketConfig {
    WebSocketConfig::default()
}

fn tokio(case: &Case, io: &Memory) -> WebSocketStream<Memory> {
    now(WebSocketStream::from_raw_socket(
        io.clone(),
        role(case),
        Some(config()),
    ))
}

#[inline]
fn payload(message: &Message) -> &[u8] {
    match message {
        Message::Text(text) => text.as_bytes(),
        Message::Binary(data) => data,
        other => panic!("{other:?}"),
    }
}

fn binary(payload: &Bytes) -> Message {
    Message::Binary(payload.clone())
}

fn sync_receive(case: &Case, io: &Memory) -> Contender {
    let mut websocket = sync(case, io);
    Contender::new(SYNC, Path::Owned, move |n, seen| {
        for _ in 0..n {
            seen.message(payload(&websocket.read().unwrap()));
        }
    })
}

fn receive(case: &Case, io: &Memory) -> Contender {
    let mut websocket = tokio(case, io);
    Contender::new(TOKIO, Path::Owned, move |n, seen| {
        now(async {
            for _ in 0..n {
                seen.message(payload(&websocket.next().await.unwrap().unwrap()));
            }
        });
    })
}

fn sync_send(case: &Case, io: &Memory) -> Contender {
    let (mut websocket, mut payloads, batch) = (sync(case, io), Cycle::new(case), case.batch());
    Contender::new(SYNC, Path::Owned, move |n, _| {
        for i in 1..=n {
            websocket.write(binary(payloads.next())).unwrap();
            if i % batch == 0 || i == n {
                websocket.flush().unwrap();
            }
        }
    })
}

fn send(case: &Case, io: &Memory) -> Contender {
    let (mut websocket, mut payloads, batch) = (tokio(case, io), Cycle::new(case), case.batch());
    Contender::new(TOKIO, Path::Owned, move |n, _| {
        now(async {
            for i in 1..=n {
                websocket.feed(binary(payloads.next())).await.unwrap();
                if i % batch == 0 || i == n {
                    websocket.flush().await.unwrap();
                }
            }
        });
    })
}

fn sync_echo(case: &Case, io: &Memory) -> Contender {
    let (mut websocket, batch) = (sync(case, io), case.batch());
    Contender::new(SYNC, Path::Owned, move |n, seen| {
        for i in 1..=n {
            let message = websocket.read().unwrap();
            seen.message(payload(&message));
            websocket.write(message).unwrap();
            if i % batch == 0 || i == n {
                websocket.flush().unwrap();
            }
        }
    })
}

fn echo(case: &Case, io: &Memory) -> Contender {
    let (mut websocket, batch) = (tokio(case, io), case.batch());
    Contender::new(TOKIO, Path::Owned, move |n, seen| {
        now(async {
            for i in 1..=n {
                let message = websocket.next().await.unwrap().unwrap();
                seen.message(payload(&message));
                websocket.feed(message).await.unwrap();
                if i % batch == 0 || i == n {
                    websocket.flush().await.unwrap();
                }
            }
        });
    })
}
