//! What an application decides around its connections, as small state machines without I/O, without a
//! clock and without threads.
//!
//! Each policy is told what happens and what time it is, as a [`Timestamp`](crate::Timestamp), and
//! answers what to do: it can be used under any adapter, and tested without waiting. All times that
//! are given to one policy count from the same epoch. The engine knows nothing of them.
//!
//! For clients; with the feature `tokio`, `tokio::ReconnectingClient` has them in place:
//!
//! - [`Backoff`] says how long to wait before the next attempt, [`CircuitBreaker`] when to leave a
//!   server alone, and [`Reconnect`] decides by them, and by *why* a connection ended, whether and when
//!   to connect again.
//! - [`Outbox`] keeps what was to be sent meanwhile, and what the peer has not confirmed; [`Resume`]
//!   remembers how far one has received.
//! - [`Heartbeat`] asks the peer for a sign of life by messages, where pings do not get through.
//!
//! For servers; `tokio::Server` has them in place:
//!
//! - [`ConnectionLimits`] counts connections, in all and by address, and finds the one to evict.
//! - [`RateLimit`] bounds messages and bytes per second, by [`TokenBucket`]s.
//! - [`Shutdown`] ends all connections by a deadline, and reports how many closed cleanly.
//!
//! With the feature `json`, `json` reads messages into the application's types.

mod address;
mod backoff;
mod breaker;
mod connection_limits;
mod heartbeat;
#[cfg(feature = "json")]
pub mod json;
mod outbox;
mod rate_limit;
mod reconnect;
mod shutdown;
mod token_bucket;

pub use address::address_group;
pub use backoff::{Backoff, Jitter};
pub use breaker::CircuitBreaker;
pub use connection_limits::{Admitted, ConnectionId, ConnectionLimits, Permit, Refused};
pub use heartbeat::{Beat, Heartbeat};
pub use outbox::{Outbox, Overflow, Resume};
pub use rate_limit::{RateExceeded, RateLimit};
pub use reconnect::{Ended, GaveUp, Reconnect, ReconnectState, Verdict};
pub use shutdown::{Shutdown, ShutdownReport};
pub use token_bucket::TokenBucket;
