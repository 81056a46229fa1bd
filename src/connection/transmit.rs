//! Bytes that wait for transmission.

use alloc::collections::VecDeque;
use alloc::vec::Vec;

use bytes::{Buf, Bytes};

use crate::frame::mask;

/// A drained queue keeps no more than this, in bytes.
const KEEP: usize = 64 * 1024;

/// And places for no more payloads than this.
const KEEP_LARGE: usize = 256;

/// Copying and masking take turns at this size, so that the second finds the bytes in the cache.
const BLOCK: usize = 4096;

/// Frames in the order of their transmission. Small ones are coalesced in `tail`; the payloads in
/// `large` stand between bytes of it, where they are, so that they are never copied.
#[derive(Default)]
pub(super) struct Queue {
    tail: Vec<u8>,
    /// How much of `tail` has left.
    sent: usize,
    large: VecDeque<Large>,
    len: usize,
    /// How many bytes wait up to the end of the last pong.
    pong_end: usize,
    /// The one pong that waits behind that one: the latest wins (§5.5.3).
    next_pong: Option<Vec<u8>>,
    /// How many bytes wait up to the end of the keep-alive ping.
    ping_end: usize,
    /// Bytes have left before it since this was last asked.
    ping_comes_nearer: bool,
}

/// Sizes only: what waits may be secret.
impl core::fmt::Debug for Queue {
    fn fmt(&self, f: &mut core::fmt::Formatter<'_>) -> core::fmt::Result {
        f.debug_struct("Queue")
            .field("len", &self.len)
            .finish_non_exhaustive()
    }
}

/// Where the keep-alive ping is, for whoever waits for its pong.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum PingOnItsWay {
    /// It has left, or there is none.
    Left,
    /// It waits behind other bytes, some of which have left since this was last asked.
    Nearer,
    /// It waits behind other bytes, none of which have left.
    Stuck,
}

struct Large {
    /// The place in `tail` before which the payload leaves.
    before: usize,
    payload: Bytes,
}

impl Queue {
    pub(super) fn len(&self) -> usize {
        self.len
    }

    pub(super) fn is_empty(&self) -> bool {
        self.len == 0
    }

    /// A frame whose payload is copied, and masked on the way.
    #[inline]
    pub(super) fn push(&mut self, header: &[u8], payload: &[u8], key: Option<[u8; 4]>) {
        let size = header.len().saturating_add(payload.len());
        self.make_room(size);
        self.len = self.len.saturating_add(size);
        self.tail.extend_from_slice(header);
        match key {
            None => self.tail.extend_from_slice(payload),
            Some(key) => extend_masked(&mut self.tail, payload, key),
        }
    }

    /// A frame whose payload is sent from where it is.
    pub(super) fn push_large(&mut self, header: &[u8], payload: Bytes) {
        self.push(header, &[], None);
        if !payload.is_empty() {
            self.len = self.len.saturating_add(payload.len());
            let before = self.tail.len();
            self.large.push_back(Large { before, payload });
        }
    }

    /// A pong, which takes the place of the one that waits if an earlier one has not left yet.
    pub(super) fn push_pong(&mut self, header: &[u8], payload: &[u8], key: Option<[u8; 4]>) {
        if self.pong_end == 0 {
            self.push(header, payload, key);
            self.pong_end = self.len;
        } else {
            let pong = self.next_pong.get_or_insert_default();
            pong.clear();
            pong.extend_from_slice(header);
            extend_masked(pong, payload, key.unwrap_or_default());
        }
    }

    /// The last frame queued is the keep-alive ping.
    pub(super) fn watch_ping(&mut self) {
        self.ping_end = self.len;
        self.ping_comes_nearer = false;
    }

    pub(super) fn ping_on_its_way(&mut self) -> PingOnItsWay {
        match (self.ping_end, core::mem::take(&mut self.ping_comes_nearer)) {
            (0, _) => PingOnItsWay::Left,
            (_, true) => PingOnItsWay::Nearer,
            (_, false) => PingOnItsWay::Stuck,
        }
    }

    pub(super) fn has_pong(&self) -> bool {
        self.pong_end > 0
    }

    /// The pong that waits, if one does, takes its place in the order.
    pub(super) fn push_next_pong(&mut self) {
        if let Some(pong) = self.next_pong.take() {
            self.push(&pong, &[], None);
            self.pong_end = self.len;
        }
    }

    pub(super) fn clear(&mut self) {
        *self = Self::default();
    }

    /// Gives back all heap memory that holds nothing.
    pub(super) fn release(&mut self) {
        if self.is_empty() {
            self.clear();
        }
    }

    /// Makes room for `more` bytes behind what waits.
    #[inline]
    fn make_room(&mut self, more: usize) {
        if self.tail.capacity().saturating_sub(self.tail.len()) < more {
            self.move_and_grow(more);
        }
    }

    /// What has left makes room first, so that the capacity is never more than twice what waits.
    #[cold]
    fn move_and_grow(&mut self, more: usize) {
        let sent = core::mem::take(&mut self.sent);
        self.tail.drain(..sent);
        for large in &mut self.large {
            large.before = large.before.saturating_sub(sent);
        }
        // Moving costs what waits: unless it gains as much, growing makes up for it.
        let waiting = self.tail.len();
        if sent < waiting || self.tail.capacity().saturating_sub(waiting) < more {
            self.tail.reserve_exact(more.max(waiting));
        }
    }

    #[cold]
    fn forget_large(&mut self) {
        self.large = VecDeque::new();
    }

    #[inline]
    fn next_chunk(&self) -> &[u8] {
        if self.large.is_empty() {
            return self.tail.get(self.sent..).unwrap_or_default();
        }
        self.chunks().next().unwrap_or_default()
    }

    /// All that waits, in order.
    fn chunks(&self) -> impl Iterator<Item = &[u8]> {
        let mut from = self.sent;
        let between = self.large.iter().flat_map(move |large| {
            let tail = self.tail.get(from..large.before).unwrap_or_default();
            from = large.before;
            [tail, &large.payload]
        });
        let last = self
            .large
            .back()
            .map_or(self.sent, |large| large.before.max(self.sent));
        let rest = self.tail.get(last..).unwrap_or_default();
        between.chain([rest]).filter(|chunk| !chunk.is_empty())
    }

    fn advance(&mut self, n: usize) {
        let mut n = n.min(self.len);
        self.len = self.len.saturating_sub(n);
        self.pong_end = self.pong_end.saturating_sub(n);
        self.ping_end = self.ping_end.saturating_sub(n);
        self.ping_comes_nearer |= n > 0;
        while let Some(large) = self.large.front_mut() {
            let tail = large.before.saturating_sub(self.sent).min(n);
            self.sent = self.sent.saturating_add(tail);
            n = n.saturating_sub(tail);
            let payload = large.payload.len().min(n);
            large.payload.advance(payload);
            n = n.saturating_sub(payload);
            if !large.payload.is_empty() {
                break;
            }
            self.large.pop_front();
            if self.large.is_empty() && self.large.capacity() > KEEP_LARGE {
                self.forget_large();
            }
        }
        self.sent = self.sent.saturating_add(n);
        if self.len == 0 {
            self.sent = 0;
            self.tail.clear();
            if self.tail.capacity() > KEEP {
                self.tail.shrink_to(KEEP);
            }
        }
        if self.pong_end == 0 && self.next_pong.is_some() {
            self.push_next_pong();
        }
    }
}

fn extend_masked(to: &mut Vec<u8>, payload: &[u8], key: [u8; 4]) {
    to.reserve(payload.len());
    // A block is a multiple of 4 bytes, so that each starts with the key's first byte.
    for block in payload.chunks(BLOCK) {
        let start = to.len();
        to.extend_from_slice(block);
        mask(to.get_mut(start..).unwrap_or_default(), key);
    }
}

/// A copy of the payload, masked.
pub(super) fn masked_copy(payload: &[u8], key: [u8; 4]) -> Bytes {
    let mut copy = Vec::new();
    extend_masked(&mut copy, payload, key);
    copy.into()
}

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
        self.0.len
    }
}

impl Buf for Transmit<'_> {
    fn remaining(&self) -> usize {
        self.0.len
    }

    #[inline]
    fn chunk(&self) -> &[u8] {
        self.0.next_chunk()
    }

    #[cfg(feature = "std")]
    fn chunks_vectored<'a>(&'a self, slices: &mut [std::io::IoSlice<'a>]) -> usize {
        if self.0.large.is_empty() {
            return match slices.first_mut() {
                Some(slice) if !self.0.is_empty() => {
                    *slice = std::io::IoSlice::new(self.0.next_chunk());
                    1
                }
                _ => 0,
            };
        }
        let chunks = slices.iter_mut().zip(self.0.chunks());
        chunks
            .map(|(slice, chunk)| *slice = std::io::IoSlice::new(chunk))
            .count()
    }

    fn advance(&mut self, n: usize) {
        self.0.advance(n);
    }
}
