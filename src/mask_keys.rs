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

const BLOCK: usize = 64;

/// Keys from ChaCha20 (RFC 8439 §2.3) under a seed of your own, for targets without an operating
/// system.
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
    counter: u64,
    block: [u8; BLOCK],
    used: usize,
}

impl SeededMaskKeys {
    /// The keys that follow from this seed.
    pub const fn new(seed: [u8; 32]) -> Self {
        Self {
            seed,
            counter: 0,
            block: [0; BLOCK],
            used: BLOCK,
        }
    }
}

impl core::fmt::Debug for SeededMaskKeys {
    // The seed and the keys to come stay secret.
    fn fmt(&self, f: &mut core::fmt::Formatter<'_>) -> core::fmt::Result {
        f.debug_struct("SeededMaskKeys").finish_non_exhaustive()
    }
}

impl MaskKeys for SeededMaskKeys {
    fn next_key(&mut self) -> [u8; 4] {
        loop {
            if let Some(key) = self.block.get(self.used..).and_then(<[u8]>::first_chunk) {
                self.used = self.used.saturating_add(4);
                return *key;
            }
            let [a, b, c, d, e, f, g, h] = self.counter.to_le_bytes();
            let position = [a, b, c, d, e, f, g, h, 0, 0, 0, 0, 0, 0, 0, 0];
            self.block = chacha20(&self.seed, &position);
            self.counter = self.counter.wrapping_add(1);
            self.used = 0;
        }
    }
}

/// The ChaCha20 block function (RFC 8439 §2.3); `position` is the block counter and the nonce.
fn chacha20(key: &[u8; 32], position: &[u8; 16]) -> [u8; BLOCK] {
    let word = |bytes: &[u8], at: usize| {
        let word = bytes
            .get(at.saturating_mul(4)..)
            .and_then(<[u8]>::first_chunk);
        u32::from_le_bytes(*word.unwrap_or(&[0; 4]))
    };
    let initial: [u32; 16] = core::array::from_fn(|i| match i {
        0..4 => word(b"expand 32-byte k", i),
        4..12 => word(key, i.saturating_sub(4)),
        _ => word(position, i.saturating_sub(12)),
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
    let mut block = [0; BLOCK];
    for ((bytes, word), initial) in block.chunks_exact_mut(4).zip(state).zip(initial) {
        bytes.copy_from_slice(&word.wrapping_add(initial).to_le_bytes());
    }
    block
}

fn quarter_round(a: &mut u32, b: &mut u32, c: &mut u32, d: &mut u32) {
    *a = a.wrapping_add(*b);
    *d = (*d ^ *a).rotate_left(16);
    *c = c.wrapping_add(*d);
    *b = (*b ^ *c).rotate_left(12);
    *a = a.wrapping_add(*b);
    *d = (*d ^ *a).rotate_left(8);
    *c = c.wrapping_add(*d);
    *b = (*b ^ *c).rotate_left(7);
}

#[cfg(feature = "std")]
pub use os::OsMaskKeys;

#[cfg(feature = "std")]
mod os {
    use alloc::boxed::Box;

    use super::{MaskKeys, SeededMaskKeys};

    /// How much is drawn at once: keys, then a seed.
    const DRAW: usize = 256;
    const SEED: usize = 32;

    /// Keys from the operating system's secure generator, drawn 56 at a time (256 bytes of heap).
    ///
    /// ```
    /// use sansocket::{Config, Connection, OsMaskKeys};
    ///
    /// let client = Connection::client(Config::new(), OsMaskKeys::new()?);
    /// # Ok::<(), std::io::Error>(())
    /// ```
    pub struct OsMaskKeys {
        drawn: Box<[u8; DRAW]>,
        used: usize,
        /// Takes over if the system, having worked before, ever refuses.
        reserve: Option<Box<SeededMaskKeys>>,
    }

    impl OsMaskKeys {
        /// Draws the first block.
        ///
        /// # Errors
        /// The operating system has no entropy to give.
        pub fn new() -> std::io::Result<Self> {
            let mut drawn = Box::new([0; DRAW]);
            getrandom::fill(drawn.as_mut_slice())?;
            Ok(Self {
                drawn,
                used: 0,
                reserve: None,
            })
        }

        #[cold]
        fn draw(&mut self) {
            let (_, seed) = self
                .drawn
                .split_last_chunk::<SEED>()
                .unwrap_or((&[], &[0; SEED]));
            let seed = *seed;
            match getrandom::fill(self.drawn.as_mut_slice()) {
                Ok(()) => self.used = 0,
                Err(_) => self.reserve = Some(Box::new(SeededMaskKeys::new(seed))),
            }
        }
    }

    impl MaskKeys for OsMaskKeys {
        #[inline]
        fn next_key(&mut self) -> [u8; 4] {
            loop {
                if let Some(reserve) = &mut self.reserve {
                    return reserve.next_key();
                }
                let keys = self
                    .drawn
                    .get(..DRAW.saturating_sub(SEED))
                    .unwrap_or_default();
                if let Some(key) = keys.get(self.used..).and_then(<[u8]>::first_chunk) {
                    self.used = self.used.saturating_add(4);
                    return *key;
                }
                self.draw();
            }
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
        let position = [1, 0, 0, 0, 0, 0, 0, 9, 0, 0, 0, 0x4a, 0, 0, 0, 0];
        let block = chacha20(&key, &position);
        // §2.3.2
        let expected = "10f1e7e4d13b5915500fdd1fa32071c4c7d1f4c733c068030422aa9ac3d46c4e\
                        d2826446079faa0914c2d705d98b02a2b5129cd1de164eb9cbd083e8a2503c4e";
        let hex = block.map(|byte| alloc::format!("{byte:02x}")).concat();
        assert_eq!(hex, expected);
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
