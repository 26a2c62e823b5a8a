//! CUBIC with HyStart: a window that follows a cubic function of time.
//!
//! After a reduction the window grows as `W(t) = C (t - K)^3 + W_max` with
//! `K = cbrt(W_max (1 - beta) / C)`: fast, then flat around the window where the
//! last loss was, then fast again, whatever the round-trip time; and never slower
//! than Reno would. A loss takes the window to `beta` of it. HyStart ends slow
//! start when acknowledgements arrive as a train longer than half the minimum
//! delay, or when the delay has grown by an eighth. Every subflow is on its own.
//!
//! Source: RFC 9438; Linux `net/ipv4/tcp_cubic.c`, whose module parameters it has:
//! `beta` (717/1024), `bic_scale` (41/1024 = C of 0.4 / 10), `fast_convergence`,
//! `tcp_friendliness`, `initial_ssthresh`, `hystart`, `hystart_detect`,
//! `hystart_low_window`, `hystart_ack_delta_us`. Fixed point, times in units of
//! 1/1024 s. Differences from the kernel: the cube root is exact here, Linux' is
//! an approximation within 0.2 %. From RFC 9438: no rollback of a spurious loss
//! beyond the undo of the window.

use super::{
    AckSample, CaEvent, CaState, Clock, CongestionControl, Flow, HyStartSigns, Internals, Number,
    PerSubflow, Window,
};
use crate::params::params;
use crate::seq::Seq;

const BETA_SCALE: u64 = 1024;
/// Time unit of the cubic function: 2^-10 s.
const BICTCP_HZ: u32 = 10;

const HYSTART_MIN_SAMPLES: u32 = 8;
const HYSTART_DELAY_MIN_US: u32 = 4_000;
const HYSTART_DELAY_MAX_US: u32 = 16_000;
/// Bits of `hystart_detect`.
const HYSTART_ACK_TRAIN: u32 = 1;
const HYSTART_DELAY: u32 = 2;
/// `GSO_MAX_SIZE`, used to tell a burst from a train.
const GSO_MAX_SIZE: u64 = 65_536;

params! {
    /// The module parameters of `tcp_cubic`.
    pub struct Params {
        fast_convergence: bool = 1, 0..=1,
            "1: a flow whose window peaked lower than before makes room for others";
        beta: u32 = 717, 1..=1023,
            "part of the window kept after a loss, in 1/1024";
        initial_ssthresh: u32 = 0, 0..=2_147_483_647,
            "slow-start threshold of new connections in packets, without hystart; 0: none";
        bic_scale: u32 = 41, 1..=65_535,
            "C of the cubic function, in 1/1024 times 10";
        tcp_friendliness: bool = 1, 0..=1,
            "1: never slower than Reno would be";
        hystart: bool = 1, 0..=1,
            "1: leave slow start before losses";
        hystart_detect: u32 = 3, 0..=3,
            "what ends slow start: 1 trains of acknowledgements, 2 growing delay, 3 both";
        hystart_low_window: u32 = 16, 0..=2_147_483_647,
            "smallest window in packets at which hystart acts";
        hystart_ack_delta_us: u32 = 2000, 0..=2_147_483_647,
            "largest spacing of the acknowledgements of a train in microseconds";
    }
}

impl Params {
    /// `C` as a divisor: 2^40 over ten times `bic_scale`.
    fn cube_factor(&self) -> u64 {
        (1 << (10 + 3 * BICTCP_HZ)) / (u64::from(self.bic_scale) * 10)
    }

    /// Packets per packet of Reno-friendly growth, times 8.
    fn friendly_scale(&self) -> u64 {
        let beta = u64::from(self.beta);
        8 * (BETA_SCALE + beta) / 3 / (BETA_SCALE - beta)
    }
}

/// CUBIC for all subflows of a connection, each for itself.
#[derive(Clone, Debug, Default)]
pub struct Cubic {
    /// Module parameters.
    pub(super) params: Params,
    subflows: PerSubflow<State>,
}

#[derive(Clone, Debug, Default)]
struct State {
    /// Acknowledged packets per packet of growth.
    cnt: u32,
    last_max_cwnd: u32,
    last_cwnd: u32,
    last_jiffies: u64,
    origin_point: u32,
    /// Time to the origin point, in 1/1024 s.
    k: u32,
    delay_min_us: u32,
    /// When growth began, in jiffies; 0 after a reduction.
    epoch_start: u64,
    ack_cnt: u32,
    /// What Reno would have.
    reno_cwnd: u32,
    hystart: HyStart,
}

#[derive(Clone, Debug, Default)]
struct HyStart {
    found: bool,
    sample_cnt: u32,
    round_start_us: u64,
    last_ack_us: u64,
    end_seq: Seq,
    round_rtt_us: u32,
}

impl CongestionControl for Cubic {
    fn init(&mut self, flow: &mut Flow<'_>) {
        self.subflows.of(flow.me()).reset(flow);
        if !self.params.hystart && self.params.initial_ssthresh > 0 {
            flow.window().ssthresh = self.params.initial_ssthresh;
        }
    }

    fn ssthresh(&mut self, flow: &mut Flow<'_>) -> u32 {
        let state = self.subflows.of(flow.me());
        let cwnd = flow.window().cwnd;
        let beta = u64::from(self.params.beta);
        state.epoch_start = 0;
        let makes_room = self.params.fast_convergence && cwnd < state.last_max_cwnd;
        state.last_max_cwnd = if makes_room {
            (u64::from(cwnd) * (BETA_SCALE + beta) / (2 * BETA_SCALE)) as u32
        } else {
            cwnd
        };
        ((u64::from(cwnd) * beta / BETA_SCALE) as u32).max(2)
    }

    #[inline(never)]
    fn cong_avoid(&mut self, flow: &mut Flow<'_>, acked: u32) {
        let state = self.subflows.of(flow.me());
        let clock = flow.clock;
        let window = flow.window();
        if !window.cwnd_limited() {
            return;
        }
        let left = if window.in_slow_start() { window.slow_start(acked) } else { acked };
        if left > 0 {
            state.update(&self.params, clock, window.cwnd, left);
            window.cong_avoid_ai(state.cnt, left);
        }
    }

    fn set_state(&mut self, flow: &mut Flow<'_>, new: CaState) {
        if new == CaState::Loss {
            self.subflows.of(flow.me()).reset(flow);
        }
    }

    fn cwnd_event(&mut self, flow: &mut Flow<'_>, event: CaEvent) {
        if event != CaEvent::TxStart {
            return;
        }
        let clock = flow.clock;
        let now = clock.jiffies();
        let last = Clock { us: flow.window().last_sent_us, ..clock }.jiffies();
        let idle = now.saturating_sub(last);
        let state = self.subflows.of(flow.me());
        // The curve continues where the idle time interrupted it.
        if state.epoch_start != 0 && idle > 0 {
            state.epoch_start = (state.epoch_start + idle).min(now);
        }
    }

    #[inline(never)]
    fn pkts_acked(&mut self, flow: &mut Flow<'_>, sample: AckSample) {
        let Some(rtt_us) = sample.rtt_us else { return };
        let state = self.subflows.of(flow.me());
        let clock = flow.clock;
        // Samples of the first second after a recovery show the queue of the loss.
        if state.epoch_start != 0 && clock.jiffies() < state.epoch_start + u64::from(clock.hz) {
            return;
        }
        let delay = rtt_us.max(1);
        if state.delay_min_us == 0 || state.delay_min_us > delay {
            state.delay_min_us = delay;
        }
        if self.params.hystart && !state.hystart.found && flow.window().in_slow_start() {
            state.hystart_update(&self.params, flow, delay);
        }
    }

    fn internals(&self, me: usize, _window: &Window) -> Internals {
        self.subflows.get(me).map_or_else(Internals::default, |state| {
            Internals::of([
                ("last_max_cwnd", Number::from(state.last_max_cwnd)),
                ("cnt", Number::from(state.cnt)),
            ])
        })
    }
}

impl State {
    /// Forgets the curve and starts a HyStart round (`bictcp_reset`, `bictcp_hystart_reset`).
    fn reset(&mut self, flow: &mut Flow<'_>) {
        *self = Self::default();
        self.hystart.start_round(flow);
    }

    /// Sets `cnt` from the cubic function (`bictcp_update`).
    fn update(&mut self, params: &Params, clock: Clock, cwnd: u32, acked: u32) {
        let now = clock.jiffies().max(1);
        self.ack_cnt += acked;
        let recent = now - self.last_jiffies <= u64::from(clock.hz / 32);
        if self.last_cwnd == cwnd && recent {
            return;
        }
        if self.epoch_start == 0 || now != self.last_jiffies {
            self.last_cwnd = cwnd;
            self.last_jiffies = now;
            if self.epoch_start == 0 {
                self.start_epoch(params, now, cwnd, acked);
            }
            self.cnt = self.cubic_cnt(params, now, clock.hz, cwnd);
        }
        if params.tcp_friendliness {
            self.befriend_reno(params, cwnd);
        }
        self.cnt = self.cnt.max(2);
    }

    fn start_epoch(&mut self, params: &Params, now: u64, cwnd: u32, acked: u32) {
        self.epoch_start = now;
        self.ack_cnt = acked;
        self.reno_cwnd = cwnd;
        if self.last_max_cwnd <= cwnd {
            self.k = 0;
            self.origin_point = cwnd;
        } else {
            let gap = u64::from(self.last_max_cwnd - cwnd);
            self.k = cube_root(params.cube_factor().saturating_mul(gap));
            self.origin_point = self.last_max_cwnd;
        }
    }

    /// Packets per increment that reach the curve one round trip ahead.
    fn cubic_cnt(&self, params: &Params, now: u64, hz: u32, cwnd: u32) -> u32 {
        let hz = u64::from(hz);
        let delay_jiffies = (u64::from(self.delay_min_us) * hz).div_ceil(1_000_000);
        let t = ((now - self.epoch_start + delay_jiffies) << BICTCP_HZ) / hz;
        let offset = t.abs_diff(u64::from(self.k));
        let cubed = u128::from(params.bic_scale) * 10 * u128::from(offset).pow(3);
        let delta = u32::try_from(cubed >> (10 + 3 * BICTCP_HZ)).unwrap_or(u32::MAX);
        let target = if t < u64::from(self.k) {
            self.origin_point.saturating_sub(delta)
        } else {
            self.origin_point.saturating_add(delta)
        };
        let cnt = if target > cwnd { cwnd / (target - cwnd) } else { cwnd.saturating_mul(100) };
        // Nothing is known of the path before the first loss: grow 5 % per round trip at least.
        if self.last_max_cwnd == 0 { cnt.min(20) } else { cnt }
    }

    /// Never slower than Reno would be (RFC 9438 section 4.3).
    fn befriend_reno(&mut self, params: &Params, cwnd: u32) {
        let delta = ((u64::from(cwnd) * params.friendly_scale()) >> 3) as u32;
        while delta > 0 && self.ack_cnt > delta {
            self.ack_cnt -= delta;
            self.reno_cwnd += 1;
        }
        if self.reno_cwnd > cwnd {
            self.cnt = self.cnt.min(cwnd / (self.reno_cwnd - cwnd));
        }
    }

    /// Ends slow start when the path shows a queue (`hystart_update`).
    fn hystart_update(&mut self, params: &Params, flow: &mut Flow<'_>, delay_us: u32) {
        let now_us = flow.clock.us;
        if flow.window().snd_una.after(self.hystart.end_seq) {
            self.hystart.start_round(flow);
        }
        let delay_min = self.delay_min_us;
        let hystart = &mut self.hystart;
        let window = flow.window();
        if window.cwnd < params.hystart_low_window {
            return;
        }
        window.hystart = HyStartSigns::default();
        let close = now_us - hystart.last_ack_us <= u64::from(params.hystart_ack_delta_us);
        if params.hystart_detect & HYSTART_ACK_TRAIN != 0 && close {
            hystart.last_ack_us = now_us;
            // Without pacing a window leaves as a burst, so half the delay is already a train.
            let threshold = (u64::from(delay_min) + ack_delay_us(window.pacing_rate))
                >> u32::from(!window.paced);
            window.hystart.train = now_us - hystart.round_start_us > threshold;
        }
        if params.hystart_detect & HYSTART_DELAY != 0 {
            window.hystart.delay = hystart.delay_rose(delay_us, delay_min);
        }
        if window.hystart != HyStartSigns::default() {
            hystart.found = true;
            window.ssthresh = window.cwnd;
        }
    }
}

impl HyStart {
    fn start_round(&mut self, flow: &mut Flow<'_>) {
        self.round_start_us = flow.clock.us;
        self.last_ack_us = flow.clock.us;
        self.end_seq = flow.window().snd_nxt;
        self.round_rtt_us = u32::MAX;
        self.sample_cnt = 0;
    }

    /// Takes a sample; true if all of the round have risen.
    fn delay_rose(&mut self, delay_us: u32, delay_min: u32) -> bool {
        self.round_rtt_us = self.round_rtt_us.min(delay_us);
        if self.sample_cnt < HYSTART_MIN_SAMPLES {
            self.sample_cnt += 1;
            return false;
        }
        let slack = (delay_min >> 3).clamp(HYSTART_DELAY_MIN_US, HYSTART_DELAY_MAX_US);
        self.round_rtt_us > delay_min + slack
    }
}

/// The spacing that aggregation may give to acknowledgements (`hystart_ack_delay`).
fn ack_delay_us(pacing_rate: u64) -> u64 {
    (GSO_MAX_SIZE * 4 * 1_000_000).checked_div(pacing_rate).map_or(0, |delay| delay.min(1_000))
}

/// The largest number whose cube is not above `value`.
fn cube_root(value: u64) -> u32 {
    let mut root: u128 = 0;
    for bit in (0..22).rev() {
        let next = root | 1 << bit;
        if next * next * next <= u128::from(value) {
            root = next;
        }
    }
    root as u32
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::congestion::Window;

    #[test]
    fn cube_roots_are_exact() {
        for (value, root) in [(0, 0), (1, 1), (7, 1), (8, 2), (26, 2), (27, 3), (1 << 60, 1 << 20)]
        {
            assert_eq!(cube_root(value), root);
        }
    }

    fn after_loss_at(cwnd: u32) -> (Cubic, [Window; 1]) {
        let mut cubic = Cubic::default();
        let mut windows = [Window::new(cwnd, Seq(0))];
        windows[0].is_cwnd_limited = true;
        let mut flow = Flow::new(&mut windows, 0, clock(0));
        cubic.init(&mut flow);
        let ssthresh = cubic.ssthresh(&mut flow);
        windows[0].ssthresh = ssthresh;
        windows[0].cwnd = ssthresh;
        (cubic, windows)
    }

    fn clock(ms: u64) -> Clock {
        Clock { us: ms * 1_000, hz: 1_000 }
    }

    /// RFC 9438 equation 1 with C = 0.4, from 700 packets towards a maximum of 1000: K = 9.1 s.
    #[test]
    fn the_window_follows_the_cubic_function() {
        let (mut cubic, mut windows) = after_loss_at(1_000);
        assert_eq!(windows[0].cwnd, 700);
        let rtt_ms = 100;
        let k = 9.086;
        for round in 1..200 {
            for _ in 0..windows[0].cwnd {
                let mut flow = Flow::new(&mut windows, 0, clock(round * rtt_ms));
                cubic.cong_avoid(&mut flow, 1);
            }
            let offset = (round * rtt_ms) as f64 / 1e3 - k;
            let expected = 1_000.0 + 0.4 * offset * offset * offset;
            let cwnd = f64::from(windows[0].cwnd);
            assert!((cwnd - expected).abs() < 0.02 * expected, "{round}: {cwnd} {expected}");
        }
    }

    #[test]
    fn a_lower_peak_gives_way() {
        let (mut cubic, mut windows) = after_loss_at(1_000);
        windows[0].cwnd = 800;
        let mut flow = Flow::new(&mut windows, 0, clock(1));
        cubic.ssthresh(&mut flow);
        assert_eq!(cubic.subflows.of(0).last_max_cwnd, 800 * (1024 + 717) / 2048);
    }

    #[test]
    fn slow_start_ends_when_the_delay_grows() {
        let mut cubic = Cubic::default();
        let mut windows = [Window::new(20, Seq(0))];
        let sample = |rtt_us| AckSample { pkts_acked: 1, rtt_us: Some(rtt_us) };
        let mut flow = Flow::new(&mut windows, 0, clock(0));
        cubic.init(&mut flow);
        flow.clock = clock(50);
        cubic.pkts_acked(&mut flow, sample(50_000));
        flow.window().snd_nxt = Seq(1);
        for ack in 0..12 {
            flow.clock = clock(100 + 3 * ack);
            cubic.pkts_acked(&mut flow, sample(60_000));
            flow.window().snd_una = Seq(1);
        }
        assert_eq!(windows[0].ssthresh, 20);
    }
}
