//! Windows for the algorithms' tests.

use super::{Clock, Flow, Window};
use crate::seq::Seq;

/// Subflows of an MPTCP connection with these windows in packets and round-trip times in
/// microseconds, in congestion avoidance, all limited by their windows.
pub(super) fn coupled(subflows: &[(u32, u32)]) -> Vec<Window> {
    let window = |&(cwnd, rtt_us): &(u32, u32)| {
        let mut window = Window::new(cwnd, Seq(1));
        window.ssthresh = cwnd;
        window.srtt_us = rtt_us * 8;
        window.mss = 1400;
        window.is_cwnd_limited = true;
        window.can_send = true;
        window.multipath = true;
        window
    };
    subflows.iter().map(window).collect()
}

/// A call about subflow `me`.
pub(super) fn at(windows: &mut [Window], me: usize) -> Flow<'_> {
    Flow::new(windows, me, Clock { us: 0, hz: 250 })
}
