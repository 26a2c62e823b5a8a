//! Schedulers: which subflow carries the next data.
//!
//! A scheduler sees plain values ([`ConnView`]) and returns a decision
//! ([`Pick`]); it moves nothing itself. It is asked again as long as there is
//! data, window and a subflow that can take it.

pub mod upstream;

use serde::{Deserialize, Serialize};

/// A subflow as schedulers and path managers see it.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct SubflowView {
    /// Index of the subflow, in order of creation.
    pub id: usize,
    /// It is established, allowed to carry data, and not taken for dead.
    pub active: bool,
    /// One end wants it used only when nothing else is left.
    pub backup: bool,
    /// It has no unacknowledged and no queued bytes.
    pub idle: bool,
    /// Its send buffer can take more.
    pub has_memory: bool,
    /// Bytes of memory its queues hold (`sk_wmem_queued`).
    pub queued_memory: u64,
    /// Its pacing rate in bytes per second (`sk_pacing_rate`).
    pub pacing_rate: u64,
    /// Rounds of the connection's timer without a sign of life (`stale_count`).
    pub stale_count: u32,
    /// Smoothed round-trip time in microseconds; 0 if unknown.
    pub srtt_us: u32,
    /// Congestion window in packets.
    pub cwnd: u32,
    /// Packets in flight.
    pub in_flight: u32,
    /// Segment size in bytes.
    pub mss: u32,
}

/// The connection as schedulers see it.
#[derive(Clone, Copy, Debug)]
pub struct ConnView<'a> {
    /// The subflows in order of creation.
    pub subflows: &'a [SubflowView],
    /// Bytes that the connection's send window still allows.
    pub window: u64,
    /// Bytes written by the application and not yet given to a subflow.
    pub pending: u64,
}

/// What is asked.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Ask {
    /// Data that no subflow carries yet (or that has to be sent anew after a failure).
    New,
    /// The oldest unacknowledged data, after the connection's timer ran out.
    Retransmit,
}

/// What is decided.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Pick {
    /// This subflow, for up to so many bytes.
    On {
        /// Index of the subflow.
        subflow: usize,
        /// Bytes it may take before the scheduler is asked again.
        limit: u32,
    },
    /// None now.
    Wait,
}

/// A packet scheduler.
///
/// Called whenever data could leave: when the application writes, when a window
/// opens, when an acknowledgement frees a subflow. It must not assume anything
/// about the time between calls.
pub trait Scheduler {
    /// Chooses a subflow for what is asked.
    fn pick(&mut self, view: &ConnView<'_>, ask: Ask) -> Pick;
}

/// A scheduler by name.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Name {
    /// The kernel line's own.
    #[default]
    Default,
}

/// The closed set of schedulers.
#[derive(Clone, Debug)]
pub enum AnyScheduler {
    /// See [`upstream`].
    Upstream(upstream::LeastLinger),
}

impl AnyScheduler {
    /// A fresh instance of the scheduler called `name`.
    pub fn new(name: Name) -> Self {
        match name {
            Name::Default => Self::Upstream(upstream::LeastLinger::default()),
        }
    }
}

impl Scheduler for AnyScheduler {
    fn pick(&mut self, view: &ConnView<'_>, ask: Ask) -> Pick {
        match self {
            Self::Upstream(scheduler) => scheduler.pick(view, ask),
        }
    }
}
