//! What was agreed on for compression is kept to while sending (RFC 7692 §6.1, §7.1).
#![cfg(feature = "deflate")]

mod common;
#[path = "common/distances.rs"]
mod distances;

use common::compressed::*;
use common::*;
use distances::largest_distance;
use sansocket::frame::Opcode;
use sansocket::{Chunk, Config};

#[test]
fn control_frames_between_compressed_fragments_have_no_rsv1() {
    for side in SIDES {
        let mut endpoint = side.deflating(Config::new(), ALL);
        let connection = &mut endpoint.connection;
        connection.send_chunk(Chunk::text("in parts, ")).unwrap();
        connection.ping(b"ping ping ping ping").unwrap();
        endpoint.feed(&side.ping(b"pong pong pong pong"));
        let connection = &mut endpoint.connection;
        connection
            .send_chunk(Chunk::text("in parts").last())
            .unwrap();
        connection.close(None).unwrap();
        let sent = frames(&endpoint.output());
        let shape = sent.iter().map(|(header, _)| (header.opcode, header.rsv1));
        let expected = [
            (Opcode::Text, true),
            (Opcode::Ping, false),
            (Opcode::Pong, false),
            (Opcode::Continuation, false),
            (Opcode::Close, false),
        ];
        assert_eq!(shape.collect::<Vec<_>>(), expected, "{side:?}");
        assert_eq!(sent[1].1, b"ping ping ping ping");
        assert_eq!(sent[2].1, b"pong pong pong pong");
        assert!(sent.iter().all(|(header, _)| !header.rsv2 && !header.rsv3));
    }
}

#[test]
fn without_takeover_each_message_is_compressed_by_itself() {
    for side in SIDES {
        let [kept, dropped] = [ALL, NO_TAKEOVER].map(|deflate| {
            let mut endpoint = side.deflating(Config::new(), deflate);
            for _ in 0..3 {
                endpoint.connection.send_text(&text(500)).unwrap();
            }
            frames(&endpoint.output())
        });
        let [first, again @ ..] = &dropped[..] else {
            panic!("nothing sent");
        };
        for other in again {
            assert_eq!(other.1, first.1);
            assert_eq!(
                TheirInflater::new(false).message(&other.1),
                text(500).as_bytes()
            );
        }
        // With it, the second is short for its reference to the first.
        assert!(2 * kept[1].1.len() < kept[0].1.len());
    }
}

#[test]
fn a_client_keeps_to_the_window_it_was_asked_for() {
    // Bytes that repeat at this distance, and no nearer.
    let noise: Vec<u8> = (0..40_000_u32)
        .map(|i| (i.wrapping_mul(2_654_435_761) >> 13).to_le_bytes()[0] ^ (i >> 7).to_le_bytes()[0])
        .collect();
    for bits in 9..=15 {
        let window = 1_usize << bits;
        let config = Config::new().write_limit(usize::MAX);
        let deflate = ALL.client_max_window_bits(bits);
        let mut endpoint = Side::Client.deflating(config, deflate);
        for distance in [window / 2, window, window + 1, 2 * window] {
            let data = noise[..distance.min(noise.len())].repeat(2);
            endpoint.connection.send_binary(&data).unwrap();
        }
        let sent = frames(&endpoint.output());
        let compressed = sent.iter().filter(|(header, _)| header.rsv1);
        let largest = compressed
            .map(|(_, payload)| largest_distance(&[payload, &TAIL[..]].concat()))
            .max();
        let largest = largest.expect("something is compressed");
        assert!(largest <= window, "{largest} in a window of {window}");
        // And the window is used.
        assert!(largest > window / 4, "{largest} in a window of {window}");
    }
}
