//! Frame headers on the wire (RFC 6455 §5.2), without a connection.

mod common;

use common::{cases, frames};
use proptest::prelude::*;
use sansocket::frame::{Header, HeaderError, MAX_HEADER_SIZE, Opcode};

const OPCODES: [Opcode; 6] = [
    Opcode::Continuation,
    Opcode::Text,
    Opcode::Binary,
    Opcode::Close,
    Opcode::Ping,
    Opcode::Pong,
];

/// What RFC 6455 makes of the first two bytes of a header, said once more and plainly.
fn judged(first: u8, second: u8) -> Result<Opcode, HeaderError> {
    let opcode = match first % 16 {
        0 => Opcode::Continuation,
        1 => Opcode::Text,
        2 => Opcode::Binary,
        8 => Opcode::Close,
        9 => Opcode::Ping,
        10 => Opcode::Pong,
        other => return Err(HeaderError::ReservedOpcode(other)),
    };
    if first % 16 >= 8 {
        if first < 128 {
            return Err(HeaderError::FragmentedControl);
        }
        if second % 128 > 125 {
            return Err(HeaderError::ControlTooLong);
        }
    }
    Ok(opcode)
}

#[test]
fn every_first_two_bytes_are_judged_as_the_rfc_says() {
    for first in 0..=u8::MAX {
        for second in 0..=u8::MAX {
            let (extended, len): (&[u8], u64) = match second % 128 {
                126 => (&[0x01, 0x02], 0x102),
                127 => (&[0, 0, 0, 0, 0, 1, 2, 3], 0x1_0203),
                short => (&[], short.into()),
            };
            let masked = second >= 128;
            let key: &[u8] = if masked { &[9, 8, 7, 6] } else { &[] };
            let bytes = [&[first, second], extended, key].concat();

            let decoded = Header::decode(&bytes);
            match judged(first, second) {
                Err(error) => assert_eq!(decoded, Err(error), "{first:02x} {second:02x}"),
                Ok(opcode) => {
                    let header = Header {
                        fin: first & 128 != 0,
                        rsv1: first & 64 != 0,
                        rsv2: first & 32 != 0,
                        rsv3: first & 16 != 0,
                        opcode,
                        masking_key: masked.then_some([9, 8, 7, 6]),
                        payload_len: len,
                    };
                    assert_eq!(decoded, Ok(Some((header, bytes.len()))));
                    assert_eq!(*header.encode(), bytes);
                    for end in 0..bytes.len() {
                        assert_eq!(Header::decode(&bytes[..end]), Ok(None));
                    }
                }
            }
        }
    }
}

#[test]
fn an_error_is_found_as_soon_as_its_byte_is_there() {
    assert_eq!(
        Header::decode(&[0x83]),
        Err(HeaderError::ReservedOpcode(3)),
        "the first byte shows it"
    );
    assert_eq!(
        Header::decode(&[0x09]),
        Err(HeaderError::FragmentedControl),
        "the first byte shows it"
    );
    assert_eq!(
        Header::decode(&[0x89, 126]),
        Err(HeaderError::ControlTooLong),
        "the second byte shows it, before the length"
    );
}

#[test]
fn a_16_bit_length_below_126_is_refused() {
    for len in 0..=u16::MAX {
        let [high, low] = len.to_be_bytes();
        let decoded = Header::decode(&[0x82, 126, high, low]);
        if len < 126 {
            assert_eq!(decoded, Err(HeaderError::LengthNotMinimal), "{len}");
        } else {
            let header = Header::new(Opcode::Binary, true, len.into());
            assert_eq!(decoded, Ok(Some((header, 4))));
        }
    }
}

#[test]
fn a_64_bit_length_must_need_its_64_bits_and_have_its_highest_bit_clear() {
    let decode = |len: u64| {
        let bytes = [&[0x82, 127], &len.to_be_bytes()[..]].concat();
        Header::decode(&bytes).map(|header| header.unwrap().0.payload_len)
    };
    for len in [0, 1, 125, 126, 65_534, 65_535] {
        assert_eq!(decode(len), Err(HeaderError::LengthNotMinimal), "{len}");
    }
    for len in [65_536, 65_537, u64::from(u32::MAX) + 1, (1 << 63) - 1] {
        assert_eq!(decode(len), Ok(len));
    }
    for len in [1 << 63, (1 << 63) + 125, u64::MAX] {
        assert_eq!(decode(len), Err(HeaderError::LengthTooLarge), "{len}");
    }
}

#[test]
fn each_length_is_encoded_in_its_shortest_form() {
    for (len, size) in [
        (0, 2),
        (125, 2),
        (126, 4),
        (65_535, 4),
        (65_536, 10),
        ((1 << 63) - 1, 10),
    ] {
        let header = Header::new(Opcode::Binary, true, len);
        assert_eq!(header.encode().len(), size, "{len}");
        let masking_key = Some([1; 4]);
        let masked = Header {
            masking_key,
            ..header
        };
        assert_eq!(masked.encode().len(), size + 4, "{len}, masked");
        assert!(masked.encode().len() <= MAX_HEADER_SIZE);
    }
}

#[test]
fn the_examples_of_the_rfc_are_read() {
    // §5.7
    let hello = [
        0x81, 0x85, 0x37, 0xfa, 0x21, 0x3d, 0x7f, 0x9f, 0x4d, 0x51, 0x58,
    ];
    for (bytes, opcode, fin, payload) in [
        (&b"\x81\x05Hello"[..], Opcode::Text, true, "Hello"),
        (&hello, Opcode::Text, true, "Hello"),
        (b"\x01\x03Hel", Opcode::Text, false, "Hel"),
        (b"\x80\x02lo", Opcode::Continuation, true, "lo"),
        (b"\x89\x05Hello", Opcode::Ping, true, "Hello"),
    ] {
        let (header, got) = frames(bytes).remove(0);
        assert_eq!((header.opcode, header.fin), (opcode, fin));
        assert_eq!(got, payload.as_bytes());
    }
}

proptest! {
    #![proptest_config(cases())]

    #[test]
    fn what_is_encoded_is_decoded_whatever_follows(
        flags in any::<[bool; 4]>(),
        opcode in prop::sample::select(&OPCODES[..]),
        masking_key in any::<Option<[u8; 4]>>(),
        payload_len in prop_oneof![0..70_000_u64, 0..1_u64 << 63],
        behind in prop::collection::vec(any::<u8>(), 0..20),
    ) {
        let [fin, rsv1, rsv2, rsv3] = flags;
        let control = opcode.is_control();
        let header = Header {
            fin: fin || control,
            rsv1,
            rsv2,
            rsv3,
            opcode,
            masking_key,
            payload_len: if control { payload_len % 126 } else { payload_len },
        };
        let encoded = header.encode();
        let bytes = [&*encoded, &behind].concat();
        prop_assert_eq!(Header::decode(&bytes), Ok(Some((header, encoded.len()))));
    }
}
