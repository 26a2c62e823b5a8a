//! How long data waited for data before it: what reordering costs the application.

use hdrhistogram::Histogram;
use mptcpsim_core::time::Span;

/// Waiting times are told apart to one percent.
const DIGITS: u8 = 2;

/// The waiting times of all pieces of data that a connection has received.
#[derive(Clone, Debug, Default)]
pub(super) struct Waits {
    /// Pieces that did not wait.
    at_once: u64,
    /// The others, in microseconds. Most connections have none.
    late: Option<Box<Histogram<u32>>>,
}

impl Waits {
    /// A piece is in order after waiting for `wait`.
    #[inline]
    pub(super) fn note(&mut self, wait: Span) {
        if wait.is_zero() {
            self.at_once += 1;
        } else {
            self.note_late(wait);
        }
    }

    #[cold]
    fn note_late(&mut self, wait: Span) {
        if self.late.is_none() {
            // The number of digits is a constant that a histogram can have.
            self.late = Histogram::new(DIGITS).ok().map(Box::new);
        }
        if let Some(late) = &mut self.late {
            // It grows as needed: every number of microseconds fits.
            let recorded = late.record(wait.as_us().max(1));
            debug_assert!(recorded.is_ok(), "{recorded:?}");
        }
    }

    /// The shortest time that `percent` of all pieces did not wait longer than.
    pub(super) fn percentile(&self, percent: u64) -> Option<Span> {
        let late = self.late.as_ref().map_or(0, |late| late.len());
        let total = self.at_once + late;
        let rank = (total * percent).div_ceil(100);
        match (&self.late, rank.checked_sub(self.at_once)) {
            _ if total == 0 => None,
            (Some(histogram), Some(rank)) if rank > 0 => {
                let quantile = rank as f64 / late as f64;
                Some(Span::from_us(histogram.value_at_quantile(quantile)))
            }
            _ => Some(Span::ZERO),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn percentiles_count_what_did_not_wait() {
        let mut waits = Waits::default();
        assert_eq!(waits.percentile(99), None);
        for _ in 0..90 {
            waits.note(Span::ZERO);
        }
        for ms in 1..=10 {
            waits.note(Span::from_ms(ms));
        }
        assert_eq!(waits.percentile(90), Some(Span::ZERO));
        let near = |percent, ms: f64| {
            let wait = 1e3 * waits.percentile(percent).unwrap().as_secs_f64();
            assert!((wait / ms - 1.0).abs() < 0.02, "{percent} %: {wait} ms");
        };
        near(91, 1.0);
        near(99, 9.0);
        near(100, 10.0);
    }
}
