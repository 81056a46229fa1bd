//! Where rooms are kept: in this process, or in Redis.

use std::fmt;
use std::sync::{Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use crate::memory::Memory;
use crate::protocol::{Channel, Post};
use crate::redis::Redis;

/// So many posts of a channel are kept.
pub(crate) const HISTORY: usize = 1_000;
/// How long a name stays with the client that had it last.
pub(crate) const NAME_KEPT: Duration = Duration::from_secs(24 * 3600);

pub(crate) enum Store {
    Memory(Mutex<Memory>),
    Redis(Box<Redis>),
}

/// Some posts of a channel, in order.
#[derive(Debug, Default)]
pub(crate) struct Page {
    /// The last post there is, be it among these or not.
    pub(crate) last: u64,
    pub(crate) posts: Vec<Post>,
}

/// The store does not answer: nothing is known of what was asked for, and it is to be asked again.
#[derive(Debug)]
pub(crate) struct Unavailable(pub(crate) String);

impl fmt::Display for Unavailable {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "the store is away: {}", self.0)
    }
}

impl std::error::Error for Unavailable {}

impl Store {
    /// What came after a post, at most `most` of it.
    pub(crate) async fn read(
        &self,
        channel: &Channel,
        after: u64,
        most: usize,
    ) -> Result<Page, Unavailable> {
        match self {
            Self::Memory(memory) => Ok(lock(memory).read(channel, after, most)),
            Self::Redis(redis) => redis.read(channel, after, most).await,
        }
    }

    pub(crate) async fn latest(&self, channel: &Channel, most: usize) -> Result<Page, Unavailable> {
        match self {
            Self::Memory(memory) => Ok(lock(memory).latest(channel, most)),
            Self::Redis(redis) => redis.latest(channel, most).await,
        }
    }

    /// Whether the name is this client's from now on.
    pub(crate) async fn claim(&self, name: &str, client: &str) -> Result<bool, Unavailable> {
        match self {
            Self::Memory(memory) => Ok(lock(memory).claim(name, client)),
            Self::Redis(redis) => redis.claim(name, client).await,
        }
    }

    /// Says who is here; gives who is in the room on all servers.
    pub(crate) async fn present(
        &self,
        channel: &Channel,
        here: Vec<String>,
    ) -> Result<Vec<String>, Unavailable> {
        match self {
            Self::Memory(_) => Ok(here),
            Self::Redis(redis) => redis.present(channel, here).await,
        }
    }
}

/// By what a message is known that comes again.
pub(crate) fn said_by(client: &str, id: &str) -> String {
    format!("{client}:{id}")
}

/// Nothing panics while it holds a lock; if it did, what is there would still be whole.
pub(crate) fn lock<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}
