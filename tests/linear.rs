//! Time grows with what is received and sent, not with its square.
//!
//! Four times the bytes take about four times as long, and sixteen times if anything is done over
//! from the start. Anything below eight is called linear, whatever else the machine is doing: the
//! fastest of several runs counts.

mod common;

use std::time::{Duration, Instant};

use bytes::Buf;
use common::*;
use sansocket::frame::Opcode;
use sansocket::{Config, Delivery, Event, ReceiveBuffer};

fn assert_linear(what: &str, n: usize, work: impl Fn(usize)) {
    let fastest = |n| {
        let runs = (0..2).map(|_| {
            let start = Instant::now();
            work(n);
            start.elapsed()
        });
        runs.min().unwrap_or_default().max(Duration::from_micros(1))
    };
    // Another two runs, should the machine have been busy in all of the first.
    let ratio = || fastest(4 * n).div_duration_f64(fastest(n));
    let ratio = Some(ratio()).filter(|r| *r < 8.0).unwrap_or_else(ratio);
    assert!(
        ratio < 8.0,
        "{what}: {ratio} times as long for 4 times as much"
    );
}

fn unlimited(delivery: Delivery) -> Config {
    Config::new()
        .delivery(delivery)
        .max_fragments(u32::MAX)
        .write_limit(usize::MAX)
}

/// Receives `bytes` in reads of `most`; gives how many bytes of messages came of it.
fn receive(side: Side, delivery: Delivery, bytes: &[u8], most: usize) -> usize {
    let mut connection = side.connection(unlimited(delivery));
    let (mut rx, mut received) = (ReceiveBuffer::new(), 0);
    for piece in bytes.chunks(most) {
        rx.spare(connection.read_hint(&rx, 4096))[..piece.len()].copy_from_slice(piece);
        rx.commit(piece.len());
        while let Some(event) = connection.receive(&mut rx).unwrap() {
            received += match event {
                Event::Text(text) => text.len(),
                Event::Binary(data) => data.len(),
                Event::Chunk(chunk) => chunk.data.as_bytes().len(),
                _ => 0,
            };
        }
    }
    received
}

#[test]
fn one_frame_received_byte_by_byte_takes_linear_time() {
    for (opcode, delivery) in [
        (Opcode::Binary, Delivery::Messages),
        (Opcode::Text, Delivery::Messages),
        (Opcode::Text, Delivery::Chunks),
    ] {
        let side = Side::Server;
        let bytes = side.frame(opcode, true, "é".repeat(1 << 19).as_bytes());
        assert_eq!(receive(side, delivery, &bytes, 1), 1 << 20);
        assert_linear(&format!("{opcode:?}, {delivery:?}"), 1 << 18, |n| {
            let bytes = side.frame(opcode, true, "é".repeat(n / 2).as_bytes());
            receive(side, delivery, &bytes, 1);
        });
    }
}

#[test]
fn a_message_in_fragments_of_a_byte_takes_linear_time() {
    for delivery in DELIVERIES {
        let side = Side::Client;
        let fragments = |n: usize| {
            let mut bytes = side.frame(Opcode::Text, false, b"x");
            let more = side.frame(Opcode::Continuation, false, b"x");
            bytes.extend(more.repeat(n - 2));
            bytes.extend(side.frame(Opcode::Continuation, true, b"x"));
            bytes
        };
        assert_eq!(receive(side, delivery, &fragments(1000), 4096), 1000);
        assert_linear(&format!("{delivery:?}"), 1 << 16, |n| {
            receive(side, delivery, &fragments(n), 4096);
        });
    }
}

#[test]
fn many_messages_in_one_read_take_linear_time() {
    let side = Side::Server;
    assert_linear("one read", 1 << 16, |n| {
        let mut endpoint = side.endpoint(Config::new());
        endpoint.feed(&side.text("x").repeat(n));
        assert_eq!(endpoint.seen.len(), n);
    });
}

#[test]
fn a_buffer_filled_faster_than_it_is_drained_takes_linear_time() {
    let side = Side::Server;
    assert_linear("two in, one out", 1 << 15, |n| {
        let mut connection = side.connection(Config::new());
        let mut rx = ReceiveBuffer::new();
        for _ in 0..n {
            rx.extend_from_slice(&side.text("one").repeat(2));
            assert!(connection.receive(&mut rx).unwrap().is_some());
        }
    });
}

#[test]
fn a_queue_filled_faster_than_it_is_drained_takes_linear_time() {
    let large = bytes::Bytes::from(vec![0; 8192]);
    for every in [usize::MAX, 8] {
        assert_linear("two in, one out", 1 << 14, |n| {
            let mut server = Side::Server.connection(unlimited(Delivery::Messages));
            for i in 0..n {
                server.send_text("one").unwrap();
                server.send_text("two").unwrap();
                if i % every == every - 1 {
                    server.send(large.clone().into()).unwrap();
                }
                server.transmit().advance(5);
            }
            assert!(server.transmit().queued() >= 5 * n);
        });
    }
}
