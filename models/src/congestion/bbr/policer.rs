//! Recognising a policer: losses in two intervals at the same rate (`bbr_lt_bw_sampling`).
//!
//! A token bucket lets bursts pass and then drops what exceeds its rate. The
//! largest delivery rate is then the burst's, and probing for more only loses
//! packets. If two stretches of 4 to 16 rounds each lose a fifth of their packets and deliver
//! at the same rate, that rate is used for the next 48 rounds.

use super::super::{Delivery, RateSample};
use super::{BW_UNIT, GAIN_UNIT, bytes_per_second};

const MIN_ROUNDS: u32 = 4;
/// Lost packets per delivered packet, times 2^8.
const LOSS_THRESHOLD: u64 = 50;
/// Rates are the same if they differ by an eighth, or by 4 kbit/s.
const RATIO: u64 = (GAIN_UNIT / 8) as u64;
const DIFFERENCE: u64 = 4_000 / 8;
const MAX_ROUNDS: u32 = 48;

/// The state of the search, in packets, milliseconds and rates of [`super`].
#[derive(Clone, Copy, Debug, Default)]
pub(super) struct Policer {
    sampling: bool,
    rounds: u32,
    in_use: bool,
    bw: u32,
    delivered: u32,
    lost: u32,
    at_ms: u64,
}

impl Policer {
    /// The policer's rate, if there is one.
    pub(super) const fn rate(&self) -> Option<u32> {
        if self.in_use { Some(self.bw) } else { None }
    }

    /// Counts the rounds in which the rate is used; true if they are over.
    pub(super) fn expired(&mut self, probing: bool, round_start: bool) -> bool {
        if !self.in_use || !probing || !round_start {
            return false;
        }
        self.rounds += 1;
        let over = self.rounds >= MAX_ROUNDS;
        if over {
            *self = Self::default();
        }
        over
    }

    /// Takes a sample; true if it has just recognised a policer.
    pub(super) fn sample(
        &mut self,
        delivery: &Delivery,
        sample: &RateSample,
        round_start: bool,
        mss: u32,
    ) -> bool {
        if self.in_use {
            return false;
        }
        if !self.sampling {
            if sample.losses == 0 {
                return false;
            }
            self.begin_interval(delivery);
            self.sampling = true;
        }
        if sample.app_limited {
            *self = Self::default();
            return false;
        }
        self.rounds += u32::from(round_start);
        if self.rounds > 4 * MIN_ROUNDS {
            *self = Self::default();
            return false;
        }
        if self.rounds < MIN_ROUNDS || sample.losses == 0 {
            return false;
        }
        let lost = u64::from(delivery.lost.wrapping_sub(self.lost));
        let delivered = u64::from(delivery.delivered.wrapping_sub(self.delivered));
        let elapsed_ms = (delivery.at_us / 1_000).saturating_sub(self.at_ms);
        if delivered == 0 || lost << 8 < LOSS_THRESHOLD * delivered || elapsed_ms == 0 {
            return false;
        }
        let bw = (delivered * BW_UNIT / (elapsed_ms * 1_000)) as u32;
        self.interval_done(delivery, bw, mss)
    }

    fn begin_interval(&mut self, delivery: &Delivery) {
        self.at_ms = delivery.at_us / 1_000;
        self.delivered = delivery.delivered;
        self.lost = delivery.lost;
        self.rounds = 0;
    }

    fn interval_done(&mut self, delivery: &Delivery, bw: u32, mss: u32) -> bool {
        let difference = u64::from(bw.abs_diff(self.bw));
        let same = difference * u64::from(GAIN_UNIT) <= RATIO * u64::from(self.bw)
            || bytes_per_second(difference, GAIN_UNIT, mss) <= DIFFERENCE;
        if self.bw > 0 && same {
            self.bw = ((u64::from(bw) + u64::from(self.bw)) / 2) as u32;
            self.in_use = true;
            self.rounds = 0;
            return true;
        }
        self.bw = bw;
        self.begin_interval(delivery);
        false
    }
}
