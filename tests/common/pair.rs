//! Two real endpoints over a fake link and a fake clock.

use std::collections::VecDeque;
use std::time::Duration;

use bytes::Buf;
use sansocket::{Config, State, Timestamp};

use super::{Endpoint, Side, Split};

/// One direction of the link.
#[derive(Debug, Default)]
struct Way {
    bytes: VecDeque<u8>,
    /// The sender has shut this direction down.
    shut: bool,
    /// The receiver knows.
    eof: bool,
    /// Takes nothing, as a full socket.
    stalled: bool,
}

/// A client and a server, the link between them, and the time.
#[derive(Debug)]
pub(crate) struct Pair {
    pub(crate) client: Endpoint,
    pub(crate) server: Endpoint,
    pub(crate) now: Timestamp,
    split: Split,
    to_server: Way,
    to_client: Way,
}

impl Pair {
    pub(crate) fn new(client: Config, server: Config) -> Self {
        Self::split(client, server, Split::Whole)
    }

    /// A pair whose link delivers in these pieces.
    pub(crate) fn split(client: Config, server: Config, split: Split) -> Self {
        let mut pair = Self {
            client: Side::Client.endpoint(client),
            server: Side::Server.endpoint(server),
            now: Timestamp::ZERO.saturating_add(Duration::from_secs(1000)),
            split,
            to_server: Way::default(),
            to_client: Way::default(),
        };
        pair.run();
        pair
    }

    /// Both have negotiated this; nothing may have been sent yet.
    #[cfg(feature = "deflate")]
    pub(crate) fn deflate(&mut self, deflate: sansocket::DeflateConfig) {
        for end in [&mut self.client, &mut self.server] {
            let fresh = sansocket::Connection::server(Config::new());
            let connection = std::mem::replace(&mut end.connection, fresh);
            end.connection = connection.with_deflate(Some(deflate.into()));
        }
    }

    /// From now on the sockets take nothing from the endpoints, or something again.
    pub(crate) fn stall(&mut self, stalled: bool) {
        self.to_server.stalled = stalled;
        self.to_client.stalled = stalled;
    }

    /// Both endpoints see the end of the transport; what was under way is lost.
    pub(crate) fn cut(&mut self) {
        for way in [&mut self.to_server, &mut self.to_client] {
            way.bytes.clear();
            way.shut = true;
        }
        self.run();
    }

    /// Moves bytes until there is nothing left to do at this time.
    pub(crate) fn run(&mut self) {
        loop {
            self.client.connection.handle_timeout(self.now);
            self.server.connection.handle_timeout(self.now);
            let sent = write(&mut self.client, &mut self.to_server)
                | write(&mut self.server, &mut self.to_client);
            let arrived = read(&mut self.server, &mut self.to_server, &self.split)
                | read(&mut self.client, &mut self.to_client, &self.split);
            if !sent && !arrived {
                return;
            }
        }
    }

    /// Lets time pass, stopping at each deadline on the way.
    pub(crate) fn wait(&mut self, time: Duration) {
        let end = self.now.saturating_add(time);
        self.run();
        while let Some(next) = self.next_deadline().filter(|next| *next <= end) {
            assert!(next > self.now, "a deadline that stays due: a busy loop");
            self.now = next;
            self.run();
        }
        self.now = end;
        self.run();
    }

    fn next_deadline(&self) -> Option<Timestamp> {
        let ends = [&self.client, &self.server];
        let deadlines = ends.map(|end| end.connection.poll_timeout());
        deadlines.into_iter().flatten().min()
    }

    pub(crate) fn states(&self) -> (State, State) {
        (self.client.state(), self.server.state())
    }

    /// Whether the client, and the server, have shut their direction of the transport down.
    pub(crate) fn shut(&self) -> (bool, bool) {
        (self.to_server.shut, self.to_client.shut)
    }
}

/// The sending half of a socket; gives whether anything happened.
fn write(from: &mut Endpoint, way: &mut Way) -> bool {
    if way.shut {
        return false;
    }
    let mut transmit = from.connection.transmit();
    let mut moved = false;
    while !way.stalled && transmit.has_remaining() {
        let chunk = transmit.chunk();
        way.bytes.extend(chunk);
        let len = chunk.len();
        transmit.advance(len);
        moved = true;
    }
    if from.connection.wants_shutdown() {
        way.shut = true;
        moved = true;
    }
    moved
}

/// The receiving half of a socket; gives whether anything happened.
fn read(to: &mut Endpoint, way: &mut Way, split: &Split) -> bool {
    if way.eof || !to.connection.wants_read() {
        return false;
    }
    let bytes: Vec<u8> = way.bytes.drain(..).collect();
    to.feed_split(&bytes, split);
    if way.shut {
        way.eof = true;
        to.connection.receive_eof();
    }
    way.eof || !bytes.is_empty()
}
