//! What the fuzz targets share.

pub mod compression;
pub mod others;
pub mod pair;

use bytes::Buf;
use sansocket::frame::{Header, Opcode, mask};
use sansocket::handshake::Limits;
use sansocket::{
    Chunk, CloseFrame, Config, Connection, Data, DeflateConfig, Delivery, Event, MaskKeys,
    ReceiveBuffer, SeededMaskKeys,
};

/// Small limits, so that short inputs reach them.
pub const MAX_FRAME: usize = 300;
pub const MAX_MESSAGE: usize = 400;

/// What the first byte of an input chooses.
#[derive(Clone, Copy)]
pub struct Flags(pub u8);

impl Flags {
    pub fn client(self) -> bool {
        self.0 & 1 != 0
    }

    pub fn chunks(self) -> bool {
        self.0 & 2 != 0
    }

    /// Further choices, by the target: bits 0 to 3.
    pub fn choice(self, bit: u8) -> bool {
        self.0 & (4 << bit) != 0
    }

    pub fn deflate(self) -> Option<DeflateConfig> {
        let takeover = self.0 & 0x80 == 0;
        let config = DeflateConfig::new()
            .server_context_takeover(takeover)
            .client_context_takeover(takeover)
            .memory_level(1)
            .threshold(8);
        (self.0 & 0x40 != 0).then_some(config)
    }

    pub fn delivery(self) -> Delivery {
        match self.chunks() {
            true => Delivery::Chunks,
            false => Delivery::Messages,
        }
    }

    pub fn config(self) -> Config {
        Config::new()
            .delivery(self.delivery())
            .max_frame_size(MAX_FRAME as u64)
            .max_message_size(MAX_MESSAGE as u64)
            .max_fragments(8)
    }

    pub fn connection(self, config: Config) -> Connection {
        let connection = match self.client() {
            true => Connection::client(config, SeededMaskKeys::new([7; 32])),
            false => Connection::server(config),
        };
        connection.with_deflate(self.deflate().map(Into::into))
    }
}

/// The reads that bring `bytes`: of these sizes in turn; all at once without any.
pub fn reads<'a>(mut bytes: &'a [u8], sizes: &'a [u8]) -> impl Iterator<Item = &'a [u8]> {
    let mut sizes = sizes.iter().map(|size| usize::from(*size).max(1)).cycle();
    std::iter::from_fn(move || {
        let size = sizes.next().unwrap_or(usize::MAX).min(bytes.len());
        let (read, rest) = bytes.split_at(size);
        bytes = rest;
        (!read.is_empty()).then_some(read)
    })
}

/// Receives `read` as an adapter does.
pub fn fill(rx: &mut ReceiveBuffer, read: &[u8]) {
    rx.spare(read.len())[..read.len()].copy_from_slice(read);
    rx.commit(read.len());
}

/// Takes all that waits for transmission.
pub fn drain(connection: &mut Connection, to: &mut Vec<u8>) {
    let mut transmit = connection.transmit();
    while transmit.has_remaining() {
        let chunk = transmit.chunk();
        let len = chunk.len();
        to.extend_from_slice(chunk);
        transmit.advance(len);
    }
}

/// The same key for every frame.
pub struct Fixed(pub [u8; 4]);

impl MaskKeys for Fixed {
    fn next_key(&mut self) -> [u8; 4] {
        self.0
    }
}

/// A frame, masked if a client sends it.
pub fn frame(by_client: bool, opcode: Opcode, fin: bool, rsv1: bool, payload: &[u8]) -> Vec<u8> {
    let key = by_client.then_some([0x37, 0xFA, 0x21, 0x3D]);
    let header = Header {
        rsv1,
        masking_key: key,
        ..Header::new(opcode, fin, payload.len() as u64)
    };
    let mut bytes = header.encode().to_vec();
    let start = bytes.len();
    bytes.extend_from_slice(payload);
    mask(&mut bytes[start..], key.unwrap_or_default());
    bytes
}

/// A message in fragments of these sizes in turn, and where in it each byte of the payload ends.
pub fn fragments(
    by_client: bool,
    first: Opcode,
    rsv1: bool,
    payload: &[u8],
    sizes: &[u8],
) -> (Vec<u8>, Vec<usize>) {
    let (mut wire, mut ends) = (Vec::new(), Vec::new());
    let mut parts: Vec<&[u8]> = reads(payload, sizes).collect();
    let last = parts.pop().unwrap_or_default();
    for part in parts.into_iter().chain([last]) {
        let fin = ends.len() + part.len() == payload.len();
        wire.extend(match wire.is_empty() {
            true => frame(by_client, first, fin, rsv1, part),
            false => frame(by_client, Opcode::Continuation, fin, false, part),
        });
        ends.extend((0..part.len()).rev().map(|left| wire.len() - left));
    }
    (wire, ends)
}

/// A compressed message that holds the bytes as they are: stored blocks (RFC 1951 §3.2.4), the last
/// of them without what RFC 7692 §7.2.1 takes off.
pub fn stored(data: &[u8]) -> Vec<u8> {
    let mut bytes = Vec::new();
    for block in data.chunks(0xFFFF) {
        let len = block.len() as u16;
        bytes.push(0);
        bytes.extend(len.to_le_bytes());
        bytes.extend((!len).to_le_bytes());
        bytes.extend(block);
    }
    bytes.push(0);
    bytes
}

/// The frames that a connection transmitted: well-formed, masked as its role asks, and none behind
/// a Close frame.
pub fn frames(mut bytes: &[u8], client: bool) -> Vec<(Opcode, Vec<u8>)> {
    let mut frames = Vec::new();
    while !bytes.is_empty() {
        assert!(!matches!(frames.last(), Some((Opcode::Close, _))));
        let (header, size) = Header::decode(bytes).unwrap().unwrap();
        let (payload, rest) = bytes[size..].split_at(header.payload_len as usize);
        let mut payload = payload.to_vec();
        assert_eq!(header.masking_key.is_some(), client);
        mask(&mut payload, header.masking_key.unwrap_or_default());
        frames.push((header.opcode, payload));
        bytes = rest;
    }
    frames
}

/// Judges an event, where `parts` is how much of a message has come in chunks: text is UTF-8, and
/// sizes are within the limits.
pub fn check(event: &Event<'_>, parts: &mut usize) {
    let (bytes, text, limit) = match event {
        Event::Text(text) => (text.as_bytes(), true, MAX_MESSAGE),
        Event::Binary(data) => (&**data, false, MAX_MESSAGE),
        Event::Chunk(Chunk { data, last }) => {
            let limit = MAX_MESSAGE - *parts;
            let len = data.as_bytes().len();
            *parts = if *last { 0 } else { *parts + len };
            (data.as_bytes(), matches!(data, Data::Text(_)), limit)
        }
        Event::Ping(data) | Event::Pong(data) => (*data, false, 125),
        Event::Close(frame) => {
            let reason = frame.as_ref().map_or("", CloseFrame::reason);
            (reason.as_bytes(), true, 123)
        }
    };
    assert!(bytes.len() <= limit, "{event:?}");
    assert!(!text || std::str::from_utf8(bytes).is_ok());
}

/// Small limits of an opening handshake.
pub fn limits() -> Limits {
    Limits::new().max_head_size(700).max_headers(12)
}
