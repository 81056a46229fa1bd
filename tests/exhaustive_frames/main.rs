//! Every opcode × FIN × reserved bits × mask × class of length, in either role, in both deliveries,
//! amid each kind of message, in each phase of closing: against a model of the RFC.
#![cfg(not(miri))] // there are too many cases

#[path = "../common/mod.rs"]
mod common;
#[cfg(feature = "deflate")]
mod compressed;
mod model;
mod splits;

use common::*;
use model::{Amid, Bits, Length, MAX_FRAME, MAX_MESSAGE, Outcome, Phase, State, Then};
use sansocket::frame::Opcode;
use sansocket::{Config, Delivery, ProtocolError};

/// Each class of lengths, with what lies at its ends.
const LENGTHS: [Length; 15] = [
    Length::Short(0),
    Length::Short(1),
    Length::Short(2),
    Length::Short(5),
    Length::Short(125),
    Length::In16(0),
    Length::In16(125),
    Length::In16(126),
    Length::In16(u16::MAX),
    Length::In64(125),
    Length::In64(65_535),
    Length::In64(65_536),
    Length::In64(65_537),
    Length::In64(u64::MAX / 2),
    Length::In64(u64::MAX / 2 + 1),
];

const AMID: [Amid; 5] = [
    Amid::Nothing,
    Amid::Text(b"ab"),
    // The first byte of é.
    Amid::Text(b"\xC3"),
    Amid::Binary(b"a"),
    // With this, the largest frame makes too large a message.
    Amid::Binary(b"ab"),
];

const PHASES: [Phase; 5] = [
    Phase::Open,
    Phase::WeClosed,
    Phase::TheyClosed,
    Phase::Failed,
    Phase::Ended,
];

fn every_header() -> impl Iterator<Item = Bits> {
    (0..=u8::MAX).flat_map(|first| {
        [false, true].into_iter().flat_map(move |masked| {
            LENGTHS.map(|length| Bits {
                opcode: first & 0x0F,
                fin: first & 0x80 != 0,
                rsv: first >> 4 & 0x07,
                masked,
                length,
            })
        })
    })
}

/// The header in bytes; a masked one with this key.
fn header(bits: Bits) -> Vec<u8> {
    let mask_bit = u8::from(bits.masked) << 7;
    let mut bytes = vec![u8::from(bits.fin) << 7 | bits.rsv << 4 | bits.opcode];
    match bits.length {
        Length::Short(len) => bytes.push(mask_bit | len),
        Length::In16(len) => {
            bytes.push(mask_bit | 126);
            bytes.extend(len.to_be_bytes());
        }
        Length::In64(len) => {
            bytes.push(mask_bit | 127);
            bytes.extend(len.to_be_bytes());
        }
    }
    if bits.masked {
        bytes.extend(KEY);
    }
    bytes
}

fn masked(bits: Bits, payload: &[u8]) -> Vec<u8> {
    let keys = KEY.iter().cycle();
    let bytes = payload.iter().zip(keys);
    bytes
        .map(|(byte, key)| if bits.masked { byte ^ key } else { *byte })
        .collect()
}

/// What may stand in a payload of this length: different things for text, binary and Close.
fn payloads(len: u64) -> Vec<Vec<u8>> {
    let len = usize::try_from(len).expect("a length that is sent");
    let x = |start: &[u8]| {
        let mut payload = start.to_vec();
        payload.resize(len, b'x');
        payload
    };
    let mut payloads = vec![
        x(b""),
        x(b"\xA9"),
        x(b"\x03\xE8"),
        x(b"\x03\xED"),
        x(b"\x03\xE8\xFF"),
        x(b"\xFF"),
    ];
    if let Some(before) = len.checked_sub(1) {
        // A character that the frame cuts.
        payloads.push([vec![b'x'; before], vec![0xC3]].concat());
    }
    // A large one is a text, the beginning of one, or none; more would only take time.
    if len > 1000 {
        payloads.drain(1..payloads.len() - 2);
    }
    payloads.dedup();
    payloads
}

/// An endpoint in this state, with nothing left to look at.
fn endpoint(state: State) -> Endpoint {
    let config = Config::new()
        .delivery(state.delivery)
        .max_frame_size(MAX_FRAME)
        .max_message_size(MAX_MESSAGE);
    let side = state.side;
    let mut endpoint = side.endpoint(config);
    match state.amid {
        Amid::Nothing => {}
        Amid::Text(part) => endpoint.feed(&side.frame(Opcode::Text, false, part)),
        Amid::Binary(part) => endpoint.feed(&side.frame(Opcode::Binary, false, part)),
    }
    match state.phase {
        Phase::Open => {}
        Phase::WeClosed => endpoint.connection.close(None).unwrap(),
        Phase::TheyClosed => endpoint.feed(&side.close(1000, "")),
        Phase::Failed => endpoint.feed(&[0xFF]),
        Phase::Ended => endpoint.connection.receive_eof(),
    }
    endpoint.output();
    endpoint.take_seen();
    endpoint
}

/// Frames without the key, of which the sender has the choice.
fn sent(bytes: &[u8]) -> Vec<(u8, Vec<u8>)> {
    let frames = frames(bytes).into_iter();
    frames
        .map(|(header, payload)| (header.opcode as u8, payload))
        .collect()
}

fn assert_failed(endpoint: &mut Endpoint, state: State, error: ProtocolError, case: &str) {
    assert_eq!(endpoint.error, Some(error), "{case}");
    assert_eq!(endpoint.seen, [], "{case}");
    let answer = sent(&endpoint.output());
    if state.phase == Phase::WeClosed {
        assert_eq!(answer, [], "{case}: there is one Close frame already");
    } else {
        let [(8, body)] = &answer[..] else {
            panic!("{case}: {answer:?}");
        };
        assert_eq!(body[..2], error.close_code().get().to_be_bytes(), "{case}");
    }
}

/// What follows shows what the connection is amid of.
fn assert_goes_on(mut endpoint: Endpoint, state: State, then: Then, case: &str) {
    endpoint.take_seen();
    let side = state.side;
    let expected = match then {
        Then::Closed => {
            endpoint.feed(&side.text("too late"));
            assert_eq!((endpoint.seen, endpoint.error), (vec![], None), "{case}");
            return;
        }
        Then::Nothing => {
            endpoint.feed(&side.text("next"));
            Seen::text("next").delivered(state.delivery)
        }
        Then::Message(opcode, so_far) if so_far.len() as u64 == MAX_MESSAGE => {
            endpoint.feed(&side.frame(Opcode::Continuation, true, b""));
            if opcode == 1 && so_far.last() == Some(&0xC3) {
                // There is no room for the rest of the character.
                let error = Some(ProtocolError::InvalidUtf8);
                assert_eq!((endpoint.seen, endpoint.error), (vec![], error), "{case}");
                return;
            }
            whole(state.delivery, opcode, &so_far, b"")
        }
        Then::Message(opcode, so_far) => {
            // A character that was cut is completed.
            let end: &[u8] = match so_far.last() {
                Some(0xC3) if opcode == 1 => b"\xA9",
                Some(0xE8 | 0xED) if opcode == 1 => b"\x80\x80",
                _ => b".",
            };
            endpoint.feed(&side.frame(Opcode::Continuation, true, end));
            whole(state.delivery, opcode, &so_far, end)
        }
    };
    assert_eq!(
        (endpoint.seen, endpoint.error),
        (vec![expected], None),
        "{case}"
    );
}

/// A message that has ended: all of it, or what was new.
fn whole(delivery: Delivery, opcode: u8, so_far: &[u8], end: &[u8]) -> Seen {
    let all = [so_far, end].concat();
    let known = match (delivery, opcode) {
        (Delivery::Messages, _) => 0,
        (Delivery::Chunks, 1) => model::certain(so_far).expect("the beginning of a text"),
        (Delivery::Chunks, _) => so_far.len(),
    };
    let bytes = all[known..].to_vec();
    let message = match opcode {
        1 => Seen::Text(String::from_utf8(bytes).expect("a text")),
        _ => Seen::Binary(bytes),
    };
    message.delivered(delivery)
}

fn check(state: State, bits: Bits, payload: &[u8]) {
    let case = || format!("{bits:?} in {state:?}, {} bytes", payload.len());
    let mut endpoint = endpoint(state);
    let error_before = endpoint.error;
    endpoint.feed(&header(bits));
    match model::outcome(state, bits, payload) {
        Outcome::Ignored => {
            assert_eq!(endpoint.error, error_before, "{}", case());
            assert_eq!(endpoint.seen, [], "{}", case());
            assert_eq!(endpoint.output(), b"", "{}", case());
        }
        Outcome::BadHeader(faults) => {
            let error = endpoint
                .error
                .unwrap_or_else(|| panic!("{} is taken", case()));
            assert!(
                faults.contains(&error),
                "{}: {error}, not {faults:?}",
                case()
            );
            assert_failed(&mut endpoint, state, error, &case());
        }
        Outcome::BadPayload(events, error) => {
            if !payload.is_empty() {
                assert_eq!(endpoint.error, None, "{}: the header is good", case());
            }
            endpoint.feed(&masked(bits, payload));
            assert_eq!(endpoint.take_seen(), events, "{}", case());
            assert_failed(&mut endpoint, state, error, &case());
        }
        Outcome::Taken {
            events,
            answer,
            then,
        } => {
            endpoint.feed(&masked(bits, payload));
            assert_eq!(endpoint.error, None, "{}", case());
            assert_eq!(endpoint.seen, events, "{}", case());
            let output = endpoint.output();
            assert_eq!(sent(&output), answer.as_slice(), "{}", case());
            assert_goes_on(endpoint, state, then, &case());
        }
    }
}

fn check_all(side: Side) {
    for delivery in DELIVERIES {
        for (amid, phase) in AMID.iter().flat_map(|a| PHASES.map(|p| (*a, p))) {
            let state = State {
                side,
                delivery,
                amid,
                phase,
            };
            for bits in every_header() {
                // Only a header that is good is followed by its payload.
                match model::outcome(state, bits, b"") {
                    Outcome::Ignored | Outcome::BadHeader(_) => check(state, bits, b""),
                    Outcome::BadPayload(..) | Outcome::Taken { .. } => {
                        for payload in payloads(bits.length.says()) {
                            check(state, bits, &payload);
                        }
                    }
                }
            }
        }
    }
}

#[test]
fn every_frame_in_every_state_is_judged_as_the_model_says() {
    std::thread::scope(|scope| {
        for side in SIDES {
            scope.spawn(move || check_all(side));
        }
    });
}
