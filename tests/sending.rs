//! Sending (RFC 6455 §5.3–§5.4, §6.1), and how the bytes leave.

mod common;

use std::collections::HashSet;

use bytes::{Buf, Bytes};
use common::pair::Pair;
use common::*;
use sansocket::frame::Opcode;
use sansocket::{Chunk, Config, Connection, Message, SeededMaskKeys, SendError};

/// Room for whatever a test queues.
fn roomy() -> Config {
    Config::new().write_limit(usize::MAX)
}

#[test]
fn messages_of_every_length_form_arrive_as_they_were_sent() {
    for split in splits() {
        let mut pair = Pair::split(roomy(), roomy(), split);
        let mut expected = Vec::new();
        for len in [
            0, 1, 125, 126, 127, 8191, 8192, 8193, 65_535, 65_536, 70_001,
        ] {
            for connection in [&mut pair.client.connection, &mut pair.server.connection] {
                connection.send_text(&text(len)).unwrap();
                connection.send_binary(&data(len)).unwrap();
                connection.send(text(len).into()).unwrap();
                connection.send(data(len).into()).unwrap();
            }
            let both = [Seen::Text(text(len)), Seen::Binary(data(len))];
            expected.extend(both.into_iter().cycle().take(4));
        }
        pair.run();
        assert_eq!(pair.server.seen, expected);
        assert_eq!(pair.client.seen, expected);
    }
}

#[test]
fn a_message_in_chunks_is_one_fragment_each() {
    for side in SIDES {
        for (kind, [a, b, c]) in [
            (Opcode::Text, ["Hé", "", "llo"].map(Chunk::text)),
            (Opcode::Binary, [&b"Hi"[..], b"", b"!"].map(Chunk::binary)),
        ] {
            let mut connection = side.connection(Config::new());
            for chunk in [a, b, c.last()] {
                connection.send_chunk(chunk).unwrap();
            }
            let sent = frames(&transmit_all(&mut connection));
            let shape = sent.iter().map(|(header, _)| (header.opcode, header.fin));
            let more = Opcode::Continuation;
            let expected = [(kind, false), (more, false), (more, true)];
            assert_eq!(shape.collect::<Vec<_>>(), expected);
            for ((_, payload), chunk) in sent.iter().zip([a, b, c]) {
                assert_eq!(payload, chunk.data.as_bytes());
            }
            assert!(connection.can_send());
        }
    }
}

#[test]
fn amid_chunks_only_their_own_kind_and_control_frames_are_sent() {
    for side in SIDES {
        let mut connection = side.connection(Config::new());
        connection.send_chunk(Chunk::text("a")).unwrap();
        assert!(!connection.can_send());
        let refused = Err(SendError::MessageInProgress(()));
        assert_eq!(connection.send_text("x"), refused);
        assert_eq!(connection.send_binary(b"x"), refused);
        assert_eq!(connection.send_chunk(Chunk::binary(b"x")), refused);
        let message = Message::from(vec![0; 100_000]);
        assert_eq!(
            connection.send(message.clone()),
            Err(SendError::MessageInProgress(message))
        );
        connection.ping(b"?").unwrap();
        connection.send_chunk(Chunk::text("b").last()).unwrap();
        connection.send_text("next").unwrap();

        let mut peer = side.other().endpoint(Config::new());
        peer.feed(&transmit_all(&mut connection));
        let expected = [Seen::ping(b"?"), Seen::text("ab"), Seen::text("next")];
        assert_eq!(peer.seen, expected);
    }
}

#[test]
fn a_message_in_chunks_may_be_left_off_to_close() {
    for side in SIDES {
        let mut connection = side.connection(Config::new());
        connection.send_chunk(Chunk::text("half")).unwrap();
        connection.close(None).unwrap();
        let mut peer = side.other().endpoint(Config::new());
        peer.feed(&transmit_all(&mut connection));
        assert_eq!((peer.seen, peer.error), (vec![Seen::Close(None)], None));
    }
}

#[test]
fn a_server_sends_a_large_payload_from_where_it_is() {
    let mut server = Connection::server(Config::new());
    let (data, text) = (Bytes::from(data(100_000)), text(100_000));
    let places = [data.as_ptr(), text.as_ptr()];
    let shared = data.clone();
    server.send(data.into()).unwrap();
    server.send(text.into()).unwrap();
    for place in places {
        let mut transmit = server.transmit();
        assert_eq!(transmit.chunk().len(), 10, "the header");
        transmit.advance(10);
        assert_eq!(transmit.chunk().as_ptr(), place);
        transmit.advance(1);
        assert_eq!(transmit.chunk().as_ptr(), place.wrapping_add(1));
        transmit.advance(99_999);
    }
    assert_eq!(shared.len(), 100_000);
}

#[test]
fn a_client_masks_a_large_payload_in_place_when_nobody_else_holds_it() {
    let mut client = Side::Client.connection(Config::new());
    let (payload, text) = (data(100_000), text(100_000));
    let places = [payload.as_ptr(), text.as_ptr()];
    client.send(payload.into()).unwrap();
    client.send(text.into()).unwrap();
    for place in places {
        let mut transmit = client.transmit();
        transmit.advance(14);
        assert_eq!(transmit.chunk().as_ptr(), place);
        transmit.advance(100_000);
    }
}

#[test]
fn a_payload_that_others_hold_is_not_changed_by_masking() {
    let mut client = Side::Client.connection(Config::new());
    for len in [100, 8192, 100_000] {
        let shared = Bytes::from(data(len));
        client.send(shared.clone().into()).unwrap();
        let part = shared.slice(1..);
        client.send(part.into()).unwrap();
        assert_eq!(shared, data(len));
        let sent = frames(&transmit_all(&mut client));
        assert_eq!((&sent[0].1, &*sent[1].1), (&data(len), &data(len)[1..]));
    }
}

#[test]
fn what_is_done_to_a_payload_after_sending_does_not_reach_the_wire() {
    for side in SIDES {
        for len in [100, 8192, 100_000] {
            let mut connection = side.connection(roomy());
            let mut ours = data(len);
            connection.send_binary(&ours).unwrap();
            connection.send_chunk(Chunk::binary(&ours).last()).unwrap();
            let shared = Bytes::from(ours.clone());
            connection.send(shared.clone().into()).unwrap();
            // The beginning of the first frame has left when the payloads are written over.
            connection.transmit().advance(20);
            ours.fill(b'!');
            // While the frame waits, nobody else can write to what it lies in.
            let mut copy = bytes::BytesMut::from(shared);
            copy.fill(b'!');
            let left = transmit_all(&mut connection);
            let first = side.other().binary(&data(len));
            assert_eq!(left[..first.len() - 20], first[20..]);
            for (_, payload) in frames(&left[first.len() - 20..]) {
                assert_eq!(payload, data(len));
            }
        }
    }
}

#[test]
fn each_frame_of_a_client_has_a_key_of_its_own_and_a_servers_has_none() {
    let clients = [
        #[cfg(feature = "std")]
        Connection::client(roomy(), sansocket::OsMaskKeys::new().unwrap()),
        Connection::client(roomy(), SeededMaskKeys::new([7; 32])),
    ];
    for mut client in clients {
        let mut keys = HashSet::new();
        for _ in 0..50 {
            client.send_text("small").unwrap();
            client.send(data(10_000).into()).unwrap();
            client.send_chunk(Chunk::text("part")).unwrap();
            client.send_chunk(Chunk::text("end").last()).unwrap();
            client.ping(b"").unwrap();
        }
        client.close(None).unwrap();
        let sent = frames(&transmit_all(&mut client));
        assert_eq!(sent.len(), 251);
        keys.extend(sent.iter().map(|(header, _)| header.masking_key.unwrap()));
        // Two of 251 random keys are equal once in 137,000 runs; three pairs, never.
        assert!(keys.len() >= 249, "{} keys", keys.len());
    }
    let mut server = Connection::server(roomy());
    server.send_text("small").unwrap();
    server.send(data(10_000).into()).unwrap();
    let sent = frames(&transmit_all(&mut server));
    assert!(sent.iter().all(|(header, _)| header.masking_key.is_none()));
}

#[test]
fn small_frames_leave_in_one_chunk() {
    for side in SIDES {
        let mut connection = side.connection(Config::new());
        for _ in 0..100 {
            connection.send_text("small").unwrap();
            connection.send(data(100).into()).unwrap();
            connection.ping(b"?").unwrap();
        }
        let mut transmit = connection.transmit();
        let all = transmit.remaining();
        assert_eq!(transmit.chunk().len(), all);
        transmit.advance(all);
        assert!(!transmit.has_remaining());
    }
}

#[cfg(feature = "std")]
fn joined(slices: &[std::io::IoSlice<'_>]) -> Vec<u8> {
    slices.iter().flat_map(|slice| slice.to_vec()).collect()
}

/// Queues small and large frames in turn.
#[cfg(feature = "std")]
fn queue_mixed(connection: &mut Connection) {
    for len in [5, 20_000, 8_192, 0, 100, 30_000, 30_000, 7, 9] {
        connection.send(data(len).into()).unwrap();
        connection.ping(b"between").unwrap();
    }
}

#[cfg(feature = "std")]
#[test]
fn slices_are_the_same_bytes_in_the_same_order_at_every_step_of_advance() {
    for side in SIDES {
        let mut connection = side.connection(Config::new());
        queue_mixed(&mut connection);
        let all = transmit_all(&mut connection);
        for step in [1_999, 4_096, 10_007, 20_021, all.len(), all.len() + 5] {
            queue_mixed(&mut connection);
            let mut left = &all[..];
            while !left.is_empty() {
                let mut transmit = connection.transmit();
                assert_eq!(transmit.remaining(), left.len());
                assert_eq!(transmit.queued(), left.len());
                assert!(left.starts_with(transmit.chunk()));
                let mut slices = [std::io::IoSlice::new(&[]); 32];
                let count = transmit.chunks_vectored(&mut slices);
                assert!(slices[..count].iter().all(|slice| !slice.is_empty()));
                assert_eq!(joined(&slices[..count]), left);
                // Fewer slices than there are chunks are the first of them.
                let mut two = [std::io::IoSlice::new(&[]); 2];
                let count = transmit.chunks_vectored(&mut two);
                assert!(left.starts_with(&joined(&two[..count])));
                transmit.advance(step);
                left = &left[step.min(left.len())..];
            }
            assert!(!connection.transmit().has_remaining());
            assert_eq!(connection.transmit().chunk(), b"");
        }
    }
}

#[test]
fn bytes_leave_in_order_while_more_are_queued() {
    for side in SIDES {
        for step in [1, 13, 5_000, 25_000] {
            let mut connection = side.connection(roomy());
            let mut peer = side.other().endpoint(Config::new());
            let mut expected = Vec::new();
            for len in [3, 9_000, 150, 20_000, 0, 8_192, 1].repeat(4) {
                connection.send(data(len).into()).unwrap();
                connection.send_text(&text(len)).unwrap();
                expected.extend([Seen::Binary(data(len)), Seen::Text(text(len))]);
                let mut transmit = connection.transmit();
                let chunk = transmit.chunk();
                let sent = chunk[..step.min(chunk.len())].to_vec();
                transmit.advance(sent.len());
                peer.feed(&sent);
            }
            peer.feed(&transmit_all(&mut connection));
            assert!(peer.seen == expected, "step {step}: not the same messages");
        }
    }
}

#[test]
fn looking_at_a_chunk_without_advancing_loses_nothing() {
    let mut server = Connection::server(Config::new());
    server.send_text("hi").unwrap();
    for _ in 0..3 {
        assert_eq!(server.transmit().chunk(), b"\x81\x02hi");
    }
    server.transmit().advance(1);
    server.release();
    assert_eq!(server.transmit().chunk(), b"\x02hi");
}
