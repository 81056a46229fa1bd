//! What RFC 6455 makes of one frame, in every state that a connection can be in: said plainly, apart
//! from the crate's code, and without any concern for speed or for bytes that come in pieces.

use sansocket::frame::HeaderError;
use sansocket::{Delivery, ProtocolError};

use super::common::{Seen, Side};

pub(crate) const MAX_FRAME: u64 = 65_536;
pub(crate) const MAX_MESSAGE: u64 = 65_537;

/// A frame as its bits say it, sensible or not.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Bits {
    pub(crate) opcode: u8,
    pub(crate) fin: bool,
    /// RSV1 to RSV3, from the highest bit to the lowest.
    pub(crate) rsv: u8,
    pub(crate) masked: bool,
    pub(crate) length: Length,
}

/// The forms of a length: what is said, and in how many bytes.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Length {
    Short(u8),
    In16(u16),
    In64(u64),
}

impl Length {
    pub(crate) fn says(self) -> u64 {
        match self {
            Self::Short(len) => len.into(),
            Self::In16(len) => len.into(),
            Self::In64(len) => len,
        }
    }
}

/// The message that is amid its fragments, with what has come of it.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Amid {
    Nothing,
    Text(&'static [u8]),
    Binary(&'static [u8]),
}

/// How far closing has come when the frame arrives.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Phase {
    Open,
    /// Our Close frame has gone out.
    WeClosed,
    /// The peer's Close frame has come.
    TheyClosed,
    /// The peer broke the protocol.
    Failed,
    /// The transport has ended.
    Ended,
}

#[derive(Debug, Clone, Copy)]
pub(crate) struct State {
    pub(crate) side: Side,
    pub(crate) delivery: Delivery,
    pub(crate) amid: Amid,
    pub(crate) phase: Phase,
}

/// What comes of a frame.
#[derive(Debug, PartialEq, Eq)]
pub(crate) enum Outcome {
    /// The connection has ended before it: it changes nothing.
    Ignored,
    /// What is wrong with its header, each thing by itself; the RFC does not say which counts.
    BadHeader(Vec<ProtocolError>),
    /// Its payload is wrong, behind what is delivered of it.
    BadPayload(Vec<Seen>, ProtocolError),
    Taken {
        events: Vec<Seen>,
        /// What is sent in answer: opcode and payload.
        answer: Option<(u8, Vec<u8>)>,
        then: Then,
    },
}

/// What the connection is amid of behind the frame.
#[derive(Debug, PartialEq, Eq)]
pub(crate) enum Then {
    Nothing,
    /// A message of this opcode, with these bytes so far.
    Message(u8, Vec<u8>),
    Closed,
}

const CONTINUATION: u8 = 0;
const TEXT: u8 = 1;
const BINARY: u8 = 2;
const CLOSE: u8 = 8;
const PING: u8 = 9;
const PONG: u8 = 10;

/// What is wrong with the header in this state.
fn faults(state: State, bits: Bits) -> Vec<ProtocolError> {
    let mut faults = Vec::new();
    let len = bits.length.says();
    let is_control = bits.opcode >= 8;
    // §5.2: reserved bits and opcodes.
    if bits.rsv != 0 {
        faults.push(ProtocolError::ReservedBits);
    }
    if matches!(bits.opcode, 3..=7 | 11..=15) {
        faults.push(HeaderError::ReservedOpcode(bits.opcode).into());
    }
    // §5.1: from a client masked, from a server not.
    match (state.side, bits.masked) {
        (Side::Server, false) => faults.push(ProtocolError::Unmasked),
        (Side::Client, true) => faults.push(ProtocolError::Masked),
        _ => {}
    }
    // §5.2: the shortest form, and 63 bits at the most.
    match bits.length {
        Length::In16(len) if len < 126 => faults.push(HeaderError::LengthNotMinimal.into()),
        Length::In64(len) if len < 65_536 => faults.push(HeaderError::LengthNotMinimal.into()),
        Length::In64(len) if len >= 1 << 63 => faults.push(HeaderError::LengthTooLarge.into()),
        _ => {}
    }
    if is_control {
        // §5.5: whole, and of 125 bytes at the most: a longer form is one that says more.
        if !bits.fin {
            faults.push(HeaderError::FragmentedControl.into());
        }
        if !matches!(bits.length, Length::Short(_)) {
            faults.push(HeaderError::ControlTooLong.into());
        }
        return faults;
    }
    // §5.4: one message at a time.
    let so_far = match (state.amid, bits.opcode) {
        (Amid::Nothing, CONTINUATION) => {
            faults.push(ProtocolError::UnexpectedContinuation);
            0
        }
        (Amid::Text(part) | Amid::Binary(part), opcode) => {
            if matches!(opcode, TEXT | BINARY) {
                faults.push(ProtocolError::ExpectedContinuation);
            }
            part.len() as u64
        }
        _ => 0,
    };
    // §10.4: our own limits.
    if len > MAX_FRAME {
        faults.push(ProtocolError::FrameTooBig { limit: MAX_FRAME });
    }
    if so_far.saturating_add(len) > MAX_MESSAGE {
        faults.push(ProtocolError::MessageTooBig { limit: MAX_MESSAGE });
    }
    faults
}

/// The model: what comes of this frame in this state.
pub(crate) fn outcome(state: State, bits: Bits, payload: &[u8]) -> Outcome {
    if !matches!(state.phase, Phase::Open | Phase::WeClosed) {
        return Outcome::Ignored;
    }
    let faults = faults(state, bits);
    if !faults.is_empty() {
        return Outcome::BadHeader(faults);
    }
    let answers = state.phase == Phase::Open;
    let unchanged = || match state.amid {
        Amid::Nothing => Then::Nothing,
        Amid::Text(part) => Then::Message(TEXT, part.to_vec()),
        Amid::Binary(part) => Then::Message(BINARY, part.to_vec()),
    };
    match bits.opcode {
        PING => Outcome::Taken {
            events: vec![Seen::ping(payload)],
            answer: answers.then(|| (PONG, payload.to_vec())),
            then: unchanged(),
        },
        PONG => Outcome::Taken {
            events: vec![Seen::pong(payload)],
            answer: None,
            then: unchanged(),
        },
        CLOSE => match close(payload) {
            Err(error) => Outcome::BadPayload(vec![], error),
            Ok(said) => Outcome::Taken {
                answer: answers.then(|| (CLOSE, payload.iter().copied().take(2).collect())),
                events: vec![Seen::Close(said)],
                then: Then::Closed,
            },
        },
        _ => data(state, bits, payload),
    }
}

/// §5.5.1, §7.4: nothing, or a code that may stand there and a reason in UTF-8.
fn close(body: &[u8]) -> Result<Option<(u16, String)>, ProtocolError> {
    match body {
        [] => Ok(None),
        [_] => Err(ProtocolError::TruncatedCloseCode),
        [high, low, reason @ ..] => {
            let code = u16::from(*high) << 8 | u16::from(*low);
            if !matches!(code, 1000..=1003 | 1007..=1014 | 3000..=4999) {
                return Err(ProtocolError::InvalidCloseCode(code));
            }
            let reason = String::from_utf8(reason.to_vec());
            let reason = reason.map_err(|_| ProtocolError::InvalidUtf8)?;
            Ok(Some((code, reason)))
        }
    }
}

/// §5.6, §8.1: part of a message, or its end.
fn data(state: State, bits: Bits, payload: &[u8]) -> Outcome {
    let (opcode, so_far): (u8, &[u8]) = match state.amid {
        Amid::Nothing => (bits.opcode, &[]),
        Amid::Text(part) => (TEXT, part),
        Amid::Binary(part) => (BINARY, part),
    };
    let whole = [so_far, payload].concat();
    // Of a text, what is certain is delivered; the beginning of a character waits for the rest.
    let (known, new) = match opcode {
        TEXT => {
            let (Ok(known) | Err(known)) = certain(so_far);
            match certain(&whole) {
                Ok(new) if !bits.fin || new == whole.len() => (known, new),
                Ok(valid) | Err(valid) => {
                    let new = text(&whole[known..valid.max(known)]);
                    let events = match state.delivery {
                        Delivery::Chunks if !new.is_empty() => vec![Seen::TextPart(new, false)],
                        _ => vec![],
                    };
                    return Outcome::BadPayload(events, ProtocolError::InvalidUtf8);
                }
            }
        }
        _ => (so_far.len(), whole.len()),
    };
    let seen = |bytes: &[u8], last| match (opcode, state.delivery) {
        (TEXT, Delivery::Messages) => Seen::Text(text(bytes)),
        (TEXT, Delivery::Chunks) => Seen::TextPart(text(bytes), last),
        (_, Delivery::Messages) => Seen::Binary(bytes.to_vec()),
        (_, Delivery::Chunks) => Seen::BinaryPart(bytes.to_vec(), last),
    };
    let events = match state.delivery {
        Delivery::Messages if bits.fin => vec![seen(&whole, true)],
        Delivery::Messages => vec![],
        Delivery::Chunks if bits.fin || new > known => vec![seen(&whole[known..new], bits.fin)],
        Delivery::Chunks => vec![],
    };
    let then = match bits.fin {
        true => Then::Nothing,
        false => Then::Message(opcode, whole),
    };
    Outcome::Taken {
        events,
        answer: None,
        then,
    }
}

fn text(bytes: &[u8]) -> String {
    String::from_utf8(bytes.to_vec()).expect("a text")
}

/// How many bytes at the beginning are whole characters; an error if no text begins so.
pub(crate) fn certain(bytes: &[u8]) -> Result<usize, usize> {
    match std::str::from_utf8(bytes) {
        Ok(_) => Ok(bytes.len()),
        Err(error) if error.error_len().is_none() => Ok(error.valid_up_to()),
        Err(error) => Err(error.valid_up_to()),
    }
}
