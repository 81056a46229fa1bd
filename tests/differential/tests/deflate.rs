//! Compressed messages to and from zlib in C: every window, with and without context takeover, in
//! fragments, through many messages on one connection.

use flate2::{Compress, Compression, Decompress, FlushCompress, FlushDecompress};
use proptest::collection::vec;
use proptest::prelude::*;
use proptest::sample::select;
use sansocket::{Chunk, DeflateConfig};
use sansocket_differential::generate::reads;
use sansocket_differential::{End, Frame, LIMIT, ROLES, Role, Seen, cases, frames, ours};

/// What a sender takes off the end of a message.
const TAIL: [u8; 4] = [0, 0, 0xFF, 0xFF];

/// zlib, made for one direction.
struct Deflater(Compress, bool);

impl Deflater {
    fn new(level: u32, bits: u8, takeover: bool) -> Self {
        let level = Compression::new(level);
        Self(Compress::new_with_window_bits(level, false, bits), takeover)
    }

    fn message(&mut self, mut data: &[u8], flush: FlushCompress) -> Vec<u8> {
        let mut out = Vec::new();
        loop {
            out.reserve(1000);
            let (taken, room) = (self.0.total_in(), out.capacity() - out.len());
            let before = out.len();
            self.0.compress_vec(data, &mut out, flush).unwrap();
            data = &data[usize::try_from(self.0.total_in() - taken).unwrap()..];
            if data.is_empty() && out.len() - before < room {
                break;
            }
        }
        if out.ends_with(&TAIL) {
            out.truncate(out.len() - TAIL.len());
        }
        if !self.1 {
            self.0.reset();
        }
        out
    }
}

struct Inflater(Decompress, u8, bool);

impl Inflater {
    fn new(bits: u8, takeover: bool) -> Self {
        Self(
            Decompress::new_with_window_bits(false, bits),
            bits,
            takeover,
        )
    }

    fn message(&mut self, payload: &[u8]) -> Vec<u8> {
        let input = [payload, &TAIL].concat();
        let (mut rest, mut out) = (&input[..], Vec::new());
        loop {
            out.reserve(1000);
            let (taken, before) = (self.0.total_in(), out.len());
            let room = out.capacity() - out.len();
            self.0
                .decompress_vec(rest, &mut out, FlushDecompress::Sync)
                .unwrap();
            rest = &rest[usize::try_from(self.0.total_in() - taken).unwrap()..];
            if rest.is_empty() && out.len() - before < room {
                break;
            }
        }
        if !self.2 {
            self.0 = Decompress::new_with_window_bits(false, self.1);
        }
        out
    }
}

/// What repeats near and far, what hardly does, and what is nothing but one byte.
fn payloads() -> impl Strategy<Value = Vec<u8>> {
    prop_oneof![
        2 => "[abc ]{0,300}".prop_map(String::into_bytes),
        2 => vec(any::<u8>(), 0..400),
        2 => (vec(any::<u8>(), 1..700), 1..80_usize).prop_map(|(part, times)| part.repeat(times)),
        1 => (any::<u8>(), 0..90_000_usize).prop_map(|(byte, len)| vec![byte; len]),
    ]
}

fn cut<'a>(bytes: &'a [u8], cuts: &[usize]) -> Vec<&'a [u8]> {
    let (mut parts, mut rest) = (Vec::new(), bytes);
    for cut in cuts {
        let (part, more) = rest.split_at((*cut).min(rest.len()));
        parts.push(part);
        rest = more;
    }
    parts.push(rest);
    parts
}

fn config(bits: u8, takeover: bool, level: u8, memory: u8) -> DeflateConfig {
    DeflateConfig::new()
        .server_max_window_bits(bits)
        .client_max_window_bits(bits)
        .server_context_takeover(takeover)
        .client_context_takeover(takeover)
        .level(level)
        .memory_level(memory)
        .threshold(0)
}

proptest! {
    #![proptest_config(cases())]

    #[test]
    fn what_zlib_compresses_we_inflate(
        role in select(&ROLES[..]),
        (bits, takeover, level) in (9..=15_u8, any::<bool>(), 0..=9_u32),
        messages in vec((payloads(), vec(0..300_usize, 0..4), 0..3_u8), 1..8),
        reads in reads(),
    ) {
        let mut zlib = Deflater::new(level, bits, takeover);
        let key = (role == Role::Server).then_some([5, 6, 7, 8]);
        let (mut bytes, mut expected) = (Vec::new(), Vec::new());
        for (payload, cuts, kind) in &messages {
            assert!(payload.len() <= LIMIT);
            let flush = match kind {
                // More than one block.
                1 => FlushCompress::Full,
                _ => FlushCompress::Sync,
            };
            let compressed = zlib.message(payload, flush);
            let parts = cut(&compressed, cuts);
            for (number, part) in parts.iter().enumerate() {
                let opcode = if number == 0 { 2 } else { 0 };
                let mut frame = Frame::new(number + 1 == parts.len(), opcode, key, part);
                frame.rsv = if number == 0 { 4 } else { 0 };
                frame.encode(&mut bytes);
            }
            expected.push(Seen::Binary(payload.clone()));
        }
        let params = config(bits, takeover, 6, 8);
        let mut connection = ours::connection(role).with_deflate(Some(params.into()));
        let got = ours::receive(&mut connection, role, &bytes, &reads);
        prop_assert_eq!(got.end, End::Open);
        prop_assert!(got.seen == expected, "other messages");
    }

    #[test]
    fn what_we_compress_zlib_inflates(
        role in select(&ROLES[..]),
        (bits, takeover, level, memory) in (9..=15_u8, any::<bool>(), 0..=9_u8, 1..=9_u8),
        messages in vec((payloads(), vec(0..300_usize, 0..4), any::<bool>()), 1..8),
    ) {
        let params = config(bits, takeover, level, memory);
        let mut connection = ours::connection(role).with_deflate(Some(params.into()));
        for (payload, cuts, whole) in &messages {
            if *whole {
                connection.send_binary(payload).unwrap();
                continue;
            }
            let mut parts = cut(payload, cuts);
            let last = parts.pop().unwrap();
            for part in parts {
                connection.send_chunk(Chunk::binary(part)).unwrap();
            }
            connection.send_chunk(Chunk::binary(last).last()).unwrap();
        }
        let mut zlib = Inflater::new(bits, takeover);
        let (mut got, mut parts, mut is_compressed) = (Vec::new(), Vec::new(), false);
        for frame in frames(&ours::transmit_all(&mut connection)) {
            if frame.opcode != 0 {
                is_compressed = frame.rsv == 4;
            }
            prop_assert_eq!(frame.rsv, if frame.opcode != 0 && is_compressed { 4 } else { 0 });
            parts.extend(frame.payload);
            if frame.fin {
                let payload = std::mem::take(&mut parts);
                got.push(if is_compressed { zlib.message(&payload) } else { payload });
            }
        }
        let expected: Vec<_> = messages.into_iter().map(|(payload, ..)| payload).collect();
        prop_assert!(got == expected, "other messages");
    }

    #[test]
    fn spoilt_messages_are_refused_or_come_out_as_zlib_has_them(
        (takeover, level) in (any::<bool>(), 1..=9_u32),
        payload in payloads(),
        changes in vec((any::<prop::sample::Index>(), any::<u8>()), 1..4),
        reads in reads(),
    ) {
        let mut compressed = Deflater::new(level, 15, takeover).message(&payload, FlushCompress::Sync);
        prop_assume!(!compressed.is_empty());
        for (at, byte) in changes {
            *at.get_mut(&mut compressed) = byte;
        }
        let mut frame = Frame::new(true, 2, None, &compressed);
        frame.rsv = 4;
        let mut bytes = Vec::new();
        frame.encode(&mut bytes);
        let params = config(15, takeover, 6, 8);
        let mut connection = ours::connection(Role::Client).with_deflate(Some(params.into()));
        let got = ours::receive(&mut connection, Role::Client, &bytes, &reads);

        // zlib's own verdict, which knows no limit and no end of a message.
        let mut zlib = Decompress::new(false);
        let mut out = Vec::with_capacity(4 * LIMIT);
        let input = [&compressed[..], &TAIL].concat();
        let result = zlib.decompress_vec(&input, &mut out, FlushDecompress::Sync);
        match &got.seen[..] {
            [Seen::Binary(data)] => {
                prop_assert!(result.is_ok(), "zlib refuses it");
                // What follows a final block is for another stream of zlib's.
                prop_assert!(data.starts_with(&out), "other bytes");
                if zlib.total_in() == input.len() as u64 {
                    prop_assert_eq!(data, &out);
                }
            }
            [] => match &got.end {
                End::Failed(error) if error.starts_with("MessageTooBig") => {
                    prop_assert!(out.len() > LIMIT || compressed.len() > LIMIT
                        || zlib.total_in() < input.len() as u64);
                }
                End::Failed(error) => {
                    prop_assert_eq!(error, "InvalidDeflate");
                    let ended = zlib.total_in() < input.len() as u64;
                    let amid_block = !inflates_further(&input, &out);
                    prop_assert!(result.is_err() || ended || amid_block, "{} bytes", out.len());
                }
                end => prop_assert!(false, "{end:?}"),
            },
            other => prop_assert!(false, "{other:?}"),
        }
    }
}

/// Whether the bytes end between blocks, so that an empty final one may follow.
fn inflates_further(input: &[u8], out: &[u8]) -> bool {
    let mut zlib = Decompress::new(false);
    let mut again = Vec::with_capacity(out.len() + 10);
    let input = [input, &[0x03, 0x00]].concat();
    let result = zlib.decompress_vec(&input, &mut again, FlushDecompress::Sync);
    matches!(result, Ok(flate2::Status::StreamEnd)) && zlib.total_in() == input.len() as u64
}
