//! OLIA, the opportunistic linked increases algorithm: LIA's coupling, made Pareto-optimal.
//!
//! With windows `w_i` and round-trip times `r_i`, each acknowledged packet on
//! subflow `i` adds
//!
//! ```text
//! (w_i / r_i^2) / (sum of w_j / r_j)^2  +  e_i / w_i
//! ```
//!
//! The first term shifts traffic to the best paths. The second keeps it from
//! flapping between equals: of `n` subflows, those in `B \ M` (best paths whose
//! windows are not the largest) have `e = 1 / (n |B \ M|)`, those in `M` (largest
//! windows) have `e = -1 / (n |M|)`; all others, and all when `B \ M` is empty,
//! have 0. Best are the paths with the largest `l / r^2`, where `l` is what was
//! delivered since the last loss or between the last two, whichever is more. A
//! loss halves the window of its subflow.
//!
//! Source: R. Khalili, N. Gast, M. Popovic and J.-Y. Le Boudec, "MPTCP is not
//! Pareto-optimal", CoNEXT 2012 and IEEE/ACM ToN 2013. `olia` is the integer form
//! of the out-of-tree Linux kernel (`net/mptcp/mptcp_olia.c`), `olia-paper` the
//! published one. No parameters.
//!
//! The kernel's form differs from the paper in what integers do:
//! - Increase and decrease add up in a counter of its own, in 1/1024 packet per
//!   acknowledgement, and change the window by one at +1023 and -1023. It counts
//!   acknowledgements, not packets.
//! - `l` is the difference of sequence numbers, modulo 2^32.
//! - A path is best if it equals the best one to the bit; with equal values the
//!   oldest subflow decides.
//! - `e` is not computed in slow start, and the products overflow 64 bits for
//!   windows of some 100,000 packets.

use super::real::{Fractions, left_for_avoidance, rate, total_rate};
use super::{CaState, CongestionControl, Flow, Internals, Number, PerSubflow, Window};
use crate::seq::Seq;

/// Binary digits behind the point of windows and of the counter.
const SCALE: u32 = 10;
const FULL: i32 = (1 << SCALE) - 1;

/// OLIA with the kernel's arithmetic.
#[derive(Clone, Debug, Default)]
pub struct Olia {
    subflows: PerSubflow<State>,
}

#[derive(Clone, Copy, Debug)]
struct State {
    /// `snd_una` at the last loss but one, at the last loss, and now.
    loss1: Seq,
    loss2: Seq,
    loss3: Seq,
    /// The numerator and denominator of `e`.
    epsilon_num: i32,
    epsilon_den: u32,
    /// What has added up to the next packet, in 1/1024.
    cnt: i32,
}

impl Default for State {
    fn default() -> Self {
        Self { loss1: Seq(0), loss2: Seq(0), loss3: Seq(0), epsilon_num: 0, epsilon_den: 1, cnt: 0 }
    }
}

impl State {
    /// Bytes delivered since the last loss or between the last two (`l`).
    fn distance(&self) -> u64 {
        u64::from((self.loss3 - self.loss2).max(self.loss2 - self.loss1))
    }
}

/// A path's quality `distance / srtt^2` as a fraction.
#[derive(Clone, Copy)]
struct Quality {
    distance: u64,
    srtt_squared: u64,
}

impl Quality {
    /// The products by which two fractions compare; they wrap as the kernel's do.
    const fn cross(self, other: Self) -> (u64, u64) {
        let own = self.distance.wrapping_mul(other.srtt_squared);
        (own, other.distance.wrapping_mul(self.srtt_squared))
    }

    const fn equals(self, other: Self) -> bool {
        let (own, others) = self.cross(other);
        own == others
    }
}

impl Olia {
    fn quality(&self, index: usize, window: &Window) -> Quality {
        let srtt = u64::from(window.srtt_us);
        let distance = self.subflows.get(index).map_or(0, State::distance);
        Quality { distance, srtt_squared: srtt * srtt }
    }

    /// The best path's quality; of equal ones the last counts.
    fn best(&self, flow: &Flow<'_>) -> Quality {
        let none = Quality { distance: 0, srtt_squared: 1 };
        flow.coupled().fold(none, |best, (i, window)| {
            let quality = self.quality(i, window);
            let (own, others) = quality.cross(best);
            if own >= others { quality } else { best }
        })
    }

    /// Sets `e` of every subflow (`mptcp_get_epsilon`).
    fn update_epsilon(&mut self, flow: &Flow<'_>) {
        let largest = flow.coupled().map(|(_, window)| window.settled_cwnd()).max().unwrap_or(0);
        let best = self.best(flow);
        let (mut established, mut in_m, mut best_not_in_m) = (0u32, 0u8, 0u8);
        for (i, window) in flow.coupled() {
            established += 1;
            if window.settled_cwnd() == largest {
                in_m = in_m.wrapping_add(1);
            } else if self.quality(i, window).equals(best) {
                best_not_in_m = best_not_in_m.wrapping_add(1);
            }
        }
        for (i, window) in flow.coupled() {
            let (num, den) = if best_not_in_m == 0 {
                (0, 1)
            } else if window.settled_cwnd() == largest {
                (-1, established * u32::from(in_m))
            } else if self.quality(i, window).equals(best) {
                (1, established * u32::from(best_not_in_m))
            } else {
                (0, 1)
            };
            let state = self.subflows.of(i);
            (state.epsilon_num, state.epsilon_den) = (num, den);
        }
    }
}

/// `(1 + sum of w_j r / r_j)^2`, windows in 1/1024 packet (`mptcp_get_rate`).
fn squared_rate(flow: &Flow<'_>) -> u64 {
    let own_srtt = u64::from(flow.view().srtt_us);
    let rate = flow.coupled().fold(1u64, |rate, (_, window)| {
        let scaled = (u64::from(window.settled_cwnd()) << SCALE).wrapping_mul(own_srtt);
        rate.wrapping_add(scaled / u64::from(window.srtt_us))
    });
    rate.wrapping_mul(rate)
}

/// What one acknowledgement adds to the counter, in 1/1024 packet. The quotient is taken of the
/// absolute value, as the kernel does.
fn increment(state: &State, cwnd: u32, rate: u64) -> i32 {
    let den = state.epsilon_den;
    let cwnd_scaled = u64::from(cwnd) << SCALE;
    let own = u64::from(den).wrapping_mul(cwnd_scaled).wrapping_mul(cwnd_scaled);
    // The product of denominator and window is one of 32 bits.
    let divisor = u64::from(den.wrapping_mul(cwnd)).wrapping_mul(rate).max(1);
    let quotient = |numerator: u64| (numerator << SCALE) / divisor;
    match state.epsilon_num {
        -1 if own < rate => (quotient(rate - own) as i32).wrapping_neg(),
        -1 => quotient(own - rate) as i32,
        0 => quotient(own) as i32,
        _ => quotient(rate.wrapping_add(own)) as i32,
    }
}

impl CongestionControl for Olia {
    fn init(&mut self, flow: &mut Flow<'_>) {
        let una = flow.view().snd_una;
        let state = State { loss1: una, loss2: una, loss3: una, ..State::default() };
        *self.subflows.of(flow.me()) = state;
    }

    fn ssthresh(&mut self, flow: &mut Flow<'_>) -> u32 {
        flow.window().reno_ssthresh()
    }

    #[inline(never)]
    fn cong_avoid(&mut self, flow: &mut Flow<'_>, acked: u32) {
        let me = flow.me();
        let window = flow.window();
        if !window.multipath {
            window.reno_cong_avoid(acked);
            return;
        }
        self.subflows.of(me).loss3 = window.snd_una;
        if !window.cwnd_limited() {
            return;
        }
        if window.in_slow_start() {
            window.slow_start(acked);
            return;
        }
        self.update_epsilon(flow);
        let rate = squared_rate(flow);
        let window = flow.window();
        let state = self.subflows.of(me);
        state.cnt = state.cnt.wrapping_add(increment(state, window.cwnd, rate));
        if state.cnt >= FULL {
            window.grow();
            state.cnt = 0;
        } else if state.cnt <= -FULL {
            window.cwnd = (window.cwnd as i32).wrapping_sub(1).max(1) as u32;
            state.cnt = 0;
        }
    }

    fn set_state(&mut self, flow: &mut Flow<'_>, new: CaState) {
        let window = flow.view();
        if !window.multipath || !is_loss(new) {
            return;
        }
        let state = self.subflows.of(flow.me());
        if state.loss3 != state.loss2 && window.retransmits == 0 {
            state.loss1 = state.loss2;
            state.loss2 = state.loss3;
        }
    }

    fn internals(&self, me: usize, _window: &Window) -> Internals {
        let state = self.subflows.get(me).copied().unwrap_or_default();
        let epsilon = (i128::from(state.epsilon_num) + 1) << 32 | i128::from(state.epsilon_den);
        Internals::of([
            ("epsilon", Number::Integer(epsilon)),
            ("cnt", Number::Integer(state.cnt.into())),
        ])
    }
}

const fn is_loss(state: CaState) -> bool {
    matches!(state, CaState::Loss | CaState::Recovery | CaState::Cwr)
}

/// OLIA as published, in real numbers. `M` is found among whole packets: of real numbers only one
/// would ever be the largest.
#[derive(Clone, Debug, Default)]
pub struct OliaPaper {
    fractions: Fractions,
    delivered: PerSubflow<Delivered>,
}

/// Packets delivered since the last loss, and between the last two.
#[derive(Clone, Copy, Debug, Default)]
struct Delivered {
    since: u64,
    between: u64,
}

impl OliaPaper {
    /// `l / r^2`.
    fn quality(&self, index: usize, window: &Window) -> f64 {
        let delivered = self.delivered.get(index).copied().unwrap_or_default();
        rate(rate(delivered.since.max(delivered.between) as f64, window), window)
    }

    /// `e` of the subflow concerned.
    fn epsilon(&self, flow: &Flow<'_>) -> f64 {
        let largest = flow.coupled().map(|(_, window)| window.settled_cwnd()).max().unwrap_or(0);
        let best = flow.coupled().map(|(i, window)| self.quality(i, window)).fold(0.0, f64::max);
        let in_m = |window: &Window| window.settled_cwnd() == largest;
        let in_b = |i, window: &Window| self.quality(i, window) >= best;
        let best_not_in_m = flow.coupled().filter(|&(i, w)| in_b(i, w) && !in_m(w)).count();
        if best_not_in_m == 0 {
            return 0.0;
        }
        let all = flow.coupled().count() as f64;
        let own = flow.view();
        if in_m(own) {
            -1.0 / (all * flow.coupled().filter(|&(_, w)| in_m(w)).count() as f64)
        } else if in_b(flow.me(), own) {
            1.0 / (all * best_not_in_m as f64)
        } else {
            0.0
        }
    }
}

impl CongestionControl for OliaPaper {
    fn init(&mut self, flow: &mut Flow<'_>) {
        self.fractions.forget(flow.me());
        *self.delivered.of(flow.me()) = Delivered::default();
    }

    fn ssthresh(&mut self, flow: &mut Flow<'_>) -> u32 {
        self.fractions.halve(flow)
    }

    #[inline(never)]
    fn cong_avoid(&mut self, flow: &mut Flow<'_>, acked: u32) {
        self.delivered.of(flow.me()).since += u64::from(acked);
        let left = left_for_avoidance(flow, acked);
        if left == 0 {
            return;
        }
        let own = self.fractions.own(flow);
        let rates = total_rate(&self.fractions, flow);
        let shift = rate(rate(own, flow.view()), flow.view()) / (rates * rates);
        let balance = self.epsilon(flow) / own;
        self.fractions.add(flow, (shift + balance) * f64::from(left));
    }

    fn set_state(&mut self, flow: &mut Flow<'_>, new: CaState) {
        self.fractions.set_state(flow.me(), new);
        let delivered = self.delivered.of(flow.me());
        if is_loss(new) && delivered.since > 0 {
            *delivered = Delivered { since: 0, between: delivered.since };
        }
    }

    fn internals(&self, me: usize, window: &Window) -> Internals {
        Internals::of([
            ("window", Number::Real(self.fractions.window(me, window))),
            ("quality", Number::Real(self.quality(me, window))),
        ])
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::congestion::testing::{at, coupled};

    fn with_distances(distances: [u32; 2]) -> Olia {
        let mut olia = Olia::default();
        for (i, distance) in distances.into_iter().enumerate() {
            *olia.subflows.of(i) = State { loss3: Seq(distance), ..State::default() };
        }
        olia
    }

    fn epsilons(olia: &Olia) -> [(i32, u32); 2] {
        [0, 1].map(|i| {
            let state = olia.subflows.get(i).unwrap();
            (state.epsilon_num, state.epsilon_den)
        })
    }

    #[test]
    fn the_largest_window_gives_to_the_best_path() {
        let mut windows = coupled(&[(20, 100_000), (10, 100_000)]);
        let mut olia = with_distances([1_000, 9_000]);
        olia.update_epsilon(&at(&mut windows, 0));
        assert_eq!(epsilons(&olia), [(-1, 2), (1, 2)]);
    }

    #[test]
    fn nothing_is_shifted_when_the_best_path_has_the_largest_window() {
        let mut windows = coupled(&[(20, 100_000), (10, 100_000)]);
        let mut olia = with_distances([9_000, 1_000]);
        olia.update_epsilon(&at(&mut windows, 0));
        assert_eq!(epsilons(&olia), [(0, 1), (0, 1)]);
    }

    #[test]
    fn a_shorter_round_trip_makes_a_path_best() {
        let mut windows = coupled(&[(20, 200_000), (10, 50_000)]);
        let mut olia = with_distances([9_000, 1_000]);
        olia.update_epsilon(&at(&mut windows, 0));
        assert_eq!(epsilons(&olia), [(-1, 2), (1, 2)]);
    }

    #[test]
    fn one_subflow_grows_like_reno() {
        let mut windows = coupled(&[(100, 100_000)]);
        let rate = squared_rate(&at(&mut windows, 0));
        let per_ack = increment(&State::default(), 100, rate);
        assert_eq!(per_ack, 10); // 1024 / 100, cut off
    }

    #[test]
    fn a_shrinking_window_keeps_one_packet() {
        let mut windows = coupled(&[(1, 800), (1_000, 8_000_000)]);
        windows[0].ssthresh = 1;
        let mut olia = with_distances([1_000, 1_000]);
        olia.subflows.of(0).cnt = -FULL - 2_000;
        olia.cong_avoid(&mut at(&mut windows, 0), 1);
        assert_eq!(windows[0].cwnd, 1);
    }

    #[test]
    fn both_forms_agree_on_epsilon() {
        let mut windows = coupled(&[(20, 100_000), (10, 100_000), (5, 100_000)]);
        let mut paper = OliaPaper::default();
        for (i, since) in [10, 90, 90].into_iter().enumerate() {
            *paper.delivered.of(i) = Delivered { since, between: 0 };
        }
        let of = |paper: &OliaPaper, windows: &mut [Window], me| paper.epsilon(&at(windows, me));
        assert_eq!(of(&paper, &mut windows, 0), -1.0 / 3.0);
        assert_eq!(of(&paper, &mut windows, 1), 1.0 / 6.0);
    }
}
