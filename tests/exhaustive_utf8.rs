//! Every short sequence of bytes is a text exactly if `core::str` calls it one, however it comes:
//! whole, in reads, in fragments.
//!
//! One and two bytes: all. Three: all behind the lead bytes of three, and behind every other byte the
//! first and last of each class of bytes that UTF-8 (RFC 3629 §4) tells apart. Four: the same
//! behind F0–F7. Of each class, in every division into parts.
#![cfg(not(miri))] // there are too many cases

mod common;

use common::*;
use sansocket::frame::{Header, Opcode};
use sansocket::{Config, Connection, Delivery, Event, ProtocolError, ReceiveBuffer};

/// The first and last byte of each class: ASCII, the continuation bytes that E0, ED, F0 and F4 tell
/// apart, and the lead bytes that differ in what may follow.
const EDGES: [u8; 28] = [
    0x00, 0x7F, 0x80, 0x8F, 0x90, 0x9F, 0xA0, 0xBF, 0xC0, 0xC1, 0xC2, 0xDF, 0xE0, 0xE1, 0xEC, 0xED,
    0xEE, 0xEF, 0xF0, 0xF1, 0xF3, 0xF4, 0xF5, 0xF7, 0xF8, 0xFB, 0xFC, 0xFF,
];

/// How the parts of a text arrive.
#[derive(Debug, Clone, Copy)]
enum By {
    /// One frame, a part in each read.
    Reads,
    /// Each part in a frame of its own.
    Fragments,
}

/// The parts of `bytes` that a set bit of `cuts` divides: bit 0 behind the first byte.
fn parts(bytes: &[u8], cuts: usize) -> impl Iterator<Item = &[u8]> {
    let mut start = 0;
    (1..=bytes.len()).filter_map(move |end| {
        let cut = end == bytes.len() || cuts >> (end - 1) & 1 == 1;
        cut.then(|| &bytes[std::mem::replace(&mut start, end)..end])
    })
}

/// The header of a frame to a server, under a key of zeros, so that the payload stands as it is.
fn frame(out: &mut Vec<u8>, opcode: Opcode, fin: bool, len: usize) {
    let header = Header {
        masking_key: Some([0; 4]),
        ..Header::new(opcode, fin, len as u64)
    };
    out.extend_from_slice(&header.encode());
}

/// What connections are fed through, one for each text.
struct Checker {
    config: Config,
    rx: ReceiveBuffer,
    read: Vec<u8>,
    text: Vec<u8>,
}

impl Checker {
    fn new(delivery: Delivery) -> Self {
        Self {
            config: Config::new().delivery(delivery),
            rx: ReceiveBuffer::new(),
            read: Vec::new(),
            text: Vec::new(),
        }
    }

    /// Whether the whole of these bytes was taken for a text.
    fn takes(&mut self, bytes: &[u8], cuts: usize, by: By) -> bool {
        let mut server = Connection::server(self.config.clone());
        self.rx = ReceiveBuffer::new();
        self.text.clear();
        self.read.clear();
        if let By::Reads = by {
            frame(&mut self.read, Opcode::Text, true, bytes.len());
        }
        let (mut opcode, mut left, mut ended) = (Opcode::Text, bytes.len(), false);
        for part in parts(bytes, cuts) {
            left -= part.len();
            if let By::Fragments = by {
                frame(&mut self.read, opcode, left == 0, part.len());
                opcode = Opcode::Continuation;
            }
            self.read.extend_from_slice(part);
            self.rx.extend_from_slice(&self.read);
            self.read.clear();
            loop {
                match server.receive(&mut self.rx) {
                    Ok(None) => break,
                    Ok(Some(Event::Text(text))) => {
                        self.text.extend_from_slice(text.as_bytes());
                        ended = true;
                    }
                    Ok(Some(Event::Chunk(chunk))) => {
                        self.text.extend_from_slice(chunk.data.as_bytes());
                        ended = chunk.last;
                    }
                    Ok(Some(other)) => panic!("{other:?}"),
                    Err(error) => {
                        assert_eq!(error, ProtocolError::InvalidUtf8);
                        assert!(!ended, "an error behind the end");
                        return false;
                    }
                }
            }
        }
        assert!(ended, "no end of {bytes:x?}");
        assert_eq!(self.text, bytes);
        true
    }

    fn check(&mut self, bytes: &[u8], cuts: usize, by: By) {
        let is_text = std::str::from_utf8(bytes).is_ok();
        assert_eq!(
            self.takes(bytes, cuts, by),
            is_text,
            "{bytes:x?}, cut at {cuts:b}, by {by:?}"
        );
    }

    /// All divisions into reads and into fragments.
    fn check_all(&mut self, bytes: &[u8]) {
        self.check(bytes, 0, By::Reads);
        for cuts in 1..1 << (bytes.len() - 1) {
            self.check(bytes, cuts, By::Reads);
            self.check(bytes, cuts, By::Fragments);
        }
    }
}

#[test]
fn every_sequence_of_one_to_three_bytes_is_a_text_exactly_if_core_calls_it_one() {
    for delivery in DELIVERIES {
        let mut checker = Checker::new(delivery);
        for first in 0..=u8::MAX {
            checker.check_all(&[first]);
            for second in 0..=u8::MAX {
                checker.check_all(&[first, second]);
            }
            for (second, third) in EDGES.iter().flat_map(|b| EDGES.map(|c| (*b, c))) {
                let bytes = [first, second, third];
                if EDGES.contains(&first) {
                    checker.check_all(&bytes);
                } else {
                    checker.check(&bytes, 0, By::Reads);
                }
            }
        }
    }
}

#[test]
fn everything_behind_a_lead_byte_of_three_is_judged_as_core_does() {
    let mut checkers = DELIVERIES.map(Checker::new);
    for first in 0xE0..=0xEF {
        for second in 0..=u8::MAX {
            for third in 0..=u8::MAX {
                let bytes = [first, second, third];
                let checker = &mut checkers[usize::from(third % 2)];
                checker.check(&bytes, 0, By::Reads);
                if EDGES.contains(&second) && EDGES.contains(&third) {
                    checker.check_all(&bytes);
                }
            }
        }
    }
}

#[test]
fn four_bytes_are_a_text_exactly_if_core_calls_them_one() {
    for delivery in DELIVERIES {
        let mut checker = Checker::new(delivery);
        for first in 0xF0..=0xF7 {
            for (second, third) in EDGES.iter().flat_map(|b| EDGES.map(|c| (*b, c))) {
                for fourth in EDGES {
                    let bytes = [first, second, third, fourth];
                    checker.check(&bytes, 0, By::Reads);
                    // What is refused for its second byte is so for whatever follows.
                    if std::str::from_utf8(&bytes[..2]).is_err_and(|e| e.error_len().is_none()) {
                        checker.check_all(&bytes);
                    }
                }
            }
        }
    }
}

#[test]
fn the_classes_have_all_their_edges() {
    // How core judges a byte alone and behind each lead byte changes at no byte but an edge.
    let judged = |byte: u8| {
        let behind = [0x41, 0xC2, 0xE0, 0xE1, 0xED, 0xEE, 0xF0, 0xF1, 0xF4, 0xF5];
        let behind = behind.map(|lead| {
            std::str::from_utf8(&[lead, byte])
                .map_err(|e| e.error_len())
                .err()
        });
        (std::str::from_utf8(&[byte]).err(), behind)
    };
    for byte in 0..u8::MAX {
        if judged(byte) != judged(byte + 1) {
            assert!(
                EDGES.contains(&byte) && EDGES.contains(&(byte + 1)),
                "{byte:x}"
            );
        }
    }
}
