//! The paths that are counted: each takes so many messages, on one connection.

#![allow(clippy::semicolon_if_nothing_returned)] // a table of calls

use std::hint::black_box;

use bytes::{Buf, Bytes};
use sansocket::{Config, Connection, Event, Message, Prepared, ReceiveBuffer, SeededMaskKeys};

type Path = (&'static str, fn(u64));

/// What an adapter reads at a time when it knows no better.
const READ: usize = 16 * 1024;

const BLOCK: usize = 1024;

pub(crate) const PATHS: &[Path] = &[
    ("receive, server, 16 B", |n| {
        lent(server, client, &binary(16), n)
    }),
    ("receive, server, 125 B", |n| {
        lent(server, client, &binary(125), n)
    }),
    ("receive, server, 1 KiB", |n| {
        lent(server, client, &binary(1 << 10), n)
    }),
    ("receive, server, 16 KiB", |n| {
        lent(server, client, &binary(16 << 10), n)
    }),
    ("receive, server, 64 KiB", |n| {
        lent(server, client, &binary(64 << 10), n)
    }),
    ("receive, client, 16 B", |n| {
        lent(client, server, &binary(16), n)
    }),
    ("receive, client, 1 KiB", |n| {
        lent(client, server, &binary(1 << 10), n)
    }),
    ("receive, server, ASCII text, 125 B", |n| {
        lent(server, client, &ascii(125), n)
    }),
    ("receive, server, ASCII text, 1 KiB", |n| {
        lent(server, client, &ascii(1 << 10), n)
    }),
    ("receive, server, multi-byte text, 125 B", |n| {
        lent(server, client, &multi_byte(125), n)
    }),
    ("receive, server, multi-byte text, 1 KiB", |n| {
        lent(server, client, &multi_byte(1 << 10), n)
    }),
    ("receive, server, owned, 125 B", |n| {
        owned(server, client, &binary(125), n)
    }),
    ("receive, server, owned, 64 KiB", |n| {
        owned(server, client, &binary(64 << 10), n)
    }),
    ("send, server, 16 B", |n| send(server(), 16, 1, n)),
    ("send, server, 1 KiB", |n| send(server(), 1 << 10, 1, n)),
    ("send, client, 16 B", |n| send(client(), 16, 1, n)),
    ("send, client, 1 KiB", |n| send(client(), 1 << 10, 1, n)),
    ("send, server, 16 B, 64 at once", |n| {
        send(server(), 16, 64, n)
    }),
    ("send, client, 16 B, 64 at once", |n| {
        send(client(), 16, 64, n)
    }),
    ("send, server, owned, 64 KiB", send_owned),
    ("to 512, server, text, 125 B", |n| {
        to_many(server, &ascii(125), n)
    }),
    ("to 512, server, text, 64 KiB", |n| {
        to_many(server, &ascii(64 << 10), n)
    }),
    ("to 512, server, prepared, 125 B", |n| {
        prepared(server, &ascii(125), n)
    }),
    ("to 512, server, prepared, 64 KiB", |n| {
        prepared(server, &ascii(64 << 10), n)
    }),
    ("to 512, client, prepared, 125 B", |n| {
        prepared(client, &ascii(125), n)
    }),
    ("echo, server, 16 B", |n| echo(&binary(16), n)),
    ("echo, server, 125 B", |n| echo(&binary(125), n)),
    ("echo, server, 1 KiB", |n| echo(&binary(1 << 10), n)),
    #[cfg(feature = "deflate")]
    ("compress, server, 1 KiB", compress),
    #[cfg(feature = "deflate")]
    ("to 512, server, compressed, 1 KiB", |n| {
        to_many(inflating, &json(), n)
    }),
    #[cfg(feature = "deflate")]
    ("to 512, server, prepared, compressed, 1 KiB", |n| {
        prepared(inflating, &json(), n)
    }),
    #[cfg(feature = "deflate")]
    ("inflate, server, 1 KiB", |n| {
        lent(inflating, deflating, &json(), n)
    }),
    #[cfg(feature = "tokio")]
    ("tokio: lent events, 16 B", |n| {
        adapter::lent(&binary(16), n)
    }),
    #[cfg(feature = "tokio")]
    ("tokio: lent events, 1 KiB", |n| {
        adapter::lent(&binary(1 << 10), n)
    }),
    #[cfg(feature = "tokio")]
    ("tokio: messages, 16 B", |n| adapter::owned(&binary(16), n)),
    #[cfg(feature = "tokio")]
    ("tokio: echo, 125 B", |n| adapter::echo(&binary(125), n)),
];

fn client() -> Connection {
    Connection::client(Config::new(), SeededMaskKeys::new([7; 32]))
}

fn server() -> Connection {
    Connection::server(Config::new())
}

#[cfg(feature = "deflate")]
fn inflating() -> Connection {
    server().with_deflate(Some(sansocket::DeflateConfig::new().into()))
}

#[cfg(feature = "deflate")]
fn deflating() -> Connection {
    client().with_deflate(Some(sansocket::DeflateConfig::new().into()))
}

fn binary(size: usize) -> Message {
    let data: Vec<u8> = (0..=250).cycle().take(size).collect();
    data.into()
}

fn ascii(size: usize) -> Message {
    let text: String = ('!'..='~').cycle().take(size).collect();
    text.into()
}

fn multi_byte(size: usize) -> Message {
    let mut text = String::new();
    while text.len() + 10 <= size {
        text.push_str("zß水🍌");
    }
    text.extend(std::iter::repeat_n('.', size - text.len()));
    text.into()
}

#[cfg(feature = "deflate")]
fn json() -> Message {
    let mut text = String::from("[");
    for id in 0.. {
        let item = format!(
            r#"{{"id":{id},"name":"user {}","score":{}}},"#,
            id * 7 % 13,
            id * 31 % 997
        );
        if text.len() + item.len() >= 1 << 10 {
            break;
        }
        text.push_str(&item);
    }
    text.push(']');
    text.into()
}

/// The frames of one message, with one key: all messages are alike.
fn wire(mut sender: Connection, message: &Message) -> Vec<u8> {
    sender.send(message.clone()).unwrap();
    let mut transmit = sender.transmit();
    transmit.copy_to_bytes(transmit.remaining()).into()
}

/// The frames of several messages, a power of two of them, read together as from a socket.
fn batch(sender: Connection, message: &Message) -> Vec<u8> {
    let frames = wire(sender, message);
    let count = 1 << (READ / frames.len()).max(1).ilog2();
    frames.repeat(count)
}

fn lent(new: fn() -> Connection, peer: fn() -> Connection, message: &Message, messages: u64) {
    receive(new(), peer(), message, messages, look_at);
}

fn owned(new: fn() -> Connection, peer: fn() -> Connection, message: &Message, messages: u64) {
    receive(new(), peer(), message, messages, |event| {
        black_box(event.into_message());
    });
}

fn receive(
    mut connection: Connection,
    sender: Connection,
    message: &Message,
    messages: u64,
    mut on_event: impl FnMut(Event<'_>),
) {
    let bytes = batch(sender, message);
    let mut rx = ReceiveBuffer::new();
    let mut received = 0;
    while received < messages {
        let mut bytes = &*bytes;
        while !bytes.is_empty() {
            let hint = connection.read_hint(&rx, READ);
            let (read, rest) = bytes.split_at(hint.min(bytes.len()));
            rx.spare(hint);
            fill(&mut rx, read);
            bytes = rest;
            while let Some(event) = connection.receive(&mut rx).unwrap() {
                on_event(event);
                received += 1;
            }
        }
    }
}

/// In blocks: the C library copies more at a time by one instruction, which counts for every byte.
fn fill(rx: &mut ReceiveBuffer, bytes: &[u8]) {
    for block in bytes.chunks(BLOCK) {
        rx.extend_from_slice(block);
    }
}

fn look_at(event: Event<'_>) {
    match event {
        Event::Text(text) => _ = black_box(&*text),
        Event::Binary(data) => _ = black_box(&*data),
        other => panic!("{other:?}"),
    }
}

fn transmit(connection: &mut Connection) {
    let mut transmit = connection.transmit();
    while transmit.has_remaining() {
        let len = black_box(transmit.chunk()).len();
        transmit.advance(len);
    }
}

fn send(mut connection: Connection, size: usize, batch: u64, messages: u64) {
    let data = vec![7; size];
    for n in 1..=messages {
        connection.send_binary(black_box(&data)).unwrap();
        if n % batch == 0 {
            transmit(&mut connection);
        }
    }
}

fn send_owned(messages: u64) {
    let mut connection = server();
    let data = Bytes::from(vec![7; 64 << 10]);
    for _ in 0..messages {
        connection.send(data.clone().into()).unwrap();
        transmit(&mut connection);
    }
}

/// Connections that get the same message.
const RECEIVERS: u64 = 512;

fn room(new: fn() -> Connection) -> Vec<Connection> {
    (0..RECEIVERS).map(|_| new()).collect()
}

/// Each message to all, cloned for each.
fn to_many(new: fn() -> Connection, message: &Message, messages: u64) {
    let mut room = room(new);
    for _ in 0..messages / RECEIVERS {
        for connection in &mut room {
            connection.send(message.clone()).unwrap();
            transmit(connection);
        }
    }
}

/// The same, prepared once for all.
fn prepared(new: fn() -> Connection, message: &Message, messages: u64) {
    let mut room = room(new);
    for _ in 0..messages / RECEIVERS {
        let message = Prepared::new(message.clone());
        for connection in &mut room {
            connection.send_prepared(&message).unwrap();
            transmit(connection);
        }
    }
}

fn echo(message: &Message, messages: u64) {
    let bytes = batch(client(), message);
    let (mut connection, mut rx) = (server(), ReceiveBuffer::new());
    let mut echoed = 0;
    while echoed < messages {
        fill(&mut rx, &bytes);
        while let Some(event) = connection.receive(&mut rx).unwrap() {
            match event {
                Event::Binary(data) => connection.send_binary(&data).unwrap(),
                other => panic!("{other:?}"),
            }
            echoed += 1;
        }
        transmit(&mut connection);
    }
}

#[cfg(feature = "deflate")]
fn compress(messages: u64) {
    let mut connection = inflating();
    let text = json();
    for _ in 0..messages {
        connection.send(text.clone()).unwrap();
        transmit(&mut connection);
    }
}

#[cfg(feature = "tokio")]
mod adapter {
    use std::pin::{Pin, pin};
    use std::task::{Context, Poll, Waker};

    use sansocket::tokio::WebSocket;
    use tokio::io::{AsyncRead, AsyncWrite, ReadBuf};

    use super::*;

    /// Always ready: gives the same frames again and again, and takes all that is written.
    struct Frames {
        bytes: Vec<u8>,
        at: usize,
    }

    impl AsyncRead for Frames {
        fn poll_read(
            mut self: Pin<&mut Self>,
            _: &mut Context<'_>,
            to: &mut ReadBuf<'_>,
        ) -> Poll<std::io::Result<()>> {
            let n = to.remaining().min(self.bytes.len() - self.at);
            for block in self.bytes[self.at..][..n].chunks(BLOCK) {
                to.put_slice(block);
            }
            self.at = (self.at + n) % self.bytes.len();
            Poll::Ready(Ok(()))
        }
    }

    impl AsyncWrite for Frames {
        fn poll_write(
            self: Pin<&mut Self>,
            _: &mut Context<'_>,
            from: &[u8],
        ) -> Poll<std::io::Result<usize>> {
            Poll::Ready(Ok(black_box(from).len()))
        }

        fn poll_flush(self: Pin<&mut Self>, _: &mut Context<'_>) -> Poll<std::io::Result<()>> {
            Poll::Ready(Ok(()))
        }

        fn poll_shutdown(self: Pin<&mut Self>, _: &mut Context<'_>) -> Poll<std::io::Result<()>> {
            Poll::Ready(Ok(()))
        }
    }

    fn websocket(message: &Message) -> WebSocket<Frames> {
        let bytes = batch(client(), message);
        WebSocket::new(Frames { bytes, at: 0 }, server())
    }

    /// Nothing waits in here.
    fn run(future: impl Future<Output = ()>) {
        let polled = pin!(future).poll(&mut Context::from_waker(Waker::noop()));
        assert!(polled.is_ready());
    }

    pub(super) fn lent(message: &Message, messages: u64) {
        let mut websocket = websocket(message);
        run(async {
            for _ in 0..messages {
                look_at(websocket.recv_event().await.unwrap().unwrap());
            }
        });
    }

    pub(super) fn owned(message: &Message, messages: u64) {
        let mut websocket = websocket(message);
        run(async {
            for _ in 0..messages {
                black_box(websocket.recv().await.unwrap());
            }
        });
    }

    pub(super) fn echo(message: &Message, messages: u64) {
        let mut websocket = websocket(message);
        run(async {
            for _ in 0..messages {
                match websocket.recv_with_connection().await.unwrap() {
                    Some((Event::Binary(data), connection)) => {
                        connection.send_binary(&data).unwrap();
                    }
                    other => panic!("{other:?}"),
                }
            }
            websocket.flush().await.unwrap();
        });
    }
}
