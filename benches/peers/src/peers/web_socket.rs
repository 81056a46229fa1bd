//! web-socket, behind a reader that buffers: it reads each part of a header alone.

use tokio::io::{AsyncRead, AsyncWrite, BufReader, BufWriter};
use tokio::net::TcpStream;
use web_socket::{DataType, Event, MessageType, Role as TheirRole, WebSocket};

use super::{Contender, Cycle, Path, Peer, now};
use crate::case::{Action, Case, Role};
use crate::memory::Memory;

pub struct WebSocketCrate;

const NAME: &str = "web-socket";

const BUFFER: usize = 64 * 1024;

/// It has no compression.
impl Peer for WebSocketCrate {
    fn contenders(&self, case: &Case, io: &Memory) -> Vec<Contender> {
        let role = match case.role {
            Role::Server => TheirRole::Server,
            Role::Client => TheirRole::Client,
        };
        let buffered = BufReader::with_capacity(BUFFER, io.clone());
        let both = BufWriter::with_capacity(BUFFER, buffered);
        vec![match (case.action, case.batch()) {
            (Action::Receive, _) => receive(WebSocket::from((both.into_inner(), role))),
            (Action::Send, _) => send(case, WebSocket::from((io.clone(), role))),
            (Action::SendBatch, _) => send(case, WebSocket::from((both, role))),
            (Action::Echo, 1) => echo(case, WebSocket::from((both.into_inner(), role))),
            (Action::Echo, _) => echo(case, WebSocket::from((both, role))),
            (Action::Inflate | Action::Deflate, _) => return Vec::new(),
        }]
    }

    fn serves(&self) -> Option<&'static str> {
        Some(NAME)
    }

    /// Whether more has come cannot be known without waiting for it: each answer leaves at once.
    fn serve(&self, stream: TcpStream, _: bool) {
        tokio::spawn(async move {
            let mut websocket = WebSocket::server(BufReader::new(stream));
            while let Ok(Event::Data { data, .. }) = websocket.recv_event().await {
                if websocket.send(&*data).await.is_err() {
                    return;
                }
            }
        });
    }
}

async fn next<S: AsyncRead + AsyncWrite + Unpin>(websocket: &mut WebSocket<S>) -> Box<[u8]> {
    match websocket.recv_event().await.unwrap() {
        Event::Data {
            ty: DataType::Complete(ty),
            data,
        } => {
            // What the library leaves to the application.
            if ty == MessageType::Text {
                simdutf8::basic::from_utf8(&data).unwrap();
            }
            data
        }
        other => panic!("{other:?}"),
    }
}

fn receive(mut websocket: WebSocket<BufReader<Memory>>) -> Contender {
    Contender::new(NAME, Path::Owned, move |n, seen| {
        now(async {
            for _ in 0..n {
                seen.message(&next(&mut websocket).await);
            }
        });
    })
}

fn send<S>(case: &Case, mut websocket: WebSocket<S>) -> Contender
where
    S: AsyncRead + AsyncWrite + Unpin + 'static,
{
    let (mut payloads, batch) = (Cycle::new(case), case.batch());
    Contender::new(NAME, Path::Lent, move |n, _| {
        now(async {
            for i in 1..=n {
                websocket.send(&payloads.next()[..]).await.unwrap();
                if i % batch == 0 || i == n {
                    websocket.flash().await.unwrap();
                }
            }
        });
    })
}

fn echo<S>(case: &Case, mut websocket: WebSocket<S>) -> Contender
where
    S: AsyncRead + AsyncWrite + Unpin + 'static,
{
    let batch = case.batch();
    Contender::new(NAME, Path::Owned, move |n, seen| {
        now(async {
            for i in 1..=n {
                let data = next(&mut websocket).await;
                seen.message(&data);
                websocket.send(&*data).await.unwrap();
                if i % batch == 0 || i == n {
                    websocket.flash().await.unwrap();
                }
            }
        });
    })
}
