//! Round-trip time and retransmission timeout (RFC 6298; Linux `tcp_rtt_estimator`, `tcp_set_rto`).
//!
//! Linux' variance differs from the RFC's: it follows the largest deviation of
//! the last round trip, decays once per round trip, and never falls below the
//! minimum timeout, so that RTO is at least srtt + 200 ms.

use mptcpsim_core::time::{Span, Time};

use super::{Cx, Subflow};
use crate::seq::Seq;

/// Initial timeout (RFC 6298).
pub(super) const INITIAL_RTO: Span = Span::from_secs(1);
/// How long a minimum round-trip time is remembered (`tcp_min_rtt_wlen`).
const MIN_RTT_WINDOW: Span = Span::from_secs(300);

/// The estimator's state beside `srtt_us`, which lies in the congestion window.
#[derive(Clone, Debug)]
pub(super) struct Rtt {
    pub(super) mdev_us: u32,
    mdev_max_us: u32,
    pub(super) rttvar_us: u32,
    rtt_seq: Seq,
    pub(super) rto: Span,
    min_rtt: MinFilter,
}

impl Default for Rtt {
    fn default() -> Self {
        Self {
            mdev_us: 1_000_000,
            mdev_max_us: 0,
            rttvar_us: 0,
            rtt_seq: Seq(0),
            rto: INITIAL_RTO,
            min_rtt: MinFilter::default(),
        }
    }
}

/// The minimum of a sliding window of time, by three best samples (Linux `lib/win_minmax.c`).
#[derive(Clone, Copy, Debug, Default)]
struct MinFilter {
    samples: [(Time, u32); 3],
    filled: bool,
}

impl MinFilter {
    /// Adds a sample and returns the minimum over the window.
    fn update(&mut self, now: Time, value: u32) -> u32 {
        let sample = (now, value);
        let s = &mut self.samples;
        if !self.filled || value <= s[0].1 || now - s[2].0 > MIN_RTT_WINDOW {
            *s = [sample; 3];
            self.filled = true;
            return value;
        }
        if value <= s[1].1 {
            s[1] = sample;
            s[2] = sample;
        } else if value <= s[2].1 {
            s[2] = sample;
        }
        self.age(now, sample);
        self.samples[0].1
    }

    /// Lets the second and third best take over as the best grows old.
    fn age(&mut self, now: Time, sample: (Time, u32)) {
        let s = &mut self.samples;
        let age = now - s[0].0;
        if age > MIN_RTT_WINDOW {
            *s = [s[1], s[2], sample];
            if now - s[0].0 > MIN_RTT_WINDOW {
                *s = [s[1], s[2], sample];
            }
        } else if s[1].0 == s[0].0 && age > MIN_RTT_WINDOW / 4 {
            s[1] = sample;
            s[2] = sample;
        } else if s[2].0 == s[1].0 && age > MIN_RTT_WINDOW / 2 {
            s[2] = sample;
        }
    }
}

impl Subflow {
    /// Takes a round-trip sample in microseconds.
    pub(super) fn rtt_sample(&mut self, cx: &mut Cx<'_>, seq_rtt_us: u32, ca_rtt_us: u32) {
        let rto_min_us = cx.sysctl().tcp_rto_min_us;
        let now = cx.now;
        let w = cx.w();
        w.min_rtt_us = self.rtt.min_rtt.update(now, ca_rtt_us.max(1));
        w.srtt_us = self.rtt.estimate(w.srtt_us, seq_rtt_us, rto_min_us, w.snd_una, w.snd_nxt);
        let rto_us = (w.srtt_us >> 3) + self.rtt.rttvar_us;
        let rto_max = Span::from_ms(u64::from(cx.sysctl().tcp_rto_max_ms));
        self.rtt.rto = Span::from_us(u64::from(rto_us)).min(rto_max);
        self.timers.backoff = 0;
    }
}

impl Rtt {
    /// Returns the new srtt (times 8).
    fn estimate(&mut self, srtt: u32, rtt_us: u32, floor: u32, una: Seq, nxt: Seq) -> u32 {
        if srtt == 0 {
            self.mdev_us = rtt_us << 1;
            self.rttvar_us = self.mdev_us.max(floor);
            self.mdev_max_us = self.rttvar_us;
            self.rtt_seq = nxt;
            return (rtt_us << 3).max(1);
        }
        let error = i64::from(rtt_us) - i64::from(srtt >> 3);
        let srtt = (i64::from(srtt) + error).max(1) as u32;
        let mut deviation = error.abs() - i64::from(self.mdev_us >> 2);
        if error < 0 && deviation > 0 {
            // A falling round-trip time is no reason for a larger timeout.
            deviation >>= 3;
        }
        self.mdev_us = (i64::from(self.mdev_us) + deviation).max(0) as u32;
        if self.mdev_us > self.mdev_max_us {
            self.mdev_max_us = self.mdev_us;
            self.rttvar_us = self.rttvar_us.max(self.mdev_max_us);
        }
        if una.after(self.rtt_seq) {
            if self.mdev_max_us < self.rttvar_us {
                self.rttvar_us -= (self.rttvar_us - self.mdev_max_us) >> 2;
            }
            self.rtt_seq = nxt;
            self.mdev_max_us = floor;
        }
        srtt
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_constant_round_trip_gives_srtt_plus_the_floor() {
        let mut rtt = Rtt::default();
        let mut srtt = 0;
        for round in 0..50 {
            srtt = rtt.estimate(srtt, 40_000, 200_000, Seq(round), Seq(round));
        }
        assert_eq!((srtt >> 3, rtt.rttvar_us), (40_000, 200_000));
    }

    #[test]
    fn the_minimum_is_forgotten_after_its_window() {
        let mut filter = MinFilter::default();
        let at = |secs| Time::ZERO + Span::from_secs(secs);
        assert_eq!(filter.update(at(0), 10), 10);
        assert_eq!(filter.update(at(100), 20), 10);
        assert_eq!(filter.update(at(299), 30), 10);
        assert!(filter.update(at(301), 30) >= 20);
        assert_eq!(filter.update(at(302), 5), 5);
    }
}
