//! Holds a conversation, and drops futures on the way.

use std::cell::RefCell;
use std::rc::Rc;
use std::sync::Arc;
use std::task::{Context, Poll};
use std::time::Instant;

use sansocket::frame::Opcode;
use sansocket::futures_io::WebSocket;
use sansocket::{
    Chunk, CloseCode, CloseOutcome, Config, Connection, Delivery, ProtocolError, State,
};

use crate::common::stalling::{Drops, Link, Pace, Source, Stalling, Still, Woken};
use crate::common::{Endpoint, Seen, Side, data, text};
use crate::script::{Does, Done, Op, Ours, Step};

/// How a conversation is held.
#[derive(Debug, Clone)]
pub(crate) struct Setup {
    pub(crate) side: Side,
    pub(crate) in_halves: bool,
    pub(crate) deflate: bool,
    pub(crate) delivery: Delivery,
    pub(crate) reads: Pace,
    pub(crate) writes: Pace,
    pub(crate) write_fails_at: usize,
    pub(crate) read_fails_at: usize,
    /// How many bytes our reader has to send on.
    pub(crate) source: usize,
    pub(crate) write_limit: usize,
}

/// All that came of it.
#[derive(PartialEq, Eq)]
pub(crate) struct Transcript {
    results: Vec<String>,
    seen: Vec<Seen>,
    outcome: Option<CloseOutcome>,
    state: State,
    written: Vec<u8>,
    shut_down: bool,
    peer_seen: Vec<Seen>,
    peer_error: Option<ProtocolError>,
    peer_outcome: Option<CloseOutcome>,
}

impl Transcript {
    /// That nothing was lost to begin with: the messages that came to us, and to the peer.
    #[track_caller]
    pub(crate) fn assert_messages(&self, [ours, peers]: &[Vec<Seen>; 2]) {
        assert_eq!(self.peer_error, None);
        assert!(messages(&self.seen) == *ours, "to us");
        assert!(messages(&self.peer_seen) == *peers, "to the peer");
    }

    /// Shows the first place at which they are not the same, and how the calls went.
    #[track_caller]
    pub(crate) fn assert_same(&self, other: &Self, what: impl std::fmt::Debug) {
        if self == other {
            return;
        }
        let first = |a: &[Seen], b: &[Seen]| {
            let pairs = a.iter().map(Some).zip(b.iter().map(Some));
            pairs
                .clone()
                .position(|(a, b)| a != b)
                .unwrap_or(a.len().min(b.len()))
        };
        let show =
            |seen: &[Seen], at: usize| format!("{at} of {}: {:.200?}", seen.len(), seen.get(at));
        let (seen, peer) = (
            first(&self.seen, &other.seen),
            first(&self.peer_seen, &other.peer_seen),
        );
        let differs = self
            .written
            .iter()
            .zip(&other.written)
            .position(|(a, b)| a != b);
        for one in [self, other] {
            println!(
                "{:?}\n{:?}, {:?}, peer: {:?}, {:?}\nseen {}\npeer has seen {}\n{} bytes, from {differs:?} on others",
                one.results,
                one.outcome,
                one.state,
                one.peer_outcome,
                one.peer_error,
                show(&one.seen, seen),
                show(&one.peer_seen, peer),
                one.written.len(),
            );
        }
        panic!("a drop shows: {what:?}");
    }
}

/// The messages among what was seen, put together from their parts.
pub(crate) fn messages(seen: &[Seen]) -> Vec<Seen> {
    let mut whole = Vec::new();
    let (mut text, mut data) = (String::new(), Vec::new());
    for seen in seen {
        match seen {
            Seen::Text(_) | Seen::Binary(_) => whole.push(seen.clone()),
            Seen::TextPart(part, last) => {
                text.push_str(part);
                if *last {
                    whole.push(Seen::Text(std::mem::take(&mut text)));
                }
            }
            Seen::BinaryPart(part, last) => {
                data.extend_from_slice(part);
                if *last {
                    whole.push(Seen::Binary(std::mem::take(&mut data)));
                }
            }
            Seen::Ping(_) | Seen::Pong(_) | Seen::Close(_) => {}
        }
    }
    whole
}

pub(crate) struct Report {
    pub(crate) transcript: Transcript,
    /// How often a future had to wait.
    pub(crate) waits: usize,
    /// How many futures were dropped.
    pub(crate) drops: usize,
}

/// The other end of the link.
pub(crate) struct Peer {
    side: Side,
    pub(crate) end: Endpoint,
    /// The messages that it has sent.
    pub(crate) sent: Vec<Seen>,
    link: Rc<RefCell<Link>>,
    /// How much of what was written it has read.
    read: usize,
    knows_end: bool,
}

impl Peer {
    /// Receives what was written, and answers.
    pub(crate) fn run(&mut self) {
        let mut link = self.link.borrow_mut();
        let new = link.written[self.read..].to_vec();
        self.read = link.written.len();
        self.end.feed(&new);
        if link.shut_down && !self.knows_end {
            self.knows_end = true;
            self.end.connection.receive_eof();
        }
        let output = self.end.output();
        let ends = self.end.connection.wants_shutdown();
        if !link.ended && (ends || !output.is_empty()) {
            link.incoming.extend(output);
            link.ended = ends;
            link.wake_reader();
        }
    }

    pub(crate) fn act(&mut self, does: Does) {
        self.sent.extend(does.message());
        let connection = &mut self.end.connection;
        match does {
            Does::Text(len) => connection.send_text(&text(len)),
            Does::Binary(len) => connection.send_binary(&data(len)),
            Does::Fragments(len) => connection
                .send_chunk(Chunk::text(&text(len)))
                .and_then(|()| connection.ping(b"between"))
                .and_then(|()| connection.send_chunk(Chunk::text("")))
                .and_then(|()| connection.send_chunk(Chunk::text(&text(len)).last())),
            Does::Ping(payload) => connection.ping(payload),
            Does::Close => connection.close(CloseCode::NORMAL),
            Does::Violates | Does::Vanishes => Ok(()),
        }
        // The conversation may be over by now.
        .ok();
        self.run();
        let mut link = self.link.borrow_mut();
        match does {
            Does::Violates => {
                let frame = self.side.other().frame(Opcode::Text, true, b"no \xFF");
                link.incoming.extend(frame);
            }
            Does::Vanishes => link.ended = true,
            _ => {}
        }
        link.wake_reader();
    }
}

fn with_deflate(connection: Connection, setup: &Setup) -> Connection {
    #[cfg(feature = "deflate")]
    if setup.deflate {
        return connection.with_deflate(Some(sansocket::DeflateConfig::new().into()));
    }
    assert!(!setup.deflate, "without the feature");
    connection
}

impl Setup {
    /// One that is as simple as can be.
    pub(crate) fn of(side: Side) -> Self {
        Self {
            side,
            in_halves: false,
            deflate: false,
            delivery: Delivery::Messages,
            reads: Pace::cycle(&[usize::MAX]),
            writes: Pace::cycle(&[usize::MAX]),
            write_fails_at: usize::MAX,
            read_fails_at: usize::MAX,
            source: 0,
            write_limit: usize::MAX,
        }
    }
}

/// Our WebSocket, and its peer.
pub(crate) fn connect(setup: &Setup) -> (WebSocket<Stalling, Still>, Peer) {
    let stream = Stalling::new(setup.reads.clone(), setup.writes.clone());
    let link = stream.0.clone();
    link.borrow_mut().write_fails_at = setup.write_fails_at;
    link.borrow_mut().read_fails_at = setup.read_fails_at;
    let config = Config::new()
        .delivery(setup.delivery)
        .write_limit(setup.write_limit);
    let connection = with_deflate(setup.side.connection(config), setup);
    let peer = with_deflate(setup.side.other().connection(Config::new()), setup);
    let peer = Peer {
        side: setup.side.other(),
        end: Endpoint::new(peer),
        sent: Vec::new(),
        link,
        read: 0,
        knows_end: false,
    };
    let whole = WebSocket::new(stream, Still(Instant::now()), connection);
    (whole, peer)
}

/// Holds a conversation.
pub(crate) fn run(setup: &Setup, steps: &[Step], drops: &Drops<'_>) -> Report {
    let (whole, mut peer) = connect(setup);
    let link = peer.link.clone();
    let mut ours = if setup.in_halves {
        Ours::Halves(whole.split())
    } else {
        Ours::Whole(whole)
    };
    let mut source = Source {
        left: data(setup.source),
        pace: Pace::cycle(&[0, 1000, 0, 3]),
    };
    let (mut results, mut seen) = (Vec::new(), Vec::new());
    let (mut waits, mut dropped) = (0, 0);
    for step in steps {
        let mut op: Op = match step {
            Step::Peer(does) => {
                peer.act(*does);
                continue;
            }
            // Chunks are events alone.
            Step::We(op) if setup.delivery == Delivery::Chunks => op.clone().of_events(),
            Step::We(op) => op.clone(),
        };
        loop {
            // All that was ever queued.
            let total = |ours: &Ours| {
                let queued = ours.with_connection(Connection::queued);
                queued + link.borrow().written.len()
            };
            let before = total(&ours);
            // Each time another task, that no wake-up of an earlier one reaches.
            let woken = Arc::new(Woken::default());
            let waker = woken.clone().into();
            let mut cx = Context::from_waker(&waker);
            let mut future = ours.start(&op, &mut source, &mut seen);
            let done = loop {
                if let Poll::Ready(done) = future.as_mut().poll(&mut cx) {
                    break Some(done);
                }
                peer.run();
                assert!(woken.take(), "nobody wakes {op:?}, step {}", results.len());
                waits += 1;
                if drops.at(waits - 1) {
                    dropped += 1;
                    break None;
                }
            };
            drop(future);
            peer.run();
            match done {
                Some(Done::With(result)) => {
                    results.push(result);
                    break;
                }
                Some(Done::InPart) => {}
                None => {
                    let state = ours.with_connection(Connection::state);
                    op = op.left(total(&ours) > before, state);
                }
            }
        }
    }
    let link = link.borrow();
    let transcript = Transcript {
        results,
        seen,
        outcome: ours.with_connection(|connection| connection.outcome().cloned()),
        state: ours.with_connection(Connection::state),
        written: link.written.clone(),
        shut_down: link.shut_down,
        peer_seen: peer.end.seen,
        peer_error: peer.end.error,
        peer_outcome: peer.end.connection.outcome().cloned(),
    };
    Report {
        transcript,
        waits,
        drops: dropped,
    }
}
