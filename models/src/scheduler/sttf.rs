//! STTF, shortest transfer time first: OTIAS with windows that grow while a packet waits.
//!
//! The transfer time of the next packet on a subflow is simulated round by round: what
//! fits into the free part of the window leaves now; after each round trip the whole
//! window is free again, twice as large below `ssthresh` and one packet larger above;
//! half a round trip after its round has begun the packet is there. It goes to the
//! subflow with the shortest time, even if it has to wait there for the window.
//!
//! Source: P. Hurtig, K.-J. Grinnemo, A. Brunstrom, S. Ferlin, O. Alay and N. Kuhn,
//! "Low-latency scheduling in MPTCP", IEEE/ACM Transactions on Networking 27(1), 2019;
//! the authors' module for the out-of-tree kernel (`net/mptcp/mptcp_sttf.c`). No parameters.
//!
//! Differences: the smoothed round-trip time is used where the module uses the last
//! sample; what was given to a subflow stays there, while the paper distributes again
//! what has not been sent; the module's retransmissions for a full window are left
//! out. Backup subflows serve only while no other is active.

use super::lowest_rtt::LowestRtt;
use super::otias::first_to_arrive;
use super::{Ask, ConnView, Pick, Scheduler, SubflowView};

/// The scheduler: it keeps nothing.
#[derive(Clone, Debug, Default)]
pub struct Sttf {
    failed: LowestRtt,
}

impl Scheduler for Sttf {
    #[inline(never)]
    fn pick(&mut self, view: &ConnView<'_>, ask: Ask) -> Pick {
        let Ask::New(piece) = ask else { return self.failed.pick(view, ask) };
        first_to_arrive(view, &piece, transfer_time)
    }
}

/// How long a packet given to the subflow now takes to arrive, in 1/16 microseconds.
fn transfer_time(subflow: &SubflowView) -> u64 {
    let mut waiting = subflow.unsent.div_ceil(u64::from(subflow.mss.max(1))) + 1;
    let mut window = u64::from(subflow.cwnd.max(1));
    let mut free = u64::from(subflow.cwnd.saturating_sub(subflow.in_flight));
    let mut half_rounds = 1;
    while waiting > free {
        waiting -= free;
        window = grown(window, u64::from(subflow.ssthresh));
        free = window;
        half_rounds += 2;
    }
    u64::from(subflow.srtt_us8).saturating_mul(half_rounds)
}

/// The window after a round trip without loss.
fn grown(window: u64, ssthresh: u64) -> u64 {
    if window < ssthresh { (2 * window).min(ssthresh) } else { window + 1 }
}

#[cfg(test)]
mod tests {
    use super::super::testing::{new_data, picked, subflow, view};
    use super::*;

    fn pick(subflows: &[SubflowView]) -> Option<usize> {
        picked(Sttf::default().pick(&view(subflows), new_data(1_400)))
    }

    /// A full window of ten, so many packets waiting and a round-trip time of 10 ms.
    fn waiting(packets: u64) -> SubflowView {
        SubflowView { in_flight: 10, unsent: packets * 1_400, ..subflow(0, 10) }
    }

    #[test]
    fn half_a_round_trip_is_the_time_of_a_free_subflow() {
        assert_eq!(transfer_time(&subflow(0, 10)), 16 * 5_000);
        let last_place = SubflowView { in_flight: 4, unsent: 5 * 1_400, ..subflow(0, 10) };
        assert_eq!(transfer_time(&last_place), 16 * 5_000);
    }

    #[test]
    fn above_the_threshold_a_round_trip_frees_a_packet_more_than_before() {
        // 11 leave after a round trip, 12 more after the second, then 13.
        let times = [0, 10, 11, 22, 23, 35, 36].map(|n| transfer_time(&waiting(n)) / 16_000);
        assert_eq!(times, [15, 15, 25, 25, 35, 35, 45]);
    }

    #[test]
    fn below_the_threshold_it_frees_twice_as_many_but_not_more_than_the_threshold() {
        let slow_start = |packets| SubflowView { ssthresh: 30, ..waiting(packets) };
        // 20, then 30, then 31.
        let times = [19, 20, 49, 50, 80, 81].map(|n| transfer_time(&slow_start(n)) / 16_000);
        assert_eq!(times, [15, 25, 25, 35, 35, 45]);
    }

    #[test]
    fn the_shortest_time_wins_even_where_the_packet_has_to_wait() {
        assert_eq!(pick(&[waiting(5), subflow(1, 31)]), Some(0));
        assert_eq!(pick(&[waiting(5), subflow(1, 29)]), Some(1));
        // In slow start 15 packets wait for a round trip, in congestion avoidance for two.
        let slow_start = SubflowView { ssthresh: 100, ..waiting(15) };
        assert_eq!(pick(&[slow_start, subflow(1, 40)]), Some(0));
        assert_eq!(pick(&[waiting(15), subflow(1, 40)]), Some(1));
    }

    #[test]
    fn a_full_send_buffer_is_waited_for() {
        let full = SubflowView { has_memory: false, ..subflow(0, 10) };
        assert_eq!(pick(&[full, subflow(1, 90)]), None);
    }
}
