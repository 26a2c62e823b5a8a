//! Spacing packets by a rate (Linux `tcp_pacing_check`, `tcp_update_skb_after_send`), for congestion
//! controls that want it. All others find two switches off.

use mptcpsim_core::time::{Span, Time};

use super::{Cx, Subflow, Wants};
use crate::congestion::CongestionControl;
use crate::sysctl::Qdisc;

/// So many segments with data come first and are not paced.
const UNPACED_SEGMENTS: u64 = 10;

/// Pacing of one subflow.
#[derive(Clone, Copy, Debug)]
pub(super) struct Pacing {
    /// Packets are paced.
    on: bool,
    /// The congestion control sets window and rate in every state.
    pub(super) controls_rate: bool,
    /// When the next burst may leave (`tcp_wstamp_ns`).
    departure: Time,
    /// When somebody waits for that: a high-resolution timer, exact.
    due: Time,
}

impl Default for Pacing {
    fn default() -> Self {
        Self { on: false, controls_rate: false, departure: Time::ZERO, due: Time::NEVER }
    }
}

impl Pacing {
    pub(super) const fn is_on(&self) -> bool {
        self.on
    }

    pub(super) const fn due(&self) -> Time {
        self.due
    }

    pub(super) fn is_waiting(&self) -> bool {
        self.due != Time::NEVER
    }
}

impl Subflow {
    /// The congestion control begins, and says whether it paces.
    pub(super) fn start_congestion_control(&mut self, cx: &mut Cx<'_>) {
        self.pacing.on = cx.congestion.paces() || cx.sysctl().default_qdisc == Qdisc::Fq;
        self.pacing.controls_rate = cx.congestion.controls_rate();
        cx.w().paced = self.pacing.on;
        cx.ca_init();
    }

    /// Whether the next burst has to wait, and then sets the timer.
    pub(super) fn is_paced(&mut self, now: Time) -> bool {
        if !self.pacing.on || self.pacing.departure <= now {
            return false;
        }
        self.pacing.due = self.pacing.departure;
        true
    }

    /// `len` bytes have left: the next ones follow at the pacing rate. Time lost is made good for,
    /// but for no more than half of what these take.
    pub(super) fn pace(&mut self, cx: &mut Cx<'_>, len: u32) {
        if !self.pacing.on || self.totals.data_segs_out < UNPACED_SEGMENTS {
            return;
        }
        let rate = cx.w().pacing_rate;
        let nanos = (u64::from(len) * 1_000_000_000).checked_div(rate).unwrap_or(0);
        let late = cx.now - self.pacing.departure;
        let credit = late.min(Span::from_ns(nanos / 2));
        let departure = self.pacing.departure.max(cx.now) + Span::from_ns(nanos) - credit;
        self.pacing.departure = departure;
        cx.w().delivery.departure_us = departure.as_us();
    }

    /// The wait is over: what waited may leave.
    pub(super) fn pacing_timeout(&mut self, cx: &Cx<'_>) {
        self.pacing.due = Time::NEVER;
        self.wants.set(Wants::PUSH);
        if cx.window().retrans_out < cx.window().lost_out {
            self.wants.set(Wants::RETRANSMIT);
        }
    }
}
