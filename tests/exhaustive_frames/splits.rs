//! Each kind of frame, in every division into reads.

use sansocket::frame::Opcode;
use sansocket::{Config, Delivery};

use super::common::*;

/// What an endpoint makes of `bytes` that are cut behind each byte whose bit in `cuts` is set.
fn cut(side: Side, config: &Config, bytes: &[u8], cuts: u32) -> Received {
    let mut sizes = vec![0];
    for at in 0..bytes.len() {
        *sizes.last_mut().expect("one at least") += 1;
        if at < 32 && cuts >> at & 1 == 1 {
            sizes.push(0);
        }
    }
    sizes.retain(|size| *size > 0);
    // All that is left comes in one piece.
    sizes.push(usize::MAX);
    received(side, config, bytes, &Split::Sizes(sizes))
}

/// Frames of each kind with little payload, alone and amid a message.
fn small_frames(side: Side) -> Vec<Vec<u8>> {
    let first = |opcode| side.frame(opcode, false, "é".as_bytes());
    let end = side.frame(Opcode::Continuation, true, b"!");
    vec![
        side.text("é!"),
        side.text(""),
        side.binary(b"\xFF\0\xFF"),
        side.ping(b"abc"),
        side.frame(Opcode::Pong, true, b"abc"),
        side.close(1000, "é"),
        side.frame(Opcode::Close, true, b""),
        [first(Opcode::Text), end.clone()].concat(),
        [side.frame(Opcode::Binary, false, b""), end.clone()].concat(),
        // Half a character, the other half.
        [
            side.frame(Opcode::Text, false, b"\xC3"),
            side.frame(Opcode::Continuation, true, b"\xA9"),
        ]
        .concat(),
        // And what is wrong, in its header and in its payload.
        side.frame(Opcode::Text, true, b"x\xFF"),
        side.frame(Opcode::Close, true, b"\x03"),
        side.close(1006, ""),
        side.frame(Opcode::Ping, false, b""),
        end,
    ]
}

#[test]
fn every_split_of_every_kind_of_frame_gives_the_same() {
    for (side, delivery) in SIDES.into_iter().flat_map(|s| DELIVERIES.map(|d| (s, d))) {
        let config = Config::new().delivery(delivery);
        for bytes in small_frames(side) {
            let whole = received(side, &config, &bytes, &Split::Whole);
            assert!(!whole.seen.is_empty() || whole.error.is_some());
            // Between two bytes there is a cut or there is none.
            let between = u32::try_from(bytes.len() - 1).unwrap().min(15);
            for cuts in 0..1 << between {
                let split = cut(side, &config, &bytes, cuts);
                assert_eq!(split, whole, "{bytes:x?} cut at {cuts:b}");
            }
        }
    }
}

#[test]
fn frames_of_longer_forms_may_be_cut_at_any_two_places() {
    for (side, delivery) in SIDES.into_iter().flat_map(|s| DELIVERIES.map(|d| (s, d))) {
        let config = Config::new().delivery(delivery);
        for (len, every) in [(126, 1), (300, 13), (65_536, 32_768)] {
            for bytes in [side.text(&text(len)), side.binary(&data(len))] {
                let whole = received(side, &config, &bytes, &Split::Whole);
                let places = (1..bytes.len()).filter(|at| *at <= 20 || at % every == 0);
                let places: Vec<usize> = places.collect();
                for (i, first) in places.iter().enumerate() {
                    for second in &places[i..] {
                        let sizes = vec![*first, second - first, bytes.len() - second];
                        let sizes = sizes.into_iter().filter(|size| *size > 0).collect();
                        let split = received(side, &config, &bytes, &Split::Sizes(sizes));
                        assert_eq!(split, whole, "{len} cut at {first} and {second}");
                    }
                }
            }
        }
    }
}

#[test]
fn a_message_amid_control_frames_may_be_cut_anywhere() {
    for side in SIDES {
        let bytes = [
            side.ping(b"1"),
            side.frame(Opcode::Text, false, b"a\xC3"),
            side.ping(b"2"),
            side.frame(Opcode::Continuation, false, b""),
            side.frame(Opcode::Pong, true, b"3"),
            side.frame(Opcode::Continuation, true, b"\xA9b"),
            side.close(4000, "done"),
        ]
        .concat();
        for delivery in DELIVERIES {
            let config = Config::new().delivery(delivery);
            let whole = received(side, &config, &bytes, &Split::Whole);
            let text = match delivery {
                Delivery::Messages => vec![Seen::text("aéb")],
                Delivery::Chunks => vec![Seen::TextPart("éb".into(), true)],
            };
            assert!(
                whole
                    .seen
                    .ends_with(&[text, vec![Seen::Close(Some((4000, "done".into())))]].concat())
            );
            for first in 1..bytes.len() {
                for second in first..bytes.len() {
                    let sizes = vec![first, second - first, bytes.len() - second];
                    let sizes = sizes.into_iter().filter(|size| *size > 0).collect();
                    let split = received(side, &config, &bytes, &Split::Sizes(sizes));
                    // The latest ping wins if nothing is sent between: that is for the caller.
                    assert_eq!(split, whole, "cut at {first} and {second}");
                }
            }
        }
    }
}
