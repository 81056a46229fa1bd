//! fastwebsockets, with its collector of fragments: whole messages, as of the others.

use fastwebsockets::{FragmentCollector, Frame, Payload, Role as TheirRole, WebSocket};
use tokio::io::{AsyncRead, AsyncWrite, BufWriter};
use tokio::net::TcpStream;

use super::{Contender, Cycle, Path, Peer, now};
use crate::case::{Action, Case, Role};
use crate::memory::Memory;

pub struct Fastwebsockets;

const NAME: &str = "fastwebsockets";

/// It writes each message at once: a batch leaves together only through a buffer like this.
const BUFFER: usize = 64 * 1024;

impl Peer for Fastwebsockets {
    fn contenders(&self, case: &Case, io: &Memory) -> Vec<Contender> {
        match case.action {
            Action::Receive => vec![receive(case, io)],
            Action::Send => vec![send(case, io.clone())],
            Action::SendBatch => vec![send(case, BufWriter::with_capacity(BUFFER, io.clone()))],
            Action::Echo => vec![echo(case, io)],
            Action::Inflate | Action::Deflate => Vec::new(), // it has no compression
        }
    }

    fn serves(&self) -> Option<&'static str> {
        Some(NAME)
    }

    /// Whether more has come cannot be known without waiting for it: each answer leaves at once.
    fn serve(&self, stream: TcpStream, _: bool) {
        tokio::spawn(async move {
            let websocket = WebSocket::after_handshake(stream, TheirRole::Server);
            let mut websocket = FragmentCollector::new(websocket);
            while let Ok(frame) = websocket.read_frame().await {
                if websocket.write_frame(frame).await.is_err() {
                    return;
                }
            }
        });
    }
}

fn websocket<S: AsyncRead + AsyncWrite + Unpin>(case: &Case, io: S) -> WebSocket<S> {
    let role = match case.role {
        Role::Server => TheirRole::Server,
        Role::Client => TheirRole::Client,
    };
    WebSocket::after_handshake(io, role)
}

fn receive(case: &Case, io: &Memory) -> Contender {
    let mut websocket = FragmentCollector::new(websocket(case, io.clone()));
    Contender::new(NAME, Path::Owned, move |n, seen| {
        now(async {
            for _ in 0..n {
                seen.message(&websocket.read_frame().await.unwrap().payload);
            }
        });
    })
}

fn send<S>(case: &Case, io: S) -> Contender
where
    S: AsyncRead + AsyncWrite + Unpin + 'static,
{
    let (mut websocket, mut payloads, batch) =
        (websocket(case, io), Cycle::new(case), case.batch());
    Contender::new(NAME, Path::Lent, move |n, _| {
        now(async {
            for i in 1..=n {
                // A client masks a copy.
                let frame = Frame::binary(Payload::Borrowed(payloads.next()));
                websocket.write_frame(frame).await.unwrap();
                if i % batch == 0 || i == n {
                    websocket.flush().await.unwrap();
                }
            }
        });
    })
}

/// Each answer leaves at once: the collector has no flush, and so cannot do without.
fn echo(case: &Case, io: &Memory) -> Contender {
    let mut websocket = FragmentCollector::new(websocket(case, io.clone()));
    Contender::new(NAME, Path::Owned, move |n, seen| {
        now(async {
            for _ in 0..n {
                let frame = websocket.read_frame().await.unwrap();
                seen.message(&frame.payload);
                websocket.write_frame(frame).await.unwrap();
            }
        });
    })
}
