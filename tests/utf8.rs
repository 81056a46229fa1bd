//! Text is UTF-8 (RFC 6455 §8.1), wherever reads and fragments cut it.

mod common;

use common::*;
use sansocket::frame::Opcode;
use sansocket::{Config, Delivery, ProtocolError};

/// Texts with characters of two, three and four bytes, at the edges of their ranges.
const VALID: [&str; 6] = [
    "\u{80}\u{7FF}",
    "\u{800}\u{FFFF}",
    "\u{D7FF}\u{E000}",
    "\u{10000}\u{10FFFF}",
    "κόσμε",
    "a😀b€cédo",
];

/// Byte sequences that are not UTF-8, and how many of their bytes it takes to know.
const INVALID: [(&[u8], usize); 12] = [
    (b"\x80", 1),
    (b"\xFF", 1),
    (b"\xC0\x80", 1),
    (b"\xC1\xBF", 1),
    (b"\xC3(", 2),
    (b"\xE0\x80\x80", 2),
    (b"\xED\xA0\x80", 2),
    (b"\xE2\x82(", 3),
    (b"\xF0\x80\x80\x80", 2),
    (b"\xF4\x90\x80\x80", 2),
    (b"\xF5\x80\x80\x80", 1),
    (b"\xF0\x9F\x98(", 4),
];

/// A text in two fragments, cut after `at` bytes.
fn two_fragments(side: Side, text: &[u8], at: usize) -> Vec<u8> {
    let (head, tail) = text.split_at(at);
    let mut bytes = side.frame(Opcode::Text, false, head);
    bytes.extend(side.frame(Opcode::Continuation, true, tail));
    bytes
}

#[test]
fn characters_may_be_cut_by_reads() {
    for text in VALID {
        for side in SIDES {
            for delivery in DELIVERIES {
                let config = Config::new().delivery(delivery);
                let result = received_any_way(side, &config, &side.text(text));
                assert_eq!(result.seen, [Seen::text(text).delivered(delivery)]);
            }
        }
    }
}

#[test]
fn characters_may_be_cut_by_fragments_with_control_frames_between() {
    for text in VALID {
        for at in 0..=text.len() {
            for side in SIDES {
                let bytes = two_fragments(side, text.as_bytes(), at);
                let result = received_any_way(side, &Config::new(), &bytes);
                assert_eq!(result.seen, [Seen::text(text)], "cut at {at}");

                let chunks = Config::new().delivery(Delivery::Chunks);
                let result = received_any_way(side, &chunks, &bytes);
                assert_eq!(result.seen, [Seen::TextPart(text.into(), true)]);
            }
        }
    }
}

#[test]
fn a_character_may_be_spread_over_four_fragments_and_empty_ones() {
    for side in SIDES {
        for delivery in DELIVERIES {
            let mut bytes = side.frame(Opcode::Text, false, b"");
            for byte in "😀€".bytes() {
                bytes.extend(side.frame(Opcode::Continuation, false, &[byte]));
                bytes.extend(side.frame(Opcode::Continuation, false, b""));
                bytes.extend(side.frame(Opcode::Pong, true, b""));
            }
            bytes.extend(side.frame(Opcode::Continuation, true, b""));
            let config = Config::new().delivery(delivery);
            let result = received_any_way(side, &config, &bytes);
            let texts = result.seen.iter().filter_map(|seen| match seen {
                Seen::Text(text) | Seen::TextPart(text, _) => Some(&**text),
                _ => None,
            });
            assert_eq!(texts.collect::<String>(), "😀€");
        }
    }
}

#[test]
fn text_that_is_not_utf8_fails_the_connection_with_1007() {
    assert_eq!(ProtocolError::InvalidUtf8.close_code().get(), 1007);
    for (bad, _) in INVALID {
        for before in ["", "a", "é", &text(63), &text(5000)] {
            let payload = [before.as_bytes(), bad, b" and more"].concat();
            assert_fails(&Config::new(), ProtocolError::InvalidUtf8, |to| {
                to.frame(Opcode::Text, true, &payload)
            });
        }
    }
}

#[test]
fn text_that_is_not_utf8_is_found_across_fragments() {
    for (bad, _) in INVALID {
        let payload = [b"ok ", bad, b" more"].concat();
        for at in 3..=3 + bad.len() {
            assert_fails(&Config::new(), ProtocolError::InvalidUtf8, |to| {
                two_fragments(to, &payload, at)
            });
        }
    }
}

#[test]
fn a_failure_is_noticed_at_its_byte_in_the_middle_of_a_frame() {
    for (bad, known) in INVALID {
        // The frame goes on for longer than will ever arrive.
        for (fin, more) in [(false, 1000), (true, 1000), (true, 100_000)] {
            let payload = [b"good", bad, &vec![b'x'; more]].concat();
            for side in SIDES {
                let bytes = side.frame(Opcode::Text, fin, &payload);
                let known = bytes.len() - payload.len() + 4 + known;
                for delivery in DELIVERIES {
                    let mut endpoint = side.endpoint(Config::new().delivery(delivery));
                    endpoint.feed(&bytes[..known - 1]);
                    assert_eq!(endpoint.error, None, "{bad:x?} too early");
                    endpoint.feed(&bytes[known - 1..][..1]);
                    let error = Some(ProtocolError::InvalidUtf8);
                    assert_eq!(endpoint.error, error, "{bad:x?} too late");
                    assert_eq!(close_sent(&endpoint.output()).unwrap().0, 1007);
                }
            }
        }
    }
}

#[test]
fn a_large_text_is_checked_to_its_end_however_it_is_cut() {
    let good = "zß水🍌".repeat(2_000).into_bytes();
    for side in SIDES {
        for at in [0, 9, 10_000, good.len() - 2, good.len() - 1] {
            let mut bad = good.clone();
            bad[at] = 0xFF;
            let pieces = [1_001, 4_096, good.len() - 1, usize::MAX];
            for (payload, most) in [&good, &bad].iter().flat_map(|p| pieces.map(|n| (*p, n))) {
                let mut endpoint = side.endpoint(Config::new());
                for piece in side.frame(Opcode::Text, true, payload).chunks(most) {
                    endpoint.feed(piece);
                }
                match core::str::from_utf8(payload) {
                    Ok(text) => assert_eq!(endpoint.seen, [Seen::text(text)]),
                    Err(_) => assert_eq!(endpoint.error, Some(ProtocolError::InvalidUtf8)),
                }
            }
        }
    }
}

#[test]
fn a_character_that_the_end_of_the_message_cuts_fails_the_connection() {
    for cut in [&b"\xC3"[..], b"\xE2\x82", b"\xF0\x9F\x98"] {
        let payload = [b"text", cut].concat();
        assert_fails(&Config::new(), ProtocolError::InvalidUtf8, |to| {
            to.frame(Opcode::Text, true, &payload)
        });
        assert_fails(&Config::new(), ProtocolError::InvalidUtf8, |to| {
            let mut bytes = to.frame(Opcode::Text, false, &payload);
            bytes.extend(to.frame(Opcode::Continuation, true, b""));
            bytes
        });
    }
}

#[test]
fn chunks_give_what_is_valid_before_the_failure() {
    for side in SIDES {
        let config = Config::new().delivery(Delivery::Chunks);
        let bytes = side.frame(Opcode::Text, true, b"caf\xC3\xA9 \xFF never");
        let result = received_any_way(side, &config, &bytes);
        assert_eq!(result.seen, [Seen::TextPart("café ".into(), false)]);
        assert_eq!(result.error, Some(ProtocolError::InvalidUtf8));
    }
}

#[test]
fn binary_messages_hold_any_bytes() {
    for side in SIDES {
        let bytes = side.binary(b"\xFF\xC3(");
        let seen = received_any_way(side, &Config::new(), &bytes).seen;
        assert_eq!(seen, [Seen::binary(b"\xFF\xC3(")]);
    }
}

#[test]
fn a_close_reason_that_is_not_utf8_fails_the_connection() {
    for (bad, _) in INVALID {
        let body = [&1000_u16.to_be_bytes(), bad].concat();
        assert_fails(&Config::new(), ProtocolError::InvalidUtf8, |to| {
            to.frame(Opcode::Close, true, &body)
        });
    }
}
