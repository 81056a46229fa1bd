//! What a peer must not send, and what we cannot.

use super::Explain;
use crate::error::{ProtocolError, SendError};
use crate::frame::HeaderError;

impl Explain for ProtocolError {
    fn explanation(&self) -> &'static str {
        match self {
            Self::Header(error) => error.explanation(),
            Self::ReservedBits => {
                "The peer uses an extension that was not negotiated, mostly compression (RSV1), or what \
                 came is no WebSocket frame at all: look at Sec-WebSocket-Extensions in the response."
            }
            Self::Unmasked => {
                "A client has to mask every frame (RFC 6455 §5.1). Either it is faulty, or this endpoint \
                 was made a server by mistake."
            }
            Self::Masked => {
                "A server must not mask (RFC 6455 §5.1). Either it is faulty, or this endpoint was made a \
                 client by mistake."
            }
            Self::UnexpectedContinuation => {
                "The peer goes on with a message that it has not begun (RFC 6455 §5.4): frames were lost \
                 or reordered before they were sent, as by two writers without a lock."
            }
            Self::ExpectedContinuation => {
                "The peer mixes two messages (RFC 6455 §5.4): two of its writers send fragments at once, \
                 or a message was given up half-way."
            }
            Self::FrameTooBig { .. } => {
                "Config::max_frame_size is the limit: raise it if frames of this size are wanted. The \
                 peer was told 1009, before any of the payload was read."
            }
            Self::MessageTooBig { .. } => {
                "Config::max_message_size is the limit, counted after inflating: raise it if messages of \
                 this size are wanted, or take them in chunks. The peer was told 1009."
            }
            Self::TooManyFragments { .. } => {
                "Config::max_fragments is the limit: a peer that sends so many small or empty fragments \
                 is faulty or hostile. It was told 1009."
            }
            Self::InvalidDeflate => {
                "The peer compresses otherwise than agreed, for instance with a larger window or a context \
                 that it promised to forget, or the bytes were damaged on the way (RFC 7692 §7.2.2)."
            }
            Self::InvalidUtf8 => {
                "What is no text has to be sent as a binary message. Often text is cut at a byte instead \
                 of a character, or is in Latin-1."
            }
            Self::TruncatedCloseCode => {
                "The body of a Close frame is empty, or begins with a code of two bytes (RFC 6455 §5.5.1). \
                 The peer is faulty."
            }
            Self::InvalidCloseCode(_) => {
                "1004, 1005, 1006, 1015, what is below 1000, and what is not assigned must not stand in a \
                 Close frame (RFC 6455 §7.4). The peer's application should send 1000 or 3000 to 4999."
            }
        }
    }
}

impl Explain for HeaderError {
    fn explanation(&self) -> &'static str {
        match self {
            Self::ReservedOpcode(_) => {
                "No frame has this opcode (RFC 6455 §5.2): most likely the peer lost count of its bytes, \
                 or what came is no WebSocket at all."
            }
            Self::FragmentedControl => {
                "Pings, pongs and Close frames come in one piece (RFC 6455 §5.5). The peer is faulty."
            }
            Self::ControlTooLong => {
                "Pings, pongs and Close frames have up to 125 bytes, and a close reason 123 (RFC 6455 \
                 §5.5): the peer's application gives a longer one."
            }
            Self::LengthNotMinimal => {
                "A length has to be in its shortest form (RFC 6455 §5.2). The peer's library is faulty, or \
                 it lost count of its bytes."
            }
            Self::LengthTooLarge => {
                "The highest bit of a length is clear (RFC 6455 §5.2): most likely the peer lost count of \
                 its bytes."
            }
        }
    }
}

impl<M> Explain for SendError<M> {
    fn explanation(&self) -> &'static str {
        match self {
            Self::Full(_) => {
                "Config::write_limit is the limit: the peer reads more slowly than you send, or nothing is \
                 flushed. Transmit and try again, send less, or close a peer that stays behind."
            }
            Self::Closing(_) => {
                "A Close frame was sent or received, or the transport has ended: receive until the end, \
                 and look at the outcome."
            }
            Self::MessageInProgress(_) => {
                "Send the rest of the message in chunks, of the same type, and mark its end with \
                 Chunk::last, before another begins."
            }
            Self::ControlTooLong(_) => {
                "Send it as a message (RFC 6455 §5.5), or a shorter payload."
            }
        }
    }
}
