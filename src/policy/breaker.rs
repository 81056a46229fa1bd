//! When to leave a server alone.

use core::time::Duration;

use crate::time::Timestamp;

/// Keeps off a server that is down: after some failures in a row nobody tries for a while, and then
/// one does.
///
/// ```text
///            so many failures in a row
///   Closed ─────────────────────────────▶ Open
///     ▲                                    │ its time is over
///     │ success                            ▼
///     └──────────────────────────────── Half open: one attempt
///                                          │ failure
///                                          └────────▶ Open
/// ```
///
/// ```
/// use core::time::Duration;
/// use sansocket::{Timestamp, policy::CircuitBreaker};
///
/// let at = |seconds| Timestamp::from(Duration::from_secs(seconds));
/// let mut breaker = CircuitBreaker::new(2, Duration::from_secs(60));
/// breaker.on_failure(at(0));
/// assert_eq!(breaker.open_until(), None);
/// breaker.on_failure(at(1));
/// assert_eq!(breaker.open_until(), Some(at(61)));
/// ```
#[derive(Debug, Clone)]
pub struct CircuitBreaker {
    threshold: u32,
    open_for: Duration,
    failures: u32,
    until: Option<Timestamp>,
}

impl CircuitBreaker {
    /// Opens for a time at so many failures in a row (at least one), and at each one after that.
    pub const fn new(threshold: u32, open_for: Duration) -> Self {
        Self {
            threshold,
            open_for,
            failures: 0,
            until: None,
        }
    }

    /// No attempt is to be made before this moment, if it is open: then one is.
    pub const fn open_until(&self) -> Option<Timestamp> {
        self.until
    }

    /// An attempt has failed.
    pub fn on_failure(&mut self, now: Timestamp) {
        self.failures = self.failures.saturating_add(1);
        if self.failures >= self.threshold {
            self.until = Some(now.saturating_add(self.open_for));
        }
    }

    /// An attempt has succeeded.
    pub const fn on_success(&mut self) {
        self.failures = 0;
        self.until = None;
    }
}
