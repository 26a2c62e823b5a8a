//! Named random streams that are the same on every machine.
//!
//! Each consumer of randomness has a stream of its own, seeded by the seed of
//! the run and the consumer's name (`link.wifi.loss`). So adding an element
//! never moves another's dice, and two runs that differ in one policy see the
//! same losses as far as they send the same packets.
//!
//! The generator is xoshiro256++ (Blackman and Vigna, "Scrambled linear
//! pseudorandom number generators", ACM TOMS 2021), which is specified to the
//! bit; logarithms come from `libm`, whose results do not depend on the
//! platform.

use std::convert::Infallible;

use rand::{Rng, SeedableRng, TryRng};
use rand_xoshiro::Xoshiro256PlusPlus;
use sha2::{Digest, Sha256};

use crate::units::Probability;

/// The seed of a run, from which all its streams come.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Seed(pub u64);

/// A stream of random numbers. Works as a generator of the `rand` family too.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Stream {
    generator: Xoshiro256PlusPlus,
}

impl Stream {
    /// The stream called `name`: seeded by SHA-256 over the seed (8 bytes, little endian) and the name.
    pub fn new(seed: Seed, name: &str) -> Self {
        let digest = Sha256::new().chain_update(seed.0.to_le_bytes()).chain_update(name).finalize();
        Self { generator: Xoshiro256PlusPlus::from_seed(digest.into()) }
    }

    /// 64 random bits.
    pub fn next_u64(&mut self) -> u64 {
        self.generator.next_u64()
    }

    /// True with the given probability; draws one number even if the answer is certain.
    pub fn chance(&mut self, probability: Probability) -> bool {
        self.uniform() < probability.get()
    }

    /// A number in [0, 1), a multiple of 2^-53.
    pub fn uniform(&mut self) -> f64 {
        (self.next_u64() >> 11) as f64 / (1u64 << 53) as f64
    }

    /// A number below `bound`, each with the same probability; 0 if `bound` is 0.
    ///
    /// D. Lemire, "Fast random integer generation in an interval", ACM TOMACS 2019.
    pub fn below(&mut self, bound: u64) -> u64 {
        if bound == 0 {
            return 0;
        }
        let rejected = bound.wrapping_neg() % bound;
        loop {
            let product = u128::from(self.next_u64()) * u128::from(bound);
            if product as u64 >= rejected {
                return (product >> 64) as u64;
            }
        }
    }

    /// An exponentially distributed number, by inversion.
    pub fn exponential(&mut self, mean: f64) -> f64 {
        -mean * libm::log(1.0 - self.uniform())
    }
}

impl TryRng for Stream {
    type Error = Infallible;

    fn try_next_u32(&mut self) -> Result<u32, Infallible> {
        self.generator.try_next_u32()
    }

    fn try_next_u64(&mut self) -> Result<u64, Infallible> {
        self.generator.try_next_u64()
    }

    fn try_fill_bytes(&mut self, bytes: &mut [u8]) -> Result<(), Infallible> {
        self.generator.try_fill_bytes(bytes)
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    /// These numbers must never change: results of old runs hang on them.
    #[test]
    fn streams_are_pinned() {
        let draw = |seed, name| Stream::new(Seed(seed), name).next_u64();
        assert_eq!(draw(1, "link.wifi.loss"), 0x0d88_a83c_14f4_ae6f);
        assert_ne!(draw(1, "link.wifi.loss"), draw(2, "link.wifi.loss"));
        assert_ne!(draw(1, "link.wifi.loss"), draw(1, "link.lte.loss"));
    }

    #[test]
    fn means_are_right() {
        let mut stream = Stream::new(Seed(7), "test");
        let mean = |mut draw: Box<dyn FnMut(&mut Stream) -> f64>, stream: &mut Stream| {
            (0..100_000).map(|_| draw(stream)).sum::<f64>() / 100_000.0
        };
        assert!((mean(Box::new(|s| s.uniform()), &mut stream) - 0.5).abs() < 0.005);
        assert!((mean(Box::new(|s| s.exponential(3.0)), &mut stream) - 3.0).abs() < 0.05);
        assert!((mean(Box::new(|s| s.below(11) as f64), &mut stream) - 5.0).abs() < 0.05);
        let third = Probability::new(0.3).unwrap_or_default();
        let share = mean(Box::new(move |s| f64::from(u8::from(s.chance(third)))), &mut stream);
        assert!((share - 0.3).abs() < 0.005);
    }

    proptest! {
        #[test]
        fn draws_stay_in_range(seed: u64, bound: u64) {
            let mut stream = Stream::new(Seed(seed), "test");
            prop_assert!(bound == 0 || stream.below(bound) < bound);
            prop_assert!((0.0..1.0).contains(&stream.uniform()));
            prop_assert!(stream.exponential(1.0) >= 0.0);
            prop_assert!(!stream.chance(Probability::ZERO));
            prop_assert!(stream.chance(Probability::ONE));
        }
    }
}
