//! What the differential tests share: generated frames, and both implementations as functions from
//! bytes to events and answers.

pub mod generate;
pub mod ours;
pub mod over_http;
pub mod theirs;

use bytes::BufMut;
use proptest::test_runner::Config;

/// An endpoint's role.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Role {
    Client,
    Server,
}

pub const ROLES: [Role; 2] = [Role::Client, Role::Server];

/// The largest message that either takes, and the largest frame.
pub const LIMIT: usize = 100_000;

/// An event, as either implementation reports it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Seen {
    Text(String),
    Binary(Vec<u8>),
    Ping(Vec<u8>),
    Pong(Vec<u8>),
    Close(Option<(u16, String)>),
}

/// How a stream of bytes ended.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum End {
    /// More bytes are awaited.
    Open,
    /// The closing handshake is done.
    Closed,
    /// The peer broke the protocol or a limit.
    Failed(String),
}

/// A frame sent in answer: its opcode and payload.
pub type Answer = (u8, Vec<u8>);

/// All that came of some bytes.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Received {
    pub seen: Vec<Seen>,
    pub answers: Vec<Answer>,
    pub end: End,
}

/// A frame, as bits.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Frame {
    pub fin: bool,
    pub rsv: u8,
    pub opcode: u8,
    pub key: Option<[u8; 4]>,
    pub payload: Vec<u8>,
    /// The form of the length: 0 for the shortest, 2 or 8 for so many bytes if it fits.
    pub length_bytes: u8,
}

impl Frame {
    pub fn new(fin: bool, opcode: u8, key: Option<[u8; 4]>, payload: &[u8]) -> Self {
        Self {
            fin,
            rsv: 0,
            opcode,
            key,
            payload: payload.to_vec(),
            length_bytes: 0,
        }
    }

    pub fn encode(&self, to: &mut Vec<u8>) {
        let len = self.payload.len();
        let mask = u8::from(self.key.is_some()) << 7;
        to.put_u8(u8::from(self.fin) << 7 | (self.rsv & 7) << 4 | self.opcode & 15);
        match (self.length_bytes, u8::try_from(len), u16::try_from(len)) {
            (0, Ok(len @ 0..=125), _) => to.put_u8(mask | len),
            (0 | 2, _, Ok(len)) => {
                to.put_u8(mask | 126);
                to.put_u16(len);
            }
            _ => {
                to.put_u8(mask | 127);
                to.put_u64(len as u64);
            }
        }
        let key = self.key.unwrap_or_default();
        to.extend_from_slice(self.key.as_ref().map_or(&[][..], |key| key));
        to.extend(
            self.payload
                .iter()
                .zip(key.iter().cycle())
                .map(|(byte, key)| byte ^ key),
        );
    }
}

/// The frames of `bytes`, in the plainest way: unmasked, whatever they are. The last must be whole.
pub fn frames(mut bytes: &[u8]) -> Vec<Frame> {
    let mut frames = Vec::new();
    let take = |bytes: &mut &[u8], n: usize| bytes.split_off(..n).expect("a whole frame").to_vec();
    while !bytes.is_empty() {
        let head = take(&mut bytes, 2);
        let (length_bytes, len) = match head[1] & 127 {
            126 => (2, take(&mut bytes, 2)),
            127 => (8, take(&mut bytes, 8)),
            len => (0, vec![len]),
        };
        let len = len
            .iter()
            .fold(0, |len, byte| len << 8 | usize::from(*byte));
        let key = (head[1] & 128 != 0).then(|| take(&mut bytes, 4));
        let key: Option<[u8; 4]> = key.map(|key| key.try_into().expect("4 bytes"));
        let mut payload = take(&mut bytes, len);
        for (byte, key) in payload
            .iter_mut()
            .zip(key.unwrap_or_default().iter().cycle())
        {
            *byte ^= key;
        }
        frames.push(Frame {
            fin: head[0] & 128 != 0,
            rsv: head[0] >> 4 & 7,
            opcode: head[0] & 15,
            key,
            payload,
            length_bytes,
        });
    }
    frames
}

/// The answers in `bytes`, which must be frames that this role may send.
pub fn answers(role: Role, bytes: &[u8]) -> Vec<Answer> {
    let frames = frames(bytes).into_iter().map(|frame| {
        assert!(frame.fin && frame.rsv == 0, "{frame:?}");
        assert_eq!(frame.key.is_some(), role == Role::Client, "{frame:?}");
        (frame.opcode, frame.payload)
    });
    frames.collect()
}

/// As many cases as `PROPTEST_CASES` says; none are written to files.
pub fn cases() -> Config {
    Config {
        failure_persistence: None,
        ..Config::default()
    }
}
