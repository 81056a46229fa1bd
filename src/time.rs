//! Virtual time: the engine has no clock, its caller has.

use core::time::Duration;

/// A moment on a monotonic clock of the caller's choice, counted from an epoch of the caller's choice.
///
/// The engine only compares and adds; all that matters is that every `Timestamp` given to one
/// connection counts from the same epoch and never runs backwards. With `std`, the time since an
/// `Instant` taken at start-up will do:
///
/// ```
/// use std::time::Instant;
/// use sansocket::Timestamp;
///
/// let epoch = Instant::now();
/// let now = Timestamp::from(epoch.elapsed());
/// assert!(now >= Timestamp::ZERO);
/// ```
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Default)]
pub struct Timestamp(Duration);

impl Timestamp {
    /// The epoch itself; as a deadline it means "due now".
    pub const ZERO: Self = Self(Duration::ZERO);

    /// The time between the epoch and this moment.
    pub const fn since_epoch(self) -> Duration {
        self.0
    }

    /// The time from `earlier` to this moment; zero if `earlier` is not earlier.
    ///
    /// An adapter uses it to learn how long to wait: `deadline.saturating_since(now)`.
    pub const fn saturating_since(self, earlier: Self) -> Duration {
        self.0.saturating_sub(earlier.0)
    }

    /// The moment `wait` after this one, held at the largest that can be expressed.
    pub const fn saturating_add(self, wait: Duration) -> Self {
        Self(self.0.saturating_add(wait))
    }
}

impl From<Duration> for Timestamp {
    fn from(since_epoch: Duration) -> Self {
        Self(since_epoch)
    }
}
