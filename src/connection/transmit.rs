//! What is to be written to the transport.

use core::fmt;
#[cfg(feature = "std")]
use std::io::IoSlice;

use bytes::Buf;
#[cfg(any(feature = "futures-io", feature = "tokio"))]
use bytes::Bytes;

use super::Connection;
use super::queue::{MASK_BLOCK, Queue};
use super::send::LARGE;
use crate::error::SendError;
use crate::frame::{Opcode, rotated};
use crate::message::Data;

/// The bytes to write to the transport: a [`Buf`] that gives them in order, in one or several
/// slices.
///
/// Write what [`chunk`](Buf::chunk) or [`chunks_vectored`](Buf::chunks_vectored) gives, then
/// [`advance`](Buf::advance) by as much as was written. Bytes leave in no other way, so that a write
/// that is cancelled or fails in between loses none. Advancing further than there are bytes
/// advances to the end.
///
/// ```
/// use bytes::Buf;
/// use sansocket::{Config, Connection};
///
/// let mut server = Connection::server(Config::new());
/// server.send_text("hi").unwrap();
///
/// let mut transmit = server.transmit();
/// assert_eq!(transmit.chunk(), b"\x81\x02hi");
/// transmit.advance(4);
/// assert!(!transmit.has_remaining());
/// ```
#[derive(Debug)]
pub struct Transmit<'a>(pub(super) &'a mut Queue);

impl Transmit<'_> {
    /// Number of bytes that wait.
    pub fn queued(&self) -> usize {
        self.0.len()
    }
}

impl Buf for Transmit<'_> {
    #[inline]
    fn remaining(&self) -> usize {
        self.0.len()
    }

    #[inline]
    fn chunk(&self) -> &[u8] {
        self.0.next_chunk()
    }

    #[cfg(feature = "std")]
    #[inline]
    fn chunks_vectored<'a>(&'a self, slices: &mut [IoSlice<'a>]) -> usize {
        fill(slices, self.0)
    }

    #[inline]
    fn advance(&mut self, n: usize) {
        self.0.advance(n);
    }
}

/// Gives what the queue holds in slices.
#[cfg(feature = "std")]
#[inline]
fn fill<'a>(slices: &mut [IoSlice<'a>], queue: &'a Queue) -> usize {
    if queue.is_contiguous() {
        return match slices.first_mut() {
            Some(slice) if !queue.is_empty() => {
                *slice = IoSlice::new(queue.next_chunk());
                1
            }
            _ => 0,
        };
    }
    let chunks = slices.iter_mut().zip(queue.chunks());
    chunks
        .map(|(slice, chunk)| *slice = IoSlice::new(chunk))
        .count()
}

impl Connection {
    /// Command and output: queues a message without its payload, which is lent: what is transmitted
    /// at once is not copied.
    ///
    /// What is queued already leaves first. Whatever of the payload has not left when the result is
    /// dropped is copied to the queue, so that the message is sent like any other; that may exceed
    /// the [write limit](crate::Config::write_limit), once. A client's payload is masked in blocks of
    /// 64 KiB, on the way; a message below 8 KiB, or one that is compressed, is queued whole.
    ///
    /// ```
    /// use sansocket::{Config, Connection, Data};
    /// use std::io::Write;
    /// use bytes::Buf;
    ///
    /// let (mut server, mut stream) = (Connection::server(Config::new()), Vec::new());
    /// let image = vec![7; 100_000];
    ///
    /// let mut transmit = server.transmit_message(Data::Binary(&image))?;
    /// while transmit.has_remaining() {
    ///     let n = stream.write(transmit.chunk())?; // or write_vectored
    ///     transmit.advance(n);
    /// }
    /// # drop(transmit);
    /// assert_eq!(stream.len(), 100_010);
    /// # Ok::<(), Box<dyn std::error::Error>>(())
    /// ```
    ///
    /// # Errors
    /// As for [`send`](Self::send).
    #[inline(always)]
    pub fn transmit_message<'a>(
        &'a mut self,
        message: Data<'a>,
    ) -> Result<TransmitMessage<'a>, SendError> {
        let lent = self.queue_or_lend(message)?;
        Ok(self.transmit_lent(message, lent))
    }

    /// Queues a message, or its header alone.
    ///
    /// Apart from [`transmit_lent`](Self::transmit_lent), which cannot fail: what is in a `Result` may be
    /// stored piece by piece, and to wait for that takes longer than a small message.
    #[inline(always)]
    pub(crate) fn queue_or_lend(&mut self, message: Data<'_>) -> Result<Lent, SendError> {
        let (opcode, payload) = (message.opcode(), message.as_bytes());
        self.may_send_message(payload.len())?;
        if payload.len() < LARGE {
            self.queue_message(opcode, payload);
            return Ok(Lent::Nothing);
        }
        Ok(self.lend_large(opcode, payload))
    }

    #[inline(never)]
    fn lend_large(&mut self, opcode: Opcode, payload: &[u8]) -> Lent {
        if self.queue_compressed(opcode, payload) {
            return Lent::Nothing;
        }
        // What else is queued comes before the header: nothing may come between it and the payload.
        self.queue.push_next_pong();
        let header = self.next_header(opcode, true, payload.len());
        self.queue.push(&header, &[]);
        match header.masking_key {
            None => Lent::AsItIs,
            Some(key) => Lent::ToMask(key),
        }
    }

    /// What is queued, and behind it what was lent of this message.
    #[inline(always)]
    pub(crate) fn transmit_lent<'a>(
        &'a mut self,
        message: Data<'a>,
        lent: Lent,
    ) -> TransmitMessage<'a> {
        TransmitMessage::new(&mut self.queue, message.as_bytes(), lent)
    }
}

#[cfg(any(feature = "futures-io", feature = "tokio"))]
impl Connection {
    /// What is queued, and behind it the rest of the message that was queued last.
    #[inline(always)]
    pub(crate) fn transmit_owned(&mut self, payload: Bytes) -> TransmitOwned<'_> {
        let queue = &mut self.queue;
        TransmitOwned { queue, payload }
    }
}

/// The same with a payload that belongs to it: what has not left when this is dropped waits in the queue,
/// where it is.
#[cfg(any(feature = "futures-io", feature = "tokio"))]
pub(crate) struct TransmitOwned<'a> {
    queue: &'a mut Queue,
    payload: Bytes,
}

#[cfg(any(feature = "futures-io", feature = "tokio"))]
impl Buf for TransmitOwned<'_> {
    #[inline]
    fn remaining(&self) -> usize {
        self.queue.len().saturating_add(self.payload.len())
    }

    #[inline]
    fn chunk(&self) -> &[u8] {
        match self.queue.is_empty() {
            true => &self.payload,
            false => self.queue.next_chunk(),
        }
    }

    #[inline]
    fn chunks_vectored<'a>(&'a self, slices: &mut [IoSlice<'a>]) -> usize {
        let queued = fill(slices, self.queue);
        match slices.get_mut(queued) {
            Some(slice) if !self.payload.is_empty() => {
                *slice = IoSlice::new(&self.payload);
                queued.saturating_add(1)
            }
            _ => queued,
        }
    }

    #[inline]
    fn advance(&mut self, n: usize) {
        let queued = self.queue.len().min(n);
        self.queue.advance(queued);
        let rest = n.saturating_sub(queued).min(self.payload.len());
        self.payload.advance(rest);
    }
}

#[cfg(any(feature = "futures-io", feature = "tokio"))]
impl Drop for TransmitOwned<'_> {
    #[inline]
    fn drop(&mut self) {
        if !self.payload.is_empty() {
            self.queue.push_payload(core::mem::take(&mut self.payload));
        }
    }
}

/// The bytes to write to the transport, the last of which are a message that is lent: what
/// [`Connection::transmit_message`](super::Connection::transmit_message) gives.
///
/// It is used as [`Transmit`] is. What has not left when it is dropped is copied to the queue, to
/// leave with the next `transmit`. To forget it, as `mem::forget` does, cuts the frame short: then
/// the connection is of no more use.
#[must_use = "dropped at once, it copies the message"]
pub struct TransmitMessage<'a> {
    queue: &'a mut Queue,
    /// What of the payload is not in the queue.
    lent: &'a [u8],
    /// A client's payload goes through the queue to be masked, block by block.
    key: Option<[u8; 4]>,
}

/// Sizes only: what waits may be secret.
impl fmt::Debug for TransmitMessage<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("TransmitMessage")
            .field("remaining", &self.remaining())
            .finish_non_exhaustive()
    }
}

/// What of a message is not in the queue.
#[derive(Debug, Clone, Copy)]
pub(crate) enum Lent {
    Nothing,
    AsItIs,
    ToMask([u8; 4]),
}

impl<'a> TransmitMessage<'a> {
    /// The header of what is lent is queued.
    #[inline(always)]
    fn new(queue: &'a mut Queue, payload: &'a [u8], lent: Lent) -> Self {
        let mut this = Self {
            queue,
            lent: payload,
            key: None,
        };
        match lent {
            Lent::Nothing => this.lent = &[],
            Lent::AsItIs => {}
            Lent::ToMask(key) => {
                this.key = Some(key);
                this.mask_block();
            }
        }
        this
    }

    fn mask_block(&mut self) {
        let block = self.lent.len().min(MASK_BLOCK);
        let (block, rest) = self.lent.split_at_checked(block).unwrap_or_default();
        self.queue.push_bytes(block, self.key);
        self.lent = rest;
    }

    fn advance_lent(&mut self, n: usize) {
        self.lent = self.lent.get(n..).unwrap_or_default();
        self.key = self.key.map(|key| rotated(key, n));
        if self.key.is_some() && self.queue.is_empty() && !self.lent.is_empty() {
            self.mask_block();
        }
    }
}

impl Buf for TransmitMessage<'_> {
    #[inline]
    fn remaining(&self) -> usize {
        self.queue.len().saturating_add(self.lent.len())
    }

    #[inline]
    fn chunk(&self) -> &[u8] {
        match self.queue.is_empty() {
            true => self.lent,
            false => self.queue.next_chunk(),
        }
    }

    #[cfg(feature = "std")]
    #[inline]
    fn chunks_vectored<'a>(&'a self, slices: &mut [IoSlice<'a>]) -> usize {
        let queued = fill(slices, self.queue);
        match slices.get_mut(queued) {
            Some(slice) if self.key.is_none() && !self.lent.is_empty() => {
                *slice = IoSlice::new(self.lent);
                queued.saturating_add(1)
            }
            _ => queued,
        }
    }

    #[inline]
    fn advance(&mut self, n: usize) {
        let queued = self.queue.len().min(n);
        self.queue.advance(queued);
        if !self.lent.is_empty() {
            self.advance_lent(n.saturating_sub(queued));
        }
    }
}

impl Drop for TransmitMessage<'_> {
    #[inline]
    fn drop(&mut self) {
        if !self.lent.is_empty() {
            self.queue.push_bytes(self.lent, self.key);
        }
    }
}
