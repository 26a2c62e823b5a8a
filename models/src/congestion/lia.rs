//! LIA, the linked increases algorithm: subflows share one Reno's aggressiveness.
//!
//! With windows `w_i` and round-trip times `r_i` of the subflows and `W` the sum
//! of the windows, each acknowledged packet on subflow `i` adds
//!
//! ```text
//! min(a / W, 1 / w_i)      with   a = W * max(w_j / r_j^2) / (sum of w_j / r_j)^2
//! ```
//!
//! so that a connection gets as much as one TCP would get on the best of its
//! paths, and no subflow more than a TCP on its path. A loss halves the window
//! of its subflow.
//!
//! Source: RFC 6356; D. Wischik, C. Raiciu, A. Greenhalgh and M. Handley,
//! "Design, implementation and evaluation of congestion control for multipath
//! TCP", NSDI 2011. `lia` is the integer form of the out-of-tree Linux kernel
//! (`net/mptcp/mptcp_coupled.c`), `lia-rfc6356` the published one. No parameters.
//!
//! The kernel's form differs from the RFC in what integers do:
//! - `A`, about `2^12 a/W`, is a whole number: coarse for large windows, and never
//!   below 1, so that at most 4096 acknowledgements make one packet.
//! - The best path is that with the largest `2^32 w_j / r_j^2`, `r_j` in 1/8
//!   microseconds, in whole numbers: with delays above 8 ms times the root of the
//!   window all are 0, and the oldest subflow is taken for the best. On two
//!   equal paths of 100 ms that costs a fifth of the rate.
//! - It counts acknowledgements, not packets: stretched ones slow it down. A
//!   packet takes `max(4096/A, w_i) + 1` of them.
//! - `A` is kept for the connection and computed anew only in slow start, when a
//!   window grows, at a timeout, and after a change of state. A new subflow sets
//!   it to 1 until then.
//! - The threshold after a loss is at least 2 packets; the RFC allows 1.

use super::real::{Fractions, left_for_avoidance, rate, total_rate};
use super::{CaEvent, CaState, CongestionControl, Flow, Internals, Number, Window};

/// Binary digits behind the point of numerator, denominator and quotient
/// (`alpha_scale_num` = 2 `alpha_scale_den` + `alpha_scale`).
const NUMERATOR_SHIFT: u32 = 32;
const DENOMINATOR_SHIFT: u32 = 10;
const ALPHA_SHIFT: u32 = 12;

/// LIA with the kernel's arithmetic.
#[derive(Clone, Debug, Default)]
pub struct Lia {
    /// `a/W` in 1/4096, for all subflows.
    alpha: u64,
    /// Some subflow changed its state: compute `alpha` anew before using it.
    forced_update: bool,
}

impl Lia {
    fn update(&mut self, flow: &Flow<'_>) {
        self.alpha = alpha(flow);
    }

    /// Acknowledgements that make one packet, less one.
    fn threshold(&self, window: &Window) -> u32 {
        // The kernel divides by the lower half of the number.
        let alpha = u64::from(self.alpha.max(1) as u32).max(1);
        (((1 << ALPHA_SHIFT) / alpha) as u32).max(window.cwnd)
    }
}

/// `a/W` in 1/4096, from the windows as they are.
fn alpha(flow: &Flow<'_>) -> u64 {
    let mut top = 0;
    let mut best = None;
    for (_, window) in flow.coupled() {
        let srtt = u64::from(window.srtt_us);
        let numerator = (u64::from(window.cwnd) << NUMERATOR_SHIFT) / (srtt * srtt);
        if numerator >= top {
            top = numerator;
            best = Some(window);
        }
    }
    let Some(best) = best else { return 1 };
    // The kernel keeps the best path's srtt in a signed 32-bit number.
    let best_srtt = best.srtt_us as i32 as u64;
    let sum = flow.coupled().fold(0u64, |sum, (_, window)| {
        let scaled = (u64::from(window.cwnd) << DENOMINATOR_SHIFT).wrapping_mul(best_srtt);
        sum.wrapping_add(scaled / u64::from(window.srtt_us))
    });
    let numerator = u64::from(best.cwnd) << NUMERATOR_SHIFT;
    numerator.checked_div(sum.wrapping_mul(sum)).unwrap_or(1).max(1)
}

impl CongestionControl for Lia {
    fn init(&mut self, _flow: &mut Flow<'_>) {
        *self = Self { alpha: 1, forced_update: false };
    }

    fn ssthresh(&mut self, flow: &mut Flow<'_>) -> u32 {
        flow.window().reno_ssthresh()
    }

    #[inline(never)]
    fn cong_avoid(&mut self, flow: &mut Flow<'_>, acked: u32) {
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
        if std::mem::take(&mut self.forced_update) {
            self.update(flow);
        }
        let window = flow.window();
        if window.cwnd_cnt < self.threshold(window) {
            window.cwnd_cnt += 1;
            return;
        }
        window.cwnd_cnt = 0;
        if window.cwnd < u32::MAX {
            window.grow();
            self.update(flow);
        }
    }

    fn set_state(&mut self, flow: &mut Flow<'_>, _new: CaState) {
        self.forced_update |= flow.view().multipath;
    }

    fn cwnd_event(&mut self, flow: &mut Flow<'_>, event: CaEvent) {
        if event == CaEvent::Loss && flow.view().multipath {
            self.update(flow);
        }
    }

    fn internals(&self, _me: usize, window: &Window) -> Internals {
        Internals::of([
            ("alpha", Number::from(self.alpha)),
            ("cwnd_cnt", Number::from(window.cwnd_cnt)),
        ])
    }
}

/// LIA as RFC 6356 has it, in real numbers.
#[derive(Clone, Debug, Default)]
pub struct LiaRfc6356 {
    fractions: Fractions,
}

impl LiaRfc6356 {
    /// The aggressiveness `a` of RFC 6356 section 3.
    fn alpha(&self, flow: &Flow<'_>) -> f64 {
        let window = |(i, w)| self.fractions.window(i, w);
        let total: f64 = flow.coupled().map(window).sum();
        let best = flow
            .coupled()
            .map(|(i, w)| rate(rate(self.fractions.window(i, w), w), w))
            .fold(0.0, f64::max);
        let rates = total_rate(&self.fractions, flow);
        total * best / (rates * rates)
    }
}

impl CongestionControl for LiaRfc6356 {
    fn init(&mut self, flow: &mut Flow<'_>) {
        self.fractions.forget(flow.me());
    }

    fn ssthresh(&mut self, flow: &mut Flow<'_>) -> u32 {
        self.fractions.halve(flow)
    }

    #[inline(never)]
    fn cong_avoid(&mut self, flow: &mut Flow<'_>, acked: u32) {
        let left = left_for_avoidance(flow, acked);
        if left == 0 {
            return;
        }
        let total: f64 = flow.coupled().map(|(i, w)| self.fractions.window(i, w)).sum();
        let coupled = self.alpha(flow) / total;
        let alone = 1.0 / self.fractions.own(flow);
        self.fractions.add(flow, coupled.min(alone) * f64::from(left));
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
    fn one_subflow_is_as_aggressive_as_reno() {
        let mut windows = coupled(&[(16, 100_000)]);
        assert_eq!(alpha(&at(&mut windows, 0)), 4096 / 16);
    }

    #[test]
    fn two_equal_subflows_share_the_aggressiveness_of_one() {
        // a = 2w * (w/r^2) / (2w/r)^2 = 1/2, so a/W = 1/(4w).
        let mut windows = coupled(&[(16, 100_000), (16, 100_000)]);
        assert_eq!(alpha(&at(&mut windows, 0)), 4096 / 64);
        let exact = LiaRfc6356::default().alpha(&at(&mut windows, 0));
        assert!((exact - 0.5).abs() < 1e-12);
    }

    /// RFC 6356 section 2, goal 2: never more than a TCP on the same path.
    #[test]
    fn no_subflow_outgrows_reno() {
        for (w, r) in [(1, 1_000), (7, 50_000), (90, 900_000)] {
            let mut windows = coupled(&[(10, 100_000), (w, r)]);
            for me in 0..2 {
                let cwnd = windows[me].cwnd;
                let lia = Lia { alpha: alpha(&at(&mut windows, me)), forced_update: false };
                assert!(lia.threshold(&windows[me]) >= cwnd);
            }
        }
    }

    #[test]
    fn plain_tcp_is_left_to_reno() {
        let mut windows = coupled(&[(10, 100_000)]);
        windows[0].multipath = false;
        windows[0].ssthresh = 5;
        let mut lia = Lia::default();
        for _ in 0..10 {
            lia.cong_avoid(&mut at(&mut windows, 0), 1);
        }
        assert_eq!((windows[0].cwnd, windows[0].cwnd_cnt), (11, 0));
    }

    #[test]
    fn the_kernel_takes_one_acknowledgement_more_than_reno() {
        let mut windows = coupled(&[(10, 100_000)]);
        windows[0].ssthresh = 5;
        let mut lia = Lia::default();
        lia.init(&mut at(&mut windows, 0));
        lia.set_state(&mut at(&mut windows, 0), CaState::Open);
        for _ in 0..10 {
            lia.cong_avoid(&mut at(&mut windows, 0), 1);
        }
        assert_eq!((windows[0].cwnd, windows[0].cwnd_cnt), (10, 10));
        lia.cong_avoid(&mut at(&mut windows, 0), 1);
        assert_eq!((windows[0].cwnd, windows[0].cwnd_cnt), (11, 0));
    }
}
