//! What compression holds, counted by the allocator.
#![cfg(feature = "deflate")]

mod common;

use common::allocations::{Counting, measure};
use common::compressed::*;
use common::*;
use sansocket::frame::Opcode;
use sansocket::{Chunk, Config, Connection, DeflateConfig, Delivery, ProtocolError, ReceiveBuffer};

#[global_allocator]
static ALLOCATOR: Counting = Counting;

/// The table in the documentation of [`DeflateConfig`], in KiB: with windows of 15, 12 and 9 bits.
const WINDOW_BITS: [u8; 3] = [15, 12, 9];
const COMPRESSOR: [(u8, [isize; 3]); 4] = [
    (9, [483, 371, 357]),
    (8, [371, 259, 245]),
    (5, [273, 161, 147]),
    (1, [260, 148, 134]),
];
const DECOMPRESSOR: [isize; 3] = [47, 47, 47];

/// How far from the table a figure may be, in bytes.
const TOLERANCE: isize = 1024;

/// A connection's own part of compression, apart from compressor and decompressor.
const IDLE: isize = 200;

fn deflating(side: Side, deflate: DeflateConfig) -> Connection {
    side.connection(Config::new())
        .with_deflate(Some(deflate.into()))
}

fn with_bits(bits: u8) -> DeflateConfig {
    ALL.server_max_window_bits(bits)
        .client_max_window_bits(bits)
}

fn kib(bytes: isize) -> isize {
    (bytes + 512) / 1024
}

/// Sends and transmits some messages, whole and in parts.
fn send(connection: &mut Connection, large: usize) {
    for len in [1, 100, large, 10] {
        let text = "a compressible text. ".repeat(len);
        connection.send_text(&text).unwrap();
        connection.send_chunk(Chunk::text(&text)).unwrap();
        connection.send_chunk(Chunk::text("").last()).unwrap();
        let mut transmit = connection.transmit();
        let all = transmit.queued();
        bytes::Buf::advance(&mut transmit, all);
    }
}

/// Receives as an adapter does, in reads of a kilobyte.
fn receive(
    connection: &mut Connection,
    rx: &mut ReceiveBuffer,
    mut bytes: &[u8],
) -> Result<(), ProtocolError> {
    while !bytes.is_empty() {
        let room = rx.spare(connection.read_hint(rx, READ));
        let read = room.len().min(bytes.len());
        room[..read].copy_from_slice(&bytes[..read]);
        rx.commit(read);
        bytes = &bytes[read..];
        while connection.receive(rx)?.is_some() {}
    }
    Ok(())
}

const READ: usize = 1024;

/// Compressed messages for this side, and their inflated size.
fn incoming(side: Side, takeover: bool) -> Vec<u8> {
    let mut theirs = Theirs::new(takeover);
    let texts = [10, 1_000, 2_000].map(|len| "a compressible text. ".repeat(len));
    let messages = texts.map(|text| {
        let payload = theirs.message(text.as_bytes());
        side.compressed_in(30, Opcode::Text, &payload)
    });
    messages.concat()
}

#[test]
fn an_idle_connection_without_takeover_holds_no_compressor_and_no_decompressor() {
    for side in SIDES {
        for bits in WINDOW_BITS {
            let deflate = with_bits(bits)
                .server_context_takeover(false)
                .client_context_takeover(false);
            let bytes = incoming(side, false);
            let ((mut connection, mut rx), used) = measure(|| {
                let mut connection = deflating(side, deflate);
                let mut rx = ReceiveBuffer::new();
                send(&mut connection, 30_000);
                receive(&mut connection, &mut rx, &bytes).unwrap();
                rx.release();
                connection.release();
                (connection, rx)
            });
            // A client holds its source of masking keys.
            let (_, keys) = measure(|| side.connection(Config::new()));
            let held = used.held + keys.held.min(0);
            assert!(held <= IDLE, "{side:?}, {bits} bits: {used:?}");
            assert!(used.peak > 100_000, "the counter counts");
            assert_eq!(rx.capacity(), 0);
            // And both still work.
            send(&mut connection, 10);
            receive(&mut connection, &mut rx, &bytes).unwrap();
        }
    }
}

#[test]
fn a_connection_that_has_sent_and_received_nothing_holds_next_to_nothing() {
    for side in SIDES {
        let (_connection, used) = measure(|| deflating(side, ALL));
        assert!(used.held <= IDLE, "{used:?}");
    }
}

#[test]
fn a_compressor_holds_what_the_documentation_says() {
    for (memory_level, expected) in COMPRESSOR {
        for (bits, expected) in WINDOW_BITS.into_iter().zip(expected) {
            for side in SIDES {
                for level in [1, 6, 9] {
                    let deflate = with_bits(bits).memory_level(memory_level).level(level);
                    let mut connection = deflating(side, deflate);
                    let ((), used) = measure(|| {
                        send(&mut connection, 1_000);
                        connection.release();
                    });
                    let off = used.held - expected * 1024;
                    assert!(
                        off.abs() <= TOLERANCE,
                        "{bits} bits, memory level {memory_level}: {} KiB",
                        kib(used.held)
                    );
                }
            }
        }
    }
}

#[test]
fn a_decompressor_holds_what_the_documentation_says() {
    for (bits, expected) in WINDOW_BITS.into_iter().zip(DECOMPRESSOR) {
        for side in SIDES {
            let mut connection = deflating(side, with_bits(bits));
            let mut rx = ReceiveBuffer::new();
            let payload = Theirs::new(true).message(&b"text ".repeat(50));
            let bytes = side.compressed(Opcode::Text, &payload).repeat(100);
            let ((), used) = measure(|| {
                receive(&mut connection, &mut rx, &bytes).unwrap();
                rx.release();
                connection.release();
            });
            let off = used.held - expected * 1024;
            assert!(off.abs() <= TOLERANCE, "{bits} bits: {}", used.held);
        }
    }
}

#[test]
fn the_table_is_the_one_in_the_documentation() {
    let source = include_str!("../src/extension/deflate/config.rs");
    let mut rows: Vec<_> = COMPRESSOR
        .into_iter()
        .map(|(level, kib)| (format!("compressor, memory level {level}"), kib))
        .collect();
    rows[1].0.push_str(" (the default)");
    rows.push(("decompressor".into(), DECOMPRESSOR));
    for (what, [a, b, c]) in rows {
        let row = format!("/// | {what} | {a} KiB | {b} KiB | {c} KiB |");
        assert!(source.contains(&row), "no row {row}");
    }
}

#[test]
fn only_the_direction_with_takeover_holds_something() {
    for side in SIDES {
        let bytes = incoming(side, false);
        let (sends, receives) = match side {
            Side::Client => (
                ALL.server_context_takeover(false),
                ALL.client_context_takeover(false),
            ),
            Side::Server => (
                ALL.client_context_takeover(false),
                ALL.server_context_takeover(false),
            ),
        };
        for (deflate, expected) in [(sends, COMPRESSOR[1].1[0]), (receives, DECOMPRESSOR[0])] {
            let mut connection = deflating(side, deflate);
            let mut rx = ReceiveBuffer::new();
            let ((), used) = measure(|| {
                send(&mut connection, 10);
                receive(&mut connection, &mut rx, &bytes).unwrap();
                rx.release();
                connection.release();
            });
            let off = used.held - expected * 1024;
            assert!(off.abs() <= TOLERANCE, "{side:?}: {used:?}");
        }
    }
}

/// 100 MiB of zeros in about as many KiB.
fn bomb() -> Vec<u8> {
    let block = Theirs::new(true).block(&vec![0; 1 << 20]);
    block.repeat(100)
}

#[test]
fn a_bomb_is_inflated_no_further_than_the_limit() {
    const LIMIT: usize = 1 << 20;
    let payload = bomb();
    assert!(payload.len() < 200_000);
    for side in SIDES {
        for delivery in DELIVERIES {
            for fragment in [100, usize::MAX] {
                let bytes = side.compressed_in(fragment, Opcode::Binary, &payload);
                let config = Config::new()
                    .delivery(delivery)
                    .max_message_size(LIMIT as u64);
                let (result, used) = measure(|| {
                    let connection = side.connection(config);
                    let mut connection = connection.with_deflate(Some(ALL.into()));
                    let mut rx = ReceiveBuffer::new();
                    receive(&mut connection, &mut rx, &bytes)
                });
                let limit = LIMIT as u64;
                assert_eq!(result, Err(ProtocolError::MessageTooBig { limit }));
                assert_eq!(result.unwrap_err().close_code().get(), 1009);
                // As `Config` says: reads are smaller than the message, if not than the frame.
                let message = match delivery {
                    Delivery::Messages => 2 * LIMIT + 2 * bytes.len(),
                    Delivery::Chunks => 2 * READ,
                };
                let bound = message as isize + (DECOMPRESSOR[0] + 64 + 1) * 1024;
                assert!(used.peak <= bound, "{delivery:?}: {used:?} above {bound}");
            }
        }
    }
}

#[test]
fn a_bomb_passes_in_chunks_through_constant_memory() {
    let bomb = bomb();
    let payload = [&bomb[..bomb.len() / 10], &[0]].concat();
    let bytes = Side::Server.compressed(Opcode::Binary, &payload);
    let config = Config::new()
        .delivery(Delivery::Chunks)
        .max_message_size(u64::MAX);
    let (result, used) = measure(|| {
        let connection = Connection::server(config);
        let mut connection = connection.with_deflate(Some(ALL.into()));
        let mut rx = ReceiveBuffer::new();
        receive(&mut connection, &mut rx, &bytes)
    });
    assert_eq!(result, Ok(()));
    assert!(used.peak <= 2 * READ as isize + (DECOMPRESSOR[0] + 64 + 1) * 1024);
}

#[test]
fn final_blocks_without_end_make_few_decompressors() {
    let payload = [0x03, 0x00].repeat(50_000);
    for side in SIDES {
        let bytes = side.compressed(Opcode::Binary, &payload);
        let (result, used) = measure(|| {
            let mut connection = deflating(side, ALL);
            let mut rx = ReceiveBuffer::new();
            receive(&mut connection, &mut rx, &bytes)
        });
        assert_eq!(result, Err(ProtocolError::InvalidDeflate));
        assert!(used.allocations < 100, "{used:?}");
        assert!(used.peak < 300_000, "{used:?}");
    }
}

#[test]
fn a_large_message_that_was_sent_leaves_nothing_large_behind() {
    let mut state = 1_u64;
    let mut next = || {
        state ^= state << 13;
        state ^= state >> 7;
        state ^= state << 17;
        state.to_le_bytes()[3]
    };
    let noise: Vec<u8> = (0..2_000_000).map(|_| next()).collect();
    for side in SIDES {
        for takeover in [true, false] {
            let deflate = ALL
                .server_context_takeover(takeover)
                .client_context_takeover(takeover);
            let mut connection = deflating(side, deflate);
            let ((), used) = measure(|| {
                connection.send_binary(&noise).unwrap();
                let mut transmit = connection.transmit();
                let all = transmit.queued();
                bytes::Buf::advance(&mut transmit, all);
            });
            let bound = (COMPRESSOR[1].1[0] + 64 + 64 + 2) * 1024;
            assert!(used.held <= bound, "{used:?}");
        }
    }
}

#[test]
fn small_compressed_messages_are_received_and_echoed_without_allocating() {
    for side in SIDES {
        for deflate in [ALL, NO_TAKEOVER] {
            let mut connection = deflating(side, deflate);
            let mut rx = ReceiveBuffer::new();
            let payload = Theirs::new(true).message(&b"text ".repeat(50));
            let bytes = side.compressed(Opcode::Text, &payload);
            let mut echo = |rounds: usize| {
                for _ in 0..rounds {
                    rx.spare(READ)[..bytes.len()].copy_from_slice(&bytes);
                    rx.commit(bytes.len());
                    while let Some(event) = connection.receive(&mut rx).unwrap() {
                        let sansocket::Event::Text(text) = event else {
                            panic!("not a text");
                        };
                        connection.send_text(&text).unwrap();
                    }
                    let mut transmit = connection.transmit();
                    let all = transmit.queued();
                    bytes::Buf::advance(&mut transmit, all);
                }
            };
            echo(3);
            let ((), used) = measure(|| echo(300));
            assert_eq!(used.allocations, 0, "{side:?}: {used:?}");
        }
    }
}
