//! Masking, §5.3: every byte is XORed with the key's byte at its place modulo 4.

/// From this size on it pays to align the wide writes first.
const ALIGN_MIN: usize = 256;

/// From this size on it pays to find out which vectors the machine has.
#[cfg(feature = "simd")]
pub(crate) const DETECT_MIN: usize = 1024;

/// The block of the wide passes.
const WIDE: usize = 64;

/// Half of what the nearest cache of most machines holds.
const PIECE: usize = 16 * 1024;

/// Masks or unmasks `payload` in place: the same operation (§5.3).
///
/// ```
/// let mut payload = *b"Hello";
/// sansocket::frame::mask(&mut payload, [0x37, 0xfa, 0x21, 0x3d]);
/// assert_eq!(payload, [0x7f, 0x9f, 0x4d, 0x51, 0x58]);
/// ```
#[inline]
pub fn mask(payload: &mut [u8], key: [u8; 4]) {
    if payload.len() >= ALIGN_MIN {
        mask_large(payload, key);
    } else {
        mask_small(payload, key);
    }
}

/// Masks or unmasks a part of a payload that starts `offset` bytes into it.
///
/// ```
/// use sansocket::frame::{mask, mask_at};
///
/// let (key, mut whole, mut split) = ([1, 2, 3, 4], *b"masked", *b"masked");
/// mask(&mut whole, key);
/// mask_at(&mut split[..3], key, 0);
/// mask_at(&mut split[3..], key, 3);
/// assert_eq!(whole, split);
/// ```
#[inline]
pub fn mask_at(part: &mut [u8], key: [u8; 4], offset: u64) {
    let [.., low] = offset.to_be_bytes();
    mask(part, rotated(key, usize::from(low)));
}

/// How far, in bits, the key turns to the right `offset` bytes into the payload.
#[inline]
fn rotation(offset: usize) -> u32 {
    match offset & 3 {
        0 => 0,
        1 => 8,
        2 => 16,
        _ => 24,
    }
}

/// The key as it stands `offset` bytes into the payload.
#[inline]
pub(crate) fn rotated(key: [u8; 4], offset: usize) -> [u8; 4] {
    u32::from_le_bytes(key)
        .rotate_right(rotation(offset))
        .to_le_bytes()
}

#[inline]
pub(crate) fn repeated<const N: usize>(key: [u8; 4]) -> [u8; N] {
    let mut wide = [0; N];
    for block in wide.chunks_exact_mut(4) {
        block.copy_from_slice(&key);
    }
    wide
}

/// Bytes by bytes, which the compiler turns into vectors; it would not do so with one wide integer.
#[inline(always)]
fn xor<const N: usize>(block: &mut [u8; N], key: &[u8; N]) {
    for (byte, key) in block.iter_mut().zip(key) {
        *byte ^= key;
    }
}

/// The block, masked with as much of the repeated key.
#[inline(always)]
pub(crate) fn masked<const N: usize>(mut block: [u8; N], key: &[u8; N]) -> [u8; N] {
    xor(&mut block, key);
    block
}

/// 16 bytes at a time; a tail is loaded before and stored after, overlapping the last whole block,
/// so that there is no loop over single bytes.
#[inline]
fn mask_small(payload: &mut [u8], key: [u8; 4]) {
    let Some(tail) = payload.last_chunk::<16>().copied() else {
        return mask_tiny(payload, key);
    };
    let tail = masked(tail, &repeated(rotated(key, payload.len())));
    let wide_key = repeated::<16>(key);
    for block in payload.chunks_exact_mut(16) {
        if let Some(block) = block.first_chunk_mut() {
            xor(block, &wide_key);
        }
    }
    if let Some(last) = payload.last_chunk_mut::<16>() {
        *last = tail;
    }
}

/// Fewer than 16 bytes: two overlapping halves of 8 or of 4, or up to three single bytes.
#[inline]
fn mask_tiny(payload: &mut [u8], key: [u8; 4]) {
    let len = payload.len();
    let key4 = u32::from_le_bytes(key);
    let key8 = u64::from(key4) | u64::from(key4) << 32;
    if let (Some(first), Some(last)) = (payload.first_chunk::<8>(), payload.last_chunk::<8>()) {
        let tail_key = key8.rotate_right(rotation(len));
        let first = (u64::from_le_bytes(*first) ^ key8).to_le_bytes();
        let last = (u64::from_le_bytes(*last) ^ tail_key).to_le_bytes();
        if let Some(room) = payload.first_chunk_mut::<8>() {
            *room = first;
        }
        if let Some(room) = payload.last_chunk_mut::<8>() {
            *room = last;
        }
    } else if let (Some(first), Some(last)) =
        (payload.first_chunk::<4>(), payload.last_chunk::<4>())
    {
        let tail_key = key4.rotate_right(rotation(len));
        let first = (u32::from_le_bytes(*first) ^ key4).to_le_bytes();
        let last = (u32::from_le_bytes(*last) ^ tail_key).to_le_bytes();
        if let Some(room) = payload.first_chunk_mut::<4>() {
            *room = first;
        }
        if let Some(room) = payload.last_chunk_mut::<4>() {
            *room = last;
        }
    } else {
        for (byte, key) in payload.iter_mut().zip(key) {
            *byte ^= key;
        }
    }
}

/// Aligned blocks of 64 bytes, which the compiler turns into the widest vectors it may use.
fn mask_large(payload: &mut [u8], key: [u8; 4]) {
    let lead = payload.as_ptr().align_offset(WIDE).min(payload.len());
    let (lead, rest) = payload.split_at_mut(lead);
    let rest_key = rotated(key, lead.len());
    mask_small(lead, key);
    let whole = rest.len().saturating_sub(rest.len() % WIDE);
    let (blocks, tail) = rest.split_at_mut(whole);
    let wide_key = repeated::<WIDE>(rest_key);
    #[cfg(feature = "simd")]
    if blocks.len() >= DETECT_MIN {
        let level = fearless_simd::Level::new();
        fearless_simd::dispatch!(level, _simd => xor_blocks(blocks, &wide_key));
        return mask_small(tail, rest_key);
    }
    xor_blocks(blocks, &wide_key);
    mask_small(tail, rest_key);
}

/// Inlined where the instructions that may be used are known. From the last piece to the first: what came
/// last is in the nearest cache, and what is read first by whoever looks at the payload will be.
#[inline(always)]
fn xor_blocks(blocks: &mut [u8], key: &[u8; WIDE]) {
    // By value, so that the compiler knows that no write changes it.
    let key = *key;
    for piece in blocks.rchunks_mut(PIECE) {
        for block in piece.chunks_exact_mut(WIDE) {
            if let Some(block) = block.first_chunk_mut() {
                *block = masked(*block, &key);
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use alloc::vec::Vec;

    use super::{mask, mask_at};

    fn by_the_book(payload: &[u8], key: [u8; 4]) -> Vec<u8> {
        let masked = payload.iter().zip(key.iter().cycle());
        masked.map(|(byte, key)| byte ^ key).collect()
    }

    #[test]
    fn every_length_and_alignment_is_masked_as_the_rfc_says() {
        let payload: Vec<u8> = (0..1200_u32)
            .map(|i| (i * 7 % 251).to_le_bytes()[0])
            .collect();
        let key = [0x37, 0xfa, 0x21, 0x3d];
        for start in 0..17 {
            for len in (0..300).chain([511, 512, 513, 1000, 1024, 1100]) {
                let mut bytes = payload.clone();
                let part = &mut bytes[start..start + len];
                mask(part, key);
                assert_eq!(part, by_the_book(&payload[start..start + len], key));
                assert_eq!(bytes[..start], payload[..start]);
                assert_eq!(bytes[start + len..], payload[start + len..]);
            }
        }
    }

    #[test]
    fn a_payload_of_several_pieces_is_masked_as_the_rfc_says() {
        let payload: Vec<u8> = (0..70_000_u32)
            .map(|i| (i * 7 % 251).to_le_bytes()[0])
            .collect();
        let key = [0x37, 0xfa, 0x21, 0x3d];
        for start in [0, 1, 14, 63] {
            for len in [16_383, 16_384, 16_385, 32_768, 40_001, 69_000] {
                let mut part = payload[start..start + len].to_vec();
                mask(&mut part, key);
                assert_eq!(part, by_the_book(&payload[start..start + len], key));
            }
        }
    }

    #[test]
    fn a_payload_masked_in_parts_is_the_payload_masked_whole() {
        let payload: Vec<u8> = (0..600_u32).map(|i| i.to_le_bytes()[0]).collect();
        let key = [1, 2, 3, 4];
        for split in 0..payload.len() {
            let mut bytes = payload.clone();
            let (head, tail) = bytes.split_at_mut(split);
            mask_at(head, key, 0);
            mask_at(tail, key, split as u64);
            assert_eq!(bytes, by_the_book(&payload, key));
        }
    }
}
