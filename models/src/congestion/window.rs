//! What congestion control sees: the windows of a connection, in the kernel's units.

use mptcpsim_core::time::Time;

use super::CaState;
use crate::seq::Seq;

/// `ssthresh` of a connection that has seen no loss (`TCP_INFINITE_SSTHRESH`).
pub const INFINITE_SSTHRESH: u32 = 0x7fff_ffff;

/// The sending side of one subflow as congestion control sees it.
#[derive(Clone, Debug)]
pub struct Window {
    /// Congestion window in packets.
    pub cwnd: u32,
    /// Linear increase counter in packets.
    pub cwnd_cnt: u32,
    /// Slow-start threshold in packets.
    pub ssthresh: u32,
    /// Congestion window before the last reduction.
    pub prior_cwnd: u32,
    /// Smoothed round-trip time in microseconds times 8; 0 before the first sample.
    pub srtt_us: u32,
    /// Smallest round-trip time of the last minutes in microseconds; `u32::MAX` before the first.
    pub min_rtt_us: u32,
    /// First unacknowledged sequence number.
    pub snd_una: Seq,
    /// Next sequence number to send.
    pub snd_nxt: Seq,
    /// Segment size in bytes.
    pub mss: u32,
    /// Packets sent and not cumulatively acknowledged.
    pub packets_out: u32,
    /// Of these, selectively acknowledged.
    pub sacked_out: u32,
    /// Of these, taken for lost.
    pub lost_out: u32,
    /// Retransmitted packets still in flight.
    pub retrans_out: u32,
    /// `packets_out` when the window was last seen full (`max_packets_out`).
    pub max_packets_out: u32,
    /// The window, not the application, limited sending.
    pub is_cwnd_limited: bool,
    /// The sender's state.
    pub ca_state: CaState,
    /// Timeouts without progress when the state last changed (`icsk_retransmits`).
    pub retransmits: u8,
    /// The subflow can send: it counts for coupling.
    pub can_send: bool,
    /// The subflow is part of an MPTCP connection (`mptcp(tp)`); coupled algorithms leave plain
    /// TCP to Reno.
    pub multipath: bool,
    /// Packets are paced (`sk_pacing_status`).
    pub paced: bool,
    /// What HyStart has found, until the subflow has counted it.
    pub hystart: HyStartSigns,
    /// Pacing rate in bytes per second, also a rate estimate for schedulers.
    pub pacing_rate: u64,
    /// When data was last sent, in microseconds (`lsndtime`).
    pub last_sent_us: u64,
    /// What algorithms that control the rate look at; kept up for them only.
    pub delivery: Delivery,
}

/// The signs of a queue that have just ended slow start.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct HyStartSigns {
    /// Acknowledgements came close together for longer than half the delay.
    pub train: bool,
    /// The delay has risen.
    pub delay: bool,
}

/// What the path has delivered so far, for algorithms that control the rate
/// ([`super::CongestionControl::controls_rate`]).
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Delivery {
    /// Packets delivered, out of order included (`tp->delivered`).
    pub delivered: u32,
    /// Packets taken for lost (`tp->lost`).
    pub lost: u32,
    /// When `delivered` last rose, in microseconds (`delivered_mstamp`).
    pub at_us: u64,
    /// Earliest departure of the next packet in microseconds (`tcp_wstamp_ns`); in the past if
    /// nothing holds it back.
    pub departure_us: u64,
    /// The application, not the network, sets the pace of delivery. An algorithm that holds back
    /// on purpose sets it, so that the samples to come are not taken for the path's rate.
    pub app_limited: bool,
}

impl Window {
    /// The window of a new subflow.
    pub fn new(initial_cwnd: u32, iss: Seq) -> Self {
        Self {
            cwnd: initial_cwnd,
            cwnd_cnt: 0,
            ssthresh: INFINITE_SSTHRESH,
            prior_cwnd: 0,
            srtt_us: 0,
            min_rtt_us: u32::MAX,
            snd_una: iss,
            snd_nxt: iss,
            mss: 536,
            packets_out: 0,
            sacked_out: 0,
            lost_out: 0,
            retrans_out: 0,
            max_packets_out: 0,
            is_cwnd_limited: false,
            ca_state: CaState::Open,
            retransmits: 0,
            can_send: false,
            multipath: false,
            paced: false,
            hystart: HyStartSigns::default(),
            pacing_rate: 0,
            last_sent_us: 0,
            delivery: Delivery::default(),
        }
    }

    /// Packets believed to be in the network (RFC 6675 pipe, `tcp_packets_in_flight`).
    pub const fn in_flight(&self) -> u32 {
        (self.packets_out + self.retrans_out).saturating_sub(self.sacked_out + self.lost_out)
    }

    /// True below the slow-start threshold.
    pub const fn in_slow_start(&self) -> bool {
        self.cwnd < self.ssthresh
    }

    /// True if the window may grow: it was the limit (`tcp_is_cwnd_limited`).
    pub const fn cwnd_limited(&self) -> bool {
        self.is_cwnd_limited
            || (self.in_slow_start() && self.cwnd < self.max_packets_out.saturating_mul(2))
    }

    /// True if the subflow counts for coupling: it can send and has a round-trip time.
    pub const fn couples(&self) -> bool {
        self.can_send && self.srtt_us != 0
    }

    /// The window, or where it is heading while lost packets are repaired: then `cwnd` itself
    /// follows the repair, not the path.
    pub const fn settled_cwnd(&self) -> u32 {
        match self.ca_state {
            CaState::Recovery => self.ssthresh,
            _ => self.cwnd,
        }
    }

    /// The threshold to keep over an idle time (`tcp_current_ssthresh`).
    pub fn current_ssthresh(&self) -> u32 {
        if matches!(self.ca_state, CaState::Cwr | CaState::Recovery) {
            self.ssthresh
        } else {
            self.ssthresh.max((self.cwnd >> 1) + (self.cwnd >> 2))
        }
    }

    /// Slow start for `acked` packets; returns those left over (`tcp_slow_start`).
    pub fn slow_start(&mut self, acked: u32) -> u32 {
        let cwnd = self.cwnd.wrapping_add(acked).min(self.ssthresh);
        let left = acked.wrapping_sub(cwnd.wrapping_sub(self.cwnd));
        self.cwnd = cwnd;
        left
    }

    /// One packet more per `w` packets acknowledged (`tcp_cong_avoid_ai`). `w` is at least 1.
    pub fn cong_avoid_ai(&mut self, w: u32, acked: u32) {
        if self.cwnd_cnt >= w {
            self.cwnd_cnt = 0;
            self.grow();
        }
        self.cwnd_cnt = self.cwnd_cnt.wrapping_add(acked);
        if self.cwnd_cnt >= w {
            let delta = self.cwnd_cnt / w.max(1);
            self.cwnd_cnt -= delta * w;
            self.cwnd = self.cwnd.wrapping_add(delta);
        }
    }

    /// One packet more, up to the largest window there is (`snd_cwnd_clamp`).
    pub fn grow(&mut self) {
        self.cwnd = self.cwnd.saturating_add(1);
    }

    /// Slow start and then one packet per window: Reno's answer to an acknowledgement
    /// (`tcp_reno_cong_avoid`).
    pub fn reno_cong_avoid(&mut self, acked: u32) {
        if !self.cwnd_limited() {
            return;
        }
        let left = if self.in_slow_start() { self.slow_start(acked) } else { acked };
        if left > 0 {
            self.cong_avoid_ai(self.cwnd, left);
        }
    }

    /// Half the window for a subflow that holds up its connection; half the threshold, too, except
    /// in slow start (`mptcp_rcv_buf_optimization`).
    pub fn penalise(&mut self) {
        if !self.in_slow_start() {
            self.ssthresh = (self.ssthresh >> 1).max(2);
        }
        self.cwnd = (self.cwnd >> 1).max(1);
    }

    /// Half the window, at least two packets (`tcp_reno_ssthresh`).
    pub fn reno_ssthresh(&self) -> u32 {
        (self.cwnd >> 1).max(2)
    }
}

/// The moment of a call in the units the algorithms use.
#[derive(Clone, Copy, Debug)]
pub struct Clock {
    /// Microseconds since the start of the simulation.
    pub us: u64,
    /// Timer ticks per second.
    pub hz: u32,
}

impl Clock {
    /// `now` with `hz` ticks per second.
    pub const fn new(now: Time, hz: u32) -> Self {
        Self { us: now.as_us(), hz }
    }

    /// Timer ticks since the start of the simulation.
    pub const fn jiffies(self) -> u64 {
        self.us / (1_000_000 / self.hz as u64)
    }
}

/// The windows of a connection and the subflow that a call is about.
#[derive(Debug)]
pub struct Flow<'a> {
    older: &'a mut [Window],
    own: &'a mut Window,
    newer: &'a mut [Window],
    /// Now.
    pub clock: Clock,
}

impl<'a> Flow<'a> {
    /// A call about `windows[me]`, which must exist.
    pub fn new(windows: &'a mut [Window], me: usize, clock: Clock) -> Self {
        let (older, rest) = windows.split_at_mut(me);
        let (own, newer) = rest.split_at_mut(1);
        Self { older, own: &mut own[0], newer, clock }
    }

    /// The same for a shorter time.
    pub(crate) fn reborrow(&mut self) -> Flow<'_> {
        Flow {
            older: &mut *self.older,
            own: &mut *self.own,
            newer: &mut *self.newer,
            clock: self.clock,
        }
    }

    /// Index of the subflow concerned, in order of creation.
    pub const fn me(&self) -> usize {
        self.older.len()
    }

    /// The window concerned.
    pub const fn window(&mut self) -> &mut Window {
        self.own
    }

    /// The window concerned, to look at.
    pub const fn view(&self) -> &Window {
        self.own
    }

    /// All windows of the connection, in the order the subflows were created.
    pub fn all(&self) -> impl DoubleEndedIterator<Item = &Window> + Clone {
        let own: &Window = self.own;
        self.older.iter().chain(std::iter::once(own)).chain(self.newer.iter())
    }

    /// The subflows that count for coupling, with their indices, the newest first as the
    /// out-of-tree kernel lists them: where the last of equals wins, it is the oldest.
    pub fn coupled(&self) -> impl Iterator<Item = (usize, &Window)> + Clone {
        self.newest_first().filter(|(_, window)| window.couples())
    }

    /// All subflows with their indices, the newest first.
    pub fn newest_first(&self) -> impl Iterator<Item = (usize, &Window)> + Clone {
        let me = self.older.len();
        let own: &Window = self.own;
        let newer = self.newer.iter().enumerate().rev();
        newer
            .map(move |(i, window)| (me + 1 + i, window))
            .chain(std::iter::once((me, own)))
            .chain(self.older.iter().enumerate().rev())
    }

    /// The number of subflows there have been.
    pub const fn len(&self) -> usize {
        self.older.len() + 1 + self.newer.len()
    }

    /// Never: there is at least the subflow concerned.
    pub const fn is_empty(&self) -> bool {
        false
    }
}

/// What an algorithm keeps for each subflow, by its index.
#[derive(Clone, Debug)]
pub struct PerSubflow<T>(Vec<T>);

impl<T> Default for PerSubflow<T> {
    fn default() -> Self {
        Self(Vec::new())
    }
}

impl<T: Default> PerSubflow<T> {
    /// The state of subflow `index`; made when first asked for, which is in `init`.
    pub fn of(&mut self, index: usize) -> &mut T {
        if self.0.len() <= index {
            self.0.resize_with(index + 1, T::default);
        }
        &mut self.0[index]
    }

    /// The state of subflow `index`, if it has any.
    pub fn get(&self, index: usize) -> Option<&T> {
        self.0.get(index)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn subflows_are_listed_newest_first_from_everywhere() {
        let mut windows = [1, 2, 3].map(|cwnd| Window::new(cwnd, Seq(0)));
        windows[1].can_send = true;
        windows[1].srtt_us = 8;
        for me in 0..3 {
            let flow = Flow::new(&mut windows, me, Clock { us: 0, hz: 250 });
            let listed: Vec<_> = flow.newest_first().map(|(i, w)| (i, w.cwnd)).collect();
            assert_eq!(listed, [(2, 3), (1, 2), (0, 1)]);
            assert_eq!(flow.coupled().map(|(i, _)| i).collect::<Vec<_>>(), [1]);
        }
    }

    #[test]
    fn a_penalty_halves_window_and_threshold_but_not_in_slow_start() {
        let mut window = Window::new(10, Seq(0));
        window.penalise();
        assert_eq!((window.cwnd, window.ssthresh), (5, INFINITE_SSTHRESH));
        window.ssthresh = 5;
        window.penalise();
        assert_eq!((window.cwnd, window.ssthresh), (2, 2));
    }

    #[test]
    fn slow_start_stops_at_the_threshold_and_returns_the_rest() {
        let mut window = Window::new(10, Seq(0));
        window.ssthresh = 12;
        assert_eq!(window.slow_start(5), 3);
        assert_eq!(window.cwnd, 12);
    }

    #[test]
    fn a_full_counter_pays_before_it_counts_on() {
        let mut window = Window::new(10, Seq(0));
        window.cwnd_cnt = 12;
        window.cong_avoid_ai(10, 25);
        assert_eq!((window.cwnd, window.cwnd_cnt), (13, 5));
    }
}
