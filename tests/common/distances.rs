//! Reads a raw DEFLATE stream (RFC 1951) only to learn how far its matches reach back.

use std::collections::HashMap;

const LENGTH_EXTRA: [u32; 29] = [
    0, 0, 0, 0, 0, 0, 0, 0, 1, 1, 1, 1, 2, 2, 2, 2, 3, 3, 3, 3, 4, 4, 4, 4, 5, 5, 5, 5, 0,
];

/// The order of the code lengths' own code lengths (§3.2.7).
const ORDER: [usize; 19] = [
    16, 17, 18, 0, 8, 7, 9, 6, 10, 5, 11, 4, 12, 3, 13, 2, 14, 1, 15,
];

/// Symbols by the length and value of their codes.
type Codes = HashMap<(u32, usize), usize>;

struct Bits<'a> {
    bytes: &'a [u8],
    at: usize,
}

impl Bits<'_> {
    /// The next `n` bits, the first one lowest.
    fn take(&mut self, n: u32) -> Option<usize> {
        let mut value = 0;
        for i in 0..n {
            let byte = *self.bytes.get(self.at / 8)?;
            value |= usize::from(byte >> (self.at % 8) & 1) << i;
            self.at += 1;
        }
        Some(value)
    }

    /// The next symbol of a Huffman code.
    fn symbol(&mut self, codes: &Codes) -> Option<usize> {
        let (mut code, mut length) = (0, 0);
        loop {
            code = code << 1 | self.take(1)?;
            length += 1;
            if let Some(symbol) = codes.get(&(length, code)) {
                return Some(*symbol);
            }
            assert!(length < 16, "not a code");
        }
    }
}

/// The codes that follow from their lengths (§3.2.2).
fn codes(lengths: &[u32]) -> Codes {
    let mut code = 0;
    let mut codes = Codes::new();
    for length in 1..16 {
        code <<= 1;
        for (symbol, _) in lengths.iter().enumerate().filter(|(_, l)| **l == length) {
            codes.insert((length, code), symbol);
            code += 1;
        }
    }
    codes
}

/// The largest distance in the stream, which may end behind any block.
pub(crate) fn largest_distance(bytes: &[u8]) -> usize {
    let mut bits = Bits { bytes, at: 0 };
    let mut largest = 0;
    while bits.at + 10 <= bytes.len() * 8 {
        let _is_final = bits.take(1).unwrap();
        let (literals, distances) = match bits.take(2).unwrap() {
            0 => {
                bits.at = bits.at.div_ceil(8) * 8;
                let Some(len) = bits.take(16) else { break };
                bits.at += 16 + len * 8;
                continue;
            }
            1 => {
                let lengths = [vec![8; 144], vec![9; 112], vec![7; 24], vec![8; 8]].concat();
                (codes(&lengths), codes(&[5; 30]))
            }
            _ => dynamic(&mut bits).expect("a whole block"),
        };
        loop {
            match bits.symbol(&literals).expect("a whole block") {
                256 => break,
                0..256 => {}
                length => {
                    bits.take(LENGTH_EXTRA[length - 257]).unwrap();
                    let distance = bits.symbol(&distances).unwrap();
                    // §3.2.5: two codes for each number of extra bits, from the third on.
                    let extra = u32::try_from(distance / 2).unwrap().saturating_sub(1);
                    let base = match distance {
                        0..2 => distance,
                        _ => (2 + distance % 2) << extra,
                    };
                    largest = largest.max(1 + base + bits.take(extra).unwrap());
                }
            }
        }
    }
    largest
}

/// The codes of a block that brings its own (§3.2.7).
fn dynamic(bits: &mut Bits<'_>) -> Option<(Codes, Codes)> {
    let literals = bits.take(5)? + 257;
    let distances = bits.take(5)? + 1;
    let given = bits.take(4)? + 4;
    let mut lengths = [0; 19];
    for place in &ORDER[..given] {
        lengths[*place] = u32::try_from(bits.take(3)?).unwrap();
    }
    let of_lengths = codes(&lengths);
    let mut lengths = Vec::new();
    while lengths.len() < literals + distances {
        let (length, times) = match bits.symbol(&of_lengths)? {
            16 => (*lengths.last()?, 3 + bits.take(2)?),
            17 => (0, 3 + bits.take(3)?),
            18 => (0, 11 + bits.take(7)?),
            length => (u32::try_from(length).unwrap(), 1),
        };
        lengths.extend(std::iter::repeat_n(length, times));
    }
    Some((codes(&lengths[..literals]), codes(&lengths[literals..])))
}
