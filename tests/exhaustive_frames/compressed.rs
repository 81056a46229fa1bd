//! Reserved bits where compression was negotiated (RFC 7692 §6): each combination on each opcode, amid
//! each kind of message. The payloads are empty, so that it does not matter what is compressed.

use sansocket::ProtocolError;
use sansocket::frame::{Header, HeaderError, Opcode};

use super::common::compressed::ALL;
use super::common::*;
use super::{Bits, Config, Delivery, LENGTHS, header};

/// The first fragment of a message that goes on, compressed or not.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Amid {
    Nothing,
    Plain,
    Compressed,
}

/// What is wrong with a frame, if anything is.
fn faults(side: Side, amid: Amid, bits: Bits) -> Vec<ProtocolError> {
    let begins = matches!(bits.opcode, 1 | 2);
    let mut faults = Vec::new();
    // RSV1 says of a message's first frame that it is compressed; the others say nothing.
    if bits.rsv & 0b011 != 0 || bits.rsv & 0b100 != 0 && !begins {
        faults.push(ProtocolError::ReservedBits);
    }
    match (side, bits.masked) {
        (Side::Server, false) => faults.push(ProtocolError::Unmasked),
        (Side::Client, true) => faults.push(ProtocolError::Masked),
        _ => {}
    }
    match (bits.opcode, amid) {
        (0, Amid::Nothing) => faults.push(ProtocolError::UnexpectedContinuation),
        (1 | 2, Amid::Plain | Amid::Compressed) => {
            faults.push(ProtocolError::ExpectedContinuation);
        }
        (3..=7 | 11..=15, _) => faults.push(ProtocolError::Header(HeaderError::ReservedOpcode(
            bits.opcode,
        ))),
        _ => {}
    }
    if bits.opcode >= 8 && !bits.fin {
        faults.push(ProtocolError::Header(HeaderError::FragmentedControl));
    }
    faults
}

fn check(side: Side, delivery: Delivery, amid: Amid, bits: Bits) {
    let mut endpoint = side.deflating(Config::new().delivery(delivery), ALL);
    if amid != Amid::Nothing {
        let first = Header {
            rsv1: amid == Amid::Compressed,
            ..side.header(Opcode::Text, false, 0)
        };
        endpoint.feed(&first.encode());
    }
    endpoint.feed(&header(bits));
    let faults = faults(side, amid, bits);
    match endpoint.error {
        Some(error) => assert!(faults.contains(&error), "{bits:?}, {amid:?}: {error}"),
        None => assert_eq!(faults, [], "{bits:?}, {amid:?}"),
    }
    if endpoint.error.is_some() || bits.opcode >= 8 {
        return;
    }
    // An empty message, now or at the end of the frame that follows.
    if !bits.fin {
        endpoint.feed(&side.frame(Opcode::Continuation, true, b""));
    }
    let expected = match bits.opcode {
        2 => Seen::binary(b""),
        _ => Seen::text(""),
    };
    assert_eq!(
        endpoint.seen,
        [expected.delivered(delivery)],
        "{bits:?}, {amid:?}"
    );
}

#[test]
fn every_reserved_bit_on_every_opcode_is_judged_by_what_was_negotiated() {
    for (side, delivery) in SIDES.into_iter().flat_map(|s| DELIVERIES.map(|d| (s, d))) {
        for amid in [Amid::Nothing, Amid::Plain, Amid::Compressed] {
            for first in 0..=u8::MAX {
                for masked in [false, true] {
                    let bits = Bits {
                        opcode: first & 0x0F,
                        fin: first & 0x80 != 0,
                        rsv: first >> 4 & 0x07,
                        masked,
                        length: LENGTHS[0],
                    };
                    check(side, delivery, amid, bits);
                }
            }
        }
    }
}
