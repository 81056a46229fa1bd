//! Where a client's masking keys come from: they must be unpredictable (RFC 6455 §10.3).

/// A source of masking keys.
///
/// Each key must be unpredictable to whoever chooses the payload, even after having seen all
/// earlier keys (§10.3): implement it over a cryptographically secure generator only. Without such
/// a generator, a 32-byte seed from one will do: see [`SeededMaskKeys`].
///
/// ```
/// use sansocket::MaskKeys;
///
/// /// Keys from a hardware generator.
/// struct Hardware;
///
/// impl MaskKeys for Hardware {
///     fn next_key(&mut self) -> [u8; 4] {
/// #       fn read_rng_register() -> u32 { 4 }
///         read_rng_register().to_ne_bytes()
///     }
/// }
/// ```
pub trait MaskKeys: Send + Sync {
    /// A fresh key, for one frame.
    fn next_key(&mut self) -> [u8; 4];
}

impl MaskKeys for alloc::boxed::Box<dyn MaskKeys> {
    fn next_key(&mut self) -> [u8; 4] {
        (**self).next_key()
    }
}

/// Size of a ChaCha20 block, in bytes.
const BLOCK: usize = 64;

/// So many blocks are made at once, side by side in the machine's vectors.
const LANES: usize = 4;

/// Keys from ChaCha20 (RFC 8439 §2.3) under a seed of your own, for targets without an operating
/// system; 64 are made at a time.
///
/// The keys are as unpredictable as the seed: 32 bytes from a secure generator, never used before.
///
/// ```
/// use sansocket::{Config, Connection, SeededMaskKeys};
///
/// # let secret_seed = [7; 32];
/// let client = Connection::client(Config::new(), SeededMaskKeys::new(secret_seed));
/// ```
pub struct SeededMaskKeys {
    seed: [u8; 32],
    /// Number of the next block.
    counter: u64,
    blocks: [u8; LANES * BLOCK],
    used: usize,
}

impl SeededMaskKeys {
    /// The keys that follow from this seed.
    pub const fn new(seed: [u8; 32]) -> Self {
        Self {
            seed,
            counter: 0,
            blocks: [0; LANES * BLOCK],
            used: LANES * BLOCK,
        }
    }

    #[cold]
    fn refill(&mut self) {
        self.blocks = chacha20(&self.seed, self.counter, [0; 2]);
        self.counter = self.counter.wrapping_add(LANES as u64);
        self.used = 0;
    }
}

impl core::fmt::Debug for SeededMaskKeys {
    // The seed and the keys to come stay secret.
    fn fmt(&self, f: &mut core::fmt::Formatter<'_>) -> core::fmt::Result {
        f.debug_struct("SeededMaskKeys").finish_non_exhaustive()
    }
}

impl MaskKeys for SeededMaskKeys {
    #[inline]
    fn next_key(&mut self) -> [u8; 4] {
        loop {
            if let Some(key) = self.blocks.get(self.used..).and_then(<[u8]>::first_chunk) {
                self.used = self.used.saturating_add(4);
                return *key;
            }
            self.refill();
        }
    }
}

/// One word of the state of each block.
type Word = [u32; LANES];

/// The block function of ChaCha20 (RFC 8439 §2.3) for consecutive block counters. The RFC's counter has
/// 32 bits and its nonce 96: here the first of the nonce's words counts on.
fn chacha20(key: &[u8; 32], counter: u64, nonce: [u32; 2]) -> [u8; LANES * BLOCK] {
    let word = |bytes: &[u8], at: usize| {
        let word = bytes
            .get(at.saturating_mul(4)..)
            .and_then(<[u8]>::first_chunk);
        u32::from_le_bytes(*word.unwrap_or(&[0; 4]))
    };
    let counters: [[u8; 8]; LANES] =
        core::array::from_fn(|lane| counter.wrapping_add(lane as u64).to_le_bytes());
    let initial: [Word; 16] = core::array::from_fn(|i| match i {
        0..4 => [word(b"expand 32-byte k", i); LANES],
        4..12 => [word(key, i.saturating_sub(4)); LANES],
        12 | 13 => counters.map(|counter| word(&counter, i.saturating_sub(12))),
        14 => [nonce[0]; LANES],
        _ => [nonce[1]; LANES],
    });
    let mut state = initial;
    for _ in 0..10 {
        // The columns, then the diagonals.
        let [a, b, c, d, e, f, g, h, i, j, k, l, m, n, o, p] = &mut state;
        quarter_round(a, e, i, m);
        quarter_round(b, f, j, n);
        quarter_round(c, g, k, o);
        quarter_round(d, h, l, p);
        quarter_round(a, f, k, p);
        quarter_round(b, g, l, m);
        quarter_round(c, h, i, n);
        quarter_round(d, e, j, o);
    }
    let mut blocks = [0; LANES * BLOCK];
    for (lane, block) in blocks.chunks_exact_mut(BLOCK).enumerate() {
        for ((bytes, word), initial) in block.chunks_exact_mut(4).zip(&state).zip(&initial) {
            let of = |word: &Word| word.get(lane).copied().unwrap_or_default();
            bytes.copy_from_slice(&of(word).wrapping_add(of(initial)).to_le_bytes());
        }
    }
    blocks
}

#[inline(always)]
fn quarter_round(a: &mut Word, b: &mut Word, c: &mut Word, d: &mut Word) {
    add(a, b);
    xor_and_rotate(d, a, 16);
    add(c, d);
    xor_and_rotate(b, c, 12);
    add(a, b);
    xor_and_rotate(d, a, 8);
    add(c, d);
    xor_and_rotate(b, c, 7);
}

#[inline(always)]
fn add(to: &mut Word, other: &Word) {
    for (to, other) in to.iter_mut().zip(other) {
        *to = to.wrapping_add(*other);
    }
}

#[inline(always)]
fn xor_and_rotate(to: &mut Word, other: &Word, bits: u32) {
    for (to, other) in to.iter_mut().zip(other) {
        *to = (*to ^ other).rotate_left(bits);
    }
}

#[cfg(feature = "std")]
pub use os::OsMaskKeys;

#[cfg(feature = "std")]
mod os {
    use super::{MaskKeys, SeededMaskKeys};

    /// Keys from ChaCha20 (RFC 8439 §2.3) under a seed of its own from the operating system's secure generator.
    ///
    /// ```
    /// use sansocket::{Config, Connection, OsMaskKeys};
    ///
    /// let client = Connection::client(Config::new(), OsMaskKeys::new()?);
    /// # Ok::<(), std::io::Error>(())
    /// ```
    pub struct OsMaskKeys(SeededMaskKeys);

    impl OsMaskKeys {
        /// Draws a seed.
        ///
        /// # Errors
        /// The operating system has no entropy to give.
        pub fn new() -> std::io::Result<Self> {
            let mut seed = [0; 32];
            getrandom::fill(&mut seed)?;
            Ok(Self(SeededMaskKeys::new(seed)))
        }
    }

    impl MaskKeys for OsMaskKeys {
        #[inline]
        fn next_key(&mut self) -> [u8; 4] {
            self.0.next_key()
        }
    }

    impl core::fmt::Debug for OsMaskKeys {
        fn fmt(&self, f: &mut core::fmt::Formatter<'_>) -> core::fmt::Result {
            f.debug_struct("OsMaskKeys").finish_non_exhaustive()
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_block_function_gives_the_rfc_8439_test_vector() {
        let key = core::array::from_fn(|i| u8::try_from(i).unwrap());
        // The counter's word and the nonce's first, then its others: 00:00:00:09:00:00:00:4a:00:00:00:00.
        let counter = 1 | 0x0900_0000 << 32;
        let blocks = chacha20(&key, counter, [0x4a00_0000, 0]);
        let block = &blocks[..BLOCK];
        // §2.3.2
        let expected = "10f1e7e4d13b5915500fdd1fa32071c4c7d1f4c733c068030422aa9ac3d46c4e\
                        d2826446079faa0914c2d705d98b02a2b5129cd1de164eb9cbd083e8a2503c4e";
        let hex: alloc::string::String = block
            .iter()
            .map(|byte| alloc::format!("{byte:02x}"))
            .collect();
        assert_eq!(hex, expected);
        // The others are those of the next counters.
        for lane in 1..LANES {
            let one = chacha20(&key, counter + lane as u64, [0x4a00_0000, 0]);
            assert_eq!(blocks[lane * BLOCK..][..BLOCK], one[..BLOCK]);
        }
    }

    #[test]
    fn seeded_keys_repeat_only_under_the_same_seed() {
        let keys = |seed| {
            let mut source = SeededMaskKeys::new([seed; 32]);
            core::array::from_fn::<_, 40, _>(|_| source.next_key())
        };
        assert_eq!(keys(1), keys(1));
        assert_ne!(keys(1), keys(2));
        assert_ne!(keys(1)[..16], keys(1)[16..32]);
    }

    #[cfg(feature = "std")]
    #[test]
    fn keys_from_the_system_differ_across_draws_and_sources() {
        let mut seen = std::collections::HashSet::new();
        for _ in 0..4 {
            let mut source = OsMaskKeys::new().unwrap();
            seen.extend((0..100).map(|_| source.next_key()));
        }
        // 400 draws of 2^32: a repeat or two is possible, a pattern is not.
        assert!(seen.len() > 390);
    }
}
