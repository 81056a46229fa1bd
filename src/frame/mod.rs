//! Frames on the wire (RFC 6455 §5.2–§5.3): headers and masking.
//!
//! Stateless, without allocation, over borrowed slices only. A proxy that re-frames or a tool that
//! reads captured bytes can use this layer alone:
//!
//! ```
//! use sansocket::frame::{Header, Opcode, mask};
//!
//! // §5.7: a single-frame masked text message that says "Hello".
//! let mut wire = [0x81, 0x85, 0x37, 0xfa, 0x21, 0x3d, 0x7f, 0x9f, 0x4d, 0x51, 0x58];
//! let (header, size) = Header::decode(&wire)?.expect("the header is complete");
//! assert_eq!((header.opcode, header.fin, header.payload_len, size), (Opcode::Text, true, 5, 6));
//!
//! mask(&mut wire[size..], header.masking_key.unwrap());
//! assert_eq!(&wire[size..], b"Hello");
//! # Ok::<(), sansocket::frame::HeaderError>(())
//! ```

mod header;
mod mask;

pub(crate) use header::MAX_CONTROL_PAYLOAD;
pub use header::{EncodedHeader, Header, HeaderError, MAX_HEADER_SIZE, Opcode};
#[cfg(feature = "simd")]
pub(crate) use mask::DETECT_MIN;
pub use mask::{mask, mask_at};
pub(crate) use mask::{masked, repeated, rotated};
