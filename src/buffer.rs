//! The receive buffer: owned by the caller, lent to the engine.

use alloc::string::String;
use alloc::vec::Vec;
use core::mem;
use core::ops::Range;

use bytes::{Buf, Bytes, BytesMut};

/// Bytes received and not yet consumed, and the message being put together from them.
///
/// The caller owns it and fills it; [`Connection::receive`](crate::Connection::receive) and the
/// opening handshake consume it and lend events out of it. A connection that waits holds no heap
/// memory of its own, so a thread that serves many connections can give the buffer of an idle one
/// back with [`release`](Self::release), or share one buffer among all that are
/// [empty](Self::is_empty).
///
/// A message that spans frames or reads leaves parts here: hand the same buffer to the same
/// connection until it `is_empty`.
///
/// # Memory
/// An unused buffer holds no heap memory. It grows by what is asked of [`spare`](Self::spare), at
/// most doubling beyond what has arrived, and never by what a frame header claims.
///
/// ```
/// use sansocket::ReceiveBuffer;
/// use std::io::Read;
///
/// let mut stream: &[u8] = b"\x81\x02hi"; // or a TcpStream
/// let mut rx = ReceiveBuffer::default();
/// let n = stream.read(rx.spare(16 * 1024))?;
/// rx.commit(n);
/// assert_eq!(rx.len(), 4);
/// # Ok::<(), std::io::Error>(())
/// ```
#[derive(Default)]
pub struct ReceiveBuffer {
    /// Its length is what was ever initialised: filling never zeroes twice.
    store: BytesMut,
    /// The store, after a message was handed over with its allocation; then `store` is empty. The
    /// unread bytes stay there until they are asked for: the message may have been dropped by then.
    handed: Option<Bytes>,
    start: usize,
    end: usize,
    pub(crate) assembly: Assembly,
}

/// What the frames of an unfinished message, or the lent one, are gathered in.
#[derive(Default)]
pub(crate) struct Assembly {
    pub(crate) text: String,
    pub(crate) data: Vec<u8>,
    /// A character that was cut in two, lent as a chunk.
    pub(crate) character: [u8; 4],
    #[cfg(feature = "deflate")]
    pub(crate) inflated: Inflated,
}

/// What has come out of a compressed message and not gone on yet.
#[cfg(feature = "deflate")]
#[derive(Debug, Default)]
pub(crate) struct Inflated {
    /// Room for one step, all of it or none.
    bytes: Vec<u8>,
    filled: usize,
    /// Lent, or gone into the assembly.
    done: usize,
}

#[cfg(feature = "deflate")]
impl Inflated {
    /// How much is inflated at a time, in bytes; enough for a small message.
    const STEP: usize = 8 * 1024;
    /// The same, of a message that has filled it once: each step costs the library a copy of its
    /// window, and keeps it from the fast way over what comes out. A message of 64 KiB does not fill it,
    /// so that it is seen to end there, and is lent from there.
    const LARGE_STEP: usize = 64 * 1024 + 64;

    fn clear(&mut self) {
        self.filled = 0;
        self.done = 0;
    }

    fn is_empty(&self) -> bool {
        self.filled == self.done
    }

    /// Room to inflate into, behind what waits.
    pub(crate) fn spare(&mut self) -> &mut [u8] {
        if self.bytes.is_empty() {
            self.bytes.resize(Self::STEP, 0);
        } else if self.filled == self.bytes.len() {
            self.bytes.resize(Self::LARGE_STEP, 0);
        }
        self.bytes.copy_within(self.done..self.filled, 0);
        self.filled = self.filled.saturating_sub(self.done);
        self.done = 0;
        self.bytes.get_mut(self.filled..).unwrap_or_default()
    }

    pub(crate) fn commit(&mut self, n: usize) {
        self.filled = self.filled.saturating_add(n).min(self.bytes.len());
    }

    pub(crate) fn waiting(&self) -> &[u8] {
        self.bytes.get(self.done..self.filled).unwrap_or_default()
    }

    /// Consumes the first `n` bytes that wait, and gives them.
    pub(crate) fn consume(&mut self, n: usize) -> &[u8] {
        let start = self.done;
        self.done = start.saturating_add(n).min(self.filled);
        self.bytes.get(start..self.done).unwrap_or_default()
    }
}

impl Assembly {
    pub(crate) fn clear(&mut self) {
        self.text.clear();
        self.data.clear();
        #[cfg(feature = "deflate")]
        self.inflated.clear();
    }

    fn is_empty(&self) -> bool {
        #[cfg(feature = "deflate")]
        if !self.inflated.is_empty() {
            return false;
        }
        self.is_unbegun()
    }

    /// Whether no part of a message is gathered yet.
    pub(crate) fn is_unbegun(&self) -> bool {
        self.text.is_empty() && self.data.is_empty()
    }

    /// Moves the first `n` inflated bytes that wait into the message, as `append` does.
    #[cfg(feature = "deflate")]
    pub(crate) fn append_inflated<E>(
        &mut self,
        n: usize,
        append: impl FnOnce(&mut Self, &[u8]) -> Result<(), E>,
    ) -> Result<(), E> {
        let mut inflated = mem::take(&mut self.inflated);
        let result = append(self, inflated.consume(n));
        self.inflated = inflated;
        result
    }

    fn capacity(&self) -> usize {
        let capacity = self.text.capacity().saturating_add(self.data.capacity());
        #[cfg(feature = "deflate")]
        let capacity = capacity.saturating_add(self.inflated.bytes.capacity());
        capacity
    }
}

/// An in-place payload is handed over with its allocation only from this size on: below it, a copy
/// is cheaper than a new allocation for the buffer.
pub(crate) const TAKE_MIN: usize = 16 * 1024;

/// Sizes only: what was received may be secret.
impl core::fmt::Debug for ReceiveBuffer {
    fn fmt(&self, f: &mut core::fmt::Formatter<'_>) -> core::fmt::Result {
        f.debug_struct("ReceiveBuffer")
            .field("len", &self.len())
            .field("capacity", &self.capacity())
            .finish_non_exhaustive()
    }
}

impl ReceiveBuffer {
    /// An empty buffer, without heap memory.
    pub fn new() -> Self {
        Self::default()
    }

    /// Room for at least `min` bytes (at least one) behind the received ones, to read into.
    ///
    /// The contents are unspecified. Like a `Vec`, it panics if `min` bytes are more than there can
    /// be. [`Connection::read_hint`](crate::Connection::read_hint) says
    /// what to ask for.
    pub fn spare(&mut self, min: usize) -> &mut [u8] {
        let min = min.max(1);
        self.restore();
        if self.start == self.end {
            self.start = 0;
            self.end = 0;
        }
        if self.store.len().saturating_sub(self.end) < min {
            self.make_room(min);
        }
        self.store.get_mut(self.end..).unwrap_or_default()
    }

    #[cold]
    fn make_room(&mut self, min: usize) {
        let pending = self.len();
        let full = self.end.saturating_add(min) > self.store.capacity();
        // Moving costs what is pending: it must gain as much, or be made up for by growing.
        if pending <= self.start || full {
            self.store.copy_within(self.start..self.end, 0);
            self.start = 0;
            self.end = pending;
        }
        let needed = self.end.saturating_add(min);
        let target = needed.max(pending.saturating_mul(2));
        if full && self.store.capacity() < target {
            // As a `Vec` it grows by no more than is asked for.
            let mut store = Vec::from(mem::take(&mut self.store));
            store.reserve_exact(target.saturating_sub(store.len()));
            self.store = Bytes::from(store).into();
            // Splitting makes it count its owners from here on: to hand it over and to take it back
            // allocates nothing then.
            drop(self.store.split_off(self.store.capacity()));
        }
        if self.store.len() < needed {
            self.store.resize(needed, 0);
        }
    }

    /// Takes the store back that was handed over, if the message has been dropped; otherwise copies
    /// what is unread out of it. To be called before unread bytes are looked at.
    #[inline]
    pub(crate) fn restore(&mut self) {
        if let Some(handed) = self.handed.take() {
            self.take_back(handed);
        }
    }

    #[cold]
    fn take_back(&mut self, handed: Bytes) {
        match handed.try_into_mut() {
            Ok(store) => self.store = store,
            Err(handed) => {
                let unread = handed.get(self.start..self.end).unwrap_or_default();
                self.store = BytesMut::from(unread);
                self.start = 0;
                self.end = self.store.len();
            }
        }
    }

    /// Says that the first `n` bytes of the [`spare`](Self::spare) room now hold received bytes.
    ///
    /// An `n` beyond the room is held at the room's size.
    pub fn commit(&mut self, n: usize) {
        let room = self.store.len().max(self.end);
        self.end = self.end.saturating_add(n).min(room);
    }

    /// Appends bytes that were received elsewhere: one copy.
    pub fn extend_from_slice(&mut self, bytes: &[u8]) {
        if bytes.is_empty() {
            return;
        }
        if let Some(room) = self.spare(bytes.len()).get_mut(..bytes.len()) {
            room.copy_from_slice(bytes);
            self.commit(bytes.len());
        }
    }

    /// Number of bytes received and not yet consumed.
    pub fn len(&self) -> usize {
        self.end.saturating_sub(self.start)
    }

    /// Whether nothing is held: no unconsumed byte and no part of a message.
    pub fn is_empty(&self) -> bool {
        self.start == self.end && self.assembly.is_empty()
    }

    /// Gives back all heap memory that holds nothing. Nothing received is lost.
    pub fn release(&mut self) {
        if self.start == self.end {
            self.store = BytesMut::new();
            self.handed = None;
            self.start = 0;
            self.end = 0;
        }
        if self.assembly.text.is_empty() {
            self.assembly.text = String::new();
        }
        if self.assembly.data.is_empty() {
            self.assembly.data = Vec::new();
        }
        #[cfg(feature = "deflate")]
        if self.assembly.inflated.is_empty() {
            self.assembly.inflated = Inflated::default();
        }
    }

    /// Number of bytes of heap memory held, that of the last message handed over among them until
    /// the next [`spare`](Self::spare).
    pub fn capacity(&self) -> usize {
        self.store
            .capacity()
            .saturating_add(self.handed.as_ref().map_or(0, Bytes::len))
            .saturating_add(self.assembly.capacity())
    }

    /// Whether there is memory to read into.
    #[cfg(any(feature = "futures-io", feature = "tokio"))]
    pub(crate) fn has_store(&self) -> bool {
        self.store.capacity() > 0
    }

    /// Reads into this memory from here on, if there is none yet.
    #[cfg(any(feature = "futures-io", feature = "tokio"))]
    pub(crate) fn put_store(&mut self, store: BytesMut) {
        if !self.has_store() {
            self.store = store;
        }
    }

    /// Whether all bytes received are consumed, be they gathered for a message or not.
    #[cfg(any(feature = "futures-io", feature = "tokio"))]
    pub(crate) fn is_read_out(&self) -> bool {
        self.start == self.end
    }

    /// The memory that was read into, and with it all that is unread.
    #[cfg(any(feature = "futures-io", feature = "tokio"))]
    pub(crate) fn take_store(&mut self) -> BytesMut {
        self.start = 0;
        self.end = 0;
        mem::take(&mut self.store)
    }

    /// The bytes received and not yet consumed.
    #[inline]
    pub(crate) fn unread(&self) -> &[u8] {
        self.store.get(self.start..self.end).unwrap_or_default()
    }

    #[inline]
    pub(crate) fn unread_mut(&mut self) -> &mut [u8] {
        self.store.get_mut(self.start..self.end).unwrap_or_default()
    }

    /// How many bytes in front of the unread ones have been consumed and not made room of.
    pub(crate) fn consumed(&self) -> usize {
        self.start
    }

    /// Consumes the first `n` unread bytes.
    #[inline]
    pub(crate) fn consume(&mut self, n: usize) {
        self.start = self.start.saturating_add(n).min(self.end);
    }

    /// Consumes `skip` unread bytes and then `len` more, and gives the place of those: it stays as
    /// it is until the next [`spare`](Self::spare).
    #[inline]
    pub(crate) fn consume_range(&mut self, skip: usize, len: usize) -> Range<usize> {
        let start = self.start.wrapping_add(skip);
        let end = start.wrapping_add(len);
        if start > end || end > self.end {
            return self.end..self.end;
        }
        self.start = end;
        start..end
    }

    pub(crate) fn assembly_and_unread(&mut self) -> (&mut Assembly, &[u8]) {
        let unread = self.store.get(self.start..self.end).unwrap_or_default();
        (&mut self.assembly, unread)
    }

    /// Drops everything received and the message in progress.
    pub(crate) fn discard(&mut self) {
        self.start = self.end;
        self.assembly.clear();
    }

    #[inline]
    pub(crate) fn at(&self, place: Range<usize>) -> &[u8] {
        self.store.get(place).unwrap_or_default()
    }

    #[inline]
    pub(crate) fn at_mut(&mut self, place: Range<usize>) -> &mut [u8] {
        self.store.get_mut(place).unwrap_or_default()
    }

    /// A consumed payload as one's own: with the allocation it lies in if it fills at least half of
    /// it, so that no message keeps much more memory alive than its own; copied otherwise.
    pub(crate) fn take(&mut self, place: Range<usize>) -> Bytes {
        let payload = self.at(place.clone());
        if payload.len() < self.store.capacity() / 2 {
            return Bytes::copy_from_slice(payload);
        }
        let store = mem::take(&mut self.store).freeze();
        let mut payload = store.clone();
        self.handed = Some(store);
        payload.truncate(place.end);
        payload.advance(place.start.min(payload.len()));
        payload
    }
}
