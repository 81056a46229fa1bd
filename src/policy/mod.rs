//! What an application decides around its connections, as small state machines: no I/O, no clock, no
//! threads. Bytes are none of their business; time comes in as [`Timestamp`](crate::Timestamp).
//!
//! - [`Backoff`] says how long to wait before the next attempt, [`CircuitBreaker`] when to leave a
//!   server alone, and [`Reconnect`] decides by them, and by *why* a connection ended, whether and when
//!   to connect again.
//! - [`Outbox`] keeps what was to be sent meanwhile, and what the peer has not confirmed; [`Resume`]
//!   remembers how far one has received.
//! - [`Heartbeat`] asks the peer for a sign of life by messages, where pings do not get through.

mod backoff;
mod breaker;
mod heartbeat;
mod outbox;
mod reconnect;

pub use backoff::{Backoff, Jitter};
pub use breaker::CircuitBreaker;
pub use heartbeat::{Beat, Heartbeat};
pub use outbox::{Outbox, Overflow, Resume};
pub use reconnect::{Ended, GaveUp, Reconnect, ReconnectState, Verdict};
