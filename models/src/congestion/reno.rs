//! NewReno: one packet more per round trip, half after a loss (RFC 5681; Linux
//! `tcp_reno_cong_avoid`, `tcp_reno_ssthresh`).

use super::{CongestionControl, Flow};

/// NewReno. It has no state beside the window.
#[derive(Clone, Copy, Debug, Default)]
pub struct Reno;

impl CongestionControl for Reno {
    fn init(&mut self, _flow: &mut Flow<'_>) {}

    fn ssthresh(&mut self, flow: &mut Flow<'_>) -> u32 {
        (flow.window().cwnd >> 1).max(2)
    }

    fn cong_avoid(&mut self, flow: &mut Flow<'_>, acked: u32) {
        let window = flow.window();
        if !window.cwnd_limited() {
            return;
        }
        let left = if window.in_slow_start() { window.slow_start(acked) } else { acked };
        if left > 0 {
            window.cong_avoid_ai(window.cwnd, left);
        }
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
