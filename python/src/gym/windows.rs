//! Congestion windows that an agent sets.

use std::sync::{Arc, Mutex, PoisonError};

use mptcpsim_models::congestion::{CongestionControl, Flow, RateSample};

use super::SUBFLOWS;
use super::desk::Answer;

/// What a window can be, in packets.
const LEAST: f64 = 2.0;
const MOST: f64 = 65_536.0;

/// The windows of a connection's subflows in packets, not rounded. A subflow that is not there has 0.
#[derive(Clone, Debug, Default)]
pub(super) struct Windows(Arc<Mutex<[f64; SUBFLOWS]>>);

impl Windows {
    /// Multiplies each window with its factor.
    pub(super) fn multiply(&self, factors: Answer) {
        let mut windows = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        for (window, factor) in windows.iter_mut().zip(factors).filter(|(it, _)| **it > 0.0) {
            *window = (*window * f64::from(factor)).clamp(LEAST, MOST);
        }
    }

    fn begin(&self, subflow: usize, cwnd: u32) {
        let mut windows = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        if let Some(window) = windows.get_mut(subflow) {
            *window = f64::from(cwnd);
        }
    }

    fn of(&self, subflow: usize) -> Option<u32> {
        let windows = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        windows.get(subflow).map(|window| window.max(LEAST) as u32)
    }
}

/// Keeps windows where they are set, whatever is lost, and spaces packets over the round trip.
#[derive(Clone, Debug)]
pub(super) struct Holder {
    windows: Windows,
}

impl Holder {
    /// With windows that are set elsewhere.
    pub(super) fn new(windows: Windows) -> Self {
        Self { windows }
    }

    fn hold(&self, flow: &mut Flow<'_>) {
        let Some(cwnd) = self.windows.of(flow.me()) else { return };
        let window = flow.window();
        window.cwnd = cwnd;
        // A quarter faster than a window per round trip, so that pacing is never the limit; a
        // millisecond where no round trip is known.
        let srtt_us8 = if window.srtt_us == 0 { 8_000 } else { window.srtt_us };
        let bytes = u64::from(cwnd) * u64::from(window.mss);
        window.pacing_rate = bytes * 10_000_000 / u64::from(srtt_us8);
    }
}

impl CongestionControl for Holder {
    fn init(&mut self, flow: &mut Flow<'_>) {
        let cwnd = flow.view().cwnd;
        self.windows.begin(flow.me(), cwnd);
        self.hold(flow);
    }

    fn ssthresh(&mut self, flow: &mut Flow<'_>) -> u32 {
        flow.view().cwnd.max(2)
    }

    fn cong_avoid(&mut self, flow: &mut Flow<'_>, _acked: u32) {
        self.hold(flow);
    }

    fn controls_rate(&self) -> bool {
        true
    }

    fn cong_control(&mut self, flow: &mut Flow<'_>, _sample: &RateSample) {
        self.hold(flow);
    }

    fn paces(&self) -> bool {
        true
    }
}
