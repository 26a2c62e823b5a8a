//! What happened to which packet when, for those who want to see it.
//!
//! Tracing changes nothing: with tracing off, a trace point is one bit test.
//! Links find out late what happened (they catch up when somebody looks), so
//! records are noted out of order and sorted when they are read.

use std::collections::VecDeque;
use std::ops::BitOr;

use sha2::{Digest, Sha256};

use crate::link::LinkId;
use crate::packet::Packet;
use crate::pool::{Pool, Ticket};
use crate::time::Time;
use crate::units::Bytes;

/// Why a packet was dropped.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Cause {
    /// The queue was full.
    Queue,
    /// Active queue management decided so.
    Aqm,
    /// It was lost on the link, after it had used its capacity.
    Loss,
    /// The link was or went down.
    Down,
}

/// What can happen to a packet on a link.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Point {
    /// It was admitted to the queue.
    Enqueued,
    /// It was marked "congestion experienced".
    Marked,
    /// Its last bit was sent.
    Served,
    /// It came out at the far end.
    Delivered,
    /// A copy of it was made.
    Duplicated,
    /// It was damaged.
    Corrupted,
    /// It was dropped.
    Dropped(Cause),
}

impl Point {
    const fn bit(self) -> u16 {
        1 << self.number()
    }

    const fn number(self) -> u8 {
        match self {
            Self::Enqueued => 0,
            Self::Marked => 1,
            Self::Served => 2,
            Self::Delivered => 3,
            Self::Duplicated => 4,
            Self::Corrupted => 5,
            Self::Dropped(Cause::Queue) => 6,
            Self::Dropped(Cause::Aqm) => 7,
            Self::Dropped(Cause::Loss) => 8,
            Self::Dropped(Cause::Down) => 9,
        }
    }
}

/// A set of trace points.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Points(u16);

impl Points {
    /// No point.
    pub const NONE: Self = Self(0);
    /// Every point.
    pub const ALL: Self = Self(u16::MAX);
    /// Drops, whatever the cause.
    pub const DROPS: Self = Self(
        Point::Dropped(Cause::Queue).bit()
            | Point::Dropped(Cause::Aqm).bit()
            | Point::Dropped(Cause::Loss).bit()
            | Point::Dropped(Cause::Down).bit(),
    );

    /// True if `point` belongs to the set.
    pub const fn has(self, point: Point) -> bool {
        self.0 & point.bit() != 0
    }
}

impl From<Point> for Points {
    fn from(point: Point) -> Self {
        Self(point.bit())
    }
}

impl BitOr for Points {
    type Output = Self;
    fn bitor(self, other: Self) -> Self {
        Self(self.0 | other.0)
    }
}

/// One thing that happened.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub struct Record {
    /// When, exactly.
    pub time: Time,
    /// On which link.
    pub link: LinkId,
    /// What.
    pub point: Point,
    /// To which packet ([`Packet::id`]).
    pub packet: u64,
    /// Its length.
    pub len: Bytes,
}

/// A recorder of [`Record`]s.
#[derive(Clone, Debug, Default)]
pub struct Trace {
    points: Points,
    /// Keep this many, the newest.
    bound: Option<usize>,
    records: VecDeque<Record>,
}

impl Trace {
    /// Records nothing.
    pub fn off() -> Self {
        Self::default()
    }

    /// Records all that happens at `points`.
    pub fn all(points: Points) -> Self {
        Self { points, ..Self::default() }
    }

    /// Keeps the last `count` records only.
    pub fn last(points: Points, count: usize) -> Self {
        Self { points, bound: Some(count), records: VecDeque::with_capacity(count) }
    }

    /// The records in order of time, then link, then as they happened there.
    pub fn records(&self) -> Vec<Record> {
        let mut records: Vec<Record> = self.records.iter().copied().collect();
        records.sort_by_key(|record| (record.time, record.link));
        records
    }

    /// SHA-256 over all records in order: equal for equal runs.
    pub fn digest(&self) -> [u8; 32] {
        let mut hash = Sha256::new();
        for record in self.records() {
            hash.update(record.time.as_ps().to_le_bytes());
            hash.update(record.link.0.to_le_bytes());
            hash.update([record.point.number()]);
            hash.update(record.packet.to_le_bytes());
            hash.update(record.len.get().to_le_bytes());
        }
        hash.finalize().into()
    }
}

/// What all links have in common: the packets and the trace.
#[derive(Clone, Debug)]
pub(crate) struct Shared<P> {
    pub(crate) pool: Pool<P>,
    pub(crate) trace: Trace,
}

impl<P> Default for Shared<P> {
    fn default() -> Self {
        Self { pool: Pool::default(), trace: Trace::off() }
    }
}

impl<P: Packet> Shared<P> {
    /// Notes what happened to a packet, if anybody wants to know.
    #[inline]
    pub(crate) fn note(&mut self, point: Point, time: Time, link: LinkId, ticket: &Ticket) {
        if self.trace.points.has(point) {
            self.record(point, time, link, ticket);
        }
    }

    #[cold]
    fn record(&mut self, point: Point, time: Time, link: LinkId, ticket: &Ticket) {
        let packet = self.pool.id(ticket);
        let Trace { bound, records, .. } = &mut self.trace;
        if let Some(bound) = *bound {
            if bound == 0 {
                return;
            }
            if records.len() >= bound {
                records.pop_front();
            }
        }
        records.push_back(Record { time, link, point, packet, len: ticket.len() });
    }
}
