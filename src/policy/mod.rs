//! What production asks for beyond the protocol, as values without I/O and without a clock.
//!
//! Each policy is told what happens and what time it is, as a [`Timestamp`](crate::Timestamp), and
//! answers what to do: it can be used under any adapter, and tested without waiting. All times that
//! are given to one policy count from the same epoch. The engine knows nothing of them.
//!
//! With the feature `tokio`, `tokio::Server` has those for servers in place.

mod address;
mod connection_limits;
#[cfg(feature = "json")]
pub mod json;
mod rate_limit;
mod shutdown;
mod token_bucket;

pub use address::address_group;
pub use connection_limits::{Admitted, ConnectionId, ConnectionLimits, Permit, Refused};
pub use rate_limit::{RateExceeded, RateLimit};
pub use shutdown::{Shutdown, ShutdownReport};
pub use token_bucket::TokenBucket;
