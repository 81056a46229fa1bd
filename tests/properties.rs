//! What must hold for all inputs and all orders of calls.

mod common;

use common::pair::Pair;
use common::*;
use proptest::collection::vec;
use proptest::prelude::*;
use sansocket::frame::{Header, Opcode};
use sansocket::{Chunk, Config, Delivery, Message, ProtocolError, State};

/// Small limits, so that inputs reach them.
fn limited() -> Config {
    Config::new()
        .max_frame_size(66_000)
        .max_message_size(70_000)
        .max_fragments(20)
}

fn side() -> impl Strategy<Value = Side> {
    prop::sample::select(&SIDES[..])
}

fn delivery() -> impl Strategy<Value = Delivery> {
    prop::sample::select(&DELIVERIES[..])
}

fn split() -> impl Strategy<Value = Split> {
    prop_oneof![
        Just(Split::EachByte),
        vec(1..40_usize, 1..8).prop_map(Split::Sizes),
        vec(1..9000_usize, 1..8).prop_map(Split::Sizes),
    ]
}

/// Mostly short; seldom of the longer length forms.
fn size() -> impl Strategy<Value = usize> {
    prop_oneof![20 => 0..40_usize, 5 => 0..300_usize, 2 => 2000..20_000_usize, 1 => Just(65_536)]
}

/// A message or a control frame.
#[derive(Debug, Clone)]
enum Sent {
    /// With the places to cut it into fragments.
    Text(String, Vec<prop::sample::Index>),
    Binary(Vec<u8>, Vec<prop::sample::Index>),
    Ping(Vec<u8>),
    Pong(Vec<u8>),
}

fn sent() -> impl Strategy<Value = Sent> {
    let cuts = || vec(any::<prop::sample::Index>(), 0..4);
    let short = || vec(any::<u8>(), 0..=125);
    prop_oneof![
        3 => ("\\PC{0,30}", cuts()).prop_map(|(text, cuts)| Sent::Text(text, cuts)),
        1 => (size(), cuts()).prop_map(|(len, cuts)| Sent::Text(text(len), cuts)),
        2 => (size(), cuts()).prop_map(|(len, cuts)| Sent::Binary(data(len), cuts)),
        1 => short().prop_map(Sent::Ping),
        1 => short().prop_map(Sent::Pong),
    ]
}

/// The parts that the cuts make of a payload.
fn cut<'a>(payload: &'a [u8], cuts: &[prop::sample::Index]) -> Vec<&'a [u8]> {
    let mut ends: Vec<_> = cuts
        .iter()
        .map(|cut| cut.index(payload.len() + 1))
        .collect();
    ends.sort_unstable();
    ends.push(payload.len());
    let mut from = 0;
    let parts = ends.into_iter().map(|end| {
        let part = &payload[from..end];
        from = end;
        part
    });
    parts.collect()
}

/// A message in fragments.
fn fragments(side: Side, first: Opcode, payload: &[u8], cuts: &[prop::sample::Index]) -> Vec<u8> {
    let parts = cut(payload, cuts);
    let last = parts.len() - 1;
    let frames = parts.iter().enumerate().map(|(i, part)| {
        let opcode = if i == 0 { first } else { Opcode::Continuation };
        side.frame(opcode, i == last, part)
    });
    frames.collect::<Vec<_>>().concat()
}

impl Sent {
    /// The frames that bring this to `side`.
    fn frames(&self, side: Side) -> Vec<u8> {
        let (first, payload, cuts) = match self {
            Self::Text(text, cuts) => (Opcode::Text, text.as_bytes(), cuts),
            Self::Binary(data, cuts) => (Opcode::Binary, &**data, cuts),
            Self::Ping(data) => return side.ping(data),
            Self::Pong(data) => return side.frame(Opcode::Pong, true, data),
        };
        fragments(side, first, payload, cuts)
    }

    fn seen(self) -> Seen {
        match self {
            Self::Text(text, _) => Seen::Text(text),
            Self::Binary(data, _) => Seen::Binary(data),
            Self::Ping(data) => Seen::Ping(data),
            Self::Pong(data) => Seen::Pong(data),
        }
    }
}

/// Close bodies, and the halves of a character.
const ODD: &[&[u8]] = &[b"\x03\xE8", b"\x03\xE8bye", b"\xF0\x9F", b"\x98\x80"];

/// Frames that are each well-formed, in an order that need not be.
fn any_frames() -> impl Strategy<Value = Vec<(u8, bool, Vec<u8>)>> {
    let payload = prop_oneof![
        3 => "\\PC{0,20}".prop_map(String::into_bytes),
        1 => vec(any::<u8>(), 0..20),
        1 => prop::sample::select(ODD)
            .prop_map(<[u8]>::to_vec),
        1 => size().prop_map(|len| text(len).into_bytes()),
    ];
    vec((0..14_u8, any::<bool>(), payload), 0..12)
}

fn wire(side: Side, frames: &[(u8, bool, Vec<u8>)]) -> Vec<u8> {
    let frames = frames.iter().map(|(kind, fin, payload)| {
        let opcode = match kind {
            0..=2 => Opcode::Text,
            3..=4 => Opcode::Binary,
            5..=10 => Opcode::Continuation,
            11 => Opcode::Ping,
            12 => Opcode::Pong,
            _ => Opcode::Close,
        };
        let len = if opcode.is_control() { 125 } else { usize::MAX };
        let payload = &payload[..payload.len().min(len)];
        side.frame(opcode, *fin || opcode.is_control(), payload)
    });
    frames.collect::<Vec<_>>().concat()
}

/// Checks all that must hold whatever is received.
fn check_stream(
    side: Side,
    delivery: Delivery,
    bytes: &[u8],
    split: &Split,
) -> Result<Received, TestCaseError> {
    let config = limited().delivery(delivery);
    let whole = received(side, &config, bytes, &Split::Whole);
    let in_parts = received(side, &config, bytes, split);
    prop_assert_eq!(&whole, &in_parts, "the split shows");

    let closes = whole.seen.iter().filter(|s| matches!(s, Seen::Close(_)));
    let sent = frames(&whole.output);
    prop_assert!(closes.count() <= 1);
    if let Some(Seen::Close(frame)) = whole.seen.iter().find(|s| matches!(s, Seen::Close(_))) {
        prop_assert_eq!(whole.error, None);
        prop_assert!(matches!(whole.seen.last(), Some(Seen::Close(_))));
        let echo = close_sent(&whole.output).map(|(code, reason)| (code, reason.len()));
        prop_assert_eq!(echo, frame.as_ref().map(|(code, _)| (*code, 0)));
    } else if let Some(error) = whole.error {
        let code = error.close_code().get();
        prop_assert_eq!(close_sent(&whole.output).map(|close| close.0), Some(code));
    } else {
        prop_assert_eq!(whole.state, State::Open);
        prop_assert!(sent.iter().all(|(h, _)| h.opcode == Opcode::Pong));
    }
    Ok(whole)
}

proptest! {
    #![proptest_config(cases())]

    #[test]
    fn any_split_of_valid_messages_gives_them_as_they_were_sent(
        side in side(), delivery in delivery(), split in split(), all in vec(sent(), 0..12),
    ) {
        let bytes: Vec<u8> = all.iter().flat_map(|sent| sent.frames(side)).collect();
        let result = check_stream(side, delivery, &bytes, &split)?;
        let expected = all.into_iter().map(|sent| sent.seen().delivered(delivery));
        prop_assert_eq!(result.seen, expected.collect::<Vec<_>>());
        prop_assert_eq!(result.error, None);
    }

    #[test]
    fn any_split_of_any_frames_gives_the_same(
        side in side(), delivery in delivery(), split in split(), list in any_frames(),
    ) {
        check_stream(side, delivery, &wire(side, &list), &split)?;
    }

    #[test]
    fn any_split_of_corrupted_frames_gives_the_same(
        side in side(), delivery in delivery(), split in split(), all in vec(sent(), 1..8),
        flips in vec((any::<prop::sample::Index>(), 1..=u8::MAX), 1..4),
        end in any::<prop::sample::Index>(),
    ) {
        let mut bytes: Vec<u8> = all.iter().flat_map(|sent| sent.frames(side)).collect();
        for (place, bits) in flips {
            *place.get_mut(&mut bytes) ^= bits;
        }
        bytes.truncate(end.index(2 * bytes.len()).max(bytes.len() / 4));
        check_stream(side, delivery, &bytes, &split)?;
    }

    #[test]
    fn any_split_of_random_bytes_gives_the_same(
        side in side(), delivery in delivery(), split in split(),
        bytes in vec(any::<u8>(), 0..300),
    ) {
        check_stream(side, delivery, &bytes, &split)?;
    }

    #[test]
    fn both_deliveries_agree_on_the_content(side in side(), list in any_frames()) {
        let bytes = wire(side, &list);
        let whole = received(side, &limited(), &bytes, &Split::Whole);
        let chunks = limited().delivery(Delivery::Chunks);
        let parts = received(side, &chunks, &bytes, &Split::Whole);
        prop_assert_eq!(whole.error, parts.error);
        prop_assert_eq!(whole.output, parts.output);
        prop_assert_eq!(whole.outcome, parts.outcome);

        let (mut text, mut data) = (String::new(), Vec::new());
        let (mut messages, mut control) = (Vec::new(), Vec::new());
        for seen in parts.seen {
            match seen {
                Seen::TextPart(part, last) => {
                    text.push_str(&part);
                    last.then(|| messages.push(Seen::Text(std::mem::take(&mut text))));
                }
                Seen::BinaryPart(part, last) => {
                    data.extend(part);
                    last.then(|| messages.push(Seen::Binary(std::mem::take(&mut data))));
                }
                other => control.push(other),
            }
        }
        let is_data = |seen: &Seen| matches!(seen, Seen::Text(_) | Seen::Binary(_));
        let (whole_messages, whole_control): (Vec<_>, Vec<_>) =
            whole.seen.into_iter().partition(is_data);
        prop_assert_eq!(messages, whole_messages);
        prop_assert_eq!(control, whole_control);
    }

    #[test]
    fn a_text_is_delivered_exactly_if_core_calls_it_utf8(
        side in side(), delivery in delivery(), split in split(),
        pieces in vec(prop_oneof![
            6 => "\\PC{0,40}".prop_map(String::into_bytes),
            1 => size().prop_map(|len| text(len).into_bytes()),
            1 => vec(any::<u8>(), 1..4),
        ], 0..6),
        cuts in vec(any::<prop::sample::Index>(), 0..5),
    ) {
        let payload = pieces.concat();
        prop_assume!(payload.len() < 66_000);
        let bytes = fragments(side, Opcode::Text, &payload, &cuts);
        let result = check_stream(side, delivery, &bytes, &split)?;
        match core::str::from_utf8(&payload) {
            Ok(text) => prop_assert_eq!(result.seen, [Seen::text(text).delivered(delivery)]),
            Err(error) => {
                prop_assert_eq!(result.error, Some(ProtocolError::InvalidUtf8));
                let valid = core::str::from_utf8(&payload[..error.valid_up_to()]).unwrap();
                match &*result.seen {
                    [] => {}
                    [Seen::TextPart(part, false)] => prop_assert_eq!(part, valid),
                    other => prop_assert!(false, "{other:?}"),
                }
            }
        }
    }

    #[test]
    fn whatever_one_side_sends_the_other_receives(
        split in split(), delivery in delivery(),
        all in vec((side(), sent()), 0..12), stalls in any::<[bool; 3]>(),
    ) {
        let config = Config::new().delivery(delivery).write_limit(usize::MAX);
        let mut pair = Pair::split(config.clone(), config, split);
        let (mut to_client, mut to_server) = (Vec::new(), Vec::new());
        for (i, (from, sent)) in all.into_iter().enumerate() {
            pair.stall(stalls[i % 3]);
            let (endpoint, expected) = match from {
                Side::Client => (&mut pair.client, &mut to_server),
                Side::Server => (&mut pair.server, &mut to_client),
            };
            let connection = &mut endpoint.connection;
            match &sent {
                Sent::Text(text, cuts) if cuts.is_empty() => connection.send_text(text).unwrap(),
                Sent::Text(text, _) => {
                    let mut at = text.len() / 2;
                    while !text.is_char_boundary(at) { at -= 1 }
                    connection.send_chunk(Chunk::text(&text[..at])).unwrap();
                    connection.send_chunk(Chunk::text(&text[at..]).last()).unwrap();
                }
                Sent::Binary(data, cuts) if cuts.is_empty() => {
                    connection.send(Message::from(data.clone())).unwrap();
                }
                Sent::Binary(data, cuts) => {
                    let parts = cut(data, cuts);
                    for part in &parts[..parts.len() - 1] {
                        connection.send_chunk(Chunk::binary(part)).unwrap();
                    }
                    connection.send_chunk(Chunk::binary(parts[parts.len() - 1]).last()).unwrap();
                }
                Sent::Ping(data) | Sent::Pong(data) => connection.ping(data).unwrap(),
            }
            expected.push(match sent {
                Sent::Pong(data) => Seen::Ping(data),
                other => other.seen().delivered(delivery),
            });
            pair.run();
        }
        pair.stall(false);
        pair.run();
        for (endpoint, expected) in [(pair.client, to_client), (pair.server, to_server)] {
            let seen = endpoint.seen.into_iter().filter(|seen| !matches!(seen, Seen::Pong(_)));
            prop_assert_eq!(seen.collect::<Vec<_>>(), expected);
            prop_assert_eq!(endpoint.error, None);
        }
    }

    #[test]
    fn decoding_a_header_never_panics_and_more_bytes_change_nothing(
        bytes in vec(any::<u8>(), 0..20),
    ) {
        for end in 0..bytes.len() {
            let part = Header::decode(&bytes[..end]);
            if part != Ok(None) {
                prop_assert_eq!(part, Header::decode(&bytes));
            }
        }
    }
}
