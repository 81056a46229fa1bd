//! What is to be written to the transport.

#[cfg(feature = "std")]
use std::io::IoSlice;

use bytes::Buf;

use super::queue::{MASK_BLOCK, Queue};

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

/// The bytes to write to the transport, the last of which are a message that is lent: what
/// [`Connection::transmit_message`](super::Connection::transmit_message) gives.
///
/// It is used as [`Transmit`] is. What has not left when it is dropped is copied to the queue, to
/// leave with the next `transmit`.
#[derive(Debug)]
pub struct TransmitMessage<'a> {
    queue: &'a mut Queue,
    /// What of the payload is not in the queue.
    lent: &'a [u8],
    /// A client's payload goes through the queue to be masked, block by block.
    key: Option<[u8; 4]>,
}

/// What of a message is not in the queue.
#[derive(Debug, Clone, Copy)]
pub(super) enum Lent {
    Nothing,
    AsItIs,
    ToMask([u8; 4]),
}

impl<'a> TransmitMessage<'a> {
    /// The header of what is lent is queued.
    #[inline(always)]
    pub(super) fn new(queue: &'a mut Queue, payload: &'a [u8], lent: Lent) -> Self {
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
