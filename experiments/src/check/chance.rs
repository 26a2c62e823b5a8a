//! Rates that vary at random, drawn before the run: every algorithm under test meets the same.

use mptcpsim_core::rng::Stream;
use mptcpsim_core::time::{Span, Time};
use mptcpsim_core::units::Rate;

use super::workloads::normal;
use crate::scenario::Times;

/// Steps that fit into memory beside everything else.
pub(super) const MAX_STEPS: usize = 1_000_000;
/// The time between two values of the rate of a cell (NSDI 2013, section 3.1).
const TICK_MS: u64 = 20;
/// The bits of an opportunity.
const OPPORTUNITY: f64 = 12_000.0;

/// A walk between neighbours in a list of rates, from its middle, until `end`.
pub(super) fn walk(
    among: &[Rate],
    holding: &Times,
    end: Span,
    dice: &mut Stream,
) -> Vec<(Time, Rate)> {
    let (mut at, mut index) = (Time::ZERO, among.len() / 2);
    let mut steps = Vec::new();
    while at <= Time::ZERO + end && steps.len() < MAX_STEPS {
        steps.push((at, among.get(index).copied().unwrap_or_default()));
        at += holding.draw(dice).max(Span::from_ps(1));
        let up = dice.below(2) == 1;
        index = match (up, index) {
            (true, index) if index + 1 < among.len() => index + 1,
            (true, index) | (false, index) => index.saturating_sub(1),
        };
    }
    steps
}

/// What the rate of a cell is drawn from, in bits per second and seconds.
pub(super) struct Cell {
    pub(super) mean: f64,
    /// Standard deviation after a second.
    pub(super) volatility: f64,
    /// Mean length of an outage.
    pub(super) outage: f64,
    pub(super) period_ms: u64,
}

impl Cell {
    /// The milliseconds of opportunities to send a packet.
    pub(super) fn opportunities(&self, dice: &mut Stream) -> Vec<u64> {
        let tick = TICK_MS as f64 / 1e3;
        let (mut rate, mut out_until_ms) = (self.mean, 0);
        // Opportunities come where the integral of the rate passes sums of exponential numbers.
        let (mut sent, mut next) = (0.0, dice.exponential(1.0));
        let mut times = Vec::new();
        for ms in 1..=self.period_ms {
            if ms % TICK_MS == 0 && ms >= out_until_ms {
                rate = self.reflected(rate + self.volatility * libm::sqrt(tick) * normal(dice));
                if rate <= 0.0 {
                    rate = 0.0;
                    out_until_ms = ms + (1e3 * dice.exponential(self.outage)) as u64;
                }
            }
            sent += rate / OPPORTUNITY / 1e3;
            while next <= sent {
                times.push(ms);
                next += dice.exponential(1.0);
            }
        }
        // The last entry is the length of the trace, so there is always one.
        if times.last() != Some(&self.period_ms) {
            times.push(self.period_ms);
        }
        times
    }

    /// Nothing is above twice the mean: what would be comes back as far below.
    fn reflected(&self, rate: f64) -> f64 {
        let most = 2.0 * self.mean;
        if rate > most { (2.0 * most - rate).max(0.0) } else { rate }
    }
}

#[cfg(test)]
mod tests {
    use mptcpsim_core::rng::Seed;

    use super::*;

    #[test]
    fn a_walk_takes_single_steps_and_meets_all_rates() {
        let rates = [1, 2, 4, 8].map(|mbps| Rate::from_bps(mbps * 1_000_000));
        let holding = Times::Exponential { exponential: Span::from_ms(100) };
        let steps = walk(&rates, &holding, Span::from_secs(60), &mut Stream::new(Seed(1), "test"));
        let index = |rate: &Rate| rates.iter().position(|known| known == rate).unwrap();
        assert!(steps.windows(2).all(|pair| pair[0].0 < pair[1].0));
        assert!(steps.windows(2).all(|pair| index(&pair[0].1).abs_diff(index(&pair[1].1)) <= 1));
        assert!(rates.iter().all(|rate| steps.iter().any(|step| step.1 == *rate)));
    }

    #[test]
    fn a_cell_grants_about_its_mean_rate_and_has_outages() {
        let cell = Cell { mean: 12e6, volatility: 4.8e6, outage: 0.1, period_ms: 600_000 };
        let times = cell.opportunities(&mut Stream::new(Seed(1), "test"));
        let mean = times.len() as f64 * OPPORTUNITY / 600.0;
        assert!((0.6..1.2).contains(&(mean / 12e6)), "{mean}");
        let longest = times.windows(2).map(|pair| pair[1] - pair[0]).max().unwrap();
        assert!((200..20_000).contains(&longest), "{longest} ms");
        assert!(times.is_sorted() && times.last() == Some(&600_000));
    }
}
