//! Congestion control: how large each subflow's window may be.
//!
//! One object per connection sees the windows of all subflows, in the kernel's
//! own units (packets, microseconds times eight), so that coupled algorithms
//! need no back door and the arithmetic can be compared with the kernel's step
//! by step. Loss repair is not its business: it is asked for a slow-start
//! threshold when the sender has decided that a window was lost, and told of
//! every acknowledgement. The verbs are those of Linux' `tcp_congestion_ops`.
//!
//! [`Name`] is an algorithm's name, [`Congestion`] an instance,
//! [`CongestionControl`] what one has to do, and [`Congestion::Custom`] one's own.

mod algorithm;
pub mod balia;
pub mod bbr;
pub mod cubic;
pub mod ewtcp;
pub mod lia;
pub mod olia;
mod real;
pub mod reno;
pub mod replay;
#[cfg(test)]
mod testing;
mod window;
pub mod wvegas;

use std::fmt::{self, Debug, Display};

pub use self::algorithm::{Congestion, Name};
pub use self::window::{
    Clock, Delivery, Flow, HyStartSigns, INFINITE_SSTHRESH, PerSubflow, Window,
};
pub use crate::params::{Param, ParamError};

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

/// A round-trip sample (Linux' `ack_sample`).
#[derive(Clone, Copy, Debug)]
pub struct AckSample {
    /// Packets newly acknowledged.
    pub pkts_acked: u32,
    /// Round-trip time in microseconds, if this acknowledgement gave one.
    pub rtt_us: Option<u32>,
}

/// What one acknowledgement tells of the delivery rate (Linux' `rate_sample`).
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct RateSample {
    /// Packets delivered over the interval; `None` if that is not known.
    pub delivered: Option<u32>,
    /// Length of the interval in microseconds; 0 if it is of no use.
    pub interval_us: u64,
    /// [`Delivery::delivered`] when the newest packet acknowledged was sent.
    pub prior_delivered: u32,
    /// Round-trip time of that packet in microseconds.
    pub rtt_us: Option<u32>,
    /// Packets newly taken for lost.
    pub losses: u32,
    /// Packets newly delivered, out of order included.
    pub acked_sacked: u32,
    /// Packets in flight before the acknowledgement.
    pub prior_in_flight: u32,
    /// The application, not the network, set the pace.
    pub app_limited: bool,
    /// The acknowledgement may have been delayed: the round-trip time is too long.
    pub ack_delayed: bool,
}

/// A congestion control algorithm.
///
/// One instance serves all subflows of a connection. Each call is about one of them: its index is
/// [`Flow::me`], its window [`Flow::window`]; the others' windows can be read. Windows and
/// thresholds are whole packets, round-trip times microseconds, `srtt_us` microseconds times 8,
/// rates bytes per second.
///
/// In the life of a subflow the calls come in this order: [`init`](Self::init) when its handshake
/// is complete; then for each acknowledgement of data [`pkts_acked`](Self::pkts_acked), any
/// changes of state and events that it causes, and last [`cong_avoid`](Self::cong_avoid), which is
/// left out while a window is being reduced ([`CaState::Cwr`], [`CaState::Recovery`]). The calls of
/// different subflows interleave as they happen.
///
/// An algorithm changes `cwnd`, `cwnd_cnt`, `ssthresh` and `pacing_rate` of the window concerned,
/// and nothing else of it. It is on the path of every packet: it must not allocate after `init`,
/// nor read a clock or random numbers other than those it is given, nor panic.
pub trait CongestionControl {
    /// A subflow has been established, with its first round-trip sample if there is one. Per-subflow
    /// state is made here ([`PerSubflow`]).
    fn init(&mut self, flow: &mut Flow<'_>);

    /// A subflow has ended. Its index is not used again.
    fn release(&mut self, _flow: &mut Flow<'_>) {}

    /// The new slow-start threshold in packets after a loss or congestion signal, at least 1. The
    /// window still is what it was before; afterwards the sender takes it down to the threshold
    /// itself, in step with what is delivered, or after a timeout to one packet.
    fn ssthresh(&mut self, flow: &mut Flow<'_>) -> u32;

    /// `acked` packets were delivered and the state allows growth: change `cwnd`. Whether the window
    /// was used at all is to be asked first ([`Window::cwnd_limited`]).
    fn cong_avoid(&mut self, flow: &mut Flow<'_>, acked: u32);

    /// The sender's state is about to change to `new`; [`Window::ca_state`] still is the old one.
    fn set_state(&mut self, _flow: &mut Flow<'_>, _new: CaState) {}

    /// Something happened. At [`CaEvent::Loss`] `ssthresh` is new and `cwnd` still old, at
    /// [`CaEvent::CompleteCwr`] `cwnd` is `ssthresh` already.
    fn cwnd_event(&mut self, _flow: &mut Flow<'_>, _event: CaEvent) {}

    /// Packets were acknowledged, in any state.
    fn pkts_acked(&mut self, _flow: &mut Flow<'_>, _sample: AckSample) {}

    /// The window in packets to return to when a reduction proves wrong.
    fn undo_cwnd(&mut self, flow: &mut Flow<'_>) -> u32 {
        let window = flow.window();
        window.cwnd.max(window.prior_cwnd)
    }

    /// True if the algorithm sets window and pacing rate itself, in [`cong_control`](Self::cong_control)
    /// and in every state. Then the sender reduces no window, and calls no `cong_avoid`.
    fn controls_rate(&self) -> bool {
        false
    }

    /// An acknowledgement was processed: set `cwnd` and `pacing_rate`. Called only if
    /// [`controls_rate`](Self::controls_rate); [`Window::delivery`] is up to date then.
    fn cong_control(&mut self, _flow: &mut Flow<'_>, _sample: &RateSample) {}

    /// True if packets are to leave spaced by [`Window::pacing_rate`] rather than in bursts.
    fn paces(&self) -> bool {
        false
    }

    /// The smallest burst in packets, if not the host's (`min_tso_segs`).
    fn min_tso_segs(&self, _window: &Window) -> Option<u32> {
        None
    }

    /// How many windows the send buffer holds (`sndbuf_expand`).
    fn sndbuf_windows(&self) -> u32 {
        2
    }

    /// What to show of the algorithm's state for the subflow with index `me` and this window.
    fn internals(&self, _me: usize, _window: &Window) -> Internals {
        Internals::default()
    }
}

/// A user's algorithm in a box. Implemented for every [`CongestionControl`] that can be cloned,
/// printed and sent to another thread; nothing is left to do by hand.
pub trait DynCongestionControl: CongestionControl + Debug + Send {
    /// The same algorithm in the same state.
    fn clone_box(&self) -> Box<dyn DynCongestionControl>;
}

impl<T: CongestionControl + Clone + Debug + Send + 'static> DynCongestionControl for T {
    fn clone_box(&self) -> Box<dyn DynCongestionControl> {
        Box::new(self.clone())
    }
}

impl Clone for Box<dyn DynCongestionControl> {
    fn clone(&self) -> Self {
        // Through the box, which is itself no algorithm, to what is in it.
        (**self).clone_box()
    }
}

/// Up to two named figures of an algorithm's state, for traces.
#[derive(Clone, Copy, Debug, Default, PartialEq)]
pub struct Internals([Option<(&'static str, Number)>; 2]);

impl Internals {
    /// These figures; more than two are cut off.
    pub fn of<const N: usize>(figures: [(&'static str, Number); N]) -> Self {
        let mut kept = [None; 2];
        for (slot, figure) in kept.iter_mut().zip(figures) {
            *slot = Some(figure);
        }
        Self(kept)
    }

    /// Name and value of the first or second figure.
    pub fn get(&self, index: usize) -> Option<(&'static str, Number)> {
        self.0.get(index).copied().flatten()
    }
}

/// A figure of an algorithm's state.
#[derive(Clone, Copy, Debug, PartialEq)]
pub enum Number {
    /// Of integer arithmetic.
    Integer(i128),
    /// Of real arithmetic.
    Real(f64),
}

impl From<u64> for Number {
    fn from(value: u64) -> Self {
        Self::Integer(value.into())
    }
}

impl From<u32> for Number {
    fn from(value: u32) -> Self {
        Self::Integer(value.into())
    }
}

impl Display for Number {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Integer(value) => Display::fmt(value, f),
            Self::Real(value) => Display::fmt(value, f),
        }
    }
}
