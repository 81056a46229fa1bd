//! Endpoints that have negotiated permessage-deflate, and another implementation of DEFLATE.

use flate2::{Compress, Compression, Decompress, FlushCompress, FlushDecompress};
use sansocket::frame::{Header, Opcode};
use sansocket::{Config, DeflateConfig, ProtocolError};

use super::*;

/// What a sender takes off the end of a message (RFC 7692 §7.2.1).
pub(crate) const TAIL: [u8; 4] = [0x00, 0x00, 0xFF, 0xFF];

/// All messages are compressed.
pub(crate) const ALL: DeflateConfig = DeflateConfig::new().threshold(0);

/// All messages are compressed, each on its own.
pub(crate) const NO_TAKEOVER: DeflateConfig = ALL
    .server_context_takeover(false)
    .client_context_takeover(false);

impl Side {
    pub(crate) fn deflating(self, config: Config, deflate: DeflateConfig) -> Endpoint {
        Endpoint::new(self.connection(config).with_deflate(Some(deflate.into())))
    }

    /// A frame with RSV1 as this side's peer sends it.
    pub(crate) fn rsv1(self, opcode: Opcode, fin: bool, payload: &[u8]) -> Vec<u8> {
        let header = Header {
            rsv1: true,
            ..self.header(opcode, fin, payload.len() as u64)
        };
        encode(&header, payload)
    }

    /// A message of one compressed frame as this side's peer sends it.
    pub(crate) fn compressed(self, opcode: Opcode, payload: &[u8]) -> Vec<u8> {
        self.rsv1(opcode, true, payload)
    }

    /// A compressed message in fragments of at most so many bytes.
    pub(crate) fn compressed_in(self, size: usize, opcode: Opcode, payload: &[u8]) -> Vec<u8> {
        let mut parts: Vec<&[u8]> = payload.chunks(size).collect();
        let last = parts.pop().unwrap_or_default();
        let mut opcodes = std::iter::once(opcode).chain(std::iter::repeat(Opcode::Continuation));
        let mut frame = |fin, part| {
            let opcode = opcodes.next().unwrap_or(Opcode::Continuation);
            match opcode {
                Opcode::Continuation => self.frame(opcode, fin, part),
                _ => self.rsv1(opcode, fin, part),
            }
        };
        let mut bytes: Vec<u8> = parts.iter().flat_map(|part| frame(false, part)).collect();
        bytes.extend(frame(true, last));
        bytes
    }
}

/// The compressor of another implementation.
pub(crate) struct Theirs {
    compress: Compress,
    pub(crate) takeover: bool,
}

impl Theirs {
    pub(crate) fn new(takeover: bool) -> Self {
        Self::with_level(takeover, 6)
    }

    pub(crate) fn with_level(takeover: bool, level: u32) -> Self {
        Self {
            compress: Compress::new(Compression::new(level), false),
            takeover,
        }
    }

    /// What follows a flush point, up to the next one, tail included.
    pub(crate) fn block(&mut self, data: &[u8]) -> Vec<u8> {
        run_compressor(&mut self.compress, data, FlushCompress::Sync)
    }

    pub(crate) fn message(&mut self, data: &[u8]) -> Vec<u8> {
        let mut bytes = self.block(data);
        if bytes.ends_with(&TAIL) {
            bytes.truncate(bytes.len() - TAIL.len());
        }
        if bytes.is_empty() {
            bytes.push(0);
        }
        if !self.takeover {
            self.compress.reset();
        }
        bytes
    }
}

fn run_compressor(compress: &mut Compress, mut data: &[u8], flush: FlushCompress) -> Vec<u8> {
    let mut bytes = Vec::new();
    loop {
        bytes.reserve(4096);
        let (before_in, before_out) = (compress.total_in(), bytes.len());
        let room = bytes.capacity() - bytes.len();
        compress.compress_vec(data, &mut bytes, flush).unwrap();
        let taken = usize::try_from(compress.total_in() - before_in).unwrap();
        data = &data[taken..];
        let given = bytes.len() - before_out;
        // It may stop with room left and the flush not done yet.
        let is_done = !matches!(flush, FlushCompress::Sync) || bytes.ends_with(&TAIL);
        if data.is_empty() && given < room && (is_done || given == 0) {
            return bytes;
        }
    }
}

/// A whole DEFLATE stream that ends with a final block.
pub(crate) fn finished(data: &[u8]) -> Vec<u8> {
    let mut compress = Compress::new(Compression::new(6), false);
    run_compressor(&mut compress, data, FlushCompress::Finish)
}

/// Blocks that hold the bytes as they are, the last of them marked as final or not.
pub(crate) fn stored(data: &[u8], is_final: bool) -> Vec<u8> {
    let mut bytes = Vec::new();
    let mut blocks = data.chunks(0xFFFF).peekable();
    while let Some(block) = blocks.next() {
        let len = u16::try_from(block.len()).unwrap();
        bytes.push(u8::from(is_final && blocks.peek().is_none()));
        bytes.extend(len.to_le_bytes());
        bytes.extend((!len).to_le_bytes());
        bytes.extend(block);
    }
    bytes
}

/// The inflater of another implementation.
pub(crate) struct TheirInflater {
    decompress: Decompress,
    takeover: bool,
}

impl TheirInflater {
    pub(crate) fn new(takeover: bool) -> Self {
        Self {
            decompress: Decompress::new(false),
            takeover,
        }
    }

    /// A message's compressed payload, without its tail.
    pub(crate) fn message(&mut self, payload: &[u8]) -> Vec<u8> {
        let payload = [payload, &TAIL].concat();
        let (mut left, mut bytes) = (&payload[..], Vec::new());
        loop {
            bytes.reserve(4096);
            let (before_in, before_out) = (self.decompress.total_in(), bytes.len());
            let room = bytes.capacity() - bytes.len();
            let flush = FlushDecompress::Sync;
            let status = self.decompress.decompress_vec(left, &mut bytes, flush);
            status.expect("a compressed message");
            let taken = usize::try_from(self.decompress.total_in() - before_in).unwrap();
            left = &left[taken..];
            if left.is_empty() && bytes.len() - before_out < room {
                break;
            }
        }
        if !self.takeover {
            self.decompress.reset(false);
        }
        bytes
    }
}

/// The messages in `bytes`, put together from their fragments: opcode, RSV1, and payload.
pub(crate) fn messages(bytes: &[u8]) -> Vec<(Opcode, bool, Vec<u8>)> {
    let mut messages: Vec<(Opcode, bool, Vec<u8>)> = Vec::new();
    for (header, payload) in frames(bytes) {
        match header.opcode {
            Opcode::Continuation => {
                assert!(!header.rsv1, "RSV1 on a continuation");
                messages.last_mut().unwrap().2.extend(payload);
            }
            opcode if opcode.is_control() => assert!(!header.rsv1, "RSV1 on a control frame"),
            opcode => messages.push((opcode, header.rsv1, payload)),
        }
    }
    messages
}

/// What a fresh endpoint makes of `bytes`, after checking that three ways of splitting give the same.
pub(crate) fn inflated_any_way(
    side: Side,
    config: &Config,
    deflate: DeflateConfig,
    bytes: &[u8],
) -> Received {
    let [whole, others @ ..] = splits().map(|split| inflated(side, config, deflate, bytes, &split));
    for other in others {
        assert!(
            other == whole,
            "{side:?}: the split shows: {} or {}",
            brief(&other),
            brief(&whole)
        );
    }
    whole
}

/// What tells two results apart at a glance.
fn brief(received: &Received) -> String {
    let seen = received.seen.iter().map(|seen| {
        let shown = format!("{seen:?}");
        let start: String = shown.chars().take(60).collect();
        format!("{start}… ({})", shown.len())
    });
    format!("{:?}, {:?}", seen.collect::<Vec<_>>(), received.error)
}

/// What a fresh endpoint makes of `bytes` in these pieces.
pub(crate) fn inflated(
    side: Side,
    config: &Config,
    deflate: DeflateConfig,
    bytes: &[u8],
    split: &Split,
) -> Received {
    let mut endpoint = side.deflating(config.clone(), deflate);
    endpoint.feed_split(bytes, split);
    Received {
        error: endpoint.error,
        outcome: endpoint.outcome().cloned(),
        state: endpoint.state(),
        output: endpoint.output(),
        seen: endpoint.seen,
    }
}

/// Checks that `bytes` give these whole messages and events at both roles, in both deliveries, however
/// they are split.
pub(crate) fn assert_gives(
    deflate: DeflateConfig,
    bytes: impl Fn(Side) -> Vec<u8>,
    expected: &[Seen],
) {
    for side in SIDES {
        for delivery in DELIVERIES {
            let config = Config::new().delivery(delivery);
            let result = inflated_any_way(side, &config, deflate, &bytes(side));
            let expected = expected
                .iter()
                .cloned()
                .map(|seen| seen.delivered(delivery));
            assert_eq!(result.error, None);
            assert_eq!(
                result.seen,
                expected.collect::<Vec<_>>(),
                "{side:?}, {delivery:?}"
            );
        }
    }
}

/// Checks that `bytes` end in `error` at both roles, in both deliveries, however they are split, and
/// that the peer is told its close code; gives what was seen before, of each.
pub(crate) fn assert_fails_inflating(
    config: &Config,
    deflate: DeflateConfig,
    error: ProtocolError,
    bytes: impl Fn(Side) -> Vec<u8>,
) -> Vec<(Side, Delivery, Vec<Seen>)> {
    let mut all = Vec::new();
    for side in SIDES {
        for delivery in DELIVERIES {
            let config = config.clone().delivery(delivery);
            let result = inflated_any_way(side, &config, deflate, &bytes(side));
            assert_eq!(result.error, Some(error), "{side:?}, {delivery:?}");
            assert_eq!(result.outcome, Some(CloseOutcome::Failed(error)));
            let (code, _) = close_sent(&result.output).expect("a code");
            assert_eq!(code, error.close_code().get());
            all.push((side, delivery, result.seen));
        }
    }
    all
}
