//! Compression in memory: what a message of JSON-like text costs to compress and to inflate.
//!
//! Each message differs from the one before, as those of a service do. All sizes and rates are of
//! text; the sizes on the wire are printed first.

use std::hint::black_box;
use std::time::Duration;

use bytes::Buf;
use criterion::{BatchSize, BenchmarkId, Criterion, Throughput};
use flate2::{Compress, Compression, Decompress, FlushCompress, FlushDecompress};
use sansocket::{Config, Connection, DeflateConfig, Event, ReceiveBuffer, SeededMaskKeys};

const SIZES: [usize; 3] = [125, 1 << 10, 64 << 10];
const CASES: [(&str, bool); 2] = [("takeover", true), ("no takeover", false)];

/// A round has at least this much text.
const ROUND: usize = 64 * 1024;

fn main() {
    let mut criterion = Criterion::default()
        .warm_up_time(Duration::from_millis(300))
        .measurement_time(Duration::from_secs(1))
        .sample_size(10)
        .nresamples(2_000)
        .without_plots()
        .configure_from_args();
    for (name, takeover) in CASES {
        for size in SIZES {
            let texts = texts(size);
            let mut server = server(takeover);
            let wire: usize = texts.iter().map(|text| sent(&mut server, text).len()).sum();
            println!("{name}, {size}: {} bytes on the wire", wire / texts.len());
        }
    }
    compress(&mut criterion);
    inflate(&mut criterion);
    miniz_oxide(&mut criterion);
    criterion.final_summary();
}

fn config(takeover: bool) -> DeflateConfig {
    DeflateConfig::new()
        .server_context_takeover(takeover)
        .client_context_takeover(takeover)
}

fn server(takeover: bool) -> Connection {
    Connection::server(Config::new()).with_deflate(Some(config(takeover).into()))
}

fn client(takeover: bool) -> Connection {
    let keys = SeededMaskKeys::new([7; 32]);
    Connection::client(Config::new(), keys).with_deflate(Some(config(takeover).into()))
}

/// Texts of exactly this size, a round of them.
fn texts(size: usize) -> Vec<String> {
    let mut ids = 0..;
    let mut next = || {
        let mut text = String::new();
        while text.len() < size {
            let id: u32 = ids.next().unwrap_or_default();
            let score = id.wrapping_mul(2_654_435_761) % 10_000;
            text.push_str(&format!(
                r#"{{"id":{id},"name":"user {score}","active":{},"score":{score},"tags":["a","b"]}},"#,
                id % 3 == 0
            ));
        }
        text.truncate(size);
        text
    };
    (0..ROUND.div_ceil(size).max(4)).map(|_| next()).collect()
}

/// The bytes that a message makes.
fn sent(connection: &mut Connection, text: &str) -> Vec<u8> {
    connection.send_text(text).expect("room");
    let mut transmit = connection.transmit();
    transmit.copy_to_bytes(transmit.remaining()).to_vec()
}

fn compress(criterion: &mut Criterion) {
    for (name, takeover) in CASES {
        let mut group = criterion.benchmark_group(format!("compress, {name}"));
        for size in SIZES {
            let texts = texts(size);
            let mut texts = texts.iter().cycle();
            let mut server = server(takeover);
            group.throughput(Throughput::Bytes(size as u64));
            group.bench_function(BenchmarkId::from_parameter(size), |bencher| {
                bencher.iter(|| {
                    let text = texts.next().expect("a cycle");
                    server.send_text(black_box(text)).expect("room");
                    let mut transmit = server.transmit();
                    let all = transmit.remaining();
                    transmit.advance(all);
                });
            });
        }
    }
}

fn inflate(criterion: &mut Criterion) {
    for (name, takeover) in CASES {
        let mut group = criterion.benchmark_group(format!("inflate, {name}"));
        for size in SIZES {
            let texts = texts(size);
            let mut server = server(takeover);
            let mut wire = texts.iter().map(|text| sent(&mut server, text));
            let first = wire.next().expect("a message");
            let rest: Vec<u8> = wire.flatten().collect();
            let messages = texts.len() - 1;
            group.throughput(Throughput::Bytes((size * messages) as u64));
            group.bench_function(BenchmarkId::from_parameter(size), |bencher| {
                bencher.iter_batched_ref(
                    || {
                        // With its decompressor made, and a history.
                        let mut client = client(takeover);
                        let mut rx = ReceiveBuffer::new();
                        assert_eq!(received(&mut client, &mut rx, &first), 1);
                        (client, rx)
                    },
                    |(client, rx)| assert_eq!(received(client, rx, &rest), messages),
                    BatchSize::SmallInput,
                );
            });
        }
    }
}

/// The other candidate, bare: one state kept, as with takeover, without frames and checks of UTF-8.
fn miniz_oxide(criterion: &mut Criterion) {
    let mut group = criterion.benchmark_group("compress, miniz_oxide alone");
    for size in SIZES {
        let texts = texts(size);
        let mut texts = texts.iter().cycle();
        let mut state = Compress::new(Compression::new(6), false);
        let mut output = Vec::with_capacity(2 * size + 64);
        group.throughput(Throughput::Bytes(size as u64));
        group.bench_function(BenchmarkId::from_parameter(size), |bencher| {
            bencher.iter(|| {
                output.clear();
                let text = texts.next().expect("a cycle").as_bytes();
                let status = state.compress_vec(black_box(text), &mut output, FlushCompress::Sync);
                status.expect("no error");
            });
        });
    }
    group.finish();

    let mut group = criterion.benchmark_group("inflate, miniz_oxide alone");
    for size in SIZES {
        let texts = texts(size);
        let mut state = Compress::new(Compression::new(6), false);
        let compressed = |text: &String| {
            let mut output = Vec::with_capacity(2 * size + 64);
            let status = state.compress_vec(text.as_bytes(), &mut output, FlushCompress::Sync);
            status.expect("no error");
            output
        };
        let messages: Vec<Vec<u8>> = texts.iter().map(compressed).collect();
        let mut output = Vec::with_capacity(size + 64);
        group.throughput(Throughput::Bytes((size * messages.len()) as u64));
        group.bench_function(BenchmarkId::from_parameter(size), |bencher| {
            bencher.iter_batched_ref(
                || Decompress::new(false),
                |state| {
                    for message in &messages {
                        output.clear();
                        let status =
                            state.decompress_vec(message, &mut output, FlushDecompress::Sync);
                        status.expect("no error");
                        assert_eq!(output.len(), size);
                    }
                },
                BatchSize::SmallInput,
            );
        });
    }
    group.finish();
}

/// Receives all messages; gives how many there were.
fn received(connection: &mut Connection, rx: &mut ReceiveBuffer, wire: &[u8]) -> usize {
    rx.extend_from_slice(wire);
    let mut messages = 0;
    while let Some(event) = connection.receive(rx).expect("the protocol is kept") {
        if let Event::Text(text) = event {
            black_box(&*text);
            messages += 1;
        }
    }
    messages
}
