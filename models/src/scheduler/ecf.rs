//! ECF, earliest completion first: a slow subflow is left out when waiting for the fast one ends sooner.
//!
//! If the default scheduler has to turn to a slower subflow because the fastest is
//! busy, ECF compares two ways to send the `k` bytes that wait: all on the fast
//! subflow once it is free, or some on the slow one now. With windows `w` and
//! delays `r` of the fast (f) and slow (s) subflow and `d` the larger of their
//! delays' deviations it waits if
//!
//! ```text
//! (1 + max(k, w_f)/w_f) r_f  <  (1 + b) (r_s + d)     and
//! max(k, w_s)/w_s r_s       >=  2 r_f + d
//! ```
//!
//! where `b` is 0 at first and `1/mptcp_ecf_r_beta` while it waits.
//!
//! Source: Y. Lim, E. Nahum, D. Towsley and R. Gibbens, "ECF: An MPTCP path
//! scheduler to manage heterogeneous paths", CoNEXT 2017; Linux out-of-tree v0.95
//! (`net/mptcp/mptcp_ecf.c`), whose module parameter it has: `mptcp_ecf_r_beta` (4).
//!
//! Differences from the paper, as in the kernel: `k` is the memory of the data
//! written less what the subflows hold, and the products are numbers of 32 bits that
//! overflow for large windows (with the parameter `overflows` at 0 they do not). Unlike
//! the kernel it does not wait for a subflow that repairs a timeout, nor with data that
//! failed elsewhere: the kernel can wait there for a path that is dead.

use super::available::fill;
use super::lowest_rtt::{answering_data_fin, choose};
use super::relief::{Penalty, Rescue};
use super::{Ask, Blocked, ConnView, Pick, Piece, Relief, Scheduler, SubflowView};
use crate::congestion::CaState;
use crate::params::params;

params! {
    /// The module parameters of `mptcp_ecf`.
    pub struct Params {
        mptcp_ecf_r_beta: u32 = 4, 1..=2_147_483_647,
            "1/b: how much sooner the fast subflow has to be, once it is waited for";
        overflows: bool = 1, 0..=1,
            "1: products are numbers of 32 bits, as in the kernel; 0: they are exact, as in the paper";
    }
}

/// The scheduler.
#[derive(Clone, Debug, Default)]
pub struct Ecf {
    /// Module parameters.
    pub(super) params: Params,
    /// The fast subflow is being waited for.
    waiting: bool,
    rescue: Rescue,
}

impl Ecf {
    /// Whether waiting for `fast` ends sooner than sending on `slow` now.
    fn waits(&mut self, view: &ConnView<'_>, fast: &SubflowView, slow: &SubflowView) -> bool {
        let mss = slow.mss;
        let queued = u32::try_from(view.pending).unwrap_or(u32::MAX);
        let (r_f, r_s) = (fast.srtt_us8 >> 3, slow.srtt_us8 >> 3);
        let deviation = (fast.rttvar_us4 >> 1).max(slow.rttvar_us4 >> 1);
        let w_f = fast.cwnd.wrapping_mul(mss);
        let fast_time = self.product(r_f, queued.max(w_f).wrapping_add(w_f));
        let slow_time = self.product(w_f, r_s.wrapping_add(deviation));
        let beta = u64::from(self.params.mptcp_ecf_r_beta);
        if beta * fast_time >= (beta + u64::from(self.waiting)) * slow_time {
            self.waiting = false;
            return false;
        }
        let w_s = slow.cwnd.wrapping_mul(mss);
        let now = self.product(r_s, queued.max(w_s));
        let later = self.product(w_s, r_f.wrapping_mul(2).wrapping_add(deviation));
        if now < later {
            return false;
        }
        self.waiting = true;
        true
    }

    fn product(&self, a: u32, b: u32) -> u64 {
        let exact = u64::from(a) * u64::from(b);
        if self.params.overflows { exact & u64::from(u32::MAX) } else { exact }
    }
}

impl Scheduler for Ecf {
    #[inline(never)]
    fn pick(&mut self, view: &ConnView<'_>, ask: Ask) -> Pick {
        let Some(chosen) = choose(view, &ask) else { return Pick::Wait };
        let decides = matches!(ask, Ask::New(_)) && answering_data_fin(view, &ask).is_none();
        let may = |s: &&SubflowView| s.active && s.ca_state != CaState::Loss;
        let fast = view.subflows.iter().rev().filter(may).min_by_key(|s| s.srtt_us8);
        match fast {
            Some(fast) if decides && fast.id != chosen.id && self.waits(view, fast, chosen) => {
                Pick::Wait
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
        self.rescue.relieve(view, blocked, oldest, picked, Penalty::First)
    }
}

#[cfg(test)]
mod tests {
    use super::super::testing::{new_data, picked, subflow, view};
    use super::*;

    /// The fast subflow is full, the slow one free, and so many packets wait.
    fn choice(ecf: &mut Ecf, slow_rtt_ms: u32, packets: u64) -> Option<usize> {
        let fast = SubflowView { in_flight: 10, ..subflow(0, 10) };
        let subflows = [fast, subflow(1, slow_rtt_ms)];
        let view = ConnView { pending: packets * 1_400, ..view(&subflows) };
        picked(ecf.pick(&view, new_data(1_400)))
    }

    #[test]
    fn a_free_fast_subflow_is_used() {
        let subflows = [subflow(0, 10), subflow(1, 100)];
        assert_eq!(picked(Ecf::default().pick(&view(&subflows), new_data(1_400))), Some(0));
    }

    #[test]
    fn the_rest_of_a_transfer_waits_for_the_fast_subflow() {
        // 80 packets take (1 + 8) * 10 ms on the fast subflow, less than 100 ms.
        assert_eq!(choice(&mut Ecf::default(), 100, 80), None);
        // 90 take 100 ms: no reason to wait.
        assert_eq!(choice(&mut Ecf::default(), 100, 90), Some(1));
    }

    #[test]
    fn with_large_windows_only_exact_products_tell_that_waiting_is_sooner() {
        let waits = |overflows| {
            let fast = SubflowView { cwnd: 20, in_flight: 20, ..subflow(0, 23) };
            let subflows = [fast, subflow(1, 200)];
            let view = ConnView { pending: 106_000, ..view(&subflows) };
            let mut ecf =
                Ecf { params: Params { overflows, ..Params::default() }, ..Ecf::default() };
            picked(ecf.pick(&view, new_data(1_400))).is_none()
        };
        // 23 ms * (106 + 28) KB is less than 28 KB * 200 ms, which 32 bits do not hold.
        assert!(waits(false) && !waits(true));
    }

    #[test]
    fn the_end_of_the_stream_waits_too_unless_it_answers_the_peers_end() {
        let fast = SubflowView { in_flight: 10, ..subflow(0, 10) };
        let subflows = [fast, subflow(1, 100)];
        let end = Ask::New(Piece { len: 1_400, data_fin: true, ..Piece::default() });
        let mut view = ConnView { pending: 1_400, ..view(&subflows) };
        assert_eq!(picked(Ecf::default().pick(&view, end)), None);
        view.data_fin_from = Some(1);
        assert_eq!(picked(Ecf::default().pick(&view, end)), Some(1));
    }

    #[test]
    fn once_waiting_it_waits_a_quarter_longer() {
        let mut ecf = Ecf::default();
        assert_eq!(choice(&mut ecf, 100, 80), None);
        assert_eq!(choice(&mut ecf, 100, 114), None);
        assert_eq!(choice(&mut ecf, 100, 115), Some(1));
        // ... and then has to be convinced anew.
        assert_eq!(choice(&mut ecf, 100, 90), Some(1));
    }

    #[test]
    fn a_deviating_delay_counts_against_waiting() {
        assert_eq!(choice(&mut Ecf::default(), 21, 5), None);
        // 2 ms of deviation: 21 ms on the slow subflow are less than 2 * 10 + 2.
        let fast = SubflowView { in_flight: 10, rttvar_us4: 4_000, ..subflow(0, 10) };
        let subflows = [fast, subflow(1, 21)];
        let view = ConnView { pending: 7_000, ..view(&subflows) };
        assert_eq!(picked(Ecf::default().pick(&view, new_data(1_400))), Some(1));
    }
}
