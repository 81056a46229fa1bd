//! How long to wait before the next attempt.

use core::time::Duration;

use crate::mask_keys::{MaskKeys, SeededMaskKeys};

/// How a delay is spread, so that the clients of a server that restarts do not come back all at once.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Default)]
pub enum Jitter {
    /// Anything from the floor to the delay: spreads the most.
    #[default]
    Full,
    /// Anything from half the delay to all of it: never much shorter than meant.
    Equal,
    /// The delay itself.
    None,
}

/// Delays that double with each attempt that failed, within bounds, and spread by chance.
///
/// ```
/// use core::time::Duration;
/// use sansocket::policy::Backoff;
///
/// let seed = [7; 32]; // 32 bytes by chance, the client's own
/// let mut backoff = Backoff::new(seed).ceiling(Duration::from_secs(20)).attempts(8);
///
/// let first = backoff.next_delay(None).unwrap();
/// assert!(first <= Duration::from_secs(1));
/// // The server has answered with `Retry-After: 5`.
/// let second = backoff.next_delay(Some(Duration::from_secs(5))).unwrap();
/// assert!(second >= Duration::from_secs(5));
/// ```
#[derive(Debug)]
pub struct Backoff {
    initial: Duration,
    floor: Duration,
    ceiling: Duration,
    retry_after_ceiling: Duration,
    jitter: Jitter,
    attempts: Option<u32>,
    made: u32,
    random: SeededMaskKeys,
}

impl Backoff {
    /// 1 second at first, 100 milliseconds at least and 30 seconds at most, with [`Jitter::Full`], as
    /// many attempts as it takes, and up to an hour if the server asks for it.
    ///
    /// The same seed gives the same delays; each client needs a seed of its own, or all of them come
    /// back together.
    pub const fn new(seed: [u8; 32]) -> Self {
        Self {
            initial: Duration::from_secs(1),
            floor: Duration::from_millis(100),
            ceiling: Duration::from_secs(30),
            retry_after_ceiling: Duration::from_secs(3600),
            jitter: Jitter::Full,
            attempts: None,
            made: 0,
            random: SeededMaskKeys::new(seed),
        }
    }

    /// The same, under a seed from the operating system.
    ///
    /// # Errors
    /// It has no entropy to give.
    #[cfg(feature = "std")]
    pub fn from_os() -> std::io::Result<Self> {
        let mut keys = crate::mask_keys::OsMaskKeys::new()?;
        let mut seed = [0; 32];
        for word in seed.chunks_exact_mut(4) {
            word.copy_from_slice(&keys.next_key());
        }
        Ok(Self::new(seed))
    }

    /// The delay before the first attempt, which then doubles.
    #[must_use]
    pub const fn initial(mut self, delay: Duration) -> Self {
        self.initial = delay;
        self
    }

    /// No delay is shorter.
    #[must_use]
    pub const fn floor(mut self, delay: Duration) -> Self {
        self.floor = delay;
        self
    }

    /// No delay is longer, unless the server asks for that.
    #[must_use]
    pub const fn ceiling(mut self, delay: Duration) -> Self {
        self.ceiling = delay;
        self
    }

    /// No delay is longer even if the server asks for that.
    #[must_use]
    pub const fn retry_after_ceiling(mut self, delay: Duration) -> Self {
        self.retry_after_ceiling = delay;
        self
    }

    /// How delays are spread.
    #[must_use]
    pub const fn jitter(mut self, jitter: Jitter) -> Self {
        self.jitter = jitter;
        self
    }

    /// Gives up after so many attempts in a row.
    #[must_use]
    pub const fn attempts(mut self, most: u32) -> Self {
        self.attempts = Some(most);
        self
    }

    /// How many delays were given since the start, or the last [`reset`](Self::reset).
    pub const fn made(&self) -> u32 {
        self.made
    }

    /// How long to wait before the next attempt: at least as long as the server asks for, if it does
    /// (RFC 9110 §10.2.3). `None` when all attempts are used up.
    pub fn next_delay(&mut self, retry_after: Option<Duration>) -> Option<Duration> {
        if self.attempts.is_some_and(|most| self.made >= most) {
            return None;
        }
        let doubled = 2_u32.checked_pow(self.made).unwrap_or(u32::MAX);
        self.made = self.made.saturating_add(1);
        let most = self.initial.saturating_mul(doubled).min(self.ceiling);
        let least = match self.jitter {
            Jitter::Full => self.floor,
            Jitter::Equal => most.checked_div(2).unwrap_or_default(),
            Jitter::None => most,
        };
        let delay = self.between(least, most).max(self.floor);
        let asked = retry_after.map(|asked| asked.min(self.retry_after_ceiling));
        Some(delay.max(asked.unwrap_or_default()))
    }

    /// Begins anew, when a connection has proved stable or the network is another.
    pub const fn reset(&mut self) {
        self.made = 0;
    }

    /// Any moment from `least` to `most`, all of them as likely.
    fn between(&mut self, least: Duration, most: Duration) -> Duration {
        let range = most.saturating_sub(least).as_nanos();
        let [a, b, c, d] = self.random.next_key();
        let [e, f, g, h] = self.random.next_key();
        let random = u128::from(u64::from_be_bytes([a, b, c, d, e, f, g, h]));
        // 0 ≤ random / 2^64 < 1
        let share = range.saturating_add(1).saturating_mul(random) >> 64;
        let share = u64::try_from(share).unwrap_or(u64::MAX);
        least.saturating_add(Duration::from_nanos(share))
    }
}
