//! Receiving messages (RFC 6455 §5.1–§6.2), at both roles and in both deliveries.

mod common;

use common::*;
use sansocket::frame::{Header, HeaderError, Opcode};
use sansocket::{CloseOutcome, Config, Delivery, Event, Message, ProtocolError, ReceiveBuffer};

/// Checks what `bytes` are received as, with whole messages and with chunks.
fn assert_received(bytes: impl Fn(Side) -> Vec<u8>, seen: &[Seen]) {
    for side in SIDES {
        for delivery in DELIVERIES {
            let config = Config::new().delivery(delivery);
            let result = received_any_way(side, &config, &bytes(side));
            let seen = seen.iter().cloned().map(|seen| seen.delivered(delivery));
            assert_eq!(result.seen, seen.collect::<Vec<_>>(), "{side:?}");
            assert_eq!(result.error, None);
        }
    }
}

#[test]
fn messages_of_every_length_form_are_received() {
    for len in [
        0, 1, 2, 3, 15, 16, 17, 125, 126, 127, 255, 256, 1000, 16_383, 16_384, 65_535, 65_536,
        100_003,
    ] {
        let (data, text) = (data(len), text(len));
        assert_received(
            |to| [to.binary(&data), to.text(&text), to.binary(b"next")].concat(),
            &[
                Seen::binary(&data),
                Seen::text(&text),
                Seen::binary(b"next"),
            ],
        );
    }
}

#[test]
fn fragments_are_one_message_with_control_frames_between() {
    for side in SIDES {
        let bytes = [
            side.frame(Opcode::Text, false, b"He"),
            side.ping(b"1"),
            side.frame(Opcode::Continuation, false, b""),
            side.frame(Opcode::Pong, true, b"2"),
            side.frame(Opcode::Continuation, true, b"llo"),
            side.text("whole"),
        ]
        .concat();

        let whole = received_any_way(side, &Config::new(), &bytes);
        assert_eq!(
            whole.seen,
            [
                Seen::ping(b"1"),
                Seen::pong(b"2"),
                Seen::text("Hello"),
                Seen::text("whole"),
            ]
        );
        let sent = frames(&whole.output);
        assert_eq!(sent.len(), 1, "the pong");
        assert_eq!((sent[0].0.opcode, &*sent[0].1), (Opcode::Pong, &b"1"[..]));

        let chunks = Config::new().delivery(Delivery::Chunks);
        let parts = received_any_way(side, &chunks, &bytes);
        assert_eq!(
            parts.seen,
            [
                Seen::TextPart("He".into(), false),
                Seen::ping(b"1"),
                Seen::pong(b"2"),
                Seen::TextPart("llo".into(), true),
                Seen::TextPart("whole".into(), true),
            ]
        );
    }
}

#[test]
fn fragments_may_be_empty() {
    let all_empty = |to: Side| {
        let (binary, more) = (Opcode::Binary, Opcode::Continuation);
        [
            to.frame(binary, false, b""),
            to.frame(more, false, b""),
            to.frame(more, true, b""),
            to.frame(Opcode::Text, false, b""),
            to.frame(more, true, b"x"),
        ]
        .concat()
    };
    assert_received(all_empty, &[Seen::binary(b""), Seen::text("x")]);
}

#[test]
fn a_message_in_many_large_fragments_is_put_together() {
    let data = data(70_000);
    let fragmented = |to: Side| {
        let mut parts = data.chunks(9_999).enumerate();
        let first = |i| {
            if i == 0 {
                Opcode::Binary
            } else {
                Opcode::Continuation
            }
        };
        let last = data.len() / 9_999;
        let frames = parts.by_ref();
        let frames = frames.map(|(i, part)| to.frame(first(i), i == last, part));
        frames.collect::<Vec<_>>().concat()
    };
    assert_received(fragmented, &[Seen::binary(&data)]);
}

#[test]
fn a_chunk_is_given_as_soon_as_its_bytes_are_there() {
    for side in SIDES {
        let mut endpoint = side.endpoint(Config::new().delivery(Delivery::Chunks));
        let bytes = side.frame(Opcode::Binary, true, &data(1000));
        endpoint.feed(&bytes[..500]);
        let header = bytes.len() - 1000;
        assert_eq!(
            endpoint.take_seen(),
            [Seen::BinaryPart(data(1000)[..500 - header].into(), false)]
        );
        assert!(endpoint.rx.is_empty(), "nothing is kept of what was given");
    }
}

#[test]
fn a_frame_masked_in_the_wrong_direction_fails_the_connection() {
    // The frames are those that the endpoint itself sends.
    let wrong = |to: Side| to.other().text("wrong");
    for (side, error) in [
        (Side::Client, ProtocolError::Masked),
        (Side::Server, ProtocolError::Unmasked),
    ] {
        for opcode in [Opcode::Text, Opcode::Binary, Opcode::Ping, Opcode::Close] {
            let bytes = side.other().frame(opcode, true, b"");
            let result = received_any_way(side, &Config::new(), &bytes);
            assert_eq!(result.error, Some(error), "{opcode:?}");
            assert_eq!(close_sent(&result.output).unwrap().0, 1002);
        }
        let result = received_any_way(side, &Config::new(), &wrong(side));
        assert_eq!((result.error, result.seen), (Some(error), vec![]));
    }
}

#[test]
fn reserved_bits_fail_the_connection() {
    for bits in 1..8_u8 {
        for opcode in [Opcode::Text, Opcode::Binary, Opcode::Ping, Opcode::Close] {
            assert_fails(&Config::new(), ProtocolError::ReservedBits, |to| {
                let mut bytes = to.frame(opcode, true, b"");
                bytes[0] |= bits << 4;
                bytes
            });
        }
    }
}

#[test]
fn reserved_opcodes_fail_the_connection() {
    for opcode in (3..=7).chain(11..=15) {
        let error = ProtocolError::Header(HeaderError::ReservedOpcode(opcode));
        assert_fails(&Config::new(), error, |to| {
            let mut bytes = to.binary(b"payload");
            bytes[0] = 0x80 | opcode;
            bytes
        });
    }
}

#[test]
fn a_length_that_is_not_minimal_fails_the_connection() {
    let error = ProtocolError::Header(HeaderError::LengthNotMinimal);
    for long in [&[126, 0, 2][..], &[127, 0, 0, 0, 0, 0, 0, 0, 2]] {
        assert_fails(&Config::new(), error, |to| {
            let short = to.text("hi");
            let mut bytes = [&short[..1], long, &short[2..]].concat();
            bytes[1] |= short[1] & 0x80;
            bytes
        });
    }
}

#[test]
fn a_continuation_with_nothing_to_continue_fails_the_connection() {
    let error = ProtocolError::UnexpectedContinuation;
    for fin in [true, false] {
        assert_fails(&Config::new(), error, |to| {
            to.frame(Opcode::Continuation, fin, b"more")
        });
        assert_fails(&Config::new(), error, |to| {
            let mut bytes = to.text("a message that ended");
            bytes.extend(to.frame(Opcode::Continuation, fin, b"more"));
            bytes
        });
    }
}

#[test]
fn a_new_message_amid_fragments_fails_the_connection() {
    for (first, second) in [
        (Opcode::Text, Opcode::Text),
        (Opcode::Text, Opcode::Binary),
        (Opcode::Binary, Opcode::Binary),
    ] {
        for fin in [true, false] {
            assert_fails(&Config::new(), ProtocolError::ExpectedContinuation, |to| {
                let mut bytes = to.frame(first, false, b"one");
                bytes.extend(to.ping(b""));
                bytes.extend(to.frame(second, fin, b"two"));
                bytes
            });
        }
    }
}

#[test]
fn messages_before_the_bad_frame_are_delivered_and_none_after_it() {
    for side in SIDES {
        let bytes = [
            side.text("good"),
            side.ping(b"too"),
            side.frame(Opcode::Continuation, true, b"bad"),
            side.text("never seen"),
            side.close(1000, ""),
        ]
        .concat();
        let result = received_any_way(side, &Config::new(), &bytes);
        assert_eq!(result.seen, [Seen::text("good"), Seen::ping(b"too")]);
        let error = ProtocolError::UnexpectedContinuation;
        assert_eq!(result.error, Some(error));
        assert_eq!(result.outcome, Some(CloseOutcome::Failed(error)));
        let sent = frames(&result.output);
        let opcodes: Vec<_> = sent.iter().map(|(header, _)| header.opcode).collect();
        assert_eq!(opcodes, [Opcode::Pong, Opcode::Close]);
    }
}

#[test]
fn an_error_is_the_same_for_ever() {
    for side in SIDES {
        let mut endpoint = side.endpoint(Config::new());
        endpoint.feed(&side.frame(Opcode::Continuation, true, b""));
        assert_eq!(close_sent(&endpoint.output()).unwrap().0, 1002);
        for _ in 0..3 {
            // `feed` checks that each receive gives the first error.
            endpoint.feed(&side.text("later"));
            endpoint.feed(&side.frame(Opcode::Text, true, b"\xFF"));
            endpoint.feed(&[]);
        }
        assert_eq!(endpoint.error, Some(ProtocolError::UnexpectedContinuation));
        assert_eq!(endpoint.output(), b"", "one Close frame, and no more");
        assert!(endpoint.rx.is_empty(), "what comes later is dropped");
    }
}

#[test]
fn a_payload_taken_along_leaves_the_bytes_behind_it_intact() {
    let sizes = [1, 100, 16_383, 16_384, 20_000, 70_000];
    for side in SIDES {
        for len in sizes {
            for behind in [0, 10, 1_000, 200_000] {
                let mut rx = ReceiveBuffer::new();
                let mut connection = side.connection(Config::new());
                let (half, rest) = (&side.text("half")[..3], &side.text("half")[3..]);
                let (large, next) = (side.binary(&data(len)), side.binary(&data(behind)));
                // In one go, so that the payload fills most of its allocation.
                rx.extend_from_slice(&[&side.text("before"), &*large, &next, half].concat());

                let before = connection.receive(&mut rx).unwrap().unwrap();
                assert_eq!(before.into_message(), Some("before".into()));
                let taken = connection.receive(&mut rx).unwrap().unwrap();
                let taken = taken.into_message().unwrap();
                let next = connection.receive(&mut rx).unwrap().unwrap();
                assert_eq!(next.into_message(), Some(data(behind).into()));
                assert!(connection.receive(&mut rx).unwrap().is_none());
                rx.extend_from_slice(rest);
                let half = connection.receive(&mut rx).unwrap().unwrap();
                assert_eq!(half.into_message(), Some("half".into()));
                assert_eq!(taken, Message::from(data(len)), "{len} before {behind}");
            }
        }
    }
}

#[test]
fn bytes_behind_a_payload_taken_along_outlast_a_commit_without_room() {
    for side in SIDES {
        let mut rx = ReceiveBuffer::new();
        let mut connection = side.connection(Config::new());
        let next = side.text("next");
        rx.extend_from_slice(&[side.binary(&data(40_000)), next.clone()].concat());
        let large = connection.receive(&mut rx).unwrap().unwrap();
        assert!(large.into_message().is_some());
        rx.commit(0);
        rx.commit(1000);
        assert_eq!(rx.len(), next.len());
        let next = connection.receive(&mut rx).unwrap().unwrap();
        assert_eq!(next.into_message(), Some("next".into()));
    }
}

#[test]
fn after_a_large_frame_and_small_ones_reads_are_of_the_usual_size_again() {
    let usual = 1000;
    let (mut rx, mut server) = (ReceiveBuffer::new(), Side::Server.connection(Config::new()));
    for byte in Side::Server.binary(&data(50_000)).chunks(700) {
        rx.extend_from_slice(byte);
        drop(server.receive(&mut rx).unwrap());
    }
    assert!(server.read_hint(&rx, usual) > 50_000);
    for _ in 0..10 {
        rx.extend_from_slice(&Side::Server.text("small"));
        assert!(server.receive(&mut rx).unwrap().is_some());
        assert!(server.receive(&mut rx).unwrap().is_none());
    }
    assert_eq!(server.read_hint(&rx, usual), usual);
}

#[test]
fn an_assembled_message_taken_along_leaves_the_bytes_behind_it_intact() {
    for side in SIDES {
        for len in [10, 50_000] {
            let mut rx = ReceiveBuffer::new();
            let mut connection = side.connection(Config::new());
            for (opcode, payload) in [
                (Opcode::Binary, data(len)),
                (Opcode::Text, text(len).into_bytes()),
            ] {
                let (head, tail) = payload.split_at(len / 2);
                rx.extend_from_slice(&side.frame(opcode, false, head));
                rx.extend_from_slice(&side.frame(Opcode::Continuation, true, tail));
            }
            rx.extend_from_slice(&side.text("behind"));

            let Some(Event::Binary(payload)) = connection.receive(&mut rx).unwrap() else {
                panic!("not a binary message");
            };
            let place = payload.as_ptr();
            let payload = payload.into_bytes();
            assert_eq!((payload.as_ptr(), &*payload), (place, &*data(len)), "moved");
            let Some(Event::Text(string)) = connection.receive(&mut rx).unwrap() else {
                panic!("not a text");
            };
            let place = string.as_ptr();
            let string = string.into_string();
            assert_eq!((string.as_ptr(), &*string), (place, &*text(len)), "moved");
            let behind = connection.receive(&mut rx).unwrap().unwrap();
            assert_eq!(behind.into_message(), Some("behind".into()));
        }
    }
}

#[test]
fn a_message_that_was_not_taken_along_does_not_leak_into_the_next() {
    for side in SIDES {
        let mut bytes = Vec::new();
        for word in ["one", "two", "three"] {
            let (head, tail) = word.as_bytes().split_at(1);
            bytes.extend(side.frame(Opcode::Text, false, head));
            bytes.extend(side.frame(Opcode::Continuation, true, tail));
            bytes.extend(side.text("whole"));
        }
        let seen = received_any_way(side, &Config::new(), &bytes).seen;
        let words = ["one", "whole", "two", "whole", "three", "whole"];
        assert_eq!(seen, words.map(Seen::text));
    }
}

#[test]
fn connections_take_turns_with_one_buffer_while_it_is_empty() {
    let side = Side::Server;
    let mut rx = ReceiveBuffer::new();
    let mut connections = [
        side.connection(Config::new()),
        side.connection(Config::new()),
    ];
    // Each is amid a message of which no byte is held.
    for connection in &mut connections {
        rx.extend_from_slice(&side.frame(Opcode::Text, false, b""));
        assert!(connection.receive(&mut rx).unwrap().is_none());
        assert!(rx.is_empty());
    }
    for (connection, text) in connections.iter_mut().zip(["one", "two"]) {
        rx.extend_from_slice(&side.frame(Opcode::Continuation, true, text.as_bytes()));
        let event = connection.receive(&mut rx).unwrap().unwrap();
        assert_eq!(event.into_message(), Some(text.into()));
        assert!(connection.receive(&mut rx).unwrap().is_none());
        assert!(rx.is_empty());
    }
}

#[test]
fn releasing_the_buffer_loses_nothing() {
    for side in SIDES {
        let bytes = [
            side.frame(Opcode::Text, false, &text(300).as_bytes()[..149]),
            side.frame(Opcode::Continuation, true, &text(300).as_bytes()[149..]),
            side.binary(&data(500)),
        ]
        .concat();
        let mut endpoint = side.endpoint(Config::new());
        for byte in bytes {
            endpoint.feed(&[byte]);
            endpoint.rx.release();
            endpoint.connection.release();
        }
        let expected = [Seen::text(&text(300)), Seen::binary(&data(500))];
        assert_eq!(endpoint.seen, expected);
        assert_eq!(endpoint.rx.capacity(), 0);
    }
}

#[test]
fn a_read_is_hinted_up_to_the_end_of_a_large_frame_and_no_further_than_64_kib_and_two_headers() {
    let side = Side::Server;
    let mut endpoint = side.endpoint(Config::new());
    assert_eq!(hint(&endpoint), 16_384);

    let bytes = side.binary(&data(200_000));
    endpoint.feed(&bytes[..1000]);
    assert_eq!(hint(&endpoint), 65_536 + 28);
    endpoint.feed(&bytes[1000..bytes.len() - 500]);
    let hinted = hint(&endpoint);
    assert!((500..=500 + 14).contains(&hinted), "{hinted}");
    endpoint.feed(&bytes[bytes.len() - 500..]);
    assert_eq!(hint(&endpoint), 65_536 + 28);
    assert_eq!(endpoint.seen, [Seen::binary(&data(200_000))]);
}

fn hint(endpoint: &Endpoint) -> usize {
    endpoint.connection.read_hint(&endpoint.rx, 16_384)
}

#[test]
fn frames_as_large_as_the_last_that_did_not_come_whole_are_read_at_once_and_no_buffer_is_filled() {
    for side in SIDES {
        for len in [16_380, 16_384, 30_000, 65_535, 65_536] {
            let mut endpoint = side.endpoint(Config::new());
            let bytes = side.binary(&data(len));
            endpoint.feed(&bytes[..16_000]);
            endpoint.feed(&bytes[16_000..]);
            for _ in 0..3 {
                // Who waits looks again, into a buffer that has nothing to tell.
                endpoint.rx.spare(1);
                for _ in 0..5 {
                    assert!(
                        endpoint
                            .connection
                            .receive(&mut endpoint.rx)
                            .unwrap()
                            .is_none()
                    );
                }
                let hinted = hint(&endpoint);
                let room = bytes.len() + 1..=bytes.len() + 28;
                assert!(room.contains(&hinted), "{hinted} for {}", bytes.len());
                endpoint.feed(&bytes);
            }
            assert_eq!(endpoint.seen.len(), 4);
        }
    }
}

#[test]
fn small_frames_are_read_as_usual_again_once_one_has_not_come_whole() {
    let mut endpoint = Side::Server.endpoint(Config::new());
    for (len, hinted) in [(30_000, 30_028), (200, 16_384)] {
        let bytes = Side::Server.binary(&data(len));
        endpoint.feed(&bytes[..100]);
        endpoint.feed(&bytes[100..]);
        assert_eq!(hint(&endpoint), hinted);
    }
    let mut endpoint = Side::Server.endpoint(Config::new().delivery(Delivery::Chunks));
    endpoint.feed(&Side::Server.binary(&data(30_000)));
    assert_eq!(hint(&endpoint), 16_384);
}

#[test]
fn what_an_event_lends_may_be_answered_while_it_is_lent() {
    let side = Side::Server;
    let mut connection = side.connection(Config::new());
    let mut rx = ReceiveBuffer::new();
    rx.extend_from_slice(&side.text("echo"));
    if let Some(Event::Text(text)) = connection.receive(&mut rx).unwrap() {
        connection.send_text(&text).unwrap();
    }
    let header = Header::new(Opcode::Text, true, 4);
    let sent = transmit_all(&mut connection);
    assert_eq!(frames(&sent), [(header, b"echo".to_vec())]);
}
