//! What a link counts.

use crate::queue::Backlog;
use crate::time::{Span, Time};
use crate::trace::Cause;
use crate::units::Bytes;

/// Packets and their bytes.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Count {
    /// How many packets.
    pub packets: u64,
    /// How many bytes they had.
    pub bytes: u64,
}

impl Count {
    pub(crate) fn add(&mut self, len: Bytes) {
        self.packets += 1;
        self.bytes += len.get();
    }

    pub(super) fn plus(self, other: Self) -> Self {
        Self { packets: self.packets + other.packets, bytes: self.bytes + other.bytes }
    }

    /// What remains when `others`, which are part of it, are taken away.
    pub(super) fn without(self, others: &[Self]) -> Self {
        others.iter().fold(self, |rest, other| Self {
            packets: rest.packets - other.packets,
            bytes: rest.bytes - other.bytes,
        })
    }
}

/// What happened on a link so far.
///
/// At any time, offered + duplicated = delivered + dropped (whatever the cause) + still on the link.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Counters {
    /// What every packet counts.
    pub traffic: Traffic,
    /// What only some packets count.
    pub incidents: Incidents,
}

/// What every packet counts.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Traffic {
    /// Came in, admitted or not.
    pub offered: Count,
    /// Sent completely, lost afterwards or not. Its packets are the packet-hops.
    pub sent: Count,
    /// Came out.
    pub delivered: Count,
    /// The largest backlog so far, packets and bytes each.
    pub max_backlog: Backlog,
}

/// What only some packets count.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Incidents {
    /// Dropped because the queue was full.
    pub dropped_queue: Count,
    /// Dropped by active queue management.
    pub dropped_aqm: Count,
    /// Lost after they were sent.
    pub lost: Count,
    /// Dropped because the link was or went down.
    pub dropped_down: Count,
    /// Marked "congestion experienced".
    pub marked: Count,
    /// Second copies.
    pub duplicated: Count,
    /// Damaged.
    pub corrupted: Count,
}

/// What is counted while packets pass; the rest of [`Traffic`] follows from it.
#[derive(Clone, Debug, Default)]
pub(super) struct Tally {
    pub(super) offered: Count,
    pub(super) max_backlog: Backlog,
    /// How long the link was busy until it was last idle.
    pub(super) busy: Span,
    /// Since when it is busy, if it is.
    pub(super) busy_since: Time,
}

impl Tally {
    pub(super) fn note_backlog(&mut self, backlog: Backlog) {
        self.max_backlog.packets = self.max_backlog.packets.max(backlog.packets);
        self.max_backlog.bytes = self.max_backlog.bytes.max(backlog.bytes);
    }
}

impl Incidents {
    pub(super) fn dropped(&mut self, cause: Cause) -> &mut Count {
        match cause {
            Cause::Queue => &mut self.dropped_queue,
            Cause::Aqm => &mut self.dropped_aqm,
            Cause::Loss => &mut self.lost,
            Cause::Down => &mut self.dropped_down,
        }
    }

    /// Packets dropped, whatever the cause.
    pub fn dropped_packets(&self) -> u64 {
        let counts = [self.dropped_queue, self.dropped_aqm, self.lost, self.dropped_down];
        counts.iter().map(|count| count.packets).sum()
    }
}
