//! Bytes that wait for transmission.

use alloc::collections::VecDeque;
use alloc::vec::Vec;

use bytes::{Buf, Bytes};

use super::masking::extend_masked;
use crate::frame::{Header, MAX_HEADER_SIZE};
use crate::pings::OnItsWay;

/// How much of a lent payload is masked at a time, in bytes: a multiple of the key's size.
pub(super) const MASK_BLOCK: usize = 64 * 1024;

/// A drained queue keeps no more than this, in bytes: a header and a block.
const KEEP: usize = MASK_BLOCK + MAX_HEADER_SIZE;

/// And places for no more payloads than this.
const KEEP_LARGE: usize = 256;

/// From this many bytes on, what waits at a time is queued in memory that is lent, if any is.
const LARGE_BATCH: usize = 512;

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
    /// The last batch was large, so that the next is likely to be.
    was_large: bool,
}

/// Sizes only: what waits may be secret.
impl core::fmt::Debug for Queue {
    fn fmt(&self, f: &mut core::fmt::Formatter<'_>) -> core::fmt::Result {
        f.debug_struct("Queue")
            .field("len", &self.len)
            .finish_non_exhaustive()
    }
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

    /// Whether all that waits is one chunk, or nothing.
    #[cfg(feature = "std")]
    pub(super) fn is_contiguous(&self) -> bool {
        self.large.is_empty()
    }

    /// A frame whose payload is copied, and masked on the way.
    #[inline(always)]
    pub(super) fn push(&mut self, header: &Header, payload: &[u8]) {
        self.make_room(payload.len().saturating_add(MAX_HEADER_SIZE));
        let before = self.tail.len();
        header.write(|part| self.tail.extend_from_slice(part));
        self.extend(payload, header.masking_key);
        self.len = self
            .len
            .saturating_add(self.tail.len().saturating_sub(before));
    }

    /// Bytes that are no frame, or the next ones of a payload.
    pub(super) fn push_bytes(&mut self, bytes: &[u8], key: Option<[u8; 4]>) {
        self.make_room(bytes.len());
        self.extend(bytes, key);
        self.len = self.len.saturating_add(bytes.len());
    }

    #[inline]
    fn extend(&mut self, payload: &[u8], key: Option<[u8; 4]>) {
        match key {
            None => self.tail.extend_from_slice(payload),
            Some(key) => extend_masked(&mut self.tail, payload, key),
        }
    }

    /// A payload whose header was pushed last, masked already: it is sent from where it is.
    pub(super) fn push_payload(&mut self, payload: Bytes) {
        if !payload.is_empty() {
            self.len = self.len.saturating_add(payload.len());
            let before = self.tail.len();
            self.large.push_back(Large { before, payload });
        }
    }

    /// A pong, which takes the place of the one that waits if an earlier one has not left yet.
    pub(super) fn push_pong(&mut self, header: &Header, payload: &[u8]) {
        if self.pong_end == 0 {
            self.push(header, payload);
            self.pong_end = self.len;
        } else {
            let pong = self.next_pong.get_or_insert_default();
            pong.clear();
            pong.extend_from_slice(&header.encode());
            extend_masked(pong, payload, header.masking_key.unwrap_or_default());
        }
    }

    /// The last frame queued is the keep-alive ping.
    pub(super) fn watch_ping(&mut self) {
        self.ping_end = self.len;
        self.ping_comes_nearer = false;
    }

    pub(super) fn ping_on_its_way(&mut self) -> OnItsWay {
        match (self.ping_end, core::mem::take(&mut self.ping_comes_nearer)) {
            (0, _) => OnItsWay::Left,
            (_, true) => OnItsWay::Nearer,
            (_, false) => OnItsWay::Stuck,
        }
    }

    pub(super) fn has_pong(&self) -> bool {
        self.pong_end > 0
    }

    /// The pong that waits, if one does, takes its place in the order.
    pub(super) fn push_next_pong(&mut self) {
        if let Some(pong) = self.next_pong.take() {
            self.push_bytes(&pong, None);
            self.pong_end = self.len;
        }
    }

    pub(super) fn clear(&mut self) {
        *self = Self::default();
    }

    /// Whether there is memory to queue into.
    #[cfg(any(feature = "futures-io", feature = "tokio"))]
    #[inline]
    pub(super) fn has_room(&self) -> bool {
        self.tail.capacity() > 0
    }

    /// Whether much is likely to come: so many bytes, or as much as last time.
    #[cfg(any(feature = "futures-io", feature = "tokio"))]
    #[inline]
    pub(super) fn needs_large_room(&self, message: usize) -> bool {
        self.was_large || message >= LARGE_BATCH
    }

    /// Uses this memory from here on.
    #[cfg(any(feature = "futures-io", feature = "tokio"))]
    pub(super) fn put_room(&mut self, room: Vec<u8>) {
        if self.tail.capacity() == 0 {
            self.tail = room;
        }
    }

    /// The memory of a queue in which nothing waits, if it is more than some small frames need.
    #[cfg(any(feature = "futures-io", feature = "tokio"))]
    #[inline]
    pub(super) fn take_large_room(&mut self) -> Option<Vec<u8>> {
        let takes = self.is_empty() && self.tail.capacity() > LARGE_BATCH;
        takes.then(|| core::mem::take(&mut self.tail))
    }

    /// The memory of a queue in which nothing waits, whatever its size.
    #[cfg(any(feature = "futures-io", feature = "tokio"))]
    pub(super) fn take_room(&mut self) -> Vec<u8> {
        match self.is_empty() {
            true => core::mem::take(&mut self.tail),
            false => Vec::new(),
        }
    }

    /// Gives back all heap memory that holds nothing.
    pub(super) fn release(&mut self) {
        if self.is_empty() {
            *self = Self {
                was_large: self.was_large,
                ..Self::default()
            };
            return;
        }
        // Memory that was lent may be far more than what waits.
        let twice = self.tail.len().saturating_mul(2);
        if self.tail.capacity() > twice.max(LARGE_BATCH) {
            self.tail.shrink_to(twice);
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
        if sent > 0 {
            self.tail.drain(..sent);
        }
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

    /// What is to leave first.
    #[inline]
    pub(super) fn next_chunk(&self) -> &[u8] {
        if self.large.is_empty() {
            return self.tail.get(self.sent..).unwrap_or_default();
        }
        self.chunks().next().unwrap_or_default()
    }

    /// All that waits, in order.
    pub(super) fn chunks(&self) -> impl Iterator<Item = &[u8]> {
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

    /// The first `n` bytes have left.
    #[inline]
    pub(super) fn advance(&mut self, n: usize) {
        if n < self.len || !self.large.is_empty() || self.next_pong.is_some() {
            return self.advance_in_steps(n);
        }
        self.len = 0;
        self.pong_end = 0;
        self.ping_end = 0;
        self.on_drained();
    }

    #[inline(never)]
    fn advance_in_steps(&mut self, n: usize) {
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
            self.on_drained();
        }
        if self.pong_end == 0 && self.next_pong.is_some() {
            self.push_next_pong();
        }
    }

    /// All has left.
    #[inline]
    fn on_drained(&mut self) {
        self.was_large = self.tail.len() >= LARGE_BATCH;
        self.sent = 0;
        self.tail.clear();
        if self.tail.capacity() > KEEP {
            self.tail.shrink_to(KEEP);
        }
    }
}
