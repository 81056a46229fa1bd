//! The frame header, §5.2.

use core::fmt;

/// The largest frame header, in bytes: 2, an 8-byte length and a masking key.
pub const MAX_HEADER_SIZE: usize = 14;

/// The largest payload of a control frame, in bytes (§5.5).
pub(crate) const MAX_CONTROL_PAYLOAD: usize = 125;

const FIN: u8 = 0x80;
const RSV1: u8 = 0x40;
const RSV2: u8 = 0x20;
const RSV3: u8 = 0x10;
const MASK: u8 = 0x80;

/// What a frame carries (§5.2, §11.8). The reserved opcodes are no values of this type.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
#[repr(u8)]
pub enum Opcode {
    /// More of a fragmented message.
    Continuation = 0x0,
    /// A text message, or its first fragment.
    Text = 0x1,
    /// A binary message, or its first fragment.
    Binary = 0x2,
    /// The closing handshake (§5.5.1).
    Close = 0x8,
    /// A ping (§5.5.2).
    Ping = 0x9,
    /// A pong (§5.5.3).
    Pong = 0xA,
}

impl Opcode {
    const fn from_bits(bits: u8) -> Option<Self> {
        Some(match bits {
            0x0 => Self::Continuation,
            0x1 => Self::Text,
            0x2 => Self::Binary,
            0x8 => Self::Close,
            0x9 => Self::Ping,
            0xA => Self::Pong,
            _ => return None,
        })
    }

    /// Whether this is a control frame's opcode: its highest bit is set (§5.5).
    pub const fn is_control(self) -> bool {
        self as u8 & 0x8 != 0
    }
}

/// A frame header (§5.2).
///
/// All fields may be set freely; [`encode`](Self::encode) writes what they say.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Header {
    /// This is the last, or only, fragment of a message.
    pub fin: bool,
    /// First reserved bit: under permessage-deflate, "this message is compressed" (RFC 7692 §6).
    pub rsv1: bool,
    /// Second reserved bit.
    pub rsv2: bool,
    /// Third reserved bit.
    pub rsv3: bool,
    /// What the frame carries.
    pub opcode: Opcode,
    /// The key the payload is masked with; a client's frames have one, a server's have none.
    pub masking_key: Option<[u8; 4]>,
    /// Size of the payload, in bytes; below 2^63.
    pub payload_len: u64,
}

impl Header {
    /// The header of an unmasked frame without reserved bits.
    pub const fn new(opcode: Opcode, fin: bool, payload_len: u64) -> Self {
        Self {
            fin,
            rsv1: false,
            rsv2: false,
            rsv3: false,
            opcode,
            masking_key: None,
            payload_len,
        }
    }

    /// Reads a header from the front of `bytes`; gives it and its size, or `None` if it is not
    /// complete.
    ///
    /// Whether reserved bits and a masking key are in order depends on the connection, and is not
    /// judged here.
    ///
    /// # Errors
    /// Whatever no extension and no role can make right: a reserved opcode, a control frame that is
    /// fragmented or longer than 125 bytes, a length that is not in its shortest form or above
    /// 2^63 − 1. Each is found as soon as the byte that shows it is there.
    pub fn decode(bytes: &[u8]) -> Result<Option<(Self, usize)>, HeaderError> {
        let Some((&first, rest)) = bytes.split_first() else {
            return Ok(None);
        };
        let Some(opcode) = Opcode::from_bits(first & 0x0F) else {
            return Err(HeaderError::ReservedOpcode(first & 0x0F));
        };
        let fin = first & FIN != 0;
        if opcode.is_control() && !fin {
            return Err(HeaderError::FragmentedControl);
        }
        let Some((&second, rest)) = rest.split_first() else {
            return Ok(None);
        };
        let short = second & !MASK;
        if opcode.is_control() && usize::from(short) > MAX_CONTROL_PAYLOAD {
            return Err(HeaderError::ControlTooLong);
        }
        // §5.2: 126 and 127 announce a 16- or 64-bit length, which must not fit a shorter form.
        let (payload_len, rest) = match short {
            126 => {
                let Some((extended, rest)) = rest.split_first_chunk() else {
                    return Ok(None);
                };
                let len = u64::from(u16::from_be_bytes(*extended));
                if len < 126 {
                    return Err(HeaderError::LengthNotMinimal);
                }
                (len, rest)
            }
            127 => {
                let Some((extended, rest)) = rest.split_first_chunk() else {
                    return Ok(None);
                };
                let len = u64::from_be_bytes(*extended);
                if len >> 63 != 0 {
                    return Err(HeaderError::LengthTooLarge);
                }
                if len <= u64::from(u16::MAX) {
                    return Err(HeaderError::LengthNotMinimal);
                }
                (len, rest)
            }
            len => (u64::from(len), rest),
        };
        let (masking_key, rest) = if second & MASK != 0 {
            let Some((key, rest)) = rest.split_first_chunk() else {
                return Ok(None);
            };
            (Some(*key), rest)
        } else {
            (None, rest)
        };
        let header = Self {
            fin,
            rsv1: first & RSV1 != 0,
            rsv2: first & RSV2 != 0,
            rsv3: first & RSV3 != 0,
            opcode,
            masking_key,
            payload_len,
        };
        Ok(Some((header, bytes.len().saturating_sub(rest.len()))))
    }

    /// Writes the header, its length in the shortest form.
    #[inline]
    pub fn encode(&self) -> EncodedHeader {
        let mut encoded = EncodedHeader {
            bytes: [0; MAX_HEADER_SIZE],
            len: 0,
        };
        self.write(|part| encoded.push(part));
        encoded
    }

    /// The same in two or three parts, whose sizes the compiler sees.
    #[inline(always)]
    pub(crate) fn write(&self, mut put: impl FnMut(&[u8])) {
        let flag = |set: bool, bit: u8| if set { bit } else { 0 };
        let first = flag(self.fin, FIN)
            | flag(self.rsv1, RSV1)
            | flag(self.rsv2, RSV2)
            | flag(self.rsv3, RSV3)
            | self.opcode as u8;
        let mask_bit = flag(self.masking_key.is_some(), MASK);
        if self.payload_len < 126 {
            // Below 126, the low byte is the whole length.
            let [.., short] = self.payload_len.to_be_bytes();
            put(&[first, mask_bit | short]);
        } else if let Ok(len) = u16::try_from(self.payload_len) {
            let [high, low] = len.to_be_bytes();
            put(&[first, mask_bit | 126, high, low]);
        } else {
            put(&[first, mask_bit | 127]);
            put(&self.payload_len.to_be_bytes());
        }
        if let Some(key) = &self.masking_key {
            put(key);
        }
    }
}

/// The bytes of a [`Header`]: 2 to [`MAX_HEADER_SIZE`] of them.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct EncodedHeader {
    bytes: [u8; MAX_HEADER_SIZE],
    len: usize,
}

impl EncodedHeader {
    #[inline]
    fn push(&mut self, bytes: &[u8]) {
        let end = self.len.saturating_add(bytes.len());
        if let Some(room) = self.bytes.get_mut(self.len..end) {
            room.copy_from_slice(bytes);
            self.len = end;
        }
    }
}

impl core::ops::Deref for EncodedHeader {
    type Target = [u8];

    #[inline]
    fn deref(&self) -> &[u8] {
        self.bytes.get(..self.len).unwrap_or_default()
    }
}

/// A header that no frame can have; the connection is failed with close code 1002.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
#[non_exhaustive]
pub enum HeaderError {
    /// One of the opcodes kept for later: 3–7 or 11–15 (§5.2).
    ReservedOpcode(u8),
    /// A control frame without FIN (§5.5).
    FragmentedControl,
    /// A control frame with more than 125 bytes of payload (§5.5).
    ControlTooLong,
    /// A length that would have fitted a shorter form (§5.2).
    LengthNotMinimal,
    /// A 64-bit length with its highest bit set (§5.2).
    LengthTooLarge,
}

impl fmt::Display for HeaderError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::ReservedOpcode(opcode) => write!(f, "frame with the reserved opcode {opcode}"),
            Self::FragmentedControl => f.write_str("fragmented control frame"),
            Self::ControlTooLong => f.write_str("control frame with more than 125 bytes"),
            Self::LengthNotMinimal => f.write_str("payload length not in its shortest form"),
            Self::LengthTooLarge => f.write_str("payload length of 2^63 bytes or more"),
        }
    }
}

impl core::error::Error for HeaderError {}
