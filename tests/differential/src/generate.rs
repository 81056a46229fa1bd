//! Frames to feed to both: conversations that are in order, and ones that are not.

use proptest::collection::vec;
use proptest::prelude::*;
use proptest::sample::select;

use crate::{Frame, Role};

/// How many bytes each read brings.
pub fn reads() -> impl Strategy<Value = Vec<usize>> {
    prop_oneof![
        Just(vec![]),
        vec(1..5_usize, 1..4),
        vec(1..3_000_usize, 1..4),
    ]
}

/// Text of characters of every size, short and long.
pub fn texts() -> impl Strategy<Value = String> {
    prop_oneof![
        4 => "[a-zé€😀]{0,40}",
        2 => any::<String>(),
        1 => (select(vec!["a", "é", "€", "😀"]), 0..20_000_usize).prop_map(|(c, n)| c.repeat(n)),
    ]
}

pub fn data() -> impl Strategy<Value = Vec<u8>> {
    prop_oneof![
        4 => vec(any::<u8>(), 0..200),
        2 => select(vec![0, 1, 125, 126, 127, 65_535, 65_536, 70_000]).prop_map(|n| vec![b'x'; n]),
        1 => (any::<u8>(), 0..90_000_usize).prop_map(|(byte, n)| vec![byte; n]),
    ]
}

pub fn control_data() -> impl Strategy<Value = Vec<u8>> {
    vec(any::<u8>(), 0..=125)
}

/// A message with the number of bytes in each of its fragments, and what comes between them.
#[derive(Debug, Clone)]
pub struct Message {
    pub is_text: bool,
    pub payload: Vec<u8>,
    pub cuts: Vec<usize>,
    pub between: Vec<(bool, Vec<u8>)>,
}

pub fn messages() -> impl Strategy<Value = Message> {
    let payload = prop_oneof![
        texts().prop_map(|text| (true, text.into_bytes())),
        data().prop_map(|data| (false, data)),
    ];
    let cuts = prop_oneof![
        2 => Just(vec![]),
        2 => vec(0..10_usize, 1..6),
        1 => vec(0..5_000_usize, 1..6),
    ];
    let between = vec((any::<bool>(), control_data()), 0..4);
    (payload, cuts, between).prop_map(|((is_text, payload), cuts, between)| Message {
        is_text,
        payload,
        cuts,
        between,
    })
}

impl Message {
    /// Its frames as the peer of `role` sends them: pings and pongs between the fragments.
    pub fn frames(&self, role: Role, key: [u8; 4]) -> Vec<Frame> {
        let key = (role == Role::Server).then_some(key);
        let (mut frames, mut rest) = (Vec::new(), &self.payload[..]);
        let mut opcode = if self.is_text { 1 } else { 2 };
        let mut between = self.between.iter();
        for cut in &self.cuts {
            let (part, more) = rest.split_at((*cut).min(rest.len()));
            rest = more;
            frames.push(Frame::new(false, opcode, key, part));
            opcode = 0;
            if let Some((is_ping, data)) = between.next() {
                let control = if *is_ping { 9 } else { 10 };
                frames.push(Frame::new(true, control, key, data));
            }
        }
        frames.push(Frame::new(true, opcode, key, rest));
        frames
    }
}

/// A Close frame's body: none, in order, or any bytes.
pub fn close_bodies() -> impl Strategy<Value = Vec<u8>> {
    let good = (
        select(vec![1000_u16, 1001, 1003, 1011, 3000, 4999]),
        "[a-zé€]{0,30}",
    );
    let good = good.prop_map(|(code, reason)| [&code.to_be_bytes(), reason.as_bytes()].concat());
    prop_oneof![
        1 => Just(vec![]),
        3 => good,
        1 => (any::<u16>(), "[a-z]{0,9}").prop_map(|(code, reason)| {
            [&code.to_be_bytes(), reason.as_bytes()].concat()
        }),
        1 => vec(any::<u8>(), 0..10),
    ]
}

/// One way to spoil a frame.
#[derive(Debug, Clone)]
pub enum Spoil {
    Rsv(u8),
    Opcode(u8),
    Fin,
    Mask,
    LengthBytes(u8),
    Payload(usize, u8),
    TooLong,
}

pub fn spoils() -> impl Strategy<Value = Spoil> {
    prop_oneof![
        (1..8_u8).prop_map(Spoil::Rsv),
        (0..16_u8).prop_map(Spoil::Opcode),
        Just(Spoil::Fin),
        Just(Spoil::Mask),
        select(vec![2, 8]).prop_map(Spoil::LengthBytes),
        (any::<usize>(), any::<u8>()).prop_map(|(at, byte)| Spoil::Payload(at, byte)),
        Just(Spoil::TooLong),
    ]
}

impl Spoil {
    pub fn apply(&self, frame: &mut Frame) {
        match self {
            Self::Rsv(rsv) => frame.rsv = *rsv,
            Self::Opcode(opcode) => frame.opcode = *opcode,
            Self::Fin => frame.fin = !frame.fin,
            Self::Mask => frame.key = frame.key.is_none().then_some([9, 8, 7, 6]),
            Self::LengthBytes(bytes) => frame.length_bytes = *bytes,
            Self::Payload(at, byte) => {
                let len = frame.payload.len().max(1);
                if let Some(place) = frame.payload.get_mut(at % len) {
                    *place = *byte;
                }
            }
            Self::TooLong => frame.payload.resize(crate::LIMIT + 1, b'x'),
        }
    }
}
