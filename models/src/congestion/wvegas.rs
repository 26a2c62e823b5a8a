//! wVegas, weighted Vegas: subflows share a number of packets in queues.
//!
//! Once per round trip a subflow compares the packets it keeps in queues,
//! `diff = w (rtt - base) / rtt` with `base` the smallest round-trip time seen,
//! to its share `a_i` of `total_alpha` packets, and lets its window grow or shrink
//! by one. The share follows the subflow's part of the connection's rate, so
//! traffic moves to the paths with the least queueing delay until all delays are
//! equal. When the delay has doubled since its minimum the window backs off to let
//! the queue drain.
//!
//! Source: Y. Cao, M. Xu and X. Fu, "Delay-based congestion control for multipath
//! TCP", ICNP 2012. `wvegas` is the integer form of the out-of-tree Linux kernel
//! (`net/mptcp/mptcp_wvegas.c`). Parameters: `initial_alpha` (2), `total_alpha`
//! (10), `gamma` (1).
//!
//! What the kernel's form adds to the paper:
//! - The share is computed anew only in rounds with `diff >= a_i`, and is never
//!   below 2 packets.
//! - Outside the Open state, and in rounds with fewer than three samples, it is
//!   Reno. Whenever the state turns Open again the share starts over.
//! - A round whose mean equals `base` counts as "delay doubled from 0 to 0" and
//!   halves the window: with perfectly constant round-trip times it never grows.
//! - Rounds do not ask whether the window was used.

use super::{CaEvent, CaState, CongestionControl, Flow, Internals, Number, PerSubflow, Window};
use crate::params::params;
use crate::seq::Seq;

/// Binary digits behind the point of rates and weights.
const SCALE: u32 = 16;

params! {
    /// The module parameters of wVegas.
    pub struct Params {
        initial_alpha: u32 = 2, 0..=2_147_483_647,
            "packets that a subflow may keep in queues at first";
        total_alpha: u32 = 10, 0..=2_147_483_647,
            "packets that all subflows together may keep in queues";
        gamma: u32 = 1, 0..=2_147_483_647,
            "packets in queues at which slow start ends";
    }
}

/// wVegas with the kernel's arithmetic.
#[derive(Clone, Debug, Default)]
pub struct Wvegas {
    /// Module parameters.
    pub(super) params: Params,
    subflows: PerSubflow<State>,
}

#[derive(Clone, Copy, Debug)]
struct State {
    /// `snd_nxt` when the round began.
    beg_snd_nxt: Seq,
    /// Rounds are evaluated; otherwise Reno rules.
    enabled: bool,
    /// Samples of this round and their sum in microseconds.
    cnt_rtt: u16,
    sampled_rtt: u32,
    /// The smallest sample in microseconds.
    base_rtt: u32,
    /// Packets per microsecond, times 2^16, when the share was last computed.
    instant_rate: u64,
    /// The part of the connection's rate, times 2^16.
    weight: u64,
    /// The share: packets to keep in queues.
    alpha: u32,
    /// The smallest queueing delay since the last back-off in microseconds; 0 if none.
    queue_delay: u32,
}

impl Default for State {
    fn default() -> Self {
        Self {
            beg_snd_nxt: Seq(0),
            enabled: false,
            cnt_rtt: 0,
            sampled_rtt: 0,
            base_rtt: 0x7fff_ffff,
            instant_rate: 0,
            weight: 1 << SCALE,
            alpha: 0,
            queue_delay: 0,
        }
    }
}

/// A round as it turned out: times in microseconds, windows in packets.
struct Round {
    rtt: u32,
    queue_delay: u32,
    /// Packets in queues.
    diff: u32,
    /// Packets that fill the path without a queue.
    target: u32,
}

impl State {
    /// Starts over with rounds (`wvegas_enable`).
    fn enable(&mut self, initial_alpha: u32, window: &Window) {
        *self = Self {
            beg_snd_nxt: window.snd_nxt,
            enabled: true,
            base_rtt: self.base_rtt,
            alpha: initial_alpha,
            ..Self::default()
        };
    }

    /// The round's figures; a quotient that the kernel could not form is 0.
    fn round(&self, cwnd: u32) -> Round {
        let rtt = self.sampled_rtt / u32::from(self.cnt_rtt).max(1);
        let queue_delay = rtt.wrapping_sub(self.base_rtt);
        let per_rtt =
            |us: u32| (u64::from(cwnd) * u64::from(us)).checked_div(rtt.into()).unwrap_or(0) as u32;
        Round { rtt, queue_delay, diff: per_rtt(queue_delay), target: per_rtt(self.base_rtt) }
    }

    fn begin_round(&mut self) {
        self.cnt_rtt = 0;
        self.sampled_rtt = 0;
    }

    /// Lets the queue drain when its delay has doubled since its minimum.
    fn drain(&mut self, window: &mut Window, round: &Round) {
        if self.queue_delay == 0 || self.queue_delay > round.queue_delay {
            self.queue_delay = round.queue_delay;
        }
        if round.queue_delay >= self.queue_delay.wrapping_mul(2) {
            let doubled = u64::from(round.rtt.wrapping_mul(2));
            let factor = (u64::from(self.base_rtt) << SCALE).checked_div(doubled).unwrap_or(0);
            window.cwnd = ((u64::from(window.cwnd) * u64::from(factor as u32)) >> SCALE) as u32;
            self.queue_delay = 0;
        }
    }
}

impl Wvegas {
    /// The part of the connection's rate that the subflow concerned has, times 2^16; of subflows
    /// with samples in their current round.
    fn weight(&self, flow: &Flow<'_>, own: &State) -> u64 {
        let total = flow
            .newest_first()
            .filter(|(_, window)| window.can_send)
            .filter_map(|(i, _)| if i == flow.me() { Some(own) } else { self.subflows.get(i) })
            .filter(|state| state.sampled_rtt > 0)
            .fold(0u64, |total, state| total.wrapping_add(state.instant_rate));
        if !flow.view().multipath || total == 0 || own.instant_rate == 0 {
            return own.weight;
        }
        // The kernel's scaling takes a number of 32 bits.
        (u64::from(own.instant_rate as u32) << SCALE) / total
    }

    /// Congestion avoidance once per round.
    fn adapt(&self, flow: &mut Flow<'_>, state: &mut State, round: &Round) {
        if round.diff >= state.alpha {
            let scaled = u64::from(flow.view().cwnd) << SCALE;
            state.instant_rate = scaled.checked_div(round.rtt.into()).unwrap_or(0);
            state.weight = self.weight(flow, state);
            let share = state.weight.wrapping_mul(self.params.total_alpha.into()) >> SCALE;
            state.alpha = (share as u32).max(2);
        }
        let window = flow.window();
        if round.diff > state.alpha {
            window.cwnd = window.cwnd.wrapping_sub(1);
            window.ssthresh = window.ssthresh.min(window.cwnd);
        } else if round.diff < state.alpha {
            window.cwnd = window.cwnd.wrapping_add(1);
        }
        state.drain(window, round);
    }

    fn end_round(&self, flow: &mut Flow<'_>, state: &mut State, acked: u32) {
        let window = flow.window();
        if state.cnt_rtt <= 2 {
            window.reno_cong_avoid(acked);
            return;
        }
        let round = state.round(window.cwnd);
        if !window.in_slow_start() {
            self.adapt(flow, state, &round);
        } else if round.diff > self.params.gamma {
            window.cwnd = window.cwnd.min(round.target.wrapping_add(1));
            window.ssthresh = window.ssthresh.min(window.cwnd);
        } else {
            window.slow_start(acked);
        }
        let window = flow.window();
        window.cwnd = window.cwnd.max(2);
        window.ssthresh = window.current_ssthresh();
    }
}

impl CongestionControl for Wvegas {
    fn init(&mut self, flow: &mut Flow<'_>) {
        let state = self.subflows.of(flow.me());
        *state = State::default();
        state.enable(self.params.initial_alpha, flow.view());
    }

    fn ssthresh(&mut self, flow: &mut Flow<'_>) -> u32 {
        flow.window().reno_ssthresh()
    }

    #[inline(never)]
    fn cong_avoid(&mut self, flow: &mut Flow<'_>, acked: u32) {
        let me = flow.me();
        let mut state = *self.subflows.of(me);
        let window = flow.window();
        if !state.enabled {
            window.reno_cong_avoid(acked);
        } else if window.snd_una.after(state.beg_snd_nxt) {
            state.beg_snd_nxt = window.snd_nxt;
            self.end_round(flow, &mut state, acked);
            state.begin_round();
            *self.subflows.of(me) = state;
        } else if window.in_slow_start() {
            window.slow_start(acked);
        }
    }

    fn set_state(&mut self, flow: &mut Flow<'_>, new: CaState) {
        let state = self.subflows.of(flow.me());
        if new == CaState::Open {
            state.enable(self.params.initial_alpha, flow.view());
        } else {
            state.enabled = false;
        }
    }

    fn cwnd_event(&mut self, flow: &mut Flow<'_>, event: CaEvent) {
        match event {
            CaEvent::CwndRestart => self.init(flow),
            CaEvent::Loss => self.subflows.of(flow.me()).instant_rate = 0,
            CaEvent::TxStart | CaEvent::CompleteCwr => {}
        }
    }

    #[inline(never)]
    fn pkts_acked(&mut self, flow: &mut Flow<'_>, sample: super::AckSample) {
        let Some(rtt_us) = sample.rtt_us else { return };
        let state = self.subflows.of(flow.me());
        // One more, so that no sample is 0.
        let rtt = rtt_us.wrapping_add(1);
        state.base_rtt = state.base_rtt.min(rtt);
        state.sampled_rtt = state.sampled_rtt.wrapping_add(rtt);
        state.cnt_rtt = state.cnt_rtt.wrapping_add(1);
    }

    fn internals(&self, me: usize, _window: &Window) -> Internals {
        let state = self.subflows.get(me).copied().unwrap_or_default();
        Internals::of([
            ("weight", Number::from(state.weight)),
            ("alpha", Number::from(state.alpha)),
        ])
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::congestion::AckSample;
    use crate::congestion::testing::{at, coupled};

    /// A round of `acks` acknowledgements with these round-trip times in microseconds.
    fn round(wvegas: &mut Wvegas, windows: &mut [Window], rtts: &[u32]) {
        for &rtt in rtts {
            let sample = AckSample { pkts_acked: 1, rtt_us: Some(rtt - 1) };
            wvegas.pkts_acked(&mut at(windows, 0), sample);
        }
        windows[0].snd_una = windows[0].snd_nxt;
        windows[0].snd_nxt += 1;
        wvegas.cong_avoid(&mut at(windows, 0), 1);
    }

    fn in_congestion_avoidance(cwnd: u32) -> (Wvegas, Vec<Window>) {
        let mut windows = coupled(&[(cwnd, 100_000)]);
        windows[0].ssthresh = 2;
        let mut wvegas = Wvegas::default();
        wvegas.init(&mut at(&mut windows, 0));
        windows[0].snd_nxt += 1;
        (wvegas, windows)
    }

    #[test]
    fn a_short_queue_lets_the_window_grow_by_one_per_round() {
        let (mut wvegas, mut windows) = in_congestion_avoidance(10);
        round(&mut wvegas, &mut windows, &[100_000, 101_000, 101_000]);
        assert_eq!(windows[0].cwnd, 11);
    }

    #[test]
    fn a_long_queue_lets_it_shrink() {
        let (mut wvegas, mut windows) = in_congestion_avoidance(40);
        round(&mut wvegas, &mut windows, &[50_000, 125_000, 125_000]);
        assert_eq!(windows[0].cwnd, 39);
    }

    #[test]
    fn a_constant_delay_halves_the_window() {
        let (mut wvegas, mut windows) = in_congestion_avoidance(40);
        round(&mut wvegas, &mut windows, &[100_000; 5]);
        assert_eq!(windows[0].cwnd, 20);
    }

    #[test]
    fn outside_open_it_is_reno() {
        let (mut wvegas, mut windows) = in_congestion_avoidance(10);
        wvegas.set_state(&mut at(&mut windows, 0), CaState::Loss);
        for _ in 0..10 {
            wvegas.cong_avoid(&mut at(&mut windows, 0), 1);
        }
        assert_eq!(windows[0].cwnd, 11);
    }
}
