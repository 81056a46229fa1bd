#![no_std]
#![forbid(unsafe_code)]
#![cfg_attr(docsrs, feature(doc_cfg))]
// The panic policy: nothing a peer sends, and no order of calls, makes this crate panic.
#![cfg_attr(
    not(test),
    deny(
        clippy::arithmetic_side_effects,
        clippy::expect_used,
        clippy::indexing_slicing,
        clippy::panic,
        clippy::string_slice,
        clippy::unreachable,
        clippy::unwrap_used,
    )
)]

//! WebSocket without the socket.

extern crate alloc;
#[cfg(feature = "std")]
extern crate std;

mod buffer;
#[cfg(feature = "handshake")]
pub mod handshake;
mod time;

pub use buffer::ReceiveBuffer;
pub use time::Timestamp;
