//! What is measured: a scenario at a size, with its bytes.

use std::fmt;

use bytes::Bytes;

/// A wire holds at least this much payload, so that a read holds many small frames.
const WIRE: usize = 256 * 1024;

/// Messages of up to 1 KiB are flushed together in batches of this many.
pub const BATCH: usize = 64;

pub const SIZES: [usize; 6] = [16, 125, 1 << 10, 16 << 10, 64 << 10, 1 << 20];

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Role {
    Server,
    Client,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Kind {
    Binary,
    Ascii,
    MultiByte,
    /// Text that compresses; each message differs from the one before.
    Json,
    /// The same without context takeover.
    JsonAlone,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Action {
    Receive,
    /// Flushed each.
    Send,
    /// Flushed in batches.
    SendBatch,
    Echo,
    Inflate,
    Deflate,
}

/// One group of rows: all contenders do this.
#[derive(Debug, Clone)]
pub struct Case {
    pub action: Action,
    pub role: Role,
    pub kind: Kind,
    pub size: usize,
    /// The messages, in turn.
    pub payloads: Vec<Bytes>,
}

impl Case {
    pub fn new(action: Action, role: Role, kind: Kind, size: usize) -> Self {
        let payloads = match kind {
            Kind::Binary => vec![(0..=250).cycle().take(size).collect()],
            Kind::Ascii => vec![(b'!'..=b'~').cycle().take(size).collect()],
            Kind::MultiByte => vec![multi_byte(size)],
            Kind::Json | Kind::JsonAlone => json(size),
        };
        Self {
            action,
            role,
            kind,
            size,
            payloads,
        }
    }

    pub fn all() -> Vec<Self> {
        use {Action::*, Kind::*, Role::*};
        let mut cases = Vec::new();
        for (action, role, kind) in [
            (Receive, Server, Binary),
            (Receive, Client, Binary),
            (Receive, Server, Ascii),
            (Receive, Server, MultiByte),
            (Send, Server, Binary),
            (Send, Client, Binary),
            (SendBatch, Server, Binary),
            (SendBatch, Client, Binary),
            (Echo, Server, Binary),
        ] {
            let sizes = SIZES
                .iter()
                .filter(|&&size| action != SendBatch || size <= 1 << 10);
            cases.extend(sizes.map(|&size| Self::new(action, role, kind, size)));
        }
        for action in [Inflate, Deflate] {
            for kind in [Json, JsonAlone] {
                for size in [1 << 10, 64 << 10] {
                    cases.push(Self::new(action, Server, kind, size));
                }
            }
        }
        cases
    }

    pub fn is_text(&self) -> bool {
        self.kind != Kind::Binary
    }

    pub fn sends(&self) -> bool {
        !matches!(self.action, Action::Receive | Action::Inflate)
    }

    pub fn receives(&self) -> bool {
        matches!(
            self.action,
            Action::Receive | Action::Inflate | Action::Echo
        )
    }

    pub fn is_compressed(&self) -> bool {
        matches!(self.action, Action::Inflate | Action::Deflate)
    }

    /// How many messages leave together.
    pub fn batch(&self) -> usize {
        match self.action {
            Action::SendBatch => BATCH,
            Action::Echo if self.size <= 1 << 10 => BATCH,
            _ => 1,
        }
    }

    /// What the contender reads, again and again: the frames of many messages.
    pub fn wire(&self) -> Vec<u8> {
        if self.action == Action::Inflate {
            return crate::peers::sansocket::compressed(self);
        }
        let key = [0x37, 0xfa, 0x21, 0x3d];
        let key = (self.role == Role::Server).then_some(key);
        let mut wire = Vec::new();
        for _ in 0..(WIRE / self.size).max(2) {
            frame(&mut wire, self.opcode(), &self.payloads[0], key);
        }
        wire
    }

    pub fn opcode(&self) -> u8 {
        if self.is_text() { 1 } else { 2 }
    }
}

impl fmt::Display for Case {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let role = match self.role {
            Role::Server => "server",
            Role::Client => "client",
        };
        let kind = match self.kind {
            Kind::Binary => "binary",
            Kind::Ascii => "ascii",
            Kind::MultiByte => "multi-byte",
            Kind::Json => "json",
            Kind::JsonAlone => "json without takeover",
        };
        let action = match self.action {
            Action::Receive => "receives",
            Action::Send => "sends",
            Action::SendBatch => "sends in batches",
            Action::Echo => "echoes",
            Action::Inflate => "inflates",
            Action::Deflate => "deflates",
        };
        write!(f, "{role} {action} {kind}, {}", size_name(self.size))
    }
}

pub fn size_name(size: usize) -> String {
    match size {
        size if size < 1 << 10 => format!("{size} B"),
        size if size < 1 << 20 => format!("{} KiB", size >> 10),
        size => format!("{} MiB", size >> 20),
    }
}

/// Appends a whole message in one frame.
pub fn frame(to: &mut Vec<u8>, opcode: u8, payload: &[u8], key: Option<[u8; 4]>) {
    let masked = if key.is_some() { 0x80 } else { 0 };
    to.push(0x80 | opcode);
    match payload.len() {
        len @ 0..126 => to.push(masked | len as u8),
        len @ 126..65_536 => {
            to.push(masked | 126);
            to.extend_from_slice(&(len as u16).to_be_bytes());
        }
        len => {
            to.push(masked | 127);
            to.extend_from_slice(&(len as u64).to_be_bytes());
        }
    }
    let key = match key {
        None => [0; 4],
        Some(key) => {
            to.extend_from_slice(&key);
            key
        }
    };
    to.extend(
        payload
            .iter()
            .zip(key.iter().cycle())
            .map(|(byte, key)| byte ^ key),
    );
}

/// Takes the frames of whole messages apart: first byte, key and payload of each, unmasked.
pub fn parse(mut bytes: &[u8]) -> Vec<(u8, Option<[u8; 4]>, Vec<u8>)> {
    fn take<'a>(bytes: &mut &'a [u8], n: usize) -> &'a [u8] {
        bytes.split_off(..n).expect("a whole frame")
    }
    let mut frames = Vec::new();
    while !bytes.is_empty() {
        let head = take(&mut bytes, 2);
        let len = match head[1] & 0x7F {
            126 => take(&mut bytes, 2)
                .iter()
                .fold(0, |len, &byte| len << 8 | usize::from(byte)),
            127 => take(&mut bytes, 8)
                .iter()
                .fold(0, |len, &byte| len << 8 | usize::from(byte)),
            len => usize::from(len),
        };
        let key = (head[1] & 0x80 != 0).then(|| take(&mut bytes, 4).try_into().expect("4 bytes"));
        let masks: [u8; 4] = key.unwrap_or_default();
        let payload = take(&mut bytes, len).iter().zip(masks.iter().cycle());
        frames.push((
            head[0],
            key,
            payload.map(|(byte, mask)| byte ^ mask).collect(),
        ));
    }
    frames
}

/// Characters of one to four bytes.
fn multi_byte(size: usize) -> Bytes {
    let mut text = String::new();
    for character in "zß水🍌".chars().cycle() {
        if text.len() + character.len_utf8() > size {
            break;
        }
        text.push(character);
    }
    text.extend(std::iter::repeat_n('.', size - text.len()));
    text.into()
}

/// Messages as a service sends them: the same fields, other values.
fn json(size: usize) -> Vec<Bytes> {
    let mut state = 0x2545_f491_4f6c_dd1d_u64;
    let mut random = move || {
        state ^= state << 13;
        state ^= state >> 7;
        state ^= state << 17;
        state
    };
    let mut message = |index: usize| {
        let mut text = format!("{{\"channel\":\"trades\",\"sequence\":{index},\"data\":[");
        while text.len() < size {
            let pair = ["BTC-EUR", "ETH-USD", "SOL-EUR", "XRP-USD"][(random() % 4) as usize];
            let side = ["buy", "sell"][(random() % 2) as usize];
            let (id, price, amount) = (random() >> 20, random() % 10_000_000, random() % 100_000);
            text += &format!(
                "{{\"id\":{id},\"pair\":\"{pair}\",\"side\":\"{side}\",\"price\":{}.{:02},\"amount\":{}}},",
                price / 100,
                price % 100,
                amount,
            );
        }
        text.truncate(size);
        Bytes::from(text)
    };
    (0..(WIRE / size).max(4)).map(&mut message).collect()
}
