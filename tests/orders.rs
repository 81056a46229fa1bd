//! Whatever is called in whatever order: no panic, and what is transmitted is well-formed.

mod common;

use std::time::Duration;

use bytes::Buf;
use common::*;
use proptest::collection::vec;
use proptest::prelude::*;
use sansocket::frame::{Header, Opcode};
use sansocket::{
    Chunk, CloseCode, CloseFrame, CloseOutcome, Config, Message, SendError, State, Timestamp,
};

#[derive(Debug, Clone)]
enum Call {
    Send(bool, usize),
    SendCopy(bool, usize),
    SendChunk { text: bool, len: usize, last: bool },
    Ping(usize),
    Close(Option<(u16, usize)>),
    Receive(Opcode, bool, usize),
    ReceiveJunk(Vec<u8>),
    ReceiveEof,
    HandleTimeout(u64),
    Transmit(usize),
    Release,
}

fn call() -> impl Strategy<Value = Call> {
    let size = || prop_oneof![4 => 0..200_usize, 1 => 8_000..30_000_usize];
    let opcode = prop::sample::select(
        &[
            Opcode::Text,
            Opcode::Binary,
            Opcode::Continuation,
            Opcode::Ping,
            Opcode::Pong,
        ][..],
    );
    prop_oneof![
        8 => (any::<bool>(), size()).prop_map(|(text, len)| Call::Send(text, len)),
        8 => (any::<bool>(), size()).prop_map(|(text, len)| Call::SendCopy(text, len)),
        8 => (any::<bool>(), size(), any::<bool>())
            .prop_map(|(text, len, last)| Call::SendChunk { text, len, last }),
        4 => (0..130_usize).prop_map(Call::Ping),
        1 => prop::option::of((any::<u16>(), 0..200_usize)).prop_map(Call::Close),
        12 => (opcode, prop::bool::weighted(0.9), size())
            .prop_map(|(opcode, fin, len)| Call::Receive(opcode, fin, len)),
        1 => Just(Call::Receive(Opcode::Close, true, 0)),
        1 => vec(any::<u8>(), 0..10).prop_map(Call::ReceiveJunk),
        1 => Just(Call::ReceiveEof),
        6 => (0..40_u64).prop_map(Call::HandleTimeout),
        12 => prop_oneof![0..300_usize, 0..60_000_usize, Just(usize::MAX)]
            .prop_map(Call::Transmit),
        2 => Just(Call::Release),
    ]
}

/// An endpoint, what it has transmitted, and how it stood after the last call.
struct Subject {
    side: Side,
    endpoint: Endpoint,
    transmitted: Vec<u8>,
    now: Timestamp,
    state: State,
    outcome: Option<CloseOutcome>,
    wants_shutdown: bool,
    wants_read: bool,
}

fn rank(state: State) -> u8 {
    match state {
        State::Open => 0,
        State::Closing => 1,
        State::Draining => 2,
        State::Closed => 3,
    }
}

impl Subject {
    fn new(side: Side) -> Self {
        let config = Config::new()
            .write_limit(50_000)
            .idle_timeout(Duration::from_secs(60))
            .keep_alive(Duration::from_secs(50), Duration::from_secs(30));
        Self {
            side,
            endpoint: side.endpoint(config),
            transmitted: Vec::new(),
            now: Timestamp::ZERO,
            state: State::Open,
            outcome: None,
            wants_shutdown: false,
            wants_read: true,
        }
    }

    fn call(&mut self, call: Call) {
        let connection = &mut self.endpoint.connection;
        let before = connection.transmit().queued();
        let could_send = connection.can_send();
        let sent = match call {
            Call::Send(is_text, len) => {
                let message: Message = if is_text {
                    text(len).into()
                } else {
                    data(len).into()
                };
                let sent = connection.send(message.clone());
                Some(sent.map_err(|error| assert_eq!(error.into_message(), message)))
            }
            Call::SendCopy(true, len) => Some(connection.send_text(&text(len)).map_err(drop)),
            Call::SendCopy(false, len) => Some(connection.send_binary(&data(len)).map_err(drop)),
            Call::SendChunk {
                text: true,
                len,
                last,
            } => {
                let text = text(len);
                let data = Chunk {
                    last,
                    ..Chunk::text(&text)
                };
                Some(connection.send_chunk(data).map_err(drop))
            }
            Call::SendChunk {
                text: false,
                len,
                last,
            } => {
                let data = data(len);
                let data = Chunk {
                    last,
                    ..Chunk::binary(&data)
                };
                Some(connection.send_chunk(data).map_err(drop))
            }
            Call::Ping(len) => {
                let sent = connection.ping(&data(len));
                let too_long = sent == Err(SendError::ControlTooLong(()));
                assert_eq!(too_long, len > 125);
                Some(sent.map_err(drop))
            }
            Call::Close(frame) => {
                let frame = frame.map(|(code, len)| {
                    let code = CloseCode::new(code).unwrap_or(CloseCode::NORMAL);
                    CloseFrame::new(code, text(len))
                });
                let closed = connection.close(frame);
                assert_eq!(closed.is_ok(), self.state == State::Open);
                Some(closed.map_err(drop))
            }
            Call::Receive(opcode, fin, len) => {
                let control = opcode.is_control();
                let len = if control { len.min(125) } else { len };
                let bytes = self
                    .side
                    .frame(opcode, fin || control, text(len).as_bytes());
                self.endpoint.feed(&bytes);
                None
            }
            Call::ReceiveJunk(bytes) => {
                self.endpoint.feed(&bytes);
                None
            }
            Call::ReceiveEof => {
                connection.receive_eof();
                None
            }
            Call::HandleTimeout(seconds) => {
                self.now = self.now.saturating_add(Duration::from_secs(seconds));
                connection.handle_timeout(self.now);
                None
            }
            Call::Transmit(n) => {
                self.transmit(n);
                None
            }
            Call::Release => {
                connection.release();
                self.endpoint.rx.release();
                None
            }
        };
        let after = self.endpoint.connection.transmit().queued();
        match sent {
            Some(Ok(())) => assert!(after > before, "taken, and not queued"),
            Some(Err(())) => assert_eq!(after, before, "refused, and queued"),
            None => {}
        }
        if let (Some(Ok(())), false) = (sent, could_send) {
            assert_ne!(self.state, State::Closed);
        }
        self.check();
    }

    /// Transmits `n` bytes, or as many as there are.
    fn transmit(&mut self, n: usize) {
        let mut transmit = self.endpoint.connection.transmit();
        let mut left = n;
        while transmit.has_remaining() && left > 0 {
            let chunk = transmit.chunk();
            let part = &chunk[..chunk.len().min(left)];
            self.transmitted.extend_from_slice(part);
            let len = part.len();
            transmit.advance(len);
            left -= len;
        }
    }

    /// What holds after every call.
    fn check(&mut self) {
        let connection = &mut self.endpoint.connection;
        let state = connection.state();
        assert!(
            rank(state) >= rank(self.state),
            "{:?} {state:?}",
            self.state
        );
        self.state = state;
        assert_eq!(connection.outcome().is_some(), rank(state) >= 2);
        if self.outcome.is_some() {
            assert_eq!(connection.outcome(), self.outcome.as_ref());
        }
        self.outcome = connection.outcome().cloned();

        assert!(connection.wants_shutdown() || !self.wants_shutdown);
        self.wants_shutdown = connection.wants_shutdown();
        assert!(!connection.wants_read() || self.wants_read);
        self.wants_read = connection.wants_read();
        assert_eq!(connection.poll_timeout().is_none(), state == State::Closed);
        assert!(state == State::Open || !connection.can_send());
        if state == State::Closed {
            assert!(self.wants_shutdown, "nothing else is left to do");
        }
        // The limit, and what passes it: two pongs, a ping, our Close frame.
        let queued = connection.transmit().queued();
        assert!(queued <= 50_000 + 4 * 131, "{queued}");
    }

    /// What holds of all that was transmitted.
    fn finish(mut self) {
        self.transmit(usize::MAX);
        let (frames, rest) = complete_frames(&self.transmitted);
        // Only a lost connection leaves a frame half sent.
        assert!(rest.is_empty() || self.outcome == Some(CloseOutcome::Lost));
        let closes = |(header, _): &(Header, Vec<u8>)| header.opcode == Opcode::Close;
        if let Some(at) = frames.iter().position(closes) {
            assert_eq!(at, frames.len() - 1, "something follows a Close frame");
            assert!(rest.is_empty());
        } else {
            assert!(self.state == State::Open || self.outcome == Some(CloseOutcome::Lost));
        }
        let mut peer = self.side.other().endpoint(Config::new());
        peer.feed(&self.transmitted);
        assert_eq!(peer.error, None, "its peer finds fault with it");
    }
}

proptest! {
    #![proptest_config(cases())]

    #[test]
    fn no_order_of_calls_panics_or_sends_what_it_must_not(
        side in prop::sample::select(&SIDES[..]),
        calls in vec(call(), 0..120),
    ) {
        let mut subject = Subject::new(side);
        for call in calls {
            subject.call(call);
        }
        subject.finish();
    }
}
