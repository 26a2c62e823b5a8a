//! What a link counts.

use crate::queue::Backlog;
use crate::time::Span;
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
        self.bytes = self.bytes.saturating_add(len.get());
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
    /// How long the link has been sending.
    pub busy: Span,
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

impl Traffic {
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
