//! Sending (RFC 6455 §5.4–§6.1): commands that queue frames.

use alloc::string::ToString;

use bytes::Bytes;

use super::Connection;
use crate::close::CloseFrame;
use crate::error::{ProtocolError, SendError};
use crate::frame::{Header, MAX_CONTROL_PAYLOAD, MAX_HEADER_SIZE, Opcode, mask};
use crate::message::{Chunk, Message};
use crate::trace::trace;

/// A payload of at least this size is transmitted from where it is, in bytes; below it, copying it
/// behind its header costs a socket less than a second slice to write.
pub(super) const LARGE: usize = 8 * 1024;

/// A pong and a keep-alive ping: what may be queued between two calls of who sends, in bytes.
#[cfg(any(feature = "futures-io", feature = "tokio"))]
const CONTROL_FRAMES: usize = 2 * (MAX_CONTROL_PAYLOAD + MAX_HEADER_SIZE);

/// The message that is being sent in chunks.
#[derive(Debug, Default)]
pub(super) struct Outgoing {
    in_progress: Option<Opcode>,
    #[cfg(feature = "deflate")]
    is_compressed: bool,
}

#[cfg(feature = "deflate")]
impl Outgoing {
    pub(super) fn is_amid_message(&self) -> bool {
        self.in_progress.is_some()
    }
}

impl Connection {
    /// Command: queues a message.
    ///
    /// A large payload is not copied by a server, nor by a client that owns it alone; one that has just
    /// been received is shared with its [`ReceiveBuffer`](crate::ReceiveBuffer) until that is read into.
    ///
    /// # Errors
    /// The message comes back when too much is queued already, when the closing handshake has
    /// begun, or amid a message in chunks.
    pub fn send(&mut self, message: Message) -> Result<(), SendError<Message>> {
        if let Err(error) = self.may_send_message(message.len()) {
            return Err(error.map(|()| message));
        }
        self.queue_owned(&mut Some(message));
        Ok(())
    }

    /// The same: the message is taken from its place, or left there.
    #[cfg(any(feature = "futures-io", feature = "tokio"))]
    #[inline]
    pub(crate) fn send_from(&mut self, message: &mut Option<Message>) -> Result<(), SendError> {
        if let Some(waiting) = message {
            self.may_send_message(waiting.len())?;
            self.queue_owned(message);
        }
        Ok(())
    }

    /// The same for who has seen that it [has room](Self::has_room) and must keep to that: the
    /// message may then exceed the limit, once, and control frames may have come between.
    #[cfg(any(feature = "futures-io", feature = "tokio"))]
    pub(crate) fn send_regardless(&mut self, message: Message) -> Result<(), SendError<Message>> {
        if let Err(error) = self.may_start_message() {
            return Err(error.map(|()| message));
        }
        let between = CONTROL_FRAMES.saturating_add(self.config.write_limit);
        if self.queue.len() >= between {
            return Err(SendError::Full(message));
        }
        self.queue_owned(&mut Some(message));
        Ok(())
    }

    /// Whether less waits for transmission than the limit allows.
    #[cfg(any(feature = "futures-io", feature = "tokio"))]
    pub(crate) fn has_room(&self) -> bool {
        self.queue.is_empty() || self.queue.len() < self.config.write_limit
    }

    /// The same, but for a payload that leaves from where it is: it is given back, behind a header that is
    /// queued, to be [transmitted](Self::transmit_owned).
    #[cfg(any(feature = "futures-io", feature = "tokio"))]
    #[inline(always)]
    pub(crate) fn queue_or_keep(
        &mut self,
        message: &mut Option<Message>,
    ) -> Result<Option<Bytes>, SendError> {
        let Some(data) = message.as_ref().map(Message::as_data) else {
            return Ok(None);
        };
        let (opcode, payload) = (data.opcode(), data.as_bytes());
        self.may_send_message(payload.len())?;
        if payload.len() < LARGE {
            self.queue_message(opcode, payload);
            *message = None;
            return Ok(None);
        }
        // What else is queued comes before the header: nothing may come between it and the payload.
        self.queue.push_next_pong();
        Ok(self.keep_large(message))
    }

    /// Whether more than a little memory is needed to queue a message of this size: not for one that is
    /// transmitted from where it is.
    #[cfg(any(feature = "futures-io", feature = "tokio"))]
    #[inline]
    pub(crate) fn needs_large_room(&self, message: usize) -> bool {
        #[cfg(feature = "deflate")]
        let may_compress = self.deflate.is_some();
        #[cfg(not(feature = "deflate"))]
        let may_compress = false;
        let is_copied = message < LARGE || self.role.is_client() || may_compress;
        self.queue
            .needs_large_room(if is_copied { message } else { 0 })
    }

    fn queue_owned(&mut self, message: &mut Option<Message>) {
        let Some(data) = message.as_ref().map(Message::as_data) else {
            return;
        };
        let (opcode, payload) = (data.opcode(), data.as_bytes());
        if payload.len() < LARGE {
            self.queue_message(opcode, payload);
            *message = None;
        } else if let Some(payload) = self.keep_large(message) {
            self.queue.push_payload(payload);
        }
    }

    /// Queues the header of a large message, and gives the payload to send behind it, masked; or queues all
    /// of it, compressed or masked.
    #[inline(never)]
    fn keep_large(&mut self, message: &mut Option<Message>) -> Option<Bytes> {
        let data = message.as_ref().map(Message::as_data)?;
        let opcode = data.opcode();
        if self.queue_compressed(opcode, data.as_bytes()) {
            *message = None;
            return None;
        }
        let payload = message.take().map(Bytes::from)?;
        let header = self.next_header(opcode, true, payload.len());
        let Some(key) = header.masking_key else {
            self.queue.push(&header, &[]);
            return Some(payload);
        };
        // What nobody else sees can be masked where it is.
        match payload.try_into_mut() {
            Ok(mut payload) => {
                self.queue.push(&header, &[]);
                mask(&mut payload, key);
                Some(payload.freeze())
            }
            Err(payload) => {
                self.queue.push(&header, &payload);
                None
            }
        }
    }

    /// Command: queues a copy of a text message.
    ///
    /// # Errors
    /// As for [`send`](Self::send).
    #[inline]
    pub fn send_text(&mut self, text: &str) -> Result<(), SendError> {
        self.may_send_message(text.len())?;
        self.queue_message(Opcode::Text, text.as_bytes());
        Ok(())
    }

    /// Command: queues a copy of a binary message.
    ///
    /// # Errors
    /// As for [`send`](Self::send).
    #[inline]
    pub fn send_binary(&mut self, data: &[u8]) -> Result<(), SendError> {
        self.may_send_message(data.len())?;
        self.queue_message(Opcode::Binary, data);
        Ok(())
    }

    /// Command: queues a part of a message, as a fragment of its own (§5.4).
    ///
    /// The first part begins a message, the one marked [`last`](Chunk::last) ends it; control
    /// frames may go between, other messages may not.
    ///
    /// # Errors
    /// As for [`send`](Self::send); and a part of the other type than the message in progress.
    /// Should the compressor fail amid a message, that message cannot be completed: the connection is
    /// closed with 1011.
    pub fn send_chunk(&mut self, chunk: Chunk<'_>) -> Result<(), SendError> {
        self.send_part(chunk, false)
    }

    /// The same for who has seen that there [is room](Self::may_queue), and has no other place for
    /// the chunk: a pong may have come between.
    #[cfg(any(feature = "futures-io", feature = "tokio"))]
    pub(crate) fn send_chunk_regardless(&mut self, chunk: Chunk<'_>) -> Result<(), SendError> {
        self.send_part(chunk, true)
    }

    fn send_part(&mut self, chunk: Chunk<'_>, regardless: bool) -> Result<(), SendError> {
        let kind = chunk.data.opcode();
        if !self.closing.may_send() {
            return Err(SendError::Closing(()));
        }
        let opcode = match self.outgoing.in_progress {
            None => kind,
            Some(message) if message == kind => Opcode::Continuation,
            Some(_) => return Err(SendError::MessageInProgress(())),
        };
        let payload = chunk.data.as_bytes();
        if !regardless {
            self.may_queue(payload.len())?;
        }
        self.queue_chunk(opcode, payload, chunk.last)?;
        self.outgoing.in_progress = (!chunk.last).then_some(kind);
        Ok(())
    }

    /// Command: queues a ping with up to 125 bytes of application data (§5.5.2).
    ///
    /// For a connection that is to be kept alive, see
    /// [`Config::keep_alive`](crate::Config::keep_alive).
    ///
    /// # Errors
    /// Too much data, too much queued already, or the closing handshake has begun.
    pub fn ping(&mut self, payload: &[u8]) -> Result<(), SendError> {
        if payload.len() > MAX_CONTROL_PAYLOAD {
            return Err(SendError::ControlTooLong(()));
        }
        self.may_queue(payload.len())?;
        self.queue_ping(payload);
        Ok(())
    }

    /// Command: begins the closing handshake (§7.1.2): queues a Close frame with a code and a
    /// reason, with a code alone, or with `None`.
    ///
    /// Messages of the peer still come until its own Close frame does, or until
    /// [`close_timeout`](crate::Config::close_timeout).
    ///
    /// ```
    /// use sansocket::{CloseCode, CloseFrame, Config, Connection, State};
    ///
    /// let mut server = Connection::server(Config::new());
    /// server.close(CloseFrame::new(CloseCode::GOING_AWAY, "maintenance"))?;
    /// assert_eq!(server.state(), State::Closing);
    /// assert!(server.close(CloseCode::NORMAL).is_err());
    /// # Ok::<(), sansocket::SendError>(())
    /// ```
    ///
    /// # Errors
    /// The closing handshake has begun already.
    pub fn close(&mut self, frame: impl Into<Option<CloseFrame>>) -> Result<(), SendError> {
        if !self.closing.may_send() {
            return Err(SendError::Closing(()));
        }
        self.queue_close(frame.into().as_ref());
        Ok(())
    }

    /// Whether a message may begin here.
    #[inline]
    pub(super) fn may_start_message(&self) -> Result<(), SendError> {
        if !self.closing.may_send() {
            return Err(SendError::Closing(()));
        }
        match self.outgoing.in_progress {
            None => Ok(()),
            Some(_) => Err(SendError::MessageInProgress(())),
        }
    }

    #[inline]
    pub(super) fn may_send_message(&self, len: usize) -> Result<(), SendError> {
        self.may_start_message()?;
        self.fits(len)
    }

    /// Whether a frame with `len` bytes of payload may be queued.
    #[inline]
    pub(crate) fn may_queue(&self, len: usize) -> Result<(), SendError> {
        if !self.closing.may_send() {
            return Err(SendError::Closing(()));
        }
        self.fits(len)
    }

    /// An empty queue takes any frame.
    #[inline]
    fn fits(&self, len: usize) -> Result<(), SendError> {
        let frame = len.saturating_add(MAX_HEADER_SIZE);
        let total = self.queue.len().saturating_add(frame);
        if !self.queue.is_empty() && total > self.config.write_limit {
            return Err(SendError::Full(()));
        }
        Ok(())
    }

    #[inline]
    pub(super) fn next_header(&mut self, opcode: Opcode, fin: bool, len: usize) -> Header {
        Header {
            masking_key: self.role.next_key(),
            ..Header::new(opcode, fin, len as u64)
        }
    }

    fn queue_chunk(&mut self, opcode: Opcode, payload: &[u8], last: bool) -> Result<(), SendError> {
        #[cfg(feature = "deflate")]
        {
            if opcode != Opcode::Continuation {
                self.outgoing.is_compressed = self.compresses_chunks(payload, last);
            }
            if self.outgoing.is_compressed {
                return self.queue_compressed_chunk(opcode, payload, last);
            }
        }
        self.queue_frame(opcode, last, payload);
        Ok(())
    }

    #[inline(never)]
    pub(super) fn queue_message(&mut self, opcode: Opcode, payload: &[u8]) {
        if !self.queue_compressed(opcode, payload) {
            self.queue_frame(opcode, true, payload);
        }
    }

    /// Without the feature, nothing is.
    #[cfg(not(feature = "deflate"))]
    #[inline]
    pub(super) fn queue_compressed(&mut self, _: Opcode, _: &[u8]) -> bool {
        false
    }

    #[inline(always)]
    fn queue_frame(&mut self, opcode: Opcode, fin: bool, payload: &[u8]) {
        let header = self.next_header(opcode, fin, payload.len());
        self.queue.push(&header, payload);
    }

    pub(super) fn queue_ping(&mut self, payload: &[u8]) {
        self.queue_frame(Opcode::Ping, true, payload);
    }

    /// §5.5.3: a pong carries the ping's application data.
    pub(super) fn queue_pong(&mut self, payload: &[u8]) {
        let header = self.next_header(Opcode::Pong, true, payload.len());
        self.queue.push_pong(&header, payload);
    }

    /// Queues our Close frame; nothing is queued behind it (§5.5.1).
    pub(super) fn queue_close(&mut self, frame: Option<&CloseFrame>) {
        let mut body = [0; MAX_CONTROL_PAYLOAD];
        let body = frame.and_then(|frame| {
            let reason = frame.reason().as_bytes();
            let (code, rest) = body.split_first_chunk_mut()?;
            *code = frame.code().get().to_be_bytes();
            rest.get_mut(..reason.len())?.copy_from_slice(reason);
            body.get(..reason.len().saturating_add(2))
        });
        trace!(close_sent(frame));
        // §5.5.2: the latest ping is answered, and nothing leaves behind a Close frame.
        self.queue.push_next_pong();
        self.queue_frame(Opcode::Close, true, body.unwrap_or_default());
        self.closing.on_close_queued();
    }

    /// Fails the connection (§7.1.7): the peer is told why before the caller is.
    #[cold]
    pub(super) fn fail(&mut self, error: ProtocolError) -> ProtocolError {
        if self.closing.may_send() {
            let frame = CloseFrame::new(error.close_code(), error.to_string());
            self.queue_close(Some(&frame));
        }
        self.closing.on_failure(error);
        error
    }

    /// Queues what goes out before the first frame: the end of the opening handshake.
    #[cfg(all(feature = "std", feature = "handshake"))]
    pub(crate) fn queue_head(&mut self, head: &[u8]) {
        self.queue.push_bytes(head, None);
    }
}
