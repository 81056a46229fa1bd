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

mod adapter;
mod buffer;
mod close;
mod config;
mod connection;
mod error;
pub mod frame;
#[cfg(feature = "handshake")]
pub mod handshake;
mod mask_keys;
mod message;
mod time;
mod utf8;

#[cfg(feature = "std")]
pub use adapter::blocking;
pub use buffer::ReceiveBuffer;
pub use close::{CloseCode, CloseFrame, CloseOutcome, Timeout};
pub use config::{Config, Delivery};
pub use connection::{Connection, State, Transmit};
pub use error::{ProtocolError, SendError};
#[cfg(feature = "std")]
pub use mask_keys::OsMaskKeys;
pub use mask_keys::{MaskKeys, SeededMaskKeys};
pub use message::{Chunk, Data, Event, Message, Payload, Text};
pub use time::Timestamp;
