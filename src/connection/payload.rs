//! The payload of a data frame as it arrives (RFC 6455 §5.4, §8.1): into a chunk, into the assembly,
//! or left in its place.

use alloc::string::String;

use super::Connection;
use super::incoming::{Frame, Kind, Partial, Ready, Whole};
use crate::buffer::{Assembly, ReceiveBuffer};
use crate::error::ProtocolError;
use crate::frame::mask_at;
use crate::utf8::{self, Invalid};

/// Text is checked and copied in blocks of this size, so that the copy finds it in the cache.
const BLOCK: usize = 2048;

/// What the unread bytes of a data frame amount to.
pub(super) enum Progress {
    /// `lend` has something to give.
    Ready,
    /// More bytes are needed.
    Incomplete,
    /// The frame is consumed, its message goes on.
    FrameEnd,
}

impl Connection {
    /// Consumes what has arrived of a data frame's payload.
    pub(super) fn step_payload(
        &mut self,
        rx: &mut ReceiveBuffer,
    ) -> Result<Progress, ProtocolError> {
        let in_chunks = self.incoming.in_chunks();
        let max_message = self.incoming.max_message();
        let (Some(frame), Some(message)) = (&mut self.incoming.frame, &mut self.incoming.message)
        else {
            return Ok(Progress::FrameEnd);
        };
        if unmask_arrived(frame, rx) > 0 {
            self.timers.on_received();
        }
        if let Some(character) = complete_cut(frame, message, rx)? {
            if in_chunks {
                let last = frame.fin && frame.left == 0;
                self.incoming.ready = Ready::Character { character, last };
                self.end_frame_if_consumed();
                return Ok(Progress::Ready);
            }
            rx.assembly.text.push(character);
        }
        let arrived = frame.unmasked;
        let whole = arrived as u64 == frame.left;
        if frame.in_place {
            if !whole {
                if message.kind == Kind::Text {
                    check_arrived(frame, rx.unread())?;
                }
                return Ok(Progress::Incomplete);
            }
            // A text is checked when it is lent: what brings its end is looked at once.
            self.incoming.ready = Ready::Whole(Whole {
                kind: message.kind,
                header: 0,
                len: arrived,
                key: None,
            });
            self.incoming.end_message();
            return Ok(Progress::Ready);
        }

        let part = rx.unread().get(..arrived).unwrap_or_default();
        let suffix = match message.kind {
            Kind::Binary => 0,
            // A part that is lent is checked there, so that what is valid in it is not lost.
            Kind::Text if in_chunks => utf8::incomplete_suffix(part).unwrap_or(0),
            Kind::Text => {
                utf8::incomplete_suffix(part).map_err(|Invalid| ProtocolError::InvalidUtf8)?
            }
        };
        let len = arrived.saturating_sub(suffix);
        let message_ends = whole && frame.fin;
        let ends_amid_character = message_ends && (suffix > 0 || !message.cut.is_empty());

        if in_chunks && (len > 0 || message_ends && !ends_amid_character) {
            let kind = message.kind;
            let last = message_ends && !ends_amid_character;
            frame.consume(len);
            self.incoming.ready = Ready::Chunk { kind, len, last };
            self.end_frame_if_consumed();
            return Ok(Progress::Ready);
        }
        // §8.1: a text that ends amid a character is not UTF-8.
        if ends_amid_character {
            return Err(ProtocolError::InvalidUtf8);
        }
        if !in_chunks {
            let (assembly, unread) = rx.assembly_and_unread();
            let part = unread.get(..len).unwrap_or_default();
            append(assembly, message.kind, part, max_message)?;
            rx.consume(len);
            frame.consume(len);
        }
        if !whole {
            return Ok(Progress::Incomplete);
        }
        message
            .cut
            .keep(rx.unread().get(..suffix).unwrap_or_default());
        rx.consume(suffix);
        frame.consume(suffix);
        if !message_ends {
            self.incoming.frame = None;
            return Ok(Progress::FrameEnd);
        }
        self.incoming.ready = Ready::Assembled(message.kind);
        self.incoming.end_message();
        Ok(Progress::Ready)
    }

    /// After a chunk: its frame, or its message, may have ended with it.
    fn end_frame_if_consumed(&mut self) {
        match &self.incoming.frame {
            Some(frame) if frame.left == 0 && frame.fin => self.incoming.end_message(),
            Some(frame) if frame.left == 0 => self.incoming.frame = None,
            _ => {}
        }
    }
}

/// Unmasks what has arrived of the frame since the last time; gives how much that was.
pub(super) fn unmask_arrived(frame: &mut Frame, rx: &mut ReceiveBuffer) -> usize {
    let left = usize::try_from(frame.left).unwrap_or(usize::MAX);
    let arrived = left.min(rx.len());
    let new = rx
        .unread_mut()
        .get_mut(frame.unmasked..arrived)
        .unwrap_or_default();
    if let Some(key) = frame.key {
        mask_at(
            new,
            key,
            frame.consumed().saturating_add(frame.unmasked as u64),
        );
    }
    let count = new.len();
    frame.unmasked = arrived;
    count
}

/// Checks what has arrived of a text that stays in place, so that it fails as soon as one that does not.
fn check_arrived(frame: &mut Frame, unread: &[u8]) -> Result<(), ProtocolError> {
    let invalid = |Invalid| ProtocolError::InvalidUtf8;
    let new = unread
        .get(frame.checked..frame.unmasked)
        .unwrap_or_default();
    let suffix = utf8::incomplete_suffix(new).map_err(invalid)?;
    let whole = new.len().saturating_sub(suffix);
    utf8::check(new.get(..whole).unwrap_or_default()).map_err(invalid)?;
    frame.checked = frame.checked.saturating_add(whole);
    Ok(())
}

/// Gives the character that the last fragment ended in, once it is complete.
fn complete_cut(
    frame: &mut Frame,
    message: &mut Partial,
    rx: &mut ReceiveBuffer,
) -> Result<Option<char>, ProtocolError> {
    while !message.cut.is_empty() && frame.unmasked > 0 {
        let byte = rx.unread().first().copied().unwrap_or_default();
        rx.consume(1);
        frame.consume(1);
        match message.cut.complete(byte) {
            Ok(None) => {}
            Ok(character) => return Ok(character),
            Err(Invalid) => return Err(ProtocolError::InvalidUtf8),
        }
    }
    Ok(None)
}

/// Appends a part of a message, a text's checked.
pub(super) fn append(
    to: &mut Assembly,
    kind: Kind,
    part: &[u8],
    max: usize,
) -> Result<(), ProtocolError> {
    match kind {
        Kind::Binary => {
            let more = growth(to.data.len(), to.data.capacity(), part.len(), max);
            to.data.reserve_exact(more);
            to.data.extend_from_slice(part);
            Ok(())
        }
        Kind::Text => {
            let more = growth(to.text.len(), to.text.capacity(), part.len(), max);
            to.text.reserve_exact(more);
            append_text(&mut to.text, part).map_err(|Invalid| ProtocolError::InvalidUtf8)
        }
    }
}

fn append_text(text: &mut String, mut part: &[u8]) -> Result<(), Invalid> {
    while let Some((block, _)) = part.split_at_checked(BLOCK) {
        let whole = BLOCK.saturating_sub(utf8::incomplete_suffix(block)?);
        let (block, rest) = part.split_at_checked(whole).unwrap_or((part, &[]));
        text.push_str(utf8::check(block)?);
        part = rest;
    }
    text.push_str(utf8::check(part)?);
    Ok(())
}

/// How much to reserve for `more` bytes: doubling keeps appending linear, and the limit on messages
/// keeps the doubling in bounds.
fn growth(len: usize, capacity: usize, more: usize, max: usize) -> usize {
    if capacity.saturating_sub(len) >= more {
        return 0;
    }
    let needed = len.saturating_add(more);
    let target = needed.max(capacity.saturating_mul(2).min(max));
    target.saturating_sub(len)
}
