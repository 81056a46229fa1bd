//! The message that is being received (RFC 6455 §5.4), and what is ready to be lent.

use core::ops::Range;

use super::MAX_READ_HINT;
use crate::config::{Config, Delivery};
use crate::error::ProtocolError;
use crate::frame::{Header, MAX_HEADER_SIZE, Opcode};
use crate::utf8::CutChar;

/// How many bytes more than it holds a small message may have in its compressed form.
const COMPRESSED_MARGIN: u64 = 1024;

/// A frame of whose payload no more has come is expected to be whole with the next read, in bytes: reads
/// take this much of a next frame along.
const EARLY: usize = 2 * MAX_HEADER_SIZE;

/// The type of a message.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Kind {
    Text,
    Binary,
}

/// A data frame whose header has been consumed.
#[derive(Debug)]
pub(super) struct Frame {
    pub(super) key: Option<[u8; 4]>,
    pub(super) fin: bool,
    /// Size of the payload.
    pub(super) total: u64,
    /// How much of the payload has not been consumed.
    pub(super) left: u64,
    /// How much of the unread payload is unmasked already.
    pub(super) unmasked: usize,
    /// The payload waits in the buffer until it is whole, and is lent there.
    pub(super) in_place: bool,
    /// How much of a text that waits in place is checked.
    pub(super) checked: usize,
}

impl Frame {
    /// How many bytes of the payload have been consumed.
    pub(super) fn consumed(&self) -> u64 {
        self.total.saturating_sub(self.left)
    }

    pub(super) fn consume(&mut self, n: usize) {
        self.left = self.left.saturating_sub(n as u64);
        self.unmasked = self.unmasked.saturating_sub(n);
    }
}

/// A message of which at least one frame header has been consumed.
#[derive(Debug)]
pub(super) struct Partial {
    pub(super) kind: Kind,
    size: u64,
    /// Of a compressed message, the size of its payloads as received.
    payload_size: u64,
    fragments: u32,
    /// The character that the last fragment ended in.
    pub(super) cut: CutChar,
    /// RSV1 of its first frame was set (RFC 7692 §6.2).
    #[cfg(feature = "deflate")]
    pub(super) is_compressed: bool,
    /// All of it has been inflated.
    #[cfg(feature = "deflate")]
    pub(super) has_come_out: bool,
}

impl Partial {
    fn new(kind: Kind, header: &Header) -> Self {
        #[cfg(not(feature = "deflate"))]
        let _ = header;
        Self {
            kind,
            size: 0,
            payload_size: 0,
            fragments: 0,
            cut: CutChar::default(),
            #[cfg(feature = "deflate")]
            is_compressed: header.rsv1,
            #[cfg(feature = "deflate")]
            has_come_out: false,
        }
    }

    pub(super) fn is_compressed(&self) -> bool {
        #[cfg(feature = "deflate")]
        return self.is_compressed;
        #[cfg(not(feature = "deflate"))]
        false
    }

    /// How many more bytes of the message the limit allows.
    #[cfg(feature = "deflate")]
    pub(super) fn room(&self, limit: u64) -> usize {
        usize::try_from(limit.saturating_sub(self.size)).unwrap_or(usize::MAX)
    }

    /// Counts bytes of the message against the limit.
    pub(super) fn grow(&mut self, bytes: u64, limit: u64) -> Result<(), ProtocolError> {
        self.size = self.size.saturating_add(bytes);
        if self.size > limit {
            return Err(ProtocolError::MessageTooBig { limit });
        }
        Ok(())
    }
}

/// What `lend` gives next. Places count from the first unread byte.
#[derive(Debug, Default)]
pub(super) enum Ready {
    #[default]
    Nothing,
    /// A message in one frame, in its place.
    Whole(Whole),
    Assembled(Kind),
    /// Part of a message, unmasked at the front of the unread bytes.
    Chunk {
        kind: Kind,
        len: usize,
        last: bool,
    },
    /// A whole compressed message that is all in what was inflated.
    #[cfg(feature = "deflate")]
    InflatedWhole(Kind),
    /// Part of a compressed message, at the front of what was inflated.
    #[cfg(feature = "deflate")]
    Inflated {
        kind: Kind,
        len: usize,
        last: bool,
    },
    /// A character that was cut in two.
    Character {
        character: char,
        last: bool,
    },
    Ping(Range<usize>),
    Pong(Range<usize>),
    Close,
}

/// A whole message in one frame at the front of the unread bytes.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Whole {
    pub(super) kind: Kind,
    pub(super) header: usize,
    pub(super) len: usize,
    /// If it is still masked.
    pub(super) key: Option<[u8; 4]>,
}

#[derive(Debug)]
pub(super) struct Incoming {
    pub(super) frame: Option<Frame>,
    pub(super) message: Option<Partial>,
    pub(super) ready: Ready,
    /// What was lent ends where this was found.
    pub(super) ends_with: Option<ProtocolError>,
    /// The largest message that may be lent as it lies; 0 unless a whole message may come next.
    pub(super) max_whole: usize,
    /// Size of the payload of the last frame that took the general path, which is likely the size of the
    /// next; less when less comes.
    pub(super) last_partial: u64,
    /// Size of the frame that is [awaited](Self::awaits), header included; 0 if none is.
    pub(super) awaited: usize,
    /// How much of it had come when it was looked at last.
    came: usize,
    pub(super) limits: Limits,
}

#[derive(Debug)]
pub(super) struct Limits {
    delivery: Delivery,
    frame: u64,
    pub(super) message: u64,
    fragments: u32,
}

impl Incoming {
    pub(super) fn new(config: &Config) -> Self {
        // A whole message must fit the address space, whatever the limits say.
        let addressable = match config.delivery {
            Delivery::Messages => isize::MAX as u64 / 2,
            Delivery::Chunks => u64::MAX,
        };
        let mut incoming = Self {
            frame: None,
            message: None,
            ready: Ready::Nothing,
            ends_with: None,
            max_whole: 0,
            last_partial: 0,
            awaited: 0,
            came: 0,
            limits: Limits {
                delivery: config.delivery,
                frame: config.max_frame_size.min(addressable),
                message: config.max_message_size.min(addressable),
                fragments: config.max_fragments,
            },
        };
        incoming.end_message();
        incoming
    }

    pub(super) fn in_chunks(&self) -> bool {
        self.limits.delivery == Delivery::Chunks
    }

    pub(super) fn max_message(&self) -> usize {
        usize::try_from(self.limits.message).unwrap_or(usize::MAX)
    }

    /// Size of what is being received, a payload or an awaited frame, and how much of it has not been
    /// consumed.
    pub(super) fn frame_left(&self) -> Option<(u64, u64)> {
        if self.awaited > 0 {
            return Some((self.awaited as u64, self.awaited as u64));
        }
        self.frame.as_ref().map(|frame| (frame.total, frame.left))
    }

    /// Whether to leave a frame where it is, header and all: a binary message of which little more than
    /// the header has `come`. It is likely to be whole with the next read, and takes the short path then.
    /// Gives whether more of it has come than when this was asked last.
    pub(super) fn awaits(
        &mut self,
        header: &Header,
        header_size: usize,
        come: usize,
    ) -> Option<bool> {
        let is_whole = header.opcode == Opcode::Binary && header.fin && !header.rsv1;
        let len = usize::from(u16::try_from(header.payload_len).ok()?);
        let size = header_size.saturating_add(len);
        let is_early = come <= header_size.saturating_add(EARLY) && come < size;
        if !is_whole || !is_early || len > self.max_whole || self.max_whole == 0 {
            return None;
        }
        let is_news = self.awaited == 0 || self.came != come;
        self.last_partial = header.payload_len;
        self.awaited = size;
        self.came = come;
        Some(is_news)
    }

    /// Judges a data frame by its header, before any of its payload: its place among the fragments
    /// and all limits.
    pub(super) fn begin_frame(&mut self, header: &Header) -> Result<(), ProtocolError> {
        let kind = match header.opcode {
            Opcode::Text => Some(Kind::Text),
            Opcode::Binary => Some(Kind::Binary),
            _ => None,
        };
        // §5.4: fragments of one message are not interleaved with another's.
        let mut message = match (self.message.take(), kind) {
            (None, Some(kind)) => Partial::new(kind, header),
            (Some(message), None) => message,
            (None, None) => return Err(ProtocolError::UnexpectedContinuation),
            (Some(_), Some(_)) => return Err(ProtocolError::ExpectedContinuation),
        };
        let Limits {
            frame: max_frame,
            message: max_message,
            fragments: max_fragments,
            ..
        } = self.limits;
        if header.payload_len > max_frame {
            return Err(ProtocolError::FrameTooBig { limit: max_frame });
        }
        if message.is_compressed() {
            // What it holds is known only when it has been inflated, but no compressor makes a
            // message twice its size: more is made to keep us busy.
            let limit = max_message
                .saturating_mul(2)
                .saturating_add(COMPRESSED_MARGIN);
            message.payload_size = message.payload_size.saturating_add(header.payload_len);
            if message.payload_size > limit {
                return Err(ProtocolError::MessageTooBig { limit: max_message });
            }
        } else {
            message.grow(header.payload_len, max_message)?;
        }
        message.fragments = message.fragments.saturating_add(1);
        if message.fragments > max_fragments {
            return Err(ProtocolError::TooManyFragments {
                limit: max_fragments,
            });
        }
        let only = header.fin && message.fragments == 1;
        // A text that comes in many reads would be checked twice, which costs more than a copy.
        let fits = message.kind == Kind::Binary || header.payload_len <= MAX_READ_HINT as u64;
        self.frame = Some(Frame {
            key: header.masking_key,
            fin: header.fin,
            total: header.payload_len,
            left: header.payload_len,
            unmasked: 0,
            in_place: only && fits && !message.is_compressed() && !self.in_chunks(),
            checked: 0,
        });
        self.message = Some(message);
        self.awaited = 0;
        self.last_partial = header.payload_len;
        self.max_whole = 0;
        Ok(())
    }

    /// So much came since the buffer was read out last, and no large frame is on its way: if that is
    /// little, less is to be read next time. Nothing at all says nothing: somebody has looked again.
    pub(super) fn on_read_out(&mut self, came: usize) {
        if came > 0 && (came as u64) < self.last_partial / 2 {
            self.last_partial /= 2;
        }
    }

    pub(super) fn end_message(&mut self) {
        self.frame = None;
        self.message = None;
        self.max_whole = match self.limits.delivery {
            Delivery::Messages if self.limits.fragments > 0 => {
                let limit = self.limits.frame.min(self.limits.message);
                usize::try_from(limit).unwrap_or(usize::MAX)
            }
            // Chunks take the general path, and without fragments no message may come at all.
            _ => 0,
        };
    }

    /// Nothing is received any more.
    pub(super) fn stop(&mut self) {
        self.end_message();
        self.max_whole = 0;
    }
}
