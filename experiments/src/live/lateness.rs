//! How late packets come, compared with the links of the scenario.

use mptcpsim_core::time::Span;

/// The most that the median may be, for a run to be valid.
const MEDIAN: Span = Span::from_us(100);
/// The most that the 99th percentile may be.
const P99: Span = Span::from_ms(1);

/// How much later than due packets were handed to real kernels.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Lateness {
    /// The median.
    pub median: Span,
    /// The 99th percentile.
    pub p99: Span,
    /// The largest.
    pub max: Span,
    /// How many packets there were.
    pub packets: usize,
}

impl Lateness {
    /// Sums up the lateness of packets in nanoseconds.
    pub(super) fn of(mut nanoseconds: Vec<u32>) -> Self {
        nanoseconds.sort_unstable();
        let packets = nanoseconds.len();
        let at = |percent: usize| {
            let rank = (packets * percent).div_ceil(100).max(1);
            let value = nanoseconds.get(rank - 1).copied().unwrap_or_default();
            Span::from_ns(u64::from(value))
        };
        Self { median: at(50), p99: at(99), max: at(100), packets }
    }

    /// True if the links were as the scenario has them: 0.1 ms at the median and 1 ms at the 99th
    /// percentile.
    pub fn is_valid(&self) -> bool {
        self.median <= MEDIAN && self.p99 <= P99
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn percentiles_are_values_that_were_measured() {
        let lateness = Lateness::of((1..=200).map(|n| n * 1_000).rev().collect());
        assert_eq!(lateness.median, Span::from_us(100));
        assert_eq!(lateness.p99, Span::from_us(198));
        assert_eq!((lateness.max, lateness.packets), (Span::from_us(200), 200));
        assert!(lateness.is_valid());
        assert!(!Lateness::of(vec![100_001; 3]).is_valid());
        assert!(Lateness::of(Vec::new()).is_valid());
    }
}
