//! BALIA, the balanced linked adaptation algorithm: between LIA's friendliness and OLIA's optimum.
//!
//! With rates `x_i = w_i / r_i` and `a_i = max x_j / x_i`, each acknowledged packet
//! on subflow `i` adds
//!
//! ```text
//! (x_i / r_i) / (sum of x_j)^2 * (1 + a_i)/2 * (4 + a_i)/5
//! ```
//!
//! and a loss takes `w_i/2 * min(a_i, 1.5)`.
//!
//! Source: Q. Peng, A. Walid, J. Hwang and S. H. Low, "Multipath TCP: analysis,
//! design, and implementation", IEEE/ACM ToN 2016; draft-walid-mptcp-congestion-
//! control. `balia` is the integer form of the out-of-tree Linux kernel
//! (`net/mptcp/mptcp_balia.c`), `balia-draft` the published one. No parameters.
//!
//! The kernel's form differs from the draft in what integers do:
//! - `a_i` is a whole number, so the decrease is `w/2` below 2 and `3w/4` from
//!   there on, a step. It keeps the split of two equal paths stable, which the
//!   published rule does not.
//! - Increase (acknowledgements for a packet) and decrease are kept for each
//!   subflow and computed anew only in slow start, when the window grows, after a
//!   recovery, and after a timeout has used the old decrease. A decrease that has
//!   outlived a larger window wraps around and leaves a window of 2^32; one never
//!   computed is 0.
//! - It counts acknowledgements, not packets: one increase takes one more than
//!   computed.
//! - The change-of-state flag is written to the subflow and read from the
//!   connection, so it never acts.

use super::real::{Fractions, left_for_avoidance, rate, total_rate};
use super::{CaEvent, CaState, CongestionControl, Flow, Internals, Number, PerSubflow, Window};

/// Rates above 2^25 B/s are shifted right by five until they are not.
const RATE_LIMIT: u64 = 1 << 25;
const RATE_SHIFT: u32 = 5;
/// Binary digits behind the point of `a`.
const ALPHA_SHIFT: u32 = 10;
/// Microseconds per second times the 8 of srtt.
const SRTT_PER_SECOND: u64 = 8_000_000;

/// BALIA with the kernel's arithmetic.
#[derive(Clone, Debug, Default)]
pub struct Balia {
    subflows: PerSubflow<State>,
}

#[derive(Clone, Copy, Debug, Default)]
struct State {
    /// Acknowledgements for one packet, less one.
    ai: u64,
    /// Packets to take at a loss.
    md: u64,
}

impl Balia {
    fn update(&mut self, flow: &Flow<'_>) {
        *self.subflows.of(flow.me()) = State::of(flow);
    }
}

/// Rate in bytes per second; every subflow counts with the segment size of the one concerned.
fn byte_rate(mss: u32, window: &Window) -> u64 {
    let bytes = u64::from(mss).wrapping_mul(u64::from(window.cwnd));
    bytes.wrapping_mul(SRTT_PER_SECOND) / u64::from(window.srtt_us)
}

impl State {
    /// Increase and decrease from the windows as they are (`mptcp_balia_recalc_ai`).
    fn of(flow: &Flow<'_>) -> Self {
        let own = flow.view();
        let rates = || flow.coupled().map(|(i, window)| (i, byte_rate(own.mss, window)));
        let max = rates().map(|(_, rate)| rate).max().unwrap_or(0);
        let rate = rates().find(|&(i, _)| i == flow.me()).map_or(0, |(_, rate)| rate);
        if rate == 0 {
            return Self { ai: own.cwnd.into(), md: (own.cwnd >> 1).into() };
        }
        let alpha = max / rate;
        let mut shift = 0;
        while max >> shift > RATE_LIMIT {
            shift += RATE_SHIFT;
        }
        let sum = rates().fold(0u64, |sum, (_, rate)| sum.wrapping_add(rate >> shift));
        let (rate, max) = (rate >> shift, max >> shift);
        let squared = sum.wrapping_mul(sum);
        let ai = squared.wrapping_mul(10) / (rate + max);
        let ai = ai.wrapping_mul(own.cwnd.into()) / ((rate << 2) + max);
        let ai = if ai == 0 { own.cwnd.into() } else { ai };
        let factor = (alpha << ALPHA_SHIFT).min((3 << ALPHA_SHIFT) >> 1);
        Self { ai, md: (u64::from(own.cwnd >> 1) * factor) >> ALPHA_SHIFT }
    }
}

impl CongestionControl for Balia {
    fn init(&mut self, flow: &mut Flow<'_>) {
        *self.subflows.of(flow.me()) = State::default();
    }

    fn ssthresh(&mut self, flow: &mut Flow<'_>) -> u32 {
        let me = flow.me();
        let window = flow.window();
        if !window.multipath {
            return window.reno_ssthresh();
        }
        let md = self.subflows.of(me).md;
        (u64::from(window.cwnd).wrapping_sub(md) as u32).max(1)
    }

    #[inline(never)]
    fn cong_avoid(&mut self, flow: &mut Flow<'_>, acked: u32) {
        let me = flow.me();
        let window = flow.window();
        if !window.multipath {
            window.reno_cong_avoid(acked);
            return;
        }
        if !window.cwnd_limited() {
            return;
        }
        if window.in_slow_start() {
            window.slow_start(acked);
            self.update(flow);
            return;
        }
        if window.cwnd_cnt < self.subflows.of(me).ai as u32 {
            window.cwnd_cnt += 1;
            return;
        }
        window.cwnd_cnt = 0;
        if window.cwnd < u32::MAX {
            window.grow();
            self.update(flow);
        }
    }

    fn cwnd_event(&mut self, flow: &mut Flow<'_>, event: CaEvent) {
        if matches!(event, CaEvent::CompleteCwr | CaEvent::Loss) && flow.view().multipath {
            self.update(flow);
        }
    }

    fn internals(&self, me: usize, _window: &Window) -> Internals {
        let state = self.subflows.get(me).copied().unwrap_or_default();
        Internals::of([("ai", Number::from(state.ai)), ("md", Number::from(state.md))])
    }
}

/// BALIA as published, in real numbers.
#[derive(Clone, Debug, Default)]
pub struct BaliaDraft {
    fractions: Fractions,
}

impl BaliaDraft {
    fn own_rate(&self, flow: &Flow<'_>) -> f64 {
        rate(self.fractions.own(flow), flow.view())
    }

    /// `a`: how much faster the fastest subflow is.
    fn alpha(&self, flow: &Flow<'_>) -> f64 {
        let fastest = flow
            .coupled()
            .map(|(i, window)| rate(self.fractions.window(i, window), window))
            .fold(0.0, f64::max);
        fastest / self.own_rate(flow)
    }
}

impl CongestionControl for BaliaDraft {
    fn init(&mut self, flow: &mut Flow<'_>) {
        self.fractions.forget(flow.me());
    }

    fn ssthresh(&mut self, flow: &mut Flow<'_>) -> u32 {
        let own = self.fractions.own(flow);
        let alone = !flow.view().multipath || !flow.view().couples();
        let factor = if alone { 1.0 } else { self.alpha(flow).min(1.5) };
        self.fractions.ssthresh(flow, own / 2.0 * factor)
    }

    #[inline(never)]
    fn cong_avoid(&mut self, flow: &mut Flow<'_>, acked: u32) {
        let left = left_for_avoidance(flow, acked);
        if left == 0 {
            return;
        }
        let alpha = self.alpha(flow);
        let rates = total_rate(&self.fractions, flow);
        let shift = rate(self.own_rate(flow), flow.view()) / (rates * rates);
        let growth = shift * (1.0 + alpha) / 2.0 * (4.0 + alpha) / 5.0;
        self.fractions.add(flow, growth * f64::from(left));
    }

    fn set_state(&mut self, flow: &mut Flow<'_>, new: CaState) {
        self.fractions.set_state(flow.me(), new);
    }

    fn internals(&self, me: usize, window: &Window) -> Internals {
        Internals::of([("window", Number::Real(self.fractions.window(me, window)))])
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::congestion::testing::{at, coupled};

    #[test]
    fn one_subflow_is_reno() {
        let mut windows = coupled(&[(100, 100_000)]);
        let state = State::of(&at(&mut windows, 0));
        assert_eq!((state.ai, state.md), (100, 50));
    }

    #[test]
    fn the_kernels_decrease_is_a_step() {
        for (fast, md) in [(100, 50), (199, 50), (200, 75), (900, 75)] {
            let mut windows = coupled(&[(100, 100_000), (fast, 100_000)]);
            assert_eq!(State::of(&at(&mut windows, 0)).md, md);
        }
    }

    #[test]
    fn the_published_decrease_is_continuous() {
        let mut windows = coupled(&[(100, 100_000), (120, 100_000)]);
        let mut draft = BaliaDraft::default();
        assert_eq!(draft.ssthresh(&mut at(&mut windows, 0)), 40);
    }

    #[test]
    fn a_stale_decrease_wraps_around() {
        let mut windows = coupled(&[(1, 100_000)]);
        let mut balia = Balia::default();
        balia.subflows.of(0).md = 3;
        assert_eq!(balia.ssthresh(&mut at(&mut windows, 0)), u32::MAX - 1);
    }

    #[test]
    fn fast_paths_scale_down_and_keep_their_proportions() {
        let mut slow = coupled(&[(100, 100_000), (100, 100_000)]);
        let mut fast = coupled(&[(100, 800), (100, 800)]);
        let slow = State::of(&at(&mut slow, 0));
        let fast = State::of(&at(&mut fast, 0));
        assert_eq!(slow.md, fast.md);
        assert!(slow.ai.abs_diff(fast.ai) <= 1, "{} {}", slow.ai, fast.ai);
    }
}
