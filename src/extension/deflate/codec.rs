//! Compressing and inflating: the one place that knows the library.

use alloc::boxed::Box;
use alloc::vec::Vec;

use zlib_rs::{Deflate, DeflateFlush, Inflate, InflateFlush, Status};

use super::TAIL;
use super::config::{DeflateParams, Direction, Effort};

/// What the library is given at a time to put its output in, in bytes.
const STEP: usize = 4096;

/// So much of the room for output is kept for the next message, in bytes.
const KEEP: usize = 64 * 1024;

/// A message may hold so many final blocks: one makes sense, and each costs a new state.
const MAX_STREAMS: u32 = 16;

/// The library keeps to no smaller window than this.
const MIN_WINDOW_BITS: u8 = 9;

/// Compresses the messages of one direction.
pub(crate) struct Compressor {
    direction: Direction,
    effort: Effort,
    /// Made when a message needs it.
    state: Option<Box<Deflate>>,
    /// The compressed message; kept for the next.
    output: Vec<u8>,
}

impl Compressor {
    pub(crate) fn new(params: &DeflateParams, is_client: bool) -> Self {
        Self {
            direction: if is_client {
                params.client
            } else {
                params.server
            },
            effort: params.effort,
            state: None,
            output: Vec::new(),
        }
    }

    /// Whether a message of this size, or of unknown size, is to be compressed.
    pub(crate) fn wants(&self, len: Option<usize>) -> bool {
        let fits = self.direction.max_window_bits >= MIN_WINDOW_BITS;
        fits && len.is_none_or(|len| len >= self.effort.threshold)
    }

    /// Whether a message that was compressed has to be sent so: the next may refer to it.
    pub(crate) fn takes_over(&self) -> bool {
        self.direction.context_takeover
    }

    /// Compresses a part of a message, so that all of it can be inflated (RFC 7692 §7.2.1); `None`
    /// if the library fails, which leaves nothing of it behind.
    pub(crate) fn compress(&mut self, input: &[u8], last: bool) -> Option<&[u8]> {
        self.output.clear();
        if self.run(input).is_none() {
            self.state = None;
            return None;
        }
        if last {
            if self.output.ends_with(&TAIL) {
                self.output
                    .truncate(self.output.len().saturating_sub(TAIL.len()));
            }
            // §7.2.3.6: with the tail put back, this is an empty block.
            if self.output.is_empty() {
                self.output.push(0);
            }
            if !self.takes_over() {
                if let Some(state) = &mut self.state {
                    state.reset();
                }
            }
        }
        Some(&self.output)
    }

    fn run(&mut self, mut input: &[u8]) -> Option<()> {
        let (direction, effort) = (self.direction, self.effort);
        let state = self.state.get_or_insert_with(|| {
            let config = zlib_rs::DeflateConfig {
                level: i32::from(effort.level),
                // Negative for a raw stream, without header and checksum.
                window_bits: i32::from(direction.max_window_bits).saturating_neg(),
                mem_level: i32::from(effort.memory_level),
                ..zlib_rs::DeflateConfig::default()
            };
            Box::new(Deflate::new_with_config(config))
        });
        loop {
            let start = self.output.len();
            self.output.resize(start.saturating_add(STEP), 0);
            let room = self.output.get_mut(start..).unwrap_or_default();
            let (before_in, before_out) = (state.total_in(), state.total_out());
            let status = state.compress(input, room, DeflateFlush::SyncFlush);
            let consumed = moved(before_in, state.total_in());
            let produced = moved(before_out, state.total_out());
            self.output.truncate(start.saturating_add(produced));
            input = input.get(consumed..).unwrap_or_default();
            // A flush is over when it leaves room: a full output may hide more.
            match status {
                Ok(Status::Ok) if produced == STEP || !input.is_empty() => {}
                Ok(Status::Ok | Status::BufError) => return Some(()),
                Ok(Status::StreamEnd) | Err(_) => return None,
            }
        }
    }

    /// To be called when what was compressed has been taken: a large message leaves no large room.
    pub(crate) fn shrink(&mut self) {
        self.output.clear();
        self.output.shrink_to(KEEP);
    }

    /// Gives back what the next message does not need.
    pub(crate) fn release(&mut self) {
        self.output = Vec::new();
        if !self.takes_over() {
            self.state = None;
        }
    }
}

/// Inflates the messages of one direction.
pub(crate) struct Inflater {
    direction: Direction,
    /// Made when a message needs it.
    state: Option<Box<Inflate>>,
    /// The current message has a payload.
    has_begun: bool,
    /// Nothing more comes out of what it was given.
    exhausted: bool,
    /// How much of the tail has gone behind the current message.
    tail: usize,
    /// How many streams the current message has ended with a final block.
    streams_ended: u32,
}

/// Where the compressed bytes come from.
pub(crate) enum Source<'a> {
    /// A frame; without bytes, what more comes out of the last ones.
    Payload(&'a [u8]),
    /// The message has ended: what its sender took off the end.
    Tail,
}

/// What came of an inflating step.
pub(crate) struct Inflated {
    /// Bytes taken from a payload.
    pub(crate) consumed: usize,
    /// Bytes put into the output.
    pub(crate) produced: usize,
    /// Where it stands with the source.
    pub(crate) left: Left,
}

/// What may still come out of a source.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Left {
    /// There was no room for more.
    Some,
    /// All has come out.
    Nothing,
    /// Behind what has come out it is not compressed data.
    Corrupt,
}

impl Inflater {
    pub(crate) fn new(params: &DeflateParams, is_client: bool) -> Self {
        Self {
            direction: if is_client {
                params.server
            } else {
                params.client
            },
            state: None,
            has_begun: false,
            exhausted: true,
            tail: 0,
            streams_ended: 0,
        }
    }

    /// Whether nothing more comes out of the payload that it was given.
    pub(crate) fn is_exhausted(&self) -> bool {
        self.exhausted
    }

    /// Inflates as much as fits into `output` (RFC 7692 §7.2.2), which must have some room.
    pub(crate) fn inflate(&mut self, source: &Source<'_>, output: &mut [u8]) -> Inflated {
        let input = match source {
            Source::Payload(payload) => payload,
            // A payload without a byte has no block that the tail could end.
            Source::Tail if !self.has_begun => [].as_slice(),
            Source::Tail => TAIL.get(self.tail..).unwrap_or_default(),
        };
        self.has_begun |= !input.is_empty();
        let (mut consumed, mut produced) = (0_usize, 0_usize);
        let left = loop {
            let bits = self.direction.max_window_bits.max(MIN_WINDOW_BITS);
            let state = self
                .state
                .get_or_insert_with(|| Box::new(Inflate::new(false, bits)));
            let input = input.get(consumed..).unwrap_or_default();
            let room = output.get_mut(produced..).unwrap_or_default();
            if room.is_empty() {
                break Left::Some;
            }
            let (before_in, before_out) = (state.total_in(), state.total_out());
            let status = state.decompress(input, room, InflateFlush::SyncFlush);
            let (taken, given) = (
                moved(before_in, state.total_in()),
                moved(before_out, state.total_out()),
            );
            consumed = consumed.saturating_add(taken);
            produced = produced.saturating_add(given);
            match status {
                // §7.2.3.4: behind a final block, another stream may begin.
                Ok(Status::StreamEnd) if self.streams_ended < MAX_STREAMS => {
                    self.state = None;
                    self.streams_ended = self.streams_ended.saturating_add(1);
                    if taken == input.len() {
                        break Left::Nothing;
                    }
                }
                // Room is left, so nothing more comes out of this input.
                Ok(Status::Ok | Status::BufError) if given < room.len() => {
                    break Left::Nothing;
                }
                Ok(Status::Ok | Status::BufError) => {}
                Ok(Status::StreamEnd) | Err(_) => break Left::Corrupt,
            }
        };
        self.exhausted = left != Left::Some;
        if matches!(source, Source::Tail) {
            self.tail = self.tail.saturating_add(consumed);
            consumed = 0;
        }
        Inflated {
            consumed,
            produced,
            left,
        }
    }

    /// The message has ended, tail included.
    pub(crate) fn end_message(&mut self) {
        self.tail = 0;
        self.has_begun = false;
        // Behind a final block, what is left of the tail is no block that another message continues.
        if core::mem::take(&mut self.streams_ended) > 0 {
            self.state = None;
        } else if !self.direction.context_takeover {
            self.forget();
        }
    }

    /// Without takeover each message starts with an empty window.
    fn forget(&mut self) {
        if let Some(state) = &mut self.state {
            if self.direction.max_window_bits == 15 {
                state.reset(false);
            } else {
                // A reset would bring the largest window.
                self.state = None;
            }
        }
    }

    /// Gives back what the next message does not need.
    pub(crate) fn release(&mut self) {
        if !self.direction.context_takeover {
            self.state = None;
        }
    }
}

/// How far one of the library's counters has come.
fn moved(before: u64, after: u64) -> usize {
    usize::try_from(after.saturating_sub(before)).unwrap_or(usize::MAX)
}

macro_rules! opaque_debug {
    ($($codec:ident)*) => {
        $(impl core::fmt::Debug for $codec {
            fn fmt(&self, f: &mut core::fmt::Formatter<'_>) -> core::fmt::Result {
                f.debug_struct(stringify!($codec)).finish_non_exhaustive()
            }
        })*
    };
}

opaque_debug!(Compressor Inflater);
