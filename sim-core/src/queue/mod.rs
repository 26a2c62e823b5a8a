//! Who may wait for a link, who is marked, and who is dropped.
//!
//! A discipline is asked twice about each packet: when it arrives and when its
//! transmission would begin. Both times it sees the exact time at which that
//! happens, however late the link catches up, so disciplines need no timers.
//!
//! The backlog counts every packet that is not yet sent completely, the one in
//! transmission included; that is what limits and thresholds refer to.

mod codel;
mod fq_codel;
mod red;

use std::collections::VecDeque;

use thiserror::Error;

pub use codel::CodelConfig;
pub use fq_codel::FqCodelConfig;
pub use red::RedConfig;

use codel::Codel;
use fq_codel::FqCodel;
use red::Red;

use crate::pool::Ticket;
use crate::rng::Stream;
use crate::time::{Span, Time};
use crate::trace::Cause;
use crate::units::{Bytes, Rate};

/// Packets that are not yet sent completely.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Backlog {
    /// How many.
    pub packets: u64,
    /// How many bytes they have.
    pub bytes: Bytes,
}

impl Backlog {
    /// A packet of `len` is to be sent too.
    pub(crate) fn add(&mut self, len: Bytes) {
        self.packets += 1;
        self.bytes += len;
    }

    /// A packet of `len` is sent, or will not be.
    pub(crate) fn remove(&mut self, len: Bytes) {
        self.packets -= 1;
        self.bytes = self.bytes - len;
    }
}

/// An amount of backlog, in packets or in bytes.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Limit {
    /// So many packets.
    Packets(u64),
    /// So many bytes.
    Bytes(Bytes),
}

impl Limit {
    /// More than ever waits.
    pub const NONE: Self = Self::Packets(u64::MAX);

    /// True if a packet of `len` may join `backlog` without exceeding the limit.
    pub fn admits(self, backlog: Backlog, len: Bytes) -> bool {
        match self {
            Self::Packets(limit) => backlog.packets < limit,
            Self::Bytes(limit) => backlog.bytes + len <= limit,
        }
    }

    fn is_below(self, backlog: Backlog) -> bool {
        self.count() < self.measure(backlog)
    }

    /// The number, whatever it counts.
    fn count(self) -> u64 {
        match self {
            Self::Packets(limit) => limit,
            Self::Bytes(limit) => limit.get(),
        }
    }

    /// `backlog` in the limit's measure.
    fn measure(self, backlog: Backlog) -> u64 {
        match self {
            Self::Packets(_) => backlog.packets,
            Self::Bytes(_) => backlog.bytes.get(),
        }
    }
}

/// A queue discipline and its parameters.
#[derive(Clone, Debug, PartialEq)]
pub enum QueueConfig {
    /// First in, first out; arrivals beyond the limit are dropped.
    DropTail {
        /// The largest backlog.
        limit: Limit,
    },
    /// Random early detection.
    Red(RedConfig),
    /// Controlled delay.
    Codel(CodelConfig),
    /// Marks all that arrive while the backlog is above a threshold, as DCTCP's switches do
    /// (RFC 8257 section 3.1).
    EcnThreshold {
        /// Arrivals that see a larger backlog are marked, if they are ECN-capable.
        mark_above: Limit,
        /// The largest backlog.
        limit: Limit,
    },
    /// Fair queues with controlled delay.
    FqCodel(FqCodelConfig),
}

impl QueueConfig {
    /// A drop-tail queue that holds everything.
    pub const UNLIMITED: Self = Self::DropTail { limit: Limit::NONE };

    /// The largest backlog.
    pub fn limit(&self) -> Limit {
        match self {
            Self::DropTail { limit } | Self::EcnThreshold { limit, .. } => *limit,
            Self::Red(config) => config.limit,
            Self::Codel(config) => config.limit,
            Self::FqCodel(config) => config.limit,
        }
    }
}

/// What is wrong with the parameters of a queue.
#[derive(Clone, Debug, PartialEq, Error)]
pub enum QueueError {
    /// Nothing could ever enter.
    #[error("the queue limit must be at least 1 packet or 1 byte")]
    NoRoom,
    /// RED: the thresholds cannot be compared.
    #[error("RED: both thresholds must be in packets, or both in bytes")]
    MixedThresholds,
    /// RED: the thresholds are out of order.
    #[error("RED: the minimum threshold must be smaller than the maximum threshold")]
    Thresholds,
    /// RED: the weight is no weight.
    #[error("RED: the weight must be above 0 and at most 1, not {0}")]
    Weight(f64),
    /// RED: nothing would ever be dropped early.
    #[error("RED: the maximum probability must be above 0 %")]
    NeverDrops,
    /// RED: a mean packet without bytes.
    #[error("RED: the mean packet size must be above 0 B")]
    MeanPacket,
    /// CoDel: the interval has no length.
    #[error("CoDel: the interval must be longer than 0 s")]
    Interval,
    /// FQ-CoDel: the number of queues is unusable.
    #[error("FQ-CoDel: there must be 1 to 65536 queues, not {0}")]
    Flows(u32),
    /// FQ-CoDel: a turn is too short.
    #[error("FQ-CoDel: the quantum must be at least 256 B, not {0}")]
    Quantum(Bytes),
}

/// What a discipline decides about a packet.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Verdict {
    Pass,
    /// It passes, and has been marked.
    Marked,
    Drop(Cause),
}

/// A packet that wants to enter.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Arrival {
    pub(crate) now: Time,
    pub(crate) len: Bytes,
    /// Without this packet.
    pub(crate) backlog: Backlog,
    /// Since when the link has had nothing to send, if that is so.
    pub(crate) idle_since: Option<Time>,
}

/// A packet whose transmission would begin.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Departure {
    pub(crate) now: Time,
    pub(crate) waited: Span,
    /// What waits behind it.
    pub(crate) behind: Bytes,
}

/// What decides who enters a queue and, where it matters, who is still served.
///
/// `mark` marks the packet, or answers false if it is not ECN-capable.
trait Discipline {
    fn admit(&mut self, arrival: &Arrival, mark: impl FnOnce() -> bool) -> Verdict;

    fn serve(&mut self, _: &Departure, _: impl FnOnce() -> bool) -> Verdict {
        Verdict::Pass
    }
}

#[derive(Clone, Debug)]
struct DropTail {
    limit: Limit,
}

impl Discipline for DropTail {
    fn admit(&mut self, arrival: &Arrival, _: impl FnOnce() -> bool) -> Verdict {
        if self.limit.admits(arrival.backlog, arrival.len) {
            Verdict::Pass
        } else {
            Verdict::Drop(Cause::Queue)
        }
    }
}

#[derive(Clone, Debug)]
struct EcnThreshold {
    mark_above: Limit,
    limit: Limit,
}

impl Discipline for EcnThreshold {
    fn admit(&mut self, arrival: &Arrival, mark: impl FnOnce() -> bool) -> Verdict {
        if !self.limit.admits(arrival.backlog, arrival.len) {
            Verdict::Drop(Cause::Queue)
        } else if self.mark_above.is_below(arrival.backlog) && mark() {
            Verdict::Marked
        } else {
            Verdict::Pass
        }
    }
}

/// A packet that waits, and since when.
#[derive(Clone, Debug)]
pub(crate) struct Waiting {
    pub(crate) since: Time,
    pub(crate) ticket: Ticket,
}

/// The disciplines are a closed set, so that no packet pays for a call through a pointer.
#[derive(Clone, Debug)]
enum Policy {
    DropTail(DropTail),
    EcnThreshold(Box<EcnThreshold>),
    Red(Box<Red>),
    Codel(Box<Codel>),
    /// Has queues of its own.
    FqCodel(Box<FqCodel>),
}

/// The packets that wait for one link.
#[derive(Clone, Debug)]
#[repr(C)]
pub(crate) struct Queue {
    /// First in, first out.
    waiting: VecDeque<Waiting>,
    policy: Policy,
}

impl Queue {
    /// An empty queue before a link of the given mean rate; its dice come from `stream`.
    pub(crate) fn new(
        config: &QueueConfig,
        rate: Option<Rate>,
        stream: Stream,
    ) -> Result<Self, QueueError> {
        if config.limit().count() == 0 {
            return Err(QueueError::NoRoom);
        }
        let policy = match *config {
            QueueConfig::DropTail { limit } => Policy::DropTail(DropTail { limit }),
            QueueConfig::EcnThreshold { mark_above, limit } => {
                Policy::EcnThreshold(Box::new(EcnThreshold { mark_above, limit }))
            }
            QueueConfig::Red(config) => Policy::Red(Box::new(Red::new(config, rate, stream)?)),
            QueueConfig::Codel(config) => Policy::Codel(Box::new(Codel::new(config)?)),
            QueueConfig::FqCodel(config) => {
                Policy::FqCodel(Box::new(FqCodel::new(config, stream)?))
            }
        };
        Ok(Self { waiting: VecDeque::new(), policy })
    }

    /// True if arrivals can push others out.
    pub(crate) fn is_fair(&self) -> bool {
        matches!(self.policy, Policy::FqCodel(_))
    }

    /// True if a packet that finds the link idle need not go through the queue: it would be served
    /// at once, and no state depends on that.
    pub(crate) fn lets_pass(&self) -> bool {
        !matches!(self.policy, Policy::Codel(_) | Policy::FqCodel(_))
    }

    /// Whether a packet may enter.
    pub(crate) fn admit(&mut self, arrival: &Arrival, mark: impl FnOnce() -> bool) -> Verdict {
        match &mut self.policy {
            Policy::DropTail(policy) => policy.admit(arrival, mark),
            Policy::EcnThreshold(policy) => policy.admit(arrival, mark),
            Policy::Red(policy) => policy.admit(arrival, mark),
            Policy::Codel(policy) => policy.admit(arrival, mark),
            Policy::FqCodel(_) => Verdict::Pass,
        }
    }

    /// Adds a packet that was admitted. `flow` is asked by fair queues only.
    pub(crate) fn push(&mut self, waiting: Waiting, flow: impl FnOnce(&Ticket) -> u64) {
        if let Policy::FqCodel(fair) = &mut self.policy {
            let flow = flow(&waiting.ticket);
            fair.push(waiting, flow);
        } else {
            self.waiting.push_back(waiting);
        }
    }

    /// Takes out the packet that has to go because `backlog` exceeds the limit, where the arrival
    /// itself was not turned away.
    pub(crate) fn evict(&mut self, backlog: Backlog) -> Option<Waiting> {
        match &mut self.policy {
            Policy::FqCodel(fair) => fair.evict(backlog),
            _ => None,
        }
    }

    /// Takes the packet whose turn it is at `now`, and what becomes of it.
    pub(crate) fn next(
        &mut self,
        now: Time,
        backlog: Backlog,
        mark: impl FnOnce(&Ticket) -> bool,
    ) -> Option<(Waiting, Verdict)> {
        match &mut self.policy {
            Policy::FqCodel(fair) => fair.next(now, mark),
            Policy::Codel(codel) => {
                let Some(waiting) = self.waiting.pop_front() else {
                    codel.run_empty();
                    return None;
                };
                let behind = backlog.bytes - waiting.ticket.len();
                let departure = Departure { now, waited: now - waiting.since, behind };
                let verdict = codel.serve(&departure, || mark(&waiting.ticket));
                Some((waiting, verdict))
            }
            _ => Some((self.waiting.pop_front()?, Verdict::Pass)),
        }
    }

    /// Empties the queue without asking the discipline.
    pub(crate) fn drain(&mut self) -> Option<Waiting> {
        match &mut self.policy {
            Policy::FqCodel(fair) => fair.drain(),
            _ => self.waiting.pop_front(),
        }
    }

    pub(crate) fn set_limit(&mut self, limit: Limit) {
        match &mut self.policy {
            Policy::DropTail(policy) => policy.limit = limit,
            Policy::EcnThreshold(policy) => policy.limit = limit,
            Policy::Red(policy) => policy.set_limit(limit),
            Policy::Codel(policy) => policy.set_limit(limit),
            Policy::FqCodel(policy) => policy.set_limit(limit),
        }
    }

    /// The mean rate of the link is now this (`None`: unlimited).
    pub(crate) fn set_rate(&mut self, rate: Option<Rate>) {
        if let Policy::Red(red) = &mut self.policy {
            red.set_rate(rate);
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn arrival(packets: u64, bytes: u64, len: u64) -> Arrival {
        let backlog = Backlog { packets, bytes: Bytes::new(bytes) };
        Arrival { now: Time::ZERO, len: Bytes::new(len), backlog, idle_since: None }
    }

    #[test]
    fn drop_tail_counts_packets_or_bytes() {
        let mut queue = DropTail { limit: Limit::Packets(3) };
        assert_eq!(queue.admit(&arrival(2, 9_000, 1_500), || true), Verdict::Pass);
        assert_eq!(queue.admit(&arrival(3, 120, 40), || true), Verdict::Drop(Cause::Queue));
        queue.limit = Limit::Bytes(Bytes::new(3_000));
        assert_eq!(queue.admit(&arrival(30, 1_500, 1_500), || true), Verdict::Pass);
        assert_eq!(queue.admit(&arrival(1, 1_501, 1_500), || true), Verdict::Drop(Cause::Queue));
    }

    #[test]
    fn the_threshold_marks_what_can_be_marked() {
        let (mark_above, limit) = (Limit::Packets(20), Limit::Packets(100));
        let mut queue = EcnThreshold { mark_above, limit };
        assert_eq!(queue.admit(&arrival(20, 0, 1_500), || true), Verdict::Pass);
        assert_eq!(queue.admit(&arrival(21, 0, 1_500), || true), Verdict::Marked);
        assert_eq!(queue.admit(&arrival(21, 0, 1_500), || false), Verdict::Pass);
        assert_eq!(queue.admit(&arrival(100, 0, 1_500), || true), Verdict::Drop(Cause::Queue));
    }

    #[test]
    fn a_queue_without_room_is_refused() {
        let stream = || Stream::new(crate::rng::Seed(1), "test");
        for limit in [Limit::Packets(0), Limit::Bytes(Bytes::ZERO)] {
            let error = Queue::new(&QueueConfig::DropTail { limit }, None, stream()).err();
            assert_eq!(error, Some(QueueError::NoRoom));
        }
    }
}
