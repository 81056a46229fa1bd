//! How much in how long: a token bucket in integers.

use core::time::Duration;

use crate::time::Timestamp;

/// Parts of a token: so many come in a nanosecond as whole ones in a second.
const PARTS: u128 = 1_000_000_000;

/// A bucket into which tokens fall at an even rate, up to as many as it holds, and out of which all
/// that happens takes some: bursts are let through, and the mean rate is kept.
///
/// It counts in billionths of tokens, so that nothing is rounded, however often it is asked.
///
/// ```
/// use std::time::Duration;
/// use sansocket::Timestamp;
/// use sansocket::policy::TokenBucket;
///
/// let mut bucket = TokenBucket::new(10, 20); // 10 a second, 20 at once
/// assert!(bucket.take(Timestamp::ZERO, 20));
/// assert!(!bucket.take(Timestamp::ZERO, 1));
/// assert_eq!(bucket.wait(Timestamp::ZERO, 1), Some(Duration::from_millis(100)));
/// assert!(bucket.take(Duration::from_millis(100).into(), 1));
/// ```
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct TokenBucket {
    per_second: u64,
    burst: u64,
    /// Parts that are missing to a full bucket.
    missing: u128,
    /// The latest time that it was told.
    now: Timestamp,
}

impl TokenBucket {
    /// A full bucket: `per_second` tokens fall into it, and it holds `burst`.
    pub const fn new(per_second: u64, burst: u64) -> Self {
        Self {
            per_second,
            burst,
            missing: 0,
            now: Timestamp::ZERO,
        }
    }

    /// Takes so many tokens, all or none; gives whether they were there.
    pub fn take(&mut self, now: Timestamp, tokens: u64) -> bool {
        self.refill(now);
        let missing = self.missing.saturating_add(parts(tokens));
        let is_there = missing <= parts(self.burst);
        if is_there {
            self.missing = missing;
        }
        is_there
    }

    /// How long it takes until so many tokens are there, if nothing takes any before; `None` is
    /// never, since it does not hold so many, or none fall into it.
    pub fn wait(&mut self, now: Timestamp, tokens: u64) -> Option<Duration> {
        self.refill(now);
        let room = parts(self.burst).checked_sub(parts(tokens))?;
        let lacking = self.missing.saturating_sub(room);
        if lacking == 0 {
            return Some(Duration::ZERO);
        }
        let rate = u128::from(self.per_second);
        let full = lacking.checked_div(rate)?;
        let rest = lacking.checked_rem(rate)?;
        let nanos = full.saturating_add(u128::from(rest > 0));
        let seconds = nanos.checked_div(PARTS)?;
        let nanos = nanos.checked_rem(PARTS)?;
        Some(Duration::new(
            seconds.try_into().unwrap_or(u64::MAX),
            nanos.try_into().unwrap_or_default(),
        ))
    }

    fn refill(&mut self, now: Timestamp) {
        let nanos = now.saturating_since(self.now).as_nanos();
        let fallen = nanos.saturating_mul(u128::from(self.per_second));
        self.missing = self.missing.saturating_sub(fallen);
        self.now = self.now.max(now);
    }
}

fn parts(tokens: u64) -> u128 {
    u128::from(tokens).saturating_mul(PARTS)
}
