//! Compressed messages (RFC 7692 §6 and §7.2): a step between the payload and the chunk or assembly
//! that it goes into, and between a message and its frame.

use alloc::boxed::Box;

use super::Connection;
use super::incoming::{Kind, Partial, Ready};
use super::payload::{Progress, append, unmask_arrived};
use crate::buffer::ReceiveBuffer;
use crate::close::{CloseCode, CloseFrame};
use crate::error::{ProtocolError, SendError};
use crate::extension::deflate::{Compressor, DeflateParams, Inflater, Left, Source};
use crate::frame::{Header, Opcode};
use crate::utf8::{self, Invalid};

/// Both directions of a connection that has negotiated permessage-deflate.
#[derive(Debug)]
pub(super) struct Deflate {
    compressor: Compressor,
    inflater: Inflater,
    /// Whether messages begun from here on are compressed.
    pub(super) compresses: bool,
}

/// Why no more comes out for now.
enum Stop {
    /// There is no more room.
    Full,
    /// More of the frame is needed.
    Incomplete,
    /// The frame is consumed, its message goes on.
    FrameEnd,
    /// All of the message has come out.
    MessageEnd,
    /// What comes next is an error.
    Broken(ProtocolError),
}

impl Connection {
    /// The same connection with permessage-deflate (RFC 7692) as negotiated, or without for `None`.
    ///
    /// Call it before the first byte is received or sent; later, it would take apart what is on its
    /// way. The opening handshake says what was
    /// negotiated; see [`DeflateConfig`](crate::DeflateConfig) for what can be.
    ///
    /// ```
    /// use sansocket::{Config, Connection, DeflateConfig};
    ///
    /// let deflate = DeflateConfig::new().into(); // or `accepted.deflate()`, of type `Option`
    /// let server = Connection::server(Config::new()).with_deflate(Some(deflate));
    /// ```
    #[must_use]
    pub fn with_deflate(mut self, params: impl Into<Option<DeflateParams>>) -> Self {
        let is_client = self.role.is_client();
        self.deflate = params.into().map(|params| {
            Box::new(Deflate {
                compressor: Compressor::new(&params, is_client),
                inflater: Inflater::new(&params, is_client),
                compresses: true,
            })
        });
        self
    }

    /// Command: whether messages begun from here on are compressed, if that was negotiated; they
    /// are unless this is called.
    ///
    /// For what does not compress (images, ciphertext), or must not (a secret beside what an
    /// attacker chooses).
    ///
    /// ```
    /// # use sansocket::{Config, Connection, DeflateConfig};
    /// # let params: sansocket::DeflateParams = DeflateConfig::new().into();
    /// let mut server = Connection::server(Config::new()).with_deflate(params);
    /// server.set_compression(false);
    /// server.send_binary(&[7; 1000])?;
    /// server.set_compression(true);
    /// assert!(server.transmit().queued() > 1000);
    /// # Ok::<(), sansocket::SendError>(())
    /// ```
    pub fn set_compression(&mut self, on: bool) {
        if let Some(deflate) = &mut self.deflate {
            deflate.compresses = on;
        }
    }

    /// Consumes what has arrived of a compressed message's payload.
    pub(super) fn step_compressed(
        &mut self,
        rx: &mut ReceiveBuffer,
    ) -> Result<Progress, ProtocolError> {
        let in_chunks = self.incoming.in_chunks();
        loop {
            let stop = self.inflate(rx);
            let Some(Partial { kind, .. }) = self.incoming.message else {
                return Ok(Progress::FrameEnd);
            };
            let inflated = &mut rx.assembly.inflated;
            let waiting = inflated.waiting();
            let suffix = match kind {
                Kind::Binary => 0,
                // A part that is lent is checked there, so that what is valid in it is not lost.
                Kind::Text if in_chunks => utf8::incomplete_suffix(waiting).unwrap_or(0),
                Kind::Text => utf8::incomplete_suffix(waiting)
                    .map_err(|Invalid| ProtocolError::InvalidUtf8)?,
            };
            let len = waiting.len().saturating_sub(suffix);
            let message_ends = matches!(stop, Stop::MessageEnd);
            if in_chunks {
                let last = message_ends && suffix == 0;
                if len > 0 || last {
                    self.incoming.ready = Ready::Inflated { kind, len, last };
                    if last {
                        self.incoming.end_message();
                    }
                    if let Stop::Broken(error) = stop {
                        self.incoming.ends_with = Some(error);
                    }
                    return Ok(Progress::Ready);
                }
            } else if message_ends && rx.assembly.is_unbegun() {
                self.incoming.ready = Ready::InflatedWhole(kind);
                self.incoming.end_message();
                return Ok(Progress::Ready);
            } else {
                let max = self.incoming.max_message();
                rx.assembly
                    .append_inflated(len, |assembly, part| append(assembly, kind, part, max))?;
            }
            match stop {
                // §8.1: a text that ends amid a character is not UTF-8.
                Stop::MessageEnd if suffix > 0 => return Err(ProtocolError::InvalidUtf8),
                Stop::MessageEnd => {
                    self.incoming.ready = Ready::Assembled(kind);
                    self.incoming.end_message();
                    return Ok(Progress::Ready);
                }
                Stop::FrameEnd => {
                    self.incoming.frame = None;
                    return Ok(Progress::FrameEnd);
                }
                Stop::Incomplete => return Ok(Progress::Incomplete),
                Stop::Broken(error) => return Err(error),
                Stop::Full => {}
            }
        }
    }

    /// Inflates until there is no more room, or nothing more to inflate.
    ///
    /// However the payload was split into reads, the same bytes come out before the same stop.
    fn inflate(&mut self, rx: &mut ReceiveBuffer) -> Stop {
        let (Some(frame), Some(message), Some(deflate)) = (
            &mut self.incoming.frame,
            &mut self.incoming.message,
            &mut self.deflate,
        ) else {
            return Stop::FrameEnd;
        };
        if unmask_arrived(frame, rx) > 0 {
            self.timers.on_received();
        }
        if message.has_come_out {
            return Stop::MessageEnd;
        }
        let limit = self.incoming.limits.message;
        loop {
            let (assembly, unread) = rx.assembly_and_unread();
            let room = assembly.inflated.spare();
            if room.is_empty() {
                return Stop::Full;
            }
            let arrived = unread.get(..frame.unmasked).unwrap_or_default();
            // The tail goes in when all has come out of what is before it.
            let is_tail = frame.left == 0 && frame.fin && deflate.inflater.is_exhausted();
            let source = match (is_tail, arrived) {
                (true, _) => Source::Tail,
                (_, []) if deflate.inflater.is_exhausted() => {
                    return match frame.left {
                        0 => Stop::FrameEnd,
                        _ => Stop::Incomplete,
                    };
                }
                (_, arrived) => Source::Payload(arrived),
            };
            let step = deflate.inflater.inflate(&source, room);
            // Behind a whole message the tail is the end of an empty block: nothing comes out of it.
            if is_tail && step.produced > 0 {
                return Stop::Broken(ProtocolError::InvalidDeflate);
            }
            // The limit holds while inflating: a bomb goes no further than one step beyond it.
            let within = message.room(limit).min(step.produced);
            assembly.inflated.commit(within);
            rx.consume(step.consumed);
            frame.consume(step.consumed);
            if let Err(error) = message.grow(step.produced as u64, limit) {
                return Stop::Broken(error);
            }
            match step.left {
                Left::Corrupt => return Stop::Broken(ProtocolError::InvalidDeflate),
                Left::Nothing if is_tail => {
                    if !deflate.inflater.end_message() {
                        return Stop::Broken(ProtocolError::InvalidDeflate);
                    }
                    message.has_come_out = true;
                    return Stop::MessageEnd;
                }
                Left::Nothing | Left::Some => {}
            }
        }
    }

    /// Queues a whole message compressed, if that is wanted and pays; gives whether it did.
    #[inline]
    pub(super) fn queue_compressed(&mut self, opcode: Opcode, payload: &[u8]) -> bool {
        self.deflate.is_some() && self.compress_and_queue(opcode, payload)
    }

    fn compress_and_queue(&mut self, opcode: Opcode, payload: &[u8]) -> bool {
        let Some(deflate) = &mut self.deflate else {
            return false;
        };
        if !deflate.compresses || !deflate.compressor.wants(Some(payload.len())) {
            return false;
        }
        let takes_over = deflate.compressor.takes_over();
        let queued = match deflate.compressor.compress(payload, true) {
            // What the context has taken in must be sent; otherwise the shorter form is.
            Some(compressed) if takes_over || compressed.len() < payload.len() => {
                let header = Header {
                    rsv1: true,
                    masking_key: self.role.next_key(),
                    ..Header::new(opcode, true, compressed.len() as u64)
                };
                self.queue.push(&header, compressed);
                true
            }
            _ => false,
        };
        deflate.compressor.shrink();
        queued
    }

    /// The compressor, if a whole message of this size is to be compressed.
    pub(super) fn compressor_for(&mut self, len: usize) -> Option<&mut Compressor> {
        let deflate = self.deflate.as_mut()?;
        let wants = deflate.compresses && deflate.compressor.wants(Some(len));
        wants.then_some(&mut deflate.compressor)
    }

    /// Whether the message that begins with this part is to be compressed.
    pub(super) fn compresses_chunks(&self, first: &[u8], last: bool) -> bool {
        self.deflate.as_ref().is_some_and(|deflate| {
            // The size of what is to come is unknown.
            let len = last.then_some(first.len());
            deflate.compresses && deflate.compressor.wants(len)
        })
    }

    /// Queues a part of a compressed message as a fragment (RFC 7692 §6.1): only the first has RSV1.
    pub(super) fn queue_compressed_chunk(
        &mut self,
        opcode: Opcode,
        payload: &[u8],
        last: bool,
    ) -> Result<(), SendError> {
        let Some(deflate) = &mut self.deflate else {
            return Err(SendError::Closing(()));
        };
        let Some(compressed) = deflate.compressor.compress(payload, last) else {
            // The message cannot be completed.
            let frame = CloseFrame::from(CloseCode::INTERNAL_ERROR);
            self.queue_close(Some(&frame));
            return Err(SendError::Closing(()));
        };
        let header = Header {
            rsv1: opcode != Opcode::Continuation,
            masking_key: self.role.next_key(),
            ..Header::new(opcode, last, compressed.len() as u64)
        };
        self.queue.push(&header, compressed);
        deflate.compressor.shrink();
        Ok(())
    }

    /// Whether releasing would give back a compressor or a decompressor.
    #[cfg(feature = "std")]
    pub(crate) fn has_spare_codec(&self) -> bool {
        self.deflate.as_ref().is_some_and(|deflate| {
            deflate.compressor.is_spare() && !self.outgoing.is_amid_message()
                || deflate.inflater.is_spare() && self.incoming.message.is_none()
        })
    }

    /// Gives back the compressor and the decompressor where no message needs them.
    pub(super) fn release_deflate(&mut self) {
        let (sending, receiving) = (
            self.outgoing.is_amid_message(),
            self.incoming.message.is_some(),
        );
        if let Some(deflate) = &mut self.deflate {
            if !sending {
                deflate.compressor.release();
            }
            if !receiving {
                deflate.inflater.release();
            }
        }
    }
}
