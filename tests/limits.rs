//! Limits: decided by the header, before any payload, and memory follows what has arrived.

mod common;

use bytes::Bytes;
use common::*;
use sansocket::frame::Opcode;
use sansocket::{Chunk, Config, Connection, Delivery, Message, ProtocolError, SendError, State};

#[test]
fn a_frame_above_the_limit_fails_the_connection_at_its_header() {
    let config = Config::new().max_frame_size(1000);
    let error = ProtocolError::FrameTooBig { limit: 1000 };
    for opcode in [Opcode::Text, Opcode::Binary] {
        for fin in [true, false] {
            assert_fails(&config, error, |to| {
                to.header(opcode, fin, 1001).encode().to_vec()
            });
            // As well when the whole frame is there.
            assert_fails(&config, error, |to| to.frame(opcode, fin, &[b'x'; 1001]));
        }
    }
    assert_eq!(error.close_code().get(), 1009);
}

#[test]
fn a_message_above_the_limit_fails_the_connection_at_the_header_that_exceeds_it() {
    let config = Config::new().max_message_size(1000);
    let error = ProtocolError::MessageTooBig { limit: 1000 };
    assert_fails(&config, error, |to| {
        to.header(Opcode::Binary, true, 1001).encode().to_vec()
    });
    assert_fails(&config, error, |to| to.text(&text(1001)));
    assert_fails(&config, error, |to| {
        let mut bytes = to.frame(Opcode::Text, false, &[b'x'; 600]);
        bytes.extend(to.ping(b"between"));
        bytes.extend_from_slice(&to.header(Opcode::Continuation, true, 401).encode());
        bytes
    });
}

#[test]
fn a_message_of_exactly_the_limit_is_received() {
    let config = Config::new().max_frame_size(600).max_message_size(1000);
    for side in SIDES {
        for delivery in DELIVERIES {
            let config = config.clone().delivery(delivery);
            for _ in 0..2 {
                let bytes = [
                    side.frame(Opcode::Text, false, &[b'x'; 600]),
                    side.frame(Opcode::Continuation, false, &[b'x'; 400]),
                    side.frame(Opcode::Continuation, true, b""),
                    side.binary(&data(600)),
                ]
                .concat();
                let result = received_any_way(side, &config, &bytes);
                assert_eq!(result.error, None);
                let expected = [Seen::text(&"x".repeat(1000)), Seen::binary(&data(600))];
                assert_eq!(result.seen, expected.map(|e| e.delivered(delivery)));
            }
        }
    }
}

#[test]
fn sizes_of_fragments_are_added_without_overflow() {
    let config = Config::new()
        .max_frame_size(u64::MAX)
        .max_message_size((1 << 63) + 5)
        .delivery(Delivery::Chunks);
    // Only headers can claim this much: the sum is judged before the payload of the last.
    for side in SIDES {
        let mut endpoint = side.endpoint(config.clone());
        endpoint.feed(&side.frame(Opcode::Binary, false, b"ten bytes."));
        let huge = side.header(Opcode::Continuation, false, (1 << 63) - 1);
        endpoint.feed(&huge.encode());
        let limit = (1 << 63) + 5;
        assert_eq!(endpoint.error, Some(ProtocolError::MessageTooBig { limit }));
    }
}

#[test]
fn a_limit_of_zero_takes_empty_messages_only() {
    let config = Config::new().max_message_size(0);
    for side in SIDES {
        let mut bytes = [side.text(""), side.binary(b""), side.ping(b"p")].concat();
        let result = received_any_way(side, &config, &bytes);
        assert_eq!(result.seen.len(), 3);
        bytes.extend(side.binary(b"x"));
        let result = received_any_way(side, &config, &bytes);
        let error = ProtocolError::MessageTooBig { limit: 0 };
        assert_eq!((result.seen.len(), result.error), (3, Some(error)));
    }
}

#[test]
fn the_number_of_fragments_is_bounded_empty_ones_included() {
    let config = Config::new().max_fragments(3);
    let fragments = |to: Side, count: usize| {
        let mut bytes = to.frame(Opcode::Binary, false, b"");
        for _ in 1..count {
            bytes.extend(to.frame(Opcode::Continuation, false, b""));
        }
        bytes
    };
    let error = ProtocolError::TooManyFragments { limit: 3 };
    assert_fails(&config, error, |to| fragments(to, 4));

    for side in SIDES {
        // Control frames are not counted, and each message starts anew.
        let message = [
            fragments(side, 2),
            side.ping(b""),
            side.frame(Opcode::Continuation, true, b"end"),
        ]
        .concat();
        let result = received_any_way(side, &config, &message.repeat(3));
        assert_eq!(result.error, None);
        let ends = result.seen.iter().filter(|s| **s == Seen::binary(b"end"));
        assert_eq!(ends.count(), 3);
    }
}

#[test]
fn no_message_is_received_with_a_limit_of_no_fragments() {
    let error = ProtocolError::TooManyFragments { limit: 0 };
    assert_fails(&Config::new().max_fragments(0), error, |to| to.text("hi"));
}

#[test]
fn control_frames_too_long_or_fragmented_fail_before_their_payload_arrives() {
    for opcode in [Opcode::Close, Opcode::Ping, Opcode::Pong] {
        assert_fails(
            &Config::new(),
            ProtocolError::Header(sansocket::frame::HeaderError::ControlTooLong),
            |to| to.header(opcode, true, 126).encode()[..2].to_vec(),
        );
        assert_fails(
            &Config::new(),
            ProtocolError::Header(sansocket::frame::HeaderError::FragmentedControl),
            |to| to.header(opcode, false, 1).encode()[..1].to_vec(),
        );
    }
}

#[test]
fn a_header_that_claims_everything_commits_nothing() {
    let unlimited = Config::new()
        .max_frame_size(u64::MAX)
        .max_message_size(u64::MAX);
    // The most that may be a whole message at all.
    let most = isize::MAX as u64 / 2;
    for side in SIDES {
        for (delivery, len) in [(Delivery::Messages, most), (Delivery::Chunks, 1 << 62)] {
            for opcode in [Opcode::Text, Opcode::Binary] {
                for fin in [true, false] {
                    let mut endpoint = side.endpoint(unlimited.clone().delivery(delivery));
                    let header = side.header(opcode, fin, len).encode();
                    endpoint.feed(&header);
                    let payload = side.frame(opcode, fin, &[b'x'; 2000]);
                    endpoint.feed(&payload[payload.len() - 2000..][..1000]);
                    endpoint.feed(&payload[payload.len() - 1000..]);
                    assert_eq!(endpoint.error, None);
                    let held = endpoint.rx.capacity();
                    assert!(held <= 3 * 2014, "{delivery:?}, {opcode:?}: {held} bytes");
                    let hint = endpoint.connection.read_hint(&endpoint.rx, 16_384);
                    assert!(hint <= 65_536 + 28, "{hint}");
                }
            }
        }
    }
}

#[test]
fn lengths_beyond_the_address_space_are_refused_as_whole_messages_and_passed_as_chunks() {
    let unlimited = Config::new()
        .max_frame_size(u64::MAX)
        .max_message_size(u64::MAX);
    for side in SIDES {
        let bytes = side.header(Opcode::Binary, true, (1 << 63) - 1).encode();
        let mut endpoint = side.endpoint(unlimited.clone());
        endpoint.feed(&bytes);
        assert_eq!(endpoint.error.unwrap().close_code().get(), 1009);
        let mut endpoint = side.endpoint(unlimited.clone().delivery(Delivery::Chunks));
        endpoint.feed(&bytes);
        endpoint.feed(&[0; 100]);
        assert_eq!((endpoint.error, endpoint.seen.len()), (None, 1));
    }
}

#[test]
fn above_the_write_limit_the_message_comes_back_and_is_taken_once_there_is_room() {
    for side in SIDES {
        let mut connection = side.connection(Config::new().write_limit(1000));
        let message = Message::Binary(Bytes::from(data(600)));
        connection.send(message.clone()).unwrap();
        assert!(connection.can_send());

        let refused = connection.send(message.clone()).unwrap_err();
        assert_eq!(refused, SendError::Full(message.clone()));
        assert_eq!(refused.into_message(), message);
        assert_eq!(connection.send_binary(&data(600)), Err(SendError::Full(())));
        assert_eq!(connection.send_text(&text(600)), Err(SendError::Full(())));
        let chunk = Chunk::binary(&[0; 600]);
        assert_eq!(connection.send_chunk(chunk), Err(SendError::Full(())));
        connection.send_binary(&data(300)).unwrap();
        assert_eq!(connection.ping(&[0; 100]), Err(SendError::Full(())));

        let sizes = frames(&transmit_all(&mut connection))
            .iter()
            .map(|(_, payload)| payload.len())
            .collect::<Vec<_>>();
        assert_eq!(sizes, [600, 300], "nothing of what was refused is sent");
        connection.send(message).unwrap();
    }
}

#[test]
fn a_message_larger_than_the_write_limit_is_taken_when_nothing_waits() {
    for side in SIDES {
        let mut connection = side.connection(Config::new().write_limit(10));
        connection.send_binary(&data(1000)).unwrap();
        assert!(!connection.can_send());
        assert_eq!(connection.send_binary(b""), Err(SendError::Full(())));
        assert_eq!(frames(&transmit_all(&mut connection))[0].1, data(1000));
        assert!(connection.can_send());
    }
}

#[test]
fn pongs_and_the_close_frame_pass_the_write_limit() {
    for side in SIDES {
        let mut endpoint = side.endpoint(Config::new().write_limit(10));
        endpoint.connection.send_binary(&data(1000)).unwrap();
        endpoint.feed(&side.ping(b"?"));
        endpoint.feed(&side.close(1000, ""));
        let sent = frames(&endpoint.output());
        let opcodes: Vec<_> = sent.iter().map(|(header, _)| header.opcode).collect();
        assert_eq!(opcodes, [Opcode::Binary, Opcode::Pong, Opcode::Close]);
    }
}

#[test]
fn a_control_frame_of_ours_holds_at_most_125_bytes() {
    let mut connection = Connection::server(Config::new());
    assert_eq!(
        connection.ping(&[0; 126]),
        Err(SendError::ControlTooLong(()))
    );
    assert_eq!(transmit_all(&mut connection), b"");
    connection.ping(&[0; 125]).unwrap();
    assert_eq!(frames(&transmit_all(&mut connection))[0].1, [0; 125]);
}

#[test]
fn a_length_beyond_32_bits_is_not_mistaken_for_its_lower_ones() {
    let config = Config::new()
        .delivery(Delivery::Chunks)
        .max_message_size(u64::MAX);
    for side in SIDES {
        let mut endpoint = side.endpoint(config.clone());
        let header = side.header(Opcode::Binary, true, (1 << 32) + 5);
        endpoint.feed(&encode(&header, b"hello"));
        assert_eq!(endpoint.seen, [Seen::BinaryPart(b"hello".into(), false)]);
        // What follows is more of it, and no frame.
        endpoint.feed(&[0xFF; 1000]);
        assert_eq!(endpoint.seen.len(), 1);
        assert!(matches!(&endpoint.seen[0], Seen::BinaryPart(data, false) if data.len() == 1005));
        assert_eq!(endpoint.state(), State::Open);
    }
}
