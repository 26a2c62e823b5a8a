//! BBR, bottleneck bandwidth and round-trip propagation time (version 1): sends at the rate the path delivers.
//!
//! A model of the path replaces loss as the signal: `bw`, the largest delivery rate
//! of the last ten round trips, and `min_rtt`, the smallest round-trip time of the
//! last ten seconds. Packets leave at `gain * bw`, and at most `gain * bw * min_rtt`
//! of them are in flight.
//!
//! ```text
//! STARTUP    gain 2.89 until bw has not grown by 25 % for three rounds
//! DRAIN      gain 1/2.89 until the queue made by STARTUP is gone
//! PROBE_BW   gains 5/4, 3/4, 1, 1, 1, 1, 1, 1 for a min_rtt each, window gain 2
//! PROBE_RTT  4 packets for 200 ms, if min_rtt has not been seen for 10 s
//! ```
//!
//! Every subflow is on its own. Losses reduce the window only for the round trip in
//! which they are found; a policer is recognised by its losses and its rate is kept for 48 rounds.
//!
//! Source: N. Cardwell et al., "BBR: congestion-based congestion control", ACM Queue
//! 2016; draft-cardwell-iccrg-bbr-congestion-control-00; Linux `net/ipv4/tcp_bbr.c`
//! (fixed point: rates in packets per microsecond times 2^24, gains times 2^8). No
//! parameters, as there. Differences from the kernel: the first phase of PROBE_BW is
//! drawn from the clock instead of at random, and packets wait in the sender
//! itself, as with the kernel's internal pacing.

use super::{
    CaEvent, CaState, CongestionControl, Flow, Internals, Number, PerSubflow, RateSample, Window,
};
use crate::segment::MAX_BURST;

mod filter;
mod policer;

use filter::RunningMax;
use policer::Policer;

/// Binary digits behind the point of rates (packets per microsecond).
const BW_SCALE: u32 = 24;
const BW_UNIT: u64 = 1 << BW_SCALE;
/// Binary digits behind the point of gains.
const GAIN_SCALE: u32 = 8;
const GAIN_UNIT: u32 = 1 << GAIN_SCALE;

const BW_ROUNDS: u32 = 10;
const MIN_RTT_WINDOW_US: u64 = 10_000_000;
const PROBE_RTT_US: u64 = 200_000;
const PACING_MARGIN_PERCENT: u64 = 1;
/// 2/ln 2: the least gain that doubles the rate each round trip.
const HIGH_GAIN: u32 = GAIN_UNIT * 2_885 / 1_000 + 1;
const DRAIN_GAIN: u32 = GAIN_UNIT * 1_000 / 2_885;
const CWND_GAIN: u32 = GAIN_UNIT * 2;
const CYCLE: [u32; 8] = [
    GAIN_UNIT * 5 / 4,
    GAIN_UNIT * 3 / 4,
    GAIN_UNIT,
    GAIN_UNIT,
    GAIN_UNIT,
    GAIN_UNIT,
    GAIN_UNIT,
    GAIN_UNIT,
];
/// Of the cycle's phases the one that drains is never the first.
const CYCLE_DRAWN: u64 = 7;
const MIN_CWND: u32 = 4;
const INITIAL_CWND: u32 = 10;
const FULL_BW_THRESHOLD: u32 = GAIN_UNIT * 5 / 4;
const FULL_BW_ROUNDS: u8 = 3;
/// Below this rate in bytes per second bursts are single packets.
const MIN_TSO_RATE: u64 = 1_200_000 / 8;
const EXTRA_ACKED_ROUNDS: u32 = 5;
const EXTRA_ACKED_MAX_US: u64 = 100_000;
const ACK_EPOCH_RESET: u32 = 1 << 20;

/// BBR for all subflows of a connection, each for itself.
#[derive(Clone, Debug, Default)]
pub struct Bbr {
    subflows: PerSubflow<State>,
}

#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
enum Mode {
    #[default]
    Startup,
    Drain,
    ProbeBw,
    ProbeRtt,
}

#[derive(Clone, Debug)]
struct State {
    mode: Mode,
    min_rtt_us: u32,
    min_rtt_at: u64,
    /// When PROBE_RTT may end; 0 until the window is down.
    probe_rtt_done_at: u64,
    probe_rtt_round_done: bool,
    bw: RunningMax,
    rounds: u32,
    next_round_delivered: u32,
    round_start: bool,
    prev_state: CaState,
    /// One packet out per packet in, for the first round of a recovery.
    packet_conservation: bool,
    idle_restart: bool,
    pacing_gain: u32,
    cwnd_gain: u32,
    cycle_index: usize,
    cycle_at: u64,
    full_bw_reached: bool,
    full_bw_rounds: u8,
    full_bw: u32,
    has_seen_rtt: bool,
    prior_cwnd: u32,
    /// Packets acknowledged beyond what the rate explains, in two windows.
    extra_acked: [u32; 2],
    extra_acked_rounds: u32,
    extra_acked_index: usize,
    ack_epoch_at: u64,
    ack_epoch_acked: u32,
    policer: Policer,
}

impl Default for State {
    fn default() -> Self {
        Self {
            mode: Mode::Startup,
            min_rtt_us: u32::MAX,
            min_rtt_at: 0,
            probe_rtt_done_at: 0,
            probe_rtt_round_done: false,
            bw: RunningMax::default(),
            rounds: 0,
            next_round_delivered: 0,
            round_start: false,
            prev_state: CaState::Open,
            packet_conservation: false,
            idle_restart: false,
            pacing_gain: HIGH_GAIN,
            cwnd_gain: HIGH_GAIN,
            cycle_index: 0,
            cycle_at: 0,
            full_bw_reached: false,
            full_bw_rounds: 0,
            full_bw: 0,
            has_seen_rtt: false,
            prior_cwnd: 0,
            extra_acked: [0; 2],
            extra_acked_rounds: 0,
            extra_acked_index: 0,
            ack_epoch_at: 0,
            ack_epoch_acked: 0,
            policer: Policer::default(),
        }
    }
}

/// Bytes per second of a rate times a gain, less the margin that keeps queues short.
fn bytes_per_second(bw: u64, gain: u32, mss: u32) -> u64 {
    let rate = (bw * u64::from(mss) * u64::from(gain)) >> GAIN_SCALE;
    (rate * (1_000_000 / 100 * (100 - PACING_MARGIN_PERCENT))) >> BW_SCALE
}

fn min_tso_segs(window: &Window) -> u32 {
    if window.pacing_rate < MIN_TSO_RATE { 1 } else { 2 }
}

fn tso_segs_goal(window: &Window) -> u32 {
    let bytes = (window.pacing_rate >> 10).min(u64::from(MAX_BURST));
    let segs = (bytes / u64::from(window.mss.max(1))) as u32;
    segs.max(min_tso_segs(window)).min(0x7f)
}

impl State {
    /// The rate to send by: the policer's if there is one (`bbr_bw`).
    fn rate(&self) -> u32 {
        self.policer.rate().unwrap_or(self.bw.get())
    }

    /// The bandwidth-delay product in packets, times a gain.
    fn bdp(&self, bw: u32, gain: u32) -> u32 {
        if self.min_rtt_us == u32::MAX {
            return INITIAL_CWND;
        }
        let product = u64::from(bw) * u64::from(self.min_rtt_us);
        let product = (product * u64::from(gain)) >> GAIN_SCALE;
        ((product + BW_UNIT - 1) >> BW_SCALE) as u32
    }

    /// Room for bursts in the sender, the receiver and between, and for delayed acknowledgements.
    fn with_bursts(&self, window: &Window, packets: u32) -> u32 {
        let packets = packets.saturating_add(3 * tso_segs_goal(window));
        let even = packets.saturating_add(1) & !1;
        let probing = self.mode == Mode::ProbeBw && self.cycle_index == 0;
        even.saturating_add(if probing { 2 } else { 0 })
    }

    fn inflight(&self, window: &Window, bw: u32, gain: u32) -> u32 {
        self.with_bursts(window, self.bdp(bw, gain))
    }

    /// What will be in the network when the next packet leaves (`bbr_packets_in_net_at_edt`).
    fn in_net(&self, now_us: u64, window: &Window, in_flight: u32) -> u32 {
        let ahead_us = window.delivery.departure_us.saturating_sub(now_us);
        let leaving = ((u64::from(self.rate()) * ahead_us) >> BW_SCALE) as u32;
        let mut in_net = in_flight;
        if self.pacing_gain > GAIN_UNIT {
            in_net += tso_segs_goal(window);
        }
        in_net.saturating_sub(leaving)
    }

    fn set_pacing_rate(&mut self, window: &mut Window, bw: u32, gain: u32) {
        let rate = bytes_per_second(bw.into(), gain, window.mss);
        if !self.has_seen_rtt && window.srtt_us > 0 {
            self.init_pacing_rate(window);
        }
        if self.full_bw_reached || rate > window.pacing_rate {
            window.pacing_rate = rate;
        }
    }

    /// Before anything is known: the initial window per round trip, or per millisecond.
    fn init_pacing_rate(&mut self, window: &mut Window) {
        self.has_seen_rtt = window.srtt_us > 0;
        let rtt_us = if self.has_seen_rtt { u64::from(window.srtt_us >> 3).max(1) } else { 1_000 };
        let bw = u64::from(window.cwnd) * BW_UNIT / rtt_us;
        window.pacing_rate = bytes_per_second(bw, HIGH_GAIN, window.mss);
    }

    fn save_cwnd(&mut self, cwnd: u32) {
        let fresh = self.prev_state < CaState::Recovery && self.mode != Mode::ProbeRtt;
        self.prior_cwnd = if fresh { cwnd } else { self.prior_cwnd.max(cwnd) };
    }

    // ---- the model -----------------------------------------------------------------------

    fn update_model(&mut self, now_us: u64, window: &mut Window, sample: &RateSample) {
        self.update_bw(now_us, window, sample);
        self.update_ack_aggregation(window, sample);
        if self.mode == Mode::ProbeBw && self.phase_is_over(now_us, window, sample) {
            self.next_phase(window);
        }
        self.check_full_bw(sample);
        self.check_drain(now_us, window);
        self.update_min_rtt(now_us, window, sample);
        self.update_gains();
    }

    fn update_bw(&mut self, now_us: u64, window: &mut Window, sample: &RateSample) {
        self.round_start = false;
        let Some(delivered) = sample.delivered.filter(|_| sample.interval_us > 0) else { return };
        if sample.prior_delivered.wrapping_sub(self.next_round_delivered) as i32 >= 0 {
            self.next_round_delivered = window.delivery.delivered;
            self.rounds = self.rounds.wrapping_add(1);
            self.round_start = true;
            self.packet_conservation = false;
        }
        self.sample_policer(now_us, window, sample);
        let bw = (u64::from(delivered) * BW_UNIT / sample.interval_us) as u32;
        if !sample.app_limited || bw >= self.bw.get() {
            self.bw.update(BW_ROUNDS, self.rounds, bw);
        }
    }

    fn sample_policer(&mut self, now_us: u64, window: &mut Window, sample: &RateSample) {
        let probing = self.mode == Mode::ProbeBw;
        if self.policer.expired(probing, self.round_start) {
            self.probe_bw(now_us, window);
        } else if self.policer.sample(&window.delivery, sample, self.round_start, window.mss) {
            self.pacing_gain = GAIN_UNIT;
        }
    }

    fn update_ack_aggregation(&mut self, window: &Window, sample: &RateSample) {
        if sample.acked_sacked == 0 || sample.delivered.is_none() || sample.interval_us == 0 {
            return;
        }
        if self.round_start {
            self.extra_acked_rounds += 1;
            if self.extra_acked_rounds >= EXTRA_ACKED_ROUNDS {
                self.extra_acked_rounds = 0;
                self.extra_acked_index ^= 1;
                self.extra_acked[self.extra_acked_index] = 0;
            }
        }
        let at = window.delivery.at_us;
        let epoch_us = at.saturating_sub(self.ack_epoch_at);
        let mut expected = (u64::from(self.rate()).saturating_mul(epoch_us) >> BW_SCALE) as u32;
        if self.ack_epoch_acked <= expected
            || self.ack_epoch_acked + sample.acked_sacked >= ACK_EPOCH_RESET
        {
            self.ack_epoch_acked = 0;
            self.ack_epoch_at = at;
            expected = 0;
        }
        self.ack_epoch_acked = (self.ack_epoch_acked + sample.acked_sacked).min(0xf_ffff);
        let extra = self.ack_epoch_acked.saturating_sub(expected).min(window.cwnd);
        let most = &mut self.extra_acked[self.extra_acked_index];
        *most = (*most).max(extra);
    }

    fn phase_is_over(&self, now_us: u64, window: &Window, sample: &RateSample) -> bool {
        let elapsed = window.delivery.at_us.saturating_sub(self.cycle_at);
        let full_length = elapsed > u64::from(self.min_rtt_us);
        if self.pacing_gain == GAIN_UNIT {
            return full_length;
        }
        let in_net = self.in_net(now_us, window, sample.prior_in_flight);
        let bw = self.bw.get();
        if self.pacing_gain > GAIN_UNIT {
            // The higher rate has reached the path: as much is in flight, or lost.
            return full_length
                && (sample.losses > 0 || in_net >= self.inflight(window, bw, self.pacing_gain));
        }
        full_length || in_net <= self.inflight(window, bw, GAIN_UNIT)
    }

    fn next_phase(&mut self, window: &Window) {
        self.cycle_index = (self.cycle_index + 1) % CYCLE.len();
        self.cycle_at = window.delivery.at_us;
    }

    fn probe_bw(&mut self, now_us: u64, window: &Window) {
        self.mode = Mode::ProbeBw;
        self.cycle_index = CYCLE.len() - 1 - (now_us % CYCLE_DRAWN) as usize;
        self.next_phase(window);
    }

    fn check_full_bw(&mut self, sample: &RateSample) {
        if self.full_bw_reached || !self.round_start || sample.app_limited {
            return;
        }
        let threshold = (u64::from(self.full_bw) * u64::from(FULL_BW_THRESHOLD)) >> GAIN_SCALE;
        if u64::from(self.bw.get()) >= threshold {
            self.full_bw = self.bw.get();
            self.full_bw_rounds = 0;
            return;
        }
        self.full_bw_rounds += 1;
        self.full_bw_reached = self.full_bw_rounds >= FULL_BW_ROUNDS;
    }

    fn check_drain(&mut self, now_us: u64, window: &mut Window) {
        let bw = self.bw.get();
        if self.mode == Mode::Startup && self.full_bw_reached {
            self.mode = Mode::Drain;
            window.ssthresh = self.inflight(window, bw, GAIN_UNIT);
        }
        let in_net = self.in_net(now_us, window, window.in_flight());
        if self.mode == Mode::Drain && in_net <= self.inflight(window, bw, GAIN_UNIT) {
            self.probe_bw(now_us, window);
        }
    }

    fn update_min_rtt(&mut self, now_us: u64, window: &mut Window, sample: &RateSample) {
        let expired = now_us > self.min_rtt_at + MIN_RTT_WINDOW_US;
        if let Some(rtt_us) = sample.rtt_us
            && (rtt_us < self.min_rtt_us || (expired && !sample.ack_delayed))
        {
            self.min_rtt_us = rtt_us;
            self.min_rtt_at = now_us;
        }
        if expired && !self.idle_restart && self.mode != Mode::ProbeRtt {
            self.save_cwnd(window.cwnd);
            self.mode = Mode::ProbeRtt;
            self.probe_rtt_done_at = 0;
        }
        if self.mode == Mode::ProbeRtt {
            self.probe_rtt(now_us, window);
        }
        if sample.delivered.is_some_and(|delivered| delivered > 0) {
            self.idle_restart = false;
        }
    }

    fn probe_rtt(&mut self, now_us: u64, window: &mut Window) {
        // What is measured with so few packets says nothing of the bandwidth.
        window.delivery.app_limited = true;
        if self.probe_rtt_done_at == 0 && window.in_flight() <= MIN_CWND {
            self.probe_rtt_done_at = now_us + PROBE_RTT_US;
            self.probe_rtt_round_done = false;
            self.next_round_delivered = window.delivery.delivered;
        } else if self.probe_rtt_done_at != 0 {
            self.probe_rtt_round_done |= self.round_start;
            if self.probe_rtt_round_done {
                self.check_probe_rtt_done(now_us, window);
            }
        }
    }

    fn check_probe_rtt_done(&mut self, now_us: u64, window: &mut Window) {
        if self.probe_rtt_done_at == 0 || now_us <= self.probe_rtt_done_at {
            return;
        }
        self.min_rtt_at = now_us;
        window.cwnd = window.cwnd.max(self.prior_cwnd);
        if self.full_bw_reached {
            self.probe_bw(now_us, window);
        } else {
            self.mode = Mode::Startup;
        }
    }

    fn update_gains(&mut self) {
        (self.pacing_gain, self.cwnd_gain) = match self.mode {
            Mode::Startup => (HIGH_GAIN, HIGH_GAIN),
            Mode::Drain => (DRAIN_GAIN, HIGH_GAIN),
            Mode::ProbeBw if self.policer.rate().is_some() => (GAIN_UNIT, CWND_GAIN),
            Mode::ProbeBw => (CYCLE[self.cycle_index], CWND_GAIN),
            Mode::ProbeRtt => (GAIN_UNIT, GAIN_UNIT),
        };
    }

    // ---- the window ----------------------------------------------------------------------

    fn set_cwnd(&mut self, window: &mut Window, sample: &RateSample, bw: u32) {
        let acked = sample.acked_sacked;
        if acked > 0 {
            let (cwnd, settled) = self.recover_or_restore(window, sample);
            window.cwnd = if settled { cwnd } else { self.grown(window, cwnd, acked, bw) };
        }
        if self.mode == Mode::ProbeRtt {
            window.cwnd = window.cwnd.min(MIN_CWND);
        }
    }

    fn grown(&self, window: &Window, cwnd: u32, acked: u32, bw: u32) -> u32 {
        let target = self.bdp(bw, self.cwnd_gain).saturating_add(self.aggregation());
        let target = self.with_bursts(window, target);
        let more = cwnd.saturating_add(acked);
        let cwnd = if self.full_bw_reached {
            more.min(target)
        } else if cwnd < target || window.delivery.delivered < INITIAL_CWND {
            more
        } else {
            cwnd
        };
        cwnd.max(MIN_CWND)
    }

    /// Room for acknowledgements that come in lumps.
    fn aggregation(&self) -> u32 {
        if !self.full_bw_reached {
            return 0;
        }
        let most = ((u64::from(self.rate()) * EXTRA_ACKED_MAX_US) >> BW_SCALE) as u32;
        self.extra_acked[0].max(self.extra_acked[1]).min(most)
    }

    /// The window in and after a recovery; true if nothing else counts.
    fn recover_or_restore(&mut self, window: &Window, sample: &RateSample) -> (u32, bool) {
        let (state, previous) = (window.ca_state, self.prev_state);
        let conserved = window.in_flight() + sample.acked_sacked;
        let mut cwnd = window.cwnd;
        if sample.losses > 0 {
            cwnd = cwnd.saturating_sub(sample.losses).max(1);
        }
        if state == CaState::Recovery && previous != CaState::Recovery {
            self.packet_conservation = true;
            self.next_round_delivered = window.delivery.delivered;
            cwnd = conserved;
        } else if previous >= CaState::Recovery && state < CaState::Recovery {
            cwnd = cwnd.max(self.prior_cwnd);
            self.packet_conservation = false;
        }
        self.prev_state = state;
        if self.packet_conservation { (cwnd.max(conserved), true) } else { (cwnd, false) }
    }
}

impl CongestionControl for Bbr {
    fn init(&mut self, flow: &mut Flow<'_>) {
        let now_us = flow.clock.us;
        let window = flow.view();
        let mut state = State {
            next_round_delivered: window.delivery.delivered,
            min_rtt_us: window.min_rtt_us,
            min_rtt_at: now_us,
            ack_epoch_at: now_us,
            ..State::default()
        };
        state.init_pacing_rate(flow.window());
        *self.subflows.of(flow.me()) = state;
    }

    fn ssthresh(&mut self, flow: &mut Flow<'_>) -> u32 {
        let state = self.subflows.of(flow.me());
        state.save_cwnd(flow.view().cwnd);
        flow.view().ssthresh
    }

    /// Never called: windows change in [`Self::cong_control`].
    fn cong_avoid(&mut self, _flow: &mut Flow<'_>, _acked: u32) {}

    fn set_state(&mut self, flow: &mut Flow<'_>, new: CaState) {
        if new != CaState::Loss {
            return;
        }
        let now_us = flow.clock.us;
        let state = self.subflows.of(flow.me());
        state.prev_state = CaState::Loss;
        state.full_bw = 0;
        state.round_start = true;
        let sample = RateSample { losses: 1, ..RateSample::default() };
        state.sample_policer(now_us, flow.window(), &sample);
    }

    fn cwnd_event(&mut self, flow: &mut Flow<'_>, event: CaEvent) {
        if event != CaEvent::TxStart || !flow.view().delivery.app_limited {
            return;
        }
        let now_us = flow.clock.us;
        let state = self.subflows.of(flow.me());
        state.idle_restart = true;
        state.ack_epoch_at = now_us;
        state.ack_epoch_acked = 0;
        let bw = state.rate();
        match state.mode {
            Mode::ProbeBw => state.set_pacing_rate(flow.window(), bw, GAIN_UNIT),
            Mode::ProbeRtt => state.check_probe_rtt_done(now_us, flow.window()),
            Mode::Startup | Mode::Drain => {}
        }
    }

    fn undo_cwnd(&mut self, flow: &mut Flow<'_>) -> u32 {
        let state = self.subflows.of(flow.me());
        state.full_bw = 0;
        state.full_bw_rounds = 0;
        state.policer = Policer::default();
        flow.view().cwnd
    }

    fn controls_rate(&self) -> bool {
        true
    }

    fn cong_control(&mut self, flow: &mut Flow<'_>, sample: &RateSample) {
        let now_us = flow.clock.us;
        let state = self.subflows.of(flow.me());
        let window = flow.window();
        state.update_model(now_us, window, sample);
        let bw = state.rate();
        state.set_pacing_rate(window, bw, state.pacing_gain);
        state.set_cwnd(window, sample, bw);
    }

    fn paces(&self) -> bool {
        true
    }

    fn min_tso_segs(&self, window: &Window) -> Option<u32> {
        Some(min_tso_segs(window))
    }

    fn sndbuf_windows(&self) -> u32 {
        3
    }

    fn internals(&self, me: usize, window: &Window) -> Internals {
        self.subflows.get(me).map_or_else(Internals::default, |state| {
            Internals::of([
                (
                    "bw_Bps",
                    Number::from(bytes_per_second(state.rate().into(), GAIN_UNIT, window.mss)),
                ),
                ("min_rtt_us", Number::from(state.min_rtt_us)),
            ])
        })
    }
}
