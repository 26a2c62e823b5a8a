//! EWTCP, equally weighted TCP: each of `n` subflows is a TCP of weight `1/n`.
//!
//! Each acknowledged packet adds `a / w` with `a = 1 / n^2`, each loss halves the
//! window. A subflow then settles at `sqrt(2a/p)`, the n-th part of a TCP's window
//! on the same path, so that `n` subflows through one bottleneck are as one TCP.
//! It does not move traffic to better paths: a baseline.
//!
//! Source: M. Honda, Y. Nishida, L. Eggert, P. Sarolahti and H. Tokuda, "Multipath
//! congestion control for shared bottleneck", PFLDNeT 2009; NSDI 2011 (see
//! [`super::lia`]) compares it to LIA. In real numbers. No parameters.

use super::real::{Fractions, left_for_avoidance};
use super::{CaState, CongestionControl, Flow, Internals, Number, Window};

/// EWTCP.
#[derive(Clone, Debug, Default)]
pub struct Ewtcp {
    fractions: Fractions,
}

impl CongestionControl for Ewtcp {
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
        let subflows = flow.coupled().count() as f64;
        let growth = 1.0 / (subflows * subflows * self.fractions.own(flow));
        self.fractions.add(flow, growth * f64::from(left));
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
    fn two_subflows_take_four_windows_for_one_packet() {
        let mut windows = coupled(&[(10, 100_000), (10, 300_000)]);
        windows[0].ssthresh = 5;
        let mut ewtcp = Ewtcp::default();
        let mut acks = 0;
        while windows[0].cwnd == 10 {
            ewtcp.cong_avoid(&mut at(&mut windows, 0), 1);
            acks += 1;
        }
        assert!((40..=43).contains(&acks), "{acks}");
    }
}
