//! Congestion control: how large each subflow's window may be.
//!
//! One object per connection sees the windows of all subflows, in the kernel's
//! own units (packets, microseconds times eight), so that coupled algorithms
//! need no back door and the arithmetic can be compared with the kernel's step
//! by step. Loss repair is not its business: it is asked for a slow-start
//! threshold when the sender has decided that a window was lost, and told of
//! every acknowledgement. The verbs are those of Linux' `tcp_congestion_ops`.

pub mod cubic;
pub mod reno;

use serde::{Deserialize, Serialize};

use crate::seq::Seq;

/// `ssthresh` of a connection that has seen no loss (`TCP_INFINITE_SSTHRESH`).
pub const INFINITE_SSTHRESH: u32 = 0x7fff_ffff;

/// The sender's state of mind (RFC 6582, Linux' `tcp_ca_state`).
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord)]
#[repr(u8)]
pub enum CaState {
    /// Nothing dubious.
    #[default]
    Open = 0,
    /// Duplicate acknowledgements or SACKs seen, not enough to act.
    Disorder = 1,
    /// The window is being reduced after a congestion signal other than loss.
    Cwr = 2,
    /// The window is being reduced and lost packets are sent again.
    Recovery = 3,
    /// A retransmission timeout has happened.
    Loss = 4,
}

/// What happens to a window beside acknowledgements (Linux' `tcp_ca_event`).
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum CaEvent {
    /// First transmission while nothing was in flight.
    TxStart,
    /// The window restarts after an idle time.
    CwndRestart,
    /// A window reduction is complete.
    CompleteCwr,
    /// A retransmission timeout.
    Loss,
}

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
    /// The subflow can send: it counts for coupling.
    pub can_send: bool,
    /// Pacing rate in bytes per second, also a rate estimate for schedulers.
    pub pacing_rate: u64,
    /// When data was last sent, in microseconds (`lsndtime`).
    pub last_sent_us: u64,
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
            can_send: false,
            pacing_rate: 0,
            last_sent_us: 0,
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
        self.is_cwnd_limited || (self.in_slow_start() && self.cwnd < 2 * self.max_packets_out)
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
        let cwnd = self.cwnd.saturating_add(acked).min(self.ssthresh);
        let left = acked - (cwnd - self.cwnd);
        self.cwnd = cwnd;
        left
    }

    /// One packet more per `w` packets acknowledged (`tcp_cong_avoid_ai`).
    pub fn cong_avoid_ai(&mut self, w: u32, acked: u32) {
        if self.cwnd_cnt >= w {
            self.cwnd_cnt = 0;
            self.cwnd += 1;
        }
        self.cwnd_cnt += acked;
        if self.cwnd_cnt >= w {
            let delta = self.cwnd_cnt / w;
            self.cwnd_cnt -= delta * w;
            self.cwnd += delta;
        }
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

    /// The number of subflows there have been.
    pub const fn len(&self) -> usize {
        self.older.len() + 1 + self.newer.len()
    }

    /// Never: there is at least the subflow concerned.
    pub const fn is_empty(&self) -> bool {
        false
    }
}

/// A round-trip sample (Linux' `ack_sample`).
#[derive(Clone, Copy, Debug)]
pub struct AckSample {
    /// Packets newly acknowledged.
    pub pkts_acked: u32,
    /// Round-trip time in microseconds, if this acknowledgement gave one.
    pub rtt_us: Option<u32>,
}

/// A congestion control algorithm.
///
/// It changes windows only in the calls that say so, and only through `flow`.
/// It is called on every acknowledgement: it must not allocate there.
pub trait CongestionControl {
    /// A subflow has been established.
    fn init(&mut self, flow: &mut Flow<'_>);

    /// A subflow has ended.
    fn release(&mut self, _flow: &mut Flow<'_>) {}

    /// The new slow-start threshold in packets after a loss or congestion signal.
    fn ssthresh(&mut self, flow: &mut Flow<'_>) -> u32;

    /// `acked` packets were delivered and the state allows growth: change `cwnd`.
    fn cong_avoid(&mut self, flow: &mut Flow<'_>, acked: u32);

    /// The sender's state is about to change to `new`.
    fn set_state(&mut self, _flow: &mut Flow<'_>, _new: CaState) {}

    /// Something happened.
    fn cwnd_event(&mut self, _flow: &mut Flow<'_>, _event: CaEvent) {}

    /// Packets were acknowledged, in any state.
    fn pkts_acked(&mut self, _flow: &mut Flow<'_>, _sample: AckSample) {}

    /// The window to return to when a reduction proves wrong.
    fn undo_cwnd(&mut self, flow: &mut Flow<'_>) -> u32 {
        let window = flow.window();
        window.cwnd.max(window.prior_cwnd)
    }
}

/// A congestion control by its kernel name.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Name {
    /// NewReno (RFC 5681), every subflow for itself.
    Reno,
    /// CUBIC with HyStart (RFC 9438, Linux), every subflow for itself.
    #[default]
    Cubic,
}

impl Name {
    /// All algorithms.
    pub const ALL: &'static [Self] = &[Self::Reno, Self::Cubic];

    /// The kernel's name.
    pub const fn name(self) -> &'static str {
        match self {
            Self::Reno => "reno",
            Self::Cubic => "cubic",
        }
    }

    /// The algorithm with the kernel's name `name`.
    pub fn from_name(name: &str) -> Option<Self> {
        Self::ALL.iter().copied().find(|algorithm| algorithm.name() == name)
    }
}

/// The closed set of algorithms, dispatched without a table on the packet path.
#[derive(Clone, Debug)]
pub enum Congestion {
    /// See [`reno`].
    Reno(reno::Reno),
    /// See [`cubic`].
    Cubic(cubic::Cubic),
}

impl Congestion {
    /// A fresh instance of the algorithm called `name`.
    pub fn new(name: Name) -> Self {
        match name {
            Name::Reno => Self::Reno(reno::Reno),
            Name::Cubic => Self::Cubic(cubic::Cubic::default()),
        }
    }
}

macro_rules! dispatch {
    ($self:ident, $algorithm:ident => $call:expr) => {
        match $self {
            Congestion::Reno($algorithm) => $call,
            Congestion::Cubic($algorithm) => $call,
        }
    };
}

impl CongestionControl for Congestion {
    fn init(&mut self, flow: &mut Flow<'_>) {
        dispatch!(self, algorithm => algorithm.init(flow));
    }
    fn release(&mut self, flow: &mut Flow<'_>) {
        dispatch!(self, algorithm => algorithm.release(flow));
    }
    fn ssthresh(&mut self, flow: &mut Flow<'_>) -> u32 {
        dispatch!(self, algorithm => algorithm.ssthresh(flow))
    }
    fn cong_avoid(&mut self, flow: &mut Flow<'_>, acked: u32) {
        dispatch!(self, algorithm => algorithm.cong_avoid(flow, acked));
    }
    fn set_state(&mut self, flow: &mut Flow<'_>, new: CaState) {
        dispatch!(self, algorithm => algorithm.set_state(flow, new));
    }
    fn cwnd_event(&mut self, flow: &mut Flow<'_>, event: CaEvent) {
        dispatch!(self, algorithm => algorithm.cwnd_event(flow, event));
    }
    fn pkts_acked(&mut self, flow: &mut Flow<'_>, sample: AckSample) {
        dispatch!(self, algorithm => algorithm.pkts_acked(flow, sample));
    }
    fn undo_cwnd(&mut self, flow: &mut Flow<'_>) -> u32 {
        dispatch!(self, algorithm => algorithm.undo_cwnd(flow))
    }
}
