//! Sending compressed messages: RFC 7692 §6.1 and §7.2.1.
#![cfg(feature = "deflate")]

mod common;
#[path = "common/distances.rs"]
mod distances;

use bytes::Buf;
use common::compressed::*;
use common::*;
use distances::largest_distance;
use sansocket::frame::Opcode;
use sansocket::{Chunk, CloseCode, Config, DeflateConfig, Message, SendError};

const TAKEOVER: [bool; 2] = [true, false];

fn with_takeover(takeover: bool) -> DeflateConfig {
    match takeover {
        true => ALL,
        false => NO_TAKEOVER,
    }
}

/// Text that compresses well, different for each number.
fn json(number: usize) -> String {
    format!(r#"{{"id":{number},"name":"user {number}","tags":["a","b"],"active":true}}"#).repeat(3)
}

/// Bytes that do not compress.
fn noise(len: usize) -> Vec<u8> {
    let mut state = 0x9E37_79B9_7F4A_7C15_u64;
    let mut next = || {
        state ^= state << 13;
        state ^= state >> 7;
        state ^= state << 17;
        state.to_le_bytes()[3]
    };
    (0..len).map(|_| next()).collect()
}

/// What an endpoint has sent, as its peer understands it; whether each message came compressed.
#[track_caller]
fn understood(side: Side, deflate: DeflateConfig, bytes: &[u8]) -> (Vec<Seen>, Vec<bool>) {
    let takeover = deflate == ALL || deflate != NO_TAKEOVER;
    let result = inflated_any_way(side.other(), &Config::new(), deflate, bytes);
    assert_eq!(result.error, None);
    // And as another implementation does.
    let mut theirs = TheirInflater::new(takeover);
    let messages = messages(bytes);
    assert_eq!(messages.len(), result.seen.len());
    let compressed = messages.iter().map(|(_, rsv1, _)| *rsv1).collect();
    for ((opcode, rsv1, payload), seen) in messages.into_iter().zip(&result.seen) {
        let payload = match rsv1 {
            true => theirs.message(&payload),
            false => payload,
        };
        let theirs = match opcode {
            Opcode::Text => Seen::Text(String::from_utf8(payload).unwrap()),
            _ => Seen::Binary(payload),
        };
        assert!(
            theirs == *seen,
            "another implementation inflates something else"
        );
    }
    (result.seen, compressed)
}

#[test]
fn a_compressed_message_has_rsv1_and_no_tail() {
    for side in SIDES {
        for deflate in [ALL, NO_TAKEOVER] {
            let mut endpoint = side.deflating(Config::new(), deflate);
            endpoint.connection.send_text("Hello").unwrap();
            let sent = messages(&endpoint.output());
            // §7.2.3.1, byte for byte.
            let hello = b"\xf2\x48\xcd\xc9\xc9\x07\x00".to_vec();
            match deflate == ALL {
                true => assert_eq!(sent, [(Opcode::Text, true, hello)]),
                // It is no shorter.
                false => assert_eq!(sent, [(Opcode::Text, false, b"Hello".to_vec())]),
            }
        }
    }
}

#[test]
fn the_second_hello_refers_to_the_first() {
    let mut server = Side::Server.deflating(Config::new(), ALL);
    server.connection.send_text("Hello").unwrap();
    server.connection.send_text("Hello").unwrap();
    // §7.2.3.2.
    assert_eq!(
        server.output(),
        b"\xc1\x07\xf2\x48\xcd\xc9\xc9\x07\x00\xc1\x05\xf2\x00\x11\x00\x00"
    );
}

#[test]
fn an_empty_message_is_one_zero_byte() {
    for side in SIDES {
        let mut endpoint = side.deflating(Config::new(), ALL);
        let connection = &mut endpoint.connection;
        connection.send_text("").unwrap();
        connection.send_text("").unwrap();
        connection.send_text("Hello").unwrap();
        connection.send_binary(b"").unwrap();
        let bytes = endpoint.output();
        // §7.2.3.6.
        let sent = messages(&bytes);
        assert_eq!(sent[0], (Opcode::Text, true, vec![0]));
        assert_eq!(sent[1], (Opcode::Text, true, vec![0]));
        assert_eq!(sent[3], (Opcode::Binary, true, vec![0]));
        let (seen, _) = understood(side, ALL, &bytes);
        assert_eq!(
            seen,
            [
                Seen::text(""),
                Seen::text(""),
                Seen::text("Hello"),
                Seen::binary(b"")
            ]
        );
    }
}

#[test]
fn messages_below_the_threshold_go_uncompressed() {
    for side in SIDES {
        for threshold in [0, 1, 64, 1000] {
            let deflate = ALL.threshold(threshold);
            let mut endpoint = side.deflating(Config::new(), deflate);
            let mut expected = Vec::new();
            for len in [0, 1, 63, 64, 65, 999, 1000, 9000] {
                let text = "a".repeat(len);
                endpoint.connection.send_text(&text).unwrap();
                endpoint.connection.send(text.into()).unwrap();
                expected.extend([len >= threshold; 2]);
            }
            let (_, compressed) = understood(side, deflate, &endpoint.output());
            assert_eq!(compressed, expected, "threshold {threshold}");
        }
    }
}

#[test]
fn tiny_messages_go_uncompressed_by_default() {
    let mut server = Side::Server.deflating(Config::new(), DeflateConfig::new());
    server.connection.send_text(&"a".repeat(63)).unwrap();
    server.connection.send_text(&"a".repeat(64)).unwrap();
    let sent = messages(&server.output());
    assert_eq!((sent[0].1, sent[1].1), (false, true));
}

#[test]
fn what_does_not_compress_is_sent_as_it_is_without_takeover_and_compressed_with() {
    for side in SIDES {
        for takeover in TAKEOVER {
            for len in [100, 8_000, 10_000, 100_000] {
                let deflate = with_takeover(takeover);
                let mut endpoint = side.deflating(Config::new(), deflate);
                let noise = noise(len);
                let connection = &mut endpoint.connection;
                connection.send_text(&json(1)).unwrap();
                connection.send_binary(&noise).unwrap();
                connection.send_text(&json(2)).unwrap();
                connection.send(Message::from(noise.clone())).unwrap();
                connection.send_text(&json(1)).unwrap();
                let bytes = endpoint.output();
                let (seen, compressed) = understood(side, deflate, &bytes);
                let texts = [1, 2, 1].map(|number| Seen::text(&json(number)));
                let noise = Seen::binary(&noise);
                let [one, two, three] = texts;
                assert!(seen == [one, noise.clone(), two, noise, three]);
                // Noise repeated is no noise, where the window reaches back to it.
                assert_eq!(compressed, [true, takeover, true, takeover, true]);
            }
        }
    }
}

#[test]
fn compression_can_be_turned_off_for_some_messages() {
    for side in SIDES {
        for takeover in TAKEOVER {
            let deflate = with_takeover(takeover);
            let mut endpoint = side.deflating(Config::new(), deflate);
            let mut expected = Vec::new();
            for number in 0..10 {
                endpoint.connection.set_compression(number % 3 != 1);
                endpoint.connection.send_text(&json(number)).unwrap();
                expected.push(number % 3 != 1);
            }
            let (seen, compressed) = understood(side, deflate, &endpoint.output());
            let texts: Vec<_> = (0..10).map(|number| Seen::text(&json(number))).collect();
            assert_eq!(seen, texts);
            assert_eq!(compressed, expected);
        }
    }
}

#[test]
fn turning_compression_off_amid_a_message_leaves_that_message_compressed() {
    for side in SIDES {
        for begins in [true, false] {
            let mut endpoint = side.deflating(Config::new(), ALL);
            let connection = &mut endpoint.connection;
            connection.set_compression(begins);
            connection.send_chunk(Chunk::text("one, ")).unwrap();
            connection.set_compression(!begins);
            connection.send_chunk(Chunk::text("two, ")).unwrap();
            connection.send_chunk(Chunk::text("three").last()).unwrap();
            connection.send_text("four").unwrap();
            let (seen, compressed) = understood(side, ALL, &endpoint.output());
            assert_eq!(seen, [Seen::text("one, two, three"), Seen::text("four")]);
            assert_eq!(compressed, [begins, !begins]);
        }
    }
}

#[test]
fn without_negotiation_turning_compression_on_changes_nothing() {
    let mut server = Side::Server.endpoint(Config::new());
    server.connection.set_compression(true);
    server.connection.send_text(&json(1)).unwrap();
    assert!(!messages(&server.output())[0].1);
}

#[test]
fn a_message_refused_as_too_much_leaves_the_context_as_it_was() {
    for side in SIDES {
        for takeover in TAKEOVER {
            let deflate = with_takeover(takeover);
            let mut endpoint = side.deflating(Config::new().write_limit(300), deflate);
            let (mut bytes, mut refused, mut texts) = (Vec::new(), 0, Vec::new());
            for number in 0..100 {
                let text = json(number);
                let mut message = Message::from(&*text);
                let sent = match number % 3 {
                    0 => endpoint.connection.send(message.clone()),
                    1 => endpoint
                        .connection
                        .send_text(&text)
                        .map_err(again(&message)),
                    _ => {
                        let chunk = Chunk::text(&text).last();
                        endpoint
                            .connection
                            .send_chunk(chunk)
                            .map_err(again(&message))
                    }
                };
                if let Err(error) = sent {
                    assert!(matches!(error, SendError::Full(_)));
                    message = error.into_message();
                    refused += 1;
                    bytes.extend(endpoint.output());
                    endpoint.connection.send(message).unwrap();
                }
                texts.push(Seen::text(&text));
            }
            bytes.extend(endpoint.output());
            assert!(refused > 5, "{refused}");
            assert_eq!(understood(side, deflate, &bytes).0, texts);
        }
    }
}

fn again(message: &Message) -> impl FnOnce(SendError) -> SendError<Message> + use<> {
    let message = message.clone();
    move |error| match error {
        SendError::Full(()) => SendError::Full(message),
        other => panic!("{other}"),
    }
}

#[test]
fn a_chunk_refused_as_too_much_can_be_sent_again() {
    for side in SIDES {
        let config = Config::new().write_limit(200);
        let mut endpoint = side.deflating(config, ALL);
        let (mut bytes, mut all, mut refused) = (Vec::new(), String::new(), 0);
        for number in 0..30 {
            let text = &json(number)[..150];
            let chunk = match number % 10 {
                9 => Chunk::text(text).last(),
                _ => Chunk::text(text),
            };
            if endpoint.connection.send_chunk(chunk).is_err() {
                refused += 1;
                bytes.extend(endpoint.output());
                endpoint.connection.send_chunk(chunk).unwrap();
            }
            all.push_str(text);
        }
        bytes.extend(endpoint.output());
        assert!(refused > 5, "{refused}");
        let (seen, compressed) = understood(side, ALL, &bytes);
        assert_eq!(compressed, [true; 3]);
        let texts = seen.iter().map(|seen| match seen {
            Seen::Text(text) => &text[..],
            other => panic!("{other:?}"),
        });
        assert_eq!(texts.collect::<String>(), all);
    }
}

#[test]
fn messages_refused_for_other_reasons_leave_the_context_as_it_was() {
    for side in SIDES {
        let mut endpoint = side.deflating(Config::new(), ALL);
        let connection = &mut endpoint.connection;
        connection.send_chunk(Chunk::text("be")).unwrap();
        let refused = SendError::MessageInProgress(());
        assert_eq!(connection.send_text(&json(1)), Err(refused.clone()));
        assert_eq!(
            connection.send_chunk(Chunk::binary(b"not").last()),
            Err(refused)
        );
        connection.send_chunk(Chunk::text("gun").last()).unwrap();
        connection.send_text(&json(1)).unwrap();
        let (seen, _) = understood(side, ALL, &endpoint.output());
        assert_eq!(seen, [Seen::text("begun"), Seen::text(&json(1))]);

        endpoint.connection.close(CloseCode::NORMAL).unwrap();
        let refused = endpoint.connection.send_text(&json(1));
        assert_eq!(refused, Err(SendError::Closing(())));
        let chunk = Chunk::text("no").last();
        assert!(endpoint.connection.send_chunk(chunk).is_err());
        assert_eq!(close_sent(&endpoint.output()).unwrap().0, 1000);
    }
}

#[test]
fn chunks_are_fragments_of_which_only_the_first_has_rsv1() {
    for side in SIDES {
        for takeover in TAKEOVER {
            let deflate = with_takeover(takeover);
            let mut endpoint = side.deflating(Config::new(), deflate);
            let connection = &mut endpoint.connection;
            let mut all = String::new();
            for number in 0..5 {
                connection.send_chunk(Chunk::text(&json(number))).unwrap();
                connection.ping(b"between").unwrap();
                all.push_str(&json(number));
            }
            connection.send_chunk(Chunk::text("end").last()).unwrap();
            all.push_str("end");
            let bytes = endpoint.output();
            let mut data = frames(&bytes);
            data.retain(|(header, _)| !header.opcode.is_control());
            let bits: Vec<_> = data.iter().map(|(h, _)| (h.rsv1, h.fin)).collect();
            let (first, middle, last) = ((true, false), (false, false), (false, true));
            assert_eq!(bits, [first, middle, middle, middle, middle, last]);
            let result = inflated_any_way(side.other(), &Config::new(), deflate, &bytes);
            assert_eq!(result.seen.last(), Some(&Seen::text(&all)));
        }
    }
}

/// All that a fragment's sender has said can be inflated when the fragment has come.
#[test]
fn a_chunk_can_be_inflated_before_the_next_is_sent() {
    for side in SIDES {
        let mut endpoint = side.deflating(Config::new(), ALL);
        let chunks = Config::new().delivery(sansocket::Delivery::Chunks);
        let mut peer = side.other().deflating(chunks, ALL);
        for number in 0..5 {
            let text = json(number);
            endpoint.connection.send_chunk(Chunk::text(&text)).unwrap();
            peer.feed(&endpoint.output());
            assert_eq!(peer.take_seen(), [Seen::TextPart(text, false)]);
        }
    }
}

#[test]
fn chunks_may_be_empty_at_any_place() {
    let cases: [&[&str]; 8] = [
        &[""],
        &["", ""],
        &["", "", ""],
        &["", "text"],
        &["text", ""],
        &["text", "", ""],
        &["", "te", "", "", "xt", ""],
        &["text"],
    ];
    for side in SIDES {
        for takeover in TAKEOVER {
            let deflate = with_takeover(takeover);
            let mut endpoint = side.deflating(Config::new(), deflate);
            let (mut bytes, mut expected) = (Vec::new(), Vec::new());
            for parts in cases.into_iter().chain(cases) {
                for (at, part) in parts.iter().enumerate() {
                    let chunk = Chunk {
                        last: at + 1 == parts.len(),
                        ..Chunk::text(part)
                    };
                    endpoint.connection.send_chunk(chunk).unwrap();
                }
                expected.push(Seen::text(&parts.concat()));
                bytes.extend(endpoint.output());
            }
            assert_eq!(understood(side, deflate, &bytes).0, expected);
        }
    }
}

#[test]
fn a_single_chunk_is_held_to_the_threshold_and_more_are_not() {
    let mut server = Side::Server.deflating(Config::new(), ALL.threshold(64));
    let connection = &mut server.connection;
    connection.send_chunk(Chunk::text("small").last()).unwrap();
    connection.send_chunk(Chunk::text("small, but ")).unwrap();
    connection.send_chunk(Chunk::text("more").last()).unwrap();
    let sent = messages(&server.output());
    assert_eq!((sent[0].1, sent[1].1), (false, true));
}

#[test]
fn a_window_of_8_bits_means_uncompressed() {
    for side in SIDES {
        let small = match side {
            Side::Client => ALL.client_max_window_bits(8),
            Side::Server => ALL.server_max_window_bits(8),
        };
        let mut endpoint = side.deflating(Config::new(), small);
        let connection = &mut endpoint.connection;
        connection.send_text(&json(1)).unwrap();
        connection.send(Message::from(json(2))).unwrap();
        connection.send_chunk(Chunk::text("in ")).unwrap();
        connection.send_chunk(Chunk::text("parts").last()).unwrap();
        let sent = messages(&endpoint.output());
        assert!(sent.iter().all(|(_, rsv1, _)| !rsv1));
        // The other direction is compressed all the same.
        let mut peer = side.other().deflating(Config::new(), small);
        peer.connection.send_text(&json(1)).unwrap();
        let bytes = peer.output();
        assert!(messages(&bytes)[0].1);
        endpoint.feed(&bytes);
        assert_eq!(endpoint.seen, [Seen::text(&json(1))]);
    }
}

/// The compressor is given 4 KiB of room at a time: an output that fills it to the last byte is no
/// sign that there is no more, nor that there is.
#[test]
fn outputs_of_every_size_around_a_step_are_complete() {
    let noise = noise(9_000);
    for level in [0, 1, 6] {
        let mut server =
            Side::Server.deflating(Config::new().write_limit(usize::MAX), ALL.level(level));
        let mut client = Side::Client.deflating(Config::new(), ALL.level(level));
        let mut theirs = TheirInflater::new(true);
        for len in (4_060..4_110).chain(8_150..8_200) {
            server.connection.send_binary(&noise[..len]).unwrap();
            let bytes = server.output();
            client.feed(&bytes);
            assert!(client.take_seen() == [Seen::binary(&noise[..len])], "{len}");
            let [(_, true, payload)] = &messages(&bytes)[..] else {
                panic!("not compressed");
            };
            assert!(theirs.message(payload) == noise[..len], "{len}");
        }
    }
}

#[test]
fn releasing_between_messages_changes_nothing_of_what_is_sent() {
    for side in SIDES {
        for takeover in TAKEOVER {
            let deflate = with_takeover(takeover);
            let mut sent = [true, false].map(|releases| {
                let mut endpoint = side.deflating(Config::new(), deflate);
                let mut bytes = Vec::new();
                for number in 0..10 {
                    endpoint.connection.send_text(&json(number)).unwrap();
                    let chunk = Chunk::text("a part of a message");
                    endpoint.connection.send_chunk(chunk).unwrap();
                    if releases {
                        endpoint.connection.release();
                    }
                    endpoint.connection.send_chunk(chunk.last()).unwrap();
                    bytes.extend(endpoint.output());
                    if releases {
                        endpoint.connection.release();
                    }
                }
                assert_eq!(endpoint.connection.transmit().remaining(), 0);
                bytes
            });
            assert!(sent[0] == sent[1], "{side:?}, takeover {takeover}");
            understood(side, deflate, &std::mem::take(&mut sent[0]));
        }
    }
}

#[test]
fn no_message_refers_further_back_than_the_window() {
    let noise = noise(33_000);
    for bits in 9..=15 {
        let mut largest = 0;
        for (level, memory_level, takeover) in [(1, 1, true), (6, 8, true), (9, 9, false)] {
            let deflate = ALL
                .server_max_window_bits(bits)
                .server_context_takeover(takeover)
                .level(level)
                .memory_level(memory_level);
            let config = Config::new().write_limit(usize::MAX);
            let mut endpoint = Side::Server.deflating(config, deflate);
            for distance in [
                100, 250, 500, 520, 1_000, 2_100, 4_000, 8_200, 16_000, 33_000,
            ] {
                let data = noise[..distance].repeat(3);
                endpoint.connection.send_binary(&data).unwrap();
            }
            for (_, is_compressed, payload) in messages(&endpoint.output()) {
                if is_compressed {
                    largest = largest.max(largest_distance(&[&payload[..], &TAIL].concat()));
                }
            }
        }
        let window = 1 << bits;
        assert!(largest <= window, "{largest} in a window of {window}");
        // And the window is used.
        assert!(largest > window / 4, "{largest} in a window of {window}");
    }
}
