//! permessage-deflate, RFC 7692.

mod codec;
mod config;
#[cfg(feature = "handshake")]
mod negotiation;

pub(crate) use codec::{Compressor, Inflater, Left, Settings, Source};
pub use config::{DeflateConfig, DeflateParams};

/// What a sender takes off the end of each message, and a receiver puts back (§7.2.1).
pub(crate) const TAIL: [u8; 4] = [0x00, 0x00, 0xFF, 0xFF];

/// The name of the extension (§7).
#[cfg(feature = "handshake")]
const NAME: &str = "permessage-deflate";
