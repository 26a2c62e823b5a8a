//! BLEST, blocking estimation: a slow subflow is left out when it would block the send window.
//!
//! If the default scheduler has to turn to a slower subflow because the fastest is
//! busy, BLEST estimates for how long a packet would stay there, and how many bytes
//! the fastest subflow could send in that time:
//!
//! ```text
//! X = mss * (w_f + (n - 1)/2) * n        n = delay of the slow subflow / delay of the fast one
//! X * lambda > window - bytes on the slow subflow   =>   wait for the fast one
//! ```
//!
//! `lambda` corrects the estimate: it grows with every retransmission that freed a
//! blocked window and shrinks otherwise, once per round trip.
//!
//! Source: S. Ferlin, O. Alay, O. Mehani and R. Boreli, "BLEST: Blocking
//! estimation-based MPTCP scheduler for heterogeneous networks", IFIP Networking
//! 2016; Linux out-of-tree v0.95 (`net/mptcp/mptcp_blest.c`), whose module
//! parameters it has: `lambda` (12, in tenths), `min_lambda` (10), `max_lambda`
//! (13), `dyn_lambda_good` (10, in thousandths), `dyn_lambda_bad` (40).
//!
//! What the kernel adds to the paper: in the first slow start the fast window is
//! taken to double per round trip; the time on the slow subflow lies between the
//! least and greatest smoothed round-trip time it has had, depending on how full
//! its window is; penalisation hits all carriers of the oldest data. Unlike the kernel
//! it does not wait for a subflow that repairs a timeout, nor with data that
//! failed elsewhere: the kernel can wait there for a path that is dead.

use mptcpsim_core::time::{Span, Time};

use super::available::fill;
use super::lowest_rtt::{answering_data_fin, choose};
use super::relief::{Penalty, Rescue, is_serious};
use super::{Ask, Blocked, ConnView, Pick, Piece, Relief, Scheduler, SubflowView};
use crate::congestion::{CaState, INFINITE_SSTHRESH, PerSubflow};
use crate::params::params;

params! {
    /// The module parameters of `mptcp_blest`.
    pub struct Params {
        lambda: u32 = 12, 1..=255,
            "lambda at first, in 1/10";
        max_lambda: u32 = 13, 1..=255,
            "largest lambda, in 1/10";
        min_lambda: u32 = 10, 1..=255,
            "smallest lambda, in 1/10";
        dyn_lambda_good: u32 = 10, 0..=255,
            "decrease of lambda after a round trip without blocking, in 1/1000";
        dyn_lambda_bad: u32 = 40, 0..=255,
            "increase of lambda after a round trip with blocking, in 1/1000";
    }
}

/// More round trips of slow start than any window stands.
const MAX_DOUBLINGS: u32 = 16;

/// The scheduler.
#[derive(Clone, Debug, Default)]
pub struct Blest {
    /// Module parameters.
    pub(super) params: Params,
    /// The correction in 1/1000, and when it was last changed; none before the first decision.
    lambda: Option<(u32, Time)>,
    /// The window was blocked since then.
    blocked: bool,
    delays: PerSubflow<Delays>,
    rescue: Rescue,
}

/// The least and greatest smoothed round-trip time of a subflow, in microseconds times 8.
#[derive(Clone, Copy, Debug)]
struct Delays {
    min: u32,
    max: u32,
}

impl Default for Delays {
    fn default() -> Self {
        Self { min: u32::MAX, max: 0 }
    }
}

impl Delays {
    const fn mean(self) -> u32 {
        self.min.wrapping_add(self.max) / 2
    }

    /// How long a packet sent now will stay on the subflow.
    fn linger(self, subflow: &SubflowView) -> u32 {
        let in_flight = subflow.in_flight + 1;
        let estimate = if in_flight >= subflow.cwnd {
            self.max
        } else {
            let span = self.max.wrapping_sub(self.min);
            self.min.wrapping_add(span.wrapping_mul(in_flight) / subflow.cwnd.max(1))
        };
        estimate.max(subflow.srtt_us8)
    }
}

/// Packets that the subflow can send in so many round trips, with Reno.
fn packets_in(subflow: &SubflowView, round_trips: u32) -> u32 {
    if subflow.ssthresh == INFINITE_SSTHRESH {
        let doublings = round_trips.min(MAX_DOUBLINGS);
        return subflow.cwnd.wrapping_mul((1 << doublings) - 1);
    }
    let cwnd = subflow.cwnd.max(subflow.ssthresh.saturating_add(1));
    cwnd.wrapping_add((round_trips - 1) / 2).wrapping_mul(round_trips)
}

impl Blest {
    /// Notes the delays and finds the fastest subflow, whatever its window.
    fn fastest<'a>(&mut self, view: &ConnView<'a>) -> Option<&'a SubflowView> {
        let may = |s: &&SubflowView| s.active && s.ca_state != CaState::Loss;
        let active = view.subflows.iter().rev().filter(may);
        for subflow in active.clone() {
            let delays = self.delays.of(subflow.id);
            delays.min = delays.min.min(subflow.srtt_us8);
            delays.max = delays.max.max(subflow.srtt_us8);
        }
        active.min_by_key(|subflow| subflow.srtt_us8)
    }

    /// The correction in 1/1000, brought up to date once per round trip of the slow subflow.
    fn lambda(&mut self, now: Time, slow: &SubflowView) -> u32 {
        let params = self.params;
        let (lambda, changed) = *self.lambda.get_or_insert((params.lambda * 100, now));
        let round_trip = Span::from_us(u64::from(self.delays.of(slow.id).min >> 3));
        if now - changed < round_trip {
            return lambda;
        }
        let lambda = if std::mem::take(&mut self.blocked) {
            lambda + params.dyn_lambda_bad
        } else {
            lambda.saturating_sub(params.dyn_lambda_good)
        };
        let lambda = lambda.min(params.max_lambda * 100).max(params.min_lambda * 100);
        self.lambda = Some((lambda, now));
        lambda
    }

    /// Whether `slow` would keep the window from the fast subflow (`blest_get_available_subflow`).
    fn blocks(
        &mut self,
        view: &ConnView<'_>,
        fast: &SubflowView,
        slow: &SubflowView,
        len: u32,
    ) -> bool {
        let lambda = u64::from(self.lambda(view.now, slow));
        let linger = self.delays.of(slow.id).linger(slow);
        let round_trips = linger.checked_div(self.delays.of(fast.id).mean()).unwrap_or(0) + 1;
        let packets = u64::from(packets_in(fast, round_trips));
        let fast_bytes = packets * u64::from(fast.mss) * lambda / 1_000;
        let window = view.window + (view.nxt - view.una);
        fast_bytes > window.saturating_sub(u64::from(len) + slow.unacked)
    }
}

impl Scheduler for Blest {
    #[inline(never)]
    fn pick(&mut self, view: &ConnView<'_>, ask: Ask) -> Pick {
        let fast = self.fastest(view);
        let Some(chosen) = choose(view, &ask) else { return Pick::Wait };
        match (fast, ask) {
            (Some(fast), Ask::New(piece))
                if fast.id != chosen.id && answering_data_fin(view, &ask).is_none() =>
            {
                let len = piece.len.min(chosen.mss);
                if self.blocks(view, fast, chosen, len) { Pick::Wait } else { fill(chosen) }
            }
            _ => fill(chosen),
        }
    }

    fn relieve(
        &mut self,
        view: &ConnView<'_>,
        blocked: Blocked,
        oldest: &Piece,
        picked: usize,
    ) -> Relief {
        self.blocked |= is_serious(blocked);
        self.rescue.relieve(view, blocked, oldest, picked, Penalty::All)
    }
}

#[cfg(test)]
mod tests {
    use super::super::testing::{new_data, picked, subflow, view};
    use super::*;

    /// The fast subflow is full, the slow one free; the window leaves so many bytes.
    fn choice(blest: &mut Blest, window: u64) -> Option<usize> {
        let fast = SubflowView { in_flight: 10, ..subflow(0, 10) };
        let subflows = [fast, subflow(1, 100)];
        picked(blest.pick(&ConnView { window, ..view(&subflows) }, new_data(1_400)))
    }

    #[test]
    fn a_free_fast_subflow_is_used() {
        let subflows = [subflow(0, 10), subflow(1, 100)];
        assert_eq!(picked(Blest::default().pick(&view(&subflows), new_data(1_400))), Some(0));
    }

    #[test]
    fn a_slow_subflow_waits_when_the_fast_one_needs_the_window() {
        // 11 round trips of the fast one in one of the slow: (max(10, 11) + 5) * 11 = 176 packets,
        // times 1.19 after one round trip without blocking.
        let needed = 176 * 1_400 * 1_190 / 1_000;
        assert_eq!(choice(&mut Blest::default(), needed + 1_400), None);
        let mut blest = Blest { lambda: Some((1_200, Time::ZERO)), ..Blest::default() };
        let before = 176 * 1_400 * 12 / 10;
        assert_eq!(choice(&mut blest.clone(), before + 1_400), Some(1));
        assert_eq!(choice(&mut blest, before + 1_399), None);
    }

    #[test]
    fn bytes_on_the_slow_subflow_occupy_the_window() {
        let fast = SubflowView { in_flight: 10, ..subflow(0, 10) };
        let slow = SubflowView { unacked: 10_000, in_flight: 7, ..subflow(1, 100) };
        let subflows = [fast, slow];
        let at = |window| {
            let view = ConnView { window, ..view(&subflows) };
            picked(Blest::default().pick(&view, new_data(1_400)))
        };
        let needed = 176 * 1_400 * 12 / 10 + 1_400;
        assert_eq!(at(needed + 9_999), None);
        assert_eq!(at(needed + 10_000), Some(1));
    }

    #[test]
    fn the_first_slow_start_doubles_per_round_trip() {
        let fresh = SubflowView { ssthresh: INFINITE_SSTHRESH, ..subflow(0, 10) };
        assert_eq!(packets_in(&fresh, 3), 70);
        assert_eq!(packets_in(&fresh, 40), 10 * 65_535);
        assert_eq!(packets_in(&subflow(0, 10), 3), (11 + 1) * 3);
    }

    #[test]
    fn blocking_raises_lambda_and_its_absence_lowers_it_within_limits() {
        let slow = subflow(1, 100);
        let mut blest = Blest::default();
        blest.delays.of(1).min = slow.srtt_us8;
        let at = |ms| Time::ZERO + Span::from_ms(ms);
        assert_eq!(blest.lambda(at(0), &slow), 1_200);
        blest.blocked = true;
        assert_eq!(blest.lambda(at(99), &slow), 1_200);
        assert_eq!(blest.lambda(at(100), &slow), 1_240);
        assert_eq!(blest.lambda(at(200), &slow), 1_230);
        for round in 3..40 {
            blest.lambda(at(100 * round), &slow);
        }
        assert_eq!(blest.lambda(at(4_000), &slow), 1_000);
        for round in 41..60 {
            blest.blocked = true;
            blest.lambda(at(100 * round), &slow);
        }
        assert_eq!(blest.lambda(at(6_000), &slow), 1_290);
    }
}
