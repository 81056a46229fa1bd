//! Pings and pongs (RFC 6455 §5.5.2–§5.5.3).

mod common;

use common::pair::Pair;
use common::*;
use sansocket::frame::Opcode;
use sansocket::{Config, State};

fn pongs(bytes: &[u8]) -> Vec<Vec<u8>> {
    let pongs = frames(bytes).into_iter().map(|(header, payload)| {
        assert_eq!(header.opcode, Opcode::Pong);
        payload
    });
    pongs.collect()
}

#[test]
fn a_ping_is_answered_with_its_data_at_every_size() {
    for side in SIDES {
        for len in 0..=125 {
            let data = data(len);
            let result = received_any_way(side, &Config::new(), &side.ping(&data));
            assert_eq!(result.seen, [Seen::ping(&data)]);
            assert_eq!(pongs(&result.output), [data]);
        }
    }
}

#[test]
fn a_pong_is_an_event_asked_for_or_not_and_gets_no_answer() {
    for side in SIDES {
        let bytes = side.frame(Opcode::Pong, true, b"unasked");
        let result = received_any_way(side, &Config::new(), &bytes);
        assert_eq!(result.seen, [Seen::pong(b"unasked")]);
        assert_eq!(result.output, b"");
    }
}

#[test]
fn pings_go_both_ways_between_real_endpoints() {
    for split in splits() {
        let mut pair = Pair::split(Config::new(), Config::new(), split);
        pair.client.connection.ping(b"from client").unwrap();
        pair.server.connection.ping(b"from server").unwrap();
        pair.run();
        let seen = [Seen::ping(b"from server"), Seen::pong(b"from client")];
        assert!(seen.iter().all(|seen| pair.client.seen.contains(seen)));
        let seen = [Seen::ping(b"from client"), Seen::pong(b"from server")];
        assert!(seen.iter().all(|seen| pair.server.seen.contains(seen)));
        assert_eq!(pair.states(), (State::Open, State::Open));
    }
}

#[test]
fn while_a_pong_waits_the_latest_ping_wins() {
    for side in SIDES {
        let mut endpoint = side.endpoint(Config::new());
        for i in 0..100_u8 {
            endpoint.feed(&side.ping(&[i]));
        }
        assert_eq!(endpoint.seen.len(), 100, "each ping is an event");
        assert_eq!(pongs(&endpoint.output()), [[0], [99]], "the first had left");
        endpoint.feed(&side.ping(b"again"));
        assert_eq!(pongs(&endpoint.output()), [b"again"]);
    }
}

#[test]
fn pings_that_are_answered_in_between_each_get_their_pong() {
    for side in SIDES {
        let mut endpoint = side.endpoint(Config::new());
        for i in 0..=u8::MAX {
            endpoint.feed(&side.ping(&[i]));
            assert_eq!(pongs(&endpoint.output()), [[i]]);
        }
    }
}

#[test]
fn a_flood_of_pings_that_reads_no_pong_queues_no_more_than_two() {
    for side in SIDES {
        let mut endpoint = side.endpoint(Config::new());
        let flood = side.ping(&[7; 125]).repeat(1000);
        let mut most = 0;
        for _ in 0..10 {
            endpoint.feed(&flood);
            most = most.max(endpoint.connection.transmit().queued());
            endpoint.seen.clear();
            assert!(endpoint.rx.is_empty());
        }
        assert!(most <= 2 * 131, "{most} bytes queued");
        assert_eq!(pongs(&endpoint.output()).len(), 2);
    }
}

#[test]
fn a_flood_of_pings_over_a_slow_link_stays_bounded_and_well_formed() {
    for side in SIDES {
        let mut endpoint = side.endpoint(Config::new());
        let mut output = Vec::new();
        for i in 0..2000_u32 {
            endpoint.feed(&side.ping(&i.to_be_bytes()));
            let mut transmit = endpoint.connection.transmit();
            assert!(transmit.queued() <= 2 * 131);
            let byte = bytes::Buf::chunk(&transmit)[0];
            bytes::Buf::advance(&mut transmit, 1);
            output.push(byte);
        }
        output.extend(endpoint.output());
        let pongs = pongs(&output);
        let numbers: Vec<_> = pongs
            .iter()
            .map(|p| u32::from_be_bytes(p[..].try_into().unwrap()))
            .collect();
        assert!(numbers.is_sorted_by(|a, b| a < b), "in order, each once");
        assert_eq!(numbers.last(), Some(&1999), "the latest is answered");
    }
}

#[test]
fn pongs_are_queued_behind_the_messages_that_wait() {
    for side in SIDES {
        let mut endpoint = side.endpoint(Config::new());
        endpoint.connection.send_text("first").unwrap();
        endpoint.feed(&side.ping(b"?"));
        endpoint.connection.send_text("last").unwrap();
        let sent: Vec<_> = frames(&endpoint.output())
            .into_iter()
            .map(|(_, payload)| payload)
            .collect();
        assert_eq!(sent, [&b"first"[..], b"?", b"last"]);
    }
}

#[test]
fn a_ping_amid_our_own_fragments_is_answered_between_them() {
    for side in SIDES {
        let mut endpoint = side.endpoint(Config::new());
        let chunk = sansocket::Chunk::text("a");
        endpoint.connection.send_chunk(chunk).unwrap();
        endpoint.feed(&side.ping(b""));
        endpoint.connection.send_chunk(chunk.last()).unwrap();
        let sent = frames(&endpoint.output());
        let sent: Vec<_> = sent.iter().map(|(header, _)| header.opcode).collect();
        assert_eq!(sent, [Opcode::Text, Opcode::Pong, Opcode::Continuation]);
    }
}

#[test]
fn no_pong_follows_our_close_frame() {
    for side in SIDES {
        let mut endpoint = side.endpoint(Config::new());
        endpoint.feed(&side.ping(b"before"));
        endpoint.connection.close(None).unwrap();
        endpoint.feed(&side.ping(b"after"));
        assert_eq!(endpoint.seen, [Seen::ping(b"before"), Seen::ping(b"after")]);
        let sent = frames(&endpoint.output());
        let sent: Vec<_> = sent.iter().map(|(header, _)| header.opcode).collect();
        assert_eq!(sent, [Opcode::Pong, Opcode::Close]);
    }
}

#[test]
fn the_latest_ping_is_answered_before_our_close_frame() {
    for side in SIDES {
        let mut endpoint = side.endpoint(Config::new());
        for data in [b"1", b"2", b"3"] {
            endpoint.feed(&side.ping(data));
        }
        endpoint.connection.close(None).unwrap();
        let sent = frames(&endpoint.output());
        let sent: Vec<_> = sent.iter().map(|(h, data)| (h.opcode, &**data)).collect();
        let expected = [
            (Opcode::Pong, &b"1"[..]),
            (Opcode::Pong, b"3"),
            (Opcode::Close, b""),
        ];
        assert_eq!(sent, expected);
    }
}
