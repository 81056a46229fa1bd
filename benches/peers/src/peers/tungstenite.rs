//! tungstenite on its own, and under tokio.

use tokio::net::TcpStream;
use tokio_tungstenite::WebSocketStream;
use tungstenite::protocol::Role as TheirRole;
use tungstenite::{Bytes, Error, Message, WebSocket};

use super::{Contender, Cycle, Path, Peer, now, sinks};
use crate::case::{Action, Case, Role};
use crate::memory::Memory;

pub struct Tungstenite;

const SYNC: &str = "tungstenite";
const TOKIO: &str = "tokio-tungstenite";

/// Its defaults, which are made for throughput; it has no compression.
impl Peer for Tungstenite {
    fn contenders(&self, case: &Case, io: &Memory) -> Vec<Contender> {
        let sync = WebSocket::from_raw_socket(io.clone(), role(case), None);
        let tokio = now(WebSocketStream::from_raw_socket(
            io.clone(),
            role(case),
            None,
        ));
        match case.action {
            Action::Receive => vec![receive(sync), sinks::receive::<Self, _>(TOKIO, tokio)],
            Action::Send | Action::SendBatch => {
                vec![send(case, sync), sinks::send::<Self, _>(TOKIO, case, tokio)]
            }
            Action::Echo => vec![echo(case, sync), sinks::echo::<Self, _>(TOKIO, case, tokio)],
            Action::Inflate | Action::Deflate => Vec::new(),
        }
    }

    fn serves(&self) -> Option<&'static str> {
        Some(TOKIO)
    }

    fn serve(&self, stream: TcpStream, are_many: bool) {
        tokio::spawn(async move {
            let role = TheirRole::Server;
            let websocket = WebSocketStream::from_raw_socket(stream, role, None).await;
            sinks::serve::<Self, _>(websocket, are_many).await;
        });
    }
}

impl sinks::Library for Tungstenite {
    type Item = Result<Message, Error>;
    type Message = Message;

    fn open(item: Self::Item) -> Option<Message> {
        item.ok()
    }

    #[inline]
    fn payload(message: &Message) -> &[u8] {
        match message {
            Message::Text(text) => text.as_bytes(),
            Message::Binary(data) => data,
            other => panic!("{other:?}"),
        }
    }

    fn make(_: bool, payload: &Bytes) -> Message {
        Message::Binary(payload.clone())
    }
}

fn role(case: &Case) -> TheirRole {
    match case.role {
        Role::Server => TheirRole::Server,
        Role::Client => TheirRole::Client,
    }
}

fn payload(message: &Message) -> &[u8] {
    <Tungstenite as sinks::Library>::payload(message)
}

fn receive(mut websocket: WebSocket<Memory>) -> Contender {
    Contender::new(SYNC, Path::Owned, move |n, seen| {
        for _ in 0..n {
            seen.message(payload(&websocket.read().unwrap()));
        }
    })
}

fn send(case: &Case, mut websocket: WebSocket<Memory>) -> Contender {
    let (mut payloads, batch) = (Cycle::new(case), case.batch());
    Contender::new(SYNC, Path::Owned, move |n, _| {
        for i in 1..=n {
            websocket
                .write(Message::Binary(payloads.next().clone()))
                .unwrap();
            if i % batch == 0 || i == n {
                websocket.flush().unwrap();
            }
        }
    })
}

fn echo(case: &Case, mut websocket: WebSocket<Memory>) -> Contender {
    let batch = case.batch();
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
