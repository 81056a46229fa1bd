//! `Sec-WebSocket-Key` and `Sec-WebSocket-Accept`: RFC 6455 §4.1 item 7 and §4.2.2 item 5.4.

use alloc::string::String;
use core::fmt;

use base64::Engine;
use base64::engine::general_purpose::STANDARD;
use sha1::{Digest, Sha1};

/// RFC 6455 §1.3: a constant that only a WebSocket server would append to the key.
const GUID: &[u8] = b"258EAFA5-E914-47DA-95CA-C5AB0DC85B11";

/// The nonce of one opening handshake: 16 bytes, in base64 on the wire (RFC 6455 §4.1).
///
/// The server proves with [`accept`](Self::accept) that it has read the request as a WebSocket one,
/// and is not answering from a cache. It is no secret, but has to be chosen at random each time.
///
/// ```
/// use sansocket::handshake::Key;
///
/// let key = Key::parse(b"dGhlIHNhbXBsZSBub25jZQ==").unwrap();
/// assert_eq!(key, Key::from_nonce(*b"the sample nonce"));
/// assert_eq!(key.accept(), "s3pPLMBiTxaQ9kYGzzhZRbK+xOo=");
/// ```
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub struct Key([u8; 16]);

impl Key {
    /// The key of this nonce.
    pub const fn from_nonce(nonce: [u8; 16]) -> Self {
        Self(nonce)
    }

    /// Reads the value of a `Sec-WebSocket-Key` header: canonical, padded base64 of exactly 16 bytes.
    pub fn parse(value: &[u8]) -> Option<Self> {
        // 18 bytes is what 24 characters could hold without padding.
        let mut decoded = [0; 18];
        if value.len() != 24 || STANDARD.decode_slice(value, &mut decoded) != Ok(16) {
            return None;
        }
        decoded.first_chunk().copied().map(Self)
    }

    /// The value of the `Sec-WebSocket-Accept` header that answers this key: 28 characters.
    pub fn accept(&self) -> String {
        let mut hash = Sha1::new();
        hash.update(STANDARD.encode(self.0));
        hash.update(GUID);
        STANDARD.encode(hash.finalize())
    }
}

impl fmt::Display for Key {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&STANDARD.encode(self.0))
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use alloc::string::ToString;

    #[test]
    fn the_example_of_the_rfc_holds() {
        let key = Key::from_nonce(*b"the sample nonce");
        assert_eq!(key.to_string(), "dGhlIHNhbXBsZSBub25jZQ==");
        assert_eq!(key.accept(), "s3pPLMBiTxaQ9kYGzzhZRbK+xOo=");
        assert_eq!(key.accept().len(), 28);
    }

    #[test]
    fn a_key_is_canonical_base64_of_sixteen_bytes() {
        for bad in [
            "",
            "dGhlIHNhbXBsZSBub25jZQ",     // no padding
            "dGhlIHNhbXBsZSBub25jZR==",   // bits behind the last byte
            "dGhlIHNhbXBsZSBub25jZSE=",   // 17 bytes
            "dGhlIHNhbXBsZSBub25jZSEh",   // 18 bytes
            "dGhlIHNhbXBsZSBub24=",       // 14 bytes
            "dGhlIHNhbXBsZSBub25jZQ= ",   // not the alphabet
            "dGhlIHNhbXBsZSBub25jZ-==",   // the URL alphabet
            "dGhlIHNhbXBsZSBub25jZQ==\n", // trailing bytes
        ] {
            assert_eq!(Key::parse(bad.as_bytes()), None, "{bad:?}");
        }
        assert_eq!(Key::parse(&[0xff; 24]), None);
    }
}
