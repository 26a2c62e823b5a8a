//! NewReno: one packet more per round trip, half after a loss.
//!
//! Each acknowledged packet adds `1/w` to the window `w` (in slow start 1), each
//! loss halves it; over a path with loss probability `p` that gives
//! `w = sqrt(2/p)` in the fluid limit. Every subflow is on its own: a connection
//! with `n` subflows over one bottleneck takes as much as `n` connections, which
//! is what coupled algorithms avoid. `uncoupled` is another name for it.
//!
//! Source: RFC 5681, RFC 6582; Linux `tcp_reno_cong_avoid`, `tcp_reno_ssthresh`.
//! The window is counted in whole packets, with what is left over in `cwnd_cnt`.
//! No parameters.

use super::{CongestionControl, Flow};

/// NewReno. It has no state beside the window.
#[derive(Clone, Copy, Debug, Default)]
pub struct Reno;

impl CongestionControl for Reno {
    fn init(&mut self, _flow: &mut Flow<'_>) {}

    fn ssthresh(&mut self, flow: &mut Flow<'_>) -> u32 {
        flow.window().reno_ssthresh()
    }

    fn cong_avoid(&mut self, flow: &mut Flow<'_>, acked: u32) {
        flow.window().reno_cong_avoid(acked);
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::congestion::{Clock, Window};
    use crate::seq::Seq;

    fn grow(window: &mut Window, acks: u32) {
        let mut windows = [window.clone()];
        for _ in 0..acks {
            let mut flow = Flow::new(&mut windows, 0, Clock { us: 0, hz: 250 });
            Reno.cong_avoid(&mut flow, 1);
        }
        *window = windows[0].clone();
    }

    #[test]
    fn doubles_in_slow_start_then_adds_one_packet_per_window() {
        let mut window = Window::new(10, Seq(0));
        window.is_cwnd_limited = true;
        window.ssthresh = 20;
        grow(&mut window, 10);
        assert_eq!(window.cwnd, 20);
        grow(&mut window, 20);
        assert_eq!(window.cwnd, 21);
        grow(&mut window, 20);
        assert_eq!((window.cwnd, window.cwnd_cnt), (21, 20));
    }

    #[test]
    fn an_unused_window_does_not_grow() {
        let mut window = Window::new(10, Seq(0));
        window.ssthresh = 5;
        grow(&mut window, 100);
        assert_eq!(window.cwnd, 10);
    }
}
