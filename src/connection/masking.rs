//! Masking on the way into a buffer: one pass, where copying first would take two.

use alloc::vec::Vec;

#[cfg(feature = "simd")]
use crate::frame::DETECT_MIN;
use crate::frame::{masked, repeated, rotated};

/// From this size on, blocks of 64 bytes pay.
const WIDE_MIN: usize = 256;

/// Appends a masked copy of the payload (RFC 6455 §5.3).
#[inline]
pub(super) fn extend_masked(to: &mut Vec<u8>, payload: &[u8], key: [u8; 4]) {
    to.reserve(payload.len());
    match payload.len() {
        #[cfg(feature = "simd")]
        DETECT_MIN.. => extend_vectors(to, payload, key),
        WIDE_MIN.. => extend_blocks::<64>(to, payload, key),
        16.. => extend_blocks::<16>(to, payload, key),
        8.. => extend_blocks::<8>(to, payload, key),
        4.. => extend_blocks::<4>(to, payload, key),
        _ => to.extend(payload.iter().zip(key).map(|(byte, key)| byte ^ key)),
    }
}

/// Blocks of `N` bytes, at least one; the last overlaps the one before it, so that there is no loop
/// over single bytes.
#[inline(always)]
fn extend_blocks<const N: usize>(to: &mut Vec<u8>, payload: &[u8], key: [u8; 4]) {
    let blocks = payload.chunks_exact(N);
    let rest = blocks.remainder().len();
    let wide_key = repeated::<N>(key);
    for block in blocks {
        if let Some(block) = block.first_chunk::<N>() {
            to.extend_from_slice(&masked(*block, &wide_key));
        }
    }
    if let (1.., Some(last)) = (rest, payload.last_chunk::<N>()) {
        let again = N.saturating_sub(rest);
        to.truncate(to.len().saturating_sub(again));
        let last_key = repeated(rotated(key, payload.len().saturating_sub(N)));
        to.extend_from_slice(&masked(*last, &last_key));
    }
}

/// The key stands ready many times over: a loop over two slices of one size is what the compiler turns
/// into the widest vectors and appends without looking at the capacity each time.
#[cfg(feature = "simd")]
#[inline(never)]
fn extend_vectors(to: &mut Vec<u8>, payload: &[u8], key: [u8; 4]) {
    let keys = repeated::<1024>(key);
    let level = fearless_simd::Level::new();
    fearless_simd::dispatch!(level, _simd => extend_zipped(to, payload, &keys));
}

#[cfg(feature = "simd")]
#[inline(always)]
fn extend_zipped(to: &mut Vec<u8>, payload: &[u8], keys: &[u8; 1024]) {
    for block in payload.chunks(keys.len()) {
        to.extend(block.iter().zip(keys).map(|(byte, key)| byte ^ key));
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::frame::mask;

    #[test]
    fn every_length_is_the_payload_masked_in_place() {
        let payload: Vec<u8> = (0..5000_u32)
            .map(|i| (i * 7 % 251).to_le_bytes()[0])
            .collect();
        let key = [0x37, 0xfa, 0x21, 0x3d];
        for len in (0..600).chain([1023, 1024, 1025, 2047, 2050, 4999]) {
            let mut expected = payload[..len].to_vec();
            mask(&mut expected, key);
            let mut copy = b"before".to_vec();
            extend_masked(&mut copy, &payload[..len], key);
            assert_eq!(copy[..6], *b"before");
            assert_eq!(copy[6..], expected, "{len} bytes");
        }
    }
}
