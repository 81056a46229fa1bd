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

/// A message may hold so many final blocks: one makes sense (RFC 7692 §7.2.3.4).
const MAX_STREAMS: u32 = 4;

/// A block of its own, with fixed codes (RFC 1951 §3.2.6).
const EMPTY_FINAL_BLOCK: [u8; 2] = [0x03, 0x00];

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

/// What decides on the compressed form of a message that refers to no other.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Settings {
    max_window_bits: u8,
    level: u8,
    memory_level: u8,
}

impl Settings {
    /// A message on its own; `None` if the library fails.
    pub(crate) fn compress(self, message: &[u8]) -> Option<Vec<u8>> {
        let mut compressor = Compressor {
            direction: Direction {
                max_window_bits: self.max_window_bits,
                context_takeover: false,
            },
            effort: Effort {
                level: self.level,
                memory_level: self.memory_level,
                threshold: 0,
            },
            state: None,
            output: Vec::new(),
        };
        compressor.compress(message, true)?;
        compressor.output.shrink_to_fit();
        Some(compressor.output)
    }
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

    pub(crate) fn settings(&self) -> Settings {
        Settings {
            max_window_bits: self.direction.max_window_bits,
            level: self.effort.level,
            memory_level: self.effort.memory_level,
        }
    }

    /// The next message refers to none before it.
    pub(crate) fn restart(&mut self) {
        if let Some(state) = self.state.as_mut().filter(|state| state.total_in() > 0) {
            state.reset();
        }
    }

    /// Whether the next message may refer to one before it.
    fn has_context(&self) -> bool {
        let has_begun = self
            .state
            .as_ref()
            .is_some_and(|state| state.total_in() > 0);
        self.takes_over() && has_begun
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

    /// Whether [`release`](Self::release) would give a compressor back.
    #[cfg(feature = "std")]
    pub(crate) fn is_spare(&self) -> bool {
        self.state.is_some() && !self.has_context()
    }

    /// Gives back what the next message does not need.
    pub(crate) fn release(&mut self) {
        self.output = Vec::new();
        if !self.has_context() {
            self.state = None;
        }
    }
}

/// Inflates the messages of one direction.
pub(crate) struct Inflater {
    context_takeover: bool,
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
            context_takeover: if is_client {
                params.server.context_takeover
            } else {
                params.client.context_takeover
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
            let state = self.state.get_or_insert_with(new_inflate);
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
                    state.reset(false);
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

    /// The message has ended, tail included. Gives whether it ended where a message may; under
    /// context takeover, the library cannot always tell.
    pub(crate) fn end_message(&mut self) -> bool {
        self.tail = 0;
        let has_begun = core::mem::take(&mut self.has_begun);
        let streams_ended = core::mem::take(&mut self.streams_ended);
        let Some(state) = &mut self.state else {
            return true;
        };
        if streams_ended > 0 {
            // What is left of the tail is no block that another message continues.
            state.reset(false);
            return true;
        }
        if self.context_takeover || !has_begun {
            return true;
        }
        // Nothing but the end of a block lets an empty final one follow.
        let end = state.decompress(&EMPTY_FINAL_BLOCK, &mut [0], InflateFlush::SyncFlush);
        state.reset(false);
        end == Ok(Status::StreamEnd)
    }

    /// Gives back what the next message does not need.
    pub(crate) fn release(&mut self) {
        if !self.context_takeover {
            self.state = None;
        }
    }

    /// Whether [`release`](Self::release) would give something back.
    #[cfg(feature = "std")]
    pub(crate) fn is_spare(&self) -> bool {
        self.state.is_some() && !self.context_takeover
    }
}

/// A raw stream. The library takes the same memory whatever the window, so that a smaller one would
/// save nothing.
fn new_inflate() -> Box<Inflate> {
    Box::new(Inflate::new(false, 15))
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
