//! The engine in memory: what a message costs beside the system calls.
//!
//! Receiving models a stream that is always ready: a prepared wire of many frames is copied into the
//! receive buffer, in reads of what `read_hint` asks for, the way `recv` would. Sending drains the
//! transmit queue after each message. All sizes and rates are of payload.

use std::hint::black_box;
use std::time::Duration;

use bytes::{Buf, Bytes};
use criterion::measurement::WallTime;
use criterion::{BatchSize, BenchmarkGroup, BenchmarkId, Criterion, Throughput};
use sansocket::frame::{Header, Opcode, mask};
use sansocket::{Config, Connection, Event, Message, Prepared, ReceiveBuffer, SeededMaskKeys};

const SIZES: [usize; 6] = [16, 125, 1 << 10, 16 << 10, 64 << 10, 1 << 20];

/// What an adapter reads at a time when it knows no better.
const USUAL_READ: usize = 16 * 1024;

/// A wire holds at least this much payload, so that reads hold many small frames.
const WIRE: usize = 256 * 1024;

/// Connections that get the same message.
const RECEIVERS: usize = 1000;

type Group<'a> = BenchmarkGroup<'a, WallTime>;

fn main() {
    let mut criterion = Criterion::default()
        .warm_up_time(Duration::from_millis(300))
        .measurement_time(Duration::from_secs(1))
        .sample_size(20)
        .nresamples(2_000)
        .without_plots()
        .configure_from_args();
    header(&mut criterion);
    masking(&mut criterion);
    receive(&mut criterion);
    send(&mut criterion);
    echo(&mut criterion);
    broadcast(&mut criterion);
    criterion.final_summary();
}

fn client() -> Connection {
    Connection::client(Config::new(), SeededMaskKeys::new([7; 32]))
}

fn server() -> Connection {
    Connection::server(Config::new())
}

fn header(criterion: &mut Criterion) {
    let mut group = criterion.benchmark_group("header");
    for len in [16, 1 << 10, 1 << 20] {
        let header = Header {
            masking_key: Some([0x37, 0xfa, 0x21, 0x3d]),
            ..Header::new(Opcode::Binary, true, len)
        };
        let bytes = header.encode();
        group.throughput(Throughput::Bytes(bytes.len() as u64));
        group.bench_function(BenchmarkId::new("decode", len), |bencher| {
            bencher.iter(|| Header::decode(black_box(&bytes)));
        });
        group.bench_function(BenchmarkId::new("encode", len), |bencher| {
            bencher.iter(|| black_box(header).encode());
        });
    }
}

fn masking(criterion: &mut Criterion) {
    let mut group = criterion.benchmark_group("mask");
    for size in SIZES {
        let mut payload = binary(size);
        group.throughput(Throughput::Bytes(size as u64));
        group.bench_function(BenchmarkId::from_parameter(size), |bencher| {
            bencher.iter(|| mask(black_box(&mut payload), black_box([0x37, 0xfa, 0x21, 0x3d])));
        });
    }
}

fn receive(criterion: &mut Criterion) {
    let mut group = criterion.benchmark_group("receive");
    for size in SIZES {
        let (binary, ascii, multi) = (Message::from(binary(size)), ascii(size), multi_byte(size));
        type New = fn() -> Connection;
        let rows: [(&str, New, New, &Message); 4] = [
            ("server/binary", client, server, &binary),
            ("server/ascii", client, server, &ascii),
            ("server/multi-byte", client, server, &multi),
            ("client/binary", server, client, &binary),
        ];
        for (name, sender, receiver, message) in rows {
            let wire = wire(sender(), message);
            // Each in a closure of its own, so that neither is compiled with the other in its way.
            let id = BenchmarkId::new(format!("{name}/lent"), size);
            receive_all(&mut group, id, receiver(), &wire, look_at);
            let id = BenchmarkId::new(format!("{name}/owned"), size);
            receive_all(&mut group, id, receiver(), &wire, |event| {
                black_box(event.into_message());
            });
        }
    }
}

/// The frames of many equal messages.
struct Wire {
    bytes: Vec<u8>,
    payload: u64,
}

fn wire(mut sender: Connection, message: &Message) -> Wire {
    let count = (WIRE / message.len()).max(2);
    let mut bytes = Vec::new();
    for _ in 0..count {
        sender.send(message.clone()).unwrap();
        drain(&mut sender, |chunk| bytes.extend_from_slice(chunk));
    }
    let payload = (count * message.len()) as u64;
    Wire { bytes, payload }
}

fn receive_all(
    group: &mut Group<'_>,
    id: BenchmarkId,
    mut connection: Connection,
    wire: &Wire,
    mut on_event: impl FnMut(Event<'_>),
) {
    let mut rx = ReceiveBuffer::new();
    group.throughput(Throughput::Bytes(wire.payload));
    group.bench_function(id, |bencher| {
        bencher.iter(|| {
            read_all(&mut connection, &mut rx, &wire.bytes, |_, event| {
                on_event(event);
            });
        });
    });
}

/// Reads `bytes` as from a socket, with all events that are in them.
#[inline]
fn read_all(
    connection: &mut Connection,
    rx: &mut ReceiveBuffer,
    mut bytes: &[u8],
    mut on_event: impl FnMut(&mut Connection, Event<'_>),
) {
    while !bytes.is_empty() {
        let hint = connection.read_hint(rx, USUAL_READ);
        let (read, rest) = bytes.split_at(hint.min(bytes.len()));
        rx.spare(hint)[..read.len()].copy_from_slice(read);
        rx.commit(read.len());
        bytes = rest;
        while let Some(event) = connection.receive(rx).unwrap() {
            on_event(connection, event);
        }
    }
}

#[inline]
fn look_at(event: Event<'_>) {
    match event {
        Event::Text(text) => _ = black_box(&*text),
        Event::Binary(data) => _ = black_box(&*data),
        other => panic!("{other:?}"),
    }
}

fn send(criterion: &mut Criterion) {
    let mut group = criterion.benchmark_group("send");
    for size in SIZES {
        group.throughput(Throughput::Bytes(size as u64));
        send_all(&mut group, "server", server, size);
        send_all(&mut group, "client", client, size);
    }
}

fn send_all(group: &mut Group<'_>, role: &str, new: fn() -> Connection, size: usize) {
    let id = |what| BenchmarkId::new(format!("{role}/{what}"), size);
    let mut connection = new();
    let data = binary(size);
    let text = ".".repeat(size);
    group.bench_function(id("text"), |bencher| {
        bencher.iter(|| {
            connection.send_text(black_box(&text)).unwrap();
            discard(&mut connection);
        });
    });
    group.bench_function(id("binary"), |bencher| {
        bencher.iter(|| {
            connection.send_binary(black_box(&data)).unwrap();
            discard(&mut connection);
        });
    });
    // Held by others too, as in a broadcast: a client cannot mask it in place.
    let shared = Bytes::from(data.clone());
    let _other = shared.clone();
    group.bench_function(id("shared"), |bencher| {
        bencher.iter(|| {
            connection.send(shared.clone().into()).unwrap();
            discard(&mut connection);
        });
    });
    // Making the messages is not measured; few enough of them wait to stay in the cache.
    let batch = match size {
        0..WIRE => BatchSize::NumIterations((WIRE / size).min(1024) as u64),
        _ => BatchSize::PerIteration,
    };
    group.bench_function(id("owned"), |bencher| {
        bencher.iter_batched(
            || Message::from(data.clone()),
            |message| {
                connection.send(message).unwrap();
                discard(&mut connection);
            },
            batch,
        );
    });
}

/// Masked messages in, copies of them out; transmitted after each read, or when the queue is full.
fn echo(criterion: &mut Criterion) {
    let mut group = criterion.benchmark_group("echo");
    for size in SIZES {
        let messages = [
            ("binary", binary(size).into()),
            ("multi-byte", multi_byte(size)),
        ];
        for (name, message) in messages {
            let wire = wire(client(), &message);
            let (mut connection, mut rx) = (server(), ReceiveBuffer::new());
            group.throughput(Throughput::Bytes(wire.payload));
            group.bench_function(BenchmarkId::new(name, size), |bencher| {
                bencher.iter(|| {
                    read_all(
                        &mut connection,
                        &mut rx,
                        &wire.bytes,
                        |connection, event| {
                            if connection.transmit().queued() >= USUAL_READ {
                                discard(connection);
                            }
                            match event {
                                Event::Text(text) => connection.send_text(&text),
                                Event::Binary(data) => connection.send_binary(&data),
                                other => panic!("{other:?}"),
                            }
                            .unwrap();
                        },
                    );
                    discard(&mut connection);
                });
            });
        }
    }
}

/// One message from a server to many: owned and so cloned, borrowed, or prepared. Rates are of messages
/// that leave. Under takeover each message is the same as the one before, which is as cheap as compressing
/// one of its own can be.
fn broadcast(criterion: &mut Criterion) {
    let mut group = criterion.benchmark_group("broadcast");
    group.throughput(Throughput::Elements(RECEIVERS as u64));
    for size in [125, 1 << 10, 64 << 10] {
        let mut room: Vec<_> = (0..RECEIVERS).map(|_| server()).collect();
        broadcast_all(&mut group, "plain", &mut room, &json(size));
    }
    #[cfg(feature = "deflate")]
    for (name, takeover) in [("deflate", false), ("deflate, takeover", true)] {
        let deflate = sansocket::DeflateConfig::new().server_context_takeover(takeover);
        let new = || server().with_deflate(Some(deflate.into()));
        let mut room: Vec<_> = (0..RECEIVERS).map(|_| new()).collect();
        broadcast_all(&mut group, name, &mut room, &json(1 << 10));
    }
}

fn broadcast_all(group: &mut Group<'_>, name: &str, room: &mut [Connection], text: &str) {
    let id = |what| BenchmarkId::new(format!("{name}/{what}"), text.len());
    let mut to_all = |what, send: &mut dyn FnMut(&mut [Connection])| {
        group.bench_function(id(what), |bencher| {
            bencher.iter(|| {
                send(room);
                room.iter_mut().for_each(discard);
            });
        });
    };
    to_all("owned", &mut |room| {
        let message = Message::from(black_box(text));
        for connection in room {
            connection.send(message.clone()).unwrap();
        }
    });
    to_all("borrowed", &mut |room| {
        for connection in room {
            connection.send_text(black_box(text)).unwrap();
        }
    });
    to_all("prepared", &mut |room| {
        let message = Prepared::new(black_box(text));
        for connection in room {
            connection.send_prepared(&message).unwrap();
        }
    });
}

#[inline]
fn drain(connection: &mut Connection, mut write: impl FnMut(&[u8])) {
    let mut transmit = connection.transmit();
    while transmit.has_remaining() {
        let chunk = transmit.chunk();
        let len = chunk.len();
        write(chunk);
        transmit.advance(len);
    }
}

#[inline]
fn discard(connection: &mut Connection) {
    drain(connection, |chunk| _ = black_box(chunk));
}

fn binary(size: usize) -> Vec<u8> {
    (0..=250).cycle().take(size).collect()
}

fn ascii(size: usize) -> Message {
    let text: String = ('!'..='~').cycle().take(size).collect();
    text.into()
}

/// Records of a few fields, as applications send them.
fn json(size: usize) -> String {
    let records = (0..).map(|id| {
        format!(
            r#"{{"id":{id},"name":"user {}","score":{}}},"#,
            id * 7 % 13,
            id * 31 % 997
        )
    });
    let mut text = String::new();
    for record in records {
        if text.len() >= size {
            break;
        }
        text.push_str(&record);
    }
    text.truncate(size);
    text
}

/// Characters of one to four bytes.
fn multi_byte(size: usize) -> Message {
    let mut text = String::new();
    for character in "zß水🍌".chars().cycle() {
        if text.len() + character.len_utf8() > size {
            break;
        }
        text.push(character);
    }
    text.extend(std::iter::repeat_n('.', size - text.len()));
    text.into()
}
