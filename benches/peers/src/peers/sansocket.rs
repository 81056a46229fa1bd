//! Ours: the engine alone, the tokio adapter's lent events, and its owned messages.

use std::io::{IoSlice, Read, Write};

use bytes::{Buf, Bytes};
use futures_util::StreamExt;
use sansocket::tokio::WebSocket;
use sansocket::{
    Config, Connection, Data, DeflateConfig, Event, Message, OsMaskKeys, ReceiveBuffer,
};
use tokio::net::TcpStream;

use super::{Contender, Cycle, Path, Peer, now};
use crate::case::{Action, Case, Kind, Role};
use crate::memory::Memory;

/// What is read at a time, when nothing is known of what comes.
const USUAL_READ: usize = 16 * 1024;

/// From this size on, messages that leave at once are lent to the stream, not copied.
const LARGE: usize = 8 * 1024;

/// From this size on, a lent message can be had with its allocation.
const GIVEN_ON: usize = 16 * 1024;

pub struct Sansocket;

impl Peer for Sansocket {
    fn contenders(&self, case: &Case, io: &Memory) -> Vec<Contender> {
        match case.action {
            Action::Receive | Action::Inflate => vec![
                sync_receive(case, io),
                lent_receive(case, io),
                owned_receive(case, io),
                stream_receive(case, io),
            ],
            Action::Send | Action::SendBatch | Action::Deflate => {
                vec![
                    sync_send(case, io),
                    lent_send(case, io),
                    owned_send(case, io),
                ]
            }
            Action::Echo => vec![
                sync_echo(case, io),
                lent_echo(case, io),
                owned_echo(case, io),
            ],
        }
    }

    fn serves(&self) -> Option<&'static str> {
        Some("sansocket")
    }

    fn serve(&self, stream: TcpStream, _: bool) {
        serve_lent(stream);
    }
}

/// Over TCP, messages are answered from the lent events: copied behind their header, or given on as they
/// are where that is less than a copy.
fn serve_lent(stream: TcpStream) {
    tokio::spawn(async move {
        let mut websocket = WebSocket::new(stream, connection(Role::Server, None));
        while let Ok(Some((event, connection))) = websocket.recv_with_connection().await {
            let Event::Binary(data) = event else { continue };
            let is_sent = if data.len() < GIVEN_ON {
                connection.send_binary(&data).is_ok()
            } else {
                connection.send(data.into_bytes().into()).is_ok()
            };
            if !is_sent {
                return;
            }
        }
    });
}

const SYNC: &str = "sansocket, sync";
const LENT: &str = "sansocket, lent";
const OWNED: &str = "sansocket, owned";
const STREAM: &str = "sansocket, Stream";

/// With context takeover or without, if compressed at all.
fn connection(role: Role, takeover: Option<bool>) -> Connection {
    let config = Config::new();
    let connection = match role {
        Role::Server => Connection::server(config),
        Role::Client => Connection::client(config, OsMaskKeys::new().unwrap()),
    };
    let deflate = takeover.map(|takeover| {
        let deflate = DeflateConfig::new()
            .server_context_takeover(takeover)
            .client_context_takeover(takeover);
        deflate.into()
    });
    connection.with_deflate(deflate)
}

fn of(case: &Case) -> Connection {
    connection(case.role, takeover(case))
}

fn takeover(case: &Case) -> Option<bool> {
    case.is_compressed().then_some(case.kind == Kind::Json)
}

fn websocket(case: &Case, io: &Memory) -> WebSocket<Memory> {
    WebSocket::new(io.clone(), of(case))
}

/// The engine over a blocking stream, the way its run loop does it.
struct Sync {
    connection: Connection,
    rx: ReceiveBuffer,
    io: Memory,
}

impl Sync {
    fn new(case: &Case, io: &Memory) -> Self {
        Self {
            connection: of(case),
            rx: ReceiveBuffer::new(),
            io: io.clone(),
        }
    }

    #[inline]
    fn read(&mut self) {
        let size = self.connection.read_hint(&self.rx, USUAL_READ);
        let room = &mut self.rx.spare(size)[..size];
        let n = self.io.read(room).unwrap();
        self.rx.commit(n);
    }

    #[inline]
    fn write(&mut self) {
        write_all(&mut self.io, self.connection.transmit());
    }
}

/// Vectored where there is more than one slice.
#[inline(always)]
fn write_all(io: &mut Memory, mut from: impl Buf) {
    while from.has_remaining() {
        let chunk = from.chunk();
        let n = if chunk.len() == from.remaining() {
            io.write(chunk).unwrap()
        } else {
            let mut slices = [IoSlice::new(&[]); 4];
            let count = from.chunks_vectored(&mut slices);
            io.write_vectored(&slices[..count]).unwrap()
        };
        from.advance(n);
    }
}

#[inline]
fn payload<'a>(event: &'a Event<'_>) -> &'a [u8] {
    match event {
        Event::Text(text) => text.as_bytes(),
        Event::Binary(data) => data,
        _ => panic!("no message"),
    }
}

fn message(is_text: bool, payload: &Bytes) -> Message {
    match is_text {
        true => Message::Text(str::from_utf8(payload).unwrap().into()),
        false => Message::Binary(payload.clone()),
    }
}

fn sync_receive(case: &Case, io: &Memory) -> Contender {
    let mut sync = Sync::new(case, io);
    Contender::new(SYNC, Path::Sync, move |n, seen| {
        let mut left = n;
        while left > 0 {
            match sync.connection.receive(&mut sync.rx).unwrap() {
                Some(event) => {
                    seen.message(payload(&event));
                    left -= 1;
                }
                None => sync.read(),
            }
        }
    })
}

fn lent_receive(case: &Case, io: &Memory) -> Contender {
    let mut websocket = websocket(case, io);
    Contender::new(LENT, Path::Lent, move |n, seen| {
        now(async {
            for _ in 0..n {
                let event = websocket.recv_event().await.unwrap().unwrap();
                seen.message(payload(&event));
            }
        });
    })
}

fn owned_receive(case: &Case, io: &Memory) -> Contender {
    let mut websocket = websocket(case, io);
    Contender::new(OWNED, Path::Owned, move |n, seen| {
        now(async {
            for _ in 0..n {
                let message = websocket.recv().await.unwrap().unwrap();
                seen.message(message.as_bytes());
            }
        });
    })
}

fn stream_receive(case: &Case, io: &Memory) -> Contender {
    let mut websocket = websocket(case, io);
    Contender::new(STREAM, Path::Owned, move |n, seen| {
        now(async {
            for _ in 0..n {
                let message = websocket.next().await.unwrap().unwrap();
                seen.message(message.as_bytes());
            }
        });
    })
}

#[inline]
fn data(is_text: bool, payload: &[u8]) -> Data<'_> {
    match is_text {
        true => Data::Text(str::from_utf8(payload).unwrap()),
        false => Data::Binary(payload),
    }
}

#[inline]
fn send(connection: &mut Connection, is_text: bool, payload: &[u8]) {
    match is_text {
        true => connection.send_text(str::from_utf8(payload).unwrap()),
        false => connection.send_binary(payload),
    }
    .unwrap();
}

/// Small messages are copied, large ones are lent to the stream.
fn sync_send(case: &Case, io: &Memory) -> Contender {
    let (mut sync, mut payloads) = (Sync::new(case, io), Cycle::new(case));
    let (is_text, batch) = (case.is_text(), case.batch());
    let is_lent = batch == 1 && case.size >= LARGE;
    Contender::new(SYNC, Path::Sync, move |n, _| {
        for i in 1..=n {
            let payload = payloads.next();
            if is_lent {
                let message = data(is_text, payload);
                write_all(
                    &mut sync.io,
                    sync.connection.transmit_message(message).unwrap(),
                );
                continue;
            }
            send(&mut sync.connection, is_text, payload);
            if i % batch == 0 || i == n {
                sync.write();
            }
        }
    })
}

fn lent_send(case: &Case, io: &Memory) -> Contender {
    let (mut websocket, mut payloads) = (websocket(case, io), Cycle::new(case));
    let (is_text, batch) = (case.is_text(), case.batch());
    Contender::new(LENT, Path::Lent, move |n, _| {
        now(async {
            for i in 1..=n {
                let payload = payloads.next();
                if batch > 1 {
                    send(websocket.connection_mut(), is_text, payload);
                    if i % batch == 0 || i == n {
                        websocket.flush().await.unwrap();
                    }
                } else if is_text {
                    let text = str::from_utf8(payload).unwrap();
                    websocket.send_text(text).await.unwrap();
                } else {
                    websocket.send_binary(payload).await.unwrap();
                }
            }
        });
    })
}

fn owned_send(case: &Case, io: &Memory) -> Contender {
    let (mut websocket, mut payloads) = (websocket(case, io), Cycle::new(case));
    let (is_text, batch) = (case.is_text(), case.batch());
    Contender::new(OWNED, Path::Owned, move |n, _| {
        now(async {
            for i in 1..=n {
                let message = message(is_text, payloads.next());
                if i % batch == 0 || i == n {
                    websocket.send(message).await.unwrap();
                } else {
                    websocket.feed(message).await.unwrap();
                }
            }
        });
    })
}

/// Answers leave in batches, large ones at once.
fn sync_echo(case: &Case, io: &Memory) -> Contender {
    let batch = case.batch();
    let is_lent = batch == 1 && case.size >= LARGE;
    let mut sync = Sync::new(case, io);
    Contender::new(SYNC, Path::Sync, move |n, seen| {
        let mut left = n;
        while left > 0 {
            match sync.connection.receive(&mut sync.rx).unwrap() {
                Some(event) => {
                    seen.message(payload(&event));
                    left -= 1;
                    if is_lent {
                        let message = Data::Binary(payload(&event));
                        let transmit = sync.connection.transmit_message(message).unwrap();
                        write_all(&mut sync.io, transmit);
                        continue;
                    }
                    sync.connection.send_binary(payload(&event)).unwrap();
                    if left % batch == 0 {
                        sync.write();
                    }
                }
                None => sync.read(),
            }
        }
        sync.write();
    })
}

fn lent_echo(case: &Case, io: &Memory) -> Contender {
    let (mut websocket, batch) = (websocket(case, io), case.batch());
    Contender::new(LENT, Path::Lent, move |n, seen| {
        now(async {
            for i in 1..=n {
                let next = websocket.recv_with_connection().await.unwrap();
                let (event, connection) = next.unwrap();
                seen.message(payload(&event));
                connection.send_binary(payload(&event)).unwrap();
                if i % batch == 0 || i == n {
                    websocket.flush().await.unwrap();
                }
            }
        });
    })
}

fn owned_echo(case: &Case, io: &Memory) -> Contender {
    let (mut websocket, batch) = (websocket(case, io), case.batch());
    Contender::new(OWNED, Path::Owned, move |n, seen| {
        now(async {
            for i in 1..=n {
                let message = websocket.recv().await.unwrap().unwrap();
                seen.message(message.as_bytes());
                if i % batch == 0 || i == n {
                    websocket.send(message).await.unwrap();
                } else {
                    websocket.feed(message).await.unwrap();
                }
            }
        });
    })
}

/// The messages of a case, compressed by a client.
pub fn compressed(case: &Case) -> Vec<u8> {
    let mut client = connection(Role::Client, takeover(case));
    let mut wire = Vec::new();
    for payload in &case.payloads {
        send(&mut client, true, payload);
        let mut transmit = client.transmit();
        while transmit.has_remaining() {
            let chunk = transmit.chunk();
            let n = chunk.len();
            wire.extend_from_slice(chunk);
            transmit.advance(n);
        }
    }
    wire
}

/// What a client makes of the compressed messages of a server.
pub fn inflated(case: &Case, bytes: &[u8]) -> Vec<Vec<u8>> {
    let mut client = connection(Role::Client, takeover(case));
    let mut rx = ReceiveBuffer::new();
    rx.extend_from_slice(bytes);
    let mut messages = Vec::new();
    while let Some(event) = client.receive(&mut rx).unwrap() {
        messages.push(payload(&event).to_vec());
    }
    messages
}
