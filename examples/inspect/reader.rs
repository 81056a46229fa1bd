//! One side's bytes behind its head: each frame as it is on the wire, and what the engine makes of it.

use bytes::Buf;
use sansocket::frame::{Header, Opcode};
use sansocket::{
    CloseFrame, Config, Connection, DeflateParams, Event, ProtocolError, ReceiveBuffer,
    SeededMaskKeys,
};

use super::capture::Side;

/// The largest message, in bytes.
const MAX_MESSAGE: u64 = 1 << 30;
/// So much of a message is shown.
const SHOWN: usize = 60;

/// What was seen, to be printed.
pub(crate) enum Seen {
    Frame(String),
    Message(String),
    Ping(Vec<u8>),
    Pong(Vec<u8>),
    Close(Option<CloseFrame>),
    Broke(ProtocolError),
}

pub(crate) struct Reader {
    connection: Connection,
    rx: ReceiveBuffer,
    /// The front of a frame whose header is not complete.
    head: Vec<u8>,
    /// Payload of the frame that is not there yet.
    missing: u64,
    /// Of the message that is being received: its frames' payload.
    wire: u64,
    is_compressed: bool,
    /// Sizes of the compressed messages, with those on the wire.
    pub(crate) sizes: (u64, u64),
    pub(crate) messages: u64,
    pub(crate) has_failed: bool,
    pub(crate) has_closed: bool,
}

impl Reader {
    /// For the bytes that this side has sent.
    pub(crate) fn new(side: Side, deflate: Option<DeflateParams>) -> Self {
        let config = Config::new()
            .max_frame_size(MAX_MESSAGE)
            .max_message_size(MAX_MESSAGE);
        // What reads them is the other side.
        let connection = match side {
            Side::Client => Connection::server(config),
            Side::Server => Connection::client(config, SeededMaskKeys::new([0; 32])),
        };
        Self {
            connection: connection.with_deflate(deflate),
            rx: ReceiveBuffer::new(),
            head: Vec::new(),
            missing: 0,
            wire: 0,
            is_compressed: false,
            sizes: (0, 0),
            messages: 0,
            has_failed: false,
            has_closed: false,
        }
    }

    /// Where the bytes ended, if not between two frames.
    pub(crate) fn amid(&self) -> Option<String> {
        match (self.missing, self.head.len()) {
            (0, 0) => None,
            (0, _) => Some("amid the header of a frame".to_owned()),
            (missing, _) => Some(format!("amid a frame, {missing} bytes before its end")),
        }
    }

    pub(crate) fn receive(&mut self, mut bytes: &[u8], seen: &mut Vec<Seen>) {
        // Frame by frame, so that each message stands behind its last frame.
        while !bytes.is_empty() && !self.has_failed && !self.has_closed {
            let mut taken = bytes.len();
            if self.missing > 0 {
                taken = taken.min(usize::try_from(self.missing).unwrap_or(usize::MAX));
                self.missing -= taken as u64;
            } else {
                let before = self.head.len();
                self.head.extend_from_slice(bytes);
                match Header::decode(&self.head) {
                    Ok(Some((header, size))) => {
                        taken = size - before;
                        self.head.clear();
                        self.missing = header.payload_len;
                        self.note(&header);
                        seen.push(Seen::Frame(describe(&header)));
                    }
                    Ok(None) => {}
                    // The engine says which rule was broken.
                    Err(_) => self.head.clear(),
                }
            }
            let (now, rest) = bytes.split_at(taken);
            self.rx.extend_from_slice(now);
            bytes = rest;
            self.events(seen);
        }
    }

    fn note(&mut self, header: &Header) {
        match header.opcode {
            Opcode::Text | Opcode::Binary => {
                self.wire = header.payload_len;
                self.is_compressed = header.rsv1;
            }
            Opcode::Continuation => self.wire += header.payload_len,
            _ => {}
        }
    }

    fn events(&mut self, seen: &mut Vec<Seen>) {
        loop {
            let (kind, size, shown) = match self.connection.receive(&mut self.rx) {
                Ok(Some(Event::Text(text))) => ("text", text.len(), format!("{:?}", cut(&text))),
                Ok(Some(Event::Binary(data))) => {
                    let shown = data
                        .iter()
                        .take(SHOWN / 2)
                        .map(|byte| format!("{byte:02x}"));
                    ("binary", data.len(), shown.collect())
                }
                Ok(Some(Event::Ping(payload))) => {
                    seen.push(Seen::Ping(payload.to_vec()));
                    continue;
                }
                Ok(Some(Event::Pong(payload))) => {
                    seen.push(Seen::Pong(payload.to_vec()));
                    continue;
                }
                Ok(Some(Event::Close(frame))) => {
                    seen.push(Seen::Close(frame));
                    self.has_closed = true;
                    break;
                }
                Ok(Some(_)) => continue,
                Ok(None) => break,
                Err(error) => {
                    seen.push(Seen::Broke(error));
                    self.has_failed = true;
                    break;
                }
            };
            self.messages += 1;
            let mut line = format!("{kind}, {size} bytes");
            if self.is_compressed {
                self.sizes.0 += size as u64;
                self.sizes.1 += self.wire;
                line += &format!(" in {}", self.wire);
            }
            seen.push(Seen::Message(format!("{line}: {shown}")));
        }
        // Nobody waits for the answers.
        let mut answers = self.connection.transmit();
        answers.advance(answers.remaining());
    }
}

fn cut(text: &str) -> String {
    let mut cut: String = text.chars().take(SHOWN).collect();
    if cut.len() < text.len() {
        cut.push('…');
    }
    cut
}

fn describe(header: &Header) -> String {
    let kind = match header.opcode {
        Opcode::Continuation => "continuation",
        Opcode::Text => "text",
        Opcode::Binary => "binary",
        Opcode::Close => "close",
        Opcode::Ping => "ping",
        Opcode::Pong => "pong",
    };
    let mut line = format!("frame: {kind}, {} bytes", header.payload_len);
    for (is_set, name) in [
        (!header.fin, "more follow"),
        (header.rsv1, "RSV1"),
        (header.rsv2, "RSV2"),
        (header.rsv3, "RSV3"),
        (header.masking_key.is_some(), "masked"),
    ] {
        if is_set {
            line = format!("{line}, {name}");
        }
    }
    line
}
