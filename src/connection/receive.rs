//! Receiving (RFC 6455 §5.4–§6.2): one engine for both deliveries.
//!
//! `ready` decides what comes next and borrows nothing; `lend` gives it. A whole message in one
//! frame, by far the most frequent case, takes a short path; everything else is cold.

use core::ops::Range;

use super::Connection;
use super::incoming::{Kind, Ready, Whole};
use super::payload::Progress;
use crate::buffer::{ReceiveBuffer, TAKE_MIN};
use crate::close::CloseFrame;
use crate::error::ProtocolError;
use crate::frame::{Header, Opcode, mask};
use crate::message::{Chunk, Data, Event, Payload, Text};
use crate::utf8::{self, Invalid};

/// The first byte of a message in one frame: FIN, no reserved bit, and the opcode.
const WHOLE_TEXT: u8 = 0x80 | Opcode::Text as u8;
const WHOLE_BINARY: u8 = 0x80 | Opcode::Binary as u8;

impl Connection {
    /// Input: looks for the next event in what was received, and lends it.
    ///
    /// Fill `rx` and call this until it gives `None`: then more bytes are needed. A pong that is
    /// due, the answer to a Close frame, and the Close frame of a failure are queued by then.
    ///
    /// ```
    /// use sansocket::{Config, Connection, Event, ReceiveBuffer, SeededMaskKeys};
    ///
    /// # let secret_seed = [7; 32];
    /// let mut client = Connection::client(Config::new(), SeededMaskKeys::new(secret_seed));
    /// let mut rx = ReceiveBuffer::new();
    /// rx.extend_from_slice(b"\x81\x02hi\x89\x01?");
    ///
    /// let Some(Event::Text(text)) = client.receive(&mut rx)? else { panic!("not a text") };
    /// assert_eq!(&*text, "hi");
    /// assert!(matches!(client.receive(&mut rx)?, Some(Event::Ping(b"?"))));
    /// assert!(client.receive(&mut rx)?.is_none());
    /// assert_eq!(client.transmit().queued(), 7); // the pong
    /// # Ok::<(), sansocket::ProtocolError>(())
    /// ```
    ///
    /// # Errors
    /// The peer broke the protocol or a limit. See [failing](Self#failing).
    #[inline(always)]
    pub fn receive<'a>(
        &mut self,
        rx: &'a mut ReceiveBuffer,
    ) -> Result<Option<Event<'a>>, ProtocolError> {
        if let Some(whole) = self.whole(rx) {
            return self.lend_whole(whole, rx).map(Some);
        }
        if matches!(self.incoming.ready, Ready::Nothing) && !self.ready_in_steps(rx)? {
            return Ok(None);
        }
        self.lend(rx)
    }

    /// The short path: a whole message, for [`lend_whole`](Self::lend_whole), and nothing else to do.
    #[inline(always)]
    pub(crate) fn whole(&mut self, rx: &ReceiveBuffer) -> Option<Whole> {
        if !matches!(self.incoming.ready, Ready::Nothing) {
            return None;
        }
        let whole = self.whole_message(rx.unread())?;
        self.incoming.awaited = 0;
        self.timers.on_received();
        Some(whole)
    }

    /// Whether [`lend`](Self::lend) has something to give. Asking twice changes nothing.
    #[cfg(feature = "std")]
    #[inline]
    pub(crate) fn ready(&mut self, rx: &mut ReceiveBuffer) -> Result<bool, ProtocolError> {
        if let Some(whole) = self.whole(rx) {
            self.incoming.ready = Ready::Whole(whole);
        } else if matches!(self.incoming.ready, Ready::Nothing) {
            return self.ready_in_steps(rx);
        }
        Ok(true)
    }

    /// Lends what is ready, if anything is. Inlined with all below it, so that an event is built where it
    /// is used: copied through memory, it costs more than the rest of the short path.
    #[inline(always)]
    pub(crate) fn lend<'a>(
        &mut self,
        rx: &'a mut ReceiveBuffer,
    ) -> Result<Option<Event<'a>>, ProtocolError> {
        // Field by field: to load at once what was stored in parts waits for the stores.
        if let Ready::Whole(whole) = self.incoming.ready {
            self.incoming.ready = Ready::Nothing;
            return self.lend_whole(whole, rx).map(Some);
        }
        match core::mem::take(&mut self.incoming.ready) {
            Ready::Nothing => Ok(None),
            other => self.lend_other(other, rx).map(Some),
        }
    }

    /// A whole message in one frame with a 7- or 16-bit length, if nothing is wrong with it.
    #[inline(always)]
    fn whole_message(&self, unread: &[u8]) -> Option<Whole> {
        let (&[first, second], rest) = unread.split_first_chunk()?;
        let kind = match first {
            WHOLE_TEXT => Kind::Text,
            WHOLE_BINARY => Kind::Binary,
            _ => return None,
        };
        let (len, rest) = match second & 0x7F {
            127 => return None,
            126 => {
                let (extended, rest) = rest.split_first_chunk()?;
                let len = u16::from_be_bytes(*extended);
                if len < 126 {
                    return None;
                }
                (usize::from(len), rest)
            }
            short => (usize::from(short), rest),
        };
        let masked = second & 0x80 != 0;
        if len > self.incoming.max_whole
            || masked == self.role.is_client()
            || self.incoming.max_whole == 0
        {
            return None;
        }
        let (key, rest) = if masked {
            let (key, rest) = rest.split_first_chunk()?;
            (Some(*key), rest)
        } else {
            (None, rest)
        };
        (rest.len() >= len).then_some(Whole {
            kind,
            header: unread.len().wrapping_sub(rest.len()),
            len,
            key,
        })
    }

    /// # Errors
    /// A text that is none.
    #[inline(always)]
    pub(crate) fn lend_whole<'a>(
        &mut self,
        whole: Whole,
        rx: &'a mut ReceiveBuffer,
    ) -> Result<Event<'a>, ProtocolError> {
        let place = rx.consume_range(whole.header, whole.len);
        if let Some(key) = whole.key {
            mask(rx.at_mut(place.clone()), key);
        }
        match whole.kind {
            Kind::Binary => Ok(Event::Binary(lend_payload(rx, place))),
            Kind::Text => match utf8::check(rx.at(place)) {
                Ok(text) => Ok(Event::Text(Text::in_place(text))),
                Err(Invalid) => Err(self.fail_receiving(ProtocolError::InvalidUtf8)),
            },
        }
    }

    #[inline(always)]
    fn lend_other<'a>(
        &mut self,
        ready: Ready,
        rx: &'a mut ReceiveBuffer,
    ) -> Result<Event<'a>, ProtocolError> {
        Ok(match ready {
            Ready::Assembled(Kind::Text) => Event::Text(Text::assembled(&mut rx.assembly.text)),
            Ready::Assembled(Kind::Binary) => {
                Event::Binary(Payload::assembled(&mut rx.assembly.data))
            }
            Ready::Chunk {
                kind: Kind::Binary,
                len,
                last,
            } => {
                let place = rx.consume_range(0, len);
                let data = Data::Binary(rx.at(place));
                Event::Chunk(Chunk { data, last })
            }
            Ready::Chunk {
                kind: Kind::Text,
                len,
                last,
            } => {
                let place = rx.consume_range(0, len);
                return self.lend_text_chunk(rx.at(place), last);
            }
            #[cfg(feature = "deflate")]
            Ready::InflatedWhole(kind) => {
                let whole = rx.assembly.inflated.consume(usize::MAX);
                match kind {
                    Kind::Binary => Event::Binary(Payload::in_place(whole)),
                    Kind::Text => match utf8::check(whole) {
                        Ok(text) => Event::Text(Text::in_place(text)),
                        Err(Invalid) => {
                            return Err(self.fail_receiving(ProtocolError::InvalidUtf8));
                        }
                    },
                }
            }
            #[cfg(feature = "deflate")]
            Ready::Inflated { kind, len, last } => {
                let part = rx.assembly.inflated.consume(len);
                match kind {
                    Kind::Text => return self.lend_text_chunk(part, last),
                    Kind::Binary => {
                        let data = Data::Binary(part);
                        Event::Chunk(Chunk { data, last })
                    }
                }
            }
            Ready::Character { character, last } => {
                let data = Data::Text(character.encode_utf8(&mut rx.assembly.character));
                Event::Chunk(Chunk { data, last })
            }
            Ready::Ping(Range { start, end }) => {
                let place = rx.consume_range(start, end.saturating_sub(start));
                Event::Ping(rx.at(place))
            }
            Ready::Pong(Range { start, end }) => {
                let place = rx.consume_range(start, end.saturating_sub(start));
                Event::Pong(rx.at(place))
            }
            Ready::Nothing | Ready::Whole(_) | Ready::Close => {
                Event::Close(self.closing.received().cloned())
            }
        })
    }

    /// What is valid before a byte that is not UTF-8 is still delivered, wherever the reads cut it.
    fn lend_text_chunk<'a>(
        &mut self,
        part: &'a [u8],
        last: bool,
    ) -> Result<Event<'a>, ProtocolError> {
        let chunk = |text, last| {
            let data = Data::Text(text);
            Event::Chunk(Chunk { data, last })
        };
        if let Ok(text) = utf8::check(part) {
            return Ok(chunk(text, last));
        }
        self.incoming.ends_with = Some(ProtocolError::InvalidUtf8);
        match part.utf8_chunks().next().map(|chunk| chunk.valid()) {
            None | Some("") => Err(self.fail_receiving(ProtocolError::InvalidUtf8)),
            Some(text) => Ok(chunk(text, false)),
        }
    }

    #[cold]
    #[inline(never)]
    fn ready_in_steps(&mut self, rx: &mut ReceiveBuffer) -> Result<bool, ProtocolError> {
        rx.restore();
        if !self.closing.reads() {
            rx.discard();
            return self.closing.failure().map_or(Ok(false), Err);
        }
        match self.step(rx) {
            Ok(ready) => Ok(ready),
            Err(error) => {
                rx.discard();
                Err(self.fail_receiving(error))
            }
        }
    }

    /// A violation while receiving is terminal.
    fn fail_receiving(&mut self, error: ProtocolError) -> ProtocolError {
        self.incoming.stop();
        self.fail(error)
    }

    /// Consumes frames until there is something to lend, or more bytes are needed.
    fn step(&mut self, rx: &mut ReceiveBuffer) -> Result<bool, ProtocolError> {
        if let Some(error) = self.incoming.ends_with {
            return Err(error);
        }
        loop {
            if self.incoming.frame.is_some() {
                match self.step_frame(rx)? {
                    Progress::Ready => return Ok(true),
                    Progress::Incomplete => return Ok(false),
                    Progress::FrameEnd => {}
                }
            }
            if self.incoming.message.is_none() {
                rx.assembly.clear();
            }
            let Some((header, size)) = Header::decode(rx.unread())? else {
                self.incoming.on_read_out(rx.consumed());
                return Ok(false);
            };
            self.check_header(&header)?;
            if header.opcode.is_control() {
                return self.step_control(&header, size, rx);
            }
            if let Some(is_news) = self.incoming.awaits(&header, size, rx.len()) {
                if is_news {
                    self.timers.on_received();
                }
                return Ok(false);
            }
            self.incoming.begin_frame(&header)?;
            self.timers.on_received();
            rx.consume(size);
        }
    }

    /// Judges what depends on the connection: reserved bits and the direction of masking.
    fn check_header(&self, header: &Header) -> Result<(), ProtocolError> {
        // §5.2: a reserved bit needs an extension that gives it a meaning.
        if header.rsv1 && !self.allows_rsv1(header.opcode) || header.rsv2 || header.rsv3 {
            return Err(ProtocolError::ReservedBits);
        }
        // §5.1: a client masks, a server does not.
        match (header.masking_key, self.role.is_client()) {
            (None, false) => Err(ProtocolError::Unmasked),
            (Some(_), true) => Err(ProtocolError::Masked),
            _ => Ok(()),
        }
    }

    /// RFC 7692 §6: on the first frame of a message, where compression was negotiated.
    fn allows_rsv1(&self, opcode: Opcode) -> bool {
        #[cfg(feature = "deflate")]
        if self.deflate.is_some() {
            return matches!(opcode, Opcode::Text | Opcode::Binary);
        }
        let _ = opcode;
        false
    }

    /// Consumes what has arrived of a data frame's payload.
    fn step_frame(&mut self, rx: &mut ReceiveBuffer) -> Result<Progress, ProtocolError> {
        #[cfg(feature = "deflate")]
        if self
            .incoming
            .message
            .as_ref()
            .is_some_and(|message| message.is_compressed)
        {
            return self.step_compressed(rx);
        }
        self.step_payload(rx)
    }

    /// A control frame (§5.5), which may come amid the fragments of a message and is taken whole.
    fn step_control(
        &mut self,
        header: &Header,
        size: usize,
        rx: &mut ReceiveBuffer,
    ) -> Result<bool, ProtocolError> {
        let len = usize::try_from(header.payload_len).unwrap_or(usize::MAX);
        let place = size..size.saturating_add(len);
        let Some(payload) = rx.unread_mut().get_mut(place.clone()) else {
            return Ok(false);
        };
        if let Some(key) = header.masking_key {
            mask(payload, key);
        }
        self.timers.on_received();
        self.incoming.ready = match header.opcode {
            Opcode::Close => {
                let frame = CloseFrame::parse(payload)?;
                // §5.5.1: the answer echoes the code.
                if self.closing.may_send() {
                    let echo = frame.as_ref().map(|frame| frame.code().into());
                    self.queue_close(echo.as_ref());
                }
                self.closing.on_close_received(frame);
                self.incoming.stop();
                rx.discard();
                Ready::Close
            }
            Opcode::Ping => {
                if self.closing.may_send() {
                    self.queue_pong(payload);
                }
                Ready::Ping(place)
            }
            _ => {
                self.timers.on_pong(payload);
                Ready::Pong(place)
            }
        };
        Ok(true)
    }
}

/// A payload of some size can be handed over with its allocation.
#[inline]
fn lend_payload(rx: &mut ReceiveBuffer, place: Range<usize>) -> Payload<'_> {
    if place.len() < TAKE_MIN {
        Payload::in_place(rx.at(place))
    } else {
        Payload::in_large(rx, place)
    }
}
