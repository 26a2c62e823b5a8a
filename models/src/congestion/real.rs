//! Windows as real numbers, for the published forms of algorithms.
//!
//! Papers let a window grow by fractions of a packet; the sender knows whole
//! packets only. The fraction is kept beside the window.

use super::{CaState, Flow, PerSubflow, Window};

/// The fractions of the windows, in packets.
#[derive(Clone, Debug, Default)]
pub(super) struct Fractions(PerSubflow<f64>);

impl Fractions {
    /// The window of subflow `index` as a real number of packets.
    pub(super) fn window(&self, index: usize, window: &Window) -> f64 {
        f64::from(window.settled_cwnd()) + self.0.get(index).copied().unwrap_or(0.0)
    }

    /// The window the call is about.
    pub(super) fn own(&self, flow: &Flow<'_>) -> f64 {
        self.window(flow.me(), flow.view())
    }

    /// Lets the own window grow, or shrink down to one packet.
    pub(super) fn add(&mut self, flow: &mut Flow<'_>, packets: f64) {
        let target = (self.own(flow) + packets).max(1.0);
        flow.window().cwnd = self.keep(flow.me(), target);
    }

    /// The threshold after the own window has lost `packets`: at least one packet if other
    /// subflows can carry on, else two (RFC 6356 section 3).
    pub(super) fn ssthresh(&mut self, flow: &Flow<'_>, packets: f64) -> u32 {
        let floor = if flow.coupled().count() > 1 { 1.0 } else { 2.0 };
        self.keep(flow.me(), (self.own(flow) - packets).max(floor))
    }

    /// The threshold after the own window has lost its half.
    pub(super) fn halve(&mut self, flow: &Flow<'_>) -> u32 {
        let half = self.own(flow) / 2.0;
        self.ssthresh(flow, half)
    }

    /// A timeout starts the window of subflow `index` anew.
    pub(super) fn set_state(&mut self, index: usize, new: CaState) {
        if new == CaState::Loss {
            self.forget(index);
        }
    }

    /// The fraction of the own window is void: it starts anew.
    pub(super) fn forget(&mut self, index: usize) {
        *self.0.of(index) = 0.0;
    }

    fn keep(&mut self, index: usize, window: f64) -> u32 {
        let whole = window.floor();
        *self.0.of(index) = window - whole;
        whole as u32
    }
}

/// The acknowledged packets that are left for an algorithm's own congestion avoidance: without
/// coupling Reno takes all of them, and slow start comes first.
pub(super) fn left_for_avoidance(flow: &mut Flow<'_>, acked: u32) -> u32 {
    let window = flow.window();
    if !window.multipath || !window.couples() {
        window.reno_cong_avoid(acked);
        return 0;
    }
    match (window.cwnd_limited(), window.in_slow_start()) {
        (false, _) => 0,
        (true, true) => window.slow_start(acked),
        (true, false) => acked,
    }
}

/// Rate of a window in packets per microsecond of smoothed round-trip time times 8. All uses are
/// ratios, in which the unit cancels.
pub(super) fn rate(packets: f64, window: &Window) -> f64 {
    packets / f64::from(window.srtt_us)
}

/// The sum of all windows' rates.
pub(super) fn total_rate(fractions: &Fractions, flow: &Flow<'_>) -> f64 {
    flow.coupled().map(|(i, window)| rate(fractions.window(i, window), window)).sum()
}
