//! One message for many connections that compress: RFC 7692 §7.2.1.
#![cfg(feature = "deflate")]

mod common;
#[path = "common/distances.rs"]
mod distances;

use std::sync::Barrier;

use common::allocations::{Counting, measure};
use common::compressed::*;
use common::*;
use distances::largest_distance;
use sansocket::frame::Opcode;
use sansocket::{Config, DeflateConfig, Prepared, SendError};

#[global_allocator]
static ALLOCATOR: Counting = Counting;

/// Text that compresses well, different for each number.
fn json(number: usize) -> String {
    format!(r#"{{"id":{number},"name":"user {number}","tags":["a","b"],"active":true}}"#).repeat(5)
}

/// What an endpoint has sent, as another implementation and ours understand it; and whether each message
/// came compressed.
#[track_caller]
fn understood(side: Side, deflate: DeflateConfig, bytes: &[u8]) -> Vec<(String, bool)> {
    let takeover = deflate != NO_TAKEOVER;
    let mut theirs = TheirInflater::new(takeover);
    let sent: Vec<_> = messages(bytes)
        .into_iter()
        .map(|(_, rsv1, payload)| {
            let payload = match rsv1 {
                true => theirs.message(&payload),
                false => payload,
            };
            (String::from_utf8(payload).unwrap(), rsv1)
        })
        .collect();
    let ours = inflated_any_way(side.other(), &Config::new(), deflate, bytes);
    assert_eq!(ours.error, None);
    let theirs: Vec<_> = sent
        .iter()
        .map(|(text, _)| Seen::Text(text.clone()))
        .collect();
    assert!(theirs == ours.seen, "two implementations, two results");
    sent
}

#[test]
fn every_mix_of_prepared_and_other_messages_is_understood() {
    let prepared = [0, 1].map(|number| Prepared::new(json(number)));
    for side in SIDES {
        for deflate in [ALL, NO_TAKEOVER] {
            // Each bit decides how one of the messages is sent.
            for mix in 0..64_u32 {
                let mut endpoint = side.deflating(Config::new(), deflate);
                let mut expected = Vec::new();
                for place in 0..6 {
                    let number = place % 2;
                    match mix >> place & 1 {
                        0 => endpoint.connection.send_text(&json(number)).unwrap(),
                        _ => {
                            let message = &prepared[number];
                            endpoint.connection.send_prepared(message).unwrap();
                        }
                    }
                    expected.push((json(number), true));
                }
                let sent = understood(side, deflate, &endpoint.output());
                assert!(sent == expected, "{side:?}, mix {mix:b}");
            }
        }
    }
}

#[test]
fn the_first_message_behind_it_refers_to_nothing_and_the_next_does_again() {
    let payloads = |prepared: bool| {
        let mut server = Side::Server.deflating(Config::new(), ALL);
        let mut send = || server.connection.send_text(&json(1)).unwrap();
        send();
        send();
        if prepared {
            let message = Prepared::new(json(2));
            server.connection.send_prepared(&message).unwrap();
        }
        server.connection.send_text(&json(1)).unwrap();
        server.connection.send_text(&json(1)).unwrap();
        let sent = messages(&server.output());
        sent.into_iter().map(|(_, _, payload)| payload).collect()
    };
    let (with, without): (Vec<_>, Vec<_>) = (payloads(true), payloads(false));
    assert!(without[2].len() < without[0].len() / 2);
    assert!(with[3] == with[0], "it refers to what came before");
    assert_eq!(with[4], with[1]);
}

#[test]
fn one_form_serves_all_who_agree_and_each_other_window_has_its_own() {
    // Far apart, so that a window makes a difference.
    let text = format!("{0}{1}{0}", json(1), json(2).repeat(20));
    let message = Prepared::new(text.clone());
    let mut forms = Vec::new();
    for bits in (9..=15).chain(9..=15) {
        let deflate = ALL.server_max_window_bits(bits);
        let mut server = Side::Server.deflating(Config::new(), deflate);
        server.connection.send_prepared(&message).unwrap();
        let bytes = server.output();
        assert_eq!(
            understood(Side::Server, deflate, &bytes),
            [(text.clone(), true)]
        );
        let (_, _, payload) = messages(&bytes).remove(0);
        assert!(largest_distance(&payload) <= 1 << bits, "{bits} bits");
        forms.push(payload);
    }
    assert!(forms[..7] == forms[7..]);
    // Window 8 is sent as it is, as elsewhere.
    let mut server = Side::Server.deflating(Config::new(), ALL.server_max_window_bits(8));
    server.connection.send_prepared(&message).unwrap();
    assert!(!messages(&server.output())[0].1);
}

#[test]
fn it_is_compressed_with_the_effort_of_each_connection() {
    let message = Prepared::new(json(1).repeat(10));
    let size = |level, memory_level| {
        let deflate = NO_TAKEOVER.level(level).memory_level(memory_level);
        let sizes = [true, false].map(|prepared| {
            let mut server = Side::Server.deflating(Config::new(), deflate);
            match prepared {
                true => server.connection.send_prepared(&message).unwrap(),
                false => {
                    let text = std::str::from_utf8(message.as_bytes()).unwrap();
                    server.connection.send_text(text).unwrap();
                }
            }
            server.output()
        });
        assert!(sizes[0] == sizes[1], "level {level}, {memory_level}");
    };
    for level in [0, 1, 6, 9, 1, 6] {
        size(level, 8);
        size(level, 1);
    }
}

#[test]
fn connections_make_no_compressor_for_it_and_it_is_compressed_once() {
    let message = Prepared::new(json(1));
    let mut servers: Vec<_> = (0..20)
        .map(|_| Side::Server.deflating(Config::new(), ALL))
        .collect();
    let ((), first) = measure(|| servers[0].connection.send_prepared(&message).unwrap());
    let ((), rest) = measure(|| {
        for server in &mut servers[1..] {
            server.connection.send_prepared(&message).unwrap();
        }
    });
    // 371 KiB for a compressor, which is given back.
    assert!(first.peak > 300 * 1024, "{first:?}");
    assert!(rest.peak < 20 * 1024, "{rest:?}");
}

#[test]
fn what_the_compressor_holds_is_given_back_once_it_holds_no_context() {
    let mut server = Side::Server.deflating(Config::new(), ALL);
    server.connection.send_text(&json(1)).unwrap();
    let first = server.output();
    server.connection.release();
    server.connection.send_text(&json(1)).unwrap();
    let second = server.output();
    assert!(second.len() < first.len() / 2, "the context was kept");
    server
        .connection
        .send_prepared(&Prepared::new(json(2)))
        .unwrap();
    let third = server.output();
    server.connection.release();
    server.connection.send_text(&json(1)).unwrap();
    let fourth = server.output();
    assert!(fourth == first, "the context was not given back");
    let all = [first, second, third, fourth].concat();
    assert_eq!(understood(Side::Server, ALL, &all).len(), 4);
}

#[test]
fn small_ones_incompressible_ones_and_those_with_compression_off_go_as_they_are() {
    let small = Prepared::new(json(1));
    let at_least = ALL.threshold(small.len() + 1);
    let mut server = Side::Server.deflating(Config::new(), at_least);
    server.connection.send_prepared(&small).unwrap();
    let sent = messages(&server.output());
    assert_eq!(sent, [(Opcode::Text, false, small.as_bytes().to_vec())]);

    let mut server = Side::Server.deflating(Config::new(), ALL);
    server.connection.send_text(&json(1)).unwrap();
    let first = server.output();
    let short = Prepared::new(vec![1, 2, 3]);
    server.connection.send_prepared(&short).unwrap();
    assert_eq!(server.output(), [0x82, 3, 1, 2, 3]);
    server.connection.set_compression(false);
    server.connection.send_prepared(&small).unwrap();
    assert!(!messages(&server.output())[0].1);
    // Neither went through the peer's window: the context goes on.
    server.connection.set_compression(true);
    server.connection.send_text(&json(1)).unwrap();
    let last = server.output();
    assert!(last.len() < first.len() / 2);
    let all = [first, last].concat();
    assert_eq!(understood(Side::Server, ALL, &all).len(), 2);
}

#[test]
fn a_refused_one_leaves_no_trace_in_the_context() {
    let prepared = Prepared::new(json(2));
    let config = Config::new().write_limit(100);
    let mut server = Side::Server.deflating(config, ALL);
    server.connection.send_text(&json(1)).unwrap();
    let refused = server.connection.send_prepared(&prepared);
    assert_eq!(refused, Err(SendError::Full(())));
    let first = server.output();
    server.connection.send_text(&json(1)).unwrap();
    let second = server.output();
    assert!(second.len() < first.len() / 2, "it refers to the first");
}

#[test]
fn threads_that_need_a_form_at_once_get_the_same() {
    let prepared = Prepared::new(json(3).repeat(50));
    let start = Barrier::new(4);
    let sent: Vec<_> = std::thread::scope(|scope| {
        let threads: Vec<_> = (0..4)
            .map(|number| {
                let (prepared, start) = (prepared.clone(), &start);
                scope.spawn(move || {
                    let deflate = NO_TAKEOVER.server_max_window_bits(14 + number % 2);
                    let mut server = Side::Server.deflating(Config::new(), deflate);
                    start.wait();
                    server.connection.send_prepared(&prepared).unwrap();
                    server.output()
                })
            })
            .collect();
        threads
            .into_iter()
            .map(|thread| thread.join().unwrap())
            .collect()
    });
    assert!(sent[0] == sent[2] && sent[1] == sent[3]);
    let text = String::from_utf8(prepared.as_bytes().to_vec()).unwrap();
    for bytes in sent {
        assert!(understood(Side::Server, NO_TAKEOVER, &bytes) == [(text.clone(), true)]);
    }
}

#[test]
fn a_large_compressed_form_is_shared_too() {
    let mut state = 1_u32;
    let text: String = (0..60_000)
        .map(|_| {
            state = state.wrapping_mul(1_664_525).wrapping_add(1_013_904_223);
            char::from(b'a' + (state >> 24) as u8 % 16)
        })
        .collect();
    let prepared = Prepared::new(text.as_str());
    let [one, other] = [ALL, ALL].map(|deflate| {
        let mut server = Side::Server.deflating(Config::new(), deflate);
        server.connection.send_prepared(&prepared).unwrap();
        use bytes::Buf;
        let mut transmit = server.connection.transmit();
        transmit.advance(4);
        let shared = transmit.chunk().as_ptr();
        assert!(transmit.chunk().len() > 8192);
        shared
    });
    assert_eq!(one, other);
}
