//! Receiving compressed messages: RFC 7692 §6 and §7.2.2.
#![cfg(feature = "deflate")]

mod common;

use common::compressed::*;
use common::*;
use sansocket::frame::{Header, Opcode};
use sansocket::{Config, DeflateConfig, Delivery, ProtocolError, ReceiveBuffer};

const DEFAULT: DeflateConfig = DeflateConfig::new();

/// The compressed "Hello" of RFC 7692 §7.2.3.1.
const HELLO: [u8; 7] = [0xF2, 0x48, 0xCD, 0xC9, 0xC9, 0x07, 0x00];

// The reserved bits.

#[test]
fn rsv1_without_negotiation_is_a_protocol_error() {
    for opcode in [Opcode::Text, Opcode::Binary] {
        for fin in [true, false] {
            assert_fails(&Config::new(), ProtocolError::ReservedBits, |side| {
                side.rsv1(opcode, fin, &HELLO)
            });
        }
    }
}

#[test]
fn rsv1_on_a_continuation_is_a_protocol_error() {
    for first_is_compressed in [true, false] {
        for fin in [true, false] {
            let error = ProtocolError::ReservedBits;
            assert_fails_inflating(&Config::new(), DEFAULT, error, |side| {
                let first = match first_is_compressed {
                    true => side.rsv1(Opcode::Text, false, &HELLO[..3]),
                    false => side.frame(Opcode::Text, false, b"Hel"),
                };
                [first, side.rsv1(Opcode::Continuation, fin, &HELLO[3..])].concat()
            });
        }
    }
}

#[test]
fn rsv1_on_a_control_frame_is_a_protocol_error() {
    for opcode in [Opcode::Ping, Opcode::Pong, Opcode::Close] {
        let error = ProtocolError::ReservedBits;
        assert_fails_inflating(&Config::new(), DEFAULT, error, |side| {
            side.rsv1(opcode, true, b"")
        });
        // Amid a compressed message likewise.
        assert_fails_inflating(&Config::new(), DEFAULT, error, |side| {
            let first = side.rsv1(Opcode::Text, false, &HELLO[..3]);
            [first, side.rsv1(opcode, true, b"")].concat()
        });
    }
}

#[test]
fn rsv2_and_rsv3_stay_protocol_errors() {
    for (rsv1, rsv2, rsv3) in [
        (false, true, false),
        (false, false, true),
        (true, true, false),
        (true, false, true),
    ] {
        for opcode in [Opcode::Text, Opcode::Binary, Opcode::Ping] {
            let error = ProtocolError::ReservedBits;
            assert_fails_inflating(&Config::new(), DEFAULT, error, |side| {
                let header = Header {
                    rsv1,
                    rsv2,
                    rsv3,
                    ..side.header(opcode, true, HELLO.len() as u64)
                };
                encode(&header, &HELLO)
            });
        }
    }
}

#[test]
fn a_failed_check_of_the_reserved_bits_loses_no_message_before_it() {
    for side in SIDES {
        let bytes = [
            side.compressed(Opcode::Text, &HELLO),
            side.rsv1(Opcode::Ping, true, b""),
        ];
        let result = inflated_any_way(side, &Config::new(), DEFAULT, &bytes.concat());
        assert_eq!(result.seen, [Seen::text("Hello")]);
        assert_eq!(result.error, Some(ProtocolError::ReservedBits));
    }
}

#[test]
fn uncompressed_messages_come_between_compressed_ones() {
    assert_gives(
        DEFAULT,
        |side| {
            [
                side.text("plain"),
                side.compressed(Opcode::Text, &HELLO),
                side.binary(b"\x00plain"),
                side.frame(Opcode::Text, false, b"frag"),
                side.frame(Opcode::Continuation, true, b"ments"),
                // §7.2.3.2: the window is the one of the last compressed message.
                side.compressed(Opcode::Text, &[0xF2, 0x00, 0x11, 0x00, 0x00]),
            ]
            .concat()
        },
        &[
            Seen::text("plain"),
            Seen::text("Hello"),
            Seen::binary(b"\x00plain"),
            Seen::text("fragments"),
            Seen::text("Hello"),
        ],
    );
}

// The examples of the RFC.

#[test]
fn example_of_7_2_3_1_a_message_of_one_block() {
    for (opcode, seen) in [
        (Opcode::Text, Seen::text("Hello")),
        (Opcode::Binary, Seen::binary(b"Hello")),
    ] {
        for deflate in [DEFAULT, NO_TAKEOVER] {
            assert_gives(
                deflate,
                |side| side.compressed(opcode, &HELLO),
                std::slice::from_ref(&seen),
            );
        }
    }
}

#[test]
fn example_of_7_2_3_1_in_fragments() {
    assert_gives(
        DEFAULT,
        |side| {
            [
                side.rsv1(Opcode::Text, false, &HELLO[..3]),
                side.frame(Opcode::Continuation, true, &HELLO[3..]),
            ]
            .concat()
        },
        &[Seen::text("Hello")],
    );
}

/// From a server the bytes on the wire are those of the RFC.
#[test]
fn example_of_7_2_3_1_byte_for_byte() {
    let whole = b"\xc1\x07\xf2\x48\xcd\xc9\xc9\x07\x00";
    let parts = b"\x41\x03\xf2\x48\xcd\x80\x04\xc9\xc9\x07\x00";
    for bytes in [&whole[..], &parts[..]] {
        let result = inflated_any_way(Side::Client, &Config::new(), DEFAULT, bytes);
        assert_eq!(result.seen, [Seen::text("Hello")]);
    }
}

#[test]
fn example_of_7_2_3_2_the_window_is_shared_by_messages() {
    let again = [0xF2, 0x00, 0x11, 0x00, 0x00];
    let both = |side: Side| {
        [
            side.compressed(Opcode::Text, &HELLO),
            side.compressed(Opcode::Text, &again),
        ]
        .concat()
    };
    let hello = Seen::text("Hello");
    assert_gives(DEFAULT, both, &[hello.clone(), hello.clone()]);
    // The same in full.
    let full = |side: Side| side.compressed(Opcode::Text, &HELLO).repeat(2);
    assert_gives(DEFAULT, full, &[hello.clone(), hello.clone()]);
    assert_gives(NO_TAKEOVER, full, &[hello.clone(), hello]);
    // Without takeover there is nothing to refer to.
    let error = ProtocolError::InvalidDeflate;
    let before = assert_fails_inflating(&Config::new(), NO_TAKEOVER, error, both);
    for (_, delivery, seen) in before {
        assert_eq!(seen[0], Seen::text("Hello").delivered(delivery));
    }
}

#[test]
fn takeover_of_one_direction_does_not_bring_that_of_the_other() {
    let again = [0xF2, 0x00, 0x11, 0x00, 0x00];
    for side in SIDES {
        let mine = match side {
            Side::Client => ALL.server_context_takeover(false),
            Side::Server => ALL.client_context_takeover(false),
        };
        let other = match side {
            Side::Client => ALL.client_context_takeover(false),
            Side::Server => ALL.server_context_takeover(false),
        };
        let bytes = [
            side.compressed(Opcode::Text, &HELLO),
            side.compressed(Opcode::Text, &again),
        ];
        let result = inflated_any_way(side, &Config::new(), mine, &bytes.concat());
        assert_eq!(result.error, Some(ProtocolError::InvalidDeflate));
        let result = inflated_any_way(side, &Config::new(), other, &bytes.concat());
        assert_eq!(result.seen, [Seen::text("Hello"), Seen::text("Hello")]);
    }
}

#[test]
fn example_of_7_2_3_3_a_stored_block() {
    let payload = b"\x00\x05\x00\xfa\xff\x48\x65\x6c\x6c\x6f\x00";
    let message = |side: Side| side.compressed(Opcode::Text, payload);
    assert_gives(DEFAULT, message, &[Seen::text("Hello")]);
}

#[test]
fn example_of_7_2_3_4_a_final_block() {
    let payload = b"\xf3\x48\xcd\xc9\xc9\x07\x00\x00";
    let message = |side: Side| side.compressed(Opcode::Text, payload);
    for deflate in [DEFAULT, NO_TAKEOVER] {
        assert_gives(deflate, message, &[Seen::text("Hello")]);
        // And the next message is as good as any.
        let two = |side: Side| [message(side), side.compressed(Opcode::Text, &HELLO)].concat();
        assert_gives(deflate, two, &[Seen::text("Hello"), Seen::text("Hello")]);
    }
}

#[test]
fn example_of_7_2_3_5_two_blocks() {
    let payload = b"\xf2\x48\x05\x00\x00\x00\xff\xff\xca\xc9\xc9\x07\x00";
    for size in [1, 2, 5, 8, 100] {
        let message = |side: Side| side.compressed_in(size, Opcode::Text, payload);
        assert_gives(DEFAULT, message, &[Seen::text("Hello")]);
    }
}

#[test]
fn example_of_7_2_3_6_an_empty_message() {
    for (opcode, seen) in [
        (Opcode::Text, Seen::text("")),
        (Opcode::Binary, Seen::binary(b"")),
    ] {
        let bytes = |side: Side| {
            [
                side.compressed(opcode, &[0]),
                side.compressed(Opcode::Text, &HELLO),
                side.compressed(opcode, &[0]),
            ]
            .concat()
        };
        let seen = [seen.clone(), Seen::text("Hello"), seen];
        assert_gives(DEFAULT, bytes, &seen);
        assert_gives(NO_TAKEOVER, bytes, &seen);
    }
}

// Blocks and fragments.

#[test]
fn a_compressed_message_without_payload_is_empty() {
    for fragments in [1, 2, 5] {
        let bytes = |side: Side| {
            let mut bytes = match fragments {
                1 => side.rsv1(Opcode::Text, true, b""),
                _ => side.rsv1(Opcode::Text, false, b""),
            };
            for left in (0..fragments - 1).rev() {
                bytes.extend(side.frame(Opcode::Continuation, left == 0, b""));
            }
            bytes.extend(side.compressed(Opcode::Text, &HELLO));
            bytes
        };
        assert_gives(DEFAULT, bytes, &[Seen::text(""), Seen::text("Hello")]);
    }
}

#[test]
fn control_frames_come_between_the_fragments_of_a_compressed_message() {
    let text = text(5_000);
    let mut theirs = Theirs::new(true);
    let (first, second) = (theirs.message(text.as_bytes()), theirs.message(b"second"));
    for side in SIDES {
        let half = first.len() / 2;
        let bytes = [
            side.rsv1(Opcode::Text, false, &first[..half]),
            side.ping(b"1"),
            side.frame(Opcode::Continuation, false, b""),
            side.frame(Opcode::Pong, true, b"2"),
            side.frame(Opcode::Continuation, true, &first[half..]),
            side.ping(b"3"),
            side.compressed(Opcode::Text, &second),
            side.close(1000, "bye"),
        ]
        .concat();
        let result = inflated_any_way(side, &Config::new(), DEFAULT, &bytes);
        assert_eq!(
            result.seen,
            [
                Seen::ping(b"1"),
                Seen::pong(b"2"),
                Seen::text(&text),
                Seen::ping(b"3"),
                Seen::text("second"),
                Seen::Close(Some((1000, "bye".into()))),
            ]
        );
        let chunks = Config::new().delivery(Delivery::Chunks);
        let result = inflated_any_way(side, &chunks, DEFAULT, &bytes);
        let all: String = result.seen.iter().filter_map(part_of_text).collect();
        assert_eq!(all, format!("{text}second"));
    }
}

fn part_of_text(seen: &Seen) -> Option<&str> {
    match seen {
        Seen::TextPart(text, _) => Some(text),
        _ => None,
    }
}

/// What a frame holds has come out before the next frame is looked at: how much of it fits into one
/// inflating step is nobody's business.
#[test]
fn all_of_a_frame_comes_out_before_the_control_frame_behind_it() {
    let data = vec![7; 40_000];
    let payload = Theirs::new(true).message(&data);
    let chunks = Config::new().delivery(Delivery::Chunks);
    for cut in 0..payload.len() {
        let (first, second) = payload.split_at(cut);
        for side in SIDES {
            let bytes = [
                side.rsv1(Opcode::Binary, false, first),
                side.ping(b"?"),
                side.frame(Opcode::Continuation, true, second),
            ]
            .concat();
            let result = inflated_any_way(side, &chunks, DEFAULT, &bytes);
            assert_eq!(result.error, None);
            let parts = result.seen.iter().filter_map(|seen| match seen {
                Seen::BinaryPart(part, _) => Some(&part[..]),
                _ => None,
            });
            assert!(parts.collect::<Vec<_>>().concat() == data);
            assert!(result.seen.contains(&Seen::ping(b"?")));
        }
    }
}

#[test]
fn a_message_of_many_blocks_is_one_message() {
    let mut theirs = Theirs::new(true);
    let (mut payload, mut all) = (Vec::new(), Vec::new());
    for block in 0..200 {
        let part = data(block * 7 % 300);
        payload.extend(theirs.block(&part));
        all.extend(part);
    }
    payload.extend(theirs.message(b"end"));
    all.extend(b"end");
    for size in [1, 100, usize::MAX] {
        let message = |side: Side| side.compressed_in(size, Opcode::Binary, &payload);
        let config = Config::new();
        for side in SIDES {
            let result = inflated_any_way(side, &config, DEFAULT, &message(side));
            assert_eq!(result.seen, [Seen::binary(&all)]);
        }
    }
}

#[test]
fn stored_blocks_of_the_largest_size_come_out() {
    let data = data(200_000);
    let payload = [stored(&data, false), vec![0]].concat();
    let bytes = |side: Side| {
        [
            side.compressed_in(50_001, Opcode::Binary, &payload),
            side.compressed(Opcode::Text, &HELLO),
        ]
        .concat()
    };
    assert_gives(DEFAULT, bytes, &[Seen::binary(&data), Seen::text("Hello")]);
}

#[test]
fn a_final_block_may_be_followed_by_more() {
    let (one, two) = (finished(b"one, "), finished(b"two, "));
    let three = Theirs::new(false).message(b"three");
    for payload in [
        [&one[..], &two, &three].concat(),
        [&stored(b"one, ", true)[..], &two, &three].concat(),
        [&one[..], &stored(b"two, ", true), &three].concat(),
        [&one[..], &two, &stored(b"three", true), &[0]].concat(),
        // Without the byte that §7.2.3.4 has a sender add, or with bytes to spare.
        [&one[..], &two, &stored(b"three", true)].concat(),
        [
            &one[..],
            &two,
            &stored(b"three", true),
            &[0, 0, 0, 0xFF, 0xFF, 0],
        ]
        .concat(),
    ] {
        for size in [1, 7, usize::MAX] {
            let bytes = |side: Side| {
                [
                    side.compressed_in(size, Opcode::Text, &payload),
                    side.compressed(Opcode::Text, &HELLO),
                ]
                .concat()
            };
            let seen = [Seen::text("one, two, three"), Seen::text("Hello")];
            assert_gives(DEFAULT, bytes, &seen);
            assert_gives(NO_TAKEOVER, bytes, &seen);
        }
    }
}

#[test]
fn final_blocks_without_end_are_refused() {
    // The shortest: an empty final block of fixed codes.
    let payload = [0x03, 0x00].repeat(10_000);
    let error = ProtocolError::InvalidDeflate;
    assert_fails_inflating(&Config::new(), DEFAULT, error, |side| {
        side.compressed(Opcode::Binary, &payload)
    });
}

// What is not compressed data.

#[test]
fn garbage_fails_with_1007_and_nothing_follows() {
    for garbage in [
        // A block of the reserved type.
        &b"\x07"[..],
        b"\xff\xff\xff\xff",
        // A stored block whose length is not confirmed.
        b"\x00\x05\x00\xfa\xfe\x48",
        // A distance beyond all that came before.
        b"\xf2\x00\x11\x00\x00",
        // Garbage behind a final block.
        b"\xf3\x48\xcd\xc9\xc9\x07\x00\x07",
    ] {
        let error = ProtocolError::InvalidDeflate;
        for opcode in [Opcode::Text, Opcode::Binary] {
            assert_fails_inflating(&Config::new(), DEFAULT, error, |side| {
                [side.compressed(opcode, garbage), side.text("more")].concat()
            });
        }
        for side in SIDES {
            let mut endpoint = side.deflating(Config::new(), DEFAULT);
            endpoint.feed(&side.compressed(Opcode::Binary, garbage));
            assert_eq!(endpoint.error, Some(error));
            assert_eq!(close_sent(&endpoint.output()).unwrap().0, 1007);
            // `feed` asserts that the error stays and that nothing comes after it.
            endpoint.feed(&side.compressed(Opcode::Text, &HELLO));
            endpoint.feed(&side.close(1000, ""));
            assert_eq!(endpoint.seen, []);
            assert!(endpoint.output().is_empty());
            assert!(endpoint.connection.send_text("no").is_err());
        }
    }
}

#[test]
fn what_came_before_the_garbage_is_delivered_in_chunks_however_it_is_split() {
    let mut payload = Theirs::new(true).block(&data(20_000));
    payload.push(0x07);
    let error = ProtocolError::InvalidDeflate;
    let all = assert_fails_inflating(&Config::new(), DEFAULT, error, |side| {
        side.compressed(Opcode::Binary, &payload)
    });
    for (_, delivery, seen) in all {
        match delivery {
            Delivery::Messages => assert_eq!(seen, []),
            Delivery::Chunks => assert_eq!(seen, [Seen::BinaryPart(data(20_000), false)]),
        }
    }
}

#[test]
fn text_before_the_garbage_is_judged_first() {
    let payload = [stored(b"abc\xFF", false), vec![0x07]].concat();
    assert_fails_inflating(
        &Config::new(),
        DEFAULT,
        ProtocolError::InvalidUtf8,
        |side| side.compressed(Opcode::Text, &payload),
    );
}

#[test]
fn a_compressed_form_far_above_the_limit_is_refused_by_its_header() {
    let config = Config::new().max_message_size(1000);
    for (len, fits) in [(3024, true), (3025, false), (u64::from(u32::MAX), false)] {
        let mut server = Side::Server.deflating(config.clone(), DEFAULT);
        let header = Header {
            rsv1: true,
            masking_key: Some([0; 4]),
            ..Header::new(Opcode::Binary, true, len)
        };
        let mut rx = ReceiveBuffer::new();
        rx.extend_from_slice(&header.encode());
        let error = server.connection.receive(&mut rx).err();
        let expected = ProtocolError::MessageTooBig { limit: 1000 };
        assert_eq!(error, (!fits).then_some(expected), "{len}");
    }
}

#[test]
fn a_message_that_was_cut_short_is_refused() {
    let text = text(3_000);
    let whole = Theirs::new(false).message(text.as_bytes());
    let payloads = [whole, stored(b"stored", false)];
    for payload in payloads {
        // A single zero byte is the empty message.
        for len in 2..payload.len() {
            for (side, delivery) in [
                (Side::Client, Delivery::Messages),
                (Side::Server, Delivery::Chunks),
            ] {
                let config = Config::new().delivery(delivery);
                let bytes = side.compressed(Opcode::Binary, &payload[..len]);
                let result = inflated_any_way(side, &config, NO_TAKEOVER, &bytes);
                let error = Some(ProtocolError::InvalidDeflate);
                assert_eq!(result.error, error, "{len} of {} bytes", payload.len());
            }
        }
    }
}

#[test]
fn under_takeover_a_cut_never_invents_bytes() {
    let text = text(3_000);
    let payload = Theirs::new(true).message(text.as_bytes());
    for len in 1..payload.len() {
        let bytes = Side::Client.compressed(Opcode::Binary, &payload[..len]);
        let result = inflated_any_way(Side::Client, &Config::new(), DEFAULT, &bytes);
        for seen in &result.seen {
            match seen {
                Seen::Binary(data) => assert!(text.as_bytes().starts_with(data)),
                other => panic!("{other:?}"),
            }
        }
    }
}

// Text.

#[test]
fn inflated_text_that_is_not_utf8_is_noticed_amid_the_message() {
    for bad in [
        &b"\xFF"[..],
        b"\xC3\x28",
        b"\xED\xA0\x80",
        b"\xF4\x90\x80\x80",
    ] {
        for before in [0, 10, 8_190, 8_191, 8_192, 20_000] {
            let content = [&vec![b'a'; before], bad, b"more"].concat();
            let payload = Theirs::new(true).block(&content);
            let error = ProtocolError::InvalidUtf8;
            // Neither the frame nor the message ends.
            let all = assert_fails_inflating(&Config::new(), DEFAULT, error, |side| {
                let header = Header {
                    rsv1: true,
                    ..side.header(Opcode::Text, false, payload.len() as u64 + 10)
                };
                encode(&header, &payload)
            });
            for (_, delivery, seen) in all {
                let valid = Seen::TextPart("a".repeat(before), false);
                match delivery {
                    Delivery::Chunks if before > 0 => assert_eq!(seen, [valid]),
                    _ => assert_eq!(seen, []),
                }
            }
        }
    }
}

#[test]
fn characters_cut_between_inflating_steps_and_frames_are_put_together() {
    for character in ["é", "€", "😀"] {
        for before in 8_180..8_200 {
            let text = format!("{}{}", "a".repeat(before), character.repeat(3_000));
            let payload = Theirs::new(false).message(text.as_bytes());
            let message = |side: Side| side.compressed(Opcode::Text, &payload);
            for (side, delivery) in [
                (Side::Client, Delivery::Chunks),
                (Side::Server, Delivery::Messages),
            ] {
                let config = Config::new().delivery(delivery);
                let result = inflated(side, &config, DEFAULT, &message(side), &Split::Whole);
                assert_eq!(result.seen, [Seen::text(&text).delivered(delivery)]);
            }
        }
    }
    // Stored: each byte of the text is one of the frame.
    let text = "aé€😀".repeat(20);
    let payload = [stored(text.as_bytes(), false), vec![0]].concat();
    for size in 1..10 {
        let message = |side: Side| side.compressed_in(size, Opcode::Text, &payload);
        assert_gives(DEFAULT, message, &[Seen::text(&text)]);
    }
}

#[test]
fn a_text_that_ends_amid_a_character_is_not_utf8() {
    for character in ["é", "€", "😀"] {
        for len in 1..character.len() {
            for before in [0, 1, 8_191, 8_192, 10_000] {
                let content = [&vec![b'a'; before], &character.as_bytes()[..len]].concat();
                let payload = Theirs::new(false).message(&content);
                for size in [1_000_000, 3] {
                    let error = ProtocolError::InvalidUtf8;
                    assert_fails_inflating(&Config::new(), DEFAULT, error, |side| {
                        [
                            side.compressed_in(size, Opcode::Text, &payload),
                            side.text("more"),
                        ]
                        .concat()
                    });
                }
            }
        }
    }
}

#[test]
fn binary_messages_hold_what_is_not_utf8() {
    let payload = Theirs::new(false).message(b"\xFF\xC3");
    let message = |side: Side| side.compressed(Opcode::Binary, &payload);
    assert_gives(DEFAULT, message, &[Seen::binary(b"\xFF\xC3")]);
}

// Limits.

#[test]
fn the_message_limit_is_judged_by_the_inflated_size() {
    for limit in [0_usize, 1, 5, 100, 8_191, 8_192, 8_193, 30_000] {
        let config = Config::new().max_message_size(limit as u64);
        let error = ProtocolError::MessageTooBig {
            limit: limit as u64,
        };
        for more in [0, 1, 300, 20_000] {
            let content = data(limit + more);
            let payload = Theirs::new(false).message(&content);
            for size in [1_000_000, 50] {
                let message = |side: Side| side.compressed_in(size, Opcode::Binary, &payload);
                if more > 0 {
                    let all = assert_fails_inflating(&config, DEFAULT, error, message);
                    for (_, delivery, seen) in all {
                        match delivery {
                            Delivery::Chunks if limit > 0 => {
                                assert_eq!(seen, [Seen::BinaryPart(data(limit), false)]);
                            }
                            _ => assert_eq!(seen, []),
                        }
                    }
                } else {
                    for side in SIDES {
                        let result = inflated_any_way(side, &config, DEFAULT, &message(side));
                        assert_eq!(result.seen, [Seen::binary(&content)]);
                    }
                }
            }
        }
    }
}

#[test]
fn text_before_the_limit_is_judged_first() {
    let config = Config::new().max_message_size(10);
    for (content, error) in [
        (&b"0123456\xFFxxxxxxx"[..], ProtocolError::InvalidUtf8),
        (
            b"0123456789\xFF",
            ProtocolError::MessageTooBig { limit: 10 },
        ),
        (
            "012345678\u{1F600}".as_bytes(),
            ProtocolError::MessageTooBig { limit: 10 },
        ),
    ] {
        let payload = Theirs::new(false).message(content);
        assert_fails_inflating(&config, DEFAULT, error, |side| {
            side.compressed(Opcode::Text, &payload)
        });
    }
}

#[test]
fn the_frame_limit_is_judged_by_the_compressed_size() {
    let config = Config::new().max_frame_size(7);
    for side in SIDES {
        let message = side.compressed(Opcode::Text, &HELLO);
        let result = inflated_any_way(side, &config, DEFAULT, &message);
        assert_eq!(result.seen, [Seen::text("Hello")]);
    }
    let error = ProtocolError::FrameTooBig { limit: 7 };
    assert_fails_inflating(&config, DEFAULT, error, |side| {
        // The header decides.
        let header = Header {
            rsv1: true,
            ..side.header(Opcode::Text, true, 8)
        };
        encode(&header, b"")
    });
}

#[test]
fn a_small_message_that_compresses_badly_may_be_as_large_as_the_limit() {
    // 5 bytes of overhead do not count.
    let config = Config::new().max_message_size(5);
    let payload = b"\x00\x05\x00\xfa\xff\x48\x65\x6c\x6c\x6f\x00";
    for side in SIDES {
        let message = side.compressed(Opcode::Text, payload);
        let result = inflated_any_way(side, &config, DEFAULT, &message);
        assert_eq!(result.seen, [Seen::text("Hello")]);
    }
}

#[test]
fn fragments_of_compressed_messages_are_counted() {
    let config = Config::new().max_fragments(3);
    let error = ProtocolError::TooManyFragments { limit: 3 };
    assert_fails_inflating(&config, DEFAULT, error, |side| {
        side.compressed_in(2, Opcode::Text, &HELLO)
    });
    for side in SIDES {
        let message = side.compressed_in(3, Opcode::Text, &HELLO);
        let result = inflated_any_way(side, &config, DEFAULT, &message);
        assert_eq!(result.seen, [Seen::text("Hello")]);
    }
}

#[test]
fn a_compressed_message_is_not_begun_inside_another() {
    for first_is_compressed in [true, false] {
        let error = ProtocolError::ExpectedContinuation;
        assert_fails_inflating(&Config::new(), DEFAULT, error, |side| {
            let first = match first_is_compressed {
                true => side.rsv1(Opcode::Text, false, &HELLO[..3]),
                false => side.frame(Opcode::Text, false, b"Hel"),
            };
            [first, side.rsv1(Opcode::Text, true, &HELLO)].concat()
        });
    }
}
