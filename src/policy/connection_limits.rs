//! How many connections there may be, of one client and in all.

use alloc::collections::{BTreeMap, BTreeSet};
use core::error::Error;
use core::fmt;
use core::time::Duration;

use crate::close::{CloseCode, CloseFrame};
#[cfg(feature = "handshake")]
use crate::handshake::Rejection;
use crate::time::Timestamp;

/// Of the connections that there may be, one in so many may be on its way out, evicted.
const EVICTING: usize = 8;

/// Counts connections by a key of their client, [`address_group`](super::address_group) of its
/// address say, and refuses those beyond a limit. All take logarithmic time.
///
/// Behind a proxy, all connections come from its address: take as the key what it says of the client,
/// and only from a proxy of yours.
///
/// ```
/// use sansocket::Timestamp;
/// use sansocket::policy::{ConnectionLimits, Refused};
///
/// let mut limits = ConnectionLimits::new().max_total(1000).max_per_key(2);
/// let now = Timestamp::ZERO;
/// let one = limits.admit("192.0.2.7", now)?;
/// let _two = limits.admit("192.0.2.7", now)?;
/// assert_eq!(limits.admit("192.0.2.7", now).unwrap_err(), Refused::PerKey);
/// let _other = limits.admit("192.0.2.8", now)?;
///
/// limits.release(one.permit);
/// assert!(limits.admit("192.0.2.7", now).is_ok());
/// # Ok::<(), Refused>(())
/// ```
///
/// # Eviction
/// With [`evict_idle`](Self::evict_idle), a new connection on a full server takes the place of the one
/// that has been idle for longest, which is closed with [`evicted`](Self::evicted).
#[derive(Debug)]
pub struct ConnectionLimits<K> {
    max_total: usize,
    max_per_key: usize,
    evict_idle: Option<Duration>,
    next_id: u64,
    open: BTreeMap<u64, Open<K>>,
    per_key: BTreeMap<K, usize>,
    /// Those that may be evicted, the oldest activity first.
    idle: BTreeSet<(Timestamp, u64)>,
    evicting: usize,
}

#[derive(Debug)]
struct Open<K> {
    key: K,
    active: Timestamp,
    is_evicted: bool,
}

/// The name of an admitted connection.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct ConnectionId(u64);

/// The right to one connection, to be [released](ConnectionLimits::release) when that has ended.
#[must_use = "the connection counts until it is released"]
#[derive(Debug, PartialEq, Eq)]
pub struct Permit(ConnectionId);

impl Permit {
    /// The connection's name.
    pub const fn id(&self) -> ConnectionId {
        self.0
    }
}

/// A connection was admitted.
#[derive(Debug, PartialEq, Eq)]
pub struct Admitted {
    /// For the new connection.
    pub permit: Permit,
    /// In the place of this one: close it, and release its permit when it has ended.
    pub evict: Option<ConnectionId>,
}

/// Why a connection was not admitted.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
#[non_exhaustive]
pub enum Refused {
    /// The client has as many connections as one may have.
    PerKey,
    /// The server has as many as it may have.
    Total,
}

impl<K: Ord + Clone> ConnectionLimits<K> {
    /// No limits.
    pub const fn new() -> Self {
        Self {
            max_total: usize::MAX,
            max_per_key: usize::MAX,
            evict_idle: None,
            next_id: 0,
            open: BTreeMap::new(),
            per_key: BTreeMap::new(),
            idle: BTreeSet::new(),
            evicting: 0,
        }
    }

    /// At most so many connections.
    #[must_use]
    pub const fn max_total(mut self, connections: usize) -> Self {
        self.max_total = connections;
        self
    }

    /// At most so many of one client.
    #[must_use]
    pub const fn max_per_key(mut self, connections: usize) -> Self {
        self.max_per_key = connections;
        self
    }

    /// When there are [`max_total`](Self::max_total), evicts the connection that has been idle for
    /// longest, if it has been for so long. Those on their way out come on top of the limit, by an
    /// eighth of it, or one, at most.
    ///
    /// Choose it before any connection is admitted.
    #[must_use]
    pub const fn evict_idle(mut self, after: Duration) -> Self {
        self.evict_idle = Some(after);
        self
    }

    /// Whether activity matters.
    #[cfg(all(feature = "tokio", feature = "handshake"))]
    pub(crate) const fn evicts(&self) -> bool {
        self.evict_idle.is_some()
    }

    /// Asks for one more connection, which is active now.
    ///
    /// # Errors
    /// [`Refused`]: answer with its `rejection`.
    pub fn admit(&mut self, key: K, now: Timestamp) -> Result<Admitted, Refused> {
        let of_key = self.per_key.get(&key).copied().unwrap_or_default();
        if of_key >= self.max_per_key {
            return Err(Refused::PerKey);
        }
        let is_full = self.open.len().saturating_sub(self.evicting) >= self.max_total;
        let evict = match is_full {
            true => Some(self.evict(now).ok_or(Refused::Total)?),
            false => None,
        };
        let id = self.next_id;
        self.next_id = id.wrapping_add(1);
        self.per_key.insert(key.clone(), of_key.saturating_add(1));
        let open = Open {
            key,
            active: now,
            is_evicted: false,
        };
        self.open.insert(id, open);
        if self.evict_idle.is_some() {
            self.idle.insert((now, id));
        }
        Ok(Admitted {
            permit: Permit(ConnectionId(id)),
            evict,
        })
    }

    fn evict(&mut self, now: Timestamp) -> Option<ConnectionId> {
        let after = self.evict_idle?;
        let most = self.max_total.div_ceil(EVICTING);
        let &(active, id) = self.idle.first()?;
        if self.evicting >= most || now.saturating_since(active) < after {
            return None;
        }
        self.idle.pop_first();
        self.open.get_mut(&id)?.is_evicted = true;
        self.evicting = self.evicting.saturating_add(1);
        Some(ConnectionId(id))
    }

    /// A connection is active: it has sent a message, say. Without
    /// [`evict_idle`](Self::evict_idle) nobody wants to know.
    pub fn touch(&mut self, id: ConnectionId, now: Timestamp) {
        let ConnectionId(id) = id;
        if let Some(open) = self.open.get_mut(&id) {
            if self.idle.remove(&(open.active, id)) {
                open.active = open.active.max(now);
                self.idle.insert((open.active, id));
            }
        }
    }

    /// A connection has ended.
    pub fn release(&mut self, permit: Permit) {
        let ConnectionId(id) = permit.id();
        let Some(open) = self.open.remove(&id) else {
            return;
        };
        self.idle.remove(&(open.active, id));
        if open.is_evicted {
            self.evicting = self.evicting.saturating_sub(1);
        }
        if let Some(count) = self.per_key.get_mut(&open.key) {
            *count = count.saturating_sub(1);
            if *count == 0 {
                self.per_key.remove(&open.key);
            }
        }
    }

    /// How many connections there are, evicted ones included until they have ended.
    pub fn len(&self) -> usize {
        self.open.len()
    }

    /// Whether there is no connection.
    pub fn is_empty(&self) -> bool {
        self.open.is_empty()
    }

    /// What to close an evicted connection with: 1013, "try again later". With 1001 the client would
    /// take the server to be leaving and come back at once, to evict the next.
    pub fn evicted() -> CloseFrame {
        CloseFrame::new(
            CloseCode::TRY_AGAIN_LATER,
            "evicted: the server is full, and nobody was idle for longer",
        )
    }
}

impl<K: Ord + Clone> Default for ConnectionLimits<K> {
    fn default() -> Self {
        Self::new()
    }
}

impl Refused {
    /// The answer, with `Retry-After`: 429 if the client has too many, 503 if the server has.
    #[cfg(feature = "handshake")]
    pub fn rejection(self, retry_after: Duration) -> Rejection {
        let status = match self {
            Self::PerKey => 429,
            Self::Total => 503,
        };
        Rejection::new(status)
            .retry_after(retry_after)
            .body("text/plain; charset=utf-8", alloc::format!("{self}\n"))
    }
}

impl fmt::Display for Refused {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::PerKey => "this client has as many connections as one may have",
            Self::Total => "the server has as many connections as it may have",
        })
    }
}

impl Error for Refused {}
