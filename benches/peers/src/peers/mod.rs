//! Who is measured: one file for each, behind one trait.

mod fastwebsockets;
pub mod floor;
pub mod sansocket;
mod sinks;
mod sockudo;
mod soketto;
mod tokio_websockets;
mod tungstenite;
mod web_socket;
mod wtx;
mod yawc;

use std::pin::pin;
use std::task::{Context, Poll, Waker};

use bytes::Bytes;
use tokio::net::TcpStream;

use crate::case::Case;
use crate::memory::Memory;

/// A WebSocket library, in its fastest fair configuration.
pub trait Peer {
    /// Its ways to do this, each over a stream of its own; none if it cannot.
    fn contenders(&self, case: &Case, io: &Memory) -> Vec<Contender>;

    /// Its name as a server over TCP.
    fn serves(&self) -> Option<&'static str>;

    /// Echoes on this connection, whose opening handshake is over, in a task of its own until it
    /// ends. `are_many` says that several messages come before any is answered.
    fn serve(&self, stream: TcpStream, are_many: bool);
}

pub fn all() -> Vec<Box<dyn Peer>> {
    vec![
        Box::new(sansocket::Sansocket),
        Box::new(fastwebsockets::Fastwebsockets),
        Box::new(sockudo::Sockudo),
        Box::new(soketto::Soketto),
        Box::new(tokio_websockets::TokioWebsockets),
        Box::new(tungstenite::Tungstenite),
        Box::new(web_socket::WebSocketCrate),
        Box::new(wtx::Wtx),
        Box::new(yawc::Yawc),
        Box::new(floor::Floor),
    ]
}

/// What sets a row apart from the others.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Path {
    /// Messages belong to the application, which gives them away to send them.
    Owned,
    /// Messages are lent by the library, or to it.
    Lent,
    /// Ours, without I/O; also lent.
    Sync,
    /// No WebSocket library: what the work costs without any check, or a part of it.
    Floor,
}

/// Does a number of messages: receives, sends or echoes them.
pub type Turn = Box<dyn FnMut(usize, &mut Seen)>;

/// A row.
pub struct Contender {
    pub name: &'static str,
    pub path: Path,
    pub turn: Turn,
}

impl Contender {
    pub fn new(
        name: &'static str,
        path: Path,
        turn: impl FnMut(usize, &mut Seen) + 'static,
    ) -> Self {
        let turn = Box::new(turn);
        Self { name, path, turn }
    }
}

/// The application that receives: it looks at each message, and compares it when it is to.
#[derive(Debug, Default)]
pub struct Seen {
    expected: Vec<Bytes>,
    pub count: usize,
}

impl Seen {
    pub fn expecting(payloads: &[Bytes]) -> Self {
        Self {
            expected: payloads.to_vec(),
            count: 0,
        }
    }

    #[inline(always)]
    pub fn message(&mut self, payload: &[u8]) {
        std::hint::black_box(payload);
        if !self.expected.is_empty() {
            self.compare(payload);
        }
    }

    #[cold]
    #[inline(never)]
    fn compare(&mut self, payload: &[u8]) {
        let expected = &self.expected[self.count % self.expected.len()];
        assert!(
            payload == expected,
            "message {} is not what was sent",
            self.count
        );
        self.count += 1;
    }
}

/// The messages to send, in turn.
#[derive(Debug)]
pub struct Cycle {
    payloads: Vec<Bytes>,
    next: usize,
}

impl Cycle {
    pub fn new(case: &Case) -> Self {
        Self {
            payloads: case.payloads.clone(),
            next: 0,
        }
    }

    pub fn len(&self) -> usize {
        self.payloads.len()
    }

    #[inline]
    pub fn next(&mut self) -> &Bytes {
        if self.next >= self.payloads.len() {
            self.next = 0;
        }
        self.next += 1;
        &self.payloads[self.next - 1]
    }
}

/// What a future over a stream that is always ready gives.
#[inline]
pub fn now<T>(future: impl Future<Output = T>) -> T {
    match pin!(future).poll(&mut Context::from_waker(Waker::noop())) {
        Poll::Ready(output) => output,
        Poll::Pending => panic!("a stream that is always ready has made it wait"),
    }
}
