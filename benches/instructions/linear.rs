//! That time grows with the bytes received and not with their square: what 16 MiB cost, against what
//! 1 MiB costs. Counted, so that a busy machine changes nothing.

#![allow(clippy::semicolon_if_nothing_returned)] // a table of calls

use sansocket::frame::{Header, Opcode};
use sansocket::{Config, Connection, Delivery, Event, ReceiveBuffer};

pub(crate) type Work = (&'static str, fn(u64));

/// In bytes of message.
pub(crate) const SMALL: u64 = 1 << 20;
pub(crate) const LARGE: u64 = 16 * SMALL;

/// How many times as many instructions the larger takes at the most, where 16 is exact.
pub(crate) const AT_MOST: f64 = 16.5;

pub(crate) const WORK: &[Work] = &[
    ("binary, byte by byte", |n| {
        byte_by_byte(Opcode::Binary, Delivery::Messages, n)
    }),
    ("text, byte by byte", |n| {
        byte_by_byte(Opcode::Text, Delivery::Messages, n)
    }),
    ("text in chunks, byte by byte", |n| {
        byte_by_byte(Opcode::Text, Delivery::Chunks, n)
    }),
    ("binary, fragments of a byte", |n| {
        fragments(Opcode::Binary, n)
    }),
    ("text, fragments of a byte", |n| fragments(Opcode::Text, n)),
];

fn server(delivery: Delivery) -> Connection {
    let config = Config::new()
        .delivery(delivery)
        .max_message_size(LARGE)
        .max_fragments(u32::MAX);
    Connection::server(config)
}

fn header(opcode: Opcode, fin: bool, len: u64) -> Vec<u8> {
    let header = Header {
        masking_key: Some([1, 2, 3, 4]),
        ..Header::new(opcode, fin, len)
    };
    header.encode().to_vec()
}

/// Gives how many bytes of messages came of what was received.
fn received(connection: &mut Connection, rx: &mut ReceiveBuffer) -> u64 {
    let mut bytes = 0;
    while let Some(event) = connection.receive(rx).unwrap() {
        bytes += match event {
            Event::Text(text) => text.len(),
            Event::Binary(data) => data.len(),
            Event::Chunk(chunk) => chunk.data.as_bytes().len(),
            other => panic!("{other:?}"),
        } as u64;
    }
    bytes
}

/// One frame that comes a byte at a time.
fn byte_by_byte(opcode: Opcode, delivery: Delivery, n: u64) {
    let (mut connection, mut rx) = (server(delivery), ReceiveBuffer::new());
    rx.extend_from_slice(&header(opcode, true, n));
    let mut bytes = received(&mut connection, &mut rx);
    // Letters, under the key.
    let letters = [1, 2, 3, 4].map(|key| b'a' ^ key);
    for (_, letter) in (0..n).zip(letters.into_iter().cycle()) {
        let size = connection.read_hint(&rx, 16 * 1024);
        rx.spare(size)[0] = letter;
        rx.commit(1);
        bytes += received(&mut connection, &mut rx);
    }
    assert_eq!(bytes, n);
}

/// A message in frames of a byte, which come many to a read.
fn fragments(opcode: Opcode, n: u64) {
    let (mut connection, mut rx) = (server(Delivery::Messages), ReceiveBuffer::new());
    let fragment = |opcode, fin| [&header(opcode, fin, 1)[..], &[b'a' ^ 1]].concat();
    let more = fragment(Opcode::Continuation, false);
    let many = more.repeat(1024);
    rx.extend_from_slice(&fragment(opcode, false));
    let mut left = usize::try_from(n - 2).unwrap();
    while left > 0 {
        let count = left.min(1024);
        left -= count;
        rx.extend_from_slice(&many[..count * more.len()]);
        assert_eq!(received(&mut connection, &mut rx), 0);
    }
    rx.extend_from_slice(&fragment(Opcode::Continuation, true));
    assert_eq!(received(&mut connection, &mut rx), n);
}
