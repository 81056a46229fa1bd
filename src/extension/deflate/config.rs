//! What an endpoint offers and accepts, and what both have agreed on.

/// The sizes that a window may have, as the base-2 logarithm of its bytes (RFC 7692 §7.1.2).
const WINDOW_BITS: core::ops::RangeInclusive<u8> = 8..=15;

/// What an endpoint offers or accepts of permessage-deflate (RFC 7692), and how hard it compresses.
///
/// ```
/// use sansocket::DeflateConfig;
///
/// // Little memory: small windows that are forgotten after each message.
/// let frugal = DeflateConfig::new()
///     .server_context_takeover(false)
///     .client_context_takeover(false)
///     .server_max_window_bits(11)
///     .client_max_window_bits(11);
/// ```
///
/// # Memory
/// A compressor and a decompressor hold, on 64-bit targets and to the nearest KiB
/// (`tests/deflate_memory.rs` pins it):
///
/// | what | window 15 | window 12 | window 9 |
/// |---|---|---|---|
/// | compressor, memory level 9 | 483 KiB | 371 KiB | 357 KiB |
/// | compressor, memory level 8 (the default) | 371 KiB | 259 KiB | 245 KiB |
/// | compressor, memory level 5 | 273 KiB | 161 KiB | 147 KiB |
/// | compressor, memory level 1 | 260 KiB | 148 KiB | 134 KiB |
/// | decompressor | 47 KiB | 47 KiB | 47 KiB |
///
/// The compression level makes no difference. A [`ReceiveBuffer`](crate::ReceiveBuffer) holds
/// another 8 KiB while a compressed message is received, or 64 KiB if it is larger than that, and a
/// message being sent exists in its compressed form until it is queued.
///
/// With context takeover in a direction, it is kept for as long as the connection lives. Without,
/// it is made when a message needs it and given back by
/// [`Connection::release`](crate::Connection::release).
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct DeflateConfig {
    pub(super) server: Direction,
    pub(super) client: Direction,
    pub(super) effort: Effort,
}

/// What is agreed for the messages of one side.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Direction {
    pub(super) max_window_bits: u8,
    pub(super) context_takeover: bool,
}

impl Direction {
    /// The most that the RFC allows.
    pub(super) const FULL: Self = Self {
        max_window_bits: 15,
        context_takeover: true,
    };
}

/// How one's own messages are compressed: nothing that the peer needs to know.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Effort {
    pub(super) level: u8,
    pub(super) memory_level: u8,
    pub(super) threshold: usize,
}

impl DeflateConfig {
    /// The defaults: windows of 32 KiB and context takeover in both directions, level 6, memory
    /// level 8, and messages below 64 bytes sent uncompressed.
    pub const fn new() -> Self {
        Self {
            server: Direction::FULL,
            client: Direction::FULL,
            effort: Effort {
                level: 6,
                memory_level: 8,
                threshold: 64,
            },
        }
    }

    /// Whether the server's messages may refer to earlier ones. Better compression, for a window
    /// kept on both sides (§7.1.1.1).
    #[must_use]
    pub const fn server_context_takeover(mut self, takeover: bool) -> Self {
        self.server.context_takeover = takeover;
        self
    }

    /// Whether the client's messages may refer to earlier ones (§7.1.1.2).
    #[must_use]
    pub const fn client_context_takeover(mut self, takeover: bool) -> Self {
        self.client.context_takeover = takeover;
        self
    }

    /// The largest window of the server's compressor: 8 to 15, for 256 bytes to 32 KiB (§7.1.2.1).
    /// Other values are held at the nearest. For a client that is a wish: a server that cannot keep to
    /// it is taken all the same. Only the compressor becomes smaller by it.
    ///
    /// With 8, its messages are sent uncompressed: no known compressor keeps to that window.
    #[must_use]
    pub const fn server_max_window_bits(mut self, bits: u8) -> Self {
        self.server.max_window_bits = clamp(bits, *WINDOW_BITS.start(), *WINDOW_BITS.end());
        self
    }

    /// The largest window of the client's compressor, likewise (§7.1.2.2). Below 15, a server
    /// declines the offer of a client that could not be told.
    #[must_use]
    pub const fn client_max_window_bits(mut self, bits: u8) -> Self {
        self.client.max_window_bits = clamp(bits, *WINDOW_BITS.start(), *WINDOW_BITS.end());
        self
    }

    /// How hard to compress: 0 (messages are only wrapped; to send them as they are, see
    /// [`Connection::set_compression`](crate::Connection::set_compression)) to 9. Other values are held
    /// at the nearest.
    #[must_use]
    pub const fn level(mut self, level: u8) -> Self {
        self.effort.level = clamp(level, 0, 9);
        self
    }

    /// How much memory the compressor may take beside its window: 1 to 9. Other values are held at
    /// the nearest.
    #[must_use]
    pub const fn memory_level(mut self, level: u8) -> Self {
        self.effort.memory_level = clamp(level, 1, 9);
        self
    }

    /// Messages of fewer bytes are sent uncompressed; 0 to compress all.
    #[must_use]
    pub const fn threshold(mut self, bytes: usize) -> Self {
        self.effort.threshold = bytes;
        self
    }
}

impl Default for DeflateConfig {
    fn default() -> Self {
        Self::new()
    }
}

const fn clamp(value: u8, low: u8, high: u8) -> u8 {
    if value < low {
        low
    } else if value > high {
        high
    } else {
        value
    }
}

/// What both endpoints have agreed on: for
/// [`Connection::with_deflate`](crate::Connection::with_deflate).
///
/// The opening handshake gives it; where something else has negotiated, it can be made from the
/// [`DeflateConfig`] that says the same.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct DeflateParams {
    pub(super) server: Direction,
    pub(super) client: Direction,
    pub(super) effort: Effort,
}

impl From<DeflateConfig> for DeflateParams {
    fn from(config: DeflateConfig) -> Self {
        let DeflateConfig {
            server,
            client,
            effort,
        } = config;
        Self {
            server,
            client,
            effort,
        }
    }
}

impl DeflateParams {
    /// Whether the server's messages may refer to earlier ones.
    pub const fn server_context_takeover(&self) -> bool {
        self.server.context_takeover
    }

    /// Whether the client's messages may refer to earlier ones.
    pub const fn client_context_takeover(&self) -> bool {
        self.client.context_takeover
    }

    /// The largest window of the server's compressor: 8 to 15.
    pub const fn server_max_window_bits(&self) -> u8 {
        self.server.max_window_bits
    }

    /// The largest window of the client's compressor: 8 to 15.
    pub const fn client_max_window_bits(&self) -> u8 {
        self.client.max_window_bits
    }
}
