//! What is to be sent once there is a connection, and what the peer has not confirmed.

use alloc::collections::VecDeque;
use alloc::vec::Vec;
use core::time::Duration;

use crate::message::Message;
use crate::time::Timestamp;

/// What becomes of a message for which there is no room.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Default)]
pub enum Overflow {
    /// It comes back, for the application to decide.
    #[default]
    Refuse,
    /// The oldest messages that were never sent make room for it.
    DropOldest,
    /// It is dropped itself.
    DropNewest,
}

/// Messages in the order in which they are to be sent, within limits, whether there is a connection
/// or not.
///
/// A message that has an id stays until the peer has [confirmed](Self::confirm) it, and is sent again
/// after the connection has ended, or when its confirmation takes too long: it may come twice, but is
/// never lost, so the receiver looks at the id. One without an id is gone once it was sent.
///
/// ```
/// use core::time::Duration;
/// use sansocket::{Message, Timestamp};
/// use sansocket::policy::Outbox;
///
/// let at = |seconds| Timestamp::from(Duration::from_secs(seconds));
/// let mut outbox = Outbox::new(1000, 1024 * 1024).confirm_within(Duration::from_secs(5));
/// outbox.push(Some(1), Message::from("one")).unwrap();
/// outbox.push(Some(2), Message::from("two")).unwrap();
///
/// // While there is a connection: send what comes next, and say so when it was taken.
/// while let Some(message) = outbox.next() {
///     let message = message.clone(); // websocket.send(message).await?
///     outbox.on_sent(at(0));
/// }
/// assert!(outbox.confirm(&1));
/// outbox.on_disconnected();
/// assert_eq!(outbox.next(), Some(&Message::from("two")));
/// ```
#[derive(Debug)]
pub struct Outbox<I = u64> {
    entries: VecDeque<Entry<I>>,
    bytes: usize,
    max_messages: usize,
    max_bytes: usize,
    overflow: Overflow,
    confirm_within: Option<Duration>,
}

#[derive(Debug)]
struct Entry<I> {
    id: Option<I>,
    message: Message,
    sent_at: Option<Timestamp>,
    /// It was sent once, so that the peer may have it.
    was_sent: bool,
}

impl<I: PartialEq> Outbox<I> {
    /// Room for so many messages, and for so many bytes of payload; [`Overflow::Refuse`] beyond, and
    /// no deadline for confirmations.
    pub const fn new(max_messages: usize, max_bytes: usize) -> Self {
        Self {
            entries: VecDeque::new(),
            bytes: 0,
            max_messages,
            max_bytes,
            overflow: Overflow::Refuse,
            confirm_within: None,
        }
    }

    /// What becomes of a message for which there is no room.
    #[must_use]
    pub const fn overflow(mut self, overflow: Overflow) -> Self {
        self.overflow = overflow;
        self
    }

    /// A message that is not confirmed for so long is sent again.
    #[must_use]
    pub const fn confirm_within(mut self, timeout: Duration) -> Self {
        self.confirm_within = Some(timeout);
        self
    }

    /// Adds a message; gives those that were dropped for want of room, mostly none.
    ///
    /// # Errors
    /// The message comes back if there is no room, and none to be made: what was sent and is not
    /// confirmed is never dropped.
    pub fn push(&mut self, id: Option<I>, message: Message) -> Result<Vec<Message>, Message> {
        let mut dropped = Vec::new();
        if !self.has_room(message.len(), self.entries.len(), self.bytes) {
            match self.overflow {
                Overflow::Refuse => return Err(message),
                Overflow::DropNewest => return Ok(Vec::from([message])),
                Overflow::DropOldest => match self.make_room(message.len()) {
                    Some(made) => dropped = made,
                    None => return Err(message),
                },
            }
        }
        self.bytes = self.bytes.saturating_add(message.len());
        self.entries.push_back(Entry {
            id,
            message,
            sent_at: None,
            was_sent: false,
        });
        Ok(dropped)
    }

    /// The message to send next, if one waits: the same until [`on_sent`](Self::on_sent).
    pub fn next(&self) -> Option<&Message> {
        self.waiting().map(|entry| &entry.message).next()
    }

    /// Input: the connection has taken the [`next`](Self::next) message.
    pub fn on_sent(&mut self, now: Timestamp) {
        let next = self.entries.iter().position(Entry::waits);
        let Some(entry) = next.and_then(|next| self.entries.get_mut(next)) else {
            return;
        };
        if entry.id.is_some() {
            entry.sent_at = Some(now);
            entry.was_sent = true;
        } else {
            self.remove(next);
        }
    }

    /// Input: the peer has confirmed this message; gives whether it was one of these.
    pub fn confirm(&mut self, id: &I) -> bool {
        let place = self
            .entries
            .iter()
            .position(|entry| entry.id.as_ref() == Some(id));
        self.remove(place);
        place.is_some()
    }

    /// Input: the connection has ended. What is not confirmed waits again, in its old place.
    pub fn on_disconnected(&mut self) {
        for entry in &mut self.entries {
            entry.sent_at = None;
        }
    }

    /// Input: it is `now`. What has not been confirmed in time waits again.
    pub fn handle_timeout(&mut self, now: Timestamp) {
        let Some(timeout) = self.confirm_within else {
            return;
        };
        for entry in &mut self.entries {
            if entry
                .sent_at
                .is_some_and(|at| at.saturating_add(timeout) <= now)
            {
                entry.sent_at = None;
            }
        }
    }

    /// Output: when to call [`handle_timeout`](Self::handle_timeout).
    pub fn poll_timeout(&self) -> Option<Timestamp> {
        let timeout = self.confirm_within?;
        let sent = self.entries.iter().filter_map(|entry| entry.sent_at);
        sent.min().map(|at| at.saturating_add(timeout))
    }

    /// How many messages there are: those that wait and those that are not confirmed.
    pub fn len(&self) -> usize {
        self.entries.len()
    }

    /// Whether there is none.
    pub fn is_empty(&self) -> bool {
        self.entries.is_empty()
    }

    /// How many wait to be sent, for the first time or again.
    pub fn unsent(&self) -> usize {
        self.waiting().count()
    }

    /// How many were sent and are not confirmed.
    pub fn unconfirmed(&self) -> usize {
        self.len().saturating_sub(self.unsent())
    }

    /// Bytes of payload that are held.
    pub const fn bytes(&self) -> usize {
        self.bytes
    }

    fn waiting(&self) -> impl Iterator<Item = &Entry<I>> {
        self.entries.iter().filter(|entry| entry.waits())
    }

    fn has_room(&self, more: usize, messages: usize, bytes: usize) -> bool {
        messages < self.max_messages && bytes.saturating_add(more) <= self.max_bytes
    }

    /// Drops what was never sent, the oldest first, or nothing at all if that is not enough.
    fn make_room(&mut self, more: usize) -> Option<Vec<Message>> {
        let (mut messages, mut bytes, mut count) = (self.entries.len(), self.bytes, 0_usize);
        for entry in self.entries.iter().filter(|entry| !entry.was_sent) {
            if self.has_room(more, messages, bytes) {
                break;
            }
            messages = messages.saturating_sub(1);
            bytes = bytes.saturating_sub(entry.message.len());
            count = count.saturating_add(1);
        }
        if !self.has_room(more, messages, bytes) {
            return None;
        }
        let mut dropped = Vec::new();
        while dropped.len() < count {
            let oldest = self.entries.iter().position(|entry| !entry.was_sent);
            dropped.extend(self.remove(oldest));
        }
        Some(dropped)
    }

    fn remove(&mut self, place: Option<usize>) -> Option<Message> {
        let entry = self.entries.remove(place?)?;
        self.bytes = self.bytes.saturating_sub(entry.message.len());
        Some(entry.message)
    }
}

impl<I> Entry<I> {
    const fn waits(&self) -> bool {
        self.sent_at.is_none()
    }
}

/// How far one has received, by ids that grow: what to ask a server to go on behind after a
/// reconnection, and what has come already.
///
/// ```
/// use sansocket::policy::Resume;
///
/// let mut resume = Resume::default();
/// assert!(resume.is_new(&7_u64));
/// assert!(!resume.is_new(&7)); // the server has sent it again
/// assert_eq!(resume.last(), Some(&7)); // "since": 7
/// ```
#[derive(Debug, Clone)]
pub struct Resume<I = u64> {
    last: Option<I>,
}

impl<I: Ord + Clone> Resume<I> {
    /// Goes on behind this id: one that was stored.
    pub const fn after(id: I) -> Self {
        Self { last: Some(id) }
    }

    /// Whether a message with this id has not come yet; it has from now on.
    pub fn is_new(&mut self, id: &I) -> bool {
        let is_new = self.last.as_ref().is_none_or(|last| id > last);
        if is_new {
            self.last = Some(id.clone());
        }
        is_new
    }

    /// The id of the last message that has come.
    pub const fn last(&self) -> Option<&I> {
        self.last.as_ref()
    }
}

impl<I> Default for Resume<I> {
    fn default() -> Self {
        Self { last: None }
    }
}
