//! What the tests share: endpoints, frames, and a fake link with a fake clock.

#![allow(dead_code)] // each test binary uses a part of it

pub(crate) mod allocations;
#[cfg(feature = "deflate")]
pub(crate) mod compressed;
#[cfg(feature = "tokio")]
pub(crate) mod duplex;
pub(crate) mod pair;
#[cfg(feature = "handshake")]
pub(crate) mod requests;
#[cfg(feature = "futures-io")]
pub(crate) mod stalling;

use bytes::Buf;
use proptest::test_runner::Config as ProptestConfig;
use sansocket::frame::{Header, Opcode, mask};
use sansocket::{
    CloseOutcome, Config, Connection, Data, Delivery, Event, MaskKeys, ProtocolError,
    ReceiveBuffer, State,
};

pub(crate) const KEY: [u8; 4] = [0x37, 0xFA, 0x21, 0x3D];

/// The same key for every frame, so that output can be compared. For tests only.
pub(crate) struct Fixed(pub(crate) [u8; 4]);

impl MaskKeys for Fixed {
    fn next_key(&mut self) -> [u8; 4] {
        self.0
    }
}

/// An endpoint's role; its peer has the other one.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Side {
    Client,
    Server,
}

pub(crate) const SIDES: [Side; 2] = [Side::Client, Side::Server];
pub(crate) const DELIVERIES: [Delivery; 2] = [Delivery::Messages, Delivery::Chunks];

impl Side {
    pub(crate) fn connection(self, config: Config) -> Connection {
        match self {
            Self::Client => Connection::client(config, Fixed(KEY)),
            Self::Server => Connection::server(config),
        }
    }

    pub(crate) fn endpoint(self, config: Config) -> Endpoint {
        Endpoint::new(self.connection(config))
    }

    pub(crate) fn other(self) -> Self {
        match self {
            Self::Client => Self::Server,
            Self::Server => Self::Client,
        }
    }

    /// The key that a frame *to* this side bears.
    pub(crate) fn key_of_peer(self) -> Option<[u8; 4]> {
        (self == Self::Server).then_some(KEY)
    }

    /// A frame as this side's peer sends it.
    pub(crate) fn frame(self, opcode: Opcode, fin: bool, payload: &[u8]) -> Vec<u8> {
        let header = self.header(opcode, fin, payload.len() as u64);
        encode(&header, payload)
    }

    /// The header of a frame as this side's peer sends it.
    pub(crate) fn header(self, opcode: Opcode, fin: bool, len: u64) -> Header {
        Header {
            masking_key: self.key_of_peer(),
            ..Header::new(opcode, fin, len)
        }
    }

    pub(crate) fn text(self, text: &str) -> Vec<u8> {
        self.frame(Opcode::Text, true, text.as_bytes())
    }

    pub(crate) fn binary(self, data: &[u8]) -> Vec<u8> {
        self.frame(Opcode::Binary, true, data)
    }

    pub(crate) fn ping(self, data: &[u8]) -> Vec<u8> {
        self.frame(Opcode::Ping, true, data)
    }

    /// The peer's Close frame with this code and reason.
    pub(crate) fn close(self, code: u16, reason: &str) -> Vec<u8> {
        let body = [&code.to_be_bytes(), reason.as_bytes()].concat();
        self.frame(Opcode::Close, true, &body)
    }
}

/// A header and its payload, masked as the header says.
pub(crate) fn encode(header: &Header, payload: &[u8]) -> Vec<u8> {
    let mut bytes = header.encode().to_vec();
    let start = bytes.len();
    bytes.extend_from_slice(payload);
    mask(&mut bytes[start..], header.masking_key.unwrap_or_default());
    bytes
}

/// The frames in `bytes`, unmasked; they must be complete.
pub(crate) fn frames(bytes: &[u8]) -> Vec<(Header, Vec<u8>)> {
    let (frames, rest) = complete_frames(bytes);
    assert!(rest.is_empty(), "half a frame: {rest:x?}");
    frames
}

/// The complete frames in `bytes`, unmasked, and what follows them.
pub(crate) fn complete_frames(mut bytes: &[u8]) -> (Vec<(Header, Vec<u8>)>, &[u8]) {
    let mut frames = Vec::new();
    while let Some((header, size)) = Header::decode(bytes).expect("a legal header") {
        let len = usize::try_from(header.payload_len).expect("a size that fits");
        let Some(payload) = bytes.get(size..size + len) else {
            break;
        };
        let mut payload = payload.to_vec();
        mask(&mut payload, header.masking_key.unwrap_or_default());
        frames.push((header, payload));
        bytes = &bytes[size + len..];
    }
    (frames, bytes)
}

/// The only Close frame in `bytes`, which must be the last frame: its code and reason.
pub(crate) fn close_sent(bytes: &[u8]) -> Option<(u16, String)> {
    let frames = frames(bytes);
    let (last, before) = frames.split_last().expect("a Close frame");
    assert_eq!(last.0.opcode, Opcode::Close);
    assert!(before.iter().all(|(h, _)| h.opcode != Opcode::Close));
    body_of_close(&last.1)
}

fn body_of_close(body: &[u8]) -> Option<(u16, String)> {
    let (code, reason) = body.split_first_chunk()?;
    let reason = String::from_utf8(reason.to_vec()).expect("a reason in UTF-8");
    Some((u16::from_be_bytes(*code), reason))
}

/// An event, owned. Adjacent chunks of a message are one, so that splits do not show.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) enum Seen {
    Text(String),
    Binary(Vec<u8>),
    TextPart(String, bool),
    BinaryPart(Vec<u8>, bool),
    Ping(Vec<u8>),
    Pong(Vec<u8>),
    Close(Option<(u16, String)>),
}

impl Seen {
    pub(crate) fn text(text: &str) -> Self {
        Self::Text(text.into())
    }

    pub(crate) fn binary(data: &[u8]) -> Self {
        Self::Binary(data.into())
    }

    pub(crate) fn ping(data: &[u8]) -> Self {
        Self::Ping(data.into())
    }

    pub(crate) fn pong(data: &[u8]) -> Self {
        Self::Pong(data.into())
    }

    /// A whole message as this delivery gives it.
    pub(crate) fn delivered(self, delivery: Delivery) -> Self {
        match (self, delivery) {
            (Self::Text(text), Delivery::Chunks) => Self::TextPart(text, true),
            (Self::Binary(data), Delivery::Chunks) => Self::BinaryPart(data, true),
            (other, _) => other,
        }
    }
}

/// Adds an event to those seen.
pub(crate) fn note(seen: &mut Vec<Seen>, event: Event<'_>) {
    let new = match event {
        Event::Text(text) => Seen::Text(text.to_string()),
        Event::Binary(data) => Seen::Binary(data.to_vec()),
        Event::Chunk(chunk) => {
            let says = chunk.last || !chunk.data.as_bytes().is_empty();
            assert!(says, "an empty chunk that ends nothing");
            match (seen.last_mut(), chunk.data) {
                (Some(Seen::TextPart(all, last @ false)), Data::Text(text)) => {
                    all.push_str(text);
                    *last = chunk.last;
                    return;
                }
                (Some(Seen::BinaryPart(all, last @ false)), Data::Binary(data)) => {
                    all.extend_from_slice(data);
                    *last = chunk.last;
                    return;
                }
                _ => {}
            }
            match chunk.data {
                Data::Text(text) => Seen::TextPart(text.into(), chunk.last),
                Data::Binary(data) => Seen::BinaryPart(data.into(), chunk.last),
            }
        }
        Event::Ping(data) => Seen::Ping(data.into()),
        Event::Pong(data) => Seen::Pong(data.into()),
        Event::Close(frame) => {
            Seen::Close(frame.map(|frame| (frame.code().get(), frame.reason().into())))
        }
    };
    seen.push(new);
}

/// How bytes arrive.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) enum Split {
    Whole,
    EachByte,
    /// In pieces of these sizes, over and over.
    Sizes(Vec<usize>),
}

impl Split {
    pub(crate) fn pieces<'a>(&'a self, mut bytes: &'a [u8]) -> impl Iterator<Item = &'a [u8]> {
        let all = [usize::MAX];
        let sizes = match self {
            Self::Whole => all.to_vec(),
            Self::EachByte => vec![1],
            Self::Sizes(sizes) => sizes.iter().map(|size| (*size).max(1)).collect(),
        };
        sizes.into_iter().cycle().map_while(move |size| {
            let (piece, rest) = bytes.split_at(size.min(bytes.len()));
            bytes = rest;
            (!piece.is_empty()).then_some(piece)
        })
    }
}

/// Whole, byte by byte, and in odd pieces.
pub(crate) fn splits() -> [Split; 3] {
    [
        Split::Whole,
        Split::EachByte,
        Split::Sizes(vec![3, 1, 7, 2000]),
    ]
}

/// A connection, its buffer, and what has come out of it.
#[derive(Debug)]
pub(crate) struct Endpoint {
    pub(crate) connection: Connection,
    pub(crate) rx: ReceiveBuffer,
    pub(crate) seen: Vec<Seen>,
    pub(crate) error: Option<ProtocolError>,
}

impl Endpoint {
    pub(crate) fn new(connection: Connection) -> Self {
        Self {
            connection,
            rx: ReceiveBuffer::new(),
            seen: Vec::new(),
            error: None,
        }
    }

    /// Receives `bytes` in one piece.
    pub(crate) fn feed(&mut self, bytes: &[u8]) {
        self.rx.extend_from_slice(bytes);
        loop {
            match self.connection.receive(&mut self.rx) {
                Ok(Some(event)) => {
                    assert_eq!(self.error, None, "an event after an error");
                    note(&mut self.seen, event);
                }
                Ok(None) => {
                    assert_eq!(self.error, None, "an error that went away");
                    return;
                }
                Err(error) => {
                    assert_eq!(*self.error.get_or_insert(error), error);
                    return;
                }
            }
        }
    }

    pub(crate) fn feed_split(&mut self, bytes: &[u8], split: &Split) {
        split.pieces(bytes).for_each(|piece| self.feed(piece));
    }

    /// What was seen since the last time.
    pub(crate) fn take_seen(&mut self) -> Vec<Seen> {
        std::mem::take(&mut self.seen)
    }

    /// Transmits all that is queued.
    pub(crate) fn output(&mut self) -> Vec<u8> {
        transmit_all(&mut self.connection)
    }

    pub(crate) fn state(&self) -> State {
        self.connection.state()
    }

    pub(crate) fn outcome(&self) -> Option<&CloseOutcome> {
        self.connection.outcome()
    }
}

/// Transmits all that is queued.
pub(crate) fn transmit_all(connection: &mut Connection) -> Vec<u8> {
    let mut transmit = connection.transmit();
    let mut output = Vec::new();
    while transmit.has_remaining() {
        let chunk = transmit.chunk();
        assert!(!chunk.is_empty(), "bytes remain, but none are given");
        output.extend_from_slice(chunk);
        let len = chunk.len();
        transmit.advance(len);
    }
    output
}

/// All that an endpoint makes of some bytes.
#[derive(Debug, PartialEq, Eq)]
pub(crate) struct Received {
    pub(crate) seen: Vec<Seen>,
    pub(crate) error: Option<ProtocolError>,
    pub(crate) outcome: Option<CloseOutcome>,
    pub(crate) state: State,
    pub(crate) output: Vec<u8>,
}

/// What a fresh endpoint makes of `bytes` in these pieces.
pub(crate) fn received(side: Side, config: &Config, bytes: &[u8], split: &Split) -> Received {
    let mut endpoint = side.endpoint(config.clone());
    endpoint.feed_split(bytes, split);
    Received {
        error: endpoint.error,
        outcome: endpoint.outcome().cloned(),
        state: endpoint.state(),
        output: endpoint.output(),
        seen: endpoint.seen,
    }
}

/// As [`received`], after checking that three ways of splitting give the same.
pub(crate) fn received_any_way(side: Side, config: &Config, bytes: &[u8]) -> Received {
    let [whole, others @ ..] = splits().map(|split| received(side, config, bytes, &split));
    for other in others {
        assert_eq!(other, whole, "{side:?}: the split shows");
    }
    whole
}

/// Checks that `bytes` end in `error` at both roles, in both deliveries, however they are split,
/// and that the peer is told its close code.
pub(crate) fn assert_fails(config: &Config, error: ProtocolError, bytes: impl Fn(Side) -> Vec<u8>) {
    for side in SIDES {
        for delivery in DELIVERIES {
            let config = config.clone().delivery(delivery);
            let result = received_any_way(side, &config, &bytes(side));
            assert_eq!(result.error, Some(error), "{side:?}, {delivery:?}");
            assert_eq!(result.outcome, Some(CloseOutcome::Failed(error)));
            let (code, _) = close_sent(&result.output).expect("a code");
            assert_eq!(code, error.close_code().get());
        }
    }
}

/// 256 cases of a property, or as many as `PROPTEST_CASES` says; none are written to files.
pub(crate) fn cases() -> ProptestConfig {
    ProptestConfig {
        failure_persistence: None,
        ..ProptestConfig::default()
    }
}

/// Bytes that repeat late and are no text.
pub(crate) fn data(len: usize) -> Vec<u8> {
    (0_u8..251).cycle().take(len).map(|b| b ^ 0xA5).collect()
}

/// `len` bytes of text with characters of every size.
pub(crate) fn text(len: usize) -> String {
    let mut text: String = "aé€😀".chars().cycle().take(len / 2).collect();
    let mut end = len.min(text.len());
    while !text.is_char_boundary(end) {
        end -= 1;
    }
    text.truncate(end);
    while text.len() < len {
        text.push('.');
    }
    text
}
