//! Decoding a frame header: what is decoded encodes to the same bytes, and the answer depends on
//! the bytes of the header alone.
#![no_main]

use libfuzzer_sys::fuzz_target;
use sansocket::frame::{Header, MAX_HEADER_SIZE};

fuzz_target!(|bytes: &[u8]| {
    let whole = Header::decode(bytes);
    match &whole {
        Ok(Some((header, size))) => {
            assert_eq!(header.encode()[..], bytes[..*size]);
            assert!(header.payload_len >> 63 == 0);
            assert!(!header.opcode.is_control() || header.fin && header.payload_len <= 125);
        }
        Ok(None) => assert!(bytes.len() < MAX_HEADER_SIZE),
        Err(_) => {}
    }
    // Byte by byte: incomplete up to a point, the same answer from there on.
    let mut answers =
        (0..=bytes.len().min(MAX_HEADER_SIZE)).map(|end| Header::decode(&bytes[..end]));
    if let Some(first) = answers.find(|answer| *answer != Ok(None)) {
        assert_eq!(first, whole);
        answers.for_each(|later| assert_eq!(later, whole));
    } else {
        assert_eq!(whole, Ok(None));
    }
});
